"""The stream of events: read by the rules of server-sent events, and resumed."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import threading
import time
import unittest
from typing import Any, List
from unittest import mock

from switchyard import AsyncSwitchyard, ConnectionFailedError, NotFoundError, Switchyard
from switchyard.stream import messages
from tests.harness import Behaviour, Request, Stub, free_port, problem, server, until

SECRET = "0123456789abcdef" * 4


def event(number: int) -> bytes:
    data = {"event": "payment.succeeded", "event_id": f"evt_{number}", "amount": number}
    return f"id: evt_{number}\nevent: payment.succeeded\ndata: {json.dumps(data)}\n\n".encode()


def streamed(*chunks: bytes, ends: bool = True) -> Behaviour:
    """Streams chunks; then breaks off, or waits until the other side goes away."""

    def behave(request: Request, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if not ends:
            with contextlib.suppress(OSError):
                connection.recv(1)
        connection.close()

    return behave


class Reading(unittest.TestCase):
    def read(self, text: bytes) -> List[Any]:
        lines = io.BytesIO(text)
        return [tuple(message) for message in messages(lines.readline)]

    def test_lines_make_messages(self) -> None:
        self.assertEqual(self.read(b": hello\n\ndata:a\ndata: b\nid: 1\n\n"), [("a\nb", "1")])
        self.assertEqual(self.read(b"data: a\r\n\r\ndata: b\r\nid: 2\r\nretry: 5\r\nnonsense\r\n\r\n"), [("a", None), ("b", "2")])
        # One that breaks off is none, and neither is one without data.
        self.assertEqual(self.read(b"id: 1\n\ndata: a\n"), [])
        self.assertEqual(self.read(b"data: a"), [])


class Streaming(unittest.TestCase):
    def setUp(self) -> None:
        patch = mock.patch("switchyard.session.random.uniform", side_effect=lambda low, high: low)
        patch.start()
        self.addCleanup(patch.stop)

    def client(self, *behaviours: Behaviour) -> "tuple[Stub, Switchyard]":
        stub = Stub(*behaviours)
        self.addCleanup(stub.__exit__)
        return stub, Switchyard("pk_test_1", SECRET, base_url=stub.url)

    def test_it_goes_on_where_a_connection_ended(self) -> None:
        stub, client = self.client(
            streamed(b": hi\n\n" + event(1), event(2) + b"data: {\"half\""), problem(503, "ServiceUnavailable"),
            streamed(event(3)), streamed(event(4), ends=False),
        )
        with client.events.stream(types=["payment.succeeded", "refund.succeeded"]) as stream:
            self.assertEqual([next(stream)["event_id"] for _ in range(4)], ["evt_1", "evt_2", "evt_3", "evt_4"])
            self.assertEqual(stream.last_event_id, "evt_4")
        resumed = [request.headers.get("last-event-id") for request in stub.requests]
        self.assertEqual(resumed, [None, "evt_2", "evt_2", "evt_3"])
        self.assertEqual({request.target for request in stub.requests}, {"/v1/events/stream?types=payment.succeeded%2Crefund.succeeded"})
        self.assertTrue(all("x-pay-signature" in request.headers for request in stub.requests))

    def test_it_may_begin_after_an_event_of_another_day(self) -> None:
        stub, client = self.client(streamed(event(8), ends=False))
        with client.events.stream(last_event_id="evt_7") as stream:
            self.assertEqual(next(stream)["event_id"], "evt_8")
        self.assertEqual((stub.requests[0].headers["last-event-id"], stub.requests[0].target), ("evt_7", "/v1/events/stream"))
        with self.assertRaises(ValueError):
            client.events.stream(last_event_id="evt_7\r\nX: 1")
        with self.assertRaises(TypeError):
            client.events.stream(types="payment.succeeded")

    def test_a_refusal_is_raised_and_a_server_that_stays_away_is_given_up(self) -> None:
        stub, client = self.client(problem(404, "NotFound"))
        with self.assertRaises(NotFoundError):
            next(client.events.stream())
        self.assertEqual(len(stub.requests), 1)
        nowhere = Switchyard("pk_test_1", SECRET, base_url=f"http://127.0.0.1:{free_port()}")
        with mock.patch("switchyard.stream.backoff_s", return_value=0.05):
            began = time.monotonic()
            with self.assertRaises(ConnectionFailedError):
                next(nowhere.events.stream(reconnect_s=0.3))
            self.assertLess(time.monotonic() - began, 3)

    def test_silence_is_a_dead_connection(self) -> None:
        stub, client = self.client(streamed(event(1), ends=False))
        with mock.patch("switchyard.stream._SILENCE_S", 0.2), client.events.stream() as stream:
            self.assertEqual([next(stream)["event_id"] for _ in range(3)], ["evt_1"] * 3)

    def test_closing_it_ends_whoever_waits(self) -> None:
        stub, client = self.client(streamed(event(1), ends=False))
        stream = client.events.stream()
        found: List[str] = []
        thread = threading.Thread(target=lambda: found.extend(one["event_id"] for one in stream))
        thread.start()
        until(lambda: found)
        stream.close()
        thread.join(5)
        self.assertFalse(thread.is_alive())
        self.assertEqual(list(stream), [])

    def test_an_asynchronous_one_ends_with_its_task(self) -> None:
        stub, _ = self.client(streamed(event(1), event(2), ends=False))

        async def main() -> List[str]:
            found: List[str] = []

            async def listen() -> None:
                async for one in client.events.stream():
                    found.append(one["event_id"])

            async with AsyncSwitchyard("pk_test_1", SECRET, base_url=stub.url) as client:
                task = asyncio.create_task(listen())
                while len(found) < 2:
                    await asyncio.sleep(0.01)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            return found

        began = time.monotonic()
        self.assertEqual(asyncio.run(main()), ["evt_1", "evt_2"])
        until(lambda: not [one for one in threading.enumerate() if one.name.startswith("switchyard-stream")], 5)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_real_server_streams_its_events(self) -> None:
        if not server().has("/v1/events/stream"):
            self.skipTest("this server has no stream yet")
        app = server().app()
        client = Switchyard(app["public_key"], app["secret"], base_url=server().url)
        found: List[str] = []
        with client.events.stream(types=["payment.succeeded"]) as stream:
            thread = threading.Thread(target=lambda: found.extend(str(one.get("payment_id")) for one in stream))
            thread.start()
            time.sleep(1)
            paid = client.payments.create(
                external_user_id="u", amount_minor=5000, currency="IDR", method="qris", email="u@shop.example",
                return_url="https://shop.example", mock={"outcome": "succeed"},
            )
            until(lambda: paid["payment_id"] in found)
        thread.join(5)


if __name__ == "__main__":
    unittest.main()

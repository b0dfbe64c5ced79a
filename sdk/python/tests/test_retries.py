"""What is tried again, what is not, and that a POST is done once: against a server that misbehaves as told."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import ssl
import threading
import time
import traceback
import unittest
from typing import Any, Dict, List, Set, Type
from unittest import mock

from switchyard import (
    ConnectionFailedError,
    IdempotencyConflictError,
    ModeNotServedError,
    PlanLimitExceededError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitError,
    RequestTimeoutError,
    Switchyard,
    SwitchyardError,
    ValidationError,
    errors,
)
from switchyard.session import backoff_s
from tests.harness import Behaviour, Request, Stub, answer, drip, free_port, half, hang, problem, reset

SECRET = "0123456789abcdef" * 4
GOOD = answer(201, {"payment_id": "pay_1"})


class Stubbed(unittest.TestCase):
    def setUp(self) -> None:
        # Back-off is drawn from its whole width: none here, so that waits are those that a server asked for.
        patch = mock.patch("switchyard.session.random.uniform", side_effect=lambda low, high: low)
        patch.start()
        self.addCleanup(patch.stop)

    def stub(self, *behaviours: Behaviour) -> Stub:
        stub = Stub(*behaviours)
        self.addCleanup(stub.__exit__)
        return stub

    def client(self, stub: Stub, key: str = "pk_test_1", **settings: Any) -> Switchyard:
        client = Switchyard(key, SECRET, f"{key}.{SECRET}", **{"base_url": stub.url, **settings})
        self.addCleanup(client.close)
        return client

    def pay(self, client: Switchyard, **fields: Any) -> Any:
        return client.payments.create(
            external_user_id="u", amount_minor=1, currency="IDR", method="qris", return_url="https://a.example", **fields
        )


class Retrying(Stubbed):
    def test_a_post_keeps_its_key_and_body_through_all_that_may_pass(self) -> None:
        passing: List[Behaviour] = [
            reset, half, problem(408, "RequestTimeout"), problem(409, "IdempotencyInProgress"),
            problem(409, "SignatureReused"), problem(429, "RateLimited"), answer(502, b"<html>bad gateway"),
            problem(503, "ServiceUnavailable"), problem(503, "ProviderUnavailable"), answer(504, b""),
        ]
        stub = self.stub(*passing, GOOD)
        with mock.patch("switchyard.session.wait_before_again", return_value=0.0):
            self.assertEqual(self.pay(self.client(stub, max_retries=10))["payment_id"], "pay_1")
        self.assertEqual(len(stub.requests), 11)
        self.assertEqual(len({request.key for request in stub.requests}), 1)
        self.assertEqual(len({request.body for request in stub.requests}), 1)
        self.assertGreater(len(stub.requests[0].key), 30)

    def test_every_try_is_signed_when_it_is_made(self) -> None:
        stub = self.stub(problem(503, "ServiceUnavailable", Retry_After="1"), GOOD)
        self.pay(self.client(stub), idempotency_key="order-1")
        first, second = (request.headers for request in stub.requests)
        self.assertEqual((first["idempotency-key"], second["idempotency-key"]), ("order-1", "order-1"))
        self.assertGreater(int(second["x-pay-timestamp"]), int(first["x-pay-timestamp"]))
        self.assertNotEqual(first["x-pay-signature"], second["x-pay-signature"])

    def test_a_server_that_remembers_keys_does_a_post_once(self) -> None:
        done: Set[str] = set()
        stored: Dict[str, int] = {}

        def shaky(request: Request, connection: Any) -> None:
            if request.key not in done:
                done.add(request.key)
                stored[request.key] = len(stored)
                return reset(request, connection)
            answer(201, {"payment_id": f"pay_{stored[request.key]}"}, Idempotent_Replayed="true")(request, connection)

        stub = self.stub(shaky)
        client = self.client(stub)
        self.assertEqual([self.pay(client)["payment_id"] for _ in range(3)], ["pay_0", "pay_1", "pay_2"])
        self.assertEqual((len(stored), len(stub.requests)), (3, 6))

    def refused(self, kind: Type[SwitchyardError], behaviour: Behaviour, tries: int, **settings: Any) -> Any:
        stub = self.stub(behaviour)
        with self.assertRaises(kind) as caught:
            self.pay(self.client(stub, **settings), idempotency_key="order-1")
        self.assertEqual(len(stub.requests), tries)
        self.assertEqual(caught.exception.idempotency_key, "order-1")
        self.assertNotIn(SECRET, str(caught.exception) + repr(vars(caught.exception)))
        copied = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual(str(copied), str(caught.exception))
        return caught.exception

    def test_what_would_come_out_the_same_is_not_tried_again(self) -> None:
        found = self.refused(ProviderError, problem(502, "ProviderError", extra={"payment_id": "pay_1"}), 1)
        self.assertEqual((found.payment_id, found.status, found.request_id), ("pay_1", 502, "request-1"))
        self.refused(IdempotencyConflictError, problem(409, "IdempotencyConflict"), 1)
        self.refused(PlanLimitExceededError, problem(402, "PlanLimitExceeded"), 1)
        self.refused(errors.AuthenticationError, problem(401, "BadSignature"), 1)
        self.refused(errors.PermissionDeniedError, problem(403, "InsufficientScope"), 1)
        self.refused(errors.NotFoundError, problem(404, "PaymentNotFound"), 1)
        self.refused(SwitchyardError, problem(422, "NoRoute"), 1)
        self.refused(SwitchyardError, problem(500, "InternalError"), 1)
        message = {"message": ["amount_minor: must be more", "amount_minor: must be even", "odd"]}
        found = self.refused(ValidationError, problem(400, "ValidationError", extra=message), 1)
        self.assertEqual(found.fields, {"amount_minor": ["must be more", "must be even"], "": ["odd"]})

    def test_redirects_are_not_followed_and_answers_must_be_json(self) -> None:
        self.refused(SwitchyardError, answer(302, b"", Location="http://127.0.0.1:1/"), 1)
        found = self.refused(SwitchyardError, answer(200, b"<html>"), 1)
        self.assertEqual(found.code, "UnreadableAnswer")
        self.refused(SwitchyardError, answer(200, b"[" * 100000), 1)

    def test_tries_are_bounded(self) -> None:
        found = self.refused(ProviderUnavailableError, problem(503, "ProviderUnavailable", extra={"payment_id": "pay_2"}), 4)
        self.assertEqual(found.payment_id, "pay_2")
        self.refused(ConnectionFailedError, reset, 3, max_retries=2)
        self.refused(ConnectionFailedError, half, 1, max_retries=0)

    def test_retry_after_is_honoured_and_told(self) -> None:
        stub = self.stub(problem(429, "RateLimited", Retry_After="1"), GOOD)
        began = time.monotonic()
        self.pay(self.client(stub))
        self.assertGreaterEqual(time.monotonic() - began, 1)
        # A wait that does not fit in the call's time is left to the caller.
        began = time.monotonic()
        found = self.refused(RateLimitError, problem(429, "RateLimited", Retry_After="3600"), 1)
        self.assertEqual(found.retry_after, 3600)
        self.assertLess(time.monotonic() - began, 2)
        at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 1000))
        self.assertAlmostEqual(errors.retry_after_of(at) or 0, 1000, delta=3)
        for odd in ("", "soon", "-1", "1.5", "\u0661", None):
            self.assertIsNone(errors.retry_after_of(odd))

    def test_a_try_has_its_time_and_so_has_the_call(self) -> None:
        for behaviour in (hang, drip):
            began = time.monotonic()
            self.refused(RequestTimeoutError, behaviour, 2, timeout_s=0.3, max_retries=1)
            self.assertLess(time.monotonic() - began, 3)
            began = time.monotonic()
            self.refused(RequestTimeoutError, behaviour, 2, timeout_s=0.3, total_timeout_s=0.5, max_retries=99)
            self.assertLess(time.monotonic() - began, 3)
        stub = self.stub(hang, GOOD)
        self.assertEqual(self.pay(self.client(stub, timeout_s=0.3))["payment_id"], "pay_1")
        self.assertEqual(len({request.key for request in stub.requests}), 1)

    def test_a_server_that_is_not_there_is_asked_again(self) -> None:
        client = Switchyard("pk_test_1", SECRET, base_url=f"http://127.0.0.1:{free_port()}", max_retries=2)
        for absent in (ConnectionRefusedError(111, "refused"), socket.gaierror(-2, "Name or service not known")):
            with mock.patch("switchyard.transport._Connection", side_effect=absent) as tried:
                with self.assertRaisesRegex(ConnectionFailedError, "no connection: http://127.0.0.1"):
                    self.pay(client)
            self.assertEqual(tried.call_count, 3)
        with self.assertRaisesRegex(ConnectionFailedError, "no connection"):
            self.pay(client)
        # A certificate that is not trusted is not trusted the next time either.
        broken = ssl.SSLCertVerificationError("certificate verify failed")
        with mock.patch("switchyard.transport._Connection", side_effect=broken) as tried:
            with self.assertRaisesRegex(ConnectionFailedError, "certificate"):
                self.pay(client)
        self.assertEqual(tried.call_count, 1)

    def test_back_off_grows_and_is_drawn_from_its_whole_width(self) -> None:
        with mock.patch("switchyard.session.random.uniform", side_effect=lambda low, high: (low, high)):
            self.assertEqual([backoff_s(tries) for tries in (0, 1, 2, 9, 10**9)], [(0, 0.25), (0, 0.5), (0, 1), (0, 8), (0, 8)])

    def test_nothing_secret_is_in_the_locals_that_reports_of_errors_print(self) -> None:
        behaviours: List[Behaviour] = [problem(401, "InvalidApiKey"), reset, hang, answer(200, b"<html>")]
        for behaviour in behaviours:
            client = self.client(self.stub(behaviour), max_retries=0, timeout_s=0.2)
            for verb in (client.balance.derive, client.payments.get):
                try:
                    verb("a")
                    self.fail("it was not refused")
                except SwitchyardError as error:
                    told = traceback.TracebackException.from_exception(error, capture_locals=True)
                    ours = [frame.locals or {} for frame in told.stack if "test_retries" not in frame.filename]
                    self.assertGreater(len(ours), 2)
                    self.assertNotIn(SECRET, repr(ours))
                    # What else was under way is not dragged along.
                    self.assertTrue(error.__context__ is None or error.__suppress_context__)

    def test_nothing_secret_is_logged(self) -> None:
        stub = self.stub(problem(503, "ServiceUnavailable"), reset, GOOD)
        with self.assertLogs("switchyard", logging.DEBUG) as logged:
            self.pay(self.client(stub))
        self.assertEqual(len(logged.output), 3)
        self.assertNotIn(SECRET, "".join(logged.output))
        self.assertNotIn(stub.requests[0].headers["x-pay-signature"], "".join(logged.output))


class Connections(Stubbed):
    def test_answers_of_all_kinds_are_read_whole_or_not_at_all(self) -> None:
        body = b'{"payment_id": "' + b"x" * 200_000 + b'"}'

        def chunked(request: Request, connection: Any, end: bytes = b"0\r\n\r\n") -> None:
            connection.sendall(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(body), 50_000):
                piece = body[start:start + 50_000]
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.sendall(end)

        def cut(request: Request, connection: Any) -> None:
            chunked(request, connection, b"")
            connection.close()

        def until_closed(request: Request, connection: Any) -> None:
            connection.sendall(b"HTTP/1.0 201 Created\r\n\r\n" + body)
            connection.close()

        stub = self.stub(chunked)
        client = self.client(stub, max_retries=0)
        for _ in range(2):
            self.assertEqual(len(self.pay(client)["payment_id"]), 200_000)
        self.assertEqual(stub.connections, 1)
        stub.behaviours = [until_closed]
        self.assertEqual(len(self.pay(client)["payment_id"]), 200_000)
        stub.behaviours = [cut]
        with self.assertRaises(ConnectionFailedError):
            self.pay(client)
        stub.behaviours = [chunked]
        with mock.patch("switchyard.transport._LONGEST_ANSWER", 100_000), self.assertRaisesRegex(ConnectionFailedError, "too long"):
            self.pay(client)
        stub.behaviours = [answer(201, {"payment_id": "x" * 200_000})]
        with mock.patch("switchyard.transport._LONGEST_ANSWER", 100_000), self.assertRaisesRegex(ConnectionFailedError, "too long"):
            self.pay(client)

    def test_a_connection_is_kept(self) -> None:
        stub = self.stub(GOOD)
        client = self.client(stub)
        for _ in range(5):
            self.pay(client)
        self.assertEqual(stub.connections, 1)

    def test_one_that_the_server_has_closed_is_not_used_and_costs_no_try(self) -> None:
        stub = self.stub(GOOD)
        client = self.client(stub, max_retries=0)
        for _ in range(3):
            self.pay(client)
            stub.close_connections()
            time.sleep(0.05)
        # Closed just as the request goes out: once more at once, under the same key.
        self.pay(client)
        stub.behaviours = [reset, GOOD]
        with mock.patch("switchyard.transport._Connection.is_quiet", return_value=True):
            self.pay(client)
        self.assertEqual(stub.requests[-1].key, stub.requests[-2].key)

    def test_threads_share_a_client(self) -> None:
        def echo(request: Request, connection: Any) -> None:
            answer(201, {"payment_id": request.json["metadata"]["n"]})(request, connection)

        stub = self.stub(echo)
        client = self.client(stub)
        wrong: List[int] = []

        def work(start: int) -> None:
            for number in range(start, start + 25):
                if self.pay(client, metadata={"n": number})["payment_id"] != number:
                    wrong.append(number)

        threads = [threading.Thread(target=work, args=(start * 100,)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((wrong, len(stub.requests)), ([], 200))
        self.assertLessEqual(stub.connections, 8)

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork here")
    def test_a_child_process_does_not_use_its_parents_connections(self) -> None:
        stub = self.stub(GOOD)
        client = self.client(stub)
        self.pay(client)
        child = os.fork()
        if child == 0:
            try:
                self.pay(client)
                os._exit(0)
            finally:
                os._exit(1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.pay(client)
        self.assertEqual(stub.connections, 2)


class ElsewhereServed(Stubbed):
    """421: the key's mode is served by another server."""

    def elsewhere(self, url: str, code: int = 421) -> Behaviour:
        return problem(code, "ModeNotServed", f"this server does not serve mode live; use {url}")

    def test_it_is_followed_on_this_machine_once_and_remembered(self) -> None:
        for key in ("pk_test_1", "pk_live_1"):
            there = self.stub(GOOD)
            here = self.stub(self.elsewhere(there.url))
            client = self.client(here, key, max_retries=0)
            self.pay(client)
            self.pay(client)
            self.assertEqual((len(here.requests), len(there.requests)), (1, 2))
            self.assertEqual(here.requests[0].key, there.requests[0].key)

    def test_threads_that_are_sent_away_at_once_all_arrive(self) -> None:
        there = self.stub(GOOD)
        barrier = threading.Barrier(8)

        def together(request: Request, connection: Any) -> None:
            barrier.wait(10)
            self.elsewhere(there.url)(request, connection)

        client = self.client(self.stub(together), max_retries=0)
        found: List[Any] = []
        threads = [threading.Thread(target=lambda: found.append(self.pay(client))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(found), len(there.requests)), (8, 8))

    def test_it_is_not_followed_twice(self) -> None:
        here, there = self.stub(GOOD), self.stub(GOOD)
        here.behaviours, there.behaviours = [self.elsewhere(there.url)], [self.elsewhere(here.url)]
        with self.assertRaises(ModeNotServedError) as caught:
            self.pay(self.client(here))
        self.assertEqual((len(here.requests), len(there.requests)), (1, 1))
        self.assertEqual(caught.exception.base_url, here.url)

    def moved(self, key: str, named: str, here: str = "https://a.example", **urls: Any) -> str:
        client = Switchyard(key, SECRET, base_url=here, **urls)
        told = errors.ModeNotServedError("no", body={"detail": f"not here; use {named}" if named else "not here"})
        client._session.move(told, client._session.address)
        return client.base_url

    def test_whither_a_key_may_go(self) -> None:
        stays = "https://a.example"
        # A test or sandbox key: to https, never in the clear.
        self.assertEqual(self.moved("pk_test_1", "https://b.example"), "https://b.example")
        self.assertEqual(self.moved("pk_sandbox_1", "http://b.example"), stays)
        self.assertEqual(self.moved("pk_test_1", "http://127.0.0.1:9"), stays)
        self.assertEqual(self.moved("pk_test_1", "http://b.example", "http://127.0.0.1:8"), "http://127.0.0.1:8")
        self.assertEqual(self.moved("pk_test_1", "http://localhost:9", "http://127.0.0.1:8"), "http://localhost:9")
        # A live key: to where the caller said that live is, and on this machine.
        for named in ("https://b.example", "http://b.example", "http://127.0.0.1:9", "https://a.example@b.example", "x", ""):
            self.assertEqual(self.moved("pk_live_1", named), stays)
        self.assertEqual(self.moved("pk_live_1", "https://b.example", "http://127.0.0.1:8"), "http://127.0.0.1:8")
        self.assertEqual(self.moved("pk_live_1", "http://[::1]:9", "http://127.0.0.1:8"), "http://[::1]:9")
        live = {"production_url": "https://live.example", "sandbox_url": "https://b.example"}
        for named in ("https://live.example/", ""):
            self.assertEqual(self.moved("pk_live_1", named, **live), "https://live.example")
        self.assertEqual(self.moved("pk_live_1", "https://b.example", **live), stays)


if __name__ == "__main__":
    unittest.main()

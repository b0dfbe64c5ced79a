"""The asynchronous client: the same verbs, awaited, and calls that end with their tasks."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import time
import unittest
from typing import Any, List

import switchyard
from switchyard import AsyncSwitchyard, NotFoundError, Switchyard, aio_resources, resources
from tests.harness import SDK, Behaviour, Request, Stub, answer, hang, problem

SECRET = "0123456789abcdef" * 4


class Same(unittest.TestCase):
    def test_the_asynchronous_verbs_are_made_of_the_others(self) -> None:
        spec = importlib.util.spec_from_file_location("make_async", SDK / "make_async.py")
        assert spec and spec.loader
        maker = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(maker)
        written = (SDK / "src/switchyard/aio_resources.py").read_text(encoding="utf-8")
        self.assertEqual(maker.made(), written, "run make_async.py")

    def test_every_verb_is_there_and_is_awaited_unless_it_is_a_list_or_a_stream(self) -> None:
        plain = Switchyard("pk_test_1", SECRET, base_url="http://127.0.0.1:1")
        awaited = AsyncSwitchyard("pk_test_1", SECRET, base_url="http://127.0.0.1:1")
        nouns = {name for name, noun in vars(plain).items() if isinstance(noun, resources.Resource)}
        self.assertEqual(nouns, {name for name, noun in vars(awaited).items() if isinstance(noun, aio_resources.AsyncResource)})
        expected = {
            "payments": "create get list cancel timeline", "refunds": "create get list",
            "subscriptions": "get list cancel", "customers": "get list set_kyc",
            "events": "list get redeliver redeliver_since stream", "routes": "explain",
            "invoices": "create get list finalize void", "payment_links": "create get list close",
            "balance": "emit emit_batch emit_and_wait get derive compare checkpoint checkpoints receipt proof verify",
            "writes": "create get",
        }
        self.assertEqual(nouns, set(expected))
        for noun, verbs in expected.items():
            for client in (plain, awaited):
                known = {name for name in dir(getattr(client, noun)) if not name.startswith("_")}
                self.assertEqual(known, set(verbs.split()), noun)
            for verb in verbs.split():
                is_awaited = inspect.iscoroutinefunction(getattr(getattr(awaited, noun), verb))
                self.assertEqual(is_awaited, verb not in ("list", "checkpoints", "stream"), f"{noun}.{verb}")


class Awaited(unittest.TestCase):
    def client(self, *behaviours: Behaviour, **settings: Any) -> "tuple[Stub, AsyncSwitchyard]":
        stub = Stub(*behaviours)
        self.addCleanup(stub.__exit__)
        return stub, AsyncSwitchyard("pk_test_1", SECRET, base_url=stub.url, **settings)

    def test_pages_are_asked_for_as_they_are_wanted(self) -> None:
        def page(request: Request, connection: Any) -> None:
            start = int(request.target.partition("cursor=")[2] or 0)
            following = str(start + 2) if start < 4 else None
            answer(200, {"data": [{"payment_id": start}, {"payment_id": start + 1}], "next_cursor": following})(request, connection)

        stub, client = self.client(page)
        plain = Switchyard("pk_test_1", SECRET, base_url=stub.url)
        self.addCleanup(plain.close)

        async def main() -> List[Any]:
            async with client:
                listed = client.payments.list(limit=2)
                self.assertEqual(stub.requests, [])
                found = [one["payment_id"] async for one in listed]
                self.assertEqual((await listed.page("4")).next_cursor, None)
                self.assertEqual(len([one async for one in listed.pages()]), 3)
                async for one in listed:
                    break
            return found

        self.assertEqual(asyncio.run(main()), [0, 1, 2, 3, 4, 5])
        self.assertEqual(len(stub.requests), 3 + 1 + 3 + 1)
        listed = plain.payments.list(limit=2)
        self.assertEqual([one["payment_id"] for one in listed], [0, 1, 2, 3, 4, 5])
        self.assertEqual(listed.page().next_cursor, "2")
        self.assertEqual([len(one.data) for one in listed.pages()], [2, 2, 2])
        self.assertEqual(stub.requests[0].target, "/v1/payments?limit=2")

    def test_calls_run_side_by_side_and_errors_come_through(self) -> None:
        def slow(request: Request, connection: Any) -> None:
            time.sleep(0.2)
            answer(200, {"payment_id": request.target})(request, connection)

        stub, client = self.client(slow)

        async def main() -> None:
            async with client:
                began = time.monotonic()
                found = await asyncio.gather(*(client.payments.get(f"pay_{number}") for number in range(10)))
                self.assertEqual([one["payment_id"] for one in found], [f"/v1/payments/pay_{number}" for number in range(10)])
                self.assertLess(time.monotonic() - began, 1.5)
                stub.behaviours = [problem(404, "PaymentNotFound")]
                with self.assertRaises(NotFoundError):
                    await client.payments.get("pay_1")

        asyncio.run(main())

    def test_a_call_that_is_cancelled_ends_in_its_thread_too(self) -> None:
        waits: List[Behaviour] = [hang, problem(429, "RateLimited", Retry_After="20")]
        for behaviour in waits:
            stub, client = self.client(behaviour)

            async def main() -> None:
                async with client:
                    with self.assertRaises(asyncio.TimeoutError):
                        await asyncio.wait_for(client.payments.get("pay_1"), 0.3)
                    # The one thread that there might be is free again.
                    stub.behaviours = [answer(200, {"payment_id": "pay_1"})]
                    self.assertEqual((await asyncio.wait_for(client.payments.get("pay_1"), 5))["payment_id"], "pay_1")

            began = time.monotonic()
            asyncio.run(main())
            client._own.executor.shutdown(wait=True)
            self.assertLess(time.monotonic() - began, 5)

    def test_one_thread_is_enough(self) -> None:
        stub, client = self.client(hang, max_concurrency=1)

        async def main() -> None:
            async with client:
                first = asyncio.create_task(client.payments.get("pay_1"))
                waiting = asyncio.create_task(client.payments.get("pay_2"))
                await asyncio.sleep(0.2)
                for task in (waiting, first):
                    task.cancel()
                await asyncio.gather(first, waiting, return_exceptions=True)
                stub.behaviours = [answer(200, {"payment_id": "pay_3"})]
                self.assertEqual((await client.payments.get("pay_3"))["payment_id"], "pay_3")
            self.assertNotIn("/v1/payments/pay_2", [request.target for request in stub.requests])

        asyncio.run(main())

    def test_the_package_says_what_it_has(self) -> None:
        for name in switchyard.__all__:
            self.assertTrue(hasattr(switchyard, name), name)


if __name__ == "__main__":
    unittest.main()

"""The client against a real server: what it sends is taken, and what it answers has the types that are promised."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from decimal import Decimal
import json
import re
import socket
import subprocess
import threading
import time
import unittest
from typing import Any, Dict, List, Tuple
import uuid

from switchyard import (
    AsyncSwitchyard,
    AuthenticationError,
    IdempotencyConflictError,
    ModeNotServedError,
    NotFoundError,
    PlanLimitExceededError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitError,
    Switchyard,
    SwitchyardError,
    ValidationError,
    proofs,
    to_json,
    webhooks,
)
from tests.harness import BINARY, Request, Server, Stub, answer, call, reset, server, through, until

BUYER: Dict[str, Any] = {
    "external_user_id": "user/42 \u00fc", "email": "buyer@shop.example", "amount_minor": 50_000, "currency": "IDR",
    "method": "va_bca", "return_url": "https://shop.example/thanks",
}


class Signed(unittest.TestCase):
    app: Dict[str, str]
    pay: Switchyard

    @classmethod
    def setUpClass(cls) -> None:
        cls.app = server().app()
        cls.pay = Switchyard(cls.app["public_key"], cls.app["secret"], base_url=server().url, expect_mode="test")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.pay.close()

    def paid(self, **fields: Any) -> Any:
        payment = self.pay.payments.create(**{**BUYER, "mock": {"outcome": "succeed"}, **fields})
        return until(lambda: self._succeeded(payment["payment_id"]))

    def _succeeded(self, payment_id: str) -> Any:
        found = self.pay.payments.get(payment_id)
        return found if found["status"] == "succeeded" else None

    def test_a_payment_from_end_to_end(self) -> None:
        payment = self.paid(metadata={"order": "1", "weight": Decimal("1.50")}, description="a chair", invoice_prefix="INV")
        self.assertEqual((payment["mode"], payment["amount_minor"], payment["paid_minor"]), ("test", 50000, 50000))
        self.assertEqual(payment["metadata"], {"order": "1", "weight": Decimal("1.5")})
        self.assertTrue(payment["invoice_number"].startswith("INV-"))
        kinds = [entry["kind"] for entry in self.pay.payments.timeline(payment["payment_id"])]
        self.assertIn("transition", kinds)
        refund = self.pay.refunds.create(payment_id=payment["payment_id"], amount_minor=20_000, reason="a leg was missing")
        rest = self.pay.refunds.create(payment_id=payment["payment_id"])
        self.assertEqual((refund["amount_minor"], rest["amount_minor"]), (20_000, 30_000))
        self.assertEqual(self.pay.refunds.get(refund["refund_id"])["reason"], "a leg was missing")
        listed = [one["refund_id"] for one in self.pay.refunds.list(payment_id=payment["payment_id"], limit=1)]
        self.assertEqual(listed, [rest["refund_id"], refund["refund_id"]])
        with self.assertRaises(SwitchyardError) as caught:
            self.pay.refunds.create(payment_id=payment["payment_id"], amount_minor=1)
        self.assertEqual((caught.exception.status, caught.exception.code), (422, "NotRefundable"))

    def test_lists_have_all_pages_and_their_filters(self) -> None:
        who = f"user-{uuid.uuid4()}"
        made = [self.pay.payments.create(**{**BUYER, "external_user_id": who})["payment_id"] for _ in range(5)]
        self.assertEqual([one["payment_id"] for one in self.pay.payments.list(external_user_id=who, limit=2)], made[::-1])
        canceled = self.pay.payments.cancel(made[0])
        self.assertEqual(canceled["status"], "canceled")
        found = self.pay.payments.list(status="canceled", external_user_id=who, method="va_bca", provider="mock")
        self.assertEqual([one["payment_id"] for one in found], [made[0]])
        now = datetime.now(timezone.utc)
        between = self.pay.payments.list(
            external_user_id=who, created_from=now - timedelta(hours=1), created_to=(now + timedelta(hours=1)).isoformat()
        )
        self.assertEqual(len(list(between)), 5)
        self.assertEqual(list(self.pay.payments.list(external_user_id=who, created_from=now + timedelta(hours=1))), [])
        with self.assertRaises(ValueError):
            self.pay.payments.list(created_from=datetime(2026, 1, 1))
        self.assertEqual(self.pay.customers.get(who)["email"], "buyer@shop.example")
        self.assertIn(BUYER["external_user_id"], {**BUYER}.values())
        self.assertIn(who, [one["external_user_id"] for one in self.pay.customers.list(limit=1)])

    def test_ids_with_odd_characters_are_found(self) -> None:
        who = "a/b?c#d%2F \u00fc\u2028&=+"
        try:
            self.pay.payments.create(**{**BUYER, "external_user_id": who})
        except ValidationError:
            self.skipTest("the server takes no such id")
        self.assertEqual(self.pay.customers.get(who)["external_user_id"], who)
        self.assertEqual(len(self.pay.payments.list(external_user_id=who).page().data), 1)

    def test_a_signed_query_is_accepted_where_it_is_required(self) -> None:
        made = server().app("test", "", "--require-signed-query")
        pay = Switchyard(made["public_key"], made["secret"], base_url=server().url)
        self.assertEqual(list(pay.payments.list(external_user_id="a b&c", limit=3)), [])
        pay.close()

    def test_payments_that_are_alike_are_each_made(self) -> None:
        who = f"user-{uuid.uuid4()}"
        for _ in range(5):
            self.pay.payments.create(**{**BUYER, "external_user_id": who})
        self.assertEqual(len(list(self.pay.payments.list(external_user_id=who))), 5)
        # Another process signs the same in the same second: told as reused, and signed anew.
        twin = Switchyard(self.app["public_key"], self.app["secret"], base_url=server().url)
        for client in (self.pay, twin) * 3:
            client.payments.create(**{**BUYER, "external_user_id": who})
        twin.close()
        self.assertEqual(len(list(self.pay.payments.list(external_user_id=who))), 11)

    def test_the_same_key_is_the_same_payment(self) -> None:
        key = f"order {uuid.uuid4()}"
        first = self.pay.payments.create(**BUYER, idempotency_key=key)
        self.assertEqual(self.pay.payments.create(**BUYER, idempotency_key=key), first)
        with self.assertRaises(IdempotencyConflictError):
            self.pay.payments.create(**{**BUYER, "amount_minor": 1}, idempotency_key=key)

    def test_an_answer_that_is_lost_does_not_make_a_second_payment(self) -> None:
        for spoiled in (reset, answer(502, b"<html>"), answer(503, b""), answer(504, b"{")):
            who = f"user-{uuid.uuid4()}"
            with Stub(through(server().url, lambda number: spoiled if number <= 2 else None)) as between:
                pay = Switchyard(self.app["public_key"], self.app["secret"], base_url=between.url)
                payment = pay.payments.create(**{**BUYER, "external_user_id": who})
                self.assertEqual(len(between.requests), 3)
                self.assertEqual(len({request.key for request in between.requests}), 1)
                pay.close()
            self.assertEqual([one["payment_id"] for one in self.pay.payments.list(external_user_id=who)], [payment["payment_id"]])

    def test_what_a_provider_does_is_told_apart(self) -> None:
        with self.assertRaises(ProviderError) as refused:
            self.pay.payments.create(**BUYER, mock={"start": "refuse", "decline_code": "no_funds"})
        payment_id = refused.exception.payment_id or ""
        self.assertEqual(self.pay.payments.get(payment_id)["status"], "failed")
        unknown = self.pay.payments.create(**BUYER, mock={"start": "timeout_but_charged"})
        self.assertEqual(unknown["status"], "initiated")
        self.assertEqual(call(f"{server().url}/mock/charges/{unknown['payment_id']}")["charges"], 1)

    def test_errors_are_typed(self) -> None:
        with self.assertRaises(ValidationError) as invalid:
            self.pay.payments.create(**{**BUYER, "amount_minor": 0, "currency": "rupiah"})
        self.assertEqual(set(invalid.exception.fields), {"amount_minor", "currency"})
        self.assertTrue(invalid.exception.request_id)
        with self.assertRaises(NotFoundError) as missing:
            self.pay.payments.get("pay_" + "0" * 26)
        self.assertEqual(missing.exception.code, "PaymentNotFound")
        wrong = Switchyard(self.app["public_key"], "0" * 64, base_url=server().url)
        with self.assertRaises(AuthenticationError):
            wrong.payments.list().page()
        wrong.close()
        with self.assertRaises(SwitchyardError) as nowhere:
            self.pay.payments.create(**{**BUYER, "currency": "USD"})
        self.assertEqual((nowhere.exception.status, nowhere.exception.code), (422, "NoRoute"))

    def test_routes_subscriptions_and_events(self) -> None:
        route = self.pay.routes.explain(currency="IDR", method="qris")
        self.assertEqual((route["chosen"], route["candidates"][0]["provider"]), ("mock", "nicepay"))
        self.assertEqual(list(self.pay.subscriptions.list(status="active", external_user_id="nobody")), [])
        for attempt in (self.pay.subscriptions.get, self.pay.subscriptions.cancel):
            with self.assertRaises(NotFoundError):
                attempt("sub_" + "0" * 26)
        payment = self.paid()
        events = until(lambda: list(self.pay.events.list(payment_id=payment["payment_id"], type="payment.succeeded")))
        body = events[0]["body"]
        self.assertEqual((body["event"], body["amount"], body["payment_id"]), ("payment.succeeded", 50_000, payment["payment_id"]))
        self.assertEqual(self.pay.events.get(events[0]["event_id"])["deliveries"], [])

    def test_an_event_is_delivered_verified_and_delivered_again(self) -> None:
        got: List[Tuple[Request, Any]] = []
        secret = ""

        def receive(request: Request, connection: socket.socket) -> None:
            got.append((request, webhooks.verify(request.body, request.headers, secret)))
            answer(204, b"")(request, connection)

        with Stub(receive) as receiver:
            app = server().app(webhook_url=f"{receiver.url}/hook")
            secret = app["webhook_secret"]
            pay = Switchyard(app["public_key"], app["secret"], base_url=server().url)
            payment = pay.payments.create(**BUYER, mock={"outcome": "succeed"})
            until(lambda: got)
            event = got[0][1]
            self.assertEqual((event["event"], event["payment_id"]), ("payment.succeeded", payment["payment_id"]))
            for family in ("x-pay-", "webhook-"):
                one = {name: value for name, value in got[0][0].headers.items() if name.startswith(family)}
                for notation in (secret, app["webhook_secret_standard"]):
                    self.assertEqual(webhooks.verify(got[0][0].body, one, notation), event)
            until(lambda: pay.events.get(event["event_id"])["deliveries"][0]["state"] == "delivered")
            self.assertEqual(pay.events.redeliver(event["event_id"])["deliveries"], 1)
            until(lambda: len(got) > 1)
            self.assertEqual(got[1][1], event)
            self.assertEqual(pay.events.redeliver_since("2026-01-01T00:00:00Z")["deliveries"], 0)
            pay.close()

    def test_threads_and_tasks(self) -> None:
        who = f"user-{uuid.uuid4()}"
        threads = [
            threading.Thread(target=self.pay.payments.create, kwargs={**BUYER, "external_user_id": who}) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(list(self.pay.payments.list(external_user_id=who, limit=3))), 8)

        async def main() -> int:
            async with AsyncSwitchyard(self.app["public_key"], self.app["secret"], base_url=server().url) as pay:
                await asyncio.gather(*(pay.payments.create(**{**BUYER, "external_user_id": who}) for _ in range(8)))
                return len([one async for one in pay.payments.list(external_user_id=who, limit=3)])

        self.assertEqual(asyncio.run(main()), 16)


class Ledger(unittest.TestCase):
    def test_deltas_are_emitted_derived_compared_and_proven(self) -> None:
        pay = Switchyard(api_key=server().api_key(), base_url=server().url)
        self.addCleanup(pay.close)
        first = pay.balance.emit_and_wait(customer_id="acme", delta="-42.500001", reason="usage \u00fc", reference_id="job-1")
        self.assertEqual((first["delta"], first["status"]), (Decimal("-42.500001"), "VERIFIED"))
        again = pay.balance.emit(customer_id="acme", delta=Decimal("-42.500001"), reason="usage \u00fc", reference_id="job-1")
        self.assertEqual((again["recordId"], again.get("idempotent")), (first["recordId"], True))
        batch = pay.balance.emit_batch([
            {"customer_id": "acme", "delta": 1, "reason": "r", "reference_id": "job-2", "metadata": {"delta": 1}},
            {"customer_id": "no such customer", "delta": 1, "reason": "r"},
        ])
        self.assertEqual((batch["totalQueued"], batch["totalFailed"]), (1, 1))
        until(lambda: pay.balance.get(batch["results"][0]["recordId"])["status"] == "VERIFIED")
        derived = pay.balance.derive("acme", starting_balance="0.000001", limit=1, offset=1)
        self.assertEqual((derived["computedBalance"], derived["deltasCount"]), (Decimal("-41.5"), 2))
        self.assertIsInstance(derived["deltas"][0]["delta"], Decimal)
        compared = pay.balance.compare(
            customer_id="acme", your_balance=Decimal("-41.500001"), their_balance=-40,
            your_deltas=[{"reference_id": "job-1", "amount": "-42.500001"}, {"reference_id": "job-2", "amount": 2}],
        )
        self.assertEqual((compared["matchesYours"], compared["theirDiscrepancy"]), (True, Decimal("1.500001")))
        self.assertEqual([one["referenceId"] for one in compared["differences"]], ["job-2"])
        checkpoint = pay.balance.checkpoint(customer_id="acme")
        self.assertEqual(pay.balance.checkpoint(customer_id="acme")["checkpointId"], checkpoint["checkpointId"])
        pay.balance.checkpoint()
        self.assertEqual(len(list(pay.balance.checkpoints(limit=1))), 2)
        self.assertEqual([one["checkpointId"] for one in pay.balance.checkpoints(customer_id="acme")], [checkpoint["checkpointId"]])
        known = pay.balance.verify(checkpoint["proofRoot"])
        self.assertEqual((known["verified"], known["summary"]["netChange"]), (True, Decimal("-41.500001")))
        with self.assertRaises(NotFoundError):
            pay.balance.verify("0" * 64)

        key, month = server().ledger_key(), first["createdAt"][:7]
        receipts = [pay.balance.receipt("acme"), pay.balance.receipt("acme", period=month)]
        for receipt in receipts:
            self.assertEqual(proofs.verify(receipt, key).net_change, Decimal("-41.500001"))
            self.assertEqual(proofs.verify(to_json(receipt), key).record_ids[0], first["recordId"])
        for proof in (pay.balance.proof(first["recordId"]), pay.balance.proof(first["recordId"], checkpoint=checkpoint["checkpointId"])):
            self.assertEqual(proofs.verify(proof, key).record_ids, (first["recordId"],))
        # The program itself agrees.
        path = server().directory / "receipt.json"
        path.write_text(to_json(receipts[0]))
        done = subprocess.run([BINARY, "balances", "check-proof", str(path), "--key", key], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_spans_of_time_go_out_as_they_are(self) -> None:
        pay = Switchyard(api_key=server().api_key(), base_url=server().url)
        self.addCleanup(pay.close)
        pay.balance.emit_and_wait(customer_id="acme", delta=7, reason="r")
        today = datetime.now(timezone.utc)
        start, end = today - timedelta(days=1), today + timedelta(days=1)
        span = {"time_preset": "custom", "start_date": start, "end_date": end}
        self.assertEqual(pay.balance.derive("acme", **span)["computedBalance"], 7)  # type: ignore[arg-type]
        receipt = pay.balance.receipt("acme", **span)  # type: ignore[arg-type]
        self.assertIn("~", receipt["period"] or "")
        self.assertEqual(proofs.verify(receipt, server().ledger_key()).net_change, 7)
        with self.assertRaises(ValidationError) as caught:
            pay.balance.derive("acme", period="2026-01", time_preset="current_month")
        self.assertEqual(caught.exception.code, "INVALID_SCOPE_COMBINATION")

    def test_what_a_payment_posts_is_proven_too(self) -> None:
        key = server().api_key()
        app = server().app("test", "", "--tenant", server().tenant_of(key))
        pay = Switchyard(app["public_key"], app["secret"], key, base_url=server().url)
        self.addCleanup(pay.close)
        payment = pay.payments.create(**BUYER, mock={"outcome": "succeed"})
        until(lambda: pay.payments.get(payment["payment_id"])["status"] == "succeeded")
        customer = f"{app['app_id']}:IDR:{BUYER['external_user_id']}"
        until(lambda: customer in [one["customerId"] for one in call(
            f"{server().url}/api/v1/balance/customers", headers={"X-Api-Key": key})["data"]["customers"]])
        receipt = until(lambda: self.receipt(pay, customer))
        proven = proofs.verify(receipt, server().ledger_key())
        self.assertEqual((proven.customer_id, proven.net_change), (customer, 50_000))
        self.assertEqual((receipt["currency"], receipt["leaves"][0]["referenceId"]), ("IDR", payment["payment_id"]))
        receipt["currency"] = "USD"
        with self.assertRaises(proofs.ProofError):
            proofs.verify(receipt, server().ledger_key())

    @staticmethod
    def receipt(pay: Switchyard, customer: str) -> Any:
        try:
            return pay.balance.receipt(customer)
        except NotFoundError:
            return None

    def test_writes(self) -> None:
        pay = Switchyard(api_key=server().api_key(), base_url=server().url)
        self.addCleanup(pay.close)
        accepted = pay.writes.create([{"key": "order-1", "account_id": "acme", "bits": 3, "metadata": {"a": 1}}])
        self.assertEqual(accepted["itemCount"], 1)
        done = until(lambda: next((one for one in [pay.writes.get(accepted["requestId"])] if one["status"] == "verified"), None))
        self.assertEqual(done["items"][0]["bits"], 3)

    def test_the_limits_of_a_plan_and_of_a_key_are_told(self) -> None:
        pay = Switchyard(api_key=server().api_key(), base_url=server().url)
        self.addCleanup(pay.close)
        pay.balance.emit_batch([{"customer_id": "acme", "delta": 1, "reason": "r"} for _ in range(99)])
        pay.balance.emit_and_wait(customer_id="acme", delta=1, reason="r")
        with self.assertRaises(PlanLimitExceededError) as limited:
            pay.balance.emit(customer_id="acme", delta=1, reason="r")
        self.assertIn("100", limited.exception.message)
        self.assertEqual(pay.balance.derive("acme")["computedBalance"], 100)
        slow = Switchyard(api_key=server().api_key(requests_per_minute=2), base_url=server().url, max_retries=0)
        self.addCleanup(slow.close)
        with self.assertRaises(RateLimitError) as told:
            for _ in range(4):
                list(slow.balance.checkpoints())
        self.assertGreater(told.exception.retry_after or 0, 0)

    def test_an_api_key_that_is_wrong_is_refused(self) -> None:
        pay = Switchyard(api_key="pk_test_" + "0" * 24 + "." + "0" * 64, base_url=server().url)
        self.addCleanup(pay.close)
        with self.assertRaises(AuthenticationError):
            pay.balance.derive("acme")


class Apart(unittest.TestCase):
    def test_a_key_that_is_brought_to_the_wrong_server_goes_to_the_right_one(self) -> None:
        live = Server(SERVER__MODES="live")
        self.addCleanup(live.stop)
        sandbox = Server(SERVER__MODES="test,sandbox", SERVER__MODE_URLS__LIVE=live.url)
        self.addCleanup(sandbox.stop)
        app = live.app("live")
        for url in (sandbox.url, live.url):
            pay = Switchyard(app["public_key"], app["secret"], base_url=url, expect_mode="live")
            payment = pay.payments.create(**BUYER)
            self.assertEqual((payment["mode"], pay.payments.get(payment["payment_id"])["mode"]), ("live", "live"))
            self.assertEqual(pay.base_url, live.url)
            pay.close()
        test = live.app("test")
        lost = Switchyard(test["public_key"], test["secret"], base_url=live.url)
        with self.assertRaises(ModeNotServedError) as caught:
            lost.payments.list().page()
        self.assertIsNone(caught.exception.base_url)
        lost.close()


if __name__ == "__main__":
    unittest.main()

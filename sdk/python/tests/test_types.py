"""The types against the schemas of a real server, and against what it really answers."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional
import unittest
import uuid

from switchyard import Switchyard, types
from tests.harness import server, until
from tests.shapes import check, faults_of_keys

# What the object of each path's answer is; of a list, what its data is made of.
ANSWERS: Dict[str, Any] = {
    "get /v1/payments/{}": types.Payment, "get /v1/payments": types.Payment, "post /v1/payments": types.Payment,
    "post /v1/payments/{}/cancel": types.Payment, "get /v1/payments/{}/timeline": types.TimelineEntry,
    "post /v1/refunds": types.Refund, "get /v1/refunds/{}": types.Refund, "get /v1/refunds": types.Refund,
    "get /v1/subscriptions/{}": types.Subscription, "get /v1/subscriptions": types.Subscription,
    "post /v1/subscriptions/{}/cancel": types.Subscription, "get /v1/customers/{}": types.Customer,
    "get /v1/customers": types.Customer, "post /v1/customers/{}/kyc": types.Customer, "get /v1/events": types.EventRecord,
    "get /v1/events/{}": types.EventRecord, "get /v1/routes": types.Route, "post /v1/invoices": types.Invoice,
    "get /v1/invoices": types.Invoice, "get /v1/invoices/{}": types.Invoice, "post /v1/invoices/{}/finalize": types.Invoice,
    "post /v1/invoices/{}/void": types.Invoice, "post /v1/payment_links": types.PaymentLink,
    "get /v1/payment_links": types.PaymentLink, "get /v1/payment_links/{}": types.PaymentLink,
    "post /v1/payment_links/{}/close": types.PaymentLink,
}
# The parts of those, by the names of their schemas.
PARTS: Dict[str, Any] = {"Fallback": types.Fallback, "Candidate": types.Candidate, "DeliveryObject": types.Delivery}


class Types(unittest.TestCase):
    def test_they_have_the_names_of_the_schemas(self) -> None:
        openapi = server().openapi()
        schemas = openapi["components"]["schemas"]

        def schema_of(operation: Any) -> Optional[Any]:
            for status in ("200", "201"):
                content = operation["responses"].get(status, {}).get("content", {})
                for media in content.values():
                    found = self.resolved(media["schema"], schemas)
                    if "next_cursor" in found["properties"]:
                        found = self.resolved(found["properties"]["data"]["items"], schemas)
                    return found
            return None

        compared = 0
        for path, operations in openapi["paths"].items():
            for method, operation in operations.items():
                kind = ANSWERS.get(f"{method} {re.sub('{.*?}', '{}', path)}")
                schema = schema_of(operation) if kind else None
                if schema is not None:
                    compared += 1
                    self.assertEqual(list(faults_of_keys(schema["properties"], kind, f"{method} {path}")), [])
        self.assertGreaterEqual(compared, 15)
        for name, kind in PARTS.items():
            self.assertEqual(list(faults_of_keys(schemas[name]["properties"], kind, name)), [])

    @staticmethod
    def resolved(schema: Any, schemas: Any) -> Any:
        return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema

    def test_payments_and_what_comes_of_them_are_as_typed(self) -> None:
        app = server().app(webhook_url="http://127.0.0.1:9/nobody")
        pay = Switchyard(app["public_key"], app["secret"], base_url=server().url)
        self.addCleanup(pay.close)
        payment = check(self, pay.payments.create(
            external_user_id=f"user-{uuid.uuid4()}", email="buyer@shop.example", amount_minor=50_000, currency="IDR",
            method="va_bca", return_url="https://shop.example", metadata={"a": [1.5, None]}, buyer={"name": "Ann"},
            mock={"outcome": "succeed"},
        ), types.Payment)
        until(lambda: pay.payments.get(payment["payment_id"])["status"] == "succeeded")
        check(self, pay.payments.get(payment["payment_id"]), types.Payment)
        for entry in pay.payments.timeline(payment["payment_id"]):
            check(self, entry, types.TimelineEntry)
        check(self, pay.refunds.create(payment_id=payment["payment_id"], amount_minor=1), types.Refund)
        check(self, pay.customers.get(payment["external_user_id"]), types.Customer)
        check(self, pay.routes.explain(currency="USD", method="va_bca"), types.Route)
        events = list(pay.events.list())
        self.assertGreater(len(events), 1)
        for event in events:
            check(self, event, types.EventRecord)
        delivered = until(lambda: self.tried(pay, events[-1]["event_id"]))
        check(self, delivered, types.EventRecord)
        check(self, pay.events.redeliver(events[0]["event_id"]), types.Redelivery)
        check(self, pay.events.redeliver_since("2026-01-01T00:00:00Z"), types.Redelivery)

    @staticmethod
    def tried(pay: Switchyard, event_id: str) -> Any:
        found = pay.events.get(event_id)
        return found if found["deliveries"][0]["log"] else None

    def test_the_ledgers_answers_are_as_typed(self) -> None:
        pay = Switchyard(api_key=server().api_key(), base_url=server().url)
        self.addCleanup(pay.close)
        balance = pay.balance
        check(self, balance.emit(customer_id="acme", delta=5, reason="r", reference_id="a"), types.EmittedDelta)
        check(self, balance.emit(customer_id="acme", delta=5, reason="r", reference_id="a"), types.EmittedDelta)
        batch = balance.emit_batch([
            {"customer_id": "acme", "delta": "0.5", "reason": "r", "reference_id": "b"},
            {"customer_id": "acme", "delta": "0.5", "reason": "r", "reference_id": "b"},
            {"customer_id": "?", "delta": 1, "reason": "r"},
        ])
        check(self, batch, types.EmittedBatch)
        found = check(self, balance.emit_and_wait(customer_id="acme", delta=1, reason="r", metadata={"a": 1}), types.Delta)
        check(self, balance.derive("acme"), types.DerivedBalance)
        check(self, balance.compare(your_balance=1, their_balance="6.5"), types.Comparison)
        differing = balance.compare(
            customer_id="acme", your_balance=1, their_balance=2, your_deltas=[{"reference_id": "b", "amount": 3}],
            their_deltas=[{"reference_id": "c", "amount": "0.25"}],
        )
        check(self, differing, types.Comparison)
        self.assertGreaterEqual(len(differing["differences"]), 2)
        checkpoint = check(self, balance.checkpoint(), types.Checkpoint)
        check(self, balance.checkpoint(customer_id="acme", period=found["createdAt"][:7]), types.Checkpoint)
        for one in balance.checkpoints():
            check(self, one, types.Checkpoint)
        check(self, balance.receipt("acme"), types.Receipt)
        check(self, balance.proof(found["recordId"]), types.DeltaProof)
        check(self, balance.verify(checkpoint["proofRoot"]), types.KnownRoot)
        accepted = check(self, pay.writes.create([{"key": "k", "account_id": "a", "bits": -1}]), types.AcceptedWrites)
        check(self, pay.writes.get(accepted["requestId"]), types.WriteRequest)


if __name__ == "__main__":
    unittest.main()

"""Invoices, payment links and buyers' KYC: what goes over the wire, and the real thing where the server has it."""

from __future__ import annotations

from datetime import datetime, timezone
import unittest
from typing import Any

from switchyard import Switchyard, types
from tests.harness import Stub, answer, server
from tests.shapes import check

SECRET = "0123456789abcdef" * 4
ITEMS: "list[types.NewLineItem]" = [
    {"description": "Chair", "quantity": 2, "unit_amount_minor": 50_000},
    {"description": "Delivery", "quantity": 1, "unit_amount_minor": 15_000},
]
DUE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class OnTheWire(unittest.TestCase):
    def setUp(self) -> None:
        self.stub = Stub(answer(200, {"data": [], "next_cursor": None}))
        self.addCleanup(self.stub.__exit__)
        self.pay = Switchyard("pk_test_1", SECRET, base_url=self.stub.url)
        self.addCleanup(self.pay.close)

    def sent(self, method: str, target: str, body: Any = None) -> None:
        request = self.stub.requests[-1]
        self.assertEqual((request.method, request.target), (method, target))
        self.assertEqual(bool(request.key), method == "POST")
        if body is not None:
            self.assertEqual(request.json, body)

    def test_invoices(self) -> None:
        invoices = self.pay.invoices
        invoices.create(external_user_id="u", currency="IDR", line_items=ITEMS, due_at=DUE, external_id="order-1", draft=True)
        body = {
            "external_user_id": "u", "currency": "IDR", "line_items": ITEMS, "due_at": "2030-01-02T03:04:05+00:00",
            "external_id": "order-1", "draft": True,
        }
        self.sent("POST", "/v1/invoices", body)
        for verb in ("finalize", "void"):
            getattr(invoices, verb)("inv_1", idempotency_key="k")
            self.sent("POST", f"/v1/invoices/inv_1/{verb}", {})
        invoices.get("inv_1")
        self.sent("GET", "/v1/invoices/inv_1")
        list(invoices.list(status="open", external_user_id="u", external_id="o", limit=5))
        self.sent("GET", "/v1/invoices?status=open&external_user_id=u&external_id=o&limit=5")
        with self.assertRaises(TypeError):
            invoices.create(
                external_user_id="u", currency="IDR",
                line_items=[{"description": "x", "quantity": 1, "unit_amount_minor": 1.5}],  # type: ignore[typeddict-item]
            )

    def test_payment_links(self) -> None:
        links = self.pay.payment_links
        links.create(currency="IDR", description="A gift", min_minor=10_000, max_minor=90_000, uses_max=3, expires_at=DUE)
        body = {
            "currency": "IDR", "description": "A gift", "min_minor": 10_000, "max_minor": 90_000, "uses_max": 3,
            "expires_at": "2030-01-02T03:04:05+00:00",
        }
        self.sent("POST", "/v1/payment_links", body)
        links.close("plink_1")
        self.sent("POST", "/v1/payment_links/plink_1/close", {})
        links.get("plink_1")
        self.sent("GET", "/v1/payment_links/plink_1")
        list(links.list(status="active", limit=5))
        self.sent("GET", "/v1/payment_links?status=active&limit=5")

    def test_kyc(self) -> None:
        self.pay.customers.set_kyc("a/b", "approved")
        self.sent("POST", "/v1/customers/a%2Fb/kyc", {"status": "approved"})


class OnAServer(unittest.TestCase):
    def client(self, path: str) -> Switchyard:
        if not server().has(path):
            self.skipTest(f"this server has no {path} yet")
        app = server().app()
        pay = Switchyard(app["public_key"], app["secret"], base_url=server().url)
        self.addCleanup(pay.close)
        return pay

    def test_invoices(self) -> None:
        pay = self.client("/v1/invoices")
        draft = check(self, pay.invoices.create(
            external_user_id="u", email="u@shop.example", currency="IDR", line_items=ITEMS, due_at=DUE, external_id="o-1",
            methods=["qris", "va_bca"], return_url="https://shop.example", metadata={"a": 1}, draft=True,
        ), types.Invoice)
        self.assertEqual((draft["status"], draft["amount_minor"]), ("draft", 115_000))
        opened = pay.invoices.finalize(draft["invoice_id"])
        self.assertEqual(opened["status"], "open")
        self.assertIn(f"/pay/{draft['invoice_id']}", opened["hosted_url"])
        self.assertEqual([one["invoice_id"] for one in pay.invoices.list(external_id="o-1")], [draft["invoice_id"]])
        self.assertEqual(pay.invoices.void(draft["invoice_id"])["status"], "void")
        check(self, pay.invoices.get(draft["invoice_id"]), types.Invoice)

    def test_payment_links(self) -> None:
        pay = self.client("/v1/payment_links")
        made = check(self, pay.payment_links.create(currency="IDR", description="A gift", min_minor=10_000, max_minor=90_000), types.PaymentLink)
        self.assertEqual((made["status"], made["amount_minor"]), ("active", None))
        check(self, pay.payment_links.get(made["payment_link_id"]), types.PaymentLink)
        self.assertEqual([one["payment_link_id"] for one in pay.payment_links.list(limit=1)], [made["payment_link_id"]])
        self.assertEqual(pay.payment_links.close(made["payment_link_id"])["status"], "closed")

    def test_kyc(self) -> None:
        pay = self.client("/v1/customers/{}/kyc")
        pay.payments.create(
            external_user_id="u", email="u@shop.example", amount_minor=5000, currency="IDR", method="qris",
            return_url="https://shop.example",
        )
        self.assertEqual(check(self, pay.customers.set_kyc("u", "approved"), types.Customer)["kyc_status"], "approved")


if __name__ == "__main__":
    unittest.main()

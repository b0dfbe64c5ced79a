"""Amounts keep every digit, and floats are none."""

from __future__ import annotations

from decimal import Decimal
import json
import random
import unittest
from typing import Any

from switchyard import Switchyard, to_json
from switchyard.money import exact, from_json, with_decimals
from tests.harness import Stub, answer


class Money(unittest.TestCase):
    def test_json_is_what_the_standard_library_reads(self) -> None:
        value: Any = {"a": [1, -2, True, False, None, "\u00e9\u2028\"\\\n\0\U0001f600", {}, []], "b": {"c": 1.5}}
        self.assertEqual(json.loads(to_json(value)), value)

    def test_decimals_are_written_with_all_their_digits_and_no_exponent(self) -> None:
        for text in ("0.1", "-0.000001", "1000000000", "123456789012345678901234567890.123456", "1E+3", "0E-6"):
            written = to_json([Decimal(text)])
            self.assertEqual(from_json(written), [Decimal(text)])
            self.assertNotIn("E", written)
        rng = random.Random(1)
        for _ in range(1000):
            amount = Decimal(rng.randrange(-10**15, 10**15)).scaleb(-6)
            self.assertEqual(Decimal(to_json(amount)), amount)

    def test_what_is_no_exact_amount_is_refused(self) -> None:
        for good in (Decimal("0.1"), 5, "-0.25", "1e2"):
            self.assertEqual(exact(good, "delta"), Decimal(good))
        bad: Any
        for bad in (0.1, True, None, "", "1,5", " 1", "\u0661", "NaN", "Infinity", b"1"):
            with self.assertRaisesRegex(TypeError, "delta is a Decimal"):
                exact(bad, "delta")
        for bad in (Decimal("NaN"), Decimal("Infinity"), Decimal("1e100"), "1e-100"):
            with self.assertRaises(ValueError):
                exact(bad, "delta")
        for bad in (float("nan"), float("inf"), Decimal("NaN"), {1: 2}, object(), b""):
            with self.assertRaises(TypeError):
                to_json(bad)

    def test_answers_have_one_type_for_amounts_and_leave_metadata_alone(self) -> None:
        answered = {"delta": 1, "sequenceNumber": 7, "deltas": [{"balanceAfter": 2}], "metadata": {"delta": 1}}
        found = with_decimals(answered)
        self.assertEqual(found, answered)
        self.assertIsInstance(found["delta"], Decimal)
        self.assertIsInstance(found["deltas"][0]["balanceAfter"], Decimal)
        self.assertIs(type(found["sequenceNumber"]), int)
        self.assertIs(type(found["metadata"]["delta"]), int)

    def test_minor_units_are_whole_and_amounts_go_out_exactly(self) -> None:
        with Stub(answer(201, {"data": {"recordId": "rec_1", "delta": 0.1}})) as stub:
            client = Switchyard("pk_test_1", "s", "pk_test_1.s", base_url=stub.url)
            self.addCleanup(client.close)
            bad: Any
            for bad in (1.0, True, "1", Decimal(1), None):
                with self.assertRaises(TypeError):
                    client.payments.create(external_user_id="u", amount_minor=bad, currency="IDR", method="qris", return_url="https://a.example")
            for bad in (1.0, True, "1"):
                with self.assertRaises(TypeError):
                    client.refunds.create(payment_id="pay_1", amount_minor=bad)
                with self.assertRaises(TypeError):
                    client.payment_links.create(currency="IDR", description="d", amount_minor=bad)
            with self.assertRaises(TypeError):
                client.balance.emit(customer_id="acme", delta=0.1, reason="r")  # type: ignore[arg-type]
            self.assertEqual(stub.requests, [])
            emitted = client.balance.emit(customer_id="acme", delta="123456789.123456", reason="r")
            self.assertEqual(emitted["delta"], Decimal("0.1"))
            self.assertIn(b'"delta":123456789.123456,', stub.requests[0].body)


if __name__ == "__main__":
    unittest.main()

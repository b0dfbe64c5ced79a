"""What a client is told, and which mode and server that means."""

from __future__ import annotations

import os
import unittest
from typing import Any, Dict, List
from unittest import mock

from switchyard import ConfigurationError, Switchyard
from switchyard.signing import request_signature
from tests.harness import Stub, answer

SECRET = "0123456789abcdef" * 4
URLS: Dict[str, Any] = {"sandbox_url": "https://sandbox.pay.example", "production_url": "https://pay.example/"}


class Configuration(unittest.TestCase):
    def test_the_prefix_of_the_key_says_mode_and_url(self) -> None:
        for mode, url in (("test", "sandbox.pay"), ("sandbox", "sandbox.pay"), ("live", "pay")):
            either: List[Dict[str, Any]] = [
                {"public_key": f"pk_{mode}_1", "secret": SECRET}, {"api_key": f"pk_{mode}_1.{SECRET}"},
            ]
            for keys in either:
                client = Switchyard(**keys, **URLS, expect_mode=mode)
                self.assertEqual((client.mode, client.base_url), (mode, f"https://{url}.example"))

    def test_a_path_before_the_servers_own_is_sent_and_not_signed(self) -> None:
        with Stub(answer(200, {})) as stub:
            with Switchyard("pk_test_1", SECRET, base_url=f"{stub.url}/pay/") as client:
                self.assertEqual(client.base_url, f"{stub.url}/pay")
                client.routes.explain(currency="IDR", method="qris")
            request = stub.requests[0]
            self.assertEqual(request.target, "/pay/v1/routes?currency=IDR&method=qris")
            at = int(request.headers["x-pay-timestamp"])
            signed = request_signature(SECRET, at, "GET", "/v1/routes?currency=IDR&method=qris")
            self.assertEqual(request.headers["x-pay-signature"], signed)

    def test_one_url_overrides_both(self) -> None:
        client = Switchyard("pk_live_1", SECRET, **URLS, base_url="http://127.0.0.1:8080")
        self.assertEqual(client.base_url, "http://127.0.0.1:8080")

    def test_the_environment_fills_in(self) -> None:
        variables = {
            "PAY_URL": "http://[::1]:8080", "PAY_KEY": "pk_test_1", "PAY_SECRET": SECRET + "\n",
            "PAY_API_KEY": f"pk_test_2.{SECRET}",
        }
        with mock.patch.dict(os.environ, variables):
            client = Switchyard()
            self.assertEqual((client.mode, client.base_url), ("test", "http://[::1]:8080"))
            # What is told wins, and what is told about one mode is more than a default for all.
            client = Switchyard(sandbox_url="https://sandbox.pay.example")
            self.assertEqual(client.base_url, "https://sandbox.pay.example")

    def refused(self, *arguments: Any, **settings: Any) -> str:
        with self.assertRaises(ConfigurationError) as caught:
            Switchyard(*arguments, **{"base_url": "http://127.0.0.1:1", **settings})
        self.assertNotIn(SECRET, str(caught.exception))
        return str(caught.exception)

    def test_what_does_not_fit_together_is_refused(self) -> None:
        self.assertIn("live is expected", self.refused("pk_test_1", SECRET, expect_mode="live"))
        self.assertIn("mode test, and api_key of mode live", self.refused("pk_test_1", SECRET, f"pk_live_1.{SECRET}"))
        self.assertIn("go together", self.refused("pk_test_1"))
        self.assertIn("no key", self.refused())
        self.assertIn("no server", self.refused("pk_test_1", SECRET, base_url=None, production_url="https://a.example"))
        # Secrets in the wrong place are not repeated.
        self.refused(SECRET, "pk_test_1")
        self.refused(api_key=SECRET)
        self.refused("pk_test_1\r\nX: 1", SECRET)
        self.refused(api_key=f"pk_test_1.{SECRET}\r\nX: 1")
        for url in ("pay.example", "ftp://a.example", "https://", "https://u:p@a.example", "https://a.example/a b",
                    "https://a.example?x", "https://a.example:x", "http://[::1"):
            self.assertIn("base URL", self.refused("pk_test_1", SECRET, base_url=url))

    def test_a_call_that_its_key_is_missing_for_says_which(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "PAY_API_KEY"):
            Switchyard("pk_test_1", SECRET, base_url="http://127.0.0.1:1").balance.derive("acme")
        with self.assertRaisesRegex(ConfigurationError, "PAY_SECRET"):
            Switchyard(api_key="pk_test_1." + SECRET, base_url="http://127.0.0.1:1").payments.get("pay_1")

    def test_ids_cannot_lead_elsewhere(self) -> None:
        client = Switchyard("pk_test_1", SECRET, base_url="http://127.0.0.1:1")
        for bad in ("", ".", ".."):
            with self.assertRaises(ValueError):
                client.payments.get(bad)
        for bad in ("", "a\r\nX: 1", "\u00e9", "a" * 256):
            with self.assertRaises(ValueError):
                client.payments.cancel("pay_1", idempotency_key=bad)


if __name__ == "__main__":
    unittest.main()

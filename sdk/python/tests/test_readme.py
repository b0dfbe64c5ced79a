"""The README's samples, run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Dict
import unittest

from switchyard import Switchyard
from tests.harness import SDK, free_port, server, until

SAMPLES: Dict[str, str] = dict(
    re.findall(r"<!-- test: (\w+) -->\n```python\n(.*?)```", (SDK / "README.md").read_text(encoding="utf-8"), re.DOTALL)
)


class Readme(unittest.TestCase):
    def test_no_sample_is_left_out(self) -> None:
        text = (SDK / "README.md").read_text(encoding="utf-8")
        self.assertEqual(len(SAMPLES), text.count("```python"))
        self.assertEqual(set(SAMPLES), {"pay", "lists", "receive", "errors", "proofs", "async"})

    def environment(self, app: Dict[str, str]) -> Dict[str, str]:
        return {
            **os.environ, "PAY_URL": server().url, "PAY_KEY": app["public_key"], "PAY_SECRET": app["secret"],
            "WEBHOOK_SECRET": app["webhook_secret"] or "",
        }

    def printed(self, name: str, environment: Dict[str, str]) -> str:
        done = subprocess.run([sys.executable, "-c", SAMPLES[name]], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_money_is_taken_listed_and_heard_of(self) -> None:
        port = free_port()
        app = server().app(webhook_url=f"http://127.0.0.1:{port}/hook")
        environment = {**self.environment(app), "PORT": str(port)}
        receiver = subprocess.Popen(
            [sys.executable, "-c", SAMPLES["receive"]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            self.assertTrue(self.printed("pay", environment).startswith(f"{server().url}/mock/checkout/pay_"))
            self.assertEqual(self.printed("pay", environment), self.printed("pay", environment))
            with Switchyard(app["public_key"], app["secret"], base_url=server().url) as pay:
                paid = pay.payments.create(
                    external_user_id="u", amount_minor=5000, currency="IDR", method="qris", email="u@shop.example",
                    return_url="https://shop.example", mock={"outcome": "succeed"},
                )["payment_id"]
            assert receiver.stdout
            lines = iter(receiver.stdout.readline, "")
            self.assertTrue(any(line == f"payment.succeeded {paid}\n" for line in lines))
            until(lambda: f"{paid} 5000 IDR\n" in self.printed("lists", environment))
            self.assertEqual(len(self.printed("async", environment).splitlines()), 2)
        finally:
            receiver.terminate()
            receiver.communicate(timeout=10)

    def test_errors_are_caught(self) -> None:
        self.assertIn("{'amount_minor': ['must be", self.printed("errors", self.environment(server().app())))

    def test_a_receipt_is_proven(self) -> None:
        environment = {
            **os.environ, "PAY_URL": server().url, "PAY_API_KEY": server().api_key(), "LEDGER_KEY": server().ledger_key(),
        }
        self.assertIn("acme -42.5 1\n", self.printed("proofs", environment))


if __name__ == "__main__":
    unittest.main()

"""The examples, run as they are: a shop takes money and hears of it over real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
import urllib.request

from tests.harness import SDK, call, free_port, server, until


class Examples(unittest.TestCase):
    def test_flask(self) -> None:
        self.shop("flask_app.py")

    def test_fastapi(self) -> None:
        self.shop("fastapi_app.py")

    def shop(self, example: str) -> None:
        port = free_port()
        shop = f"http://127.0.0.1:{port}"
        app = server().app(webhook_url=f"{shop}/hook")
        environment = {
            **os.environ, "PAY_URL": server().url, "PAY_KEY": app["public_key"], "PAY_SECRET": app["secret"],
            "WEBHOOK_SECRET": app["webhook_secret"], "PORT": str(port),
        }
        running = subprocess.Popen([sys.executable, str(SDK / "examples" / example)], env=environment, stderr=subprocess.DEVNULL)
        try:
            until(lambda: self.is_up(f"{shop}/orders/1", running))
            checkout_url = call(f"{shop}/orders/1/pay", {})["checkout_url"]
            self.assertEqual(call(f"{shop}/orders/1/pay", {})["checkout_url"], checkout_url)
            self.assertEqual(call(f"{shop}/orders/1"), {"paid": False})
            self.assertEqual(self.forged(shop), 401)
            # The buyer presses the button.
            outcome = urlencode({"outcome": "succeed"}).encode()
            opener = urllib.request.build_opener(Stay)
            self.assertEqual(opener.open(checkout_url, outcome, timeout=10).status, 303)
            until(lambda: call(f"{shop}/orders/1")["paid"])
        finally:
            running.terminate()
            running.wait(10)

    def is_up(self, url: str, running: Any) -> bool:
        self.assertIsNone(running.poll())
        try:
            call(url)
        except OSError:
            return False
        return True

    @staticmethod
    def forged(shop: str) -> int:
        headers = {"Content-Type": "application/json", "X-PAY-Timestamp": "1760000000", "X-PAY-Signature": "0" * 64}
        body = b'{"event":"payment.succeeded","metadata":{"order":"1"}}'
        try:
            urllib.request.urlopen(urllib.request.Request(f"{shop}/hook", body, headers), timeout=10)
        except HTTPError as error:
            return error.code
        return 200


class Stay(urllib.request.HTTPErrorProcessor):
    """Takes a redirect as the answer that it is."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


if __name__ == "__main__":
    unittest.main()

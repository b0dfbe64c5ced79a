"""Over TLS: certificates are checked, connections are kept, and deadlines hold there too."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest
from unittest import mock

from switchyard import ConnectionFailedError, RequestTimeoutError, Switchyard
from tests.harness import Stub, answer, drip, hang

SECRET = "0123456789abcdef" * 4


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
class Tls(unittest.TestCase):
    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="switchyard-tls-"))
        self.addCleanup(shutil.rmtree, directory)
        self.certificate, key = str(directory / "certificate.pem"), str(directory / "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.certificate],
            check=True, capture_output=True,
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.stub = Stub(answer(200, {"payment_id": "pay_1"}), tls=self.context)
        self.addCleanup(self.stub.__exit__)

    def client(self, host: str = "localhost", timeout_s: float = 30) -> Switchyard:
        port = self.stub.url.rpartition(":")[2]
        client = Switchyard("pk_test_1", SECRET, base_url=f"https://{host}:{port}", timeout_s=timeout_s, max_retries=1)
        self.addCleanup(client.close)
        return client

    def test_a_certificate_that_is_trusted(self) -> None:
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": self.certificate}):
            client = self.client()
            for _ in range(3):
                self.assertEqual(client.payments.get("pay_1")["payment_id"], "pay_1")
            self.assertEqual(self.stub.connections, 1)
            self.stub.close_connections()
            time.sleep(0.05)
            client.payments.get("pay_1")
            # It is good for its own name alone.
            with self.assertRaisesRegex(ConnectionFailedError, "certificate"):
                self.client("127.0.0.1").payments.get("pay_1")
            for behaviour in (hang, drip):
                self.stub.behaviours = [behaviour]
                began = time.monotonic()
                with self.assertRaises(RequestTimeoutError):
                    self.client(timeout_s=0.5).payments.get("pay_1")
                self.assertLess(time.monotonic() - began, 4)

    def test_one_that_is_not_is_asked_once_and_told_nothing(self) -> None:
        with self.assertRaisesRegex(ConnectionFailedError, "certificate"):
            self.client().payments.get("pay_1")
        self.assertEqual((self.stub.connections, self.stub.requests), (1, []))


if __name__ == "__main__":
    unittest.main()

"""Webhooks: both families of signatures, secrets in both notations, rotation, and all that is not to be believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import pickle
import unittest
from email.message import Message
from typing import Any, Dict, List, Optional

from switchyard import WebhookVerificationError, webhooks

SECRET = "fedcba9876543210" * 4
OTHER = "0123456789abcdef" * 4
WHSEC = "whsec_" + base64.b64encode(SECRET.encode()).decode()
NOW = 1760000000
BODY = b'{"event":"payment.succeeded"}'


def x_pay(secret: str = SECRET, at: object = NOW, body: bytes = BODY) -> Dict[str, str]:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-PAY-Timestamp": str(at), "X-PAY-Signature": digest}


def standard(*secrets: str, at: object = NOW, body: bytes = BODY) -> Dict[str, str]:
    signed = f"evt_1.{at}.".encode() + body
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).digest() for secret in secrets or (SECRET,)]
    signatures = " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signatures}


class Webhooks(unittest.TestCase):
    def good(self, headers: Any, secret: Any = SECRET, body: Any = BODY, now: float = NOW) -> None:
        self.assertEqual(webhooks.verify(body, headers, secret, now=now), {"event": "payment.succeeded"})

    def bad(self, reason: str, headers: Any, secret: Any = SECRET, body: Any = BODY, now: Optional[float] = NOW) -> None:
        with self.assertRaises(WebhookVerificationError) as caught:
            webhooks.verify(body, headers, secret, now=now)
        self.assertEqual(caught.exception.reason, reason)
        self.assertNotIn(SECRET, str(caught.exception))
        self.assertEqual(pickle.loads(pickle.dumps(caught.exception)).reason, reason)

    def test_the_published_vector_verifies(self) -> None:
        headers = {
            "x-pay-timestamp": "1760000000",
            "x-pay-signature": "e20bb4b42cee219014f00d88201f7cbe21dacc88f9d21696c334afef880cb2af",
        }
        self.good(headers)
        self.assertEqual(x_pay(), {"X-PAY-Timestamp": "1760000000", "X-PAY-Signature": headers["x-pay-signature"]})

    def test_either_family_and_either_notation_of_the_secret_is_enough(self) -> None:
        for headers in (x_pay(), standard(), {**x_pay(), **standard()}):
            for secret in (SECRET, WHSEC, [OTHER, SECRET], [WHSEC, OTHER], (SECRET,)):
                self.good(headers, secret)
            self.bad("bad_signature", headers, OTHER)
            self.bad("bad_signature", headers, [OTHER, "x"])

    def test_during_a_rotation_either_secret_verifies(self) -> None:
        # X-PAY-Signature keeps the old secret; webhook-signature has both.
        headers = {**x_pay(SECRET), **standard(OTHER, SECRET)}
        self.good(headers, SECRET)
        self.good(headers, OTHER)
        both = standard(OTHER)["webhook-signature"] + " v1a,xyz v2 , " + standard(SECRET)["webhook-signature"]
        self.good({**standard(), "webhook-signature": both})

    def test_headers_may_be_in_whatever_they_come_in(self) -> None:
        message = Message()
        for name, value in x_pay().items():
            message[name] = value
        pairs = list(x_pay().items())
        raw = [(name.lower().encode(), value.encode()) for name, value in pairs]
        for headers in (message, pairs, raw, {name.upper(): value for name, value in pairs}):
            self.good(headers)
        for body in (bytearray(BODY), memoryview(BODY), BODY.decode()):
            self.good(x_pay(), body=body)

    def test_the_clock_counts_both_ways(self) -> None:
        for headers in (x_pay(), standard()):
            for off in (-300, 300, 0):
                self.good(headers, now=NOW + off)
            for off in (-301, 301, 10**6):
                self.bad("timestamp_out_of_range", headers, now=NOW + off)
        self.bad("timestamp_out_of_range", x_pay(), now=None)
        self.assertTrue(webhooks.verify(BODY, x_pay(), SECRET, tolerance_s=1e12))
        # The timestamp is signed: another one makes a stale request no fresher.
        self.bad("bad_signature", {**x_pay(), "X-PAY-Timestamp": str(NOW + 1)}, now=NOW + 301)
        for odd in ("", "soon", "-1", "+1", "1.0", "1e9", "\u0661", "9" * 13):
            self.bad("bad_timestamp", x_pay(at=odd))

    def test_what_was_not_signed_is_not_believed(self) -> None:
        self.bad("missing_headers", {})
        self.bad("missing_headers", {"X-PAY-Signature": x_pay()["X-PAY-Signature"]})
        self.bad("bad_signature", x_pay(), body=BODY + b" ")
        self.bad("bad_signature", standard(), body=BODY + b" ")
        self.bad("bad_signature", {**standard(), "webhook-id": "evt_2"})
        for value in ("", "v1,", "v1", "e20b", x_pay()["X-PAY-Signature"].upper(), "\u00e9" * 64, "0" * 64):
            self.bad("bad_signature", {**x_pay(), "X-PAY-Signature": value})
            self.bad("bad_signature", {**standard(), "webhook-signature": value})
        # Sent twice, a header has no one value; the other family still counts.
        twice = list(x_pay().items()) + [("x-pay-signature", "0" * 64)]
        self.bad("missing_headers", twice)
        self.good(twice + list(standard().items()))

    def test_what_is_signed_but_no_event_is_refused(self) -> None:
        bodies: List[bytes] = [b"", b"[]", b"{}", b"1", b"{", b"\xff", b'{"a":NaN}', b"[" * 100000]
        for body in bodies:
            self.bad("bad_body", x_pay(body=body), body=body)

    def test_mistakes_of_the_caller_are_told(self) -> None:
        with self.assertRaises(TypeError):
            webhooks.verify({"event": "x"}, x_pay(), SECRET)  # type: ignore[arg-type]
        for secret in ("", [], ["", SECRET], "whsec_not base64"):
            with self.assertRaises(ValueError):
                webhooks.verify(BODY, x_pay(), secret)


if __name__ == "__main__":
    unittest.main()

"""Signatures of requests, and secrets that do not get out."""

from __future__ import annotations

import copy
import pickle
import unittest
from unittest import mock

from switchyard import AsyncSwitchyard, Switchyard
from switchyard.signing import RequestSigner, Secret, request_signature

SECRET = "0123456789abcdef" * 4
POST = ("POST", "/v1/payments", b"{}")


class Signing(unittest.TestCase):
    def test_the_published_vectors_come_out(self) -> None:
        body = b'{"amount_minor":50000,"currency":"IDR"}'
        self.assertEqual(
            request_signature(SECRET, 1760000000, "POST", "/v1/payments", body),
            "f09b97bce8c4ffd36cf0746aeb1f3b9c4f107e38902488af3ff6199b633c9b62",
        )
        self.assertEqual(
            request_signature(SECRET, 1760000000, "GET", "/v1/payments/" + "0" * 32),
            "5b80393f33f6ce85921a0964028c17311bf65d379673977147ed8ef575c84671",
        )

    def test_posts_that_are_alike_have_signatures_of_their_own(self) -> None:
        signer = RequestSigner("pk_test_1", Secret(SECRET))
        keys = [str(number) for number in range(100)]
        with mock.patch("switchyard.signing.time.time", return_value=1760000000.9):
            signed = {key: signer.headers(*POST, key) for key in keys}
            # A retry may have its own signature again.
            self.assertEqual(signer.headers(*POST, "0"), signed["0"])
        self.assertEqual(signed["0"]["X-PAY-Timestamp"], "1760000000")
        self.assertEqual(len({one["X-PAY-Signature"] for one in signed.values()}), 100)
        for one in signed.values():
            timestamp = int(one["X-PAY-Timestamp"])
            self.assertEqual(one["X-PAY-Signature"], request_signature(SECRET, timestamp, *POST))
            self.assertLess(timestamp, 1760000120)
        # What was signed for a second to come is still spent when it comes.
        spent = {int(one["X-PAY-Timestamp"]): key for key, one in signed.items()}
        later = max(spent)
        with mock.patch("switchyard.signing.time.time", return_value=float(later)):
            self.assertNotEqual(signer.headers(*POST, "new")["X-PAY-Timestamp"], str(later))
            self.assertEqual(signer.headers(*POST, spent[later]), signed[spent[later]])

    def test_a_signature_that_another_process_used_is_avoided(self) -> None:
        signer = RequestSigner("pk_test_1", Secret(SECRET))
        with mock.patch("switchyard.signing.time.time", return_value=1760000000.9):
            first = signer.headers(*POST, "a")
            signer.avoid(first)
            self.assertNotEqual(signer.headers(*POST, "a"), first)

    def test_memory_of_signatures_is_short(self) -> None:
        signer = RequestSigner("pk_test_1", Secret(SECRET))
        for second in range(50):
            with mock.patch("switchyard.signing.time.time", return_value=1760000000.0 + 2 * second):
                for number in range(10):
                    signer.headers("POST", f"/v1/{number}", b"", "key")
        self.assertLessEqual(len(signer._spent), 10)

    def test_secrets_do_not_show(self) -> None:
        self.assertNotIn(SECRET, repr(Secret(SECRET)) + str(Secret(SECRET)))
        for kind in (Switchyard, AsyncSwitchyard):
            client = kind("pk_test_1", SECRET, "pk_test_2." + SECRET, base_url="http://127.0.0.1:1")
            self.assertNotIn(SECRET, repr(client) + repr(vars(client)) + repr(vars(client._session)))
            for spill in (pickle.dumps, copy.deepcopy):
                with self.assertRaises(TypeError):
                    spill(client)
                with self.assertRaises(TypeError):
                    spill(client._session._signer)


if __name__ == "__main__":
    unittest.main()

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

    def test_two_posts_that_are_alike_have_two_signatures_and_a_retry_has_its_own_again(self) -> None:
        signer = RequestSigner("pk_test_1", Secret(SECRET))
        with mock.patch("switchyard.signing.time.time", return_value=1760000000.9):
            signed = {key: signer.headers(*POST, key) for key in ("a", "b", "c")}
            again = {key: signer.headers(*POST, key) for key in ("a", "b", "c")}
        self.assertEqual(signed, again)
        self.assertEqual([signed[key]["X-PAY-Timestamp"] for key in "abc"], ["1760000000", "1760000001", "1760000002"])
        self.assertEqual(len({one["X-PAY-Signature"] for one in signed.values()}), 3)
        # What was signed ahead is still spent when its second comes.
        with mock.patch("switchyard.signing.time.time", return_value=1760000001.0):
            self.assertEqual(signer.headers(*POST, "d")["X-PAY-Timestamp"], "1760000003")
            self.assertEqual(signer.headers(*POST, "b"), signed["b"])

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

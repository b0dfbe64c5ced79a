"""Ed25519 by RFC 8032: its vectors, and what a strict verifier refuses."""

from __future__ import annotations

import time
import unittest

from switchyard.ed25519 import verify

# RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def parts(number: int = 2) -> "tuple[bytes, bytes, bytes]":
    key, message, signature = (bytes.fromhex(part) for part in VECTORS[number])
    return key, message, signature


class Ed25519(unittest.TestCase):
    def test_the_vectors_of_the_rfc_verify_and_changed_ones_do_not(self) -> None:
        for number in range(len(VECTORS)):
            key, message, signature = parts(number)
            self.assertTrue(verify(key, message, signature))
            self.assertFalse(verify(key, message + b"\0", signature))
            for at in range(0, 64, 7):
                changed = bytearray(signature)
                changed[at] ^= 1
                self.assertFalse(verify(key, message, bytes(changed)), at)
            for at in range(0, 32, 7):
                changed = bytearray(key)
                changed[at] ^= 4
                self.assertFalse(verify(bytes(changed), message, signature), at)

    def test_s_beyond_the_order_is_refused(self) -> None:
        key, message, signature = parts()
        s = int.from_bytes(signature[32:], "little")
        for bad in (s + L, s + 2 * L, s + 8 * L):
            self.assertFalse(verify(key, message, signature[:32] + bad.to_bytes(32, "little")))

    def test_lengths_are_exact(self) -> None:
        key, message, signature = parts()
        for bad_key, bad_signature in ((key[:-1], signature), (key + b"\0", signature), (key, signature[:-1]), (key, signature + b"\0"), (key, b"")):
            self.assertFalse(verify(bad_key, message, bad_signature))

    def test_keys_that_are_no_point_or_in_another_encoding_or_of_small_order_are_refused(self) -> None:
        _, message, signature = parts()
        small = [
            1, P - 1, 0, 2707385501144840649318225287225658788936804267575313519463743609750303021298,
            2707385501144840649318225287225658788936804267575313519463743609750303021298 ^ 1 << 255,
            55188659117513257062467267217118295137698188065244968500265048394206261417927, P, P + 1, 2,
            1 << 255 | 1, (1 << 255) - 1, (1 << 256) - 1,
        ]
        # For a key of small order, R = [S]B with any S passes a verifier that is not strict.
        identity = (1).to_bytes(32, "little") + bytes(32)
        for y in small:
            self.assertFalse(verify(y.to_bytes(32, "little"), message, signature), y)
            self.assertFalse(verify(y.to_bytes(32, "little"), message, identity), y)

    def test_it_is_fast_enough(self) -> None:
        began = time.process_time()
        for _ in range(20):
            verify(*parts())
        self.assertLess((time.process_time() - began) / 20, 0.05)


if __name__ == "__main__":
    unittest.main()

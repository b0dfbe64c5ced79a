"""Proofs that a server made, checked offline; then all the ways in which they can be tampered with."""

from __future__ import annotations

import base64
import copy
from decimal import Decimal
import hashlib
import json
from pathlib import Path
import unittest
from typing import Any, Callable, Dict, List, Optional, Sequence

from switchyard import ProofError, proofs
from switchyard.proofs import is_included, leaf_hash, root_of

LEDGER: Dict[str, Any] = json.loads((Path(__file__).parent / "ledger.json").read_text(), parse_float=Decimal)
KEY: str = LEDGER["key"]
RECEIPTS, PROOFS = ("all", "month"), ("proof", "proof_of_all_customers")


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.1, as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return hashlib.sha256(b"\1" + root_by_definition(leaves[:at]) + root_by_definition(leaves[at:])).digest()


def path_by_definition(index: int, leaves: Sequence[bytes]) -> List[bytes]:
    """RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return path_by_definition(index, leaves[:at]) + [root_by_definition(leaves[at:])]
    return path_by_definition(index - at, leaves[at:]) + [root_by_definition(leaves[:at])]


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


class Trees(unittest.TestCase):
    def test_roots_and_paths_are_those_of_the_rfc(self) -> None:
        leaves = [hashlib.sha256(bytes([number])).digest() for number in range(40)]
        for size in range(len(leaves)):
            self.assertEqual(root_of(leaves[:size]), root_by_definition(leaves[:size]))
        for size in (1, 2, 3, 7, 8, 9, 31, 33):
            tree = leaves[:size]
            root = root_of(tree)
            for index in range(size):
                path = path_by_definition(index, tree)
                self.assertTrue(is_included(tree[index], index, size, path, root))
                self.assertFalse(is_included(tree[index], index, size, path + [root], root))
                self.assertFalse(is_included(tree[index], index, size, path, leaves[39]))
                self.assertFalse(is_included(leaves[39], index, size, path, root))
                if path:
                    self.assertFalse(is_included(tree[index], index, size, path[:-1], root))
                for wrong in set(range(-1, size + 1)) - {index}:
                    self.assertFalse(is_included(tree[index], wrong, size, path, root), (size, index, wrong))


class Proofs(unittest.TestCase):
    def refused(self, reason: Optional[str], document: Any, key: str = KEY) -> None:
        with self.assertRaises(ProofError) as caught:
            proofs.verify(document, key)
        if reason:
            self.assertEqual(caught.exception.reason, reason, str(caught.exception))

    def changed(self, name: str, change: Callable[[Dict[str, Any]], Any]) -> Dict[str, Any]:
        document: Dict[str, Any] = copy.deepcopy(LEDGER[name])
        change(document)
        return document

    def test_what_the_server_made_holds(self) -> None:
        found = proofs.verify(LEDGER["all"], KEY)
        self.assertEqual((found.tree_size, found.customer_id, found.period), (7, "fixture.a:1", None))
        self.assertEqual(found.net_change, Decimal("1000000061.390001"))
        self.assertEqual(found.record_ids, tuple(leaf["recordId"] for leaf in LEDGER["all"]["leaves"]))
        self.assertEqual(proofs.verify(LEDGER["month"], KEY).period, "2026-11")
        self.assertEqual(proofs.verify(LEDGER["proof"], KEY).record_ids, (LEDGER["proof"]["recordId"],))
        self.assertIsNone(proofs.verify(LEDGER["proof_of_all_customers"], KEY).customer_id)

    def test_it_may_be_given_as_text_and_in_its_envelope(self) -> None:
        from switchyard import to_json

        for name in RECEIPTS + PROOFS:
            text = to_json({"success": True, "statusCode": 200, "data": LEDGER[name]})
            for document in (text, text.encode(), b"\xef\xbb\xbf" + text.encode(), to_json(LEDGER[name])):
                self.assertEqual(proofs.verify(document, KEY), proofs.verify(LEDGER[name], KEY))

    def test_no_field_of_a_leaf_can_be_changed(self) -> None:
        others = {
            "currency": "IDR", "customerId": "fixture.a:2", "delta": "2", "mode": "live", "previousProofHash": "0" * 64,
            "reason": "gift", "recordId": "rec_0", "referenceId": "x", "salt": "0" * 32, "sequenceNumber": 99,
            "tenantId": "ten_0", "verifiedAt": "2026-11-22T00:00:00.000Z",
        }
        self.assertEqual(set(others), set(LEDGER["proof"]["leaf"]))
        for field, value in others.items():
            for at in range(7):
                for name in RECEIPTS:
                    self.refused("root", self.changed(name, lambda d: d["leaves"][at].update({field: value})))
            for name in PROOFS:
                self.refused("leaf", self.changed(name, lambda d: d["leaf"].update({field: value})))

    def test_leaves_cannot_be_taken_out_added_doubled_or_moved(self) -> None:
        for name in RECEIPTS:
            self.refused("root", self.changed(name, lambda d: d["leaves"].pop()))
            self.refused("root", self.changed(name, lambda d: d["leaves"].pop(0)))
            self.refused("root", self.changed(name, lambda d: d["leaves"].reverse()))
            self.refused("root", self.changed(name, lambda d: d["leaves"].append(d["leaves"][0])))
            self.refused(None, self.changed(name, lambda d: d.update(leaves=[])))

            def shorter(document: Dict[str, Any]) -> None:
                # A smaller tree that is right in itself was not signed.
                document["leaves"].pop()
                hashes = [leaf_hash(leaf) for leaf in document["leaves"]]
                document["proofRoot"] = document["checkpoint"]["proofRoot"] = root_of(hashes).hex()
                document["checkpoint"]["treeSize"] = document["deltaCount"] = document["deltasCount"] = 6
                net_change = sum((Decimal(leaf["delta"]) for leaf in document["leaves"]), Decimal(0))
                document["netChange"] = document["finalBalance"] = document["checkpoint"]["netChange"] = net_change

            self.refused("checkpoint", self.changed(name, shorter))

    def test_what_a_receipt_says_of_its_leaves_must_be_so(self) -> None:
        for field, value in (("netChange", 1), ("finalBalance", 1), ("deltaCount", 6), ("deltasCount", 8)):
            self.refused("sum", self.changed("all", lambda d: d.update({field: value})))
        self.refused("sum", self.changed("all", lambda d: d.update(startingBalance=5)))
        self.refused("sum", self.changed("all", lambda d: d["checkpoint"].update(netChange=5)))
        for field in ("customerId", "period", "currency"):
            self.refused("origin", self.changed("all", lambda d: d.update({field: "IDR"})))
        self.refused("root", self.changed("all", lambda d: d.update(proofRoot="0" * 64)))

    def test_a_path_cannot_be_changed(self) -> None:
        for name in PROOFS:
            size = LEDGER[name]["treeSize"]
            for index in set(range(size + 1)) - {LEDGER[name]["leafIndex"]}:
                self.refused("inclusion", self.changed(name, lambda d: d.update(leafIndex=index)))
            self.refused("inclusion", self.changed(name, lambda d: d["auditPath"].pop()))
            self.refused("inclusion", self.changed(name, lambda d: d["auditPath"].append("0" * 64)))
            self.refused("inclusion", self.changed(name, lambda d: d["auditPath"].reverse()))
            self.refused(None, self.changed(name, lambda d: d.update(treeSize=size + 1)))
            self.refused("leaf", self.changed(name, lambda d: d.update(leafHash="0" * 64)))
            self.refused("leaf", self.changed(name, lambda d: d.update(recordId="rec_0")))

    def test_a_checkpoint_cannot_be_changed_or_swapped(self) -> None:
        for name in RECEIPTS + PROOFS:
            for field, value, reason in (
                ("proofRoot", "0" * 64, "checkpoint"), ("treeSize", 1, "checkpoint"),
            ):
                self.refused(reason, self.changed(name, lambda d: d["checkpoint"].update({field: value})))
        # One customer's checkpoint passed off as another scope's, and the other way round.
        self.refused("origin", self.changed("proof", lambda d: d["checkpoint"].update(customerId=None)))
        self.refused("origin", self.changed("proof", lambda d: d["checkpoint"].update(customerId="other")))
        self.refused("origin", self.changed("proof", lambda d: d["checkpoint"].update(period="2026-11")))
        self.refused("origin", self.changed("proof", lambda d: d["checkpoint"].update(period="2026-10")))
        self.refused("malformed", self.changed("proof", lambda d: d["checkpoint"].update(period="whenever")))
        self.refused("malformed", self.changed("proof", lambda d: d["checkpoint"].update(customerId=1)))
        # The month has the same leaves as all time, and yet another origin.
        self.refused("origin", self.changed("all", lambda d: d["checkpoint"].update(note=LEDGER["month"]["checkpoint"]["note"])))

    def test_a_note_is_good_as_it_was_signed_and_not_otherwise(self) -> None:
        note: str = LEDGER["proof"]["checkpoint"]["note"]
        for at in range(len(note)):
            for other in (note[:at] + note[at + 1:], note[:at] + chr(ord(note[at]) ^ 1) + note[at + 1:]):
                self.refused(None, self.changed("proof", lambda d: d["checkpoint"].update(note=other)))
        strange = "\u2014 other.example " + base64.b64encode(bytes(68)).decode() + "\n"
        proofs.verify(self.changed("proof", lambda d: d["checkpoint"].update(note=note + strange)), KEY)
        self.refused("checkpoint", self.changed("proof", lambda d: d["checkpoint"].update(note=note + strange * 100)))
        unsigned = note.partition("\n\n")[0] + "\n\n" + strange
        self.refused("signature", self.changed("proof", lambda d: d["checkpoint"].update(note=unsigned)))

    def test_another_key_proves_nothing(self) -> None:
        name, _, encoded = KEY.split("+", 2)
        public_key = b"\1" + (2).to_bytes(32, "little")
        for other in (name, "other.example"):
            identity = hashlib.sha256(other.encode() + b"\n" + public_key).hexdigest()[:8]
            self.refused("signature", LEDGER["all"], f"{other}+{identity}+{base64.b64encode(public_key).decode()}")
        for key in ("", "x", name, KEY[:-1], KEY.replace("+A", "+B"), KEY.replace(name, "other.example"), KEY + "A"):
            self.refused("key", LEDGER["all"], key)

    def test_what_is_no_proof_is_refused(self) -> None:
        bad: Any
        for bad in ("", "{", "[]", "null", "{}", '{"leaf":1}', '{"leaves":{}}', '{"leaves":[1]}', b"\xff", "[" * 100000, 1, None):
            self.refused("malformed", bad)
        for field in LEDGER["proof"]["leaf"]:
            self.refused("malformed", self.changed("proof", lambda d: d["leaf"].pop(field)))
        self.refused("malformed", self.changed("proof", lambda d: d["leaf"].update(more=1)))
        for field, value in (
            ("delta", "1.0"), ("delta", "+1"), ("delta", "-0"), ("delta", "01"), ("delta", 1), ("sequenceNumber", True),
            ("sequenceNumber", 0), ("sequenceNumber", 2**53), ("salt", "A" * 32), ("mode", "none"), ("reason", None),
            ("verifiedAt", "2026-11-22T00:00:00Z"), ("verifiedAt", "2026-13-22T00:00:00.000Z"), ("currency", 1),
            ("previousProofHash", "A" * 64), ("reason", "\ud800"),
        ):
            self.refused("malformed", self.changed("proof", lambda d: d["leaf"].update({field: value})))
        for field in ("leafIndex", "treeSize", "auditPath", "proofRoot", "leafHash", "checkpoint"):
            self.refused("malformed", self.changed("proof", lambda d: d.pop(field)))
            self.refused("malformed", self.changed("proof", lambda d: d.update({field: True})))
        # One name twice: which of the two would have been checked?
        twice = json.dumps(LEDGER["proof"], default=str).replace('{"recordId"', '{"recordId": "rec_0", "recordId"', 1)
        self.refused("malformed", twice)

    def test_the_origin_of_no_two_trees_is_the_same(self) -> None:
        def origin(customer: Optional[str], period: Optional[str]) -> str:
            return proofs._origin("switchyard.example", "ten_1", "live", customer, period)

        self.assertEqual(origin(None, None), "switchyard.example/ten_1/live")
        self.assertEqual(
            origin("app_1:IDR:\u00fc/ser 1", "2026-10"),
            "switchyard.example/ten_1/live/app_1:IDR:%C3%BC%2Fser%201/2026-10",
        )
        self.assertEqual(origin(None, "2026-10"), "switchyard.example/ten_1/live/2026-10")
        self.assertEqual(origin("2026-10", None), "switchyard.example/ten_1/live/2026%2D10")
        self.assertEqual(origin("2026%2D10", None), "switchyard.example/ten_1/live/2026%252D10")


if __name__ == "__main__":
    unittest.main()

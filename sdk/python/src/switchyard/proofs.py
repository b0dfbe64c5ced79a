"""Whether a receipt or a delta's proof holds, with the published key alone and without asking anybody.

A leaf is the RFC 8785 JSON of a verified delta, a tree is RFC 9162's over SHA-256, and a checkpoint is a signed note
(https://c2sp.org/signed-note) of three lines: which tree, how many leaves, and the root.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from decimal import Decimal
import hashlib
import json
import re
from typing import Any, Callable, Dict, List, Literal, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from . import ed25519
from .errors import SwitchyardError

Reason = Literal[
    "malformed", "leaf", "inclusion", "root", "chain", "sum", "checkpoint", "origin", "signature", "key"
]

_HASH = re.compile("[0-9a-f]{64}", re.ASCII)
_MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)
_DECIMAL = re.compile(r"0|-?(0\.[0-9]{0,5}[1-9]|[1-9][0-9]{0,31}(\.[0-9]{0,5}[1-9])?)", re.ASCII)
_LINES = 3
_MOST_SIGNATURES = 100


class ProofError(SwitchyardError):
    """What was shown does not hold. `reason` is the check that failed, as a word."""

    reason: Reason

    def __init__(self, message: str, reason: Reason = "malformed") -> None:
        super().__init__(message, code="ProofRefused")
        self.reason = reason


class Verified(NamedTuple):
    """What was found true. Whatever else a document says, as its URLs, nobody has signed."""

    proof_root: str
    tree_size: int
    tenant_id: str
    mode: str
    customer_id: Optional[str]
    """`None` for the tree of all customers."""
    period: Optional[str]
    """`None` for all up to the checkpoint."""
    record_ids: Tuple[str, ...]
    """The deltas that were shown."""
    net_change: Decimal
    """What these come to."""
    key: str
    """The name and id of the key that signed."""


def verify(document: Union[str, bytes, Mapping[str, Any]], public_key: str) -> Verified:
    """Checks a receipt (`balance.receipt`) or a delta's proof (`balance.proof`): what is returned is proven.

    `public_key` is the gateway's `ledger_key`, as `/info` has it. Get it once and keep it: a key that comes with what it
    should prove proves nothing.

    Raises ProofError.
    """
    key = _Key.parse(public_key)
    shown = _object_of(document)
    if "leaf" in shown:
        return _verify_proof(shown, key)
    if "leaves" in shown:
        return _verify_receipt(shown, key)
    raise ProofError("neither a delta's proof, which has a leaf, nor a receipt, which has leaves")


def leaf_hash(leaf: Mapping[str, Any]) -> bytes:
    """SHA-256 of 0x00 and the leaf as RFC 8785 writes it.

    A leaf has texts, nulls and one whole number below 2^53, and its names are ASCII: for these, JSON that is sorted,
    compact and not escaped beyond need is that form.
    """
    text = json.dumps(dict(leaf), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return hashlib.sha256(b"\0" + text.encode()).digest()
    except UnicodeEncodeError:
        raise ProofError("a leaf has half a character in it") from None


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaf hashes (RFC 9162, 2.1.1)."""
    if not hashes:
        return hashlib.sha256().digest()
    peaks: List[bytes] = []  # roots of full subtrees, the largest first: one for each bit of the size
    for at, node in enumerate(hashes):
        while at & 1:
            node = _node(peaks.pop(), node)
            at >>= 1
        peaks.append(node)
    root = peaks.pop()
    while peaks:
        root = _node(peaks.pop(), root)
    return root


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf of this hash is at `index` of the tree of `size` leaves under `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = _node(sibling, found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = _node(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _verify_receipt(shown: Dict[str, Any], key: _Key) -> Verified:
    leaves = [_leaf(leaf) for leaf in _field(shown, "leaves", list)]
    root = _hash_of(shown, "proofRoot")
    hashes = [leaf_hash(leaf) for leaf in leaves]
    if not leaves:
        raise ProofError("a receipt without deltas proves nothing", "origin")
    _require(root_of(hashes) == root, "root", "the deltas do not hash to the proof root")
    _check_chain(leaves, hashes)
    net_change = sum((Decimal(leaf["delta"]) for leaf in leaves), Decimal(0))
    for said, meant in (
        ("netChange", net_change),
        ("finalBalance", _amount(shown.get("startingBalance", 0)) + net_change),
    ):
        if said in shown:
            _require(_amount(shown[said]) == meant, "sum", f"the deltas do not come to what {said} says")
    for said in ("deltaCount", "deltasCount"):
        if said in shown:
            _require(shown[said] == len(leaves), "sum", f"there are not as many deltas as {said} says")
    checkpoint = _field(shown, "checkpoint", dict)
    if "netChange" in checkpoint:
        _require(_amount(checkpoint["netChange"]) == net_change, "sum", "the checkpoint's netChange is another one")
    for said in ("customerId", "period"):
        if said in shown:
            _require(shown[said] == checkpoint.get(said), "origin", f"the checkpoint is of another {said}")
    if shown.get("period") is None and "startingBalance" in shown:
        _require(_amount(shown["startingBalance"]) == 0, "sum", "before all deltas there is no balance")
    _require(
        all(leaf["currency"] == shown.get("currency", leaf["currency"]) for leaf in leaves),
        "origin", "a delta is in another currency than the receipt",
    )
    return _signed(checkpoint, root, len(leaves), leaves, net_change, key)


def _verify_proof(shown: Dict[str, Any], key: _Key) -> Verified:
    leaf = _leaf(shown["leaf"])
    found, root = leaf_hash(leaf), _hash_of(shown, "proofRoot")
    _require(found == _hash_of(shown, "leafHash"), "leaf", "the delta's fields do not hash to leafHash")
    _require(leaf["recordId"] == shown.get("recordId"), "leaf", "the proof is of another delta than its leaf")
    index, size = _field(shown, "leafIndex", int), _field(shown, "treeSize", int)
    path = [_hash(one) for one in _field(shown, "auditPath", list)]
    _require(is_included(found, index, size, path, root), "inclusion", "the path does not lead to the proof root")
    checkpoint = _field(shown, "checkpoint", dict)
    return _signed(checkpoint, root, size, [leaf], Decimal(leaf["delta"]), key)


def _check_chain(leaves: List[Dict[str, Any]], hashes: List[bytes]) -> None:
    """Whether the leaves are in order, and each that directly follows another in the ledger names its hash."""
    before: Optional[Tuple[int, bytes]] = None
    for leaf, found in zip(leaves, hashes):
        number, named, record = leaf["sequenceNumber"], leaf["previousProofHash"], leaf["recordId"]
        _require((number == 1) == (named is None), "chain", f"{record} names the wrong delta before it")
        if before is not None:
            _require(number > before[0], "chain", f"{record} is out of order")
            is_named = number != before[0] + 1 or named == before[1].hex()
            _require(is_named, "chain", f"{record} does not name the hash of the one before it")
        before = (number, found)


def _signed(
    checkpoint: Dict[str, Any], root: bytes, size: int, leaves: List[Dict[str, Any]], net_change: Decimal, key: _Key
) -> Verified:
    """What is proven, if the checkpoint is of this root and size, of the tree where these leaves belong, and signed."""
    text = key.opened(_field(checkpoint, "note", str))
    lines = text.split("\n")
    _require(len(lines) == _LINES + 1 and lines[0] != "", "checkpoint", "the note is not a checkpoint of three lines")
    is_of_tree = lines[1] == str(size) == str(checkpoint.get("treeSize")) and lines[2] == base64.b64encode(root).decode()
    _require(is_of_tree, "checkpoint", "the note is of another tree: its size or its root differs")
    _require(_hash_of(checkpoint, "proofRoot") == root, "checkpoint", "the checkpoint is of another root")
    for name in ("customerId", "period"):
        _require(isinstance(checkpoint.get(name), (str, type(None))), "malformed", f"{name} is not a text")
    customer_id, period, first = checkpoint.get("customerId"), checkpoint.get("period"), leaves[0]
    contains = _moments_of(period)
    for leaf in leaves:
        is_of_it = (leaf["tenantId"], leaf["mode"]) == (first["tenantId"], first["mode"])
        is_of_it = is_of_it and customer_id in (None, leaf["customerId"]) and contains(leaf["verifiedAt"])
        _require(is_of_it, "origin", f"{leaf['recordId']} does not belong to the checkpoint's tree")
    expected = _origin(key.name, first["tenantId"], first["mode"], customer_id, period)
    _require(lines[0] == expected, "origin", f"the checkpoint is of the tree {lines[0]}, not of these deltas'")
    return Verified(
        root.hex(), size, first["tenantId"], first["mode"], customer_id, period,
        tuple(leaf["recordId"] for leaf in leaves), net_change, key.short,
    )


def _origin(name: str, tenant_id: str, mode: str, customer_id: Optional[str], period: Optional[str]) -> str:
    """The first line of a checkpoint's note. No two trees have the same."""
    parts = [name, tenant_id, mode]
    if customer_id is not None:
        kept = "" if re.fullmatch("[0-9]{4}-[0-9]{2}", customer_id, re.ASCII) else "-"
        parts.append("".join(
            chr(byte) if chr(byte).isalnum() and byte < 128 or chr(byte) in "_.:" + kept else f"%{byte:02X}"
            for byte in customer_id.encode()
        ))
    if period is not None:
        parts.append(period)
    return "/".join(parts)


def _moments_of(period: Optional[str]) -> Callable[[str], bool]:
    """Whether a moment is within a period: all time, a month, or `<start>~<end>`. All moments are of one form and in
    UTC, so their texts are in the order of time."""
    if period is None:
        return lambda at: True
    if _MONTH.fullmatch(period):
        return lambda at: at.startswith(period + "-")
    start, _, end = period.partition("~")
    _require(_is_time(start) and _is_time(end), "malformed", "the checkpoint's period is neither a month nor a stretch")
    return lambda at: start <= at < end


class _Key(NamedTuple):
    """The public half of a key, with its name: `<name>+<id>+<base64(0x01, public key)>`."""

    name: str
    id: bytes
    public_key: bytes

    @property
    def short(self) -> str:
        return f"{self.name}+{self.id.hex()}"

    @classmethod
    def parse(cls, text: str) -> _Key:
        parts = text.strip().split("+", 2)
        encoded = _base64(parts[2]) if len(parts) == 3 else None
        _require(
            encoded is not None and len(encoded) == 33 and encoded[0] == 1 and _is_name(parts[0]),
            "key", "the public key is not of the form name+id+base64, for Ed25519",
        )
        assert encoded is not None
        identity = hashlib.sha256(parts[0].encode() + b"\n" + encoded).digest()[:4]
        _require(parts[1] == identity.hex(), "key", "the public key's id does not belong to its name and key")
        return cls(parts[0], identity, encoded[1:])

    def opened(self, note: str) -> str:
        """The text of a note that this key has signed; what other keys signed is passed over."""
        text, empty_line, signatures = note.rpartition("\n\n")
        text += "\n"
        is_note = empty_line and signatures.endswith("\n") and all(one >= " " or one == "\n" for one in text)
        lines = signatures[:-1].split("\n")
        _require(bool(is_note) and len(lines) <= _MOST_SIGNATURES, "checkpoint", "the checkpoint's note is malformed")
        is_signed = False
        for line in lines:
            parts = line.split(" ")
            found = _base64(parts[2]) if len(parts) == 3 and parts[0] == "\u2014" and _is_name(parts[1]) else None
            if found is None or len(found) < 5:
                raise ProofError("a signature line of the note is malformed", "signature")
            if parts[1] == self.name and found[:4] == self.id:
                is_good = ed25519.verify(self.public_key, _utf8(text), found[4:])
                _require(is_good, "signature", f"the signature of {self.short} is not good for this checkpoint")
                is_signed = True
        _require(is_signed, "signature", f"the checkpoint is not signed by {self.short}")
        return text


def _is_name(name: str) -> bool:
    return name != "" and not any(one.isspace() or one < " " or one == "+" or "\x7f" <= one <= "\x9f" for one in name)


def _object_of(document: Any) -> Dict[str, Any]:
    if isinstance(document, (str, bytes)):
        try:
            text = document.decode("utf-8-sig") if isinstance(document, bytes) else document
            document = json.loads(text, parse_float=Decimal, object_pairs_hook=_without_twins)
        except (ValueError, RecursionError):
            raise ProofError("this is not JSON, or it says something twice") from None
    if not isinstance(document, Mapping):
        raise ProofError("this is not a JSON object")
    found: Dict[str, Any] = dict(document)
    inner = found.get("data")
    # An answer of the API may be given as it came.
    return inner if isinstance(inner, dict) and "leaf" not in found and "leaves" not in found else found


def _without_twins(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


# What each of a leaf's twelve fields may be, and nothing else may be there: it is hashed as it stands.
_LEAF: Dict[str, Callable[[Any], bool]] = {
    "currency": lambda value: value is None or isinstance(value, str),
    "customerId": lambda value: isinstance(value, str),
    "delta": lambda value: isinstance(value, str) and _DECIMAL.fullmatch(value) is not None,
    "mode": lambda value: value in ("test", "sandbox", "live"),
    "previousProofHash": lambda value: value is None or isinstance(value, str) and bool(_HASH.fullmatch(value)),
    "reason": lambda value: isinstance(value, str),
    "recordId": lambda value: isinstance(value, str),
    "referenceId": lambda value: value is None or isinstance(value, str),
    "salt": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None,
    "sequenceNumber": lambda value: type(value) is int and 1 <= value < 1 << 53,
    "tenantId": lambda value: isinstance(value, str),
    "verifiedAt": lambda value: isinstance(value, str) and _is_time(value),
}


def _leaf(leaf: Any) -> Dict[str, Any]:
    if not isinstance(leaf, Mapping) or set(leaf) != set(_LEAF):
        raise ProofError("a leaf has other fields than its twelve")
    for name, is_good in _LEAF.items():
        _require(is_good(leaf[name]), "malformed", f"a leaf's {name} is not in its form")
    return dict(leaf)


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return True


def _field(shown: Mapping[str, Any], name: str, kind: Any) -> Any:
    value: Any = shown.get(name)
    if not isinstance(value, Mapping if kind is dict else kind) or isinstance(value, bool):
        raise ProofError(f"{name} is missing, or of the wrong kind")
    return dict(value) if kind is dict else value


def _hash_of(shown: Mapping[str, Any], name: str) -> bytes:
    return _hash(shown.get(name), name)


def _hash(value: Any, name: str = "a hash of the path") -> bytes:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ProofError(f"{name} is not 64 hexadecimal digits")
    return bytes.fromhex(value)


def _amount(value: Any) -> Decimal:
    is_number = isinstance(value, (Decimal, int)) and not isinstance(value, bool)
    is_text = isinstance(value, str) and _DECIMAL.fullmatch(value)
    if not is_number and not is_text:
        raise ProofError("an amount is not a decimal")
    return Decimal(value)


def _base64(text: str) -> Optional[bytes]:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # There is one way to write bytes.
    return found if base64.b64encode(found).decode() == text else None


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ProofError("the note has half a character in it") from None


def _require(holds: bool, reason: Reason, message: str) -> None:
    if not holds:
        raise ProofError(message, reason)

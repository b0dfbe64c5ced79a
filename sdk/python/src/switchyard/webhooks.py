"""Whether an event that somebody posted is the gateway's. How requests to the gateway are signed is in `signing`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import Any, Dict, Iterable, List, Literal, Mapping, Optional, Protocol, Sequence, Tuple, Union

from . import types
from .errors import SwitchyardError
from .money import from_json

Reason = Literal["missing_headers", "bad_timestamp", "timestamp_out_of_range", "bad_signature", "bad_body"]


class _HasItems(Protocol):
    def items(self) -> Iterable[Tuple[Any, Any]]: ...


Headers = Union[Mapping[str, str], _HasItems, Iterable[Tuple[Any, Any]]]
"""Whatever a framework has headers in; upper and lower case do not matter."""


class WebhookVerificationError(SwitchyardError):
    """The request is not to be believed; `reason` says why, for the log. Answer it with 401."""

    reason: Reason

    def __init__(self, message: str, reason: Reason = "bad_signature") -> None:
        super().__init__(message, code="WebhookVerificationFailed")
        self.reason = reason


def verify(
    raw_body: Union[bytes, bytearray, memoryview, str],
    headers: Headers,
    secret: Union[str, Sequence[str]],
    tolerance_s: float = 300,
    now: Optional[float] = None,
) -> types.Event:
    """The event, if the gateway signed these very bytes lately with a secret of ours.

    `secret` is the webhook secret as it was shown, plain or as `whsec_…`; give both while one replaces the other. Either
    family of signatures is enough: X-PAY-Signature, or webhook-signature of Standard Webhooks.

    Raises WebhookVerificationError.
    """
    if isinstance(raw_body, str):
        raw_body = raw_body.encode()
    if not isinstance(raw_body, (bytes, bytearray, memoryview)):
        raise TypeError("verify wants the raw body, before anything has read it as JSON")
    body = bytes(raw_body)
    keys = [_key(one) for one in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise ValueError("no webhook secret is given")
    found = _lower(headers)
    checks: List[Optional[Reason]] = []
    for signed in (_x_pay(found, body), _standard(found, body)):
        if signed is not None:
            checks.append(_fault(*signed, keys, tolerance_s, time.time() if now is None else now))
    if not checks:
        raise WebhookVerificationError("the request has no signature", "missing_headers")
    if None not in checks:
        # What is signed and stale is told as that; all else is no signature of ours.
        reason = next((fault for fault in checks if fault != "bad_signature"), None) or "bad_signature"
        raise WebhookVerificationError(f"the request is not the gateway's: {reason.replace('_', ' ')}", reason)
    try:
        event: types.Event = from_json(body)
    except (ValueError, RecursionError):
        event = {}  # type: ignore[typeddict-item]
    if not isinstance(event, dict) or not event:
        raise WebhookVerificationError("the body is not a JSON object", "bad_body")
    return event


def _x_pay(headers: Dict[str, str], body: bytes) -> Optional[Tuple[str, bytes, List[bytes], bool]]:
    """The timestamp, what is signed, the signatures, and whether they are base64."""
    timestamp, signature = headers.get("x-pay-timestamp"), headers.get("x-pay-signature")
    if timestamp is None or signature is None:
        return None
    return timestamp, timestamp.encode() + b"." + body, [signature.encode()], False


def _standard(headers: Dict[str, str], body: bytes) -> Optional[Tuple[str, bytes, List[bytes], bool]]:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    identity, timestamp, signatures = (headers.get(name) for name in names)
    if identity is None or timestamp is None or signatures is None:
        return None
    versions = (one.partition(",") for one in signatures.split())
    given = [encoded.encode() for version, _, encoded in versions if version == "v1"]
    return timestamp, f"{identity}.{timestamp}.".encode() + body, given, True


def _fault(
    timestamp: str, signed: bytes, given: List[bytes], is_base64: bool, keys: List[bytes], tolerance_s: float, now: float
) -> Optional[Reason]:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return "bad_timestamp"
    is_ours = False
    for key in keys:
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        expected = base64.b64encode(digest) if is_base64 else digest.hex().encode()
        for signature in given:
            is_ours |= hmac.compare_digest(expected, signature)
    if not is_ours:
        return "bad_signature"
    return None if abs(now - int(timestamp)) <= tolerance_s else "timestamp_out_of_range"


def _key(secret: str) -> bytes:
    if not secret:
        raise ValueError("the webhook secret is empty")
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret[len("whsec_"):], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the webhook secret begins with whsec_, but what follows is not base64") from None


def _lower(headers: Headers) -> Dict[str, str]:
    """Headers by lower-case name. One that came twice, saying two things, is as good as none."""
    items = headers.items() if hasattr(headers, "items") else headers
    found: Dict[str, str] = {}
    twice = set()
    for name, value in items:
        name, value = _text(name).lower(), _text(value).strip()
        if found.setdefault(name, value) != value:
            twice.add(name)
    return {name: value for name, value in found.items() if name not in twice}


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)

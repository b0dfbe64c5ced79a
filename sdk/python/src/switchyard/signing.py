"""How a request is signed, and secrets that cannot be printed. What events are signed with is in `webhooks`."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from typing import Dict, NoReturn, Tuple

# The server takes timestamps that are 300 s off; the rest of that is for clocks that disagree.
_MOST_SECONDS_AHEAD = 60


class Secret:
    """A text that does not show in a `repr`, a log, an error's locals or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def expose(self) -> str:
        """The text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def request_signature(secret: str, timestamp: int, method: str, target: str, body: bytes = b"") -> str:
    """The hex HMAC-SHA256 of `<timestamp>.<METHOD>.<target>.<hex sha256(body)>`, keyed with the secret as text.

    `target` is the raw path, with `?<query>` where there is one.
    """
    text = f"{timestamp}.{method}.{target}.{hashlib.sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class RequestSigner:
    """Signs the requests of one app.

    A signature is good for one POST: seen again under another idempotency key, it is refused as `SignatureReused`. Two
    POSTs with the same path and body in the same second would have the same one, so the later is signed for the next
    second that is free. A retry has its own key again and may have its own signature again.
    """

    def __init__(self, public_key: str, secret: Secret) -> None:
        self.public_key = public_key
        self._secret = secret
        self._lock = threading.Lock()
        self._second = 0
        self._spent: Dict[str, Tuple[int, str]] = {}

    def headers(self, method: str, target: str, body: bytes, idempotency_key: str = "") -> Dict[str, str]:
        """The three headers for a request, signed now."""
        timestamp = int(time.time())
        signature = request_signature(self._secret.expose(), timestamp, method, target, body)
        if idempotency_key:
            timestamp, signature = self._unspent(timestamp, signature, method, target, body, idempotency_key)
        return {"X-PAY-Key": self.public_key, "X-PAY-Timestamp": str(timestamp), "X-PAY-Signature": signature}

    def _unspent(
        self, timestamp: int, signature: str, method: str, target: str, body: bytes, idempotency_key: str
    ) -> Tuple[int, str]:
        with self._lock:
            if timestamp > self._second:
                self._second = timestamp
                self._spent = {kept: spent for kept, spent in self._spent.items() if spent[0] >= timestamp}
            latest = timestamp + _MOST_SECONDS_AHEAD
            while self._spent.get(signature, (0, idempotency_key))[1] != idempotency_key and timestamp < latest:
                timestamp += 1
                signature = request_signature(self._secret.expose(), timestamp, method, target, body)
            self._spent[signature] = (timestamp, idempotency_key)
        return timestamp, signature

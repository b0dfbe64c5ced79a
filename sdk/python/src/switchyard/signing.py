"""How a request is signed, and secrets that cannot be printed. What events are signed with is in `webhooks`."""

from __future__ import annotations

import hashlib
import hmac
import random
import threading
import time
from typing import Dict, NoReturn, Tuple

# The server takes timestamps that are 300 s off; the rest of that is for clocks that disagree.
_SECONDS_AHEAD = 120


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
    POSTs with the same path and body in the same second would have the same one, so the later is signed for one of the
    seconds to come, by chance, since other processes may do the same. A retry has its own key again, and so may have its
    own signature again.
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
            with self._lock:
                self._forget(timestamp)
                if self._is_of_another(signature, idempotency_key):
                    for later in random.sample(range(timestamp + 1, timestamp + _SECONDS_AHEAD), _SECONDS_AHEAD - 1):
                        candidate = request_signature(self._secret.expose(), later, method, target, body)
                        if not self._is_of_another(candidate, idempotency_key):
                            timestamp, signature = later, candidate
                            break
                self._spent[signature] = (timestamp, idempotency_key)
        return {"X-PAY-Key": self.public_key, "X-PAY-Timestamp": str(timestamp), "X-PAY-Signature": signature}

    def avoid(self, headers: Dict[str, str]) -> None:
        """Uses this signature no more: another process has."""
        with self._lock:
            self._spent[headers["X-PAY-Signature"]] = (int(headers["X-PAY-Timestamp"]), "")

    def _is_of_another(self, signature: str, idempotency_key: str) -> bool:
        return self._spent.get(signature, (0, idempotency_key))[1] != idempotency_key

    def _forget(self, now: int) -> None:
        """Forgets the signatures of seconds that are over."""
        if now > self._second:
            self._second = now
            self._spent = {kept: spent for kept, spent in self._spent.items() if spent[0] >= now}

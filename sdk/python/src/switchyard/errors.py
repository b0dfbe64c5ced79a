"""What can go wrong, as exceptions. Which answers are tried again first is in `session`."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
import json
import time
from typing import Any, Dict, List, Mapping, Optional, Type


class SwitchyardError(Exception):
    """Anything that this package raises about a call. No secret is ever in one."""

    def __init__(
        self,
        message: str,
        *,
        status: Optional[int] = None,
        code: Optional[str] = None,
        request_id: Optional[str] = None,
        body: Optional[Dict[str, Any]] = None,
        retry_after: Optional[float] = None,
        idempotency_key: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """The answer's HTTP status; `None` when there was no answer."""
        self.code = code
        """The gateway's stable code, as `PaymentNotFound`."""
        self.request_id = request_id
        """What the gateway's log has this request under."""
        self.body = body or {}
        """The answer's body, if it was a JSON object."""
        self.retry_after = retry_after
        """Seconds to wait, if the answer told."""
        self.idempotency_key = idempotency_key
        """The key that a POST went out with: with it, the same call can be made again and is done once."""

    def __str__(self) -> str:
        known = [f"status {self.status}" if self.status else "", f"request {self.request_id}" if self.request_id else ""]
        tail = ", ".join(part for part in known if part)
        head = f"{self.code}: {self.message}" if self.code else self.message
        return f"{head} ({tail})" if tail else head


class ConfigurationError(SwitchyardError, ValueError):
    """The client was not told what it needs, or was told what does not fit together."""


class ValidationError(SwitchyardError):
    """400: a field is missing, unknown or out of its bounds."""

    @property
    def fields(self) -> Dict[str, List[str]]:
        """The reasons by field, as `{"amount_minor": ["must be at least 1"]}`; what is about no field is under `""`."""
        told = self.body.get("message")
        fields: Dict[str, List[str]] = {}
        for line in told if isinstance(told, list) else [self.message]:
            path, colon, reason = str(line).partition(": ")
            fields.setdefault(path if colon else "", []).append(reason if colon else path)
        return fields


class AuthenticationError(SwitchyardError):
    """401: the key, the secret or this machine's clock is wrong."""


class PlanLimitExceededError(SwitchyardError):
    """402: the plan's limit is reached. Reading goes on."""


class PermissionDeniedError(SwitchyardError):
    """403: the key may not do this, or a step on the way to Production is missing."""


class NotFoundError(SwitchyardError):
    """404: not there, or not this app's."""


class RequestTimeoutError(SwitchyardError):
    """No answer in time. What was asked for may have been done: ask again with the same `idempotency_key`."""


class IdempotencyConflictError(SwitchyardError):
    """409: the idempotency key was used with another body."""


class ModeNotServedError(SwitchyardError):
    """421: this server does not serve the key's mode, and its word was not enough to go elsewhere."""

    @property
    def base_url(self) -> Optional[str]:
        """Where the answer says that the mode is served."""
        return named_base_url(self.body)


class RateLimitError(SwitchyardError):
    """429: `retry_after` seconds are to be waited."""


class _AboutAPayment(SwitchyardError):
    @property
    def payment_id(self) -> Optional[str]:
        """The payment that it is about."""
        found = self.body.get("payment_id")
        return found if isinstance(found, str) else None


class ProviderError(_AboutAPayment):
    """502: the provider refused. The payment is there and has failed; asking again changes nothing."""


class ProviderUnavailableError(_AboutAPayment):
    """503: the provider could not be reached and nothing was charged. The same key continues the same payment."""


class ConnectionFailedError(SwitchyardError):
    """The server could not be reached, or the connection broke."""


class DeltaFailedError(SwitchyardError):
    """A delta that was waited for came to nothing; it is in `body`."""


_BY_STATUS: Dict[int, Type[SwitchyardError]] = {
    400: ValidationError,
    401: AuthenticationError,
    402: PlanLimitExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    421: ModeNotServedError,
    429: RateLimitError,
}
_BY_CODE: Dict[str, Type[SwitchyardError]] = {
    "IdempotencyConflict": IdempotencyConflictError,
    "ProviderError": ProviderError,
    "ProviderUnavailable": ProviderUnavailableError,
}


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, idempotency_key: Optional[str] = None
) -> SwitchyardError:
    """The exception for an answer that is no success."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    problem: Dict[str, Any] = parsed if isinstance(parsed, dict) else {}
    code = problem.get("code")
    kind = _BY_CODE.get(str(code)) or _BY_STATUS.get(status, SwitchyardError)
    return kind(
        str(problem.get("detail") or f"the server answered with status {status}"),
        status=status,
        code=code if isinstance(code, str) else None,
        request_id=headers.get("x-request-id") or problem.get("request_id"),
        body=problem,
        retry_after=retry_after_of(headers.get("retry-after")),
        idempotency_key=idempotency_key,
    )


def retry_after_of(value: Optional[str]) -> Optional[float]:
    """The seconds that a `Retry-After` header asks for, which has a number or a date."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def named_base_url(problem: Mapping[str, Any]) -> Optional[str]:
    """The address that a 421 names: in a field, or at the end of its sentence."""
    for field in ("mode_url", "base_url"):
        if isinstance(problem.get(field), str):
            return str(problem[field])
    _, found, named = str(problem.get("detail", "")).rpartition("; use ")
    return named.strip() if found else None

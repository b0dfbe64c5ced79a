"""How a call is made: signed, tried, and tried again where that is safe. A single try is in `transport`."""

from __future__ import annotations

import logging
import random
import time
from typing import Any, Dict, Optional, Sequence, Tuple

from . import money
from .errors import (
    ConfigurationError,
    ConnectionFailedError,
    ModeNotServedError,
    RequestTimeoutError,
    SwitchyardError,
    error_of,
    named_base_url,
)
from .requests import Request
from .signing import RequestSigner, Secret
from .transport import Address, Answer, Broken, Call, Reply, Transport
from .version import VERSION

_LOG = logging.getLogger("switchyard")
_FIRST_BACKOFF_S = 0.25
_LONGEST_BACKOFF_S = 8.0
_MOST_REUSED = 20
_AGAIN_STATUS = frozenset({408, 429, 502, 503, 504})
_AGAIN_CODE = frozenset({"IdempotencyInProgress", "SignatureReused"})


class Headers(Dict[str, str]):
    """Headers that do not show in a `repr`: a report of an error may print what a function was about."""

    def __repr__(self) -> str:
        return "Headers(…)"


class Session:
    """Makes the calls of one client."""

    def __init__(
        self,
        address: Address,
        mode: str,
        configured: Sequence[Address],
        signer: Optional[RequestSigner],
        api_key: Optional[Secret],
        timeout_s: float,
        total_timeout_s: float,
        max_retries: int,
    ) -> None:
        self.address = address
        self.mode = mode
        self.max_retries = max_retries
        self.transport = Transport()
        self._configured = configured
        self._signer = signer
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._total_timeout_s = total_timeout_s

    def send(self, request: Request, call: Optional[Call] = None) -> Any:
        """The body of the answer to a request, read; of the ledger's, what is in its envelope."""
        answer = self._answer(request, call or Call())
        try:
            body = money.from_json(answer.body)
            return money.with_decimals(body["data"]) if request.is_of_ledger else body
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SwitchyardError(
                "the server's answer cannot be read", status=answer.status, code="UnreadableAnswer",
                request_id=answer.headers.get("x-request-id"), idempotency_key=request.idempotency_key or None,
            ) from None

    def _answer(self, request: Request, call: Call) -> Answer:
        """The answer of the first try that succeeds."""
        end = time.monotonic() + self._total_timeout_s
        tries, reused, fresh, has_moved = 0, 0, False, False
        while True:
            try:
                deadline = min(time.monotonic() + self._timeout_s, end)
                signed, asked = self.signed(request), self.address
                answer = self.transport.exchange(asked, signed, deadline, call, fresh)
                _LOG.debug("%s %s: %d", request.method, request.path, answer.status)
                if 200 <= answer.status < 300:
                    return answer
                failure = error_of(answer.status, answer.headers, answer.body, request.idempotency_key or None)
                if isinstance(failure, ModeNotServedError) and not has_moved:
                    has_moved = self.move(failure, asked)
                    if has_moved:
                        continue
                if failure.code == "SignatureReused" and self._signer is not None and reused < _MOST_REUSED:
                    # Nothing was done, and there are other seconds to sign for.
                    self._signer.avoid(signed[2])
                    reused += 1
                    continue
                delay = wait_before_again(failure, tries)
            except Broken as broken:
                _LOG.debug("%s %s: %s", request.method, request.path, broken)
                if broken.was_stale and not fresh:
                    fresh = True
                    continue
                failure = self.broken(broken, request)
                delay = None if broken.is_final else backoff_s(tries)
            if delay is None or tries >= self.max_retries or time.monotonic() + delay >= end:
                raise failure
            call.sleep(delay)
            tries += 1

    def begin(self, request: Request, call: Call, headers: Dict[str, str]) -> Reply:
        """One try, whose answer goes on. Raises `Broken`."""
        method, target, own, body = self.signed(request)
        deadline = time.monotonic() + self._timeout_s
        signed = (method, target, Headers({**own, **headers}), body)
        return self.transport.begin(self.address, signed, deadline, call, fresh=True)

    def signed(self, request: Request) -> Tuple[str, str, Dict[str, str], bytes]:
        """The request as it goes out now."""
        headers = Headers({"Accept": "application/json", "User-Agent": f"switchyard-python/{VERSION}"})
        if request.body:
            headers["Content-Type"] = "application/json"
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        if not request.needs_key:
            pass
        elif request.is_of_ledger:
            if self._api_key is None:
                raise ConfigurationError("balance and writes need api_key (or PAY_API_KEY)")
            headers["X-Api-Key"] = self._api_key.expose()
        else:
            if self._signer is None:
                raise ConfigurationError("this call needs public_key and secret (or PAY_KEY and PAY_SECRET)")
            headers.update(self._signer.headers(request.method, request.target, request.body, request.idempotency_key))
        return request.method, request.target, headers, request.body

    def move(self, failure: ModeNotServedError, asked: Address) -> bool:
        """Goes to the server that a 421 of `asked` names, if that may have the key. Nothing was done by who answered so.

        That is one that the caller named too, always. Otherwise a test or sandbox key goes to any https address, and
        whatever key from this machine to this machine. A live key goes nowhere else on a server's word alone, and no
        key ever goes from https to http or in the clear over a network: who can make an answer could have it brought
        to himself, with the money that is asked for under it.
        """
        try:
            there = Address.parse(named_base_url(failure.body) or "")
        except ConfigurationError:
            # The answer names no address; the caller may have told of one for this mode.
            there = self._configured[0] if self._configured else asked
        if there == asked:
            return False
        is_local = there.is_loopback and asked.is_loopback
        is_safe = there.scheme == "https" or (is_local and asked.scheme == "http")
        may_have_key = there in self._configured or (is_safe and (is_local or self.mode != "live"))
        if may_have_key:
            self.address = there
        return may_have_key

    def broken(self, broken: Broken, request: Request) -> SwitchyardError:
        """The exception for a try without an answer."""
        if broken.timed_out:
            return RequestTimeoutError(
                f"no answer from {self.address} in time", idempotency_key=request.idempotency_key or None
            )
        verb = "the connection broke" if broken.was_sent else "no connection"
        return ConnectionFailedError(
            f"{verb}: {self.address}: {broken}", idempotency_key=request.idempotency_key or None
        )


def wait_before_again(failure: SwitchyardError, tries: int) -> Optional[float]:
    """How long to wait before the same is asked again; `None` where that is not safe or changes nothing."""
    # A provider's refusal is stored as the answer for its key.
    if failure.code == "ProviderError":
        return None
    if failure.code in _AGAIN_CODE or failure.status in _AGAIN_STATUS:
        return backoff_s(tries) + (failure.retry_after or 0.0)
    return None


def backoff_s(tries: int) -> float:
    """Exponential, and random over its whole width, so that many who failed together do not come back together."""
    return random.uniform(0, min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(tries, 16)))

"""The clients: what they are told, and which server and mode that means."""

from __future__ import annotations

import os
import re
from types import TracebackType
from typing import List, NoReturn, Optional, Type

from . import resources
from .errors import ConfigurationError
from .session import Session
from .signing import RequestSigner, Secret
from .transport import Address

_PUBLIC_KEY = re.compile(r"pk_(test|sandbox|live)_[0-9A-Za-z]+", re.ASCII)
_API_KEY = re.compile(r"(pk_(test|sandbox|live)_[!-\-/-~]+)\.[!-~]+", re.ASCII)


class Client:
    """What the two clients have in common: their settings."""

    def __init__(
        self,
        public_key: Optional[str] = None,
        secret: Optional[str] = None,
        api_key: Optional[str] = None,
        sandbox_url: Optional[str] = None,
        production_url: Optional[str] = None,
        base_url: Optional[str] = None,
        expect_mode: Optional[str] = None,
        timeout_s: float = 30.0,
        max_retries: int = 3,
        total_timeout_s: float = 90.0,
    ) -> None:
        """`public_key` and `secret` are an app's, for payments; `api_key` is for balance and writes. The key's prefix
        says which mode it is and which URL is asked: `sandbox_url` for test and sandbox, `production_url` for live, or
        `base_url` for either. What is not given is taken from PAY_KEY, PAY_SECRET, PAY_API_KEY and PAY_URL.

        `timeout_s` is for each try, `total_timeout_s` for a call with all its tries and the waiting between them.
        """
        public_key = _given(public_key, "PAY_KEY")
        secret = _given(secret, "PAY_SECRET")
        api_key = _given(api_key, "PAY_API_KEY")
        self.mode = _mode_of(public_key, api_key)
        """`test`, `sandbox` or `live`, as the key says."""
        if expect_mode is not None and expect_mode != self.mode:
            raise ConfigurationError(f"the key is of mode {self.mode}, and {expect_mode} is expected")
        if (public_key is None) != (secret is None):
            raise ConfigurationError("public_key and secret go together")
        if not timeout_s > 0 or not total_timeout_s > 0 or max_retries < 0:
            raise ConfigurationError("time-outs are more than 0, and max_retries is not less")
        of_mode = production_url if self.mode == "live" else sandbox_url
        url = base_url or of_mode or os.environ.get("PAY_URL")
        if not url:
            name = "production_url" if self.mode == "live" else "sandbox_url"
            raise ConfigurationError(f"no server is given for mode {self.mode}: set {name} or base_url (or PAY_URL)")
        configured: List[Address] = [Address.parse(known) for known in (of_mode, base_url) if known]
        self.public_key = public_key or (api_key or "").partition(".")[0]
        signer = RequestSigner(public_key, Secret(secret)) if public_key and secret else None
        self._session = Session(
            Address.parse(url), self.mode, configured, signer, Secret(api_key) if api_key else None, timeout_s,
            total_timeout_s, max_retries,
        )

    @property
    def base_url(self) -> str:
        """The server that is asked; another one after a 421 that was followed."""
        return str(self._session.address)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mode={self.mode!r}, public_key={self.public_key!r}, base_url={self.base_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds secrets and is not pickled")


class Switchyard(Client):
    """A client. Threads may share it."""

    def __init__(
        self,
        public_key: Optional[str] = None,
        secret: Optional[str] = None,
        api_key: Optional[str] = None,
        sandbox_url: Optional[str] = None,
        production_url: Optional[str] = None,
        base_url: Optional[str] = None,
        expect_mode: Optional[str] = None,
        timeout_s: float = 30.0,
        max_retries: int = 3,
        total_timeout_s: float = 90.0,
    ) -> None:
        super().__init__(
            public_key, secret, api_key, sandbox_url, production_url, base_url, expect_mode, timeout_s, max_retries,
            total_timeout_s,
        )
        self.payments = resources.Payments(self._session)
        self.refunds = resources.Refunds(self._session)
        self.subscriptions = resources.Subscriptions(self._session)
        self.customers = resources.Customers(self._session)
        self.events = resources.Events(self._session)
        self.routes = resources.Routes(self._session)
        self.invoices = resources.Invoices(self._session)
        self.payment_links = resources.PaymentLinks(self._session)
        self.balance = resources.Balance(self._session)
        self.writes = resources.Writes(self._session)

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._session.transport.close()

    def __enter__(self) -> Switchyard:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def _given(value: Optional[str], variable: str) -> Optional[str]:
    found = value if value is not None else os.environ.get(variable)
    return found.strip() or None if found else None


def _mode_of(public_key: Optional[str], api_key: Optional[str]) -> str:
    """The one mode of the keys. What they are is not repeated, since it may be a secret in the wrong place."""
    modes: List[str] = []
    if public_key is not None:
        matched = _PUBLIC_KEY.fullmatch(public_key)
        if matched is None:
            raise ConfigurationError("public_key is not of the form pk_<test|sandbox|live>_…")
        modes.append(matched[1])
    if api_key is not None:
        matched = _API_KEY.fullmatch(api_key)
        if matched is None:
            raise ConfigurationError("api_key is not of the form pk_<test|sandbox|live>_<public>.<secret>")
        modes.append(matched[2])
    if not modes:
        raise ConfigurationError(
            "no key: give public_key and secret, or api_key (or set PAY_KEY and PAY_SECRET, or PAY_API_KEY)"
        )
    if len(set(modes)) > 1:
        raise ConfigurationError(f"public_key is of mode {modes[0]}, and api_key of mode {modes[1]}")
    return modes[0]

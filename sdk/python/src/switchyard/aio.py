"""The client for asyncio. Calls run in threads of the client's own, on connections that are kept alive."""

from __future__ import annotations

from types import TracebackType
from typing import Optional, Type

from . import aio_resources as resources
from .aio_session import AsyncSession
from .client import Client


class AsyncSwitchyard(Client):
    """As `Switchyard`, for one event loop: `await` its calls, and `async for` over its lists.

    At most `max_concurrency` calls are under way at once; others wait for their turn. A call that is cancelled after it
    was sent may have been done: make it again with the same `idempotency_key`.
    """

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
        max_concurrency: int = 32,
    ) -> None:
        super().__init__(
            public_key, secret, api_key, sandbox_url, production_url, base_url, expect_mode, timeout_s, max_retries,
            total_timeout_s,
        )
        self._own = AsyncSession(self._session, max_concurrency)
        self.payments = resources.AsyncPayments(self._own)
        self.refunds = resources.AsyncRefunds(self._own)
        self.subscriptions = resources.AsyncSubscriptions(self._own)
        self.customers = resources.AsyncCustomers(self._own)
        self.events = resources.AsyncEvents(self._own)
        self.routes = resources.AsyncRoutes(self._own)
        self.invoices = resources.AsyncInvoices(self._own)
        self.payment_links = resources.AsyncPaymentLinks(self._own)
        self.balance = resources.AsyncBalance(self._own)
        self.writes = resources.AsyncWrites(self._own)

    async def aclose(self) -> None:
        """Ends its threads and closes the connections that are kept."""
        self._own.executor.shutdown(wait=False)
        self._session.transport.close()

    async def __aenter__(self) -> AsyncSwitchyard:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()

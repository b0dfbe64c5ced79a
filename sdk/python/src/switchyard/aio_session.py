"""How calls are made for an event loop: in threads, which end when the task that waits for them is cancelled."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Callable, Optional, Sequence, Type, TypeVar

from . import types
from .requests import Request
from .session import Session
from .stream import EventStream
from .transport import Call

T = TypeVar("T")


class AsyncSession:
    """Makes the calls of one asynchronous client."""

    def __init__(self, session: Session, max_concurrency: int) -> None:
        self.session = session
        self.executor = ThreadPoolExecutor(max_concurrency, thread_name_prefix="switchyard")

    async def send(self, request: Request) -> Any:
        """As `Session.send`. When the task is cancelled, the call ends in its thread too: its waiting and its socket."""
        call = Call()
        return await run(self.executor, call.cancel, lambda: self.session.send(request, call))


async def run(executor: ThreadPoolExecutor, cancel: Callable[[], None], work: Callable[[], T]) -> T:
    """What `work` returns in a thread; `cancel` is called when nobody waits for it any more."""
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
    except asyncio.CancelledError:
        cancel()
        raise


class AsyncEventStream:
    """Iterate over it with `async for`. It has a thread of its own. `aclose`, or `async with`, ends it."""

    def __init__(
        self,
        session: AsyncSession,
        event_types: Optional[Sequence[str]],
        last_event_id: Optional[str],
        reconnect_s: float,
    ) -> None:
        self._stream = EventStream(session.session, event_types, last_event_id, reconnect_s)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="switchyard-stream")

    @property
    def last_event_id(self) -> Optional[str]:
        """The last event that was handed out."""
        return self._stream.last_event_id

    def __aiter__(self) -> AsyncEventStream:
        return self

    async def __anext__(self) -> types.Event:
        event = await run(self._executor, self._stream.close, lambda: next(self._stream, None))
        if event is None:
            await self.aclose()
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Ends it."""
        self._stream.close()
        self._executor.shutdown(wait=False)

    async def __aenter__(self) -> AsyncEventStream:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()

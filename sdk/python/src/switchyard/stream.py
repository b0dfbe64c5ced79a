"""Events as they happen: server-sent events of `GET /v1/events/stream`, resumed where a connection ended."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Type

from . import types
from .errors import ConnectionFailedError, ModeNotServedError, SwitchyardError, error_of
from .money import from_json
from .requests import Request, query_of
from .session import Session, backoff_s, wait_before_again
from .transport import Broken, Call, Cancelled, Reply

# The server sends a comment now and then. When nothing comes for this long, the connection is dead.
_SILENCE_S = 90.0
_LONGEST_LINE = 1024 * 1024
_LONGEST_PAUSE_S = 30.0


class Message(NamedTuple):
    """One message of a stream."""

    data: str
    id: Optional[str]


def messages(read_line: Callable[[], bytes]) -> Iterator[Message]:
    """The messages that lines make, as the HTML standard reads them; one that breaks off is none."""
    data: List[str] = []
    last_id: Optional[str] = None
    while True:
        raw = read_line()
        if not raw.endswith(b"\n"):
            return
        line = raw.rstrip(b"\r\n").decode("utf-8", "replace")
        if not line:
            if data:
                yield Message("\n".join(data), last_id)
            data = []
            continue
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value


class EventStream:
    """Iterate over it for events. `close` ends it, from whatever thread."""

    def __init__(
        self, session: Session, event_types: Optional[Sequence[str]], last_event_id: Optional[str], reconnect_s: float
    ) -> None:
        if isinstance(event_types, str):
            raise TypeError("types is a list of types of events")
        if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isprintable()):
            raise ValueError("last_event_id is not an event's id")
        self.last_event_id = last_event_id
        """The last event that was handed out: keep it to go on from there another day."""
        query = query_of({"types": ",".join(event_types) if event_types else None})
        self._request = Request("GET", "/v1/events/stream", query)
        self._session = session
        self._reconnect_s = reconnect_s
        self._call = Call()
        self._reading = threading.Lock()
        self._reply: Optional[Reply] = None
        self._messages: Iterator[Message] = iter(())

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> types.Event:
        with self._reading:
            try:
                return self._next()
            except Cancelled:
                self._drop()
        raise StopIteration

    def close(self) -> None:
        """Ends it; whoever waits for an event gets no more."""
        self._call.cancel()
        # Whoever waits is woken by that, and drops the connection himself.
        if self._reading.acquire(blocking=False):
            try:
                self._drop()
            finally:
                self._reading.release()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _next(self) -> types.Event:
        while True:
            try:
                message = next(self._messages, None)
            except Broken:
                message = None
            if message is None:
                self._connect()
                continue
            if message.id:
                self.last_event_id = message.id
            try:
                event: types.Event = from_json(message.data)
            except ValueError:
                raise SwitchyardError(f"the event {message.id} cannot be read", code="UnreadableAnswer") from None
            return event

    def _connect(self) -> None:
        was_connected = self._reply is not None
        self._drop()
        end = time.monotonic() + self._reconnect_s
        tries, has_moved = 0, False
        # A connection that ended well is taken up again soon, but not at once: the server may be going down.
        self._call.sleep(backoff_s(1) if was_connected else 0)
        while True:
            failure: SwitchyardError
            try:
                reply = self._session.begin(self._request, self._call, self._headers())
            except Broken as broken:
                failure = self._session.broken(broken, self._request)
                delay = None if broken.is_final else backoff_s(tries)
            else:
                if reply.status == 200:
                    self._reply = reply
                    self._messages = messages(lambda: reply.read_line(time.monotonic() + _SILENCE_S, _LONGEST_LINE))
                    return
                failure, delay = self._refused(reply, tries)
                if isinstance(failure, ModeNotServedError) and not has_moved:
                    has_moved = self._session.move(failure, reply.address)
                    if has_moved:
                        continue
            if delay is None or time.monotonic() + delay >= end:
                raise failure
            self._call.sleep(min(delay, _LONGEST_PAUSE_S) if failure.retry_after is None else delay)
            tries += 1

    def _refused(self, reply: Reply, tries: int) -> Tuple[SwitchyardError, Optional[float]]:
        try:
            body = reply.read_all()
        except Exception as error:
            reply.close()
            if self._call.is_cancelled:
                raise Cancelled from None
            return ConnectionFailedError(f"the connection broke: {error}"), backoff_s(tries)
        failure = error_of(reply.status, reply.headers, body)
        return failure, wait_before_again(failure, tries)

    def _headers(self) -> Dict[str, str]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        return {**headers, "Last-Event-ID": self.last_event_id} if self.last_event_id else headers

    def _drop(self) -> None:
        reply, self._reply, self._messages = self._reply, None, iter(())
        if reply is not None:
            reply.close()

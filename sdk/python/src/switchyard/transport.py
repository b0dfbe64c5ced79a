"""One try of one request: connections that are kept alive, and deadlines. What is tried again is in `session`."""

from __future__ import annotations

import http.client
import io
import os
import re
import select
import socket
import ssl
import threading
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import urlsplit

from .errors import ConfigurationError

_MOST_IDLE = 32
_LONGEST_ANSWER = 64 * 1024 * 1024
_PIECE = 64 * 1024
_PLAIN = re.compile("[A-Za-z0-9._~:/-]*", re.ASCII)


class Address(NamedTuple):
    """Where a server is."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    """A path that a proxy takes off again: the server does not see it, and it is not signed."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """The address of a base URL, which names no user."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        is_bare = not (parts.query or parts.fragment or "@" in parts.netloc) and _PLAIN.fullmatch(host + parts.path)
        if parts.scheme not in ("http", "https") or not is_bare or not host:
            raise ConfigurationError("a base URL is http(s)://host[:port], without user, query and fragment")
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"))

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        return self.host in ("localhost", "::1") or (self.host.startswith("127.") and self.host.count(".") == 3)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == {"http": 80, "https": 443}[self.scheme]
        port = "" if is_usual else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.prefix}"


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):
    """A try that ended without an answer."""

    def __init__(self, cause: Exception, *, was_sent: bool, was_kept: bool) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.timed_out = isinstance(cause, socket.timeout)
        # A certificate that is not trusted will not be trusted in a moment.
        self.is_final = isinstance(cause, (ssl.SSLCertVerificationError, ssl.CertificateError))
        # A connection that was kept may have been closed by the server just before.
        self.was_stale = was_kept and isinstance(cause, (ConnectionError, http.client.BadStatusLine))
        self.was_sent = was_sent


class Cancelled(Exception):
    """The caller has gone away."""


class Call:
    """One call of a caller, who may go away: then whatever it waits for ends at once."""

    def __init__(self) -> None:
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._socket: Optional[socket.socket] = None

    def cancel(self) -> None:
        """Ends it, from any thread."""
        with self._lock:
            self._gone.set()
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def sleep(self, seconds: float) -> None:
        """Waits."""
        if self._gone.wait(seconds):
            raise Cancelled

    def hold(self, waits_on: Optional[socket.socket]) -> None:
        """Tells what it waits on from now on."""
        with self._lock:
            if self._gone.is_set():
                raise Cancelled
            self._socket = waits_on

    def let_go(self) -> None:
        """It waits on nothing any more."""
        with self._lock:
            self._socket = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller has gone."""
        return self._gone.is_set()


class _TimedSocket:
    """A socket on which nothing is waited for beyond the deadline, however slowly bytes drip in."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.deadline = 0.0

    def arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        self.raw.settimeout(left)

    def sendall(self, data: Union[bytes, bytearray, memoryview]) -> None:
        self.arm()
        self.raw.sendall(data)

    def makefile(self, mode: str, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self))

    def close(self) -> None:
        self.raw.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed
        self._file = timed.raw.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Optional[int]:
        self._timed.arm()
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Connection:
    def __init__(self, address: Address, tls: ssl.SSLContext, deadline: float) -> None:
        left = max(deadline - time.monotonic(), 0.001)
        if address.scheme == "https":
            self.http: http.client.HTTPConnection = http.client.HTTPSConnection(
                address.host, address.port, timeout=left, context=tls
            )
        else:
            self.http = http.client.HTTPConnection(address.host, address.port, timeout=left)
        self.http.connect()
        self.timed = _TimedSocket(self.http.sock)
        self.http.sock = self.timed

    def is_quiet(self) -> bool:
        """Whether the server has neither closed it nor said anything out of turn."""
        raw = self.timed.raw
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(raw, select.POLLIN)
            return not poll.poll(0)
        return not select.select([raw], [], [], 0)[0]


class Reply:
    """The beginning of an answer, whose body is still to be read."""

    def __init__(self, transport: Transport, address: Address, connection: _Connection, call: Call) -> None:
        self._transport = transport
        self.address = address
        self._connection = connection
        self._call = call
        self._response = connection.http.getresponse()
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.headers.items()}

    def read_all(self) -> bytes:
        """The whole body; the connection is kept for others."""
        length = self._response.length
        if length is not None and length <= _LONGEST_ANSWER:
            body = self._response.read()
        else:
            # In small pieces: old Pythons make room for as much as may come, before it does.
            pieces = bytearray()
            for piece in iter(lambda: self._response.read(_PIECE), b""):
                pieces += piece
                if len(pieces) > _LONGEST_ANSWER:
                    raise http.client.HTTPException("the answer is too long")
            body = bytes(pieces)
        self._call.let_go()
        if self._response.isclosed() and self._connection.http.sock is not None:
            self._transport.keep(self.address, self._connection)
        else:
            self._connection.http.close()
        return body

    def read_line(self, deadline: float, most: int) -> bytes:
        """The next line of a body that goes on, empty at its end."""
        self._connection.timed.deadline = deadline
        try:
            return self._response.readline(most)
        except (OSError, http.client.HTTPException) as error:
            raise _told(error, self._call, was_sent=True, was_kept=False) from None

    def close(self) -> None:
        """Ends the connection."""
        self._call.let_go()
        self._response.close()
        self._connection.http.close()


class Transport:
    """Connections to the servers of one client. Threads may share it, and a process that forks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: Dict[Address, List[_Connection]] = {}
        self._process = os.getpid()
        self._tls: Optional[ssl.SSLContext] = None

    def exchange(self, address: Address, request: Tuple[str, str, Dict[str, str], bytes], deadline: float, call: Call,
                 fresh: bool = False) -> Answer:
        """Sends a request (method, target, headers, body) and reads the answer.

        Raises `Broken` when there is none, `Cancelled` when the caller has gone.
        """
        reply = self.begin(address, request, deadline, call, fresh)
        try:
            return Answer(reply.status, reply.headers, reply.read_all())
        except BaseException as error:
            reply.close()
            raise _told(error, call, was_sent=True, was_kept=False)

    def begin(self, address: Address, request: Tuple[str, str, Dict[str, str], bytes], deadline: float, call: Call,
              fresh: bool = False) -> Reply:
        """The same, without the body of the answer."""
        method, target, headers, body = request
        connection = None if fresh else self._take(address)
        was_kept, was_sent = connection is not None, False
        try:
            if connection is None:
                connection = _Connection(address, self._tls_context(), deadline)
            call.hold(connection.timed.raw)
            connection.timed.deadline = deadline
            was_sent = True
            connection.http.request(method, address.prefix + target, body or None, headers)
            return Reply(self, address, connection, call)
        except BaseException as error:
            call.let_go()
            if connection is not None:
                connection.http.close()
            raise _told(error, call, was_sent=was_sent, was_kept=was_kept)

    def keep(self, address: Address, connection: _Connection) -> None:
        """Keeps a connection that is done with its answer."""
        with self._lock:
            idle = self._of_this_process().setdefault(address, [])
            if len(idle) < _MOST_IDLE:
                idle.append(connection)
                return
        connection.http.close()

    def close(self) -> None:
        """Closes what is kept. It may be used again."""
        with self._lock:
            kept, self._idle = self._of_this_process(), {}
        for connection in (connection for idle in kept.values() for connection in idle):
            connection.http.close()

    def _take(self, address: Address) -> Optional[_Connection]:
        while True:
            with self._lock:
                idle = self._of_this_process().get(address)
                if not idle:
                    return None
                connection = idle.pop()
            if connection.is_quiet():
                return connection
            connection.http.close()

    def _of_this_process(self) -> Dict[Address, List[_Connection]]:
        # After a fork the connections are the parent's: two processes on one would read each other's answers.
        if self._process != os.getpid():
            self._process, self._idle = os.getpid(), {}
        return self._idle

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _told(error: BaseException, call: Call, *, was_sent: bool, was_kept: bool) -> BaseException:
    """What is raised for an error of a try."""
    if isinstance(error, Exception) and call.is_cancelled:
        return Cancelled()
    if isinstance(error, (OSError, http.client.HTTPException)):
        return Broken(error, was_sent=was_sent, was_kept=was_kept)
    return error

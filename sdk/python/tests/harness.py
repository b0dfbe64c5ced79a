"""What the tests share: a real server of their own, a server that misbehaves as told, and one between the two."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
from pathlib import Path
import re
import secrets
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional
from urllib.error import HTTPError
from urllib.parse import urlsplit
import urllib.request

SDK = Path(__file__).resolve().parent.parent
PROJECT = SDK.parent.parent
BINARY = str((PROJECT / os.environ.get("SWITCHYARD_BIN", "target/debug/switchyard")).resolve())
# What the SDK reads must come from the tests alone.
for name in [name for name in os.environ if name.startswith(("PAY_", "SWITCHYARD__"))]:
    del os.environ[name]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def call(url: str, body: Any = None, headers: Optional[Dict[str, str]] = None, method: Optional[str] = None) -> Any:
    """One request, without the SDK."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
    except HTTPError as error:
        raise AssertionError(f"{url}: {error.code} {error.read()!r}") from None
    return json.loads(text) if text[:1] in b"{[" and text else text.decode()


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    """What `what` answers as soon as that is something."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


class Server:
    """A gateway with its own port, directory and database."""

    def __init__(self, **settings: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="switchyard-sdk-"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._database = ""
        url = f"sqlite:{self.directory}/switchyard.db"
        if os.environ.get("TEST_DATABASE_URL"):
            url = self._postgres(os.environ["TEST_DATABASE_URL"])
        self.settings = {
            "SERVER__BIND": f"127.0.0.1:{port}", "DATABASE__URL": url, "WEBHOOKS__ALLOW_PRIVATE": "true",
            "SECRETS__KEY_FILE": f"{self.directory}/secrets.key", "LOG__LEVEL": "warn", **settings,
        }
        self._log = open(self.directory / "log", "wb")
        self.run("migrate")
        self._process = subprocess.Popen([BINARY, "serve"], env=self.environment, stdout=self._log, stderr=self._log)
        atexit.register(self.stop)
        until(self._is_ready, 60)

    @property
    def environment(self) -> Dict[str, str]:
        ours = {f"SWITCHYARD__{name}": value for name, value in self.settings.items()}
        return {**os.environ, **ours}

    def _postgres(self, url: str) -> str:
        self._admin, self._database = url, f"sdk_python_{secrets.token_hex(6)}"
        self._psql(f"CREATE DATABASE {self._database}")
        return urlsplit(url)._replace(path=f"/{self._database}").geturl()

    def _psql(self, statement: str) -> None:
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, self._admin], check=True)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self.directory / "log").read_text()
        try:
            call(f"{self.url}/readyz")
        except OSError:
            return False
        return True

    def run(self, *arguments: str) -> str:
        """What a command of the program prints."""
        done = subprocess.run([BINARY, *arguments], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def app(self, mode: str = "test", webhook_url: str = "", *more: str) -> Dict[str, str]:
        """A new app with its key and secrets."""
        url = ["--webhook-url", webhook_url] if webhook_url else []
        printed = self.run("apps", "create", "--name", "shop", "--mode", mode, "--json", *url, *more)
        made: Dict[str, str] = json.loads(printed)
        return made

    def api_key(self, requests_per_minute: Optional[int] = None) -> str:
        """The API key of a tenant that has just registered."""
        email = f"{secrets.token_hex(4)}@shop.example"
        who = {"email": email, "password": "correct horse battery"}
        names = {"firstName": "Ann", "lastName": "Lee", "companyName": "Shop"}
        call(f"{self.url}/dashboard/auth/register", {**who, **names})
        token = call(f"{self.url}/dashboard/auth/login", who)["data"]["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        key = call(f"{self.url}/dashboard/api-keys", {"name": "ledger"}, bearer)["data"]
        if requests_per_minute:
            limit = {"requestsPerMinute": requests_per_minute}
            call(f"{self.url}/dashboard/api-keys/{key['id']}", limit, bearer, "PATCH")
        full: str = key["fullKey"]
        return full

    def ledger_key(self) -> str:
        found: str = call(f"{self.url}/info")["ledger_key"]
        return found

    def openapi(self) -> Dict[str, Any]:
        found: Dict[str, Any] = call(f"{self.url}/openapi.json")
        return found

    def has(self, path: str) -> bool:
        """Whether this server serves a path yet, whatever it calls the ids in it."""
        return path in {re.sub(r"\{.*?\}", "{}", known) for known in self.openapi()["paths"]}

    def tenant_of(self, api_key: str) -> str:
        """Whose key it is."""
        found: str = call(f"{self.url}/api/v1/whoami", headers={"X-Api-Key": api_key})["data"]["tenantId"]
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
        atexit.unregister(self.stop)
        if self._database:
            self._psql(f"DROP DATABASE {self._database} WITH (FORCE)")
        shutil.rmtree(self.directory, ignore_errors=True)


_shared: List[Server] = []


def server() -> Server:
    """The server that the tests share."""
    if not _shared:
        _shared.append(Server())
    return _shared[0]


class Request:
    """A request as the stub got it."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


Behaviour = Callable[[Request, socket.socket], None]


def answer(status: int, body: Any = None, **headers: str) -> Behaviour:
    """Answers, and keeps the connection."""

    def behave(request: Request, connection: socket.socket) -> None:
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    return behave


def problem(status: int, code: str, detail: str = "no", extra: Optional[Dict[str, Any]] = None, **headers: str) -> Behaviour:
    """Answers with an error as the gateway does."""
    body = {"status": status, "code": code, "detail": detail, "request_id": "request-1", **(extra or {})}
    return answer(status, body, **headers)


def reset(request: Request, connection: socket.socket) -> None:
    """Breaks the connection without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang(request: Request, connection: socket.socket) -> None:
    """Says nothing until the other side goes away."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    connection.close()


def drip(request: Request, connection: socket.socket) -> None:
    """Sends an answer that never ends, byte by byte, so that no single wait is long."""
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)


def half(request: Request, connection: socket.socket) -> None:
    """Breaks off in the middle of an answer."""
    connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"half":')
    connection.close()


class Stub:
    """A server that does what it is told, request by request; the last thing told it goes on doing."""

    def __init__(self, *behaviours: Behaviour, tls: Optional[ssl.SSLContext] = None) -> None:
        self._tls = tls
        self.behaviours = list(behaviours)
        self.requests: List[Request] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = "http://127.0.0.1:%d" % self._socket.getsockname()[1]
        self._open: List[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self.connections += 1
                    self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.append(connection)
            for request in requests_of(connection):
                with self._lock:
                    self.requests.append(request)
                    behave = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                behave(request, connection)
        connection.close()

    def close_connections(self) -> None:
        """Closes what clients keep open, as a server does with idle ones."""
        with self._lock:
            kept, self._open = self._open, []
        for connection in kept:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.close_connections()


def requests_of(connection: socket.socket) -> Iterator[Request]:
    """The requests that come over a connection."""
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            more = connection.recv(65536)
            if not more:
                return
            held += more
        head, _, held = held.partition(b"\r\n\r\n")
        length = int(Request(head, b"").headers.get("content-length", 0))
        while len(held) < length:
            held += connection.recv(65536)
        body, held = held[:length], held[length:]
        yield Request(head, body)


def through(target: str, spoil: Callable[[int], Optional[Behaviour]]) -> Behaviour:
    """Lets a real server do what is asked, then answers as it did, or spoils the answer to the nth request."""
    count = [0]

    def behave(request: Request, connection: socket.socket) -> None:
        count[0] += 1
        number = count[0]
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        sent = urllib.request.Request(target + request.target, request.body or None, headers, method=request.method)
        try:
            with urllib.request.urlopen(sent, timeout=30) as response:
                status, body = response.status, response.read()
        except HTTPError as error:
            status, body = error.code, error.read()
        (spoil(number) or answer(status, body))(request, connection)

    return behave

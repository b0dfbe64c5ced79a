"""What is asked for, before it is signed and sent."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Optional, Union
from urllib.parse import quote, urlencode
import uuid

from . import money

Query = Mapping[str, Union[str, int, None]]


class Request(NamedTuple):
    """What is asked for. It stays the same through all tries; signatures are made for each."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    idempotency_key: str = ""
    needs_key: bool = True

    @property
    def target(self) -> str:
        """Path and query, as the request line has them and as they are signed."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def is_of_ledger(self) -> bool:
        """Whether it takes the API key, and its answer is enveloped."""
        return self.path.startswith("/api/")


def path_of(template: str, *ids: str) -> str:
    """A path with ids in it, encoded; an id that would make it another path is refused."""
    for name in ids:
        if not isinstance(name, str) or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is not an id")
    return template.format(*(quote(name, safe="") for name in ids))


def query_of(query: Query) -> str:
    """A query string of what is there."""
    there = [(name, str(value)) for name, value in query.items() if value is not None]
    return urlencode(there, quote_via=quote)


def post_of(path: str, body: Mapping[str, Any], idempotency_key: Optional[str]) -> Request:
    """A POST of the fields that are there, under the caller's idempotency key or a new one."""
    if idempotency_key is None:
        idempotency_key = str(uuid.uuid4())
    if not re.fullmatch("[ -~]{1,255}", idempotency_key):
        raise ValueError("an idempotency key has 1 to 255 printable ASCII characters")
    there = {name: value for name, value in body.items() if value is not None}
    return Request("POST", path, body=money.to_json(there).encode(), idempotency_key=idempotency_key)

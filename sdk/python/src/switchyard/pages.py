"""Lists: all that there is, page by page, asked for when it is wanted."""

from __future__ import annotations

from typing import AsyncIterator, Awaitable, Callable, Generic, Iterator, List, Optional, TypeVar

T = TypeVar("T")


class Page(Generic[T]):
    """One page of a list."""

    __slots__ = ("data", "next_cursor")

    def __init__(self, data: List[T], next_cursor: Optional[str]) -> None:
        self.data = data
        self.next_cursor = next_cursor
        """Where the next page begins; `None` on the last."""

    def __repr__(self) -> str:
        return f"Page({len(self.data)} of a list, next_cursor={self.next_cursor!r})"


class Pages(Generic[T]):
    """A list to iterate over. Nothing is asked for before; each iteration begins anew."""

    def __init__(self, fetch: Callable[[Optional[str]], Page[T]]) -> None:
        self._fetch = fetch

    def page(self, cursor: Optional[str] = None) -> Page[T]:
        """One page: the first, or the one that begins at `cursor`."""
        return self._fetch(cursor)

    def pages(self) -> Iterator[Page[T]]:
        """Page after page."""
        cursor: Optional[str] = None
        while True:
            page = self._fetch(cursor)
            yield page
            if page.next_cursor is None or page.next_cursor == cursor:
                return
            cursor = page.next_cursor

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.data


class AsyncPages(Generic[T]):
    """The same for `async for`."""

    def __init__(self, fetch: Callable[[Optional[str]], Awaitable[Page[T]]]) -> None:
        self._fetch = fetch

    async def page(self, cursor: Optional[str] = None) -> Page[T]:
        """One page: the first, or the one that begins at `cursor`."""
        return await self._fetch(cursor)

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Page after page."""
        cursor: Optional[str] = None
        while True:
            page = await self._fetch(cursor)
            yield page
            if page.next_cursor is None or page.next_cursor == cursor:
                return
            cursor = page.next_cursor

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.data:
                yield item

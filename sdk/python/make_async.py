"""Makes `src/switchyard/aio_resources.py` of `resources.py`: the same verbs, to be awaited. Run it after a change."""

from pathlib import Path
import re

HERE = Path(__file__).parent / "src" / "switchyard"
RULES = [
    (r'\A"""[^"]*"""', '"""The verbs for asyncio. Made of `resources.py` by `make_async.py`; edit that one."""'),
    (r"^import time$", "import asyncio\nimport time"),
    (r"^from \.session import Session$", "from .aio_session import AsyncEventStream, AsyncSession"),
    (r"^from \.stream import EventStream\n", ""),
    (r"\b(Pages|(?<!Async)EventStream|Session|Resource)\b", r"Async\1"),
    (r"^class (\w+)\(", r"class Async\1("),
    # Verbs that answer are awaited; lists and streams are iterated over, and stay plain functions.
    (r"^( +)def (?!__)(\w+\((?:[^()]|\([^()]*\))*\) -> (?!AsyncPages|AsyncEventStream))", r"\1async def \2"),
    (r"(?<=[ =])(self\.(?:_get|_post|_send|_pause|_session\.send|emit|get)\()", r"await \1"),
    (r"time\.sleep\(", "await asyncio.sleep("),
]


def made() -> str:
    """The text of the file."""
    text = (HERE / "resources.py").read_text(encoding="utf-8")
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


if __name__ == "__main__":
    (HERE / "aio_resources.py").write_text(made(), encoding="utf-8")

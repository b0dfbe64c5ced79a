"""Whether a value has the type that is promised for it, all the way down."""

from __future__ import annotations

from typing import Any, Iterator, Literal, Union, get_args, get_origin, get_type_hints


def faults(value: Any, kind: Any, at: str = "") -> Iterator[str]:
    """What is not as the type says."""
    if get_origin(kind) is Union:
        if all(list(faults(value, one)) for one in get_args(kind)):
            yield f"{at}: {value!r} is none of {kind}"
    elif get_origin(kind) is Literal:
        if value not in get_args(kind):
            yield f"{at}: {value!r} is not one of {get_args(kind)}"
    elif hasattr(kind, "__required_keys__"):
        if not isinstance(value, dict):
            yield f"{at}: {value!r} is not a {kind.__name__}"
            return
        yield from faults_of_keys(set(value), kind, at)
        hints = get_type_hints(kind)
        for name in set(hints) & set(value):
            yield from faults(value[name], hints[name], f"{at}.{name}")
    elif get_origin(kind) is list and isinstance(value, list):
        for number, one in enumerate(value):
            yield from faults(one, get_args(kind)[0], f"{at}[{number}]")
    elif kind is not Any and type(value) is not (get_origin(kind) or kind):
        yield f"{at}: {value!r} is not a {kind}"


def faults_of_keys(keys: Any, kind: Any, at: str = "") -> Iterator[str]:
    """Names that are missing, or that the type does not know. What the server is yet to learn may be missing."""
    known = required_and_optional(kind)
    for name in sorted(known[0] - set(keys)):
        yield f"{at}: {name} is missing"
    for name in sorted(set(keys) - known[0] - known[1]):
        yield f"{at}: {name} is not in {kind.__name__}"


def required_and_optional(kind: Any) -> "tuple[set[str], set[str]]":
    """The names that are always there, and the others."""
    return set(kind.__required_keys__), set(kind.__optional_keys__)


def check(case: Any, value: Any, kind: Any) -> Any:
    """Fails the test if a value is not of its type."""
    case.assertEqual(list(faults(value, kind, kind.__name__)), [])
    return value

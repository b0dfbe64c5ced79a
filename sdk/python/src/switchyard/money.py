"""Amounts, and JSON that keeps every digit of them. No float is money here."""

from __future__ import annotations

from decimal import Decimal
import json
import math
import re
from typing import Any, Mapping, Union

Amount = Union[Decimal, int, str]
"""An exact decimal, as the ledger takes it."""

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_DIGITS = 64

# The ledger's fields whose numbers are decimals. JSON does not tell 1 from 1.0; a reader of amounts should get one type.
_AMOUNTS = frozenset(
    "delta amount balance balanceAfter computedBalance startingBalance finalBalance netChange yourBalance theirBalance"
    " neutralBalance yourDiscrepancy theirDiscrepancy yourAmount theirAmount neutralAmount".split()
)


def minor(value: int, name: str) -> int:
    """A whole number of the currency's smallest unit."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number of minor units, an int, not {type(value).__name__}")
    return value


def exact(value: Amount, name: str) -> Decimal:
    """A decimal, exactly as it was given. Floats are refused: 0.1 is none of them."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        value = Decimal(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        kind = f"the text {value[:40]!r}" if isinstance(value, str) else type(value).__name__
        raise TypeError(f"{name} is a Decimal, an int or a text such as '-0.25', not {kind}")
    if not _is_small(value):
        raise ValueError(f"{name} has too many digits")
    return value


def _is_small(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and abs(exponent) <= _DIGITS and abs(value.adjusted()) <= _DIGITS


def to_json(value: object) -> str:
    """Compact JSON; a Decimal is a number with each of its digits. Good for bodies, and for keeping answers."""
    if isinstance(value, str):
        return json.dumps(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal) and _is_small(value):
        return format(value, "f")
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(_key(key))}:{to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(to_json, value)) + "]"
    raise TypeError(f"this {type(value).__name__} cannot be written as JSON")


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError("the keys of a JSON object are texts")


def from_json(text: Union[str, bytes]) -> Any:
    """What JSON says, with decimals in place of floats."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def with_decimals(value: Any) -> Any:
    """The ledger's answer with a Decimal for each of its amounts, whole or not. Metadata stays as it was sent."""
    if isinstance(value, list):
        return [with_decimals(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: item if key == "metadata" else _decimal_in(key, item) for key, item in value.items()}


def _decimal_in(key: str, item: Any) -> Any:
    if type(item) is int and key in _AMOUNTS:
        return Decimal(item)
    return with_decimals(item)

"""What goes into bodies and queries, in the names and forms of the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping, Optional, Sequence

from . import types
from .money import Amount, exact, minor
from .requests import Query


def moment(value: Optional[types.Moment]) -> Optional[str]:
    """A moment as it is sent."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("a datetime without a time zone is no moment")
    return value.isoformat()


def window(
    period: Optional[str], time_preset: Optional[str], start: Optional[types.Moment], end: Optional[types.Moment]
) -> Query:
    """A stretch of time as the ledger takes it."""
    return {"period": period, "timePreset": time_preset, "startDate": moment(start), "endDate": moment(end)}


def delta_body(
    customer_id: str,
    delta: Amount,
    reason: str,
    reference_id: Optional[str] = None,
    metadata: Optional[types.Metadata] = None,
) -> Mapping[str, Any]:
    """A delta as it is sent."""
    body = {
        "customerId": customer_id, "delta": exact(delta, "delta"), "reason": reason, "referenceId": reference_id,
        "metadata": metadata,
    }
    return {name: value for name, value in body.items() if value is not None}


def side(deltas: Optional[Sequence[types.SideDelta]]) -> Optional[Sequence[Mapping[str, Any]]]:
    """One side's deltas as they are sent."""
    if deltas is None:
        return None
    return [{"referenceId": one["reference_id"], "amount": exact(one["amount"], "amount")} for one in deltas]


def write_body(key: str, account_id: str, bits: int, metadata: Optional[types.Metadata] = None) -> Mapping[str, Any]:
    """An item of writes as it is sent."""
    body = {"key": key, "accountId": account_id, "bits": minor(bits, "bits"), "metadata": metadata}
    return {name: value for name, value in body.items() if value is not None}

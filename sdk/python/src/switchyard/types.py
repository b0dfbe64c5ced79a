"""The shapes of what is sent and answered. Names are the API's own: snake_case on /v1, camelCase on the ledger's.

Money on /v1 is an int of the currency's smallest unit; amounts of the ledger are `Decimal`. Times are RFC 3339 texts.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Dict, List, Literal, Optional, TypedDict, Union

from .money import Amount

Mode = Literal["test", "sandbox", "live"]
PaymentStatus = Literal["initiated", "succeeded", "failed", "canceled"]
RefundStatus = Literal["initiated", "succeeded", "failed"]
SubscriptionStatus = Literal["incomplete", "active", "past_due", "ended"]
InvoiceStatus = Literal["draft", "open", "paid", "void", "overdue"]
PaymentLinkStatus = Literal["active", "used_up", "expired", "closed"]
KycStatus = Literal["none", "pending", "approved", "rejected"]
DeltaStatus = Literal["QUEUED", "PROCESSING", "VERIFIED", "FAILED"]

Metadata = Dict[str, Any]
Moment = Union[str, datetime]
"""An RFC 3339 text, or a datetime that knows its time zone."""


class Fallback(TypedDict):
    wanted: str
    reason: str


class _Payment(TypedDict):
    payment_id: str
    status: PaymentStatus
    mode: Mode
    amount_minor: int
    paid_minor: int
    refunded_minor: int
    currency: str
    method: str
    provider: str
    provider_ref: Optional[str]
    fallback: Optional[Fallback]
    checkout_url: str
    instructions: Optional[Dict[str, Any]]
    invoice_number: str
    external_user_id: str
    description: Optional[str]
    metadata: Metadata
    last_error: str
    return_url: str
    expires_at: str
    created_at: str
    updated_at: str


class Payment(_Payment, total=False):
    invoice_id: Optional[str]
    payment_link_id: Optional[str]


class Buyer(TypedDict, total=False):
    name: str
    phone: str
    ip: str


class TimelineEntry(TypedDict):
    at: str
    kind: str
    summary: str
    detail: Dict[str, Any]


class Refund(TypedDict):
    refund_id: str
    payment_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    provider_ref: Optional[str]
    reason: Optional[str]
    mode: Mode
    created_at: str


class Subscription(TypedDict):
    subscription_id: str
    status: SubscriptionStatus
    mode: Mode
    payment_id: str
    external_user_id: str
    provider: str
    provider_ref: str
    current_period_end: Optional[str]
    cancel_at_period_end: bool
    created_at: str
    updated_at: str


class _Customer(TypedDict):
    external_user_id: str
    email: Optional[str]
    name: Optional[str]
    mode: Mode
    created_at: str
    updated_at: str


class Customer(_Customer, total=False):
    kyc_status: KycStatus


class Candidate(TypedDict):
    provider: str
    usable: bool
    reason: str


class Route(TypedDict):
    chosen: Optional[str]
    fallback: Optional[Fallback]
    candidates: List[Candidate]


class Delivery(TypedDict):
    delivery_id: str
    endpoint_id: str
    mode: Mode
    state: str
    attempts: int
    next_attempt_at: Optional[str]
    finished_at: Optional[str]
    log: List[Dict[str, Any]]


class _Event(TypedDict):
    event: str
    event_id: str
    mode: Mode
    timestamp: str


class Event(_Event, total=False):
    """What webhooks and the stream bring; which fields are there depends on `event`."""

    payment_id: Optional[str]
    refund_id: str
    subscription_id: str
    invoice_id: str
    number: str
    status: str
    amount: int
    currency: str
    method: str
    provider: str
    provider_ref: Optional[str]
    invoice_number: str
    external_user_id: str
    external_id: Optional[str]
    fallback: Optional[Fallback]
    reason: Optional[str]
    current_period_end: Optional[str]
    cancel_at_period_end: bool
    metadata: Metadata
    id: str
    tenantId: str
    createdAt: str
    data: Dict[str, Any]


class _EventRecord(TypedDict):
    event_id: str
    event: str
    mode: Mode
    payment_id: Optional[str]
    created_at: str
    body: Event


class EventRecord(_EventRecord, total=False):
    """An event as it is kept; one that was asked for by its id has its deliveries."""

    deliveries: List[Delivery]


class _Redelivery(TypedDict):
    deliveries: int


class Redelivery(_Redelivery, total=False):
    event_id: str
    since: str


class NewLineItem(TypedDict):
    description: str
    quantity: int
    unit_amount_minor: int


class LineItem(NewLineItem):
    amount_minor: int


class InvoicePayment(TypedDict):
    payment_id: str
    status: PaymentStatus
    method: str
    amount_minor: int
    paid_minor: int
    refunded_minor: int
    created_at: str


class _Invoice(TypedDict):
    invoice_id: str
    number: str
    status: InvoiceStatus
    mode: Mode
    external_user_id: str
    email: Optional[str]
    currency: str
    line_items: List[LineItem]
    amount_minor: int
    paid_minor: int
    due_at: Optional[str]
    methods: Optional[List[str]]
    return_url: Optional[str]
    metadata: Metadata
    external_id: Optional[str]
    hosted_url: str
    payments: List[InvoicePayment]
    created_at: str
    updated_at: str
    paid_at: Optional[str]
    voided_at: Optional[str]


class Invoice(_Invoice, total=False):
    refunded_minor: int


class PaymentLink(TypedDict):
    payment_link_id: str
    status: PaymentLinkStatus
    mode: Mode
    currency: str
    amount_minor: Optional[int]
    min_minor: Optional[int]
    max_minor: Optional[int]
    description: str
    methods: Optional[List[str]]
    uses_max: Optional[int]
    uses: int
    expires_at: Optional[str]
    return_url: Optional[str]
    metadata: Metadata
    hosted_url: str
    created_at: str
    updated_at: str


class _NewDelta(TypedDict):
    customer_id: str
    delta: Amount
    reason: str


class NewDelta(_NewDelta, total=False):
    """A delta of a batch."""

    reference_id: str
    metadata: Metadata


class _EmittedDelta(TypedDict):
    recordId: str
    receiptId: str
    customerId: str
    delta: Decimal
    status: DeltaStatus


class EmittedDelta(_EmittedDelta, total=False):
    referenceId: str
    idempotent: bool


class _BatchResult(TypedDict):
    index: int
    customerId: Optional[str]
    delta: Optional[Decimal]
    status: DeltaStatus


class BatchResult(_BatchResult, total=False):
    recordId: str
    receiptId: str
    referenceId: str
    idempotent: bool
    error: str


class EmittedBatch(TypedDict):
    totalQueued: int
    totalFailed: int
    results: List[BatchResult]


class Delta(TypedDict):
    recordId: str
    receiptId: str
    customerId: str
    currency: Optional[str]
    delta: Decimal
    reason: str
    referenceId: Optional[str]
    metadata: Optional[Metadata]
    status: DeltaStatus
    error: Optional[str]
    createdAt: str
    verifiedAt: Optional[str]
    verificationReference: Optional[str]
    sequenceNumber: Optional[int]
    proofHash: Optional[str]
    previousProofHash: Optional[str]
    contentHash: str


class _DerivedDelta(TypedDict):
    recordId: str
    receiptId: str
    delta: Decimal
    reason: str
    referenceId: Optional[str]
    status: DeltaStatus
    sequenceNumber: int
    balanceAfter: Decimal
    createdAt: str
    verifiedAt: str
    proofHash: str


class DerivedDelta(_DerivedDelta, total=False):
    metadata: Metadata


class DerivedBalance(TypedDict):
    customerId: str
    currency: Optional[str]
    computedBalance: Decimal
    startingBalance: Decimal
    deltasCount: int
    deltaCount: int
    latestReceiptId: Optional[str]
    deltas: List[DerivedDelta]
    limit: int
    offset: int
    hasMore: bool


class SideDelta(TypedDict):
    """One reference of a side that is compared."""

    reference_id: str
    amount: Amount


class Difference(TypedDict):
    referenceId: str
    yourAmount: Optional[Decimal]
    theirAmount: Optional[Decimal]
    neutralAmount: Optional[Decimal]


class _Comparison(TypedDict):
    customerId: Optional[str]
    matches: bool
    matchesYours: bool
    matchesTheirs: bool
    neutralBalance: Decimal
    yourBalance: Decimal
    theirBalance: Decimal
    yourDiscrepancy: Decimal
    theirDiscrepancy: Decimal
    startingBalance: Decimal
    deltasCount: int
    deltaCount: int


class Comparison(_Comparison, total=False):
    differences: List[Difference]


class Checkpoint(TypedDict):
    checkpointId: str
    proofRoot: str
    merkleRoot: str
    customerId: Optional[str]
    period: Optional[str]
    deltasCount: int
    treeSize: int
    netChange: Decimal
    status: str
    note: str
    createdAt: str
    verifiedAt: str


class Leaf(TypedDict):
    currency: Optional[str]
    customerId: str
    delta: str
    mode: Mode
    previousProofHash: Optional[str]
    reason: str
    recordId: str
    referenceId: Optional[str]
    salt: str
    sequenceNumber: int
    tenantId: str
    verifiedAt: str


class Receipt(TypedDict):
    customerId: str
    currency: Optional[str]
    period: Optional[str]
    proofRoot: str
    deltaCount: int
    deltasCount: int
    startingBalance: Decimal
    finalBalance: Decimal
    netChange: Decimal
    checkpoint: Checkpoint
    leaves: List[Leaf]
    verification: Dict[str, Any]
    verifyUrl: str
    verificationApiUrl: str
    accessHint: Optional[str]
    customerLinkUrl: Optional[str]
    customerLinkHost: Optional[str]


class DeltaProof(TypedDict):
    recordId: str
    leafIndex: int
    treeSize: int
    auditPath: List[str]
    proofRoot: str
    leafHash: str
    leaf: Leaf
    checkpoint: Checkpoint


class RootSummary(TypedDict):
    recordCount: int
    netChange: Decimal


class KnownRoot(TypedDict):
    verified: bool
    proofRoot: str
    recordedAt: str
    summary: RootSummary
    records: List[Any]
    verification: Dict[str, Any]


class _NewWrite(TypedDict):
    key: str
    account_id: str
    bits: int


class NewWrite(_NewWrite, total=False):
    metadata: Metadata


class AcceptedWrites(TypedDict):
    requestId: str
    itemCount: int
    status: str
    message: str


class WriteItem(TypedDict):
    index: int
    key: str
    accountId: str
    bits: int
    status: str
    error: Optional[str]


class WriteRequest(TypedDict):
    requestId: str
    status: str
    itemCount: int
    failedCount: int
    items: List[WriteItem]
    createdAt: str
    verifiedAt: Optional[str]

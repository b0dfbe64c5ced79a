"""The verbs for asyncio. Made of `resources.py` by `make_async.py`; edit that one."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Mapping, Optional, Sequence, Type, TypeVar

from . import types
from .bodies import delta_body, moment, side, window, write_body
from .errors import DeltaFailedError, RequestTimeoutError
from .money import Amount, exact, minor
from .pages import Page, AsyncPages
from .requests import Query, Request, path_of, post_of, query_of
from .aio_session import AsyncEventStream, AsyncSession

T = TypeVar("T")


class AsyncResource:
    """What the verbs of all nouns are made of."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def _send(self, kind: Type[T], request: Request) -> T:
        found: T = await self._session.send(request)
        return found

    async def _get(self, kind: Type[T], path: str, query: Optional[Query] = None) -> T:
        return await self._send(kind, Request("GET", path, query_of(query or {})))

    async def _post(self, kind: Type[T], path: str, body: Mapping[str, Any], idempotency_key: Optional[str]) -> T:
        return await self._send(kind, post_of(path, body, idempotency_key))

    def _list(self, kind: Type[T], path: str, query: Query) -> AsyncPages[T]:
        async def fetch(cursor: Optional[str]) -> Page[T]:
            found = await self._get(dict, path, {**query, "cursor": cursor})
            return Page(found["data"], found.get("next_cursor"))

        return AsyncPages(fetch)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class AsyncPayments(AsyncResource):
    """Payments: signed with the app's key."""

    async def create(
        self,
        *,
        external_user_id: str,
        amount_minor: int,
        currency: str,
        method: str,
        return_url: str,
        email: Optional[str] = None,
        metadata: Optional[types.Metadata] = None,
        invoice_prefix: Optional[str] = None,
        description: Optional[str] = None,
        buyer: Optional[types.Buyer] = None,
        mock: Optional[Mapping[str, Any]] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.Payment:
        """Asks for a payment; send the buyer to its `checkout_url`.

        One that is `initiated` with a `last_error` was sent to a provider that did not answer: the gateway finds out.
        """
        body = {
            "external_user_id": external_user_id, "email": email, "amount_minor": minor(amount_minor, "amount_minor"),
            "currency": currency, "method": method, "return_url": return_url, "metadata": metadata,
            "invoice_prefix": invoice_prefix, "description": description, "buyer": buyer, "mock": mock,
        }
        return await self._post(types.Payment, "/v1/payments", body, idempotency_key)

    async def get(self, payment_id: str) -> types.Payment:
        """One payment."""
        return await self._get(types.Payment, path_of("/v1/payments/{}", payment_id))

    def list(
        self,
        *,
        status: Optional[types.PaymentStatus] = None,
        method: Optional[str] = None,
        provider: Optional[str] = None,
        external_user_id: Optional[str] = None,
        invoice_number: Optional[str] = None,
        created_from: Optional[types.Moment] = None,
        created_to: Optional[types.Moment] = None,
        limit: Optional[int] = None,
    ) -> AsyncPages[types.Payment]:
        """Payments, newest first. `limit` is of a page."""
        query = {
            "status": status, "method": method, "provider": provider, "external_user_id": external_user_id,
            "invoice_number": invoice_number, "created_from": moment(created_from), "created_to": moment(created_to),
            "limit": limit,
        }
        return self._list(types.Payment, "/v1/payments", query)

    async def cancel(self, payment_id: str, *, idempotency_key: Optional[str] = None) -> types.Payment:
        """Cancels a payment that is `initiated`."""
        return await self._post(types.Payment, path_of("/v1/payments/{}/cancel", payment_id), {}, idempotency_key)

    async def timeline(self, payment_id: str) -> Sequence[types.TimelineEntry]:
        """All that happened to a payment, in order."""
        found = await self._get(dict, path_of("/v1/payments/{}/timeline", payment_id))
        entries: Sequence[types.TimelineEntry] = found["data"]
        return entries


class AsyncRefunds(AsyncResource):
    """Refunds: signed with the app's key."""

    async def create(
        self,
        *,
        payment_id: str,
        amount_minor: Optional[int] = None,
        reason: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.Refund:
        """Refunds a part of a payment, or all that is left."""
        amount = None if amount_minor is None else minor(amount_minor, "amount_minor")
        body = {"payment_id": payment_id, "amount_minor": amount, "reason": reason}
        return await self._post(types.Refund, "/v1/refunds", body, idempotency_key)

    async def get(self, refund_id: str) -> types.Refund:
        """One refund."""
        return await self._get(types.Refund, path_of("/v1/refunds/{}", refund_id))

    def list(self, *, payment_id: Optional[str] = None, limit: Optional[int] = None) -> AsyncPages[types.Refund]:
        """Refunds, newest first."""
        return self._list(types.Refund, "/v1/refunds", {"payment_id": payment_id, "limit": limit})


class AsyncSubscriptions(AsyncResource):
    """Subscriptions, which begin as a payment for a recurring product."""

    async def get(self, subscription_id: str) -> types.Subscription:
        """One subscription."""
        return await self._get(types.Subscription, path_of("/v1/subscriptions/{}", subscription_id))

    def list(
        self,
        *,
        external_user_id: Optional[str] = None,
        status: Optional[types.SubscriptionStatus] = None,
        limit: Optional[int] = None,
    ) -> AsyncPages[types.Subscription]:
        """Subscriptions, newest first."""
        query = {"external_user_id": external_user_id, "status": status, "limit": limit}
        return self._list(types.Subscription, "/v1/subscriptions", query)

    async def cancel(
        self, subscription_id: str, *, at_period_end: bool = True, idempotency_key: Optional[str] = None
    ) -> types.Subscription:
        """Ends a subscription, with what is paid for or at once."""
        path = path_of("/v1/subscriptions/{}/cancel", subscription_id)
        return await self._post(types.Subscription, path, {"at_period_end": at_period_end}, idempotency_key)


class AsyncCustomers(AsyncResource):
    """Buyers, under the product's own ids."""

    async def get(self, external_user_id: str) -> types.Customer:
        """One buyer."""
        return await self._get(types.Customer, path_of("/v1/customers/{}", external_user_id))

    def list(self, *, limit: Optional[int] = None) -> AsyncPages[types.Customer]:
        """Buyers, in the order of their ids."""
        return self._list(types.Customer, "/v1/customers", {"limit": limit})

    async def set_kyc(
        self, external_user_id: str, status: types.KycStatus, *, idempotency_key: Optional[str] = None
    ) -> types.Customer:
        """Says how far it is known who the buyer is."""
        path = path_of("/v1/customers/{}/kyc", external_user_id)
        return await self._post(types.Customer, path, {"status": status}, idempotency_key)


class AsyncEvents(AsyncResource):
    """Events: what webhooks bring, to look up, to send again, and as they happen."""

    def list(
        self, *, type: Optional[str] = None, payment_id: Optional[str] = None, limit: Optional[int] = None
    ) -> AsyncPages[types.EventRecord]:
        """Events, newest first."""
        return self._list(types.EventRecord, "/v1/events", {"type": type, "payment_id": payment_id, "limit": limit})

    async def get(self, event_id: str) -> types.EventRecord:
        """One event with its deliveries."""
        return await self._get(types.EventRecord, path_of("/v1/events/{}", event_id))

    async def redeliver(self, event_id: str, *, idempotency_key: Optional[str] = None) -> types.Redelivery:
        """Sends one event again."""
        return await self._post(types.Redelivery, path_of("/v1/events/{}/redeliver", event_id), {}, idempotency_key)

    async def redeliver_since(self, since: types.Moment, *, idempotency_key: Optional[str] = None) -> types.Redelivery:
        """Sends again everything that was given up since a moment."""
        return await self._post(types.Redelivery, "/v1/events/redeliver", {"since": moment(since)}, idempotency_key)

    def stream(
        self,
        *,
        types: Optional[Sequence[str]] = None,
        last_event_id: Optional[str] = None,
        reconnect_s: float = 300.0,
    ) -> AsyncEventStream:
        """The app's events as they commit, from now on or after `last_event_id`.

        It resumes by itself where a connection ended, and gives up when no server was there for `reconnect_s`.
        """
        return AsyncEventStream(self._session, types, last_event_id, reconnect_s)


class AsyncRoutes(AsyncResource):
    """Where payments go."""

    async def explain(self, *, currency: str, method: str) -> types.Route:
        """Where a payment would go, and why not elsewhere."""
        return await self._get(types.Route, "/v1/routes", {"currency": currency, "method": method})


class AsyncInvoices(AsyncResource):
    """Invoices, with a page on which the buyer chooses how to pay."""

    async def create(
        self,
        *,
        external_user_id: str,
        currency: str,
        line_items: Sequence[types.NewLineItem],
        email: Optional[str] = None,
        due_at: Optional[types.Moment] = None,
        methods: Optional[Sequence[str]] = None,
        return_url: Optional[str] = None,
        metadata: Optional[types.Metadata] = None,
        external_id: Optional[str] = None,
        invoice_prefix: Optional[str] = None,
        draft: Optional[bool] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.Invoice:
        """Makes an invoice; the buyer pays it at its `hosted_url`. The same `external_id` again is the same invoice."""
        for item in line_items:
            minor(item["unit_amount_minor"], "unit_amount_minor")
        body = {
            "external_user_id": external_user_id, "email": email, "currency": currency, "line_items": line_items,
            "due_at": moment(due_at), "methods": methods, "return_url": return_url, "metadata": metadata,
            "external_id": external_id, "invoice_prefix": invoice_prefix, "draft": draft,
        }
        return await self._post(types.Invoice, "/v1/invoices", body, idempotency_key)

    async def get(self, invoice_id: str) -> types.Invoice:
        """One invoice."""
        return await self._get(types.Invoice, path_of("/v1/invoices/{}", invoice_id))

    def list(
        self,
        *,
        status: Optional[types.InvoiceStatus] = None,
        external_user_id: Optional[str] = None,
        external_id: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> AsyncPages[types.Invoice]:
        """Invoices, newest first."""
        query = {"status": status, "external_user_id": external_user_id, "external_id": external_id, "limit": limit}
        return self._list(types.Invoice, "/v1/invoices", query)

    async def finalize(self, invoice_id: str, *, idempotency_key: Optional[str] = None) -> types.Invoice:
        """Opens a draft."""
        return await self._post(types.Invoice, path_of("/v1/invoices/{}/finalize", invoice_id), {}, idempotency_key)

    async def void(self, invoice_id: str, *, idempotency_key: Optional[str] = None) -> types.Invoice:
        """Ends an invoice that is not to be paid."""
        return await self._post(types.Invoice, path_of("/v1/invoices/{}/void", invoice_id), {}, idempotency_key)


class AsyncPaymentLinks(AsyncResource):
    """Links that many may pay by."""

    async def create(
        self,
        *,
        currency: str,
        description: str,
        amount_minor: Optional[int] = None,
        min_minor: Optional[int] = None,
        max_minor: Optional[int] = None,
        methods: Optional[Sequence[str]] = None,
        uses_max: Optional[int] = None,
        expires_at: Optional[types.Moment] = None,
        return_url: Optional[str] = None,
        metadata: Optional[types.Metadata] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.PaymentLink:
        """Makes a link. Without `amount_minor` the buyer chooses, from `min_minor` to `max_minor`."""
        amounts = {"amount_minor": amount_minor, "min_minor": min_minor, "max_minor": max_minor}
        body = {
            "currency": currency, "description": description, "methods": methods, "uses_max": uses_max,
            "expires_at": moment(expires_at), "return_url": return_url, "metadata": metadata,
            **{name: minor(value, name) for name, value in amounts.items() if value is not None},
        }
        return await self._post(types.PaymentLink, "/v1/payment_links", body, idempotency_key)

    async def get(self, payment_link_id: str) -> types.PaymentLink:
        """One link."""
        return await self._get(types.PaymentLink, path_of("/v1/payment_links/{}", payment_link_id))

    def list(
        self, *, status: Optional[types.PaymentLinkStatus] = None, limit: Optional[int] = None
    ) -> AsyncPages[types.PaymentLink]:
        """Links, newest first."""
        return self._list(types.PaymentLink, "/v1/payment_links", {"status": status, "limit": limit})

    async def close(self, payment_link_id: str, *, idempotency_key: Optional[str] = None) -> types.PaymentLink:
        """Takes no more payments by a link."""
        return await self._post(types.PaymentLink, path_of("/v1/payment_links/{}/close", payment_link_id), {}, idempotency_key)


class AsyncBalance(AsyncResource):
    """The balance ledger: with an API key. Amounts are decimals: give a Decimal, an int or a text, get a Decimal."""

    async def emit(
        self,
        *,
        customer_id: str,
        delta: Amount,
        reason: str,
        reference_id: Optional[str] = None,
        metadata: Optional[types.Metadata] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.EmittedDelta:
        """Moves a customer's balance. The same `reference_id` again is the same delta."""
        body = delta_body(customer_id, delta, reason, reference_id, metadata)
        return await self._post(types.EmittedDelta, "/api/v1/balance/delta", body, idempotency_key)

    async def emit_batch(
        self, deltas: Sequence[types.NewDelta], *, idempotency_key: Optional[str] = None
    ) -> types.EmittedBatch:
        """Emits up to 1,000 deltas; what came of each is in `results`."""
        body = {"deltas": [delta_body(**delta) for delta in deltas]}
        return await self._post(types.EmittedBatch, "/api/v1/balance/delta/batch", body, idempotency_key)

    async def emit_and_wait(
        self,
        *,
        customer_id: str,
        delta: Amount,
        reason: str,
        reference_id: Optional[str] = None,
        metadata: Optional[types.Metadata] = None,
        wait_s: float = 30.0,
        idempotency_key: Optional[str] = None,
    ) -> types.Delta:
        """Emits a delta and waits until it is verified.

        Raises DeltaFailedError if it came to nothing, RequestTimeoutError if it still waits after `wait_s`.
        """
        end = time.monotonic() + wait_s
        emitted = await self.emit(
            customer_id=customer_id, delta=delta, reason=reason, reference_id=reference_id, metadata=metadata,
            idempotency_key=idempotency_key,
        )
        pause = 0.02
        while True:
            found = await self.get(emitted["recordId"])
            if found["status"] == "VERIFIED":
                return found
            if found["status"] == "FAILED":
                raise DeltaFailedError(f"the delta failed: {found['error']}", code="DeltaFailed", body={**found})
            if time.monotonic() + pause > end:
                raise RequestTimeoutError(f"{found['recordId']} still waits to be verified", body={**found})
            await self._pause(pause)
            pause = min(pause * 2, 1.0)

    async def get(self, record_id: str) -> types.Delta:
        """How a delta stands."""
        return await self._get(types.Delta, path_of("/api/v1/balance/delta/{}", record_id))

    async def derive(
        self,
        customer_id: str,
        *,
        starting_balance: Optional[Amount] = None,
        starting_checkpoint: Optional[str] = None,
        starting_checkpoint_type: Optional[str] = None,
        period: Optional[str] = None,
        time_preset: Optional[str] = None,
        start_date: Optional[types.Moment] = None,
        end_date: Optional[types.Moment] = None,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
    ) -> types.DerivedBalance:
        """A customer's balance, from all verified deltas of the stretch, and a page of these deltas."""
        starting = None if starting_balance is None else format(exact(starting_balance, "starting_balance"), "f")
        query = {
            "startingBalance": starting, "startingCheckpoint": starting_checkpoint,
            "startingCheckpointType": starting_checkpoint_type, "limit": limit, "offset": offset,
            **window(period, time_preset, start_date, end_date),
        }
        return await self._get(types.DerivedBalance, path_of("/api/v1/balance/derive/{}", customer_id), query)

    async def compare(
        self,
        *,
        your_balance: Amount,
        their_balance: Amount,
        customer_id: Optional[str] = None,
        starting_balance: Optional[Amount] = None,
        starting_checkpoint: Optional[str] = None,
        starting_checkpoint_type: Optional[str] = None,
        period: Optional[str] = None,
        time_preset: Optional[str] = None,
        start_date: Optional[types.Moment] = None,
        end_date: Optional[types.Moment] = None,
        your_deltas: Optional[Sequence[types.SideDelta]] = None,
        their_deltas: Optional[Sequence[types.SideDelta]] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.Comparison:
        """Which of two sides has what the ledger has; with both sides' deltas, where they differ."""
        body = {
            "customerId": customer_id, "yourBalance": exact(your_balance, "your_balance"),
            "theirBalance": exact(their_balance, "their_balance"),
            "startingBalance": None if starting_balance is None else exact(starting_balance, "starting_balance"),
            "startingCheckpoint": starting_checkpoint, "startingCheckpointType": starting_checkpoint_type,
            "yourDeltas": side(your_deltas), "theirDeltas": side(their_deltas),
            **window(period, time_preset, start_date, end_date),
        }
        return await self._post(types.Comparison, "/api/v1/balance/compare", body, idempotency_key)

    async def checkpoint(
        self,
        *,
        customer_id: Optional[str] = None,
        period: Optional[str] = None,
        time_preset: Optional[str] = None,
        start_date: Optional[types.Moment] = None,
        end_date: Optional[types.Moment] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.Checkpoint:
        """Signs the root over a customer's deltas, or all; with nothing new, the checkpoint that there is."""
        body = {"customerId": customer_id, **window(period, time_preset, start_date, end_date)}
        return await self._post(types.Checkpoint, "/api/v1/balance/checkpoint", body, idempotency_key)

    def checkpoints(
        self, *, customer_id: Optional[str] = None, period: Optional[str] = None, limit: Optional[int] = None
    ) -> AsyncPages[types.Checkpoint]:
        """Checkpoints, newest first."""
        async def fetch(cursor: Optional[str]) -> Page[types.Checkpoint]:
            query: Query = {"customerId": customer_id, "period": period, "limit": limit, "offset": cursor}
            found = await self._get(dict, "/api/v1/balance/checkpoints", query)
            following = str(found["offset"] + len(found["checkpoints"])) if found["hasMore"] else None
            return Page(found["checkpoints"], following)

        return AsyncPages(fetch)

    async def receipt(
        self,
        customer_id: str,
        *,
        period: Optional[str] = None,
        time_preset: Optional[str] = None,
        start_date: Optional[types.Moment] = None,
        end_date: Optional[types.Moment] = None,
    ) -> types.Receipt:
        """A customer's deltas with all that `proofs.verify` needs."""
        query = window(period, time_preset, start_date, end_date)
        return await self._get(types.Receipt, path_of("/api/v1/balance/receipt/{}", customer_id), query)

    async def proof(self, record_id: str, *, checkpoint: Optional[str] = None) -> types.DeltaProof:
        """What proves one delta, for `proofs.verify`."""
        path = path_of("/api/v1/balance/delta/{}/proof", record_id)
        return await self._get(types.DeltaProof, path, {"checkpoint": checkpoint})

    async def verify(self, proof_root: str) -> types.KnownRoot:
        """What the server knows of a root; needs no key."""
        request = Request("GET", path_of("/api/v1/verify/{}", proof_root), needs_key=False)
        return await self._send(types.KnownRoot, request)


class AsyncWrites(AsyncResource):
    """Whole numbers that add up under keys: with an API key."""

    async def create(
        self, items: Sequence[types.NewWrite], *, idempotency_key: Optional[str] = None
    ) -> types.AcceptedWrites:
        """Hands in up to 1,000 items, which are verified in turn."""
        written = [write_body(**item) for item in items]
        return await self._post(types.AcceptedWrites, "/api/v1/writes", {"items": written}, idempotency_key)

    async def get(self, request_id: str) -> types.WriteRequest:
        """How a request's items stand."""
        return await self._get(types.WriteRequest, path_of("/api/v1/writes/{}", request_id))

// Events as they come: by webhook, by the stream, and as the `body` of an event of the API. One type for each shape,
// told apart by `event`.

import type {
  Checkpoint,
  Decimal,
  Delivery,
  Fallback,
  Metadata,
  Mode,
  Moment,
  Origin,
  PaymentMethod,
  PaymentStatus,
  Refund,
  SubscriptionStatus,
  WriteRequest,
} from "./types.js";

interface Canonical<Type extends string, Status> extends Origin {
  event: Type;
  /** The same on every attempt: use it to do an event's work once. */
  event_id: string;
  mode: Mode;
  payment_id: string;
  status: Status;
  /** Minor units of `currency`. */
  amount: number;
  currency: string;
  method: PaymentMethod;
  provider: string;
  provider_ref: string | null;
  invoice_number: string;
  external_user_id: string;
  fallback: Fallback | null;
  timestamp: Moment;
  metadata: Metadata;
}

export interface PaymentEvent extends Canonical<
  | "payment.succeeded"
  | "payment.failed"
  | "payment.canceled"
  | "payment.paid_after_close"
  | "payment.quarantined"
  | "payment.reversed",
  PaymentStatus
> {
  /** Why it was quarantined. */
  reason?: string | null;
}
/** `status` and `amount` are the refund's. */
export interface RefundEvent extends Canonical<"refund.succeeded" | "refund.failed", Refund["status"]> {
  refund_id: string;
  reason: string | null;
}
export interface SubscriptionEvent extends Canonical<
  | "subscription.created"
  | "subscription.active"
  | "subscription.past_due"
  | "subscription.renewed"
  | "subscription.canceled"
  | "subscription.ended",
  SubscriptionStatus
> {
  subscription_id: string;
  current_period_end: Moment | null;
  cancel_at_period_end: boolean;
}
export interface InvoiceEvent {
  event: "invoice.created" | "invoice.paid" | "invoice.overdue" | "invoice.voided";
  event_id: string;
  mode: Mode;
  invoice_id: string;
  number: string;
  status: "draft" | "open" | "paid" | "void" | "overdue";
  amount: number;
  currency: string;
  external_user_id: string;
  external_id: string | null;
  /** The payment that paid it; null where there is none. */
  payment_id: string | null;
  timestamp: Moment;
  metadata: Metadata;
}
/** To the operator of an app whose endpoint failed for long. */
export interface AppEndpointDisabledEvent {
  event: "endpoint.disabled";
  event_id: string;
  mode: Mode;
  endpoint_id: string;
  reason: string;
  timestamp: Moment;
}

/** What the endpoint of an app gets. */
export type AppEvent = PaymentEvent | RefundEvent | SubscriptionEvent | InvoiceEvent | AppEndpointDisabledEvent;

interface OfTenant<Type extends string, Data> {
  id: string;
  event: Type;
  tenantId: string;
  mode: Mode;
  /** Unix seconds. */
  timestamp: number;
  createdAt: Moment;
  data: Data;
}

export type DeltaVerifiedEvent = OfTenant<
  "delta.verified",
  {
    recordId: string;
    receiptId: string;
    status: "VERIFIED";
    customerId: string;
    currency: string | null;
    delta: Decimal;
    reason: string;
    referenceId: string | null;
    metadata: Metadata | null;
    sequenceNumber: number;
    verificationReference: string;
    verifiedAt: Moment;
    proof: { proofHash: string; contentHash: string; previousProofHash: string | null; itemHashes: string[] };
  }
>;
export type DeltaFailedEvent = OfTenant<
  "delta.failed",
  {
    recordId: string;
    receiptId: string;
    status: "FAILED";
    customerId: string;
    delta: Decimal;
    referenceId: string | null;
    error: string;
    failedAt: Moment;
  }
>;
export type CheckpointVerifiedEvent = OfTenant<"checkpoint.verified", Checkpoint>;
export type VerificationEvent = OfTenant<"verification.completed" | "verification.failed", WriteRequest>;
export type WebhookTestEvent = OfTenant<"webhook.test", { endpointId: string; message: string }>;
export type EndpointDisabledEvent = OfTenant<"endpoint.disabled", { endpointId: string; reason: string }>;

/** What only the endpoints of a tenant get, besides the events of its apps. */
export type TenantEvent =
  | DeltaVerifiedEvent
  | DeltaFailedEvent
  | CheckpointVerifiedEvent
  | VerificationEvent
  | WebhookTestEvent
  | EndpointDisabledEvent;

/** Whatever a webhook may bring. Later servers may have more: leave room for what no `case` names. */
export type SwitchyardEvent = AppEvent | TenantEvent;

/** An event as the API keeps it. `deliveries` is there when it was asked for by its id. */
export interface EventRecord {
  event_id: string;
  event: string;
  mode: Mode;
  payment_id: string | null;
  created_at: Moment;
  body: AppEvent;
  deliveries?: Delivery[];
}

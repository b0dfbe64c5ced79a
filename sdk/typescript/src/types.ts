// The objects of the API under short names: those that openapi.json describes, with its texts narrowed to the words that
// occur in them, then those that it does not describe yet, by hand. What comes as a webhook is in events.ts.

import type { components, paths } from "./openapi.js";

type Schemas = components["schemas"];
/** An object as the server sends it: what may be empty is null and never left out. */
type Sent<T, Narrowed = unknown> = Omit<Required<T>, keyof Narrowed> & Narrowed;
type Asked<T, Narrowed> = Omit<T, keyof Narrowed> & Narrowed;
type Query<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Q } } }
  ? Omit<NonNullable<Q>, never>
  : never;
/** These words, and others that a later server may have. */
type Word<Known extends string> = Known | (string & {});

export type Mode = "test" | "sandbox" | "live";
export type Metadata = Record<string, unknown>;
/** A moment, RFC 3339 in UTC. */
export type Moment = string;

// Payments

export type PaymentMethod = Word<
  "qris" | "va_bca" | "va_mandiri" | "va_bni" | "va_bri" | "va_permata" | "polar" | "paypal"
>;
export type PaymentStatus = "initiated" | "succeeded" | "failed" | "canceled";
export type Instructions =
  | { kind: "virtual_account"; bank: string; number: string; expires_at: Moment }
  | { kind: "qris"; qr_content: string; expires_at: Moment };
export type Fallback = Schemas["Fallback"];

export type Payment = Sent<
  Schemas["PaymentObject"],
  Origin & {
    status: PaymentStatus;
    mode: Mode;
    method: PaymentMethod;
    instructions: Instructions | null;
    metadata: Metadata;
  }
>;
/** What a payment was begun for, where it was begun on a page of the gateway's. */
export interface Origin {
  invoice_id?: string;
  payment_link_id?: string;
}
/** How the mock provider is to behave, in mode `test`. */
export interface MockScript {
  outcome?: "succeed" | "fail" | "cancel" | "none";
  after_ms?: number;
  decline_code?: string;
  start?: "ok" | "refuse" | "timeout" | "timeout_but_charged";
  webhook?: "once" | "duplicate" | "late" | "out_of_order" | "bad_signature" | "never";
  refund?: "succeed" | "fail" | "pending";
}
export type PaymentRequest = Asked<
  Schemas["PaymentRequest"],
  {
    method: PaymentMethod;
    metadata?: Metadata;
    buyer?: { name?: string; phone?: string; ip?: string };
    mock?: MockScript;
  }
>;
export type PaymentQuery = Asked<Query<"/v1/payments">, { status?: PaymentStatus }>;
export type TimelineEntry = Sent<
  Schemas["TimelineEntry"],
  { kind: Word<"created" | "attempt" | "webhook" | "transition" | "refund" | "delivery">; detail: Metadata }
>;
export type Route = Sent<Schemas["RouteObject"]>;
export type RouteQuery = { currency: string; method: PaymentMethod };

// Refunds, subscriptions, customers

export type Refund = Sent<Schemas["RefundObject"], { status: "initiated" | "succeeded" | "failed"; mode: Mode }>;
export type RefundRequest = Schemas["RefundRequest"];
export type RefundQuery = Query<"/v1/refunds">;
export type SubscriptionStatus = "incomplete" | "active" | "past_due" | "ended";
export type Subscription = Sent<Schemas["SubscriptionObject"], { status: SubscriptionStatus; mode: Mode }>;
export type SubscriptionQuery = Asked<Query<"/v1/subscriptions">, { status?: SubscriptionStatus }>;
export type KycStatus = "none" | "pending" | "approved" | "rejected";
export type Customer = Sent<Schemas["CustomerObject"], { mode: Mode; kyc_status?: KycStatus }>;
export type CustomerQuery = Query<"/v1/customers">;

// Events as objects of the API

export type Delivery = Sent<
  Schemas["DeliveryObject"],
  { mode: Mode; state: "pending" | "delivered" | "dead"; log: Metadata[] }
>;
export type EventQuery = Query<"/v1/events">;
export type Redelivery = { event_id?: string; since?: Moment; deliveries: number };

// Invoices and payment links. By hand: openapi.json does not have them yet.

export type InvoiceStatus = "draft" | "open" | "paid" | "void" | "overdue";
export interface LineItem {
  description: string;
  quantity: number;
  unit_amount_minor: number;
}
export interface Invoice {
  invoice_id: string;
  number: string;
  status: InvoiceStatus;
  mode: Mode;
  external_user_id: string;
  email: string | null;
  currency: string;
  line_items: (LineItem & { amount_minor: number })[];
  amount_minor: number;
  /** What its payments received. */
  paid_minor: number;
  /** What of that was given back. */
  refunded_minor: number;
  due_at: Moment | null;
  methods: PaymentMethod[] | null;
  return_url: string | null;
  metadata: Metadata;
  external_id: string | null;
  hosted_url: string;
  payments: Pick<
    Payment,
    "payment_id" | "status" | "method" | "amount_minor" | "paid_minor" | "refunded_minor" | "created_at"
  >[];
  created_at: Moment;
  updated_at: Moment;
  paid_at: Moment | null;
  voided_at: Moment | null;
}
export interface InvoiceRequest {
  external_user_id: string;
  email?: string;
  currency: string;
  line_items: LineItem[];
  due_at?: Moment;
  methods?: PaymentMethod[];
  return_url?: string;
  metadata?: Metadata;
  /** Your own id: asked for again, the same invoice is answered. */
  external_id?: string;
  invoice_prefix?: string;
  /** Whether it is not open before `finalize`. */
  draft?: boolean;
}
export interface InvoiceQuery {
  status?: InvoiceStatus;
  external_user_id?: string;
  external_id?: string;
  limit?: number;
  cursor?: string;
}

export type PaymentLinkStatus = "active" | "used_up" | "expired" | "closed";
export interface PaymentLink {
  payment_link_id: string;
  status: PaymentLinkStatus;
  mode: Mode;
  currency: string;
  amount_minor: number | null;
  min_minor: number | null;
  max_minor: number | null;
  description: string;
  methods: PaymentMethod[] | null;
  uses_max: number | null;
  uses: number;
  expires_at: Moment | null;
  return_url: string | null;
  metadata: Metadata;
  hosted_url: string;
  created_at: Moment;
  updated_at: Moment;
}
export interface PaymentLinkRequest {
  currency: string;
  /** Null where the buyer chooses, from `min_minor` to `max_minor`. */
  amount_minor: number | null;
  min_minor?: number;
  max_minor?: number;
  description: string;
  methods?: PaymentMethod[];
  uses_max?: number;
  expires_at?: Moment;
  return_url?: string;
  metadata?: Metadata;
}
export interface PaymentLinkQuery {
  status?: PaymentLinkStatus;
  limit?: number;
  cursor?: string;
}

// The balance ledger. By hand: openapi.json describes its requests and not its answers.

/**
 * An exact number of the ledger. What is sent may be a text or a number of at most 15 digits; what is answered is
 * always a text, with every digit.
 */
export type Decimal = string;
export type DecimalLike = string | number;

export type DeltaRequest = Asked<Schemas["DeltaRequest"], { delta: DecimalLike; metadata?: Metadata }>;
export interface DeltaTaken {
  recordId: string;
  receiptId: string;
  customerId: string;
  delta: Decimal;
  status: "QUEUED" | "VERIFIED" | "FAILED";
  referenceId?: string;
  /** Whether the reference was there already, and this is its first delta. */
  idempotent?: true;
}
export interface BatchTaken {
  totalQueued: number;
  totalFailed: number;
  results: ((DeltaTaken & { index: number; error?: undefined }) | DeltaTurnedAway)[];
}
export interface DeltaTurnedAway {
  index: number;
  customerId: string | null;
  delta: Decimal | null;
  status: "FAILED";
  error: string;
}
export interface Delta {
  recordId: string;
  receiptId: string;
  customerId: string;
  currency: string | null;
  delta: Decimal;
  reason: string;
  referenceId: string | null;
  metadata: Metadata | null;
  status: "QUEUED" | "PROCESSING" | "VERIFIED" | "FAILED";
  error: string | null;
  createdAt: Moment;
  verifiedAt: Moment | null;
  verificationReference: string | null;
  sequenceNumber: number | null;
  proofHash: string | null;
  previousProofHash: string | null;
  contentHash: string;
}
/** A stretch of time; everything up to now when empty. */
export interface Stretch {
  /** A month, as `2026-11`. */
  period?: string;
  timePreset?: "current_month" | "custom";
  startDate?: string;
  /** What was verified at it does not count. */
  endDate?: string;
}
/** A stretch of time, or what comes after a checkpoint. */
export interface Scope extends Stretch {
  startingCheckpoint?: string;
  startingCheckpointType?: string;
}
export interface DeriveQuery extends Scope {
  startingBalance?: DecimalLike;
  limit?: number;
  offset?: number;
}
export interface Derived {
  customerId: string;
  currency: string | null;
  computedBalance: Decimal;
  startingBalance: Decimal;
  deltasCount: number;
  latestReceiptId: string | null;
  deltas: {
    recordId: string;
    receiptId: string;
    delta: Decimal;
    reason: string;
    referenceId: string | null;
    metadata?: Metadata;
    status: "VERIFIED";
    sequenceNumber: number;
    balanceAfter: Decimal;
    createdAt: Moment;
    verifiedAt: Moment;
    proofHash: string;
  }[];
  limit: number;
  offset: number;
  hasMore: boolean;
}
export interface AmountOfReference {
  referenceId: string;
  amount: DecimalLike;
}
export interface ComparisonRequest extends Scope {
  customerId?: string;
  yourBalance: DecimalLike;
  theirBalance: DecimalLike;
  startingBalance?: DecimalLike;
  yourDeltas?: AmountOfReference[];
  theirDeltas?: AmountOfReference[];
}
export interface Comparison {
  customerId: string | null;
  matches: boolean;
  matchesYours: boolean;
  matchesTheirs: boolean;
  neutralBalance: Decimal;
  yourBalance: Decimal;
  theirBalance: Decimal;
  yourDiscrepancy: Decimal;
  theirDiscrepancy: Decimal;
  startingBalance: Decimal;
  deltasCount: number;
  differences?: {
    referenceId: string;
    yourAmount: Decimal | null;
    theirAmount: Decimal | null;
    neutralAmount: Decimal | null;
  }[];
}
export interface CheckpointRequest extends Stretch {
  customerId?: string;
}
export interface Checkpoint {
  checkpointId: string;
  proofRoot: string;
  merkleRoot: string;
  customerId: string | null;
  period: string | null;
  deltasCount: number;
  treeSize: number;
  netChange: Decimal;
  status: "VERIFIED";
  /** The signed note. */
  note: string;
  createdAt: Moment;
  verifiedAt: Moment;
}
export interface CheckpointQuery {
  customerId?: string;
  period?: string;
  limit?: number;
  offset?: number;
}
/** What a leaf of the ledger's tree says. */
export interface Leaf {
  currency: string | null;
  customerId: string;
  delta: Decimal;
  mode: Mode;
  previousProofHash: string | null;
  reason: string;
  recordId: string;
  referenceId: string | null;
  salt: string;
  sequenceNumber: number;
  tenantId: string;
  verifiedAt: Moment;
}
export interface Receipt {
  customerId: string;
  currency: string | null;
  period: string | null;
  proofRoot: string;
  deltasCount: number;
  startingBalance: Decimal;
  finalBalance: Decimal;
  netChange: Decimal;
  checkpoint: Checkpoint;
  leaves: Leaf[];
  verification: {
    verifyUrl: string;
    verificationApiUrl: string;
    verificationReference: string;
    verifierKey: string;
  };
  verifyUrl: string;
  verificationApiUrl: string;
}
export interface DeltaProof {
  recordId: string;
  leafIndex: number;
  treeSize: number;
  auditPath: string[];
  proofRoot: string;
  leafHash: string;
  leaf: Leaf;
  checkpoint: Checkpoint;
}
export interface KnownRoot {
  verified: boolean;
  proofRoot: string;
  recordedAt: Moment;
  summary: { recordCount: number; netChange: Decimal };
  verification: { verificationReference: string; verificationExplorerUrl: string; verifierKey: string };
}

// Writes

export type WriteItem = Asked<
  Schemas["WriteItemRequest"],
  {
    /** A whole number of 64 bits: a text or a bigint where it is beyond 2^53. */
    bits: DecimalLike | bigint;
    metadata?: Metadata;
  }
>;
export interface WritesTaken {
  requestId: string;
  itemCount: number;
  status: "queued";
  message: string;
}
export interface WriteRequest {
  requestId: string;
  status: "queued" | "verified" | "failed";
  itemCount: number;
  failedCount: number;
  createdAt: Moment;
  verifiedAt: Moment | null;
  items: {
    index: number;
    key: string;
    accountId: string;
    bits: Decimal;
    status: "queued" | "verified" | "failed";
    error: string | null;
  }[];
}

// What can go wrong, as classes that one can catch. None of them ever holds a secret, a header or a request's body. Which
// class an answer of the server is, is in problem.ts.

import type { Mode } from "./types.js";

export interface ErrorDetails {
  status?: number | undefined;
  code?: string | undefined;
  requestId?: string | undefined;
  body?: unknown;
  /** Seconds. */
  retryAfter?: number | undefined;
}

/** Anything that went wrong. */
export class SwitchyardError extends Error {
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** The server's stable code, as `PaymentNotFound`; for what happened on this side a code of this package. */
  readonly code: string;
  /** Under which the server's log has the request. */
  readonly requestId: string | undefined;
  /** The body of the answer: the server's problem, parsed, or a text. */
  readonly body: unknown;
  /** Seconds that the server asked to wait. */
  readonly retryAfter: number | undefined;
  /** The key of the POST that failed: with the same key and request it can be tried again later, and is done once. */
  idempotencyKey: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = new.target.name;
    this.status = details.status;
    this.code = details.code ?? new.target.name;
    this.requestId = details.requestId;
    this.body = details.body;
    this.retryAfter = details.retryAfter;
  }
}

/** The client was set up in a way that cannot work: a key of another mode than expected, no base URL. */
export class ConfigurationError extends SwitchyardError {}

/** A field is not as it must be (400), said by the server or, before anything was sent, by this package. */
export class ValidationError extends SwitchyardError {
  readonly fields: { path: string; reason: string }[];

  constructor(message: string, details: ErrorDetails & { fields?: { path: string; reason: string }[] } = {}) {
    super(message, { code: "ValidationError", ...details });
    this.fields = details.fields ?? fieldsOf(details.body);
  }
}

/** The key, secret or signature is not accepted (401). */
export class AuthenticationError extends SwitchyardError {}

/** The plan has no more room (402). Reading goes on. */
export class PlanLimitExceededError extends SwitchyardError {}

/** The key may not do this, or a step on the way to live is missing (403). */
export class PermissionError extends SwitchyardError {}

/** There is no such thing of this app, tenant and mode (404). */
export class NotFoundError extends SwitchyardError {}

/** The idempotency key was used for another request in the last 24 hours (409). */
export class IdempotencyConflictError extends SwitchyardError {}

/** The server does not serve the key's mode (421), and where it is served is unknown or cannot be trusted. */
export class ModeNotServedError extends SwitchyardError {
  readonly mode: Mode | undefined;
  /** Where the server says that the mode is served. */
  readonly modeUrl: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details);
    const { mode, mode_url: url } = objectOf(details.body);
    this.mode = (typeof mode === "string" ? mode : /mode (test|sandbox|live)\b/.exec(message)?.[1]) as Mode | undefined;
    this.modeUrl = typeof url === "string" ? url : /; use (https?:\S+)$/.exec(message)?.[1];
  }
}

/** Too many requests (429), even after waiting as often as was allowed. `retryAfter` says for how many seconds. */
export class RateLimitError extends SwitchyardError {}

/** The provider refused (502). The payment exists and has failed; its `last_error` says why. */
export class ProviderError extends SwitchyardError {
  readonly paymentId: string | undefined = paymentIdOf(this.body);
}

/** The provider could not be reached and nothing was charged (503). The same request with the same key goes on with it. */
export class ProviderUnavailableError extends SwitchyardError {
  readonly paymentId: string | undefined = paymentIdOf(this.body);
}

/** The server could not be reached, or the connection broke before the answer was whole. */
export class ConnectionError extends SwitchyardError {}

/** No answer in time. What was asked for may have been done: ask again with the same idempotency key, or look. */
export class TimeoutError extends SwitchyardError {}

/** A webhook that must not be believed. */
export class WebhookVerificationError extends SwitchyardError {
  constructor(
    readonly reason: WebhookFault,
    message: string,
  ) {
    super(message);
  }
}
export type WebhookFault =
  | "no_secret"
  | "not_raw_body"
  | "missing_headers"
  | "bad_timestamp"
  | "timestamp_out_of_range"
  | "bad_signature"
  | "bad_body";

/** A receipt or proof that does not show what it claims. */
export class ProofVerificationError extends SwitchyardError {
  constructor(
    /** Which check failed. */
    readonly check: ProofCheck,
    /** Why, in one sentence. */
    readonly reason: string,
  ) {
    super(reason);
  }
}
export type ProofCheck =
  "format" | "key" | "leaf" | "inclusion" | "root" | "chain" | "sum" | "checkpoint" | "origin" | "signature";

function objectOf(body: unknown): Record<string, unknown> {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
}

function paymentIdOf(body: unknown): string | undefined {
  const id = objectOf(body).payment_id;
  return typeof id === "string" ? id : undefined;
}

/** The server lists faults as `path: reason`. */
function fieldsOf(body: unknown): { path: string; reason: string }[] {
  const messages = objectOf(body).message;
  if (!Array.isArray(messages)) return [];
  return messages
    .filter((message) => typeof message === "string")
    .map((message: string) => {
      const at = message.indexOf(": ");
      return at < 0 ? { path: "", reason: message } : { path: message.slice(0, at), reason: message.slice(at + 2) };
    });
}

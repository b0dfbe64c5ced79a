// Which failures are worth another try, how long to wait before it, and waiting.

import { ConnectionError, SwitchyardError, TimeoutError } from "./errors.js";

/** The first wait is random up to this, and each that follows up to twice as much. */
const BASE_MS = 250;
const LONGEST_MS = 8_000;

/**
 * Whether a request may be sent again. Every POST has an idempotency key, so that what was done is not done again; but
 * what is stored under the key is answered alike for ever: a provider's refusal (502 `ProviderError`) is final.
 */
export function isWorthRetrying(failure: SwitchyardError): boolean {
  if (failure instanceof ConnectionError || failure instanceof TimeoutError) return true;
  switch (failure.status) {
    case 408:
    case 429:
    case 503:
    case 504:
      return true;
    case 409:
      // The first try is under way; or an equal request was signed alike by another process: nothing was done.
      return failure.code === "IdempotencyInProgress" || failure.code === "SignatureReused";
    case 502:
      return failure.code !== "ProviderError";
    default:
      return false;
  }
}

/** Milliseconds to wait after `retries` tries again: exponential with full jitter, on top of what the server asked for. */
export function waitAfter(failure: SwitchyardError, retries: number): number {
  return (failure.retryAfter ?? 0) * 1000 + Math.random() * Math.min(LONGEST_MS, BASE_MS * 2 ** retries);
}

/** Waits, unless the signal says that nobody cares any more: then rejects with its reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

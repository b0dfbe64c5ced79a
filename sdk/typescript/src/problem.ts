// Which error an answer of the server is: its problem+json, or what a proxy before it says.

import {
  AuthenticationError,
  IdempotencyConflictError,
  ModeNotServedError,
  NotFoundError,
  PermissionError,
  PlanLimitExceededError,
  ProviderError,
  ProviderUnavailableError,
  RateLimitError,
  SwitchyardError,
  ValidationError,
} from "./errors.js";

const OF_STATUS: Record<number, typeof SwitchyardError> = {
  400: ValidationError,
  401: AuthenticationError,
  402: PlanLimitExceededError,
  403: PermissionError,
  404: NotFoundError,
  421: ModeNotServedError,
  429: RateLimitError,
};
const OF_CODE: Record<string, typeof SwitchyardError> = {
  IdempotencyConflict: IdempotencyConflictError,
  ProviderError,
  ProviderUnavailable: ProviderUnavailableError,
};

/** The error that an answer is. */
export function errorOf(status: number, headers: Headers, text: string): SwitchyardError {
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Not the server's own answer: that of a proxy before it.
  }
  const problem = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const code = typeof problem.code === "string" ? problem.code : `Http${status}`;
  const isRedirect = status >= 300 && status < 400;
  const otherwise = `the server answered ${status}${isRedirect ? ", a redirect: is the base URL right?" : ""}`;
  const message = typeof problem.detail === "string" ? problem.detail : otherwise;
  const requestId = problem.request_id ?? headers.get("x-request-id");
  const Class = OF_CODE[code] ?? OF_STATUS[status] ?? SwitchyardError;
  return new Class(message, {
    status,
    code,
    requestId: typeof requestId === "string" ? requestId : undefined,
    body,
    retryAfter: retryAfterOf(headers.get("retry-after")),
  });
}

/** Seconds, of a number or a date. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

// One call from its parts to its answer: credentials, idempotency key, time-outs, retries, and the way to the server of
// the key's mode. What the calls are is in resources.ts and balance.ts.

import { randomUUID } from "node:crypto";
import type { Config } from "./config.js";
import { isLoopback } from "./config.js";
import {
  AuthenticationError,
  ConnectionError,
  ModeNotServedError,
  SwitchyardError,
  TimeoutError,
  ValidationError,
} from "./errors.js";
import { parseExact, writeExact } from "./exact.js";
import { errorOf } from "./problem.js";
import { isWorthRetrying, sleep, waitAfter } from "./retry.js";
import { RequestSigner } from "./signing.js";

const USER_AGENT = "switchyard-pay-node/0.1.0";

/** What every call takes besides what it is about. */
export interface CallOptions {
  /** Of a POST: stands for it for 24 hours, so that it is done once. A random one unless given. */
  idempotencyKey?: string | undefined;
  /** Ends the call, also while it waits for another try; it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** For one try, in milliseconds. */
  timeoutMs?: number | undefined;
  /** For all tries and the waits between them, in milliseconds. */
  totalTimeoutMs?: number | undefined;
  /** How many tries may follow the first. */
  maxRetries?: number | undefined;
}

export interface Call {
  method: "GET" | "POST";
  path: string;
  /** Names and values; those that are undefined or null are left out. */
  query?: object | undefined;
  body?: unknown;
  auth: "signature" | "apiKey" | "none";
  /** Further headers. */
  headers?: Record<string, string>;
  options?: CallOptions | undefined;
}

/** A call as it is sent, but for what differs from try to try. */
interface Request extends Call {
  target: string;
  text: string;
  idempotencyKey: string | undefined;
  /** Whether the signature that belongs to it now was used by another process. */
  isTaken: boolean;
}

/** A path of literal parts and encoded values. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((before, part, index) => {
    const value = values[index - 1];
    // Dots would be taken for steps within the path.
    if (typeof value !== "string" || ["", ".", ".."].includes(value)) throw invalid("id", "must be a text");
    return before + encodeURIComponent(value) + part;
  });
}

export class Transport {
  readonly #config: Config;
  readonly #signer: RequestSigner | undefined;
  /** Where the key's mode is served, as far as is known. */
  #base: URL;

  constructor(config: Config) {
    const { publicKey, secret } = config;
    this.#config = config;
    this.#base = config.baseUrl;
    if (publicKey !== undefined && secret !== undefined) this.#signer = new RequestSigner(publicKey, secret);
  }

  /** The answer to a call: its body; of the ledger's, what the envelope holds. */
  async call<T>(call: Call): Promise<T> {
    const text = await this.#answerTo(requestOf(call));
    try {
      return call.path.startsWith("/api/v1/") ? parseExact<{ data: T }>(text).data : (JSON.parse(text) as T);
    } catch {
      const message = "the answer is not JSON: is the base URL that of a Switchyard?";
      throw new SwitchyardError(message, { code: "UnexpectedAnswer" });
    }
  }

  /** One try at a call whose answer is read as it comes. */
  async open(call: Call, signal: AbortSignal): Promise<Response> {
    const request = requestOf(call);
    for (let hasFollowed = false; ; hasFollowed = true) {
      const asked = this.#base;
      const response = await this.#send(request, signal);
      if (response.ok) return response;
      const failure = errorOf(response.status, response.headers, await response.text());
      if (hasFollowed || !this.#follow(failure, asked)) throw failure;
    }
  }

  async #answerTo(request: Request): Promise<string> {
    const { signal, ...options } = request.options ?? {};
    const maxRetries = options.maxRetries ?? this.#config.maxRetries;
    const timeoutMs = options.timeoutMs ?? this.#config.timeoutMs;
    const deadline = performance.now() + (options.totalTimeoutMs ?? this.#config.totalTimeoutMs);
    let hasFollowed = false;
    for (let retries = 0; ; retries += 1) {
      const asked = this.#base;
      const answer = await this.#try(request, Math.min(timeoutMs, deadline - performance.now()), signal);
      if (typeof answer === "string") return answer;
      answer.idempotencyKey = request.idempotencyKey;
      if (!hasFollowed && this.#follow(answer, asked)) {
        hasFollowed = true;
        retries -= 1;
        continue;
      }
      const wait = waitAfter(answer, retries);
      if (retries >= maxRetries || !isWorthRetrying(answer) || performance.now() + wait >= deadline) throw answer;
      request.isTaken = answer.code === "SignatureReused";
      await sleep(wait, signal);
    }
  }

  /** One try: the body of a good answer, or what went wrong. Rejects with the caller's reason where he has ended it. */
  async #try(request: Request, milliseconds: number, callers?: AbortSignal): Promise<string | SwitchyardError> {
    callers?.throwIfAborted();
    const controller = new AbortController();
    const stop = () => controller.abort();
    const timer = setTimeout(stop, Math.max(0, milliseconds));
    callers?.addEventListener("abort", stop, { once: true });
    try {
      const response = await this.#send(request, controller.signal);
      const text = await response.text();
      return response.ok ? text : errorOf(response.status, response.headers, text);
    } catch (error) {
      callers?.throwIfAborted();
      if (controller.signal.aborted) return new TimeoutError(`no answer within ${Math.round(milliseconds)} ms`);
      const failure = connectionError(error);
      if (!failure.message.endsWith(LOST_421) || request.text === "") return failure;
      const answer = await this.#try(readingAlike(request), milliseconds, callers);
      return answer instanceof ModeNotServedError ? answer : failure;
    } finally {
      clearTimeout(timer);
      callers?.removeEventListener("abort", stop);
    }
  }

  /** Sends a request once, signed anew. */
  async #send(request: Request, signal: AbortSignal): Promise<Response> {
    const { method, target, text, idempotencyKey } = request;
    const headers: Record<string, string> = {
      Accept: "application/json",
      "User-Agent": USER_AGENT,
      ...request.headers,
      ...this.#credentials(request),
    };
    if (idempotencyKey !== undefined) headers["Idempotency-Key"] = idempotencyKey;
    if (text !== "") headers["Content-Type"] = "application/json";
    const url = this.#base.href.replace(/\/$/, "") + target;
    // A redirect that were followed would carry the headers to wherever it points.
    return this.#config.fetch(url, { method, headers, body: text || null, redirect: "manual", signal });
  }

  #credentials({ auth, method, target, text, isTaken }: Request): Record<string, string> {
    const { apiKey } = this.#config;
    switch (auth) {
      case "none":
        return {};
      case "apiKey":
        if (apiKey === undefined)
          throw new AuthenticationError("this call wants an API key: give apiKey or PAY_API_KEY");
        return { "X-Api-Key": apiKey };
      case "signature":
        if (this.#signer !== undefined) return this.#signer.headers(method, target, text, isTaken);
        throw new AuthenticationError("this call is signed: give publicKey and secret, or PAY_KEY and PAY_SECRET");
    }
  }

  /**
   * Moves to the server that a 421 of `from` names, and says whether it did. A request carries what was made with the
   * secret, or the API key itself. So it goes to servers that the caller named, and where no live money is at stake also to
   * others, on a word that can be trusted: whoever answered over https may name an https server; a server on this machine
   * another on this machine or an https one.
   */
  #follow(failure: SwitchyardError, from: URL): boolean {
    if (!(failure instanceof ModeNotServedError) || !URL_FORM.test(failure.modeUrl ?? "")) return false;
    const { mode, named } = this.#config;
    const to = new URL(failure.modeUrl ?? "");
    const isTrusted =
      mode !== "live" &&
      (from.protocol === "https:"
        ? to.protocol === "https:"
        : isLoopback(from) && (to.protocol === "https:" || isLoopback(to)));
    if (to.origin === from.origin || !(isTrusted || named.some((url) => url.origin === to.origin))) return false;
    this.#base = to;
    return true;
  }
}

/** A URL without user, query and fragment. */
const URL_FORM = /^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/;

/**
 * How the `fetch` of Node 18 fails when a 421 answers a body: it sends the body, which is spent, once more. A GET gets
 * the same answer whole.
 */
const LOST_421 = "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH";

function readingAlike({ auth }: Request): Request {
  return requestOf({ method: "GET", path: auth === "apiKey" ? "/api/v1/whoami" : "/v1/customers", auth });
}

function requestOf(call: Call): Request {
  const { method, body, options } = call;
  checkMoney(body);
  return {
    ...call,
    target: targetOf(call),
    text: writeExact(body) ?? "",
    isTaken: false,
    idempotencyKey: method === "POST" ? checkedKey(options?.idempotencyKey ?? randomUUID()) : undefined,
  };
}

/** Path and query exactly as the request line will have them, because they are signed. */
function targetOf({ path, query }: Call): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  const url = new URL(`http://server${path}${search && "?"}${search}`);
  return url.pathname + url.search;
}

/** Refuses money that is not in whole minor units, wherever it is in a body but in metadata, which is the caller's. */
function checkMoney(value: unknown, place = ""): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, field] of Object.entries(value)) {
    const path = place === "" ? name : `${place}.${name}`;
    if (name.endsWith("_minor") && field !== null && field !== undefined && !Number.isSafeInteger(field)) {
      throw invalid(path, "must be a whole number of minor units");
    }
    if (name !== "metadata") checkMoney(field, path);
  }
}

function checkedKey(key: string): string {
  if (!/^[ -~]{1,255}$/.test(key)) throw invalid("idempotencyKey", "must be 1 to 255 printable ASCII characters");
  return key;
}

function invalid(path: string, reason: string): ValidationError {
  return new ValidationError(`${path} ${reason}`, { fields: [{ path, reason }] });
}

/** Why a connection failed, in a word. The error itself is not passed on: that of another `fetch` may hold headers. */
export function connectionError(error: unknown): SwitchyardError {
  if (error instanceof SwitchyardError) return error;
  const { cause, name } = error as { cause?: { code?: unknown }; name?: unknown };
  return new ConnectionError(`the server could not be reached: ${String(cause?.code ?? name ?? "no reason given")}`);
}

// How a request is signed. How an event's signature is checked is in webhooks.ts.

import { createHash, createHmac } from "node:crypto";

/** `X-PAY-Signature`: lower-case hex HMAC-SHA256 of `<timestamp>.<METHOD>.<target>.<hex sha256(body)>`. */
export function requestSignature(
  secret: string,
  timestamp: number,
  method: string,
  target: string,
  body: string | Uint8Array,
): string {
  return signatureOver(secret, timestamp, method, target, createHash("sha256").update(body).digest("hex"));
}

function signatureOver(secret: string, timestamp: number, method: string, target: string, bodyHash: string): string {
  return createHmac("sha256", secret).update(`${timestamp}.${method}.${target}.${bodyHash}`).digest("hex");
}

/**
 * Signs the requests of one app, no two POSTs alike: the server takes a signature once. Two equal requests of the same
 * second, which are two payments if their keys differ, are told apart by a timestamp that runs ahead by a second; the
 * server allows 300.
 */
export class RequestSigner {
  readonly #secret: string;
  /** The last timestamp that each request was signed with, of those that are not over. */
  readonly #latest = new Map<string, number>();
  #swept = 0;

  constructor(
    readonly publicKey: string,
    secret: string,
  ) {
    this.#secret = secret;
  }

  /** The headers of a request. `target` is the raw path and, if there is one, `?` and the query. */
  headers(method: string, target: string, body: string): Record<string, string> {
    const bodyHash = createHash("sha256").update(body).digest("hex");
    const now = Math.floor(Date.now() / 1000);
    const timestamp = method === "POST" ? this.#next(`${target} ${bodyHash}`, now) : now;
    return {
      "X-PAY-Key": this.publicKey,
      "X-PAY-Timestamp": String(timestamp),
      "X-PAY-Signature": signatureOver(this.#secret, timestamp, method, target, bodyHash),
    };
  }

  #next(request: string, now: number): number {
    if (this.#swept !== now) {
      for (const [key, latest] of this.#latest) if (latest < now) this.#latest.delete(key);
      this.#swept = now;
    }
    const timestamp = Math.max(now, (this.#latest.get(request) ?? 0) + 1);
    this.#latest.set(request, timestamp);
    return timestamp;
  }
}

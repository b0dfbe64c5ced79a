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

/** How many seconds a timestamp may run ahead. The server allows 300, and clocks differ. */
const MOST_AHEAD = 240;

/**
 * Signs the requests of one app, no two POSTs alike: the server takes a signature once. Equal requests of one second,
 * which are several payments if their idempotency keys differ, are told apart by timestamps that run ahead.
 */
export class RequestSigner {
  readonly #secret: string;
  /** The timestamps of requests that are not over, under `<timestamp> <request>`. */
  readonly #used = new Map<string, number>();
  #swept = 0;

  constructor(
    readonly publicKey: string,
    secret: string,
  ) {
    this.#secret = secret;
  }

  /**
   * The headers of a request. `target` is the raw path and, if there is one, `?` and the query. `isTaken` says that the
   * server has seen the signature of this second, of another process with the same key.
   */
  headers(method: string, target: string, body: string, isTaken: boolean): Record<string, string> {
    const bodyHash = createHash("sha256").update(body).digest("hex");
    const now = Math.floor(Date.now() / 1000);
    const timestamp = method === "POST" ? this.#timestamp(`${target} ${bodyHash}`, now, isTaken) : now;
    return {
      "X-PAY-Key": this.publicKey,
      "X-PAY-Timestamp": String(timestamp),
      "X-PAY-Signature": signatureOver(this.#secret, timestamp, method, target, bodyHash),
    };
  }

  #timestamp(request: string, now: number, isTaken: boolean): number {
    if (this.#swept !== now) {
      for (const [key, timestamp] of this.#used) if (timestamp < now) this.#used.delete(key);
      this.#swept = now;
    }
    let timestamp = isTaken ? ahead(now) : now;
    // With hundreds of equal requests none may be free; then the server refuses one.
    for (let tries = 0; tries < 20 && this.#used.has(`${timestamp} ${request}`); tries += 1) timestamp = ahead(now);
    this.#used.set(`${timestamp} ${request}`, timestamp);
    return timestamp;
  }
}

function ahead(now: number): number {
  return now + 1 + Math.floor(Math.random() * MOST_AHEAD);
}

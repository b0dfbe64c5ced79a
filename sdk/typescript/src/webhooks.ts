// Whether a webhook is from the gateway. Both families of signature are over the bytes of the body as they came, so the
// body must not have been parsed before.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { WebhookFault } from "./errors.js";
import { WebhookVerificationError } from "./errors.js";
import type { SwitchyardEvent } from "./events.js";
import { parseExact } from "./exact.js";

/** Headers as they are in `fetch`, in Node's `http` and in Express. */
export type WebhookHeaders =
  { get(name: string): string | null } | Record<string, string | readonly string[] | undefined>;

export interface VerifyOptions {
  /** How far the timestamp may be from now, both ways: 300 unless given. */
  toleranceSeconds?: number;
  /** The time, for tests. */
  now?: Date;
}

/**
 * The event of a webhook that one of the secrets signed; throws [`WebhookVerificationError`] with a `reason` otherwise.
 * A secret is the text that the gateway showed, or its `whsec_…` form. While it is being replaced, give the old one and
 * the new one.
 */
export function verify(
  rawBody: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
  { toleranceSeconds = 300, now = new Date() }: VerifyOptions = {},
): SwitchyardEvent {
  if (typeof rawBody !== "string" && !(rawBody instanceof Uint8Array)) {
    throw fault("not_raw_body", "give the body's bytes as they came, not what was parsed of them");
  }
  const body = typeof rawBody === "string" ? Buffer.from(rawBody) : rawBody;
  const keys = (typeof secret === "string" ? [secret] : [...(secret ?? [])]).map(keyOf);
  if (keys.length === 0) throw fault("no_secret", "no webhook secret is given");
  const found = schemesOf(headers);
  if (found.length === 0) throw fault("missing_headers", "there is no complete set of signature headers");
  let worst: WebhookVerificationError | undefined;
  for (const { timestamp, head, given, encoding } of found) {
    const away = Math.abs(Number(timestamp) - now.getTime() / 1000);
    if (!/^\d{1,12}$/.test(timestamp)) {
      worst ??= fault("bad_timestamp", "the timestamp is not an integer of Unix seconds");
    } else if (Math.floor(away) > toleranceSeconds) {
      worst ??= fault("timestamp_out_of_range", `the timestamp is more than ${toleranceSeconds} seconds away`);
    } else if (keys.some((key) => isSigned(key, `${head}.`, body, given, encoding))) {
      return eventOf(body);
    } else {
      worst = fault("bad_signature", "no signature is that of a secret that was given");
    }
  }
  throw worst;
}

interface Scheme {
  timestamp: string;
  /** What is signed before the body. */
  head: string;
  given: string[];
  encoding: "hex" | "base64";
}

/** The signatures that the headers have, of both families. */
function schemesOf(headers: WebhookHeaders): Scheme[] {
  const header = readerOf(headers);
  const schemes: Scheme[] = [];
  const [id, standardTime, standard] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
  if (id && standardTime && standard) {
    const versions = standard.split(" ").filter((entry) => entry.startsWith("v1,"));
    const given = versions.map((entry) => entry.slice(3));
    schemes.push({ timestamp: standardTime, head: `${id}.${standardTime}`, given, encoding: "base64" });
  }
  const [ownTime, own] = ["x-pay-timestamp", "x-pay-signature"].map(header);
  if (ownTime && own) schemes.push({ timestamp: ownTime, head: ownTime, given: [own], encoding: "hex" });
  return schemes;
}

/** Reads a header's one value, whatever the case of its name. */
function readerOf(headers: WebhookHeaders): (name: string) => string | undefined {
  if (typeof headers.get === "function") {
    const { get } = headers as { get(name: string): string | null };
    return (name) => get.call(headers, name) ?? undefined;
  }
  const values = new Map<string, string | undefined>();
  for (const [name, value] of Object.entries(headers as Record<string, string | readonly string[] | undefined>)) {
    const lower = name.toLowerCase();
    // Sent twice, a header has no one value that could have been signed.
    const one = values.has(lower)
      ? undefined
      : typeof value === "string"
        ? value
        : value?.length === 1
          ? value[0]
          : undefined;
    values.set(lower, one);
  }
  return (name) => values.get(name);
}

function keyOf(secret: string): Buffer {
  const key = typeof secret !== "string" ? "" : secret.trim();
  const bytes = key.startsWith("whsec_") ? Buffer.from(key.slice(6), "base64") : Buffer.from(key);
  // With an empty key anyone could sign.
  if (bytes.length === 0) throw fault("no_secret", "a webhook secret is empty");
  return bytes;
}

/** Whether one of the signatures is right. What is compared has one length, and the time does not tell where it differs. */
function isSigned(key: Buffer, head: string, body: Uint8Array, given: string[], encoding: "hex" | "base64"): boolean {
  const expected = Buffer.from(createHmac("sha256", key).update(head).update(body).digest(encoding));
  return given.some((signature) => {
    const bytes = Buffer.from(signature);
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
}

function eventOf(body: Uint8Array): SwitchyardEvent {
  try {
    return parseExact<SwitchyardEvent>(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw fault("bad_body", "the body is signed, and not JSON");
  }
}

function fault(reason: WebhookFault, message: string): WebhookVerificationError {
  return new WebhookVerificationError(reason, message);
}

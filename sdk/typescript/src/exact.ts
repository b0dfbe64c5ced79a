// JSON with exact decimals: the ledger counts with six places and more digits than a JavaScript number has. What is sent
// keeps the digits that it was given with; what comes keeps them as texts.

import { ValidationError } from "./errors.js";
import type { DecimalLike } from "./types.js";

/** The fields of answers and events that are decimals, or whole numbers of 64 bits. */
const EXACT = new Set([
  ...["delta", "netChange", "balance", "balanceAfter", "computedBalance", "startingBalance", "finalBalance"],
  ...["neutralBalance", "yourBalance", "theirBalance", "yourDiscrepancy", "theirDiscrepancy"],
  ...["yourAmount", "theirAmount", "neutralAmount", "bits", "currentBits"],
]);

/** Parses JSON with exact numbers as texts. Metadata is the caller's own and stays as it is. */
export function parseExact<T>(text: string): T {
  // Strings are taken whole, so that nothing within one is looked at; of those that are names, the number that follows.
  const quoted = text.replace(
    /"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:\s*)?(-?\d[\d.eE+-]*)?/g,
    (whole, name: string, colon: string | undefined, number: string | undefined) =>
      colon !== undefined && number !== undefined && EXACT.has(name) ? `"${name}"${colon}"${number}"` : whole,
  );
  const exact: unknown = JSON.parse(quoted);
  if (quoted !== text && text.includes('"metadata"')) restoreMetadata(exact, JSON.parse(text));
  return exact as T;
}

function restoreMetadata(exact: unknown, plain: unknown): void {
  if (typeof exact !== "object" || exact === null) return;
  for (const [name, value] of Object.entries(exact)) {
    const original = (plain as Record<string, unknown>)[name];
    if (name === "metadata") (exact as Record<string, unknown>)[name] = original;
    else restoreMetadata(value, original);
  }
}

/** A number's own text within JSON to be. */
class Exact {
  constructor(readonly text: string) {}
}

/** The exact number that a text, a number or a bigint is, for [`writeExact`]. `path` is told when it is none. */
export function exact(value: DecimalLike | bigint, path: string): Exact {
  const text = String(value);
  const refuse = (reason: string) => new ValidationError(`${path} ${reason}`, { fields: [{ path, reason }] });
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) throw refuse('must be a decimal, as -42.5 or "-42.5"');
  const digits = text
    .replace(/[eE].*$/, "")
    .replace(/[-.]/g, "")
    .replace(/^0+/, "");
  if (typeof value === "number" && digits.replace(/0+$/, "").length > 15) {
    throw refuse(`has more digits than a number can be trusted with (${text}): give it as a text`);
  }
  return new Exact(text);
}

/** JSON as `JSON.stringify` writes it, with exact numbers by their texts; undefined for what has no place in JSON. */
export function writeExact(value: unknown): string | undefined {
  if (value instanceof Exact) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => writeExact(item) ?? "null").join(",")}]`;
  if (typeof value !== "object" || value === null || "toJSON" in value) return JSON.stringify(value);
  const fields = Object.entries(value).flatMap(([name, field]) => {
    const text = writeExact(field);
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return `{${fields.join(",")}}`;
}

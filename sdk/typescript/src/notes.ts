// Signed notes and checkpoints of transparency logs: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint,
// with Ed25519.

import { createHash, createPublicKey, verify } from "node:crypto";
import { ProofVerificationError } from "./errors.js";

const ED25519 = 1;

/** The public half of a key, with its name. */
export interface VerifierKey {
  name: string;
  id: Buffer;
  publicKey: Buffer;
}

/** Reads `<name>+<8 hexadecimal digits>+<base64>`, as `ledger_key` on `/info` has it. */
export function parseKey(text: string): VerifierKey {
  const [, name = "", id = "", encoded = ""] = /^([^+]*)\+([0-9a-fA-F]{8})\+(.*)$/s.exec(text) ?? [];
  const bytes = base64(encoded);
  if (!isName(name) || bytes === undefined || bytes.length !== 33) {
    throw new ProofVerificationError("key", "The key is not of the form name+8 hexadecimal digits+base64.");
  }
  if (bytes[0] !== ED25519) throw new ProofVerificationError("key", "The key is not an Ed25519 key.");
  const hash = createHash("sha256").update(`${name}\n`).update(bytes).digest().subarray(0, 4);
  if (hash.toString("hex") !== id.toLowerCase()) {
    throw new ProofVerificationError("key", "The key's id does not belong to its name and key.");
  }
  return { name, id: hash, publicKey: bytes.subarray(1) };
}

/** What a note says, after it is known that the key signed it. */
export function openNote(note: string, key: VerifierKey): string {
  const malformed = () => new ProofVerificationError("signature", "The checkpoint's note is malformed.");
  const boundary = note.lastIndexOf("\n\n");
  const text = note.slice(0, boundary + 1);
  if (boundary < 0 || !note.endsWith("\n") || /[\0-\x09\x0b-\x1f]/.test(text)) throw malformed();
  const lines = note.slice(boundary + 2, -1).split("\n");
  if (lines.length > 100) throw malformed();
  const publicKey = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: key.publicKey.toString("base64url") },
    format: "jwk",
  });
  let isSigned = false;
  for (const line of lines) {
    const [, name = "", encoded = ""] = /^\u2014 ([^ ]+) (.*)$/s.exec(line) ?? [];
    const bytes = base64(encoded);
    if (!isName(name) || bytes === undefined || bytes.length < 5) throw malformed();
    if (name !== key.name || !bytes.subarray(0, 4).equals(key.id)) continue;
    if (!verify(null, Buffer.from(text), publicKey, bytes.subarray(4))) {
      throw new ProofVerificationError("signature", "The checkpoint's signature is not good for its note.");
    }
    isSigned = true;
  }
  if (!isSigned) throw new ProofVerificationError("signature", "The checkpoint is not signed by the key.");
  return text;
}

/** Which tree, how many leaves, the root. */
export interface CheckpointText {
  origin: string;
  size: number;
  root: Buffer;
}

export function parseCheckpoint(text: string): CheckpointText {
  const [, origin, size, encoded = ""] = /^([^\n]+)\n(0|[1-9]\d{0,15})\n([^\n]+)\n$/.exec(text) ?? [];
  const root = base64(encoded);
  if (origin === undefined || root?.length !== 32) {
    throw new ProofVerificationError("checkpoint", "The note is not a checkpoint of three lines.");
  }
  return { origin, size: Number(size), root };
}

/** What the first line of a checkpoint must say: whose tree it is, of which customer and which time. */
export function originOf(
  keyName: string,
  tenantId: string,
  mode: string,
  customerId: string | null,
  period: string | null,
): string {
  const isLikeMonth = /^\d{4}-\d\d$/.test(customerId ?? "");
  const encoded = [...Buffer.from(customerId ?? "")].map((byte) => {
    const character = String.fromCharCode(byte);
    const isPlain = /[A-Za-z0-9_.:-]/.test(character) && !(character === "-" && isLikeMonth);
    return isPlain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  const customer = customerId === null ? "" : `/${encoded.join("")}`;
  return `${keyName}/${tenantId}/${mode}${customer}${period === null ? "" : `/${period}`}`;
}

function isName(name: string): boolean {
  return name !== "" && !/[\s+\p{Cc}]/u.test(name);
}

/** The bytes of base64 as it must be written, padding and all. */
function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return text !== "" && bytes.toString("base64") === text ? bytes : undefined;
}

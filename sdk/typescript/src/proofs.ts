// What a receipt or a delta's proof shows to whoever has the published key and nobody's word: that these deltas, all and
// unchanged, are the leaves of a tree whose root the gateway signed. How trees and notes are made is in merkle.ts and
// notes.ts.

import { ProofVerificationError } from "./errors.js";
import type { ProofCheck } from "./errors.js";
import { parseExact } from "./exact.js";
import { leafHash, rootOf, rootOfPath } from "./merkle.js";
import { openNote, originOf, parseCheckpoint, parseKey } from "./notes.js";
import type { Decimal, DeltaProof, Leaf, Mode, Receipt } from "./types.js";

/** What is proven. */
export interface Proven {
  /** The root that the gateway signed. */
  proofRoot: string;
  /** How many deltas the root is over. */
  treeSize: number;
  tenantId: string;
  mode: Mode;
  /** The customer whose tree it is; null for everybody's. */
  customerId: string | null;
  /** The month or stretch of time of the tree; null for all up to the checkpoint. */
  period: string | null;
  /** The deltas that are shown to be in the tree: of a receipt all, of a proof the one. */
  leaves: Leaf[];
  /** What these deltas come to. */
  netChange: Decimal;
}

/**
 * Checks a receipt or a delta's proof with the ledger's key, `ledger_key` on `/info`, and without asking anyone. Takes
 * what `balance.receipt` and `balance.proof` answer, or the JSON of it. Throws [`ProofVerificationError`], which says in
 * `check` and `reason` what is not as it is claimed.
 */
export function verify(document: Receipt | DeltaProof | string | object, publicKey: string): Proven {
  const key = parseKey(publicKey);
  const claimed = read(document);
  const size = claimed.leaves.length;
  const hashes = claimed.leaves.map((leaf, index) => leafHash(canonical(checkedLeaf(leaf, index))));
  const checkpoint = objectIn(claimed.document, "checkpoint");
  const proofRoot = hash(claimed.document.proofRoot, "proofRoot");
  if (claimed.isReceipt) {
    demand("root", rootOf(hashes).equals(proofRoot), `The ${size} deltas do not hash to the proof root.`);
    checkChain(claimed.leaves, hashes);
    checkClaims(claimed.document, claimed.leaves);
  } else {
    checkInclusion(claimed.document, claimed.leaves[0] as Leaf, hashes[0] as Buffer, proofRoot);
  }

  const text = parseCheckpoint(openNote(stringIn(checkpoint, "note"), key));
  const treeSize = claimed.isReceipt ? size : Number(claimed.document.treeSize);
  const isOfRoot = text.root.equals(proofRoot) && hash(checkpoint.proofRoot, "checkpoint.proofRoot").equals(proofRoot);
  demand("checkpoint", isOfRoot, "The checkpoint is not of the proof root.");
  const isOfSize = text.size === treeSize && checkpoint.treeSize === treeSize;
  demand("checkpoint", isOfSize, `The checkpoint is not of a tree of ${treeSize} deltas.`);

  const [customerId, period] = [optional(checkpoint, "customerId"), optional(checkpoint, "period")];
  checkOrigin(claimed.leaves, customerId, period);
  const { tenantId, mode } = claimed.leaves[0] as Leaf;
  const isOfTree = text.origin === originOf(key.name, tenantId, mode, customerId, period);
  demand("origin", isOfTree, "The checkpoint is of another tree than that of these deltas.");
  const netChange = written(claimed.leaves.reduce((sum, leaf) => sum + millionths(leaf.delta), 0n));
  return {
    proofRoot: proofRoot.toString("hex"),
    treeSize,
    tenantId,
    mode,
    customerId,
    period,
    leaves: claimed.leaves,
    netChange,
  };
}

type Claims = Record<string, unknown>;

function read(given: unknown): { document: Claims; isReceipt: boolean; leaves: Leaf[] } {
  let document = given;
  try {
    if (typeof given === "string") document = parseExact(given.replace(/^\uFEFF/, ""));
  } catch {
    throw new ProofVerificationError("format", "This is not JSON.");
  }
  demand("format", isObject(document), "This is neither a receipt, which has leaves, nor a proof, which has a leaf.");
  if (isObject(document.data) && document.leaves === undefined && document.leaf === undefined) document = document.data;
  const { leaf, leaves } = document as Claims;
  const isReceipt = leaf === undefined;
  const list = isReceipt ? leaves : [leaf];
  const reason = "This is neither a receipt, which has leaves, nor a proof, which has a leaf.";
  demand("format", Array.isArray(list) && list.length > 0 && list.every(isObject), reason);
  return { document: document as Claims, isReceipt, leaves: list as unknown as Leaf[] };
}

/** The fields of a leaf in the order of RFC 8785, and what each must be. */
const FIELDS: Record<keyof Leaf, (value: unknown) => boolean> = {
  currency: (value) => value === null || typeof value === "string",
  customerId: isText,
  delta: (value) => isText(value) && /^-?(0|[1-9]\d*)(\.\d{1,6})?$/.test(value) && written(millionths(value)) === value,
  mode: (value) => value === "test" || value === "sandbox" || value === "live",
  previousProofHash: (value) => value === null || (isText(value) && /^[0-9a-f]{64}$/.test(value)),
  reason: isText,
  recordId: isText,
  referenceId: (value) => value === null || typeof value === "string",
  salt: (value) => isText(value) && /^[0-9a-f]{32}$/.test(value),
  sequenceNumber: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
  tenantId: isText,
  verifiedAt: isMoment,
};

function checkedLeaf(leaf: Leaf, index: number): Leaf {
  for (const [name, isSound] of Object.entries(FIELDS)) {
    demand("leaf", isSound(leaf[name as keyof Leaf]), `The ${name} of delta ${index} is not as a leaf has it.`);
  }
  const names = Object.keys(leaf).length;
  demand("leaf", names === Object.keys(FIELDS).length, `The delta ${index} has a field that no leaf has.`);
  return leaf;
}

/** A leaf as JSON of RFC 8785; `JSON.stringify` writes texts and whole numbers as it wants them. */
function canonical(leaf: Leaf): string {
  const names = Object.keys(FIELDS) as (keyof Leaf)[];
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, leaf[name]])));
}

function checkInclusion(proof: Claims, leaf: Leaf, leafIs: Buffer, proofRoot: Buffer): void {
  demand("leaf", hash(proof.leafHash, "leafHash").equals(leafIs), "The delta's fields do not hash to the leaf hash.");
  demand("leaf", proof.recordId === leaf.recordId, "The proof is said to be of another delta than its leaf.");
  const path = Array.isArray(proof.auditPath) ? proof.auditPath.map((sibling) => hash(sibling, "auditPath")) : [];
  const found = rootOfPath(leafIs, Number(proof.leafIndex), Number(proof.treeSize), path);
  const place = `leaf ${String(proof.leafIndex)} of ${String(proof.treeSize)}`;
  demand("inclusion", found?.equals(proofRoot) === true, `The delta is not shown to be ${place} in the tree.`);
}

/** Whether the leaves are in order, and each that directly follows another in the ledger names its hash. */
function checkChain(leaves: Leaf[], hashes: Buffer[]): void {
  leaves.forEach((leaf, index) => {
    const record = `The delta ${leaf.recordId}`;
    const isFirst = leaf.sequenceNumber === 1;
    demand("chain", isFirst === (leaf.previousProofHash === null), `${record} does not name the one before it.`);
    const before = leaves[index - 1];
    if (before === undefined) return;
    demand("chain", leaf.sequenceNumber > before.sequenceNumber, `${record} is out of order.`);
    const isNext = leaf.sequenceNumber === before.sequenceNumber + 1;
    const isLinked = leaf.previousProofHash === hashes[index - 1]?.toString("hex");
    demand("chain", !isNext || isLinked, `${record} does not name the hash of the one before it.`);
  });
}

/** What a receipt says besides its leaves, where it says it. */
function checkClaims(receipt: Claims, leaves: Leaf[]): void {
  const sum = leaves.reduce((sum, leaf) => sum + millionths(leaf.delta), 0n);
  const amount = (name: string) => (receipt[name] === undefined ? undefined : millionths(receipt[name]));
  const [netChange, starting, final] = ["netChange", "startingBalance", "finalBalance"].map(amount);
  demand(
    "sum",
    netChange === undefined || netChange === sum,
    `The deltas come to ${written(sum)}, not to what is said.`,
  );
  const isFinal = starting === undefined || final === undefined || starting + sum === final;
  demand("sum", isFinal, "The final balance is not the starting balance and the deltas.");
  for (const count of [receipt.deltasCount, receipt.deltaCount]) {
    demand("sum", count === undefined || count === leaves.length, "The receipt counts other deltas than it has.");
  }
  for (const name of ["customerId", "currency"] as const) {
    const claim = receipt[name];
    const isSo = claim === undefined || leaves.every((leaf) => leaf[name] === claim);
    demand("origin", isSo, `The receipt's ${name} is not that of its deltas.`);
  }
  const period = optional(objectIn(receipt, "checkpoint"), "period");
  const claimed = receipt.period;
  demand("origin", claimed === undefined || claimed === period, "The receipt's period is not that of its checkpoint.");
  const isWhole = period !== null || starting === undefined || starting === 0n;
  demand("sum", isWhole, "A receipt of everything begins with nothing.");
}

/** Whether the leaves belong to one tree, of that customer and that time. */
function checkOrigin(leaves: Leaf[], customerId: string | null, period: string | null): void {
  const [from, until] = period === null ? ["", "~"] : momentsOf(period);
  for (const { recordId, tenantId, mode, customerId: customer, verifiedAt } of leaves) {
    const isOfTenant = tenantId === leaves[0]?.tenantId && mode === leaves[0]?.mode;
    demand("origin", isOfTenant, `The delta ${recordId} is of another tenant or mode than the first.`);
    const isOfCustomer = customerId === null || customer === customerId;
    demand("origin", isOfCustomer, `The delta ${recordId} is of another customer than the checkpoint.`);
    const isOfTime = from <= verifiedAt && verifiedAt < until;
    demand("origin", isOfTime, `The delta ${recordId} is of another time than the checkpoint.`);
  }
}

/** What a period is from and until: a month, or two moments with a tilde. Moments of one form compare as texts. */
function momentsOf(period: string): [string, string] {
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(period)) return [period, `${period}~`];
  const [from, until, ...more] = period.split("~");
  demand(
    "origin",
    isMoment(from) && isMoment(until) && more.length === 0,
    "The checkpoint's period is no stretch of time.",
  );
  return [from as string, until as string];
}

function isMoment(value: unknown): value is string {
  if (!isText(value) || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  const moment = new Date(value);
  return !Number.isNaN(moment.getTime()) && moment.toISOString() === value;
}

/** A decimal of at most six places, in millionths. */
function millionths(value: unknown): bigint {
  const [, sign, whole = "", fraction = ""] = /^(-?)(\d{1,30})(?:\.(\d{1,6}))?$/.exec(String(value)) ?? [];
  demand("sum", whole !== "", `${String(value)} is not a decimal of at most six places.`);
  const number = BigInt(whole + fraction.padEnd(6, "0"));
  return sign === "-" ? -number : number;
}

function written(number: bigint): Decimal {
  const digits = (number < 0n ? -number : number).toString().padStart(7, "0");
  const fraction = digits.slice(-6).replace(/0+$/, "");
  return `${number < 0n ? "-" : ""}${digits.slice(0, -6)}${fraction && "."}${fraction}`;
}

function hash(value: unknown, name: string): Buffer {
  demand("format", isText(value) && /^[0-9a-fA-F]{64}$/.test(value), `${name} is not 64 hexadecimal digits.`);
  return Buffer.from(value as string, "hex");
}

function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function objectIn(document: Claims, name: string): Claims {
  const value = document[name];
  demand("format", isObject(value), `There is no ${name}.`);
  return value as Claims;
}

function stringIn(document: Claims, name: string): string {
  const value = document[name];
  demand("format", isText(value), `There is no ${name}.`);
  return value as string;
}

function optional(document: Claims, name: string): string | null {
  const value = document[name] ?? null;
  demand("format", value === null || isText(value), `${name} is not a text.`);
  return value as string | null;
}

function demand(check: ProofCheck, holds: boolean, reason: string): asserts holds {
  if (!holds) throw new ProofVerificationError(check, reason);
}

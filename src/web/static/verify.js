// Verifies proofs and receipts of the balance ledger in the browser: leaves in canonical JSON (RFC 8785), the tree of
// RFC 9162, and a signed note (https://c2sp.org/signed-note). Nothing leaves the browser. Without a script, or where the
// browser lacks what it takes, the form goes to the server, which makes the same checks.
(() => {
  "use strict";
  const form = document.getElementById("verify");
  // Browsers give their cryptography to pages that came over https or from their own machine alone.
  if (!form || !globalThis.crypto || !crypto.subtle) return;

  const byId = (id) => document.getElementById(id);
  const encoder = new TextEncoder();
  const FIELDS = ["currency", "customerId", "delta", "mode", "previousProofHash", "reason", "recordId", "referenceId",
    "salt", "sequenceNumber", "tenantId", "verifiedAt"];
  const OPTIONAL = ["currency", "previousProofHash", "referenceId"];

  class Refusal extends Error {}
  const refuse = (sentence) => { throw new Refusal(sentence); };

  // Bytes and hashes
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const joined = (...parts) => {
    const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  };
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const node = (left, right) => sha256(joined([1], left, right));
  const isSame = (left, right) => hex(left) === hex(right);
  const unhex = (text, what) => {
    const digits = typeof text === "string" ? text.replace(/^0x/, "") : "";
    if (!/^[0-9a-fA-F]{64}$/.test(digits)) refuse(`${what} is not 64 hexadecimal digits`);
    return Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
  };
  // Strict: no line breaks, the padding that belongs there, no bits that say nothing.
  const unbase64 = (text) => {
    try {
      const binary = atob(text);
      return btoa(binary) === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : null;
    } catch {
      return null;
    }
  };
  const count = (value, what) => {
    if (!Number.isSafeInteger(value) || value < 0) refuse(`${what} is not a whole number`);
    return BigInt(value);
  };

  // Decimals as whole millionths
  const millionths = (text) => {
    const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,6}))?$/.exec(text) || refuse(`${text} is not a plain decimal`);
    const number = BigInt(whole) * 1000000n + BigInt(fraction.padEnd(6, "0"));
    return sign ? -number : number;
  };
  const plain = (number) => {
    const size = number < 0n ? -number : number;
    const fraction = String(size % 1000000n).padStart(6, "0").replace(/0+$/, "");
    return `${number < 0n ? "-" : ""}${size / 1000000n}${fraction && "."}${fraction}`;
  };

  // Leaves
  const checkLeaf = (leaf) => {
    if (typeof leaf !== "object" || leaf === null || Array.isArray(leaf)) refuse("a leaf is not an object");
    const names = Object.keys(leaf);
    for (const name of FIELDS) if (!names.includes(name)) refuse(`a leaf lacks ${name}`);
    for (const name of names) if (!FIELDS.includes(name)) refuse(`a leaf has an unknown field ${name}`);
    for (const name of FIELDS) {
      const value = leaf[name];
      if (name === "sequenceNumber") {
        if (!Number.isSafeInteger(value) || value < 1) refuse("a leaf's sequenceNumber is not a whole number from 1");
      } else if (!(value === null && OPTIONAL.includes(name))) {
        if (typeof value !== "string" || /\p{Surrogate}/u.test(value)) refuse(`a leaf's ${name} is not a text`);
      }
    }
    if (plain(millionths(leaf.delta)) !== leaf.delta) refuse(`the delta ${leaf.delta} is not a plain decimal`);
    if (!["test", "sandbox", "live"].includes(leaf.mode)) refuse("a leaf's mode is not test, sandbox or live");
    if (!/^[0-9a-fA-F]{32}$/.test(leaf.salt)) refuse("a leaf's salt is not 32 hexadecimal digits");
    const moment = new Date(leaf.verifiedAt);
    if (Number.isNaN(moment.getTime()) || moment.toISOString() !== leaf.verifiedAt) refuse("a leaf's verifiedAt is not a moment such as 2026-01-31T09:30:00.000Z");
  };
  const canonical = (leaf) => {
    const before = leaf.previousProofHash;
    const same = { ...leaf, salt: leaf.salt.toLowerCase(), previousProofHash: before === null ? null : hex(unhex(before, "a leaf's previousProofHash")) };
    return `{${FIELDS.map((name) => `"${name}":${JSON.stringify(same[name])}`).join(",")}}`;
  };
  const leafHash = (leaf) => sha256(joined([0], encoder.encode(canonical(leaf))));

  // Trees
  const rootOf = async (hashes) => {
    if (hashes.length === 0) return sha256(new Uint8Array());
    let level = hashes;
    while (level.length > 1) {
      const next = [];
      for (let at = 0; at < level.length; at += 2) next.push(at + 1 < level.length ? await node(level[at], level[at + 1]) : level[at]);
      level = next;
    }
    return level[0];
  };
  // RFC 9162, 2.1.3.2. Gives what is wrong, or nothing.
  const inclusionFault = async (leaf, index, size, path, root) => {
    if (index >= size) return `a tree of ${size} leaves has no leaf at index ${index}`;
    let [place, last, found] = [index, size - 1n, leaf];
    for (const sibling of path) {
      if (last === 0n) return `the path is too long for a tree of ${size} leaves`;
      if ((place & 1n) === 1n || place === last) {
        found = await node(sibling, found);
        while ((place & 1n) === 0n && place !== 0n) [place, last] = [place >> 1n, last >> 1n];
      } else {
        found = await node(found, sibling);
      }
      [place, last] = [place >> 1n, last >> 1n];
    }
    if (last !== 0n) return `the path is too short for a tree of ${size} leaves`;
    return isSame(found, root) ? null : `the path leads to the root ${hex(found)}, not to ${hex(root)}`;
  };

  // Notes
  const isName = (name) => name !== "" && !/[\s+\p{Cc}]/u.test(name);
  const parseKey = async (text) => {
    const [, name, id, encoded] = /^([^+]+)\+([0-9a-fA-F]{8})\+(.+)$/.exec(text) || refuse("the verifier key is not of the form name+8 hexadecimal digits+base64");
    const bytes = unbase64(encoded);
    if (!isName(name) || !bytes) refuse("the verifier key is not of the form name+8 hexadecimal digits+base64");
    if (bytes[0] !== 1 || bytes.length !== 33) refuse("the verifier key is not an Ed25519 key");
    const right = hex((await sha256(joined(encoder.encode(`${name}\n`), bytes))).slice(0, 4));
    if (right !== id.toLowerCase()) refuse(`the verifier key's id ${id} does not belong to its name and key, whose id is ${right}`);
    return { name, id: right, short: `${name}+${right}`, publicKey: bytes.slice(1) };
  };
  const parseNote = (note) => {
    if (typeof note !== "string" || /[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u.test(note)) refuse("the note is malformed: it has a control character");
    const boundary = note.lastIndexOf("\n\n");
    if (boundary < 0 || !note.endsWith("\n") || boundary + 2 >= note.length) refuse("the note is malformed: no empty line parts its text from its signatures");
    const lines = note.slice(boundary + 2, -1).split("\n");
    if (lines.length > 100) refuse("the note is malformed: it has more than 100 signatures");
    const signatures = lines.map((line) => {
      const [, name, encoded] = /^\u2014 (\S+) (\S+)$/u.exec(line) || [];
      const bytes = encoded && unbase64(encoded);
      if (!bytes || bytes.length < 5 || !isName(name)) refuse("the note is malformed: a signature line is not an em dash, a name and base64");
      return { name, id: hex(bytes.slice(0, 4)), bytes: bytes.slice(4) };
    });
    const text = note.slice(0, boundary + 1);
    const [origin, size, root, ...rest] = text.slice(0, -1).split("\n");
    const hash = unbase64(root || "");
    if (!origin || rest.length > 0 || !/^(0|[1-9]\d*)$/.test(size || "") || !hash || hash.length !== 32) refuse("the note is not a checkpoint");
    return { text, signatures, origin, size: BigInt(size), root: hash };
  };
  const importKey = (key) => crypto.subtle.importKey("raw", key.publicKey, { name: "Ed25519" }, false, ["verify"]);
  const isMonth = (text) => /^\d{4}-\d{2}$/.test(text);
  // A month, or two moments written like the leaf's own with a tilde between.
  const isWithin = (moment, period) => {
    if (isMonth(period)) return moment.startsWith(period);
    const [start, end, ...rest] = period.split("~");
    return rest.length === 0 && end !== undefined && start.length === moment.length && end.length === moment.length && start <= moment && moment < end;
  };
  const originTail = (leaf, { customerId, period }) => {
    let tail = `/${leaf.tenantId}/${leaf.mode}`;
    if (customerId !== null) {
      const encoded = Array.from(encoder.encode(customerId), (byte) => {
        const character = String.fromCharCode(byte);
        const isKept = /[A-Za-z0-9_.:-]/.test(character) && !(character === "-" && isMonth(customerId));
        return isKept ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
      });
      tail += `/${encoded.join("")}`;
    }
    return period === null ? tail : `${tail}/${period}`;
  };

  // The checks, each of which gives its outcome and a sentence
  const checks = () => {
    const found = [];
    const tell = (name, outcome, sentence) => found.push({ name, outcome, sentence });
    return { found, passed: (name, sentence) => tell(name, "passed", sentence), failed: (name, sentence) => tell(name, "failed", sentence), unknown: (name, sentence) => tell(name, "unknown", sentence) };
  };

  const checkCheckpoint = async (told, checkpoint, root, size, leaves, key) => {
    let note;
    try {
      note = parseNote(checkpoint.note);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      told.failed("checkpoint", `The checkpoint cannot be read: ${error.message}.`);
      told.failed("origin", `The checkpoint cannot be read: ${error.message}.`);
      told.failed("signature", `The signature cannot be read: ${error.message}.`);
      return;
    }
    const ownRoot = unhex(checkpoint.proofRoot, "the checkpoint's proofRoot");
    const ownSize = count(checkpoint.treeSize, "the checkpoint's treeSize");
    if (!isSame(note.root, root) || !isSame(ownRoot, root)) {
      told.failed("checkpoint", `The checkpoint is of the root ${hex(isSame(note.root, root) ? ownRoot : note.root)}, not of the proof root.`);
    } else if (note.size !== size || ownSize !== size) {
      told.failed("checkpoint", `The checkpoint is of a tree of ${note.size === size ? ownSize : note.size} deltas, not of ${size}.`);
    } else {
      told.passed("checkpoint", `The checkpoint is of the proof root and of ${size} deltas.`);
    }
    const scope = { customerId: checkpoint.customerId ?? null, period: checkpoint.period ?? null };
    const fault = originFault(note, leaves, scope, key);
    if (fault) told.failed("origin", fault);
    else told.passed("origin", `The checkpoint is of the tree ${note.origin}, where these deltas belong.`);
    await checkSignature(told, note, key);
  };

  const originFault = (note, leaves, scope, key) => {
    if (leaves.length === 0) return "There is no delta that would tell whose tree it is.";
    const [first] = leaves;
    for (const leaf of leaves) {
      if (leaf.tenantId !== first.tenantId || leaf.mode !== first.mode) return `The delta ${leaf.recordId} is of another tenant or mode than the first.`;
      if (scope.customerId !== null && scope.customerId !== leaf.customerId) return `The delta ${leaf.recordId} is of another customer than the checkpoint.`;
      if (scope.period !== null && !isWithin(leaf.verifiedAt, scope.period)) return `The delta ${leaf.recordId} is of another time than the checkpoint.`;
    }
    const tail = originTail(first, scope);
    const isOfThisTree = key ? note.origin === key.name + tail : note.origin.endsWith(tail);
    return isOfThisTree ? null : `The checkpoint is of the tree ${JSON.stringify(note.origin)}, which is not that of these deltas.`;
  };

  const checkSignature = async (told, note, key) => {
    if (!key) {
      told.unknown("signature", "The signature was not checked, because no key was given.");
      return;
    }
    let imported;
    try {
      imported = await importKey(key);
    } catch {
      told.unknown("signature", "The signature was not checked here, because this browser has no Ed25519. Have the server check it.");
      byId("ask").hidden = false;
      return;
    }
    const ours = note.signatures.filter((signature) => signature.name === key.name && signature.id === key.id);
    for (const signature of ours) {
      if (!await crypto.subtle.verify({ name: "Ed25519" }, imported, signature.bytes, encoder.encode(note.text))) {
        told.failed("signature", `The checkpoint is not signed: the signature of the key ${key.short} is not good for this note.`);
        return;
      }
    }
    if (ours.length === 0) told.failed("signature", `The checkpoint is not signed: the note is not signed by the key ${key.short}.`);
    else told.passed("signature", `The checkpoint is signed by the key ${key.short}.`);
  };

  const checkProof = async (proof, key) => {
    const told = checks();
    checkLeaf(proof.leaf);
    const root = unhex(proof.proofRoot, "proofRoot");
    const claimed = unhex(proof.leafHash, "leafHash");
    const [index, size] = [count(proof.leafIndex, "leafIndex"), count(proof.treeSize, "treeSize")];
    if (!Array.isArray(proof.auditPath)) refuse("auditPath is not a list");
    const path = proof.auditPath.map((hash) => unhex(hash, "a hash of the path"));
    const hash = await leafHash(proof.leaf);
    if (!isSame(hash, claimed)) told.failed("leaf", `The delta's fields hash to ${hex(hash)}, not to the proof's leafHash.`);
    else if (proof.recordId !== proof.leaf.recordId) told.failed("leaf", `The proof is said to be of ${JSON.stringify(proof.recordId)}, but its leaf is of ${JSON.stringify(proof.leaf.recordId)}.`);
    else told.passed("leaf", "The delta's fields hash to the leaf hash of the proof.");
    const fault = await inclusionFault(hash, index, size, path, root);
    const place = `leaf ${index} of ${size}`;
    if (fault) told.failed("inclusion", `The delta is not shown to be ${place} in the tree: ${fault}.`);
    else told.passed("inclusion", `The delta is ${place} in the tree of the proof root.`);
    await checkCheckpoint(told, proof.checkpoint, root, size, [proof.leaf], key);
    return { checks: told.found, root: hex(root), leaves: [proof.leaf] };
  };

  const chainFault = (leaves, hashes) => {
    for (const [at, leaf] of leaves.entries()) {
      const before = leaf.previousProofHash;
      if (leaf.sequenceNumber === 1 && before !== null) return `The delta ${leaf.recordId} is its ledger's first, and yet names one before it.`;
      if (leaf.sequenceNumber > 1 && before === null) return `The delta ${leaf.recordId} names no delta before it.`;
      if (at === 0) continue;
      const gap = leaf.sequenceNumber - leaves[at - 1].sequenceNumber;
      if (gap < 1) return `The delta ${leaf.recordId} is out of order.`;
      if (gap === 1 && !isSame(unhex(before, "a leaf's previousProofHash"), hashes[at - 1])) return `The delta ${leaf.recordId} does not name the hash of the one before it.`;
    }
    return null;
  };

  const checkReceipt = async (receipt, key, text) => {
    const told = checks();
    const { leaves } = receipt;
    if (!Array.isArray(leaves)) refuse("leaves is not a list");
    leaves.forEach(checkLeaf);
    const root = unhex(receipt.proofRoot, "proofRoot");
    const hashes = [];
    for (const leaf of leaves) hashes.push(await leafHash(leaf));
    const found = await rootOf(hashes);
    if (isSame(found, root)) told.passed("root", `All ${leaves.length} deltas, in this order, hash to the proof root.`);
    else told.failed("root", `The ${leaves.length} deltas hash to the root ${hex(found)}, not to the proof root.`);
    const broken = chainFault(leaves, hashes);
    if (broken) told.failed("chain", broken);
    else told.passed("chain", "The deltas are in order, and each that directly follows another names its hash.");
    if (receipt.netChange !== undefined && receipt.netChange !== null) {
      // The number as it is written: a browser's numbers are not exact.
      const [, written] = /"netChange"\s*:\s*"?(-?[0-9.]+)"?\s*[,}]/.exec(text) || refuse("netChange is not a plain decimal");
      const sum = leaves.reduce((total, leaf) => total + millionths(leaf.delta), 0n);
      if (sum === millionths(written)) told.passed("sum", `The deltas come to ${plain(sum)}, as the receipt says.`);
      else told.failed("sum", `The deltas come to ${plain(sum)}, not to the ${written} that the receipt says.`);
    }
    await checkCheckpoint(told, receipt.checkpoint, root, BigInt(leaves.length), leaves, key);
    return { checks: told.found, root: hex(root), leaves };
  };

  const check = async (text, key) => {
    let parsed;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      refuse(`this is not a JSON object: ${error.message}`);
    }
    const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject(parsed) && isObject(parsed.data) && !parsed.leaf && !parsed.leaves) parsed = parsed.data;
    if (!isObject(parsed) || !(parsed.leaf || parsed.leaves)) refuse("this is neither a delta's proof, which has a leaf, nor a receipt, which has leaves");
    if (!isObject(parsed.checkpoint)) refuse("this has no checkpoint");
    return parsed.leaf ? checkProof(parsed, key) : checkReceipt(parsed, key, text);
  };

  // The page
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const SIGNS = { passed: ["✓", "Holds"], failed: ["✗", "Does not hold"], unknown: ["?", "Not checked"] };
  const item = ({ name, outcome, sentence }) => {
    const sign = make("span", { className: "sign" }, SIGNS[outcome][0]);
    sign.setAttribute("aria-hidden", "true");
    const words = make("span", {}, make("span", { className: "unseen" }, `${SIGNS[outcome][1]}: `), sentence);
    const element = make("li", { className: outcome }, sign, words);
    element.dataset.check = name;
    return element;
  };
  const facts = (className, rows) => make("dl", { className }, ...rows.filter(([, value]) => value !== null && value !== "")
    .flatMap(([name, value, kind = "span"]) => [make("dt", {}, name), make("dd", {}, make(kind, {}, value))]));
  const LISTED = 100;
  const show = ({ checks: found, root, leaves }, keyText) => {
    const verified = found.every(({ outcome }) => outcome === "passed");
    const verdict = make("h2", { id: "verdict", className: verified ? "good" : "bad" }, verified ? "Verified" : "Not verified");
    const deltas = leaves.slice(0, LISTED).map((leaf) => facts("facts delta", [
      ["Delta", leaf.currency ? `${leaf.delta} ${leaf.currency}` : leaf.delta, "strong"], ["Customer", leaf.customerId],
      ["Reason", leaf.reason], ["Reference", leaf.referenceId], ["Record", leaf.recordId, "code"],
      ["Place", String(leaf.sequenceNumber)], ["Verified", leaf.verifiedAt], ["Ledger", `${leaf.tenantId}, ${leaf.mode}`],
    ]));
    const more = leaves.length - deltas.length;
    byId("result").replaceChildren(verdict,
      make("p", { className: "quiet", id: "where" }, "Checked in this browser."),
      make("ul", { className: "checks", id: "checks" }, ...found.map(item)),
      Object.assign(facts("facts", [["Proof root", root, "code"], ["Key", keyText || "none", keyText ? "code" : "span"]]), { id: "facts" }),
      make("div", { id: "deltas" }, ...deltas),
      ...(more > 0 ? [make("p", { className: "quiet" }, `And ${more} more.`)] : []));
    byId("result").hidden = false;
    byId("result").focus({ preventScroll: true });
    byId("result").scrollIntoView({ block: "nearest" });
  };
  const complain = (field, sentence) => {
    byId(`${field}-fault`).textContent = sentence;
    if (sentence) byId(field).setAttribute("aria-invalid", "true");
    else byId(field).removeAttribute("aria-invalid");
    if (sentence) byId(field).focus();
  };
  const withComplaints = async (field, action) => {
    try {
      return { value: await action() };
    } catch (error) {
      complain(field, error instanceof Refusal ? error.message : `this cannot be read: ${error.message}`);
      return null;
    }
  };
  const run = async () => {
    complain("document", "");
    complain("key", "");
    byId("ask").hidden = true;
    byId("result").hidden = true;
    const keyText = byId("key").value.trim();
    const key = await withComplaints("key", async () => (keyText ? parseKey(keyText) : null));
    const found = key && await withComplaints("document", () => check(byId("document").value.trim(), key.value));
    if (found) show(found.value, keyText);
  };
  form.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter.id === "ask") return;
    event.preventDefault();
    run();
  });

  // Files, chosen or dropped
  const take = async (file) => {
    if (!file) return;
    byId("document").value = await file.text();
    run();
  };
  byId("choose").hidden = false;
  byId("file").addEventListener("change", (event) => take(event.target.files[0]));
  const card = byId("drop");
  for (const [name, isOver] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
    card.addEventListener(name, (event) => {
      event.preventDefault();
      card.classList.toggle("over", isOver);
    });
  }
  card.addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
})();

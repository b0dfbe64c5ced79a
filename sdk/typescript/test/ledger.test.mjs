// What the client does with the ledger of a real server, and what its receipts and proofs show offline.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import * as sdk from "switchyard-pay";
import { startServer } from "./support/server.mjs";

const { Switchyard, proofs } = sdk;

describe("the balance ledger", () => {
  let server, client, key;
  const endings = [];

  before(async () => {
    server = await startServer((end) => endings.push(end));
    client = new Switchyard({ baseUrl: server.url, apiKey: await server.apiKey() });
    key = (await (await fetch(`${server.url}/info`)).json()).ledger_key;
  });
  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  const emit = (customerId, delta, more = {}) =>
    client.balance.emitAndWait({ customerId, delta, reason: "usage", ...more });

  it("keeps every digit, both ways", async () => {
    const customerId = "digits";
    const texts = ["999999999.999999", "-0.000001", "0.1", "1e2", "123456789.123456"];
    for (const delta of texts) await emit(customerId, delta);
    await emit(customerId, 0.25);
    const { computedBalance, deltas } = await client.balance.derive(customerId, {
      startingBalance: "9000000000000000.000001",
    });
    assert.equal(computedBalance, "9000001123456889.473455");
    assert.deepEqual(
      deltas.map(({ delta }) => delta),
      ["999999999.999999", "-0.000001", "0.1", "100", "123456789.123456", "0.25"],
    );
    assert.equal(typeof deltas[0].sequenceNumber, "number");
    await assert.rejects(emit(customerId, 0.1 + 0.2), { name: "ValidationError", status: undefined });
    await assert.rejects(emit(customerId, "one"), sdk.ValidationError);
    await assert.rejects(emit(customerId, "0.1234567"), { name: "ValidationError", status: 400 });
  });

  it("leaves metadata and texts as they are, whatever they look like", async () => {
    const metadata = { delta: 1.5, bits: 2, 'a"delta': 3, deep: { netChange: -1e-7, list: [{ delta: 4 }] } };
    const delta = await emit("quoted", "-42.5", { metadata, reason: 'said "delta": 1, {"delta": 2}\\' });
    assert.equal(delta.delta, "-42.5");
    assert.deepEqual(delta.metadata, metadata);
    assert.equal(delta.reason, 'said "delta": 1, {"delta": 2}\\');
  });

  it("takes one delta of one reference, and says of a batch what came of each", async () => {
    const delta = { customerId: "batch", delta: "1", reason: "usage", referenceId: "job-1" };
    const first = await client.balance.emit(delta);
    assert.equal(first.status, "QUEUED");
    const again = await client.balance.emit(delta);
    assert.equal(again.recordId, first.recordId);
    assert.equal(again.idempotent, true);
    await assert.rejects(client.balance.emit({ ...delta, delta: "2" }), { status: 409, code: "AlreadyExists" });
    const batch = await client.balance.emitBatch([delta, { ...delta, referenceId: "job-2" }, { ...delta, delta: 0 }]);
    assert.deepEqual(batch.results.map(({ status }) => status).slice(1), ["QUEUED", "FAILED"]);
    assert.equal(batch.totalFailed, 1);
    const options = { idempotencyKey: randomUUID() };
    const unnamed = { customerId: "batch", delta: "1", reason: "usage" };
    const twice = [await client.balance.emit(unnamed, options), await client.balance.emit(unnamed, options)];
    assert.equal(twice[0].recordId, twice[1].recordId);
  });

  it("compares two sides", async () => {
    await emit("compared", "-42.5", { referenceId: "job-1" });
    const compared = await client.balance.compare({
      customerId: "compared",
      yourBalance: "-42.5",
      theirBalance: -40,
      theirDeltas: [{ referenceId: "job-1", amount: "-40" }],
    });
    assert.deepEqual([compared.matches, compared.matchesYours, compared.matchesTheirs], [false, true, false]);
    assert.equal(compared.theirDiscrepancy, "2.5");
    assert.deepEqual(compared.differences, [
      { referenceId: "job-1", yourAmount: null, theirAmount: "-40", neutralAmount: "-42.5" },
    ]);
    await assert.rejects(client.balance.derive("compared", { period: "2026-01", timePreset: "current_month" }), {
      name: "ValidationError",
      code: "INVALID_SCOPE_COMBINATION",
    });
  });

  it("signs checkpoints, lists them over pages, and knows their roots", async () => {
    const roots = [];
    for (const delta of ["1", "2", "3"]) {
      await emit("checked", delta);
      roots.unshift((await client.balance.checkpoint({ customerId: "checked" })).proofRoot);
    }
    assert.equal((await client.balance.checkpoint({ customerId: "checked" })).proofRoot, roots[0]);
    const found = [];
    for await (const { proofRoot } of client.balance.checkpoints({ customerId: "checked", limit: 2 }))
      found.push(proofRoot);
    assert.deepEqual(found, roots);
    assert.equal((await client.balance.checkpoints({ customerId: "checked", limit: 2 }).page()).next_cursor, "2");
    const known = await client.balance.verify(roots[0]);
    assert.deepEqual(known.summary, { recordCount: 3, netChange: "6" });
    await assert.rejects(client.balance.verify("0".repeat(64)), sdk.NotFoundError);
  });

  it("proves a customer's deltas offline, of all time, of a month and of a stretch", async () => {
    const nasty = '“quoted” "\\/\u2028 é 😀 </script>';
    for (const delta of ["10", "-2.5", "0.000001", "7", "100"]) {
      await emit("proven", delta, { reason: nasty, metadata: { netChange: 1 } });
      await emit("2026-01", "1");
    }
    const month = new Date().toISOString().slice(0, 7);
    const [startDate, endDate] = [-1, 1].map((days) => new Date(Date.now() + days * 86_400_000).toISOString());
    for (const stretch of [undefined, { period: month }, { startDate, endDate }]) {
      const receipt = await client.balance.receipt("proven", stretch);
      const proven = proofs.verify(receipt, key);
      assert.equal(proven.netChange, "114.500001");
      assert.equal(proven.leaves.length, 5);
      assert.equal(proven.customerId, "proven");
      assert.deepEqual(proofs.verify(JSON.parse(JSON.stringify(receipt)), key), proven);
      // As curl has it: with numbers as they came, in an envelope, as a text.
      const raw = JSON.stringify({
        success: true,
        data: { ...receipt, netChange: 114.500001, finalBalance: 114.500001 },
      });
      assert.deepEqual(proofs.verify(raw, key), proven);
    }
    assert.equal(proofs.verify(await client.balance.receipt("2026-01"), key).customerId, "2026-01");
  });

  it("proves single deltas offline, in trees of every size", async () => {
    const records = [];
    for (let size = 1; size <= 9; size += 1) {
      records.push((await emit("grown", String(size))).recordId);
      const { checkpointId } = await client.balance.checkpoint({ customerId: "grown" });
      for (const recordId of records) {
        const proof = await client.balance.proof(recordId, { checkpoint: checkpointId });
        assert.equal(proofs.verify(proof, key).treeSize, size);
      }
    }
    const everybodys = await client.balance.checkpoint();
    const proof = await client.balance.proof(records[4], { checkpoint: everybodys.proofRoot });
    assert.equal(proofs.verify(proof, key).customerId, null);
  });

  it("refuses every change of a receipt or a proof, and says why", async () => {
    const records = [];
    for (const delta of ["10", "20", "-5"]) {
      records.push((await emit("tampered", delta)).recordId);
      await emit("tampered-with", "1");
    }
    const receipt = await client.balance.receipt("tampered");
    const other = await client.balance.receipt("tampered-with");
    const proof = await client.balance.proof(records[1]);
    const root = "ab".repeat(32);
    const [name, , encoded] = key.split("+");
    const changes = [
      [receipt, "root", (it) => (it.leaves[0].delta = "11")],
      [receipt, "root", (it) => (it.leaves[0].reason = "Usage")],
      [receipt, "root", (it) => (it.leaves[1].salt = "0".repeat(32))],
      [receipt, "root", (it) => it.leaves.pop()],
      [receipt, "root", (it) => it.leaves.reverse()],
      [receipt, "root", (it) => (it.proofRoot = root)],
      [receipt, "leaf", (it) => (it.leaves[0].note = "more")],
      [receipt, "leaf", (it) => (it.leaves[0].delta = "10.0")],
      [receipt, "leaf", (it) => delete it.leaves[0].currency],
      [receipt, "sum", (it) => (it.netChange = "26")],
      [receipt, "sum", (it) => (it.finalBalance = "26")],
      [receipt, "sum", (it) => ((it.startingBalance = "1"), (it.finalBalance = "26"))],
      [receipt, "sum", (it) => (it.deltasCount = 4)],
      [receipt, "origin", (it) => (it.customerId = "other")],
      [receipt, "origin", (it) => (it.currency = "IDR")],
      [receipt, "origin", (it) => (it.period = "2026-01")],
      [receipt, "origin", (it) => (it.checkpoint.period = "2020-01")],
      [receipt, "origin", (it) => ((it.checkpoint.period = "2020-01"), (it.period = "2020-01"))],
      [receipt, "origin", (it) => (it.checkpoint.customerId = null)],
      [receipt, "origin", (it) => (it.checkpoint.customerId = "other")],
      [receipt, "checkpoint", (it) => (it.checkpoint.proofRoot = root)],
      [receipt, "checkpoint", (it) => (it.checkpoint.treeSize = 2)],
      [receipt, "checkpoint", (it) => (it.checkpoint = other.checkpoint)],
      [receipt, "signature", (it) => (it.checkpoint.note = it.checkpoint.note.replace("\n3\n", "\n4\n"))],
      [receipt, "signature", (it) => (it.checkpoint.note = it.checkpoint.note.replace("/test/", "/live/"))],
      [receipt, "signature", (it) => (it.checkpoint.note = it.checkpoint.note.replace("\n\n", "\n"))],
      [receipt, "signature", (it) => (it.checkpoint.note = it.checkpoint.note.replace("\u2014", "-"))],
      [receipt, "format", (it) => delete it.checkpoint],
      [receipt, "format", (it) => delete it.leaves],
      [receipt, "format", (it) => (it.leaves = [])],
      [receipt, "format", (it) => (it.proofRoot = "0")],
      [proof, "leaf", (it) => (it.leaf.delta = "21")],
      [proof, "leaf", (it) => (it.recordId = records[0])],
      [proof, "leaf", (it) => (it.leafHash = root)],
      [proof, "inclusion", (it) => (it.leafIndex += 1)],
      [proof, "inclusion", (it) => (it.leafIndex = -1)],
      [proof, "inclusion", (it) => (it.auditPath[0] = root)],
      [proof, "inclusion", (it) => it.auditPath.pop()],
      [proof, "inclusion", (it) => it.auditPath.push(root)],
      [proof, "inclusion", (it) => (it.auditPath = [])],
      [proof, "inclusion", (it) => (it.treeSize = 9)],
      [proof, "format", (it) => (it.leaf = "text")],
    ];
    assert.equal(proofs.verify(receipt, key).netChange, "25");
    assert.equal(proofs.verify(proof, key).netChange, "20");
    for (const [document, check, change] of changes) {
      const changed = structuredClone(document);
      change(changed);
      assert.throws(
        () => proofs.verify(changed, key),
        (error) => {
          assert.ok(error instanceof sdk.ProofVerificationError, String(error));
          assert.equal(error.check, check, `${change}: ${error.reason}`);
          assert.match(error.reason, /\.$/);
          return true;
        },
      );
    }
    for (const bad of ["", "x", `${name}+00000000+${encoded}`, key.replace(/.$/, ""), `other${key}`]) {
      assert.throws(() => proofs.verify(receipt, bad), { check: "key" });
    }
    for (const bad of ["", "[]", "null", "{", '{"leaves": {}}']) {
      assert.throws(() => proofs.verify(bad, key), { check: "format" });
    }
  });

  it("is never misled by a single character", async () => {
    for (const delta of ["10", "-2.5"]) await emit("letters", delta);
    const { recordId } = await emit("letters", "7");
    for (const document of [await client.balance.receipt("letters"), await client.balance.proof(recordId)]) {
      const proven = proofs.verify(document, key);
      const text = JSON.stringify(document);
      let refused = 0;
      for (let at = 0; at < text.length; at += 1) {
        for (const other of ["0", "a", '"', " "]) {
          const changed = text.slice(0, at) + other + text.slice(at + 1);
          if (changed === text) continue;
          try {
            // What may be changed is what no claim is about, and so is not among what is proven.
            assert.deepEqual(proofs.verify(changed, key), proven, changed);
          } catch (error) {
            assert.ok(error instanceof sdk.ProofVerificationError, `${error}: ${changed}`);
            refused += 1;
          }
        }
      }
      assert.ok(refused > 2 * text.length, `${refused} of ${text.length}`);
    }
  });

  it("adds up writes", async () => {
    const items = [
      { key: "order-1", accountId: "acme", bits: 1 },
      { key: "order-2", accountId: "acme", bits: 9007199254740993n, metadata: { bits: 1 } },
    ];
    const { requestId, itemCount } = await client.writes.create(items);
    assert.equal(itemCount, 2);
    for (let found; found?.status !== "verified";) {
      found = await client.writes.get(requestId);
      assert.deepEqual(
        found.items.map(({ bits }) => bits),
        ["1", "9007199254740993"],
      );
    }
  });

  it("says when the plan has no more room", async () => {
    const small = new Switchyard({ baseUrl: server.url, apiKey: await server.apiKey() });
    const deltas = Array.from({ length: 100 }, () => ({ customerId: "full", delta: 1, reason: "usage" }));
    assert.equal((await small.balance.emitBatch(deltas)).totalQueued, 100);
    await assert.rejects(small.balance.emit(deltas[0]), (error) => {
      assert.ok(error instanceof sdk.PlanLimitExceededError);
      assert.equal(error.code, "PlanLimitExceeded");
      return true;
    });
    assert.equal((await small.balance.derive("full")).customerId, "full");
  });

  it("wants the right key", async () => {
    await assert.rejects(client.payments.get("pay_1"), { name: "AuthenticationError", status: undefined });
    const stranger = new Switchyard({ baseUrl: server.url, apiKey: "pk_test_nobody.secret" });
    await assert.rejects(stranger.balance.get("rec_1"), { name: "AuthenticationError", status: 401 });
  });
});

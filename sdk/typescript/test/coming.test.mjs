// Invoices, payment links, buyers' KYC status and the stream of events: as the contract says, against a stub; and against
// the real server as soon as its /openapi.json has the path.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { AuthenticationError, NotFoundError, Switchyard } from "switchyard-pay";
import { startServer } from "./support/server.mjs";
import { KEY, PAYMENT, SECRET, json, problem, startStub } from "./support/stub.mjs";

const options = { publicKey: KEY, secret: SECRET };
const INVOICE = {
  external_user_id: "user-42",
  currency: "IDR",
  line_items: [{ description: "Coffee", quantity: 2, unit_amount_minor: 25000 }],
};
const LINK = { currency: "IDR", amount_minor: 50000, description: "Coffee" };

describe("what is asked for", () => {
  const calls = [
    ["POST /v1/invoices", (it) => it.invoices.create({ ...INVOICE, draft: true })],
    ["GET /v1/invoices/inv_1", (it) => it.invoices.get("inv_1")],
    ["GET /v1/invoices?status=open&limit=2", (it) => it.invoices.list({ status: "open", limit: 2 }).page()],
    ["POST /v1/invoices/inv_1/finalize", (it) => it.invoices.finalize("inv_1")],
    ["POST /v1/invoices/inv_1/void", (it) => it.invoices.void("inv_1")],
    ["POST /v1/payment_links", (it) => it.paymentLinks.create(LINK)],
    ["GET /v1/payment_links/plink_1", (it) => it.paymentLinks.get("plink_1")],
    ["GET /v1/payment_links?status=active", (it) => it.paymentLinks.list({ status: "active" }).page()],
    ["POST /v1/payment_links/plink_1/close", (it) => it.paymentLinks.close("plink_1")],
    ["POST /v1/customers/a%2Fb/kyc", (it) => it.customers.setKyc("a/b", "approved")],
  ];
  for (const [line, call] of calls) {
    it(`is ${line}`, async (t) => {
      const stub = await startStub(
        (end) => t.after(end),
        (_, response) => json(response, 200, { data: [] }),
      );
      await call(new Switchyard({ ...options, baseUrl: stub.url }));
      const [{ method, url, headers }] = stub.requests;
      assert.equal(`${method} ${url}`, line);
      assert.equal(headers["idempotency-key"] !== undefined, method === "POST");
      assert.match(headers["x-pay-signature"], /^[0-9a-f]{64}$/);
    });
  }

  it("has whole money in every line", async () => {
    const client = new Switchyard({ ...options, baseUrl: "http://127.0.0.1:1" });
    const line_items = [{ description: "Coffee", quantity: 1, unit_amount_minor: 1.5 }];
    await assert.rejects(client.invoices.create({ ...INVOICE, line_items }), {
      fields: [{ path: "line_items.0.unit_amount_minor", reason: "must be a whole number of minor units" }],
    });
  });
});

describe("the stream", () => {
  const message = (number) => `id: evt_${number}\nevent: payment.succeeded\ndata: {"event_id":"evt_${number}"}\n\n`;
  const begin = (response) => response.writeHead(200, { "Content-Type": "text/event-stream" });

  it("gives events as they come, and goes on after the last one when it broke off", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (request, response, count) => {
        const [, last = "0"] = /evt_(\d+)/.exec(request.headers["last-event-id"] ?? "") ?? [];
        if (count === 2) return problem(response, 503, "ServiceUnavailable");
        begin(response);
        response.write(": hello\n\nretry: 10\n\n");
        const text = message(Number(last) + 1) + message(Number(last) + 2);
        // Cut in the middle of a line, and of a message.
        response.write(text.slice(0, 20));
        setTimeout(() => response.write(text.slice(20)), 20);
        setTimeout(() => (count % 2 === 0 ? response.end() : response.socket.destroy()), 60);
      },
    );
    const client = new Switchyard({ ...options, baseUrl: stub.url });
    const ids = [];
    for await (const { event_id } of client.events.stream({ types: ["payment.succeeded"] })) {
      ids.push(event_id);
      if (ids.length === 6) break;
    }
    assert.deepEqual(ids, ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6"]);
    assert.equal(stub.requests[0].url, "/v1/events/stream?types=payment.succeeded");
    assert.equal(stub.requests[0].headers.accept, "text/event-stream");
    assert.deepEqual(
      stub.requests.map(({ headers }) => headers["last-event-id"]),
      [undefined, "evt_2", "evt_2", "evt_4"],
    );
  });

  it("begins after the event that it is told, takes any line end and bytes cut anywhere", async (t) => {
    const text = 'data: {"event_id":\r\ndata: "é"}\r\nid: evt_9\r\n\r\n';
    const stub = await startStub(
      (end) => t.after(end),
      async (_, response) => {
        begin(response);
        for (const byte of Buffer.from(text)) {
          response.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
      },
    );
    const client = new Switchyard({ ...options, baseUrl: stub.url });
    for await (const event of client.events.stream({ after: "evt_8" })) {
      assert.deepEqual(event, { event_id: "é" });
      break;
    }
    assert.equal(stub.requests[0].headers["last-event-id"], "evt_8");
  });

  it("takes silence for a dead connection, and comments for life", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response, count) => {
        begin(response);
        if (count === 1) return response.write(": only once\n\n");
        let beats = 0;
        const heart = setInterval(() => {
          beats += 1;
          response.write(beats < 6 ? ": beat\n\n" : message(1));
        }, 50);
        response.on("close", () => clearInterval(heart));
      },
    );
    const client = new Switchyard({ ...options, baseUrl: stub.url });
    for await (const { event_id } of client.events.stream({ silenceMs: 150 })) {
      assert.equal(event_id, "evt_1");
      break;
    }
    assert.equal(stub.requests.length, 2);
  });

  it("ends without an error when its caller ends it", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => begin(response).write(": hello\n\n"),
    );
    const client = new Switchyard({ ...options, baseUrl: stub.url });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    for await (const _ of client.events.stream({ signal: controller.signal })) assert.fail();
  });

  it("throws what says no for good", async (t) => {
    const stub = await startStub(
      (end) => t.after(end),
      (_, response) => problem(response, 401, "BadSignature"),
    );
    const client = new Switchyard({ ...options, baseUrl: stub.url });
    await assert.rejects(client.events.stream()[Symbol.asyncIterator]().next(), AuthenticationError);
    assert.equal(stub.requests.length, 1);
  });
});

describe("the real server", () => {
  let server, client, paths;
  const endings = [];
  before(async () => {
    server = await startServer((end) => endings.push(end));
    const app = await server.app();
    client = new Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: app.secret });
    ({ paths } = await server.openapi());
  });
  after(async () => {
    for (const end of endings.reverse()) await end();
  });
  const whenThere = (path, name, work) =>
    it(name, (t) => (path in paths ? work(t) : t.skip(`this server has no ${path} yet`)));

  whenThere("/v1/invoices", "makes, opens, lists and voids invoices", async () => {
    const draft = await client.invoices.create({ ...INVOICE, draft: true, external_id: "order-1", metadata: { a: 1 } });
    assert.match(draft.invoice_id, /^inv_/);
    assert.deepEqual([draft.status, draft.amount_minor, draft.mode], ["draft", 50000, "test"]);
    assert.equal(draft.line_items[0].amount_minor, 50000);
    assert.equal((await client.invoices.finalize(draft.invoice_id)).status, "open");
    assert.equal(
      (await client.invoices.create({ ...INVOICE, draft: true, external_id: "order-1", metadata: { a: 1 } }))
        .invoice_id,
      draft.invoice_id,
    );
    assert.ok((await client.invoices.get(draft.invoice_id)).hosted_url.endsWith(`/pay/${draft.invoice_id}`));
    for (let index = 0; index < 3; index += 1) await client.invoices.create(INVOICE);
    const found = [];
    for await (const { status } of client.invoices.list({ external_user_id: "user-42", limit: 2 })) found.push(status);
    assert.deepEqual(found, ["open", "open", "open", "open"]);
    assert.equal((await client.invoices.void(draft.invoice_id)).status, "void");
    await assert.rejects(client.invoices.get("inv_00000000000000000000000000"), NotFoundError);
  });

  whenThere("/v1/payment_links", "makes, lists and closes payment links", async () => {
    const link = await client.paymentLinks.create(LINK);
    assert.match(link.payment_link_id, /^plink_/);
    assert.ok(link.hosted_url.endsWith(`/pay/${link.payment_link_id}`));
    assert.equal((await client.paymentLinks.list({ status: "active" }).page()).data.length, 1);
    assert.equal((await client.paymentLinks.close(link.payment_link_id)).status, "closed");
    assert.equal((await client.paymentLinks.get(link.payment_link_id)).status, "closed");
  });

  whenThere("/v1/customers/{external_user_id}/kyc", "sets a buyer's KYC status", async () => {
    await client.payments.create({ ...PAYMENT, external_user_id: "known" });
    assert.equal((await client.customers.get("known")).kyc_status, "none");
    assert.equal((await client.customers.setKyc("known", "rejected")).kyc_status, "rejected");
  });

  whenThere("/v1/events/stream", "streams events, and resumes", async () => {
    const pay = () => client.payments.create({ ...PAYMENT, mock: { outcome: "succeed" } });
    const next = async (after) => {
      for await (const event of client.events.stream({ after, types: ["payment.succeeded"] })) return event;
    };
    const coming = next();
    const timer = setInterval(pay, 300);
    const first = await coming.finally(() => clearInterval(timer));
    assert.equal(first.event, "payment.succeeded");
    const { payment_id } = await pay();
    let [last, event] = [first.event_id, undefined];
    for (; event?.payment_id !== payment_id; last = event.event_id) event = await next(last);
    assert.ok(event.event_id > first.event_id);
  });
});

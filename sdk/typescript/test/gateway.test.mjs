// What the client does with a real server: payments and everything around them.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import * as sdk from "switchyard-pay";
import { startReceiver, startServer, until } from "./support/server.mjs";
import { PAYMENT } from "./support/stub.mjs";

const { Switchyard, webhooks } = sdk;

describe("a signed app", () => {
  let server, client, app, received;
  const endings = [];

  before(async () => {
    server = await startServer((end) => endings.push(end));
    const receiver = await startReceiver((end) => endings.push(end));
    received = receiver.received;
    app = await server.app({ webhookUrl: receiver.url });
    client = new Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: app.secret });
  });
  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  const paid = async (more = {}) => {
    const payment = await client.payments.create({ ...PAYMENT, mock: { outcome: "succeed" }, ...more });
    return until(
      () => client.payments.get(payment.payment_id),
      ({ status }) => status !== "initiated",
    );
  };

  it("creates a payment, sees it paid, and gives a part of it back", async () => {
    const payment = await client.payments.create({ ...PAYMENT, metadata: { order: "1", note_minor: 1.5 } });
    assert.match(payment.payment_id, /^pay_/);
    assert.equal(payment.status, "initiated");
    assert.equal(payment.mode, "test");
    assert.deepEqual(payment.metadata, { order: "1", note_minor: 1.5 });
    assert.ok(payment.checkout_url.startsWith(server.url));

    const { payment_id } = await paid();
    const refund = await client.refunds.create({ payment_id, amount_minor: 20000, reason: "one came back" });
    assert.equal(refund.amount_minor, 20000);
    assert.deepEqual(await client.refunds.get(refund.refund_id).then(({ refund_id }) => refund_id), refund.refund_id);
    assert.equal((await client.refunds.list({ payment_id }).page()).data.length, 1);
    const timeline = await client.payments.timeline(payment_id);
    assert.equal(timeline[0].kind, "created");
  });

  it("gives the event of a payment to whoever verifies the webhook, by both families", async () => {
    const { payment_id } = await paid({ metadata: { delta: 1.5 } });
    const isOfPayment = ({ body }) => body.includes(payment_id);
    const { body, headers } = await until(() => received.find(isOfPayment), Boolean);
    for (const secret of [app.webhook_secret, app.webhook_secret_standard, ["other", app.webhook_secret]]) {
      const event = webhooks.verify(body, headers, secret);
      assert.equal(event.event, "payment.succeeded");
      assert.equal(event.payment_id, payment_id);
      assert.deepEqual(event.metadata, { delta: 1.5 });
    }
    for (const family of [/^x-pay-/, /^webhook-/]) {
      const one = Object.fromEntries(Object.entries(headers).filter(([name]) => family.test(name)));
      assert.equal(webhooks.verify(body.toString(), one, app.webhook_secret).payment_id, payment_id);
    }
    assert.throws(() => webhooks.verify(Buffer.concat([body, Buffer.from(" ")]), headers, app.webhook_secret), {
      reason: "bad_signature",
    });
  });

  it("walks through all pages of a list", async () => {
    const external_user_id = `pages-${Date.now()}`;
    const created = [];
    for (let index = 0; index < 5; index += 1) {
      created.push((await client.payments.create({ ...PAYMENT, external_user_id })).payment_id);
    }
    const found = [];
    for await (const { payment_id } of client.payments.list({ external_user_id, limit: 2 })) found.push(payment_id);
    assert.deepEqual(found, created.reverse());
    const first = await client.payments.list({ external_user_id, limit: 2 }).page();
    assert.equal(first.data.length, 2);
    const second = await client.payments.list({ external_user_id, limit: 2, cursor: first.next_cursor }).page();
    assert.deepEqual(
      second.data.map(({ payment_id }) => payment_id),
      found.slice(2, 4),
    );
  });

  it("signs paths and queries as they are sent, whatever is in them", async () => {
    for (const external_user_id of ["ann's/shop?x=1&y=2", "ü ser+1%", "a;b=c", "~!*()'", "日本", "x/../y"]) {
      await client.payments.create({ ...PAYMENT, external_user_id });
      assert.equal((await client.customers.get(external_user_id)).external_user_id, external_user_id);
      const { data } = await client.payments.list({ external_user_id }).page();
      assert.equal(data.length, 1, external_user_id);
    }
    for (const id of ["", ".", ".."]) {
      await assert.rejects(client.customers.get(id), sdk.ValidationError);
    }
  });

  it("makes two payments of two equal requests in one second", async () => {
    const payments = await Promise.all(Array.from({ length: 8 }, () => client.payments.create(PAYMENT)));
    assert.equal(new Set(payments.map(({ payment_id }) => payment_id)).size, 8);
    // Other processes with the same key cannot know of each other: the server tells them.
    const others = [1, 2, 3].map(() => {
      return new Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: app.secret });
    });
    const several = await Promise.all([...others, ...others].map((other) => other.payments.create(PAYMENT)));
    assert.equal(new Set([...payments, ...several].map(({ payment_id }) => payment_id)).size, 14);
  });

  it("makes one payment of one idempotency key, and refuses another request under it", async () => {
    const options = { idempotencyKey: `order-${Date.now()}` };
    const [one, two] = [await client.payments.create(PAYMENT, options), await client.payments.create(PAYMENT, options)];
    assert.equal(one.payment_id, two.payment_id);
    await assert.rejects(client.payments.create({ ...PAYMENT, amount_minor: 1 }, options), (error) => {
      assert.ok(error instanceof sdk.IdempotencyConflictError);
      assert.equal(error.code, "IdempotencyConflict");
      assert.equal(error.idempotencyKey, options.idempotencyKey);
      return true;
    });
  });

  it("makes one payment, though the answers get lost on the way", async (t) => {
    // Breaks each of the first three connections when the answer comes.
    let lost = 0;
    const { hostname, port } = new URL(server.url);
    const proxy = createServer((near) => {
      const far = connect(Number(port), hostname);
      near.pipe(far);
      far.on("data", (data) => (lost < 3 ? ((lost += 1), near.resetAndDestroy?.()) : near.write(data)));
      for (const socket of [near, far]) socket.on("error", () => {}).on("close", () => (near.destroy(), far.destroy()));
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    t.after(() => proxy.close());
    const baseUrl = `http://127.0.0.1:${proxy.address().port}`;
    const shaky = new Switchyard({ baseUrl, publicKey: app.public_key, secret: app.secret });
    const external_user_id = "behind-a-bad-line";
    const { payment_id } = await shaky.payments.create({ ...PAYMENT, external_user_id });
    assert.equal(lost, 3);
    const { data } = await client.payments.list({ external_user_id }).page();
    assert.deepEqual(
      data.map((payment) => payment.payment_id),
      [payment_id],
    );
  });

  it("names every field that is wrong", async () => {
    await assert.rejects(client.payments.create({ ...PAYMENT, currency: "idr", method: undefined }), (error) => {
      assert.ok(error instanceof sdk.ValidationError && error instanceof sdk.SwitchyardError);
      assert.equal(error.status, 400);
      assert.deepEqual(error.fields.map(({ path }) => path).sort(), ["currency", "method"]);
      assert.match(error.requestId, /./);
      return true;
    });
    await assert.rejects(client.payments.create({ ...PAYMENT, amount_minor: 0.1 + 0.2 }), (error) => {
      assert.deepEqual(error.fields, [{ path: "amount_minor", reason: "must be a whole number of minor units" }]);
      assert.equal(error.status, undefined);
      return true;
    });
    await assert.rejects(client.payments.create({ ...PAYMENT, amount_minor: 2 ** 53 }), sdk.ValidationError);
  });

  it("tells a provider that refuses from one that is away", async () => {
    const refused = client.payments.create({ ...PAYMENT, mock: { start: "refuse" } });
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof sdk.ProviderError);
      assert.equal(error.status, 502);
      assert.match(error.paymentId, /^pay_/);
      return true;
    });
    // An answer that is unknown is a payment that is looked after: no error.
    const unknown = await client.payments.create({ ...PAYMENT, mock: { start: "timeout" } });
    assert.equal(unknown.status, "initiated");
    assert.notEqual(unknown.last_error, "");
  });

  it("knows what is not there, and who is not known", async () => {
    await assert.rejects(client.payments.get("pay_00000000000000000000000000"), sdk.NotFoundError);
    const stranger = new Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: "0".repeat(64) });
    await assert.rejects(stranger.payments.create(PAYMENT), { name: "AuthenticationError", code: "BadSignature" });
    await assert.rejects(client.subscriptions.get("sub_00000000000000000000000000"), sdk.NotFoundError);
    assert.deepEqual(await client.subscriptions.list({ status: "active" }).page(), { data: [], next_cursor: null });
    await assert.rejects(
      client.subscriptions.cancel("sub_00000000000000000000000000", { at_period_end: false }),
      sdk.NotFoundError,
    );
  });

  it("cancels, explains routes, lists customers", async () => {
    const payment = await client.payments.create({ ...PAYMENT, external_user_id: "canceler" });
    assert.equal((await client.payments.cancel(payment.payment_id)).status, "canceled");
    assert.equal((await client.payments.cancel(payment.payment_id)).status, "canceled");
    const { payment_id } = await paid();
    await assert.rejects(client.payments.cancel(payment_id), { status: 422, code: "NotCancelable" });
    assert.equal((await client.routes.explain({ currency: "IDR", method: "qris" })).chosen, "mock");
    const ids = [];
    for await (const { external_user_id } of client.customers.list({ limit: 3 })) ids.push(external_user_id);
    assert.ok(ids.includes("canceler"));
  });

  it("lists events and sends them again", async () => {
    const { payment_id } = await paid();
    const [found] = (
      await until(
        () => client.events.list({ payment_id }).page(),
        ({ data }) => data.length > 0,
      )
    ).data;
    const event = await client.events.get(found.event_id);
    assert.equal(event.body.event, "payment.succeeded");
    assert.equal(event.deliveries.length, 1);
    const { event_id, deliveries } = await client.events.redeliver(found.event_id);
    assert.deepEqual({ event_id, deliveries }, { event_id: found.event_id, deliveries: 1 });
    assert.equal((await client.events.redeliverSince(new Date(Date.now() - 60_000))).deliveries, 0);
  });

  it("works the same by require, with the same classes", async () => {
    const required = createRequire(import.meta.url)("switchyard-pay");
    assert.equal(required.Switchyard, Switchyard);
    const one = new required.Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: app.secret });
    await assert.rejects(one.payments.get("pay_00000000000000000000000000"), sdk.NotFoundError);
  });

  it("takes what is not given from the environment", async () => {
    const environment = { PAY_URL: server.url, PAY_KEY: app.public_key, PAY_SECRET: app.secret };
    Object.assign(process.env, environment);
    try {
      assert.equal((await new Switchyard().payments.create(PAYMENT)).status, "initiated");
    } finally {
      for (const name of Object.keys(environment)) delete process.env[name];
    }
  });
});

describe("a server without the key's mode", () => {
  const endings = [];
  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  it("sends the client to the other one, once and for all", async () => {
    const other = await startServer((end) => endings.push(end));
    const app = await other.app();
    const first = await startServer((end) => endings.push(end), {
      SWITCHYARD__SERVER__MODES: "sandbox",
      SWITCHYARD__SERVER__MODE_URLS__TEST: other.url,
    });
    let asked = [];
    const counting = (url, init) => {
      asked.push(new URL(url).origin);
      return fetch(url, init);
    };
    const client = new Switchyard({
      baseUrl: first.url,
      publicKey: app.public_key,
      secret: app.secret,
      fetch: counting,
    });
    const amounts = [50000, 60000];
    const payments = await Promise.all(
      amounts.map((amount_minor) => client.payments.create({ ...PAYMENT, amount_minor })),
    );
    assert.equal(new Set(payments.map(({ payment_id }) => payment_id)).size, 2);
    assert.deepEqual(
      asked.filter((url) => url !== first.url),
      [other.url, other.url],
    );
    asked = [];
    await client.payments.get(payments[0].payment_id);
    assert.deepEqual(asked, [other.url]);

    const nowhere = await startServer((end) => endings.push(end), { SWITCHYARD__SERVER__MODES: "live" });
    const lost = new Switchyard({ baseUrl: nowhere.url, publicKey: app.public_key, secret: app.secret });
    await assert.rejects(lost.payments.create(PAYMENT), {
      name: "ModeNotServedError",
      mode: "test",
      modeUrl: undefined,
    });
  });
});

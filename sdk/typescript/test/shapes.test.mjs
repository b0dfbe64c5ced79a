// Whether the types fit what the server really sends: answers and webhooks, written as constants of their types, must
// compile, with no field too few and none too many.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { it } from "node:test";
import { Switchyard, webhooks } from "switchyard-pay";
import typescript from "typescript";
import { kept } from "./support/program.mjs";
import { startReceiver, startServer, until } from "./support/server.mjs";
import { PAYMENT } from "./support/stub.mjs";

/** Other names for what has a name, and what is there for other clients. */
const ALIASES = new Set([
  "deltaCount",
  "accessHint",
  "customerLinkUrl",
  "customerLinkHost",
  "records",
  "blockTimestamp",
]);

it("the types fit what the server sends", async (t) => {
  const server = await startServer((end) => t.after(end));
  const { url: webhookUrl, received } = await startReceiver((end) => t.after(end));
  const app = await server.app({ webhookUrl });
  const { key, endpoint } = await server.apiKey(webhookUrl);
  const client = new Switchyard({ baseUrl: server.url, publicKey: app.public_key, secret: app.secret, apiKey: key });
  const shapes = [];
  const is = async (type, answer) => {
    shapes.push([type, await answer]);
    return answer;
  };

  const metadata = { order: "1", deep: [{ delta: 1 }] };
  const paying = { ...PAYMENT, metadata, mock: { outcome: "succeed" } };
  const { payment_id } = await is("Payment", client.payments.create(paying));
  await until(
    () => client.payments.get(payment_id),
    ({ status }) => status === "succeeded",
  );
  await is("Payment", client.payments.get(payment_id));
  await is("Page<Payment>", client.payments.list().page());
  await is("TimelineEntry[]", client.payments.timeline(payment_id));
  const { refund_id } = await is("Refund", client.refunds.create({ payment_id, amount_minor: 1, reason: "one" }));
  await is("Refund", client.refunds.get(refund_id));
  await is("Page<Refund>", client.refunds.list({ payment_id }).page());
  await is("Page<Subscription>", client.subscriptions.list().page());
  await is("Page<Customer>", client.customers.list().page());
  await is("Customer", client.customers.get(PAYMENT.external_user_id));
  await is("Route", client.routes.explain({ currency: "IDR", method: "qris" }));
  const events = await until(
    () => client.events.list({ payment_id }).page(),
    ({ data }) => data.length === 2,
  );
  await is("Page<EventRecord>", events);
  await is("EventRecord", client.events.get(events.data[0].event_id));
  await is("Redelivery", client.events.redeliver(events.data[0].event_id));
  await is("Redelivery", client.events.redeliverSince(new Date()));

  // Of a server that has them: see coming.test.mjs.
  const { paths } = await server.openapi();
  const line_items = [{ description: "Coffee", quantity: 2, unit_amount_minor: 25000 }];
  const types = {};
  if ("/v1/invoices" in paths) {
    const asked = { external_user_id: "user-42", currency: "IDR", line_items, metadata, external_id: "order-1" };
    const { invoice_id } = await is("Invoice", client.invoices.create(asked));
    await is("Page<Invoice>", client.invoices.list({ external_user_id: "user-42" }).page());
    await is("Invoice", client.invoices.void(invoice_id));
    Object.assign(types, { "invoice.created": "InvoiceEvent", "invoice.voided": "InvoiceEvent" });
  }
  if ("/v1/payment_links" in paths) {
    await is("PaymentLink", client.paymentLinks.create({ currency: "IDR", amount_minor: 50000, description: "Coffee" }));
    const chosen = { currency: "IDR", amount_minor: null, min_minor: 10000, max_minor: 90000, description: "Tea" };
    await is("PaymentLink", client.paymentLinks.create({ ...chosen, uses_max: 3, methods: ["qris"], metadata }));
    await is("Page<PaymentLink>", client.paymentLinks.list().page());
  }
  if ("/v1/customers/{external_user_id}/kyc" in paths) {
    await is("Customer", client.customers.setKyc(PAYMENT.external_user_id, "approved"));
  }

  const delta = { customerId: "acme", delta: "-42.5", reason: "usage", referenceId: "job-1", metadata };
  const { recordId } = await is("DeltaTaken", client.balance.emit(delta));
  await is("DeltaTaken", client.balance.emit(delta));
  await is("BatchTaken", client.balance.emitBatch([delta, { ...delta, referenceId: "job-2" }, { ...delta, delta: 0 }]));
  await is("Delta", client.balance.emitAndWait({ customerId: "acme", delta: 1, reason: "usage" }));
  await is("Delta", client.balance.get(recordId));
  await is("Derived", client.balance.derive("acme"));
  await is("Derived", client.balance.derive("nobody", { period: "2026-01" }));
  const yourDeltas = [{ referenceId: "job-1", amount: 1 }];
  await is("Comparison", client.balance.compare({ customerId: "acme", yourBalance: 1, theirBalance: 2, yourDeltas }));
  await is("Comparison", client.balance.compare({ yourBalance: 1, theirBalance: 2 }));
  const { proofRoot } = await is("Checkpoint", client.balance.checkpoint({ customerId: "acme" }));
  await is("Page<Checkpoint>", client.balance.checkpoints().page());
  await is("Receipt", client.balance.receipt("acme", { timePreset: "current_month" }));
  await is("DeltaProof", client.balance.proof(recordId));
  await is("KnownRoot", client.balance.verify(proofRoot));
  const items = [{ key: "order-1", accountId: "acme", bits: 1 }];
  const { requestId } = await is("WritesTaken", client.writes.create(items));
  await is("WriteRequest", client.writes.get(requestId));

  Object.assign(types, {
    "payment.succeeded": "PaymentEvent",
    "refund.succeeded": "RefundEvent",
    "delta.verified": "DeltaVerifiedEvent",
    "checkpoint.verified": "CheckpointVerifiedEvent",
    "verification.completed": "VerificationEvent",
    "webhook.test": "WebhookTestEvent",
  });
  const secrets = [app.webhook_secret, endpoint.secret];
  const heard = () => received.map(({ body, headers }) => webhooks.verify(body, headers, secrets));
  const isAll = (found) => Object.keys(types).every((type) => found.some(({ event }) => event === type));
  for (const event of await until(heard, isAll)) {
    shapes.push([types[event.event], event]);
    if (event.event === "delta.verified") assert.equal(typeof event.data.delta, "string");
  }

  const file = await kept((end) => t.after(end), "shapes.ts", sourceOf(shapes));
  const settings = typescript.readConfigFile(fileURLToPath(new URL("types/tsconfig.json", import.meta.url)), (name) =>
    typescript.sys.readFile(name),
  );
  const { options } = typescript.parseJsonConfigFileContent(
    { ...settings.config, files: [file], include: [] },
    typescript.sys,
    fileURLToPath(new URL("types", import.meta.url)),
  );
  const found = typescript.getPreEmitDiagnostics(typescript.createProgram([file], options));
  assert.deepEqual(
    found.map(({ messageText }) => typescript.flattenDiagnosticMessageText(messageText, "\n")),
    [],
  );
});

function sourceOf(shapes) {
  const names = new Set(shapes.flatMap(([type]) => type.match(/\w+/g)));
  const constants = shapes.map(([type, value], index) => {
    const json = JSON.stringify(value, (name, field) => (ALIASES.has(name) ? undefined : field), 1);
    return `export const shape${index}: ${type} = ${json};\n`;
  });
  return `import type { ${[...names].join(", ")} } from "switchyard-pay";\n${constants.join("")}`;
}

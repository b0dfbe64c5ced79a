// What a product's code looks like to the compiler. It is checked, never run.

import {
  Switchyard,
  type AppEvent,
  type Page,
  type Payment,
  ProviderError,
  RateLimitError,
  SwitchyardError,
  ValidationError,
  proofs,
  webhooks,
} from "switchyard-pay";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>() => undefined as T | undefined;

const client = new Switchyard({ expectMode: "test", timeoutMs: 1000 });
// @ts-expect-error There are three modes.
new Switchyard({ expectMode: "testnet" });

const payment = await client.payments.create(
  {
    external_user_id: "user-42",
    amount_minor: 50000,
    currency: "IDR",
    method: "va_bca",
    return_url: "https://shop.example/thanks",
    metadata: { order: 1 },
    mock: { outcome: "succeed" },
  },
  { idempotencyKey: "order-42", signal: AbortSignal.timeout(1000) },
);
holds<Same<typeof payment, Payment>>();
holds<Same<Payment["status"], "initiated" | "succeeded" | "failed" | "canceled">>();
holds<Same<Payment["email" & keyof Payment], never>>();
holds<Same<Payment["provider_ref"], string | null>>();
if (payment.instructions?.kind === "virtual_account") payment.instructions.number satisfies string;
if (payment.instructions?.kind === "qris") payment.instructions.qr_content satisfies string;
payment.fallback?.wanted satisfies string | undefined;

// @ts-expect-error A payment has an amount.
await client.payments.create({ external_user_id: "a", currency: "IDR", method: "qris", return_url: "https://a" });
// @ts-expect-error There is no such field.
client.payments.list({ state: "succeeded" });
// @ts-expect-error There is no such status.
client.payments.list({ status: "paid" });

for await (const one of client.payments.list({
  status: "succeeded",
  limit: 50,
  created_from: "2026-01-01T00:00:00Z",
})) {
  one.paid_minor satisfies number;
}
(await client.payments.list().page()) satisfies Page<Payment>;
for await (const checkpoint of client.balance.checkpoints({ period: "2026-01" })) checkpoint.netChange satisfies string;

await client.balance.emit({ customerId: "acme", delta: "-42.5", reason: "usage" });
await client.balance.emitBatch([{ customerId: "acme", delta: -42.5, reason: "usage" }]);
await client.writes.create([{ key: "k", accountId: "a", bits: 1n }]);
// @ts-expect-error A decimal is a text or a number.
await client.balance.emit({ customerId: "acme", delta: null, reason: "usage" });
const receipt = await client.balance.receipt("acme", { period: "2026-01" });
proofs.verify(receipt, "key").leaves[0]?.delta satisfies string | undefined;

declare const request: import("node:http").IncomingMessage;
const event = webhooks.verify(Buffer.from(""), request.headers, ["new", "old"], { toleranceSeconds: 60 });
webhooks.verify("", new Headers(), "secret");
switch (event.event) {
  case "payment.succeeded":
    event.payment_id satisfies string;
    event.amount satisfies number;
    break;
  case "refund.failed":
    event.refund_id satisfies string;
    break;
  case "subscription.renewed":
    event.current_period_end satisfies string | null;
    break;
  case "invoice.paid":
    event.invoice_id satisfies string;
    break;
  case "delta.verified":
    event.data.delta satisfies string;
    break;
  case "checkpoint.verified":
    event.data.note satisfies string;
    break;
}
for await (const one of client.events.stream({ types: ["payment.succeeded", "invoice.paid"] })) one satisfies AppEvent;

try {
  await client.refunds.create({ payment_id: payment.payment_id, amount_minor: 1 });
} catch (error) {
  if (error instanceof ValidationError) error.fields satisfies { path: string; reason: string }[];
  else if (error instanceof RateLimitError) error.retryAfter satisfies number | undefined;
  else if (error instanceof ProviderError) error.paymentId satisfies string | undefined;
  else if (error instanceof SwitchyardError) error.requestId satisfies string | undefined;
}

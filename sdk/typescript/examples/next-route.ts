// app/api/hook/route.ts of a Next app: a webhook's receiver. Wants WEBHOOK_SECRET in the environment, and while the secret
// is being replaced the former one as WEBHOOK_SECRET_OLD.

import { WebhookVerificationError, webhooks, type SwitchyardEvent } from "switchyard-pay";

export const runtime = "nodejs";

export async function POST(request: Request): Promise<Response> {
  const { WEBHOOK_SECRET = "", WEBHOOK_SECRET_OLD } = process.env;
  const secrets = WEBHOOK_SECRET_OLD ? [WEBHOOK_SECRET, WEBHOOK_SECRET_OLD] : [WEBHOOK_SECRET];
  try {
    // The signature is over the body's bytes: not `request.json()`.
    await handle(webhooks.verify(await request.text(), request.headers, secrets));
  } catch (error) {
    if (error instanceof WebhookVerificationError) return new Response(error.reason, { status: 401 });
    throw error;
  }
  return new Response(null, { status: 204 });
}

async function handle(event: SwitchyardEvent): Promise<void> {
  switch (event.event) {
    case "payment.succeeded": // the same event may come twice: do its work once for each event_id
      console.log(`order ${String(event.metadata.order)} is paid: ${event.payment_id}`);
      break;
    default: // also types that a later server may send
  }
}

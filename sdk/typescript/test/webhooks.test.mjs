// Signatures: the vectors of the contract, and everything that a webhook must not be.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { WebhookVerificationError, requestSignature, webhooks } from "switchyard-pay";

const SECRET = "fedcba9876543210".repeat(4);
const BODY = '{"event":"payment.succeeded"}';
const AT = 1760000000;
const now = new Date(AT * 1000);
const OWN = {
  "X-PAY-Timestamp": String(AT),
  "X-PAY-Signature": "e20bb4b42cee219014f00d88201f7cbe21dacc88f9d21696c334afef880cb2af",
};

const standard = (secret, body = BODY, at = AT) => ({
  "webhook-id": "evt_1",
  "webhook-timestamp": String(at),
  "webhook-signature": `v1,${createHmac("sha256", secret).update(`evt_1.${at}.${body}`).digest("base64")}`,
});

describe("the signature of a request", () => {
  it("is that of the published vectors", () => {
    const secret = "0123456789abcdef".repeat(4);
    assert.equal(
      requestSignature(secret, AT, "POST", "/v1/payments", '{"amount_minor":50000,"currency":"IDR"}'),
      "f09b97bce8c4ffd36cf0746aeb1f3b9c4f107e38902488af3ff6199b633c9b62",
    );
    assert.equal(
      requestSignature(secret, AT, "GET", `/v1/payments/${"0".repeat(32)}`, ""),
      "5b80393f33f6ce85921a0964028c17311bf65d379673977147ed8ef575c84671",
    );
  });
});

describe("a webhook", () => {
  it("is the published one, as text and bytes, with headers of every kind", () => {
    const lower = Object.fromEntries(Object.entries(OWN).map(([name, value]) => [name.toLowerCase(), value]));
    const lists = Object.fromEntries(Object.entries(OWN).map(([name, value]) => [name, [value]]));
    for (const body of [BODY, Buffer.from(BODY), new Uint8Array(Buffer.from(BODY))]) {
      for (const headers of [OWN, lower, lists, new Headers(OWN)]) {
        assert.deepEqual(webhooks.verify(body, headers, SECRET, { now }), { event: "payment.succeeded" });
      }
    }
  });

  it("is verified with the secret as text and in the other family's notation", () => {
    const noted = `whsec_${Buffer.from(SECRET).toString("base64")}`;
    for (const headers of [OWN, standard(SECRET)]) {
      for (const secret of [SECRET, noted, [noted], ["another", noted]]) {
        assert.equal(webhooks.verify(BODY, headers, secret, { now }).event, "payment.succeeded");
      }
    }
    // A secret of that family's own, whose bytes are no text.
    const bytes = Buffer.from([0, 255, 128, 1]);
    const headers = standard(bytes);
    assert.ok(webhooks.verify(BODY, headers, `whsec_${bytes.toString("base64")}`, { now }));
  });

  it("may have several signatures while a secret is replaced", () => {
    const [fresh, old] = [standard("new-secret"), standard(SECRET)];
    const both = { ...fresh, "webhook-signature": `${old["webhook-signature"]} ${fresh["webhook-signature"]}` };
    for (const secret of [SECRET, "new-secret", ["new-secret", SECRET]]) {
      assert.ok(webhooks.verify(BODY, both, secret, { now }));
    }
    // The own family keeps the old secret meanwhile; who has the new one alone goes by the other.
    assert.ok(webhooks.verify(BODY, { ...both, ...OWN }, "new-secret", { now }));
    assert.ok(webhooks.verify(BODY, { ...OWN, ...standard("unknown") }, SECRET, { now }));
  });

  it("may be five minutes old, and no more", () => {
    const at = (seconds) => ({ now: new Date((AT + seconds) * 1000) });
    for (const headers of [OWN, standard(SECRET)]) {
      for (const seconds of [-300, 300, 300.9]) assert.ok(webhooks.verify(BODY, headers, SECRET, at(seconds)));
      for (const seconds of [-301, 301]) refused("timestamp_out_of_range", BODY, headers, SECRET, at(seconds));
      refused("timestamp_out_of_range", BODY, headers, SECRET, { ...at(11), toleranceSeconds: 10 });
      refused("timestamp_out_of_range", BODY, headers, SECRET, {});
    }
  });

  it("is never believed with a single character changed", () => {
    for (const [family, headers] of Object.entries({ own: OWN, standard: standard(SECRET) })) {
      const entries = [["body", BODY], ...Object.entries(headers)];
      for (const [name, value] of entries) {
        for (let at = 0; at < value.length; at += 1) {
          const changed = value.slice(0, at) + (value[at] === "1" ? "2" : "1") + value.slice(at + 1);
          const [body, more] = name === "body" ? [changed, {}] : [BODY, { [name]: changed }];
          const verify = () => webhooks.verify(body, { ...headers, ...more }, SECRET, { now });
          assert.throws(verify, WebhookVerificationError, `${family} ${name} ${changed}`);
        }
      }
    }
  });

  it("is refused with a reason", () => {
    refused("bad_signature", `${BODY} `, OWN);
    refused("bad_signature", BODY, OWN, "another");
    refused("bad_signature", BODY, { ...OWN, "X-PAY-Signature": OWN["X-PAY-Signature"].toUpperCase() });
    refused("bad_signature", BODY, { ...OWN, "X-PAY-Signature": "e2" });
    refused("bad_signature", BODY, { ...OWN, "X-PAY-Timestamp": String(AT + 1) });
    refused("bad_signature", BODY, { ...standard(SECRET), "webhook-id": "evt_2" });
    refused("bad_signature", BODY, {
      ...standard(SECRET),
      "webhook-signature": standard(SECRET)["webhook-signature"].replace("v1,", "v2,"),
    });
    refused("missing_headers", BODY, {});
    refused("missing_headers", BODY, { ...OWN, "X-PAY-Signature": undefined });
    refused("missing_headers", BODY, { ...OWN, "x-pay-signature": OWN["X-PAY-Signature"] });
    refused("missing_headers", BODY, { ...OWN, "X-PAY-Signature": [OWN["X-PAY-Signature"], "more"] });
    for (const timestamp of ["soon", "1760000000.0", "1e9", "-1760000000", "0x68e77", " "]) {
      refused("bad_timestamp", BODY, { ...OWN, "X-PAY-Timestamp": timestamp });
    }
    for (const body of [JSON.parse(BODY), undefined, null, [1]]) refused("not_raw_body", body, OWN);
    for (const secret of ["", " ", [], [""], undefined, "whsec_", [SECRET, ""]])
      refused("no_secret", BODY, OWN, secret);
    const noJson = "event=payment.succeeded";
    refused("bad_body", noJson, standard(SECRET, noJson));
  });

  function refused(reason, body, headers, secret, options = { now }) {
    const secrets = arguments.length > 3 ? secret : SECRET;
    assert.throws(
      () => webhooks.verify(body, headers, secrets, options),
      (error) => {
        assert.ok(error instanceof WebhookVerificationError, String(error));
        assert.equal(error.reason, reason);
        assert.ok(!JSON.stringify(error).includes(SECRET) && !error.stack.includes(SECRET));
        return true;
      },
    );
  }
});

//! PayPal, Orders v2 with intent `CAPTURE`: what it can do, and its calls. Facts of 2026-11-21, from PayPal's OpenAPI
//! files (Orders 2.13, Payments 2.5, Webhooks 1.11) and developer.paypal.com.
//!
//! The access token, amounts, the shapes of messages, what an order means and how a webhook is verified have files of
//! their own beneath. What is inferred or was not found in any source of PayPal's stands here, in the constants that
//! follow, and in [`signature`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Answer, Http, Request};
use super::{
    Account, Called, Credential, Driver, Failure, LostStart, Ongoing, Psp, RefundAnswer, RefundOrder, Start, Started,
    WebhookReading,
};
use crate::domain::ids::AttemptId;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payments::Observation;
use crate::domain::subscriptions::SubscriptionNews;
use crate::domain::time::Timestamp;

mod amounts;
mod orders;
mod refunds;
mod signature;
mod token;
mod webhooks;
mod wire;

use wire::{Order, Problem};

/// Assumed: an order that nobody approved is gone after three hours (a newer text says six). Until then, an order that
/// cannot be found is not taken for an expired one.
const ORDER_LIVES: Duration = Duration::from_secs(3 * 3600);

/// Assumed: an expired order answers like an unknown one, 404 with this name.
const ORDER_IS_GONE: &str = "RESOURCE_NOT_FOUND";

/// Assumed: only money that is there at once is wanted, which keeps eChecks out. A payment here expires; one that hangs
/// for days would come after its close.
const PAYMENT_METHOD_PREFERENCE: &str = "IMMEDIATE_PAYMENT_REQUIRED";

/// Assumed, for no bounds are published but the length of the amount: ten digits in all.
const MOST_MINOR: i64 = 9_999_999_999;

/// PayPal as a value.
pub const DRIVER: Driver = Driver {
    name: "paypal",
    title: "PayPal",
    report_source: "The Settlement Report (STL) from PayPal’s reporting server: a CSV file for each day, named STL-… and the day. The columns \
             are those that PayPal publishes.",
    modes: &[Mode::Sandbox, Mode::Live],
    sandbox_host: "api-m.sandbox.paypal.com",
    live_host: "api-m.paypal.com",
    methods: &["paypal"],
    currencies: &[
        "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
        "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
    ],
    amount_range: |_, currency| (amount_step(currency), MOST_MINOR),
    amount_step,
    requires_email: false,
    requires_metadata: &[],
    credentials: &[
        Credential {
            name: "client_id",
            is_required: true,
            meaning: "client id of the REST app: PayPal's developer dashboard, Apps & Credentials",
            is_well_formed: |text| is_one_word(text, 255),
        },
        Credential {
            name: "client_secret",
            is_required: true,
            meaning: "its secret",
            is_well_formed: |text| is_one_word(text, 255),
        },
        Credential {
            name: "webhook_id",
            is_required: true,
            meaning: "id that PayPal gave the webhook which is registered for this app, not its URL",
            is_well_formed: |text| is_one_word(text, 50) && wire::is_id(text),
        },
        Credential {
            name: "webhook_ca",
            is_required: false,
            meaning: "certificates (PEM) that are trusted to sign webhooks instead of the system's roots: for tests and \
                      simulators; in live it counts only where base_url is on this machine",
            is_well_formed: |text| text.contains("-----BEGIN CERTIFICATE-----"),
        },
        Credential {
            name: "mock_events",
            is_required: false,
            meaning: "mock events of PayPal's webhook simulator are taken in sandbox and change nothing; \"refuse\" turns them away",
            is_well_formed: |text| matches!(text, "accept" | "refuse"),
        },
    ],
    // The hosts of PayPal's certificates and of the links in its answers.
    other_live_hosts: &["api.paypal.com"],
    lost_start: LostStart::Repeat,
    refundable: |_| Ok(()),
    scrubbed: &[
        "access_token",
        "account_id",
        "address",
        "birth_date",
        "buyer",
        "email_address",
        "full_name",
        "given_name",
        "name",
        "national_number",
        "nonce",
        "note_to_payer",
        "payer",
        "payer_id",
        "phone",
        "phone_number",
        "shipping",
        "subscriber",
        "surname",
        "tax_info",
    ],
    connect: Some(|account, http| Arc::new(Paypal::new(account, http))),
};

/// PayPal takes no decimals for forint and New Taiwan dollar, although ISO 4217 gives both two.
fn amount_step(currency: Currency) -> i64 {
    if amounts::has_decimals(currency) { 1 } else { 10_i64.pow(currency.decimals()) }
}

fn is_one_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// One account at PayPal.
struct Paypal {
    account: Account,
    http: Http,
    tokens: token::Tokens,
    verifier: signature::Verifier,
}

impl Paypal {
    fn new(account: Account, http: Http) -> Self {
        let verifier = signature::Verifier::new(&account);
        Self { account, http, tokens: token::Tokens::default(), verifier }
    }

    /// The address of `path` at the configured host. Links of PayPal's answers are not followed: they name another host.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.account.base_url)
    }

    /// Makes a call with the access token; once more with a fresh one if PayPal does not know the token any more.
    async fn call(&self, now: Timestamp, request: impl Fn() -> Request) -> Result<Answer, Failure> {
        let mut token = self.tokens.get(&self.account, &self.http, now, None).await?;
        let mut is_second = false;
        loop {
            let bearer = format!("Bearer {}", token.expose());
            let answer = self.http.send(request().header("authorization", bearer)).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            if is_second {
                return Err(Failure::refused(token::NOT_ACCEPTED));
            }
            // A 401 did nothing, so that this is the one call that may be made again. It has the same request id.
            token = self.tokens.get(&self.account, &self.http, now, Some(&token)).await?;
            is_second = true;
        }
    }

    async fn get(&self, now: Timestamp, path: &str) -> Result<Answer, Failure> {
        self.call(now, || Request::get(self.url(path))).await
    }

    async fn post(&self, now: Timestamp, path: &str, request_id: &str, body: &Value) -> Result<Answer, Failure> {
        let body = body.to_string();
        let request = || {
            Request::post_json(self.url(path), body.clone())
                .header("paypal-request-id", request_id)
                .header("prefer", "return=representation")
        };
        self.call(now, request).await
    }

    /// Reads an order; `None` if PayPal has none of this id.
    async fn read_order(&self, payment: &Ongoing<'_>) -> Result<Option<Order>, Failure> {
        let path = format!("/v2/checkout/orders/{}", wire::id_in_path(payment.provider_ref)?);
        let answer = self.get(payment.now, &path).await?;
        if !answer.is_success() {
            let problem = Problem::read(&answer)?;
            return if problem.name == ORDER_IS_GONE { Ok(None) } else { Err(problem.refusal()) };
        }
        let order: Order = answer.json()?;
        order.must_be(payment)?;
        Ok(Some(order))
    }

    async fn start_order(&self, start: &Start<'_>) -> Result<Started, Failure> {
        let body = orders::creation(start)?;
        let answer = self.post(start.now, "/v2/checkout/orders", start.attempt_id.as_str(), &body).await?;
        if !answer.is_success() {
            let problem = Problem::read(&answer)?;
            // An invoice id is taken once it was paid. In a repeat that may be what the first call led to.
            let is_open = problem.is_in_progress() || (start.is_repeat && problem.has("DUPLICATE_INVOICE_ID"));
            return Err(if is_open { Failure::Unknown { class: "unconfirmed" } } else { problem.refusal() });
        }
        let order: Order = answer.json()?;
        orders::started(order, &self.account).ok_or(Failure::Unknown { class: "garbage" })
    }

    async fn fetch_order(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        let Some(order) = self.read_order(payment).await? else {
            let is_old = payment.attempt_id < &AttemptId::earliest_at(payment.now.minus(ORDER_LIVES));
            return Ok(vec![if is_old { orders::expired() } else { Observation::Pending }]);
        };
        if !order.waits_for_capture() {
            return order.observations();
        }
        if !payment.is_open {
            return Ok(vec![Observation::Pending]);
        }
        // A buyer never pays another sum than was asked for: what is not ours stays uncaptured.
        order.must_ask_for(payment)?;
        self.capture(payment, &order).await
    }

    /// Takes the money of an approved order. PayPal takes it once, whatever the request id: who comes second is told
    /// `ORDER_ALREADY_CAPTURED`. The id names the state of the order, so that a buyer who was sent back because the bank
    /// declined, and approved again, is not answered with the first decline.
    async fn capture(&self, payment: &Ongoing<'_>, order: &Order) -> Result<Vec<Observation>, Failure> {
        let path = format!("/v2/checkout/orders/{}/capture", wire::id_in_path(payment.provider_ref)?);
        let state: String = order.update_time.chars().filter(char::is_ascii_digit).take(20).collect();
        let request_id = format!("{}-capture-{state}", payment.attempt_id);
        let answer = self.post(payment.now, &path, &request_id, &json!({})).await?;
        if answer.is_success() {
            let order: Order = answer.json()?;
            order.must_be(payment)?;
            return order.observations();
        }
        let problem = Problem::read(&answer)?;
        if problem.has("ORDER_ALREADY_CAPTURED") {
            let order = self.read_order(payment).await?.ok_or(Failure::Unknown { class: "unconfirmed" })?;
            return order.observations();
        }
        if problem.name == ORDER_IS_GONE {
            return Ok(vec![Observation::Pending]);
        }
        orders::of_refused_capture(&problem).map(|observation| vec![observation]).ok_or_else(|| problem.refusal())
    }

    /// PayPal's API gives up no order with intent `CAPTURE`; one that is not captured takes no money and expires. A payment
    /// that is closed here is not captured, whenever its buyer approves.
    async fn give_up_order(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        match self.read_order(payment).await? {
            None => Ok(vec![orders::expired()]),
            Some(order) if order.is_settled() => order.observations(),
            Some(_) => Ok(vec![Observation::Canceled { reason: "given up before it was captured".to_owned() }]),
        }
    }
}

impl Psp for Paypal {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> Called<'a, Started> {
        Box::pin(self.start_order(start))
    }

    fn fetch<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        Box::pin(self.fetch_order(payment))
    }

    fn cancel<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        Box::pin(self.give_up_order(payment))
    }

    fn refund<'a>(&'a self, refund: &'a RefundOrder<'a>) -> Called<'a, RefundAnswer> {
        Box::pin(self.give_back(refund))
    }

    fn fetch_refund<'a>(
        &'a self,
        refund: &'a RefundOrder<'a>,
        provider_ref: Option<&'a str>,
    ) -> Called<'a, Option<RefundAnswer>> {
        Box::pin(self.read_refund(refund, provider_ref))
    }

    fn cancel_subscription<'a>(&'a self, _: &'a str, _: bool, _: Timestamp) -> Called<'a, SubscriptionNews> {
        let instead = "end the subscription in the PayPal dashboard; this gateway starts none there";
        Box::pin(async move { Err(Failure::Unsupported { instead }) })
    }

    fn read_webhook<'a>(
        &'a self,
        headers: &'a [(String, String)],
        body: &'a [u8],
        now: Timestamp,
    ) -> Called<'a, WebhookReading> {
        Box::pin(self.read_event(headers, body, now))
    }

    fn check(&self, now: Timestamp) -> Called<'_, ()> {
        Box::pin(async move { self.tokens.renew(&self.account, &self.http, now).await })
    }
}

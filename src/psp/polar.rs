//! Polar, merchant of record for digital products: checkouts on Polar's page, orders, refunds and subscriptions. Facts
//! of 2026-11-21, from Polar's documentation, its published SDKs (API version 2026-10) and its server's source; none
//! was tried against Polar's own servers.
//!
//! A payment is a checkout of a product that the merchant made at Polar. What is bought once is charged exactly the
//! payment's amount, by a price made for that checkout; what recurs has a price of its own, which the amount must be.
//! Polar adds tax as the seller of record; amounts here are prices before it. Units of money are in [`money`], what a
//! checkout is made of in [`checkouts`], Polar's objects in [`wire`], its errors in [`refusals`], its webhooks in
//! [`webhooks`].

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::http::{Answer, Http, Request};
use super::{
    Account, Called, Connect, Credential, Driver, Failure, LostStart, Ongoing, Psp, RefundAnswer, RefundOrder, Start,
    Started, WebhookReading,
};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payments::Observation;
use crate::domain::subscriptions::SubscriptionNews;
use crate::domain::time::Timestamp;

mod checkouts;
mod money;
mod refusals;
mod webhooks;
mod wire;

use checkouts::{checkout_request, is_older, started};
use refusals::{Fault, refusal};
use wire::{ATTEMPT_KEY, Checkout, Order, PAYMENT_KEY, Page, Product, REFUND_KEY, Refund, Subscription};

/// The dated contract that is spoken; it is served at least until two later ones are out.
const API_VERSION: &str = "2026-10";

/// Assumed: Polar's greatest charge in any currency, in its units. Its source gives twelve currencies (the rupiah
/// among them) ceilings of their own, which are not known.
const MOST_UNITS: i64 = 99_999_999;

/// Assumed: a checkout's own prices must have one in the organisation's default currency beside the one that is
/// charged, as a product must. The product was read already and the organisation would be one more call with a scope of
/// its own, so every currency of the product is given. Nobody is charged in those: the checkout's currency is set.
const PRICES_COVER_THE_CATALOGUE: bool = true;

/// The price of a checkout is before tax wherever the buyer lives. Without this the organisation's setting decides,
/// and in most countries it takes the tax out of the price.
const TAX_BEHAVIOR: &str = "exclusive";

/// How lists of checkouts are read. Polar offers no search of their metadata.
const NEWEST_FIRST: &str = "sorting=-created_at&limit=100";

/// How many pages of a product's checkouts are searched for one whose answer was lost.
const MOST_PAGES: i64 = 10;

/// How far Polar's clock may be behind.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Longest name of a customer, in characters.
const MAX_NAME: usize = 256;

/// When to come back to what Polar is working on.
const LOCKED_FOR: Duration = Duration::from_secs(2);

/// The key of a payment's metadata that names Polar's product.
const PRODUCT_KEY: &str = "polar_product_id";

/// Polar as a value.
pub const DRIVER: Driver = Driver {
    name: "polar",
    title: "Polar",
    report_source: "Polar’s own export leaves out the ids of orders. List orders and refunds with Polar’s API, and write each as a line of \
             CSV with these columns.",
    modes: &[Mode::Sandbox, Mode::Live],
    sandbox_host: "sandbox-api.polar.sh",
    live_host: "api.polar.sh",
    methods: &["polar"],
    currencies: &[
        "AED", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BIF", "BMD", "BND", "BOB", "BRL",
        "BSD", "BWP", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD",
        "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
        "IDR", "ILS", "INR", "ISK", "JMD", "JPY", "KES", "KGS", "KHR", "KMF", "KRW", "KYD", "KZT", "LAK", "LKR", "LRD",
        "LSL", "MAD", "MDL", "MGA", "MKD", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
        "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RWF", "SAR", "SBD",
        "SCR", "SEK", "SGD", "SHP", "SOS", "SRD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX",
        "USD", "UYU", "UZS", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW",
    ],
    amount_range,
    amount_step: money::step,
    requires_email: true,
    requires_metadata: &[PRODUCT_KEY],
    credentials: &[
        Credential {
            name: "access_token",
            is_required: true,
            meaning: "organization access token (polar_oat_…), with the scopes products:read, checkouts:read, \
                      checkouts:write, orders:read, refunds:read, refunds:write, subscriptions:read and \
                      subscriptions:write: Polar's dashboard, organization settings",
            is_well_formed: is_access_token,
        },
        Credential {
            name: "webhook_secret",
            is_required: true,
            meaning: "secret of the webhook endpoint, whole with its prefix (whsec_… or polar_whs_…): Polar's \
                      dashboard, webhooks",
            is_well_formed: is_webhook_secret,
        },
    ],
    other_live_hosts: &[],
    lost_start: LostStart::Repeat,
    refundable: |_| Ok(()),
    scrubbed: &[
        "attached_custom_fields",
        "avatar_url",
        "billing_address",
        "billing_name",
        "client_secret",
        "comment",
        "custom_field_data",
        "customer_billing_address",
        "customer_billing_name",
        "customer_cancellation_comment",
        "customer_email",
        "customer_ip_address",
        "customer_metadata",
        "customer_name",
        "customer_tax_id",
        "email",
        "external_customer_id",
        "customer_external_id",
        "external_id",
        "ip_address",
        "name",
        "payment_processor_metadata",
        "public_name",
        "secret",
        "tax_id",
        "url",
        "user",
    ],
    connect: Some(connect as Connect),
};

/// What a token of Polar's is made of, with room for other alphabets than today's.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~')
}

/// Polar's tokens begin with `polar_oat_` today; what is refused is what belongs into the other field, or into none.
fn is_access_token(text: &str) -> bool {
    let is_of_the_other_field = ["whsec_", "polar_whs_"].iter().any(|prefix| text.starts_with(prefix));
    !is_of_the_other_field && !matches!(text, "" | "polar_oat_") && text.bytes().all(is_token_byte)
}

/// Secrets that Polar made have one of two prefixes; those that people chose have at least 32 characters.
fn is_webhook_secret(text: &str) -> bool {
    let is_prefixed =
        ["whsec_", "polar_whs_"].iter().any(|prefix| text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
    (is_prefixed || text.len() >= 32)
        && !text.starts_with("polar_oat_")
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Polar's bounds, in minor units.
fn amount_range(_method: &str, currency: Currency) -> (i64, i64) {
    money::range(money::least_units(currency.code()), MOST_UNITS, currency)
}

fn connect(account: Account, http: Http) -> Arc<dyn Psp> {
    Arc::new(Polar { account, http })
}

struct Polar {
    account: Account,
    http: Http,
}

/// A failure of a question that was asked before anything was done.
fn before_anything(failure: Failure) -> Failure {
    match failure {
        Failure::Unknown { class } => Failure::NotSent { class, retry_after: None },
        other => other,
    }
}

/// Whether `text` can be an id, safe in a path. Polar's are UUIDs today, which no one has promised.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

const GARBAGE: Failure = Failure::Unknown { class: "garbage" };

impl Polar {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.account.base_url)
    }

    async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let token = format!("Bearer {}", self.account.credential("access_token"));
        let request = request.header("authorization", token).header("accept", "application/json");
        self.http.send(request.header("polar-version", API_VERSION)).await
    }

    /// Sends it, and reads an answer of success.
    async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let answer = self.send(request).await?;
        if answer.is_success() { answer.json() } else { Err(refusal(&answer)) }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Request::get(self.url(path))).await
    }

    async fn begin(&self, start: &Start<'_>) -> Result<Started, Failure> {
        let product_id = start.metadata[PRODUCT_KEY].as_str().unwrap_or_default();
        if !is_id(product_id) {
            return Err(Failure::refused(format!("metadata.{PRODUCT_KEY} is not the id of a product")));
        }
        let units = money::units_of(start.amount_minor, start.currency)
            .ok_or_else(|| Failure::refused("the provider cannot charge this amount exactly"))?;
        if start.is_repeat
            && let Some(checkout) = self.find_checkout(product_id, start).await?
        {
            return started(checkout);
        }
        // A repeat's first call may have been done, whatever becomes of this one.
        let product: Product = match self.get(&format!("/v1/products/{product_id}")).await {
            Err(failure) if !start.is_repeat => return Err(before_anything(failure)),
            other => other?,
        };
        let body = checkout_request(start, product_id, &product, units)?;
        let checkout: Checkout = self.call(Request::post_json(self.url("/v1/checkouts/"), body.to_string())).await?;
        let currency = start.currency.code().to_ascii_lowercase();
        if checkout.amount.is_some_and(|amount| amount != units)
            || checkout.currency.as_ref().is_some_and(|given| *given != currency)
        {
            // No buyer has seen it.
            return Err(Failure::refused("the provider would charge another amount than the payment's"));
        }
        started(checkout)
    }

    /// The payment's checkout, if Polar has one that can be paid or is. Newest first, down to those that are older than
    /// the payment.
    async fn find_checkout(&self, product_id: &str, start: &Start<'_>) -> Result<Option<Checkout>, Failure> {
        for number in 1..=MOST_PAGES {
            let path = format!("/v1/checkouts/?product_id={product_id}&{NEWEST_FIRST}&page={number}");
            let page: Page<Checkout> = self.get(&path).await?;
            let is_last = number >= page.pagination.max_page
                || page.items.iter().any(|checkout| is_older(checkout, start.payment_id));
            let mut found: Vec<Checkout> = page
                .items
                .into_iter()
                .filter(|checkout| checkout.metadata.has(PAYMENT_KEY, start.payment_id.as_str()))
                .filter(|checkout| matches!(checkout.status.as_str(), "open" | "confirmed" | "succeeded"))
                .collect();
            if !found.is_empty() {
                let attempt = start.attempt_id.as_str();
                let index = found.iter().position(|checkout| checkout.metadata.has(ATTEMPT_KEY, attempt));
                return Ok(Some(found.swap_remove(index.unwrap_or(0))));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }

    async fn checkout(&self, provider_ref: &str) -> Result<Checkout, Failure> {
        if !is_id(provider_ref) {
            return Err(Failure::refused("this is not the id of a checkout"));
        }
        self.get(&format!("/v1/checkouts/{provider_ref}")).await
    }

    /// What has become of a checkout. Its order is paid before it has succeeded itself.
    async fn observe(&self, checkout: &Checkout) -> Result<Vec<Observation>, Failure> {
        let mut observations: Vec<Observation> = checkout.observation().into_iter().collect();
        if matches!(checkout.status.as_str(), "confirmed" | "succeeded") {
            let orders: Page<Order> = self.get(&format!("/v1/orders/?checkout_id={}&limit=100", checkout.id)).await?;
            for order in orders.items.iter().filter(|order| !order.is_later() && order.has_money()) {
                observations.push(order.paid().ok_or(GARBAGE)?);
                for refund in self.refunds_of(&order.id).await? {
                    observations.push(order.refunded(&refund).ok_or(GARBAGE)?);
                }
            }
        }
        if observations.is_empty() {
            observations.push(Observation::Pending);
        }
        Ok(observations)
    }

    async fn refunds_of(&self, order_id: &str) -> Result<Vec<Refund>, Failure> {
        let mut refunds = Vec::new();
        for number in 1..=MOST_PAGES {
            let order_id: String = byte_serialize(order_id.as_bytes()).collect();
            let path = format!("/v1/refunds/?order_id={order_id}&limit=100&page={number}");
            let page: Page<Refund> = self.get(&path).await?;
            refunds.extend(page.items);
            if number >= page.pagination.max_page {
                break;
            }
        }
        Ok(refunds)
    }

    async fn give_back(&self, refund: &RefundOrder<'_>) -> Result<RefundAnswer, Failure> {
        if !is_id(refund.transaction) {
            return Err(Failure::refused("this is not the id of an order"));
        }
        let order: Order = self.get(&format!("/v1/orders/{}", refund.transaction)).await.map_err(before_anything)?;
        let amount = money::units_of(refund.amount_minor, refund.payment.currency)
            .and_then(|units| order.refund_units(units))
            .ok_or_else(|| Failure::refused("the provider cannot give back this amount exactly"))?;
        let mut body = json!({
            "order_id": refund.transaction,
            "amount": amount,
            "reason": "customer_request",
            "metadata": {
                REFUND_KEY: refund.refund_id.as_str(),
                PAYMENT_KEY: refund.payment.payment_id.as_str(),
            },
        });
        if let Some(reason) = refund.reason {
            body["comment"] = json!(reason.replace('\0', " "));
        }
        let refund: Refund = self.call(Request::post_json(self.url("/v1/refunds/"), body.to_string())).await?;
        refund.answer().ok_or(GARBAGE)
    }

    /// A refund by its id; or, as Polar knows no idempotency key, the one of the order that carries ours.
    async fn find_refund(
        &self,
        refund: &RefundOrder<'_>,
        provider_ref: Option<&str>,
    ) -> Result<Option<RefundAnswer>, Failure> {
        let found = self.refunds_of(refund.transaction).await?.into_iter().find(|found| match provider_ref {
            Some(id) => found.id == id,
            None => found.metadata.has(REFUND_KEY, refund.refund_id.as_str()),
        });
        found.map(|found| found.answer().ok_or(GARBAGE)).transpose()
    }

    async fn end_subscription(&self, provider_ref: &str, at_period_end: bool) -> Result<SubscriptionNews, Failure> {
        if !is_id(provider_ref) {
            return Err(Failure::refused("this is not the id of a subscription"));
        }
        let path = format!("/v1/subscriptions/{provider_ref}");
        let request = if at_period_end {
            Request::patch_json(self.url(&path), json!({ "cancel_at_period_end": true }).to_string())
        } else {
            Request::delete(self.url(&path))
        };
        let answer = self.send(request).await?;
        let subscription: Subscription = if answer.is_success() {
            answer.json()?
        } else if answer.status == 403
            && answer.json::<Fault>().is_ok_and(|fault| fault.error.as_deref() == Some("AlreadyCanceledSubscription"))
        {
            self.get(&path).await?
        } else {
            return Err(refusal(&answer));
        };
        subscription.news().ok_or(GARBAGE)
    }
}

impl Psp for Polar {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> Called<'a, Started> {
        Box::pin(self.begin(start))
    }

    fn fetch<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        Box::pin(async move {
            let checkout = self.checkout(payment.provider_ref).await?;
            self.observe(&checkout).await
        })
    }

    /// Polar has no way to close a checkout. One that nobody has paid is let go: money that comes before it expires is
    /// money after closing, which is kept and told.
    fn cancel<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        Box::pin(async move {
            let checkout = self.checkout(payment.provider_ref).await?;
            if checkout.status == "open" {
                let reason = "given up; the provider's page stays open until it expires".to_owned();
                return Ok(vec![Observation::Canceled { reason }]);
            }
            self.observe(&checkout).await
        })
    }

    fn refund<'a>(&'a self, refund: &'a RefundOrder<'a>) -> Called<'a, RefundAnswer> {
        Box::pin(self.give_back(refund))
    }

    fn fetch_refund<'a>(
        &'a self,
        refund: &'a RefundOrder<'a>,
        provider_ref: Option<&'a str>,
    ) -> Called<'a, Option<RefundAnswer>> {
        Box::pin(self.find_refund(refund, provider_ref))
    }

    fn cancel_subscription<'a>(
        &'a self,
        provider_ref: &'a str,
        at_period_end: bool,
        _now: Timestamp,
    ) -> Called<'a, SubscriptionNews> {
        Box::pin(self.end_subscription(provider_ref, at_period_end))
    }

    fn read_webhook<'a>(
        &'a self,
        headers: &'a [(String, String)],
        body: &'a [u8],
        now: Timestamp,
    ) -> Called<'a, WebhookReading> {
        Box::pin(async move { Ok(webhooks::read(self.account.credential("webhook_secret"), headers, body, now)) })
    }

    fn check<'a>(&'a self, _now: Timestamp) -> Called<'a, ()> {
        Box::pin(async move {
            let _: Page<serde_json::Value> = self.get("/v1/products/?limit=1").await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_credential_of_polars_is_refused_at_the_start() {
        let [token, secret] = DRIVER.credentials else { panic!("two credentials are wanted") };
        for (credential, text, is_fine) in [
            (token, "polar_oat_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", true),
            (token, "polar_oat_", false),
            (token, "polar_oat_012 ", false),
            (token, "whsec_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK", false),
            (secret, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true),
            (secret, "polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK", true),
            (secret, "0123456789abcdef0123456789abcdef", true),
            (secret, "whsec_", false),
            (secret, "too short", false),
            (secret, "polar_oat_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", false),
        ] {
            assert_eq!((credential.is_well_formed)(text), is_fine, "{text}");
        }
    }

    #[test]
    fn only_ids_become_part_of_a_url() {
        assert!(is_id("7b0f3a52-0c6e-4a0f-9d8e-6a5b4c3d2e1f"));
        let too_long = "a".repeat(65);
        for other in ["", "7b0f3a52-0c6e-4a0f-9d8e-6a5b4c3d2e/f", "../orders/", "a?b", "a b", "..", too_long.as_str()] {
            assert!(!is_id(other), "{other}");
        }
    }
}

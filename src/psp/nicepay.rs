//! NICEPAY, Indonesia: virtual accounts and QRIS in rupiah. Facts of 2026-11-21, from docs.nicepay.co.id and the source
//! of NICEPAY's own libraries and plugins.
//!
//! Two dialects of one house. V2 ("Non SNAP", the default) signs with a hash of the fields and the merchant key; SNAP,
//! the national standard, signs with an RSA key for a short-lived token and with an HMAC for each call. The setting
//! `api` chooses for each mode. Here live what NICEPAY is as a value and the choice; the dialects are in [`v2`] and
//! [`snap`], what both share in [`words`], the signatures in [`keys`].
//!
//! What NICEPAY does not say, and what is therefore assumed, stands together below under [`assumed`].

use std::sync::Arc;

use super::http::Http;
use super::{
    Account, Called, Credential, Driver, Failure, LostStart, Ongoing, Psp, RefundAnswer, RefundOrder, Start, Started,
    WebhookReading,
};
use crate::domain::mode::Mode;
use crate::domain::payments::Observation;
use crate::domain::subscriptions::SubscriptionNews;
use crate::domain::time::Timestamp;

mod keys;
mod snap;
mod v2;
mod words;

/// NICEPAY as a value.
pub const DRIVER: Driver = Driver {
    name: "nicepay",
    title: "NICEPAY",
    report_source: "The list of transactions from NICEPAY’s back office, saved as CSV from the spreadsheet. Its columns are not published: \
             see that the head of yours has these names.",
    modes: &[Mode::Sandbox, Mode::Live],
    sandbox_host: "dev.nicepay.co.id",
    live_host: "www.nicepay.co.id",
    methods: &["qris", "va_bca", "va_mandiri", "va_bni", "va_bri", "va_permata"],
    currencies: &["IDR"],
    amount_range: assumed::amount_range,
    amount_step: |_| 1,
    requires_email: true,
    requires_metadata: &[],
    credentials: &[
        Credential {
            name: "imid",
            is_required: true,
            meaning: "merchant id (iMid), as NICEPAY gave it",
            is_well_formed: |text| is_token(text) && text.len() <= 10,
        },
        Credential {
            name: "merchant_key",
            is_required: true,
            meaning: "merchant key: signs V2 calls and proves V2 notifications",
            is_well_formed: is_token,
        },
        Credential {
            name: "shop_id",
            is_required: false,
            meaning: "store id for QRIS; the sandbox has a common one, live QRIS needs yours",
            is_well_formed: |text| is_token(text) && text.len() <= 32,
        },
        Credential {
            name: "qris_acquirer",
            is_required: false,
            meaning: "code of the QRIS acquirer that NICEPAY activated (mitraCd): QSHP, which is the default, NOBU or NICE",
            is_well_formed: |text| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        },
        Credential {
            name: "api",
            is_required: false,
            meaning: "which of NICEPAY's APIs is spoken: v2, which is the default, or snap",
            is_well_formed: |text| matches!(text, "v2" | "snap"),
        },
        Credential {
            name: "client_secret",
            is_required: false,
            meaning: "SNAP: client secret, signs each call",
            is_well_formed: is_token,
        },
        Credential {
            name: "private_key",
            is_required: false,
            meaning: "SNAP: your RSA private key of at least 2048 bits, PKCS#8 as PEM or as base64 of its DER",
            is_well_formed: |text| keys::PrivateKey::parse(text).is_some(),
        },
        Credential {
            name: "public_key",
            is_required: false,
            meaning: "SNAP: NICEPAY's RSA public key for notifications, as PEM or as base64 of its DER",
            is_well_formed: |text| keys::PublicKey::parse(text).is_some(),
        },
    ],
    other_live_hosts: &["services.nicepay.co.id"],
    lost_start: LostStart::NextReference,
    refundable: |method| match method {
        "qris" => Ok(()),
        _ => Err(
            "NICEPAY cannot refund a paid virtual account: transfer the money to the buyer's bank account, by hand \
             or by payout",
        ),
    },
    scrubbed: &[
        "accessToken",
        "billingAddr",
        "billingCity",
        "billingEmail",
        "billingNm",
        "billingPhone",
        "billingPostCd",
        "billingState",
        "cancelUserIp",
        "cardNo",
        "clientUserKey",
        "deliveryAddr",
        "deliveryNm",
        "deliveryPhone",
        "merchantToken",
        "payerAccountNo",
        "payerName",
        "preauthToken",
        "recurringToken",
        "sourceAccountName",
        "sourceAccountNo",
        "userAgent",
        "userIP",
        "userId",
        "userToken",
        "virtualAccountEmail",
        "virtualAccountName",
        "virtualAccountPhone",
    ],
    connect: Some(|account, http| Arc::new(Nicepay::new(account, http))),
};

/// What NICEPAY's documents leave open. Each of these is an assumption that an answer from NICEPAY may correct.
mod assumed {
    use std::time::Duration;

    use crate::domain::money::Currency;

    /// No bounds of a method are published, only that there are some (codes 9209, 9509). These are Bank Indonesia's
    /// ceiling for one QRIS payment and the twelve digits that the amount field has.
    pub fn amount_range(method: &str, _currency: Currency) -> (i64, i64) {
        match method {
            "qris" => (1, 10_000_000),
            _ => (1, 999_999_999_999),
        }
    }

    /// The store id that NICEPAY's own sandbox samples use. Live accounts have one of their own.
    pub const SANDBOX_SHOP_ID: &str = "NICEPAY";

    /// The QRIS acquirer of NICEPAY's samples; an account may have been given another one.
    pub const QRIS_ACQUIRER: &str = "QSHP";

    /// Name of a buyer whose name is not known. Editions of the document differ between 30 and 100 characters.
    pub const BUYER_NAME: &str = "Customer";
    /// Longest name that every edition takes.
    pub const BUYER_NAME_BYTES: usize = 30;
    /// Telephone number of a buyer whose number is not known: digits are required, no one has these.
    pub const BUYER_PHONE: &str = "000000000000";
    /// Address for a buyer without one, or with one that is longer than the field: a cut address would be another
    /// person's.
    pub const BUYER_EMAIL: &str = "buyer@example.com";
    /// Street, city, province, postal code and country, which products do not give: required, not looked at.
    pub const BUYER_ADDRESS: &str = "Jakarta";
    /// See [`BUYER_ADDRESS`].
    pub const BUYER_CITY: &str = "Jakarta";
    /// See [`BUYER_ADDRESS`].
    pub const BUYER_STATE: &str = "DKI Jakarta";
    /// See [`BUYER_ADDRESS`].
    pub const BUYER_POSTAL_CODE: &str = "10110";
    /// See [`BUYER_ADDRESS`].
    pub const BUYER_COUNTRY: &str = "Indonesia";
    /// Address of a buyer who has no IPv4 address that we know: the field has no room for another kind.
    pub const BUYER_IP: &str = "127.0.0.1";

    /// The zone of V2's times is not stated; the published answers show Jakarta's clock, seven hours before UTC.
    pub const UTC_OFFSET_HOURS: i8 = 7;

    /// Codes behind which something may have been done all the same: lost connections, servers that were busy.
    pub const UNCERTAIN_CODES: [&str; 12] =
        ["1001", "1002", "1003", "1004", "9002", "9005", "9102", "9201", "9202", "9204", "9206", "9302"];

    /// Codes that say that the account is not known or that its token is wrong.
    pub const CREDENTIAL_CODES: [&str; 4] = ["9010", "9011", "9225", "9525"];

    /// Whether part of a QRIS payment can be given back is not documented; the field for it (`cancelType` 2) is. SNAP
    /// documents only the whole.
    pub const CANCEL_PART: &str = "2";

    /// How long before its end a SNAP token is not used any more.
    pub const TOKEN_MARGIN: Duration = Duration::from_secs(60);

    /// How far the time of a SNAP notification may be from ours, both ways.
    pub const NOTIFICATION_SKEW_SECONDS: i64 = 300;

    /// The suffix of the channel id; some samples leave it out.
    pub const CHANNEL_SUFFIX: &str = "01";
}

/// Whether a text is one printable word, as a copied key is.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// One account at NICEPAY.
struct Nicepay {
    v2: v2::V2,
    snap: snap::Snap,
    speaks_snap: bool,
}

impl Nicepay {
    fn new(account: Account, http: Http) -> Self {
        let speaks_snap = account.credential("api") == "snap";
        let account = Arc::new(words::Merchant::new(account));
        Self { v2: v2::V2::new(account.clone(), http.clone()), snap: snap::Snap::new(account, http), speaks_snap }
    }
}

impl Psp for Nicepay {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> Called<'a, Started> {
        Box::pin(async move {
            words::check_start(start)?;
            if self.speaks_snap { self.snap.start(start).await } else { self.v2.start(start).await }
        })
    }

    fn fetch<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        Box::pin(
            async move { if self.speaks_snap { self.snap.fetch(payment).await } else { self.v2.fetch(payment).await } },
        )
    }

    fn cancel<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        Box::pin(async move {
            if self.speaks_snap { self.snap.cancel(payment).await } else { self.v2.cancel(payment).await }
        })
    }

    fn refund<'a>(&'a self, refund: &'a RefundOrder<'a>) -> Called<'a, RefundAnswer> {
        Box::pin(async move {
            if let Err(instead) = (DRIVER.refundable)(refund.payment.method) {
                return Err(Failure::Unsupported { instead });
            }
            if self.speaks_snap { self.snap.refund(refund).await } else { self.v2.refund(refund).await }
        })
    }

    fn fetch_refund<'a>(
        &'a self,
        refund: &'a RefundOrder<'a>,
        provider_ref: Option<&'a str>,
    ) -> Called<'a, Option<RefundAnswer>> {
        Box::pin(async move {
            if let Err(instead) = (DRIVER.refundable)(refund.payment.method) {
                return Err(Failure::Unsupported { instead });
            }
            if self.speaks_snap {
                self.snap.fetch_refund(refund, provider_ref).await
            } else {
                self.v2.fetch_refund(refund).await
            }
        })
    }

    fn cancel_subscription<'a>(
        &'a self,
        _provider_ref: &'a str,
        _at_period_end: bool,
        _now: Timestamp,
    ) -> Called<'a, SubscriptionNews> {
        Box::pin(async { Err(Failure::Unsupported { instead: "NICEPAY sells no subscriptions here" }) })
    }

    fn read_webhook<'a>(
        &'a self,
        headers: &'a [(String, String)],
        body: &'a [u8],
        now: Timestamp,
    ) -> Called<'a, WebhookReading> {
        // A payment outlives a change of the setting, so what comes tells itself in which dialect it speaks.
        let is_snap = headers.iter().any(|(name, _)| name == "x-signature");
        let reading = if is_snap { self.snap.read_webhook(headers, body, now) } else { self.v2.read_webhook(body) };
        Box::pin(async { Ok(reading) })
    }

    fn check<'a>(&'a self, now: Timestamp) -> Called<'a, ()> {
        Box::pin(async move { if self.speaks_snap { self.snap.check(now).await } else { self.v2.check(now).await } })
    }
}

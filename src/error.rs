//! What a caller is told when something does not work: one list of codes, one shape.
//!
//! A [`Fault`] is a value that travels up to a door. How it looks on the wire is in `crate::problem`.

use std::time::Duration;

use crate::domain::fields::Invalid;
use crate::domain::mode::Mode;
use crate::store::StoreError;

macro_rules! codes {
    ($($name:ident $(as $wire:literal)? = $status:literal, $title:literal, $meaning:literal;)+) => {
        /// The stable code of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(
            #[doc = $meaning]
            $name
        ),+ }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it is written in `code` and `error`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => codes!(@wire $name $($wire)?)),+ }
            }

            /// HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// A short title, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }

            /// What it means and what to do, for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }
        }
    };
    (@wire $name:ident) => { stringify!($name) };
    (@wire $name:ident $wire:literal) => { $wire };
}

codes! {
    ValidationError = 400, "Invalid request", "A field is missing, unknown or out of its bounds. `message` lists every fault as `path: reason`.";
    InvalidScopeCombination as "INVALID_SCOPE_COMBINATION" = 400, "Two scopes at once", "Give either a checkpoint to start from or a stretch of time, and one of those.";
    ScopeTooWide as "SCOPE_TOO_WIDE" = 400, "Scope too wide", "The stretch is longer than one request may ask for; `detail` says how long it may be.";
    MissingAuthHeaders = 401, "Missing auth headers", "`X-PAY-Key`, `X-PAY-Timestamp` and `X-PAY-Signature` are all required, each once.";
    BadTimestamp = 401, "Bad timestamp", "`X-PAY-Timestamp` is not an integer of Unix seconds.";
    TimestampOutOfRange = 401, "Timestamp out of range", "The timestamp is more than 300 seconds away. Set the clock, sign anew.";
    BadSignature = 401, "Bad signature", "The signature does not match, or the key is unknown or archived.";
    AuthenticationRequired = 401, "Authentication required", "Sign in, and send the token as `Authorization: Bearer …`; or send an API key as `X-Api-Key`.";
    InvalidCredentials = 401, "Wrong address or password", "No account has this address with this password.";
    TotpRequired = 401, "Code required", "The account has a second factor. Sign in again with the code of the authenticator app as `totpCode`.";
    InvalidJwt = 401, "Invalid token", "The token is not one of this gateway's, or its session has ended. Sign in again.";
    JwtExpired = 401, "Token expired", "The token's time is over. Sign in again.";
    InvalidApiKeyFormat = 401, "Malformed API key", "An API key is `pk_<mode>_<public>.<secret>`.";
    InvalidApiKey = 401, "Invalid API key", "The key is unknown, disabled or deleted, or its secret is wrong.";
    InvalidToken = 400, "Spent link", "The link was used before, is too old, or is not complete. Ask for a new one.";
    ModeSwitchNotAllowed = 400, "Mode switch not allowed", "An API key has one mode for good. Use a key of the other mode.";
    PlanLimitExceeded = 402, "Plan limit exceeded", "The plan's limit is reached; `detail` names it, its size and when it resets. Reading stays free.";
    InsufficientScope = 403, "Insufficient scope", "The role or the key does not allow this; `detail` names what would.";
    FormNotAccepted = 403, "Form not accepted", "A form of the console that is not of a page of one's own, or whose session has ended. Load the page again.";
    SignUpClosed = 403, "Sign-up closed", "This server can be reached by others and has no mail server: set `mail.smtp_url`.";
    ProductionNotInPlan = 403, "Production not in plan", "The plan has no Production. Choose a paid plan.";
    ProductionAccessNotApproved = 403, "Production access not approved", "A step on the way to Production is missing; `detail` names it.";
    TenantSuspended = 403, "Tenant suspended", "The operator has suspended the tenant: it takes no new payments. Reading, refunds and webhooks go on.";
    BuyerKycRequired = 403, "Buyer not approved", "The app lets a buyer pay so much only once it is known who he is; `detail` names the buyer and the limit. See to it, then set his status with `POST /v1/customers/{external_user_id}/kyc`.";
    NotFound = 404, "Not found", "There is nothing at this path.";
    PaymentNotFound = 404, "Payment not found", "No payment of this app has this id.";
    RefundNotFound = 404, "Refund not found", "No refund of this app has this id.";
    SubscriptionNotFound = 404, "Subscription not found", "No subscription of this app has this id.";
    EventNotFound = 404, "Event not found", "No event of this app has this id.";
    CustomerNotFound = 404, "Customer not found", "No buyer of this app has this id.";
    UnknownPayment = 404, "Unknown payment", "A provider's webhook names a payment that is not here.";
    InvoiceNotFound = 404, "Invoice not found", "No invoice of this app has this id.";
    PaymentLinkNotFound = 404, "Payment link not found", "No payment link of this app has this id.";
    ExternalIdConflict = 409, "External id taken", "Another invoice of this app has this `external_id`, with other content.";
    AlreadyExists = 409, "Already exists", "There is one with this id already.";
    NotVerified = 409, "Not verified yet", "The delta waits to be verified, which takes a moment; or it failed. Ask how it stands.";
    ChangedMeanwhile = 409, "Changed meanwhile", "Something new has come since the page was shown. Look again, then decide.";
    EndpointDisabled = 409, "Endpoint switched off", "Nothing is sent to this endpoint. Switch it on first.";
    LastOwner = 409, "Last owner", "A tenant has at least one owner: make another member one first.";
    MethodNotAllowed = 405, "Method not allowed", "The path exists, but not with this method.";
    RequestTimeout = 408, "Request timeout", "The body did not arrive within 10 seconds.";
    IdempotencyConflict = 409, "Idempotency conflict", "The key was used with another body in the last 24 hours.";
    IdempotencyInProgress = 409, "Request in progress", "The first request with this key is still running. Ask again after `Retry-After`.";
    SignatureReused = 409, "Signature reused", "This signature was seen with another idempotency key. Sign every request anew.";
    BodyTooLarge = 413, "Body too large", "A body may have 64 KiB; one of many deltas or writes 12 MiB, a pasted proof 4 MiB, a settlement report what `reconcile.max_report_mib` says.";
    UnsupportedMediaType = 415, "Unsupported media type", "Send `Content-Type: application/json`.";
    ModeNotServed = 421, "Mode not served here", "This server does not serve the key's mode; the body names the base URL that does, where configured.";
    NoRoute = 422, "No route", "No provider has this method for this currency.";
    AmountOutOfRange = 422, "Amount out of range", "The provider does not take so little or so much.";
    ProviderNotAllowed = 422, "Provider not allowed", "The app's allow-list leaves no provider for this method.";
    MethodNotEnabled = 422, "Method not enabled", "The app's allow-list leaves out this method of the provider.";
    NotCancelable = 422, "Not cancelable", "The payment has ended otherwise.";
    NotPayable = 422, "Not payable", "This checkout cannot be paid: the provider is not configured for live money.";
    InvoiceNotOpen = 422, "Invoice not open", "The invoice is a draft, paid or void; `detail` says which, and what that stands in the way of.";
    PaymentLinkNotOpen = 422, "Payment link not open", "The link is closed, expired or used up, or all its uses are being paid just now.";
    NotRefundable = 422, "Not refundable", "Nothing was received, or less is left than was asked for.";
    RefundNotSupported = 422, "Refund not supported", "The provider cannot refund this by its API; the sentence says what to do instead.";
    RateLimited = 429, "Too many requests", "Wait as long as `Retry-After` says.";
    InternalError = 500, "Internal error", "A fault of the gateway. The log has the details under the request's id.";
    ProviderError = 502, "Provider refused", "The provider refused; the payment exists and is `failed`; `last_error` has the reason.";
    ProviderUnavailable = 503, "Provider unavailable", "The provider could not be reached and nothing was charged. Retry with the same key.";
    ServiceUnavailable = 503, "Service unavailable", "The database is away or too much is waiting; nothing was done. Retry with the same key.";
}

/// Something that did not work, as the caller will be told.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which.
    pub code: Code,
    /// One sentence for people; never a secret, SQL or a stack trace.
    pub detail: String,
    /// `path: reason`, one each, for [`Code::ValidationError`].
    pub messages: Vec<String>,
    /// The payment that exists all the same.
    pub payment_id: Option<String>,
    /// The mode that is not served here, and the base URL where it is, if that is known.
    pub elsewhere: Option<Box<(Mode, Option<String>)>>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// The HTTP status where it is not the code's own.
    pub status: Option<u16>,
}

/// What the gateway answers with.
pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// A fault with a sentence of its own.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            messages: Vec::new(),
            payment_id: None,
            elsewhere: None,
            retry_after: None,
            status: None,
        }
    }

    /// A fault with when to try again.
    #[must_use]
    pub fn retry_after(code: Code, detail: impl Into<String>, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(code, detail) }
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.unwrap_or_else(|| self.code.status())
    }

    /// One field that is not as it must be.
    #[must_use]
    pub fn invalid(path: &str, reason: &str) -> Self {
        Invalid::one(path, reason).into()
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Self { messages: invalid.messages(), ..Self::new(Code::ValidationError, invalid.detail()) }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Busy => {
                tracing::error!(%error, "the store cannot take this now");
                Self::retry_after(Code::ServiceUnavailable, "the database cannot take this now", Duration::from_secs(1))
            }
            StoreError::Query(_)
            | StoreError::Panicked
            | StoreError::Migration(_)
            | StoreError::Copy(_)
            | StoreError::Raced
            | StoreError::Missing
            | StoreError::Overflow => {
                tracing::error!(%error, "a storage operation failed");
                Self::new(Code::InternalError, "internal error")
            }
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code.name(), self.detail)?;
        // A single one is the detail again.
        if self.messages.len() > 1 || self.messages.first().is_some_and(|message| !self.detail.contains(message)) {
            write!(formatter, " ({})", self.messages.join("; "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// The one body of every error: RFC 9457, with aliases for clients that expect other names.
#[must_use]
pub fn problem_body(fault: &Fault, request_id: &str) -> String {
    let Fault { code, detail, messages, payment_id, retry_after, .. } = fault;
    let status = fault.status();
    let message = if messages.is_empty() { serde_json::json!(detail) } else { serde_json::json!(messages) };
    let mut body = serde_json::json!({
        "type": format!("/docs/errors#{}", anchor(*code)),
        "title": code.title(),
        "status": status,
        "detail": detail,
        "code": code.name(),
        "request_id": request_id,
        "statusCode": status,
        "error": code.name(),
        "message": message,
        "requestId": request_id,
    });
    if let Some(payment_id) = payment_id {
        body["payment_id"] = payment_id.as_str().into();
    }
    if let Some((mode, url)) = fault.elsewhere.as_deref() {
        body["mode"] = mode.as_str().into();
        body["mode_url"] = url.as_deref().into();
    }
    if let Some(wait) = retry_after {
        body["retryAfterSeconds"] = wait.as_secs().into();
    }
    body.to_string()
}

/// The place of a code in the documentation: `PaymentNotFound` is at `payment-not-found`.
#[must_use]
pub fn anchor(code: Code) -> String {
    let mut anchor = String::new();
    for (index, character) in format!("{code:?}").chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            anchor.push('-');
        }
        anchor.push(character.to_ascii_lowercase());
    }
    anchor
}

/// The codes as a Markdown table, for the README.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = String::from("| status | code | meaning |\n|---|---|---|\n");
    for code in Code::ALL {
        table.push_str(&format!("| {} | `{}` | {} |\n", code.status(), code.name(), code.meaning()));
    }
    table
}

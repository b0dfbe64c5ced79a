//! Decides in which order things happen. Each public method of [`Gateway`] is one verb of the system; its fields are
//! private, so a door cannot reach past it. One file for each noun holds that noun's verbs.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

use crate::clock::Clock;
use crate::config::Settings;
use crate::courier::Courier;
use crate::domain::notes::Signer;
use crate::domain::secrets::{Place, Sealer, Secret};
use crate::domain::signing::sha256;
use crate::domain::tokens::TokenKey;
use crate::error::Outcome;
use crate::mailer::Mailer;
use crate::store::{Lane, Store, StoreError, StoreResult};

mod across;
mod api_keys;
mod apps;
mod attention;
mod audit;
mod auditing;
mod auditing_lines;
mod auditing_trees;
pub mod backups;
mod balance_customers;
mod balances;
mod by_hand;
mod cancelling;
mod checkout;
mod checkpoints;
mod coming_back;
mod confirming;
mod console;
mod customers;
mod deliveries;
mod deltas;
mod directory;
mod environments;
mod event_stream;
mod events;
mod gating;
mod health;
mod idempotency;
mod inbox;
pub mod invoice_views;
mod invoices;
mod invoicing_by_hand;
mod joining;
mod key_file;
mod ledger_customers;
mod ledger_pages;
mod limits;
mod machines;
pub mod mails;
pub mod maintenance;
mod members;
mod mock;
mod onboarding;
mod operator;
mod origins;
mod overview;
mod paying;
mod payment_links;
mod payments;
pub mod plans;
mod polling;
mod profile;
mod provider_accounts;
mod provider_forms;
mod proving;
mod rails;
mod reconcile;
mod refunding;
mod refunds;
mod rejections;
mod routing;
mod scope;
mod second_factor;
mod sessions;
mod settle;
mod starting;
mod subscriptions;
mod tenants;
mod test_inbox;
mod timeline;
mod users;
mod verifying;
pub mod views;
pub mod webhook_endpoints;
mod writes;

pub use across::{EventDetail, Listed, PaymentDetail, PaymentQuery};
pub use api_keys::{IssuedKey, KeyChange, KeyDraft, read_overlap};
pub use apps::{AppChange, AppOptions, IssuedApp, kyc_limits};
pub use auditing::{AuditNews, AuditOptions, Audited, LedgerFinding};
pub use balances::{Compared, Comparison, PlacedDelta};
pub use checkpoints::{CheckpointObject, CheckpointScope};
pub use console::{Lock, Surroundings};
pub use deliveries::Capacity;
pub use directory::{App, Proof, SignedHead};
pub use event_stream::{Listening, MOST_LISTENERS_OF_APP, Told};
pub use health::{ProviderReport, Report};
pub use idempotency::{Answer, Once};
pub use inbox::{Posted, Verdict};
pub use invoicing_by_hand::{InvoiceDetail, LinkDetail};
pub use joining::Newcomer;
pub use ledger_customers::NewLedgerCustomer;
pub use ledger_pages::{BalancePoint, CustomerStory, DeltaFacts, DeltaPlace};
pub use limits::{Allowance, with_allowance};
pub use members::Invited;
pub use onboarding::{ProductionWish, Step, StepReport, Submission};
pub use overview::{EndpointState, Overview};
pub use paying::{InvoiceSheet, LinkChoice, LinkSheet};
pub use payments::PaymentPage;
pub use provider_accounts::AccountOptions;
pub use provider_forms::{ProviderField, ProviderForm};
pub use proving::{KnownRoot, MOST_OF_A_RECEIPT};
pub use rails::Checked;
pub use reconcile::{ReconcileOptions, Reconciled, ReportSource};
pub use routing::WayToPay;
pub use scope::{Member, Scope, Who};
pub use second_factor::Enrolment;
pub use tenants::{Decision, TenantReport};
pub use users::{Registration, SignIn, SignedIn};

// What the doors read and write of the hands' rows; their queries stay behind the verbs.
pub use crate::psp::{markdown_table as providers_table, provider_title};
pub use crate::store::across::AppName;
pub use crate::store::api_keys::ApiKeyRow;
pub use crate::store::apps::AppRow;
pub use crate::store::audit::AuditEntry;
pub use crate::store::checkpoints::CheckpointRow;
pub use crate::store::customers::CustomerRow;
pub use crate::store::deliveries::Delivery;
pub use crate::store::environments::{EnvironmentRow, OnboardingRow, ProductionRequestRow};
pub use crate::store::events::Event;
pub use crate::store::invoices::{Invoice, InvoiceFilter};
pub use crate::store::ledger_customers::LedgerCustomer;
pub use crate::store::members::{InvitationRow, MemberOfTenant};
pub use crate::store::payment_days::{Counts, DayTotal};
pub use crate::store::payment_links::PaymentLink;
pub use crate::store::payments::{Attempt, Filter, Payment};
pub use crate::store::refunds::Refund;
pub use crate::store::sessions::SessionRow;
pub use crate::store::spool::{Spool, Spooled};
pub use crate::store::subscriptions::Subscription;
pub use crate::store::test_inbox::Received;
pub use crate::store::webhook_endpoints::EndpointRow;
pub use crate::store::writes::{BucketRow, WriteRequestRow};

/// Why a gateway could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key that seals secrets.
    #[error("{0}")]
    Key(String),
    /// The mail server's settings.
    #[error("{0}")]
    Mail(String),
    /// The HTTP client.
    #[error("the HTTP client cannot start: {0}")]
    Client(#[from] reqwest::Error),
}

/// The system, behind its verbs.
pub struct Gateway {
    store: Store,
    sealer: Sealer,
    clock: Clock,
    settings: Settings,
    directory: directory::Directory,
    courier: Courier,
    mock_key: Secret,
    /// Names this process in leases.
    lease: String,
    deliveries_wanted: Notify,
    mock_jobs_wanted: Notify,
    confirmations_wanted: Notify,
    mails_wanted: Notify,
    environments_wanted: Notify,
    deltas_wanted: Notify,
    writes_wanted: Notify,
    mailer: Option<Mailer>,
    limits: limits::Limits,
    key_uses: machines::Uses,
    hashing: Semaphore,
    reconciliations: Semaphore,
    token_key: TokenKey,
    /// Signs checkpoints of the ledger.
    signer: Signer,
    form_key: Secret,
    rails: rails::Rails,
    fallbacks: health::FallbackCounters,
    rejections: rejections::Rejections,
    feed: event_stream::Feed,
    started: std::time::Instant,
}

impl Gateway {
    /// Opens the gateway on its database, which is brought up to date first.
    ///
    /// # Errors
    /// When the database cannot be reached or migrated, or the sealing key does not fit what is stored.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Arc<Self>, OpenError> {
        let target = settings.database.clone();
        let read_connections = settings.read_connections;
        let store = tokio::task::spawn_blocking(move || {
            Store::migrate(&target)?;
            Store::open(target, read_connections)
        })
        .await
        .map_err(|_| StoreError::Panicked)??;
        let sealer = key_file::sealer(&settings)?;
        let mock_key = install_secret(&store, &sealer, "mock_webhook_key").await?;
        let token_secret = install_secret(&store, &sealer, INSTALL_KEY).await?;
        let form_key = install_secret(&store, &sealer, "form_key").await?;
        let ledger_secret = install_secret(&store, &sealer, "ledger_key").await?;
        let signer = Signer::from_seed(&checkpoints::key_name(&settings), &sha256(ledger_secret.expose().as_bytes()))
            .map_err(|fault| OpenError::Key(format!("the ledger's key cannot be made: {fault}")))?;
        let smtp_url = settings.mail_smtp_url.as_ref();
        let mailer = smtp_url.map(|url| Mailer::new(url, &settings.mail_from)).transpose();
        let mailer = mailer.map_err(|fault| OpenError::Mail(fault.to_owned()))?;
        let rails = rails::Rails::new(&settings, &clock)?;
        let gateway = Arc::new(Self {
            store,
            sealer,
            clock,
            settings,
            directory: directory::Directory::default(),
            courier: Courier::new()?,
            mock_key,
            lease: crate::domain::secrets::random_hex(8),
            deliveries_wanted: Notify::new(),
            mock_jobs_wanted: Notify::new(),
            confirmations_wanted: Notify::new(),
            mails_wanted: Notify::new(),
            environments_wanted: Notify::new(),
            deltas_wanted: Notify::new(),
            writes_wanted: Notify::new(),
            mailer,
            limits: limits::Limits::default(),
            key_uses: machines::Uses::default(),
            hashing: Semaphore::new(users::HASHES_AT_ONCE),
            reconciliations: Semaphore::new(reconcile::AT_ONCE),
            token_key: TokenKey::new(&token_secret),
            signer,
            form_key,
            rails,
            fallbacks: health::FallbackCounters::default(),
            rejections: rejections::Rejections::default(),
            feed: event_stream::Feed::default(),
            started: std::time::Instant::now(),
        });
        gateway.refresh_directory().await?;
        if let Err(fault) = gateway.warn_of_lapsed_plans().await {
            tracing::warn!(%fault, "whether every tenant's plan is in the settings could not be looked up");
        }
        // Nobody waits for it.
        drop(tokio::task::spawn_blocking(users::prepare));
        Ok(gateway)
    }

    /// The settings it runs with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Now, by the gateway's clock.
    #[must_use]
    pub fn now(&self) -> crate::domain::time::Timestamp {
        self.clock.now()
    }

    async fn read<T, F>(&self, work: F) -> Outcome<T>
    where
        F: FnOnce(&mut crate::store::Conn) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.store.read(work).await?)
    }

    async fn write<T, F>(&self, lane: Lane<'_>, work: F) -> Outcome<T>
    where
        F: Fn(&mut crate::store::Conn) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.store.write(lane, work).await?)
    }
}

/// The install's secret that signs tokens.
const INSTALL_KEY: &str = "token_key";

/// Where a secret of the install's own is sealed for.
const fn install_secret_place(name: &str) -> Place<'_> {
    Place { table: "install_secrets", row: name, column: "sealed" }
}

/// A secret of the install's own, made on first use. It also proves that the sealing key fits the database.
async fn install_secret(store: &Store, sealer: &Sealer, name: &'static str) -> Result<Secret, OpenError> {
    let place = install_secret_place(name);
    // A start that writes nothing does not wait for who writes.
    let stored = match store.read(move |conn| crate::store::install::secret(conn, name)).await? {
        Some(stored) => stored,
        None => {
            let fresh = sealer.seal(place, &Secret::generate());
            store.write(Lane::Any, move |conn| crate::store::install::secret_or_insert(conn, name, &fresh)).await?
        }
    };
    sealer.open(place, &stored).map_err(|_| {
        OpenError::Key(
            "the sealing key is not the one that this database was made with: set secrets.key or secrets.key_file to \
             the key of the install"
                .to_owned(),
        )
    })
}

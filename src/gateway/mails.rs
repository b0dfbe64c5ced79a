//! Mail: written in the transaction of what it tells of, sent afterwards, tried again for a day.
//!
//! Without an SMTP server, a gateway that only its own machine can reach shows its mail on a page and in the log. One
//! that others can reach takes no sign-ups then: whoever could read that page could be anyone.

use std::net::IpAddr;
use std::time::Duration;

use url::Url;

use super::Gateway;
use crate::config::Settings;
use crate::domain::ids::MailId;
use crate::domain::secrets::{Place, Sealer, Secret};
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::mailer::NotSent;
use crate::store::mails::{self, MailRow};
use crate::store::{Conn, Lane, StoreResult, sessions};

/// How long a mail that is being sent is this process's own.
const LEASE: Duration = Duration::from_secs(60);

/// Waits after the first, second, … failed attempt.
const WAITS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3 * 3600),
    Duration::from_secs(20 * 3600),
];

/// Mails in one round.
const ROUND: i64 = 20;

/// How long finished mails are kept.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is to be sent.
pub(super) struct Letter {
    pub recipient: String,
    pub subject: String,
    pub text: String,
}

/// A mail as the outbox page shows it. Its links let people in, so it does not print itself.
#[derive(Clone)]
pub struct OutboxMail {
    /// To whom.
    pub recipient: String,
    /// About what.
    pub subject: String,
    /// All of it, with its links.
    pub text: String,
    /// When it was written.
    pub created_at: Timestamp,
}

fn place(mail_id: &MailId) -> Place<'_> {
    Place { table: "mails", row: mail_id.as_str(), column: "text" }
}

/// Puts a letter into the outbox.
pub(super) fn enqueue(conn: &mut Conn, sealer: &Sealer, letter: &Letter, now: Timestamp) -> StoreResult<()> {
    let mail_id = MailId::generate(now);
    let mail = MailRow {
        text_sealed: sealer.seal(place(&mail_id), &Secret::new(letter.text.clone())),
        mail_id,
        recipient: letter.recipient.clone(),
        subject: letter.subject.clone(),
        state: "pending".to_owned(),
        attempts: 0,
        due_at: now,
        error: None,
        created_at: now,
        finished_at: None,
    };
    mails::insert(conn, &mail)
}

/// Whether anyone but the people at this machine can reach a server with these settings, by itself or through a proxy.
#[must_use]
pub fn is_reachable(settings: &Settings) -> bool {
    let is_own_name = |host: &str| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let public = Url::parse(&settings.public_url).ok();
    let has_public_name = public.is_some_and(|url| url.scheme() == "https" || !url.host_str().is_some_and(is_own_name));
    !settings.bind.ip().is_loopback() || has_public_name
}

/// Why nobody can register at a server with these settings, if nobody can.
#[must_use]
pub fn sign_up_closed(settings: &Settings) -> Option<&'static str> {
    let is_closed = settings.mail_smtp_url.is_none() && is_reachable(settings);
    is_closed.then_some(
        "sign-up is closed: others can reach this server and it has no mail server to show whose an address is; set \
         mail.smtp_url",
    )
}

impl Gateway {
    /// Whether mail is shown on a page, because there is no server to send it and nobody else to see it.
    #[must_use]
    pub fn has_outbox(&self) -> bool {
        self.mailer.is_none() && !is_reachable(&self.settings)
    }

    /// Whether people can register: only where a link in a mail can reach them alone.
    #[must_use]
    pub fn is_sign_up_open(&self) -> bool {
        sign_up_closed(&self.settings).is_none()
    }

    /// The newest mails, where there is an outbox to show.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outbox(&self) -> Outcome<Vec<OutboxMail>> {
        let rows = self.read(|conn| mails::newest(conn, 50)).await?;
        let shown = rows.into_iter().filter_map(|mail| {
            let text = self.sealer.open(place(&mail.mail_id), &mail.text_sealed).ok()?;
            Some(OutboxMail {
                recipient: mail.recipient,
                subject: mail.subject,
                text: text.expose().to_owned(),
                created_at: mail.created_at,
            })
        });
        Ok(shown.collect())
    }

    /// Waits until there may be mail to send.
    pub async fn mails_wanted(&self) {
        self.mails_wanted.notified().await;
    }

    /// Sends the mails that are due; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn send_due_mails(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let due = self.write(Lane::Any, move |conn| mails::claim_due(conn, now, now.plus(LEASE), ROUND)).await?;
        for mail in &due {
            self.send_mail(mail).await?;
        }
        Ok(due.len())
    }

    /// Forgets mails, links and sessions that ended a week ago; says how many rows went.
    pub(super) async fn prune_accounts(&self) -> Outcome<usize> {
        let before = self.clock.now().minus(KEPT_FOR);
        self.write(Lane::Any, move |conn| {
            Ok(mails::prune(conn, before, 500)?
                + mails::prune_tokens(conn, before, 500)?
                + sessions::prune(conn, before, 500)?)
        })
        .await
    }

    async fn send_mail(&self, mail: &MailRow) -> Outcome<()> {
        let outcome = match (self.sealer.open(place(&mail.mail_id), &mail.text_sealed), &self.mailer) {
            (Err(_), _) => Err(NotSent::Refused),
            (Ok(text), Some(mailer)) => mailer.send(&mail.recipient, &mail.subject, text.expose()).await,
            // Only where the log is as private as the machine.
            (Ok(text), None) => {
                if self.has_outbox() {
                    let link = text.expose().split_whitespace().find(|word| word.contains("://")).unwrap_or_default();
                    tracing::info!(to = mail.recipient, subject = mail.subject, link, "mail (see /outbox)");
                }
                Ok(())
            }
        };
        let now = self.clock.now();
        let tries = usize::try_from(mail.attempts).unwrap_or(usize::MAX);
        let (error, again_at) = match outcome {
            Ok(()) => (None, None),
            Err(NotSent::Refused) => (Some("refused"), None),
            Err(NotSent::Unavailable) => (Some("unavailable"), WAITS.get(tries).map(|wait| now.plus(*wait))),
        };
        if let Some(error) = error {
            tracing::warn!(mail = %mail.mail_id, error, "a mail was not sent");
        }
        let mail_id = mail.mail_id.clone();
        self.write(Lane::Any, move |conn| mails::record(conn, &mail_id, error, again_at, now)).await
    }
}

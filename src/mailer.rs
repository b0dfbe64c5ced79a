//! Handing mail to an SMTP server. What a mail says, and when sending it is tried again, is not decided here.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::domain::secrets::Secret;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection pool to one SMTP server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why a mail was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The server will not take it, now or later.
    Refused,
    /// The server could not be reached, or is busy.
    Unavailable,
}

impl Mailer {
    /// A mailer for the server at `url` (`smtps://user:password@host` or `smtp://host:587?tls=required`), sending as
    /// `from`.
    ///
    /// # Errors
    /// What is wrong with either; never the URL itself, which may hold a password.
    pub fn new(url: &Secret, from: &str) -> Result<Self, &'static str> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
            .map_err(|_| "mail.smtp_url must be smtps://user:password@host or smtp://host:port?tls=required")?
            .timeout(Some(TIMEOUT))
            .build();
        let from = from.parse().map_err(|_| "mail.from must be an address, as in Switchyard <pay@example.com>")?;
        Ok(Self { transport, from })
    }

    /// Sends one mail of plain text.
    ///
    /// # Errors
    /// [`NotSent`].
    pub async fn send(&self, recipient: &str, subject: &str, text: &str) -> Result<(), NotSent> {
        let recipient: Mailbox = recipient.parse().map_err(|_| NotSent::Refused)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(recipient)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|_| NotSent::Refused)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(NotSent::Refused),
            Err(_) => Err(NotSent::Unavailable),
        }
    }
}

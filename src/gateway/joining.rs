//! Registering by an invitation: the link has shown that the address is one's own, and the tenant is there already.

use std::net::IpAddr;

use super::Gateway;
use super::members::{invitation_is_spent, join};
use super::users::{Registration, SignedIn, read_password, user_row};
use crate::domain::fields::Fields;
use crate::domain::secrets::Secret;
use crate::domain::tokens::token_hash;
use crate::error::{Code, Fault, Outcome};
use crate::store::{Lane, users};

/// Somebody who was invited and has no account yet.
#[derive(Debug)]
pub struct Newcomer {
    /// As it was typed.
    pub password: Secret,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
}

impl Newcomer {
    /// Reads who somebody is from a body of `password`, `firstName` and `lastName`.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        Self::read(Fields::of_body(body)?)
    }

    /// Reads who somebody is from what is left of a body.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn read(mut fields: Fields<'_>) -> Outcome<Self> {
        let password = read_password(&mut fields, "password", "");
        let first_name = fields.required_text("firstName", 1, 100).unwrap_or_default();
        let last_name = fields.required_text("lastName", 1, 100).unwrap_or_default();
        fields.finish()?;
        Ok(Self { password, first_name, last_name })
    }
}

impl Gateway {
    /// Makes an account for the invited address, and a member of it, and lets him in.
    ///
    /// # Errors
    /// 400 for a link that is not good any more; 409 where the address has an account: sign in and accept; 429.
    pub async fn register_invited(
        &self,
        token: &str,
        newcomer: Newcomer,
        address: IpAddr,
        user_agent: String,
    ) -> Outcome<SignedIn> {
        let invited = self.invitation(token).await?;
        self.limits.count(&invited.email, address)?;
        let hash = self.hash_password(newcomer.password.clone()).await?;
        let now = self.clock.now();
        let Newcomer { password, first_name, last_name } = newcomer;
        let registration =
            Registration { email: invited.email, password, first_name, last_name, company_name: invited.tenant_name };
        let user = user_row(&registration, &hash, now);
        let (row, link) = (user.clone(), token_hash(token));
        let joined = self
            .write(Lane::Any, move |conn| {
                if !users::insert(conn, &row)? {
                    return Ok(Err(has_account()));
                }
                match join(conn, &link, &row.user_id, Some(&address.to_string()), now)? {
                    Some(_) => Ok(Ok(())),
                    // The link was used meanwhile; the user must not stay without a tenant.
                    None => users::remove(conn, &row.user_id).map(|()| Err(invitation_is_spent())),
                }
            })
            .await?;
        joined?;
        self.open_session(user, address, user_agent).await
    }
}

fn has_account() -> Fault {
    Fault::new(Code::AlreadyExists, "this address has an account: sign in with its password to accept")
}

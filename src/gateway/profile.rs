//! What a person changes about himself: name and password. Preferences are in `users`, the second factor in
//! `second_factor`.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::audit::{self, Deed};
use super::{Gateway, Scope};
use crate::domain::fields::{Invalid, text_fault};
use crate::domain::passwords;
use crate::domain::secrets::Secret;
use crate::error::{Fault, Outcome};
use crate::store::{Lane, StoreError, sessions, users};

impl Gateway {
    /// A person's first and last name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn own_name(&self, scope: &Scope) -> Outcome<(String, String)> {
        let user_id = scope.member()?.user_id.clone();
        let user = self.read(move |conn| users::find(conn, &user_id)).await?.ok_or(StoreError::Missing)?;
        Ok((user.first_name, user.last_name))
    }

    /// Changes the zone that a person's times are shown in; none is his browser's.
    ///
    /// # Errors
    /// 400 for a zone that is none.
    pub async fn set_time_zone(&self, scope: &Scope, zone: Option<&str>) -> Outcome<()> {
        if zone.is_some_and(|name| !crate::domain::time::is_time_zone(name)) {
            return Err(Fault::invalid("timeZone", "must be a time zone's name, as in Asia/Jakarta"));
        }
        let user_id = scope.member()?.user_id.clone();
        let zone = zone.map(str::to_owned);
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
            let (environment, mode) = (user.preferred_environment, user.preferred_mode);
            users::set_preferences(conn, &user_id, environment, mode, zone.as_deref(), now)
        })
        .await
    }

    /// Changes a person's name.
    ///
    /// # Errors
    /// 400 for a name that will not do.
    pub async fn set_name(&self, scope: &Scope, first_name: &str, last_name: &str) -> Outcome<()> {
        for (field, name) in [("firstName", first_name), ("lastName", last_name)] {
            if let Some(reason) = text_fault(name, 1, 100) {
                return Err(Invalid::one(field, &reason).into());
            }
        }
        let user_id = scope.member()?.user_id.clone();
        let (first_name, last_name) = (first_name.to_owned(), last_name.to_owned());
        let actor = scope.clone();
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
            users::set_name(conn, &user_id, &first_name, &last_name, now)?;
            let deed = Deed {
                action: "user.renamed",
                subject: Some(user_id.as_str()),
                before: Some(json!({ "firstName": user.first_name, "lastName": user.last_name })),
                after: Some(json!({ "firstName": first_name, "lastName": last_name })),
            };
            audit::record(conn, &actor, deed, now)
        })
        .await
    }

    /// Gives a person another password, and ends his other sessions.
    ///
    /// # Errors
    /// 400 for a wrong present password or a new one that will not do; 429.
    pub async fn change_password(&self, scope: &Scope, current: Secret, new: Secret) -> Outcome<()> {
        let member = scope.member()?;
        if let Some(reason) = passwords::password_fault(&new, &member.email) {
            return Err(Fault::invalid("newPassword", &reason));
        }
        self.check_own_password(scope, "currentPassword", current).await?;
        let hash = self.hash_password(new).await?;
        let (user_id, session_id) = (member.user_id.clone(), member.session_id.clone());
        let actor = scope.clone();
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            users::set_password(conn, &user_id, &hash, now)?;
            sessions::revoke_all(conn, &user_id, Some(&session_id), now)?;
            let subject = Some(user_id.as_str());
            audit::record(
                conn,
                &actor,
                Deed { action: "user.password_changed", subject, before: None, after: None },
                now,
            )
        })
        .await
    }

    /// Asks a person who is signed in for his password again; `field` is what a refusal names.
    ///
    /// # Errors
    /// 400 for a wrong one; 429.
    pub(super) async fn check_own_password(&self, scope: &Scope, field: &str, password: Secret) -> Outcome<()> {
        self.count_attempt(scope)?;
        let user_id = scope.member()?.user_id.clone();
        let user = self.read(move |conn| users::find(conn, &user_id)).await?.ok_or(StoreError::Missing)?;
        if self.is_password_right(password, user.password_hash).await? {
            Ok(())
        } else {
            Err(Fault::invalid(field, "is wrong"))
        }
    }

    /// Counts a guess of who is signed in as one of who is not: a stolen session is to guess no faster.
    pub(super) fn count_attempt(&self, scope: &Scope) -> Outcome<()> {
        let address = scope.address.as_deref().and_then(|address| address.parse().ok());
        self.limits.count(&scope.member()?.email, address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

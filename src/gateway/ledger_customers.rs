//! Customers as the ledger knows them: a tenant's own, per mode.

use serde_json::json;

use super::Gateway;
use super::audit::{self, Deed};
use super::scope::Scope;
use crate::domain::accounts::Role;
use crate::domain::deltas;
use crate::domain::fields::Fields;
use crate::error::{Code, Fault, Outcome};
use crate::store::ledger_customers::{self, LedgerCustomer, NewCustomer};
use crate::store::{Lane, Page};

/// A customer to be.
#[derive(Clone, Debug)]
pub struct NewLedgerCustomer {
    /// The tenant's own id of him.
    pub customer_id: String,
    /// For people.
    pub display_name: Option<String>,
}

impl NewLedgerCustomer {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        let customer_id = deltas::customer_id(&mut fields, true).unwrap_or_default();
        let display_name = fields.text("displayName", 1, 200);
        fields.finish()?;
        Ok(Self { customer_id, display_name })
    }
}

impl Gateway {
    /// Adds a customer of the tenant in the caller's mode.
    ///
    /// # Errors
    /// 403 for a viewer; 409 when there is one of this id.
    pub async fn create_ledger_customer(&self, scope: &Scope, new: NewLedgerCustomer) -> Outcome<NewCustomer> {
        scope.require_role(Role::Developer)?;
        let now = self.clock.now();
        let customer = NewCustomer {
            tenant_id: scope.tenant_id.clone(),
            mode: scope.mode,
            customer_id: new.customer_id,
            display_name: new.display_name,
            currency: None,
            created_at: now,
        };
        let (row, scope_then) = (customer.clone(), scope.clone());
        let is_new = self
            .write(Lane::Of(scope.tenant_id.as_str()), move |conn| {
                if !ledger_customers::insert(conn, &row)? {
                    return Ok(false);
                }
                let after = json!({ "displayName": row.display_name });
                let deed = Deed {
                    action: "customer.created",
                    subject: Some(&row.customer_id),
                    before: None,
                    after: Some(after),
                };
                audit::record(conn, &scope_then, deed, now).map(|()| true)
            })
            .await?;
        if is_new {
            Ok(customer)
        } else {
            Err(Fault::new(Code::AlreadyExists, "there is a customer with this id already"))
        }
    }

    /// A page of the tenant's customers in the caller's mode, in the order of their ids.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_ledger_customers(
        &self,
        scope: &Scope,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Page<LedgerCustomer>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| ledger_customers::list(conn, &tenant_id, mode, cursor.as_deref(), limit)).await
    }
}

//! How the domain's values are stored: ids, enums and currencies as text, moments as integers.
//!
//! The domain knows nothing of this: the traits are written out here instead of derived there.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::expression::AsExpression;
use diesel::internal::derives::as_expression::Bound;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::domain::accounts::{Environment, Role};
use crate::domain::customers::KycStatus;
use crate::domain::decimals::Decimal;
use crate::domain::ids::{
    AccountId, AppId, AttemptId, AuditEntryId, CheckpointId, DeliveryId, DeltaId, EndpointId, EventId, InboxId,
    InvitationId, InvoiceId, KeyId, MailId, MockJobId, PaymentId, PaymentLinkId, ProductionRequestId, ReceivedId,
    RefundId, SessionId, SubscriptionId, TenantId, UserId, WriteRequestId,
};
use crate::domain::invoices::InvoiceStatus;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payment_links::LinkStatus;
use crate::domain::payments::{AttemptState, PaymentStatus};
use crate::domain::subscriptions::SubscriptionStatus;
use crate::domain::time::Timestamp;

/// A sum as it is stored: its millionths as text, because a sum of integers can be larger than an integer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum(String);

impl Sum {
    fn parse(text: &str) -> Option<Self> {
        text.parse::<i128>().ok().map(|_| Self(text.to_owned()))
    }

    /// Its millionths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The sum.
    #[must_use]
    pub fn decimal(&self) -> Decimal {
        Decimal::from_millionths(self.0.parse().expect("checked when it was read"))
    }
}

impl From<Decimal> for Sum {
    fn from(decimal: Decimal) -> Self {
        Self(decimal.millionths().to_string())
    }
}

macro_rules! column {
    ($sql:ty, $type:ty) => {
        impl AsExpression<$sql> for $type {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl AsExpression<Nullable<$sql>> for $type {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl<'a> AsExpression<$sql> for &'a $type {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl<'a> AsExpression<Nullable<$sql>> for &'a $type {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression {
                Bound::new(self)
            }
        }
        impl<DB: Backend> ToSql<Nullable<$sql>, DB> for $type
        where
            Self: ToSql<$sql, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                ToSql::<$sql, DB>::to_sql(self, out)
            }
        }
        impl<DB: Backend> Queryable<$sql, DB> for $type
        where
            Self: FromSql<$sql, DB>,
        {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}

macro_rules! text_column {
    ($($type:ty: $write:ident),+ $(,)?) => {$(
        column!(Text, $type);
        impl<DB: Backend> ToSql<Text, DB> for $type
        where
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.$write().to_sql(out)
            }
        }
        impl<DB: Backend> FromSql<Text, DB> for $type
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let text = String::from_sql(bytes)?;
                <$type>::parse(&text).ok_or_else(|| format!("unexpected {} in the database: {text}", stringify!($type)).into())
            }
        }
    )+};
}

text_column! {
    AccountId: as_str, AppId: as_str, AttemptId: as_str, DeliveryId: as_str, EndpointId: as_str, EventId: as_str, InboxId: as_str, ReceivedId: as_str,
    MockJobId: as_str, PaymentId: as_str, RefundId: as_str, TenantId: as_str, Mode: as_str, PaymentStatus: as_str,
    AttemptState: as_str, Currency: code, SubscriptionId: as_str, SubscriptionStatus: as_str,
    UserId: as_str, SessionId: as_str, InvitationId: as_str, MailId: as_str, KeyId: as_str, ProductionRequestId: as_str,
    AuditEntryId: as_str, CheckpointId: as_str, DeltaId: as_str, WriteRequestId: as_str, Role: as_str,
    Environment: as_str, Sum: as_str, KycStatus: as_str, InvoiceId: as_str, PaymentLinkId: as_str, InvoiceStatus: as_str,
    LinkStatus: as_str,
}

column!(BigInt, Timestamp);
impl<DB: Backend> ToSql<BigInt, DB> for Timestamp
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.as_unix_micros().to_sql(out)
    }
}
impl<DB: Backend> FromSql<BigInt, DB> for Timestamp
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self::from_unix_micros)
    }
}

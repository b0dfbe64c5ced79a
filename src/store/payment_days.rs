//! Payments by day, method and currency: what charts are drawn from, however many payments there are.
//!
//! A transaction of many units of work notes here what each changes and writes it once, before its commit: one row for
//! each app, day, method and currency, whatever the number of payments. Each connection to PostgreSQL adds to rows of
//! its own (`shard`), so that no writer waits for another; a reader adds them up.

use std::cell::RefCell;
use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::payments::Payment;
use super::schema::payment_days;
use super::sql::{Tail, with_tail};
use super::{Conn, StoreError, StoreResult};
use crate::domain::ids::AppId;
use crate::domain::money::Currency;
use crate::domain::payments::PaymentStatus;
use crate::domain::time::Timestamp;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Which row a payment counts in: app, day, method, currency.
type Key = (AppId, i64, String, &'static str);

/// What is added to a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Payments made that day.
    pub created: i64,
    /// Of these, paid.
    pub succeeded: i64,
    /// Of these, refused.
    pub failed: i64,
    /// Of these, given up.
    pub canceled: i64,
    /// The amount of those that were paid, in minor units.
    pub succeeded_minor: i64,
}

impl Counts {
    /// Adds `more`; `None` when a sum does not fit.
    #[must_use]
    pub fn plus(self, more: Self) -> Option<Self> {
        Some(Self {
            created: self.created.checked_add(more.created)?,
            succeeded: self.succeeded.checked_add(more.succeeded)?,
            failed: self.failed.checked_add(more.failed)?,
            canceled: self.canceled.checked_add(more.canceled)?,
            succeeded_minor: self.succeeded_minor.checked_add(more.succeeded_minor)?,
        })
    }

    /// What a payment adds by standing where it stands.
    fn of_status(payment: &Payment) -> Self {
        match payment.status {
            PaymentStatus::Initiated => Self::default(),
            PaymentStatus::Succeeded => Self { succeeded: 1, succeeded_minor: payment.amount_minor, ..Self::default() },
            PaymentStatus::Failed => Self { failed: 1, ..Self::default() },
            PaymentStatus::Canceled => Self { canceled: 1, ..Self::default() },
        }
    }
}

thread_local! {
    /// What the transaction that this thread has open changes. A writer's thread has one at a time.
    static NOTED: RefCell<BTreeMap<Key, Option<Counts>>> = const { RefCell::new(BTreeMap::new()) };
}

/// The day of a moment: whole days since the Unix epoch, UTC.
#[must_use]
pub fn day_of(moment: Timestamp) -> i64 {
    moment.unix_micros().div_euclid(MICROS_PER_DAY)
}

/// A transaction begins: what one that failed has noted is forgotten.
pub(super) fn begin() {
    NOTED.with_borrow_mut(BTreeMap::clear);
}

fn note(payment: &Payment, counts: Counts) {
    let key = (payment.app_id.clone(), day_of(payment.created_at), payment.method.clone(), payment.currency.code());
    NOTED.with_borrow_mut(|noted| {
        let sum = noted.entry(key).or_insert(Some(Counts::default()));
        *sum = sum.and_then(|sum| sum.plus(counts));
    });
}

/// Notes a payment that was made in this transaction.
pub(super) fn note_created(payment: &Payment) {
    note(payment, Counts { created: 1, ..Counts::of_status(payment) });
}

/// Notes that a payment that was open is not open any more.
pub fn note_closed(payment: &Payment) {
    note(payment, Counts::of_status(payment));
}

struct AddUp;

impl Tail for AddUp {
    const SQL: &'static str = " ON CONFLICT (app_id, day, method, currency, shard) DO UPDATE SET \
        created = payment_days.created + excluded.created, \
        succeeded = payment_days.succeeded + excluded.succeeded, \
        failed = payment_days.failed + excluded.failed, \
        canceled = payment_days.canceled + excluded.canceled, \
        succeeded_minor = payment_days.succeeded_minor + excluded.succeeded_minor";
    const ON_SQLITE: bool = true;
}

diesel::define_sql_function! {
    /// The connection's number: no two that are open at once share one.
    fn pg_backend_pid() -> Integer;
}

/// Writes what the transaction has noted.
pub(super) fn write(conn: &mut Conn) -> StoreResult<()> {
    let noted = NOTED.with_borrow_mut(std::mem::take);
    for ((app_id, day, method, currency), counts) in noted {
        let counts = counts.ok_or(StoreError::Overflow)?;
        let row = (
            payment_days::app_id.eq(app_id),
            payment_days::day.eq(day),
            payment_days::method.eq(method),
            payment_days::currency.eq(currency),
            payment_days::created.eq(counts.created),
            payment_days::succeeded.eq(counts.succeeded),
            payment_days::failed.eq(counts.failed),
            payment_days::canceled.eq(counts.canceled),
            payment_days::succeeded_minor.eq(counts.succeeded_minor),
        );
        let table = diesel::insert_into(payment_days::table);
        match conn {
            Conn::Sqlite(inner) => {
                with_tail::<AddUp, _>(table.values((row, payment_days::shard.eq(0)))).execute(inner)?
            }
            Conn::Postgres(inner) => {
                with_tail::<AddUp, _>(table.values((row, payment_days::shard.eq(pg_backend_pid())))).execute(inner)?
            }
        };
    }
    Ok(())
}

/// The payments of one day by one method in one currency, of all the apps that were asked about.
#[derive(Clone, Debug)]
pub struct DayTotal {
    /// Days since the Unix epoch, UTC.
    pub day: i64,
    /// How they were paid.
    pub method: String,
    /// In what.
    pub currency: Currency,
    /// How many, and how much.
    pub counts: Counts,
}

/// What the apps' payments came to on each day from `from` on.
pub fn since(conn: &mut Conn, app_ids: &[AppId], from: i64) -> StoreResult<Vec<DayTotal>> {
    let sum = |column: &'static str| sql::<BigInt>(column);
    type Row = (i64, String, Currency, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = payment_days::table
        .filter(payment_days::app_id.eq_any(app_ids))
        .filter(payment_days::day.ge(from))
        .group_by((payment_days::day, payment_days::method, payment_days::currency))
        .select((
            payment_days::day,
            payment_days::method,
            payment_days::currency,
            sum("CAST(SUM(created) AS BIGINT)"),
            sum("CAST(SUM(succeeded) AS BIGINT)"),
            sum("CAST(SUM(failed) AS BIGINT)"),
            sum("CAST(SUM(canceled) AS BIGINT)"),
            sum("CAST(SUM(succeeded_minor) AS BIGINT)"),
        ))
        .load(conn)?;
    let totals =
        rows.into_iter().map(|(day, method, currency, created, succeeded, failed, canceled, succeeded_minor)| {
            let counts = Counts { created, succeeded, failed, canceled, succeeded_minor };
            DayTotal { day, method, currency, counts }
        });
    Ok(totals.collect())
}

/// Which payments are counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// That stand so.
    pub status: Option<PaymentStatus>,
    /// That are paid so.
    pub method: Option<String>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// Made on this day or later.
    pub from_day: Option<i64>,
    /// Made before this day.
    pub to_day: Option<i64>,
}

/// How many such payments the apps have.
pub fn count(conn: &mut Conn, app_ids: &[AppId], wanted: &Counted) -> StoreResult<i64> {
    let number = sql::<BigInt>(match wanted.status {
        None => "CAST(COALESCE(SUM(created), 0) AS BIGINT)",
        Some(PaymentStatus::Initiated) => "CAST(COALESCE(SUM(created - succeeded - failed - canceled), 0) AS BIGINT)",
        Some(PaymentStatus::Succeeded) => "CAST(COALESCE(SUM(succeeded), 0) AS BIGINT)",
        Some(PaymentStatus::Failed) => "CAST(COALESCE(SUM(failed), 0) AS BIGINT)",
        Some(PaymentStatus::Canceled) => "CAST(COALESCE(SUM(canceled), 0) AS BIGINT)",
    });
    let mut query = payment_days::table.filter(payment_days::app_id.eq_any(app_ids)).select(number).into_boxed();
    if let Some(method) = &wanted.method {
        query = query.filter(payment_days::method.eq(method));
    }
    if let Some(currency) = wanted.currency {
        query = query.filter(payment_days::currency.eq(currency.code()));
    }
    if let Some(from) = wanted.from_day {
        query = query.filter(payment_days::day.ge(from));
    }
    if let Some(to) = wanted.to_day {
        query = query.filter(payment_days::day.lt(to));
    }
    Ok(query.first(conn)?)
}

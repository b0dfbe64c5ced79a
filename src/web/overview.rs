//! The first page of the console: how payments are going, and what needs someone.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::Data;
use askama::Template;

use super::charts::{Bar, DAY_WIDTH, Value, bars};
use super::listing::grouped;
use super::payments::Row;
use super::shell::{Shell, Visitor, render};
use super::times::Moment;
use crate::domain::money::{Currency, format_amount};
use crate::domain::time::Timestamp;
use crate::gateway::{Counts, DayTotal, Gateway, Overview};
use crate::problem::Answered;

/// Days that are shown.
const DAYS: i64 = 30;

/// Currencies that get a drawing of their own; the rest are in the table of methods.
const CHARTS_OF_AMOUNTS: usize = 3;

struct Chart {
    title: String,
    most: String,
    bars: Vec<Bar>,
    width: usize,
    is_of_amounts: bool,
    /// For each day: the day, and the numbers.
    rows: Vec<(String, Vec<String>)>,
    columns: &'static [&'static str],
}

struct MethodRow {
    method: String,
    currency: &'static str,
    created: String,
    share: i64,
    rate: String,
    amount: String,
}

struct Provider {
    title: &'static str,
    status: &'static str,
    instance: &'static str,
    last_error: &'static str,
    last_ok: Option<Moment>,
    fallbacks: u64,
}

struct Endpoint {
    url: String,
    is_disabled: bool,
    since: Option<Moment>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    has_apps: bool,
    has_payments: bool,
    days: i64,
    created: String,
    succeeded: String,
    rate: String,
    ended: String,
    amounts: Vec<String>,
    dead: String,
    first_day: String,
    last_day: String,
    charts: Vec<Chart>,
    methods: Vec<MethodRow>,
    newest: Vec<Row>,
    has_many_apps: bool,
    attention: Vec<Row>,
    attention_count: String,
    endpoints: Vec<Endpoint>,
    providers: Vec<Provider>,
}

/// How payments have been going.
#[get("/console")]
pub async fn page(gateway: Data<Gateway>, visitor: Visitor) -> Answered {
    let overview = gateway.overview(&visitor.scope, DAYS).await?;
    render(&page_of(Shell::new(&visitor, "overview"), overview))
}

fn day_name(day: i64) -> String {
    Timestamp::of_day(day).wall_clock(0).strftime("%-d %b").to_string()
}

fn day_text(day: i64) -> String {
    Timestamp::of_day(day).wall_clock(0).strftime("%Y-%m-%d").to_string()
}

/// The sums of the totals by a key.
fn sums<K: Ord>(totals: &[DayTotal], key: impl Fn(&DayTotal) -> K) -> BTreeMap<K, Counts> {
    let mut sums: BTreeMap<K, Counts> = BTreeMap::new();
    for total in totals {
        let sum = sums.entry(key(total)).or_default();
        // A sum that does not fit shows what did.
        *sum = sum.plus(total.counts).unwrap_or(*sum);
    }
    sums
}

/// Of those that have ended, how many were paid.
fn rate_of(counts: Counts) -> String {
    match counts.succeeded + counts.failed + counts.canceled {
        0 => "–".to_owned(),
        ended => {
            let per_mille = i128::from(counts.succeeded) * 1000 / i128::from(ended);
            format!("{}.{} %", per_mille / 10, per_mille % 10)
        }
    }
}

fn at_least(count: usize, has_more: bool) -> String {
    if has_more { format!("{count}+") } else { count.to_string() }
}

fn page_of(shell: Shell, overview: Overview) -> OverviewPage {
    let Overview { apps, today, totals, newest, attention, dead, endpoints, providers } = overview;
    let first = today - DAYS + 1;
    let days: Vec<i64> = (first..=today).collect();
    let all = sums(&totals, |_| ()).remove(&()).unwrap_or_default();
    let by_currency = sums(&totals, |total| total.currency.code());
    let mut currencies: Vec<(Currency, Counts)> =
        by_currency.iter().filter_map(|(code, counts)| Some((Currency::parse(code)?, *counts))).collect();
    currencies.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.succeeded));

    let by_day = sums(&totals, |total| total.day);
    let mut charts = vec![chart_of_numbers(&days, &by_day)];
    for (currency, _) in currencies.iter().filter(|(_, counts)| counts.succeeded > 0).take(CHARTS_OF_AMOUNTS) {
        charts.push(chart_of_amounts(&days, &totals, *currency));
    }

    let app_name = |payment: &crate::gateway::Payment| {
        apps.iter().find(|app| app.app_id == payment.app_id).map_or("", |app| app.name.as_str())
    };
    let rows = |payments: &[crate::gateway::Payment]| -> Vec<Row> {
        payments.iter().map(|payment| Row::new(&shell, app_name(payment), payment)).collect()
    };
    OverviewPage {
        has_apps: !apps.is_empty(),
        has_many_apps: apps.len() > 1,
        has_payments: !newest.items.is_empty(),
        days: DAYS,
        created: grouped(all.created),
        succeeded: grouped(all.succeeded),
        rate: rate_of(all),
        ended: grouped(all.succeeded + all.failed + all.canceled),
        amounts: currencies
            .iter()
            .filter(|(_, counts)| counts.succeeded > 0)
            .map(|(currency, counts)| format_amount(counts.succeeded_minor, *currency))
            .collect(),
        dead: at_least(dead.len(), dead.len() >= 100),
        first_day: day_name(first),
        last_day: day_name(today),
        charts,
        methods: methods_of(&totals),
        attention_count: at_least(attention.items.len(), attention.next.is_some()),
        attention: rows(&attention.items[..attention.items.len().min(5)]),
        newest: rows(&newest.items),
        endpoints: endpoints
            .into_iter()
            .filter(|endpoint| endpoint.failing_since.is_some() || endpoint.disabled_at.is_some())
            .map(|endpoint| Endpoint {
                url: endpoint.url,
                is_disabled: endpoint.disabled_at.is_some(),
                since: endpoint.disabled_at.or(endpoint.failing_since).as_ref().map(|since| shell.time(since)),
            })
            .collect(),
        providers: providers
            .into_iter()
            .map(|provider| Provider {
                title: crate::gateway::provider_title(provider.provider).unwrap_or(provider.provider),
                status: provider.status,
                instance: provider.instance,
                last_error: provider.last_error.unwrap_or_default(),
                last_ok: provider.last_ok_at.as_ref().map(|at| shell.time(at)),
                fallbacks: provider.fallbacks,
            })
            .collect(),
        shell,
    }
}

fn chart_of_numbers(days: &[i64], by_day: &BTreeMap<i64, Counts>) -> Chart {
    let of = |day: &i64| by_day.get(day).copied().unwrap_or_default();
    let values = days.iter().map(|day| {
        let counts = of(day);
        Value {
            low: counts.succeeded,
            high: counts.created - counts.succeeded,
            title: format!(
                "{}: {} payments, {} paid",
                day_text(*day),
                grouped(counts.created),
                grouped(counts.succeeded)
            ),
        }
    });
    let (bars, most) = bars(values.collect());
    let rows = days.iter().rev().filter(|day| of(day).created > 0).map(|day| {
        let counts = of(day);
        let cells = [counts.created, counts.succeeded, counts.failed, counts.canceled].map(grouped).to_vec();
        (day_text(*day), cells)
    });
    Chart {
        title: "Payments by day".to_owned(),
        most: grouped(most),
        bars,
        width: days.len() * DAY_WIDTH,
        is_of_amounts: false,
        rows: rows.collect(),
        columns: &["Made", "Paid", "Failed", "Canceled"],
    }
}

fn chart_of_amounts(days: &[i64], totals: &[DayTotal], currency: Currency) -> Chart {
    let of_currency: Vec<DayTotal> = totals.iter().filter(|total| total.currency == currency).cloned().collect();
    let by_day = sums(&of_currency, |total| total.day);
    let of = |day: &i64| by_day.get(day).map_or(0, |counts| counts.succeeded_minor);
    let values = days.iter().map(|day| Value {
        low: of(day),
        high: 0,
        title: format!("{}: {}", day_text(*day), format_amount(of(day), currency)),
    });
    let (bars, most) = bars(values.collect());
    let paid = days.iter().rev().filter(|day| of(day) > 0);
    Chart {
        title: format!("Paid by day, {}", currency.code()),
        most: format_amount(most, currency),
        bars,
        width: days.len() * DAY_WIDTH,
        is_of_amounts: true,
        rows: paid.map(|day| (day_text(*day), vec![format_amount(of(day), currency)])).collect(),
        columns: &["Paid"],
    }
}

fn methods_of(totals: &[DayTotal]) -> Vec<MethodRow> {
    let sums = sums(totals, |total| (total.method.clone(), total.currency.code()));
    let most = sums.values().map(|counts| counts.created).max().unwrap_or(0).max(1);
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.created));
    let row = |((method, code), counts): ((String, &'static str), Counts)| MethodRow {
        method,
        currency: code,
        created: grouped(counts.created),
        share: i64::try_from(i128::from(counts.created) * 100 / i128::from(most)).unwrap_or(0).max(1),
        rate: rate_of(counts),
        amount: Currency::parse(code)
            .map_or_else(String::new, |currency| format_amount(counts.succeeded_minor, currency)),
    };
    rows.into_iter().map(row).collect()
}

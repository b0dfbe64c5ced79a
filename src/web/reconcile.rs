//! Reconciliation: a provider's settlement report is uploaded and held against what is booked in the mode that the page is in.
//! The report is read as it comes, and neither it nor what was found is kept. What the sides differ in is found by the
//! gateway; the answer is a page, or a file with every difference.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use actix_web::web::{Data, block};
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;

use super::exports::{file, headed, row, today};
use super::forms::{FieldFaults, Pairs};
use super::listing::{address_of, grouped};
use super::shell::{Shell, Visitor, render, render_as};
use super::times::Moment;
use super::uploads::Upload;
use crate::arriving::{arriving, receive, too_large};
use crate::domain::mode::Mode;
use crate::domain::money::{Currency, format_amount, plain_amount};
use crate::domain::report_layouts::{Layout, Unit};
use crate::domain::settlement::{Category, Difference, Kind, Total};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{Gateway, ReconcileOptions, Reconciled, ReportSource, Spool, Spooled, provider_title};
use crate::problem::Answered;

/// Differences on a page.
const MOST_ROWS: usize = 1000;

/// What a form may have besides its file, in bytes.
const BESIDES_THE_FILE: u64 = 64 * 1024;

/// How the result is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Page,
    Csv,
    Json,
}

/// A provider whose report can be compared.
struct Provider {
    name: String,
    title: &'static str,
    columns: Vec<Column>,
    source: &'static str,
    is_chosen: bool,
}

/// A column of its report.
struct Column {
    name: String,
    note: String,
}

#[derive(Template)]
#[template(path = "reconcile.html")]
struct ReconcilePage {
    shell: Shell,
    providers: Vec<Provider>,
    from: String,
    to: String,
    wanted: Wanted,
    most_mib: u32,
    faults: FieldFaults,
    refusal: Option<String>,
    result: Option<Shown>,
}

/// What was found.
struct Shown {
    title: &'static str,
    matches: bool,
    sentence: String,
    span: Option<(Moment, Moment)>,
    lines: String,
    other_lines: String,
    categories: Vec<CategoryRow>,
    differences: Vec<DifferenceRow>,
    /// How many more there are.
    more: Option<String>,
}

struct CategoryRow {
    title: &'static str,
    meaning: &'static str,
    tone: &'static str,
    count: String,
    sums: Vec<String>,
}

struct DifferenceRow {
    title: &'static str,
    tone: &'static str,
    line: Option<u64>,
    is_refund: bool,
    reference: String,
    /// Our payment's page, if there is one.
    path: Option<String>,
    payment_id: String,
    theirs: Option<(String, Option<Moment>)>,
    ours: Option<(String, Option<Moment>)>,
    reason: Option<String>,
}

/// A category's name, what it means, and how it looks.
const fn words(category: Category) -> (&'static str, &'static str, &'static str) {
    match category {
        Category::Matched => ("Matches", "both sides say the same", "good"),
        Category::MissingAtUs => ("Not booked here", "the report has it, and nothing here bears its id", "bad"),
        Category::MissingAtThem => {
            ("Not in the report", "booked here in the report’s span, and the report lacks it", "bad")
        }
        Category::AmountDiffers => ("Another amount", "both have it, with other amounts", "bad"),
        Category::CurrencyDiffers => ("Another currency", "both have it, in other currencies", "bad"),
        Category::Duplicate => ("Twice in the report", "an earlier line was about the same", "warn"),
        Category::Unreadable => ("Cannot be read", "the line is not as the report’s layout says", "warn"),
    }
}

fn columns_of(layout: &Layout) -> Vec<Column> {
    let unit = match layout.unit {
        Unit::Major => "with a decimal point",
        Unit::Minor => "in the smallest unit",
        Unit::Hundredths => "in hundredths",
    };
    let kinds = format!("{} or {}", layout.payment_kinds.join(", "), layout.refund_kinds.join(", "));
    [
        (&layout.reference, "the provider’s id".to_owned()),
        (&layout.our_id, "our id, where there is one".to_owned()),
        (&layout.amount, unit.to_owned()),
        (&layout.currency, String::new()),
        (&layout.kind, kinds),
        (&layout.direction, String::new()),
        (&layout.date, String::new()),
    ]
    .into_iter()
    .filter(|(name, _)| !name.is_empty())
    .map(|(name, note)| Column { name: name.clone(), note })
    .collect()
}

/// The providers whose reports there can be in a mode; one of them is chosen.
fn providers_of(gateway: &Gateway, mode: Mode, chosen: &str) -> Vec<Provider> {
    let provider = |report: ReportSource<'_>| Provider {
        name: report.name.to_owned(),
        title: report.title,
        columns: columns_of(report.layout),
        source: report.source,
        is_chosen: report.name == chosen,
    };
    let mut providers: Vec<Provider> = gateway.report_sources(mode).into_iter().map(provider).collect();
    if !providers.iter().any(|provider| provider.is_chosen)
        && let Some(first) = providers.first_mut()
    {
        first.is_chosen = true;
    }
    providers
}

fn page_of(gateway: &Gateway, visitor: &Visitor, pairs: &Pairs) -> ReconcilePage {
    ReconcilePage {
        shell: Shell::new(visitor, "reconcile"),
        providers: providers_of(gateway, visitor.scope.mode, pairs.text("provider")),
        from: pairs.text("from").to_owned(),
        to: pairs.text("to").to_owned(),
        wanted: wanted_of(pairs),
        most_mib: gateway.settings().reconcile_max_report_mib,
        faults: FieldFaults::default(),
        refusal: None,
        result: None,
    }
}

fn wanted_of(pairs: &Pairs) -> Wanted {
    match pairs.text("answer") {
        "csv" => Wanted::Csv,
        "json" => Wanted::Json,
        _ => Wanted::Page,
    }
}

/// The form, and where the reports are had.
#[get("/console/reconcile")]
pub async fn form(gateway: Data<Gateway>, visitor: Visitor) -> Answered {
    render(&page_of(&gateway, &visitor, &Pairs::default()))
}

/// Compares a report that is uploaded.
#[post("/console/reconcile")]
pub async fn compare(gateway: Data<Gateway>, request: HttpRequest, mut upload: Upload) -> Answered {
    let page = page_of(&gateway, &upload.visitor, &upload.pairs);
    let (mode, wanted) = (upload.visitor.scope.mode, page.wanted);
    let most = u64::from(page.most_mib) * 1024 * 1024;
    match found(&gateway, &request, &mut upload, most, wanted).await {
        Err(fault) => {
            upload.pass_over(most).await;
            refused(page, &fault)
        }
        Ok((reconciled, kept)) => {
            upload.pass_over(most).await;
            let file_name = |ending| format!("differences-{}-{mode}-{}.{ending}", reconciled.provider, today(&gateway));
            match (wanted, kept.spool) {
                (Wanted::Csv, Some(spool)) => {
                    let spooled = spool.finish().map_err(Fault::from)?;
                    Ok(sent(&file_name("csv"), "text/csv; charset=utf-8", headed(&COLUMNS), spooled))
                }
                (Wanted::Json, Some(mut spool)) => {
                    spool.add(&format!("{}\n", reconciled.object()));
                    let spooled = spool.finish().map_err(Fault::from)?;
                    Ok(sent(&file_name("jsonl"), "application/jsonl", String::new(), spooled))
                }
                _ => {
                    let result = Some(shown(&page.shell, &reconciled, &kept.first));
                    render(&ReconcilePage { result, ..page })
                }
            }
        }
    }
}

/// What is taken down while the report is read.
#[derive(Default)]
struct Kept {
    first: Vec<Difference>,
    spool: Option<Spool>,
}

async fn found(
    gateway: &Data<Gateway>,
    request: &HttpRequest,
    upload: &mut Upload,
    most: u64,
    wanted: Wanted,
) -> Outcome<(Reconciled, Kept)> {
    let pairs = &upload.pairs;
    let day = |name: &str| match pairs.text(name) {
        "" => Ok(None),
        text => Timestamp::parse_day(text).map(Some).ok_or_else(|| Fault::invalid(name, "must be a day")),
    };
    let (from, to) = (day("from")?, day("to")?);
    let scope = upload.visitor.scope.clone();
    gateway.check_may_reconcile(&scope, pairs.text("provider"))?;
    let options = ReconcileOptions { provider: pairs.text("provider").to_owned(), from, to };
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most + BESIDES_THE_FILE) {
        return Err(too_large(most));
    }
    let report = upload.file.as_mut().ok_or_else(|| Fault::invalid("report", "choose the file"))?;
    let spool = if wanted == Wanted::Page { None } else { Some(Spool::open()?) };
    let kept = Arc::new(Mutex::new(Kept { first: Vec::new(), spool }));
    let taking = Arc::clone(&kept);
    let tell = move |difference: Difference| {
        let mut kept = taking.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { first, spool } = &mut *kept;
        match (spool, wanted) {
            (Some(spool), Wanted::Csv) => spool.add(&csv_line(&difference)),
            (Some(spool), _) => spool.add(&(serde_json::to_string(&difference).unwrap_or_default() + "\n")),
            (None, _) if first.len() < MOST_ROWS => first.push(difference),
            (None, _) => {}
        }
    };
    let (sender, arriving) = arriving();
    let comparing = Arc::clone(gateway).reconcile(&scope, options, arriving, tell);
    let (reconciled, ()) = tokio::join!(comparing, receive(report, sender, most));
    let reconciled = reconciled?;
    let kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((reconciled, kept))
}

/// The form again, with what was refused.
fn refused(page: ReconcilePage, fault: &Fault) -> Answered {
    if fault.status() >= 500 || fault.code == Code::InsufficientScope {
        return Err(fault.clone().into());
    }
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let faults = FieldFaults::of(fault);
    let has_place = ["report", "from", "to"].iter().any(|name| faults.get(name).is_some());
    let refusal = Some(fault.detail.clone()).filter(|_| !has_place);
    let mut response: HttpResponse = render_as(status, &ReconcilePage { faults, refusal, ..page })?;
    if let Some(wait) = fault.retry_after {
        response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
    }
    Ok(response)
}

const COLUMNS: [&str; 14] = [
    "category",
    "line",
    "kind",
    "reference",
    "payment_id",
    "their_amount",
    "their_amount_minor",
    "their_currency",
    "their_date",
    "our_amount",
    "our_amount_minor",
    "our_currency",
    "our_date",
    "reason",
];

fn csv_line(difference: &Difference) -> String {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let amount = |minor: Option<i64>, currency: Option<Currency>| {
        minor.zip(currency).map(|(minor, currency)| plain_amount(minor, currency)).unwrap_or_default()
    };
    let date = |moment: &Option<Timestamp>| moment.map(|moment| moment.to_rfc3339()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut line = String::new();
    row(
        &mut line,
        &[
            difference.category.as_str(),
            &difference.line.map(|line| line.to_string()).unwrap_or_default(),
            difference.kind.map_or("", Kind::as_str),
            &text(&difference.reference),
            &text(&difference.payment_id),
            &amount(difference.their_amount_minor, difference.their_currency),
            &number(difference.their_amount_minor),
            difference.their_currency.map_or("", Currency::code),
            &date(&difference.their_date),
            &amount(difference.our_amount_minor, difference.our_currency),
            &number(difference.our_amount_minor),
            difference.our_currency.map_or("", Currency::code),
            &date(&difference.our_date),
            &text(&difference.reason),
        ],
    );
    line
}

/// Lines that were spooled as a file.
fn sent(name: &str, content_type: &'static str, start: String, spooled: Spooled) -> HttpResponse {
    let spooled = Arc::new(Mutex::new(spooled));
    let piece = async move |_| {
        let spooled = Arc::clone(&spooled);
        let read = block(move || spooled.lock().unwrap_or_else(PoisonError::into_inner).lines()).await;
        let lines = read.map_err(|_| Fault::new(Code::InternalError, "internal error"))??;
        let next = lines.as_ref().map(|_| String::new());
        Ok((lines.unwrap_or_default(), next))
    };
    file(name, content_type, start, piece)
}

fn counted(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}

fn shown(shell: &Shell, reconciled: &Reconciled, differences: &[Difference]) -> Shown {
    let count = |category: Category| reconciled.totals.of(category).count;
    let all: u64 = Category::ALL.into_iter().filter(|category| *category != Category::Matched).map(count).sum();
    let categories = Category::ALL.into_iter().map(|category| (category, reconciled.totals.of(category)));
    Shown {
        title: provider_title(&reconciled.provider).unwrap_or_default(),
        matches: reconciled.matches(),
        sentence: sentence(reconciled, all - count(Category::MissingAtThem), count(Category::MissingAtThem)),
        span: reconciled.span.map(|(from, to)| (shell.time(&from), shell.time(&to))),
        lines: counted(reconciled.lines),
        other_lines: counted(reconciled.other_lines),
        categories: categories
            .filter(|(category, total)| total.count > 0 || *category == Category::Matched)
            .map(|(category, total)| category_row(category, &total))
            .collect(),
        differences: differences.iter().map(|difference| difference_row(shell, difference)).collect(),
        more: Some(all.saturating_sub(differences.len() as u64)).filter(|more| *more > 0).map(counted),
    }
}

fn sentence(reconciled: &Reconciled, differing: u64, missing: u64) -> String {
    let lines = |number: u64| match number {
        1 => "1 line".to_owned(),
        number => format!("{} lines", counted(number)),
    };
    match (reconciled.lines, reconciled.matches()) {
        (0, true) => "There is nothing to compare: the report has no payment or refund in it.".to_owned(),
        (1, true) => "Both sides say the same: the report’s one line is booked here as it says.".to_owned(),
        (all, true) => format!("Both sides say the same: all {} are booked here as they say.", lines(all)),
        (all, false) => {
            let of_lines = match (all, differing) {
                (0, _) => "The report has no payment or refund in it".to_owned(),
                (all, 0) => format!("Everything in the report ({}) is booked here", lines(all)),
                (all, differing) => {
                    let verb = if differing == 1 { "differs" } else { "differ" };
                    format!("{} of {} {verb} from what is booked here", counted(differing), lines(all))
                }
            };
            let of_bookings = match missing {
                0 => String::new(),
                1 => "; 1 payment or refund that is booked here is not in the report".to_owned(),
                missing => {
                    format!("; {} payments or refunds that are booked here are not in the report", counted(missing))
                }
            };
            format!("{of_lines}{of_bookings}.")
        }
    }
}

fn money(minor: i64, currency: Currency) -> String {
    format!("{} {}", format_amount(minor, currency), currency.code())
}

fn category_row(category: Category, total: &Total) -> CategoryRow {
    let (title, meaning, tone) = words(category);
    let sum = |(code, sum): (&&'static str, &i128)| match (Currency::parse(code), i64::try_from(*sum)) {
        (Some(currency), Ok(sum)) => money(sum, currency),
        _ => format!("{sum} {code} in the smallest unit"),
    };
    CategoryRow { title, meaning, tone, count: counted(total.count), sums: total.sums.iter().map(sum).collect() }
}

fn difference_row(shell: &Shell, difference: &Difference) -> DifferenceRow {
    let (title, _, tone) = words(difference.category);
    let side = |minor: Option<i64>, currency: Option<Currency>, at: &Option<Timestamp>| {
        let amount = minor.zip(currency).map(|(minor, currency)| money(minor, currency));
        amount.map(|amount| (amount, at.as_ref().map(|at| shell.time(at))))
    };
    let payment_id = difference.payment_id.clone().unwrap_or_default();
    // What the report alone says may be the id of anything.
    let is_ours = difference.our_amount_minor.is_some();
    DifferenceRow {
        title,
        tone,
        line: difference.line,
        is_refund: difference.kind == Some(Kind::Refund),
        reference: difference.reference.clone().unwrap_or_default(),
        path: is_ours.then(|| address_of("/console/payments", &payment_id)),
        payment_id,
        theirs: side(difference.their_amount_minor, difference.their_currency, &difference.their_date),
        ours: side(difference.our_amount_minor, difference.our_currency, &difference.our_date),
        reason: difference.reason.clone(),
    }
}

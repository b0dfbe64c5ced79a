//! Reconciliation: a provider's settlement report held against what we have booked. The report is read line by line and
//! looked up in batches; what was met is remembered in a scratch database, so that memory does not grow with the report.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{Gateway, Scope};
use crate::domain::ids::AppId;
use crate::domain::mode::Mode;
use crate::domain::report_layouts::{Columns, Layout, Read as LineRead};
use crate::domain::settlement::{Booking, Category, Difference, Kind, Line, Totals, compare};
use crate::domain::signing::fingerprint;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::Driver;
use crate::store::scratch::Scratch;
use crate::store::settlements::{self, ByName, Span, Whose};
use crate::store::{Conn, StoreResult, across};

/// The scope that it asks for.
const READ: &str = "balance:read";

/// Lines looked up at once.
const BATCH: usize = 500;

/// Bookings looked at in one page.
const PAGE: usize = 1000;

/// The longest line, in bytes: a quotation mark that is never closed must not bring the whole report into memory.
const LONGEST_LINE: u64 = 1024 * 1024;

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// Reports compared at once.
pub(super) const AT_ONCE: usize = 2;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct ReconcileOptions {
    /// Whose report it is.
    pub provider: String,
    /// From when on the report has everything; from its first date when `None`.
    pub from: Option<Timestamp>,
    /// Until when, not included; until its last date when `None`.
    pub to: Option<Timestamp>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// Whose report it is.
    pub provider: String,
    /// In which mode.
    pub mode: Mode,
    /// The span in which the report was taken to have everything, if it has dates.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Lines about transactions, those that cannot be read among them.
    pub lines: u64,
    /// Lines about something else: fees, payouts, sums.
    pub other_lines: u64,
    /// What of each category there is.
    pub totals: Totals,
}

impl Reconciled {
    /// Whether both sides say the same.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.totals.matches()
    }

    /// As JSON.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut categories = serde_json::Map::new();
        for category in Category::ALL {
            let total = self.totals.of(category);
            let sums: serde_json::Map<String, Value> = total
                .sums
                .iter()
                .map(|(currency, sum)| {
                    // Beyond 64 bits there is no JSON number that everyone reads.
                    let sum = i64::try_from(*sum).map_or_else(|_| json!(sum.to_string()), |sum| json!(sum));
                    ((*currency).to_owned(), sum)
                })
                .collect();
            categories.insert(category.as_str().to_owned(), json!({ "count": total.count, "sumsMinor": sums }));
        }
        json!({
            "provider": self.provider, "mode": self.mode, "from": self.span.map(|span| span.0),
            "to": self.span.map(|span| span.1), "lines": self.lines, "otherLines": self.other_lines,
            "matches": self.matches(), "categories": categories,
        })
    }
}

/// A provider whose settlement report can be compared.
#[derive(Clone, Copy, Debug)]
pub struct ReportSource<'a> {
    /// Its name in the settings.
    pub name: &'a str,
    /// Its name for people.
    pub title: &'static str,
    /// Where a merchant gets the report, for people.
    pub source: &'static str,
    /// How the report is laid out.
    pub layout: &'a Layout,
}

impl Gateway {
    /// The providers that take money in `mode` and whose reports can be compared.
    #[must_use]
    pub fn report_sources(&self, mode: Mode) -> Vec<ReportSource<'_>> {
        let sources = self.settings.layouts.iter().filter_map(|(name, layout)| {
            // The mock, which calls nobody, takes money in test alone.
            let is_used =
                |driver: &&Driver| driver.modes.contains(&mode) && (driver.connect.is_some() || mode == Mode::Test);
            let driver = Driver::named(name).filter(is_used)?;
            Some(ReportSource { name, title: driver.title, source: driver.report_source, layout })
        });
        sources.collect()
    }

    /// Refuses who may not compare, and a provider whose reports are not known here, before the report is read.
    ///
    /// # Errors
    /// 403; 400.
    pub fn check_may_reconcile(&self, scope: &Scope, provider: &str) -> Outcome<()> {
        scope.require_scope(READ)?;
        if self.settings.layouts.contains_key(provider) {
            return Ok(());
        }
        let known: Vec<&str> = self.settings.layouts.keys().map(String::as_str).collect();
        Err(Fault::invalid("provider", &format!("must be one of {}", known.join(", "))))
    }

    /// Holds `report` against what is booked in the caller's mode, and tells every difference as it is found.
    ///
    /// # Errors
    /// 400 for what is no such report; 403; 429 when too many are compared already; what `report` fails with.
    pub async fn reconcile<R, T>(
        self: Arc<Self>,
        scope: &Scope,
        options: ReconcileOptions,
        report: R,
        tell: T,
    ) -> Outcome<Reconciled>
    where
        R: Read + Send + 'static,
        T: FnMut(Difference) + Send + 'static,
    {
        self.check_may_reconcile(scope, &options.provider)?;
        let busy = |_| {
            let wait = std::time::Duration::from_secs(10);
            Fault::retry_after(Code::RateLimited, "other reports are being compared", wait)
        };
        let _turn = self.reconciliations.try_acquire().map_err(busy)?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let apps = self.read(move |conn| across::apps(conn, &tenant_id, mode)).await?;
        let app_ids: Vec<AppId> = apps.into_iter().map(|app| app.app_id).collect();
        let (gateway, handle) = (Arc::clone(&self), Handle::current());
        let failed = |_| Fault::new(Code::InternalError, "internal error");
        let task = move || {
            let layout = gateway.settings.layouts.get(&options.provider).cloned().unwrap_or_default();
            let whose = Whose { app_ids, provider: options.provider.clone() };
            let comparison = Comparison {
                gateway: &gateway,
                handle,
                whose,
                scratch: Scratch::open()?,
                tell,
                totals: Totals::default(),
                first: None,
                last: None,
                lines: 0,
                other_lines: 0,
            };
            comparison.run(&layout, &options, mode, report)
        };
        tokio::task::spawn_blocking(task).await.map_err(failed)?
    }
}

/// A comparison under way.
struct Comparison<'a, T> {
    gateway: &'a Gateway,
    handle: Handle,
    whose: Whose,
    scratch: Scratch,
    tell: T,
    totals: Totals,
    /// The report's first moment.
    first: Option<Timestamp>,
    /// The first moment after its last.
    last: Option<Timestamp>,
    lines: u64,
    other_lines: u64,
}

impl<T: FnMut(Difference)> Comparison<'_, T> {
    fn run(
        mut self,
        layout: &Layout,
        options: &ReconcileOptions,
        mode: Mode,
        report: impl Read,
    ) -> Outcome<Reconciled> {
        let since = Rc::new(Cell::new(0));
        let bounded = Bounded { inner: report, since: Rc::clone(&since) };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(1 << 16)
            .from_reader(bounded);
        let mut record = csv::ByteRecord::new();
        let mut columns: Option<Columns<'_>> = None;
        let mut batch = Vec::with_capacity(BATCH);
        while reader.read_byte_record(&mut record).map_err(unreadable_report)? {
            since.set(0);
            let number = record.position().map_or(0, csv::Position::line);
            let cells: Option<Vec<&str>> = record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
            let Some(found) = &columns else {
                let cells = cells.ok_or_else(|| Fault::invalid("report", "is no text in UTF-8"))?;
                if is_head(layout, &cells) {
                    columns = Some(Columns::find(layout, &cells).map_err(|fault| Fault::invalid("report", &fault))?);
                }
                continue;
            };
            match cells
                .map_or_else(|| LineRead::Bad("it is no text in UTF-8".to_owned()), |cells| found.read(number, &cells))
            {
                LineRead::Other => self.other_lines += 1,
                LineRead::Bad(reason) => {
                    self.lines += 1;
                    self.totals.count(Category::Unreadable, None);
                    (self.tell)(Difference::unreadable(number, reason));
                }
                LineRead::Line(line) => {
                    self.lines += 1;
                    batch.push(line);
                }
            }
            if batch.len() == BATCH {
                self.compare_batch(std::mem::take(&mut batch))?;
            }
        }
        if columns.is_none() {
            return Err(Fault::invalid("report", "has no line with the names of its columns"));
        }
        self.compare_batch(batch)?;
        let span = options.from.or(self.first).zip(options.to.or(self.last));
        if let Some((from, to)) = span {
            self.find_missing_at_them(Span { from, to })?;
        }
        let Self { totals, lines, other_lines, .. } = self;
        Ok(Reconciled { provider: options.provider.clone(), mode, span, lines, other_lines, totals })
    }

    fn read<V: Send + 'static>(&self, work: impl FnOnce(&mut Conn) -> StoreResult<V> + Send + 'static) -> Outcome<V> {
        self.handle.block_on(self.gateway.read(work))
    }

    fn compare_batch(&mut self, batch: Vec<Line>) -> Outcome<()> {
        let mut fresh = Vec::with_capacity(batch.len());
        for line in batch {
            if let Some(at) = line.at {
                let end = Timestamp::from_unix_micros(at.unix_micros() + if line.is_day { DAY } else { 1 });
                self.first = Some(self.first.map_or(at, |first| first.min(at)));
                self.last = Some(self.last.map_or(end, |last| last.max(end)));
            }
            if self.scratch.see(&key_of_line(&line))? {
                fresh.push(line);
            } else {
                self.report(Category::Duplicate, Some(&line), None);
            }
        }
        let names = |kind: Kind| -> Vec<String> {
            let of_kind = fresh.iter().filter(|line| line.kind == kind);
            let names: HashSet<&str> = of_kind.flat_map(names_of).collect();
            names.into_iter().map(str::to_owned).collect()
        };
        let (payments, refunds, whose) = (names(Kind::Payment), names(Kind::Refund), self.whose.clone());
        let (receipts, refunds): (ByName, ByName) = self.read(move |conn| {
            let receipts =
                if payments.is_empty() { ByName::new() } else { settlements::receipts_named(conn, &whose, &payments)? };
            let refunds =
                if refunds.is_empty() { ByName::new() } else { settlements::refunds_named(conn, &whose, &refunds)? };
            Ok((receipts, refunds))
        })?;
        for line in &fresh {
            let known = if line.kind == Kind::Payment { &receipts } else { &refunds };
            self.compare_line(line, known)?;
        }
        Ok(())
    }

    /// Compares a line with the booking that it names and that no other line has named: rather one of its amount.
    fn compare_line(&mut self, line: &Line, known: &ByName) -> Outcome<()> {
        let mut candidates: Vec<&Booking> = names_of(line).filter_map(|name| known.get(name)).flatten().collect();
        candidates.sort_by_key(|booking| booking.amount_minor != line.amount_minor);
        for booking in &candidates {
            if self.scratch.meet(&key_of_booking(booking))? {
                let category = compare(line, Some(booking));
                self.report(category, Some(line), Some(booking));
                return Ok(());
            }
        }
        match candidates.first() {
            None => self.report(Category::MissingAtUs, Some(line), None),
            Some(booking) => self.report(Category::Duplicate, Some(line), Some(booking)),
        }
        Ok(())
    }

    fn find_missing_at_them(&mut self, span: Span) -> Outcome<()> {
        for app_id in self.whose.app_ids.clone() {
            for kind in [Kind::Payment, Kind::Refund] {
                let mut after: Option<String> = None;
                loop {
                    let (app_id, provider) = (app_id.clone(), self.whose.provider.clone());
                    let (bookings, next) = self.read(move |conn| {
                        let page =
                            if kind == Kind::Payment { settlements::receipts_page } else { settlements::refunds_page };
                        page(conn, &app_id, &provider, span, after.as_deref(), PAGE)
                    })?;
                    self.report_unmet(&bookings)?;
                    after = next;
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn report_unmet(&mut self, bookings: &[Booking]) -> Outcome<()> {
        let keys: Vec<[u8; 16]> = bookings.iter().map(key_of_booking).collect();
        let met = self.scratch.met(&keys)?;
        for (booking, key) in bookings.iter().zip(&keys) {
            if !met.contains(key.as_slice()) {
                self.report(Category::MissingAtThem, None, Some(booking));
            }
        }
        Ok(())
    }

    /// Counts, and tells what is not the same on both sides.
    fn report(&mut self, category: Category, line: Option<&Line>, booking: Option<&Booking>) {
        let of_line = line.map(|line| (line.kind, line.amount_minor, line.currency));
        let worth = of_line.or_else(|| booking.map(|booking| (booking.kind, booking.amount_minor, booking.currency)));
        self.totals.count(category, worth);
        if category != Category::Matched {
            (self.tell)(Difference::new(category, line, booking));
        }
    }
}

/// Whether these are the names of the columns.
fn is_head(layout: &Layout, cells: &[&str]) -> bool {
    layout.header_marker.is_empty() || cells.first().map(|cell| cell.trim()) == Some(layout.header_marker.as_str())
}

/// The names under which a line's booking may be found, the surest first.
fn names_of(line: &Line) -> impl Iterator<Item = &str> {
    let reference = Some(line.reference.as_str()).filter(|reference| !reference.is_empty());
    reference.into_iter().chain(line.our_id.as_deref())
}

/// What makes a line the one that it is. Several refunds may be reported under the payment's name.
fn key_of_line(line: &Line) -> [u8; 16] {
    let our_id = line.our_id.as_deref().filter(|_| line.reference.is_empty()).unwrap_or_default();
    let told = match line.kind {
        Kind::Payment => String::new(),
        Kind::Refund => format!("{} {:?}", line.amount_minor, line.at),
    };
    fingerprint(&[line.kind.as_str(), &line.reference, our_id, &told])
}

fn key_of_booking(booking: &Booking) -> [u8; 16] {
    fingerprint(&[booking.kind.as_str(), &booking.payment_id, &booking.own_id])
}

/// What the report itself failed with, if it was told; else that it cannot be read.
fn unreadable_report(error: csv::Error) -> Fault {
    if let csv::ErrorKind::Io(inner) = error.kind()
        && let Some(fault) = inner.get_ref().and_then(|inner| inner.downcast_ref::<Fault>())
    {
        return fault.clone();
    }
    Fault::invalid("report", &format!("cannot be read: {error}"))
}

/// A reader that fails when so much was read without a line's end.
struct Bounded<R> {
    inner: R,
    since: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.since.set(self.since.get() + length as u64);
        if self.since.get() > LONGEST_LINE {
            let fault = Fault::invalid("report", "has a line of more than a mebibyte; is a quotation mark not closed?");
            return Err(std::io::Error::other(fault));
        }
        Ok(length)
    }
}

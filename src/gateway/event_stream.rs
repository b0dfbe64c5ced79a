//! Following an app's events as they are committed.
//!
//! One reader serves all who listen in this process: at every commit of its own, and a few times a second for those of
//! other processes, it looks for what could not be seen before. A listener has a queue of its own that is bounded: who is
//! too slow is let go, and goes on later from the last event that it has. So does who was cut off: from there the events
//! are read from the database until it has caught up, then it joins the others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use super::directory::{Proof, Validity};
use super::events::event_not_found;
use super::{App, Gateway};
use crate::domain::ids::{AppId, EventId};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::event_stream::{self, Horizon, Place, Placed};

/// Listeners of one app in one process.
pub const MOST_LISTENERS_OF_APP: usize = 1000;

/// Listeners of all apps in one process.
const MOST_LISTENERS: usize = 4000;

/// Events that wait for one listener. They are held once for all.
const QUEUE_LENGTH: usize = 1024;

/// Events that one look takes in. If there are more, a listener reads its own.
const MOST_AT_ONCE: i64 = 10_000;

/// Events of a page, for a listener that catches up.
const PAGE: i64 = 200;

/// How long commits that follow each other are collected, so that one look sees several.
const GATHER: Duration = Duration::from_millis(10);

/// An event as it is told.
#[derive(Debug)]
pub struct Told {
    /// Its id, from which one goes on.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// Its body, as an endpoint gets it.
    pub body: String,
}

/// Who listens in this process.
#[derive(Default)]
pub(super) struct Feed {
    /// Held while the reader looks: who joins meanwhile would miss what is seen in that moment.
    joined: Mutex<Joined>,
    places: Arc<Places>,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct Joined {
    /// How far the reader has seen; nothing while nobody listens.
    seen: Option<Horizon>,
    listeners: HashMap<AppId, Vec<Listener>>,
}

/// A listener, as the reader knows it.
struct Listener {
    validity: Validity,
    proof: Arc<Proof>,
    types: Arc<[String]>,
    queue: mpsc::Sender<Arc<Told>>,
}

/// How many listen.
#[derive(Default)]
struct Places(Lock<HashMap<AppId, usize>>);

/// A listener's place, given back when it goes.
struct TakenPlace {
    places: Arc<Places>,
    app_id: AppId,
}

impl Places {
    fn take(self: &Arc<Self>, app_id: &AppId) -> Outcome<TakenPlace> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = |code, detail| Err(Fault::retry_after(code, detail, Duration::from_secs(5)));
        if taken.get(app_id).is_some_and(|count| *count >= MOST_LISTENERS_OF_APP) {
            let detail = format!("{MOST_LISTENERS_OF_APP} listeners of this app are connected; close one first");
            return refusal(Code::RateLimited, detail);
        }
        if taken.values().sum::<usize>() >= MOST_LISTENERS {
            return refusal(Code::ServiceUnavailable, "too many listen to this server; list the events".to_owned());
        }
        *taken.entry(app_id.clone()).or_default() += 1;
        Ok(TakenPlace { places: Arc::clone(self), app_id: app_id.clone() })
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = taken.get_mut(&self.app_id).is_some_and(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
        if is_last {
            taken.remove(&self.app_id);
        }
    }
}

/// Somebody who follows an app's events.
pub struct Listening {
    gateway: Arc<Gateway>,
    app: Arc<App>,
    proof: Arc<Proof>,
    types: Arc<[String]>,
    beginning: EventId,
    ready: VecDeque<Arc<Told>>,
    stage: Stage,
    /// Ids that may be met again: they were read while others were being written.
    known: HashSet<EventId>,
    _place: TakenPlace,
}

/// How far a listener is.
enum Stage {
    /// It reads what it has missed, as often as it takes until a round is short.
    Behind(Round),
    /// It has joined the others, and reads once more what was committed meanwhile.
    Joining(mpsc::Receiver<Arc<Told>>, Round),
    /// It gets what the reader sees.
    Live(mpsc::Receiver<Arc<Told>>),
    /// It is over.
    Over,
}

/// One reading of all beyond a horizon.
#[derive(Clone)]
struct Round {
    horizon: Arc<Horizon>,
    /// The event that one goes on after: of its own transaction, those with greater ids follow.
    after: Option<Place>,
    /// How far it has come.
    cursor: Place,
    /// What could be seen when it began: the next round reads what is beyond that. Nothing before the first page.
    began: Option<Arc<Horizon>>,
    /// How many events it found.
    found: usize,
}

impl Round {
    fn beyond(horizon: Arc<Horizon>, after: Option<Place>) -> Self {
        Self { cursor: horizon.beginning(), horizon, after, began: None, found: 0 }
    }

    fn has(&self, placed: &Placed) -> bool {
        match &self.after {
            Some(after) if after.position == placed.position => placed.event_id.as_str() > after.event_id.as_str(),
            _ => self.horizon.is_beyond(placed.position),
        }
    }
}

impl Gateway {
    /// Follows an app's events: those after `last`, or those from now on. The earliest id that there can be is before all.
    /// None is left out, and some after `last` may come twice. With `types`, only events of these.
    ///
    /// # Errors
    /// 404 when `last` is no event of the app's, so that nothing is passed over in silence; 429 and 503 when too many
    /// listen.
    pub async fn listen(
        self: &Arc<Self>,
        app: &Arc<App>,
        proof: Proof,
        last: Option<&str>,
        types: Vec<String>,
    ) -> Outcome<Listening> {
        let place = self.feed.places.take(&app.app_id)?;
        let mut listening = Listening {
            gateway: Arc::clone(self),
            app: Arc::clone(app),
            proof: Arc::new(proof),
            types: types.into(),
            beginning: EventId::earliest_at(Timestamp::from_unix_micros(0)),
            ready: VecDeque::new(),
            stage: Stage::Over,
            known: HashSet::new(),
            _place: place,
        };
        listening.stage = match last {
            None => {
                let app_id = app.app_id.clone();
                // Before it joins: what comes in between comes twice to who goes on from here, and is not passed over.
                if let Some(last) = self.read(move |conn| event_stream::last_of(conn, &app_id)).await? {
                    listening.beginning = last;
                }
                Stage::Live(listening.join().await?)
            }
            Some(last) => {
                let last = EventId::parse(last).ok_or_else(event_not_found)?;
                let is_before_all = last == std::mem::replace(&mut listening.beginning, last.clone());
                let app_id = app.app_id.clone();
                let found = self.read(move |conn| event_stream::place_of(conn, &app_id, &last)).await?;
                let (after, horizon) = match found {
                    Some((after, horizon)) => (Some(after), horizon),
                    None if is_before_all => (None, Horizon::of_nothing()),
                    None => return Err(event_not_found()),
                };
                Stage::Behind(Round::beyond(Arc::new(horizon), after))
            }
        };
        Ok(listening)
    }

    /// Waits until there may be something to tell those who listen.
    pub async fn listeners_wanted(&self) {
        self.store.events_written().await;
        tokio::time::sleep(GATHER).await;
    }

    /// Tells those who listen what has been committed since the last look, and lets go who may not listen any more.
    ///
    /// # Errors
    /// When the database cannot be read: the next look sees as much more.
    pub async fn tell_listeners(&self) -> Outcome<()> {
        let mut joined = self.feed.joined.lock().await;
        joined.listeners.retain(|_, listeners| {
            listeners.retain_mut(|listener| {
                if listener.queue.is_closed() {
                    return false;
                }
                if !self.still_holds(&listener.validity) {
                    let Some(validity) = self.validity(&listener.validity.app.app_id, &listener.proof) else {
                        return false;
                    };
                    listener.validity = validity;
                }
                true
            });
            !listeners.is_empty()
        });
        if joined.listeners.is_empty() {
            joined.seen = None;
            return Ok(());
        }
        let Some(seen) = joined.seen.clone() else { return Ok(()) };
        let apps: Vec<AppId> = joined.listeners.keys().cloned().collect();
        let (fresh, now) = self.read(move |conn| event_stream::since(conn, &apps, &seen, MOST_AT_ONCE + 1)).await?;
        if fresh.len() as i64 > MOST_AT_ONCE {
            tracing::warn!("more events were committed than one look takes in; who listens begins anew");
            joined.listeners.clear();
            joined.seen = None;
            return Ok(());
        }
        joined.seen = Some(now);
        for placed in fresh {
            joined.tell(placed);
        }
        Ok(())
    }

    /// Lets everyone go who listens, and lets nobody begin: the process is about to end.
    pub async fn end_listening(&self) {
        self.feed.is_closed.store(true, Ordering::Relaxed);
        *self.feed.joined.lock().await = Joined::default();
    }
}

impl Joined {
    /// Puts an event into the queues of those who want it.
    fn tell(&mut self, placed: Placed) {
        let Some(listeners) = self.listeners.get_mut(&placed.app_id) else { return };
        let told = Arc::new(Told::from(placed));
        listeners.retain(|listener| {
            if !is_wanted(&listener.types, &told.event_type) {
                return true;
            }
            let queued = listener.queue.try_send(Arc::clone(&told));
            if matches!(queued, Err(mpsc::error::TrySendError::Full(_))) {
                tracing::info!(app = %listener.validity.app.app_id, "a listener is too slow and is let go");
            }
            queued.is_ok()
        });
    }
}

impl From<Placed> for Told {
    fn from(placed: Placed) -> Self {
        Self { event_id: placed.event_id, event_type: placed.event_type, body: placed.body }
    }
}

fn is_wanted(types: &[String], event_type: &str) -> bool {
    types.is_empty() || types.iter().any(|wanted| wanted == event_type)
}

impl Listening {
    /// From where one goes on who is cut off before the first event.
    #[must_use]
    pub const fn beginning(&self) -> &EventId {
        &self.beginning
    }

    /// The next event; nothing when it is over: the process ends, the key does not work any more, or the listener is too
    /// slow. It may be given up while it waits, and asked again.
    pub async fn next(&mut self) -> Option<Arc<Told>> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(told);
            }
            if let Stage::Live(live) = &mut self.stage {
                let told = live.recv().await?;
                // What was read before joining comes once more only soon after it.
                if self.known.is_empty() || !self.known.remove(&told.event_id) {
                    return Some(told);
                }
                continue;
            }
            if let Err(fault) = self.catch_up().await {
                tracing::warn!(%fault, app = %self.app.app_id, "a listener could not catch up; it begins anew");
                self.stage = Stage::Over;
            }
            if matches!(self.stage, Stage::Over) {
                return None;
            }
        }
    }

    /// Reads a page of what was missed, or goes on to the next stage.
    async fn catch_up(&mut self) -> Outcome<()> {
        let is_over = self.gateway.feed.is_closed.load(Ordering::Relaxed);
        if is_over || self.gateway.validity(&self.app.app_id, &self.proof).is_none() {
            self.stage = Stage::Over;
            return Ok(());
        }
        let mut round = match &self.stage {
            Stage::Behind(round) | Stage::Joining(_, round) => round.clone(),
            Stage::Live(_) | Stage::Over => return Ok(()),
        };
        let began = match &round.began {
            Some(began) => Arc::clone(began),
            None => Arc::new(self.gateway.read(event_stream::horizon).await?),
        };
        round.began = Some(Arc::clone(&began));
        let (app_id, cursor) = (self.app.app_id.clone(), round.cursor.clone());
        let mut page = self.gateway.read(move |conn| event_stream::behind(conn, &app_id, &cursor, PAGE)).await?;
        let is_last_page = (page.len() as i64) < PAGE;
        if let Some(last) = page.last() {
            round.cursor = Place { position: last.position, event_id: last.event_id.to_string() };
        }
        page.retain(|placed| round.has(placed) && !self.known.contains(&placed.event_id));
        round.found += page.len();
        // A long round took a while: what was committed meanwhile is read before one joins, so that no queue fills.
        let joins = is_last_page && (round.found as i64) < PAGE && matches!(self.stage, Stage::Behind(_));
        let live = if joins { Some(self.join().await?) } else { None };

        // From here on nothing waits: who gives up before asks for the same again.
        let has_joined = matches!(self.stage, Stage::Joining(..));
        for placed in page {
            if has_joined || began.is_beyond(placed.position) {
                self.known.insert(placed.event_id.clone());
            }
            if is_wanted(&self.types, &placed.event_type) {
                self.ready.push_back(Arc::new(Told::from(placed)));
            }
        }
        self.stage = match (std::mem::replace(&mut self.stage, Stage::Over), live) {
            (Stage::Behind(_), Some(live)) => Stage::Joining(live, Round::beyond(began, None)),
            (Stage::Behind(_), None) if is_last_page => Stage::Behind(Round::beyond(began, None)),
            (Stage::Behind(_), None) => Stage::Behind(round),
            (Stage::Joining(live, _), _) if is_last_page => Stage::Live(live),
            (Stage::Joining(live, _), _) => Stage::Joining(live, round),
            (stage, _) => stage,
        };
        Ok(())
    }

    /// Joins those whom the reader tells. What is committed from now on comes.
    async fn join(&self) -> Outcome<mpsc::Receiver<Arc<Told>>> {
        let ended = || Fault::retry_after(Code::ServiceUnavailable, "the server ends", Duration::from_secs(2));
        let mut joined = self.gateway.feed.joined.lock().await;
        if joined.seen.is_none() {
            joined.seen = Some(self.gateway.read(event_stream::horizon).await?);
        }
        if self.gateway.feed.is_closed.load(Ordering::Relaxed) {
            return Err(ended());
        }
        let (queue, live) = mpsc::channel(QUEUE_LENGTH);
        let validity = self.gateway.validity(&self.app.app_id, &self.proof);
        let validity = validity.ok_or_else(|| Fault::new(Code::BadSignature, "bad signature"))?;
        let (proof, types) = (Arc::clone(&self.proof), Arc::clone(&self.types));
        let listeners = joined.listeners.entry(self.app.app_id.clone()).or_default();
        listeners.push(Listener { validity, proof, types, queue });
        Ok(live)
    }
}

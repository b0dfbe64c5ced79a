//! A running gateway: the HTTP server and the background work, started together and stopped together.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpRequest, HttpServer};
use tokio::task::JoinHandle;
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;

use crate::clock::Clock;
use crate::config::Settings;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, OpenError};
use crate::problem::{Answered, Problem, finish};
use crate::web::dressing::dress;
use crate::web::status_stream::OpenStreams;
use crate::work::Work;
use crate::{api, telemetry, web as web_pages};

/// How long requests that are under way may take once a stop is asked for, in seconds.
const STOP_TIMEOUT_SECONDS: u64 = 8;

/// How long writes that wait are verified after the last request.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The gateway itself.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The network.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The HTTP server.
    #[error("the HTTP server cannot start: {0}")]
    Server(#[from] std::io::Error),
}

/// How a server is started besides its settings.
#[derive(Clone)]
pub struct Options {
    /// Tells the time.
    pub clock: Clock,
    /// Whether the background work runs by itself. A test may step it instead.
    pub with_work: bool,
    /// Routes besides the gateway's own, for measuring the server without it.
    pub extra_routes: fn(&mut ServiceConfig),
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::system(), with_work: true, extra_routes: |_| {} }
    }
}

/// A running gateway.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The gateway, for who runs in the same process.
    pub gateway: Arc<Gateway>,
    handle: ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    streams: Data<OpenStreams>,
    work: Option<Work>,
}

/// Starts a gateway on `settings.bind`.
///
/// # Errors
/// When the address is taken, the database cannot be reached, or the sealing key does not fit.
pub async fn start(settings: Settings, options: Options) -> Result<Server, StartError> {
    let bind = settings.bind;
    let listener = TcpListener::bind(bind).map_err(|error| StartError::Listen(bind, error))?;
    start_on(listener, settings, options).await
}

/// Starts a gateway on a socket that is open already.
///
/// # Errors
/// As [`start`].
pub async fn start_on(listener: TcpListener, mut settings: Settings, options: Options) -> Result<Server, StartError> {
    telemetry::metrics();
    let address = listener.local_addr()?;
    if settings.public_url.is_empty() {
        settings.public_url = format!("http://{address}");
    }
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let gateway = Gateway::open(settings, options.clock).await?;
    let data = Data::from(Arc::clone(&gateway));
    let extra_routes = options.extra_routes;
    let streams = Data::new(OpenStreams::default());
    let shared_streams = streams.clone();
    let server = HttpServer::new(move || {
        let (app, document) = App::new()
            .configure(web_pages::pages_beside_the_api)
            .into_utoipa_app()
            .openapi(api::ApiDocument::openapi())
            .configure(api::routes)
            .configure(web_pages::documented_pages)
            .split_for_parts();
        app.app_data(data.clone())
            .app_data(shared_streams.clone())
            .app_data(Data::new(api::with_operation_ids(document)))
            .app_data(web::FormConfig::default().limit(4096).error_handler(|_, _| {
                Problem(Fault::invalid("body", "must be a form with outcome=succeed, fail or cancel")).into()
            }))
            .configure(extra_routes)
            // A request is held against one route after the other: machines are in a hurry, people are not.
            .configure(web_pages::pages)
            .default_service(web::to(not_found))
            .wrap(from_fn(dress))
            .wrap(from_fn(finish))
            .wrap(TracingLogger::<RequestSpan>::new())
    })
    .workers(workers)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(STOP_TIMEOUT_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let serving = tokio::spawn(server);
    let work = options.with_work.then(|| Work::start(&gateway));
    Ok(Server { address, gateway, handle, serving, streams, work })
}

impl Server {
    /// The base of its URLs.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Finishes what is under way, hands back leases, and ends; at most ten seconds.
    pub async fn stop(self) {
        let has_work = self.work.is_some();
        let work = async {
            if let Some(work) = self.work {
                work.stop().await;
            }
        };
        self.streams.close();
        self.gateway.end_listening().await;
        tokio::join!(self.handle.stop(true), work);
        let _ = self.serving.await;
        // Whatever is left waits in the database for the next start.
        if has_work && let Err(fault) = self.gateway.drain_writes(DRAIN_TIMEOUT).await {
            tracing::warn!(%fault, "writes that wait could not be verified; the next start does it");
        }
        if let Err(fault) = self.gateway.hand_back_deliveries().await {
            tracing::warn!(%fault, "leases could not be handed back; they run out by themselves");
        }
    }
}

async fn not_found(request: HttpRequest) -> Answered {
    let fault = if request.resource_map().has_resource(request.path()) {
        Fault::new(Code::MethodNotAllowed, "this path does not have this method")
    } else {
        Fault::new(Code::NotFound, "there is nothing at this path")
    };
    Err(fault.into())
}

/// The log's span of a request. The library's own would hold the query string and trust `X-Forwarded-For`.
struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        use actix_web::HttpMessage;
        let id = request.extensions().get::<RequestId>().copied();
        let route = request.match_pattern().unwrap_or_default();
        tracing::info_span!(
            "request",
            id = id.map(tracing::field::display),
            method = %request.method(),
            route,
            app = Empty,
            mode = Empty,
            payment = Empty,
        )
    }

    fn on_request_end<B: actix_web::body::MessageBody>(
        span: Span,
        outcome: &Result<ServiceResponse<B>, actix_web::Error>,
    ) {
        let status = outcome.as_ref().map_or(500, |response| response.status().as_u16());
        metrics::counter!("switchyard_http_requests_total", "status" => status_class(status)).increment(1);
        span.in_scope(|| match status {
            500.. => tracing::error!(status, "request failed"),
            400..=499 => tracing::info!(status, "request refused"),
            _ => tracing::debug!(status, "request served"),
        });
    }
}

const fn status_class(status: u16) -> &'static str {
    match status {
        0..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

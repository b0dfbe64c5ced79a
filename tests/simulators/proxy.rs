//! A proxy between the gateway and a provider that breaks connections on demand: what a network, a firewall or a server
//! that dies can do to a call, at the moment that the test chooses. It knows HTTP/1.1 as far as our client speaks it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: it goes through.
    Pass,
    /// The connection is refused: nobody listens.
    Refuse,
    /// The request is read, then the connection is reset. The provider never sees it.
    ResetBefore,
    /// The provider does its work and answers, then the connection is reset. The answer is lost.
    ResetAfter,
    /// The request is read, and that is all. The provider never sees it.
    Hang,
    /// The provider does its work and answers, and the answer is kept back for ever.
    HangAfter,
    /// The provider's answer comes at one byte a second.
    Trickle,
    /// The request waits for so long, then it goes through.
    Delay(Duration),
    /// The proxy answers with this status itself. The provider never sees the request.
    Status(u16),
    /// The proxy answers 200 and a page that is no JSON, after the provider did its work.
    Garbage,
    /// Half of the provider's answer, then the end of the stream, on a connection that is not closed.
    HalfClose,
}

/// The proxy. Dropping it ends it with its connections.
pub struct FaultProxy {
    /// Where it listens: what the gateway is told to be the provider.
    pub url: String,
    state: Arc<State>,
    commands: mpsc::Sender<(bool, oneshot::Sender<()>)>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    always: Mutex<Mode>,
    next: Mutex<VecDeque<Mode>>,
    connections: AtomicU32,
    forwarded: AtomicU32,
}

impl FaultProxy {
    /// A proxy before `upstream_url`, which is scheme, host and port.
    pub async fn start(upstream_url: &str) -> Self {
        let upstream = upstream_url.strip_prefix("http://").expect("an http URL").trim_end_matches('/').to_owned();
        // Bound but not listening, it keeps the port ours while the connection is refused.
        let reservation = bound("127.0.0.1:0".parse().unwrap());
        let address = reservation.local_addr().unwrap();
        let listener = listen(address);
        let state = Arc::new(State {
            upstream,
            always: Mutex::new(Mode::Pass),
            next: Mutex::default(),
            connections: AtomicU32::new(0),
            forwarded: AtomicU32::new(0),
        });
        let (commands, receiver) = mpsc::channel(1);
        let serving = tokio::spawn(serve(reservation, listener, Arc::clone(&state), receiver));
        Self { url: format!("http://{address}"), state, commands, serving }
    }

    /// What is done to every request from now on. What was set for the next ones is forgotten.
    pub async fn set(&self, mode: Mode) {
        self.state.next.lock().unwrap().clear();
        *self.state.always.lock().unwrap() = mode;
        let (done, is_done) = oneshot::channel();
        self.commands.send((mode != Mode::Refuse, done)).await.expect("the proxy serves");
        is_done.await.expect("the proxy serves");
    }

    /// What is done to the next `count` requests, after those for which something was set before.
    pub fn set_for_next(&self, count: usize, mode: Mode) {
        assert_ne!(mode, Mode::Refuse, "a refused connection is not seen, so it cannot be counted: use set");
        self.state.next.lock().unwrap().extend(std::iter::repeat_n(mode, count));
    }

    /// Connections that were taken.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Requests that reached the provider.
    pub fn forwarded(&self) -> u32 {
        self.state.forwarded.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    bound(address).listen(1024).unwrap()
}

async fn serve(
    reservation: TcpSocket,
    listener: TcpListener,
    state: Arc<State>,
    mut commands: mpsc::Receiver<(bool, oneshot::Sender<()>)>,
) {
    let address = reservation.local_addr().unwrap();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = commands.recv() => {
                let Some((listens, done)) = command else { return };
                listener = match listener.take() {
                    _ if !listens => None,
                    None => Some(listen(address)),
                    open => open,
                };
                let _ = done.send(());
            }
            accepted = accept => {
                if let Ok((stream, _)) = accepted {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    connections.spawn(handle(stream, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl State {
    fn mode(&self) -> Mode {
        let next = self.next.lock().unwrap().pop_front();
        next.unwrap_or_else(|| *self.always.lock().unwrap())
    }
}

/// One request on one connection, which is closed then. A client that goes away is no concern of the proxy's.
async fn handle(mut client: TcpStream, state: Arc<State>) {
    let Some(request) = read_request(&mut client).await else { return };
    match state.mode() {
        Mode::Pass => send(client, &forward(&state, &request).await).await,
        Mode::Delay(wait) => {
            tokio::time::sleep(wait).await;
            send(client, &forward(&state, &request).await).await;
        }
        Mode::ResetBefore | Mode::Refuse => reset(client),
        Mode::ResetAfter => {
            forward(&state, &request).await;
            reset(client);
        }
        Mode::Hang => hold(client).await,
        Mode::HangAfter => {
            forward(&state, &request).await;
            hold(client).await;
        }
        Mode::Trickle => {
            for byte in forward(&state, &request).await {
                if client.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Mode::Status(status) => {
            let answer = answer(
                status,
                "Fault",
                "application/json",
                r#"{"message":"the proxy between has a fault of its own"}"#,
            );
            send(client, &answer).await;
        }
        Mode::Garbage => {
            forward(&state, &request).await;
            send(client, &answer(200, "OK", "text/html", "<!doctype html><title>Maintenance</title>")).await;
        }
        Mode::HalfClose => {
            let answer = forward(&state, &request).await;
            let body = end_of_head(&answer).unwrap_or(0);
            let half = body + (answer.len() - body) / 2;
            let _ = client.write_all(&answer[..half]).await;
            let _ = client.shutdown().await;
            hold(client).await;
        }
    }
}

fn answer(status: u16, reason: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn send(mut client: TcpStream, answer: &[u8]) {
    let _ = client.write_all(answer).await;
    let _ = client.shutdown().await;
}

/// Closes with a reset instead of an orderly end.
fn reset(client: TcpStream) {
    let _ = client.set_zero_linger();
}

/// Keeps the connection until the client gives it up.
async fn hold(mut client: TcpStream) {
    let mut rest = [0; 256];
    while matches!(client.read(&mut rest).await, Ok(read) if read > 0) {}
}

/// Where the body begins.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// A whole request whose head asks for the connection to be closed after it. None for one that was not finished.
async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let body_at = loop {
        if let Some(at) = end_of_head(&bytes) {
            break at;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..body_at - 4].to_vec()).expect("a head is text");
    let value_of = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    assert_eq!(value_of("transfer-encoding"), None, "our client does not send bodies in chunks");
    let length: usize = value_of("content-length").map_or(0, |text| text.parse().expect("a length is a number"));
    while bytes.len() < body_at + length {
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some([with_close(&head).as_bytes(), &bytes[body_at..body_at + length]].concat())
}

/// A head, with its empty line, that says that the connection is closed after this.
fn with_close(head: &str) -> String {
    let kept = head.lines().filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("keep-alive")
    });
    let kept: Vec<&str> = kept.collect();
    format!("{}\r\nconnection: close\r\n\r\n", kept.join("\r\n"))
}

/// What the provider answers, whole.
async fn forward(state: &State, request: &[u8]) -> Vec<u8> {
    let Ok(mut upstream) = TcpStream::connect(&state.upstream).await else {
        return answer(502, "Bad Gateway", "text/plain", "the provider behind the proxy is away");
    };
    state.forwarded.fetch_add(1, Ordering::SeqCst);
    let mut bytes = Vec::new();
    if upstream.write_all(request).await.is_err() || upstream.read_to_end(&mut bytes).await.is_err() {
        return answer(502, "Bad Gateway", "text/plain", "the provider behind the proxy broke off");
    }
    match end_of_head(&bytes) {
        Some(body_at) => {
            let head = String::from_utf8_lossy(&bytes[..body_at - 4]);
            [with_close(&head).as_bytes(), &bytes[body_at..]].concat()
        }
        None => bytes,
    }
}

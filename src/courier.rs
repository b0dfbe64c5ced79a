//! Posting events to strangers: endpoints whose addresses are the products' own and cannot be trusted.
//!
//! The guard checks the address that is really connected to: names through the client's own resolver, which drops
//! forbidden addresses, and literals on the parsed URL, for which no resolver is called. Redirects are not followed and
//! no proxy is used. When to try again is not decided here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use crate::domain::time::Timestamp;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How much of an answer is read; the rest of the connection is dropped.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// How much of an answer is kept for the product to see.
const KEPT_ANSWER_CHARACTERS: usize = 500;

/// Something to post.
#[derive(Debug)]
pub struct Parcel {
    /// Where to.
    pub url: String,
    /// Headers besides `Content-Type`.
    pub headers: Vec<(String, String)>,
    /// The exact bytes that were signed.
    pub body: String,
    /// Whether private addresses are allowed for this one.
    pub allow_private: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Posted {
    /// The endpoint answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<RetryAfter>,
        /// The beginning of its body.
        excerpt: String,
    },
    /// No answer: the network, a time-out, TLS.
    Failed(&'static str),
    /// Not sent: the address is forbidden or the URL is unusable.
    Forbidden(&'static str),
}

/// When a receiver wants to be asked again: RFC 9110 allows both forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// After so long.
    Wait(Duration),
    /// At this moment.
    At(Timestamp),
}

impl RetryAfter {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.trim().parse() {
            return Some(Self::Wait(Duration::from_secs(seconds)));
        }
        let moment = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(Self::At(Timestamp::from_unix_micros(moment.timestamp().as_microsecond())))
    }

    /// How long that is from `now`.
    #[must_use]
    pub fn wait_from(self, now: Timestamp) -> Duration {
        match self {
            Self::Wait(wait) => wait,
            Self::At(moment) => moment.since(now),
        }
    }
}

/// Posts parcels.
pub struct Courier {
    guarded: reqwest::Client,
    trusting: reqwest::Client,
}

impl Courier {
    /// A courier with its own connections.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub fn new() -> Result<Self, reqwest::Error> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TOTAL_TIMEOUT)
                .pool_max_idle_per_host(32)
                .pool_idle_timeout(Duration::from_secs(30))
                .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { guarded: builder().dns_resolver(PublicAddressesOnly).build()?, trusting: builder().build()? })
    }

    /// Posts one parcel, once.
    pub async fn post(&self, parcel: Parcel) -> Posted {
        let Ok(url) = Url::parse(&parcel.url) else { return Posted::Forbidden("the URL cannot be read") };
        if !matches!(url.scheme(), "http" | "https") {
            return Posted::Forbidden("the URL is neither http nor https");
        }
        let client = if parcel.allow_private {
            &self.trusting
        } else {
            if let Some(reason) = forbidden_literal(&url) {
                return Posted::Forbidden(reason);
            }
            &self.guarded
        };
        let mut request = client.post(url).header("content-type", "application/json").body(parcel.body);
        for (name, value) in parcel.headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(response) => read_answer(response).await,
            Err(error) => classify(&error),
        }
    }
}

async fn read_answer(mut response: reqwest::Response) -> Posted {
    let status = response.status().as_u16();
    let retry_after =
        response.headers().get(reqwest::header::RETRY_AFTER).and_then(|value| RetryAfter::parse(value.to_str().ok()?));
    let mut bytes = Vec::new();
    // The status line is the receiver's word; a body that breaks off takes nothing away from it.
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    let excerpt = String::from_utf8_lossy(&bytes)
        .chars()
        .filter(|character| !character.is_control())
        .take(KEPT_ANSWER_CHARACTERS)
        .collect();
    Posted::Answered { status, retry_after, excerpt }
}

fn classify(error: &reqwest::Error) -> Posted {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = source {
        if current.downcast_ref::<ForbiddenAddress>().is_some() {
            return Posted::Forbidden(FORBIDDEN);
        }
        source = current.source();
    }
    if error.is_timeout() {
        Posted::Failed("timeout")
    } else if error.is_connect() {
        Posted::Failed("could not connect")
    } else {
        Posted::Failed("connection broke off")
    }
}

const FORBIDDEN: &str = "the address is loopback, private, link-local or reserved";

/// Why the URL's host, if it is an address and not a name, may not be called. The URL parser has already turned every
/// notation of an IPv4 address (decimal, octal, hexadecimal, short) into the one form.
fn forbidden_literal(url: &Url) -> Option<&'static str> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return None,
        None => return Some("the URL has no host"),
    };
    (!is_public(address)).then_some(FORBIDDEN)
}

#[derive(Debug, thiserror::Error)]
#[error("{FORBIDDEN}")]
struct ForbiddenAddress;

/// Resolves a name to those of its addresses that anyone may call.
struct PublicAddressesOnly;

impl Resolve for PublicAddressesOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() && !found.is_empty() {
                return Err(ForbiddenAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet, where anyone may be called.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Against IANA's registry of special-purpose IPv4 addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)      // this network, private, loopback, multicast and reserved
            | (100, 64..=127, _)        // carrier-grade NAT
            | (169, 254, _)             // link-local, cloud metadata
            | (172, 16..=31, _)         // private
            | (192, 168, _)             // private
            | (192, 0, 0 | 2)           // protocol assignments, documentation
            | (192, 88, 99)             // 6to4 relays
            | (192, 31, 196)            // AS112
            | (192, 52, 193)            // AMT
            | (192, 175, 48)            // AS112
            | (198, 18..=19, _)         // benchmarking
            | (198, 51, 100)            // documentation
            | (203, 0, 113) // documentation
    );
    !is_special
}

/// Global unicast is `2000::/3`; of that, what wraps an IPv4 address or is set aside is refused.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [a, b, ..] = address.segments();
    let is_global_unicast = a & 0xe000 == 0x2000;
    let is_special = match a {
        // Protocol assignments, Teredo and ORCHID; documentation.
        0x2001 => b < 0x0200 || b == 0x0db8,
        // 6to4; documentation.
        0x2002 | 0x3fff => true,
        _ => false,
    };
    is_global_unicast && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_public_is_forbidden_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.1",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:169.254.169.254]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[2001:db8::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[100::1]",
            "[3fff::1]",
            "１２７.０.０.１",
            "127。0。0。1",
        ] {
            for scheme in ["http", "https"] {
                let url = Url::parse(&format!("{scheme}://{host}:8080/hook")).unwrap();
                assert!(forbidden_literal(&url).is_some(), "{host} was let through");
            }
        }
    }

    #[test]
    fn public_addresses_and_names_pass_the_literal_check() {
        for host in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "[2606:4700::1111]", "hooks.example"] {
            assert_eq!(forbidden_literal(&Url::parse(&format!("https://{host}/")).unwrap()), None, "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_called() {
        let canary = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = canary.local_addr().unwrap().port();
        let courier = Courier::new().unwrap();
        for host in ["localhost", "127.0.0.1", "[::1]", "0x7f.1"] {
            let url = format!("http://{host}:{port}/");
            let parcel = Parcel { url, headers: vec![], body: String::new(), allow_private: false };
            assert_eq!(courier.post(parcel).await, Posted::Forbidden(FORBIDDEN), "{host}");
        }
        let visit = tokio::time::timeout(Duration::from_millis(50), canary.accept()).await;
        assert!(visit.is_err(), "the canary was called");
    }
}

//! Names to addresses, and when each step of a new connection happened.
//!
//! reqwest polls the connector inside the task of the request that asked for it, so a task-local value ties the marks to that
//! request. A connection that is finished in the background, because an idle one became free first, leaves no marks; its
//! request was served by a reused connection and rightly has none.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use tower_layer::Layer;
use tower_service::Service;

use super::error::Phase;

tokio::task_local! {
    static MARKS: Marks;
}

/// When the steps of one request happened, and where it may connect to.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    steps: Arc<Mutex<Steps>>,
    /// Hosts and ports: names are looked up without a port, and `--resolve` may be for one port only.
    places: Arc<Mutex<Vec<(String, u16)>>>,
}

/// The steps, each none until it happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steps {
    connect_start: Option<Instant>,
    dns_start: Option<Instant>,
    dns: Option<Duration>,
    dns_end: Option<Instant>,
    tls_start: Option<Instant>,
    /// Whether the server asked for a client certificate.
    pub(super) asked_for_certificate: bool,
    connect_end: Option<Instant>,
    /// Bytes of the request's body that the connection took, and how many there are; none for a short body.
    pub(super) sent: Option<(u64, u64)>,
    /// Bytes of the body that came, and how many were announced; none until the head has come.
    pub(super) body: Option<(u64, Option<u64>)>,
}

impl Marks {
    /// Begins anew, for a request that connects to one of `places`; of two with the same host the first is meant.
    pub(super) fn begin(&self, places: impl IntoIterator<Item = (String, u16)>) {
        *self.lock() = Steps::default();
        *self.places.lock().unwrap_or_else(PoisonError::into_inner) = places.into_iter().collect();
    }

    /// The port that a connection to `host` is for.
    fn port(&self, host: &str) -> Option<u16> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().find(|(known, _)| without_dot(known) == host).map(|(_, port)| *port)
    }

    /// The steps as they stand.
    pub(super) fn steps(&self) -> Steps {
        *self.lock()
    }

    /// Changes the steps.
    pub(super) fn note(&self, change: impl FnOnce(&mut Steps)) {
        change(&mut self.lock());
    }

    /// Runs `work` so that connections that it opens leave their marks here.
    pub(super) async fn scope<F: Future>(&self, work: F) -> F::Output {
        MARKS.scope(self.clone(), work).await
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Steps {
    /// Whether a new connection was begun.
    pub(super) fn began_to_connect(&self) -> bool {
        self.connect_start.is_some()
    }

    /// What the request is at.
    pub(super) fn phase(&self) -> Phase {
        let connecting = self.connect_start.is_some() && self.connect_end.is_none();
        match (self.body, self.sent) {
            (Some((received, expected)), _) => Phase::Body { received, expected },
            _ if connecting && self.tls_start.is_some() => Phase::Tls,
            _ if connecting && self.dns_start.is_some() && self.dns_end.is_none() => Phase::Lookup,
            _ if connecting => Phase::Connect,
            (None, Some((sent, total))) if sent < total => Phase::Sending { sent, total },
            _ => Phase::Answer,
        }
    }

    /// Whether the TCP connection stands and TLS began.
    pub(super) fn began_tls(&self) -> bool {
        self.tls_start.is_some()
    }

    /// DNS, TCP and TLS time of a connection that was opened for this request.
    pub(super) fn durations(&self) -> (Option<Duration>, Option<Duration>, Option<Duration>) {
        let (Some(start), Some(end)) = (self.connect_start, self.connect_end) else { return (None, None, None) };
        let tcp_start = self.dns_end.unwrap_or(start);
        let tcp_end = self.tls_start.unwrap_or(end);
        let tls = self.tls_start.map(|tls_start| end.saturating_duration_since(tls_start));
        (self.dns, Some(tcp_end.saturating_duration_since(tcp_start)), tls)
    }
}

fn mark(change: impl FnOnce(&mut Steps)) {
    // Outside of a request there is nothing to mark.
    let _ = MARKS.try_with(|marks| marks.note(change));
}

/// Marks that the server asked for a client certificate.
pub(super) fn mark_certificate_request() {
    mark(|steps| steps.asked_for_certificate = true);
}

/// The port that the request of this task would reach on `host`; none outside of a request.
fn port_on(host: &str) -> Option<u16> {
    let port = |marks: &Marks| marks.port(host);
    MARKS.try_with(port).ok().flatten()
}

fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a name is this machine, whatever a name server says (RFC 6761 §6.3): http is trusted there.
fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Addresses of a name that hold instead of what the name server says (`--resolve`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The name in lower case; `*` for all names.
    pub host: String,
    /// The port for which they hold; all when there is none.
    pub port: Option<u16>,
    /// The addresses, the first to be tried first.
    pub addresses: Vec<IpAddr>,
}

impl Fixed {
    /// Whether it gives `localhost` an address on another machine. It is never followed there.
    #[must_use]
    pub fn moves_localhost(&self) -> bool {
        is_localhost(without_dot(&self.host)) && !self.addresses.iter().all(IpAddr::is_loopback)
    }

    fn covers(&self, host: &str, port: Option<u16>) -> bool {
        let named = match self.host.as_str() {
            "*" => !is_localhost(host),
            known => without_dot(known) == host,
        };
        named && !self.moves_localhost() && self.port.is_none_or(|fixed| port == Some(fixed))
    }
}

/// Why a name has no address.
#[derive(Debug)]
pub(super) struct LookupFailed {
    pub(super) host: String,
    pub(super) reason: String,
}

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for LookupFailed {}

/// Looks names up: those that the person fixed, then `localhost`, then the operating system.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolver {
    fixed: Arc<[Fixed]>,
}

impl Resolver {
    pub(super) fn new(fixed: &[Fixed]) -> Self {
        Self { fixed: fixed.into() }
    }

    /// The addresses that need no name server. An entry for the name goes before one for all names.
    fn known(&self, host: &str) -> Vec<SocketAddr> {
        let host = without_dot(host);
        let port = port_on(host);
        let of = |all: bool| {
            let entries = self.fixed.iter().filter(move |fixed| (fixed.host == "*") == all && fixed.covers(host, port));
            entries.flat_map(|fixed| &fixed.addresses).map(|ip| SocketAddr::new(*ip, 0)).collect::<Vec<_>>()
        };
        let found = of(false);
        if !found.is_empty() {
            return found;
        }
        if is_localhost(host) {
            return [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0)).to_vec();
        }
        of(true)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let known = self.known(&host);
        Box::pin(async move {
            let start = Instant::now();
            mark(|steps| steps.dns_start = Some(start));
            let found = if known.is_empty() { look_up(&host).await } else { Ok(known) };
            let end = Instant::now();
            mark(|steps| {
                steps.dns = Some(end.saturating_duration_since(start));
                steps.dns_end = Some(end);
            });
            Ok(Box::new(found?.into_iter()) as Addrs)
        })
    }
}

async fn look_up(host: &str) -> Result<Vec<SocketAddr>, LookupFailed> {
    let failed = |reason: &str| LookupFailed { host: host.to_owned(), reason: reason.to_owned() };
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() { Err(failed("it has no address")) } else { Ok(found) }
        }
        Err(error) => {
            let text = error.to_string();
            let reason = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            Err(failed(&reason.to_lowercase()))
        }
    }
}

/// Marks when a connection is begun and when it is ready.
#[derive(Debug, Clone)]
pub(super) struct MarkConnect;

impl<S> Layer<S> for MarkConnect {
    type Service = MarkedConnect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MarkedConnect(inner)
    }
}

/// A connector that leaves marks.
#[derive(Debug, Clone)]
pub(super) struct MarkedConnect<S>(S);

impl<S, Target> Service<Target> for MarkedConnect<S>
where
    S: Service<Target>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let connecting = self.0.call(target);
        Box::pin(async move {
            mark(|steps| steps.connect_start = Some(Instant::now()));
            let connected = connecting.await?;
            mark(|steps| steps.connect_end = Some(Instant::now()));
            Ok(connected)
        })
    }
}

/// The usual store of TLS sessions; asking it for a key exchange hint is the first thing that a handshake does.
#[derive(Debug)]
pub(super) struct MarkingSessions(ClientSessionMemoryCache);

impl MarkingSessions {
    pub(super) fn new(inner: ClientSessionMemoryCache) -> Self {
        Self(inner)
    }
}

impl ClientSessionStore for MarkingSessions {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        mark(|steps| steps.tls_start = Some(Instant::now()));
        self.0.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(server, value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.0.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(server, value);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server)
    }
}

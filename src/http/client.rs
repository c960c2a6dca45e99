//! The client: one request, one answer, and the redirects between.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{HeaderValue, LOCATION};
use rustls::ClientConfig;
use url::Url;

use super::body::{BytesBody, FileBody, PART};
use super::classify::{self, Circumstances};
use super::coding::{self, CodingError};
use super::connect::{Fixed, MarkConnect, Marks, Resolver};
use super::error::{Error, ProxyFault, TimeLimit};
use super::head::{self, Head};
use super::limits::{DEFAULT_CONNECT_TIMEOUT, Limits, MAX_HEADER_LINES};
use super::message::{Body, Exchange, Request, Response, Timings, Version};
use super::proxy::Proxy;
use super::redirect::{Hop, Luggage, Trip};
use super::tls::{self, Tls};
use crate::trust::{OnlyHosts, Origin, Refusal};

/// Says whether a request may go to a URL with what it carries; asked before each connection, behind redirects too.
pub type Guard<'a> = dyn Fn(&Url, Luggage) -> Result<(), Refusal> + Sync + 'a;

/// The longest body of a redirect that is read for the sake of its connection, in bytes.
const SHORT_BODY: u64 = 16 << 10;

/// How long such a body is waited for.
const SHORT_WAIT: Duration = Duration::from_millis(200);

/// How much room for a body is made in advance on a server's word.
const MAX_RESERVE: usize = 1 << 20;

/// The settings of a client; they hold for all its requests.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long connecting may take, DNS and TLS included.
    pub connect_timeout: Duration,
    /// How much of an answer is taken in.
    pub limits: Limits,
    /// Certificates.
    pub tls: Tls,
    /// The proxy; none is read from anywhere else.
    pub proxy: Option<Proxy>,
    /// Names with addresses that hold instead of what the name server says (`--resolve`).
    pub resolve: Vec<Fixed>,
    /// The only hosts that are connected to.
    pub only: OnlyHosts,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            limits: Limits::default(),
            tls: Tls::default(),
            proxy: None,
            resolve: Vec::new(),
            only: OnlyHosts::default(),
        }
    }
}

/// Sends requests and keeps connections open between them. It can be shared by reference.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    config: ClientConfig,
    pooled: reqwest::Client,
    /// Never uses a connection twice; built when a kept one turned out to be dead.
    fresh: OnceLock<reqwest::Client>,
}

impl Client {
    /// Makes a client. It opens no connection and reads no file; the roots of the system are read at the first certificate.
    ///
    /// # Errors
    /// [`Error::Settings`] when a certificate, key or proxy can't be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let config = tls::config(&settings.tls)?;
        let pooled = build(&settings, &config, usize::MAX)?;
        Ok(Self { settings, config, pooled, fresh: OnceLock::new() })
    }

    /// Admits the embedded server of the run, whatever hosts the run is held to.
    pub fn admit_own(&mut self, origin: Origin) {
        self.settings.only.admit_own(origin);
    }

    /// Whether the run is held to a few hosts.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.settings.only.is_held()
    }

    /// Whether the run may connect to `url` at all.
    ///
    /// # Errors
    /// It is held to other hosts.
    pub fn admits(&self, url: &Url) -> Result<(), Refusal> {
        self.settings.only.check(url)
    }

    /// Sends `request`, follows as many redirects as it says, and reads the whole of the last answer.
    ///
    /// An idempotent request whose kept connection had died is sent once more on a new one; any other only when nothing of it
    /// had been sent.
    ///
    /// # Errors
    /// See [`Error`]. `guard` is asked after the request was checked and before anything is connected to.
    pub async fn send(&self, request: Request, guard: &Guard<'_>) -> Result<Exchange, Error> {
        // Whoever asks for whatever reason, a run that is held to a few hosts connects to no other.
        let guard = |url: &Url, luggage: Luggage| self.admits(url).and_then(|()| guard(url, luggage));
        let mut trip = Trip::new(request);
        let limit = trip.request.timeout;
        let marks = Marks::default();
        let done = match tokio::time::timeout(limit, marks.scope(self.travel(&mut trip, &marks, &guard))).await {
            Ok(done) => done,
            Err(_) => Err(Error::Timeout { phase: marks.steps().phase(), limit, of: TimeLimit::Request }),
        };
        done.map_err(|error| trip.tell(error))
    }

    /// From redirect to redirect to an answer that is taken as it is.
    async fn travel(&self, trip: &mut Trip, marks: &Marks, guard: &Guard<'_>) -> Result<Exchange, Error> {
        let start = Instant::now();
        loop {
            let head = head::prepare(&trip.request)?;
            marks.begin(self.places(&head.url));
            guard(&head.url, trip.luggage).map_err(Error::Refused)?;
            let response = self.answer(&trip.request, &head, marks).await?;
            let first_byte = start.elapsed();
            let remote = response.remote_addr();
            let locations: Vec<&[u8]> = response.headers().get_all(LOCATION).iter().map(HeaderValue::as_bytes).collect();
            if trip.goes_on(response.status().as_u16(), &locations) {
                let hop = Hop {
                    request: head.sent(&trip.request, response.version() == reqwest::Version::HTTP_2),
                    status: response.status().as_u16(),
                    headers: headers(&response, self.settings.limits.headers)?,
                    remote,
                    answered: first_byte,
                    left_behind: Vec::new(),
                };
                trip.follow(hop, &locations)?;
                skip_body(response).await;
                continue;
            }
            let response = self.read(&trip.request, &head, response, marks).await?;
            let (dns, connect, tls) = marks.steps().durations();
            return Ok(Exchange {
                hops: std::mem::take(&mut trip.hops),
                request: head.sent(&trip.request, response.version == Version::Http2),
                timings: Timings { dns, connect, tls, first_byte, total: start.elapsed() },
                response,
                remote,
                reused: connect.is_none(),
            });
        }
    }

    /// The head of the answer.
    async fn answer(&self, request: &Request, head: &Head, marks: &Marks) -> Result<reqwest::Response, Error> {
        let failed = match self.pooled.execute(outgoing(request, head, marks)).await {
            Ok(response) => return self.of_host(response, head),
            Err(error) => error,
        };
        let was_kept = !marks.steps().began_to_connect();
        if !(was_kept && request.method.is_idempotent() && classify::connection_was_lost(&failed)) {
            return Err(classify::before_answer(&failed, &self.circumstances(head, marks)));
        }
        let again = self.fresh()?.execute(outgoing(request, head, marks)).await;
        let again = again.map_err(|error| classify::before_answer(&error, &self.circumstances(head, marks)))?;
        self.of_host(again, head)
    }

    /// Only a proxy asks for credentials for itself (RFC 9110 §15.5.8): what it says is no answer of the host.
    fn of_host(&self, response: reqwest::Response, head: &Head) -> Result<reqwest::Response, Error> {
        match self.proxy(&head.url) {
            Some(proxy) if response.status().as_u16() == 407 && head.url.scheme() == "http" && !proxy.is_socks() => {
                let (host, port) = proxy.place();
                Err(Error::Proxy { host, port, fault: ProxyFault::Credentials { given: proxy.has_credentials() } })
            }
            _ => Ok(response),
        }
    }

    /// The proxy through which `url` is reached.
    fn proxy(&self, url: &Url) -> Option<&Proxy> {
        self.settings.proxy.as_ref().filter(|proxy| proxy.applies_to(url))
    }

    /// Where a request for `url` may connect to.
    fn places(&self, url: &Url) -> impl Iterator<Item = (String, u16)> {
        let target = url.host_str().zip(url.port_or_known_default()).map(|(host, port)| (host.to_owned(), port));
        self.proxy(url).map(Proxy::place).into_iter().chain(target)
    }

    /// The rest of the answer.
    async fn read(&self, request: &Request, head: &Head, mut from: reqwest::Response, marks: &Marks) -> Result<Response, Error> {
        let limits = self.settings.limits;
        let headers = headers(&from, limits.headers)?;
        let status = from.status().as_u16();
        let has_body = request.method.as_str() != "HEAD" && !matches!(status, 204 | 304);
        let expected = from.content_length().filter(|_| has_body);
        let version = match from.version() {
            reqwest::Version::HTTP_2 => Version::Http2,
            reqwest::Version::HTTP_10 => Version::Http10,
            _ => Version::Http11,
        };
        marks.note(|steps| steps.body = Some((0, expected)));
        let announced = expected.and_then(|length| usize::try_from(length).ok());
        if expected.is_some() && announced.is_none_or(|length| length > limits.body) {
            return Err(Error::TooLarge { limit: limits.body });
        }
        let mut body = Vec::with_capacity(announced.unwrap_or(0).min(MAX_RESERVE));
        loop {
            match from.chunk().await {
                Ok(Some(part)) if part.len() > limits.body.saturating_sub(body.len()) => {
                    return Err(Error::TooLarge { limit: limits.body });
                }
                Ok(Some(part)) => body.extend_from_slice(&part),
                Ok(None) => break,
                Err(error) => {
                    return Err(classify::in_body(&error, &self.circumstances(head, marks), body.len() as u64, expected));
                }
            }
            marks.note(|steps| steps.body = Some((body.len() as u64, expected)));
        }
        let wire_size = body.len() as u64;
        let mut response = Response { status, version, headers, body: Bytes::new(), wire_size };
        response.body = decoded(&response, body, limits.body)?;
        Ok(response)
    }

    fn fresh(&self) -> Result<&reqwest::Client, Error> {
        match self.fresh.get() {
            Some(client) => Ok(client),
            None => {
                let client = build(&self.settings, &self.config, 0)?;
                Ok(self.fresh.get_or_init(|| client))
            }
        }
    }

    fn circumstances<'a>(&'a self, head: &'a Head, marks: &Marks) -> Circumstances<'a> {
        let steps = marks.steps();
        Circumstances {
            host: head.url.host_str().unwrap_or_default(),
            port: head.url.port_or_known_default().unwrap_or_default(),
            plain: head.url.scheme() == "http",
            proxy: self.proxy(&head.url),
            began_tls: steps.began_tls(),
            asked_for_certificate: steps.asked_for_certificate,
            has_certificate: self.settings.tls.identity.is_some(),
            phase: steps.phase(),
            connect_timeout: self.settings.connect_timeout,
            max_headers: self.settings.limits.headers,
        }
    }
}

fn build(settings: &Settings, config: &ClientConfig, idle_connections: usize) -> Result<reqwest::Client, Error> {
    let headers = u32::try_from(settings.limits.headers).unwrap_or(u32::MAX);
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(config.clone())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(settings.connect_timeout)
        .connector_layer(MarkConnect)
        .dns_resolver(Resolver::new(&settings.resolve))
        .pool_max_idle_per_host(idle_connections)
        .http1_max_headers(MAX_HEADER_LINES)
        .http2_max_header_list_size(headers);
    if let Some(proxy) = settings.proxy.clone() {
        builder = builder.proxy(reqwest::Proxy::custom(move |url| proxy.applies_to(url).then(|| proxy.url().clone())));
    }
    builder.build().map_err(|_| Error::Settings { what: "tls", reason: "the HTTP client does not take it" })
}

/// Reads what is left of a redirect's answer when it is short and comes at once, so that its connection can be used again. A
/// long or slow one is not worth the wait; dropping it closes the connection. It is never decoded.
async fn skip_body(mut response: reqwest::Response) {
    if response.content_length().is_none_or(|length| length > SHORT_BODY) {
        return;
    }
    let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
    // What is lost by waiting in vain is the connection only.
    let _ = tokio::time::timeout(SHORT_WAIT, rest).await;
}

fn outgoing(request: &Request, head: &Head, marks: &Marks) -> reqwest::Request {
    let mut outgoing = reqwest::Request::new(request.method.inner().clone(), head.url.clone());
    *outgoing.headers_mut() = head.headers.clone();
    *outgoing.body_mut() = request.body.as_ref().map(|body| match body {
        Body::Bytes(bytes) if bytes.len() <= PART => reqwest::Body::from(bytes.clone()),
        Body::Bytes(bytes) => reqwest::Body::wrap(BytesBody::new(bytes.clone(), marks.clone())),
        Body::File { file, len } => reqwest::Body::wrap(FileBody::new(file.clone(), *len, marks.clone())),
    });
    outgoing
}

/// The headers as text, unless they are too long together.
fn headers(response: &reqwest::Response, limit: usize) -> Result<Vec<(String, String)>, Error> {
    // Each line has a colon, a blank and a line end besides name and value.
    let size: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limit {
        return Err(Error::HeadersTooLarge { limit });
    }
    Ok(response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), head::lossy(value))).collect())
}

fn decoded(response: &Response, body: Vec<u8>, limit: usize) -> Result<Bytes, Error> {
    let codings = coding::codings(response.headers("content-encoding")).unwrap_or_default();
    if codings.is_empty() || body.is_empty() {
        return Ok(body.into());
    }
    coding::decode(&codings, body, limit).map(Bytes::from).map_err(|error| match error {
        CodingError::TooLarge => Error::TooLarge { limit },
        CodingError::Broken(coding) => Error::Coding { reason: format!("it is no valid `{}`", coding.as_str()) },
        CodingError::TooMany(count) => {
            Error::Coding { reason: format!("{count} codings lie on top of each other, at most 2 are undone") }
        }
    })
}

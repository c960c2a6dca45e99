//! The client: one request, one answer.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::ClientConfig;
use url::Url;

use super::body::{BytesBody, FileBody, PART};
use super::classify::{self, Circumstances};
use super::coding::{self, CodingError};
use super::connect::{MarkConnect, Marks, Resolver};
use super::error::{Error, TimeLimit};
use super::head::{self, Head};
use super::limits::{DEFAULT_CONNECT_TIMEOUT, Limits, MAX_HEADER_LINES};
use super::message::{Body, Exchange, Request, Response, Timings, Version};
use super::proxy::Proxy;
use super::tls::{self, Tls};
use crate::trust::Refusal;

/// Says whether a request may go to a URL; asked before anything is connected to.
pub type Guard<'a> = dyn Fn(&Url) -> Result<(), Refusal> + Sync + 'a;

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
    /// Names with addresses that hold instead of what the name server says (`--resolve`), for every port.
    pub resolve: Vec<(String, IpAddr)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            limits: Limits::default(),
            tls: Tls::default(),
            proxy: None,
            resolve: Vec::new(),
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

    /// Sends `request` and reads the whole answer. A redirect is an answer like any other.
    ///
    /// An idempotent request whose kept connection had died is sent once more on a new one; any other only when nothing of it
    /// had been sent.
    ///
    /// # Errors
    /// See [`Error`]. `guard` is asked after the request was checked and before anything is connected to.
    pub async fn send(&self, request: Request, guard: &Guard<'_>) -> Result<Exchange, Error> {
        let head = head::prepare(&request)?;
        guard(&head.url).map_err(Error::Refused)?;
        let marks = Marks::default();
        let work = marks.scope(self.exchange(&request, &head, &marks));
        match tokio::time::timeout(request.timeout, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::Timeout { phase: marks.steps().phase(), limit: request.timeout, of: TimeLimit::Request }),
        }
    }

    async fn exchange(&self, request: &Request, head: &Head, marks: &Marks) -> Result<Exchange, Error> {
        let start = Instant::now();
        let response = self.answer(request, head, marks).await?;
        let first_byte = start.elapsed();
        let remote = response.remote_addr();
        let response = self.read(request, head, response, marks).await?;
        let steps = marks.steps();
        let (dns, connect, tls) = steps.durations();
        Ok(Exchange {
            request: head.sent(request, response.version == Version::Http2),
            timings: Timings { dns, connect, tls, first_byte, total: start.elapsed() },
            response,
            remote,
            reused: connect.is_none(),
        })
    }

    /// The head of the answer.
    async fn answer(&self, request: &Request, head: &Head, marks: &Marks) -> Result<reqwest::Response, Error> {
        let failed = match self.pooled.execute(outgoing(request, head, marks)).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let was_kept = !marks.steps().began_to_connect();
        if !(was_kept && request.method.is_idempotent() && classify::connection_was_lost(&failed)) {
            return Err(classify::before_answer(&failed, &self.circumstances(head, marks)));
        }
        let again = self.fresh()?.execute(outgoing(request, head, marks)).await;
        again.map_err(|error| classify::before_answer(&error, &self.circumstances(head, marks)))
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
        let proxy = self.settings.proxy.as_ref().filter(|proxy| proxy.applies_to(&head.url));
        Circumstances {
            host: head.url.host_str().unwrap_or_default(),
            port: head.url.port_or_known_default().unwrap_or_default(),
            plain: head.url.scheme() == "http",
            proxy: proxy.map(|proxy| proxy.place()),
            began_tls: marks.steps().began_tls(),
            phase: marks.steps().phase(),
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
        .dns_resolver(Resolver::new(settings.resolve.clone()))
        .pool_max_idle_per_host(idle_connections)
        .http1_max_headers(MAX_HEADER_LINES)
        .http2_max_header_list_size(headers);
    if let Some(proxy) = settings.proxy.clone() {
        builder = builder.proxy(reqwest::Proxy::custom(move |url| proxy.applies_to(url).then(|| proxy.url().clone())));
    }
    builder.build().map_err(|_| Error::Settings { what: "tls", reason: "the HTTP client does not take it" })
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

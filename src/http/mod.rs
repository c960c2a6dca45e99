//! One HTTP request and its answer.
//!
//! ```text
//!    ┌───────────────── redirect: another Request ─────────────────┐
//!    ▼                                                            │
//! Request ──check──▶ Head ──guard──▶ connect ──send──▶ Response ──┴─decode──▶ Exchange
//!            │               │          │         │                 │
//!      InvalidHeader      Refused    Dns, Tls   NoAnswer      CutOff, TooLarge
//! ```
//!
//! This module is the only user of reqwest. It may import `trust` and what stands left of it. Redirects are
//! followed by its own loop, and only when the request says so. It reads no proxy from the process environment, keeps no cookies, and no error of its ever shows a query, userinfo or
//! header value.

mod body;
mod classify;
mod client;
mod coding;
mod connect;
mod error;
mod head;
mod limits;
mod message;
mod proxy;
mod proxy_fault;
mod redirect;
#[cfg(test)]
mod tests;
mod tls;

pub use client::{Client, Guard, Settings};
pub use connect::Fixed;
pub use error::{Class, Error, Phase, ProxyFault, TimeLimit, TlsReason};
pub use head::parse_url;
pub use limits::{DEFAULT_CONNECT_TIMEOUT, DEFAULT_REDIRECTS, DEFAULT_TIMEOUT, Limits};
pub use message::{Body, Exchange, Method, Request, Response, SecretParts, SentHead, Timings, Version};
pub use proxy::{NoProxy, Proxy};
pub use redirect::{Chain, Hop, Luggage};
pub use tls::{Identity, Tls};

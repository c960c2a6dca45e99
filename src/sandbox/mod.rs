//! The sandbox: a real HTTP server on 127.0.0.1 that behaves like Box's authorization server and a small piece of its API.
//!
//! It exists so that a first run works offline, and so that what makes OAuth hard (codes that live 30 seconds, refresh tokens
//! that work once, a whole login that dies when one is used twice) can be met without an account. Its tokens carry all that is
//! needed to check them and are signed with a key that outlives the process; a state file keeps the key and what was spent.
//!
//! ```text
//! server: bytes → Call ─ service: path → authorize │ oauth ─ grants │ api │ discovery │ control ─→ Answer → server: bytes
//!                                          └─ consent (pages)  └─ assertion, keys   └─ tree   └─ faults, stats
//!                          codes, token, terms, users, state: what they stand on
//! ```
//!
//! Everything behind `server` is a plain function of a call, the state and the time; no socket is needed to test it.
//! May import `secret`, `clock`, `files` and `yaml`. Never connects anywhere, and never listens on anything but the loopback address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::secret::Secret;

mod answer;
mod api;
mod assertion;
mod authorize;
mod call;
mod codes;
mod consent;
mod control;
mod discovery;
mod faults;
mod grants;
mod keys;
mod oauth;
mod refusal;
mod server;
mod service;
mod state;
mod stats;
mod terms;
mod token;
mod tree;
mod users;

pub use faults::Fault;
pub use keys::{BadKey, PublicKey};
use service::Service;
pub use users::ENTERPRISE;

/// What a sandbox is started with.
pub struct Settings {
    /// Where its key and its spent refresh tokens are kept, so that tokens outlive the process. The lock file lies beside it, with
    /// the extension `lock`. `None`, or a path that can't be written: all is kept in memory.
    pub state: Option<PathBuf>,
    /// Tells the age of codes and tokens.
    pub clock: Arc<dyn Clock>,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How it departs from the usual.
    pub options: Options,
}

/// What a sandbox does beside the usual. The default is nothing.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How long a spent refresh token is still good; whole seconds. Box has no such time.
    pub grace: Duration,
    /// Keys whose assertions are taken; more can be registered while it runs.
    pub keys: Vec<PublicKey>,
    /// What the requests to the token endpoint meet, in turn.
    pub faults: Vec<Fault>,
}

/// A running sandbox. It ends when it is dropped.
pub struct Sandbox {
    address: SocketAddr,
    service: Arc<Service>,
    /// The server ends when this goes.
    stop: watch::Sender<()>,
    server: JoinHandle<()>,
}

/// Starts a sandbox on the current tokio runtime.
///
/// # Errors
/// The port is taken, or the system has no random numbers to give. A state file that can't be used is no error.
pub async fn start(settings: Settings) -> io::Result<Sandbox> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).await?;
    let address = listener.local_addr()?;
    let service = Arc::new(Service::new(settings.state, settings.options, settings.clock)?);
    let (stop, stopped) = watch::channel(());
    let server = tokio::spawn(server::serve(listener, Arc::clone(&service), stopped));
    Ok(Sandbox { address, service, stop, server })
}

impl Sandbox {
    /// Where it listens, without a slash at the end: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The id of its only client, the same for as long as the state file lives.
    #[must_use]
    pub fn client_id(&self) -> String {
        self.service.client().id.clone()
    }

    /// The secret of its only client, the same for as long as the state file lives.
    #[must_use]
    pub fn client_secret(&self) -> Secret {
        self.service.client().secret.clone()
    }

    /// An authorization code, as if someone had just approved in the browser. It works once, within 30 seconds, with any
    /// `redirect_uri` or none.
    #[must_use]
    pub fn issue_code(&self) -> Secret {
        self.service.issue_code()
    }

    /// Stops listening and waits until the open connections have ended, for a second at most.
    pub async fn shutdown(self) {
        drop(self.stop);
        // A server that panicked has ended as well.
        let _ = self.server.await;
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

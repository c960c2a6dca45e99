//! One sandbox without its socket: who is served, what is remembered, and which handler a path has.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

use super::answer::{Answer, Problem};
use super::assertion::Used;
use super::authorize::{self, Consents};
use super::call::Call;
use super::codes::{Bound, Codes};
use super::faults::Faults;
use super::keys::Keys;
use super::state::Keeper;
use super::stats::Stats;
use super::token::Mint;
use super::tree::Tree;
use super::{Options, api, control, discovery, oauth};
use crate::clock::{Clock, Timestamp};
use crate::secret::Secret;

/// The only client that the sandbox knows.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Secret,
}

/// Everything that handlers read and change.
pub(super) struct Core {
    pub(super) client: Client,
    pub(super) mint: Mint,
    pub(super) keeper: Keeper,
    pub(super) codes: Codes,
    pub(super) consents: Consents,
    pub(super) tree: Tree,
    /// The public keys that assertions may be signed with.
    pub(super) keys: Keys,
    pub(super) assertions: Used,
    /// Seconds that a spent refresh token is still good.
    pub(super) grace: i64,
    pub(super) faults: Faults,
    pub(super) stats: Stats,
}

impl Core {
    /// A core with the key and the ledger of the state file.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub(super) fn open(state: Option<PathBuf>, options: Options, now: Timestamp) -> io::Result<Self> {
        let keeper = Keeper::open(state, now)?;
        let client = Client { id: keeper.key().client_id(), secret: keeper.key().client_secret() };
        let mint = Mint::new(keeper.key().clone())?;
        let (codes, consents, tree) = (Codes::default(), Consents::default(), Tree::sample());
        let mut keys = Keys::default();
        options.keys.into_iter().for_each(|key| keys.add(key));
        let grace = i64::try_from(options.grace.as_secs()).unwrap_or(i64::MAX);
        let (assertions, faults, stats) = (Used::default(), Faults::always(options.faults), Stats::default());
        Ok(Self { client, mint, keeper, codes, consents, tree, keys, assertions, grace, faults, stats })
    }

    /// Answers one call.
    pub(super) fn answer(&mut self, call: &Call, now: Timestamp) -> Answer {
        if !is_loopback(call.host.as_deref()) {
            return self.misdirected();
        }
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["api", "oauth2", "authorize"] | ["oauth2", "authorize"] => match call.method {
                Method::GET | Method::HEAD => authorize::show(self, call, now),
                Method::POST => authorize::decide(self, call, now),
                _ => self.not_allowed("GET, HEAD, POST"),
            },
            ["oauth2", "token"] => oauth::token(self, call, now),
            ["oauth2", "revoke"] => match call.method {
                Method::POST => oauth::revoke(self, call, now),
                _ => self.not_allowed("POST"),
            },
            ["oauth2", "introspect"] => match call.method {
                Method::POST => oauth::introspect(self, call, now),
                _ => self.not_allowed("POST"),
            },
            [".well-known", "openid-configuration" | "oauth-authorization-server"] => match call.method {
                Method::GET | Method::HEAD => discovery::answer(call),
                _ => self.not_allowed("GET, HEAD"),
            },
            ["sandbox", resource @ ..] => control::answer(self, call, resource),
            ["2.0", resource @ ..] => api::answer(self, call, resource, now),
            _ => self.not_found(),
        }
    }

    /// An error in Box's shape, with an id of its own.
    pub(super) fn error(&mut self, problem: &Problem<'_>) -> Answer {
        let id = self.mint.text().to_ascii_lowercase();
        let id = id.get(..16).unwrap_or_default();
        let answer = Answer::error(problem, id);
        match HeaderValue::from_str(id) {
            Ok(id) => answer.with(header::HeaderName::from_static("box-request-id"), id),
            Err(_) => answer,
        }
    }

    /// 404 in Box's shape.
    pub(super) fn not_found(&mut self) -> Answer {
        self.error(&Problem { status: StatusCode::NOT_FOUND, code: "not_found", message: "Not Found", context: None })
    }

    /// 405 in Box's shape, with the methods that are served.
    pub(super) fn not_allowed(&mut self, allowed: &'static str) -> Answer {
        let message = "Method Not Allowed";
        let problem = Problem { status: StatusCode::METHOD_NOT_ALLOWED, code: "method_not_allowed", message, context: None };
        self.error(&problem).with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    fn misdirected(&mut self) -> Answer {
        let message = "the sandbox answers to 127.0.0.1 and localhost only";
        self.error(&Problem { status: StatusCode::MISDIRECTED_REQUEST, code: "misdirected_request", message, context: None })
    }
}

/// Whether a call was meant for this machine. A page of another site whose name was made to point here (DNS rebinding) says its
/// own name.
fn is_loopback(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || name == "[::1]" || name == "127.0.0.1"
}

/// A core that several connections share, and its clock.
pub(super) struct Service {
    client: Client,
    clock: Arc<dyn Clock>,
    core: Mutex<Core>,
}

impl Service {
    /// See [`Core::open`].
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub(super) fn new(state: Option<PathBuf>, options: Options, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let core = Core::open(state, options, clock.now())?;
        Ok(Self { client: core.client.clone(), clock, core: Mutex::new(core) })
    }

    /// The only client.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// See [`super::Sandbox::issue_code`].
    pub(super) fn issue_code(&self) -> Secret {
        let mut core = self.core();
        let Core { codes, mint, .. } = &mut *core;
        Secret::new(codes.issue(mint, self.clock.now(), Bound::default()))
    }

    /// Answers one call. It may wait for the disk, and for another process that writes the state file: milliseconds.
    pub(super) fn answer(&self, call: &Call) -> Answer {
        self.core().answer(call, self.clock.now())
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        // Nothing in the core is ever half changed, so one failed call is no reason to fail all that follow.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

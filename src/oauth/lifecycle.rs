//! The life of a token: fresh, stale, renewed, got anew; saved before it is used.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::auth::Login;
use crate::clock::{Clock, Timestamp};
use crate::diagnostic::Diagnostic;
use crate::http::Guard;
use crate::secret::Secret;
use crate::template;
use crate::trust::Origin;

use super::config::Config;
use super::discovery::Metadata;
use super::endpoint::Endpoint;
use super::error::Error;
use super::grant::{Fields, Grants};
use super::identity::Identity;
use super::token::{SKEW, Token};

/// Keeps tokens between runs. Every failure is told as it is, with its place in the file system.
pub trait TokenStore {
    /// Held while a token is renewed.
    type Lock;

    /// Looks whether a save can work, once a run; what is worth saying about it.
    ///
    /// # Errors
    /// A save would fail.
    fn prepare(&self) -> impl Future<Output = Result<Option<Diagnostic>, Diagnostic>>;

    /// The token of the login `name`, as the file has it now.
    ///
    /// # Errors
    /// The file can't be read.
    fn read(&self, name: &str) -> Result<Option<Token>, Diagnostic>;

    /// Waits for the lock of the login `name`: one process at a time renews its token. Waits as long as a token request may take.
    ///
    /// # Errors
    /// The lock can't be had.
    fn lock(&self, name: &str) -> impl Future<Output = Result<Self::Lock, Diagnostic>>;

    /// Forgets the token of the login `name`. It is gone from the disk when this is done.
    ///
    /// # Errors
    /// The old file is intact then.
    fn forget(&self, name: &str) -> impl Future<Output = Result<(), Diagnostic>>;

    /// Keeps a token, and values that were taken from its answer. They are on disk when this is done.
    ///
    /// # Errors
    /// The old file is intact then.
    fn save(&self, name: &str, token: &Token, values: &[(String, Value)]) -> impl Future<Output = Result<(), Diagnostic>>;
}

/// A login that is asked for its token.
pub struct Asking<'a> {
    /// The name under which its token is kept.
    pub name: &'a str,
    /// What it says.
    pub login: &'a Login,
    /// Its fields.
    pub fields: &'a dyn Fields,
    /// The origin of the embedded server, when one runs.
    pub sandbox: Option<Origin>,
    /// Whether its credentials may go to an address.
    pub guard: &'a Guard<'a>,
    /// The access token that a server has just refused: it is not taken again.
    pub refused: Option<&'a Secret>,
}

/// A token that can be used.
#[derive(Debug)]
pub struct Obtained {
    /// The token.
    pub token: Token,
    /// Values of its answer that the login keeps, when it was got just now.
    pub values: Vec<(String, Value)>,
}

/// What the command line decides about tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// Nothing is saved but where a refresh token was spent.
    pub no_save: bool,
    /// Each login starts as if nothing were stored.
    pub fresh: bool,
}

/// The tokens of a run.
pub struct Lifecycle<'l, S> {
    pub(super) store: Option<&'l S>,
    pub(super) endpoint: Endpoint<'l>,
    pub(super) clock: &'l dyn Clock,
    pub(super) habits: Habits,
    /// The tokens that this run knows of: those that were stored, and those that it got.
    pub(super) held: RefCell<HashMap<String, Token>>,
    pub(super) notices: RefCell<Vec<Diagnostic>>,
    pub(super) metadata: RefCell<HashMap<Url, Rc<Metadata>>>,
    /// Whether the place for tokens was looked at.
    pub(super) prepared: Cell<bool>,
}

/// Where tokens come from.
pub(super) struct Server {
    pub(super) token_endpoint: Url,
    pub(super) metadata: Option<Rc<Metadata>>,
}

/// A login whose identity is known.
pub(super) struct Known<'k, 'a> {
    pub(super) asking: &'k Asking<'a>,
    pub(super) config: Option<Config>,
    pub(super) identity: Identity,
    pub(super) fingerprint: String,
    skew: Duration,
}

impl Known<'_, '_> {
    /// Whether a stored token may be presented.
    pub(super) fn takes(&self, token: &Token, clock: &dyn Clock) -> bool {
        let refused = self.asking.refused.is_some_and(|refused| token.access_token() == *refused);
        token.is_for(&self.fingerprint) && token.is_fresh(clock.now(), self.skew) && !refused
    }

    pub(super) fn grants<'g>(&'g self, server: &'g Server, now: Timestamp) -> Grants<'g> {
        let Asking { login, fields, .. } = *self.asking;
        let Server { token_endpoint, metadata } = server;
        let (metadata, config) = (metadata.as_deref(), self.config.as_ref());
        Grants { login, fields, identity: &self.identity, token_endpoint, metadata, config, now }
    }
}

impl<'l, S: TokenStore> Lifecycle<'l, S> {
    /// The tokens of a run that starts with those that are `stored`.
    #[must_use]
    pub fn new(
        store: Option<&'l S>,
        endpoint: Endpoint<'l>,
        clock: &'l dyn Clock,
        habits: Habits,
        stored: HashMap<String, Token>,
    ) -> Self {
        let held = if habits.fresh { HashMap::new() } else { stored };
        Self {
            store,
            endpoint,
            clock,
            habits,
            held: RefCell::new(held),
            notices: RefCell::default(),
            metadata: RefCell::default(),
            prepared: Cell::new(false),
        }
    }

    /// The token of the login `name` that the run knows of, whatever its state.
    #[must_use]
    pub fn held(&self, name: &str) -> Option<Ref<'_, Token>> {
        Ref::filter_map(self.held.borrow(), |held| held.get(name)).ok()
    }

    /// The time now, by the clock that tokens are judged by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is worth telling since the last call.
    pub fn notices(&self) -> Vec<Diagnostic> {
        self.notices.take()
    }

    /// A token that can be used now: the stored one, a renewed one, or a new one.
    ///
    /// # Errors
    /// See [`Error`]. After a save that failed the token is held all the same, for requests that run whatever happens.
    pub async fn token(&self, asking: &Asking<'_>) -> Result<Obtained, Error> {
        let known = self.known(asking)?;
        if let Some(token) = self.held.borrow().get(asking.name).filter(|token| known.takes(token, self.clock)) {
            return Ok(Obtained { token: token.clone(), values: Vec::new() });
        }
        let Some(store) = self.store else { return self.renewed(&known, None).await };
        let _lock = store.lock(asking.name).await.map_err(stored)?;
        let anew = self.habits.fresh && !self.held.borrow().contains_key(asking.name);
        let current = if anew { None } else { store.read(asking.name).map_err(stored)? };
        // Another process may have renewed it while this one waited.
        if let Some(token) = current.as_ref().filter(|token| known.takes(token, self.clock)) {
            self.hold(asking.name, token);
            return Ok(Obtained { token: token.clone(), values: Vec::new() });
        }
        self.renewed(&known, current.filter(|token| token.is_for(&known.fingerprint))).await
    }

    pub(super) fn known<'k, 'a>(&self, asking: &'k Asking<'a>) -> Result<Known<'k, 'a>, Error> {
        let login = asking.login;
        let config = match &login.assertion.config {
            Some(template) => {
                let text = asking.fields.document(template).map_err(definition)?;
                Some(Config::read(&text, template.place()).map_err(definition)?)
            }
            None => None,
        };
        let of_config = config.as_ref().and_then(|config| Url::parse(config.token_endpoint.as_deref()?).ok());
        let server = match (&login.endpoints.token, of_config, &login.endpoints.issuer) {
            (Some(template), ..) | (None, None, Some(template)) => url(asking.fields, template)?,
            (None, Some(url), _) => url,
            (None, None, None) => {
                let finding = login.place.error("the login has no `token_endpoint`");
                return Err(definition(finding.help("give it, or `issuer:`, or `provider:`").into()));
            }
        };
        let identity = Identity::of(login, server, asking.fields, config.as_ref()).map_err(definition)?;
        let fingerprint = identity.fingerprint(asking.sandbox.as_ref());
        Ok(Known { asking, config, identity, fingerprint, skew: login.refresh.skew.unwrap_or(SKEW) })
    }

    pub(super) fn hold(&self, name: &str, token: &Token) {
        self.held.borrow_mut().insert(name.to_owned(), token.clone());
    }
}

/// The text of a template as a URL; plain http is for this machine only, unless `hosts` lists it (the guard knows).
pub(super) fn url(fields: &dyn Fields, template: &template::Template) -> Result<Url, Error> {
    let text = fields.text(template).map_err(definition)?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none() => Ok(url),
        // A fragment is never sent, so it can't be meant (RFC 6749 §3.2).
        Ok(url) if url.fragment().is_some() => {
            Err(definition(template.place().error("an endpoint can't have a fragment (RFC 6749 §3.2)").into()))
        }
        _ => {
            let finding = template.place().error("an endpoint must be an `https://` URL");
            Err(definition(finding.help(format!("it is `{text}`")).into()))
        }
    }
}

pub(super) fn definition(error: template::Error) -> Error {
    Error::Definition(Box::new(match error {
        template::Error::Undefined { path, place } => place.error(format!("`{path}` has no value")),
        template::Error::Failed(finding) => *finding,
    }))
}

pub(super) fn stored(finding: Diagnostic) -> Error {
    Error::Store(Box::new(finding))
}

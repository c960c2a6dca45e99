//! Decides, before connecting, whether what a request carries may go where it is going.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::environment::{Content, Values};
use crate::http::Body;
use crate::mask::Masker;
use crate::plan;
use crate::secret::Secret;
use crate::template::Error;
use crate::trust::{Allowed, HostRule, Origin, Refusal, Scheme};

/// A secret that a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The variable that holds it.
    pub name: String,
    /// Its text, when an answer of this run or the command line gave it.
    pub value: Option<Secret>,
    /// Where it came from, when an answer of this run gave it; it may always go back there.
    pub origin: Option<Origin>,
    /// Whether the command line gave it.
    pub given: bool,
    /// It is no value but whether a collection passed, which a secret decided: the names of the collection and of the request
    /// that brought the secret in.
    pub outcome_of: Option<(String, String)>,
}

/// Knows where secrets may go in this run.
pub struct Gate<'r> {
    values: &'r Values<'r>,
    rules: Vec<HostRule>,
    /// The secrets of the command line.
    given: Masker,
    /// Made when a secret first wants to go somewhere.
    allowed: RefCell<Option<Arc<Allowed>>>,
}

/// What was decided about one request; it is asked again at every hop.
pub struct Pass {
    allowed: Arc<Allowed>,
    carried: Vec<Carried>,
    /// What the URL of a redirect to a strange origin must not hold.
    known: Masker,
}

impl<'r> Gate<'r> {
    /// A gate for the environment of `values`, with the entries of `--allow-host`.
    #[must_use]
    pub fn new(values: &'r Values<'r>, rules: Vec<HostRule>) -> Self {
        let given = Masker::new();
        let variables = &values.environment().variables;
        for declaration in variables.iter().flat_map(|variable| &variable.declarations) {
            if let Content::Literal { value: Value::String(text), secret: true, .. } = &declaration.content {
                given.learn(&Secret::new(text.as_str()));
            }
        }
        Self { values, rules, given, allowed: RefCell::default() }
    }

    /// The secrets of the command line.
    pub(super) fn given(&self) -> &Masker {
        &self.given
    }

    /// Whether there is an environment; without one only secrets of the command line are held back.
    fn guarded(&self) -> bool {
        self.values.environment().files.is_some()
    }

    /// Prepares the decision for a request that carries `carried` to `url`, when the secrets of `masker` are known.
    ///
    /// # Errors
    /// A variable of the environment that may name an origin can't be evaluated.
    pub fn pass(&self, url: &Url, mut carried: Vec<Carried>, masker: &Masker) -> Result<Pass, Error> {
        let guarded = self.guarded();
        if !guarded {
            carried.retain(|secret| secret.given);
        }
        let allowed = match self.allowed_for(url) {
            // Whoever carries nothing is only asked where a redirect leads, and then nothing is allowed.
            Err(_) if carried.is_empty() => Arc::default(),
            allowed => allowed?,
        };
        let known = if guarded { masker.clone() } else { self.given.clone() };
        Ok(Pass { allowed, carried, known })
    }

    /// Prepares the decision about the endpoints of the login `name`. Those of an environment's definition get that definition's own
    /// credentials; every one that a collection's definition names must lie on an allowed origin.
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn endpoints(&self, environment: bool, name: &str) -> Result<Endpoints, Error> {
        Ok(Endpoints { allowed: Arc::new(self.allowed()?), trusted: environment || !self.guarded(), name: name.to_owned() })
    }

    /// Whether a secret from the answer of `origin` may be stored: it must be allowed to go back.
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn may_store_from(&self, url: &Url) -> Result<bool, Error> {
        Ok(!self.guarded() || self.permits(url)?)
    }

    /// Whether the second belt finds a known secret in what is about to be sent to an origin that is not allowed. What
    /// `returning` goes back to where it came from does not count.
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn finds_stray(&self, url: &Url, masker: &Masker, parts: &[&[u8]], returning: &Masker) -> Result<bool, Error> {
        let masker = if self.guarded() { masker } else { &self.given };
        let strays = |part: &&[u8]| holds_stray(part, masker, returning);
        Ok(parts.iter().any(strays) && !self.permits(url)?)
    }

    /// As [`Self::finds_stray`], for a file that is sent. It is read only when it goes where no secret may go.
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn finds_stray_in(&self, file: &Body, url: &Url, masker: &Masker) -> Result<bool, Error> {
        let masker = if self.guarded() { masker } else { &self.given };
        // What can't be read can't be sent either: the client tells why.
        Ok(!self.permits(url)? && file.any_part(&|part| masker.finds(part)).unwrap_or(false))
    }

    fn permits(&self, url: &Url) -> Result<bool, Error> {
        let Some(origin) = Origin::of(url) else { return Ok(false) };
        Ok(self.allowed_for(url)?.permits(&origin))
    }

    /// The allowed origins; asked for again when `url` is not among them, since a variable may have been evaluated meanwhile.
    fn allowed_for(&self, url: &Url) -> Result<Arc<Allowed>, Error> {
        let origin = Origin::of(url);
        if let Some(allowed) = &*self.allowed.borrow()
            && origin.as_ref().is_some_and(|origin| allowed.permits(origin))
        {
            return Ok(Arc::clone(allowed));
        }
        let allowed = Arc::new(self.allowed()?);
        *self.allowed.borrow_mut() = Some(Arc::clone(&allowed));
        Ok(allowed)
    }

    /// Where secrets may go, with the values at hand.
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn allowed(&self) -> Result<Allowed, Error> {
        plan::allowed(self.values, &self.rules)
    }
}

/// What was decided about the endpoints of a login.
pub struct Endpoints {
    allowed: Arc<Allowed>,
    /// Whether the definition itself is trusted with its credentials.
    trusted: bool,
    name: String,
}

impl Endpoints {
    /// Whether the credentials of the login may go to `url`. Plain http is for this machine, and for what `hosts` lists with
    /// `http://` (RFC 6749 §3.2 demands TLS).
    ///
    /// # Errors
    /// The refusal names the definition.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        let Some(origin) = Origin::of(url) else {
            return Err(Refusal::NotHttp { scheme: url.scheme().to_owned() });
        };
        let private = origin.scheme() == Scheme::Https || origin.is_loopback() || self.allowed.lists(&origin);
        if private && (self.trusted || self.allowed.permits(&origin)) {
            return Ok(());
        }
        Err(Refusal::Endpoint { origin, named_by: format!("auth.{}", self.name) })
    }
}

impl Pass {
    /// Whether the request carries a secret at all.
    #[must_use]
    pub fn carries(&self) -> bool {
        !self.carried.is_empty()
    }

    /// A masker that knows the secrets that may go back to `origin`, since they came from there.
    pub fn returning(&self, origin: Option<&Origin>) -> Masker {
        texts(&self.carried, |secret| secret.origin.is_some() && secret.origin.as_ref() == origin)
    }

    /// Whether a redirect may lead to `url` when nothing else of the request is secret any more: a server may have written into
    /// it what it was sent.
    ///
    /// # Errors
    /// The URL holds a known secret and its origin is not allowed.
    pub fn check_redirect(&self, url: &Url) -> Result<(), Refusal> {
        let Some(origin) = Origin::of(url) else {
            return Err(Refusal::NotHttp { scheme: url.scheme().to_owned() });
        };
        let returning = self.returning(Some(&origin));
        if self.allowed.permits(&origin) || !holds_stray(url.as_str().as_bytes(), &self.known, &returning) {
            return Ok(());
        }
        Err(Refusal::RedirectedUrl { origin })
    }

    /// Whether the request may go to `url`.
    ///
    /// # Errors
    /// A secret may not go there; the refusal names it.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        let Some(origin) = Origin::of(url) else {
            return Err(Refusal::NotHttp { scheme: url.scheme().to_owned() });
        };
        if self.allowed.permits(&origin) {
            return Ok(());
        }
        let strange = || self.carried.iter().filter(|secret| secret.origin.as_ref() != Some(&origin));
        let mut secrets: Vec<String> =
            strange().filter(|secret| secret.outcome_of.is_none()).map(|secret| secret.name.clone()).collect();
        secrets.sort();
        secrets.dedup();
        if secrets.is_empty() {
            return match strange().find_map(|secret| secret.outcome_of.clone()) {
                Some((collection, request)) => Err(Refusal::Outcome { origin, collection, request }),
                None => Ok(()),
            };
        }
        let over_https = self.allowed.permits_over_https(&origin);
        Err(Refusal::Secret { origin, secrets, over_https })
    }
}

/// A masker that knows the texts of some of the secrets.
fn texts(carried: &[Carried], of: impl Fn(&Carried) -> bool) -> Masker {
    let masker = Masker::new();
    for value in carried.iter().filter(|secret| of(secret)).filter_map(|secret| secret.value.as_ref()) {
        masker.learn(value);
    }
    masker
}

/// Whether `masker` finds more in `part` than what `returning` knows.
fn holds_stray(part: &[u8], masker: &Masker, returning: &Masker) -> bool {
    masker.finds(part) && (!returning.finds(part) || masker.finds(returning.mask(&String::from_utf8_lossy(part)).as_bytes()))
}

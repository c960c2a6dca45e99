//! Decides, before connecting, whether what a request carries may go where it is going.

use std::cell::RefCell;
use std::sync::Arc;

use url::Url;

use crate::environment::Values;
use crate::mask::Masker;
use crate::secret::Secret;
use crate::template::Error;
use crate::trust::{Allowed, HostRule, Origin, Refusal, Scheme};

/// A secret that a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The variable that holds it.
    pub name: String,
    /// Its text, when an answer of this run gave it.
    pub value: Option<Secret>,
    /// Where it came from, when an answer of this run gave it; it may always go back there.
    pub origin: Option<Origin>,
    /// Whether the command line gave it.
    pub given: bool,
}

/// Knows where secrets may go in this run.
pub struct Gate<'r> {
    values: &'r Values<'r>,
    rules: Vec<HostRule>,
    /// Made when a secret first wants to go somewhere.
    allowed: RefCell<Option<Arc<Allowed>>>,
}

/// What was decided about one request; it is asked again at every hop.
pub struct Pass {
    allowed: Arc<Allowed>,
    carried: Vec<Carried>,
}

impl<'r> Gate<'r> {
    /// A gate for the environment of `values`, with the entries of `hosts:` and `--allow-host`.
    #[must_use]
    pub fn new(values: &'r Values<'r>, rules: Vec<HostRule>) -> Self {
        Self { values, rules, allowed: RefCell::default() }
    }

    /// Whether there is an environment; without one only secrets of the command line are held back.
    fn guarded(&self) -> bool {
        self.values.environment().files.is_some()
    }

    /// Prepares the decision for a request that carries `carried` to `url`.
    ///
    /// # Errors
    /// A variable of the environment that may name an origin can't be evaluated.
    pub fn pass(&self, url: &Url, mut carried: Vec<Carried>) -> Result<Pass, Error> {
        if !self.guarded() {
            carried.retain(|secret| secret.given);
        }
        if carried.is_empty() {
            return Ok(Pass { allowed: Arc::default(), carried });
        }
        Ok(Pass { allowed: self.allowed_for(url)?, carried })
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
        let Some(origin) = Origin::of(url) else { return Ok(false) };
        Ok(!self.guarded() || self.allowed_for(url)?.permits(&origin))
    }

    /// Whether the second belt finds a known secret in what is about to be sent to an origin that is not allowed. What
    /// `returning` goes back to where it came from does not count.
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn finds_stray(&self, url: &Url, masker: &Masker, parts: &[&[u8]], returning: &Masker) -> Result<bool, Error> {
        let strays = |part: &&[u8]| {
            masker.finds(part)
                && (!returning.finds(part) || masker.finds(returning.mask(&String::from_utf8_lossy(part)).as_bytes()))
        };
        if !self.guarded() || !parts.iter().any(strays) {
            return Ok(false);
        }
        let Some(origin) = Origin::of(url) else { return Ok(true) };
        Ok(!self.allowed_for(url)?.permits(&origin))
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
        let mut allowed = Allowed::default();
        for rule in &self.rules {
            allowed.allow_rule(rule.clone());
        }
        if self.guarded() {
            for (variable, text) in self.values.urls()? {
                if let Some(origin) = Url::parse(&text).ok().as_ref().and_then(Origin::of) {
                    allowed.allow_origin(origin, variable);
                }
            }
        }
        Ok(allowed)
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
        let mut secrets: Vec<String> = self
            .carried
            .iter()
            .filter(|secret| secret.origin.as_ref() != Some(&origin))
            .map(|secret| secret.name.clone())
            .collect();
        secrets.sort();
        secrets.dedup();
        if secrets.is_empty() { Ok(()) } else { Err(Refusal::Secret { origin, secrets }) }
    }
}

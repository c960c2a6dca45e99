//! What a request's templates see: layers of values, each with its secrecy and where it came from.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::collection::{Collection, Variable};
use crate::environment::Values;
use crate::template::{self, Engine, Error, Read};
use crate::trust::Origin;

/// A value that a name has, with what `trust` needs to know of it.
#[derive(Clone)]
pub struct Found {
    /// The value.
    pub value: Arc<Value>,
    /// Whether it is a secret.
    pub secret: bool,
    /// Where it came from, when an answer of this run gave it.
    pub origin: Option<Origin>,
    /// Whether a secret of the command line is in it.
    pub given: bool,
}

impl std::fmt::Debug for Found {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("secret", &self.secret)
            .field("origin", &self.origin)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Found {
    fn plain(value: Value) -> Self {
        Self { value: Arc::new(value), secret: false, origin: None, given: false }
    }

    /// What it gives to a value that is made of it.
    #[must_use]
    pub fn taint(&self) -> Taint {
        match self.secret {
            true => Taint { secret: true, origin: self.origin.clone(), given: self.given },
            false => Taint::default(),
        }
    }
}

/// What a value gets from everything that it was made of.
#[derive(Debug, Clone, Default)]
pub struct Taint {
    /// Whether a secret is among it.
    pub secret: bool,
    /// The one origin that all its secrets came from; such a value may go back there, any other has no way of its own.
    pub origin: Option<Origin>,
    /// Whether a secret of the command line is among it.
    pub given: bool,
}

impl Taint {
    /// Adds what another part brings.
    pub fn add(&mut self, part: &Self) {
        if part.secret {
            self.origin = if self.secret && self.origin != part.origin { None } else { part.origin.clone() };
            self.secret = true;
            self.given |= part.given;
        }
    }
}

/// What decided if a collection passed.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// The secrets that did.
    pub taint: Taint,
    /// The full name of the first request that brought one in.
    pub request: Option<String>,
}

impl Decision {
    /// Adds the secrets that decided what came of a request.
    pub fn add(&mut self, part: &Taint, request: Option<&str>) {
        if part.secret && self.request.is_none() {
            self.request = request.map(str::to_owned);
        }
        self.taint.add(part);
    }
}

/// The layers that the requests of one collection see: captures of this run, the environment, stored values, the collection's own
/// variables.
pub struct Scope<'r> {
    values: &'r Values<'r>,
    engine: &'r Engine,
    own: HashMap<&'r str, &'r Variable>,
    /// What other collections of the run gave.
    inherited: HashMap<String, Found>,
    /// Collections without whose success these requests are not sent, with the secrets that decided about it.
    followed: Vec<(String, Decision)>,
    captures: RefCell<HashMap<String, Found>>,
    /// Names of which secrets decided whether they have a value.
    doubts: RefCell<HashMap<String, Taint>>,
    memo: RefCell<HashMap<&'r str, Found>>,
    active: RefCell<Vec<String>>,
    used: RefCell<HashSet<&'r str>>,
    /// `tokens`: what the answers to managed logins held, for the request that is being made.
    tokens: RefCell<Map<String, Value>>,
}

impl<'r> Scope<'r> {
    /// The scope of `collection`, with nothing captured.
    #[must_use]
    pub fn new(values: &'r Values<'r>, engine: &'r Engine, collection: &'r Collection) -> Self {
        Self {
            values,
            engine,
            own: collection.variables.iter().map(|variable| (variable.name.as_str(), variable)).collect(),
            inherited: HashMap::new(),
            followed: Vec::new(),
            captures: RefCell::default(),
            doubts: RefCell::default(),
            memo: RefCell::default(),
            active: RefCell::default(),
            used: RefCell::default(),
            tokens: RefCell::default(),
        }
    }

    /// Makes every member of a token visible as `tokens.NAME`.
    pub fn set_token(&self, name: &str, members: Map<String, Value>) {
        self.tokens.borrow_mut().insert(name.to_owned(), Value::Object(members));
    }

    /// The values of the environment.
    #[must_use]
    pub fn environment(&self) -> &'r Values<'r> {
        self.values
    }

    /// Adds what another collection of the run gave. It is not handed on by [`Self::captures`].
    pub fn inherit(&mut self, name: &str, captured: Found) {
        self.inherited.insert(name.to_owned(), captured);
    }

    /// Notes that the collection `name` had to pass first, and the secrets that decided about that.
    pub fn follow(&mut self, name: &str, outcome: &Decision) {
        if outcome.taint.secret {
            self.followed.push((name.to_owned(), outcome.clone()));
        }
    }

    /// What was noted with [`Self::follow`].
    #[must_use]
    pub fn followed(&self) -> &[(String, Decision)] {
        &self.followed
    }

    /// Adds what an answer gave. Collection variables that read it are evaluated again.
    pub fn capture(&self, name: &str, captured: Found) {
        self.forget(name);
        self.captures.borrow_mut().insert(name.to_owned(), captured);
    }

    /// Notes the secrets that decided whether `name` has a value: who asks for that is told something of them.
    pub fn add_doubt(&self, name: &str, taint: &Taint) {
        if taint.secret {
            self.forget(name);
            self.doubts.borrow_mut().entry(name.to_owned()).or_default().add(taint);
        }
    }

    /// The secrets that decided whether `name` has a value.
    #[must_use]
    pub fn doubt(&self, name: &str) -> Taint {
        self.doubts.borrow().get(name).cloned().unwrap_or_default()
    }

    /// All names with the secrets that decided whether they have a value.
    #[must_use]
    pub fn doubts(&self) -> Vec<(String, Taint)> {
        self.doubts.borrow().iter().map(|(name, taint)| (name.clone(), taint.clone())).collect()
    }

    /// Collection variables that read `name` are evaluated again.
    fn forget(&self, name: &str) {
        self.memo.borrow_mut().retain(|variable, _| !self.depends(variable, name, &mut Vec::new()));
    }

    /// What the requests of this collection captured and stored so far.
    #[must_use]
    pub fn captures(&self) -> Vec<(String, Found)> {
        self.captures.borrow().iter().map(|(name, captured)| (name.clone(), captured.clone())).collect()
    }

    /// Whether the collection variable `variable` reads `name`, itself or through others.
    fn depends<'n>(&'n self, variable: &'n str, name: &str, seen: &mut Vec<&'n str>) -> bool {
        if seen.contains(&variable) {
            return false;
        }
        seen.push(variable);
        let Some(tree) = self.own.get(variable).and_then(|variable| variable.value.as_ref()) else { return false };
        tree.templates()
            .flat_map(|template| template.reads())
            .filter_map(|read| read.path.first())
            .any(|root| root == name || self.depends(root, name, seen))
    }

    /// Whether `name` is a variable of the collection itself, which decides what members it has.
    #[must_use]
    pub fn is_own(&self, name: &str) -> bool {
        !self.has_above(name) && self.own.contains_key(name)
    }

    /// The value of `name` in the highest layer that has one.
    ///
    /// # Errors
    /// Its template fails.
    pub fn find(&self, name: &str) -> Result<Option<Found>, Error> {
        if name == "iteration" {
            return Ok(Some(Found::plain(Value::from(1))));
        }
        if name == "tokens" {
            let tokens = Value::Object(self.tokens.borrow().clone());
            return Ok(Some(Found { secret: true, ..Found::plain(tokens) }));
        }
        if let Some(captured) = self.captures.borrow().get(name).or_else(|| self.inherited.get(name)) {
            return Ok(Some(captured.clone()));
        }
        if let Some(evaluated) = self.values.get(name)? {
            let given = evaluated.secret && self.values.is_given(name);
            return Ok(Some(Found { value: evaluated.value, secret: evaluated.secret, origin: None, given }));
        }
        if let Some(stored) = self.values.environment().stored_value(name) {
            return Ok(Some(Found { secret: stored.secret, ..Found::plain(stored.value.clone()) }));
        }
        self.find_own(name)
    }

    /// The variable that keeps `name` from having a value: itself, or one that it reads. `None` when there is a value.
    #[must_use]
    pub fn missing(&self, name: &str) -> Option<String> {
        self.missing_below(name, &mut Vec::new())
    }

    fn missing_below(&self, name: &str, seen: &mut Vec<String>) -> Option<String> {
        if seen.iter().any(|earlier| earlier == name) || self.has_above(name) {
            return None;
        }
        seen.push(name.to_owned());
        match self.own.get(name).map(|variable| &variable.value) {
            Some(Some(tree)) => tree
                .templates()
                .flat_map(|template| template.reads())
                .filter(|read| !read.guarded)
                .filter_map(|read| read.path.first())
                .find_map(|root| self.missing_below(root, seen)),
            _ => Some(self.values.unset(name).map_or_else(|| name.to_owned(), |unset| unset.name)),
        }
    }

    /// Whether a layer above the collection's own variables has a value.
    fn has_above(&self, name: &str) -> bool {
        matches!(name, "iteration" | "tokens")
            || self.captures.borrow().contains_key(name)
            || self.inherited.contains_key(name)
            || self.values.has(name)
            || self.values.environment().stored_value(name).is_some()
    }

    /// Marks `names`, and what the collection's variables among them read in turn, as used by a request that was sent.
    pub fn mark_used<'n>(&self, names: &mut dyn Iterator<Item = &'n str>)
    where
        'r: 'n,
    {
        for name in names {
            self.values.mark_used(&mut std::iter::once(name));
            let Some((&key, variable)) = self.own.get_key_value(name) else { continue };
            if self.used.borrow_mut().insert(key) {
                let reads = variable.value.iter().flat_map(|tree| tree.templates()).flat_map(|template| template.reads());
                self.mark_used(&mut reads.filter_map(|read| read.path.first()).map(String::as_str));
            }
        }
    }

    /// What a value gets that is made of `reads`. A name without a value adds what decided that it has none.
    pub fn taint(&self, reads: &mut dyn Iterator<Item = &Read>) -> Taint {
        let mut taint = Taint::default();
        for read in reads {
            let Some(root) = read.path.first() else { continue };
            taint.add(&self.doubt(root));
            if !read.presence_only
                && let Ok(Some(part)) = self.find(root)
            {
                taint.add(&part.taint());
            }
        }
        taint
    }

    /// A variable of the collection.
    fn find_own(&self, name: &str) -> Result<Option<Found>, Error> {
        if let Some(found) = self.memo.borrow().get(name) {
            return Ok(Some(found.clone()));
        }
        let Some((&key, variable)) = self.own.get_key_value(name) else { return Ok(None) };
        let Some(tree) = &variable.value else { return Ok(None) };
        if self.active.borrow().iter().any(|active| active == name) {
            let chain = [self.active.borrow().as_slice(), &[name.to_owned()]].concat().join(" → ");
            let finding = variable.place.error("variables refer to one another in a circle").help(chain);
            return Err(Error::Failed(Box::new(finding)));
        }
        self.active.borrow_mut().push(name.to_owned());
        let value = self.engine.tree(tree, self);
        let taint = self.taint(&mut tree.templates().flat_map(|template| template.reads()));
        self.active.borrow_mut().pop();
        let Taint { secret, origin, given } = taint;
        let value = value?;
        let named = self.values.makes_secret(name);
        if named || secret {
            self.values.protect(&value);
        }
        let found = Found { value: Arc::new(value), secret: secret || named, origin, given };
        self.memo.borrow_mut().insert(key, found.clone());
        Ok(Some(found))
    }
}

impl template::Values for Scope<'_> {
    fn value(&self, name: &str) -> Result<Option<Arc<Value>>, Error> {
        Ok(self.find(name)?.map(|found| found.value))
    }

    fn has(&self, name: &str) -> bool {
        self.has_above(name) || self.own.get(name).is_some_and(|variable| variable.value.is_some())
    }
}

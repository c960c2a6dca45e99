//! The plan of a run: everything is loaded, compiled and checked, and nothing was sent.
//!
//! ```text
//! paths + --env ──build──> Plan (collections in order, environment, engine)   or every finding at once
//! ```
//! May import `store` and what stands left of it; never `run`.

mod build;
mod circles;
mod destinations;
mod files;
mod names;
mod scope;
mod unset;
mod validate;

use std::collections::BTreeSet;

use crate::auth::{Choice, Definition, Login, Method};
use crate::collection::{Capture, Collection, Request};
use crate::diagnostic::Diagnostic;
use crate::environment::Environment;
use crate::files::root::Root;
use crate::template::Engine;

pub use build::{Inputs, build};
pub use destinations::{allowed, beyond};
pub use files::tls;
pub use names::{all_templates, sent_templates, wanted_names};
pub use scope::{Decision, Found, Scope, Taint};
pub use unset::ways_to_give;
pub use validate::{Rules, validate};

/// What a run is made of.
#[derive(Debug)]
pub struct Plan {
    /// The collections, each after those that it needs.
    pub units: Vec<Unit>,
    /// The environment.
    pub environment: Environment,
    /// All templates, compiled.
    pub engine: Engine,
    /// The project root of the first collection.
    pub root: Root,
    /// What is worth saying and stops nothing.
    pub warnings: Vec<Diagnostic>,
    /// Names that a file with mistakes may declare; while it is being told what is wrong with the others, these are left alone.
    pub uncertain: BTreeSet<String>,
}

impl Plan {
    /// The definition that `request` names, and whether it is the environment's; of equal names the environment's counts.
    #[must_use]
    pub fn definition(&self, unit: usize, request: &Request) -> Option<(&Definition, bool)> {
        let Choice::Named { name, .. } = &request.auth else { return None };
        let own = || self.units[unit].collection.auth.iter().find(|definition| definition.name == *name);
        match self.environment.definition(name) {
            Some(definition) => Some((definition, true)),
            None => own().map(|definition| (definition, false)),
        }
    }

    /// The logins that requests of `unit` can name, and whether each is the environment's.
    pub fn logins(&self, unit: usize) -> impl Iterator<Item = (&Definition, &Login, bool)> {
        let environment = &self.environment.auth;
        let own = self.units[unit].collection.auth.iter();
        let own = own.filter(|own| environment.iter().all(|definition| definition.name != own.name));
        let all = environment.iter().map(|definition| (definition, true)).chain(own.map(|definition| (definition, false)));
        all.filter_map(|(definition, of_environment)| match &definition.method {
            Method::Login(login) => Some((definition, &**login, of_environment)),
            Method::Scheme(_) => None,
        })
    }

    /// The request from which a reader in `unit` can get `name`: its own, one of its needs, or one that stores it.
    #[must_use]
    pub fn producer(&self, unit: usize, name: &str) -> Option<&Request> {
        let planned = &self.units[unit];
        let captures = |index: usize| {
            let requests = &self.units[index].collection.requests;
            requests.iter().find(|request| request.products().any(|capture| capture.name == name))
        };
        captures(unit).or_else(|| planned.needs.iter().find_map(|&need| captures(need))).or_else(|| {
            let all = self.units.iter().flat_map(|unit| &unit.collection.requests);
            all.into_iter().find(|request| request.stores.iter().any(|store| store.name == name))
        })
    }

    /// Whether a request before `request`, which stands in `unit`, may give it `name`.
    #[must_use]
    pub fn gives_before(&self, unit: usize, request: &Request, name: &str) -> bool {
        !self.givers_before(unit, request, name).is_empty()
    }

    /// The requests before `request`, which stands in `unit`, that may give it `name`, with how they do: in the order in which they
    /// run, each with the place of its collection.
    #[must_use]
    pub fn givers_before(&self, unit: usize, request: &Request, name: &str) -> Vec<(usize, &Request, &Capture)> {
        let mut found = Vec::new();
        for (index, planned) in self.units.iter().enumerate().take(unit + 1) {
            let earlier = planned.collection.requests.iter().take_while(|own| !std::ptr::eq(*own, request));
            let visible = index == unit || self.units[unit].needs.contains(&index);
            for giver in earlier {
                let captures = giver.captures.iter().filter(|_| visible);
                found.extend(captures.chain(&giver.stores).filter(|given| given.name == name).map(|given| (index, giver, given)));
            }
        }
        found
    }
}

/// A collection in a plan.
#[derive(Debug)]
pub struct Unit {
    /// The collection.
    pub collection: Collection,
    /// The places in [`Plan::units`] of the collections that it needs.
    pub needs: Vec<usize>,
    /// Whether it is there only because another one needs it.
    pub needed: bool,
}

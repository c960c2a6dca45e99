//! For those who explain values: why a variable is a secret, and whether it comes from the sandbox. Nothing is evaluated here that a
//! run would not evaluate.

use crate::diagnostic::Place;
use crate::template::Template;

use super::model::{Content, Declaration, Environment, Layer};
use super::values::{SANDBOX, Values, is_private};

/// Why a variable is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A tag says so.
    Tagged {
        /// The tag, with its `!`.
        tag: &'static str,
        /// The declaration.
        place: Option<Place>,
    },
    /// It is text in the local file, and no URL.
    Local(Option<Place>),
    /// It was given as a secret, by the command line or a process variable.
    Given,
    /// The value that is stored under this name is one.
    Stored,
    /// It reads one: a variable, or a member of the sandbox.
    Reads(String),
}

impl Environment {
    /// Why `name` is a secret in every layer, whatever its value is; `None` when no layer says so.
    #[must_use]
    pub fn declared_reason(&self, name: &str) -> Option<Reason> {
        let declarations = || self.variable(name).into_iter().flat_map(|variable| &variable.declarations);
        // What was meant comes before what follows from the place.
        let tagged = declarations().find_map(|declaration| {
            tag(&declaration.content).map(|tag| Reason::Tagged { tag, place: declaration.place.clone() })
        });
        let given = || declarations().any(|declaration| declaration.content.is_secret()).then_some(Reason::Given);
        let local = || declarations().find(|d| is_private(d)).map(|d| Reason::Local(d.place.clone()));
        let stored = || self.stored_value(name).filter(|stored| stored.secret).map(|_| Reason::Stored);
        tagged.or_else(given).or_else(local).or_else(stored)
    }
}

impl Values<'_> {
    /// Why `name` is a secret; `None` when it is none, or when its value alone can tell.
    #[must_use]
    pub fn reason(&self, name: &str) -> Option<Reason> {
        self.reason_below(name, &mut Vec::new())
    }

    fn reason_below<'n>(&'n self, name: &'n str, seen: &mut Vec<&'n str>) -> Option<Reason> {
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        let effective = self.declaration(name);
        if let Some(Declaration { content: Content::Tree { secret: Some(false), .. }, .. }) = effective {
            return None;
        }
        let reads = |seen: &mut Vec<&'n str>| {
            let Some(Declaration { content: Content::Tree { tree, .. }, .. }) = effective else { return None };
            tree.templates().flat_map(Template::reads).filter(|read| !read.presence_only).find_map(|read| {
                let root = read.path.first()?;
                if root == "sandbox" {
                    let member = read.path.get(1)?;
                    let secret = SANDBOX.iter().any(|(name, secret)| *secret && name == member);
                    return secret.then(|| Reason::Reads(format!("sandbox.{member}")));
                }
                self.reason_below(root, seen).map(|_| Reason::Reads(root.clone()))
            })
        };
        // A text of the local file that a template makes is private as a whole.
        let made = || {
            let declaration = effective.filter(|declaration| declaration.layer == Layer::Local)?;
            Some(Reason::Local(declaration.place.clone()))
        };
        self.environment().declared_reason(name).or_else(|| reads(seen)).or_else(made)
    }

    /// Whether the value of `name` is made of what the sandbox tells, so that it is known only in a run.
    #[must_use]
    pub fn reads_sandbox(&self, name: &str) -> bool {
        self.reads_sandbox_below(name, &mut Vec::new())
    }

    fn reads_sandbox_below<'n>(&'n self, name: &'n str, seen: &mut Vec<&'n str>) -> bool {
        if seen.contains(&name) {
            return false;
        }
        seen.push(name);
        let Some(Declaration { content: Content::Tree { tree, .. }, .. }) = self.declaration(name) else { return false };
        let roots = tree.templates().flat_map(Template::reads).filter_map(|read| read.path.first());
        roots.into_iter().any(|root| root == "sandbox" || self.reads_sandbox_below(root, seen))
    }
}

/// The tag that makes a declaration a secret.
fn tag(content: &Content) -> Option<&'static str> {
    match content {
        Content::Tree { secret: Some(true), .. } | Content::SecretUnset => Some("!secret"),
        Content::ProcessVariable(_) => Some("!env"),
        Content::File { .. } => Some("!file"),
        Content::Prompt(_) => Some("!prompt"),
        Content::Tree { .. } | Content::Literal { .. } | Content::Unset => None,
    }
}

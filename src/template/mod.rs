//! Templates and conditions: Tera, strict, compiled in one go, each knowing the dotted paths that it reads.
//!
//! Knows values, never HTTP. May import `yaml`, `query` and what stands left of them. The only user of `tera`.
//!
//! ```text
//! Builder --add--> Template (source, place, reads)      findings: what does not parse
//!    └──compile──> Engine   (all templates, compiled)   Engine + Template + Values --render--> Value | text
//! ```
//!
//! Inside: `lex` cuts the text into tokens, `reads` finds the paths and writes our filters around expressions (see there for
//! why), `compiled` keeps the way back to the file's places, `fault` turns Tera's errors into ours.

mod builder;
mod calls;
mod compiled;
mod engine;
mod fault;
mod functions;
mod lex;

mod name;
mod names;
mod reads;
mod scalar;
mod signal;
mod tree;
mod url;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Place, SourceFile};
use crate::yaml::{self, Node};
use compiled::Compiled;

pub use builder::Builder;
pub use engine::Engine;
pub use name::{RESERVED, is_name, name_problem};
pub use tree::Tree;
pub use url::RESERVED as RESERVED_IN_URL;

/// The largest output of a template, in bytes.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;

/// What a template is for; it decides how expressions turn into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Text: header values, bodies, form fields. A plain scalar is the text as spelt.
    Text,
    /// A URL: expressions are percent-encoded but at the very start and under `| safe`; in the authority they must be host or
    /// host:port.
    Url,
    /// A value: a scalar that is exactly one `{{ expression }}` keeps the expression's type; a plain scalar its YAML type. A
    /// number that JSON can't spell is a finding.
    Value,
    /// The value of a variable: as [`Syntax::Value`], but a plain number that is not canonical (`1.10`, `01234`, `0x1F`) is
    /// text.
    Variable,
    /// A bare expression that is true or false; `{{ }}` around all of it is accepted.
    Condition,
}

/// A template as written, with what it reads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    node: Node,
    syntax: Syntax,
    reads: Vec<Read>,
    body: Body,
}

/// How a template gets its value.
#[derive(Debug)]
enum Body {
    /// Nothing to evaluate.
    Literal(Value),
    /// Exactly one path.
    Path(Vec<String>, Range<usize>),
    /// Text and paths.
    Parts(Vec<Part>),
    /// Exactly one expression, whose value Tera gives as JSON.
    Expression(Compiled),
    /// Anything else.
    Text(Compiled),
}

/// A piece of a text that needs no Tera.
#[derive(Debug)]
enum Part {
    Text(String),
    Path { path: Vec<String>, at: Range<usize>, spot: Option<url::Spot> },
}

/// One reading of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The dotted path: `["response", "json", "expires_in"]`; it ends before an index that is not a literal.
    pub path: Vec<String>,
    /// Where the path stands.
    pub place: Place,
    /// Whether the template tests this path (`is defined`, `is undefined`, `default`) where it reads it: itself, elsewhere in
    /// the same expression, or in an `if` around it.
    pub guarded: bool,
    /// Whether nothing of the value is ever needed, only whether the name has one (`is defined`, `is undefined`).
    pub presence_only: bool,
}

/// Where a template's values come from.
pub trait Values {
    /// The value of a top-level name; `None` when there is none. Called once for each name that a rendering reads.
    ///
    /// # Errors
    /// The name has a value that can't be had (a cycle, an unset secret).
    fn value(&self, name: &str) -> Result<Option<Arc<Value>>, Error>;

    /// Whether a top-level name has a value. Never asks a person, never fails.
    fn has(&self, name: &str) -> bool;
}

/// Why a template could not be rendered.
#[derive(Debug, Clone)]
pub enum Error {
    /// A path has no value.
    Undefined {
        /// The dotted path.
        path: String,
        /// Where it is read.
        place: Place,
    },
    /// Anything else, ready to be shown.
    Failed(Box<Diagnostic>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined { path, .. } => write!(f, "`{path}` has no value"),
            Self::Failed(diagnostic) => f.write_str(&diagnostic.message),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What to tell about it.
    #[must_use]
    pub fn into_finding(self) -> Diagnostic {
        match self {
            Self::Undefined { path, place } => place.error(format!("`{path}` has no value")),
            Self::Failed(finding) => *finding,
        }
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Failed(Box::new(diagnostic))
    }
}

impl Template {
    /// Where the template stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        self.inner.node.scalar().map_or("", |scalar| scalar.text.as_str())
    }

    /// What it reads, in the order of the text.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        &self.inner.reads
    }

    /// Whether it makes something new of what it reads, and does not only put values in as they are.
    #[must_use]
    pub fn transforms(&self) -> bool {
        matches!(self.inner.body, Body::Expression(_) | Body::Text(_))
    }

    /// Whether it may give something else each time that it is rendered with the same values: by the clock, or by chance.
    #[must_use]
    pub fn varies(&self) -> bool {
        // A name within a text or another name errs towards yes.
        self.transforms() && names::VARYING.iter().any(|function| self.source().contains(function))
    }

    /// What it was added as.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.inner.syntax
    }

    /// The value of a template without expressions: the typed scalar (`Syntax::Value`) or its text; null where nothing stands.
    #[must_use]
    pub fn literal(&self) -> Option<&Value> {
        match &self.inner.body {
            Body::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// A template that is a value.
    fn plain(file: &Arc<SourceFile>, node: &Node, value: Value) -> Self {
        Self::new(file, node, Syntax::Value, Body::Literal(value), &[])
    }

    fn new(file: &Arc<SourceFile>, node: &Node, syntax: Syntax, body: Body, paths: &[reads::Path]) -> Self {
        let reads = paths
            .iter()
            .filter(|path| !path.local)
            .map(|path| Read {
                path: path.parts.clone(),
                place: Place::new(file, yaml::locate(file, node, path.at.clone())),
                guarded: path.guarded,
                presence_only: paths.iter().filter(|other| other.parts == path.parts).all(|other| other.bare),
            })
            .collect();
        Self { inner: Arc::new(Inner { place: Place::new(file, node.span), node: node.clone(), syntax, reads, body }) }
    }

    /// The place of a range of the source.
    fn place_of(&self, range: Range<usize>) -> Place {
        let file = &self.inner.place.file;
        Place::new(file, yaml::locate(file, &self.inner.node, range))
    }

    fn failed(&self, range: Range<usize>, message: &str) -> Error {
        self.place_of(range).error(message).into()
    }

    /// The expression at `range` has a value that can't stand there; `problem` goes on behind its text.
    fn unfit(&self, range: Range<usize>, problem: &str) -> Error {
        let expression = self.source().get(range.clone()).unwrap_or_default().to_owned();
        let shown = if self.inner.place.file.is_hidden() { "the expression".to_owned() } else { format!("`{expression}`") };
        let finding = self.place_of(range).error(format!("{shown} {problem}"));
        let finding = match problem.split_whitespace().nth(1) {
            _ if !problem.ends_with("text is wanted") => finding,
            Some("null") => finding.help("`{{ … or \"\" }}` gives empty text instead"),
            _ => finding.help("`| json` writes it as JSON"),
        };
        finding.into()
    }
}

#[cfg(test)]
mod tests;

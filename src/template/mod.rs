//! Templates and conditions: Tera, strict, compiled in one go, each knowing the dotted paths that it reads.
//!
//! Knows values, never HTTP. May import `yaml`, `query` and what stands left of them. The only user of `tera`.
//!
//! ```text
//! Builder --add--> Template (source, place, reads)      findings: what does not parse
//!    └──compile──> Engine   (all templates, compiled)   Engine + Template + Values --render--> Value | text
//! ```

mod name;
mod tree;

use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Place, SourceFile};
use crate::yaml::Node;

pub use name::{RESERVED, is_name, name_problem};
pub use tree::Tree;

/// What a template is for; it decides how expressions turn into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Text: header values, bodies, form fields. A plain scalar is the text as spelt.
    Text,
    /// A URL: expressions are percent-encoded but at the very start and under `| safe`; in the authority they must be host or
    /// host:port.
    Url,
    /// A value: a scalar that is exactly one `{{ expression }}` keeps the expression's type; a plain scalar its YAML type.
    Value,
    /// Like [`Self::Value`], but a number that is not spelt canonically is text.
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
    source: String,
    reads: Vec<Read>,
}

/// One reading of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The dotted path: `["response", "json", "expires_in"]`; it ends before an index that is not a literal.
    pub path: Vec<String>,
    /// Where the path stands.
    pub place: Place,
    /// Whether the template tests this path itself (`is defined`, `is undefined`, `default`) where it reads it.
    pub guarded: bool,
    /// Whether the value itself is never needed, only whether there is one (`is defined`, `is undefined`).
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

impl Template {
    /// Where the template stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// The text as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// What it reads.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        &self.inner.reads
    }

    /// The value of a template without expressions: the typed scalar (`Syntax::Value`) or its text.
    #[must_use]
    pub fn literal(&self) -> Option<&Value> {
        None
    }
}

/// Collects templates and compiles them in one go.
#[derive(Debug, Default)]
pub struct Builder {}

impl Builder {
    /// Adds the template in the scalar `node` of `file`.
    pub fn add(&mut self, file: &Arc<SourceFile>, node: &Node, syntax: Syntax) -> Template {
        let _ = syntax;
        Template { inner: Arc::new(Inner { place: Place::new(file, node.span), source: String::new(), reads: Vec::new() }) }
    }

    /// Adds a value whose scalars are templates.
    pub fn add_tree(&mut self, file: &Arc<SourceFile>, node: &Node, syntax: Syntax) -> Tree<Template> {
        Tree::Leaf(self.add(file, node, syntax))
    }

    /// Adds a template that stands in no file (a value of the command line), shown under `name`.
    pub fn add_text(&mut self, name: &str, text: &str, syntax: Syntax) -> Template {
        let _ = (name, text, syntax);
        todo!()
    }

    /// Compiles everything that was added.
    ///
    /// # Errors
    /// Every template that does not parse, each at its place.
    pub fn compile(self) -> Result<Engine, Vec<Diagnostic>> {
        Ok(Engine {})
    }
}

/// All templates of a run, compiled.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Renders `template` to a value (for [`Syntax::Value`]; any other syntax gives its text).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn value(&self, template: &Template, values: &dyn Values) -> Result<Value, Error> {
        let _ = (template, values);
        Ok(Value::Null)
    }

    /// Renders a tree.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn tree(&self, tree: &Tree<Template>, values: &dyn Values) -> Result<Value, Error> {
        let _ = (tree, values);
        Ok(Value::Null)
    }

    /// Renders `template` to text.
    ///
    /// # Errors
    /// See [`Error`]; a list or map where text is wanted is an error.
    pub fn text(&self, template: &Template, values: &dyn Values) -> Result<String, Error> {
        let _ = (template, values);
        Ok(String::new())
    }

    /// Decides a [`Syntax::Condition`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn holds(&self, template: &Template, values: &dyn Values) -> Result<bool, Error> {
        let _ = (template, values);
        Ok(false)
    }
}

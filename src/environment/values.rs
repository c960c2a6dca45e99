//! The values of an environment: evaluated when first used, kept for the run, each with whether it is a secret.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Place};
use crate::files::read::read_text;
use crate::files::root::Root;
use crate::files::rule::Rule;
use crate::mask::Masker;
use crate::template::{self, Engine, Error, Read, Template, Tree};

use super::load::{learn_secret, learn_value};
use super::model::{Content, Declaration, Environment, Layer, Variable};

/// What the embedded server tells about itself: `sandbox.url`, `sandbox.client_id`, `sandbox.client_secret`, `sandbox.code`.
pub trait Sandbox {
    /// The member called `name`. A code is made when it is asked for.
    fn member(&self, name: &str) -> Option<String>;
}

/// The members of `sandbox`, and which of them are secrets.
pub const SANDBOX: [(&str, bool); 4] = [("url", false), ("client_id", false), ("client_secret", true), ("code", true)];

/// A value with whether it is a secret.
#[derive(Clone)]
pub struct Evaluated {
    /// The value.
    pub value: Arc<Value>,
    /// Whether it must be masked and may go only to allowed origins.
    pub secret: bool,
}

impl std::fmt::Debug for Evaluated {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluated").field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// A variable that is declared and has no value.
#[derive(Debug, Clone)]
pub struct Unset {
    /// The variable that must be set: the one that was asked for, or one that it reads.
    pub name: String,
    /// The declaration that says most about it.
    pub declaration: Declaration,
}

/// Evaluates the variables of one environment for one run.
pub struct Values<'e> {
    environment: &'e Environment,
    engine: &'e Engine,
    process: &'e BTreeMap<String, String>,
    root: Option<&'e Root>,
    sandbox: Option<&'e dyn Sandbox>,
    masker: &'e Masker,
    known: HashMap<&'e str, &'e Variable>,
    memo: RefCell<HashMap<&'e str, Evaluated>>,
    /// The variables that are being evaluated, outermost first.
    active: RefCell<Vec<&'e str>>,
    used: RefCell<HashSet<&'e str>>,
}

impl<'e> Values<'e> {
    /// Values of `environment`; `process` is the process environment for `!env`.
    #[must_use]
    pub fn new(
        environment: &'e Environment,
        engine: &'e Engine,
        process: &'e BTreeMap<String, String>,
        root: Option<&'e Root>,
        masker: &'e Masker,
    ) -> Self {
        Self {
            environment,
            engine,
            process,
            root,
            sandbox: None,
            masker,
            known: environment.variables.iter().map(|variable| (variable.name.as_str(), variable)).collect(),
            memo: RefCell::default(),
            active: RefCell::default(),
            used: RefCell::default(),
        }
    }

    /// Adds the embedded server of the run.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: Option<&'e dyn Sandbox>) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// The environment.
    #[must_use]
    pub fn environment(&self) -> &'e Environment {
        self.environment
    }

    /// The address of the embedded server of the run.
    #[must_use]
    pub fn sandbox_url(&self) -> Option<String> {
        self.sandbox.and_then(|sandbox| sandbox.member("url"))
    }

    /// The process environment for `!env`.
    #[must_use]
    pub fn process(&self) -> &'e BTreeMap<String, String> {
        self.process
    }

    /// The value of `name`; `None` when no layer gives it one.
    ///
    /// # Errors
    /// Its template fails, or a file of it can't be read.
    pub fn get(&self, name: &str) -> Result<Option<Evaluated>, Error> {
        if let Some(known) = self.memo.borrow().get(name) {
            return Ok(Some(known.clone()));
        }
        let Some((&key, &variable)) = self.known.get_key_value(name) else { return Ok(None) };
        let Some(declaration) = self.effective(variable) else { return Ok(None) };
        if self.active.borrow().contains(&key) {
            let mut chain = self.active.borrow().join(" → ");
            chain.push_str(&format!(" → {key}"));
            return Err(failed(Diagnostic::error("variables refer to one another in a circle").help(chain), declaration));
        }
        self.active.borrow_mut().push(key);
        let result = self.evaluate(variable, declaration);
        self.active.borrow_mut().pop();
        let evaluated = result?;
        if evaluated.secret {
            learn_secret(&evaluated.value, self.masker);
        }
        self.memo.borrow_mut().insert(key, evaluated.clone());
        Ok(Some(evaluated))
    }

    /// Whether some layer gives `name` a value. Asks nobody, reads no file, evaluates nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|variable| self.effective(variable).is_some() && self.unset(name).is_none())
    }

    /// Why `name` has no value, when it is declared: itself, or a variable that it reads, must be set.
    #[must_use]
    pub fn unset(&self, name: &str) -> Option<Unset> {
        self.unset_below(name, &mut Vec::new())
    }

    fn unset_below(&self, name: &str, seen: &mut Vec<String>) -> Option<Unset> {
        if self.memo.borrow().contains_key(name) || seen.iter().any(|earlier| earlier == name) {
            return None;
        }
        seen.push(name.to_owned());
        let variable = self.known.get(name)?;
        match self.effective(variable) {
            None => {
                // The lowest declaration says what kind of value is wanted, unless a higher one says more.
                let declaration = variable.declarations.iter().rev().find(|d| !matches!(d.content, Content::Unset));
                let declaration = declaration.or(variable.declarations.last())?;
                Some(Unset { name: name.to_owned(), declaration: declaration.clone() })
            }
            Some(declaration) => match &declaration.content {
                Content::Tree { tree, .. } => reads(tree)
                    .filter(|read| !read.guarded)
                    .filter_map(|read| read.path.first())
                    .find_map(|root| self.unset_below(root, seen)),
                _ => None,
            },
        }
    }

    /// Marks `names`, and whatever they read in turn, as used by a request that was sent.
    pub fn mark_used(&self, names: &mut dyn Iterator<Item = &str>) {
        for name in names {
            let Some((&key, &variable)) = self.known.get_key_value(name) else { continue };
            if !self.used.borrow_mut().insert(key) {
                continue;
            }
            if let Some(Declaration { content: Content::Tree { tree, .. }, .. }) = self.effective(variable) {
                self.mark_used(&mut reads(tree).filter_map(|read| read.path.first()).map(String::as_str));
            }
        }
    }

    /// The declaration that gives `name` its value.
    #[must_use]
    pub fn declaration(&self, name: &str) -> Option<&'e Declaration> {
        self.known.get(name).copied().and_then(|variable| self.effective(variable))
    }

    /// Whether a declaration has a value in this process.
    #[must_use]
    pub fn has_value(&self, declaration: &Declaration) -> bool {
        declaration.has_value(self.process)
    }

    /// Whether the command line gives `name` its value.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.declaration(name).is_some_and(|declaration| declaration.layer == Layer::CommandLine)
    }

    /// Whether a layer, the stored values among them, makes `name` a secret: then it is one in all.
    #[must_use]
    pub fn makes_secret(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|variable| declared_secret(variable))
            || self.environment.stored_value(name).is_some_and(|stored| stored.secret)
    }

    /// Makes `value` known as a secret.
    pub fn protect(&self, value: &Value) {
        learn_secret(value, self.masker);
    }

    /// What a template of the environment that reads `reads` sees.
    #[must_use]
    pub fn scope<'s>(&'s self, reads: &'s [Read]) -> OwnScope<'s, 'e> {
        OwnScope { values: self, reads: reads.iter().collect() }
    }

    /// The names of the command line that no request read.
    pub fn unused_given(&self) -> Vec<&'e str> {
        let used = self.used.borrow();
        let mut names: Vec<_> = self
            .environment
            .variables
            .iter()
            .filter(|variable| {
                // A secret may wait in the process environment for collections that use it.
                let plain = |d: &Declaration| d.layer == Layer::CommandLine && !d.content.is_secret();
                variable.declarations.iter().any(plain)
            })
            .map(|variable| variable.name.as_str())
            .filter(|name| !used.contains(name))
            .collect();
        names.sort_unstable();
        names
    }

    /// The variables that are http(s) URLs: these name the origins to which secrets may go. A variable that reads an unset value, or
    /// would have to be asked for, is left out until it is evaluated.
    ///
    /// # Errors
    /// A template fails.
    pub fn urls(&self) -> Result<Vec<(&'e str, String)>, Error> {
        let mut found = Vec::new();
        for variable in &self.environment.variables {
            if !self.memo.borrow().contains_key(variable.name.as_str()) && !self.may_be_url(variable) {
                continue;
            }
            // What can't be evaluated names no origin; whoever reads it is told.
            if let Ok(Some(evaluated)) = self.get(&variable.name)
                && let Value::String(text) = &*evaluated.value
                && is_url(text)
            {
                found.push((variable.name.as_str(), text.clone()));
            }
        }
        Ok(found)
    }

    /// Whether evaluating `variable` is harmless and may give a URL.
    fn may_be_url(&self, variable: &Variable) -> bool {
        let Some(declaration) = self.effective(variable) else { return false };
        match &declaration.content {
            Content::Literal { value, .. } => value.as_str().is_some_and(is_url),
            Content::Tree { tree: Tree::Leaf(template), .. } => {
                let text = template.source().trim_start();
                let starts = is_url(text) || text.starts_with("{{") || text.starts_with("{%");
                // A code or a secret of the sandbox is no URL, and asking for a code makes one.
                let asks = template.reads().iter().any(|read| {
                    read.path.first().is_some_and(|root| root == "sandbox")
                        && read.path.get(1).is_none_or(|member| member != "url" && member != "client_id")
                });
                starts && !asks && self.unset(&variable.name).is_none()
            }
            Content::ProcessVariable(name) => self.process.get(name).is_some_and(|text| is_url(text)),
            _ => false,
        }
    }

    fn effective<'v>(&self, variable: &'v Variable) -> Option<&'v Declaration> {
        variable.effective(self.process)
    }

    fn evaluate(&self, variable: &Variable, declaration: &Declaration) -> Result<Evaluated, Error> {
        let (value, secret) = match &declaration.content {
            Content::Literal { value, secret, .. } => (value.clone(), *secret || self.makes_secret(&variable.name)),
            Content::ProcessVariable(name) => (Value::String(self.process.get(name).cloned().unwrap_or_default()), true),
            Content::File { path, written, confined } => {
                let text = read_file(self.root.filter(|_| *confined), path)
                    .map_err(|rule| failed(file_finding(&variable.name, confined.then_some(written), &rule), declaration))?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                (Value::String(text.strip_suffix('\r').unwrap_or(text).to_owned()), true)
            }
            Content::Tree { tree, secret } => self.evaluate_tree(variable, declaration, tree, *secret)?,
            Content::Unset | Content::SecretUnset | Content::Prompt(_) => (Value::Null, false),
        };
        Ok(Evaluated { value: Arc::new(value), secret })
    }

    fn evaluate_tree(
        &self,
        variable: &Variable,
        declaration: &Declaration,
        tree: &Tree<Template>,
        marked: Option<bool>,
    ) -> Result<(Value, bool), Error> {
        let scope = OwnScope { values: self, reads: reads(tree).collect() };
        let value = self.engine.tree(tree, &scope)?;
        if let Some(marked) = marked {
            return Ok((value, marked));
        }
        let local = declaration.layer == Layer::Local && has_private_text(&value);
        let mut secret = local || self.makes_secret(&variable.name);
        for read in reads(tree).filter(|read| !read.presence_only) {
            secret |= self.reads_secret(read)?;
        }
        Ok((value, secret))
    }

    fn reads_secret(&self, read: &Read) -> Result<bool, Error> {
        let Some(root) = read.path.first() else { return Ok(false) };
        if root == "sandbox" {
            let member = read.path.get(1).map(String::as_str);
            return Ok(SANDBOX.iter().any(|(name, secret)| *secret && member.is_none_or(|member| member == *name)));
        }
        Ok(self.get(root)?.is_some_and(|evaluated| evaluated.secret))
    }
}

/// What a template of the environment can read: the environment's own variables and `sandbox`.
pub struct OwnScope<'s, 'e> {
    values: &'s Values<'e>,
    reads: Vec<&'s Read>,
}

impl template::Values for OwnScope<'_, '_> {
    fn value(&self, name: &str) -> Result<Option<Arc<Value>>, Error> {
        if name != "sandbox" {
            return Ok(self.values.get(name)?.map(|evaluated| evaluated.value));
        }
        let Some(sandbox) = self.values.sandbox else { return Ok(None) };
        let mut members = Map::new();
        for (member, secret) in SANDBOX {
            let wanted = self.reads.iter().any(|read| {
                read.path.first().is_some_and(|root| root == "sandbox") && read.path.get(1).is_none_or(|path| path == member)
            });
            if wanted && let Some(text) = sandbox.member(member) {
                let value = Value::String(text);
                if secret {
                    learn_value(&value, self.values.masker);
                }
                members.insert(member.to_owned(), value);
            }
        }
        Ok(Some(Arc::new(Value::Object(members))))
    }

    fn has(&self, name: &str) -> bool {
        if name == "sandbox" { self.values.sandbox.is_some() } else { self.values.has(name) }
    }
}

/// Everything that a value reads.
fn reads(tree: &Tree<Template>) -> impl Iterator<Item = &Read> {
    tree.templates().flat_map(|template| template.reads())
}

/// A name that is secret in one layer is secret in all.
fn declared_secret(variable: &Variable) -> bool {
    variable.declarations.iter().any(|declaration| declaration.content.is_secret() || is_private(declaration))
}

/// Whether a declaration of the local file spells out a text that is a secret because it stands there.
pub(super) fn is_private(declaration: &Declaration) -> bool {
    declaration.layer == Layer::Local
        && matches!(&declaration.content, Content::Tree { tree, secret: None }
            if tree.templates().filter_map(|template| template.literal()).any(has_private_text))
}

/// Whether a value of the local file holds text that is a secret: any but an http(s) URL without userinfo.
fn has_private_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !is_plain_url(text),
        Value::Array(items) => items.iter().any(has_private_text),
        Value::Object(members) => members.values().any(has_private_text),
        _ => false,
    }
}

/// Whether a text is an http(s) URL without userinfo: no secret, wherever it stands.
#[must_use]
pub fn is_plain_url(text: &str) -> bool {
    is_url(text) && url::Url::parse(text).map_or(text.contains("{{"), |url| url.username().is_empty() && url.password().is_none())
}

pub(super) fn is_url(text: &str) -> bool {
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// The text of the file of a `!file`. With `root` it must lie below it.
///
/// # Errors
/// It lies outside, or can't be read.
pub fn read_file(root: Option<&Root>, path: &Path) -> Result<String, Rule> {
    match root {
        Some(root) => Ok(root.open_for_environment(path)?.text()?),
        None => Ok(read_text(path)?),
    }
}

/// What to tell about the file of the variable `name`, at the place of its declaration; `written` is its path where it may be shown.
#[must_use]
pub fn file_finding(name: &str, written: Option<&String>, rule: &Rule) -> Diagnostic {
    let path = written.map(|path| format!(" `{path}`")).unwrap_or_default();
    rule.judge(Diagnostic::error(format!("the file{path} of the variable `{name}` {rule}")))
}

/// An error at the place of a declaration.
fn failed(finding: Diagnostic, declaration: &Declaration) -> Error {
    Error::Failed(Box::new(match &declaration.place {
        Some(place) => finding.at(Place::clone(place)),
        None => finding,
    }))
}

//! What an environment says, as data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::auth::{Definition, Login, Method};
use crate::diagnostic::Place;
use crate::template::{Template, Tree};

/// A loaded environment: all layers of one name.
#[derive(Debug)]
pub struct Environment {
    /// Its name: `dev` for `environments/dev.yaml`; empty when a run has no environment.
    pub name: String,
    /// Its files; `None` when a run has no environment.
    pub files: Option<Files>,
    /// `sandbox:`: the embedded server that runs for the run.
    pub sandbox: Option<SandboxChoice>,
    /// Every variable with its declarations.
    pub variables: Vec<Variable>,
    /// `auth:`: named ways to authorise; the nearest layer's definition of a name.
    pub auth: Vec<Definition>,
    /// `hosts:` of all layers, as written.
    pub hosts: Vec<(String, Place)>,
    /// `tls:` of the nearest layer that has one.
    pub tls: Option<Tls>,
    /// `proxy:` of the nearest layer that has one.
    pub proxy: Option<(String, Place)>,
    /// Values that an earlier run stored.
    pub stored: Vec<Stored>,
    /// The tokens of managed logins that an earlier run kept: every member of each.
    pub tokens: Vec<(String, Map<String, Value>)>,
}

/// The files of an environment.
#[derive(Debug, Clone)]
pub struct Files {
    /// The shared file.
    pub shared: PathBuf,
    /// The shared file as it is printed.
    pub shared_shown: String,
    /// This person's file beside it; it may not exist.
    pub local: PathBuf,
    /// The local file as it is printed.
    pub local_shown: String,
}

/// Which embedded server a run starts.
#[derive(Debug, Clone)]
pub struct SandboxChoice {
    /// Where it is chosen.
    pub place: Place,
}

/// A variable and everything that declares it.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its declarations, lowest precedence first.
    pub declarations: Vec<Declaration>,
}

impl Variable {
    /// The highest declaration that has a value, given the process environment. A declaration without one hides no lower layer.
    #[must_use]
    pub fn effective(&self, process: &BTreeMap<String, String>) -> Option<&Declaration> {
        self.declarations.iter().rev().find(|declaration| declaration.has_value(process))
    }
}

/// One layer's word on a variable.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The layer.
    pub layer: Layer,
    /// Where it stands; a value of the command line has no place.
    pub place: Option<Place>,
    /// What it says.
    pub content: Content,
}

impl Declaration {
    /// Whether it has a value, given the process environment.
    #[must_use]
    pub fn has_value(&self, process: &BTreeMap<String, String>) -> bool {
        match &self.content {
            Content::Tree { .. } | Content::Literal { .. } => true,
            Content::ProcessVariable(name) => process.contains_key(name),
            Content::File { path, .. } => path.exists(),
            Content::Unset | Content::SecretUnset | Content::Prompt(_) => false,
        }
    }
}

/// The layers of an environment, lowest precedence first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// A file under `extends`, or the environment file itself.
    Shared,
    /// The local file.
    Local,
    /// `--var`, `--secret`, `RUNNER_VAR_…`, `RUNNER_SECRET_…`.
    CommandLine,
}

/// What gave a value of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBy {
    /// `--var`, `--secret`.
    Flag,
    /// `RUNNER_VAR_…`, `RUNNER_SECRET_…`.
    ProcessVariable,
}

/// What a declaration says.
#[derive(Clone)]
pub enum Content {
    /// A value with templates in it.
    Tree {
        /// The value.
        tree: Tree<Template>,
        /// `!secret` in a local file makes it a secret, `!plain` says that it is none.
        secret: Option<bool>,
    },
    /// A value of the command line: never a template.
    Literal {
        /// The value.
        value: Value,
        /// Whether it came as a secret.
        secret: bool,
        /// What gave it.
        by: GivenBy,
    },
    /// No value: it must be set elsewhere.
    Unset,
    /// `!secret` without a value: a secret that must be set elsewhere.
    SecretUnset,
    /// `!env NAME`.
    ProcessVariable(String),
    /// `!file PATH`, made absolute.
    File {
        /// The file.
        path: PathBuf,
        /// The path as written.
        written: String,
        /// Whether it must lie below the project root.
        confined: bool,
    },
    /// `!prompt TEXT`.
    Prompt(String),
}

impl std::fmt::Debug for Content {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("secret", &self.is_secret()).finish_non_exhaustive()
    }
}

impl Content {
    /// Whether the declaration by itself says that the variable is a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        match self {
            Self::Tree { secret, .. } => *secret == Some(true),
            Self::Literal { secret, .. } => *secret,
            Self::Unset => false,
            Self::SecretUnset | Self::ProcessVariable(_) | Self::File { .. } | Self::Prompt(_) => true,
        }
    }
}

/// `tls:` of an environment, or what the command line says in its place.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Further roots to trust, PEM.
    pub ca: Option<TlsFile>,
    /// The client's certificate, PEM.
    pub cert: Option<TlsFile>,
    /// The client's key, PEM.
    pub key: Option<TlsFile>,
    /// Where it says that certificates are not checked, when it does.
    pub insecure: Option<Place>,
}

/// A certificate or key. It may lie anywhere: what is read from it is never sent as text.
#[derive(Debug, Clone)]
pub struct TlsFile {
    /// The file, made absolute.
    pub path: PathBuf,
    /// Where it is named; `None` on the command line.
    pub place: Option<Place>,
}

impl Tls {
    /// Lays the files that the command line names over those of the environment.
    pub fn overlay(&mut self, given: &Self) {
        for (own, given) in [(&mut self.ca, &given.ca), (&mut self.cert, &given.cert), (&mut self.key, &given.key)] {
            if given.is_some() {
                own.clone_from(given);
            }
        }
    }
}

/// A value that an earlier run stored.
#[derive(Clone)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Whether it is a secret.
    pub secret: bool,
}

impl std::fmt::Debug for Stored {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("name", &self.name).field("secret", &self.secret).finish_non_exhaustive()
    }
}

impl Environment {
    /// The variable called `name`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Whether a file of the environment itself gives `name` a value (the command line does not count).
    #[must_use]
    pub fn gives(&self, name: &str) -> Option<&Declaration> {
        self.variable(name)?.declarations.iter().rev().find(|declaration| {
            declaration.layer != Layer::CommandLine && !matches!(declaration.content, Content::Unset | Content::SecretUnset)
        })
    }

    /// The files that hold its secrets: the local one, those of `!file`, in whatever layer, and the client's key.
    pub fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let declarations = self.variables.iter().flat_map(|variable| &variable.declarations);
        let files = declarations.filter_map(|declaration| match &declaration.content {
            Content::File { path, .. } => Some(path.as_path()),
            _ => None,
        });
        let key = self.tls.iter().filter_map(|tls| tls.key.as_ref()).map(|key| key.path.as_path());
        files.chain(key).chain(self.files.iter().map(|files| files.local.as_path()))
    }

    /// The stored value called `name`.
    #[must_use]
    pub fn stored_value(&self, name: &str) -> Option<&Stored> {
        self.stored.iter().find(|stored| stored.name == name)
    }

    /// Its managed logins.
    pub fn logins(&self) -> impl Iterator<Item = (&Definition, &Login)> {
        self.auth.iter().filter_map(|definition| match &definition.method {
            Method::Login(login) => Some((definition, &**login)),
            Method::Scheme(_) => None,
        })
    }

    /// The definition called `name`.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.auth.iter().find(|definition| definition.name == name)
    }
}

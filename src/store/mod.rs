//! Stored values in the local file: one save is locked, re-read, changed key by key, synced, and renamed into place.
//!
//! May import `environment`, `yaml`, `files` and what stands left of `plan`. It never decides whether a value may be stored; that is
//! the run's business.

mod tokens;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::environment::Files;
use crate::files::git::{self, Standing};
use crate::files::lock::{Lock, LockError};
use crate::files::read::{ReadError, read_local};
use crate::files::write;
use crate::mask::is_secret_name;
use crate::yaml::edit::{self, Change};
use crate::yaml::{self, Privacy};

/// How long a save waits for another process's save. A save takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The section of the local file that runner keeps.
const STORED: &str = "stored";

/// What keeps secrets and lock files out of git.
const IGNORED: &str = "*.local.*\n.*.lock\n";

/// The local file of one environment.
#[derive(Debug)]
pub struct Store {
    local: PathBuf,
    shown: String,
    lock: PathBuf,
}

/// One value to keep.
pub struct Keep<'k> {
    /// The variable.
    pub name: &'k str,
    /// Its value.
    pub value: &'k Value,
    /// Whether it is a secret.
    pub secret: bool,
}

impl std::fmt::Debug for Keep<'_> {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keep").field("name", &self.name).field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// Why a value could not be kept. The old file is intact.
#[derive(Debug)]
pub enum StoreError {
    /// Git tracks the file, or would take it with the next `git add`.
    Exposed {
        /// The file, as printed.
        shown: String,
        /// Whether it is in the index already.
        tracked: bool,
    },
    /// Another process holds the lock.
    Locked {
        /// Its process id, where known.
        holder: Option<u32>,
    },
    /// The file can't be read, changed or written.
    Failed {
        /// The file, as printed.
        shown: String,
        /// What happened.
        reason: String,
    },
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exposed { shown, tracked: true } => write!(f, "`{shown}` is tracked by git, so no secret is written to it"),
            Self::Exposed { shown, tracked: false } => {
                write!(f, "`{shown}` is not ignored by git, so no secret is written to it")
            }
            Self::Locked { holder: Some(pid) } => {
                write!(f, "another process ({pid}) has held the environment's lock for {} s", LOCK_WAIT.as_secs())
            }
            Self::Locked { holder: None } => {
                write!(f, "another process has held the environment's lock for {} s", LOCK_WAIT.as_secs())
            }
            Self::Failed { shown, reason } => write!(f, "can't save to `{shown}`: {reason}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    /// The error as it is told, with how to mend it; `shown` is the local file as printed.
    #[must_use]
    pub fn finding(&self, shown: &str) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::Exposed { tracked: true, .. } => {
                finding.refusal().help(format!("take it out of the index: git rm --cached {shown}"))
            }
            Self::Exposed { tracked: false, .. } => {
                finding.refusal().help("add this line to the .gitignore beside it: *.local.*")
            }
            Self::Locked { .. } | Self::Failed { .. } => finding,
        }
    }
}

impl Store {
    /// The store of an environment.
    #[must_use]
    pub fn new(files: &Files) -> Self {
        let stem = files.local.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            lock: files.local.with_file_name(format!(".{stem}.lock")),
            local: files.local.clone(),
            shown: files.local_shown.clone(),
        }
    }

    /// The local file as printed.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Looks whether a save can work: makes the `.gitignore` beside the environment when there is none and gives its name then, asks
    /// git's files, takes the lock once, reads the file, and makes a file in its folder.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn prepare(&self) -> Result<Option<String>, StoreError> {
        let made = self.ensure_ignored()?;
        self.refuse_exposed()?;
        let _lock = self.lock()?;
        let probe = Change { path: vec![STORED.to_owned(), "probe".to_owned()], value: Some(Value::Bool(true)), tag: None };
        edit::apply(&self.read()?, &[probe]).map_err(|error| self.failed(&error))?;
        // Gone as soon as it is made; its name is one that git ignores.
        tempfile::Builder::new().prefix(".probe.local.").tempfile_in(self.folder()).map_err(|error| self.failed(&error))?;
        Ok(made)
    }

    fn ensure_ignored(&self) -> Result<Option<String>, StoreError> {
        let path = self.local.with_file_name(".gitignore");
        match write::create_new(&path, IGNORED) {
            Ok(()) => Ok(Some(Path::new(&self.shown).with_file_name(".gitignore").display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Keeps values under `stored:`. They are on disk when this returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn keep(&self, values: &[Keep<'_>]) -> Result<(), StoreError> {
        self.change(&values.iter().map(change).collect::<Vec<_>>())
    }

    /// Changes keys of the local file, whatever their section. The changes are on disk when this returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn change(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.refuse_exposed()?;
        let _lock = self.lock()?;
        // Read again under the lock: what a person or another run wrote meanwhile stays.
        let old = self.read()?;
        let new = edit::apply(&old, changes).map_err(|error| self.failed(&error))?;
        write::replace_checked(&self.local, new.as_bytes(), |written| {
            let text = String::from_utf8(written.to_vec()).map_err(|error| error.to_string())?;
            yaml::read(&self.shown, text, Privacy::Hidden).map(drop).map_err(|_| "what was written is no YAML".to_owned())
        })
        .map_err(|error| self.failed(&error))
    }

    /// Refuses a file that git tracks or would take.
    fn refuse_exposed(&self) -> Result<(), StoreError> {
        match git::standing(&self.local) {
            Standing::Outside | Standing::Ignored => Ok(()),
            Standing::Unclear(reason) => Err(self.failed(&format!("can't tell whether git tracks it: {reason}"))),
            Standing::Tracked => Err(StoreError::Exposed { shown: self.shown.clone(), tracked: true }),
            Standing::NotIgnored => Err(StoreError::Exposed { shown: self.shown.clone(), tracked: false }),
        }
    }

    /// The lock of one login: `.dev.NAME.lock` beside the local file. A name may hold anything, a file name may not.
    fn lock_of_login(&self, name: &str) -> PathBuf {
        let stem = self.local.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let environment = stem.strip_suffix(".local").unwrap_or(&stem);
        let name = percent_encoding::utf8_percent_encode(name, crate::template::RESERVED_IN_URL);
        self.local.with_file_name(format!(".{environment}.{name}.lock"))
    }

    fn lock(&self) -> Result<Lock, StoreError> {
        Lock::acquire(&self.lock, LOCK_WAIT).map_err(|error| match error {
            LockError::Held(holder) => StoreError::Locked { holder },
            LockError::Io(error) => self.failed(&error),
        })
    }

    fn read(&self) -> Result<String, StoreError> {
        match read_local(&self.local) {
            Ok(local) => Ok(local.text),
            Err(ReadError::NotFound) => Ok(String::new()),
            Err(error) => Err(self.failed(&format!("it {error}"))),
        }
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> StoreError {
        StoreError::Failed { shown: self.shown.clone(), reason: reason.to_string() }
    }

    fn folder(&self) -> &Path {
        self.local.parent().unwrap_or(Path::new("."))
    }
}

/// A stored secret whose name does not say so is marked, and so is a plain value whose name says the opposite.
fn change(keep: &Keep<'_>) -> Change {
    let named_secret = is_secret_name(keep.name) && !matches!(keep.value, Value::Number(_) | Value::Bool(_));
    let tag = match (keep.secret, named_secret) {
        (true, false) => Some("!secret"),
        (false, true) => Some("!plain"),
        _ => None,
    };
    Change { path: vec![STORED.to_owned(), keep.name.to_owned()], value: Some(keep.value.clone()), tag }
}

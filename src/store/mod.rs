//! Stored values in the local file: one save is locked, re-read, changed key by key, synced, and renamed into place.
//!
//! The lock keeps runs apart. A person's editor knows nothing of it, so the file is looked at once more right before the rename:
//! an edit that was finished by then is kept, one that begins after the save is too.
//!
//! May import `environment`, `yaml`, `files` and what stands left of `plan`. It never decides whether a value may be stored; that is
//! the run's business.

mod tokens;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::environment::Files;
use crate::files::git::{self, Standing};
use crate::files::lock::{Lock, LockError};
use crate::files::read::{ReadError, read_local};
use crate::files::write::{self, ReplaceError};
use crate::mask::is_secret_name;
use crate::yaml::edit::{self, Change};

/// How long a save waits for another process's save. A save takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How often a save starts anew because someone changed the file while it was written.
const ATTEMPTS: usize = 100;

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

/// Why a value could not be kept. Unless it says otherwise, the old file is intact.
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
    /// The file holds the values, but nothing says that it will after a power cut.
    Unsynced {
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
            Self::Unsynced { shown, reason } => {
                write!(f, "`{shown}` was written, but may be lost in a power cut: its folder can't be synced: {reason}")
            }
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
            // A save can be killed at any moment and harms nothing.
            Self::Locked { holder: Some(pid) } => finding
                .help(format!("if it is stopped, let it go on: kill -CONT {pid}"))
                .help(format!("if it hangs, end it: kill -KILL {pid}")),
            Self::Locked { holder: None } | Self::Failed { .. } | Self::Unsynced { .. } => finding,
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
    /// git's files, takes the lock once, reads the file, and makes a file in its folder. Takes away what killed saves left there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn prepare(&self) -> Result<Option<String>, StoreError> {
        let ignore = self.local.with_file_name(".gitignore");
        let ignores = fs::symlink_metadata(&ignore).is_ok();
        // Asked before there is a lock file: git would take that too.
        if ignores {
            self.refuse_exposed()?;
        }
        let _lock = self.lock().await?;
        write::remove_stale(&self.local);
        let made = if ignores { None } else { self.make_ignore(&ignore)? };
        let probe = Change { path: vec![STORED.to_owned(), "probe".to_owned()], value: Some(Value::Bool(true)), tag: None };
        edit::apply(&self.read()?, &[probe]).map_err(|error| self.failed(&error))?;
        // A killed save leaves its temporary file behind: git must not take that either.
        let staged = write::staged_like(&self.local);
        self.refuse_exposed_at(&staged, &self.beside(&staged.file_name().unwrap_or_default().to_string_lossy()))?;
        write::probe(&self.local).map_err(|error| self.failed(&error))?;
        Ok(made)
    }

    /// The name of the new `.gitignore`; `None` when another process was faster.
    fn make_ignore(&self, path: &Path) -> Result<Option<String>, StoreError> {
        let made = match write::create_new(path, IGNORED, &self.local) {
            Ok(()) => Some(self.beside(".gitignore")),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => None,
            Err(error) => return Err(self.failed(&error)),
        };
        self.refuse_exposed()?;
        Ok(made)
    }

    /// Keeps values under `stored:`. They are on disk when this returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep(&self, values: &[Keep<'_>]) -> Result<(), StoreError> {
        self.change(&values.iter().map(change).collect::<Vec<_>>()).await
    }

    /// Changes keys of the local file, whatever their section. The changes are on disk when this returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn change(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.refuse_exposed()?;
        let _lock = self.lock().await?;
        for _ in 0..ATTEMPTS {
            // Read again under the lock: what a person or another run wrote meanwhile stays.
            let old = self.read()?;
            let new = match edit::apply(&old, changes) {
                Ok(new) => new,
                // Half of it was read before an editor wrote and half behind it.
                Err(_) if self.read()? != old => continue,
                Err(error) => return Err(self.failed(&error)),
            };
            let unchanged = || match self.read() {
                Ok(now) if now == old => Ok(()),
                Ok(_) => Err(None),
                Err(error) => Err(Some(error)),
            };
            match write::replace_checked(&self.local, new.as_bytes(), unchanged) {
                Ok(()) => return Ok(()),
                Err(ReplaceError::Check(None)) => {}
                Err(ReplaceError::Check(Some(error))) => return Err(error),
                Err(ReplaceError::Io(error)) => return Err(self.failed(&error)),
                Err(ReplaceError::Garbled) => return Err(self.failed(&"what was read back is not what was written")),
                Err(ReplaceError::Unsynced(error)) => {
                    return Err(StoreError::Unsynced { shown: self.shown.clone(), reason: error.to_string() });
                }
            }
        }
        Err(self.failed(&"it was changed by someone else again and again"))
    }

    /// Refuses a file that git tracks or would take.
    fn refuse_exposed(&self) -> Result<(), StoreError> {
        self.refuse_exposed_at(&self.local, &self.shown)
    }

    fn refuse_exposed_at(&self, path: &Path, shown: &str) -> Result<(), StoreError> {
        match git::standing(path) {
            Standing::Outside | Standing::Ignored => Ok(()),
            Standing::Unclear(reason) => Err(self.failed(&format!("can't tell whether git tracks it: {reason}"))),
            Standing::Tracked => Err(StoreError::Exposed { shown: shown.to_owned(), tracked: true }),
            Standing::NotIgnored => Err(StoreError::Exposed { shown: shown.to_owned(), tracked: false }),
        }
    }

    /// The lock of one login: `.dev.local.login.NAME.lock` beside the local file. It is apart from the lock of a save whatever the
    /// login is called: a save happens while it is held. A name may hold anything, a file name may not.
    fn lock_of_login(&self, name: &str) -> PathBuf {
        let stem = self.local.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name = percent_encoding::utf8_percent_encode(name, crate::template::RESERVED_IN_URL);
        self.local.with_file_name(format!(".{stem}.login.{name}.lock"))
    }

    async fn lock(&self) -> Result<Lock, StoreError> {
        Lock::acquire(&self.lock, LOCK_WAIT).await.map_err(|error| match error {
            LockError::Held(holder) => StoreError::Locked { holder },
            LockError::Io(error) => {
                let name = self.lock.file_name().unwrap_or_default().to_string_lossy();
                self.failed(&format!("its lock `{}` can't be taken: {error}", self.beside(&name)))
            }
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

    /// A file beside the local one, as printed.
    fn beside(&self, name: &str) -> String {
        Path::new(&self.shown).with_file_name(name).display().to_string()
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

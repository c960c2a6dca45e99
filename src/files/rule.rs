//! What a collection may not read, by name and by kind, and how that is said.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::diagnostic::{Diagnostic, Place};

use super::read::ReadError;

/// As many characters of a path are shown; what is longer is no path that a person wrote.
const SHOWN: usize = 200;

/// Why a path that a file names was not opened.
#[derive(Debug)]
pub struct Refusal {
    /// The path as the file spells it.
    pub named: String,
    /// What stands against it.
    pub rule: Rule,
}

/// What stands against a path. The text is a predicate, to be put behind the path.
#[derive(Debug)]
pub enum Rule {
    /// It starts at the file system's root.
    Absolute,
    /// It is a URL.
    Url,
    /// It holds a zero byte, where the system would end it.
    ZeroByte,
    /// It, or a link in it, leaves this project root.
    Outside(PathBuf),
    /// This component starts with `.`.
    Hidden(String),
    /// This component is named like a local file, which holds secrets.
    Local(String),
    /// It lies in a folder of environments.
    Environment,
    /// The environment takes a secret from it.
    Secret,
    /// The system makes it up: a file of `/proc` or `/sys`.
    System,
    /// More links than anyone needs, or a circle of them.
    Links,
    /// It may be read, but can't.
    Unreadable(ReadError),
}

impl Rule {
    /// Whether policy refuses the path (exit code 6); otherwise the file is missing or unreadable (exit code 2).
    #[must_use]
    pub const fn is_policy(&self) -> bool {
        !matches!(self, Self::Unreadable(_))
    }

    /// `finding`, which tells of this rule, with the exit code that belongs to it.
    #[must_use]
    pub fn judge(&self, finding: Diagnostic) -> Diagnostic {
        if self.is_policy() { finding.refusal() } else { finding }
    }
}

impl Refusal {
    /// The refusal as a finding: `what` is the file that `place` names, such as `the body file`.
    #[must_use]
    pub fn finding(&self, what: &str, place: &Place) -> Diagnostic {
        self.rule.judge(place.error(format!("{what} {self}")))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute => f.write_str("is an absolute path, expected one relative to the file that names it"),
            Self::Url => f.write_str("is a URL, expected a path relative to the file that names it"),
            Self::ZeroByte => f.write_str("is no path: it holds a zero byte"),
            Self::Outside(root) => write!(f, "lies outside of the project root `{}`", root.display()),
            Self::Hidden(name) => write!(f, "is not read: `{}` starts with `.`", name.escape_debug()),
            Self::Local(name) => write!(f, "is not read: `{}` is named like a local file", name.escape_debug()),
            Self::Environment => f.write_str("is not read: it lies in an `environments` folder"),
            Self::Secret => f.write_str("is not read: the environment takes a secret from it"),
            Self::System => f.write_str("is not read: it tells about this process or machine and is no file of the project"),
            Self::Links => f.write_str("is not read: too many symbolic links"),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The spelling comes from a file, this is one line.
        let shown: String = self.named.chars().take(SHOWN).collect();
        let cut = if shown.len() < self.named.len() { "…" } else { "" };
        write!(f, "`{}{cut}` {}", shown.escape_debug(), self.rule)
    }
}

impl std::error::Error for Refusal {}

impl From<ReadError> for Rule {
    fn from(error: ReadError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Errno> for Rule {
    fn from(error: Errno) -> Self {
        Self::Unreadable(io::Error::from(error).into())
    }
}

/// Whether `text` is spelt as a URL.
pub(super) fn is_url(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The rules for one component of a path.
pub(super) fn allowed(name: &OsStr) -> Result<(), Rule> {
    if plain(name).starts_with('.') {
        return Err(Rule::Hidden(name.to_string_lossy().into_owned()));
    }
    if is_local(name) {
        return Err(Rule::Local(name.to_string_lossy().into_owned()));
    }
    if is_environments(name) {
        return Err(Rule::Environment);
    }
    Ok(())
}

/// Whether a folder of this name holds environments.
#[must_use]
pub fn is_environments(name: &OsStr) -> bool {
    // FAT and NTFS drop spaces and dots at the end.
    plain(name).trim_end_matches([' ', '.']) == "ENVIRONMENTS"
}

/// Whether a file of this name is a local one, which holds secrets.
#[must_use]
pub fn is_local(name: &OsStr) -> bool {
    plain(name).contains(".LOCAL.")
}

/// A name without what file systems overlook, so that no other spelling is a way round a rule: upper and lower case (also `ſ` for
/// `s`), and characters without a width (HFS+).
fn plain(name: &OsStr) -> String {
    let unseen = |c: &char| matches!(c, '\u{200C}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{206A}'..='\u{206F}' | '\u{FEFF}');
    name.to_string_lossy().chars().filter(|c| !unseen(c)).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_that_a_file_system_may_take_for_the_same_name_is_a_way_round() {
        let hidden = [".env", ".git", ".GIT", "\u{200C}.git", ".", "...", ". .", "\u{FEFF}.x"];
        let local = ["dev.local.yaml", "DEV.Local.YAML", "a.lo\u{200D}cal.b", ".local.", "x.local.y.z", "dev.local.yaml. "];
        let environments =
            ["environments", "Environments", "ENVIRONMENTS", "environment\u{17F}", "environments.", "environments . "];
        let free =
            ["a.json", "local", "x.local", "local.yaml", "a.locale.b", "environment", "environments.d", "my environments", " "];
        for name in hidden {
            assert!(matches!(allowed(name.as_ref()), Err(Rule::Hidden(_))), "{name:?}");
        }
        for name in local {
            assert!(is_local(name.as_ref()) && allowed(name.as_ref()).is_err(), "{name:?}");
        }
        for name in environments {
            assert!(is_environments(name.as_ref()) && matches!(allowed(name.as_ref()), Err(Rule::Environment)), "{name:?}");
        }
        for name in free {
            assert!(allowed(name.as_ref()).is_ok() && !is_local(name.as_ref()) && !is_environments(name.as_ref()), "{name:?}");
        }
    }

    #[test]
    fn a_url_is_told_from_a_path() {
        for url in ["file:///etc/passwd", "FILE://x", "https://example.com/a"] {
            assert!(is_url(url), "{url}");
        }
        for path in ["a.json", "://x", "a/b://c", "file:", "c:/x", ""] {
            assert!(!is_url(path), "{path}");
        }
    }

    #[test]
    fn a_path_that_no_person_wrote_is_not_repeated_whole() {
        let refusal = Refusal { named: "ä".repeat(100_000), rule: Rule::Links };
        assert_eq!(refusal.to_string(), format!("`{}…` is not read: too many symbolic links", "ä".repeat(200)));
    }
}

//! The git work trees around a file: where the top of each, its git folder and the folder shared by all work trees lie.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::read::{ReadError, read_text};

use super::config::Config;

/// A work tree.
#[derive(Debug)]
pub(super) struct WorkTree {
    /// The folder that holds `.git`.
    pub(super) top: PathBuf,
    /// Where this work tree's index lies.
    pub(super) git: PathBuf,
    /// Where what all work trees share lies.
    pub(super) common: PathBuf,
    /// The bytes of an object's name.
    pub(super) hash: usize,
    /// Whether upper and lower case are one here.
    pub(super) ignore_case: bool,
    /// Whether git would take it for a repository, too; if not, it looks further up.
    pub(super) whole: bool,
}

/// The work trees above `path`, which is absolute and without links; the nearest first.
pub(super) fn above(path: &Path) -> Result<Vec<WorkTree>, String> {
    let mut found = Vec::new();
    for top in path.ancestors().skip(1) {
        found.extend(at(top)?);
    }
    Ok(found)
}

/// The work tree whose top is `top`.
fn at(top: &Path) -> Result<Option<WorkTree>, String> {
    let entry = top.join(".git");
    let git = match fs::metadata(&entry) {
        Ok(facts) if facts.is_dir() => {
            // Like git, which takes a folder without a HEAD for something else and goes on upwards.
            if fs::symlink_metadata(entry.join("HEAD")).is_err() {
                return Ok(None);
            }
            entry
        }
        Ok(_) => {
            let git = top.join(pointer(&entry, "gitdir:")?);
            if fs::symlink_metadata(git.join("HEAD")).is_err() {
                return Err(no_git_folder(&entry));
            }
            git
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(format!("`{}` can't be read: {error}", entry.display())),
    };
    let shared = git.join("commondir");
    let is_linked = fs::symlink_metadata(&shared).is_ok();
    let common = if is_linked { git.join(pointer(&shared, "")?) } else { git.clone() };
    let config = config(&common.join("config"))?;
    // A linked work tree says by itself where it lies.
    if let (false, Some(elsewhere)) = (is_linked, config.last("core", "worktree"))
        && fs::canonicalize(git.join(elsewhere)).ok().as_deref() != Some(top)
    {
        return Err(format!("`core.worktree` puts the work tree of `{}` elsewhere", git.display()));
    }
    let is_sha256 = config.last("extensions", "objectformat").is_some_and(|format| format.eq_ignore_ascii_case("sha256"));
    let whole = ["objects", "refs"].iter().all(|folder| common.join(folder).is_dir());
    let hash = if is_sha256 { 32 } else { 20 };
    Ok(Some(WorkTree { top: top.to_path_buf(), git, common, hash, ignore_case: config.is_on("core", "ignorecase"), whole }))
}

/// The path in a file of one line.
fn pointer(file: &Path, label: &str) -> Result<PathBuf, String> {
    let text = read_text(file).map_err(|error| format!("`{}` {error}", file.display()))?;
    match text.strip_prefix(label).map(str::trim) {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(no_git_folder(file)),
    }
}

fn no_git_folder(file: &Path) -> String {
    format!("`{}` names no git folder", file.display())
}

/// The repository's own configuration; what it includes does not say what kind of repository it is.
fn config(file: &Path) -> Result<Config, String> {
    match read_text(file) {
        Err(ReadError::NotFound) => Ok(Config::default()),
        read => read.map(|text| Config::read(&text)).map_err(|error| format!("`{}` {error}", file.display())),
    }
}

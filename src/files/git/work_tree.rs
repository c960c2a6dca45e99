//! The git work tree around a file: where its top, its git folder and the folder shared by all work trees lie.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::read::{ReadError, read_text};

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
}

/// The nearest work tree above `path`, which is absolute and without links.
pub(super) fn above(path: &Path) -> Result<Option<WorkTree>, String> {
    for top in path.ancestors().skip(1) {
        let entry = top.join(".git");
        let git = match fs::metadata(&entry) {
            Ok(facts) if facts.is_dir() => entry,
            Ok(_) => top.join(pointer(&entry, "gitdir:")?),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(format!("`{}` can't be read: {error}", entry.display())),
        };
        // Like git, which takes a folder without a HEAD for something else and goes on upwards.
        if fs::symlink_metadata(git.join("HEAD")).is_err() && git.starts_with(top) {
            continue;
        }
        let shared = git.join("commondir");
        let common = if shared.exists() { git.join(pointer(&shared, "")?) } else { git.clone() };
        let hash = if names_sha256(&common.join("config"))? { 32 } else { 20 };
        return Ok(Some(WorkTree { top: top.to_path_buf(), git, common, hash }));
    }
    Ok(None)
}

/// The path in a file of one line.
fn pointer(file: &Path, label: &str) -> Result<PathBuf, String> {
    let text = read_text(file).map_err(|error| format!("`{}` {error}", file.display()))?;
    match text.strip_prefix(label).map(str::trim) {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(format!("`{}` names no git folder", file.display())),
    }
}

/// Whether the repository names its objects by SHA-256; the rest of its configuration is of no interest here.
fn names_sha256(config: &Path) -> Result<bool, String> {
    let text = match read_text(config) {
        Err(ReadError::NotFound) => return Ok(false),
        read => read.map_err(|error| format!("`{}` {error}", config.display()))?,
    };
    let is_format = |line: &str| {
        let (key, value) = line.split_once('=').unwrap_or_default();
        key.trim().eq_ignore_ascii_case("objectformat") && value.trim().eq_ignore_ascii_case("sha256")
    };
    Ok(text.lines().any(is_format))
}

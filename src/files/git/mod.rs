//! Whether git tracks or ignores a file: index and ignore rules are read in-process.
//!
//! git itself is never run: a repository from elsewhere can name programs that git would start for it. Whenever something can't
//! be read for certain, the answer errs towards "git would take it".

mod config;
mod ignored;
mod index;
mod work_tree;

use index::Wanted;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// How git sees a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not below a git work tree: nothing to check.
    Outside,
    /// In the index.
    Tracked,
    /// Not in the index and not ignored: the next `git add .` takes it.
    NotIgnored,
    /// Ignored.
    Ignored,
    /// Below a git work tree whose index can't be read; why, in one line. To be treated like [`Standing::Tracked`].
    Unclear(String),
}

/// How git sees `path`, which need not exist. Folders that are symbolic links are resolved first, the last component is not.
#[must_use]
pub fn standing(path: &Path) -> Standing {
    match decide(path) {
        Ok(standing) => standing,
        Err(why) => Standing::Unclear(why),
    }
}

fn decide(path: &Path) -> Result<Standing, String> {
    let path = resolve(path).map_err(|error| error.to_string())?;
    let mut trees = Vec::new();
    for tree in work_tree::above(&path)? {
        let relative = path.strip_prefix(&tree.top).map_err(|error| error.to_string())?.to_owned();
        let wanted = Wanted { path: relative.as_os_str().as_bytes(), ignore_case: tree.ignore_case };
        // An outer repository may have taken the file before there was an inner one, and goes on taking it.
        if index::tracks(&tree.git, tree.hash, wanted).map_err(|error| error.to_string())? {
            return Ok(Standing::Tracked);
        }
        trees.push((tree, relative));
    }
    if trees.is_empty() {
        return Ok(Standing::Outside);
    }
    // The rules of the nearest repository decide. One that lacks what makes git take it for one must not be the only word.
    let asked = trees.iter().position(|(tree, _)| tree.whole).map_or(trees.len(), |nearest| nearest + 1);
    let ignored = trees.iter().take(asked).all(|(tree, relative)| ignored::is_ignored(tree, relative));
    Ok(if ignored { Standing::Ignored } else { Standing::NotIgnored })
}

/// `path` with its folders resolved as far as they exist.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    };
    for existing in folder.ancestors() {
        match fs::canonicalize(existing) {
            Ok(mut real) => {
                for component in folder.strip_prefix(existing).unwrap_or(Path::new("")).components() {
                    match component {
                        Component::ParentDir => drop(real.pop()),
                        other => real.push(other),
                    }
                }
                real.push(name);
                return Ok(real);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests;

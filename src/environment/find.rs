//! `--env NAME`: which file it means.

use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, nearest};
use crate::files::rule;

/// The file that `--env name` means for a collection in `folder`: a path, or `environments/NAME.yaml` in that folder or the
/// nearest above it, up to `root`.
///
/// # Errors
/// There is none; the message lists what exists and suggests the nearest.
pub fn find(name: &str, folder: &Path, root: &Path, working_folder: &Path) -> Result<PathBuf, Diagnostic> {
    if name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml") {
        let path = working_folder.join(name);
        if is_local(&path) {
            return Err(local_refused(name));
        }
        return if path.is_file() { Ok(path) } else { Err(Diagnostic::error(format!("there is no environment file `{name}`"))) };
    }
    if name.ends_with(".local") {
        return Err(local_refused(name));
    }
    let folders = folders(folder, root);
    for folder in &folders {
        for ending in ["yaml", "yml"] {
            let path = folder.join(format!("{name}.{ending}"));
            if path.is_file() {
                return Ok(path);
            }
        }
    }
    let names = available(folder, root);
    let mut finding = Diagnostic::error(format!("unknown environment `{name}`"));
    if let Some(near) = nearest(name, names.iter().map(String::as_str)) {
        finding = finding.help(format!("did you mean `{near}`?"));
    }
    Err(if names.is_empty() {
        finding.help(match folders.as_slice() {
            [] if folder == root => format!("there is no `environments` folder in `{}`", folder.display()),
            [] if !folder.starts_with(root) => {
                format!("`{}` lies outside of the project root `{}`", folder.display(), root.display())
            }
            [] => format!(
                "there is no `environments` folder from `{}` up to the project root `{}`",
                folder.display(),
                root.display()
            ),
            [nearest, ..] => format!("`{}` holds no environment", nearest.display()),
        })
    } else {
        finding.help(format!("environments: {}", names.join(", ")))
    })
}

/// Whether `path` is named like a local file.
pub(super) fn is_local(path: &Path) -> bool {
    path.file_name().is_some_and(rule::is_local)
}

/// A local file is read beside its environment and in no other way: its lines may be shown nowhere.
pub(super) fn local_refused(name: &str) -> Diagnostic {
    let shared = name.replacen(".local", "", 1);
    Diagnostic::error(format!("`{name}` is a local file and no environment of its own"))
        .help(format!("it is read together with `{shared}`"))
}

/// The names of all environments that a collection in `folder` can use, sorted.
#[must_use]
pub fn available(folder: &Path, root: &Path) -> Vec<String> {
    let mut names: Vec<String> = folders(folder, root)
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
            let usable = !stem.contains(".local") && !stem.starts_with('.') && entry.path().is_file();
            usable.then(|| stem.to_owned())
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The `environments` folders at or above `folder`, nearest first, none above `root`.
fn folders(folder: &Path, root: &Path) -> Vec<PathBuf> {
    folder
        .ancestors()
        .take_while(|ancestor| ancestor.starts_with(root))
        .map(|ancestor| ancestor.join("environments"))
        .filter(|candidate| candidate.is_dir())
        .collect()
}

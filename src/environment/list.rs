//! The environments that there are, without loading any.

use std::path::{Path, PathBuf};

use crate::files::read::read_text;
use crate::yaml::{self, Privacy};

use super::find::{available, find};

/// An environment that can be chosen.
#[derive(Debug)]
pub struct Listed {
    /// Its name, as `--env` takes it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The local file beside it, if there is one.
    pub local: Option<PathBuf>,
    /// `extends`, as written; empty also where the file can't be read.
    pub extends: Vec<String>,
}

/// The environments that can be chosen in `folder`, by name; of equal names the nearest.
#[must_use]
pub fn list(folder: &Path, root: &Path) -> Vec<Listed> {
    let listed = |name: String| {
        let path = find(&name, folder, root, folder).ok()?;
        let local = path.with_file_name(format!("{name}.local.yaml"));
        let local = local.symlink_metadata().is_ok().then_some(local);
        Some(Listed { extends: extends(&path), name, path, local })
    };
    available(folder, root).into_iter().filter_map(listed).collect()
}

/// What a file names under `extends`. Its mistakes are told when it is loaded.
fn extends(path: &Path) -> Vec<String> {
    let Ok(text) = read_text(path) else { return Vec::new() };
    let Ok(document) = yaml::read_on("", text, Privacy::HideTagged) else { return Vec::new() };
    let Some(node) = document.root.as_ref().and_then(|root| root.get("extends")) else { return Vec::new() };
    let nodes = match &node.value {
        yaml::Value::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    };
    nodes.into_iter().filter_map(|node| node.scalar()).map(|scalar| scalar.text.clone()).collect()
}

//! Finding and loading collection files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::files::read::{ReadError, read_text};
use crate::files::rule::{is_environments, is_local};
use crate::template::Builder;
use crate::yaml::{self, Decoder, Document, Privacy};

use super::decode;
use super::model::Collection;

/// A collection with what is worth saying about it.
#[derive(Debug)]
pub struct Loaded {
    /// The collection.
    pub collection: Collection,
    /// Warnings and, when the file has mistakes, errors.
    pub findings: Vec<Diagnostic>,
    /// In a file with mistakes every key: names that it may declare in a part that could not be read.
    pub uncertain: BTreeSet<String>,
}

/// Loads the file at `path`, printed as `shown`. Mistakes are findings of the result: what could be read is there, so that
/// the mistakes of all files can be told at once.
///
/// # Errors
/// The file can't be read, or is no YAML at all.
pub fn load(path: &Path, shown: &str, templates: &mut Builder) -> Result<Loaded, Vec<Diagnostic>> {
    let text = read_text(path).map_err(|error| {
        let finding = unreadable(shown, &error.to_string());
        let meant = if matches!(error, ReadError::NotFound) { neighbour(path, shown) } else { None };
        vec![match meant {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding,
        }]
    })?;
    load_text(path, shown, text, templates)
}

/// Decodes `text` as the file at `path`, printed as `shown`.
///
/// # Errors
/// It is no YAML at all.
pub fn load_text(path: &Path, shown: &str, text: String, templates: &mut Builder) -> Result<Loaded, Vec<Diagnostic>> {
    let document = yaml::read_on(shown, text, Privacy::Open)?;
    let mut decoder = Decoder::new(&document.file);
    let collection = decode::collection(&mut decoder, templates, &document, path);
    let mistakes = decoder.finish();
    let mut uncertain = BTreeSet::new();
    if let (Some(root), true) = (&document.root, document.has_mistakes() || !mistakes.is_empty()) {
        root.collect_keys(&mut uncertain);
    }
    let findings = document.warnings.into_iter().chain(mistakes).collect();
    Ok(Loaded { collection, findings, uncertain })
}

/// The file beside the missing one at `path` that was probably meant.
fn neighbour(path: &Path, shown: &str) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let mut names: Vec<String> = std::fs::read_dir(path.parent()?)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && is_yaml(name))
        .collect();
    names.sort();
    let near = nearest(wanted, names.iter().map(String::as_str))?;
    Some(Path::new(shown).with_file_name(near).display().to_string())
}

/// Whether a collection may have this name.
fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn unreadable(shown: &str, reason: &str) -> Diagnostic {
    Diagnostic::error(format!("the collection `{shown}` {reason}"))
}

/// Every collection below `folder`: files that end in `.yaml` or `.yml` and have `requests:` at the top, sorted by path. Folders
/// that start with a dot, folders called `environments` and local files are left out: a mistake in a local file would show a line
/// of it. Messages call the folder `shown`.
///
/// # Errors
/// A folder can't be listed, or a file does not parse.
pub fn discover(folder: &Path, shown: &Path) -> Result<Vec<PathBuf>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut findings = Vec::new();
    walk(folder, shown, &mut found, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    found.sort();
    Ok(found)
}

/// A file that is probably meant to be a collection: it must not drop out of a run without a word.
fn mistyped_requests(document: &Document) -> Option<Diagnostic> {
    let entries = document.root.as_ref()?.entries()?;
    let slip = entries.iter().find(|entry| nearest(&entry.key, ["requests"]).is_some())?;
    let place = Place::new(&document.file, slip.key_span);
    Some(place.error(format!("unknown key `{}` in a collection", slip.key)).label("did you mean `requests`?"))
}

fn walk(folder: &Path, shown: &Path, found: &mut Vec<PathBuf>, findings: &mut Vec<Diagnostic>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            findings.push(Diagnostic::error(format!("the folder `{}` can't be listed: {error}", shown.display())));
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The type of the entry itself: a symlinked folder is not followed, so there is no cycle.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !name.starts_with('.') && !is_environments(&entry.file_name()) {
            walk(&path, &shown.join(&*name), found, findings);
        } else if kind.is_file() && !is_local(&entry.file_name()) && !name.starts_with('.') && is_yaml(&name) {
            let shown = shown.join(&*name).display().to_string();
            match read_text(&path)
                .map_err(|error| vec![unreadable(&shown, &error.to_string())])
                .and_then(|text| yaml::read(&shown, text, Privacy::Open))
            {
                Ok(Document { root: Some(root), .. }) if root.get("requests").is_some() => found.push(path),
                Ok(document) => findings.extend(mistyped_requests(&document)),
                Err(more) => findings.extend(more),
            }
        }
    }
}

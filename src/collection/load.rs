//! Finding and loading collection files.

use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::files::read::read_text;
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
}

/// Loads the file at `path`, printed as `shown`. Mistakes are findings of the result: what could be read is there, so that
/// the mistakes of all files can be told at once.
///
/// # Errors
/// The file can't be read, or is no YAML at all.
pub fn load(path: &Path, shown: &str, templates: &mut Builder) -> Result<Loaded, Vec<Diagnostic>> {
    let text = read_text(path).map_err(|error| vec![unreadable(shown, &error.to_string())])?;
    load_text(path, shown, text, templates)
}

/// Decodes `text` as the file at `path`.
pub(crate) fn load_text(path: &Path, shown: &str, text: String, templates: &mut Builder) -> Result<Loaded, Vec<Diagnostic>> {
    let document = yaml::read(shown, text, Privacy::Open)?;
    let mut decoder = Decoder::new(&document.file);
    let collection = decode::collection(&mut decoder, templates, &document, path);
    let mut findings = document.warnings;
    findings.extend(decoder.finish());
    Ok(Loaded { collection, findings })
}

fn unreadable(shown: &str, reason: &str) -> Diagnostic {
    Diagnostic::error(format!("can't read the collection `{shown}`: {reason}"))
}

/// Every collection below `folder`: files that end in `.yaml` or `.yml` and have `requests:` at the top, sorted by path. Folders
/// that start with a dot and folders called `environments` are left out.
///
/// # Errors
/// A folder can't be listed, or a file does not parse.
pub fn discover(folder: &Path) -> Result<Vec<PathBuf>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut findings = Vec::new();
    walk(folder, &mut found, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>, findings: &mut Vec<Diagnostic>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            findings.push(Diagnostic::error(format!("can't list the folder `{}`: {error}", folder.display())));
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The type of the entry itself: a symlinked folder is not followed, so there is no cycle.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !name.starts_with('.') && name != "environments" {
            walk(&path, found, findings);
        } else if kind.is_file() && !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml")) {
            let shown = path.display().to_string();
            match read_text(&path)
                .map_err(|error| vec![unreadable(&shown, &error.to_string())])
                .and_then(|text| yaml::read(&shown, text, Privacy::Open))
            {
                Ok(Document { root: Some(root), .. }) if root.get("requests").is_some() => found.push(path),
                Ok(_) => {}
                Err(more) => findings.extend(more),
            }
        }
    }
}

//! Which request is meant: its name, the start of it, or a line of its file.

use std::path::{Path, PathBuf};

use crate::collection::Request;
use crate::diagnostic::{Diagnostic, nearest};
use crate::plan::Plan;

/// `FILE:LINE` as a file and a line; a file that is really called so is a file.
pub(super) fn with_line(typed: &Path, folder: &Path) -> (PathBuf, Option<usize>) {
    if !folder.join(typed).exists()
        && let Some((file, line)) = typed.to_str().and_then(split_line)
    {
        return (PathBuf::from(file), Some(line));
    }
    (typed.to_owned(), None)
}

fn split_line(text: &str) -> Option<(&str, usize)> {
    let (file, line) = text.rsplit_once(':')?;
    Some((file, line.parse().ok()?))
}

/// A request with the place of its collection in the plan.
type Candidate<'p> = (usize, &'p Request);

/// The request that is meant.
///
/// # Errors
/// None is, or several may be.
pub(super) fn request<'p>(plan: &'p Plan, wanted: Option<&str>, line: Option<usize>) -> Result<Candidate<'p>, Diagnostic> {
    let units = plan.units.iter().enumerate().filter(|(_, unit)| !unit.needed);
    let all: Vec<Candidate<'p>> =
        units.flat_map(|(unit, planned)| planned.collection.requests.iter().map(move |request| (unit, request))).collect();
    match (wanted, line) {
        (Some(wanted), None) => named(plan, &all, wanted),
        (_, Some(line)) => at_line(plan, &all, None, line),
        (None, None) => match all.as_slice() {
            [one] => Ok(*one),
            [] => Err(Diagnostic::error("there is nothing to explain: the collection has no requests")),
            _ => Err(Diagnostic::error("which request?").help(list(plan, &all))),
        },
    }
}

fn named<'p>(plan: &'p Plan, all: &[Candidate<'p>], wanted: &str) -> Result<Candidate<'p>, Diagnostic> {
    let fitting = |fits: &dyn Fn(&str) -> bool| -> Vec<Candidate<'p>> {
        all.iter().copied().filter(|(_, request)| fits(&request.full_name()) || fits(&request.name)).collect()
    };
    let mut found = fitting(&|name| name == wanted);
    if found.is_empty() && !wanted.is_empty() {
        let lower = wanted.to_lowercase();
        found = fitting(&|name| name.to_lowercase().starts_with(&lower));
    }
    match found.as_slice() {
        [one] => return Ok(*one),
        [] => {}
        several => {
            return Err(Diagnostic::error(format!("`{wanted}` may be one of several requests")).help(list(plan, several)));
        }
    }
    if let Some((file, line)) = split_line(wanted) {
        return at_line(plan, all, Some(file), line);
    }
    let names: Vec<String> = all.iter().flat_map(|(_, request)| [request.full_name(), request.name.clone()]).collect();
    let finding = Diagnostic::error(format!("there is no request called `{wanted}`"));
    Err(match nearest(wanted, names.iter().map(String::as_str)) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(list(plan, all)),
    })
}

/// The request that stands at a line, or the last one before it.
fn at_line<'p>(plan: &'p Plan, all: &[Candidate<'p>], file: Option<&str>, line: usize) -> Result<Candidate<'p>, Diagnostic> {
    let in_file = |(unit, _): &&Candidate<'p>| {
        let path = &plan.units[*unit].collection.path;
        file.is_none_or(|file| path.ends_with(file))
    };
    let mut inside = all.iter().filter(in_file).peekable();
    if inside.peek().is_none() {
        let finding = Diagnostic::error(format!("`{}` is none of the collections", file.unwrap_or_default()));
        return Err(finding.help(list(plan, all)));
    }
    let found = inside.filter(|(_, request)| request.place.line() <= line).max_by_key(|(_, request)| request.place.line());
    found.copied().ok_or_else(|| Diagnostic::error(format!("no request stands at line {line}")).help(list(plan, all)))
}

/// The requests with their places.
fn list(plan: &Plan, requests: &[Candidate<'_>]) -> String {
    let line = |(unit, request): &Candidate<'_>| {
        let file = plan.units[*unit].collection.file.name();
        format!("{} ({file}:{})", request.full_name(), request.place.line())
    };
    format!("requests:\n{}", requests.iter().map(line).collect::<Vec<_>>().join("\n"))
}

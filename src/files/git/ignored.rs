//! Whether git's ignore rules cover a path: every `.gitignore` on the way down to it, and `info/exclude`.
//!
//! The person's own `core.excludesFile` is left out: it holds on one machine only, and a secret must be ignored for everyone.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gix_ignore::glob::pattern::Case;
use gix_ignore::glob::{Pattern, wildmatch};

use crate::files::read::{ReadError, read_bytes};

use super::work_tree::WorkTree;

/// The largest file of ignore rules that is read, in bytes.
const RULES_LIMIT: u64 = 4 * 1024 * 1024;

/// The rules of one file.
struct Rules {
    /// Where the path to look at starts behind the folder that the rules belong to.
    below: usize,
    patterns: Vec<Pattern>,
}

/// Whether `relative`, a file below the work tree, is ignored. Rules that can't be read ignore nothing.
pub(super) fn is_ignored(tree: &WorkTree, relative: &Path) -> bool {
    let path = relative.as_os_str().as_bytes();
    let Ok(exclude) = rules(&tree.common.join("info/exclude"), 0, true) else { return false };
    // The last match decides, so the weakest rules come first.
    let mut all = vec![exclude];
    let mut folder = tree.top.clone();
    let mut start = 0;
    loop {
        let Ok(own) = rules(&folder.join(".gitignore"), start, false) else { return false };
        all.push(own);
        let end = path.iter().skip(start).position(|byte| *byte == b'/').map(|length| start + length);
        let part = path.get(..end.unwrap_or(path.len())).unwrap_or(path);
        // Of an ignored folder nothing can be taken back by what stands deeper.
        if verdict(&all, part, end.is_some(), tree.ignore_case) {
            return true;
        }
        let Some(end) = end else { return false };
        folder.push(std::ffi::OsStr::from_bytes(path.get(start..end).unwrap_or_default()));
        start = end + 1;
    }
}

fn verdict(all: &[Rules], path: &[u8], is_folder: bool, ignore_case: bool) -> bool {
    let matching = |rules: &Rules| {
        let below = path.get(rules.below..).unwrap_or_default();
        let name = below.iter().rposition(|byte| *byte == b'/').map(|slash| slash + 1);
        let matches = |pattern: &&Pattern| {
            let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
            // Where this machine takes upper and lower case for one, others may not: such a match takes back, it never ignores.
            let case = if ignore_case && pattern.is_negative() { Case::Fold } else { Case::Sensitive };
            pattern.matches_repo_relative_path(below.into(), name, Some(is_folder), case, mode)
        };
        rules.patterns.iter().rfind(matches).map(|pattern| !pattern.is_negative())
    };
    all.iter().rev().find_map(matching).unwrap_or(false)
}

/// The rules in `file`; none when it is missing or no file. git follows no link to a `.gitignore`.
fn rules(file: &Path, below: usize, follow: bool) -> Result<Rules, ReadError> {
    let bytes = match read_bytes(file, follow, RULES_LIMIT) {
        Err(ReadError::NotFound | ReadError::IsLink | ReadError::IsFolder | ReadError::NotRegular) => Vec::new(),
        read => read?,
    };
    Ok(Rules { below, patterns: gix_ignore::parse(&bytes, false).map(|(pattern, _, _)| pattern).collect() })
}

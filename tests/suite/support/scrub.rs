//! What differs from run to run, replaced by a word in brackets: folders, ports, durations, times.

use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What differs whatever the test is about. Compiled once: it costs more than a run of the program.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"(?P<keep>(?:127\.0\.0\.1|localhost|\[::1\]):)\d+", "[port]"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", "[time]"),
        // Seconds since 1970, from 2001 to 2286.
        (r"(?P<keep>^|[^\w.])[1-9]\d{9}\b", "[time]"),
        // With the spaces that put durations in a column, and the mark of one that is too short to tell.
        (
            r"(?P<keep>^|[^\w.< ] ?| ) *<?\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|m|min|h)\b(?: ?\d+(?:\.\d+)? ?(?:ms|s|m|min)\b)*",
            "[duration]",
        ),
    ];
    patterns.map(|(pattern, word)| (Regex::new(pattern).expect("a pattern"), word)).to_vec()
});

/// Replaces what differs.
pub(crate) struct Scrubber {
    folders: Vec<(String, &'static str)>,
}

impl Scrubber {
    /// A scrubber that also replaces these folders, under their given and their resolved path.
    pub(crate) fn new(folders: &[(&Path, &'static str)]) -> Self {
        let spellings = |(path, word): &(&Path, &'static str)| {
            let resolved = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
            [(resolved.display().to_string(), *word), (path.display().to_string(), *word)]
        };
        Self { folders: folders.iter().flat_map(spellings).collect() }
    }

    /// `text` with all of it replaced.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let text = self.folders.iter().fold(text.to_owned(), |text, (path, word)| text.replace(path, word));
        PATTERNS.iter().fold(text, |text, (pattern, word)| {
            let replaced = |found: &Captures<'_>| format!("{}{word}", found.name("keep").map_or("", |keep| keep.as_str()));
            pattern.replace_all(&text, replaced).into_owned()
        })
    }
}

#[test]
fn what_differs_is_replaced_and_nothing_else() {
    let scrubber = Scrubber::new(&[(Path::new("/nowhere/x1"), "[project]")]);
    for (text, scrubbed) in [
        ("/nowhere/x1/a.yaml", "[project]/a.yaml"),
        ("http://127.0.0.1:4711/x localhost:80", "http://127.0.0.1:[port]/x localhost:[port]"),
        ("took 12 ms, 1.5s, 1m 2s and 3min", "took [duration], [duration], [duration] and [duration]"),
        ("200   <1 ms\n200   12 ms\n200  1.5 s", "200 [duration]\n200 [duration]\n200 [duration]"),
        ("at 2026-01-02T03:04:05Z, 2026-01-02 03:04:05.123+01:00", "at [time], [time]"),
        ("expires_at: 1764000000", "expires_at: [time]"),
        (
            "id 12 of 3 in a5s, version 1.2.3, status 200, 17640000001",
            "id 12 of 3 in a5s, version 1.2.3, status 200, 17640000001",
        ),
    ] {
        assert_eq!(scrubber.scrub(text), scrubbed);
    }
}

//! Keeps what a server or a file says from being taken as a command by the CI system that reads the log.

/// Breaks what looks like a command with a space, so that a person still reads the same.
///
/// A space *before* it would not do: GitHub's runner takes `::error::` also behind white space, and `##[error]` anywhere in a
/// line; Azure (`##vso[`) and TeamCity (`##teamcity[`) use the same second form.
pub fn defuse(text: &mut String) {
    if !text.contains("::") && !text.contains("##") {
        return;
    }
    let mut out = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let body = line.trim_start();
        match body.strip_prefix("::") {
            Some(rest) => {
                out.push_str(&line[..line.len() - body.len()]);
                out.push_str(": :");
                push_unmarked(&mut out, rest);
            }
            None => push_unmarked(&mut out, line),
        }
    }
    *text = out;
}

/// Copies `line` with a space in every `##[` and `##word[`.
fn push_unmarked(out: &mut String, line: &str) {
    let mut rest = line;
    while let Some(at) = rest.find("##") {
        let (before, from) = rest.split_at(at);
        let hashes = from.len() - from.trim_start_matches('#').len();
        let (marks, after) = from.split_at(hashes);
        out.push_str(before);
        out.push_str(marks);
        if after.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('[') {
            out.push(' ');
        }
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_ci_systems_are_broken() {
        let table = [
            ("a :: b\n", "a :: b\n"),
            ("::error::x\n", ": :error::x\n"),
            ("fine\n  \t::add-mask::x\nfine", "fine\n  \t: :add-mask::x\nfine"),
            ("\u{a0}::group::x", "\u{a0}: :group::x"),
            ("say ##[error]x ##vso[task.setvariable]y", "say ## [error]x ## vso[task.setvariable]y"),
            ("###teamcity[x]", "### teamcity[x]"),
            ("## Title [link]", "## Title [link]"),
            ("::##[error]", ": :## [error]"),
            ("::", ": :"),
        ];
        for (text, shown) in table {
            let mut text = text.to_owned();
            defuse(&mut text);
            assert_eq!(text, shown);
        }
    }
}

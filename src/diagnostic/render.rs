//! Turns diagnostics into text: message, place, the offending line, a caret under it, help.

use unicode_width::UnicodeWidthChar;

use super::{Diagnostic, Paint, Place, Severity, Span, Style, printable};
use crate::mask::Masker;

/// The longest piece of a source line that is shown, in columns.
const WINDOW: usize = 160;
/// The least of a line that is shown, however narrow a terminal is.
const NARROWEST: usize = 20;
/// How far from the marked text a line is looked at, in bytes: more than fills the window.
const NEARBY: usize = 4 * WINDOW;
/// What a tab is shown as.
const TAB: &str = "    ";

/// Renders several findings, an empty line between them, and nothing after the last but a line break.
#[must_use]
pub fn render_all(diagnostics: &[Diagnostic], style: Style, masker: &Masker) -> String {
    diagnostics.iter().map(|d| render(d, style, masker)).collect::<Vec<_>>().join("\n")
}

/// Renders one finding; the text ends with a line break. What is cut or wrapped is masked first: of a secret that lies across the
/// cut nothing would be found afterwards.
#[must_use]
pub fn render(diagnostic: &Diagnostic, style: Style, masker: &Masker) -> String {
    let shown = |text: &str| printable(&masker.mask(text)).into_owned();
    let (word, paint) = match diagnostic.severity {
        Severity::Error => ("error", Paint::Error),
        Severity::Warning => ("warning", Paint::Warning),
        Severity::Note => ("note", Paint::Faint),
    };
    let mut out = format!("{}: {}\n", style.paint(paint, word), style.paint(Paint::Strong, &shown(&diagnostic.message)));
    let mut gutter = 2;
    if let Some(place) = &diagnostic.place {
        let line = place.line();
        gutter = line.to_string().len() + 1;
        let margin = " ".repeat(gutter);
        let arrow = format!("{}-->", " ".repeat(gutter - 1));
        out += &format!("{} {}\n", style.paint(Paint::Faint, &arrow), shown(&place.to_string()));
        let label = shown(&diagnostic.label);
        // The gutter, the bar and the spaces around it take their part of a terminal's line.
        let window = style.columns().map_or(WINDOW, |columns| columns.saturating_sub(gutter + 3).clamp(NARROWEST, WINDOW));
        if let Some(snippet) = snippet(place, window, masker) {
            let bar = style.paint(Paint::Faint, &format!("{margin}|"));
            let number = style.paint(Paint::Faint, &format!("{line} |"));
            let carets = "^".repeat(snippet.width);
            let pointed = style.paint(paint, format!("{carets} {label}").trim_end());
            let text = format!("{number} {}", snippet.line);
            out += &format!("{bar}\n{}\n{bar} {}{pointed}\n", text.trim_end(), " ".repeat(snippet.indent));
            if !diagnostic.help.is_empty() {
                out += &format!("{bar}\n");
            }
        } else if !label.is_empty() {
            out += &format!("{margin}{} {label}\n", style.paint(Paint::Faint, "="));
        }
    }
    for help in &diagnostic.help {
        let room = style.columns().map(|columns| columns.saturating_sub(gutter + 8).max(NARROWEST));
        let lines: Vec<String> = help.lines().flat_map(|line| wrapped(&shown(line), room)).collect();
        let mut lines = lines.iter();
        let first = lines.next().map_or("", String::as_str);
        out += &format!("{}{} {first}\n", " ".repeat(gutter), style.paint(Paint::Faint, "= help:"));
        for line in lines {
            out += &format!("{}{line}\n", " ".repeat(gutter + 8));
        }
    }
    out
}

/// A source line as it is shown, with the caret's place in columns.
struct Snippet {
    line: String,
    indent: usize,
    width: usize,
}

/// The first line of a place; `None` where the file must not be shown, or where a part of a secret would be.
fn snippet(place: &Place, window: usize, masker: &Masker) -> Option<Snippet> {
    let file = &place.file;
    if !file.shows(place.span) {
        return None;
    }
    let line = file.line(place.line());
    let start = place.span.start.clamp(line.start, line.end);
    let end = place.span.end.clamp(start, line.end);
    let text = file.text();

    // A long line is cut to a window around the marked text; only bytes near it are looked at, since a line can be a whole file.
    let from = text.floor_char_boundary(start.saturating_sub(NEARBY)).max(line.start);
    let until = text.ceil_char_boundary(end.saturating_add(NEARBY).min(text.len())).min(line.end);
    let marked_until = text.ceil_char_boundary(start.saturating_add(NEARBY).min(text.len())).min(end);
    let before = columns(file.slice(Span::new(from, start)));
    let marked = columns(file.slice(Span::new(start, marked_until)));
    let after = columns(file.slice(Span::new(end, until)));

    let is_cut = from > line.start || width(&before) > window / 2;
    let (shown_before, cut_left) = if is_cut { (tail(&before, window / 4), "…") } else { (before, "") };
    let indent = width(&shown_before) + width(cut_left);
    let (shown_marked, cut_marked) = head(&marked, window.saturating_sub(indent + 1));
    let cut_marked = cut_marked || marked_until < end;
    let room = window.saturating_sub(indent + width(&shown_marked) + 1);
    let (shown_after, cut_after) = if cut_marked { (String::new(), true) } else { head(&after, room) };
    let ellipsis = if cut_after || until < line.end { "…" } else { "" };
    let is_whole = cut_left.is_empty() && ellipsis.is_empty();
    if !is_whole && masker.finds(file.slice(Span::new(from, until)).as_bytes()) {
        return None;
    }
    Some(Snippet {
        indent,
        width: width(&shown_marked).max(1),
        line: format!("{cut_left}{shown_before}{shown_marked}{shown_after}{ellipsis}").trim_end().to_owned(),
    })
}

/// `text` in lines of at most `room` columns, broken at spaces; a longer word stays whole.
#[must_use]
pub fn wrapped(text: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room.filter(|room| width(text) > *room) else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().filter(|line| line.is_empty() || width(line) + 1 + width(word) <= room);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text as it is shown: tabs as spaces, what is invisible made visible.
fn columns(text: &str) -> String {
    printable(&text.replace('\t', TAB)).into_owned()
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// As much of the start of `text` as fits; whether something was cut.
fn head(text: &str, room: usize) -> (String, bool) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return (text[..at].to_owned(), true);
        }
    }
    (text.to_owned(), false)
}

/// As much of the end of `text` as fits.
fn tail(text: &str, room: usize) -> String {
    let mut used = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        from = at;
    }
    text[from..].to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::{Hidden, SourceFile};

    fn place(text: &str, span: Span, hidden: Hidden) -> Place {
        Place::new(&Arc::new(SourceFile::new("dir/f.yaml", text, hidden)), span)
    }

    fn shown(text: &str, piece: &str) -> String {
        let start = text.find(piece).unwrap();
        let place = place(text, Span::new(start, start + piece.len()), Hidden::Nothing);
        render(&place.error("wrong").label("here"), Style::plain(), &Masker::new())
    }

    #[test]
    fn a_finding_shows_message_place_line_caret_and_help() {
        let text = "name: x\n  urll: \"{{ api_url }}/users/me\"\n";
        let place = place(text, Span::new(10, 14), Hidden::Nothing);
        let finding = place.error("unknown key `urll` in a request").label("did you mean `url`?").help("known keys: url,\nname");
        let expected = "\
error: unknown key `urll` in a request
 --> dir/f.yaml:2:3
  |
2 |   urll: \"{{ api_url }}/users/me\"
  |   ^^^^ did you mean `url`?
  |
  = help: known keys: url,
          name
";
        assert_eq!(render(&finding, Style::plain(), &Masker::new()), expected);
        assert_eq!(
            render(&Diagnostic::warning("no place").help("mend it"), Style::plain(), &Masker::new()),
            "warning: no place\n  = help: mend it\n"
        );
        let both = render_all(&[Diagnostic::error("a"), Diagnostic::error("b")], Style::plain(), &Masker::new());
        assert_eq!(both, "error: a\n\nerror: b\n");
    }

    #[test]
    fn a_caret_stands_under_wide_characters_and_behind_tabs() {
        assert_eq!(
            shown("世界: \tx y\n", "x"),
            "error: wrong\n --> dir/f.yaml:1:6\n  |\n1 | 世界:     x y\n  |           ^ here\n"
        );
        assert_eq!(shown("a: 世界\n", "世界"), "error: wrong\n --> dir/f.yaml:1:4\n  |\n1 | a: 世界\n  |    ^^^^ here\n");
        assert_eq!(shown("e\u{301}: x\n", "x"), "error: wrong\n --> dir/f.yaml:1:5\n  |\n1 | e\u{301}: x\n  |    ^ here\n");
        assert_eq!(shown("\u{FEFF}a: x\n", "x"), "error: wrong\n --> dir/f.yaml:1:4\n  |\n1 | a: x\n  |    ^ here\n");
        assert_eq!(
            shown("a\u{1B}[2J\u{202E}: x\n", "x"),
            "error: wrong\n --> dir/f.yaml:1:9\n  |\n1 | a␛[2J\u{FFFD}: x\n  |         ^ here\n"
        );
    }

    #[test]
    fn a_place_of_several_lines_marks_the_first() {
        assert_eq!(shown("a: |\r\n  b\r\n", "|\r\n  b"), "error: wrong\n --> dir/f.yaml:1:4\n  |\n1 | a: |\n  |    ^ here\n");
    }

    #[test]
    fn a_hidden_line_shows_its_place_and_nothing_of_its_text() {
        let text = "a: 1\nb: !secret hunter2\nc: 3\n";
        let tagged = Hidden::Ranges(vec![Span::new(8, 23)]);
        let hidden = "error: wrong\n --> dir/f.yaml:2:4\n  = here\n  = help: mend it\n";
        for hiding in [tagged.clone(), Hidden::All] {
            let finding = place(text, Span::new(8, 10), hiding).error("wrong").label("here").help("mend it");
            assert_eq!(render(&finding, Style::plain(), &Masker::new()), hidden);
        }
        // A finding that starts above the hidden range shows its own first line only.
        let above = place(text, Span::new(0, 23), tagged.clone()).error("wrong");
        assert_eq!(
            render(&above, Style::plain(), &Masker::new()),
            "error: wrong\n --> dir/f.yaml:1:1\n  |\n1 | a: 1\n  | ^^^^\n"
        );
        let below = place(text, Span::new(24, 25), tagged).error("wrong");
        assert!(render(&below, Style::plain(), &Masker::new()).contains("3 | c: 3"));
    }

    #[test]
    fn an_end_of_file_and_an_empty_place_have_a_caret() {
        let end = place("a: 1\n", Span::new(5, 5), Hidden::Nothing).error("wrong").label("here");
        assert_eq!(render(&end, Style::plain(), &Masker::new()), "error: wrong\n --> dir/f.yaml:2:1\n  |\n2 |\n  | ^ here\n");
        let beyond = place("a: 1", Span::new(90, 95), Hidden::Nothing).error("wrong");
        assert_eq!(
            render(&beyond, Style::plain(), &Masker::new()),
            "error: wrong\n --> dir/f.yaml:1:5\n  |\n1 | a: 1\n  |     ^\n"
        );
    }

    #[test]
    fn a_secret_across_a_cut_is_not_shown_in_part() {
        let masker = Masker::new();
        masker.learn(&crate::secret::Secret::new("correct-horse-battery-staple"));
        for before in 0..160 {
            let text = format!("{} correct-horse-battery-staple {}", "x".repeat(before), "y".repeat(160 - before));
            let finding = place(&text, Span::new(80, 81), Hidden::Nothing).error("wrong");
            let shown = masker.mask(&render(&finding, Style::plain().with_columns(Some(80)), &masker));
            for piece in ["corr", "rect", "hors", "batt", "tery", "stap", "aple"] {
                assert!(!shown.contains(piece), "{before}: {shown}");
            }
        }
        let finding = Diagnostic::error("wrong").help("it is correct-horse-battery-staple and more of it");
        assert!(render(&finding, Style::plain().with_columns(Some(40)), &masker).contains("it is *** and"));
    }

    /// The line of a rendered finding and the columns that its carets cover.
    fn parts(rendered: &str) -> (String, usize, usize) {
        let lines: Vec<&str> = rendered.lines().collect();
        let line = lines[3].strip_prefix("1 |").unwrap();
        let carets = lines[4].strip_prefix("  | ").unwrap();
        let indent = carets.len() - carets.trim_start_matches(' ').len();
        (line.strip_prefix(' ').unwrap_or(line).to_owned(), indent, carets.trim().len())
    }

    /// The text in the given columns.
    fn in_columns(line: &str, from: usize, count: usize) -> String {
        let mut at = 0;
        let mut found = String::new();
        for c in line.chars() {
            let wide = c.width().unwrap_or(0);
            if at >= from && at < from + count || wide == 0 && at == from + count && !found.is_empty() {
                found.push(c);
            }
            at += wide;
        }
        found
    }

    fn any_line() -> impl Strategy<Value = String> {
        prop::collection::vec(prop_oneof!["[a-z: ]", "[世界ー한]", "\t", "[éß€]", "[\u{1}\u{1B}\u{202E}\u{200B}]"], 0..400)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_caret_stands_under_the_offending_text(line in any_line(), from in 0..400_usize, count in 1..30_usize) {
            let characters: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
            let start = characters[from.min(characters.len() - 1)];
            let end = characters[(from + count).min(characters.len() - 1)];
            let text = format!("{line}\nsecond line\n");
            let rendered = render(&place(&text, Span::new(start, end), Hidden::Nothing).error("wrong"), Style::plain(), &Masker::new());
            let (shown, indent, carets) = parts(&rendered);
            prop_assert!(width(&shown) <= WINDOW + 1);
            let marked = columns(&line[start..end]);
            if marked.trim().is_empty() {
                prop_assert!(carets >= 1);
            } else {
                // Spaces at the end of the line are not printed, so both sides are compared without them.
                let under = in_columns(&shown, indent, carets);
                prop_assert_eq!(under.trim_end(), marked.trim_end());
            }
            let place = rendered.lines().nth(1).unwrap();
            let expected = format!(" --> dir/f.yaml:1:{}", from.min(characters.len() - 1) + 1);
            prop_assert_eq!(place, expected);
        }

        #[test]
        fn any_place_is_rendered(text in "[\\s\\S]{0,60}", start in 0..80_usize, end in 0..80_usize) {
            let rendered = render(&place(&text, Span::new(start, end), Hidden::Nothing).error("wrong"), Style::plain(), &Masker::new());
            prop_assert!(rendered.ends_with('\n') && rendered.starts_with("error: wrong\n --> dir/f.yaml:"));
        }
    }
}

//! Turns diagnostics into text: message, place, the offending line, a caret under it, help.

use unicode_width::UnicodeWidthChar;

use super::{Diagnostic, Paint, Place, Severity, Span, Style};

/// The longest piece of a source line that is shown, in columns.
const WINDOW: usize = 160;
/// What a tab is shown as.
const TAB: &str = "    ";

/// Renders several findings, an empty line between them, and nothing after the last but a line break.
#[must_use]
pub fn render_all(diagnostics: &[Diagnostic], style: Style) -> String {
    diagnostics.iter().map(|d| render(d, style)).collect::<Vec<_>>().join("\n")
}

/// Renders one finding; the text ends with a line break.
#[must_use]
pub fn render(diagnostic: &Diagnostic, style: Style) -> String {
    let (word, paint) = match diagnostic.severity {
        Severity::Error => ("error", Paint::Error),
        Severity::Warning => ("warning", Paint::Warning),
        Severity::Note => ("note", Paint::Faint),
    };
    let mut out = format!("{}: {}\n", style.paint(paint, word), style.paint(Paint::Strong, &visible(&diagnostic.message)));
    let mut gutter = 2;
    if let Some(place) = &diagnostic.place {
        let line = place.line();
        gutter = line.to_string().len() + 1;
        let arrow = format!("{}-->", " ".repeat(gutter - 1));
        out += &format!("{} {}\n", style.paint(Paint::Faint, &arrow), visible(&place.to_string()));
        match snippet(place) {
            Some(snippet) => {
                let bar = style.paint(Paint::Faint, &format!("{}|", " ".repeat(gutter)));
                let number = style.paint(Paint::Faint, &format!("{line} |"));
                let carets = "^".repeat(snippet.width);
                let label = visible(&diagnostic.label);
                let pointed = style.paint(paint, format!("{carets} {label}").trim_end());
                out += &format!("{bar}\n{number} {}\n{bar} {}{pointed}\n", snippet.line, " ".repeat(snippet.indent));
            }
            None if !diagnostic.label.is_empty() => {
                out += &format!("{} = {}\n", " ".repeat(gutter - 1), visible(&diagnostic.label));
            }
            None => {}
        }
        if !diagnostic.help.is_empty() && snippet(place).is_some() {
            out += &format!("{}\n", style.paint(Paint::Faint, &format!("{}|", " ".repeat(gutter))));
        }
    }
    for help in &diagnostic.help {
        let mut lines = help.lines();
        let first = lines.next().unwrap_or_default();
        out += &format!("{}{} {}\n", " ".repeat(gutter), style.paint(Paint::Faint, "= help:"), visible(first));
        for line in lines {
            out += &format!("{}{}\n", " ".repeat(gutter + 8), visible(line));
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

/// The line of a place; `None` where the file must not be shown.
fn snippet(place: &Place) -> Option<Snippet> {
    let file = &place.file;
    let number = place.line();
    let line = file.line(number);
    // What the place spans must not be hidden either: a finding may start before the hidden text.
    if !file.may_show(Span::new(line.start, line.end.max(place.span.end.min(line.end)))) {
        return None;
    }
    let start = place.span.start.clamp(line.start, line.end);
    let end = place.span.end.clamp(start, line.end);
    let before = columns(file.slice(Span::new(line.start, start)));
    let marked = columns(file.slice(Span::new(start, end)));
    let after = columns(file.slice(Span::new(end, line.end)));

    // A long line is cut to a window around the marked text.
    let lead = width(&before);
    let (shown_before, cut_left) = if lead > WINDOW / 2 { (tail(&before, WINDOW / 4), "…") } else { (before, "") };
    let indent = width(&shown_before) + width(cut_left);
    let (shown_marked, cut_marked) = head(&marked, WINDOW.saturating_sub(indent));
    let room = WINDOW.saturating_sub(indent + width(&shown_marked));
    let (shown_after, cut_after) = if cut_marked { (String::new(), true) } else { head(&after, room) };
    let ellipsis = if cut_marked || cut_after { "…" } else { "" };
    Some(Snippet {
        indent,
        width: width(&shown_marked).max(1),
        line: format!("{cut_left}{shown_before}{shown_marked}{shown_after}{ellipsis}").trim_end().to_owned(),
    })
}

/// Text as it is shown: tabs as spaces, control characters made visible.
fn columns(text: &str) -> String {
    visible(&text.replace('\t', TAB))
}

/// Replaces what would move a terminal's cursor or change its state.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' => ' ',
            c if c.is_control() || is_format(c) => '\u{FFFD}',
            c => c,
        })
        .collect()
}

/// Bidirectional and zero-width characters, with which a line could lie about its content.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
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

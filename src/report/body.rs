//! Bodies as text: masked, bounded, JSON laid out.

use std::io::{self, Write};

use serde::de::IgnoredAny;

use crate::diagnostic::printable_block;
use crate::mask::Masker;

use super::text::{CUT, bytes};

/// The longest body that is shown, in characters.
pub(super) const LONGEST: usize = 10_000;

/// The deepest JSON that is laid out; indentation makes deeper text grow with the square of its length.
const DEEPEST: usize = 64;

/// How much is masked at a time.
const PART: usize = 16 << 10;

/// A body as it is shown: its first [`LONGEST`] characters, JSON laid out when all of it is shown.
pub(super) fn shown(masker: &Masker, text: &str) -> String {
    let (masked, cut) = masked_start(masker, text, LONGEST);
    let laid_out = if cut { None } else { lay_out(&masked) };
    let mut shown = printable_block(laid_out.as_deref().unwrap_or(&masked)).into_owned();
    if cut {
        shown.push(CUT);
        shown.push_str("\n(");
        shown.push_str(&bytes(text.len() as u64));
        shown.push_str(" in all)");
    }
    shown
}

/// Stands for a body that is no text.
pub(super) fn placeholder(size: u64, content_type: Option<&str>) -> String {
    match content_type {
        Some(kind) => format!("<{} of {kind}>", bytes(size)),
        None => format!("<{}>", bytes(size)),
    }
}

/// Whether a body is no text: by its type, else by its first bytes.
pub(super) fn is_binary(body: &[u8], content_type: Option<&str>, latin1: bool) -> bool {
    let kind = content_type.unwrap_or_default();
    if kind.ends_with("json") || kind.ends_with("xml") {
        return false;
    }
    if ["image/", "audio/", "video/", "font/"].iter().any(|start| kind.starts_with(start)) {
        return true;
    }
    let start = body.get(..8192).unwrap_or(body);
    let is_text = latin1
        || match std::str::from_utf8(start) {
            Ok(_) => true,
            // A character that the border of the sample cuts is no error.
            Err(error) => error.error_len().is_none() && body.len() > start.len(),
        };
    !is_text || start.contains(&0)
}

/// The first `limit` characters of `text` with its secrets masked; whether there are more.
/// A secret at the border is masked as a whole, and the rest of a huge text is never looked at.
pub(super) fn masked_start(masker: &Masker, text: &str, limit: usize) -> (String, bool) {
    let mut start = Start { kept: Vec::new(), room: limit.saturating_mul(4).saturating_add(4) };
    let mut writer = masker.writer(&mut start);
    let cut = text.as_bytes().chunks(PART).try_for_each(|part| writer.write_all(part)).and_then(|()| writer.finish()).is_err();
    drop(writer);
    let mut masked = match String::from_utf8(start.kept) {
        Ok(masked) => masked,
        Err(error) => {
            let end = error.utf8_error().valid_up_to();
            let mut kept = error.into_bytes();
            kept.truncate(end);
            String::from_utf8(kept).unwrap_or_default()
        }
    };
    let end = masked.char_indices().nth(limit).map(|(at, _)| at);
    if let Some(end) = end {
        masked.truncate(end);
    }
    (masked, cut || end.is_some())
}

/// Keeps the start of what is written and refuses the rest.
struct Start {
    kept: Vec<u8>,
    room: usize,
}

impl Write for Start {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let free = self.room.saturating_sub(self.kept.len()).min(buffer.len());
        self.kept.extend(buffer.iter().take(free));
        if free == 0 && !buffer.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(free) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON on several lines with every number and text as it was spelt; `None` when it is not JSON, or too deep.
fn lay_out(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                let close = if c == '{' { '}' } else { ']' };
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                out.push(c);
                if chars.next_if_eq(&close).is_some() {
                    out.push(close);
                } else {
                    depth += 1;
                    if depth > DEEPEST {
                        return None;
                    }
                    break_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(',');
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    Some(out)
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn json_is_laid_out_with_its_own_spelling() {
        let table = [
            (
                r#"{"a":1.10,"b":[1,{"c":"x, y: {\" }"}],"d":{ },"e":[]}"#,
                "{\n  \"a\": 1.10,\n  \"b\": [\n    1,\n    {\n      \"c\": \"x, y: {\\\" }\"\n    }\n  ],\n  \"d\": {},\n  \"e\": []\n}",
            ),
            (" [12345678901234567890123] ", "[\n  12345678901234567890123\n]"),
            ("{not json}", "{not json}"),
            ("plain", "plain"),
            ("\"text\"", "\"text\""),
        ];
        for (body, text) in table {
            assert_eq!(shown(&Masker::new(), body), text);
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(shown(&Masker::new(), &deep), deep);
    }

    #[test]
    fn a_long_body_is_cut_and_says_so() {
        let text = shown(&Masker::new(), &"é".repeat(LONGEST + 1));
        assert_eq!(text, format!("{}…\n(20,002 bytes in all)", "é".repeat(LONGEST)));
        let all = "é".repeat(LONGEST);
        assert_eq!(shown(&Masker::new(), &all), all);
    }

    #[test]
    fn a_secret_at_the_border_is_not_cut_in_two() {
        let masker = Masker::new();
        masker.learn(&Secret::new("s3cr3t-s3cr3t-s3cr3t".to_owned()));
        let text = format!("{}s3cr3t-s3cr3t-s3cr3t and more", "x".repeat(PART - 5));
        let (masked, cut) = masked_start(&masker, &text, PART);
        assert!(cut);
        assert_eq!(masked.trim_start_matches('x'), "*** a");
        let (masked, _) = masked_start(&masker, &text, PART - 4);
        assert_eq!(masked.trim_start_matches('x'), "*");
    }

    #[test]
    fn what_is_no_text_is_told_by_type_and_bytes() {
        let table: [(&[u8], Option<&str>, bool); 9] = [
            (b"text", None, false),
            (b"\x89PNG", Some("image/png"), true),
            (b"<svg/>", Some("image/svg+xml"), false),
            (b"%PDF\xe2\xe3", Some("application/pdf"), true),
            (b"a\0b", Some("text/plain"), true),
            (b"{}", Some("application/json"), false),
            (b"\xff", None, true),
            (b"\xc3", None, true),
            (b"", None, false),
        ];
        for (body, kind, binary) in table {
            assert_eq!(is_binary(body, kind, false), binary, "{body:?} {kind:?}");
        }
        let cut_in_a_character = "é".repeat(5000);
        assert!(!is_binary(format!("x{cut_in_a_character}").as_bytes(), None, false));
        assert!(!is_binary(b"\xe9", Some("text/plain"), true));
    }
}

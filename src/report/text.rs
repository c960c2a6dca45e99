//! Text for a terminal: widths in columns, cuts, durations and numbers as people write them.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands where a text was cut.
pub(super) const CUT: char = '…';

/// Variation selector 16.
const EMOJI_SIGN: char = '\u{FE0F}';

/// The columns that `text` takes.
pub fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// As much of `text` as fits into `room` columns, the sign of the cut included.
pub fn fit(text: &str, room: usize) -> Cow<'_, str> {
    if columns(text) <= room {
        return Cow::Borrowed(text);
    }
    let mut used = 1;
    let end = text.char_indices().find(|(_, c)| {
        // The sign that asks for an emoji widens the character before it, never by more than one column.
        used += if *c == EMOJI_SIGN { 1 } else { c.width().unwrap_or(0) };
        used > room
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}{CUT}", text.get(..end).unwrap_or_default().trim_end()))
}

/// The first `limit` characters of `text`, with a sign when that is not all.
pub(super) fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}{CUT}", text.get(..end).unwrap_or_default())),
    }
}

/// `text` with every run of white space as one space.
pub(super) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Writes a duration: `<1 ms`, `4 ms`, `1.2 s`, `2 min 5 s`, `1 h 2 min`. Never rounded up, so that nothing seems to have
/// passed a limit that it kept.
pub(super) fn push_duration(out: &mut String, duration: Duration) {
    let seconds = duration.as_secs();
    // Writing to a `String` can't fail.
    let _ = match (seconds, duration.subsec_millis()) {
        (0, 0) => out.write_str("<1 ms"),
        (0, ms) => write!(out, "{ms} ms"),
        (1..60, ms) => write!(out, "{seconds}.{} s", ms / 100),
        (60..3600, _) => write!(out, "{} min {} s", seconds / 60, seconds % 60),
        _ => write!(out, "{} h {} min", seconds / 3600, seconds / 60 % 60),
    };
}

/// A number with its thousands apart: `1,234`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 byte`, `1,234 bytes`.
pub(super) fn bytes(number: u64) -> String {
    format!("{} {}", grouped(number), if number == 1 { "byte" } else { "bytes" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::diagnostic::printable;

    #[test]
    fn durations_as_people_write_them() {
        let table = [
            (0, "<1 ms"),
            (999, "<1 ms"),
            (4_000, "4 ms"),
            (999_999, "999 ms"),
            (1_000_000, "1.0 s"),
            (1_290_000, "1.2 s"),
            (59_999_999, "59.9 s"),
            (125_000_000, "2 min 5 s"),
            (3_720_000_000, "1 h 2 min"),
        ];
        for (micros, shown) in table {
            let mut out = String::new();
            push_duration(&mut out, Duration::from_micros(micros));
            assert_eq!(out, shown);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, shown) in [(0, "0"), (999, "999"), (1234, "1,234"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
        assert_eq!((bytes(1), bytes(1000)), ("1 byte".to_owned(), "1,000 bytes".to_owned()));
    }

    #[test]
    fn texts_are_cut_to_columns_and_characters() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("1\u{fe0f}bcdef", 4), "1\u{fe0f}b…");
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(fit("漢字漢字", 4), "漢…");
        assert_eq!(shorten("ééé", 3), "ééé");
        assert_eq!(shorten("ééé", 2), "éé…");
    }

    proptest! {
        #[test]
        fn a_cut_text_never_takes_more_room(text in any::<String>(), room in 1_usize..40) {
            prop_assert!(columns(&fit(&printable(&text), room)) <= room);
        }
    }
}

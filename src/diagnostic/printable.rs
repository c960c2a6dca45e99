//! Text from outside, made safe to print: nothing in it moves the cursor, changes the terminal's state, or lies about the order
//! and the number of its characters.

use std::borrow::Cow;

/// One line of text as it may be printed. Line breaks and tabs become spaces; every other control character and every character
/// that is invisible or turns the direction becomes one visible sign, one column wide.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, |c| matches!(c, '\n' | '\r' | '\t').then_some(' '))
}

/// Several lines of text as they may be printed: like [`printable`], but line feeds and tabs stay. A carriage return before a
/// line feed is dropped.
#[must_use]
pub fn printable_block(text: &str) -> Cow<'_, str> {
    let text = if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let keep = |c| matches!(c, '\n' | '\t').then_some(c);
    match text {
        Cow::Borrowed(text) => replaced(text, keep),
        Cow::Owned(text) => Cow::Owned(replaced(&text, keep).into_owned()),
    }
}

fn replaced(text: &str, own: impl Fn(char) -> Option<char>) -> Cow<'_, str> {
    let sign = |c| own(c).unwrap_or_else(|| visible(c));
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || text.chars().all(|c| sign(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(sign).collect())
}

/// The character itself, or the sign that stands for it.
fn visible(c: char) -> char {
    match c {
        // The control pictures of Unicode lie in the order of ASCII: ESC is shown as `␛`.
        '\0'..='\u{1F}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7F}' => '\u{2421}',
        c if c.is_control() || is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Characters that turn the direction of text, break lines, or take no room: with them a line could lie about its content.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_shown_as_a_sign() {
        for (text, shown) in [
            ("plain ~ text", "plain ~ text"),
            ("größe 世界 e\u{301}", "größe 世界 e\u{301}"),
            ("\u{1B}[2J\u{1B}]0;x\u{7}", "␛[2J␛]0;x␇"),
            ("a\nb\r\nc\td", "a b  c d"),
            ("\0\u{7F}\u{9B}31m", "␀␡\u{FFFD}31m"),
            ("a\u{202E}b\u{2066}c\u{200B}d\u{FEFF}", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}"),
            ("\u{2028}\u{61C}\u{AD}\u{E0041}", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert!(matches!(printable("größe"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_block_keeps_its_lines_and_tabs() {
        assert_eq!(printable_block("a\r\n\tb\n\u{1B}c\rd"), "a\n\tb\n␛c␍d");
        assert!(matches!(printable_block("a\n\tb"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in "[\\s\\S]{0,40}") {
            prop_assert!(!printable(&text).chars().any(|c| c.is_control() || is_unseen(c)));
            prop_assert!(!printable_block(&text).chars().any(|c| c != '\n' && c != '\t' && (c.is_control() || is_unseen(c))));
            prop_assert_eq!(printable(&text).chars().count(), text.chars().count());
            prop_assert_eq!(printable(&printable(&text)).into_owned(), printable(&text).into_owned());
        }
    }
}

//! Values to YAML text that reads back as the same values, here and in YAML 1.1 readers.

use serde_json::Value;

use super::Kind;
use super::scalar::resolve;

/// The value as a whole block of lines, each ended by a line feed: what a file of its own would hold.
#[must_use]
pub fn document(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut out = String::new();
            block(&mut out, value, 0, "\n");
            out.trim_start_matches('\n').to_owned() + "\n"
        }
        _ => inline(value) + "\n",
    }
}

/// A value on one line; lists and maps in brackets.
#[must_use]
pub fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}: {}", quoted_if(key, in_brackets(key)), inline(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => quoted_if(text, in_brackets(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A single value outside brackets: plain where plain says the same, else in double quotes. Lists and maps stand in brackets.
#[must_use]
pub fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => key(text),
        _ => inline(value),
    }
}

/// A key outside brackets.
pub(super) fn key(text: &str) -> String {
    quoted_if(text, is_plain(text))
}

/// What stands behind `key:` in a block: the value on the same line, or a map on lines of its own.
pub(super) fn block(out: &mut String, value: &Value, indent: usize, newline: &str) {
    let Value::Object(map) = value else {
        out.push(' ');
        out.push_str(&scalar(value));
        return;
    };
    if map.is_empty() {
        out.push_str(" {}");
        return;
    }
    for (name, value) in map {
        out.push_str(newline);
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(&key(name));
        out.push(':');
        block(out, value, indent + 2, newline);
    }
}

fn quoted_if(text: &str, plain: bool) -> String {
    if plain { text.to_owned() } else { double_quoted(text) }
}

/// Whether `text` means itself without quotes: cautious rather than complete.
fn is_plain(text: &str) -> bool {
    let starts = text.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '_' | '.' | '$'));
    starts
        && text.chars().all(|c| c.is_alphanumeric() || " _./:@+=-,~%?&#$();*".contains(c))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([' ', ':'])
        && resolve(text) == Kind::Text
        && !is_old_word(text)
}

/// Whether `text` means itself inside brackets.
fn in_brackets(text: &str) -> bool {
    is_plain(text) && !text.contains([',', ':', '?', '#', '&', '*'])
}

/// Words and numbers that a YAML 1.1 reader takes for something else.
fn is_old_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let word = matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    word || text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.bytes().all(|b| b.is_ascii_digit() || b":_.+-eE".contains(&b))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line breaks of other standards, byte order marks and what else a reader may refuse or an editor may hide.
            c if c.is_control()
                || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}') =>
            {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::{Privacy, read, to_json};

    fn read_back(text: &str) -> Value {
        let document = read("a.yaml", text.to_owned(), Privacy::Open).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert!(document.warnings.is_empty(), "{text}");
        to_json(&document.root.unwrap()).unwrap()
    }

    #[test]
    fn text_is_quoted_where_plain_would_be_misread() {
        for (text, written) in [
            ("abc", "abc"),
            ("https://a.b/c?d=e&f#g", "https://a.b/c?d=e&f#g"),
            ("Bearer x y", "Bearer x y"),
            ("", "\"\""),
            ("12", "\"12\""),
            ("1.5", "\"1.5\""),
            ("12:30", "\"12:30\""),
            ("true", "\"true\""),
            ("Yes", "\"Yes\""),
            ("~", "\"~\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("a:", "\"a:\""),
            (" a", "\" a\""),
            ("a ", "\"a \""),
            ("- a", "\"- a\""),
            ("<<", "\"<<\""),
            ("{{ x }}", "\"{{ x }}\""),
            ("a\nb", "\"a\\nb\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("\u{85}\u{2028}\u{0}", "\"\\u0085\\u2028\\u0000\""),
            ("größe", "größe"),
        ] {
            assert_eq!(scalar(&json!(text)), written);
        }
    }

    #[test]
    fn maps_stand_in_blocks_and_lists_in_brackets() {
        let value = json!({"a": {"b": [1, "x, y", {"c": null}], "d": {}}, "e": 1.5});
        assert_eq!(document(&value), "a:\n  b: [1, \"x, y\", {c: null}]\n  d: {}\ne: 1.5\n");
        assert_eq!(read_back(&document(&value)), value);
    }

    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-z]{0,6}", "[ -~]{0,12}", "\\PC{0,8}", "[\\s\\S]{0,6}", "[-?:,\\[\\]{}#&*!|>'\"%@` 0-9.]{0,6}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e15..1e15_f64).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in any_json()) {
            prop_assert_eq!(&read_back(&document(&value)), &value);
            prop_assert_eq!(&read_back(&format!("- {}\n", inline(&value)))[0], &value);
            prop_assert_eq!(&read_back(&format!("k: {}", scalar(&value)))["k"], &value);
        }
    }
}

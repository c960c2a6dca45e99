//! What a plain scalar means under the YAML 1.2 core schema (YAML 1.2.2 §10.3.2).

use super::Kind;

/// The meaning of a plain scalar.
pub(super) fn resolve(text: &str) -> Kind {
    // Almost every value is text, and its first byte tells.
    match text.as_bytes().first() {
        None => Kind::Null,
        Some(b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F') => word(text),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text),
        Some(_) => Kind::Text,
    }
}

fn word(text: &str) -> Kind {
    match text {
        "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => Kind::Text,
    }
}

fn number(text: &str) -> Kind {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Kind::Integer(text.parse().ok().filter(|&value| fits(value)));
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => return Kind::Float(f64::NEG_INFINITY),
        ".inf" | ".Inf" | ".INF" => return Kind::Float(f64::INFINITY),
        _ => {}
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Kind::Float(f64::NAN);
    }
    if is_decimal(unsigned) { text.parse().map_or(Kind::Text, Kind::Float) } else { Kind::Text }
}

fn radix(digits: &str, radix: u32) -> Kind {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Kind::Text;
    }
    Kind::Integer(i128::from_str_radix(digits, radix).ok().filter(|&value| fits(value)))
}

/// Whether a whole number fits into `i64` or `u64`.
fn fits(value: i128) -> bool {
    i64::try_from(value).is_ok() || u64::try_from(value).is_ok()
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && fraction.is_none_or(digits)
        && (!whole.is_empty() || fraction.is_some_and(|f| !f.is_empty()))
        && exponent.is_none_or(|e| {
            let e = e.strip_prefix(['+', '-']).unwrap_or(e);
            !e.is_empty() && digits(e)
        })
}

/// Whether `text` is a number as JSON spells it (RFC 8259 §6), so that number and text can't differ.
#[must_use]
pub fn is_canonical_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.find(['.', 'e', 'E']).map_or(unsigned, |at| &unsigned[..at]);
    let fraction_is_whole = !unsigned.contains(".e") && !unsigned.contains(".E") && !unsigned.ends_with('.');
    is_decimal(unsigned) && !whole.is_empty() && (whole == "0" || !whole.starts_with('0')) && fraction_is_whole
}

/// The value of a text that stands for a plain scalar, such as a value of the command line. A number that would not be written the
/// same way again is text: it may be an account number, or a code that looks like one.
#[must_use]
pub fn plain_value(text: &str) -> serde_json::Value {
    use serde_json::Value;
    let value = match resolve(text) {
        Kind::Null if !text.is_empty() => Value::Null,
        Kind::Bool(value) => Value::Bool(value),
        Kind::Integer(_) | Kind::Float(_) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        Kind::Null | Kind::Text => Value::from(text),
    };
    if value.is_number() && value.to_string() != text { Value::from(text) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_the_core_schema_says() {
        for (text, kind) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("null", Kind::Null),
            ("nULL", Kind::Text),
            ("true", Kind::Bool(true)),
            ("FALSE", Kind::Bool(false)),
            ("yes", Kind::Text),
            ("no", Kind::Text),
            ("on", Kind::Text),
            ("off", Kind::Text),
            ("12", Kind::Integer(Some(12))),
            ("-12", Kind::Integer(Some(-12))),
            ("+12", Kind::Integer(Some(12))),
            ("01234", Kind::Integer(Some(1234))),
            ("0x1F", Kind::Integer(Some(31))),
            ("0o17", Kind::Integer(Some(15))),
            ("0x", Kind::Text),
            ("0o8", Kind::Text),
            ("-0x1", Kind::Text),
            ("0x-1", Kind::Text),
            ("0x+1", Kind::Text),
            ("18446744073709551615", Kind::Integer(Some(u64::MAX.into()))),
            ("18446744073709551616", Kind::Integer(None)),
            ("-9223372036854775809", Kind::Integer(None)),
            ("99999999999999999999999999999999999999999999", Kind::Integer(None)),
            ("1.5", Kind::Float(1.5)),
            ("1.", Kind::Float(1.0)),
            (".5", Kind::Float(0.5)),
            ("-1e3", Kind::Float(-1000.0)),
            ("1E+2", Kind::Float(100.0)),
            (".", Kind::Text),
            ("1e", Kind::Text),
            ("e1", Kind::Text),
            ("1.2.3", Kind::Text),
            ("12:30", Kind::Text),
            ("1_000", Kind::Text),
            ("-", Kind::Text),
            ("+-1", Kind::Text),
            (".inf", Kind::Float(f64::INFINITY)),
            ("-.Inf", Kind::Float(f64::NEG_INFINITY)),
            ("-.nan", Kind::Text),
            ("inf", Kind::Text),
            ("nan", Kind::Text),
            ("2024-01-01", Kind::Text),
        ] {
            assert_eq!(resolve(text), kind, "{text}");
        }
        assert!(matches!(resolve(".nan"), Kind::Float(value) if value.is_nan()));
    }

    #[test]
    fn only_json_numbers_are_canonical() {
        for text in ["0", "-0", "12", "-12", "1.5", "0.5", "1e5", "1E+5", "-1.25e-3", "18446744073709551616"] {
            assert!(is_canonical_number(text), "{text}");
        }
        for text in ["", "-", "+1", "01", "-01", "1.", ".5", "0x1F", "1e", "1.e5", "1_0", ".inf", "NaN", " 1", "1 ", "٣"] {
            assert!(!is_canonical_number(text), "{text}");
        }
        assert!(is_canonical_number("0e1"));
        assert!(!is_canonical_number("00e1"));
    }
}

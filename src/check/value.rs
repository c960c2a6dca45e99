//! Tests of one value, and what to say about one that can't be made or fails in a way that does not meet the eye.

use serde_json::Value;

use super::compare::{difference, equal};
use super::failure::json_text;
use crate::collection::JsonType;

/// A test of two values, or why it can't be made.
pub(super) fn yes_or_help(verdict: Result<bool, String>, wanted: bool) -> (bool, Option<String>) {
    match verdict {
        Ok(verdict) => (verdict == wanted, None),
        Err(help) => (false, Some(help)),
    }
}

/// Whether text contains text, a list an element, a map a key.
pub(super) fn contains(value: &Value, operand: &Value) -> Result<bool, String> {
    match (value, operand) {
        (Value::Array(items), operand) => Ok(items.iter().any(|item| equal(item, operand))),
        (Value::String(text), Value::String(piece)) => Ok(text.contains(piece.as_str())),
        (Value::Object(members), Value::String(key)) => Ok(members.contains_key(key)),
        (Value::String(_), other) => Err(format!("text contains text, not {}; put quotes round the operand", kind_name(other))),
        (Value::Object(_), other) => Err(format!("a map contains keys, which are text, not {}", kind_name(other))),
        (other, _) => Err(format!("only text, lists and maps contain something, not {}", kind_name(other))),
    }
}

/// A test of a text against another.
pub(super) fn texts(value: &Value, operand: &Value, test: fn(&str, &str) -> bool) -> Result<bool, String> {
    match (value, operand) {
        (Value::String(text), Value::String(piece)) => Ok(test(text, piece)),
        (Value::String(_), other) => Err(format!("the operand is {}, not text", kind_name(other))),
        (other, _) => Err(format!("only text has a start and an end, not {}", kind_name(other))),
    }
}

/// The number of elements, members or characters.
pub(super) fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        Value::String(text) => Some(text.chars().count()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Whether `value` has the type `wanted`.
pub(super) fn has_type(value: &Value, wanted: JsonType) -> bool {
    match (wanted, value) {
        (JsonType::Integer, Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
        }
        (JsonType::Null, Value::Null)
        | (JsonType::Boolean, Value::Bool(_))
        | (JsonType::Number, Value::Number(_))
        | (JsonType::String, Value::String(_))
        | (JsonType::Array, Value::Array(_))
        | (JsonType::Object, Value::Object(_)) => true,
        _ => false,
    }
}

/// Why two values are not equal, where that does not meet the eye.
pub(super) fn unequal(actual: &Value, expected: &Value) -> Option<String> {
    if let (Value::String(left), Value::String(right)) = (actual, expected) {
        let same = left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count();
        // the pieces themselves are not shown: a piece of a secret can't be masked
        return (same >= 40).then(|| format!("they differ from character {} on", same + 1));
    }
    if actual.is_array() == expected.is_array() && actual.is_object() == expected.is_object() {
        let found = difference(actual, expected);
        let types = found.actual.zip(found.expected).and_then(|(actual, expected)| types_differ(actual, expected));
        if found.path.is_empty() {
            return types;
        }
        let shown = |value: Option<&Value>| value.map_or("missing".to_owned(), json_text);
        let place = format!("they differ at `{}`: {}, expected {}", found.path, shown(found.actual), shown(found.expected));
        return Some(types.map_or(place.clone(), |types| format!("{place} ({types})")));
    }
    None
}

/// What to say when a number, `true` or `false` stands against text.
pub(super) fn types_differ(actual: &Value, expected: &Value) -> Option<String> {
    let plain = |value: &Value| value.is_number() || value.is_boolean();
    match (actual, expected) {
        (Value::String(_), other) if plain(other) && (is_number(actual) || spells(actual, other)) => Some(format!(
            "`{}` is text, `{}` {}: put quotes round the operand, or compare with `| int` under `that:`",
            json_text(actual),
            other,
            kind_name(other)
        )),
        (other, Value::String(_)) if plain(other) && (is_number(expected) || spells(expected, other)) => Some(format!(
            "`{}` is {}, `{}` text: write the operand without quotes, or with `| int` in an expression",
            other,
            kind_name(other),
            json_text(expected)
        )),
        _ => None,
    }
}

/// Whether `text` is text that spells a number.
pub(super) fn is_number(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.trim().parse::<f64>().is_ok())
}

/// Whether `text` is the spelling of `value`.
pub(super) fn spells(text: &Value, value: &Value) -> bool {
    text.as_str().is_some_and(|text| text.eq_ignore_ascii_case(&value.to_string()))
}

/// What a value is, in a reader's words.
pub(super) fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

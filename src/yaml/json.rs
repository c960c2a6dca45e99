//! YAML values as JSON values.

use std::fmt;

use serde_json::{Map, Number, Value as Json};

use super::{Kind, Node, Scalar, Value};
use crate::diagnostic::Span;

/// A number that JSON can't spell (`01234`, `.inf`, more digits than 64 bits hold): it must be quoted, or be written otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    /// Where it is used.
    pub span: Span,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON can't spell this number; put it in quotes if it is text")
    }
}

impl std::error::Error for NotJson {}

/// The value as JSON, keys in the order of the file. Tags are left out: whoever allows them looks at them before.
///
/// # Errors
/// The first number that JSON can't spell.
pub fn to_json(node: &Node) -> Result<Json, NotJson> {
    match &node.value {
        Value::Scalar(scalar) => number_or_text(scalar).ok_or(NotJson { span: node.used_at }),
        Value::Sequence(items) => items.iter().map(to_json).collect::<Result<Vec<_>, _>>().map(Json::Array),
        Value::Mapping(entries) => {
            let mut map = Map::with_capacity(entries.len());
            for entry in entries.iter() {
                map.insert(entry.key.to_string(), to_json(&entry.value)?);
            }
            Ok(Json::Object(map))
        }
    }
}

fn number_or_text(scalar: &Scalar) -> Option<Json> {
    match scalar.kind {
        Kind::Null => Some(Json::Null),
        Kind::Bool(value) => Some(Json::Bool(value)),
        Kind::Text => Some(Json::String(scalar.text.clone())),
        Kind::Integer(_) | Kind::Float(_) if has_leading_zero(&scalar.text) => None,
        Kind::Integer(value) => Number::from_i128(value?).map(Json::Number),
        Kind::Float(value) => Number::from_f64(value).map(Json::Number),
    }
}

/// Whether zeros stand before the first digit that counts: an identifier rather than a number.
fn has_leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Privacy, read};

    fn json(text: &str) -> Result<String, NotJson> {
        let document = read("a.yaml", text.to_owned(), Privacy::Open).unwrap();
        to_json(&document.root.unwrap()).map(|value| value.to_string())
    }

    #[test]
    fn values_keep_type_and_order() {
        let text =
            "z: 1\na: [1.5, 0x1F, 0o17, +7, -0, .5, true, ~, yes, '12']\nm: {u: 18446744073709551615, i: -9223372036854775808}\n";
        let expected =
            r#"{"z":1,"a":[1.5,31,15,7,0,0.5,true,null,"yes","12"],"m":{"u":18446744073709551615,"i":-9223372036854775808}}"#;
        assert_eq!(json(text).unwrap(), expected);
    }

    #[test]
    fn a_number_that_json_cannot_spell_is_named_by_its_place() {
        for number in ["01234", "-01", "00.5", ".inf", "-.inf", ".nan", "1e400", "18446744073709551616"] {
            let text = format!("a: {number}");
            assert_eq!(json(&text), Err(NotJson { span: Span::new(3, text.len()) }), "{number}");
        }
        assert_eq!(json("a: &x 01\nb: *x"), Err(NotJson { span: Span::new(6, 8) }));
        assert_eq!(json("a: '01234'").unwrap(), r#"{"a":"01234"}"#);
    }
}

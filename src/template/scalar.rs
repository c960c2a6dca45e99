//! What a plain scalar means, by where it stands.

use serde_json::{Number, Value};

use super::Syntax;
use super::lex::Fault;
use crate::yaml::{Kind, Scalar};

/// The value of a scalar without expressions.
pub(super) fn literal(scalar: &Scalar, syntax: Syntax) -> Result<Value, Fault> {
    match syntax {
        Syntax::Text | Syntax::Url if scalar.kind == Kind::Null => Ok(Value::Null),
        Syntax::Text | Syntax::Url => Ok(Value::from(scalar.text.as_str())),
        Syntax::Value | Syntax::Variable | Syntax::Condition => match scalar.kind {
            Kind::Null => Ok(Value::Null),
            Kind::Bool(value) => Ok(Value::Bool(value)),
            Kind::Text => Ok(Value::from(scalar.text.as_str())),
            Kind::Integer(_) | Kind::Float(_) => number(scalar, syntax),
        },
    }
}

fn number(scalar: &Scalar, syntax: Syntax) -> Result<Value, Fault> {
    let text = scalar.text.as_str();
    let number = serde_json::from_str::<Number>(text).ok();
    // A whole number beyond 64 bits would come out rounded.
    let exact = number.filter(|number| !(matches!(scalar.kind, Kind::Integer(_)) && number.is_f64()));
    match exact {
        Some(number) if syntax != Syntax::Variable || number.to_string() == text => Ok(Value::Number(number)),
        _ if syntax == Syntax::Variable => Ok(Value::from(text)),
        _ => Err(Fault::new(0..text.len(), format!("JSON has no number `{text}`"))
            .label("put it in quotes if it is text")
            .help(format!("write \"{text}\""))),
    }
}

/// A value as text where text is wanted; the error goes on behind its name.
pub(super) fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::Null => Err("is null where text is wanted"),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(_) => Err("is a list where text is wanted"),
        Value::Object(_) => Err("is a map where text is wanted"),
    }
}

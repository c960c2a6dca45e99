//! Values of JSON side by side: equality, order, the first difference.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Whether two values are equal, types included; a number equals one that is spelt otherwise (`1` and `1.0`).
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

/// The order of two numbers, exact also where a float can't hold the whole number.
pub(super) fn order(left: &Number, right: &Number) -> Option<Ordering> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(left), None) => whole_to_float(left, right.as_f64()?),
        (None, Some(right)) => whole_to_float(right, left.as_f64()?).map(Ordering::reverse),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn whole_to_float(whole: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // `as` saturates, and a whole number of JSON lies far inside of i128
    let floor = float.floor();
    let fraction = if float > floor { Ordering::Less } else { Ordering::Equal };
    Some(whole.cmp(&(floor as i128)).then(fraction))
}

/// A place in which two lists or maps differ, as a path behind the subject, with what stands there on either side.
pub(super) struct Difference<'v> {
    /// Such as `.owner.id` or `[2]`; empty where the values themselves differ.
    pub(super) path: String,
    /// What came; `None` where nothing did.
    pub(super) actual: Option<&'v Value>,
    /// What was expected; `None` where nothing was.
    pub(super) expected: Option<&'v Value>,
}

/// The first difference of two values that are not equal.
pub(super) fn difference<'v>(actual: &'v Value, expected: &'v Value) -> Difference<'v> {
    let mut found = Difference { path: String::new(), actual: Some(actual), expected: Some(expected) };
    while let (Some(actual), Some(expected)) = (found.actual, found.expected) {
        match (actual, expected) {
            (Value::Array(left), Value::Array(right)) => {
                let at = (0..left.len().max(right.len())).find(|&at| !same(left.get(at), right.get(at)));
                let Some(at) = at else { break };
                // writing to a String can't fail
                _ = write!(found.path, "[{at}]");
                (found.actual, found.expected) = (left.get(at), right.get(at));
            }
            (Value::Object(left), Value::Object(right)) => {
                let key = right.keys().chain(left.keys()).find(|key| !same(left.get(*key), right.get(*key)));
                let Some(key) = key else { break };
                _ = write!(found.path, ".{key}");
                (found.actual, found.expected) = (left.get(key), right.get(key));
            }
            _ => break,
        }
    }
    found
}

fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => equal(left, right),
        (left, right) => left.is_none() && right.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equality_knows_types_but_not_spellings() {
        let table = [
            (json!(1), json!(1.0), true),
            (json!(-0.0), json!(0), true),
            (json!(1), json!("1"), false),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992.0), false),
            (json!(u64::MAX), json!(18_446_744_073_709_551_616.0), false),
            (json!(null), json!(false), false),
            (json!({"a": 1, "b": [2]}), json!({"b": [2.0], "a": 1}), true),
            (json!({"a": 1}), json!({"a": 1, "b": null}), false),
            (json!([1, 2]), json!([2, 1]), false),
        ];
        for (left, right, expected) in table {
            assert_eq!(equal(&left, &right), expected, "{left} and {right}");
            assert_eq!(equal(&right, &left), expected, "{right} and {left}");
        }
    }

    #[test]
    fn numbers_are_ordered_exactly() {
        let table = [
            (json!(1), json!(1.5), Ordering::Less),
            (json!(-1), json!(-1.5), Ordering::Greater),
            (json!(2), json!(1e300), Ordering::Less),
            (json!(i64::MIN), json!(u64::MAX), Ordering::Less),
            (json!(0.5), json!(0.25), Ordering::Greater),
        ];
        for (left, right, expected) in table {
            let (Value::Number(left), Value::Number(right)) = (&left, &right) else { continue };
            assert_eq!(order(left, right), Some(expected), "{left} and {right}");
            assert_eq!(order(right, left), Some(expected.reverse()), "{right} and {left}");
        }
    }

    #[test]
    fn the_first_difference_is_found() {
        let table = [
            (json!({"a": {"b": [1, 2]}}), json!({"a": {"b": [1, 3]}}), ".a.b[1]"),
            (json!({"a": 1, "b": 2}), json!({"a": 1}), ".b"),
            (json!([1]), json!([1, 2]), "[1]"),
            (json!({"a": 1}), json!([1]), ""),
        ];
        for (actual, expected, path) in table {
            assert_eq!(difference(&actual, &expected).path, path);
        }
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn nodes(path: &str, value: &Value) -> Vec<Value> {
    JsonPath::compile(path).unwrap_or_else(|e| panic!("{path}: {e}")).nodes(value).into_iter().cloned().collect()
}

#[test]
fn paths_select_their_nodes() {
    let value = json!({"a": {"b": [{"c": 1}, {"c": 2}]}, "x-y": true, "é": [0], "n": null});
    let table = [
        ("$", vec![value.clone()]),
        ("$.a.b[0]['c']", vec![json!(1)]),
        ("$.a.b[9]", vec![]),
        ("$.a.b[-1].c", vec![json!(2)]),
        ("$[\"x-y\"]", vec![json!(true)]),
        ("$.é[0]", vec![json!(0)]),
        ("$.n", vec![json!(null)]),
        ("$.a.b[*].c", vec![json!(1), json!(2)]),
        ("$..c", vec![json!(1), json!(2)]),
        ("$.a.b[?@.c > 1]", vec![json!({"c": 2})]),
        ("$.a[?@[0].c == 1]", vec![json!([{"c": 1}, {"c": 2}])]),
        ("$[?count(@.*) > 0]", vec![json!({"b": [{"c": 1}, {"c": 2}]}), json!([0])]),
        ("$['a\\u002e']", vec![]),
    ];
    for (path, expected) in table {
        assert_eq!(nodes(path, &value), expected, "{path}");
    }
}

#[test]
fn singular_and_simple() {
    let table = [
        ("$", true, true),
        ("$.a[0]", true, true),
        ("$[ 'a' ]", true, true),
        ("$['\\u0061']", true, true),
        ("$.a[-1]", true, false),
        ("$.a[*]", false, false),
        ("$.a[0,1]", false, false),
        ("$..a", false, false),
        ("$.a[0:1]", false, false),
    ];
    for (path, singular, simple) in table {
        let compiled = JsonPath::compile(path).unwrap();
        assert_eq!((compiled.is_singular(), compiled.is_simple()), (singular, simple), "{path}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let table: &[(&str, Option<usize>, &str)] = &[
        ("", Some(0), "a JSONPath must not be empty; `$` is the whole document"),
        ("a.b", Some(0), "a JSONPath starts with `$`, as in `$.a.b`"),
        ("['a']", Some(0), "a JSONPath starts with `$`, as in `$['a']`"),
        (" $.a", Some(0), "a space stands before the `$`"),
        ("$.a ", Some(3), "a space stands behind the path"),
        ("$.a[0", Some(3), "the `[` is never closed"),
        ("$.a[?(@.b == 1]", Some(14), "`]` closes the `(` at character 6"),
        ("$.a]", Some(3), "`]` without its `[`"),
        ("$[\"a']", Some(2), "the quote `\"` is never closed; single and double quotes don't mix"),
        ("$['a]", Some(2), "the quote `'` is never closed"),
        ("$.", Some(2), "a name is missing behind the `.`"),
        ("$.a.", Some(4), "a name is missing behind the `.`"),
        ("$[abc]", Some(2), "a name in brackets needs quotes: `['abc']`"),
        ("$[]", Some(2), "nothing stands in the brackets; all elements are `[*]`"),
        ("$.content-type", Some(9), "a name with `-` needs brackets: `['content-type']`"),
        ("$.a.0", Some(4), "an index stands in brackets: `[0]`"),
        ("$.[0]", Some(2), "no `.` before `[`"),
        ("$[?@.a = 1]", Some(7), "`=` compares nothing; equality is `==`"),
        ("$[?@.a == 1 and @.b]", Some(12), "conditions are joined by `&&` and `||`"),
        ("$.a.length()", Some(10), "functions stand in filters only: `[?length(@.a) > 1]`"),
        ("$[?@[?@>1]]", Some(3), "a filter right behind `@` is not supported; name a member: `@.items[?…]`"),
        ("$[?count(@..*)]", Some(3), "the result of `count()` must be compared, as in `count(…) > 1`"),
        ("$[?length(@.*)<3]", Some(3), "`length()` takes one value: a literal or a path of names and indexes"),
        ("$[?length(@['a','b'])<3]", Some(3), "`length()` takes one value: a literal or a path of names and indexes"),
        ("$[?value(1)==1]", Some(3), "`value()` takes a path, as in `value(@..id)`"),
        ("$[?match(@.a, '(')]", Some(8), "the pattern of `match()` is not a regular expression"),
        ("$..a..b..c..d", Some(1), "a JSONPath may have at most 3 `..`, not 4"),
    ];
    for (path, offset, message) in table {
        let error = JsonPath::compile(path).expect_err(path);
        assert_eq!((error.message.as_str(), error.offset), (*message, *offset), "{path}");
    }
}

#[test]
fn limits_hold() {
    let long = format!("$.{}", "a".repeat(4096));
    assert!(JsonPath::compile(&long).unwrap_err().message.contains("4096 bytes"));
    let deep = format!("${}@.a{}", "[?(".repeat(40), ")]".repeat(40));
    assert!(JsonPath::compile(&deep).unwrap_err().message.contains("64 deep"));
    assert!(JsonPath::compile(&format!("${}", "[*,*]".repeat(11))).unwrap_err().message.contains("multiply"));
    assert!(Pattern::compile("(\\w{100}){100}").unwrap_err().message.contains("too large"));
}

#[test]
fn patterns() {
    let code = Pattern::compile("code=([a-z]+)").unwrap();
    assert!(code.matches("x?code=abc"));
    assert_eq!(code.extract("x?code=abc"), Some("abc"));
    assert_eq!(code.extract("nothing"), None);
    assert_eq!(Pattern::compile("[0-9]+").unwrap().extract("a12b"), Some("12"));
    let error = Pattern::compile("a(b").unwrap_err();
    assert_eq!((error.message.as_str(), error.offset), ("not a regular expression: unclosed group", Some(1)));
}

#[test]
fn extract_takes_the_last_of_equal_keys_and_checks_the_rest() {
    let paths = ["$.a.b", "$.a", "$.list[1]", "$"].map(|p| JsonPath::compile(p).unwrap());
    let refs: Vec<&JsonPath> = paths[..3].iter().collect();
    let body = br#"{"a": {"b": 1}, "list": [1, {"x": 2}], "a": {"c": 3}}"#;
    assert_eq!(extract(&refs, body).unwrap(), [None, Some(json!({"c": 3})), Some(json!({"x": 2}))]);
    // A later equal key that is no map takes the value away.
    assert_eq!(extract(&refs[..1], br#"{"a": {"b": 1}, "a": 5}"#).unwrap(), [None]);
    for broken in ["", "{", "{\"a\": 1} x", "[1,]", "{\"z\": tru}", "\"\\x\""] {
        assert!(extract(&refs, broken.as_bytes()).is_err(), "{broken}");
    }
    let deep = format!("{{\"z\": {}{}}}", "[".repeat(200), "]".repeat(200));
    for refused in [&b"{\"z\": 1e999}"[..], b"{\"z\": \"\xff\"}", b"{\"\xff\": 1}", b"\"\\ud800\"", deep.as_bytes()] {
        assert!(serde_json::from_slice::<Value>(refused).is_err());
        assert!(extract(&refs, refused).is_err(), "{}", String::from_utf8_lossy(refused));
    }
    assert_eq!(extract(&[&paths[3]], b"7").unwrap(), [Some(json!(7))]);
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-c\\n\"é]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]{1}|é|x y", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        "[a-c]".prop_map(|n| format!(".{n}")),
        "[a-c]|é|x y".prop_map(|n| format!("['{n}']")),
        (0..4_usize).prop_map(|n| format!("[{n}]")),
    ];
    prop::collection::vec(step, 0..5).prop_map(|steps| format!("${}", steps.concat()))
}

proptest! {
    #[test]
    fn one_walk_agrees_with_the_tree_and_the_grammar(value in document(), texts in prop::collection::vec(path(), 1..5)) {
        let paths: Vec<JsonPath> = texts.iter().map(|text| JsonPath::compile(text).unwrap()).collect();
        let body = serde_json::to_vec(&value).unwrap();
        let refs: Vec<&JsonPath> = paths.iter().collect();
        let found = extract(&refs, &body).unwrap();
        for ((path, found), text) in paths.iter().zip(&found).zip(&texts) {
            prop_assert!(path.is_simple());
            prop_assert_eq!(path.nodes(&value).first().copied(), found.as_ref());
            let full = jsonpath_rust::parser::parse_json_path(text).unwrap();
            let full = jsonpath_rust::query::js_path_process(&full, &value).unwrap();
            prop_assert_eq!(full.first().map(|node| node.val), found.as_ref());
        }
    }

    #[test]
    fn one_walk_accepts_exactly_what_the_tree_accepts(body in "[\\[\\]{}:,\"a0-9.e+\\- tru]{0,12}") {
        let path = JsonPath::compile("$.a[0]").unwrap();
        prop_assert_eq!(extract(&[&path], body.as_bytes()).is_ok(), serde_json::from_str::<Value>(&body).is_ok());
    }

    #[test]
    fn no_query_panics(text in "\\$?[\\[\\]().?@*'\"a-c0-9,:&|=<>! é\\\\-]{0,24}") {
        let value = json!({"a": [1, {"b": "c"}], "b": {"a": null}});
        match JsonPath::compile(&text) {
            Ok(path) => drop(path.nodes(&value)),
            Err(error) => prop_assert!(error.offset.is_none_or(|at| text.is_char_boundary(at))),
        }
        drop(Pattern::compile(&text));
    }
}

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Change, EditError, apply};
use crate::yaml::{Privacy, read, to_json};

fn set(path: &str, value: Value) -> Change {
    Change { path: path.split('.').map(str::to_owned).collect(), value: Some(value), tag: None }
}

fn unset(path: &str) -> Change {
    Change { path: path.split('.').map(str::to_owned).collect(), value: None, tag: None }
}

fn secret(path: &str, value: Value) -> Change {
    Change { tag: Some("!secret"), ..set(path, value) }
}

#[track_caller]
fn edits(text: &str, changes: &[Change], expected: &str) {
    match apply(text, changes) {
        Ok(edited) => assert_eq!(edited, expected, "from {text:?}"),
        Err(error) => panic!("{error}, from {text:?}"),
    }
}

#[track_caller]
fn refuses(text: &str, changes: &[Change], expected: &str) {
    assert_eq!(apply(text, changes), Err(EditError::Unusable(expected.to_owned())), "from {text:?}");
}

#[test]
fn a_value_is_replaced_and_its_comment_stays() {
    edits("a: 1 # one\nb: 2\n", &[set("a", json!("x"))], "a: x # one\nb: 2\n");
    edits("a:   'x'   # one\n", &[set("a", json!(5))], "a:   5   # one\n");
    edits("a: \"x # y\" # z\n", &[set("a", json!("p: q"))], "a: \"p: q\" # z\n");
    edits("a: x\n  y\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n");
    edits("a:\n  x # c\nb: 1\n", &[set("a", json!("z"))], "a:\n  z # c\nb: 1\n");
    edits("# top\nm:\n  # in\n  a: 1\n\n  b: 2\n", &[set("m.b", json!(true))], "# top\nm:\n  # in\n  a: 1\n\n  b: true\n");
    edits("a: 1", &[set("a", json!("z"))], "a: z");
    edits("\"a\" : 1\n", &[set("a", json!(2))], "\"a\" : 2\n");
    edits("? a\n: 1\n", &[set("a", json!(2))], "? a\n: 2\n");
    edits("größe: é # ü\n", &[set("größe", json!("ß"))], "größe: ß # ü\n");
}

#[test]
fn a_value_that_is_there_already_is_left_as_it_is_written() {
    for text in ["a: 'x' # one\n", "a: \"x\"\n", "a: |-\n  x\n"] {
        edits(text, &[set("a", json!("x"))], text);
    }
    edits("a: 0x10\n", &[set("a", json!(16))], "a: 0x10\n");
}

#[test]
fn text_of_several_lines_is_written_in_double_quotes() {
    edits("a: 1\n", &[set("a", json!("x\ny: \"z\"\n"))], "a: \"x\\ny: \\\"z\\\"\\n\"\n");
}

#[test]
fn a_block_scalar_is_replaced_with_its_header() {
    edits("a: |\n  x\n  y\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n");
    edits("a: >- # c\n  x\n\n# d\nb: 1\n", &[set("a", json!("z"))], "a: z # c\n\n# d\nb: 1\n");
    edits("a: |2- # c\n  x\nb: 1\n", &[set("a", json!({"x": 1}))], "a: # c\n  x: 1\nb: 1\n");
    edits("a: |+\n  x\n\n\nb: 1\n", &[set("a", json!("z"))], "a: z\n\n\nb: 1\n");
    edits("a: |\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n");
    edits("m:\n  a: |\n    x", &[set("m.a", json!("z"))], "m:\n  a: z");
    edits("m:\n  a: |\n...\n", &[set("b", json!("z"))], "m:\n  a: |\nb: z\n...\n");
    edits("a: !t |\n  x\nb: 1\n", &[secret("a", json!("z"))], "a: !secret z\nb: 1\n");
}

#[test]
fn an_empty_value_is_filled() {
    edits("a:\nb: 1\n", &[set("a", json!("z"))], "a: z\nb: 1\n");
    edits("a: # c\nb: 1\n", &[set("a", json!("z"))], "a: z # c\nb: 1\n");
    edits("a: ~\n", &[set("a", json!("z"))], "a: z\n");
    edits("a: !secret # c\nb: 1\n", &[set("a", json!("z"))], "a: z # c\nb: 1\n");
    edits("m:\n  a:", &[set("m.a", json!("z"))], "m:\n  a: z");
    edits("{a, b: }\n", &[set("a", json!(1)), set("b", json!(2))], "{a: 1, b: 2 }\n");
}

#[test]
fn a_map_or_list_is_replaced_whole() {
    edits("a:\n  b: 1\n  c: 2\nd: 3\n", &[set("a", json!("z"))], "a: z\nd: 3\n");
    edits("a: # c\n  - 1\n  - 2\nd: 3\n", &[set("a", json!([3]))], "a: [3] # c\nd: 3\n");
    edits("a:\n- 1\n- 2\nd: 3\n", &[set("a", json!({"x": 1, "v": {"z": "w"}}))], "a:\n  x: 1\n  v:\n    z: w\nd: 3\n");
    edits("a: {b: 1, # c\n  d: 2}\ne: 3\n", &[set("a", json!({"x": 1}))], "a:\n  x: 1\ne: 3\n");
    edits("a: x # c\nb: 1\n", &[set("a", json!({"x": 1}))], "a: # c\n  x: 1\nb: 1\n");
    edits("m: {a: {b: 1}, c: 2}\n", &[set("m.a", json!({"x": [1]}))], "m: {a: {x: [1]}, c: 2}\n");
    edits("a:\n  # above\n  b: 1\nc: 2\n", &[set("a", json!({"x": 1}))], "a:\n  x: 1\n  # above\nc: 2\n");
}

#[test]
fn a_new_key_goes_behind_the_last_one_of_its_map() {
    edits("a: 1 # c\n", &[set("b", json!("z"))], "a: 1 # c\nb: z\n");
    edits("a: 1", &[set("b", json!("z"))], "a: 1\nb: z");
    edits("m:\n    a: 1\n\n# next\nn: 2\n", &[set("m.b", json!("z"))], "m:\n    a: 1\n    b: z\n\n# next\nn: 2\n");
    edits(
        "m:\n  a:\n    - 1\n    - x: 2 # c\nn: 2\n",
        &[set("m.b", json!(3))],
        "m:\n  a:\n    - 1\n    - x: 2 # c\n  b: 3\nn: 2\n",
    );
    edits("a: |\n  x\n\n# c\n", &[set("b", json!(1))], "a: |\n  x\nb: 1\n\n# c\n");
    edits("a: |+\n  x\n\n\n", &[set("b", json!(1))], "a: |+\n  x\n\n\nb: 1\n");
    edits("m:\n  a: |+\n    x\n\nn: 1\n", &[set("m.b", json!(1))], "m:\n  a: |+\n    x\n\n  b: 1\nn: 1\n");
    edits("a:\n", &[set("b", json!(1))], "a:\nb: 1\n");
    edits("a: 1\n...\n", &[set("b", json!(1))], "a: 1\nb: 1\n...\n");
    edits("--- # c\na: 1\n", &[set("b", json!(1))], "--- # c\na: 1\nb: 1\n");
    edits("a: 1\n", &[set("x: y", json!(1))], "a: 1\n\"x: y\": 1\n");
}

#[test]
fn a_new_key_goes_into_brackets() {
    edits("m: {a: 1} # c\n", &[set("m.b", json!("x, y"))], "m: {a: 1, b: \"x, y\"} # c\n");
    edits("m: {a: 1,}\n", &[set("m.b", json!(2))], "m: {a: 1, b: 2}\n");
    edits("m: {\n  a: 1, # c\n}\n", &[set("m.b", json!(2))], "m: {\n  a: 1, b: 2 # c\n}\n");
    edits("{}\n", &[set("b.c", json!(2))], "{b: {c: 2}}\n");
    edits("{a: {b: 1}}\n", &[set("a.c.d", json!(2))], "{a: {b: 1, c: {d: 2}}}\n");
}

#[test]
fn missing_maps_are_made() {
    edits("", &[set("stored.token", json!("x"))], "stored:\n  token: x\n");
    edits("# mine\n", &[set("a", json!(1))], "# mine\na: 1\n");
    edits("# mine", &[set("a", json!(1))], "# mine\na: 1\n");
    edits("---\n", &[set("a", json!(1))], "---\na: 1\n");
    edits("a: 1\n", &[set("b.c.d", json!("x"))], "a: 1\nb:\n  c:\n    d: x\n");
    edits("stored:\nb: 1\n", &[set("stored.x", json!(1))], "stored:\n  x: 1\nb: 1\n");
    edits("stored: {} # c\n", &[set("stored.x", json!(1))], "stored: # c\n  x: 1\n");
    edits("stored: # c\n", &[set("stored.x", json!(1)), set("stored.z", json!(2))], "stored: # c\n  x: 1\n  z: 2\n");
    edits("", &[secret("a.b", json!("x"))], "a:\n  b: !secret x\n");
    edits("stored: null", &[secret("stored.x", json!("1"))], "stored:\n  x: !secret \"1\"");
}

#[test]
fn line_ends_and_byte_order_mark_stay() {
    edits("a: 1\r\nb: 2\r\n", &[set("c.d", json!(1)), set("a", json!({"x": 1}))], "a:\r\n  x: 1\r\nb: 2\r\nc:\r\n  d: 1\r\n");
    edits("a:\r\nb: 2\r\n", &[set("a", json!(1))], "a: 1\r\nb: 2\r\n");
    edits("\u{FEFF}a: 1\n", &[set("b", json!(2)), unset("a")], "\u{FEFF}b: 2\n");
    edits("\u{FEFF}", &[set("b", json!(2))], "\u{FEFF}b: 2\n");
}

#[test]
fn a_key_is_removed_with_its_lines() {
    edits("a: 1 # c\nb: 2\n", &[unset("a")], "b: 2\n");
    edits("a: 1\nb: 2", &[unset("b")], "a: 1\n");
    edits("a:\n  b: |\n    x\n    y\n  c: 1\n", &[unset("a.b")], "a:\n  c: 1\n");
    edits("a:\n  b:\n    - 1\nc: 1\n", &[unset("a.b")], "a:\nc: 1\n");
    edits("m: {a: 1, b: 2, c: 3}\n", &[unset("m.a"), unset("m.c")], "m: {b: 2}\n");
    edits("m: {a: 1,}\n", &[unset("m.a")], "m: {}\n");
    edits("a: 1\n", &[unset("x"), unset("y.z")], "a: 1\n");
    edits("a: 1\n", &[unset("a")], "");
    edits("stored:\n", &[unset("stored.x")], "stored:\n");
    // Empty lines behind the key would join the block scalar above it.
    edits("a: |+\n  x\n\nb: 1\n\nc: 1\n", &[unset("b")], "a: |+\n  x\n\nc: 1\n");
    edits("m:\n  - a: 1\n", &[unset("m")], "");
}

#[test]
fn tags_are_set_and_taken_away() {
    edits("a: x\n", &[secret("a", json!("z"))], "a: !secret z\n");
    edits("a: !secret x # c\n", &[set("a", json!("z"))], "a: z # c\n");
    edits("a: !secret x\n", &[secret("a", json!("z"))], "a: !secret z\n");
    edits("a: !secret x\n", &[secret("a", json!(null))], "a: !secret\n");
    edits("a:\n  !secret\n  x\n", &[set("a", json!("z"))], "a:\n  z\n");
}

#[test]
fn an_alias_or_merge_gets_its_own_value_and_the_other_place_stays() {
    edits("a: &x 1\nb: *x # c\n", &[set("b", json!(2))], "a: &x 1\nb: 2 # c\n");
    edits("a: &x {p: 1}\nb: *x\n", &[set("b.q", json!(2))], "a: &x {p: 1}\nb:\n  p: 1\n  q: 2\n");
    edits("a: &x\n  p: 1\nb:\n  <<: *x\n  r: 1\n", &[set("b.p", json!(2))], "a: &x\n  p: 1\nb:\n  <<: *x\n  r: 1\n  p: 2\n");
    edits(
        "x: &x {m: {p: 1}}\nb:\n  <<: *x\n",
        &[set("b.m.q", json!(2))],
        "x: &x {m: {p: 1}}\nb:\n  <<: *x\n  m:\n    p: 1\n    q: 2\n",
    );
    edits("a: &x {p: 1, q: 2}\nb: *x\n", &[unset("b.p")], "a: &x {p: 1, q: 2}\nb:\n  q: 2\n");
    edits("a: &x 1\n", &[set("a", json!(2))], "a: 2\n");
    edits("a: &x {p: 1}\nb: *x\n", &[set("c", json!(2))], "a: &x {p: 1}\nb: *x\nc: 2\n");
}

#[test]
fn what_would_change_another_place_is_refused() {
    let shared = "can't be changed without changing something else (an anchor?); change the file by hand";
    refuses("a: &x 1\nb: *x\n", &[set("a", json!(2))], &format!("`a` {shared}"));
    refuses("a: &x {p: 1}\nb: *x\n", &[set("a.p", json!(2))], &format!("`a.p` {shared}"));
    refuses("a: &x {p: 1}\nb:\n  <<: *x\n", &[unset("b.p")], "`b.p` comes from a merge (`<<`); change the file by hand");
    refuses(
        "a: &x {p: !secret 1}\nb: *x\n",
        &[set("b.q", json!(2))],
        "`b` comes from an anchor and can't be copied; change the file by hand",
    );
}

#[test]
fn what_is_no_map_is_refused_without_its_value() {
    refuses("a: hunter2\n", &[set("a.b", json!(1))], "`a` must be a map");
    refuses("- a\n", &[set("a", json!(1))], "the file must hold a map at its top");
    refuses("hunter2\n", &[set("a", json!(1))], "the file must hold a map at its top");
    refuses("a: 1\nb: 'hunter2\n", &[set("a", json!(1))], "line 2: this quote is never closed");
    refuses("a: 1\na: 2\n", &[set("a", json!(1))], "line 2: duplicate key `a`");
    refuses("a: 1\n", &[Change { path: vec![], value: Some(json!(1)), tag: None }], "the change names no key");
}

fn value_of(text: &str) -> Value {
    let document = read("a.yaml", text.to_owned(), Privacy::Open).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    document.root.map_or(Value::Null, |root| to_json(&root).unwrap())
}

proptest! {
    #[test]
    fn any_text_is_edited_or_refused(text in "[a-c:{}\\[\\],&*!|>'\"#\\- \n\t~?<]{0,40}", path in "[a-c](\\.[a-c])?") {
        if let Ok(edited) = apply(&text, &[set(&path, json!("new"))]) {
            let pointer = format!("/{}", path.replace('.', "/"));
            let after = value_of(&edited);
            prop_assert_eq!(after.pointer(&pointer), Some(&json!("new")), "{}", edited);
        }
        let _ = apply(&text, &[unset(&path)]);
    }
}

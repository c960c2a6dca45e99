use proptest::prelude::*;

use super::{Document, Kind, Node, Privacy, read, to_json};
use crate::diagnostic::{Diagnostic, Span, Style, render_all};

#[track_caller]
fn sound(text: &str) -> Document {
    read("f.yaml", text.to_owned(), Privacy::Open)
        .unwrap_or_else(|found| panic!("{}", render_all(&found, Style::plain(), &crate::mask::Masker::new())))
}

#[track_caller]
fn json(text: &str) -> String {
    sound(text).root.map_or("nothing".to_owned(), |root| to_json(&root).unwrap().to_string())
}

fn findings(text: &str, privacy: Privacy) -> Vec<Diagnostic> {
    read("f.yaml", text.to_owned(), privacy).err().unwrap_or_default()
}

#[track_caller]
fn said(text: &str, privacy: Privacy) -> String {
    render_all(&findings(text, privacy), Style::plain(), &crate::mask::Masker::new())
}

/// The text of a node's place, its tag, and where it is used.
fn places(text: &str, path: &[&str]) -> (String, String) {
    let document = sound(text);
    let root = document.root.unwrap();
    let node = path.iter().fold(&root, |node, key| match key.parse::<usize>() {
        Ok(at) => match &node.value {
            super::Value::Sequence(items) => &items[at],
            _ => panic!("no list"),
        },
        Err(_) => node.get(key).unwrap(),
    });
    let show = |span: Span| format!("{}:{}", span.start, document.file.slice(span));
    (show(node.span), show(node.used_at))
}

#[test]
fn every_case_of_the_table_is_said_as_written() {
    let table = include_str!("hint_cases.txt");
    let mut wrong = Vec::new();
    for case in table.split("=====\n").skip(1) {
        let (text, expected) = case.split_once("----->\n").unwrap();
        let text = text.replace("<TAB>", "\t");
        let found = match read("f.yaml", text.clone(), Privacy::Open) {
            Ok(document) if document.warnings.is_empty() => "nothing\n".to_owned(),
            Ok(document) => render_all(&document.warnings, Style::plain(), &crate::mask::Masker::new()),
            Err(findings) => render_all(&findings, Style::plain(), &crate::mask::Masker::new()),
        };
        if found != expected {
            wrong.push(format!("{text}----->\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ; they say now:\n{}", wrong.len(), wrong.join("=====\n"));
}

#[test]
fn a_hidden_file_is_never_quoted() {
    // The same table with a file of secrets: place and rule are said, and nothing of the line.
    for case in include_str!("hint_cases.txt").split("=====\n").skip(1) {
        let text = case.split_once("----->\n").unwrap().0.replace("<TAB>", "\t");
        for finding in findings(&text, Privacy::Hidden) {
            let said = format!("{} {} {}", finding.message, finding.label, finding.help.join(" "));
            assert!(!said.contains("write it"), "{said}");
            assert!(said.len() < 220, "{said}");
            let rendered = render_all(&[finding], Style::plain(), &crate::mask::Masker::new());
            assert!(rendered.starts_with("error: ") && rendered.contains("\n --> f.yaml:"), "{rendered}");
            assert!(!rendered.contains(" | "), "{rendered}");
        }
    }
}

#[test]
fn no_message_holds_a_value_of_a_hidden_file() {
    for text in [
        "a: hunter2: x\n",
        "a: @hunter2\n",
        "a: *hunter2\n",
        "a: *hunter2*\n",
        "a: &hunter2 *hunter2\n",
        "a: {{ hunter2 }}\n",
        "a: {{ hunter2 }}x\n",
        "a: \"hunter2\\d\"\n",
        "a: \"hunter2\n",
        "a: 'hunter2' hunter2\n",
        "a: [hunter2\n",
        "a: {hunter2[0]: hunter2}\n",
        "a: hunter2 #hunter2\nb: @\n",
        "a: !hunter2!hunter2 x\n",
        "a: !<hunter2\n",
        "hunter2\n  hunter2: x\n",
        "- hunter2\nhunter2\n",
        "a:\n\thunter2: x\n",
        "a: >hunter2\n",
        "a: b\n--- hunter2\n",
        "[hunter2]: a\n",
        "<<: hunter2\n",
        "a: hunter2\u{7}\n",
        "%hunter2\n---\na: @\n",
    ] {
        let said = said(text, Privacy::Hidden);
        assert!(said.contains("error: ") && !said.contains("hunter2"), "{text}{said}");
    }
}

#[test]
fn a_line_with_a_tagged_value_stays_hidden_and_the_others_show() {
    let text = "a: !secret hunter2\na: 1\nb: !secret\n  x: hunter2\n  x: hunter2\n  y: !t |\n    hunter2\nc: 1\nc: 2\nd: !t {{ hunter2 }}\n";
    let said = said(text, Privacy::HideTagged);
    assert!(!said.contains("hunter2"), "{said}");
    assert!(said.contains("2 | a: 1") && said.contains("9 | c: 2"), "{said}");
    assert!(said.contains("f.yaml:5:3") && said.contains("f.yaml:10:7"), "{said}");
}

#[test]
fn a_scan_error_hides_all_as_soon_as_there_may_be_tags() {
    for tagged in [
        "a: !secret hunter2\nb: @hunter2\n",
        "a: @hunter2\nb: !secret x\n",
        "x:\n  - !secret\n  y: hunter2: z\n",
        "[!a b, @hunter2",
    ] {
        let said = said(tagged, Privacy::HideTagged);
        assert!(!said.contains("hunter2"), "{said}");
    }
    let said = said("a: hello! world\nb: x != y\nc: @x\n", Privacy::HideTagged);
    assert!(said.contains("write it quoted: c: \"@x\""), "{said}");
}

#[test]
fn places_are_bytes_and_end_where_the_value_ends() {
    for (text, path, expected) in [
        ("é: ü # c\n", &["é"] as &[&str], "4:ü"),
        ("\u{FEFF}a: b\n", &["a"], "6:b"),
        ("a: 'x y'\n", &["a"], "3:'x y'"),
        ("a: |\n  x\n\n\nb: 1\n", &["a"], "7:x"),
        ("a: >-\n  x\n  y\n# c\nb: 1\n", &["a"], "8:x\n  y"),
        ("a: {b: 1} # c\n", &["a"], "3:{b: 1}"),
        ("a:\n  b: 1 # c\n  d: x\n\n# e\nf: 1\n", &["a"], "5:b: 1 # c\n  d: x"),
        ("a:\n  - 1\n  - [2, 3]\n\nb: 1\n", &["a"], "5:- 1\n  - [2, 3]"),
        ("a:\n  - b:\n  - c\n", &["a", "0"], "7:b:"),
        ("a: !env X\n", &["a"], "8:X"),
        ("a: &n X\n", &["a"], "6:X"),
        // An absent value stands behind its colon, dash, tag or anchor.
        ("a:\nb: 1\n", &["a"], "2:"),
        ("\"a\" :   # c\nb: 1\n", &["a"], "5:"),
        ("a:", &["a"], "2:"),
        ("- \n- x\n", &["0"], "1:"),
        ("a: !secret\nb: 1\n", &["a"], "10:"),
        ("a: &x # c\n", &["a"], "5:"),
        ("{a, b: , c: 1}", &["a"], "2:"),
        ("{a, b: , c: 1}", &["b"], "6:"),
    ] {
        assert_eq!(places(text, path).0, expected, "{text}");
    }
}

#[test]
fn an_alias_knows_where_it_is_used() {
    assert_eq!(places("a: &x {b: 1}\nc: *x\n", &["c"]), ("6:{b: 1}".to_owned(), "16:*x".to_owned()));
    assert_eq!(places("a: &x {b: 1}\nc: *x\n", &["c", "b"]), ("10:1".to_owned(), "10:1".to_owned()));
    assert_eq!(places("a: &x 1\nc:\n  - *x\nd: 1\n", &["c"]).0, "13:- *x");
}

#[test]
fn anchors_and_merges_are_written_out() {
    assert_eq!(json("a: &x 1\nb: [*x, *x]\n"), r#"{"a":1,"b":[1,1]}"#);
    assert_eq!(json("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  p: 3\n"), r#"{"a":{"p":1,"q":2},"b":{"p":3,"q":2}}"#);
    assert_eq!(json("b: {p: 3, <<: {p: 1, q: 2}}\n"), r#"{"b":{"p":3,"q":2}}"#);
    assert_eq!(json("<<: [{a: 1, b: 1}, {b: 2, c: 2}]\nc: 3\n"), r#"{"c":3,"a":1,"b":1}"#);
    assert_eq!(
        json("x: &x {a: 1}\ny: &y\n  <<: *x\n  b: 2\nz: {<<: *y}\n"),
        r#"{"x":{"a":1},"y":{"b":2,"a":1},"z":{"b":2,"a":1}}"#
    );
    assert_eq!(json("'<<': 1\n"), r#"{"<<":1}"#);
    assert_eq!(json("&k a: 1\n*k : 2\nb: 3\n".replace("*k", "c").as_str()), r#"{"a":1,"c":2,"b":3}"#);
    assert_eq!(json("x: &k a\nm:\n  *k : 1\n"), r#"{"x":"a","m":{"a":1}}"#);
    // A redefined anchor counts from there on.
    assert_eq!(json("a: &x 1\nb: *x\nc: &x 2\nd: *x\n"), r#"{"a":1,"b":1,"c":2,"d":2}"#);
}

#[test]
fn scalars_follow_the_core_schema_and_quotes_make_text() {
    assert_eq!(
        json("[yes, no, on, off, true, ~, 12, '12', 0x1F, 1.5, \"null\", 12:30]"),
        r#"["yes","no","on","off",true,null,12,"12",31,1.5,"null","12:30"]"#
    );
    assert_eq!(json("[!!str 12, ! 12, !!int '12', !t 12]"), r#"["12","12",12,12]"#);
    assert_eq!(json("200: a\ntrue: b\n"), r#"{"200":"a","true":"b"}"#);
    let root = sound("a: !secret 12\nb: !m {c: 1}\nd: !s [1]\n").root.unwrap();
    let tag = |node: Option<&Node>| node.unwrap().tag.clone().unwrap().name.to_string();
    assert_eq!((tag(root.get("a")), tag(root.get("b")), tag(root.get("d"))), ("!secret".into(), "!m".into(), "!s".into()));
    assert_eq!(root.get("a").unwrap().scalar().unwrap().kind, Kind::Integer(Some(12)));
}

#[test]
fn a_file_without_a_value_has_no_root() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "\u{FEFF}", "%YAML 1.2\n---\n# c\n"] {
        assert!(sound(text).root.is_none(), "{text:?}");
    }
    assert_eq!(json("%YAML 1.2\n---\na: 1\n...\n"), r#"{"a":1}"#);
    assert_eq!(json("--- # c\na: 1\r\nb:\r\n  - 2\r\n"), r#"{"a":1,"b":[2]}"#);
}

#[test]
fn several_mistakes_are_said_at_once_in_the_order_of_the_file() {
    let lines: Vec<usize> = findings("a: *no\nb: 1\nb: 2\n? [c]\n: 1\nd: {{ x }}\n: 3\n", Privacy::Open)
        .iter()
        .map(|finding| finding.place.as_ref().unwrap().line())
        .collect();
    assert_eq!(lines, [1, 3, 4, 6, 7]);
    // A scan error ends the reading, and what was found before it is still said.
    assert_eq!(findings("a: 1\na: 2\nb: @\nc: 1\nc: 2\n", Privacy::Open).len(), 2);
}

#[test]
fn a_map_with_many_keys_finds_its_duplicate() {
    let mut text: String = (0..1000).map(|at| format!("k{at}: 1\n")).collect();
    assert_eq!(sound(&text).root.unwrap().entries().unwrap().len(), 1000);
    text += "k7: 2\n";
    assert!(said(&text, Privacy::Open).contains("f.yaml:1001:1\n"), "{}", said(&text, Privacy::Open));
    assert!(said(&text, Privacy::Open).contains("the first is at line 8"));
}

#[test]
fn bombs_are_refused_with_a_place() {
    let laughs: String = (1..10).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))).collect();
    let laughs = format!("a0: &a0 [{}]\n{laughs}", ["lol"; 9].join(", "));
    let quadratic = format!("a: &a [{}]\nb: [{}]\n", vec!["x"; 20_000].join(","), vec!["*a"; 20_000].join(","));
    let merges = format!(
        "a: &a {{{}}}\n{}",
        (0..2000).map(|n| format!("k{n}: 1")).collect::<Vec<_>>().join(","),
        (0..2000).fold(String::new(), |text, n| text + &format!("m{n}: {{<<: *a}}\n"))
    );
    let chain = (1..200).fold("a0: &a0 [x]\n".to_owned(), |text, n| text + &format!("a{n}: &a{n} [*a{}]\n", n - 1));
    let wide = format!("[{}]", "x,".repeat(1_000_001));
    for (what, text, expected) in [
        ("billion laughs", laughs.as_str(), "more than 1000000 values"),
        ("quadratic aliases", &quadratic, "more than 1000000 values"),
        ("merges", &merges, "more than 1000000 values"),
        ("values", &wide, "more than 1000000 values"),
        ("nested aliases", &chain, "nested deeper than 128 levels"),
        ("brackets", &"[".repeat(100_000), "nested deeper than 128 levels"),
        ("braces", &"{a: ".repeat(100_000), "nested deeper than 128 levels"),
        ("dashes", &"- ".repeat(100_000), "nested deeper than 128 levels"),
        ("questions", &"? ".repeat(100_000), "nested deeper than 128 levels"),
        (
            "indentation",
            &(0..2000).fold(String::new(), |text, n| text + &" ".repeat(n) + "a:\n"),
            "nested deeper than 128 levels",
        ),
    ] {
        let said = said(text, Privacy::Open);
        assert!(said.contains(expected) && said.contains("--> f.yaml:"), "{what}: {}", &said[..said.len().min(400)]);
        assert!(said.len() < 2000, "{what}");
    }
}

#[test]
fn what_is_just_within_the_limits_is_read() {
    let deep = format!("{}x{}", "[".repeat(128), "]".repeat(128));
    assert!(sound(&deep).root.is_some());
    let hundred = format!("a: &a x\nb: [{}]\n", vec!["*a"; 100_000].join(","));
    assert!(sound(&hundred).root.is_some());
    let large = "a".repeat(super::LARGEST + 1);
    assert_eq!(
        said(&large, Privacy::Open),
        "error: `f.yaml` is larger than 16 MiB\n  = help: rows of data can stand in a csv or jsonl file\n"
    );
}

#[test]
fn many_findings_stay_readable() {
    let text = "a: 1\n".repeat(50_000);
    assert_eq!(findings(&text, Privacy::Open).len(), 100);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_at_a_place(text in prop_oneof!["\\PC{0,60}", "[-?:,\\[\\]{}#&*!|>'\"%@` \n\tabé<0\\\\]{0,60}", "[\\s\\S]{0,40}"], privacy in 0..3_usize) {
        let privacy = [Privacy::Open, Privacy::HideTagged, Privacy::Hidden][privacy];
        match read("f.yaml", text.clone(), privacy) {
            Ok(document) => {
                let _ = render_all(&document.warnings, Style::plain(), &crate::mask::Masker::new());
                if let Some(root) = &document.root {
                    check(root, &text);
                    let _ = to_json(root);
                }
            }
            Err(found) => {
                prop_assert!(!found.is_empty());
                for finding in &found {
                    let span = finding.place.as_ref().unwrap().span;
                    prop_assert!(text.get(span.start..span.end).is_some(), "{:?} {:?}", span, text);
                }
                let _ = render_all(&found, Style::plain(), &crate::mask::Masker::new());
            }
        }
    }
}

/// Every place lies on character borders, and children lie in their parents.
fn check(node: &Node, text: &str) {
    for span in [node.span, node.used_at] {
        assert!(text.get(span.start..span.end).is_some(), "{span:?} {text:?}");
    }
    match &node.value {
        super::Value::Scalar(_) => {}
        super::Value::Sequence(items) => {
            for item in items.iter() {
                assert!(node.span.start <= item.used_at.start && item.used_at.end <= node.span.end, "{text:?}");
                check(item, text);
            }
        }
        super::Value::Mapping(entries) => {
            for entry in entries.iter() {
                assert!(text.get(entry.key_span.start..entry.key_span.end).is_some());
                check(&entry.value, text);
            }
        }
    }
}

//! Changes to generated files, of which every byte is known: what belongs to which key, so that all else can be compared.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Change, apply};
use crate::yaml::{Privacy, read, to_json};

/// How a key of a generated map is written; `N` is its number. Some look like one another, some need their quotes.
const KEYS: &[(&str, &str)] = &[
    ("kN", "kN"),
    ("KN", "KN"),
    ("'kN '", "kN "),
    ("\"k\\tN\"", "k\tN"),
    ("\"k: N\"", "k: N"),
    ("'- N'", "- N"),
    ("größe N", "größe N"),
    ("N", "N"),
    ("\"#N\"", "#N"),
    ("k#N", "k#N"),
    ("'it''s N'", "it's N"),
    ("😀N", "😀N"),
];

/// Values as they stand behind a key; `@` is the indentation of the key, `~` a line break that some files have as `\r\n`.
const VALUES: &[&str] = &[
    "1",
    "0x1F",
    "-1.5e3",
    "plain text",
    "plain, [with] {signs}:not#keys",
    "plain~@  goes on~~@  and on",
    "'it''s'",
    "'single~@  goes on'",
    "\"dou\\nble # no comment\"",
    "\"double~~@   goes \\~@  on\"",
    "é ü 😀",
    "null",
    "",
    "!t tagged",
    "!t",
    "!!str 5",
    "! 5",
    "&mine anchored",
    "!t &mine2 both",
    "&mine3",
    "*shared",
    "[1, {x: y}, 'z']",
    "[~@  1, # first~@  2~@  ]",
    "{p: 1, q: {r: s}}",
    "{~@  p: 1, # first~@  \"q\":2~@  }",
    "{}",
    "[]",
    "!t {p: 1}",
    "|~@  literal~@~@    # no comment~@  k1: no key",
    "|-~@ one space",
    "|+~@  keeps~~",
    ">~@  folded~@  text~",
    ">2-~@    indented by two more~@  text",
    "!t |~@  tagged literal",
    "|- # header~@  commented",
    "| # header",
    "|",
    "~@- 1~@- two",
    "~@  - k: 1~@    l: |~@      z~@  - !t u",
    "~@  !t~@  late",
    "~@  # above~@  late",
    "~@  'late~@   and long'",
];

/// One entry of a generated map.
#[derive(Debug, Clone)]
struct Pair {
    lead: &'static str,
    key: usize,
    gap: &'static str,
    value: Content,
    comment: &'static str,
}

#[derive(Debug, Clone)]
enum Content {
    Leaf(&'static str),
    Map(usize, Vec<Pair>),
}

/// Where an entry stands.
#[derive(Debug, Clone)]
struct Entry {
    path: Vec<String>,
    /// The start of its first line.
    start: usize,
    /// Behind its colon.
    colon: usize,
    /// Behind its value, and what follows on the line.
    value: usize,
    /// The start of the line behind it.
    end: usize,
    comment: &'static str,
    leaf: Option<&'static str>,
    /// Whether the entry above it in its map ends with a block scalar.
    behind_block: bool,
}

#[derive(Debug, Clone)]
struct Generated {
    text: String,
    entries: Vec<Entry>,
}

fn any_pair(inner: BoxedStrategy<Content>) -> impl Strategy<Value = Pair> {
    let leads = ["", "", "~", "@# comment: x~", "~@  # deeper~~", "# at the start~", "@#~"];
    (
        prop::sample::select(leads.to_vec()),
        0..KEYS.len(),
        prop::sample::select([" ", " ", "  ", "\t", " \t "].to_vec()),
        inner,
        prop::sample::select(["", "", " # beside", "  # b: 'c' #", "\t# tab"].to_vec()),
    )
        .prop_map(|(lead, key, gap, value, comment)| Pair { lead, key, gap, value, comment })
}

fn any_content(depth: usize) -> BoxedStrategy<Content> {
    let leaf = prop::sample::select(VALUES).prop_map(Content::Leaf);
    if depth == 0 {
        return leaf.boxed();
    }
    let map = (1..4_usize, prop::collection::vec(any_pair(any_content(depth - 1)), 1..4));
    prop_oneof![3 => leaf, 1 => map.prop_map(|(indent, pairs)| Content::Map(indent, pairs))].boxed()
}

fn any_file() -> impl Strategy<Value = Generated> {
    let heads = ["", "", "\u{FEFF}", "# head~", "---~", "--- # head~", "%YAML 1.2~---~", "~~"];
    let feet = ["", "", "# foot~", "~# foot~~", "...~"];
    (
        prop::sample::select(heads.to_vec()),
        prop::collection::vec(any_pair(any_content(3)), 1..5),
        prop::sample::select(feet.to_vec()),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(head, pairs, foot, crlf, cut)| {
            let newline = if crlf { "\r\n" } else { "\n" };
            let mut file = Generated { text: head.replace('~', newline), entries: Vec::new() };
            // What the aliases name; `k0` is taken by no other key.
            file.text += &"base: &shared {p: 1, q: [2]}~".replace('~', newline);
            file.map(&pairs, 0, &[], newline);
            file.text += &foot.replace('~', newline);
            if cut && foot.is_empty() {
                let length = file.text.trim_end_matches(['\n', '\r']).len();
                // Not where empty lines belong to the last value.
                if length + newline.len() == file.text.len() {
                    file.text.truncate(length);
                    file.entries.iter_mut().for_each(|entry| entry.end = entry.end.min(length));
                }
            }
            file
        })
}

impl Generated {
    fn map(&mut self, pairs: &[Pair], indent: usize, path: &[String], newline: &str) {
        let spaces = " ".repeat(indent);
        let lines = |text: &str| text.replace('@', &spaces).replace('~', newline);
        let mut behind_block = false;
        for (number, pair) in pairs.iter().enumerate() {
            // Behind a block scalar that keeps its empty lines a comment at the margin ends it, and an empty line would join it.
            self.text += &if behind_block { String::new() } else { lines(pair.lead) };
            let start = self.text.len();
            let (written, name) = KEYS[pair.key];
            let number = (number + 1).to_string();
            let path = [path, &[name.replace('N', &number)]].concat();
            self.text += &format!("{spaces}{}:", written.replace('N', &number));
            let colon = self.text.len();
            let at = self.entries.len();
            let (leaf, comment) = match &pair.value {
                Content::Leaf(leaf) => (Some(*leaf), if leaf.contains('~') || leaf.starts_with('|') { "" } else { pair.comment }),
                Content::Map(..) => (None, pair.comment),
            };
            let comment = if comment.starts_with('\t') && leaf == Some("") { "" } else { comment };
            self.entries.push(Entry { path: path.clone(), start, colon, value: 0, end: 0, comment, leaf, behind_block });
            match &pair.value {
                Content::Leaf(leaf) => {
                    let gap = if leaf.is_empty() || leaf.starts_with('~') { "" } else { pair.gap };
                    self.text += &format!("{gap}{}", lines(leaf));
                    self.entries[at].value = self.text.len();
                    self.text += &format!("{comment}{newline}");
                    behind_block = is_block(leaf);
                }
                Content::Map(deeper, pairs) => {
                    self.entries[at].value = self.text.len();
                    self.text += &format!("{comment}{newline}");
                    self.map(pairs, indent + deeper, &path, newline);
                    behind_block = self.entries.last().is_some_and(|last| last.leaf.is_some_and(is_block));
                }
            }
            self.entries[at].end = self.text.len();
        }
    }

    fn json(&self) -> Value {
        value_of(&self.text)
    }
}

/// Whether a value ends with a block scalar.
fn is_block(leaf: &str) -> bool {
    leaf.contains(['|', '>']) && !leaf.starts_with("~@  -") || leaf.ends_with("~")
}

fn value_of(text: &str) -> Value {
    let document = read("a.yaml", text.to_owned(), Privacy::Open).unwrap_or_else(|e| panic!("{text}\n{e:?}"));
    document.root.map_or(Value::Null, |root| to_json(&root).unwrap())
}

/// The value under `path`.
fn at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| value.as_object_mut()?.get_mut(key))
}

/// An empty map says as much as none.
fn without_empty_maps(value: Value) -> Value {
    match value {
        Value::Object(map) if map.is_empty() => Value::Null,
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, without_empty_maps(value))).collect()),
        other => other,
    }
}

/// How many bytes at the start and at the end two texts share, without counting any twice.
fn shared(old: &str, new: &str) -> usize {
    let head = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let tail = old[head..].len().min(new[head..].len());
    head + old.bytes().rev().zip(new.bytes().rev()).take(tail).take_while(|(a, b)| a == b).count()
}

proptest! {
    #[test]
    fn a_key_is_set_and_every_other_byte_stays(
        file in any_file(),
        which in any::<prop::sample::Index>(),
        value in crate::yaml::write::tests::any_json(),
        tagged in any::<bool>(),
    ) {
        let entry = which.get(&file.entries);
        let tag = tagged.then_some("!secret");
        let change = Change { path: entry.path.clone(), value: Some(value.clone()), tag };
        let edited = apply(&file.text, std::slice::from_ref(&change));
        let edited = edited.map_err(|error| TestCaseError::fail(format!("{error}\n{}", file.text)))?;
        let shown = format!("{:?}: {value}\n--- before\n{}\n--- after\n{edited}\n---", entry.path, file.text);
        let mut expected = file.json();
        *at(&mut expected, &entry.path).unwrap() = value.clone();
        prop_assert_eq!(without_empty_maps(value_of(&edited)), without_empty_maps(expected), "{}", shown);
        if edited == file.text {
            return Ok(());
        }
        prop_assert!(edited.starts_with(&file.text[..entry.colon]), "{}", shown);
        let rest = &edited[entry.colon..];
        if entry.leaf.is_some_and(|leaf| leaf.contains("# header")) {
            prop_assert!(rest[..rest.len() - (file.text.len() - entry.end)].contains(" # header"), "{}", shown);
        }
        let is_lines = value.as_object().is_some_and(|map| !map.is_empty());
        match entry.leaf {
            Some(leaf) if !is_lines && !leaf.starts_with('~') => {
                // The new value stands where the old one stood, and what is beside it stays where it is.
                prop_assert!(rest.ends_with(&file.text[entry.value..]) || is_block(leaf) && rest.ends_with(&file.text[entry.end..]), "{}", shown);
            }
            _ => {
                prop_assert!(rest.ends_with(&file.text[entry.end..]), "{}", shown);
                prop_assert!(rest.contains(entry.comment.trim()), "{}", shown);
            }
        }
        prop_assert_eq!(apply(&edited, &[change]).unwrap(), edited, "{}", shown);
    }

    #[test]
    fn a_key_is_taken_away_and_every_other_byte_stays(file in any_file(), which in any::<prop::sample::Index>()) {
        let entry = which.get(&file.entries);
        let edited = match apply(&file.text, &[Change { path: entry.path.clone(), value: None, tag: None }]) {
            Ok(edited) => edited,
            // A comment below it that is deep enough would become part of the block scalar above it.
            Err(_) if entry.behind_block && file.text[entry.end..].trim_start().starts_with('#') => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{}", file.text))),
        };
        let shown = format!("{:?}\n--- before\n{}\n--- after\n{edited}\n---", entry.path, file.text);
        let mut expected = file.json();
        let (last, above) = entry.path.split_last().unwrap();
        at(&mut expected, above).unwrap().as_object_mut().unwrap().shift_remove(last);
        prop_assert_eq!(without_empty_maps(value_of(&edited)), without_empty_maps(expected), "{}", shown);
        let (head, tail) = (&file.text[..entry.start], &file.text[entry.end..]);
        // Empty lines behind a block scalar belong to it, and to nobody else.
        if entry.behind_block || file.text[entry.start..entry.end].contains(['|', '>']) {
            prop_assert!(edited.starts_with(head) && edited.ends_with(tail.trim_start_matches(['\r', '\n'])), "{}", shown);
        } else {
            prop_assert_eq!(&edited, &format!("{head}{tail}"), "{}", shown);
        }
    }

    #[test]
    fn a_new_key_is_added_and_every_byte_stays(
        file in any_file(),
        which in any::<prop::sample::Index>(),
        value in crate::yaml::write::tests::any_json(),
        tagged in any::<bool>(),
    ) {
        let maps: Vec<Vec<String>> = file.entries.iter().filter(|entry| entry.leaf.is_none()).map(|entry| entry.path.clone()).collect();
        let map = which.get(&[maps.as_slice(), &[Vec::new()]].concat()).clone();
        let path = [map.as_slice(), &["new: key".to_owned()]].concat();
        let change = Change { path: path.clone(), value: Some(value.clone()), tag: tagged.then_some("!secret") };
        let edited = apply(&file.text, &[change]).map_err(|error| TestCaseError::fail(format!("{error}\n{}", file.text)))?;
        let shown = format!("{path:?}: {value}\n--- before\n{}\n--- after\n{edited}\n---", file.text);
        let mut expected = file.json();
        let Some(Value::Object(entries)) = at(&mut expected, &map) else { panic!("{shown}") };
        entries.insert("new: key".to_owned(), value);
        prop_assert_eq!(without_empty_maps(value_of(&edited)), without_empty_maps(expected), "{}", shown);
        prop_assert!(shared(&file.text, &edited) >= file.text.len(), "{}", shown);
    }
}

/// What the generator is for must be in what it makes.
#[test]
fn the_generated_files_are_sound_and_of_every_kind() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = Map::new();
    for _ in 0..400 {
        let file = any_file().new_tree(&mut runner).unwrap().current();
        let mut json = file.json();
        for entry in &file.entries {
            assert!(at(&mut json, &entry.path).is_some(), "{:?}\n{}", entry.path, file.text);
            seen.insert(entry.leaf.unwrap_or("a map").to_owned(), Value::Null);
        }
    }
    assert_eq!(seen.len(), VALUES.len() + 1);
}

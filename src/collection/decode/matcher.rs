//! Decodes a matcher: what must hold of one value. A plain value or a list means equals; a map is always matchers.

use crate::collection::{JsonType, Matcher, Test, TestKind};
use crate::diagnostic::nearest;
use crate::template::{Builder, Syntax, Template, Tree};
use crate::yaml::{Decoder, Entry, Kind, Node, Scalar, Value};

use super::capture::{is_template, pattern};

const NAMES: &[&str] = &[
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "above",
    "below",
    "at_least",
    "at_most",
    "count",
    "exists",
    "empty",
    "type",
    "in",
    "each",
    "all",
    "any",
    "not",
];
/// What people know from other tools, and what it is called here.
const ELSEWHERE: [(&str, &str); 24] = [
    ("eq", "equals"),
    ("is", "equals"),
    ("ne", "not_equals"),
    ("neq", "not_equals"),
    ("has", "contains"),
    ("includes", "contains"),
    ("regex", "matches"),
    ("gt", "above"),
    ("greater_than", "above"),
    ("more_than", "above"),
    ("lt", "below"),
    ("less_than", "below"),
    ("gte", "at_least"),
    ("ge", "at_least"),
    ("min", "at_least"),
    ("lte", "at_most"),
    ("le", "at_most"),
    ("max", "at_most"),
    ("length", "count"),
    ("len", "count"),
    ("size", "count"),
    ("one_of", "in"),
    ("every", "each"),
    ("present", "exists"),
];
const TYPES_ELSEWHERE: [(&str, &str); 7] = [
    ("list", "array"),
    ("map", "object"),
    ("text", "string"),
    ("bool", "boolean"),
    ("int", "integer"),
    ("float", "number"),
    ("none", "null"),
];

/// What a matcher's operands are compared with; it decides how they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// JSON: a number is a number, quoted text is text.
    Json,
    /// Text (a header, the body): a plain scalar is the text as spelt.
    Text,
    /// A duration: operands carry their unit and become milliseconds.
    Duration,
    /// A number of bytes.
    Bytes,
}

/// Decodes a matcher.
pub(super) fn matcher(decoder: &mut Decoder, templates: &mut Builder, node: &Node, operand: Operand) -> Option<Matcher> {
    let place = decoder.place(node.span);
    decoder.no_tag(node);
    let Some(entries) = node.entries() else {
        let wanted = equals(decoder, templates, node, operand)?;
        return Some(Matcher { tests: vec![Test { kind: TestKind::Equals(wanted), place: place.clone() }], place });
    };
    if entries.is_empty() {
        let finding = place.error("an empty map says nothing");
        decoder.report(finding.help("to compare with an empty map, write `{equals: {}}`"));
        return None;
    }
    let mut sound = unknown(decoder, entries);
    let mut tests = Vec::with_capacity(entries.len());
    for entry in entries.iter().filter(|entry| NAMES.contains(&&*entry.key)) {
        match test(decoder, templates, entry, operand) {
            Some(kind) => tests.push(Test { kind, place: decoder.place(entry.value.span) }),
            None => sound = false,
        }
    }
    sound.then_some(Matcher { tests, place })
}

/// Reports the names that are no matchers. Of those that resemble none only the first: such a map is probably a literal one.
fn unknown(decoder: &mut Decoder, entries: &[Entry]) -> bool {
    let mut sound = true;
    let mut literal = false;
    for entry in entries.iter().filter(|entry| !NAMES.contains(&&*entry.key)) {
        sound = false;
        let near = ELSEWHERE.iter().find(|(name, _)| *name == &*entry.key).map(|(_, ours)| *ours);
        // a word of two letters is near to every other: `id` is a key of a literal map, not a slip for `in`
        let near = near.or_else(|| nearest(&entry.key, NAMES.iter().copied()).filter(|_| entry.key.len() > 2));
        if near.is_none() && std::mem::replace(&mut literal, true) {
            continue;
        }
        let mut finding = decoder.place(entry.key_span).error(format!("unknown matcher `{}`", entry.key));
        finding = match near {
            Some(near) => finding.label(format!("did you mean `{near}`?")),
            None => finding.help(format!("matchers: {}", NAMES.join(", "))),
        };
        decoder.report(finding.help("a map is always matchers; to compare with a map, write `{equals: {…}}`"));
    }
    sound
}

fn test(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, operand: Operand) -> Option<TestKind> {
    let node = &entry.value;
    let key = &*entry.key;
    decoder.no_tag(node);
    if operand == Operand::Duration && !matches!(key, "above" | "below" | "at_least" | "at_most" | "all" | "any" | "not") {
        let finding = decoder.place(entry.key_span).error(format!("`{key}` says nothing about a duration"));
        decoder.report(finding.help("bounds do: `{below: 5s}`, `above`, `at_least`, `at_most`"));
        return None;
    }
    Some(match key {
        "equals" => TestKind::Equals(equals(decoder, templates, node, operand)?),
        "not_equals" => TestKind::NotEquals(equals(decoder, templates, node, operand)?),
        "contains" => TestKind::Contains(value(decoder, templates, node, operand)?),
        "not_contains" => TestKind::NotContains(value(decoder, templates, node, operand)?),
        "starts_with" => TestKind::StartsWith(text(decoder, templates, node, "`starts_with`")?),
        "ends_with" => TestKind::EndsWith(text(decoder, templates, node, "`ends_with`")?),
        "matches" => TestKind::Matches(pattern(decoder, node, "`matches`")?),
        "above" => TestKind::Above(bound(decoder, templates, entry, operand)?),
        "below" => TestKind::Below(bound(decoder, templates, entry, operand)?),
        "at_least" => TestKind::AtLeast(bound(decoder, templates, entry, operand)?),
        "at_most" => TestKind::AtMost(bound(decoder, templates, entry, operand)?),
        "count" => TestKind::Count(Box::new(matcher(decoder, templates, node, Operand::Json)?)),
        "exists" => TestKind::Exists(decoder.bool(node, "`exists`")?),
        "empty" => TestKind::Empty(decoder.bool(node, "`empty`")?),
        "type" => TestKind::Type(json_type(decoder, node)?),
        "in" => TestKind::In(choices(decoder, templates, node, operand)?),
        "each" => TestKind::Each(Box::new(matcher(decoder, templates, node, operand)?)),
        "all" => TestKind::All(several(decoder, templates, entry, operand)?),
        "any" => TestKind::Any(several(decoder, templates, entry, operand)?),
        _ => TestKind::Not(Box::new(matcher(decoder, templates, node, operand)?)),
    })
}

/// The operand of an equality. Nothing at all is refused, since it is more often forgotten than meant as `null`.
fn equals(decoder: &mut Decoder, templates: &mut Builder, node: &Node, operand: Operand) -> Option<Tree<Template>> {
    match operand {
        Operand::Duration => {
            let finding = decoder.place(node.span).error("a duration is never exactly that long");
            decoder.report(finding.help("give a bound: `{below: 5s}`"));
            None
        }
        Operand::Text if node.scalar().is_none() => {
            decoder.expected(node, "what a text must equal", "text");
            None
        }
        _ => value(decoder, templates, node, operand),
    }
}

fn value(decoder: &mut Decoder, templates: &mut Builder, node: &Node, operand: Operand) -> Option<Tree<Template>> {
    if node.scalar().is_some_and(|scalar| scalar.kind == Kind::Null && scalar.text.is_empty()) {
        let finding = decoder.place(node.span).error("a value is missing here");
        decoder.report(finding.help("write `null` to compare with null, `\"\"` for empty text, `{exists: true}` for any value"));
        return None;
    }
    if operand == Operand::Bytes {
        return number(decoder, templates, node, "a size");
    }
    let syntax = if operand == Operand::Text { Syntax::Text } else { Syntax::Value };
    Some(templates.add_tree(decoder.file(), node, syntax))
}

/// Text, a plain scalar as it is spelt.
fn text(decoder: &mut Decoder, templates: &mut Builder, node: &Node, what: &str) -> Option<Tree<Template>> {
    decoder.text(node, what)?;
    Some(Tree::Leaf(templates.add(decoder.file(), node, Syntax::Text)))
}

/// The operand of a comparison by size.
fn bound(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, operand: Operand) -> Option<Tree<Template>> {
    let (node, what) = (&entry.value, format!("`{}`", entry.key));
    if operand != Operand::Duration {
        return number(decoder, templates, node, &what);
    }
    if node.scalar().is_some_and(|scalar| is_template(&scalar.text)) {
        return Some(Tree::Leaf(templates.add(decoder.file(), node, Syntax::Value)));
    }
    let duration = decoder.duration(node, &what)?;
    let millis = i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
    let kind = Kind::Integer(Some(millis.min(i128::from(i64::MAX))));
    let scalar = Scalar { text: millis.min(i128::from(i64::MAX)).to_string(), kind, plain: true };
    let literal = Node { value: Value::Scalar(scalar.into()), ..node.clone() };
    Some(Tree::Leaf(templates.add(decoder.file(), &literal, Syntax::Value)))
}

/// A number, or a template that will give one.
fn number(decoder: &mut Decoder, templates: &mut Builder, node: &Node, what: &str) -> Option<Tree<Template>> {
    let fits = node.scalar().is_some_and(|scalar| match scalar.kind {
        Kind::Integer(_) | Kind::Float(_) => true,
        Kind::Text => is_template(&scalar.text),
        Kind::Null | Kind::Bool(_) => false,
    });
    if !fits {
        decoder.expected(node, what, "a number");
        return None;
    }
    Some(Tree::Leaf(templates.add(decoder.file(), node, Syntax::Value)))
}

fn json_type(decoder: &mut Decoder, node: &Node) -> Option<JsonType> {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    if let Some((_, kind)) = JsonType::NAMES.into_iter().find(|(name, _)| *name == text) {
        return Some(kind);
    }
    let names = JsonType::NAMES.map(|(name, _)| name);
    if node.scalar().is_none_or(|scalar| scalar.kind == Kind::Null) {
        decoder.expected(node, "`type`", "the name of a type");
        return None;
    }
    let known = TYPES_ELSEWHERE.iter().find(|(name, _)| *name == text).map(|(_, ours)| *ours);
    let mut finding = decoder.place(node.span).error(format!("unknown type `{text}`"));
    finding = match known.or_else(|| nearest(text, names)) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help(format!("types: {}", names.join(", "))),
    };
    decoder.report(finding);
    None
}

/// The operand of `in`: a list, or a template that will give one.
fn choices(decoder: &mut Decoder, templates: &mut Builder, node: &Node, operand: Operand) -> Option<Tree<Template>> {
    if let Some(scalar) = node.scalar()
        && is_template(&scalar.text)
    {
        return Some(templates.add_tree(decoder.file(), node, Syntax::Value));
    }
    decoder.list(node, "`in`")?;
    let syntax = if operand == Operand::Text { Syntax::Text } else { Syntax::Value };
    Some(templates.add_tree(decoder.file(), node, syntax))
}

/// The matchers of `all` and `any`.
fn several(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, operand: Operand) -> Option<Vec<Matcher>> {
    let items = decoder.list(&entry.value, &format!("`{}`", entry.key))?;
    if items.is_empty() {
        let finding = decoder.place(entry.value.span).error(format!("`{}` needs at least one matcher", entry.key));
        decoder.report(finding);
        return None;
    }
    // every item is decoded before the first failure counts, so that all findings are reported
    let decoded: Vec<_> = items.iter().map(|item| matcher(decoder, templates, item, operand)).collect();
    decoded.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::assert::tests::mistakes;

    #[test]
    fn every_matcher_is_read() {
        let matchers = [
            "1",
            "text",
            "[1, 2]",
            "null",
            "\"\"",
            "\"{{ id }}\"",
            "{equals: {a: 1}}",
            "{not_equals: 1}",
            "{contains: a}",
            "{not_contains: a}",
            "{starts_with: 5, ends_with: a}",
            "{matches: \"^a+$\"}",
            "{above: 1, below: 2.5}",
            "{at_least: \"{{ low }}\", at_most: 3}",
            "{count: 3}",
            "{count: {above: 1}}",
            "{exists: false}",
            "{empty: true}",
            "{type: null}",
            "{type: integer}",
            "{in: [1, a]}",
            "{in: \"{{ list }}\"}",
            "{each: {type: string}}",
            "{all: [{above: 1}, {below: 3}]}",
            "{any: [open, closed]}",
            "{not: 5}",
        ];
        for matcher in matchers {
            assert_eq!(mistakes(&format!("assert:\n  json:\n    $.x: {matcher}")), [""; 0], "{matcher}");
        }
    }

    #[test]
    fn mistakes_of_matchers() {
        let literal = "(a map is always matchers; to compare with a map, write `{equals: {…}}`)";
        let list = "(matchers: equals, not_equals, contains, not_contains, starts_with, ends_with, matches, above, below, \
                    at_least, at_most, count, exists, empty, type, in, each, all, any, not)";
        let value = "(write `null` to compare with null, `\"\"` for empty text, `{exists: true}` for any value)";
        let table = [
            ("{equal: 1}", format!("11 unknown matcher `equal` [did you mean `equals`?] {literal}")),
            ("{gte: 1}", format!("11 unknown matcher `gte` [did you mean `at_least`?] {literal}")),
            // a literal map: one word about it is enough
            ("{id: 5, login: me}", format!("11 unknown matcher `id` {list} {literal}")),
            ("{}", "10 an empty map says nothing (to compare with an empty map, write `{equals: {}}`)".to_owned()),
            ("", format!("9 a value is missing here {value}")),
            ("{above: a}", "18 `above` must be a number, not text [expected a number]".to_owned()),
            ("{at_most: [1]}", "20 `at_most` must be a number, not a list [expected a number]".to_owned()),
            ("{exists: 1}", "19 `exists` must be `true` or `false`, not a number [expected `true` or `false`]".to_owned()),
            ("{type: list}", "17 unknown type `list` [did you mean `array`?]".to_owned()),
            ("{type: date}", "17 unknown type `date` (types: null, boolean, number, integer, string, array, object)".to_owned()),
            ("{type: }", "16 `type` must be the name of a type, not nothing [expected the name of a type]".to_owned()),
            ("{in: 5}", "15 `in` must be a list, not a number [expected a list]".to_owned()),
            ("{any: []}", "16 `any` needs at least one matcher".to_owned()),
            ("{count: {above: a}}", "26 `above` must be a number, not text [expected a number]".to_owned()),
            ("{not: {exist: true}}", format!("17 unknown matcher `exist` [did you mean `exists`?] {literal}")),
        ];
        for (matcher, expected) in table {
            assert_eq!(mistakes(&format!("assert:\n  json:\n    $.x: {matcher}")), [format!("3:{expected}")], "{matcher}");
        }
    }

    #[test]
    fn several_mistakes_are_told_together() {
        let told = mistakes("assert:\n  json:\n    $.x: {any: [{abov: 1}, {above: x}], exists: maybe}");
        assert_eq!(told.len(), 3, "{told:?}");
    }
}

//! Decodes `capture:` and `store:`: name → where the value comes from.

use crate::collection::{Capture, Source};
use crate::diagnostic::{Diagnostic, Span};
use crate::query::{JsonPath, Pattern, QueryError};
use crate::template::{Builder, Syntax, is_name};
use crate::yaml::{Decoder, Entry, Fields, Kind, Node, Scalar, Value, locate};

use super::check_name;

const KEYS: &[&str] =
    &["json", "header", "cookie", "status", "body", "url", "value", "regex", "all", "default", "secret", "xpath", "append"];
const SOURCES: [&str; 7] = ["json", "header", "cookie", "status", "body", "url", "value"];
const LATER: [&str; 2] = ["xpath", "append"];
const FORMS: &str = "a JSONPath (`$.id`), a template (`\"{{ response.json.id }}\"`) or a map such as `{header: ETag}`";

/// Decodes the section `section` (`capture` or `store`).
pub(super) fn captures(decoder: &mut Decoder, templates: &mut Builder, node: &Node, section: &'static str) -> Vec<Capture> {
    let mut found = Vec::new();
    for entry in decoder.map(node, &format!("`{section}`")).unwrap_or_default() {
        // the source is decoded even under a bad name, so that its mistakes are told too
        let named = check_name(decoder, entry);
        if let Some(capture) = capture(decoder, templates, entry).filter(|_| named) {
            found.push(capture);
        }
    }
    found
}

/// A capture before its name and places are known.
struct Parts {
    source: Source,
    regex: Option<Pattern>,
}

fn capture(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry) -> Option<Capture> {
    let node = &entry.value;
    let capture = |parts: Parts, decoder: &Decoder| Capture {
        name: entry.key.to_string(),
        place: decoder.place(entry.key_span),
        source: parts.source,
        source_place: decoder.place(node.span),
        regex: parts.regex,
        default: None,
        secret: None,
    };
    if node.entries().is_none() {
        let source = plain_source(decoder, templates, node)?;
        return Some(capture(Parts { source, regex: None }, decoder));
    }
    let fields = decoder.fields(node, "a capture", KEYS)?;
    let parts = map_source(decoder, templates, fields);
    let default = fields.get("default").map(|node| templates.add_tree(decoder.file(), node, Syntax::Value));
    let secret = fields.get("secret").and_then(|node| decoder.bool(node, "`secret`"));
    Some(Capture { default, secret, ..capture(parts?, decoder) })
}

/// A source that is one text.
fn plain_source(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Option<Source> {
    decoder.no_tag(node);
    let Some(scalar) = node.scalar().filter(|scalar| scalar.kind == Kind::Text) else {
        decoder.expected(node, "a capture", FORMS);
        return None;
    };
    let text = scalar.text.as_str();
    if text.starts_with('$') {
        return json_path(decoder, node, text).map(|path| Source::Json { path, all: false });
    }
    if is_template(text) {
        return Some(Source::Value(templates.add(decoder.file(), node, Syntax::Value)));
    }
    let mut finding = decoder.place(node.span).error(format!("`{text}` says not where the value comes from"));
    if text.split('.').all(is_name) {
        finding = finding.label(format!("did you mean `$.{text}`?"));
    }
    decoder.report(finding.help(format!("expected {FORMS}")));
    None
}

/// The source of `{json: …}`, `{header: …}` and so on.
fn map_source(decoder: &mut Decoder, templates: &mut Builder, fields: Fields<'_>) -> Option<Parts> {
    let usable = |key: &str| KEYS.contains(&key) && !LATER.contains(&key);
    let mut sound = fields.entries().iter().all(|entry| usable(&entry.key));
    decoder.not_yet(&fields, &LATER);
    let regex = fields.get("regex").map(|node| pattern(decoder, node, "`regex`"));
    let sources: Vec<&Entry> = fields.entries().iter().filter(|entry| SOURCES.contains(&&*entry.key)).collect();
    let source = match sources[..] {
        [] if regex.is_some() => Some(Source::Body),
        [] => {
            if sound {
                let finding = decoder.place(fields.span).error("a capture needs a source");
                decoder.report(finding.help(format!("one of: {}, or `regex` on the body", SOURCES.join(", "))));
            }
            None
        }
        [entry] => source(decoder, templates, entry, fields),
        [first, second, ..] => {
            let message = format!("a capture takes one source, not `{}` and `{}`", first.key, second.key);
            let finding = decoder.place(second.key_span).error(message);
            decoder.report(finding);
            None
        }
    };
    sound &= companions(decoder, fields, source.as_ref());
    match (sound, regex) {
        (false, _) | (_, Some(None)) => None,
        (true, regex) => Some(Parts { source: source?, regex: regex.flatten() }),
    }
}

/// Refuses `all` and `regex` beside a source that they say nothing about.
fn companions(decoder: &mut Decoder, fields: Fields<'_>, source: Option<&Source>) -> bool {
    let Some(source) = source else { return true };
    let mut sound = true;
    let mut refuse = |key: &str, beside: &str| {
        if let Some(entry) = fields.entry(key) {
            decoder.report(decoder.place(entry.key_span).error(format!("`{key}` stands only beside {beside}")));
            sound = false;
        }
    };
    if !matches!(source, Source::Json { .. }) {
        refuse("all", "`json`");
    }
    if matches!(source, Source::Status | Source::Value(_)) {
        refuse("regex", "`json`, `header`, `cookie`, `body` or `url`");
    }
    sound
}

fn source(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, fields: Fields<'_>) -> Option<Source> {
    let node = &entry.value;
    match &*entry.key {
        "json" => {
            let all = fields.get("all").map_or(Some(false), |node| decoder.bool(node, "`all`"));
            let text = decoder.text(node, "`json`")?;
            let path = json_path(decoder, node, text)?;
            Some(Source::Json { path, all: all? })
        }
        "header" => {
            let name = some_text(decoder, node, "`header`")?;
            header_name(decoder, node.span, name).map(Source::Header)
        }
        "cookie" => Some(Source::Cookie(some_text(decoder, node, "`cookie`")?.to_owned())),
        "value" => {
            decoder.text(node, "`value`")?;
            Some(Source::Value(templates.add(decoder.file(), node, Syntax::Value)))
        }
        key => {
            if !decoder.bool(node, &format!("`{key}`"))? {
                let finding = decoder.place(node.span).error(format!("`{key}` takes only `true`"));
                decoder.report(finding.help("leave the capture out to take nothing"));
                return None;
            }
            Some(match key {
                "status" => Source::Status,
                "url" => Source::Url,
                _ => Source::Body,
            })
        }
    }
}

/// Text that must not be empty.
fn some_text<'n>(decoder: &mut Decoder, node: &'n Node, what: &str) -> Option<&'n str> {
    let text = decoder.text(node, what)?;
    if text.is_empty() {
        decoder.expected(node, what, "a name");
        return None;
    }
    Some(text)
}

/// Whether `text` holds anything that a template would replace.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// A header name (RFC 9110 §5.1: a token).
pub(super) fn header_name(decoder: &mut Decoder, span: Span, text: &str) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(token) {
        return Some(text.to_owned());
    }
    let finding = decoder.place(span).error(format!("`{text}` can't be the name of a header"));
    decoder.report(finding.help("a header name is made of letters, digits and `-`, without spaces"));
    None
}

/// Compiles the JSONPath `text` of `node`.
pub(super) fn json_path(decoder: &mut Decoder, node: &Node, text: &str) -> Option<JsonPath> {
    match JsonPath::compile(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let mut finding = query_problem(decoder, node, text, &error);
            if is_template(text) {
                finding = finding.help("a JSONPath can't hold `{{ }}`; an expression can: `{value: \"{{ response.json… }}\"}`");
            } else if !text.starts_with('$') {
                finding = finding.help(format!("did you mean `$.{}`?", text.trim_start_matches('.')));
            }
            decoder.report(finding);
            None
        }
    }
}

/// Compiles the regular expression in `node`.
pub(super) fn pattern(decoder: &mut Decoder, node: &Node, what: &str) -> Option<Pattern> {
    let text = decoder.text(node, what)?;
    match Pattern::compile(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let mut finding = query_problem(decoder, node, text, &error);
            if ["(?=", "(?!", "(?<", "\\1"].iter().any(|foreign| text.contains(foreign)) {
                finding = finding.help("back-references and look-around are not part of these regular expressions");
            }
            decoder.report(finding);
            None
        }
    }
}

/// What is wrong with a query, at the character where it is.
fn query_problem(decoder: &Decoder, node: &Node, text: &str, error: &QueryError) -> Diagnostic {
    let span = match error.offset {
        Some(offset) => {
            let width = text.get(offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            locate(decoder.file(), node, offset..offset + width)
        }
        None => node.span,
    };
    decoder.place(span).error(error.message.clone())
}

/// The key of an entry as a node of its own.
pub(super) fn key_node(entry: &Entry) -> Node {
    let scalar = Scalar { text: entry.key.to_string(), kind: Kind::Text, plain: true };
    Node { value: Value::Scalar(scalar.into()), span: entry.key_span, used_at: entry.key_span, tag: None }
}

#[cfg(test)]
mod tests {
    use super::super::assert::tests::{decode, mistakes};

    #[test]
    fn every_form_of_a_source() {
        let table = [
            ("$.id", "`$.id`"),
            ("\"{{ response.json.id }}\"", "`{{ response.json.id }}`"),
            ("{json: $.id, all: true}", "`$.id`"),
            ("{json: \"$..id\", regex: \"^a(.*)\"}", "`$..id`"),
            ("{header: ETag, default: null}", "the header `ETag`"),
            ("{cookie: sid, secret: true}", "the cookie `sid`"),
            ("{status: true}", "the status"),
            ("{body: true}", "the body"),
            ("{url: true, regex: code=(.*)}", "the URL"),
            ("{value: \"{{ now() }}\"}", "`{{ now() }}`"),
            ("{regex: \"csrf=(.*)\"}", "the body"),
        ];
        for (source, expected) in table {
            for section in ["capture", "store"] {
                let (request, told) = decode(&format!("{section}: {{x: {source}}}"));
                assert_eq!(told, [""; 0], "{source}");
                let request = request.expect("a request");
                let found: Vec<_> = request.products().map(|capture| capture.source.describe()).collect();
                assert_eq!(found, [expected], "{source}");
                assert_eq!(request.captures.len(), usize::from(section == "capture"));
            }
        }
    }

    #[test]
    fn mistakes_of_captures() {
        let forms = "a JSONPath (`$.id`), a template (`\"{{ response.json.id }}\"`) or a map such as `{header: ETag}`";
        let expected_forms = format!("1:14 a capture must be {forms}, not a number [expected {forms}]");
        let says_not =
            format!("1:14 `data.id` says not where the value comes from [did you mean `$.data.id`?] (expected {forms})");
        let later = "this version of runner can't do";
        let table = [
            ("capture: {x: 5}", expected_forms),
            ("capture: {x: data.id}", says_not),
            (
                "capture: {x: {}}",
                "1:14 a capture needs a source (one of: json, header, cookie, status, body, url, value, or `regex` on the body)"
                    .to_owned(),
            ),
            ("capture: {x: {heder: ETag}}", "1:15 unknown key `heder` in a capture [did you mean `header`?]".to_owned()),
            ("capture: {x: {header: a, cookie: b}}", "1:26 a capture takes one source, not `header` and `cookie`".to_owned()),
            ("capture: {x: {header: a, all: true}}", "1:26 `all` stands only beside `json`".to_owned()),
            (
                "capture: {x: {status: true, regex: a}}",
                "1:29 `regex` stands only beside `json`, `header`, `cookie`, `body` or `url`".to_owned(),
            ),
            ("capture: {x: {body: false}}", "1:21 `body` takes only `true` (leave the capture out to take nothing)".to_owned()),
            ("capture: {x: {xpath: //a}}", format!("1:15 {later} `xpath` yet (take the key out to run the rest)")),
            ("capture: {x: {json: $.a, append: true}}", format!("1:26 {later} `append` yet (take the key out to run the rest)")),
        ];
        for (lines, expected) in table {
            assert_eq!(mistakes(lines), [expected], "{lines}");
        }
    }

    #[test]
    fn a_query_is_refused_at_the_character() {
        let table = [
            ("capture:\n  x: $.a[", "2:"),
            ("capture:\n  x: \"$.a..\"", "2:"),
            ("capture:\n  x: \"$.a[{{ i }}]\"", "2:"),
            ("capture:\n  x: {regex: \"a(b\"}", "2:"),
        ];
        for (lines, line) in table {
            let told = mistakes(lines);
            assert!(matches!(told.as_slice(), [one] if one.starts_with(line)), "{lines}: {told:?}");
        }
        let told = mistakes("capture:\n  x: \"$.a[{{ i }}]\"").concat();
        assert!(
            told.ends_with("(a JSONPath can't hold `{{ }}`; an expression can: `{value: \"{{ response.json… }}\"}`)"),
            "{told}"
        );
    }

    #[test]
    fn a_bad_name_hides_no_mistake_of_its_source() {
        let told = mistakes("store:\n  loop: nothing\n  2nd: $.a");
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("2:3 ") && told[1].starts_with("2:9 ") && told[2].starts_with("3:3 "), "{told:?}");
    }
}

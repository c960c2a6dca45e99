//! Decodes `capture:` and `store:`: name → where the value comes from.

use crate::collection::{Capture, Source};
use crate::diagnostic::{Diagnostic, Place, Span};
use crate::query::{JsonPath, Pattern, QueryError};
use crate::template::{Builder, Syntax, is_name, name_problem};
use crate::yaml::{Decoder, Entry, Fields, Kind, Node};

const KEYS: &[&str] =
    &["json", "header", "cookie", "status", "body", "url", "value", "regex", "all", "default", "secret", "xpath", "append"];
const SOURCES: [&str; 7] = ["json", "header", "cookie", "status", "body", "url", "value"];
const LATER: [&str; 2] = ["xpath", "append"];
const FORMS: &str = "a JSONPath (`$.id`), a template (`\"{{ response.json.id }}\"`) or a map such as `{header: ETag}`";

/// Decodes the section `section` (`capture` or `store`).
pub(super) fn captures(decoder: &mut Decoder, templates: &mut Builder, node: &Node, section: &'static str) -> Vec<Capture> {
    let mut found = Vec::new();
    for entry in decoder.map(node, &format!("`{section}`")).unwrap_or_default() {
        let problem = name_problem(&entry.key, &decoder.place(entry.key_span));
        let named = problem.is_none();
        if let Some(problem) = problem {
            decoder.report(problem);
        }
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
        return json_path(decoder, node.span, text).map(|path| Source::Json { path, all: false });
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
    let mut sound = fields.entries().iter().all(|entry| KEYS.contains(&&*entry.key) || entry.key.starts_with("x-"));
    for key in LATER {
        if let Some(entry) = fields.entry(key) {
            let finding = decoder.place(entry.key_span).error(format!("this version of runner can't capture with `{key}` yet"));
            decoder.report(finding);
            sound = false;
        }
    }
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
            let path = json_path(decoder, node.span, text)?;
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

/// Compiles a JSONPath that stands in `span`.
pub(super) fn json_path(decoder: &mut Decoder, span: Span, text: &str) -> Option<JsonPath> {
    match JsonPath::compile(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let mut finding = query_problem(decoder, span, text, &error);
            if is_template(text) {
                finding = finding.help("a JSONPath can't hold `{{ }}`; an expression can: `{value: \"{{ response.json… }}\"}`");
            } else if !text.starts_with('$') {
                finding = finding.help(format!("a JSONPath starts with `$`: `$.{}`", text.trim_start_matches('.')));
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
            let finding = query_problem(decoder, node.span, text, &error);
            decoder.report(finding.help("back-references and look-around are not part of these regular expressions"));
            None
        }
    }
}

fn query_problem(decoder: &Decoder, span: Span, text: &str, error: &QueryError) -> Diagnostic {
    let place = match error.offset {
        Some(offset) => inside(decoder, span, text, offset),
        None => decoder.place(span),
    };
    place.error(error.message.clone())
}

/// The character at byte `offset` of the scalar `text` in `span`; the whole scalar where escapes or folding moved it.
fn inside(decoder: &Decoder, span: Span, text: &str, offset: usize) -> Place {
    let Some(shift) = decoder.file().slice(span).find(text) else { return decoder.place(span) };
    let width = text.get(offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let start = span.start + shift + offset.min(text.len());
    decoder.place(Span::new(start, start + width))
}

//! Requests, groups and the defaults that reach them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{self, Choice};
use crate::diagnostic::{Span, nearest};
use crate::template::{Builder, Syntax, Template, is_name};
use crate::yaml::{Decoder, Fields, Kind, Node, Value};

use super::super::model::{Assertions, Body, Field, Request};
use super::{assert, capture};

const REQUEST: &[&str] = &[
    "name",
    "description",
    "tags",
    "when",
    "method",
    "url",
    "query",
    "headers",
    "auth",
    "form",
    "json",
    "body",
    "multipart",
    "graphql",
    "assert",
    "capture",
    "store",
    "for_each",
    "repeat",
    "retry",
    "delay",
    "timeout",
    "redirects",
    "cookies",
    "save_body",
    "always",
    "on_failure",
];
const REQUEST_LATER: &[&str] =
    &["multipart", "graphql", "for_each", "repeat", "retry", "delay", "cookies", "save_body", "on_failure"];
const GROUP: &[&str] = &["group", "description", "tags", "defaults", "requests", "when", "parallel", "on_failure"];
const GROUP_LATER: &[&str] = &["when", "parallel", "on_failure"];
const DEFAULTS: &[&str] = &["base_url", "auth", "headers", "timeout", "retry", "redirects", "cookies", "delay"];
const DEFAULTS_LATER: &[&str] = &["retry", "cookies", "delay"];
const BODIES: &[&str] = &["form", "json", "body", "multipart", "graphql"];
/// More in a row is a circle that grows.
const MOST_REDIRECTS: usize = 100;
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"];

/// What every request below gets unless it says otherwise.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    base_url: Option<Template>,
    auth: Choice,
    headers: Vec<Field>,
    timeout: Option<Duration>,
    redirects: Option<usize>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { base_url: None, auth: Choice::None, headers: Vec::new(), timeout: None, redirects: None }
    }
}

impl Defaults {
    /// These defaults with those of an inner `defaults:`.
    pub(super) fn with(&self, decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Self {
        let mut inner = self.clone();
        let Some(fields) = decoder.fields(node, "`defaults`", DEFAULTS) else { return inner };
        decoder.not_yet(&fields, DEFAULTS_LATER);
        if let Some(node) = fields.get("base_url")
            && decoder.text(node, "`base_url`").is_some()
        {
            inner.base_url = Some(templates.add(decoder.file(), node, Syntax::Url));
        }
        if let Some(choice) = fields.get("auth").and_then(|node| auth::choice(decoder, templates, node)) {
            inner.auth = choice;
        }
        if let Some(node) = fields.get("headers") {
            inner.headers = overlay(&self.headers, named_values(decoder, templates, node, "`headers`"));
        }
        if let Some(limit) = fields.get("timeout").and_then(|node| decoder.duration(node, "`timeout`")) {
            inner.timeout = Some(limit);
        }
        if let Some(limit) = fields.get("redirects").and_then(|node| redirects(decoder, node)) {
            inner.redirects = Some(limit);
        }
        inner
    }
}

/// Reads lists of requests and flattens their groups.
pub(super) struct Requests<'d> {
    decoder: &'d mut Decoder,
    templates: &'d mut Builder,
    /// For each group the names that its requests took, with the place of the first.
    names: HashMap<Vec<String>, HashSet<String>>,
    found: Vec<Request>,
}

impl<'d> Requests<'d> {
    pub(super) fn new(decoder: &'d mut Decoder, templates: &'d mut Builder) -> Self {
        Self { decoder, templates, names: HashMap::new(), found: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Request> {
        self.found
    }

    /// Reads `requests:` of a collection or a group.
    pub(super) fn list(&mut self, node: &Node, groups: &[String], tags: &[String], defaults: &Defaults) {
        let groups_shared: Arc<[String]> = groups.into();
        for item in self.decoder.list(node, "`requests`").unwrap_or_default() {
            if item.get("group").is_some() {
                self.group(item, groups, tags, defaults);
            } else {
                self.request(item, &groups_shared, tags, defaults);
            }
        }
    }

    fn group(&mut self, node: &Node, groups: &[String], tags: &[String], defaults: &Defaults) {
        let Some(fields) = self.decoder.fields(node, "a group", GROUP) else { return };
        self.decoder.not_yet(&fields, GROUP_LATER);
        let name = fields.get("group").and_then(|node| self.decoder.text(node, "`group`")).unwrap_or_default();
        let groups = [groups, &[name.to_owned()]].concat();
        let tags = [tags, &self.tags(&fields)].concat();
        let defaults = match fields.get("defaults") {
            Some(node) => &defaults.with(self.decoder, self.templates, node),
            None => defaults,
        };
        match fields.get("requests") {
            Some(requests) => self.list(requests, &groups, &tags, defaults),
            None => self.missing(&fields, "a group", "requests"),
        }
    }

    fn request(&mut self, node: &Node, groups: &Arc<[String]>, tags: &[String], defaults: &Defaults) {
        let Some(fields) = self.decoder.fields(node, "a request", REQUEST) else { return };
        self.decoder.not_yet(&fields, REQUEST_LATER);
        let url = match fields.get("url") {
            Some(node) => self.url(node, defaults),
            None => {
                self.missing(&fields, "a request", "url");
                None
            }
        };
        let body = self.body(&fields);
        let method = self.method(&fields, body.is_some());
        let headers = fields.get("headers").map(|node| named_values(self.decoder, self.templates, node, "`headers`"));
        let auth = fields.get("auth").and_then(|node| auth::choice(self.decoder, self.templates, node));
        let when = fields.get("when").and_then(|node| {
            self.decoder.text(node, "`when`")?;
            Some(self.templates.add(self.decoder.file(), node, Syntax::Condition))
        });
        let query = fields.get("query").map(|node| named_values(self.decoder, self.templates, node, "`query`"));
        let timeout = fields.get("timeout").and_then(|node| self.decoder.duration(node, "`timeout`"));
        let redirects = fields.get("redirects").and_then(|node| redirects(self.decoder, node));
        let always = fields.get("always").and_then(|node| self.decoder.bool(node, "`always`"));
        let description = fields.get("description").and_then(|node| self.decoder.text(node, "`description`"));
        let assertions = match fields.get("assert") {
            Some(node) => assert::assertions(self.decoder, self.templates, node),
            None => Assertions::default(),
        };
        let mut captures = |key| match fields.get(key) {
            Some(node) => capture::captures(self.decoder, self.templates, node, key),
            None => Vec::new(),
        };
        let (captures, stores) = (captures("capture"), captures("store"));
        let own_tags = self.tags(&fields);
        let Some(url) = url else { return };
        let name = self.name(&fields, groups, &method, &url);
        self.found.push(Request {
            name,
            place: self.decoder.place(Span::new(node.span.start, node.span.start)),
            groups: Arc::clone(groups),
            tags: [tags, &own_tags].concat(),
            description: description.map(str::to_owned),
            when,
            method,
            base_url: defaults.base_url.clone(),
            url,
            query: query.unwrap_or_default(),
            headers: headers.map_or_else(|| defaults.headers.clone(), |own| overlay(&defaults.headers, own)),
            auth: auth.unwrap_or_else(|| defaults.auth.clone()),
            body,
            assertions,
            captures,
            stores,
            timeout: timeout.or(defaults.timeout),
            redirects: redirects.or(defaults.redirects),
            always: always.unwrap_or(false),
        });
    }

    /// The name as written, or one made from method and path; made names are numbered when taken.
    fn name(&mut self, fields: &Fields<'_>, groups: &[String], method: &str, url: &Template) -> String {
        let written = fields.get("name").and_then(|node| Some((self.decoder.text(node, "`name`")?, node.span)));
        let taken = self.names.entry(groups.to_vec()).or_default();
        if let Some((name, span)) = written {
            if !taken.insert(name.to_owned()) {
                let finding = self
                    .decoder
                    .place(span)
                    .error(format!("a request called `{name}` stands above already"))
                    .label("choose another name");
                self.decoder.report(finding);
            }
            return name.to_owned();
        }
        let base = format!("{method} {}", path_of(url.source()));
        let mut name = base.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = format!("{base} ({number})");
        }
        name
    }

    fn tags(&mut self, fields: &Fields<'_>) -> Vec<String> {
        let Some(node) = fields.get("tags") else { return Vec::new() };
        let mut found = Vec::new();
        for item in self.decoder.one_or_more(node) {
            found.extend(self.decoder.text(item, "a tag").map(str::to_owned));
        }
        found
    }

    fn method(&mut self, fields: &Fields<'_>, has_body: bool) -> String {
        let default = if has_body { "POST" } else { "GET" };
        let Some(node) = fields.get("method") else { return default.to_owned() };
        let Some(text) = self.decoder.text(node, "`method`") else { return default.to_owned() };
        let token = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        let upper = text.to_ascii_uppercase();
        // Methods are case-sensitive (RFC 9110 §9.1): `get` is a slip, `Purge` may be meant.
        let slip = text != upper && METHODS.contains(&upper.as_str());
        let near = nearest(&upper, METHODS.iter().copied()).filter(|near| *near != text && !METHODS.contains(&text));
        if !token {
            let finding = self
                .decoder
                .place(node.span)
                .error(format!("`{text}` is no HTTP method"))
                .help("a method is one word, such as GET, POST, PUT, PATCH or DELETE; templates are not allowed here");
            self.decoder.report(finding);
        } else if slip || near.is_some_and(|near| near.len() == text.len() || text == upper) && !METHODS.contains(&text) {
            let meant = near.unwrap_or(&upper);
            let finding =
                self.decoder.place(node.span).error(format!("unknown method `{text}`")).label(format!("did you mean `{meant}`?"));
            self.decoder.report(finding);
        }
        text.to_owned()
    }

    fn url(&mut self, node: &Node, defaults: &Defaults) -> Option<Template> {
        let text = self.decoder.text(node, "`url`")?;
        let place = self.decoder.place(node.span);
        if text.starts_with('/') && defaults.base_url.is_none() {
            let finding = place
                .error(format!("the url `{text}` starts with `/`, but there is no `base_url`"))
                .label("relative to what?")
                .help("defaults:\n  base_url: \"{{ api_url }}\"");
            self.decoder.report(finding);
        } else if !text.starts_with('/') && !text.contains("{{") && !text.contains("{%") {
            match url::Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
                Ok(url) if text.starts_with(&format!("{}://", url.scheme())) => {
                    let finding = place.error(format!("runner speaks http and https, not `{}`", url.scheme()));
                    self.decoder.report(finding);
                }
                Err(error) if text.starts_with("http://") || text.starts_with("https://") => {
                    let why = match error {
                        url::ParseError::EmptyHost => "there is no host in it",
                        url::ParseError::InvalidPort => "its port is no number from 0 to 65535",
                        _ => "its host can't be read",
                    };
                    let finding = place.error(format!("invalid URL `{text}`")).label(why);
                    self.decoder.report(finding);
                }
                _ => {
                    let finding = place
                        .error(format!("invalid URL `{text}`"))
                        .label("a URL starts with `https://`, `http://`, `/` or `{{`");
                    self.decoder.report(match meant_url(text) {
                        Some(meant) => finding.help(meant),
                        None => finding,
                    });
                }
            }
        }
        Some(self.templates.add(self.decoder.file(), node, Syntax::Url))
    }

    fn body(&mut self, fields: &Fields<'_>) -> Option<Body> {
        let mut given = fields.entries().iter().filter(|entry| BODIES.contains(&&*entry.key));
        let entry = given.next()?;
        if let Some(second) = given.next() {
            let finding = self
                .decoder
                .place(second.key_span)
                .error(format!("a request has one body, and `{}` stands above already", entry.key))
                .help(format!("keep one of: {}", BODIES.join(", ")));
            self.decoder.report(finding);
        }
        let node = &entry.value;
        match &*entry.key {
            "form" => Some(Body::Form(named_values(self.decoder, self.templates, node, "`form`"))),
            "json" => {
                self.no_tags_below(node);
                Some(Body::Json(self.templates.add_tree(self.decoder.file(), node, Syntax::Value)))
            }
            "body" if node.entries().is_some() => {
                let inner = self.decoder.fields(node, "`body`", &["file", "content_type"])?;
                let Some(path) = inner.get("file") else {
                    self.missing(&inner, "`body`", "file");
                    return None;
                };
                self.decoder.text(path, "`file`")?;
                let content_type = inner.get("content_type").and_then(|node| {
                    self.decoder.text(node, "`content_type`")?;
                    Some(self.templates.add(self.decoder.file(), node, Syntax::Text))
                });
                Some(Body::File { path: self.templates.add(self.decoder.file(), path, Syntax::Text), content_type })
            }
            "body" => {
                self.decoder.text(node, "`body`")?;
                Some(Body::Text(self.templates.add(self.decoder.file(), node, Syntax::Text)))
            }
            _ => None,
        }
    }

    fn no_tags_below(&mut self, node: &Node) {
        self.decoder.no_tag(node);
        match &node.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => items.iter().for_each(|item| self.no_tags_below(item)),
            Value::Mapping(entries) => entries.iter().for_each(|entry| self.no_tags_below(&entry.value)),
        }
    }

    fn missing(&mut self, fields: &Fields<'_>, what: &str, key: &str) {
        if fields.misspelt(key) {
            return;
        }
        let at = fields.entries().first().map_or(fields.span, |entry| entry.key_span);
        let finding = self.decoder.place(at).error(format!("{what} needs `{key}`"));
        self.decoder.report(finding);
    }
}

/// How many redirects are followed: `false` for none, or a number.
fn redirects(decoder: &mut Decoder, node: &Node) -> Option<usize> {
    decoder.no_tag(node);
    let label = match node.scalar().map(|scalar| &scalar.kind) {
        Some(Kind::Bool(false)) => return Some(0),
        Some(Kind::Bool(true)) => "without `redirects` 10 are followed",
        Some(Kind::Integer(Some(0))) => "to take a redirect as the answer, write `false`",
        Some(Kind::Integer(Some(number))) => match usize::try_from(*number) {
            Ok(number) if number <= MOST_REDIRECTS => return Some(number),
            _ => "",
        },
        _ => "",
    };
    let message = format!("`redirects` must be `false` or a number from 1 to {MOST_REDIRECTS}");
    decoder.report(decoder.place(node.span).error(message).label(label));
    None
}

/// What someone probably meant by a text that is no URL.
fn meant_url(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("${").or_else(|| text.strip_prefix('{')) {
        let (name, rest) = rest.split_once('}')?;
        return is_name(name.trim()).then(|| format!("a variable is written `\"{{{{ {} }}}}{rest}\"`", name.trim()));
    }
    if let Some(rest) = text.strip_prefix('$') {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        return is_name(name).then(|| format!("a variable is written `\"{{{{ {name} }}}}{rest}\"`"));
    }
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!&'()*+,;=%".contains(&b));
    (plain && !text.contains("//")).then(|| format!("did you mean `https://{text}` or `/{text}`?"))
}

/// A map of names to a value or a list of values: headers, query parameters, form fields.
fn named_values(decoder: &mut Decoder, templates: &mut Builder, node: &Node, what: &str) -> Vec<Field> {
    let mut found = Vec::new();
    for entry in decoder.map(node, what).unwrap_or_default() {
        if what == "`headers`" {
            capture::header_name(decoder, entry.key_span, &entry.key);
        }
        let mut values = Vec::new();
        for item in decoder.one_or_more(&entry.value) {
            decoder.no_tag(item);
            if item.scalar().is_none() {
                decoder.expected(item, &format!("`{}`", entry.key), "one value or a list of values");
                continue;
            }
            values.push(templates.add(decoder.file(), item, Syntax::Text));
        }
        found.push(Field { name: entry.key.to_string(), place: decoder.place(entry.key_span), values });
    }
    found
}

/// Outer headers that no inner header replaces, then the inner ones. Header names ignore case.
fn overlay(outer: &[Field], inner: Vec<Field>) -> Vec<Field> {
    let kept = outer.iter().filter(|field| !inner.iter().any(|own| own.name.eq_ignore_ascii_case(&field.name)));
    kept.cloned().chain(inner.iter().cloned()).collect()
}

/// What a made name shows of a url: the path, or the template as written.
fn path_of(url: &str) -> &str {
    let after_variable = url.strip_prefix("{{").and_then(|rest| rest.split_once("}}")).map_or("", |(_, rest)| rest);
    if after_variable.starts_with('/') {
        return after_variable;
    }
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    match after_scheme.find('/') {
        Some(at) => &after_scheme[at..],
        None if after_scheme.is_empty() => url,
        None => "/",
    }
}

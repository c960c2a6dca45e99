//! Decodes `auth:` of a request and the `auth:` section of a file.

use crate::diagnostic::nearest;
use crate::template::{Builder, Syntax};
use crate::yaml::{Decoder, Entry, Node};

use super::{Carrier, Choice, Definition, Method, Scheme, login};

const SCHEMES: &[&str] = &["bearer", "basic", "api_key", "oauth2"];
const LATER: &[&str] = &["digest", "aws_sigv4"];

/// Decodes the `auth:` of a request or of `defaults`.
pub fn choice(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Option<Choice> {
    if node.scalar().is_some() {
        let name = decoder.text(node, "`auth`")?;
        return Some(match name {
            "none" => Choice::None,
            _ => Choice::Named { name: name.to_owned(), place: decoder.place(node.span) },
        });
    }
    let entry = only_entry(decoder, node)?;
    if &*entry.key == "oauth2" {
        let finding = decoder
            .place(entry.key_span)
            .error("`oauth2` stands only under a name")
            .help("move it to an `auth:` section of the environment or the collection and use its name here");
        decoder.report(finding);
        return None;
    }
    scheme(decoder, templates, entry).map(Choice::Inline)
}

/// Decodes an `auth:` section: name → definition.
pub fn definitions(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Vec<Definition> {
    let mut found = Vec::new();
    for entry in decoder.map(node, "`auth`").unwrap_or_default() {
        if &*entry.key == "none" {
            let finding = decoder.place(entry.key_span).error("a definition can't be called `none`");
            decoder.report(finding);
            continue;
        }
        let Some(inner) = only_entry(decoder, &entry.value) else { continue };
        let method = if &*inner.key == "oauth2" {
            login::decode(decoder, templates, &inner.value).map(|login| Method::Login(Box::new(login)))
        } else {
            scheme(decoder, templates, inner).map(Method::Scheme)
        };
        if let Some(method) = method {
            found.push(Definition { name: entry.key.to_string(), place: decoder.place(entry.key_span), method });
        }
    }
    found
}

/// The one entry of `{scheme: …}`.
fn only_entry<'n>(decoder: &mut Decoder, node: &'n Node) -> Option<&'n Entry> {
    match decoder.map(node, "`auth`")? {
        [entry] => Some(entry),
        entries => {
            let second = entries.get(1).map_or(node.span, |entry| entry.key_span);
            let finding =
                decoder.place(second).error("`auth` takes exactly one scheme").help(format!("one of: {}", SCHEMES.join(", ")));
            decoder.report(finding);
            None
        }
    }
}

fn scheme(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry) -> Option<Scheme> {
    match &*entry.key {
        "bearer" => {
            decoder.text(&entry.value, "`bearer`")?;
            Some(Scheme::Bearer(templates.add(decoder.file(), &entry.value, Syntax::Text)))
        }
        "basic" => {
            let fields = decoder.fields(&entry.value, "`basic`", &["username", "password"])?;
            let mut take = |key: &str| {
                let Some(node) = fields.get(key) else {
                    if !fields.misspelt(key) {
                        let finding = decoder.place(entry.key_span).error(format!("`basic` needs `{key}`"));
                        decoder.report(finding);
                    }
                    return None;
                };
                decoder.text(node, &format!("`{key}`"))?;
                Some(templates.add(decoder.file(), node, Syntax::Text))
            };
            let (username, password) = (take("username"), take("password"));
            Some(Scheme::Basic { username: username?, password: password? })
        }
        "api_key" => api_key(decoder, templates, entry),
        key => {
            let place = decoder.place(entry.key_span);
            let finding = if LATER.contains(&key) {
                place.error(format!("this version of runner can't authorise with `{key}` yet"))
            } else {
                let finding = place.error(match place.nameable(key) {
                    Some(key) => format!("unknown scheme `{key}` in `auth`"),
                    None => "unknown scheme in `auth`".to_owned(),
                });
                match nearest(key, SCHEMES.iter().copied()) {
                    Some(near) => finding.label(format!("did you mean `{near}`?")),
                    None => finding.help(format!("one of: {}", SCHEMES.join(", "))),
                }
            };
            decoder.report(finding);
            None
        }
    }
}

fn api_key(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry) -> Option<Scheme> {
    let fields = decoder.fields(&entry.value, "`api_key`", &["header", "query", "cookie", "value"])?;
    let carriers = [("header", Carrier::Header), ("query", Carrier::Query), ("cookie", Carrier::Cookie)];
    let given: Vec<_> = carriers.into_iter().filter_map(|(key, carrier)| Some((carrier, fields.get(key)?))).collect();
    let (&[(carrier, name)], Some(value)) = (given.as_slice(), fields.get("value")) else {
        let finding = decoder
            .place(entry.key_span)
            .error("`api_key` needs one of `header`, `query`, `cookie`, and `value`")
            .help("for example: api_key: {header: X-Api-Key, value: \"{{ api_key }}\"}");
        decoder.report(finding);
        return None;
    };
    let name = decoder.text(name, "the name of an API key")?.to_owned();
    decoder.text(value, "`value`")?;
    Some(Scheme::ApiKey { carrier, name, value: templates.add(decoder.file(), value, Syntax::Text) })
}

//! One environment file, shared or local, to its part of the model.

use std::path::Path;

use serde_json::{Map, Value};

use crate::auth::{self, Definition};
use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::mask::is_secret_name;
use crate::template::{Builder, Syntax, name_problem};
use crate::yaml::{Decoder, Document, Entry, Node, to_json};

use super::model::{Content, Declaration, Layer, SandboxChoice, Stored, Tls, TlsFile};
use super::userinfo::passwords_of;

const SHARED: &[&str] = &["extends", "sandbox", "variables", "hosts", "auth", "tls", "proxy", "description"];
const LOCAL: &[&str] = &["variables", "stored", "tokens", "hosts", "auth", "tls", "proxy"];
const TAGS: &[&str] = &["!secret", "!env", "!file", "!prompt", "!plain"];

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) extends: Vec<(String, Place)>,
    pub(super) sandbox: Option<SandboxChoice>,
    pub(super) variables: Vec<(String, Declaration)>,
    pub(super) auth: Vec<Definition>,
    pub(super) hosts: Vec<(String, Place)>,
    pub(super) tls: Option<Tls>,
    pub(super) proxy: Option<(String, Place)>,
    pub(super) stored: Vec<Stored>,
    pub(super) tokens: Vec<(String, Map<String, Value>)>,
}

/// Decodes a file; `folder` is the one that holds it.
pub(super) fn file(document: &Document, folder: &Path, layer: Layer, templates: &mut Builder) -> (Part, Vec<Diagnostic>) {
    let mut decoder = Decoder::with_tags(&document.file);
    let mut part = Part::default();
    if let Some(root) = &document.root {
        let known = if layer == Layer::Local { LOCAL } else { SHARED };
        let what = if layer == Layer::Local { "a local environment file" } else { "an environment" };
        if let Some(fields) = decoder.top_fields(root, what, known) {
            for entry in fields.entries() {
                section(&mut decoder, templates, entry, folder, layer, &mut part);
            }
        }
    }
    (part, decoder.finish())
}

fn section(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, folder: &Path, layer: Layer, part: &mut Part) {
    let node = &entry.value;
    if node.is_null() && node.tag.is_none() {
        return; // `stored:` with nothing below it
    }
    match &*entry.key {
        "extends" => {
            for item in decoder.one_or_more(node) {
                if let Some(path) = decoder.text(item, "`extends`") {
                    part.extends.push((path.to_owned(), decoder.place(item.span)));
                }
            }
        }
        "sandbox" => part.sandbox = sandbox(decoder, node),
        "variables" => {
            for entry in decoder.map(node, "`variables`").unwrap_or_default() {
                if let Some(content) = variable(decoder, templates, entry, folder, layer) {
                    let place = Some(decoder.place(entry.key_span));
                    part.variables.push((entry.key.to_string(), Declaration { layer, place, content }));
                }
            }
        }
        "stored" => part.stored = stored(decoder, node),
        "tokens" => part.tokens = tokens(decoder, node),
        "hosts" => {
            for item in decoder.one_or_more(node) {
                if let Some(host) = decoder.text(item, "an entry of `hosts`") {
                    part.hosts.push((host.to_owned(), decoder.place(item.span)));
                }
            }
        }
        "auth" => part.auth = auth::definitions(decoder, templates, node),
        "tls" => part.tls = tls(decoder, node, folder),
        "proxy" => part.proxy = proxy(decoder, node, layer),
        _ => {}
    }
}

fn sandbox(decoder: &mut Decoder, node: &Node) -> Option<SandboxChoice> {
    let text = decoder.text(node, "`sandbox`")?;
    if text == "box" {
        return Some(SandboxChoice { place: decoder.place(node.span) });
    }
    let finding = decoder.place(node.span).error(format!("there is no sandbox called `{text}`")).label("the one there is: `box`");
    decoder.report(finding);
    None
}

/// One variable.
fn variable(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, folder: &Path, layer: Layer) -> Option<Content> {
    if let Some(finding) = name_problem(&entry.key, &decoder.place(entry.key_span)) {
        decoder.report(finding);
        return None;
    }
    let node = &entry.value;
    let Some(tag) = &node.tag else {
        nested_tags(decoder, node, &entry.key);
        if node.is_null() {
            return Some(Content::Unset);
        }
        return Some(Content::Tree { tree: templates.add_tree(decoder.file(), node, Syntax::Variable), secret: None });
    };
    let place = decoder.place(tag.span);
    // The value under a tag is a secret until shown otherwise: no message repeats it.
    let text = node.scalar().map(|scalar| scalar.text.clone()).filter(|_| !node.is_null());
    let need = |decoder: &mut Decoder, what: &str| {
        let finding = place.error(format!("`{}` of the variable `{}` needs {what}", tag.name, entry.key));
        decoder.report(finding);
        None
    };
    match &*tag.name {
        "!secret" if node.is_null() => Some(Content::SecretUnset),
        "!secret" if layer == Layer::Local => {
            Some(Content::Tree { tree: templates.add_tree(decoder.file(), node, Syntax::Variable), secret: Some(true) })
        }
        "!secret" => {
            let finding = place
                .error(format!("the secret `{}` has its value in a file that is shared", entry.key))
                .label("`!secret` stands alone here")
                .help(format!(
                    "move the value to the local file beside this one (or give it with `--secret {0}` or RUNNER_SECRET_{0}), \
                     and change it where it comes from if this file was ever pushed",
                    entry.key
                ));
            decoder.report(finding);
            None
        }
        "!plain" => Some(Content::Tree { tree: templates.add_tree(decoder.file(), node, Syntax::Variable), secret: Some(false) }),
        "!env" => match text {
            Some(name) if !name.is_empty() && !name.contains(['=', '\0', ' ']) => Some(Content::ProcessVariable(name)),
            _ => need(decoder, "the name of a process environment variable"),
        },
        "!file" => match text {
            Some(path) if !path.is_empty() => {
                Some(Content::File { path: folder.join(&path), written: path, confined: layer != Layer::Local })
            }
            _ => need(decoder, "the path of a file"),
        },
        "!prompt" => Some(Content::Prompt(text.unwrap_or_else(|| entry.key.to_string()))),
        name => {
            // A secret that starts with `!` looks like a tag: only one that is nearly a tag is repeated.
            let finding = match nearest(name, TAGS.iter().copied()) {
                Some(near) => place.error(format!("unknown tag `{name}`")).label(format!("did you mean `{near}`?")),
                None => place
                    .error(format!("the value of `{}` starts with an unknown tag", entry.key))
                    .help(format!("known tags: {}; text that starts with `!` must be quoted", TAGS.join(", "))),
            };
            decoder.report(finding);
            None
        }
    }
}

/// A tag as a message names it: one that nobody knows may be a piece of a secret.
fn shown_tag(name: &str) -> String {
    if TAGS.contains(&name) { format!("the tag `{name}`") } else { "a tag".to_owned() }
}

/// A tag stands at the top of a variable, nowhere below.
fn nested_tags(decoder: &mut Decoder, node: &Node, name: &str) {
    let children: Vec<&Node> = match &node.value {
        crate::yaml::Value::Scalar(_) => return,
        crate::yaml::Value::Sequence(items) => items.iter().collect(),
        crate::yaml::Value::Mapping(entries) => entries.iter().map(|entry| &entry.value).collect(),
    };
    for child in children {
        if let Some(tag) = &child.tag {
            let finding = decoder
                .place(tag.span)
                .error(format!("{} stands inside the value of `{name}`", shown_tag(&tag.name)))
                .label("a tag marks a whole variable")
                .help("give the tagged value a variable of its own and refer to it as `{{ name }}`");
            decoder.report(finding);
        }
        nested_tags(decoder, child, name);
    }
}

/// `stored:` of a local file: plain values; `!secret` marks a secret whose name does not say so.
fn stored(decoder: &mut Decoder, node: &Node) -> Vec<Stored> {
    let mut found = Vec::new();
    for entry in decoder.map(node, "`stored`").unwrap_or_default() {
        let marked = match entry.value.tag.as_ref().map(|tag| &*tag.name) {
            Some("!secret") => Some(true),
            Some("!plain") => Some(false),
            Some(other) => {
                let place = entry.value.tag.as_ref().map_or(entry.key_span, |tag| tag.span);
                let finding = decoder
                    .place(place)
                    .error(format!("{} is not allowed in `stored`", shown_tag(other)))
                    .label("only `!secret` and `!plain` are");
                decoder.report(finding);
                continue;
            }
            None => None,
        };
        match to_json(&entry.value) {
            Ok(value) => {
                let secret =
                    marked.unwrap_or_else(|| is_secret_name(&entry.key) && !matches!(value, Value::Number(_) | Value::Bool(_)));
                found.push(Stored { name: entry.key.to_string(), value, secret });
            }
            Err(_) => {
                let place = decoder.place(entry.key_span);
                let name = place.nameable(&entry.key).map(|key| format!(" `{key}`")).unwrap_or_default();
                let finding =
                    place.error(format!("the stored value{name} is a number that JSON can't spell")).help("put it in quotes");
                decoder.report(finding);
            }
        }
    }
    found
}

/// `tokens:` of a local file: what runner kept of the answers to managed logins. Nobody writes it by hand, so what can't be read
/// is no token and is got again.
fn tokens(decoder: &mut Decoder, node: &Node) -> Vec<(String, Map<String, Value>)> {
    let entries = decoder.map(node, "`tokens`").unwrap_or_default();
    let readable = entries.iter().filter_map(|entry| match to_json(&entry.value) {
        Ok(Value::Object(members)) => Some((entry.key.to_string(), members)),
        _ => None,
    });
    readable.collect()
}

fn proxy(decoder: &mut Decoder, node: &Node, layer: Layer) -> Option<(String, Place)> {
    let (text, place) = (decoder.text(node, "`proxy`")?.to_owned(), decoder.place(node.span));
    if layer == Layer::Shared && !text.contains("{{") && !passwords_of(&text).is_empty() {
        let finding = place.error("the password of the proxy stands in a file that is shared").help(
            "move `proxy` to the local file beside this one, and change the password where it comes from if this file was ever \
             pushed",
        );
        decoder.report(finding);
    }
    Some((text, place))
}

fn tls(decoder: &mut Decoder, node: &Node, folder: &Path) -> Option<Tls> {
    let fields = decoder.fields(node, "`tls`", &["ca", "cert", "key", "insecure"])?;
    let mut path = |key: &str| {
        let node = fields.get(key)?;
        let path = folder.join(decoder.text(node, &format!("`{key}`"))?);
        Some(TlsFile { path, place: Some(decoder.place(node.span)) })
    };
    let (ca, cert, key) = (path("ca"), path("cert"), path("key"));
    let insecure =
        fields.get("insecure").filter(|node| decoder.bool(node, "`insecure`") == Some(true)).map(|node| decoder.place(node.span));
    if cert.is_some() != key.is_some() {
        let finding = decoder.place(node.span).error("a client certificate needs both `cert` and `key`");
        decoder.report(finding);
    }
    Some(Tls { ca, cert, key, insecure })
}

//! YAML values to the model: one finding a mistake, unknown keys first, and on it goes.

mod assert;
mod capture;
mod matcher;
mod request;

use std::path::Path;

use crate::auth;
use crate::template::{Builder, Syntax, name_problem};
use crate::yaml::{Decoder, Document, Entry, Node};

use super::model::{Collection, Need, Variable};
use request::{Defaults, Requests};

const KEYS: &[&str] = &["name", "description", "variables", "needs", "auth", "defaults", "requests", "data", "on_failure"];
const LATER: &[&str] = &["data", "on_failure"];

/// Decodes a collection; findings go to the decoder.
pub(super) fn collection(decoder: &mut Decoder, templates: &mut Builder, document: &Document, path: &Path) -> Collection {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut collection = Collection {
        file: document.file.clone(),
        path: path.to_owned(),
        name: stem,
        description: None,
        variables: Vec::new(),
        needs: Vec::new(),
        auth: Vec::new(),
        requests: Vec::new(),
    };
    let Some(root) = &document.root else {
        let finding = decoder
            .place(crate::diagnostic::Span::new(0, 0))
            .error("the file is empty")
            .help("a collection needs `requests:`, a list of requests; `runner` has examples in its README");
        decoder.report(finding);
        return collection;
    };
    let Some(fields) = decoder.top_fields(root, "a collection", KEYS) else { return collection };
    decoder.not_yet(&fields, LATER);
    if let Some(name) = fields.get("name").and_then(|node| decoder.text(node, "`name`")) {
        collection.name = name.to_owned();
    }
    collection.description = fields.get("description").and_then(|node| decoder.text(node, "`description`")).map(str::to_owned);
    if let Some(node) = fields.get("variables") {
        collection.variables = variables(decoder, templates, node);
    }
    if let Some(node) = fields.get("needs") {
        collection.needs = needs(decoder, node);
    }
    if let Some(node) = fields.get("auth") {
        collection.auth = auth::definitions(decoder, templates, node);
    }
    let defaults = match fields.get("defaults") {
        Some(node) => Defaults::default().with(decoder, templates, node),
        None => Defaults::default(),
    };
    match fields.get("requests") {
        Some(node) => {
            let mut requests = Requests::new(decoder, templates);
            requests.list(node, &[], &[], &defaults);
            collection.requests = requests.finish();
        }
        None if fields.misspelt("requests") => {}
        None => {
            let finding = decoder
                .place(crate::diagnostic::Span::new(root.span.start, root.span.start))
                .error("a collection needs `requests`")
                .help("requests:\n  - name: Who am I\n    url: https://api.example.com/users/me");
            decoder.report(finding);
        }
    }
    collection
}

/// `variables:` of a collection: defaults, templates allowed.
fn variables(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Vec<Variable> {
    let mut found = Vec::new();
    for entry in decoder.map(node, "`variables`").unwrap_or_default() {
        if !check_name(decoder, entry) {
            continue;
        }
        decoder.no_tag(&entry.value);
        let value = (!entry.value.is_null()).then(|| templates.add_tree(decoder.file(), &entry.value, Syntax::Variable));
        found.push(Variable { name: entry.key.to_string(), place: decoder.place(entry.key_span), value });
    }
    found
}

/// Reports a name that no variable can have.
fn check_name(decoder: &mut Decoder, entry: &Entry) -> bool {
    let problem = name_problem(&entry.key, &decoder.place(entry.key_span));
    let good = problem.is_none();
    problem.into_iter().for_each(|finding| decoder.report(finding));
    good
}

fn needs(decoder: &mut Decoder, node: &Node) -> Vec<Need> {
    let mut found = Vec::new();
    for item in decoder.one_or_more(node) {
        if let Some(path) = decoder.text(item, "an entry of `needs`") {
            found.push(Need { path: path.to_owned(), place: decoder.place(item.span) });
        }
    }
    found
}

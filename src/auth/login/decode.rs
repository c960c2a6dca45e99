//! Decodes `oauth2:`: a preset first, then what the file says laid over it.

use crate::diagnostic::nearest;
use crate::query::JsonPath;
use crate::template::{Builder, Syntax, Template};
use crate::yaml::{self, Decoder, Fields, Node, Privacy};

use super::{BodyFormat, ClientAuth, Endpoints, GrantType, Kept, Login, Params, Pkce};

/// The presets, as data; each names its source.
const PROVIDERS: &str = include_str!("providers.yaml");

/// The name of the file of presets, as places in it show it.
pub const PRESETS: &str = "provider presets";

/// What the preset of a provider fills in, as it would stand in a file.
///
/// # Errors
/// There is none of that name; the names that exist.
pub fn provider(name: &str) -> Result<String, Vec<&'static str>> {
    let starts = PROVIDERS.lines().filter(|line| !line.starts_with([' ', '#']));
    let names: Vec<&str> = starts.filter_map(|line| line.split_once(':').map(|(name, _)| name)).collect();
    if !names.contains(&name) {
        return Err(names);
    }
    let head = format!("{name}:");
    let mut lines = PROVIDERS.lines().skip_while(|line| !line.starts_with(&head));
    let mut text = lines.next().unwrap_or_default().to_owned() + "\n";
    for line in lines.take_while(|line| line.starts_with(' ')) {
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

const KEYS: &[&str] = &[
    "provider",
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "pushed_authorization_request_endpoint",
    "grant_type",
    "client_id",
    "client_secret",
    "client_auth",
    "scope",
    "scope_separator",
    "audience",
    "resource",
    "subject",
    "code",
    "refresh_token",
    "redirect_uri",
    "pkce",
    "authorize",
    "token",
    "refresh",
    "assertion",
    "subject_token",
    "actor_token",
    "send",
    "store",
    "dpop",
    "par",
    "username",
    "password",
];

/// Decodes what stands under `oauth2:`.
pub(in crate::auth) fn decode(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Option<Login> {
    let fields = decoder.fields(node, "an `oauth2` login", KEYS)?;
    let mut login = Login::at(decoder.place(node.span));
    if let Some(node) = fields.get("provider") {
        let name = decoder.text(node, "`provider`")?.to_owned();
        match preset(&name, templates, &mut login) {
            Ok(()) => login.provider = Some(name),
            Err(known) => unknown_value(decoder, node, "provider", &known),
        }
    }
    if fields.get("token_endpoint").is_some() {
        // Another server than the preset's: its other endpoints must not get this one's tokens and credentials.
        login.endpoints = Endpoints::default();
    }
    Layer { decoder, templates }.lay_over(&mut login, &fields);
    Some(login)
}

/// Lays the preset called `name` over `login`; the names that exist when there is none.
fn preset(name: &str, templates: &mut Builder, login: &mut Login) -> Result<(), Vec<String>> {
    // The text is ours, a test reads all of it.
    let Ok(document) = yaml::read(PRESETS, PROVIDERS.to_owned(), Privacy::Open) else { return Err(Vec::new()) };
    let entries = document.root.as_ref().and_then(Node::entries).unwrap_or_default();
    let Some(entry) = entries.iter().find(|entry| &*entry.key == name) else {
        return Err(entries.iter().map(|entry| entry.key.to_string()).collect());
    };
    let mut decoder = Decoder::new(&document.file);
    if let Some(fields) = decoder.fields(&entry.value, "a preset", KEYS) {
        Layer { decoder: &mut decoder, templates }.lay_over(login, &fields);
    }
    Ok(())
}

/// What one file says of a login.
struct Layer<'a> {
    decoder: &'a mut Decoder,
    templates: &'a mut Builder,
}

impl Layer<'_> {
    /// Replaces the parts of `login` that `fields` gives.
    fn lay_over(&mut self, login: &mut Login, fields: &Fields<'_>) {
        if let Some(grant) = fields.get("grant_type").and_then(|node| self.decoder.text(node, "`grant_type`")) {
            login.grant_type = GrantType::named(grant);
        }
        let endpoints = &mut login.endpoints;
        self.set(fields, "issuer", Syntax::Url, &mut endpoints.issuer);
        self.set(fields, "authorization_endpoint", Syntax::Url, &mut endpoints.authorization);
        self.set(fields, "token_endpoint", Syntax::Url, &mut endpoints.token);
        self.set(fields, "device_authorization_endpoint", Syntax::Url, &mut endpoints.device_authorization);
        self.set(fields, "revocation_endpoint", Syntax::Url, &mut endpoints.revocation);
        self.set(fields, "introspection_endpoint", Syntax::Url, &mut endpoints.introspection);
        let par = &mut endpoints.pushed_authorization_request;
        self.set(fields, "pushed_authorization_request_endpoint", Syntax::Url, par);
        self.text(fields, "client_id", &mut login.client.id);
        self.text(fields, "client_secret", &mut login.client.secret);
        self.choice(fields, "client_auth", ClientAuth::NAMES, &mut login.client.auth);
        self.wanted(login, fields);
        self.brought(login, fields);
        self.text(fields, "redirect_uri", &mut login.redirect_uri);
        let mut pkce = None;
        self.choice(fields, "pkce", &[("S256", Pkce::S256), ("plain", Pkce::Plain), ("false", Pkce::Off)], &mut pkce);
        login.pkce = pkce.unwrap_or(login.pkce);
        self.requests(login, fields);
        self.assertion(login, fields);
        self.send(login, fields);
        self.store(login, fields);
        for (key, flag) in [("dpop", &mut login.dpop), ("par", &mut login.par)] {
            let Some(entry) = fields.entry(key) else { continue };
            *flag = self.decoder.bool(&entry.value, &format!("`{key}`")).unwrap_or_default();
            if *flag {
                // Going on without it would be less safe than what was asked for.
                let finding = self.decoder.place(entry.key_span).error(format!("this version of runner can't do `{key}` yet"));
                self.decoder.report(finding.help("take the key out to log in without it"));
            }
        }
    }

    fn wanted(&mut self, login: &mut Login, fields: &Fields<'_>) {
        let wanted = &mut login.wanted;
        for (key, list) in [("scope", &mut wanted.scope), ("resource", &mut wanted.resource)] {
            if let Some(node) = fields.get(key) {
                *list = self.list(node, key);
            }
        }
        if let Some(node) = fields.get("scope_separator") {
            wanted.scope_separator = self.decoder.text(node, "`scope_separator`").map(ToOwned::to_owned);
        }
        self.text(fields, "audience", &mut wanted.audience);
        let Some(node) = fields.get("subject") else { return };
        let Some(subject) = self.decoder.fields(node, "`subject`", &["type", "id"]) else { return };
        let (mut kind, mut id) = (None, None);
        self.text(&subject, "type", &mut kind);
        self.text(&subject, "id", &mut id);
        match (kind, id) {
            (Some(kind), Some(id)) => wanted.subject = Some((kind, id)),
            _ => {
                let finding = self.decoder.place(node.span).error("`subject` needs `type` and `id`");
                self.decoder.report(finding.help("for example: subject: {type: enterprise, id: \"{{ enterprise_id }}\"}"));
            }
        }
    }

    fn brought(&mut self, login: &mut Login, fields: &Fields<'_>) {
        let brought = &mut login.brought;
        self.text(fields, "code", &mut brought.code);
        self.text(fields, "refresh_token", &mut brought.refresh_token);
        self.text(fields, "username", &mut brought.username);
        self.text(fields, "password", &mut brought.password);
        self.text(fields, "subject_token", &mut brought.subject_token);
        self.text(fields, "actor_token", &mut brought.actor_token);
    }

    /// The sections that change the requests to the servers.
    fn requests(&mut self, login: &mut Login, fields: &Fields<'_>) {
        if let Some(inner) = self.section(fields, "authorize", "`authorize`", &["params"]) {
            self.params(&inner, "params", &mut login.authorize);
        }
        if let Some(inner) = self.section(fields, "token", "`token`", &["params", "headers", "body", "access_token"]) {
            self.params(&inner, "params", &mut login.token.params);
            self.params(&inner, "headers", &mut login.token.headers);
            let formats = &[("form", BodyFormat::Form), ("json", BodyFormat::Json)];
            self.choice(&inner, "body", formats, &mut login.token.body);
            if let Some(path) = inner.get("access_token").and_then(|node| self.path(node, "access_token")) {
                login.token.access_token = Some(path);
            }
        }
        if let Some(inner) = self.section(fields, "refresh", "`refresh`", &["url", "params", "skew"]) {
            self.set(&inner, "url", Syntax::Url, &mut login.endpoints.refresh);
            self.params(&inner, "params", &mut login.refresh.params);
            if let Some(node) = inner.get("skew") {
                login.refresh.skew = self.decoder.duration(node, "`skew`");
            }
        }
    }

    fn assertion(&mut self, login: &mut Login, fields: &Fields<'_>) {
        const KNOWN: &[&str] = &["config", "key", "passphrase", "key_id", "algorithm", "audience", "claims", "lifetime"];
        let Some(inner) = self.section(fields, "assertion", "`assertion`", KNOWN) else { return };
        let assertion = &mut login.assertion;
        self.text(&inner, "config", &mut assertion.config);
        self.text(&inner, "key", &mut assertion.key);
        self.text(&inner, "passphrase", &mut assertion.passphrase);
        self.text(&inner, "key_id", &mut assertion.key_id);
        self.text(&inner, "algorithm", &mut assertion.algorithm);
        self.text(&inner, "audience", &mut assertion.audience);
        if let Some(node) = inner.get("claims")
            && self.decoder.map(node, "`claims`").is_some()
        {
            assertion.claims = Some(self.templates.add_tree(self.decoder.file(), node, Syntax::Value));
        }
        if let Some(node) = inner.get("lifetime") {
            assertion.lifetime = self.decoder.duration(node, "`lifetime`");
        }
    }

    fn send(&mut self, login: &mut Login, fields: &Fields<'_>) {
        let Some(inner) = self.section(fields, "send", "`send`", &["header", "query", "prefix"]) else { return };
        let send = &mut login.send;
        for (key, place) in [("header", &mut send.header), ("query", &mut send.query), ("prefix", &mut send.prefix)] {
            if let Some(text) = inner.get(key).and_then(|node| self.decoder.text(node, &format!("`{key}`"))) {
                *place = Some(text.to_owned());
            }
        }
        if let (true, Some(entry)) = (inner.get("header").is_some(), inner.entry("query")) {
            let finding = self.decoder.place(entry.key_span).error("a token goes into a header or into the query, not into both");
            self.decoder.report(finding);
        }
    }

    fn store(&mut self, login: &mut Login, fields: &Fields<'_>) {
        let Some(node) = fields.get("store") else { return };
        for entry in self.decoder.map(node, "`store`").unwrap_or_default() {
            let place = self.decoder.place(entry.key_span);
            if let Some(finding) = crate::template::name_problem(&entry.key, &place) {
                self.decoder.report(finding);
                continue;
            }
            if let Some(path) = self.path(&entry.value, &entry.key) {
                login.store.push(Kept { name: entry.key.to_string(), place, path });
            }
        }
    }

    fn section<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &str,
        what: &'static str,
        known: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        self.decoder.fields(fields.get(key)?, what, known)
    }

    fn text(&mut self, fields: &Fields<'_>, key: &str, place: &mut Option<Template>) {
        self.set(fields, key, Syntax::Text, place);
    }

    fn set(&mut self, fields: &Fields<'_>, key: &str, syntax: Syntax, place: &mut Option<Template>) {
        if let Some(node) = fields.get(key)
            && self.decoder.text(node, &format!("`{key}`")).is_some()
        {
            *place = Some(self.templates.add(self.decoder.file(), node, syntax));
        }
    }

    fn list(&mut self, node: &Node, key: &str) -> Vec<Template> {
        let mut found = Vec::new();
        for item in self.decoder.one_or_more(node) {
            if self.decoder.text(item, &format!("`{key}`")).is_some() {
                found.push(self.templates.add(self.decoder.file(), item, Syntax::Text));
            }
        }
        found
    }

    fn params(&mut self, fields: &Fields<'_>, key: &str, params: &mut Params) {
        let Some(node) = fields.get(key) else { return };
        for entry in self.decoder.map(node, &format!("`{key}`")).unwrap_or_default() {
            let values = self.list(&entry.value, &entry.key);
            params.retain(|(name, _)| **name != *entry.key);
            params.push((entry.key.to_string(), values));
        }
    }

    fn path(&mut self, node: &Node, what: &str) -> Option<JsonPath> {
        let text = self.decoder.text(node, &format!("`{what}`"))?;
        JsonPath::compile(text)
            .map_err(|error| {
                let finding = self.decoder.place(node.span).error(format!("`{what}` is no JSONPath: {}", error.message));
                self.decoder.report(finding.help("a path into the token answer, such as `$.authed_user.access_token`"));
            })
            .ok()
    }

    fn choice<T: Copy>(&mut self, fields: &Fields<'_>, key: &str, known: &[(&str, T)], place: &mut Option<T>) {
        let Some(node) = fields.get(key) else { return };
        let Some(text) = self.decoder.text(node, &format!("`{key}`")) else { return };
        match known.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => *place = Some(*value),
            None => unknown_value(self.decoder, node, key, &known.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        }
    }
}

/// Reports a value that is none of those that are `known`.
fn unknown_value(decoder: &mut Decoder, node: &Node, key: &str, known: &[impl AsRef<str>]) {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let place = decoder.place(node.span);
    let finding = place.error(match place.shows() {
        true => format!("unknown `{key}`: `{text}`"),
        false => format!("unknown `{key}`"),
    });
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    decoder.report(match nearest(text, known.iter().copied()) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help(format!("known values: {}", known.join(", "))),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_decodes_without_a_finding() {
        let document = yaml::read("providers", PROVIDERS.to_owned(), Privacy::Open).unwrap();
        let names: Vec<&str> = document.root.as_ref().unwrap().entries().unwrap().iter().map(|entry| &*entry.key).collect();
        assert!(names.is_sorted() && names.len() >= 19, "{names:?}");
        for name in names {
            let text = format!("{{provider: {name}, client_id: me}}");
            let document = yaml::read("auth.yaml", text, Privacy::Open).unwrap();
            let (mut decoder, mut templates) = (Decoder::new(&document.file), Builder::default());
            let login = decode(&mut decoder, &mut templates, document.root.as_ref().unwrap()).unwrap();
            assert_eq!(decoder.finish(), [], "{name}");
            let endpoints = login.templates().into_iter().map(Template::source).filter(|text| text.starts_with("http"));
            assert!(endpoints.into_iter().all(|text| text.starts_with("https://")), "{name}");
            assert!(login.client.auth.is_some() || name == "discord", "{name}");
        }
    }

    #[test]
    fn what_the_file_says_goes_before_the_preset() {
        let text = "{provider: google, token_endpoint: https://a.test/t, authorize: {params: {prompt: none}}}";
        let document = yaml::read("auth.yaml", text.to_owned(), Privacy::Open).unwrap();
        let (mut decoder, mut templates) = (Decoder::new(&document.file), Builder::default());
        let login = decode(&mut decoder, &mut templates, document.root.as_ref().unwrap()).unwrap();
        assert_eq!(login.endpoints.token.unwrap().source(), "https://a.test/t");
        // A server of one's own does not share its tokens with the preset's.
        assert!(login.endpoints.revocation.is_none() && login.endpoints.authorization.is_none());
        let params: Vec<(&str, &str)> =
            login.authorize.iter().map(|(name, values)| (name.as_str(), values[0].source())).collect();
        assert_eq!(params, [("access_type", "offline"), ("prompt", "none")]);
    }
}

//! A managed login (`oauth2:`): decoded and checked in full, so that a mistake in it is found at load.

use crate::diagnostic::{Place, nearest};
use crate::template::{Builder, Syntax, Template};
use crate::yaml::{Decoder, Fields, Node, Value};

/// The grant of a login (RFC 6749 §1.3 and its extensions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 7523 §2.1.
    JwtBearer,
    /// RFC 8628.
    DeviceCode,
    /// RFC 8693.
    TokenExchange,
    /// RFC 6749 §4.3.
    Password,
    /// Any other text is sent as it is (RFC 6749 §4.5).
    Extension(String),
}

impl GrantType {
    const NAMES: [(&'static str, Self); 7] = [
        ("authorization_code", Self::AuthorizationCode),
        ("client_credentials", Self::ClientCredentials),
        ("refresh_token", Self::RefreshToken),
        ("jwt_bearer", Self::JwtBearer),
        ("device_code", Self::DeviceCode),
        ("token_exchange", Self::TokenExchange),
        ("password", Self::Password),
    ];

    /// The name as written under `grant_type`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Extension(text) => text,
            known => Self::NAMES.iter().find(|(_, grant)| grant == known).map_or("", |(name, _)| name),
        }
    }

    fn named(text: &str) -> Self {
        Self::NAMES
            .into_iter()
            .find(|(name, _)| *name == text)
            .map_or_else(|| Self::Extension(text.to_owned()), |(_, grant)| grant)
    }
}

/// A managed login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Where it stands.
    pub place: Place,
    /// How the first token is got; `authorization_code` when left out.
    pub grant_type: GrantType,
    /// Every template of the definition, for the check of names.
    pub templates: Vec<Template>,
    /// Those that say where it logs in, by the key that names each (`token_endpoint`, `refresh.url`).
    pub endpoints: Vec<(String, Template)>,
}

/// Fields that hold one templated text.
const TEXTS: &[&str] = &[
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "pushed_authorization_request_endpoint",
    "issuer",
    "client_id",
    "client_secret",
    "audience",
    "code",
    "refresh_token",
    "redirect_uri",
    "subject_token",
    "actor_token",
    "scope_separator",
    "username",
    "password",
];
const CLIENT_AUTH: &[&str] = &[
    "post",
    "basic",
    "basic_raw",
    "none",
    "private_key_jwt",
    "client_secret_jwt",
    "tls",
    "client_secret_post",
    "client_secret_basic",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];
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
pub(super) fn decode(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Option<Login> {
    let fields = decoder.fields(node, "an `oauth2` login", KEYS)?;
    let mut login = Login {
        place: decoder.place(node.span),
        grant_type: GrantType::AuthorizationCode,
        templates: Vec::new(),
        endpoints: Vec::new(),
    };
    if let Some(grant) = fields.get("grant_type").and_then(|node| decoder.text(node, "`grant_type`")) {
        login.grant_type = GrantType::named(grant);
    }
    for key in TEXTS {
        if let Some(node) = fields.get(key) {
            let first = login.templates.len();
            collect(decoder, templates, node, key, &mut login.templates);
            if *key == "issuer" || key.ends_with("_endpoint") {
                login.endpoints.extend(login.templates.iter().skip(first).map(|template| ((*key).to_owned(), template.clone())));
            }
        }
    }
    for key in ["scope", "resource"] {
        for node in fields.get(key).map(|node| decoder.one_or_more(node)).unwrap_or_default() {
            collect(decoder, templates, node, key, &mut login.templates);
        }
    }
    sections(decoder, templates, &fields, &mut login);
    options(decoder, &fields);
    Some(login)
}

/// The nested maps.
fn sections(decoder: &mut Decoder, templates: &mut Builder, fields: &Fields<'_>, login: &mut Login) {
    const SECTIONS: &[(&str, &str, &[&str])] = &[
        ("subject", "`subject`", &["type", "id"]),
        ("authorize", "`authorize`", &["params"]),
        ("token", "`token`", &["params", "headers", "body", "access_token"]),
        ("refresh", "`refresh`", &["url", "params", "skew"]),
        ("assertion", "`assertion`", &["config", "key", "passphrase", "key_id", "algorithm", "audience", "claims", "lifetime"]),
        ("send", "`send`", &["header", "query", "prefix"]),
    ];
    for (key, what, known) in SECTIONS {
        let Some(inner) = fields.get(key).and_then(|node| decoder.fields(node, what, known)) else { continue };
        for entry in inner.entries() {
            match &*entry.key {
                "skew" | "lifetime" => {
                    decoder.duration(&entry.value, &format!("`{}`", entry.key));
                }
                "config" | "key" => {} // a path or a tagged value; read when the login is used
                _ => {
                    let first = login.templates.len();
                    walk(decoder, templates, &entry.value, &entry.key, &mut login.templates);
                    if (*key, &*entry.key) == ("refresh", "url") {
                        let urls = login.templates.iter().skip(first);
                        login.endpoints.extend(urls.map(|template| ("refresh.url".to_owned(), template.clone())));
                    }
                }
            }
        }
    }
    if let Some(node) = fields.get("store") {
        decoder.map(node, "`store`");
    }
}

/// What has a fixed set of values.
fn options(decoder: &mut Decoder, fields: &Fields<'_>) {
    let sets: [(&str, &[&str]); 3] =
        [("client_auth", CLIENT_AUTH), ("pkce", &["S256", "plain", "false"]), ("provider", &["box"])];
    for (key, known) in sets {
        let Some(node) = fields.get(key) else { continue };
        let Some(text) = decoder.text(node, &format!("`{key}`")) else { continue };
        if !known.contains(&text) {
            let place = decoder.place(node.span);
            let mut finding = place.error(match place.shows() {
                true => format!("unknown `{key}`: `{text}`"),
                false => format!("unknown `{key}`"),
            });
            finding = match nearest(text, known.iter().copied()) {
                Some(near) => finding.label(format!("did you mean `{near}`?")),
                None => finding.help(format!("known values: {}", known.join(", "))),
            };
            decoder.report(finding);
        }
    }
    for key in ["dpop", "par"] {
        if let Some(node) = fields.get(key) {
            decoder.bool(node, &format!("`{key}`"));
        }
    }
}

/// Adds every scalar below `node` as a template.
fn walk(decoder: &mut Decoder, templates: &mut Builder, node: &Node, key: &str, found: &mut Vec<Template>) {
    match &node.value {
        Value::Scalar(_) => collect(decoder, templates, node, key, found),
        Value::Sequence(items) => items.iter().for_each(|item| walk(decoder, templates, item, key, found)),
        Value::Mapping(entries) => entries.iter().for_each(|entry| walk(decoder, templates, &entry.value, key, found)),
    }
}

fn collect(decoder: &mut Decoder, templates: &mut Builder, node: &Node, key: &str, found: &mut Vec<Template>) {
    if decoder.text(node, &format!("`{key}`")).is_some() {
        found.push(templates.add(decoder.file(), node, Syntax::Text));
    }
}

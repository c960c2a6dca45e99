//! The model of a managed login (`oauth2:`); the fields carry the names of the RFCs.

mod decode;

use std::time::Duration;

use crate::diagnostic::Place;
use crate::query::JsonPath;
use crate::template::{Template, Tree};

pub(super) use decode::decode;
pub use decode::{PRESETS, provider};

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
    const NAMES: [(&'static str, Self, &'static str); 7] = [
        ("authorization_code", Self::AuthorizationCode, "authorization_code"),
        ("client_credentials", Self::ClientCredentials, "client_credentials"),
        ("refresh_token", Self::RefreshToken, "refresh_token"),
        ("jwt_bearer", Self::JwtBearer, "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("device_code", Self::DeviceCode, "urn:ietf:params:oauth:grant-type:device_code"),
        ("token_exchange", Self::TokenExchange, "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("password", Self::Password, "password"),
    ];

    /// The grant of that name, in our spelling or as it goes over the wire.
    #[must_use]
    pub fn named(text: &str) -> Self {
        Self::NAMES
            .into_iter()
            .find(|(name, _, wire)| *name == text || *wire == text)
            .map_or_else(|| Self::Extension(text.to_owned()), |(_, grant, _)| grant)
    }

    /// The value of the parameter `grant_type`.
    #[must_use]
    pub fn wire(&self) -> &str {
        match self {
            Self::Extension(text) => text,
            known => Self::NAMES.iter().find(|(_, grant, _)| grant == known).map_or("", |(_, _, wire)| wire),
        }
    }

    /// The name as it stands in a file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Extension(text) => text,
            known => Self::NAMES.iter().find(|(_, grant, _)| grant == known).map_or("", |(name, _, _)| name),
        }
    }

    /// Whether a person has to do something each time (RFC 6749 §4.1, RFC 8628).
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }
}

/// How the client shows who it is at the token endpoint (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`: id and secret are percent-encoded first (RFC 6749 §2.3.1).
    Basic,
    /// Basic with id and secret as they are, for servers that do not decode them.
    BasicRaw,
    /// `client_secret_post`: both in the body.
    Post,
    /// A public client: the id alone.
    None,
    /// An assertion that is signed with the client's key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// An assertion that is signed with the client's secret (OpenID Connect Core §9).
    ClientSecretJwt,
    /// The client's certificate (RFC 8705 §2).
    Tls,
}

impl ClientAuth {
    pub(super) const NAMES: &'static [(&'static str, Self)] = &[
        ("basic", Self::Basic),
        ("basic_raw", Self::BasicRaw),
        ("post", Self::Post),
        ("none", Self::None),
        ("private_key_jwt", Self::PrivateKeyJwt),
        ("client_secret_jwt", Self::ClientSecretJwt),
        ("tls", Self::Tls),
        ("client_secret_basic", Self::Basic),
        ("client_secret_post", Self::Post),
        ("tls_client_auth", Self::Tls),
        ("self_signed_tls_client_auth", Self::Tls),
    ];

    /// The name as it stands in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, auth)| *auth == self).map_or("", |(name, _)| name)
    }
}

/// How a code is bound to who asked for it (RFC 7636 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// The hash of the verifier.
    S256,
    /// The verifier itself.
    Plain,
    /// Not at all.
    Off,
}

/// How the parameters of a token request are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 wants it.
    Form,
    /// A JSON object, as a few providers want it.
    Json,
}

/// Parameters with a free name; one with several values is sent several times.
pub type Params = Vec<(String, Vec<Template>)>;

/// The servers of a login (RFC 8414 §2).
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// Who issues the tokens; the endpoints that are not given are read from its metadata.
    pub issuer: Option<Template>,
    /// Where a person consents.
    pub authorization: Option<Template>,
    /// Where tokens come from.
    pub token: Option<Template>,
    /// Where a refresh goes, when not to the token endpoint.
    pub refresh: Option<Template>,
    /// Where a device gets its code (RFC 8628).
    pub device_authorization: Option<Template>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation: Option<Template>,
    /// Where tokens are looked up (RFC 7662).
    pub introspection: Option<Template>,
    /// Where an authorization request is left first (RFC 9126).
    pub pushed_authorization_request: Option<Template>,
}

impl Endpoints {
    /// Those that are given, by a file or a preset, with the keys under which they stand.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let all = [
            ("issuer", &self.issuer),
            ("authorization_endpoint", &self.authorization),
            ("token_endpoint", &self.token),
            ("refresh.url", &self.refresh),
            ("device_authorization_endpoint", &self.device_authorization),
            ("revocation_endpoint", &self.revocation),
            ("introspection_endpoint", &self.introspection),
            ("pushed_authorization_request_endpoint", &self.pushed_authorization_request),
        ];
        all.into_iter().filter_map(|(key, endpoint)| Some((key, endpoint.as_ref()?)))
    }
}

/// The client.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its id.
    pub id: Option<Template>,
    /// Its secret.
    pub secret: Option<Template>,
    /// How it shows who it is; the secret decides when left out.
    pub auth: Option<ClientAuth>,
}

/// What a login asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `scope`.
    pub scope: Vec<Template>,
    /// What stands between two scopes; a blank when left out.
    pub scope_separator: Option<String>,
    /// `audience` (RFC 8693 §2.1; Auth0's extension elsewhere).
    pub audience: Option<Template>,
    /// `resource` (RFC 8707).
    pub resource: Vec<Template>,
    /// Box's subject: its type (`enterprise`, `user`) and id.
    pub subject: Option<(Template, Template)>,
}

/// What a person or another system brings along.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    /// A code that a person got.
    pub code: Option<Template>,
    /// A refresh token from elsewhere.
    pub refresh_token: Option<Template>,
    /// The user's name (RFC 6749 §4.3).
    pub username: Option<Template>,
    /// The user's password.
    pub password: Option<Template>,
    /// The token that is exchanged (RFC 8693).
    pub subject_token: Option<Template>,
    /// The token of who acts (RFC 8693).
    pub actor_token: Option<Template>,
}

/// What is special about a token request and its answer.
#[derive(Debug, Clone, Default)]
pub struct TokenFields {
    /// Further parameters.
    pub params: Params,
    /// Further headers.
    pub headers: Params,
    /// How the parameters are written; as a form when left out.
    pub body: Option<BodyFormat>,
    /// Where the access token stands in the answer; `$.access_token` when left out.
    pub access_token: Option<JsonPath>,
}

/// What is special about a refresh.
#[derive(Debug, Clone, Default)]
pub struct RefreshFields {
    /// Further parameters.
    pub params: Params,
    /// How long before its end a token counts as stale.
    pub skew: Option<Duration>,
}

/// What an assertion is made of (RFC 7523 §3).
#[derive(Debug, Clone, Default)]
pub struct Assertion {
    /// The configuration file of a provider: its path, or its text.
    pub config: Option<Template>,
    /// The private key, PEM.
    pub key: Option<Template>,
    /// What the key is encrypted with.
    pub passphrase: Option<Template>,
    /// `kid`.
    pub key_id: Option<Template>,
    /// `alg`.
    pub algorithm: Option<Template>,
    /// `aud`; the token endpoint when left out.
    pub audience: Option<Template>,
    /// Further claims.
    pub claims: Option<Tree<Template>>,
    /// How long it is valid.
    pub lifetime: Option<Duration>,
}

/// How requests carry the access token.
#[derive(Debug, Clone, Default)]
pub struct Send {
    /// The header; `Authorization` when left out.
    pub header: Option<String>,
    /// The query parameter, instead of a header.
    pub query: Option<String>,
    /// What stands before the token in the header; `Bearer` when left out, nothing when empty.
    pub prefix: Option<String>,
}

/// A value that is taken from the token answer into `stored:`.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The variable.
    pub name: String,
    /// Where it stands in the file.
    pub place: Place,
    /// Where it stands in the answer.
    pub path: JsonPath,
}

/// A managed login: runner gets the token and keeps it fresh.
#[derive(Debug, Clone)]
pub struct Login {
    /// Where it stands.
    pub place: Place,
    /// The preset that fills in what is left out.
    pub provider: Option<String>,
    /// How the first token is got; `authorization_code` when left out.
    pub grant_type: GrantType,
    /// Where its servers are.
    pub endpoints: Endpoints,
    /// Who asks.
    pub client: Client,
    /// What is asked for.
    pub wanted: Wanted,
    /// What is brought along.
    pub brought: Brought,
    /// Where the browser is sent back to.
    pub redirect_uri: Option<Template>,
    /// How a code is bound to who asked for it.
    pub pkce: Pkce,
    /// Further parameters of the authorization request.
    pub authorize: Params,
    /// The token request.
    pub token: TokenFields,
    /// The refresh.
    pub refresh: RefreshFields,
    /// The assertion.
    pub assertion: Assertion,
    /// How requests carry the token.
    pub send: Send,
    /// Further values that are kept.
    pub store: Vec<Kept>,
    /// Whether tokens are bound to a key (RFC 9449).
    pub dpop: bool,
    /// Whether the authorization request is pushed first (RFC 9126).
    pub par: bool,
}

impl Login {
    /// A login that says nothing yet; `place` is where it stands.
    pub(super) fn at(place: Place) -> Self {
        Self {
            place,
            provider: None,
            grant_type: GrantType::AuthorizationCode,
            endpoints: Endpoints::default(),
            client: Client::default(),
            wanted: Wanted::default(),
            brought: Brought::default(),
            redirect_uri: None,
            pkce: Pkce::S256,
            authorize: Params::new(),
            token: TokenFields::default(),
            refresh: RefreshFields::default(),
            assertion: Assertion::default(),
            send: Send::default(),
            store: Vec::new(),
            dpop: false,
            par: false,
        }
    }

    /// Every template of the definition.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        let Endpoints {
            issuer,
            authorization,
            token,
            refresh,
            device_authorization,
            revocation,
            introspection,
            pushed_authorization_request,
        } = &self.endpoints;
        let Brought { code, refresh_token, username, password, subject_token, actor_token } = &self.brought;
        let Assertion { config, key, passphrase, key_id, algorithm, audience, claims, lifetime: _ } = &self.assertion;
        let single = [
            issuer,
            authorization,
            token,
            refresh,
            device_authorization,
            revocation,
            introspection,
            pushed_authorization_request,
            &self.client.id,
            &self.client.secret,
            &self.wanted.audience,
            code,
            refresh_token,
            username,
            password,
            subject_token,
            actor_token,
            &self.redirect_uri,
            config,
            key,
            passphrase,
            key_id,
            algorithm,
            audience,
        ];
        let params = [&self.authorize, &self.token.params, &self.token.headers, &self.refresh.params];
        let mut found: Vec<&Template> = single.into_iter().flatten().collect();
        found.extend(self.wanted.scope.iter().chain(&self.wanted.resource));
        found.extend(self.wanted.subject.iter().flat_map(|(kind, id)| [kind, id]));
        found.extend(params.into_iter().flatten().flat_map(|(_, values)| values));
        found.extend(claims.iter().flat_map(Tree::templates));
        found
    }

    /// The templates that tell which token fits.
    #[must_use]
    pub fn identity_templates(&self) -> Vec<&Template> {
        let Wanted { scope, audience, resource, subject, .. } = &self.wanted;
        let single = [&self.endpoints.issuer, &self.endpoints.token, &self.client.id, audience, &self.assertion.config];
        let subject = subject.iter().flat_map(|(kind, id)| [kind, id]);
        single.into_iter().flatten().chain(scope).chain(resource).chain(subject).collect()
    }

    /// The templates that a token request can't do without. A code and a refresh token are brought along or not.
    #[must_use]
    pub fn needed_templates(&self) -> Vec<&Template> {
        let Brought { username, password, subject_token, actor_token, .. } = &self.brought;
        let Assertion { key, passphrase, key_id, algorithm, audience, .. } = &self.assertion;
        let single =
            [&self.client.secret, username, password, subject_token, actor_token, key, passphrase, key_id, algorithm, audience];
        let params = self.token.params.iter().chain(&self.token.headers).flat_map(|(_, values)| values);
        self.identity_templates().into_iter().chain(single.into_iter().flatten()).chain(params).collect()
    }
}

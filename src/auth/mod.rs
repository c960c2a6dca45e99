//! How a request is authorised: the model of every `auth:` and its decoding.
//!
//! Data only; it knows no HTTP and no token endpoint. May import `template` and what stands left of it. Both a collection
//! and an environment hold definitions, so the model stands left of both.

mod decode;
mod login;

use crate::diagnostic::Place;
use crate::template::Template;

pub use decode::{choice, definitions};
pub use login::{
    Assertion, BodyFormat, Brought, Client, ClientAuth, Endpoints, GrantType, Kept, Login, PRESETS, Params, Pkce, RefreshFields,
    Send, TokenFields, Wanted, provider,
};

/// What a request says about its authorisation.
#[derive(Debug, Clone)]
pub enum Choice {
    /// `auth: none`, or nothing at all.
    None,
    /// `auth: NAME`: a definition of the environment or the collection.
    Named {
        /// The name.
        name: String,
        /// Where it stands.
        place: Place,
    },
    /// A scheme spelt out in the request.
    Inline(Scheme),
}

/// A way to authorise that needs no server of its own.
#[derive(Debug, Clone)]
pub enum Scheme {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    Bearer(Template),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The user name; it can't hold a colon.
        username: Template,
        /// The password.
        password: Template,
    },
    /// A key in a header, a query parameter or a cookie.
    ApiKey {
        /// Where the key goes.
        carrier: Carrier,
        /// The name of the header, parameter or cookie.
        name: String,
        /// The key.
        value: Template,
    },
}

/// What carries an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

impl Scheme {
    /// The credential, when it stands in the file itself and not in a variable.
    #[must_use]
    pub fn literal_credential(&self) -> Option<&str> {
        let (Self::Bearer(credential) | Self::Basic { password: credential, .. } | Self::ApiKey { value: credential, .. }) = self;
        credential.literal().and_then(|value| value.as_str()).filter(|text| !text.is_empty())
    }

    /// The templates of the scheme.
    #[must_use]
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Bearer(token) => vec![token],
            Self::Basic { username, password } => vec![username, password],
            Self::ApiKey { value, .. } => vec![value],
        }
    }
}

/// A named way to authorise, from an `auth:` section.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The name under which requests use it.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// What it does.
    pub method: Method,
}

/// What a named definition does.
#[derive(Debug, Clone)]
pub enum Method {
    /// A scheme without a server.
    Scheme(Scheme),
    /// A managed login: runner gets the token and keeps it fresh.
    Login(Box<Login>),
}

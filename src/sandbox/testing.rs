//! A sandbox without a socket, for the tests of the handlers.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use hyper::header::HeaderMap;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Options;
use super::call::Call;
use super::codes::Bound;
use super::service::Core;
use crate::clock::Timestamp;

/// A core whose time a test sets.
pub(super) struct Desk {
    pub(super) core: Core,
    pub(super) now: Timestamp,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: String,
    pub(super) delay: Duration,
    pub(super) is_dropped: bool,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, `error` and `error_description` of an OAuth error.
    pub(super) fn refusal(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("error_description"))
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::open(None)
    }

    pub(super) fn open(state: Option<PathBuf>) -> Self {
        let now = Timestamp(1_800_000_000);
        Self { core: Core::open(state, Options::default(), now).unwrap(), now }
    }

    pub(super) fn advance(&mut self, seconds: i64) {
        self.now = Timestamp(self.now.0 + seconds);
    }

    pub(super) fn send(&mut self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = hyper::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let answer = self.core.answer(&Call::new(head, Bytes::copy_from_slice(body.as_bytes())), self.now);
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        let (delay, is_dropped) = (answer.delay, answer.is_dropped);
        Reply { status: answer.status.as_u16(), headers: answer.headers, body, delay, is_dropped }
    }

    pub(super) fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], &body)
    }

    /// A form with the client's id and secret.
    pub(super) fn as_client(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let client = self.core.client.clone();
        let mine = [("client_id", client.id.as_str()), ("client_secret", client.secret.expose())];
        self.form(path, &[&mine, fields].concat())
    }

    pub(super) fn code(&mut self) -> String {
        let Core { codes, mint, .. } = &mut self.core;
        codes.issue(mint, self.now, Bound::default())
    }

    pub(super) fn exchange(&mut self, code: &str) -> Reply {
        self.as_client("/oauth2/token", &[("grant_type", "authorization_code"), ("code", code)])
    }

    pub(super) fn refresh(&mut self, token: &str) -> Reply {
        self.as_client("/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// A fresh pair: access and refresh token.
    pub(super) fn log_in(&mut self) -> (String, String) {
        let code = self.code();
        pair(&self.exchange(&code))
    }

    pub(super) fn api(&mut self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        self.send(method, path, &[("authorization", &format!("Bearer {token}"))], body)
    }

    /// A token that an app gets without a person.
    pub(super) fn as_app(&mut self, kind: &str, id: &str) -> Reply {
        let fields = [("grant_type", "client_credentials"), ("box_subject_type", kind), ("box_subject_id", id)];
        self.as_client("/oauth2/token", &fields)
    }

    /// A token made of another one, with other parameters beside it.
    pub(super) fn down_scope(&mut self, token: &str, fields: &[(&str, &str)]) -> Reply {
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        self.form("/oauth2/token", &[&exchange, fields].concat())
    }

    pub(super) fn get(&mut self, path: &str, token: &str) -> Reply {
        self.api("GET", path, token, "")
    }
}

/// Access and refresh token of an answer.
pub(super) fn pair(reply: &Reply) -> (String, String) {
    let json = reply.json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// A key that signs assertions, made by the test.
pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    /// The public half.
    pub(super) fn jwk(&self, kid: &str) -> String {
        let point = self.0.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| BASE64.encode(&point[range]);
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": part(1..33), "y": part(33..65)}).to_string()
    }

    pub(super) fn sign(&self, head: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }
}

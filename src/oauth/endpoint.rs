//! Sends a token request and reads the answer. Everything secret in it is known to the masker before anything is said of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use crate::auth::BodyFormat;
use crate::environment::{learn_member, learn_named};
use crate::http::{self, Body, Client, Guard, Method};
use crate::mask::{Masker, is_secret_name};
use crate::secret::Secret;

use super::answer::{Answer, Reading};
use super::client_auth::Credentials;
use super::error::Error;
use super::parameters::Parameters;

/// The most that a token endpoint may answer, in bytes.
pub(super) const LONGEST_ANSWER: usize = 1 << 20;

/// The way to token endpoints.
#[derive(Clone, Copy)]
pub struct Endpoint<'e> {
    /// The connections of the run.
    pub client: &'e Client,
    /// Learns what an answer brings.
    pub masker: &'e Masker,
    /// The limit on a token request; the usual one when none is given.
    pub timeout: Option<Duration>,
}

/// A request to a token endpoint.
pub(super) struct Asked<'a> {
    pub(super) url: &'a Url,
    pub(super) parameters: Parameters,
    pub(super) credentials: Credentials,
    pub(super) headers: Vec<(String, String)>,
    pub(super) format: BodyFormat,
}

impl Endpoint<'_> {
    /// Asks for a token.
    ///
    /// # Errors
    /// No answer, or one that is no token.
    pub(super) async fn ask(&self, asked: Asked<'_>, reading: &Reading<'_>, guard: &Guard<'_>) -> Result<Answer, Error> {
        let response = self.post(asked, guard).await?;
        if response.body.len() > LONGEST_ANSWER {
            return Err(Error::Http(http::Error::TooLarge { limit: LONGEST_ANSWER }));
        }
        self.learn(&response.body);
        let (members, access_token) = reading.read(&response)?;
        self.masker.learn(&Secret::new(access_token.as_str()));
        members.iter().for_each(|(name, value)| learn_member(name, value, self.masker));
        Ok((members, access_token))
    }

    /// Asks about a token; the body of a good answer, which may be empty (RFC 7009 §2.2).
    ///
    /// # Errors
    /// No answer, or an error.
    pub(super) async fn question(&self, asked: Asked<'_>, guard: &Guard<'_>) -> Result<Bytes, Error> {
        let response = self.post(asked, guard).await?;
        self.learn(&response.body);
        if response.status == 200 {
            return Ok(response.body);
        }
        let mask = |text: &str| self.masker.mask(text);
        let reading = Reading { grant: "", access_token: None, any_type: true, mask: &mask };
        match reading.read(&response) {
            Err(error) => Err(error),
            Ok(_) => Err(Error::unusable(response.status, "the server did not do what it was asked", &mask(&response.text()))),
        }
    }

    async fn post(&self, asked: Asked<'_>, guard: &Guard<'_>) -> Result<http::Response, Error> {
        let Asked { url, mut parameters, credentials, headers, format } = asked;
        let authorization = credentials.apply(&mut parameters);
        parameters.learn(self.masker);
        if let Some(secret) = &credentials.secret {
            self.masker.learn(secret);
        }
        let (body, content_type) = parameters.body(format);
        let mut request = http::Request::new(Method::POST, url.clone());
        // GitHub answers with a form unless it is asked for JSON.
        request.headers.push(("Accept".to_owned(), "application/json".to_owned()));
        request.headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        if let Some(value) = authorization {
            request.headers.push(("Authorization".to_owned(), value.expose().to_owned()));
        }
        for (name, value) in headers {
            request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            request.headers.push((name, value));
        }
        request.body = Some(Body::Bytes(Bytes::from(body)));
        if let Some(limit) = self.timeout {
            request.timeout = limit;
        }
        self.client.send(request, guard).await.map(|exchange| exchange.response).map_err(Error::Http)
    }

    /// Whatever form the answer has: what looks like a token in it is masked when the answer is shown.
    fn learn(&self, body: &[u8]) {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => learn_named(&value, self.masker),
            Err(_) => url::form_urlencoded::parse(body).filter(|(name, _)| is_secret_name(name)).for_each(|(_, value)| {
                self.masker.learn(&Secret::new(value.into_owned()));
            }),
        }
    }
}

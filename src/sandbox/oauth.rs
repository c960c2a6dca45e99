//! The token and revocation endpoints, with Box's ways: the client shows its secret in the body only, every error is a 400, and
//! a refresh token that was used before "has expired".

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::call::{Call, Params, shortened};
use super::codes::{Refused, Shown};
use super::service::Core;
use super::state::Busy;
use super::token::{ACCESS_LIFETIME, Family, Kind, Token, same};
use crate::clock::Timestamp;

/// What kind of token an answer holds, as a URN (RFC 8693 §3).
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Why a request gets no token (RFC 6749 §5.2).
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    InvalidClient,
    InvalidGrant(&'static str),
    InvalidRequest(String),
    UnsupportedGrantType(String),
    /// The state file is locked by a process that hangs.
    Busy,
}

impl From<Busy> for Refusal {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl Refusal {
    /// Box says the same of a grant type that is missing, misspelt, or was not sent as a form.
    fn no_grant_type() -> Self {
        Self::InvalidRequest("Invalid grant_type parameter or parameter missing".to_owned())
    }

    fn into_answer(self) -> Answer {
        let (status, error, description) = match self {
            Self::InvalidClient => (StatusCode::BAD_REQUEST, "invalid_client", "The client credentials are invalid".into()),
            Self::InvalidGrant(text) => (StatusCode::BAD_REQUEST, "invalid_grant", text.to_owned()),
            Self::InvalidRequest(text) => (StatusCode::BAD_REQUEST, "invalid_request", text),
            Self::UnsupportedGrantType(text) => (StatusCode::BAD_REQUEST, "unsupported_grant_type", text),
            Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "The state file is locked by another process".into())
            }
        };
        Answer::json(status, &json!({"error": error, "error_description": description})).no_store()
    }
}

/// `POST /oauth2/token` (RFC 6749 §3.2).
pub(super) fn token(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    pair(core, call, now).unwrap_or_else(Refusal::into_answer)
}

/// `POST /oauth2/revoke` (RFC 7009): both tokens of a login die with either, and an unknown one is revoked already.
pub(super) fn revoke(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    match revoked(core, call, now) {
        Ok(()) => Answer::empty(StatusCode::OK).no_store(),
        Err(refusal) => refusal.into_answer(),
    }
}

fn revoked(core: &mut Core, call: &Call, now: Timestamp) -> Result<(), Refusal> {
    let form = call.form().unwrap_or_default();
    refuse_repeated(&form)?;
    authenticate(core, call, &form)?;
    let text = form.get("token").ok_or_else(|| Refusal::InvalidRequest("Missing token parameter".to_owned()))?;
    if let Some(token) = core.keeper.key().read(text) {
        core.keeper.change(now, |ledger| ledger.revoke(token.family, now))?;
    }
    Ok(())
}

fn pair(core: &mut Core, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    if call.method != Method::POST {
        return Err(Refusal::no_grant_type());
    }
    let form = call.form().ok_or_else(Refusal::no_grant_type)?;
    refuse_repeated(&form)?;
    match form.get("grant_type") {
        Some("authorization_code") => {
            authenticate(core, call, &form)?;
            let family = exchange(core, &form, now)?;
            Ok(answer(core, family, 0, now))
        }
        Some("refresh_token") => {
            authenticate(core, call, &form)?;
            let spent = refresh(core, &form, now)?;
            Ok(answer(core, spent.family, spent.serial.saturating_add(1), now))
        }
        Some(
            known @ ("client_credentials"
            | "urn:ietf:params:oauth:grant-type:jwt-bearer"
            | "urn:ietf:params:oauth:grant-type:token-exchange"
            | "urn:ietf:params:oauth:grant-type:device_code"),
        ) => Err(Refusal::UnsupportedGrantType(format!("The sandbox does not know the grant type {known} yet"))),
        Some(_) | None => Err(Refusal::no_grant_type()),
    }
}

/// The client must show id and secret in the body, and nowhere else (RFC 6749 §2.3.1; Box knows no HTTP Basic).
fn authenticate(core: &Core, call: &Call, form: &Params) -> Result<(), Refusal> {
    let shown = |name: &str| form.get(name).unwrap_or_default().as_bytes();
    let id = same(shown("client_id"), core.client.id.as_bytes());
    let secret = same(shown("client_secret"), core.client.secret.expose().as_bytes());
    if id && secret && !call.has_authorization() { Ok(()) } else { Err(Refusal::InvalidClient) }
}

fn refuse_repeated(form: &Params) -> Result<(), Refusal> {
    match form.repeated() {
        Some(name) => Err(Refusal::InvalidRequest(format!("Parameter {} is included more than once", shortened(name)))),
        None => Ok(()),
    }
}

/// A code for the family of its tokens (RFC 6749 §4.1.3).
fn exchange(core: &mut Core, form: &Params, now: Timestamp) -> Result<Family, Refusal> {
    let code = form.get("code").ok_or_else(|| Refusal::InvalidRequest("Missing code parameter".to_owned()))?;
    let shown = Shown { redirect_uri: form.get("redirect_uri"), verifier: form.get("code_verifier") };
    core.codes.redeem(code, shown, now).or_else(|refused| {
        Err(Refusal::InvalidGrant(match refused {
            Refused::Unknown => "Auth code doesn't exist or is invalid for the client",
            Refused::Reused(family) => {
                core.keeper.change(now, |ledger| ledger.revoke(family, now))?;
                "Auth code doesn't exist or is invalid for the client"
            }
            Refused::Expired => "The authorization code has expired",
            Refused::RedirectUri => "The redirect_uri is not the one of the authorization request",
            Refused::Verifier => "The code_verifier does not match the code_challenge of the authorization request",
        }))
    })
}

/// A refresh token for itself, spent (RFC 6749 §6). The spend is on disk when this returns.
fn refresh(core: &mut Core, form: &Params, now: Timestamp) -> Result<Token, Refusal> {
    let text = form.get("refresh_token").ok_or_else(|| Refusal::InvalidRequest("Missing refresh_token parameter".to_owned()))?;
    let token = core.keeper.key().read(text).filter(|token| token.kind == Kind::Refresh);
    let token = token.ok_or(Refusal::InvalidGrant("Invalid refresh token"))?;
    let good = !token.is_expired(now) && core.keeper.change(now, |ledger| ledger.spend(&token, now))?;
    if good { Ok(token) } else { Err(Refusal::InvalidGrant("Refresh token has expired")) }
}

/// The pair of that family and serial, in Box's shape.
fn answer(core: &Core, family: Family, serial: u32, now: Timestamp) -> Answer {
    let write = |kind| core.mint.key().write(&Token { kind, family, serial, issued_at: now });
    let body = json!({
        "access_token": write(Kind::Access).expose(),
        "expires_in": ACCESS_LIFETIME,
        "token_type": "bearer",
        "refresh_token": write(Kind::Refresh).expose(),
        "issued_token_type": ACCESS_TOKEN_TYPE,
    });
    Answer::json(StatusCode::OK, &body).no_store().with(header::PRAGMA, HeaderValue::from_static("no-cache"))
}

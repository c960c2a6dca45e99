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

#[cfg(test)]
mod tests {
    use super::super::testing::{Desk, pair};
    use super::*;

    const EXPIRED: &str = "Refresh token has expired";
    const NO_GRANT_TYPE: &str = "Invalid grant_type parameter or parameter missing";

    #[track_caller]
    fn assert_refused(reply: &super::super::testing::Reply, error: &str, description: &str) {
        assert_eq!(reply.refusal(), (400, error.to_owned(), description.to_owned()));
        assert_eq!(reply.header("cache-control"), "no-store");
    }

    #[test]
    fn a_code_gets_an_answer_of_box_s_shape() {
        let mut desk = Desk::new();
        let code = desk.code();
        let reply = desk.exchange(&code);
        assert_eq!(
            (reply.status, reply.header("cache-control"), reply.header("content-type")),
            (200, "no-store", "application/json")
        );
        let json = reply.json();
        let names: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(names, ["access_token", "expires_in", "token_type", "refresh_token", "issued_token_type"]);
        assert_eq!((&json["expires_in"], &json["token_type"]), (&json!(3600), &json!("bearer")));
        assert_eq!(json["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
        assert_eq!(json["refresh_token"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn a_code_expires_after_30_seconds() {
        let mut desk = Desk::new();
        let code = desk.code();
        desk.advance(30);
        assert_refused(&desk.exchange(&code), "invalid_grant", "The authorization code has expired");
    }

    #[test]
    fn a_second_use_of_a_code_kills_the_tokens_of_the_first() {
        let mut desk = Desk::new();
        let code = desk.code();
        let (access, refresh) = pair(&desk.exchange(&code));
        assert_eq!(desk.get("/2.0/users/me", &access).status, 200);
        assert_refused(&desk.exchange(&code), "invalid_grant", "Auth code doesn't exist or is invalid for the client");
        assert_eq!(desk.get("/2.0/users/me", &access).status, 401);
        assert_refused(&desk.refresh(&refresh), "invalid_grant", EXPIRED);
    }

    #[test]
    fn a_refresh_token_works_once_and_its_reuse_kills_the_family() {
        let mut desk = Desk::new();
        let (_, first) = desk.log_in();
        let (access, second) = pair(&desk.refresh(&first));
        assert_eq!(desk.get("/2.0/users/me", &access).status, 200);
        assert_refused(&desk.refresh(&first), "invalid_grant", EXPIRED);
        assert_refused(&desk.refresh(&second), "invalid_grant", EXPIRED);
        assert_eq!(desk.get("/2.0/users/me", &access).status, 401);
    }

    #[test]
    fn one_login_does_not_touch_another() {
        let mut desk = Desk::new();
        let ((_, mine), (access, theirs)) = (desk.log_in(), desk.log_in());
        desk.refresh(&mine);
        desk.refresh(&mine);
        assert_eq!(desk.get("/2.0/users/me", &access).status, 200);
        assert_eq!(desk.refresh(&theirs).status, 200);
    }

    #[test]
    fn a_refresh_token_lives_60_days_from_its_own_issue() {
        let mut desk = Desk::new();
        let (_, first) = desk.log_in();
        desk.advance(59 * 86_400);
        let (_, second) = pair(&desk.refresh(&first));
        desk.advance(59 * 86_400);
        let (_, third) = pair(&desk.refresh(&second));
        desk.advance(60 * 86_400);
        assert_refused(&desk.refresh(&third), "invalid_grant", EXPIRED);
    }

    #[test]
    fn only_the_kind_that_is_asked_for_is_taken() {
        let mut desk = Desk::new();
        let (access, refresh) = desk.log_in();
        assert_refused(&desk.refresh(&access), "invalid_grant", "Invalid refresh token");
        assert_refused(&desk.refresh("nonsense"), "invalid_grant", "Invalid refresh token");
        assert_eq!(desk.get("/2.0/users/me", &refresh).status, 401);
    }

    #[test]
    fn the_client_must_show_itself_in_the_body_and_nowhere_else() {
        let mut desk = Desk::new();
        let (id, secret) = (desk.core.client.id.clone(), desk.core.client.secret.expose().to_owned());
        let code = desk.code();
        let grant = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let cases = [
            vec![],
            vec![("client_id", id.as_str())],
            vec![("client_id", &id), ("client_secret", "x")],
            vec![("client_id", "x"), ("client_secret", &secret)],
        ];
        for client in cases {
            let reply = desk.form("/oauth2/token", &[grant.as_slice(), &client].concat());
            assert_refused(&reply, "invalid_client", "The client credentials are invalid");
        }
        let body = format!("grant_type=authorization_code&code={code}&client_id={id}&client_secret={secret}");
        let basic = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Basic eDp5")];
        let reply = desk.send("POST", "/oauth2/token", &basic, &body);
        assert_refused(&reply, "invalid_client", "The client credentials are invalid");
        assert_eq!(desk.exchange(&code).status, 200, "a refused client spends no code");
    }

    #[test]
    fn requests_that_no_grant_can_come_from() {
        let mut desk = Desk::new();
        let cases = [
            (vec![], "invalid_request", NO_GRANT_TYPE),
            (vec![("grant_type", "password")], "invalid_request", NO_GRANT_TYPE),
            (vec![("grant_type", "authorization_code")], "invalid_request", "Missing code parameter"),
            (vec![("grant_type", "refresh_token")], "invalid_request", "Missing refresh_token parameter"),
            (
                vec![("grant_type", "client_credentials")],
                "unsupported_grant_type",
                "The sandbox does not know the grant type client_credentials yet",
            ),
            (
                vec![("grant_type", "refresh_token"), ("scope", "a"), ("scope", "b")],
                "invalid_request",
                "Parameter scope is included more than once",
            ),
        ];
        for (fields, error, description) in cases {
            assert_refused(&desk.as_client("/oauth2/token", &fields), error, description);
        }
        let json =
            desk.send("POST", "/oauth2/token", &[("content-type", "application/json")], r#"{"grant_type":"refresh_token"}"#);
        assert_refused(&json, "invalid_request", NO_GRANT_TYPE);
        // What Box says when a redirect turned the POST into a GET.
        assert_refused(&desk.send("GET", "/oauth2/token", &[], ""), "invalid_request", NO_GRANT_TYPE);
    }

    #[test]
    fn either_token_revokes_both() {
        for take in [|(access, _): (String, String)| access, |(_, refresh): (String, String)| refresh] {
            let mut desk = Desk::new();
            let (access, refresh) = desk.log_in();
            let reply = desk.as_client("/oauth2/revoke", &[("token", &take((access.clone(), refresh.clone())))]);
            assert_eq!((reply.status, reply.body.as_str()), (200, ""));
            assert_eq!(desk.get("/2.0/users/me", &access).status, 401);
            assert_refused(&desk.refresh(&refresh), "invalid_grant", EXPIRED);
        }
    }

    #[test]
    fn revoking_needs_a_client_and_a_token_but_not_a_known_one() {
        let mut desk = Desk::new();
        assert_eq!(desk.as_client("/oauth2/revoke", &[("token", "unknown")]).status, 200);
        assert_refused(&desk.as_client("/oauth2/revoke", &[]), "invalid_request", "Missing token parameter");
        assert_refused(&desk.form("/oauth2/revoke", &[("token", "x")]), "invalid_client", "The client credentials are invalid");
        let reply = desk.send("GET", "/oauth2/revoke", &[], "");
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
    }
}

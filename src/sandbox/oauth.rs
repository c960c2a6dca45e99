//! The token, revocation and introspection endpoints, with Box's ways: the client shows its secret in the body only, every error
//! is a 400, and a refresh token that was used before "has expired".

use hyper::{Method, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::call::{Call, Params, shortened};
use super::grants::{self, BAD_CREDENTIALS, Grant, Wish};
use super::refusal::Refusal;
use super::service::Core;
use super::terms::SCOPES;
use super::token::{Kind, same};
use super::users;
use crate::clock::Timestamp;

/// `POST /oauth2/token` (RFC 6749 §3.2), with whatever fault is in store for it.
pub(super) fn token(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    let fault = core.faults.take();
    core.stats.faults += u64::from(fault.is_any());
    let form = call.form().unwrap_or_default();
    let grant = form.get("grant_type").and_then(Grant::of).filter(|_| call.method == Method::POST);
    let answer = match fault.instead() {
        Some(answer) => answer,
        None => {
            let wish = Wish { form: &form, origin: &call.origin(), now, lifetime: fault.lifetime() };
            given(core, call, grant, &wish).unwrap_or_else(Refusal::into_answer)
        }
    };
    core.stats.count(grant.map_or("other", Grant::name), answer.status == StatusCode::OK);
    fault.spoil(answer)
}

fn given(core: &mut Core, call: &Call, grant: Option<Grant>, wish: &Wish<'_>) -> Result<Answer, Refusal> {
    refuse_repeated(wish.form)?;
    let Some(grant) = grant else {
        let known = "urn:ietf:params:oauth:grant-type:device_code";
        return Err(match wish.form.get("grant_type") {
            Some(named) if named == known => {
                Refusal::UnsupportedGrantType(format!("The sandbox does not know the grant type {known} yet"))
            }
            Some(_) | None => Refusal::no_grant_type(),
        });
    };
    let shows_client = wish.form.get("client_id").is_some() || wish.form.get("client_secret").is_some();
    match grant {
        // Box lets whoever has a token make a weaker one of it.
        Grant::TokenExchange if !shows_client && !call.has_authorization() => {}
        Grant::ClientCredentials if !call.has_authorization() => {
            authenticate(core, call, wish.form).map_err(|_| Refusal::InvalidGrant(BAD_CREDENTIALS))?;
        }
        _ => authenticate(core, call, wish.form)?,
    }
    grants::give(core, grant, wish)
}

/// `POST /oauth2/revoke` (RFC 7009): all tokens of a login die with any of them, and an unknown one is revoked already.
pub(super) fn revoke(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    core.stats.revocations += 1;
    match revoked(core, call, now) {
        Ok(()) => Answer::empty(StatusCode::OK).no_store(),
        Err(refusal) => refusal.into_answer(),
    }
}

fn revoked(core: &mut Core, call: &Call, now: Timestamp) -> Result<(), Refusal> {
    let text = token_of(core, call)?;
    if let Some(token) = core.keeper.key().read(&text) {
        core.keeper.change(now, |ledger| ledger.revoke(token.family, now))?;
    }
    Ok(())
}

/// `POST /oauth2/introspect` (RFC 7662). Box has none; its errors are those of the other two.
pub(super) fn introspect(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    core.stats.introspections += 1;
    let text = match token_of(core, call) {
        Ok(text) => text,
        Err(refusal) => return refusal.into_answer(),
    };
    let body = match core.keeper.good(&text, now) {
        // Nothing is said of why (RFC 7662 §2.2).
        None => json!({"active": false}),
        Some(token) => {
            let all = || SCOPES.iter().map(|(name, _)| (*name).to_owned()).collect();
            let scopes: Vec<String> = token.terms.scopes.clone().unwrap_or_else(all);
            json!({
                "active": true,
                "scope": scopes.join(" "),
                "client_id": core.client.id,
                "token_type": if token.kind == Kind::Access { "bearer" } else { "refresh_token" },
                "exp": token.expires_at().0,
                "iat": token.issued_at.0,
                "sub": token.terms.user.as_deref().unwrap_or(users::OWNER.id),
                "iss": call.origin(),
            })
        }
    };
    Answer::json(StatusCode::OK, &body).no_store()
}

/// The token that a client asks something about.
fn token_of(core: &Core, call: &Call) -> Result<String, Refusal> {
    let form = call.form().unwrap_or_default();
    refuse_repeated(&form)?;
    authenticate(core, call, &form)?;
    form.get("token").map(str::to_owned).ok_or_else(|| Refusal::missing("token"))
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
                vec![("grant_type", "urn:ietf:params:oauth:grant-type:device_code")],
                "unsupported_grant_type",
                "The sandbox does not know the grant type urn:ietf:params:oauth:grant-type:device_code yet",
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

    #[test]
    fn introspection_says_what_would_be_taken_now() {
        let mut desk = Desk::new();
        let (access, refresh) = desk.log_in();
        let now = desk.now.0;
        let ask = |desk: &mut Desk, token: &str| desk.as_client("/oauth2/introspect", &[("token", token)]).json();
        let json = ask(&mut desk, &access);
        assert_eq!(
            (&json["active"], &json["exp"], &json["iat"], &json["token_type"], &json["sub"], &json["iss"]),
            (&json!(true), &json!(now + 3_600), &json!(now), &json!("bearer"), &json!("20000000001"), &json!("http://127.0.0.1"))
        );
        assert_eq!(json["client_id"], desk.core.client.id);
        assert!(json["scope"].as_str().unwrap().starts_with("root_readwrite "));
        assert_eq!(ask(&mut desk, &refresh)["token_type"], "refresh_token");
        let weak = desk.down_scope(&access, &[("scope", "item_preview base_explorer")]).json();
        assert_eq!(ask(&mut desk, weak["access_token"].as_str().unwrap())["scope"], "item_preview base_explorer");

        let none = json!({"active": false});
        let (_, second) = pair(&desk.refresh(&refresh));
        assert_eq!((ask(&mut desk, &refresh), ask(&mut desk, "nonsense")), (none.clone(), none.clone()));
        assert_eq!(ask(&mut desk, &second)["active"], true);
        desk.advance(3_600);
        assert_eq!((ask(&mut desk, &access), &ask(&mut desk, &second)["active"]), (none.clone(), &json!(true)));
        desk.as_client("/oauth2/revoke", &[("token", &second)]);
        assert_eq!(ask(&mut desk, &second), none);
        assert_refused(
            &desk.form("/oauth2/introspect", &[("token", "x")]),
            "invalid_client",
            "The client credentials are invalid",
        );
        assert_refused(&desk.as_client("/oauth2/introspect", &[]), "invalid_request", "Missing token parameter");
    }
}

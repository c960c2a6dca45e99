//! The grants: what each wants to see, and the answer that it gets in Box's shape.

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::answer::Answer;
use super::assertion::{self, Expected};
use super::call::Params;
use super::codes::{Refused, Shown};
use super::refusal::Refusal;
use super::service::Core;
use super::state::Spend;
use super::terms::{self, Terms};
use super::token::{ACCESS_LIFETIME, Family, Kind, Token};
use super::users::{self, User};
use super::{api, call::shortened};
use crate::clock::Timestamp;

/// What kind of token an answer holds, as a URN (RFC 8693 §3).
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Seconds that the token of an app lives that acts without a person; odd, as in Box's documents.
const APP_LIFETIME: i64 = 4_123;
/// What Box says of a wrong pair of id and secret, and of a subject that the app may not act for.
pub(super) const BAD_CREDENTIALS: &str = "Grant credentials are invalid";

/// A grant that the sandbox gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    JwtBearer,
    TokenExchange,
}

impl Grant {
    pub(super) const ALL: [Self; 5] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::JwtBearer, Self::TokenExchange];

    /// The grant of a `grant_type`.
    pub(super) fn of(grant_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.grant_type() == grant_type)
    }

    /// Its `grant_type`.
    pub(super) fn grant_type(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// Its name in the counters.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::JwtBearer => "jwt_bearer",
            Self::TokenExchange => "token_exchange",
            plain => plain.grant_type(),
        }
    }
}

/// A request whose client is who it says.
pub(super) struct Wish<'a> {
    pub(super) form: &'a Params,
    /// The sandbox as the client calls it.
    pub(super) origin: &'a str,
    pub(super) now: Timestamp,
    /// Seconds that the access token is to live, where a fault says so.
    pub(super) lifetime: Option<i64>,
}

/// Gives what is wished for.
pub(super) fn give(core: &mut Core, grant: Grant, wish: &Wish<'_>) -> Result<Answer, Refusal> {
    match grant {
        Grant::AuthorizationCode => {
            let family = redeem(core, wish)?;
            Ok(pair(core, family, 0, wish))
        }
        Grant::RefreshToken => {
            let spent = refresh(core, wish)?;
            Ok(pair(core, spent.family, spent.serial.saturating_add(1), wish))
        }
        Grant::ClientCredentials => {
            let user = subject(wish.form)?;
            Ok(for_app(core, user, wish))
        }
        Grant::JwtBearer => {
            let text = wish.form.get("assertion").ok_or_else(|| Refusal::missing("assertion"))?;
            let token_url = format!("{}/oauth2/token", wish.origin);
            let expected = Expected { client_id: &core.client.id, token_url: &token_url, now: wish.now };
            let user = assertion::check(text, &core.keys, &mut core.assertions, &expected).map_err(Refusal::InvalidGrant)?;
            Ok(for_app(core, user, wish))
        }
        Grant::TokenExchange => exchange(core, wish),
    }
}

/// A code for the family of its tokens (RFC 6749 §4.1.3).
fn redeem(core: &mut Core, wish: &Wish<'_>) -> Result<Family, Refusal> {
    let (form, now) = (wish.form, wish.now);
    let code = form.get("code").ok_or_else(|| Refusal::missing("code"))?;
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
fn refresh(core: &mut Core, wish: &Wish<'_>) -> Result<Token, Refusal> {
    const DEAD: Refusal = Refusal::InvalidGrant("Refresh token has expired");
    let (now, grace) = (wish.now, core.grace);
    let text = wish.form.get("refresh_token").ok_or_else(|| Refusal::missing("refresh_token"))?;
    let token = core.keeper.key().read(text).filter(|token| token.kind == Kind::Refresh);
    let token = token.ok_or(Refusal::InvalidGrant("Invalid refresh token"))?;
    if token.is_expired(now) {
        return Err(DEAD);
    }
    let spend = core.keeper.change(now, |ledger| ledger.spend(&token, grace, now))?;
    if matches!(spend, Spend::Again | Spend::Reused) {
        core.stats.refresh_tokens_reused += 1;
    }
    match spend {
        Spend::First | Spend::Again => Ok(token),
        Spend::Reused | Spend::Dead => Err(DEAD),
    }
}

/// Whom the token of a client acts for that needs no person.
fn subject(form: &Params) -> Result<&'static User, Refusal> {
    let kind = form.get("box_subject_type").ok_or_else(|| Refusal::missing("box_subject_type"))?;
    let id = form.get("box_subject_id").ok_or_else(|| Refusal::missing("box_subject_id"))?;
    if !matches!(kind, "enterprise" | "user") {
        return Err(Refusal::UnauthorizedClient("The \"box_subject_type\" value is unauthorized for this client_id"));
    }
    users::of_subject(kind, id).ok_or(Refusal::InvalidGrant(BAD_CREDENTIALS))
}

/// A token for a token that may do less (RFC 8693 §2). It dies with the one that it was made of.
fn exchange(core: &mut Core, wish: &Wish<'_>) -> Result<Answer, Refusal> {
    let (form, now) = (wish.form, wish.now);
    let text = form.get("subject_token").ok_or_else(|| Refusal::missing("subject_token"))?;
    if form.get("subject_token_type") != Some(ACCESS_TOKEN_TYPE) {
        return Err(Refusal::InvalidRequest(format!("The subject_token_type must be {ACCESS_TOKEN_TYPE}")));
    }
    let wanted = form.get("scope").ok_or_else(|| Refusal::missing("scope"))?;
    let subject = core.keeper.good(text, now).filter(|token| token.kind == Kind::Access);
    let subject = subject.ok_or(Refusal::InvalidGrant("The subject_token is invalid"))?;
    let mut scopes: Vec<String> = Vec::new();
    for scope in wanted.split_whitespace() {
        if !terms::is_known(scope) {
            return Err(Refusal::UnknownScope(shortened(scope).into_owned()));
        }
        if !subject.terms.hold(scope) {
            return Err(Refusal::MissingScope(scope.to_owned()));
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    let item = resource(core, &subject.terms, wish)?;
    let object = item.as_deref().and_then(|id| core.tree.item(id)).map(api::object);
    let restrictions: Vec<Value> = (scopes.iter())
        .map(|scope| object.as_ref().map_or_else(|| json!({"scope": scope}), |o| json!({"scope": scope, "object": o})))
        .collect();
    let left = subject.expires_at().0.saturating_sub(now.0);
    let lifetime = wish.lifetime.map_or(left, |wanted| wanted.min(left));
    let item = item.or_else(|| subject.terms.item.clone());
    let terms = Terms { lifetime: Some(lifetime), scopes: Some(scopes), item, ..subject.terms };
    let token = Token { serial: subject.serial, issued_at: now, ..Token::new(Kind::Access, subject.family, terms) };
    Ok(answer(&json!({
        "access_token": core.mint.key().write(&token).expose(),
        "expires_in": lifetime,
        "token_type": "bearer",
        "restricted_to": restrictions,
        "issued_token_type": ACCESS_TOKEN_TYPE,
    })))
}

/// The item that `resource` names: its URL at Box or here. It must exist, and the token shown must reach it.
fn resource(core: &Core, terms: &Terms, wish: &Wish<'_>) -> Result<Option<String>, Refusal> {
    let named = match (wish.form.get("resource"), wish.form.get("box_shared_link")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let text = "Only one of resource and box_shared_link can be given";
            return Err(Refusal::InvalidRequest(text.to_owned()));
        }
        // Nothing here is shared by a link.
        (None, Some(_)) => return Err(Refusal::InvalidResource),
        (Some(named), None) => named,
    };
    let url = Url::parse(named).map_err(|_| Refusal::InvalidResource)?;
    let origin = url.origin().ascii_serialization();
    let parts: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let id = match parts.as_slice() {
        ["2.0", "folders", id] => core.tree.folder(id).map(|_| *id),
        ["2.0", "files", id] => core.tree.file(id).map(|_| *id),
        _ => None,
    };
    let here = origin == "https://api.box.com" || origin == wish.origin;
    let reached = |id: &&str| terms.item.as_ref().is_none_or(|root| core.tree.is_within(id, root));
    id.filter(|_| here).filter(reached).map(|id| Some(id.to_owned())).ok_or(Refusal::InvalidResource)
}

/// The pair of that family and serial.
fn pair(core: &Core, family: Family, serial: u32, wish: &Wish<'_>) -> Answer {
    let terms = Terms { lifetime: wish.lifetime, ..Terms::default() };
    let access = Token { serial, issued_at: wish.now, ..Token::new(Kind::Access, family, terms) };
    let refresh = Token { serial, issued_at: wish.now, ..Token::new(Kind::Refresh, family, Terms::default()) };
    answer(&json!({
        "access_token": core.mint.key().write(&access).expose(),
        "expires_in": wish.lifetime.unwrap_or(ACCESS_LIFETIME),
        "token_type": "bearer",
        "refresh_token": core.mint.key().write(&refresh).expose(),
        "issued_token_type": ACCESS_TOKEN_TYPE,
    }))
}

/// The token of an app that acts without a person: nothing to refresh, and no `token_type`, as at Box.
fn for_app(core: &mut Core, user: &User, wish: &Wish<'_>) -> Answer {
    let lifetime = wish.lifetime.unwrap_or(APP_LIFETIME);
    let terms = Terms { lifetime: Some(lifetime), user: Some(user.id.to_owned()), ..Terms::default() };
    let token = Token { issued_at: wish.now, ..Token::new(Kind::Access, core.mint.family(), terms) };
    answer(&json!({
        "access_token": core.mint.key().write(&token).expose(),
        "expires_in": lifetime,
        "restricted_to": [],
        "issued_token_type": "bearer",
    }))
}

fn answer(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body).no_store().with(header::PRAGMA, HeaderValue::from_static("no-cache"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Desk, Reply, pair};
    use super::*;

    #[track_caller]
    fn assert_refused(reply: &Reply, status: u16, error: &str, description: &str) {
        assert_eq!(reply.refusal(), (status, error.to_owned(), description.to_owned()));
    }

    #[track_caller]
    fn access(reply: &Reply) -> String {
        reply.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", reply.body)).to_owned()
    }

    #[test]
    fn an_app_gets_a_token_of_its_own_in_box_s_shape() {
        let mut desk = Desk::new();
        for (kind, id, acts_for) in [("enterprise", "900000001", "20000000009"), ("user", "20000000002", "20000000002")] {
            let reply = desk.as_app(kind, id);
            let token = access(&reply);
            let expected = json!({"access_token": token, "expires_in": 4123, "restricted_to": [], "issued_token_type": "bearer"});
            assert_eq!((reply.status, reply.json(), reply.header("cache-control")), (200, expected, "no-store"));
            assert_eq!(desk.get("/2.0/users/me", &token).json()["id"], acts_for);
        }
        let token = access(&desk.as_app("enterprise", "900000001"));
        desk.advance(4_122);
        assert_eq!(desk.get("/2.0/users/me", &token).status, 200);
        desk.advance(1);
        assert_eq!(desk.get("/2.0/users/me", &token).status, 401);
    }

    #[test]
    fn an_app_that_gets_none() {
        let mut desk = Desk::new();
        assert_refused(&desk.as_app("enterprise", "1"), 400, "invalid_grant", BAD_CREDENTIALS);
        assert_refused(&desk.as_app("user", "900000001"), 400, "invalid_grant", BAD_CREDENTIALS);
        let text = "The \"box_subject_type\" value is unauthorized for this client_id";
        assert_refused(&desk.as_app("app", "1"), 400, "unauthorized_client", text);
        assert_refused(&desk.as_app("", "1"), 400, "invalid_request", "Missing box_subject_type parameter");
        assert_refused(&desk.as_app("user", ""), 400, "invalid_request", "Missing box_subject_id parameter");
        let wrong = [("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "y")];
        assert_refused(&desk.form("/oauth2/token", &wrong), 400, "invalid_grant", BAD_CREDENTIALS);
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Basic eDp5")];
        let reply = desk.send("POST", "/oauth2/token", &headers, "grant_type=client_credentials");
        assert_refused(&reply, 400, "invalid_client", "The client credentials are invalid");
    }

    #[test]
    fn a_down_scoped_token_says_and_keeps_what_it_is_restricted_to() {
        let mut desk = Desk::new();
        let (token, _) = desk.log_in();
        desk.advance(600);
        let here = "http://127.0.0.1/2.0/folders/160000001";
        for resource in ["https://api.box.com/2.0/folders/160000001", here] {
            let reply = desk.down_scope(&token, &[("scope", "item_download item_upload item_download"), ("resource", resource)]);
            let json = reply.json();
            let names: Vec<&String> = json.as_object().unwrap().keys().collect();
            assert_eq!(names, ["access_token", "expires_in", "token_type", "restricted_to", "issued_token_type"]);
            let object = json!({"type": "folder", "id": "160000001", "sequence_id": "0", "etag": "0", "name": "Contracts"});
            let entry = |scope: &str| json!({"scope": scope, "object": object});
            assert_eq!(json["restricted_to"], json!([entry("item_download"), entry("item_upload")]));
            assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("bearer"), &json!(3_000)));
        }
        let reply = desk.down_scope(&token, &[("scope", "base_explorer")]);
        assert_eq!(reply.json()["restricted_to"], json!([{"scope": "base_explorer"}]));
    }

    #[test]
    fn a_down_scoped_token_opens_what_its_scopes_and_its_item_do() {
        let mut desk = Desk::new();
        let (token, _) = desk.log_in();
        let folder = [("resource", "https://api.box.com/2.0/folders/160000001")];
        let mut make =
            |scope: &str, more: &[(&str, &str)]| access(&desk.down_scope(&token, &[&[("scope", scope)], more].concat()));
        let (see, upload) = (make("base_explorer", &[]), make("item_upload", &[]));
        let (inside, delete) = (make("item_download base_upload", &folder), make("item_delete", &folder));
        let cases = [
            (&see, "GET", "/2.0/folders/0/items", 200),
            (&see, "GET", "/2.0/files/1800000003/content", 403),
            (&see, "POST", "/2.0/folders", 403),
            (&see, "DELETE", "/2.0/folders/160000002", 403),
            (&upload, "POST", "/2.0/folders", 201),
            (&upload, "GET", "/2.0/folders/0", 403),
            (&inside, "GET", "/2.0/folders/160000001", 200),
            (&inside, "GET", "/2.0/files/1800000003/content", 200),
            (&inside, "GET", "/2.0/files/1800000001/content", 403),
            (&inside, "GET", "/2.0/folders/0", 403),
            (&inside, "GET", "/2.0/folders/7", 404),
            (&inside, "POST", "/2.0/folders", 403),
            (&delete, "DELETE", "/2.0/folders/160000002", 403),
        ];
        for (token, method, path, status) in cases {
            let body = if method == "POST" { r#"{"name": "New", "parent": {"id": "0"}}"# } else { "" };
            assert_eq!(desk.api(method, path, token, body).status, status, "{method} {path}");
        }
        let reply = desk.get("/2.0/files/1800000003/content", &see);
        assert_eq!(reply.json()["code"], "insufficient_scope");
        assert!(reply.header("www-authenticate").contains("error=\"insufficient_scope\""));
        assert_eq!(desk.get("/2.0/folders/0", &inside).json()["code"], "access_denied_insufficient_permissions");
    }

    #[test]
    fn a_down_scoped_token_never_grows_and_dies_with_its_subject() {
        let mut desk = Desk::new();
        let (token, refresh) = desk.log_in();
        let folder = ("resource", "https://api.box.com/2.0/folders/160000001");
        let weak = access(&desk.down_scope(&token, &[("scope", "item_preview item_download"), folder]));
        let text = "The subject_token does not have the scope item_upload";
        assert_refused(&desk.down_scope(&weak, &[("scope", "item_upload")]), 401, "invalid_scope", text);
        let weaker = access(&desk.down_scope(&weak, &[("scope", "item_preview")]));
        assert_eq!(desk.get("/2.0/folders/0", &weaker).status, 403, "still bound to the folder");
        let root = ("resource", "https://api.box.com/2.0/folders/0");
        let reply = desk.down_scope(&weak, &[("scope", "item_preview"), root]);
        assert_refused(&reply, 400, "invalid_resource", "The target resource is invalid.");
        desk.as_client("/oauth2/revoke", &[("token", &refresh)]);
        assert_eq!(desk.get("/2.0/folders/160000001", &weak).status, 401);
    }

    #[test]
    fn exchanges_that_are_refused() {
        let mut desk = Desk::new();
        let (token, refresh) = desk.log_in();
        let resource = "The target resource is invalid.";
        let both = "Only one of resource and box_shared_link can be given";
        let cases = [
            (token.as_str(), vec![], "invalid_request", "Missing scope parameter"),
            (&token, vec![("scope", "everything")], "invalid_scope", "The scope everything is unknown"),
            (&refresh, vec![("scope", "item_preview")], "invalid_grant", "The subject_token is invalid"),
            ("nonsense", vec![("scope", "item_preview")], "invalid_grant", "The subject_token is invalid"),
            ("", vec![("scope", "item_preview")], "invalid_request", "Missing subject_token parameter"),
            (&token, vec![("scope", "item_preview"), ("resource", "https://app.box.com/folder/0")], "invalid_resource", resource),
            (
                &token,
                vec![("scope", "item_preview"), ("resource", "https://api.box.com/2.0/files/7")],
                "invalid_resource",
                resource,
            ),
            (&token, vec![("scope", "item_preview"), ("box_shared_link", "https://x")], "invalid_resource", resource),
            (&token, vec![("scope", "item_preview"), ("box_shared_link", "x"), ("resource", "y")], "invalid_request", both),
            (&token, vec![("scope", "item_preview"), ("client_id", "x")], "invalid_client", "The client credentials are invalid"),
        ];
        for (token, fields, error, description) in cases {
            assert_refused(&desk.down_scope(token, &fields), 400, error, description);
        }
        desk.advance(3_600);
        assert_refused(
            &desk.down_scope(&token, &[("scope", "item_preview")]),
            400,
            "invalid_grant",
            "The subject_token is invalid",
        );
    }

    #[test]
    fn tokens_of_all_kinds_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.local.json");
        let mut first = Desk::open(Some(path.clone()));
        let app = access(&first.as_app("user", "20000000002"));
        let weak = access(&first.down_scope(&app, &[("scope", "base_explorer")]));
        let mut second = Desk::open(Some(path));
        assert_eq!(second.get("/2.0/users/me", &app).json()["id"], "20000000002");
        assert_eq!(second.get("/2.0/users/me", &weak).json()["id"], "20000000002");
        assert_eq!(second.get("/2.0/files/1800000001/content", &weak).status, 403);
    }

    #[test]
    fn within_the_grace_period_the_newest_spent_refresh_token_works_again() {
        let mut desk = Desk::new();
        desk.core.grace = 10;
        let (_, first) = desk.log_in();
        let (_, second) = pair(&desk.refresh(&first));
        desk.advance(9);
        let (_, again) = pair(&desk.refresh(&first));
        let (_, third) = pair(&desk.refresh(&second));
        assert_eq!(desk.refresh(&again).status, 200, "the same place in the family, within the new period");
        assert_refused(&desk.refresh(&first), 400, "invalid_grant", "Refresh token has expired");
        assert_eq!(desk.refresh(&third).status, 400, "two places back is a reuse, and kills the family");

        let (_, late) = desk.log_in();
        desk.refresh(&late);
        desk.advance(10);
        assert_eq!(desk.refresh(&late).status, 400);
    }

    #[test]
    fn as_user_is_for_admins_with_a_full_token() {
        let mut desk = Desk::new();
        let (admin, _) = desk.log_in();
        let service = access(&desk.as_app("enterprise", "900000001"));
        let managed = access(&desk.as_app("user", "20000000002"));
        let weak = access(&desk.down_scope(&admin, &[("scope", "root_readwrite")]));
        for (token, id, status) in [
            (&admin, "20000000002", 200),
            (&service, "20000000002", 200),
            (&managed, "20000000001", 403),
            (&weak, "20000000002", 403),
            (&admin, "7", 403),
        ] {
            let headers = [("authorization", &*format!("Bearer {token}")), ("as-user", id)];
            let reply = desk.send("GET", "/2.0/users/me", &headers, "");
            assert_eq!((reply.status, reply.status == 200), (status, reply.json()["id"] == id), "{id}");
        }
    }
}

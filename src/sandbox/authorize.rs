//! The authorization endpoint (RFC 6749 §3.1): checks the request, asks the person, sends the code back.
//!
//! A request whose client or redirect URI is wrong ends on a page and is never sent anywhere (§4.1.2.1). What the person is
//! asked is kept here under a token that works once; the form sends back nothing but that token and the decision.

use std::collections::VecDeque;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use url::{Host, Url};

use super::answer::Answer;
use super::call::{Call, Params, shortened};
use super::codes::{Bound, Challenge};
use super::consent::{self, Page};
use super::service::Core;
use super::token::{Mint, same};
use crate::clock::Timestamp;

/// Seconds that a person has to decide.
const PATIENCE: i64 = 600;
/// Questions that may be open at one time.
const MOST: usize = 100;

/// A good authorization request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) client_id: String,
    /// Empty when all scopes of the app are meant.
    pub(super) scopes: Vec<String>,
    /// Where the code goes; without it a page shows the code.
    pub(super) redirect: Option<Url>,
    state: Option<String>,
    bound: Bound,
}

/// Why a request is not put before the person.
enum Refused {
    /// Told on a page: name of the error, and what is wrong.
    Page(&'static str, String),
    /// Told to the client.
    Redirect(Box<Request>, &'static str, &'static str),
}

struct Question {
    token: String,
    asked_at: Timestamp,
    request: Request,
}

/// What people were asked and have not answered, oldest first.
#[derive(Default)]
pub(super) struct Consents(VecDeque<Question>);

impl Consents {
    fn ask(&mut self, mint: &mut Mint, now: Timestamp, request: Request) -> String {
        while self.0.len() >= MOST {
            self.0.pop_front();
        }
        let token = mint.text();
        self.0.push_back(Question { token: token.clone(), asked_at: now, request });
        token
    }

    fn take(&mut self, token: &str, now: Timestamp) -> Option<Request> {
        self.0.retain(|question| now.0.saturating_sub(question.asked_at.0) < PATIENCE);
        let place = self.0.iter().position(|question| same(question.token.as_bytes(), token.as_bytes()))?;
        Some(self.0.remove(place)?.request)
    }
}

/// `GET`: the consent page.
pub(super) fn show(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    match check(core, &call.query) {
        Ok(request) => {
            let path = format!("/{}", call.path.join("/"));
            let Core { consents, mint, .. } = core;
            let token = consents.ask(mint, now, request.clone());
            page(StatusCode::OK, &consent::ask(&request, &path, &token))
        }
        Err(Refused::Page(error, text)) => page(StatusCode::BAD_REQUEST, &consent::error(error, &text)),
        Err(Refused::Redirect(request, error, text)) => send_back(&request, &[("error", error), ("error_description", text)]),
    }
}

/// `POST`: what the person decided.
pub(super) fn decide(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    let form = call.form().unwrap_or_default();
    let Some(request) = form.get("consent").and_then(|token| core.consents.take(token, now)) else {
        let text = "This page was answered before, or stood open for more than ten minutes. Start again from your application.";
        return page(StatusCode::BAD_REQUEST, &consent::error("expired", text));
    };
    if form.get("decision") != Some("approve") {
        let text = "The user denied access to the application";
        return send_back(&request, &[("error", "access_denied"), ("error_description", text)]);
    }
    let Core { codes, mint, .. } = core;
    let code = codes.issue(mint, now, request.bound.clone());
    send_back(&request, &[("code", &code)])
}

/// Checks a request in the order in which its errors may be told: first what decides where they are told.
fn check(core: &Core, query: &Params) -> Result<Request, Refused> {
    if let Some(name) = query.repeated() {
        return Err(Refused::Page("invalid_request", format!("The parameter {} comes more than once.", shortened(name))));
    }
    let Some(client_id) = query.get("client_id") else {
        return Err(Refused::Page("invalid_client", "The parameter client_id is missing.".to_owned()));
    };
    if !same(client_id.as_bytes(), core.client.id.as_bytes()) {
        return Err(Refused::Page("invalid_client", format!("No client has the id {}.", shortened(client_id))));
    }
    let redirect_uri = query.get("redirect_uri");
    let redirect = redirect_uri.map(redirect_to).transpose()?;
    let challenge = query.get("code_challenge").map(|text| Challenge::new(text, query.get("code_challenge_method")));
    let request = Request {
        client_id: client_id.to_owned(),
        scopes: query.get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        redirect,
        state: query.get("state").map(str::to_owned),
        bound: Bound { redirect_uri: redirect_uri.map(str::to_owned), challenge: challenge.clone().flatten() },
    };
    let refuse = |error, text| Err(Refused::Redirect(Box::new(request.clone()), error, text));
    match query.get("response_type") {
        Some("code") => {}
        Some(_) => return refuse("unsupported_response_type", "The response_type must be code"),
        None => return refuse("invalid_request", "The parameter response_type is missing"),
    }
    if challenge == Some(None) {
        return refuse("invalid_request", "The code_challenge is malformed or its method unknown");
    }
    Ok(request)
}

/// The sandbox's client has one redirect URI: the loopback address, any port and path (RFC 8252 §7.3).
fn redirect_to(text: &str) -> Result<Url, Refused> {
    let mismatch =
        || Refused::Page("redirect_uri_mismatch", format!("{} is no http URL on the loopback address.", shortened(text)));
    let url = Url::parse(text).map_err(|_| mismatch())?;
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if loopback && plain && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(mismatch()) }
}

/// Sends the outcome to where the request wanted it, or shows it when it named no place.
fn send_back(request: &Request, outcome: &[(&str, &str)]) -> Answer {
    let Some(mut url) = request.redirect.clone() else {
        return match outcome {
            [("code", code)] => page(StatusCode::OK, &consent::code(code)),
            [("error", error), (_, text)] => page(StatusCode::OK, &consent::error(error, &format!("{text}."))),
            _ => page(StatusCode::OK, &consent::error("server_error", "Nothing to show.")),
        };
    };
    url.query_pairs_mut().extend_pairs(outcome).extend_pairs(request.state.iter().map(|state| ("state", state)));
    // 303: a browser that comes from the form goes on with a GET and leaves the form behind (RFC 9700 §4.12).
    let answer = Answer::empty(StatusCode::SEE_OTHER).no_store();
    match HeaderValue::try_from(url.as_str()) {
        Ok(location) => answer.with(header::LOCATION, location).with(header::REFERRER_POLICY, NO_REFERRER),
        Err(_) => page(StatusCode::BAD_REQUEST, &consent::error("invalid_request", "The redirect URI can't be sent.")),
    }
}

const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

fn page(status: StatusCode, page: &Page) -> Answer {
    let answer = Answer::text(status, "text/html; charset=utf-8", page.html.clone())
        .no_store()
        .with(header::REFERRER_POLICY, NO_REFERRER)
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    match HeaderValue::try_from(page.policy.as_str()) {
        Ok(policy) => answer.with(header::CONTENT_SECURITY_POLICY, policy),
        Err(_) => answer,
    }
}

#[cfg(test)]
mod tests {
    use url::form_urlencoded;

    use super::super::testing::{Desk, Reply};
    use super::*;

    const BACK: &str = "http://127.0.0.1:4000/callback?keep=1";

    /// Opens the page with these parameters beside the client's id.
    fn open(desk: &mut Desk, params: &[(&str, &str)]) -> Reply {
        let id = desk.core.client.id.clone();
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("client_id", &id).extend_pairs(params).finish();
        desk.send("GET", &format!("/api/oauth2/authorize?{query}"), &[], "")
    }

    fn consent(page: &Reply) -> String {
        let (_, rest) = page.body.split_once(r#"name="consent" value=""#).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    fn decide(desk: &mut Desk, page: &Reply, decision: &str) -> Reply {
        desk.form("/api/oauth2/authorize", &[("consent", &consent(page)), ("decision", decision)])
    }

    /// The parameters that a redirect brings back.
    fn brought(reply: &Reply) -> Vec<(String, String)> {
        assert_eq!(reply.status, 303, "{}", reply.body);
        let url = Url::parse(reply.header("location")).unwrap();
        assert_eq!((url.port(), url.path()), (Some(4000), "/callback"));
        url.query_pairs().into_owned().collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_approval_sends_a_code_and_the_state_back() {
        let mut desk = Desk::new();
        let page = open(&mut desk, &[("response_type", "code"), ("redirect_uri", BACK), ("state", "a b&c=ü")]);
        assert_eq!((page.status, page.header("cache-control"), page.header("x-frame-options")), (200, "no-store", "DENY"));
        let reply = decide(&mut desk, &page, "approve");
        let brought = brought(&reply);
        let code = brought[1].1.clone();
        assert_eq!(brought, pairs(&[("keep", "1"), ("code", &code), ("state", "a b&c=ü")]));
        assert_eq!(desk.exchange(&code).status, 200);
    }

    #[test]
    fn a_denial_says_so_to_the_client() {
        let mut desk = Desk::new();
        let page = open(&mut desk, &[("response_type", "code"), ("redirect_uri", BACK), ("state", "s")]);
        let text = "The user denied access to the application";
        let expected = [("keep", "1"), ("error", "access_denied"), ("error_description", text), ("state", "s")];
        assert_eq!(brought(&decide(&mut desk, &page, "deny")), pairs(&expected));
    }

    #[test]
    fn without_a_redirect_uri_the_code_is_shown() {
        let mut desk = Desk::new();
        let page = open(&mut desk, &[("response_type", "code"), ("redirect_uri", "")]);
        let reply = decide(&mut desk, &page, "approve");
        assert_eq!((reply.status, reply.header("location")), (200, ""));
        let code = reply.body.split_once("tabindex=\"0\">").unwrap().1.split_once('<').unwrap().0;
        assert_eq!(desk.exchange(code).status, 200);
        let page = open(&mut desk, &[("response_type", "code")]);
        assert!(decide(&mut desk, &page, "deny").body.contains("Access denied"));
    }

    #[test]
    fn a_page_is_answered_once_and_within_ten_minutes() {
        let mut desk = Desk::new();
        let page = open(&mut desk, &[("response_type", "code")]);
        assert_eq!(decide(&mut desk, &page, "approve").status, 200);
        assert_eq!(decide(&mut desk, &page, "approve").status, 400);
        let page = open(&mut desk, &[("response_type", "code")]);
        desk.advance(600);
        assert_eq!(decide(&mut desk, &page, "approve").status, 400);
        assert_eq!(desk.form("/api/oauth2/authorize", &[("decision", "approve")]).status, 400);
    }

    #[test]
    fn nobody_is_sent_to_a_place_that_is_not_this_machine() {
        let cases = [
            "https://example.com/callback",
            "http://127.0.0.1@example.com/",
            "http://me:pw@127.0.0.1/",
            "http://localhost.example.com/",
            "http://127.0.0.1/#fragment",
            "javascript:alert(1)",
            "//example.com",
            "/callback",
            "not a url",
        ];
        for uri in cases {
            let reply = open(&mut Desk::new(), &[("response_type", "code"), ("redirect_uri", uri), ("state", "s")]);
            assert_eq!((reply.status, reply.header("location")), (400, ""), "{uri}");
            assert!(reply.body.contains("redirect_uri_mismatch"), "{uri}");
        }
        for uri in ["http://127.0.0.1:1/", "http://localhost/x", "http://[::1]:65535/", "https://127.8.8.8/y?z"] {
            assert_eq!(open(&mut Desk::new(), &[("response_type", "code"), ("redirect_uri", uri)]).status, 200, "{uri}");
        }
    }

    #[test]
    fn a_bad_client_or_a_repeated_parameter_ends_on_a_page() {
        let mut desk = Desk::new();
        let queries = [
            "response_type=code".to_owned(),
            "response_type=code&client_id=someone".to_owned(),
            format!("response_type=code&client_id={}&state=a&state=b", desk.core.client.id),
        ];
        for query in queries {
            let uri = format!("/oauth2/authorize?{query}&redirect_uri=http%3A%2F%2F127.0.0.1%3A4000%2Fcallback");
            let reply = desk.send("GET", &uri, &[], "");
            assert_eq!((reply.status, reply.header("location")), (400, ""), "{query}");
        }
    }

    #[test]
    fn what_else_is_wrong_is_told_to_the_client() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[], "invalid_request"),
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("response_type", "code"), ("code_challenge", "short")], "invalid_request"),
            (
                &[("response_type", "code"), ("code_challenge", &"a".repeat(43)), ("code_challenge_method", "S512")],
                "invalid_request",
            ),
        ];
        for (params, error) in cases {
            let reply = open(&mut Desk::new(), &[params, &[("redirect_uri", BACK), ("state", "s")]].concat());
            let brought = brought(&reply);
            assert_eq!((brought[1].1.as_str(), brought[3].1.as_str()), (error, "s"), "{params:?}");
        }
    }

    #[test]
    fn a_code_of_a_request_with_pkce_needs_the_verifier() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let mut desk = Desk::new();
        let params =
            [("response_type", "code"), ("code_challenge", challenge), ("code_challenge_method", "S256"), ("redirect_uri", BACK)];
        let page = open(&mut desk, &params);
        let code = brought(&decide(&mut desk, &page, "approve"))[1].1.clone();
        assert_eq!(desk.exchange(&code).refusal().1, "invalid_grant");
        let grant = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let elsewhere = [("code_verifier", verifier), ("redirect_uri", "http://127.0.0.1:4000/callback")];
        assert_eq!(desk.as_client("/oauth2/token", &[grant, elsewhere].concat()).refusal().1, "invalid_grant");
        let right = [("code_verifier", verifier), ("redirect_uri", BACK)];
        assert_eq!(desk.as_client("/oauth2/token", &[grant, right].concat()).status, 200);
    }

    #[test]
    fn what_a_request_says_is_never_markup() {
        let mut desk = Desk::new();
        let evil = "<script>alert('1')</script>\"";
        let page = open(&mut desk, &[("response_type", "code"), ("scope", &format!("{evil} root_readwrite")), ("state", evil)]);
        assert!(page.body.contains("<code>root_readwrite</code>"));
        let unknown = desk.send("GET", "/oauth2/authorize?client_id=%3Cscript%3E%22", &[], "");
        let twice = desk.send("GET", "/oauth2/authorize?%3Cscript%3E=1&%3Cscript%3E=2", &[], "");
        for page in [page, unknown, twice] {
            assert!(!page.body.contains("<script"), "{}", page.body);
            assert!(page.header("content-security-policy").starts_with("default-src 'none';"));
        }
    }
}

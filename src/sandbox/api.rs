//! The piece of Box's API that the sandbox has: who am I, folders, files.

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest;
use serde_json::{Value, json};

use super::answer::{Answer, Problem};
use super::call::{Call, shortened};
use super::service::Core;
use super::terms::{Right, Terms};
use super::token::{Kind as TokenKind, Token};
use super::tree::{Item, Kind, ROOT, Refused, Tree};
use super::users::{self, OWNER, User};
use crate::clock::Timestamp;

/// Entries of a page of items: without a word, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// Box pages no further by offset.
const LARGEST_OFFSET: usize = 10_000;

/// Answers a call below `/2.0`. Who shows no good token learns nothing else.
pub(super) fn answer(core: &mut Core, call: &Call, resource: &[&str], now: Timestamp) -> Answer {
    core.stats.api_calls.requests += 1;
    let token = call.bearer().and_then(|text| core.keeper.good(text, now)).filter(|token| token.kind == TokenKind::Access);
    let Some(token) = token else {
        core.stats.api_calls.unauthorized += 1;
        return unauthorized(core);
    };
    let user = match acting(&token, call) {
        Some(user) => user,
        None => return denied(core),
    };
    if let Err(lack) = permit(&core.tree, &token.terms, call, resource) {
        return lacking(core, lack);
    }
    // A `HEAD` is answered like a `GET`; the server leaves the body out.
    let method = if call.method == Method::HEAD { &Method::GET } else { &call.method };
    match (resource, method) {
        (["users", "me"], &Method::GET) => Answer::json(StatusCode::OK, &user.full()),
        (["users", "me"], _) => core.not_allowed("GET, HEAD"),
        (["folders"], &Method::POST) => create_folder(core, call, now),
        (["folders"], _) => core.not_allowed("POST"),
        (["folders", id], &Method::GET) => folder(core, id),
        (["folders", id], &Method::DELETE) => delete_folder(core, call, id),
        (["folders", _], _) => core.not_allowed("GET, HEAD, DELETE"),
        (["folders", id, "items"], &Method::GET) => items(core, call, id),
        (["folders", _, "items"], _) => core.not_allowed("GET, HEAD"),
        (["files", id], &Method::GET) => file(core, id),
        (["files", _], _) => core.not_allowed("GET, HEAD"),
        (["files", id, "content"], &Method::GET) => content(core, id),
        (["files", _, "content"], _) => core.not_allowed("GET, HEAD"),
        _ => core.not_found(),
    }
}

/// Whom a call acts for: the token's user, or the one of `as-user`, which only an admin with an unrestricted token may name.
fn acting(token: &Token, call: &Call) -> Option<&'static User> {
    let own = token.terms.user.as_deref().map_or(Some(OWNER), users::find)?;
    match call.as_user() {
        None => Some(own),
        Some(id) => users::find(id).filter(|_| own.is_admin && !token.terms.is_restricted()),
    }
}

/// What a restricted token lacks.
enum Lack {
    Scope,
    /// It was made for another file or folder.
    Item,
}

/// Whether the token may do what is asked: by scope, and by the item that it was made for.
fn permit(tree: &Tree, terms: &Terms, call: &Call, resource: &[&str]) -> Result<(), Lack> {
    let right = match (&call.method, resource) {
        (&Method::POST, _) => Right::Upload,
        (&Method::DELETE, _) => Right::Delete,
        (_, ["files", _, "content"]) => Right::Download,
        _ => Right::See,
    };
    if !terms.allow(right) {
        return Err(Lack::Scope);
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let id = match resource {
        ["folders" | "files", id, ..] => Some(*id),
        ["folders"] => body.pointer("/parent/id").and_then(Value::as_str),
        _ => None,
    };
    // What does not exist is told as such.
    let is_outside = |root: &String| id.is_some_and(|id| tree.item(id).is_some() && !tree.is_within(id, root));
    if terms.item.as_ref().is_some_and(is_outside) { Err(Lack::Item) } else { Ok(()) }
}

/// 403: the scope is missing as RFC 6750 §3.1 says it, or the item is out of reach.
fn lacking(core: &mut Core, lack: Lack) -> Answer {
    const CHALLENGE: &str = r#"Bearer realm="Service", error="insufficient_scope", error_description="The request requires higher privileges than provided by the access token.""#;
    let message = "The request requires higher privileges than provided by the access token.";
    match lack {
        Lack::Item => denied(core),
        Lack::Scope => core
            .error(&Problem { status: StatusCode::FORBIDDEN, code: "insufficient_scope", message, context: None })
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE)),
    }
}

fn denied(core: &mut Core) -> Answer {
    let (code, message) = ("access_denied_insufficient_permissions", "Access denied - insufficient permission");
    core.error(&Problem { status: StatusCode::FORBIDDEN, code, message, context: None })
}

fn unauthorized(core: &mut Core) -> Answer {
    const CHALLENGE: &str =
        r#"Bearer realm="Service", error="invalid_token", error_description="The access token provided is invalid.""#;
    let problem = Problem { status: StatusCode::UNAUTHORIZED, code: "unauthorized", message: "Unauthorized", context: None };
    core.error(&problem).with(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE))
}

fn folder(core: &mut Core, id: &str) -> Answer {
    match core.tree.folder(id) {
        Some(item) => Answer::json(StatusCode::OK, &full_folder(&core.tree, item)),
        None => missing(core, "folder", id),
    }
}

fn items(core: &mut Core, call: &Call, id: &str) -> Answer {
    let number = |name: &str, default: usize| call.query.get(name).map_or(Ok(default), str::parse);
    let (Ok(limit), Ok(offset)) = (number("limit", PAGE), number("offset", 0)) else {
        let name = if number("limit", PAGE).is_err() { "limit" } else { "offset" };
        return bad_request(core, "invalid_parameter", name, "Expected a number that is not negative");
    };
    if offset > LARGEST_OFFSET {
        return bad_request(core, "invalid_parameter", "offset", "Expected 10000 at most");
    }
    match core.tree.folder(id) {
        Some(folder) => Answer::json(StatusCode::OK, &page(&core.tree, folder, offset, limit.min(LARGEST_PAGE))),
        None => missing(core, "folder", id),
    }
}

fn file(core: &mut Core, id: &str) -> Answer {
    match core.tree.file(id) {
        Some((item, text)) => Answer::json(StatusCode::OK, &full_file(&core.tree, item, text)),
        None => missing(core, "file", id),
    }
}

/// The file itself. Box sends the client on to a download host; here it is at hand.
fn content(core: &mut Core, id: &str) -> Answer {
    let Some((item, text)) = core.tree.file(id) else { return missing(core, "file", id) };
    // RFC 6266 §4.3
    let disposition = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(&item.name, NON_ALPHANUMERIC));
    let answer = Answer::text(StatusCode::OK, "text/plain; charset=utf-8", text);
    match HeaderValue::try_from(disposition) {
        Ok(disposition) => answer.with(header::CONTENT_DISPOSITION, disposition),
        Err(_) => answer,
    }
}

fn create_folder(core: &mut Core, call: &Call, now: Timestamp) -> Answer {
    let Ok(Value::Object(body)) = serde_json::from_slice(&call.body) else {
        return bad_request(core, "invalid_parameter", "body", "Expected a JSON object");
    };
    let Some(name) = body.get("name").and_then(Value::as_str) else {
        return bad_request(core, "missing_parameter", "name", "'name' is required");
    };
    let Some(parent) = body.get("parent").and_then(|parent| parent.get("id")).and_then(Value::as_str) else {
        return bad_request(core, "missing_parameter", "parent", "'parent' with a text 'id' is required");
    };
    match core.tree.create_folder(parent, name, now).map(|item| item.id.clone()) {
        Ok(id) => {
            let made = core.tree.folder(&id).map(|item| full_folder(&core.tree, item));
            Answer::json(StatusCode::CREATED, &made.unwrap_or_default())
        }
        Err(refused) => refuse(core, refused, parent),
    }
}

fn delete_folder(core: &mut Core, call: &Call, id: &str) -> Answer {
    let recursive = call.query.get("recursive") == Some("true");
    match core.tree.delete_folder(id, recursive) {
        Ok(()) => Answer::empty(StatusCode::NO_CONTENT),
        Err(refused) => refuse(core, refused, id),
    }
}

fn refuse(core: &mut Core, refused: Refused, id: &str) -> Answer {
    let (status, code, message, context) = match refused {
        Refused::NotFound => return missing(core, "folder", id),
        Refused::BadName => (StatusCode::BAD_REQUEST, "item_name_invalid", "Item name invalid", None),
        Refused::LongName => (StatusCode::BAD_REQUEST, "item_name_too_long", "Item name too long", None),
        Refused::NameInUse(other) => {
            let conflict: Vec<Value> = core.tree.item(&other).map(mini).into_iter().collect();
            let context = json!({"conflicts": conflict});
            (StatusCode::CONFLICT, "item_name_in_use", "Item with the same name already exists", Some(context))
        }
        Refused::NotEmpty => (StatusCode::BAD_REQUEST, "folder_not_empty", "Cannot delete - folder not empty", None),
        Refused::Root => (StatusCode::FORBIDDEN, "access_denied_insufficient_permissions", "Access denied", None),
        Refused::Full => (StatusCode::FORBIDDEN, "storage_limit_exceeded", "Account storage limit reached", None),
    };
    core.error(&Problem { status, code, message, context })
}

fn missing(core: &mut Core, kind: &str, id: &str) -> Answer {
    let message = format!("Invalid value '{}'. '{kind}' with this id not found", shortened(id));
    let context = Some(json!({"errors": [{"reason": "invalid_parameter", "name": kind, "message": message}]}));
    core.error(&Problem { status: StatusCode::NOT_FOUND, code: "not_found", message: "Not Found", context })
}

fn bad_request(core: &mut Core, reason: &str, name: &str, message: &str) -> Answer {
    let context = Some(json!({"errors": [{"reason": reason, "name": name, "message": message}]}));
    core.error(&Problem { status: StatusCode::BAD_REQUEST, code: "bad_request", message: "Bad Request", context })
}

fn type_of(item: &Item) -> &'static str {
    match item.kind {
        Kind::Folder => "folder",
        Kind::File(_) => "file",
    }
}

/// The `etag` and the `sequence_id` of an item, which nothing here ever changes; Box gives the root none.
fn version_of(item: &Item) -> Option<&'static str> {
    (item.id != ROOT).then_some("0")
}

/// An item as it stands in a list.
fn mini(item: &Item) -> Value {
    let version = version_of(item);
    match item.kind {
        Kind::Folder => json!({"type": "folder", "id": item.id, "sequence_id": version, "etag": version, "name": item.name}),
        Kind::File(text) => {
            let sha1 = sha1(text);
            json!({
                "type": "file", "id": item.id, "file_version": {"type": "file_version", "id": version_id(item), "sha1": sha1},
                "sequence_id": version, "etag": version, "sha1": sha1, "name": item.name,
            })
        }
    }
}

/// What a down-scoped token is good for, as its answer says it.
pub(super) fn object(item: &Item) -> Value {
    let version = version_of(item);
    json!({"type": type_of(item), "id": item.id, "sequence_id": version, "etag": version, "name": item.name})
}

fn version_id(item: &Item) -> String {
    format!("9{}", item.id)
}

fn sha1(text: &str) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn page(tree: &Tree, folder: &Item, offset: usize, limit: usize) -> Value {
    let children = tree.children(&folder.id);
    let entries: Vec<Value> = children.iter().skip(offset).take(limit).map(|item| mini(item)).collect();
    json!({
        "total_count": children.len(), "entries": entries, "offset": offset, "limit": limit,
        "order": [{"by": "type", "direction": "ASC"}, {"by": "name", "direction": "ASC"}],
    })
}

/// What files and folders have in common, in full.
fn full(tree: &Tree, item: &Item) -> Value {
    let path: Vec<Value> = tree.path(item).into_iter().map(mini).collect();
    let parent = item.parent.as_ref().and_then(|parent| tree.item(parent)).map(mini);
    // The root of an account was made by nobody at no time.
    let at = (item.id != ROOT).then(|| date(item.created_at));
    let version = version_of(item);
    json!({
        "type": type_of(item), "id": item.id, "sequence_id": version, "etag": version, "name": item.name,
        "created_at": at, "modified_at": at, "description": "", "size": size(tree, item),
        "path_collection": {"total_count": path.len(), "entries": path},
        "created_by": OWNER.mini(), "modified_by": OWNER.mini(), "trashed_at": null, "purged_at": null,
        "content_created_at": at, "content_modified_at": at, "owned_by": OWNER.mini(), "shared_link": null,
        "parent": parent, "item_status": "active",
    })
}

fn full_folder(tree: &Tree, item: &Item) -> Value {
    let mut folder = full(tree, item);
    if let Some(members) = folder.as_object_mut() {
        members.insert("folder_upload_email".to_owned(), Value::Null);
        members.insert("item_collection".to_owned(), page(tree, item, 0, PAGE));
    }
    folder
}

fn full_file(tree: &Tree, item: &Item, text: &str) -> Value {
    let mut file = full(tree, item);
    if let Some(members) = file.as_object_mut() {
        let sha1 = sha1(text);
        members.insert("file_version".to_owned(), json!({"type": "file_version", "id": version_id(item), "sha1": sha1}));
        members.insert("sha1".to_owned(), json!(sha1));
    }
    file
}

/// Bytes of a file, or of the files directly in a folder.
fn size(tree: &Tree, item: &Item) -> usize {
    let own = |item: &Item| if let Kind::File(text) = item.kind { text.len() } else { 0 };
    match item.kind {
        Kind::File(_) => own(item),
        Kind::Folder => tree.children(&item.id).into_iter().map(own).sum(),
    }
}

fn date(at: Timestamp) -> Option<String> {
    Some(jiff::Timestamp::from_second(at.0).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Desk, Reply};
    use super::*;

    fn logged_in() -> (Desk, String) {
        let mut desk = Desk::new();
        let (access, _) = desk.log_in();
        (desk, access)
    }

    fn names(reply: &Reply) -> Vec<String> {
        let json = reply.json();
        json["entries"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn who_shows_no_good_token_gets_box_s_challenge() {
        let (mut desk, access) = logged_in();
        let challenge = "Bearer realm=\"Service\", error=\"invalid_token\", \
            error_description=\"The access token provided is invalid.\"";
        for token in ["", "nonsense", &access[1..]] {
            for path in ["/2.0/users/me", "/2.0/nowhere"] {
                let reply = desk.get(path, token);
                assert_eq!((reply.status, reply.header("www-authenticate")), (401, challenge), "{token} {path}");
            }
        }
        assert_eq!(desk.send("GET", "/2.0/users/me", &[], "").status, 401);
        desk.advance(3_599);
        assert_eq!(desk.get("/2.0/users/me", &access).json()["type"], "user");
        desk.advance(1);
        assert_eq!(desk.get("/2.0/users/me", &access).status, 401);
    }

    #[test]
    fn errors_have_box_s_shape() {
        let (mut desk, access) = logged_in();
        for path in ["/2.0/folders/7", "/2.0/files/0", "/2.0/files/7/content", "/2.0/folders/7/items", "/2.0/nowhere", "/nowhere"]
        {
            let reply = desk.get(path, &access);
            let json = reply.json();
            let names: Vec<&str> =
                json.as_object().unwrap().keys().map(String::as_str).filter(|name| *name != "context_info").collect();
            assert_eq!(names, ["type", "status", "code", "help_url", "message", "request_id"], "{path}");
            assert_eq!((reply.status, &json["status"], &json["code"]), (404, &json!(404), &json!("not_found")), "{path}");
            assert_eq!(json["request_id"], reply.header("box-request-id"));
        }
    }

    #[test]
    fn a_method_that_a_resource_does_not_know_is_answered_with_those_it_does() {
        let (mut desk, access) = logged_in();
        let cases = [
            ("POST", "/2.0/users/me", "GET, HEAD"),
            ("GET", "/2.0/folders", "POST"),
            ("PUT", "/2.0/folders/0", "GET, HEAD, DELETE"),
            ("DELETE", "/2.0/folders/0/items", "GET, HEAD"),
            ("DELETE", "/2.0/files/1800000001", "GET, HEAD"),
            ("POST", "/2.0/files/1800000001/content", "GET, HEAD"),
            ("DELETE", "/oauth2/authorize", "GET, HEAD, POST"),
        ];
        for (method, path, allowed) in cases {
            let reply = desk.api(method, path, &access, "");
            assert_eq!((reply.status, reply.header("allow")), (405, allowed), "{method} {path}");
        }
    }

    #[test]
    fn items_come_in_pages() {
        let (mut desk, access) = logged_in();
        let all = ["Contracts", "Empty", "Grüße 東京.txt", "Welcome.txt"];
        let cases = [
            ("", 0, 100, &all[..]),
            ("?limit=2", 0, 2, &all[..2]),
            ("?limit=2&offset=3", 3, 2, &all[3..]),
            ("?offset=9&limit=5000", 9, 1000, &[]),
        ];
        for (query, offset, limit, expected) in cases {
            let reply = desk.get(&format!("/2.0/folders/0/items{query}"), &access);
            assert_eq!(names(&reply), expected, "{query}");
            let json = reply.json();
            assert_eq!(
                (&json["total_count"], &json["offset"], &json["limit"]),
                (&json!(4), &json!(offset), &json!(limit)),
                "{query}"
            );
            assert_eq!(json["order"][0], json!({"by": "type", "direction": "ASC"}));
        }
        for query in ["limit=-1", "limit=many", "offset=10001", "limit=99999999999999999999"] {
            assert_eq!(desk.get(&format!("/2.0/folders/0/items?{query}"), &access).status, 400, "{query}");
        }
    }

    #[test]
    fn entries_have_what_scripts_read() {
        let (mut desk, access) = logged_in();
        let json = desk.get("/2.0/folders/0/items", &access).json();
        assert_eq!(
            json["entries"][0],
            json!({"type": "folder", "id": "160000001", "sequence_id": "0", "etag": "0", "name": "Contracts"})
        );
        let file = &json["entries"][3];
        assert_eq!((&file["type"], &file["etag"], file["sha1"].as_str().unwrap().len()), (&json!("file"), &json!("0"), 40));
        assert_eq!(file["file_version"]["sha1"], file["sha1"]);
    }

    #[test]
    fn the_root_and_a_file_in_full() {
        let (mut desk, access) = logged_in();
        let root = desk.get("/2.0/folders/0", &access).json();
        assert_eq!((&root["etag"], &root["parent"], &root["created_at"]), (&Value::Null, &Value::Null, &Value::Null));
        assert_eq!(root["item_collection"]["total_count"], 4);
        let file = desk.get("/2.0/files/1800000003", &access).json();
        assert_eq!((&file["parent"]["name"], &file["path_collection"]["total_count"]), (&json!("Contracts"), &json!(2)));
        assert_eq!((&file["size"], &file["created_at"]), (&json!(23), &json!("2025-01-15T17:00:00Z")));
    }

    #[test]
    fn a_file_is_sent_under_its_name() {
        let (mut desk, access) = logged_in();
        let reply = desk.get("/2.0/files/1800000002/content", &access);
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; charset=utf-8"));
        assert_eq!(
            reply.header("content-disposition"),
            "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E6%9D%B1%E4%BA%AC%2Etxt"
        );
        assert!(reply.body.starts_with("Grüße aus Zürich"));
    }

    #[test]
    fn a_folder_is_made_found_and_deleted() {
        let (mut desk, access) = logged_in();
        let made = desk.api("POST", "/2.0/folders", &access, r#"{"name": "Neu 東京", "parent": {"id": "0"}}"#);
        assert_eq!(made.status, 201);
        let json = made.json();
        assert_eq!((&json["name"], &json["path_collection"]["entries"][0]["id"]), (&json!("Neu 東京"), &json!("0")));
        let path = format!("/2.0/folders/{}", json["id"].as_str().unwrap());
        assert_eq!(desk.get(&path, &access).json(), json);

        let again = desk.api("POST", "/2.0/folders", &access, r#"{"name": "neu 東京", "parent": {"id": "0"}}"#);
        assert_eq!((again.status, &again.json()["code"]), (409, &json!("item_name_in_use")));
        assert_eq!(again.json()["context_info"]["conflicts"][0]["id"], json["id"]);

        let gone = desk.api("DELETE", &path, &access, "");
        assert_eq!((gone.status, gone.body.as_str()), (204, ""));
        assert_eq!(desk.api("DELETE", &path, &access, "").status, 404);
    }

    #[test]
    fn folders_that_can_not_be_made_or_deleted() {
        let (mut desk, access) = logged_in();
        let cases = [
            ("POST", "/2.0/folders", "", 400, "bad_request"),
            ("POST", "/2.0/folders", "[]", 400, "bad_request"),
            ("POST", "/2.0/folders", r#"{"parent": {"id": "0"}}"#, 400, "bad_request"),
            ("POST", "/2.0/folders", r#"{"name": "x", "parent": "0"}"#, 400, "bad_request"),
            ("POST", "/2.0/folders", r#"{"name": "x", "parent": {"id": "7"}}"#, 404, "not_found"),
            ("POST", "/2.0/folders", r#"{"name": "a/b", "parent": {"id": "0"}}"#, 400, "item_name_invalid"),
            ("DELETE", "/2.0/folders/160000001", "", 400, "folder_not_empty"),
            ("DELETE", "/2.0/folders/0?recursive=true", "", 403, "access_denied_insufficient_permissions"),
        ];
        for (method, path, body, status, code) in cases {
            let reply = desk.api(method, path, &access, body);
            assert_eq!((reply.status, &reply.json()["code"]), (status, &json!(code)), "{method} {path} {body}");
        }
        assert_eq!(desk.api("DELETE", "/2.0/folders/160000001?recursive=true", &access, "").status, 204);
    }

    #[test]
    fn a_name_that_is_not_of_this_machine_is_not_served() {
        let (mut desk, _) = logged_in();
        for (host, status) in [
            ("127.0.0.1:8765", 401),
            ("LOCALHOST", 401),
            ("[::1]:1", 401),
            ("example.com", 421),
            ("127.0.0.1.example.com:80", 421),
        ] {
            assert_eq!(desk.send("GET", "/2.0/users/me", &[("host", host)], "").status, status, "{host}");
        }
    }
}

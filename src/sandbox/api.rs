//! The piece of Box's API that the sandbox has: who am I, folders, files.

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest;
use serde_json::{Value, json};

use super::answer::{Answer, Problem};
use super::call::{Call, shortened};
use super::service::Core;
use super::token::Kind as TokenKind;
use super::tree::{Item, Kind, ROOT, Refused, Tree};
use crate::clock::Timestamp;

/// Entries of a page of items: without a word, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// Box pages no further by offset.
const LARGEST_OFFSET: usize = 10_000;

/// Answers a call below `/2.0`. Who shows no good token learns nothing else.
pub(super) fn answer(core: &mut Core, call: &Call, resource: &[&str], now: Timestamp) -> Answer {
    if !is_authorized(core, call, now) {
        return unauthorized(core);
    }
    // A `HEAD` is answered like a `GET`; the server leaves the body out.
    let method = if call.method == Method::HEAD { &Method::GET } else { &call.method };
    match (resource, method) {
        (["users", "me"], &Method::GET) => Answer::json(StatusCode::OK, &user()),
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

fn is_authorized(core: &mut Core, call: &Call, now: Timestamp) -> bool {
    let Some(token) = call.bearer().and_then(|text| core.keeper.key().read(text)) else { return false };
    token.kind == TokenKind::Access && !token.is_expired(now) && !core.keeper.ledger().is_revoked(token.family)
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

const USER_ID: &str = "20000000001";
const USER_NAME: &str = "Sandbox User";
const USER_LOGIN: &str = "sandbox@example.com";

fn mini_user() -> Value {
    json!({"type": "user", "id": USER_ID, "name": USER_NAME, "login": USER_LOGIN})
}

fn user() -> Value {
    json!({
        "type": "user", "id": USER_ID, "name": USER_NAME, "login": USER_LOGIN,
        "created_at": "2025-01-15T09:00:00-08:00", "modified_at": "2025-01-15T09:00:00-08:00",
        "language": "en", "timezone": "America/Los_Angeles",
        "space_amount": 10_737_418_240_u64, "space_used": 1_024, "max_upload_size": 262_144_000,
        "status": "active", "job_title": "", "phone": "", "address": "", "avatar_url": "", "notification_email": null,
    })
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
        "created_by": mini_user(), "modified_by": mini_user(), "trashed_at": null, "purged_at": null,
        "content_created_at": at, "content_modified_at": at, "owned_by": mini_user(), "shared_link": null,
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

//! What tests do with the sandbox itself, below `/sandbox`: register keys, order faults, read counters.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::answer::{Answer, Problem};
use super::call::Call;
use super::keys::PublicKey;
use super::service::Core;

/// Answers a call below `/sandbox`. A page in a browser, which can post to this machine unseen, says where it is from; it is refused.
pub(super) fn answer(core: &mut Core, call: &Call, resource: &[&str]) -> Answer {
    if call.has_origin() {
        let message = "the sandbox is not controlled from a web page";
        return core.error(&Problem { status: StatusCode::FORBIDDEN, code: "forbidden", message, context: None });
    }
    match (resource, &call.method) {
        (["stats"], &Method::GET | &Method::HEAD) => Answer::json(StatusCode::OK, &json!(core.stats)).no_store(),
        (["stats"], _) => core.not_allowed("GET, HEAD"),
        (["faults"], &Method::POST) => match core.faults.order(&call.body) {
            Ok(()) => Answer::empty(StatusCode::NO_CONTENT),
            Err(message) => bad(core, &message),
        },
        (["faults"], &Method::DELETE) => {
            core.faults.clear();
            Answer::empty(StatusCode::NO_CONTENT)
        }
        (["faults"], _) => core.not_allowed("POST, DELETE"),
        (["keys"], &Method::POST) => match PublicKey::read(&call.body) {
            Ok(key) => {
                let answer = Answer::json(StatusCode::CREATED, &json!({"kid": key.id()}));
                core.keys.add(key);
                answer
            }
            Err(error) => bad(core, &error.to_string()),
        },
        (["keys"], _) => core.not_allowed("POST"),
        _ => core.not_found(),
    }
}

fn bad(core: &mut Core, message: &str) -> Answer {
    core.error(&Problem { status: StatusCode::BAD_REQUEST, code: "bad_request", message, context: None })
}

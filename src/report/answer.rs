//! What a server says about its refusal, in one line, and what an OAuth error means.

use serde_json::{Map, Value};

use crate::collection::{Body, Request};
use crate::http::Response;

use super::body::{is_binary, masked_start, placeholder};
use super::page::Page;
use super::text::shorten;
use super::{html, wire};

/// The longest piece of an answer that is shown, in characters.
const LONGEST: usize = 200;

/// How much of a body is looked at.
const LOOKED_AT: usize = 64 << 10;

/// What the server says, in one safe line; `None` when it says nothing.
pub(super) fn words(page: &Page, response: &Response) -> Option<String> {
    let kind = response.content_type();
    let line = if response.body.is_empty() {
        // RFC 6750 §3: a refused token is explained in the challenge, often with no body at all.
        let challenge = response.header("www-authenticate")?;
        format!("www-authenticate: {challenge}")
    } else if is_binary(&response.body, kind.as_deref(), wire::is_latin1(response)) {
        placeholder(response.body.len() as u64, kind.as_deref())
    } else {
        let text = response.text();
        match json(&text).as_ref().and_then(shape) {
            Some(line) => line,
            None => {
                let (start, _) = masked_start(&page.masker, &text, LOOKED_AT);
                if html::is_page(kind.as_deref(), &start) { html::summary(&start) } else { start }
            }
        }
    };
    let line = page.safe_squeezed(&line);
    (!line.is_empty()).then(|| shorten(&line, LONGEST).into_owned())
}

/// The `error` of an OAuth token answer (RFC 6749 §5.2).
pub(super) fn oauth_error(response: &Response) -> Option<String> {
    match json(&response.text())?.get("error")? {
        Value::String(error) => Some(error.clone()),
        _ => None,
    }
}

fn json(text: &str) -> Option<Value> {
    if text.len() > LOOKED_AT || !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The line of an error object in one of the forms that are in use.
fn shape(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    match object.get("error") {
        // RFC 6749 §5.2: only `error` is REQUIRED.
        Some(Value::String(error)) => {
            let mut line = error.clone();
            for (member, before, after) in [("error_description", ": ", ""), ("error_uri", " (", ")")] {
                if let Some(text) = text_of(object, member) {
                    line.extend([before, &text, after]);
                }
            }
            return Some(line);
        }
        Some(Value::Object(error)) => return named(error),
        _ => {}
    }
    named(object).or_else(|| match object.get("errors")?.as_array()?.first()? {
        Value::String(error) => Some(error.clone()),
        error => named(error.as_object()?),
    })
}

/// `code: message` of Box and many others, `title: detail` of RFC 9457; the text alone when it has no name.
fn named(object: &Map<String, Value>) -> Option<String> {
    let first = |members: &[&str]| members.iter().find_map(|member| text_of(object, member));
    let name = first(&["code", "title", "type", "status"]);
    match (name, first(&["message", "detail", "error_description"])) {
        (Some(name), Some(text)) => Some(format!("{name}: {text}")),
        (None, Some(text)) => Some(text),
        // A name alone may be the name of anything: better the whole object then.
        (_, None) => None,
    }
}

fn text_of(object: &Map<String, Value>, member: &str) -> Option<String> {
    match object.get(member)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The grant type that a token request names (RFC 6749 §4); `None` when the request is none.
pub(super) fn grant_type(request: &Request) -> Option<&str> {
    let Some(Body::Form(fields)) = &request.body else { return None };
    let field = fields.iter().find(|field| field.name == "grant_type")?;
    Some(field.values.first()?.source().trim())
}

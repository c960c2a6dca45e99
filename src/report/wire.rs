//! Requests and answers in full, for `-v`, `-vv` and dry runs.

use crate::diagnostic::Paint;
use crate::event::Preview;
use crate::http::{Body, Exchange, Hop, Response};
use crate::mask::{MASK, is_secret_header, is_secret_name};

use super::body::{is_binary, placeholder, shown};
use super::page::Page;

/// Authentication schemes that may stay visible before a masked value (IANA's registry, and what providers made up).
const SCHEMES: [&str; 9] = ["Basic", "Bearer", "Digest", "DPoP", "Negotiate", "NTLM", "Token", "OAuth", "AWS4-HMAC-SHA256"];

/// Whether the answer says that its text is Latin-1.
pub(super) fn is_latin1(response: &Response) -> bool {
    response.header("content-type").is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("iso-8859-1") || value.contains("latin1")
    })
}

/// The redirects that led to an exchange: what was asked, where it was sent on to, and what did not go along.
pub(super) fn hops(page: &mut Page, exchange: &Exchange) {
    for (at, hop) in exchange.hops.iter().enumerate() {
        let Hop { request, status, left_behind, .. } = hop;
        let (from, to) = (visible_location(request.url.as_str()), visible_location(hop.location()));
        let text = page.safe(&format!("redirect: {} {from} → {status} {to}", request.method));
        page.line(Paint::Faint, &text);
        if !left_behind.is_empty() {
            let next = exchange.hops.get(at + 1).map_or(&exchange.request.url, |hop| &hop.request.url);
            let place = next.origin().ascii_serialization();
            let text = page.safe(&format!("left behind before {place}: {}", left_behind.join(", ")));
            page.line(Paint::Faint, &text);
        }
    }
}

/// The heads of an exchange; the bodies too when `bodies`.
pub(super) fn exchange(page: &mut Page, exchange: &Exchange, sent: Option<&Body>, bodies: bool) {
    let Exchange { request, response, .. } = exchange;
    let url = &request.url;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    line(page, '>', &format!("{} {}{query}", request.method, url.path()));
    // HTTP/2 has no such header; without it nothing here would tell the server.
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        line(page, '>', &format!("host: {}{port}", url.host_str().unwrap_or_default()));
    }
    headers(page, '>', &request.headers);
    if bodies {
        match sent {
            Some(Body::Bytes(bytes)) => {
                let kind = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
                let kind = kind.map(|(_, value)| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
                if is_binary(bytes, kind.as_deref(), false) {
                    body_note(page, '>', &placeholder(bytes.len() as u64, kind.as_deref()));
                } else {
                    body(page, '>', &String::from_utf8_lossy(bytes));
                }
            }
            Some(Body::File { len, .. }) => body_note(page, '>', &placeholder(*len, Some("a file"))),
            None => {}
        }
    }
    let reason = hyper::StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason());
    line(page, '<', format!("{} {}", response.status, reason.unwrap_or_default()).trim_end());
    headers(page, '<', &response.headers);
    if bodies {
        let kind = response.content_type();
        if is_binary(&response.body, kind.as_deref(), is_latin1(response)) {
            body_note(page, '<', &placeholder(response.body.len() as u64, kind.as_deref()));
        } else {
            body(page, '<', &response.text());
        }
    }
}

/// What a dry run would send, in full.
pub(super) fn preview(page: &mut Page, preview: &Preview) {
    line(page, '>', &format!("{} {}", preview.method, preview.url));
    headers(page, '>', &preview.headers);
    if let Some(text) = &preview.body {
        body(page, '>', text);
    }
}

fn headers(page: &mut Page, mark: char, headers: &[(String, String)]) {
    for (name, value) in headers {
        line(page, mark, &format!("{name}: {}", visible_value(name, value)));
    }
}

/// A header's value; of a secret one only the scheme, of a place only what is not secret by its name.
fn visible_value(name: &str, value: &str) -> String {
    if name.eq_ignore_ascii_case("location") {
        return visible_location(value);
    }
    if !is_secret_header(name) {
        return value.to_owned();
    }
    match value.split_once(' ') {
        Some((scheme, _)) if SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) => format!("{scheme} {MASK}"),
        _ => MASK.to_owned(),
    }
}

/// Where a server points to, without the codes and tokens that a login puts into such a URL (RFC 6749 §4.1.2, §4.2.2): no
/// file names them, so nothing else would mask them.
pub(super) fn visible_location(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for part in url.split_inclusive(['?', '&', '#', ';']) {
        let (pair, end) = match part.char_indices().next_back() {
            Some((at, '?' | '&' | '#' | ';')) => part.split_at(at),
            _ => (part, ""),
        };
        match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() && is_secret_name(name) => out.extend([name, "=", MASK]),
            _ => out.push_str(pair),
        }
        out.push_str(end);
    }
    out
}

fn line(page: &mut Page, mark: char, text: &str) {
    let text = page.safe(text);
    page.line(Paint::Faint, &format!("{mark} {text}"));
}

fn body(page: &mut Page, mark: char, text: &str) {
    if text.is_empty() {
        return;
    }
    let text = shown(&page.masker, text);
    page.line(Paint::Faint, &mark.to_string());
    for line in text.lines() {
        page.text.push_str("    ");
        page.text.push_str(line);
        page.text.push('\n');
    }
}

fn body_note(page: &mut Page, mark: char, note: &str) {
    page.line(Paint::Faint, &mark.to_string());
    let note = page.safe(note);
    page.text.push_str("    ");
    page.text.push_str(&note);
    page.text.push('\n');
}

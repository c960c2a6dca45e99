//! What a token endpoint answers: read as servers write it, not only as RFC 6749 §5 has it.

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::http::Response;
use crate::query::JsonPath;

use super::error::{Error, Refused};

/// How an answer is to be read.
pub(super) struct Reading<'r> {
    /// The grant that was asked for, as on the wire.
    pub(super) grant: &'r str,
    /// Where the access token stands; at the top when none is given.
    pub(super) access_token: Option<&'r JsonPath>,
    /// Whether any `token_type` will do: the login says itself how the token is sent.
    pub(super) any_type: bool,
    /// Masks a text before it is shown.
    pub(super) mask: &'r dyn Fn(&str) -> String,
}

/// The members of a good answer, and its access token.
pub(super) type Answer = (Map<String, Value>, String);

impl Reading<'_> {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`Error::Redirected`], [`Error::Refused`] or [`Error::Unusable`].
    pub(super) fn read(&self, response: &Response) -> Result<Answer, Error> {
        let status = response.status;
        if (300..400).contains(&status) {
            return Err(Error::Redirected { status });
        }
        let members = self.members(response)?;
        if let Some(refused) = self.refusal(&members, response) {
            return Err(Error::Refused(Box::new(refused)));
        }
        if !(200..300).contains(&status) {
            return Err(self.unusable(response, "the server says no and not why"));
        }
        let whole = Value::Object(members);
        let found = match self.access_token {
            Some(path) => path.nodes(&whole).first().and_then(|node| node.as_str()).map(ToOwned::to_owned),
            None => whole.get("access_token").and_then(Value::as_str).map(ToOwned::to_owned),
        };
        let Value::Object(members) = whole else { return Err(self.unusable(response, "the answer is no JSON object")) };
        let Some(access_token) = found.filter(|token| !token.is_empty()) else {
            let at = self.access_token.map_or("`access_token`".to_owned(), |path| format!("text at `{}`", path.text()));
            return Err(self.unusable(response, &format!("the answer holds no {at}")));
        };
        self.check(&members, &access_token, response)?;
        Ok((members, access_token))
    }

    /// What the answer says must be sendable: visible ASCII (RFC 6749 App. A.12), of a type that is known.
    fn check(&self, members: &Map<String, Value>, access_token: &str, response: &Response) -> Result<(), Error> {
        let visible = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let refresh = members.get("refresh_token").and_then(Value::as_str).unwrap_or_default();
        if !visible(access_token) || !visible(refresh) {
            return Err(self.unusable(response, "the token holds characters that can't be sent"));
        }
        let kind = members.get("token_type").and_then(Value::as_str).unwrap_or_default();
        // `N_A` is what RFC 8693 §2.2.1 has for a token that is no access token.
        let known = ["", "bearer", "dpop", "n_a", "user", "bot"].iter().any(|known| kind.eq_ignore_ascii_case(known));
        if known || self.any_type {
            return Ok(());
        }
        let problem =
            format!("the token has the type `{}`, and nothing says how that is sent", kind.chars().take(20).collect::<String>());
        Err(self.unusable(response, &problem))
    }

    /// The members: a JSON object under any media type, or a form (RFC 6749 does not have it, GitHub and others do).
    fn members(&self, response: &Response) -> Result<Map<String, Value>, Error> {
        let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body);
        let Ok(text) = std::str::from_utf8(body) else {
            return Err(self.unusable(response, "the answer is not UTF-8 text"));
        };
        let text = text.trim();
        match serde_json::from_str(text) {
            Ok(Value::Object(members)) => return Ok(members),
            Ok(_) => return Err(self.unusable(response, "the answer is JSON, but no object")),
            Err(_) => {}
        }
        let form = matches!(response.content_type().as_deref(), Some("application/x-www-form-urlencoded" | "text/plain") | None);
        if form && text.contains('=') && !text.contains(['<', '{', '\n']) {
            let pairs = url::form_urlencoded::parse(text.as_bytes());
            return Ok(pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect());
        }
        let problem = match text {
            "" => "the answer is empty".to_owned(),
            text if text.starts_with('{') => "the answer is cut off or no valid JSON".to_owned(),
            _ => match response.content_type() {
                Some(kind) => format!("the answer is `{kind}` and no JSON"),
                None => "the answer is no JSON".to_owned(),
            },
        };
        Err(self.unusable(response, &problem))
    }

    /// An error, whatever the status: some servers answer 200 (GitHub), some with `ok: false` (Slack).
    fn refusal(&self, members: &Map<String, Value>, response: &Response) -> Option<Refused> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(|text| (self.mask)(text));
        let nested = members.get("error").and_then(Value::as_object);
        let error = match (members.get("error"), nested) {
            (Some(error @ Value::String(_)), _) => text(error)?,
            (_, Some(inner)) => inner.get("status").or_else(|| inner.get("code")).map(|code| (self.mask)(&plain(code)))?,
            _ if members.get("ok") == Some(&Value::Bool(false)) => "not ok".to_owned(),
            _ => return None,
        };
        let described = members.get("error_description").or_else(|| nested?.get("message"));
        Some(Refused {
            status: response.status,
            error,
            description: described.and_then(text),
            uri: members.get("error_uri").and_then(text),
            grant: self.grant.to_owned(),
            wants: response
                .header("www-authenticate")
                .and_then(|value| value.split_whitespace().next())
                .map(|scheme| (self.mask)(scheme)),
            server_time: response.header("date").and_then(http_date),
            code_age: None,
        })
    }

    fn unusable(&self, response: &Response, problem: &str) -> Error {
        Error::unusable(response.status, problem, &(self.mask)(&String::from_utf8_lossy(&response.body)))
    }
}

/// A date as HTTP writes it (RFC 9110 §5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok().map(|timestamp| Timestamp(timestamp.as_second()))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::http::Version;

    use super::*;

    fn response(status: u16, content_type: &str, body: &[u8]) -> Response {
        Response {
            status,
            version: Version::Http11,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: Bytes::copy_from_slice(body),
            wire_size: 0,
        }
    }

    fn read(status: u16, content_type: &str, body: &[u8]) -> Result<String, String> {
        read_at(status, content_type, body, None)
    }

    fn read_at(status: u16, content_type: &str, body: &[u8], path: Option<&str>) -> Result<String, String> {
        let path = path.map(|path| JsonPath::compile(path).unwrap());
        let mask = |text: &str| text.to_owned();
        let reading = Reading { grant: "client_credentials", access_token: path.as_ref(), any_type: false, mask: &mask };
        reading.read(&response(status, content_type, body)).map(|(_, token)| token).map_err(|error| match error {
            Error::Unusable { problem, shown, .. } => format!("{problem} | {shown}"),
            error => error.to_string(),
        })
    }

    const JSON: &str = "application/json";

    #[test]
    fn answers_as_servers_write_them() {
        let good: [(u16, &str, &[u8]); 12] = [
            (200, JSON, br#"{"access_token":"t","token_type":"bearer","expires_in":3600}"#),
            (201, JSON, br#"{"access_token":"t"}"#),
            (200, JSON, br#"{"access_token":"t","expires_in":4123,"restricted_to":[],"issued_token_type":"bearer"}"#),
            (200, JSON, br#"{"access_token":"t","token_type":"BEARER"}"#),
            (200, JSON, br#"{"access_token":"t","token_type":"N_A"}"#),
            (200, "text/html; charset=utf-8", br#"  {"access_token":"t"}  "#),
            (200, JSON, b"\xef\xbb\xbf{\"access_token\":\"t\"}"),
            (200, "application/x-www-form-urlencoded", b"access_token=t&scope=repo%2Cgist&token_type=bearer"),
            (200, "text/plain", b"access_token=t&expires=5108"),
            (200, JSON, br#"{"access_token":"t","error":null}"#),
            (200, JSON, br#"{"access_token":"t","error":""}"#),
            (200, JSON, br#"{"ok":true,"access_token":"t"}"#),
        ];
        for (status, kind, body) in good {
            assert_eq!(read(status, kind, body).as_deref(), Ok("t"), "{}", String::from_utf8_lossy(body));
        }
        let slack = br#"{"ok":true,"authed_user":{"access_token":"t"},"token_type":"user"}"#;
        assert_eq!(read_at(200, JSON, slack, Some("$.authed_user.access_token")).as_deref(), Ok("t"));
    }

    #[test]
    fn what_is_no_token_says_why() {
        let bad: [(u16, &str, &[u8], &str); 18] = [
            (
                400,
                JSON,
                br#"{"error":"invalid_grant","error_description":"Refresh token\r\n  has expired"}"#,
                "invalid_grant: Refresh token has expired",
            ),
            (200, JSON, br#"{"error":"bad_verification_code"}"#, "bad_verification_code"),
            (200, JSON, br#"{"ok":false,"error":"invalid_code"}"#, "invalid_code"),
            (200, JSON, br#"{"ok":false}"#, "not ok"),
            (403, JSON, br#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}"#, "PERMISSION_DENIED: no"),
            (302, "text/html", b"moved", "the token endpoint redirects (status 302)"),
            (
                502,
                "text/html",
                b"<html>\n<b>Bad Gateway</b>",
                "the answer is `text/html` and no JSON | <html> <b>Bad Gateway</b>",
            ),
            (500, JSON, br#"{"message":"oops"}"#, r#"the server says no and not why | {"message":"oops"}"#),
            (200, JSON, br#"{"access_token":""}"#, r#"the answer holds no `access_token` | {"access_token":""}"#),
            (200, JSON, br#"{"access_token":7}"#, r#"the answer holds no `access_token` | {"access_token":7}"#),
            (200, JSON, b"[1]", "the answer is JSON, but no object | [1]"),
            (200, JSON, br#"{"access_token":"t"#, "the answer is cut off or no valid JSON | {\"access_token\":\"t"),
            (200, JSON, b"", "the answer is empty | "),
            (200, JSON, b"{\"access_token\":\"\xff\"}", "the answer is not UTF-8 text | {\"access_token\":\"\u{fffd}\"}"),
            (
                200,
                JSON,
                br#"{"access_token":"a\r\nX: y"}"#,
                "the token holds characters that can't be sent | {\"access_token\":\"a\\r\\nX: y\"}",
            ),
            (
                200,
                JSON,
                br#"{"access_token":"t","refresh_token":"\u0000"}"#,
                "the token holds characters that can't be sent | {\"access_token\":\"t\",\"refresh_token\":\"\\u0000\"}",
            ),
            (
                200,
                JSON,
                br#"{"access_token":"t","token_type":"mac"}"#,
                "the token has the type `mac`, and nothing says how that is sent | {\"access_token\":\"t\",\"token_type\":\"mac\"}",
            ),
            (200, "text/html", b"access_token=t", "the answer is `text/html` and no JSON | access_token=t"),
        ];
        for (status, kind, body, expected) in bad {
            assert_eq!(read(status, kind, body), Err(expected.to_owned()), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_long_answer_is_shortened() {
        let Err(shown) = read(502, "text/html", "é".repeat(5000).as_bytes()) else { panic!("no error") };
        assert!(shown.ends_with('…') && shown.chars().count() < 260, "{shown}");
    }
}

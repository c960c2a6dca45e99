//! The pages that a person sees: plain HTML, no script, light and dark. Everything that came from a request is escaped.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use url::{Host, Url};

use super::authorize::Request;
use super::codes::LIFETIME;

/// A page and the content security policy that it needs.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// Asks whether the application may have access. The form goes to `action` and carries `token`.
pub(super) fn ask(request: &Request, action: &str, token: &str) -> Page {
    let scopes = if request.scopes.is_empty() {
        "all that the application is set up for".to_owned()
    } else {
        request.scopes.iter().map(|scope| format!("<code>{}</code>", Escaped(scope))).collect::<Vec<_>>().join(" ")
    };
    let target = match &request.redirect {
        Some(url) => format!("<code>{}</code>", Escaped(&place(url))),
        None => "shown on the next page, to be copied".to_owned(),
    };
    let body = format!(
        r#"<h1>Give this application access?</h1>
<p>It wants to act as <strong>Sandbox User</strong>. Nothing here is real: this page comes from the sandbox on your own machine.</p>
<dl>
<dt>Client id</dt><dd><code>{client}</code></dd>
<dt>Scopes</dt><dd>{scopes}</dd>
<dt>Code goes to</dt><dd>{target}</dd>
</dl>
<form method="post" action="{action}">
<input type="hidden" name="consent" value="{token}">
<button class="main" name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button>
</form>
<p class="note">The code that this makes works once, within {LIFETIME} seconds.</p>
"#,
        client = Escaped(&request.client_id),
        action = Escaped(action),
        token = Escaped(token),
    );
    page("Give this application access?", &body, request.redirect.as_ref())
}

/// Shows a code to be copied.
pub(super) fn code(code: &str) -> Page {
    let body = format!(
        r#"<h1>Your authorization code</h1>
<p>Copy it to where you were asked for it; one click selects it. It works once, within {LIFETIME} seconds.</p>
<p class="code" tabindex="0">{code}</p>
<div class="left" aria-hidden="true"><div></div></div>
<p class="note">The bar shows the time that is left. Once it is empty, start again from your application.</p>
"#,
        code = Escaped(code),
    );
    page("Your authorization code", &body, None)
}

/// Says what went wrong, under the name that OAuth has for it.
pub(super) fn error(error: &str, text: &str) -> Page {
    let heading = match error {
        "access_denied" => "Access denied",
        "expired" => "This page has expired",
        _ => "This request can't be served",
    };
    let body = format!(
        "<h1>{heading}</h1>\n<p>{text}</p>\n<p class=\"note\">Error: <code>{error}</code></p>\n",
        text = Escaped(text),
        error = Escaped(error),
    );
    page(heading, &body, None)
}

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c2330;--faint:#5b6577;--line:#d9dee7;--card:#fff;--ground:#f3f5f9;--main:#0b57c2;--on-main:#fff}\
@media(prefers-color-scheme:dark){:root{--text:#e6e9f0;--faint:#9aa4b5;--line:#363e4c;--card:#1d222c;--ground:#12151b;\
--main:#8ab4f8;--on-main:#10203a}}\
*{box-sizing:border-box}\
body{margin:0;padding:1.5rem;min-height:100vh;display:grid;place-content:center;grid-template-columns:minmax(0,34rem);\
background:var(--ground);color:var(--text);font:1rem/1.5 system-ui,sans-serif}\
header{margin:0 0 .75rem;color:var(--faint);font-size:.875rem}\
main{padding:1.75rem 2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}\
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.25}\
p{margin:0 0 1.25rem;overflow-wrap:anywhere}\
dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.5rem 1.25rem;margin:0 0 1.5rem;padding:1rem 0;\
border:solid var(--line);border-width:1px 0}\
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}\
code,.code{font-family:ui-monospace,monospace;font-size:.9375em;unicode-bidi:isolate}\
form{display:flex;gap:.75rem;margin:0 0 1.25rem}\
button{flex:1;padding:.625rem 1rem;font:inherit;font-weight:600;color:var(--text);background:none;border:1px solid var(--faint);\
border-radius:.5rem;cursor:pointer}\
button.main{color:var(--on-main);background:var(--main);border-color:var(--main)}\
button:hover{filter:brightness(1.1)}\
:focus-visible{outline:3px solid var(--main);outline-offset:2px}\
.note{margin:0;color:var(--faint);font-size:.875rem}\
.code{margin:0 0 .75rem;padding:.875rem 1rem;font-size:1.125rem;text-align:center;border:1px solid var(--line);\
border-radius:.5rem;user-select:all}\
.left{height:.25rem;margin:0 0 1.25rem;border-radius:.125rem;background:var(--line);overflow:hidden}\
.left div{height:100%;background:var(--main);transform-origin:left;animation:left 30s linear forwards}\
@keyframes left{to{transform:scaleX(0)}}\
@media(max-width:30rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}main{padding:1.25rem}}";

fn page(title: &str, body: &str, redirect: Option<&Url>) -> Page {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} · runner sandbox</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<header>runner sandbox</header>\n<main>\n{body}</main>\n</body>\n</html>\n",
        title = Escaped(title),
    );
    let style = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let form = redirect.map_or_else(String::new, |url| format!(" {}", source(url)));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{form}; frame-ancestors 'none'; base-uri 'none'"
    );
    Page { html, policy }
}

/// Where a code goes, as a person reads it.
fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// The redirect's origin for the policy: browsers hold the redirect that answers a form against `form-action` too. An IPv6 host
/// can't be written there, so its scheme has to do.
fn source(url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv6(_)) => format!("{}:", url.scheme()),
        _ => url.origin().ascii_serialization(),
    }
}

/// Text made safe for HTML, between tags and in a quoted attribute.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let text = Escaped(r#"<a href="x" title='y'>&</a>"#).to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;&lt;/a&gt;");
    }

    #[test]
    fn the_policy_lets_the_form_end_where_the_code_goes() {
        let cases = [
            ("http://127.0.0.1:4000/callback?x=1", "form-action 'self' http://127.0.0.1:4000;"),
            ("http://localhost/", "form-action 'self' http://localhost;"),
            ("http://[::1]:4000/", "form-action 'self' http:;"),
        ];
        for (url, expected) in cases {
            let page = page("x", "", Some(&Url::parse(url).unwrap()));
            assert!(page.policy.contains(expected), "{}", page.policy);
        }
    }
}

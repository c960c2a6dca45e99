//! A request as written, and the values at hand, to a request that can be sent.

use std::path::Path;

use bytes::Bytes;
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value};
use url::Url;

use crate::auth::{Carrier, Choice, Definition, Method as AuthMethod, Scheme};
use crate::collection::{Body, Field, Request};

use crate::http;
use crate::plan::{Found, Plan, Scope, Taint};
use crate::secret::Secret;
use crate::template::{Engine, Error, RESERVED_IN_URL, Template, Tree, Values};

use super::gate::Carried;

/// A request that can be sent.
pub(super) struct Rendered {
    pub(super) request: http::Request,
    /// The body as text, for a dry run; a file as its path.
    pub(super) body_text: Option<String>,
    pub(super) carried: Vec<Carried>,
}

/// A body that can be sent.
struct RenderedBody {
    body: http::Body,
    /// The body as text, for a dry run; a file as its path.
    text: String,
    content_type: String,
}

/// The secrets that `request` carries with the values at hand; `based`: its url needs the base.
///
/// # Errors
/// The value of a variable that it reads can't be had.
pub fn carried(plan: &Plan, unit: usize, scope: &Scope<'_>, request: &Request, based: bool) -> Result<Vec<Carried>, Error> {
    Renderer { plan, unit, scope }.carried(request, based)
}

/// Renders requests of one collection.
pub(super) struct Renderer<'a, 'r> {
    pub(super) plan: &'a Plan,
    pub(super) unit: usize,
    pub(super) scope: &'a Scope<'r>,
}

impl<'a> Renderer<'a, '_> {
    fn engine(&self) -> &'a Engine {
        &self.plan.engine
    }

    fn definition(&self, request: &Request) -> Option<(&'a Definition, bool)> {
        self.plan.definition(self.unit, request)
    }

    /// Every template that sending the request renders, and whether the environment's own scope renders it.
    pub(super) fn templates(&self, request: &'a Request) -> Vec<(&'a Template, bool)> {
        let mut found: Vec<_> = crate::plan::sent_templates(request).into_iter().map(|template| (template, false)).collect();
        if let Some((Definition { method: AuthMethod::Scheme(scheme), .. }, environment)) = self.definition(request) {
            found.extend(scheme.templates().into_iter().map(|template| (template, environment)));
        }
        found
    }

    /// The secrets that the request carries, by the names that its templates read. `based`: its url needed the base.
    fn carried(&self, request: &'a Request, based: bool) -> Result<Vec<Carried>, Error> {
        let mut carried: Vec<Carried> = Vec::new();
        // The same name is another variable in the environment's own scope.
        let mut seen: Vec<(&str, bool)> = Vec::new();
        let base = request.base_url.iter().filter(|_| based).map(|template| (template, false));
        // Whether a request is sent at all tells something about what its `when` reads.
        let when = request.when.iter().map(|template| (template, false));
        for (template, environment) in self.templates(request).into_iter().chain(base).chain(when) {
            for read in template.reads() {
                let Some(name) = read.path.first() else { continue };
                let doubt = self.scope.doubt(name);
                if !environment && doubt.secret && !carried.iter().any(|other| other.name == *name) {
                    carried.push(Carried {
                        name: name.clone(),
                        value: None,
                        origin: doubt.origin,
                        given: doubt.given,
                        outcome_of: None,
                    });
                }
                if read.presence_only {
                    continue;
                }
                if seen.contains(&(name.as_str(), environment)) {
                    continue;
                }
                seen.push((name, environment));
                if environment {
                    let values = self.scope.environment();
                    if values.get(name)?.is_some_and(|found| found.secret) {
                        carried.push(Carried {
                            name: name.clone(),
                            value: None,
                            origin: None,
                            given: values.is_given(name),
                            outcome_of: None,
                        });
                    }
                } else if let Some(found) = self.scope.find(name)?.filter(|found| found.secret) {
                    let Found { value, origin, given, .. } = found;
                    let value = value.as_str().filter(|_| origin.is_some() || given).map(Secret::new);
                    carried.push(Carried { name: name.clone(), value, origin, given, outcome_of: None });
                }
            }
        }
        if let Some((Definition { name, method: AuthMethod::Scheme(scheme), .. }, true)) = self.definition(request)
            && scheme.literal_credential().is_some()
        {
            carried.push(Carried { name: format!("auth.{name}"), value: None, origin: None, given: false, outcome_of: None });
        }
        for (name, outcome) in self.scope.followed().iter().filter(|_| !request.always) {
            let Taint { origin, given, .. } = outcome.taint.clone();
            let outcome_of = Some((name.clone(), outcome.request.clone().unwrap_or_default()));
            carried.push(Carried { name: name.clone(), value: None, origin, given, outcome_of });
        }
        Ok(carried)
    }

    /// Renders everything of `request`.
    ///
    /// # Errors
    /// A template fails, or what comes out is no URL, header or file that can be sent.
    pub(super) fn render(&self, request: &'a Request) -> Result<Rendered, Error> {
        let (mut url, based) = self.url(request)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for field in &request.headers {
            for template in &field.values {
                for value in self.texts(template)? {
                    headers.push((field.name.clone(), fit_for_header(&field.name, value, template)?));
                }
            }
        }
        let mut query = self.pairs(&request.query)?;
        let mut secret = http::SecretParts::default();
        let tainted = request.headers.iter().filter(|field| !self.secrets_of(field.values.iter()).is_empty());
        secret.headers.extend(tainted.map(|field| field.name.clone()));
        secret.headers.extend(self.authorise(request, &mut headers, &mut query)?);
        append_query(&mut url, &query);
        let body = request.body.as_ref().map(|body| self.body(body)).transpose()?;
        if let Some(body) = &body
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            headers.push(("Content-Type".to_owned(), body.content_type.clone()));
        }
        let method = http::Method::new(&request.method).map_err(|error| error.finding().at(request.url.place().clone()))?;
        let mut sent = http::Request::new(method, url);
        sent.headers = headers;
        let (body, body_text) = body.map(|body| (body.body, body.text)).unzip();
        sent.body = body;
        let in_body = request.body.as_ref().map(|body| self.secrets_of(body.templates().into_iter()));
        secret.body = in_body.filter(|names| !names.is_empty());
        sent.secret = secret;
        sent.redirects = request.redirects.unwrap_or(http::DEFAULT_REDIRECTS);
        Ok(Rendered { request: sent, body_text, carried: self.carried(request, based)? })
    }

    /// The names of the secrets that `templates` read.
    fn secrets_of<'t>(&self, templates: impl Iterator<Item = &'t Template>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for read in templates.flat_map(Template::reads) {
            let Some(name) = read.path.first().filter(|name| !names.contains(name)) else { continue };
            if self.scope.taint(&mut std::iter::once(read)).secret {
                names.push(name.clone());
            }
        }
        names
    }

    fn values(&self, field: &Field) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for template in &field.values {
            found.extend(self.texts(template)?);
        }
        Ok(found)
    }

    fn texts(&self, template: &Template) -> Result<Vec<String>, Error> {
        let texts = self.engine().texts(template, self.scope)?;
        Ok(texts.into_iter().map(|text| self.protected(template, text)).collect())
    }

    pub(super) fn tree(&self, tree: &Tree<Template>) -> Result<Value, Error> {
        Ok(match tree {
            Tree::Leaf(leaf) => {
                let value = self.engine().value(leaf, self.scope)?;
                if self.derives_secret(leaf) {
                    self.scope.environment().protect(&value);
                }
                value
            }
            Tree::List(items) => Value::Array(items.iter().map(|item| self.tree(item)).collect::<Result<_, _>>()?),
            Tree::Map(entries) => {
                let mut members = Map::new();
                for (key, value) in entries {
                    members.insert(self.protected(key, self.engine().text(key, self.scope)?), self.tree(value)?);
                }
                Value::Object(members)
            }
        })
    }

    /// `text`, which `template` gave; what was made of a secret is masked like one.
    fn protected(&self, template: &Template, text: String) -> String {
        if self.derives_secret(template) {
            self.scope.environment().protect(&Value::from(text.as_str()));
        }
        text
    }

    fn derives_secret(&self, template: &Template) -> bool {
        template.transforms() && self.scope.taint(&mut template.reads().iter()).secret
    }

    /// The text of a template of a definition: an environment's sees the environment only.
    pub(super) fn text_of(&self, template: &Template, environment: bool) -> Result<String, Error> {
        let own = self.scope.environment().scope(template.reads());
        let values: &dyn Values = if environment { &own } else { self.scope };
        Ok(self.protected(template, self.engine().text(template, values)?))
    }

    fn pairs(&self, fields: &[Field]) -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        for field in fields {
            found.extend(self.values(field)?.into_iter().map(|value| (field.name.clone(), value)));
        }
        Ok(found)
    }

    /// The url, and whether it needed `base_url`: what a variable brings decides that too.
    fn url(&self, request: &Request) -> Result<(Url, bool), Error> {
        let mut text = self.engine().text(&request.url, self.scope)?;
        let mut based = false;
        if text.starts_with('/')
            && let Some(base) = &request.base_url
        {
            based = true;
            let base = self.engine().text(base, self.scope)?;
            text = format!("{}{text}", base.trim_end_matches('/'));
        }
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok((url, based)),
            parsed => {
                let why = match parsed {
                    Ok(url) if url.scheme() != "http" && url.scheme() != "https" => {
                        "it does not start with `https://` or `http://`"
                    }
                    Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => "it does not start with `https://` or `http://`",
                    Err(url::ParseError::InvalidPort) => "its port is no number from 0 to 65535",
                    Err(_) => "its host can't be read",
                };
                let finding = request.url.place().error("the url that comes out can't be used").label(why);
                Err(finding.help(format!("it is `{text}`")).into())
            }
        }
    }

    /// Adds what the request is authorised with. It replaces a header of the same name. Gives the name of the header that holds
    /// it, if one does.
    fn authorise(
        &self,
        request: &Request,
        headers: &mut Vec<(String, String)>,
        query: &mut Vec<(String, String)>,
    ) -> Result<Option<String>, Error> {
        let named = self.definition(request);
        let (scheme, environment) = match (&request.auth, &named) {
            (Choice::Inline(scheme), _) => (scheme, false),
            (_, Some((Definition { method: AuthMethod::Scheme(scheme), .. }, environment))) => (scheme, *environment),
            _ => return Ok(None),
        };
        let text = |template: &Template| self.text_of(template, environment);
        let mut set = |name: &str, value: String| {
            headers.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
            headers.push((name.to_owned(), value));
        };
        match scheme {
            Scheme::Bearer(token) => {
                set("Authorization", fit_for_header("Authorization", format!("Bearer {}", text(token)?), token)?);
            }
            Scheme::Basic { username, password } => {
                use base64::Engine as _;
                let user = text(username)?;
                if user.contains(':') {
                    let finding = username.place().error("a user name for Basic authorisation can't hold a `:` (RFC 7617 §2)");
                    return Err(finding.into());
                }
                let pair = format!("{user}:{}", text(password)?);
                set("Authorization", format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)));
            }
            Scheme::ApiKey { carrier: Carrier::Header, name, value } => {
                set(name, fit_for_header(name, text(value)?, value)?);
                return Ok(Some(name.clone()));
            }
            Scheme::ApiKey { carrier: Carrier::Query, name, value } => query.push((name.clone(), text(value)?)),
            Scheme::ApiKey { carrier: Carrier::Cookie, name, value } => {
                let cookie = fit_for_header("Cookie", format!("{name}={}", text(value)?), value)?;
                match headers.iter_mut().find(|(old, _)| old.eq_ignore_ascii_case("cookie")) {
                    Some((_, cookies)) => *cookies = format!("{cookies}; {cookie}"),
                    None => headers.push(("Cookie".to_owned(), cookie)),
                }
            }
        }
        // All others are known by their name.
        Ok(None)
    }

    fn body(&self, body: &Body) -> Result<RenderedBody, Error> {
        let (text, content_type) = match body {
            Body::Form(fields) => {
                let pairs = self.pairs(fields)?;
                let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                (text, "application/x-www-form-urlencoded")
            }
            Body::Json(tree) => (self.tree(tree)?.to_string(), "application/json"),
            Body::Text(template) => {
                (self.protected(template, self.engine().text(template, self.scope)?), "text/plain; charset=utf-8")
            }
            Body::File { path, content_type } => return self.file(path, content_type.as_ref()),
        };
        let body = http::Body::Bytes(Bytes::from(text.clone()));
        Ok(RenderedBody { body, text, content_type: content_type.to_owned() })
    }

    fn file(&self, path: &Template, content_type: Option<&Template>) -> Result<RenderedBody, Error> {
        let named = self.engine().text(path, self.scope)?;
        let folder = self.plan.units[self.unit].collection.path.parent().unwrap_or(Path::new("."));
        let opened = self.plan.root.open(folder, &named);
        let opened = opened.map_err(|refusal| Error::from(refusal.finding("the body file", path.place())))?;
        let body = http::Body::file(opened.file)
            .map_err(|error| Error::from(path.place().error(format!("the body file `{named}` can't be read: {error}"))))?;
        let content_type = match content_type {
            Some(template) => self.engine().text(template, self.scope)?,
            None => "application/octet-stream".to_owned(),
        };
        Ok(RenderedBody { body, text: format!("<the file {named}>"), content_type })
    }
}

/// Adds parameters behind those that the url has already.
pub(super) fn append_query(url: &mut Url, pairs: &[(String, String)]) {
    if pairs.is_empty() {
        return;
    }
    let mut query = url.query().unwrap_or_default().to_owned();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, RESERVED_IN_URL));
        query.push('=');
        query.extend(utf8_percent_encode(value, RESERVED_IN_URL));
    }
    url.set_query(Some(&query));
}

/// Refuses what would end a header and start another (RFC 9110 §5.5), at the template that gave it.
fn fit_for_header(name: &str, value: String, template: &Template) -> Result<String, Error> {
    if !value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Ok(value);
    }
    let finding = template.place().error(format!("the header `{name}` can't hold a line break or another control character"));
    let mut names: Vec<String> = template.reads().iter().map(|read| format!("`{}`", read.path.join("."))).collect();
    names.dedup();
    Err(match names.is_empty() {
        true => finding.into(),
        false => finding.label(format!("it comes from {}", names.join(" or "))).into(),
    })
}

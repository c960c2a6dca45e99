//! The token of the managed login that a request names: got before the request is sent, renewed once when a server refuses it.

use std::path::Path;

use serde_json::Value;
use url::Url;

use crate::auth::{Definition, Login, Method, Send};
use crate::collection::Request;
use crate::diagnostic::{Cause, Diagnostic};
use crate::event::{Problem, ProblemKind};
use crate::files::read::read_text;
use crate::http::{self, Exchange};
use crate::mask::is_secret_name;
use crate::oauth::{self, Asking, Fields, Token};
use crate::plan::{Found, Scope};
use crate::secret::Secret;
use crate::template::{Error, Template, Tree};
use crate::trust::Origin;

use super::Run;
use super::gate::Carried;
use super::render::{Rendered, Renderer, append_query};

/// The login of a request, with the token that is sent with it.
pub(super) struct Access<'a> {
    /// The name under which its token is kept.
    name: String,
    /// The definition.
    login: &'a Login,
    /// Whether it is the environment's: it reads nothing else then.
    environment: bool,
    token: Token,
}

impl Access<'_> {
    /// Puts the token into a request that was rendered without it.
    pub(super) fn authorise(&self, request: &mut http::Request) {
        let Send { header, query, prefix } = &self.login.send;
        let token = self.token.access_token();
        if let Some(name) = query {
            append_query(&mut request.url, &[(name.clone(), token.expose().to_owned())]);
            return;
        }
        let name = header.as_deref().unwrap_or("Authorization");
        let value = match prefix.as_deref().unwrap_or(self.token.token_type()) {
            "" => token.expose().to_owned(),
            prefix => format!("{prefix} {}", token.expose()),
        };
        request.headers.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
        request.headers.push((name.to_owned(), value));
    }

    /// Whether a renewed token may help: the server refuses this one (RFC 6750 §3.1). A token with too few rights is not helped.
    pub(super) fn is_refused_by(&self, exchange: &Exchange) -> bool {
        exchange.response.status == 401
            && !exchange.response.headers("www-authenticate").any(|challenge| challenge.contains("insufficient_scope"))
    }
}

impl<'r> Run<'r, '_> {
    /// The token of the login that `request` names; `None` when it names none.
    pub(super) async fn access<'a>(
        &mut self,
        request: &'a Request,
        renderer: &Renderer<'a, 'r>,
        rendered: &mut Rendered,
    ) -> Result<Option<Access<'a>>, Problem> {
        let Some((definition, environment)) = renderer.plan.definition(renderer.unit, request) else { return Ok(None) };
        let Definition { name, method: Method::Login(login), .. } = definition else { return Ok(None) };
        let kept_as = if environment { name.clone() } else { self.own_name(renderer.unit, name) };
        // Before a token is got for it: a code that can be used once must not be spent on a request that may not be sent.
        let carried = Carried { name: format!("token of {name}"), value: None, origin: None, given: false };
        let url = &rendered.request.url;
        let place = request.url.place();
        let pass = self.gate.pass(url, vec![carried.clone()]).map_err(|error| problem_of(oauth_definition(error), name))?;
        pass.check(url).map_err(|refusal| {
            let finding = place.error(refusal.to_string()).refusal();
            let finding = refusal.hint().into_iter().fold(finding, Diagnostic::help);
            Problem { kind: ProblemKind::Policy, diagnostic: finding }
        })?;
        rendered.carried.push(carried);
        let token = self.token(renderer, (&kept_as, login, environment), None).await?;
        Ok(Some(Access { name: kept_as, login, environment, token }))
    }

    /// A new token in place of one that a server refused.
    pub(super) async fn renew<'a>(&mut self, renderer: &Renderer<'a, 'r>, access: &mut Access<'a>) -> Result<(), Problem> {
        let refused = access.token.access_token();
        access.token = self.token(renderer, (&access.name, access.login, access.environment), Some(&refused)).await?;
        Ok(())
    }

    async fn token(
        &mut self,
        renderer: &Renderer<'_, 'r>,
        (name, login, environment): (&str, &Login, bool),
        refused: Option<&Secret>,
    ) -> Result<Token, Problem> {
        let Some(logins) = self.logins else {
            let diagnostic = login.place.error("there is no place for tokens in this run");
            return Err(Problem { kind: ProblemKind::Authorisation, diagnostic });
        };
        let fields = LoginFields { renderer, environment };
        let endpoints = self.gate.endpoints(environment, name).map_err(|error| problem_of(oauth_definition(error), name))?;
        let sandbox = renderer.scope.environment().sandbox_url().and_then(|url| Origin::of(&Url::parse(&url).ok()?));
        let guard = |url: &Url| endpoints.check(url);
        let asking = Asking { name, login, fields: &fields, sandbox, guard: &guard, refused };
        let obtained = logins.token(&asking).await;
        for notice in logins.notices() {
            self.notice(&notice.at(login.place.clone()));
        }
        let obtained = obtained.map_err(|error| {
            self.unsaved |= matches!(error, oauth::Error::Store(_));
            let problem = problem_of(error, name);
            let placed = problem.diagnostic.place.is_some();
            Problem { diagnostic: if placed { problem.diagnostic } else { problem.diagnostic.at(login.place.clone()) }, ..problem }
        })?;
        for (name, value) in obtained.values {
            self.hold(renderer.scope, &name, value);
        }
        Ok(obtained.token)
    }

    /// A value of a token answer, which the login keeps: visible at once, and to later collections.
    fn hold(&mut self, scope: &Scope<'_>, name: &str, value: Value) {
        let secret = is_secret_name(name) && value.is_string();
        if secret {
            self.values.protect(&value);
        }
        let found = Found { value: std::sync::Arc::new(value), secret, origin: None, given: false };
        self.stored.insert(name.to_owned(), found.clone());
        scope.capture(name, found);
    }

    /// A collection's own login is kept under its file: two collections may call different ones by one name.
    fn own_name(&self, unit: usize, name: &str) -> String {
        let path = &self.plan.units[unit].collection.path;
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        format!("{}:{name}", real.strip_prefix(self.plan.root.path()).unwrap_or(&real).display())
    }
}

/// The fields of a login, evaluated where it stands: an environment's sees the environment only.
struct LoginFields<'f, 'a, 'r> {
    renderer: &'f Renderer<'a, 'r>,
    environment: bool,
}

impl Fields for LoginFields<'_, '_, '_> {
    fn text(&self, template: &Template) -> Result<String, Error> {
        self.renderer.text_of(template, self.environment)
    }

    fn value(&self, tree: &Tree<Template>) -> Result<Value, Error> {
        self.renderer.value_of(tree, self.environment)
    }

    fn document(&self, template: &Template) -> Result<Secret, Error> {
        let text = self.text(template)?;
        if text.trim_start().starts_with('{') {
            return Ok(Secret::new(text));
        }
        let place = template.place();
        let plan = self.renderer.plan;
        if !self.environment {
            let folder = plan.units[self.renderer.unit].collection.path.parent().unwrap_or(Path::new("."));
            let mut opened = plan.root.open(folder, &text).map_err(|refusal| {
                let finding = place.error(format!("the configuration file {refusal}"));
                Error::from(if refusal.is_policy() { finding.refusal() } else { finding })
            })?;
            let bytes = opened.bytes(1 << 20).map_err(|error| Error::from(place.error(format!("the configuration file {error}"))))?;
            return Ok(Secret::new(String::from_utf8_lossy(&bytes).into_owned()));
        }
        let files = plan.environment.files.as_ref();
        let path = files.and_then(|files| files.shared.parent()).unwrap_or(Path::new(".")).join(&text);
        let local = files.is_some_and(|files| files.local_shown == place.file.name());
        if !local && !plan.root.contains(&path) {
            let finding = place.error(format!("the configuration file `{text}` lies outside of the project"));
            return Err(finding.refusal().into());
        }
        let read = read_text(&path).map_err(|error| Error::from(place.error(format!("the configuration file `{text}` {error}"))))?;
        Ok(Secret::new(read))
    }

    fn has(&self, template: &Template) -> bool {
        let scope = self.renderer.scope;
        let values = scope.environment();
        template.reads().iter().filter_map(|read| read.path.first()).all(|root| match self.environment {
            true => root == "sandbox" || values.has(root),
            false => scope.missing(root).is_none(),
        })
    }
}

fn oauth_definition(error: Error) -> oauth::Error {
    oauth::Error::Definition(Box::new(match error {
        Error::Undefined { path, place } => place.error(format!("`{path}` has no value")),
        Error::Failed(finding) => *finding,
    }))
}

/// Which exit code the lack of a token leads to.
fn problem_of(error: oauth::Error, name: &str) -> Problem {
    let diagnostic = error.finding(name);
    let kind = match (&error, diagnostic.cause) {
        (oauth::Error::Definition(_) | oauth::Error::Store(_), Cause::Policy) => ProblemKind::Policy,
        (oauth::Error::Definition(_), Cause::Input) => ProblemKind::Build,
        (oauth::Error::Store(_), Cause::Input) => ProblemKind::Save,
        (oauth::Error::Http(error) | oauth::Error::Unanswered(error), _) => match error.class() {
            http::Class::Policy => ProblemKind::Policy,
            http::Class::Transport => ProblemKind::Transport,
            http::Class::Request => ProblemKind::Build,
        },
        _ => ProblemKind::Authorisation,
    };
    Problem { kind, diagnostic }
}

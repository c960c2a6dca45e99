//! The token of the managed login that a request names: got before the request is sent, renewed once when a server refuses it.

use std::path::Path;

use serde_json::Value;
use url::Url;

use crate::auth::{Definition, Login, Method, Send};
use crate::collection::Request;
use crate::diagnostic::{Cause, Diagnostic, Place, Severity};
use crate::event::{Outcome, Problem, ProblemKind, Skipped};
use crate::http::{self, Exchange};
use crate::mask::is_secret_name;
use crate::oauth::{self, Asking, EnvironmentFields, Fields, Token};
use crate::plan::{Found, Scope, all_templates};
use crate::secret::Secret;
use crate::template::{Error, Template, Tree};
use crate::trust::Origin;

use super::Run;
use super::gate::Carried;
use super::render::{Rendered, Renderer, append_query};

/// The login of a request, with the token that is sent with it.
pub(super) struct Access<'a> {
    named: Named<'a>,
    token: Token,
}

/// A login and where it stands.
#[derive(Clone)]
struct Named<'a> {
    /// The name under which its token is kept.
    name: String,
    login: &'a Login,
    place: &'a Place,
    /// Whether it is the environment's: it reads nothing else then.
    environment: bool,
}

impl Access<'_> {
    /// Puts the token into a request that was rendered without it.
    pub(super) fn authorise(&self, request: &mut http::Request) {
        let Send { header, query, prefix } = &self.named.login.send;
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
        // A redirect to another origin must not take it along, whatever the header is called.
        request.secret.headers.push(name.to_owned());
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
    ) -> Result<Option<Access<'a>>, Outcome> {
        let Some((definition, environment)) = renderer.plan.definition(renderer.unit, request) else { return Ok(None) };
        let Method::Login(login) = &definition.method else { return Ok(None) };
        let named = self.named(renderer.unit, definition, login, environment);
        // Before a token is got for it: a code that can be used once must not be spent on a request that may not be sent.
        let carried =
            Carried { name: format!("token of {}", definition.name), value: None, origin: None, given: false, outcome_of: None };
        let url = &rendered.request.url;
        let place = request.url.place();
        let pass = self
            .gate
            .pass(url, vec![carried.clone()], self.masker)
            .map_err(|error| errored(problem_of(oauth_definition(error), &named)))?;
        pass.check(url).map_err(|refusal| {
            let finding = place.error(refusal.to_string()).refusal();
            let finding = refusal.hint().into_iter().fold(finding, Diagnostic::help);
            errored(Problem { kind: ProblemKind::Policy, diagnostic: finding })
        })?;
        rendered.carried.push(carried);
        let token = self.first_token(renderer, &named).await?;
        Ok(Some(Access { named, token }))
    }

    /// The token of a login for a request; a login that failed is not tried again in this run.
    async fn first_token(&mut self, renderer: &Renderer<'_, 'r>, named: &Named<'_>) -> Result<Token, Outcome> {
        if self.failed_logins.contains(&named.name) {
            return Err(Outcome::Skipped(Skipped::NoToken { login: named.name.clone() }));
        }
        self.token(renderer, named, None).await.map_err(|problem| {
            // What could not be saved is held all the same, for the requests that run whatever happens.
            if problem.kind != ProblemKind::Save {
                self.failed_logins.insert(named.name.clone());
            }
            errored(problem)
        })
    }

    /// What a dry run shows in the place of a token: nothing is asked for.
    pub(super) fn announce_token(&self, request: &Request, renderer: &Renderer<'_, 'r>, rendered: &mut Rendered) {
        let Some((Definition { name, method: Method::Login(login), .. }, _)) = renderer.plan.definition(renderer.unit, request)
        else {
            return;
        };
        let token = format!("<the token of {name}>");
        match &login.send {
            Send { query: Some(query), .. } => append_query(&mut rendered.request.url, &[(query.clone(), token)]),
            Send { header, prefix, .. } => {
                let prefix = prefix.as_deref().unwrap_or("Bearer");
                let header = header.as_deref().unwrap_or("Authorization");
                rendered.request.headers.push((header.to_owned(), format!("{prefix} {token}").trim_start().to_owned()));
            }
        }
    }

    /// Makes the tokens visible that the templates of `request` read as `tokens.NAME`, each fresh.
    pub(super) async fn tokens_read(&mut self, request: &Request, renderer: &Renderer<'_, 'r>) -> Result<(), Outcome> {
        let mut names: Vec<&str> = tokens_of(request).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let found = renderer.plan.logins(renderer.unit).find(|(definition, ..)| definition.name == name);
            let Some((definition, login, environment)) = found else { continue };
            let named = self.named(renderer.unit, definition, login, environment);
            let token = self.first_token(renderer, &named).await?;
            renderer.scope.set_token(name, token.members().clone());
        }
        Ok(())
    }

    /// A new token in place of one that a server refused.
    pub(super) async fn renew<'a>(&mut self, renderer: &Renderer<'a, 'r>, access: &mut Access<'a>) -> Result<(), Problem> {
        let refused = access.token.access_token();
        access.token = self.token(renderer, &access.named, Some(&refused)).await?;
        Ok(())
    }

    async fn token<'a>(
        &mut self,
        renderer: &Renderer<'a, 'r>,
        named: &Named<'_>,
        refused: Option<&Secret>,
    ) -> Result<Token, Problem> {
        let Named { name, login, place, environment } = named;
        let (login, environment) = (*login, *environment);
        let values = renderer.scope.environment();
        let of_environment = EnvironmentFields { engine: &self.plan.engine, values, root: &self.plan.root };
        let own = OwnFields(renderer);
        let fields: &dyn Fields = if environment { &of_environment } else { &own };
        let endpoints = self.gate.endpoints(environment, name).map_err(|error| problem_of(oauth_definition(error), named))?;
        let sandbox = renderer.scope.environment().sandbox_url().and_then(|url| Origin::of(&Url::parse(&url).ok()?));
        let guard = |url: &Url, _| endpoints.check(url);
        let asking = Asking { name, login, fields, sandbox, guard: &guard, refused };
        let obtained = self.logins.token(&asking).await;
        for notice in self.logins.notices() {
            self.notice(&if notice.severity == Severity::Warning { notice.at((*place).clone()) } else { notice });
        }
        let obtained = obtained.map_err(|error| {
            self.unsaved |= matches!(error, oauth::Error::Store(_));
            problem_of(error, named)
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
    fn named<'a>(&self, unit: usize, definition: &'a Definition, login: &'a Login, environment: bool) -> Named<'a> {
        let name = match environment {
            true => definition.name.clone(),
            false => {
                let path = &self.plan.units[unit].collection.path;
                let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                format!("{}:{}", real.strip_prefix(self.plan.root.path()).unwrap_or(&real).display(), definition.name)
            }
        };
        Named { name, login, place: &definition.place, environment }
    }
}

/// The logins whose tokens the templates of `request` read.
pub(super) fn tokens_of(request: &Request) -> impl Iterator<Item = &str> {
    let reads = all_templates(request).into_iter().flat_map(Template::reads);
    reads.filter_map(|read| match read.path.as_slice() {
        [root, name, ..] if root == "tokens" => Some(name.as_str()),
        _ => None,
    })
}

/// The fields of a login of a collection: they see what its requests see.
struct OwnFields<'f, 'a, 'r>(&'f Renderer<'a, 'r>);

impl Fields for OwnFields<'_, '_, '_> {
    fn text(&self, template: &Template) -> Result<String, Error> {
        self.0.text_of(template, false)
    }

    fn value(&self, tree: &Tree<Template>) -> Result<Value, Error> {
        self.0.tree(tree)
    }

    fn document(&self, template: &Template) -> Result<Secret, Error> {
        let text = self.text(template)?;
        if text.trim_start().starts_with('{') {
            return Ok(Secret::new(text));
        }
        let place = template.place();
        let plan = self.0.plan;
        let folder = plan.units[self.0.unit].collection.path.parent().unwrap_or(Path::new("."));
        let opened = plan.root.open(folder, &text);
        let mut opened = opened.map_err(|refusal| Error::from(refusal.finding("the configuration file", place)))?;
        let bytes = opened.bytes(LARGEST_DOCUMENT);
        let bytes = bytes.map_err(|error| Error::from(place.error(format!("the configuration file {error}"))))?;
        Ok(Secret::new(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn has(&self, template: &Template) -> bool {
        template.reads().iter().filter_map(|read| read.path.first()).all(|root| self.0.scope.missing(root).is_none())
    }
}

/// The largest configuration file of a provider, in bytes.
const LARGEST_DOCUMENT: u64 = 1 << 20;

fn errored(problem: Problem) -> Outcome {
    Outcome::Errored(Box::new(problem))
}

fn oauth_definition(error: Error) -> oauth::Error {
    oauth::Error::Definition(Box::new(match error {
        Error::Undefined { path, place } => place.error(format!("`{path}` has no value")),
        Error::Failed(finding) => *finding,
    }))
}

/// Which exit code the lack of a token leads to.
fn problem_of(error: oauth::Error, named: &Named<'_>) -> Problem {
    let diagnostic = error.finding(&named.name);
    let diagnostic = if diagnostic.place.is_some() { diagnostic } else { diagnostic.at(named.place.clone()) };
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

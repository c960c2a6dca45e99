//! One request: may it run, what is sent, what came, does it hold.

use std::time::Instant;

use url::Url;

use crate::check::{self, Answer, Failure};
use crate::collection::Request;
use crate::diagnostic::{Diagnostic, Place};
use crate::event::{Outcome, Preview, Problem, ProblemKind, Skipped, Step};
use crate::http::{self, Exchange, Luggage};
use crate::plan::{Scope, Taint, all_templates};
use crate::template::{self, Template, Tree, Values as _};
use crate::trust::{Allowed, Origin, Refusal};

use super::gate::Pass;
use super::harvest::{Harvest, render_with, simple_paths};
use super::login::{Access, tokens_of};
use super::render::{Rendered, Renderer};
use super::response::AnswerScope;
use super::{Run, UnderWay};

impl<'r> Run<'r, '_> {
    /// Takes a request through all its stages and tells how it ended.
    pub(super) async fn request(&mut self, unit: usize, request: &Request, scope: &Scope<'r>) -> Outcome {
        let started = Instant::now();
        let blank = |outcome: Outcome| Step::without_answer(request, outcome, started.elapsed());
        let renderer = Renderer { plan: self.plan, unit, scope };
        if let (true, Some(name)) = (self.policy.dry_run, tokens_of(request).next()) {
            return self.finish(blank(Outcome::Skipped(Skipped::DryRun { name: format!("tokens.{name}") })));
        }
        if (!self.unsaved || request.always)
            && let Err(outcome) = self.tokens_read(request, &renderer).await
        {
            return self.finish(blank(outcome));
        }
        let mut influence = renderer.decision(request);
        let may_run = self.may_run(request, &renderer);
        if may_run.is_ok() {
            influence.add(&renderer.disguised(request));
        }
        self.note(&influence, request, scope);
        let ready = match may_run {
            Ok(()) => renderer.render(request).map_err(|error| Outcome::Errored(Box::new(build_problem(error, request)))),
            Err(outcome) => Err(outcome),
        };
        let mut rendered = match ready {
            Ok(rendered) => rendered,
            Err(outcome) => return self.finish(blank(outcome)),
        };
        if self.policy.dry_run {
            if let Err(problem) = self.admit(&mut rendered, request) {
                return self.finish(blank(Outcome::Errored(Box::new(problem))));
            }
            self.announce_token(request, &renderer, &mut rendered);
            let preview = preview(&rendered);
            return self.finish(Step { preview: Some(&preview), ..blank(Outcome::Passed) });
        }
        if let Some(limit) = self.policy.timeout.or(request.timeout) {
            rendered.request.timeout = limit;
        }
        let named = renderer.templates(request).into_iter().map(|(template, _)| template);
        let reads = named.chain(all_templates(request)).flat_map(Template::reads);
        scope.mark_used(&mut reads.filter_map(|read| read.path.first()).map(String::as_str));
        if let Err(problem) = self.prepare_store(request).await {
            return self.finish(blank(Outcome::Errored(Box::new(problem))));
        }
        let access = match self.access(request, &renderer, &mut rendered).await {
            Ok(access) => access,
            Err(outcome) => return self.finish(blank(outcome)),
        };
        let body = rendered.request.body.clone();
        self.under_way = Some(UnderWay::Answer { request: request.full_name() });
        let sent = self.send(rendered, request, (&renderer, access)).await;
        self.under_way = None;
        match sent {
            Ok(exchange) => {
                // A redirect may have turned the request into one without a body.
                let body = body.filter(|_| exchange.request.body_size > 0);
                self.judge((request, &influence), scope, (&exchange, body.as_ref()), started).await
            }
            Err(problem) => self.finish(blank(Outcome::Errored(Box::new(problem)))),
        }
    }

    /// Notes the secrets on which it depends what comes of a request: of all that it gives, and of the collection.
    fn note(&mut self, influence: &Taint, request: &Request, scope: &Scope<'_>) {
        request.products().for_each(|product| scope.add_doubt(&product.name, influence));
        if let Some(outcome) = &mut self.outcome {
            outcome.add(influence, Some(&request.full_name()));
        }
    }

    /// Whether the request is to be sent at all.
    fn may_run<'a>(&self, request: &'a Request, renderer: &Renderer<'a, '_>) -> Result<(), Outcome> {
        let scope = renderer.scope;
        if self.unsaved && !request.always {
            return Err(Outcome::Skipped(Skipped::UnsavedValue));
        }
        if let Some(when) = &request.when {
            if let Some(name) = self.open_in_dry_run(request, when, renderer) {
                return Err(Outcome::Skipped(Skipped::DryRun { name }));
            }
            match self.plan.engine.holds(when, scope) {
                Ok(true) => {}
                Ok(false) => return Err(Outcome::Skipped(Skipped::Condition)),
                Err(template::Error::Undefined { path, place }) => {
                    let name = path.split(['.', '[']).next().unwrap_or_default();
                    if scope.has(name) {
                        let error = template::Error::Undefined { path, place };
                        return Err(Outcome::Errored(Box::new(build_problem(error, request))));
                    }
                    return Err(self.missing(name, renderer.unit, &place));
                }
                Err(error) => return Err(Outcome::Errored(Box::new(build_problem(error, request)))),
            }
        }
        for (template, environment) in renderer.templates(request) {
            for read in template.reads().iter().filter(|read| !read.guarded) {
                let Some(name) = read.path.first() else { continue };
                let missing = if environment { None } else { scope.missing(name) };
                if let Some(missing) = missing {
                    return Err(self.missing(&missing, renderer.unit, &read.place));
                }
            }
        }
        Ok(())
    }

    /// In a dry run: the name that a condition reads and that an earlier request would have given, so that nothing can be said.
    fn open_in_dry_run(&self, request: &Request, when: &Template, renderer: &Renderer<'_, '_>) -> Option<String> {
        if !self.policy.dry_run {
            return None;
        }
        let mut names = when.reads().iter().filter_map(|read| read.path.first());
        let open =
            |name: &&String| renderer.scope.missing(name).is_some() && self.plan.gives_before(renderer.unit, request, name);
        names.find(open).cloned()
    }

    /// What becomes of a request that reads a value that is not there.
    fn missing(&self, name: &str, unit: usize, place: &Place) -> Outcome {
        match self.plan.producer(unit, name) {
            Some(_) if self.policy.dry_run => Outcome::Skipped(Skipped::DryRun { name: name.to_owned() }),
            Some(producer) => Outcome::Skipped(Skipped::MissingValue { name: name.to_owned(), producer: producer.full_name() }),
            None => {
                let diagnostic = match self.values.unset(name) {
                    Some(unset) => self.plan.unset_finding(place, &unset),
                    None => place.error(format!("`{name}` has no value")),
                };
                Outcome::Errored(Box::new(Problem { kind: ProblemKind::Build, diagnostic }))
            }
        }
    }

    /// Asks the gate, then sends; once more with a renewed token when the server refuses the one of a login.
    async fn send<'a>(
        &mut self,
        mut rendered: Rendered,
        request: &'a Request,
        (renderer, access): (&Renderer<'a, 'r>, Option<Access<'a>>),
    ) -> Result<Exchange, Problem> {
        let pass = self.admit(&mut rendered, request)?;
        self.mark_known(&mut rendered.request);
        let Some(mut access) = access else { return self.exchange(rendered.request, request, &pass).await };
        let bare = rendered.request.clone();
        access.authorise(&mut rendered.request);
        let exchange = self.exchange(rendered.request, request, &pass).await?;
        if !access.is_refused_by(&exchange) {
            return Ok(exchange);
        }
        self.renew(renderer, &mut access).await?;
        let mut again = bare;
        access.authorise(&mut again);
        self.exchange(again, request, &pass).await
    }

    async fn exchange(&self, mut sent: http::Request, request: &Request, pass: &Pass) -> Result<Exchange, Problem> {
        let place = request.url.place();
        let guard = |url: &Url, luggage| match luggage {
            Luggage::All => pass.check(url),
            Luggage::UrlOnly => pass.check_redirect(url),
        };
        // The run's own limit, when it comes before the request's.
        let last = self.time_left().filter(|left| *left < sent.timeout);
        sent.timeout = last.unwrap_or(sent.timeout);
        self.client.send(sent, &guard).await.map_err(|mut error| {
            if let (Some(_), Some(whole)) = (last, self.policy.run_timeout) {
                error.blame_run(whole);
            }
            let kind = match error.class() {
                http::Class::Request => ProblemKind::Build,
                http::Class::Transport => ProblemKind::Transport,
                http::Class::Policy => ProblemKind::Policy,
            };
            let place = match &error {
                http::Error::InvalidHeader { name, .. } => {
                    let field = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
                    field.map_or(place, |field| &field.place)
                }
                _ => place,
            };
            Problem { kind, diagnostic: error.finding().at(place.clone()) }
        })
    }

    /// Asks the gate whether what the request carries may go where it goes.
    fn admit(&self, rendered: &mut Rendered, request: &Request) -> Result<Pass, Problem> {
        let carried = std::mem::take(&mut rendered.carried);
        let sent = &rendered.request;
        let place = request.url.place();
        let refused = |diagnostic: Diagnostic| Problem { kind: ProblemKind::Policy, diagnostic: diagnostic.refusal() };
        let build = |error: template::Error| build_problem(error, request);
        let by_policy = |refusal: &Refusal| {
            let finding = place.error(refusal.to_string());
            refused(refusal.hint().into_iter().fold(finding, Diagnostic::help))
        };
        self.client.admits(&sent.url).map_err(|refusal| by_policy(&refusal))?;
        let origin = Origin::of(&sent.url);
        let pass = self.gate.pass(&sent.url, carried, self.masker).map_err(build)?;
        let returning = pass.returning(origin.as_ref());
        let mut parts: Vec<&[u8]> = vec![sent.url.as_str().as_bytes()];
        parts.extend(sent.headers.iter().map(|(_, value)| value.as_bytes()));
        let file = match &sent.body {
            Some(http::Body::Bytes(bytes)) => {
                parts.push(bytes);
                None
            }
            Some(file @ http::Body::File { .. }) => Some(file),
            None => None,
        };
        let strays = || {
            let stray = self.gate.finds_stray(&sent.url, self.masker, &parts, &returning)?;
            Ok(stray || file.map_or(Ok(false), |file| self.gate.finds_stray_in(file, &sent.url, self.masker))?)
        };
        if pass.check(&sent.url).is_ok() && strays().map_err(build)? {
            let finding = place.error("the request holds a known secret, and its host is not allowed to get one");
            return Err(refused(match origin {
                Some(origin) => finding.help(format!("add this to the environment: {}", Allowed::line_to_add(&origin))),
                None => finding,
            }));
        }
        pass.check(&sent.url).map_err(|refusal| by_policy(&refusal))?;
        // A front that serves many hosts passes a request on by this header, not by the address. A run that is held to a few
        // hosts must not reach another one through it either.
        let host = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| value.as_str());
        if let Some(host) =
            host.filter(|host| (pass.carries() || self.client.is_held()) && !host.eq_ignore_ascii_case(sent.url.authority()))
        {
            let field = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case("host"));
            let place = field.map_or(place, |field| &field.place);
            let finding =
                place.error(format!("the header `Host: {host}` would lead the request to another host than that of the url"));
            return Err(refused(finding.help("take the header out, or put that host into the url")));
        }
        Ok(pass)
    }

    /// The second belt of redirects: marks what holds a known secret, however it came there.
    fn mark_known(&self, request: &mut http::Request) {
        let holding = request.headers.iter().filter(|(_, value)| self.masker.finds(value.as_bytes()));
        request.secret.headers.extend(holding.map(|(name, _)| name.clone()));
        if let Some(http::Body::Bytes(bytes)) = &request.body
            && self.masker.finds(bytes)
        {
            request.secret.body.get_or_insert_default();
        }
        request.secret.known = Some(self.masker.clone());
    }

    /// Takes values from the answer, saves what is stored, then looks at what must hold.
    async fn judge(
        &mut self,
        (request, influence): (&Request, &Taint),
        scope: &Scope<'_>,
        (exchange, sent): (&Exchange, Option<&http::Body>),
        started: Instant,
    ) -> Outcome {
        let response = &exchange.response;
        let url = &exchange.request.url;
        let mut answer = Answer::new(response.status, &response.headers, &response.body, url.as_str(), exchange.timings.total);
        if let Some(paths) = simple_paths(request) {
            answer.prepare(&paths);
        }
        let unexpected = check::status(&request.assertions, &request.place, response.status);
        let Harvest { captured, stored, saved, failures, mut problems } =
            self.harvest(request, scope, &answer, url, (unexpected.is_none(), influence)).await;
        let mask = |text: &str| self.masker.mask(text);
        let status_failed = unexpected.is_some();
        let mut add = |kind: ProblemKind, failure: &Failure| {
            problems.push(Problem { kind, diagnostic: failure.describe(&mask) });
        };
        if let Some(failure) = &unexpected {
            add(ProblemKind::Status, failure);
        }
        failures.iter().for_each(|failure| add(ProblemKind::Capture, failure));
        let not_json = failures.iter().any(|failure| matches!(failure, Failure::NotJson { .. }));
        for failure in self.verdicts(request, scope, &answer) {
            // A body that is not JSON is one mistake; behind an unexpected status what is absent is none of its own.
            if matches!(failure, Failure::NotJson { .. }) && not_json || status_failed && failure.is_absence() {
                continue;
            }
            add(ProblemKind::Assertion, &failure);
        }
        let outcome = if problems.is_empty() { Outcome::Passed } else { Outcome::Failed(problems) };
        let stored_in = if saved { self.store.map(|store| store.shown()) } else { None };
        self.finish(Step {
            request,
            outcome,
            exchange: Some(exchange),
            sent,
            preview: None,
            captured,
            stored,
            stored_in,
            duration: started.elapsed(),
        })
    }

    fn verdicts(&self, request: &Request, scope: &Scope<'_>, answer: &Answer<'_>) -> Vec<Failure> {
        if request.assertions.checks.is_empty() {
            return Vec::new();
        }
        let engine = &self.plan.engine;
        let mut tree = |tree: &Tree<Template>| render_with(engine, scope, answer, tree);
        let mut condition = |template: &Template| {
            engine.holds(template, &AnswerScope { scope, answer, reads: template.reads().iter().collect() })
        };
        check::verdicts(&request.assertions.checks, answer, &mut check::Renderers { tree: &mut tree, condition: &mut condition })
    }
}

/// A request that can't be built from the values at hand.
fn build_problem(error: template::Error, request: &Request) -> Problem {
    let diagnostic = error.into_finding();
    let diagnostic = match diagnostic.place {
        Some(_) => diagnostic,
        None => Diagnostic { place: Some(request.place.clone()), ..diagnostic },
    };
    let kind = match diagnostic.cause {
        crate::diagnostic::Cause::Policy => ProblemKind::Policy,
        crate::diagnostic::Cause::Input => ProblemKind::Build,
    };
    Problem { kind, diagnostic }
}

fn preview(rendered: &Rendered) -> Preview {
    Preview {
        method: rendered.request.method.to_string(),
        url: rendered.request.url.to_string(),
        headers: rendered.request.headers.clone(),
        body: rendered.body_text.clone(),
    }
}

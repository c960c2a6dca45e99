//! What follows a secret without being one: pieces of it in an answer, and whatever depends on what it says.
//!
//! A collection can't send a secret where it may not go, but it could act on one and let others see how: cut an echo of it into
//! pieces, capture something only when the secret begins with an `a`, or fail when it does not. So a value gets the secrets
//! that decided about it, and a name those that decided whether it has a value.

use serde_json::Value;

use crate::check::{Answer, Selected};
use crate::collection::{Capture, Matcher, Request, Source, Subject, TestKind};
use crate::mask::{Masker, SHORTEST};
use crate::plan::{Found, Scope, Taint};
use crate::query::JsonPath;
use crate::template::{Read, Template};
use crate::trust::Origin;

use super::render::Renderer;

/// An answer, and the secrets that it repeats.
pub(super) struct Echo<'a, 'b> {
    answer: &'a Answer<'b>,
    /// Where the answer came from.
    pub(super) origin: Option<Origin>,
    /// Every known secret.
    known: &'a Masker,
    /// Those of the command line.
    given: &'a Masker,
}

impl<'a, 'b> Echo<'a, 'b> {
    /// An answer of `origin`; `known` are all secrets, those that it brings among them, and those of the command line.
    pub(super) fn new(answer: &'a Answer<'b>, origin: Option<Origin>, (known, given): (&'a Masker, &'a Masker)) -> Self {
        Self { answer, origin, known, given }
    }

    /// What a capture gets from the answer. A value that lies at a fixed place is as secret as it looks; what is cut out of a text, or
    /// found by what it says, may be a piece of a secret that stands there, or tell of one.
    pub(super) fn taint_of(&self, capture: &Capture) -> Taint {
        let cut = match &capture.source {
            Source::Json { path, .. } if !path.is_singular() => self.body_holds(),
            Source::Value(template) => template.transforms() && self.holds_what(template.reads()),
            _ if capture.regex.is_none() => false,
            Source::Json { path, .. } => self.path_holds(path),
            Source::Header(_) | Source::Cookie(_) => self.headers_hold(),
            Source::Body => self.body_holds(),
            Source::Url => self.url_holds(),
            Source::Status => false,
        };
        self.taint_if(cut)
    }

    /// Whoever sent the answer knows what stands in it: it may go back there.
    fn taint_if(&self, secret: bool) -> Taint {
        if !secret {
            return Taint::default();
        }
        let all =
            self.answer.headers.iter().map(|(_, value)| value.as_bytes()).chain([self.answer.body, self.answer.url.as_bytes()]);
        Taint { secret, origin: self.origin.clone(), given: all.into_iter().any(|text| self.given.finds(text)) }
    }

    fn body_holds(&self) -> bool {
        self.known.finds(self.answer.body)
    }

    fn url_holds(&self) -> bool {
        self.known.finds(self.answer.url.as_bytes())
    }

    fn headers_hold(&self) -> bool {
        self.answer.headers.iter().any(|(_, value)| self.known.finds(value.as_bytes()))
    }

    fn value_holds(&self, value: &Value) -> bool {
        self.known.finds(value.to_string().as_bytes())
    }

    fn path_holds(&self, path: &JsonPath) -> bool {
        match self.answer.select(path) {
            Ok(Selected::One(value)) => self.value_holds(value),
            Ok(Selected::Many(_)) => self.body_holds(),
            // Which of several nodes there are may depend on what they say.
            Ok(Selected::Nothing) | Err(_) => !path.is_singular() && self.body_holds(),
        }
    }

    /// Whether a secret stands in what `reads` take from the answer.
    fn holds_what(&self, reads: &[Read]) -> bool {
        reads.iter().filter(|read| read.path.first().is_some_and(|root| root == "response")).any(|read| {
            match read.path.get(1).map(String::as_str) {
                Some("status" | "duration") => false,
                Some("url") => self.url_holds(),
                Some("headers" | "cookies") => self.headers_hold(),
                Some("body") => self.body_holds(),
                Some("json") => {
                    self.answer.json().is_ok_and(|json| self.value_holds(member(json, read.path.get(2..).unwrap_or_default())))
                }
                _ => self.body_holds() || self.headers_hold() || self.url_holds(),
            }
        })
    }

    /// The texts in `value` that stand nowhere in the answer but in its secrets: pieces of them, and what was made of them.
    pub(super) fn pieces<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let Answer { headers, url, .. } = self.answer;
        let plain =
            headers.iter().map(|(_, value)| value.as_str()).chain([*url, self.answer.text()]).map(|text| self.known.mask(text));
        let plain: Vec<String> = plain.collect();
        leaves(value)
            .into_iter()
            .filter(|leaf| text_of(leaf).is_some_and(|text| !plain.iter().any(|plain| plain.contains(&text))))
            .collect()
    }

    /// Whether it depends on a secret in the answer if `request` passes.
    fn decides(&self, request: &Request) -> bool {
        request.assertions.checks.iter().any(|check| match &check.subject {
            // Whether there is something, and of what type, tells nothing of what it says.
            Subject::Json(path) if path.is_singular() && check.matcher.as_ref().is_some_and(looks_at_shape) => false,
            Subject::Json(path) => self.path_holds(path),
            Subject::Header(_) => self.headers_hold(),
            Subject::Body | Subject::Size => self.body_holds(),
            Subject::Condition(template) => self.holds_what(template.reads()),
            Subject::Duration => false,
        })
    }

    /// What decides, besides what decided about sending it, if a request passes whose answer this is.
    pub(super) fn outcome(&self, request: &Request, scope: &Scope<'_>) -> Taint {
        let mut taint = scope.taint(&mut request.assertions.templates().into_iter().flat_map(Template::reads));
        taint.add(&self.taint_if(self.decides(request)));
        request.products().for_each(|capture| taint.add(&scope.doubt(&capture.name)));
        taint
    }
}

/// Everything that the templates of a capture read.
pub(super) fn reads_of(capture: &Capture) -> impl Iterator<Item = &Read> {
    let own = match &capture.source {
        Source::Value(template) => Some(template),
        _ => None,
    };
    own.into_iter().chain(capture.default.iter().flat_map(|tree| tree.templates())).flat_map(Template::reads)
}

/// Whether a matcher asks only if there is something, and of what type.
fn looks_at_shape(matcher: &Matcher) -> bool {
    matcher.tests.iter().all(|test| matches!(test.kind, TestKind::Exists(_) | TestKind::Type(_) | TestKind::Empty(_)))
}

impl<'a> Renderer<'a, '_> {
    /// The secrets that decide if `request` is sent: those that its `when` reads, and those that decided if what it reads has a value.
    pub(super) fn decision(&self, request: &'a Request) -> Taint {
        let mut taint = self.scope.taint(&mut request.when.iter().flat_map(Template::reads));
        let templates = self.templates(request).into_iter().filter(|(_, environment)| !environment);
        for name in templates.flat_map(|(template, _)| template.reads()).filter_map(|read| read.path.first()) {
            taint.add(&self.scope.doubt(name));
        }
        if !request.always {
            self.scope.followed().iter().for_each(|(_, outcome)| taint.add(&outcome.taint));
        }
        taint
    }

    /// The secrets that an answer to `request` may repeat so that nobody recognises them: those of which its templates make something
    /// new, and those that are too short to be looked for.
    pub(super) fn disguised(&self, request: &'a Request) -> Taint {
        let mut taint = Taint::default();
        for (template, environment) in self.templates(request) {
            for read in template.reads() {
                let Some(name) = read.path.first() else { continue };
                let found = match environment {
                    true => self.of_environment(name),
                    false => self.scope.find(name).ok().flatten().filter(|found| found.secret),
                };
                // What members a variable has may be made of a secret: the request fails where one is not there.
                let tests = || read.path.len() > 1 && !environment && self.scope.is_own(name);
                if let Some(found) = found
                    && (template.transforms() || tests() || leaves(&found.value).into_iter().any(is_short))
                {
                    taint.add(&found.taint());
                }
            }
        }
        taint
    }

    /// A secret as the environment's own templates see it.
    fn of_environment(&self, name: &str) -> Option<Found> {
        let values = self.scope.environment();
        let found = values.get(name).ok().flatten().filter(|found| found.secret)?;
        Some(Found { value: found.value, secret: true, origin: None, given: values.is_given(name) })
    }
}

/// Whether the masker could not recognise a value.
fn is_short(value: &Value) -> bool {
    text_of(value).is_none_or(|text| text.trim().chars().count() < SHORTEST)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What stands in `json` at a path, or the value at which the path ends because it has no members: an index may be that of a text.
fn member<'v>(json: &'v Value, path: &[String]) -> &'v Value {
    let Some((first, rest)) = path.split_first() else { return json };
    match json {
        Value::Object(members) => members.get(first).map_or(&Value::Null, |value| member(value, rest)),
        Value::Array(items) => {
            first.parse().ok().and_then(|index: usize| items.get(index)).map_or(json, |item| member(item, rest))
        }
        text => text,
    }
}

/// The values below `value` that hold no others. The depth is bounded by what was read from a file or an answer.
fn leaves(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(members) => members.values().flat_map(leaves).collect(),
        leaf => vec![leaf],
    }
}

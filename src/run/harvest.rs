//! Takes values out of an answer: learns its secrets, captures, stores, saves.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use url::Url;

use crate::check::{self, Answer, Failure};
use crate::collection::{Capture, Request, Source};
use crate::event::Problem;
use crate::mask::is_secret_name;
use crate::plan::{Found, Scope, Taint};
use crate::template::{Engine, Template, Tree, Values};
use crate::trust::Origin;

use super::Run;
use super::response::AnswerScope;
use super::taint::{Echo, reads_of};

/// What was taken from an answer.
#[derive(Debug, Default)]
pub(super) struct Harvest<'h> {
    pub(super) captured: Vec<&'h str>,
    pub(super) stored: Vec<&'h str>,
    /// Whether what was stored is on disk.
    pub(super) saved: bool,
    /// Captures that found nothing.
    pub(super) failures: Vec<Failure>,
    /// What could not be saved, or was refused.
    pub(super) problems: Vec<Problem>,
}

/// One value on its way into the scope.
pub(super) struct Taken<'h> {
    pub(super) capture: &'h Capture,
    pub(super) captured: Found,
    pub(super) stored: bool,
}

impl Run<'_, '_> {
    /// Captures and stores. With an unexpected status nothing is stored, and what is missing is not worth telling.
    pub(super) async fn harvest<'h>(
        &mut self,
        request: &'h Request,
        scope: &Scope<'_>,
        answer: &Answer<'_>,
        url: &Url,
        (expected, influence): (bool, &Taint),
    ) -> Harvest<'h> {
        self.learn_token_answer(answer);
        let mut harvest = Harvest::default();
        let mut found = Vec::new();
        let stores = if expected { request.stores.as_slice() } else { &[] };
        let all = request.captures.iter().map(|capture| (capture, false)).chain(stores.iter().map(|store| (store, true)));
        for (capture, stored) in all {
            let mut render = |tree: &Tree<Template>| render_with(&self.plan.engine, scope, answer, tree);
            match check::take(capture, &request.full_name(), answer, &mut render) {
                Ok(value) => {
                    if self.is_secret(capture, &value) {
                        self.values.protect(&value);
                    }
                    found.push((capture, stored, value));
                }
                Err(failure) if !expected && failure.is_absence() => {}
                Err(failure) => harvest.failures.push(failure),
            }
        }
        // Every secret of the answer is known now.
        let echo = Echo::new(answer, Origin::of(url), (self.masker, self.gate.given()));
        for capture in request.products() {
            let mut doubt = scope.taint(&mut reads_of(capture));
            doubt.add(&echo.taint_of(capture));
            scope.add_doubt(&capture.name, &doubt);
        }
        let captured = |(capture, stored, value): (&'h Capture, bool, Value)| {
            let captured = self.captured(capture, value, &echo, (&scope.taint(&mut reads_of(capture)), influence));
            Taken { capture, captured, stored }
        };
        let mut taken: Vec<Taken<'h>> = found.into_iter().map(captured).collect();
        if let Some(outcome) = &mut self.outcome {
            outcome.add(&echo.outcome(request, scope), Some(&request.full_name()));
        }
        self.refuse_foreign(url, &mut taken, &mut harvest);
        self.save(request, &taken, &mut harvest).await;
        for Taken { capture, captured, stored } in taken {
            if stored {
                self.stored.insert(capture.name.clone(), captured.clone());
            }
            scope.capture(&capture.name, captured);
            if stored { harvest.stored.push(&capture.name) } else { harvest.captured.push(&capture.name) }
        }
        check::without_repeats(&mut harvest.failures);
        harvest
    }

    /// A value with what `trust` needs to know of it: besides the answer it was made of what its templates read (`read`), and came
    /// because of the secrets that decided about the request (`influence`). Neither came from where the answer came from.
    fn captured(&self, capture: &Capture, value: Value, echo: &Echo<'_, '_>, (read, influence): (&Taint, &Taint)) -> Found {
        let cut = echo.taint_of(capture);
        let by_itself = self.is_secret(capture, &value);
        if read.secret {
            self.values.protect(&value);
        } else if cut.secret {
            echo.pieces(&value).into_iter().for_each(|piece| self.values.protect(piece));
        }
        let mut taint = Taint { secret: by_itself, origin: echo.origin.clone(), given: false };
        [&cut, read, influence].into_iter().for_each(|part| taint.add(part));
        let given = taint.given || self.gate.given().finds(value.to_string().as_bytes());
        let origin = if taint.secret { taint.origin } else { echo.origin.clone() };
        Found { value: Arc::new(value), secret: taint.secret, origin, given }
    }

    /// Whether a captured value is a secret by itself. What holds a known secret is one, whatever the collection calls it.
    fn is_secret(&self, capture: &Capture, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Bool(_) => return false,
        };
        // A number under such a name is a count or an id more often than a secret.
        let named = || !value.is_number() && is_secret_name(&capture.name) || self.values.makes_secret(&capture.name);
        capture.secret.unwrap_or_else(named) || self.masker.finds(text.as_bytes())
    }

    /// In a token answer (a JSON object with `access_token` at the top) the tokens and everything that is named like a secret are
    /// masked before anything about the answer is said.
    fn learn_token_answer(&self, answer: &Answer<'_>) {
        const MARK: &[u8] = b"\"access_token\"";
        if memchr::memmem::find(answer.body, MARK).is_none() {
            return;
        }
        // No tree of the whole: a server may send anything beside the mark.
        let Ok(TopMembers(members)) = serde_json::from_slice(answer.body) else { return };
        if members.iter().any(|(name, _)| name == "access_token") {
            members.iter().filter(|(name, _)| is_secret_name(name)).for_each(|(_, value)| self.values.protect(value));
        }
    }
}

/// The members of a JSON object that are texts or numbers; what nests deeper is read past.
struct TopMembers(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for TopMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = TopMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<TopMembers, M::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let Flat(value) = map.next_value()?;
                    if is_secret_name(&name) {
                        members.extend(value.map(|value| (name, value)));
                    }
                }
                Ok(TopMembers(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A text or a number; of anything else nothing.
struct Flat(Option<Value>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl<'de> Visitor<'de> for Scalar {
            type Value = Flat;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Flat, E> {
                Ok(Flat(Some(Value::from(text))))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Flat, E> {
                Ok(Flat(Some(Value::from(number))))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Flat, E> {
                Ok(Flat(Some(Value::from(number))))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Flat, E> {
                Ok(Flat(Some(Value::from(number))))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Flat, E> {
                Ok(Flat(None))
            }

            fn visit_unit<E>(self) -> Result<Flat, E> {
                Ok(Flat(None))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Flat, S::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Flat(None))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Flat, M::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Flat(None))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

/// Renders a value that may read `response`.
pub(super) fn render_with(
    engine: &Engine,
    scope: &dyn Values,
    answer: &Answer<'_>,
    tree: &Tree<Template>,
) -> Result<Value, crate::template::Error> {
    let reads = tree.templates().flat_map(Template::reads).collect();
    engine.tree(tree, &AnswerScope { scope, answer, reads })
}

/// Whether the paths of a request can be read in one pass, without building the tree of the body.
pub(super) fn simple_paths(request: &Request) -> Option<Vec<&crate::query::JsonPath>> {
    let reads_response =
        |template: &Template| template.reads().iter().any(|read| read.path.first().is_some_and(|root| root == "response"));
    let mut paths = Vec::new();
    for capture in request.products() {
        match &capture.source {
            Source::Json { path, .. } if path.is_simple() => paths.push(path),
            Source::Json { .. } => return None,
            Source::Value(template) if reads_response(template) => return None,
            _ => {}
        }
    }
    for assertion in &request.assertions.checks {
        match &assertion.subject {
            crate::collection::Subject::Json(path) if path.is_simple() => paths.push(path),
            crate::collection::Subject::Json(_) => return None,
            _ => {}
        }
    }
    if request.assertions.templates().into_iter().any(reads_response) {
        return None;
    }
    Some(paths)
}

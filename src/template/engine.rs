//! From templates and values to text and values.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use tera::Tera;

use super::compiled::Compiled;
use super::functions::{Capped, Turns};
use super::{Body, Error, MAX_OUTPUT, Part, Syntax, Template, Values, fault, scalar};

/// All templates of a run, compiled.
#[derive(Default)]
pub struct Engine {
    /// Missing when no template needs it.
    tera: Option<Tera>,
    turns: Arc<Turns>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn new(tera: Tera, turns: Arc<Turns>) -> Self {
        Self { tera: Some(tera), turns }
    }

    /// Renders `template` to a value: typed for [`Syntax::Value`] and [`Syntax::Variable`], true or false for a condition, for
    /// any other syntax its text.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn value(&self, template: &Template, values: &dyn Values) -> Result<Value, Error> {
        match template.inner.syntax {
            Syntax::Value | Syntax::Variable => self.typed(template, values),
            Syntax::Condition => self.holds(template, values).map(Value::Bool),
            Syntax::Text | Syntax::Url => self.text(template, values).map(Value::String),
        }
    }

    /// Renders `template` to text; nothing at all (a null literal) is empty text.
    ///
    /// # Errors
    /// See [`Error`]; an expression that gives a list, a map or null is an error that names it.
    pub fn text(&self, template: &Template, values: &dyn Values) -> Result<String, Error> {
        match &template.inner.body {
            Body::Literal(Value::Null) => Ok(String::new()),
            _ => as_text(template, &self.typed(template, values)?),
        }
    }

    /// Renders `template` to the texts of a field that may repeat: a list gives one for each of its elements, null none,
    /// anything else one.
    ///
    /// # Errors
    /// See [`Error`]; a map, or a list within the list, is an error that names the expression. A null in a list is left out.
    pub fn texts(&self, template: &Template, values: &dyn Values) -> Result<Vec<String>, Error> {
        match self.typed(template, values)? {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(|item| as_text(template, item)).collect(),
            value => Ok(vec![as_text(template, &value)?]),
        }
    }

    /// Decides a [`Syntax::Condition`].
    ///
    /// # Errors
    /// See [`Error`]; a result that is neither true nor false is an error.
    pub fn holds(&self, template: &Template, values: &dyn Values) -> Result<bool, Error> {
        match self.typed(template, values)? {
            Value::Bool(value) => Ok(value),
            other => {
                let found = match other {
                    Value::Null => "null",
                    Value::Number(_) => "a number",
                    Value::String(_) => "text",
                    Value::Array(_) => "a list",
                    _ => "a map",
                };
                let finding = template
                    .place_of(whole(template))
                    .error(format!("a condition must be true or false, this one is {found}"))
                    .help("compare it, as in `count > 0` or `name != \"\"`");
                Err(finding.into())
            }
        }
    }

    /// The value with its type; of a text with expressions in it the text.
    fn typed(&self, template: &Template, values: &dyn Values) -> Result<Value, Error> {
        match &template.inner.body {
            Body::Literal(value) => Ok(value.clone()),
            Body::Path(path, at) => read(template, path, at, &mut Vec::new(), values).map(Cow::into_owned),
            Body::Parts(parts) => self.parts(template, parts, values).map(Value::String),
            Body::Expression(compiled) => {
                let text = self.render(template, compiled, values)?;
                serde_json::from_str(&text)
                    .map_err(|_| template.failed(whole(template), "the value of this expression nests too deep"))
            }
            Body::Text(compiled) => self.render(template, compiled, values).map(Value::String),
        }
    }

    fn parts(&self, template: &Template, parts: &[Part], values: &dyn Values) -> Result<String, Error> {
        let mut known = Vec::new();
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Path { path, at, spot } => {
                    let value = read(template, path, at, &mut known, values)?;
                    let text = scalar::text(&value).and_then(|text| match spot {
                        Some(spot) => spot.write(&text, false),
                        None => Ok(text),
                    });
                    out.push_str(&text.map_err(|problem| template.unfit(at.clone(), problem))?);
                }
            }
            if out.len() > MAX_OUTPUT {
                return Err(too_large(template));
            }
        }
        Ok(out)
    }

    fn render(&self, template: &Template, compiled: &Compiled, values: &dyn Values) -> Result<String, Error> {
        let Some(tera) = &self.tera else {
            return Err(template.failed(whole(template), "the template belongs to another engine"));
        };
        let context = compiled.context(values)?;
        let mut out = Capped::new();
        self.turns.begin();
        match tera.render_to(&compiled.name, &context, &mut out) {
            Ok(()) => String::from_utf8(out.bytes).map_err(|_| template.failed(whole(template), "the output is not text")),
            Err(_) if out.full => Err(too_large(template)),
            Err(error) => Err(fault::rendering(&error, template, compiled)),
        }
    }
}

fn whole(template: &Template) -> Range<usize> {
    0..template.source().len()
}

fn too_large(template: &Template) -> Error {
    template.failed(whole(template), &format!("the output is larger than {} MiB", MAX_OUTPUT / 1024 / 1024))
}

fn as_text(template: &Template, value: &Value) -> Result<String, Error> {
    scalar::text(value).map_err(|problem| {
        let at = match &template.inner.body {
            Body::Path(_, at) => at.clone(),
            Body::Expression(compiled) => compiled.outputs.first().cloned().unwrap_or_else(|| whole(template)),
            Body::Literal(_) | Body::Parts(_) | Body::Text(_) => whole(template),
        };
        template.unfit(at, problem)
    })
}

type Known = Vec<(String, Arc<Value>)>;

/// The value at `path`; each name is asked for once.
fn read<'k>(
    template: &Template,
    path: &[String],
    at: &Range<usize>,
    known: &'k mut Known,
    values: &dyn Values,
) -> Result<Cow<'k, Value>, Error> {
    let undefined = || Error::Undefined { path: path.join("."), place: template.place_of(at.clone()) };
    let Some((name, members)) = path.split_first() else { return Err(undefined()) };
    let slot = match known.iter().position(|(known, _)| known == name) {
        Some(slot) => slot,
        None => {
            known.push((name.clone(), values.value(name)?.ok_or_else(undefined)?));
            known.len() - 1
        }
    };
    let root = known.get(slot).map(|(_, value)| &**value).ok_or_else(undefined)?;
    let found = members.iter().try_fold(root, |value, member| match value {
        Value::Object(members) => members.get(member),
        Value::Array(items) => items.get(member.parse::<usize>().ok()?),
        _ => None,
    });
    found.map(Cow::Borrowed).ok_or_else(undefined)
}

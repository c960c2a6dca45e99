//! From scalars to templates, and from templates to an engine.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tera::Tera;

use super::compiled::Compiled;
use super::functions::Turns;
use super::lex::{self, Fault, Segment, Token};
use super::reads::{Findings, Reader};
use super::{Body, Engine, Part, Syntax, Template, fault, functions, scalar, url};
use crate::clock::{Clock, SystemClock};
use crate::diagnostic::{Diagnostic, Hidden, Place, SourceFile, Span};
use crate::yaml::{self, Kind, Node, Scalar};

/// Numbers builders, so that a template never meets a namesake in another engine.
static BUILDERS: AtomicU64 = AtomicU64::new(0);

/// Collects templates and compiles them in one go.
pub struct Builder {
    clock: Arc<dyn Clock>,
    id: u64,
    /// Those that need Tera.
    pending: Vec<Template>,
    findings: Vec<Diagnostic>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl Builder {
    /// A builder whose templates' `now()` asks `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, id: BUILDERS.fetch_add(1, Ordering::Relaxed), pending: Vec::new(), findings: Vec::new() }
    }

    /// Adds the template in the scalar `node` of `file`. A node that is no scalar is taken for an empty one.
    pub fn add(&mut self, file: &Arc<SourceFile>, node: &Node, syntax: Syntax) -> Template {
        let Some(scalar) = node.scalar() else { return Template::new(file, node, syntax, Body::Literal(Value::Null), &[]) };
        let name = format!("{}.{}", self.id, self.pending.len());
        match body(scalar, syntax, name) {
            Ok((body, paths)) => {
                let template = Template::new(file, node, syntax, body, &paths);
                if template.compiled().is_some() {
                    self.pending.push(template.clone());
                }
                template
            }
            Err(faults) => {
                self.findings.extend(faults.into_iter().map(|fault| diagnostic(file, node, fault)));
                Template::new(file, node, syntax, Body::Literal(Value::Null), &[])
            }
        }
    }

    /// Adds a template that stands in no file (a value of the command line), shown under `name`.
    pub fn add_text(&mut self, name: &str, text: &str, syntax: Syntax) -> Template {
        let file = Arc::new(SourceFile::new(name, text, Hidden::Nothing));
        let span = Span::new(0, text.len());
        let scalar = Scalar { text: text.to_owned(), kind: Kind::Text, plain: false };
        let node = Node { value: yaml::Value::Scalar(Arc::new(scalar)), span, used_at: span, tag: None };
        self.add(&file, &node, syntax)
    }

    /// Compiles everything that was added.
    ///
    /// # Errors
    /// Every template that does not parse, each at its place.
    pub fn compile(self) -> Result<Engine, Vec<Diagnostic>> {
        let Self { clock, pending, mut findings, .. } = self;
        if pending.is_empty() {
            return if findings.is_empty() { Ok(Engine::default()) } else { Err(findings) };
        }
        let mut tera = Tera::default();
        let turns = Arc::<Turns>::default();
        functions::register(&mut tera, clock, Arc::clone(&turns));
        let sources: Vec<(&str, String)> = pending
            .iter()
            .filter_map(|template| template.compiled().map(|compiled| (template, compiled)))
            .map(|(template, compiled)| (compiled.name.as_str(), compiled.rewritten(template.source())))
            .collect();
        // One by one would be quadratic, so that is done only to list every mistake.
        let empty = tera.clone();
        if tera.add_raw_templates(sources.iter().map(|(name, source)| (*name, source))).is_err() {
            for (template, (name, source)) in pending.iter().zip(&sources) {
                let Some(compiled) = template.compiled() else { continue };
                if let Err(error) = empty.clone().add_raw_template(name, source) {
                    let plain = empty.clone().add_raw_template(name, &compiled.unedited(template.source())).err();
                    let fault = fault::syntax(plain.as_ref(), &error, template, compiled);
                    findings.push(diagnostic(&template.inner.place.file, &template.inner.node, fault));
                }
            }
            if findings.is_empty() {
                findings.push(Diagnostic::error("the templates can't be compiled together"));
            }
        }
        if findings.is_empty() { Ok(Engine::new(tera, turns)) } else { Err(findings) }
    }
}

impl Template {
    pub(super) fn compiled(&self) -> Option<&Compiled> {
        match &self.inner.body {
            Body::Expression(compiled) | Body::Text(compiled) => Some(compiled),
            Body::Literal(_) | Body::Path(..) | Body::Parts(_) => None,
        }
    }
}

/// A fault at its place; in a hidden file without a word of the text.
fn diagnostic(file: &Arc<SourceFile>, node: &Node, fault: Fault) -> Diagnostic {
    let place = Place::new(file, yaml::locate(file, node, fault.at));
    if !place.shows() {
        return place
            .error("this value is not a template that can be read")
            .help("where `{{` is meant as it stands, write `{% raw %}` before and `{% endraw %}` behind it");
    }
    let finding = place.error(fault.message).label(fault.label);
    match fault.help {
        Some(help) => finding.help(help),
        None => finding,
    }
}

type Built = (Body, Vec<super::reads::Path>);

fn body(scalar: &Scalar, syntax: Syntax, name: String) -> Result<Built, Vec<Fault>> {
    let text = scalar.text.as_str();
    if syntax == Syntax::Condition {
        return condition(scalar, name);
    }
    if !lex::has_code(text) {
        return scalar::literal(scalar, syntax).map(|value| (Body::Literal(value), Vec::new())).map_err(|fault| vec![fault]);
    }
    let segments = lex::segments(text).map_err(|fault| vec![fault])?;
    match segments.as_slice() {
        [Segment::Output(code)] if syntax != Syntax::Url => single(text, &code.tokens, name, false),
        segments => mixed(text, segments, syntax, name),
    }
}

fn condition(scalar: &Scalar, name: String) -> Result<Built, Vec<Fault>> {
    let text = scalar.text.as_str();
    let all = 0..text.len();
    match scalar.kind {
        Kind::Bool(value) => return Ok((Body::Literal(Value::Bool(value)), Vec::new())),
        Kind::Null => return Err(vec![Fault::new(all, "a condition is missing")]),
        Kind::Integer(_) | Kind::Float(_) => {
            return Err(vec![Fault::new(all, format!("a condition must be true or false, not the number `{text}`"))]);
        }
        Kind::Text => {}
    }
    if text.trim_start().starts_with("{{") {
        let segments = lex::segments(text).map_err(|fault| vec![fault])?;
        let blank = |segment: &&Segment| match segment {
            Segment::Text(range) => !text.get(range.clone()).unwrap_or_default().trim().is_empty(),
            _ => true,
        };
        let code: Vec<&Segment> = segments.iter().filter(blank).collect();
        if let [Segment::Output(code)] = code.as_slice() {
            return single(text, &code.tokens, name, false);
        }
    }
    let tokens = lex::expression(text).map_err(|fault| vec![fault])?;
    let braces = tokens.windows(2).find_map(|pair| match pair {
        [one, two] if one.at.end == two.at.start && text.get(one.at.start..two.at.end) == Some("{{") => {
            Some(one.at.start..two.at.end)
        }
        _ => None,
    });
    if let Some(at) = braces {
        let fault = Fault::new(at, "a condition is a bare expression").label("without `{{` and `}}` inside");
        return Err(vec![fault]);
    }
    single(text, &tokens, name, true)
}

/// Exactly one expression.
fn single(text: &str, tokens: &[Token], name: String, bare: bool) -> Result<Built, Vec<Fault>> {
    let findings = accepted(Reader::new(text).single(tokens, "__value(n=0)"))?;
    let paths = findings.paths.clone();
    let body = match (paths.as_slice(), findings.outputs.as_slice()) {
        ([path], [output]) if is_plain(text, path, output) => Body::Path(path.parts.clone(), path.at.clone()),
        _ => Body::Expression(Compiled::new(name, findings, bare)),
    };
    Ok((body, paths))
}

/// Text with expressions or tags in it.
fn mixed(text: &str, segments: &[Segment], syntax: Syntax, name: String) -> Result<Built, Vec<Fault>> {
    let spots = if syntax == Syntax::Url { url::spots(text, segments) } else { Vec::new() };
    let filter = |number: usize, _: &Range<usize>| match spots.get(number) {
        Some(spot) => format!("__url(n={number}, spot={})", spot.number()),
        None => format!("__text(n={number})"),
    };
    let findings = accepted(Reader::new(text).template(segments, filter))?;
    let paths = findings.paths.clone();
    let body = match parts(text, segments, &findings, &spots) {
        Some(parts) => Body::Parts(parts),
        None => Body::Text(Compiled::new(name, findings, false)),
    };
    Ok((body, paths))
}

fn accepted(findings: Findings) -> Result<Findings, Vec<Fault>> {
    if findings.faults.is_empty() { Ok(findings) } else { Err(findings.faults) }
}

/// Whether the expression at `output` is nothing but `path`.
fn is_plain(text: &str, path: &super::reads::Path, output: &Range<usize>) -> bool {
    path.at == *output && !path.local && !path.tolerant && !text.get(output.clone()).is_some_and(|code| code.contains('?'))
}

/// The pieces of a text that needs no Tera: nothing but text and paths.
fn parts(text: &str, segments: &[Segment], findings: &Findings, spots: &[url::Spot]) -> Option<Vec<Part>> {
    let mut number = 0;
    segments
        .iter()
        .map(|segment| match segment {
            Segment::Text(range) => Some(Part::Text(text.get(range.clone())?.to_owned())),
            Segment::Output(code) if !code.trims => {
                let path = findings.paths.get(number)?;
                let output = findings.outputs.get(number)?;
                let spot = spots.get(number).copied();
                number += 1;
                is_plain(text, path, output).then(|| Part::Path { path: path.parts.clone(), at: path.at.clone(), spot })
            }
            Segment::Output(_) | Segment::Tag(_) | Segment::Inert => None,
        })
        .collect()
}

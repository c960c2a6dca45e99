//! `runner explain`: where each value of a request comes from, what is secret and why, and where its secrets may go. It sends
//! nothing, starts nothing, asks nobody and saves nothing.

mod choose;
mod destination;
mod names;

use std::io::Write;

use crate::auth::{Choice, Definition};
use crate::collection::Request;
use crate::diagnostic::{Diagnostic, Paint, Style};
use crate::environment::Values;
use crate::mask::Masker;
use crate::plan::{Plan, Scope};
use crate::template::{Error, Template};
use crate::trust::HostRule;
use crate::world::World;

use super::args::{ExplainArgs, PlanArgs};
use super::origin::{self, Unstarted, method, scheme_name, with_sandbox_named};
use super::setup::{Wishes, plan};
use super::table::{Row, Section, Table};
use super::{Diagnostics, Exit, exit, is_ci};

/// Explains one request.
pub(super) fn run(mut world: World, args: &ExplainArgs) -> Exit {
    let masker = Masker::new();
    let colour = args.values.color.into();
    let style = Style::new(world.colour(&world.stdout, colour));
    let mut diagnostics = Diagnostics::of(&mut world, colour, &masker);
    let (collection, line) = choose::with_line(&args.collection, &world.folder);
    let plan_args = PlanArgs { collections: vec![collection], values: args.values.clone() };
    let wishes = Wishes { open: true, ..Wishes::default() };
    let plan = match plan(&plan_args, &world, wishes, &masker, &mut diagnostics) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let (unit, request) = match choose::request(&plan, args.request.as_deref(), line) {
        Ok(chosen) => chosen,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    let sandbox = plan.environment.sandbox.as_ref().map(|_| &Unstarted as &dyn crate::environment::Sandbox);
    let values = Values::new(&plan.environment, &plan.engine, &world.variables, Some(&plan.root), &masker).with_sandbox(sandbox);
    let mut subject = Subject {
        plan: &plan,
        unit,
        request,
        values: &values,
        scope: Scope::new(&values, &plan.engine, &plan.units[unit].collection),
    };
    let table = Table { style, width: world.stdout.width, masker: &masker, whole: false };
    let (mut text, findings) = subject.explain(&table, &args.allow_host);
    if is_ci(&world) {
        crate::report::defuse(&mut text);
    }
    let mut out = masker.writer(&mut world.stdout);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.finish());
    diagnostics.tell(&findings);
    let _ = diagnostics.out.finish();
    if findings.is_empty() { Exit::Passed } else { exit::of_findings(&findings) }
}

/// The request that is explained, with what it sees.
struct Subject<'p> {
    plan: &'p Plan,
    unit: usize,
    request: &'p Request,
    values: &'p Values<'p>,
    scope: Scope<'p>,
}

/// The url as far as it can be told.
struct Address {
    text: String,
    /// Whether `base_url` is a part of it.
    based: bool,
}

impl<'p> Subject<'p> {
    fn explain(&mut self, table: &Table<'_>, allow: &[HostRule]) -> (String, Vec<Diagnostic>) {
        self.stand_in(&self.names(true));
        let address = self.address();
        // Whether the base is read is known only now: a variable may bring a path or a whole url.
        let read = self.names(address.as_ref().is_ok_and(|address| address.based));
        let mut findings = Vec::new();
        let rows = read.iter().map(|read| self.row(read, &mut findings)).collect();
        let mut text = self.heading(table.style);
        let sections = [Section { title: "request", rows: self.request_rows(&address) }, Section { title: "variables", rows }];
        text += &table.render(&sections);
        text += &self.destination(&address, &read, allow, table);
        (text, findings)
    }

    fn heading(&self, style: Style) -> String {
        let request = self.request;
        let title = format!("{} {}", request.method, request.name_behind_method());
        let place = style.paint(Paint::Faint, &origin::place(Some(&request.place)));
        format!("{}  {place}\n", style.paint(Paint::Strong, title.trim_end()))
    }

    fn request_rows(&self, address: &Result<Address, Error>) -> Vec<Row> {
        let request = self.request;
        let mut url = Row { name: "url".to_owned(), ..Row::default() };
        let base = match address {
            Ok(address) => request.base_url.as_ref().filter(|_| address.based),
            Err(_) => request.base_url.as_ref().filter(|_| request.url.source().starts_with('/')),
        };
        let written = format!("{}{}", base.map_or("", Template::source).trim_end_matches('/'), request.url.source());
        match address {
            Ok(Address { text, .. }) => {
                url.value = names::named(&with_sandbox_named(text));
                if url.value != written {
                    url.remarks.push(format!("written {written}"));
                }
            }
            Err(error) => {
                url.value = written;
                url.remarks.push(format!("can't be told: {}", error.clone().into_finding().message));
            }
        }
        let mut rows = vec![url];
        let auth = |value: String, origin: String| Row { name: "auth".to_owned(), value, origin, ..Row::default() };
        match &request.auth {
            Choice::None => {}
            Choice::Inline(scheme) => {
                let place = scheme.templates().first().map(|template| template.place());
                rows.push(auth(scheme_name(scheme), origin::place(place)));
            }
            Choice::Named { name, .. } => rows.push(match self.plan.definition(self.unit, request) {
                Some((Definition { method: kind, place, .. }, _)) => {
                    auth(format!("{name}: {}", method(kind)), origin::place(Some(place)))
                }
                None => {
                    Row { paint: Some(Paint::Warning), ..auth(format!("{name}: an environment must define it"), String::new()) }
                }
            }),
        }
        if let Some(when) = &request.when {
            rows.push(Row { name: "when".to_owned(), value: when.source().to_owned(), ..Row::default() });
        }
        rows
    }

    /// The url, with the names of values that only a run knows where they will stand.
    fn address(&self) -> Result<Address, Error> {
        let own = self.text(&self.request.url)?;
        match self.request.base_url.as_ref().filter(|_| own.starts_with('/')) {
            Some(base) => Ok(Address { text: format!("{}{own}", self.text(base)?.trim_end_matches('/')), based: true }),
            None => Ok(Address { text: own, based: false }),
        }
    }

    fn text(&self, template: &Template) -> Result<String, Error> {
        let text = self.plan.engine.text(template, &self.scope)?;
        if template.transforms() && self.scope.taint(&mut template.reads().iter()).secret {
            self.values.protect(&serde_json::Value::from(text.as_str()));
        }
        Ok(text)
    }
}

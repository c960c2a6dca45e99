//! Where the secrets of a request may go, and whether it goes there: the decision of a run, made by the same gate.

use url::Url;

use crate::diagnostic::{Paint, Place, wrapped};
use crate::run::{Carried, Gate, carried};
use crate::template::Error;
use crate::trust::{Entry, HostRule, Origin};

use super::super::origin::{self, with_sandbox_named};
use super::super::table::{Row, Section, Table};
use super::names::{Name, SIGN};
use super::{Address, Subject};

/// What a run would do.
enum Verdict {
    /// Nothing stands against it.
    Free(String),
    /// It would be refused; the text says why, the other how to allow it.
    Refused(String, Option<String>),
    /// Only a run can tell.
    Open(String),
}

impl Subject<'_> {
    /// The section about secrets.
    pub(super) fn destination(
        &self,
        address: &Result<Address, Error>,
        names: &[Name<'_>],
        allow: &[HostRule],
        table: &Table<'_>,
    ) -> String {
        let environment = self.values.environment();
        let hosts: Vec<(HostRule, &Place)> =
            environment.hosts.iter().filter_map(|(host, place)| Some((host.parse().ok()?, place))).collect();
        let gate = Gate::new(self.values, allow.to_vec());
        let url = address.as_ref().ok().and_then(|address| Url::parse(&address.text).ok());
        let origin = url.as_ref().and_then(Origin::of).filter(|origin| !origin.host().contains(SIGN));
        let allowed = gate.allowed().unwrap_or_default();
        let rows = allowed.entries().map(|entry| self.entry(&entry, &hosts, origin.as_ref())).collect();
        let mut text = table.render(&[Section { title: "where its secrets may go", rows }]);
        if allowed.is_empty() {
            text += &format!("\n{}\n", table.style.paint(Paint::Strong, "where its secrets may go"));
        }
        let verdict = match self.all_carried(address, names) {
            Ok(carried) => self.verdict(&gate, url.as_ref().zip(origin.as_ref()), carried),
            Err(error) => Verdict::Open(format!("whether it carries a secret can't be told: {}", error.into_finding().message)),
        };
        let (paint, line, help) = match verdict {
            Verdict::Free(text) => (Paint::Good, text, None),
            Verdict::Open(text) => (Paint::Warning, text, None),
            Verdict::Refused(text, help) => (Paint::Error, text, help),
        };
        let room = table.width.map(|width| width.saturating_sub(2));
        for line in wrapped(&table.clean(&line), room) {
            text += &format!("  {}\n", table.style.paint(paint, &line));
        }
        for line in help.iter().flat_map(|help| wrapped(&table.clean(help), room)) {
            text += &format!("  {line}\n");
        }
        text
    }

    /// One place where secrets may go, with what allows it; a mark stands before those to which the request goes.
    fn entry(&self, entry: &Entry<'_>, hosts: &[(HostRule, &Place)], origin: Option<&Origin>) -> Row {
        let (name, by, here) = match entry {
            Entry::Origin { origin: named, variable } => {
                let declaration = self.values.declaration(variable);
                let at = declaration.map(|declaration| origin::origin(declaration, variable)).unwrap_or_default();
                (named.to_string(), format!("`{variable}`, {at}"), origin == Some(*named))
            }
            Entry::Rule(rule) => {
                let listed = hosts.iter().find(|(host, _)| host == *rule);
                let by = listed.map(|(_, place)| format!("`hosts`, {}", origin::place(Some(place))));
                (
                    rule.to_string(),
                    by.unwrap_or_else(|| "--allow-host".to_owned()),
                    origin.is_some_and(|origin| rule.permits(origin)),
                )
            }
        };
        let mark = if here { "→" } else { " " };
        Row { name: format!("{mark} {}", with_sandbox_named(&name)), origin: by, ..Row::default() }
    }

    /// The secrets that the request carries, those among them that only a run knows.
    fn all_carried(&self, address: &Result<Address, Error>, names: &[Name<'_>]) -> Result<Vec<Carried>, Error> {
        let based = address.as_ref().is_ok_and(|address| address.based);
        let mut found = carried(self.plan, self.unit, &self.scope, self.request, based)?;
        // A secret of the environment that is not set yet will be carried once it is.
        let definition = self.plan.definition(self.unit, self.request).filter(|(_, environment)| *environment);
        if definition.is_some() {
            for read in names.iter().filter(|read| read.environment && read.direct) {
                if self.values.unset(read.name).is_some() && self.values.makes_secret(read.name) {
                    found.push(Carried { name: read.name.to_owned(), value: None, origin: None, given: false, outcome_of: None });
                }
            }
        }
        Ok(found)
    }

    fn verdict(&self, gate: &Gate<'_>, target: Option<(&Url, &Origin)>, carried: Vec<Carried>) -> Verdict {
        let guarded = self.values.environment().files.is_some();
        let mut names: Vec<String> =
            carried.iter().filter(|secret| guarded || secret.given).map(|secret| format!("`{}`", secret.name)).collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Verdict::Free(match guarded {
                true => "it carries no secret, so it may go anywhere".to_owned(),
                false => "without an environment only secrets of the command line are held back".to_owned(),
            });
        }
        let list = names.join(", ");
        let noun = if names.len() == 1 { "secret" } else { "secrets" };
        let Some((url, origin)) = target else {
            return Verdict::Open(format!("it carries the {noun} {list}; where it goes is known in a run"));
        };
        let shown = with_sandbox_named(&origin.to_string());
        // Nothing is sent, so no redirect will ask.
        match gate.pass(url, carried, &crate::mask::Masker::new()).map(|pass| pass.check(url)) {
            Ok(Ok(())) => Verdict::Free(format!("it may carry its {noun} {list} to {shown}")),
            Ok(Err(refusal)) => Verdict::Refused(format!("a run refuses it (exit code 6): {refusal}"), refusal.hint()),
            Err(error) => Verdict::Open(error.into_finding().message),
        }
    }
}

//! What can be told before the run about where it would go: endpoints of a collection's logins, and hosts that it is held to.

use url::Url;

use crate::auth::{Definition, Login, Method};
use crate::collection::Request;
use crate::diagnostic::Diagnostic;
use crate::environment::Values;
use crate::template::{Error, Template};
use crate::trust::{Allowed, HostRule, OnlyHosts, Origin, Refusal};

use super::{Plan, Scope};

/// Where secrets may go, with the values at hand: to the URLs of the environment, to its `hosts:`, and to `further` (`--allow-host`).
/// Without an environment only `further` counts.
///
/// # Errors
/// A variable of the environment that may be a URL can't be evaluated.
pub fn allowed(values: &Values<'_>, further: &[HostRule]) -> Result<Allowed, Error> {
    let mut allowed = Allowed::default();
    let environment = values.environment();
    // An entry that can't be read was told as a mistake.
    let hosts = environment.hosts.iter().filter_map(|(host, _)| host.parse().ok());
    for rule in hosts.chain(further.iter().cloned()) {
        allowed.allow_rule(rule);
    }
    if environment.files.is_some() {
        for (variable, text) in values.urls()? {
            if let Some(origin) = Url::parse(&text).ok().as_ref().and_then(Origin::of) {
                allowed.allow_origin(origin, variable);
            }
        }
    }
    Ok(allowed)
}

/// A definition of a collection whose endpoint lies where no secret may go.
pub(super) struct ForeignEndpoint<'p> {
    pub(super) definition: &'p Definition,
    pub(super) finding: Diagnostic,
}

/// Every endpoint that a collection names must lie on an allowed origin: what logs in there hands over the environment's secrets.
/// One that an answer of the run gives can't be told yet; it is checked when it is used.
pub(super) fn foreign_endpoints<'p>(plan: &'p Plan, values: &'p Values<'p>, further: &[HostRule]) -> Vec<ForeignEndpoint<'p>> {
    let mut found = Vec::new();
    let mut allowed = None;
    for planned in &plan.units {
        let scope = Scope::new(values, &plan.engine, &planned.collection);
        for (definition, login) in own_logins(plan, &planned.collection.auth) {
            let reads = &mut login.templates().into_iter().flat_map(Template::reads);
            if plan.environment.files.is_none() && !scope.taint(reads).given {
                continue;
            }
            for (key, template) in login.endpoints.given() {
                let text = plan.engine.text(template, &scope).ok();
                let origin = text.and_then(|text| Url::parse(&text).ok()).as_ref().and_then(Origin::of);
                let allowed = allowed.get_or_insert_with(|| self::allowed(values, further).unwrap_or_default());
                let Some(origin) = origin.filter(|origin| !allowed.permits(origin)) else { continue };
                let refusal = Refusal::Endpoint { origin, named_by: format!("auth.{}.{key}", definition.name) };
                found.push(ForeignEndpoint { definition, finding: refused(template, &refusal) });
            }
        }
    }
    found
}

/// The logins among `definitions` that count: of equal names the environment's does.
fn own_logins<'p>(plan: &Plan, definitions: &'p [Definition]) -> impl Iterator<Item = (&'p Definition, &'p Login)> {
    definitions.iter().filter(|own| plan.environment.definition(&own.name).is_none()).filter_map(|own| match &own.method {
        Method::Login(login) => Some((own, &**login)),
        Method::Scheme(_) => None,
    })
}

/// What a run that is held to `only` can't do, as far as its files tell: every other address is refused when it is known. With
/// `insecure` the command line itself says that certificates are not checked.
#[must_use]
pub fn beyond(plan: &Plan, only: &OnlyHosts, insecure: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if !only.is_held() {
        return found;
    }
    if let Some(tls) = &plan.environment.tls {
        let ca = tls.ca.iter().filter_map(|ca| ca.place.as_ref()).map(|place| ("ca", "--cacert FILE", place));
        let insecure = tls.insecure.iter().filter(|_| !insecure).map(|place| ("insecure", "--insecure", place));
        for (key, flag, place) in ca.chain(insecure) {
            let finding = place.error(format!("`{key}` in a file can't be used in a run that is held to a few hosts"));
            let help = format!("who answers there must be known for certain: take it out, or give `{flag}`");
            found.push(finding.help(help).refusal());
        }
    }
    for request in plan.units.iter().flat_map(|unit| &unit.collection.requests) {
        // Whether one with a condition is sent at all, only the run can tell.
        if request.when.is_none()
            && let Some((template, origin)) = written_origin(request)
            && let Err(refusal) = only.check_origin(&origin)
            && !found.iter().any(|finding: &Diagnostic| finding.place.as_ref() == Some(template.place()))
        {
            found.push(refused(template, &refusal));
        }
    }
    found
}

fn refused(template: &Template, refusal: &Refusal) -> Diagnostic {
    let finding = template.place().error(refusal.to_string()).refusal();
    match refusal.hint() {
        Some(hint) => finding.help(hint),
        None => finding,
    }
}

/// The origin of a request whose file spells it out, and the template that does.
fn written_origin(request: &Request) -> Option<(&Template, Origin)> {
    let template = match &request.base_url {
        Some(base) if request.url.source().starts_with('/') => base,
        _ => &request.url,
    };
    let source = template.source();
    let dynamic = ["{{", "{%", "{#"].iter().filter_map(|mark| source.find(mark)).min();
    let written = match dynamic {
        None => source,
        // The host is written only where something follows it that ends it.
        Some(end) => {
            let start = source.find("://")? + "://".len();
            let host = source.get(start..end)?.find(['/', '\\', '?', '#'])?;
            source.get(..start + host)?
        }
    };
    Some((template, Origin::of(&Url::parse(written).ok()?)?))
}

//! `runner auth status`: how it stands with the token of each login. Nothing is sent, and no secret is shown.

use std::io::Write;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::oauth::{Standing, Token};
use crate::world::World;

use super::{Session, StatusArgs, session};
use crate::cli::Exit;

/// One login, as `--json` prints it. `docs/oauth.md` describes it.
#[derive(Debug, Serialize)]
struct Shown<'s> {
    login: &'s str,
    grant_type: &'s str,
    /// `fresh`, `stale`, `foreign` or `missing`.
    state: &'static str,
    /// Seconds since 1970; left out where the server did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    refreshable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Vec<String>>,
    /// What changed since the token was got, where that can be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<&'static str>,
}

/// Shows one login, or all of them.
pub(super) fn run(world: World, args: &StatusArgs) -> Exit {
    session(world, &args.login, async |session| {
        let logins: Vec<_> = match &args.login.name {
            Some(name) => vec![session.login(Some(name))?],
            None => session.plan.environment.logins().collect(),
        };
        if logins.is_empty() {
            session.login(None)?;
        }
        let mut standings = Vec::new();
        for (definition, login) in logins {
            let standing = session.ask((definition, login), async |logins, asking| logins.standing(asking)).await?;
            standings.push((definition.name.as_str(), login, standing));
        }
        let now = session.now();
        let text = if args.json {
            let separator = |login: &crate::auth::Login| login.wanted.scope_separator.clone().unwrap_or(" ".to_owned());
            let all: Vec<Shown<'_>> = (standings.iter())
                .map(|(name, login, standing)| shown(name, login.grant_type.name(), standing, &separator(login)))
                .collect();
            serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
        } else {
            let widest = standings.iter().map(|(name, ..)| crate::report::columns(name)).max().unwrap_or_default();
            let line = |(name, login, standing): &(&str, &crate::auth::Login, Standing)| {
                let gap = " ".repeat(widest - crate::report::columns(name));
                format!("{name}{gap}  {}  {}\n", login.grant_type.name(), told(standing, now))
            };
            standings.iter().map(line).collect()
        };
        let _ = session.masker.writer(&mut session.stdout).write_all(text.as_bytes());
        Ok(())
    })
}

impl Session<'_> {
    /// The time now.
    pub(super) fn now(&self) -> Timestamp {
        self.logins.now()
    }
}

fn shown<'s>(login: &'s str, grant_type: &'s str, standing: &Standing, separator: &str) -> Shown<'s> {
    let (state, token, changed) = match standing {
        Standing::Missing => ("missing", None, Vec::new()),
        Standing::Foreign(changed) => ("foreign", None, changed.clone()),
        Standing::Fresh(token) => ("fresh", Some(token), Vec::new()),
        Standing::Stale(token) => ("stale", Some(token), Vec::new()),
    };
    Shown {
        login,
        grant_type,
        state,
        expires_at: token.and_then(Token::expires_at).map(|end| end.0),
        refreshable: token.is_some_and(|token| token.refresh_token().is_some()),
        scope: token.and_then(|token| token.scope(separator)),
        changed,
    }
}

/// A standing in words.
pub(super) fn told(standing: &Standing, now: Timestamp) -> String {
    match standing {
        Standing::Missing => "no token is kept".to_owned(),
        Standing::Foreign(changed) if changed.is_empty() => "the kept token was got with another configuration".to_owned(),
        Standing::Foreign(changed) => format!("the kept token does not fit: {} changed", changed.join(", ")),
        Standing::Fresh(token) => {
            let end = match token.expires_at() {
                Some(end) => format!("fresh, expires in {}", lasting(end.0.saturating_sub(now.0))),
                None => "kept, with no end that the server told".to_owned(),
            };
            format!("{end}{}{}", refreshable(token), scoped(token))
        }
        Standing::Stale(token) => {
            let end = token.expires_at().map_or(0, |end| now.0.saturating_sub(end.0));
            let end = if end > 0 { format!("expired {} ago", lasting(end)) } else { "about to expire".to_owned() };
            format!("{end}{}{}", refreshable(token), scoped(token))
        }
    }
}

fn refreshable(token: &Token) -> &'static str {
    if token.refresh_token().is_some() { ", refreshable" } else { "" }
}

fn scoped(token: &Token) -> String {
    token.scope(" ").filter(|scope| !scope.is_empty()).map(|scope| format!(", scope {}", scope.join(" "))).unwrap_or_default()
}

/// A duration in the two largest units that say something.
fn lasting(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::lasting;

    #[test]
    fn durations_say_what_matters() {
        let table = [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")];
        for (seconds, expected) in table {
            assert_eq!(lasting(seconds), expected);
        }
    }
}

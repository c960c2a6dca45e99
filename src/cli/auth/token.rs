//! `runner auth token` and `runner auth refresh`.

use std::io::Write;

use crate::auth::{Definition, Login};
use crate::diagnostic::Diagnostic;
use crate::oauth::{Asking, Standing};

use super::status::told;
use super::{Session, Stop};

/// Prints a token that can be used now, and nothing else: it is meant for `$(…)`.
pub(super) async fn print(session: &mut Session<'_>, (definition, login): (Definition, Login)) -> Result<(), Stop> {
    let obtained = session.ask((&definition, &login), async |logins, asking| logins.token(asking).await).await?;
    let token = obtained.token.access_token();
    let written = writeln!(session.stdout, "{}", token.expose()).and_then(|()| session.stdout.flush());
    written.map_err(|error| Diagnostic::error(format!("the token could not be written: {error}")).into())
}

/// Gets a new token in place of the one that is kept, fresh or not.
pub(super) async fn refresh(session: &mut Session<'_>, (definition, login): (Definition, Login)) -> Result<(), Stop> {
    let standing = session.ask((&definition, &login), async |logins, asking| {
        let kept = match logins.standing(asking)? {
            Standing::Fresh(token) | Standing::Stale(token) => Some(token.access_token()),
            Standing::Missing | Standing::Foreign(_) => None,
        };
        // The kept one counts as refused, so it is not taken again; another process's newer one is.
        logins.token(&Asking { refused: kept.as_ref(), sandbox: asking.sandbox.clone(), ..*asking }).await?;
        logins.standing(asking)
    });
    let standing = standing.await?;
    let text = format!("{}: {}\n", definition.name, told(&standing, session.now()));
    let _ = session.masker.writer(&mut session.stdout).write_all(text.as_bytes());
    Ok(())
}

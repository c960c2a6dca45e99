//! `runner auth revoke` and `runner auth logout`.

use std::io::Write;

use crate::auth::{Definition, Login};
use crate::diagnostic::Diagnostic;

use super::{Session, Stop};

/// Revokes the tokens of a login at its server, then forgets them: they are worth nothing any more.
pub(super) async fn revoke(session: &mut Session<'_>, (definition, login): (Definition, Login)) -> Result<(), Stop> {
    if is_missing(session, &definition) {
        return Ok(());
    }
    revoked(session, &definition, &login).await?;
    forgotten(session, &definition, &login, "revoked and forgotten").await
}

/// Revokes the tokens and forgets them whatever the server says.
pub(super) async fn logout(session: &mut Session<'_>, (definition, login): (Definition, Login)) -> Result<(), Stop> {
    if is_missing(session, &definition) {
        return Ok(());
    }
    let how = match revoked(session, &definition, &login).await {
        Ok(()) => "revoked and forgotten",
        Err(stop) => {
            let warning = Diagnostic::warning(stop.finding.message);
            session.diagnostics.tell(&[warning.help("they stay good at the server until they end")]);
            "forgotten, but not revoked"
        }
    };
    forgotten(session, &definition, &login, how).await
}

async fn revoked(session: &Session<'_>, definition: &Definition, login: &Login) -> Result<(), Stop> {
    let revoked = session.ask((definition, login), async |logins, asking| logins.revoke(asking).await).await;
    revoked.map_err(|stop| stop.while_it(&format!("the tokens of `{}` could not be revoked", definition.name)))
}

fn is_missing(session: &mut Session<'_>, definition: &Definition) -> bool {
    let missing = session.logins.held(&definition.name).is_none();
    if missing {
        let _ = writeln!(session.masker.writer(&mut session.stdout), "{}: no token is kept", definition.name);
    }
    missing
}

async fn forgotten(session: &mut Session<'_>, definition: &Definition, login: &Login, how: &str) -> Result<(), Stop> {
    session.ask((definition, login), async |logins, asking| logins.forget(asking.name).await).await?;
    let _ = writeln!(session.masker.writer(&mut session.stdout), "{}: {how}", definition.name);
    Ok(())
}

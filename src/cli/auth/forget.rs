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
    session.ask((&definition, &login), async |logins, asking| logins.revoke(asking).await).await?;
    forgotten(session, &definition, &login, "revoked").await
}

/// Revokes the tokens and forgets them whatever the server says.
pub(super) async fn logout(session: &mut Session<'_>, (definition, login): (Definition, Login)) -> Result<(), Stop> {
    if is_missing(session, &definition) {
        return Ok(());
    }
    let revoked = session.ask((&definition, &login), async |logins, asking| logins.revoke(asking).await).await;
    let how = match &revoked {
        Ok(()) => "revoked",
        Err(stop) => {
            let reason = &stop.finding.message;
            let warning = Diagnostic::warning(format!("the tokens of `{}` could not be revoked: {reason}", definition.name));
            session.diagnostics.tell(&[warning.help("they stay good at the server until they end")]);
            "not revoked"
        }
    };
    forgotten(session, &definition, &login, how).await
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
    let _ = writeln!(session.masker.writer(&mut session.stdout), "{}: {how} and forgotten", definition.name);
    Ok(())
}

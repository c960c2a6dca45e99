//! `runner auth introspect`: what the server says of a token.

use std::io::Write;

use crate::auth::{Definition, Login};

use super::{Session, Stop};

/// Prints the server's answer as JSON; secrets in it are masked.
pub(super) async fn run(session: &mut Session<'_>, (definition, login): (Definition, Login)) -> Result<(), Stop> {
    let answer = session.ask((&definition, &login), async |logins, asking| logins.introspect(asking).await).await;
    let answer = answer.map_err(|stop| stop.while_it(&format!("the token of `{}` could not be looked up", definition.name)))?;
    let text = serde_json::to_string_pretty(&answer).unwrap_or_default();
    let _ = writeln!(session.masker.writer(&mut session.stdout), "{text}");
    Ok(())
}

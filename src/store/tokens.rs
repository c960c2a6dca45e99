//! Tokens of managed logins in the local file, and the lock of each login.

use std::time::Duration;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::files::lock::{Lock, LockError};
use crate::oauth::{Token, TokenStore};
use crate::yaml::edit::Change;
use crate::yaml::{self, Privacy, to_json};

use super::{Keep, STORED, Store, change};

/// The section of the local file that holds tokens.
const TOKENS: &str = "tokens";

/// How long one process waits for another that renews the same token: a token request takes at most a minute, unless someone
/// raised its limit, and a few may queue.
const RENEWAL_WAIT: Duration = Duration::from_secs(180);

impl TokenStore for Store {
    type Lock = Lock;

    async fn prepare(&self) -> Result<Option<Diagnostic>, Diagnostic> {
        let made = Store::prepare(self).await.map_err(|error| error.finding(&self.shown))?;
        Ok(made.map(|made| Diagnostic::note(format!("made `{made}`, so that git leaves local files alone"))))
    }

    fn read(&self, name: &str) -> Result<Option<Token>, Diagnostic> {
        let text = Store::read(self).map_err(|error| error.finding(&self.shown))?;
        let document = yaml::read(&self.shown, text, Privacy::Hidden).map_err(|findings| {
            let first = findings.into_iter().next();
            first.unwrap_or_else(|| Diagnostic::error(format!("`{}` can't be read", self.shown)))
        })?;
        let tokens = document.root.as_ref().and_then(|root| root.get(TOKENS)?.get(name));
        Ok(match tokens.map(to_json) {
            Some(Ok(Value::Object(members))) => Token::from_members(members),
            _ => None,
        })
    }

    async fn lock(&self, name: &str) -> Result<Lock, Diagnostic> {
        let path = self.lock_of_login(name);
        Lock::acquire(&path, RENEWAL_WAIT).await.map_err(|error| match error {
            LockError::Held(holder) => {
                let by = holder.map(|pid| format!(" ({pid})")).unwrap_or_default();
                let seconds = RENEWAL_WAIT.as_secs();
                Diagnostic::error(format!("another process{by} has been renewing the token of `{name}` for {seconds} s"))
            }
            LockError::Io(error) => self.failed(&error).finding(&self.shown),
        })
    }

    async fn save(&self, name: &str, token: &Token, values: &[(String, Value)]) -> Result<(), Diagnostic> {
        let kept = Change {
            path: vec![TOKENS.to_owned(), name.to_owned()],
            value: Some(Value::Object(token.members().clone())),
            tag: None,
        };
        let values = values.iter().map(|(name, value)| {
            let secret = crate::mask::is_secret_name(name);
            change(&Keep { name, value, secret })
        });
        let changes: Vec<Change> = std::iter::once(kept).chain(values).collect();
        debug_assert!(changes.iter().skip(1).all(|change| change.path.first().is_some_and(|section| section == STORED)));
        self.change(&changes).await.map_err(|error| error.finding(&self.shown))
    }

    async fn forget(&self, name: &str) -> Result<(), Diagnostic> {
        let gone = Change { path: vec![TOKENS.to_owned(), name.to_owned()], value: None, tag: None };
        self.change(&[gone]).await.map_err(|error| error.finding(&self.shown))
    }
}

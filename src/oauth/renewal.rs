//! How a token is renewed: a refresh where there is something to refresh with, else the grant; saved before it is used.

use std::rc::Rc;

use serde_json::Value;
use url::Url;

use crate::auth::{BodyFormat, GrantType, Login};
use crate::clock::Timestamp;
use crate::diagnostic::Diagnostic;
use crate::secret::Secret;

use super::answer::{Answer, Reading};
use super::discovery::Metadata;
use super::endpoint::Asked;
use super::error::{Error, Refused};
use super::lifecycle::{Asking, Known, Lifecycle, Obtained, Server, TokenStore, definition, stored, url};
use super::parameters::Parameters;
use super::token::Token;

impl<S: TokenStore> Lifecycle<'_, S> {
    /// Where the server of a login is, and what it says about itself: read when a token has to be got, once a run.
    pub(super) async fn server(&self, known: &Known<'_, '_>) -> Result<Server, Error> {
        let endpoints = &known.asking.login.endpoints;
        let of_config = known.config.as_ref().is_some_and(|config| config.token_endpoint.is_some());
        if endpoints.token.is_some() || of_config {
            return Ok(Server { token_endpoint: known.identity.server.clone(), metadata: None });
        }
        let issuer = &known.identity.server;
        let cached = self.metadata.borrow().get(issuer).cloned();
        let metadata = match cached {
            Some(metadata) => metadata,
            None => {
                let read = Rc::new(Metadata::of(issuer, &self.endpoint, known.asking.guard).await?);
                self.metadata.borrow_mut().insert(issuer.clone(), Rc::clone(&read));
                read
            }
        };
        let named = metadata.token_endpoint.as_deref().and_then(|text| Url::parse(text).ok());
        let token_endpoint =
            named.ok_or_else(|| Error::unusable(200, format!("the metadata of `{issuer}` names no token endpoint"), ""))?;
        Ok(Server { token_endpoint, metadata: Some(metadata) })
    }

    /// A refresh when there is something to refresh with, else the grant.
    pub(super) async fn renewed(&self, known: &Known<'_, '_>, kept: Option<Token>) -> Result<Obtained, Error> {
        let server = &self.server(known).await?;
        let refresh_token = match kept.as_ref().and_then(Token::refresh_token) {
            Some(token) => Some(token),
            None => known.grants(server, self.clock.now()).brought_refresh_token().map_err(definition)?,
        };
        if let Some(refresh_token) = refresh_token
            && let Some(obtained) = self.refreshed((known, server), kept, &refresh_token).await?
        {
            return Ok(obtained);
        }
        self.granted(known, server).await
    }

    /// Spends a refresh token; `None` when the server does not take it any more.
    async fn refreshed(
        &self,
        (known, server): (&Known<'_, '_>, &Server),
        kept: Option<Token>,
        refresh_token: &Secret,
    ) -> Result<Option<Obtained>, Error> {
        let name = known.asking.name;
        let grants = known.grants(server, self.clock.now());
        let parameters = grants.refresh(refresh_token).map_err(definition)?;
        if let Some(since) = kept.as_ref().and_then(Token::refreshing_since) {
            let age = self.clock.now().0.saturating_sub(since.0);
            let notice = Diagnostic::note(format!("a refresh of `{name}` was begun {age} s ago and its answer never came"));
            self.notices.borrow_mut().push(notice.help("the stored refresh token is tried once more, since it is the only one"));
        }
        let asked_at = self.clock.now();
        self.prepare().await.map_err(stored)?;
        self.note(name, kept.as_ref(), Some(asked_at)).await?;
        let url = match &known.asking.login.endpoints.refresh {
            Some(template) => url(known.asking.fields, template)?,
            None => server.token_endpoint.clone(),
        };
        let answer = self.ask((known, server), &url, parameters, GrantType::RefreshToken.wire()).await;
        match answer {
            Ok((members, access_token)) => {
                let mut token = Token::of_answer(members, &access_token, asked_at);
                match &kept {
                    Some(old) => token.inherit(old),
                    // A refresh token that was brought along is stored from now on: the next run finds it where all are.
                    None => token.keep_refresh_token(refresh_token),
                }
                self.keep(known, token, true).await.map(Some)
            }
            Err(Error::Refused(refused)) if refused.is_invalid_grant() => self.spent((known, server), kept, refused).await,
            Err(error) => {
                let untouched = match &error {
                    Error::Http(error) => error.nothing_was_sent(),
                    // An error as RFC 6749 has it says that nothing was granted.
                    Error::Refused(refused) => refused.status < 500,
                    _ => false,
                };
                if untouched {
                    self.note(name, kept.as_ref(), None).await?;
                }
                Err(match error {
                    Error::Http(error) if !untouched => Error::Unanswered(error),
                    error => error,
                })
            }
        }
    }

    /// The server refuses the refresh token. Nobody deletes a newer one: another machine may share the file.
    async fn spent(
        &self,
        (known, server): (&Known<'_, '_>, &Server),
        kept: Option<Token>,
        refused: Box<Refused>,
    ) -> Result<Option<Obtained>, Error> {
        let name = known.asking.name;
        if let Some(store) = self.store {
            let current = store.read(name).map_err(stored)?;
            if let Some(token) = current.filter(|token| known.takes(token, self.clock)) {
                self.hold(name, &token);
                return Ok(Some(Obtained { token, values: Vec::new() }));
            }
        }
        let alone = known.asking.login.grant_type == GrantType::RefreshToken
            || known.asking.login.grant_type.needs_a_person() && !known.grants(server, self.clock.now()).has_code();
        if let Some(mut old) = kept {
            old.forget_refresh_token();
            self.note(name, Some(&old), None).await?;
        }
        if alone {
            return Err(Error::Refused(refused));
        }
        let notice =
            Diagnostic::note(format!("the refresh token of `{name}` is not good any more ({refused}); a new token is got"));
        self.notices.borrow_mut().push(notice);
        Ok(None)
    }

    /// The grant.
    async fn granted(&self, known: &Known<'_, '_>, server: &Server) -> Result<Obtained, Error> {
        let login = known.asking.login;
        let grants = known.grants(server, self.clock.now());
        if login.grant_type.needs_a_person() && !grants.has_code() {
            return Err(Error::NeedsPerson { grant: login.grant_type.clone() });
        }
        if login.grant_type == GrantType::RefreshToken {
            let finding = login.place.error("the login has no refresh token to start with");
            return Err(definition(finding.help("give the first one with `refresh_token: \"{{ … }}\"`").into()));
        }
        if !self.habits.no_save
            && let Err(failed) = self.prepare().await
            && self.is_precious(login)
        {
            // A code that can be used once must not be spent on a token that can't be kept.
            return Err(stored(failed));
        }
        let parameters = grants.parameters().map_err(definition)?;
        let asked_at = self.clock.now();
        let url = server.token_endpoint.clone();
        let answer = match self.ask((known, server), &url, parameters, login.grant_type.wire()).await {
            Err(Error::Refused(refused)) if login.grant_type == GrantType::JwtBearer && refused.is_about_time() => {
                // Clocks differ: once more by the server's, with another `jti`.
                let now = refused.server_time.unwrap_or(asked_at);
                let parameters = known.grants(server, now).parameters().map_err(definition)?;
                self.ask((known, server), &url, parameters, login.grant_type.wire()).await
            }
            answer => answer,
        };
        let (members, access_token) = answer?;
        self.keep(known, Token::of_answer(members, &access_token, asked_at), false).await
    }

    /// Whether a token of `login` can't be had again without a person.
    fn is_precious(&self, login: &Login) -> bool {
        login.grant_type.needs_a_person() || login.grant_type == GrantType::RefreshToken
    }

    async fn prepare(&self) -> Result<(), Diagnostic> {
        let Some(store) = self.store.filter(|_| !self.prepared.get()) else { return Ok(()) };
        let made = store.prepare().await?;
        self.prepared.set(true);
        self.notices.borrow_mut().extend(made);
        Ok(())
    }

    async fn ask(
        &self,
        (known, server): (&Known<'_, '_>, &Server),
        url: &Url,
        parameters: Parameters,
        grant: &str,
    ) -> Result<Answer, Error> {
        let login = known.asking.login;
        let grants = known.grants(server, self.clock.now());
        let asked = Asked {
            url,
            parameters,
            credentials: grants.credentials().map_err(definition)?,
            headers: grants.headers().map_err(definition)?,
            format: login.token.body.unwrap_or(BodyFormat::Form),
        };
        let mask = |text: &str| self.endpoint.masker.mask(text);
        let access_token = login.token.access_token.as_ref();
        let reading = Reading { grant, access_token, any_type: login.send.prefix.is_some(), mask: &mask };
        self.endpoint.ask(asked, &reading, known.asking.guard).await
    }

    /// Saves a token, then holds it.
    async fn keep(&self, known: &Known<'_, '_>, mut token: Token, spent_one: bool) -> Result<Obtained, Error> {
        let Asking { name, login, .. } = known.asking;
        token.mark_for(&known.fingerprint);
        self.tell_dropped_scopes(known, &token);
        let whole = Value::Object(token.members().clone());
        let values: Vec<(String, Value)> = (login.store.iter())
            .filter_map(|kept| Some((kept.name.clone(), kept.path.nodes(&whole).first().map(|node| (*node).clone())?)))
            .collect();
        self.hold(name, &token);
        let Some(store) = self.store.filter(|_| spent_one || !self.habits.no_save) else { return Ok(Obtained { token, values }) };
        match store.save(name, &token, &values).await {
            Ok(()) => {}
            // It can be had again without anyone: a checkout that can't be written to must not fail for it.
            Err(failed) if !spent_one && !self.is_precious(login) => {
                let notice = Diagnostic::warning(format!("the token of `{name}` is not kept: {}", failed.message));
                self.notices.borrow_mut().push(Diagnostic { help: failed.help, ..notice });
            }
            Err(failed) => return Err(stored(failed)),
        }
        Ok(Obtained { token, values })
    }

    /// Other scopes than those that were asked for are worth a word (RFC 6749 §3.3), and no failure.
    fn tell_dropped_scopes(&self, known: &Known<'_, '_>, token: &Token) {
        let separator = known.asking.login.wanted.scope_separator.as_deref().unwrap_or(" ");
        let Some(granted) = token.scope(separator) else { return };
        let dropped: Vec<&str> = (known.identity.scope.iter().map(String::as_str))
            .filter(|wanted| !granted.iter().any(|scope| scope == wanted))
            // It asks for a refresh token or an id token and names no right: servers rarely repeat it.
            .filter(|wanted| !matches!(*wanted, "offline_access" | "openid"))
            .collect();
        if !dropped.is_empty() {
            let text = format!("the token of `{}` lacks the scope `{}`", known.asking.name, dropped.join("`, `"));
            self.notices.borrow_mut().push(Diagnostic::warning(text));
        }
    }

    /// Saves the note that a refresh was begun, or takes it away.
    async fn note(&self, name: &str, kept: Option<&Token>, at: Option<Timestamp>) -> Result<(), Error> {
        let (Some(store), Some(kept)) = (self.store, kept) else { return Ok(()) };
        let mut noted = kept.clone();
        noted.note_refresh(at);
        store.save(name, &noted, &[]).await.map_err(stored)
    }
}

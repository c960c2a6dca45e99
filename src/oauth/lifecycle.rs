//! The life of a token: fresh, stale, renewed, got anew; saved before it is used.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::auth::{BodyFormat, GrantType, Login};
use crate::clock::{Clock, Timestamp};
use crate::diagnostic::Diagnostic;
use crate::http::Guard;
use crate::secret::Secret;
use crate::template;
use crate::trust::Origin;

use super::answer::Reading;
use super::config::Config;
use super::discovery::Metadata;
use super::endpoint::{Asked, Endpoint};
use super::error::Error;
use super::grant::{Fields, Grants};
use super::identity::Identity;
use super::token::{SKEW, Token};

/// Keeps tokens between runs. Every failure is told as it is, with its place in the file system.
pub trait TokenStore {
    /// Held while a token is renewed.
    type Lock;

    /// Looks whether a save can work, once a run; what is worth saying about it.
    ///
    /// # Errors
    /// A save would fail.
    fn prepare(&self) -> impl Future<Output = Result<Option<Diagnostic>, Diagnostic>>;

    /// The token of the login `name`, as the file has it now.
    ///
    /// # Errors
    /// The file can't be read.
    fn read(&self, name: &str) -> Result<Option<Token>, Diagnostic>;

    /// Waits for the lock of the login `name`: one process at a time renews its token. Waits as long as a token request may take.
    ///
    /// # Errors
    /// The lock can't be had.
    fn lock(&self, name: &str) -> impl Future<Output = Result<Self::Lock, Diagnostic>>;

    /// Keeps a token, and values that were taken from its answer. They are on disk when this is done.
    ///
    /// # Errors
    /// The old file is intact then.
    fn save(&self, name: &str, token: &Token, values: &[(String, Value)]) -> impl Future<Output = Result<(), Diagnostic>>;
}

/// A login that is asked for its token.
pub struct Asking<'a> {
    /// The name under which its token is kept.
    pub name: &'a str,
    /// What it says.
    pub login: &'a Login,
    /// Its fields.
    pub fields: &'a dyn Fields,
    /// The origin of the embedded server, when one runs.
    pub sandbox: Option<Origin>,
    /// Whether its credentials may go to an address.
    pub guard: &'a Guard<'a>,
    /// The access token that a server has just refused: it is not taken again.
    pub refused: Option<&'a Secret>,
}

/// A token that can be used.
#[derive(Debug)]
pub struct Obtained {
    /// The token.
    pub token: Token,
    /// Values of its answer that the login keeps, when it was got just now.
    pub values: Vec<(String, Value)>,
}

/// What the command line decides about tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// Nothing is saved but where a refresh token was spent.
    pub no_save: bool,
    /// Each login starts as if nothing were stored.
    pub fresh: bool,
}

/// The tokens of a run.
pub struct Lifecycle<'l, S> {
    store: Option<&'l S>,
    endpoint: Endpoint<'l>,
    clock: &'l dyn Clock,
    habits: Habits,
    /// The tokens that this run knows of: those that were stored, and those that it got.
    held: RefCell<HashMap<String, Token>>,
    notices: RefCell<Vec<Diagnostic>>,
    metadata: RefCell<HashMap<Url, Rc<Metadata>>>,
    /// Whether the place for tokens was looked at.
    prepared: Cell<bool>,
}

/// Where tokens come from.
struct Server {
    token_endpoint: Url,
    metadata: Option<Rc<Metadata>>,
}

/// A login whose identity is known.
struct Known<'k, 'a> {
    asking: &'k Asking<'a>,
    config: Option<Config>,
    identity: Identity,
    fingerprint: String,
    skew: Duration,
}

impl Known<'_, '_> {
    /// Whether a stored token may be presented.
    fn takes(&self, token: &Token, clock: &dyn Clock) -> bool {
        let refused = self.asking.refused.is_some_and(|refused| token.access_token() == *refused);
        token.is_for(&self.fingerprint) && token.is_fresh(clock.now(), self.skew) && !refused
    }

    fn grants<'g>(&'g self, server: &'g Server, now: Timestamp) -> Grants<'g> {
        let Asking { login, fields, .. } = *self.asking;
        let Server { token_endpoint, metadata } = server;
        let (metadata, config) = (metadata.as_deref(), self.config.as_ref());
        Grants { login, fields, identity: &self.identity, token_endpoint, metadata, config, now }
    }
}

impl<'l, S: TokenStore> Lifecycle<'l, S> {
    /// The tokens of a run that starts with those that are `stored`.
    #[must_use]
    pub fn new(
        store: Option<&'l S>,
        endpoint: Endpoint<'l>,
        clock: &'l dyn Clock,
        habits: Habits,
        stored: HashMap<String, Token>,
    ) -> Self {
        let held = if habits.fresh { HashMap::new() } else { stored };
        Self {
            store,
            endpoint,
            clock,
            habits,
            held: RefCell::new(held),
            notices: RefCell::default(),
            metadata: RefCell::default(),
            prepared: Cell::new(false),
        }
    }

    /// The token of the login `name` that the run knows of, whatever its state.
    #[must_use]
    pub fn held(&self, name: &str) -> Option<Ref<'_, Token>> {
        Ref::filter_map(self.held.borrow(), |held| held.get(name)).ok()
    }

    /// What is worth telling since the last call.
    pub fn notices(&self) -> Vec<Diagnostic> {
        self.notices.take()
    }

    /// A token that can be used now: the stored one, a renewed one, or a new one.
    ///
    /// # Errors
    /// See [`Error`]. After a save that failed the token is held all the same, for requests that run whatever happens.
    pub async fn token(&self, asking: &Asking<'_>) -> Result<Obtained, Error> {
        let known = self.known(asking)?;
        if let Some(token) = self.held.borrow().get(asking.name).filter(|token| known.takes(token, self.clock)) {
            return Ok(Obtained { token: token.clone(), values: Vec::new() });
        }
        let Some(store) = self.store else { return self.renewed(&known, None).await };
        let _lock = store.lock(asking.name).await.map_err(stored)?;
        let anew = self.habits.fresh && !self.held.borrow().contains_key(asking.name);
        let current = if anew { None } else { store.read(asking.name).map_err(stored)? };
        // Another process may have renewed it while this one waited.
        if let Some(token) = current.as_ref().filter(|token| known.takes(token, self.clock)) {
            self.hold(asking.name, token);
            return Ok(Obtained { token: token.clone(), values: Vec::new() });
        }
        self.renewed(&known, current.filter(|token| token.is_for(&known.fingerprint))).await
    }

    fn known<'k, 'a>(&self, asking: &'k Asking<'a>) -> Result<Known<'k, 'a>, Error> {
        let login = asking.login;
        let config = match &login.assertion.config {
            Some(template) => {
                let text = asking.fields.document(template).map_err(definition)?;
                Some(Config::read(&text, template.place()).map_err(definition)?)
            }
            None => None,
        };
        let of_config = config.as_ref().and_then(|config| Url::parse(config.token_endpoint.as_deref()?).ok());
        let server = match (&login.endpoints.token, of_config, &login.endpoints.issuer) {
            (Some(template), ..) | (None, None, Some(template)) => url(asking.fields, template)?,
            (None, Some(url), _) => url,
            (None, None, None) => {
                let finding = login.place.error("the login has no `token_endpoint`");
                return Err(definition(finding.help("give it, or `issuer:`, or `provider:`").into()));
            }
        };
        let identity = Identity::of(login, server, asking.fields, config.as_ref()).map_err(definition)?;
        let fingerprint = identity.fingerprint(asking.sandbox.as_ref());
        Ok(Known { asking, config, identity, fingerprint, skew: login.refresh.skew.unwrap_or(SKEW) })
    }

    /// Where the server of a login is, and what it says about itself: read when a token has to be got, once a run.
    async fn server(&self, known: &Known<'_, '_>) -> Result<Server, Error> {
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
    async fn renewed(&self, known: &Known<'_, '_>, kept: Option<Token>) -> Result<Obtained, Error> {
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
        refused: super::Refused,
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
        parameters: super::parameters::Parameters,
        grant: &str,
    ) -> Result<super::answer::Answer, Error> {
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

    fn hold(&self, name: &str, token: &Token) {
        self.held.borrow_mut().insert(name.to_owned(), token.clone());
    }
}

/// The text of a template as a URL; plain http is for this machine only, unless `hosts` lists it (the guard knows).
fn url(fields: &dyn Fields, template: &template::Template) -> Result<Url, Error> {
    let text = fields.text(template).map_err(definition)?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none() => Ok(url),
        // A fragment is never sent, so it can't be meant (RFC 6749 §3.2).
        Ok(url) if url.fragment().is_some() => {
            Err(definition(template.place().error("an endpoint can't have a fragment (RFC 6749 §3.2)").into()))
        }
        _ => {
            let finding = template.place().error("an endpoint must be an `https://` URL");
            Err(definition(finding.help(format!("it is `{text}`")).into()))
        }
    }
}

fn definition(error: template::Error) -> Error {
    Error::Definition(Box::new(match error {
        template::Error::Undefined { path, place } => place.error(format!("`{path}` has no value")),
        template::Error::Failed(finding) => *finding,
    }))
}

fn stored(finding: Diagnostic) -> Error {
    Error::Store(Box::new(finding))
}

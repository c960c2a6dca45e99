//! The life of a token as a state machine: whatever the order of runs, clock steps, refusals, lost answers and changes of the
//! configuration, no expired or foreign token is presented, no single-use token is spent twice (but after a lost answer, with a
//! note), and the newest is never dropped.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use runner::auth::{Definition, Login, Method};
use runner::clock::{Clock, FixedClock, Timestamp};
use runner::diagnostic::Diagnostic;
use runner::http::{Client, Settings};
use runner::mask::Masker;
use runner::oauth::{Asking, Endpoint, Error, Fields, Habits, Lifecycle, Token, TokenStore};
use runner::secret::Secret;
use runner::template::{self, Builder, Template, Tree};
use runner::yaml::{self, Decoder, Privacy};
use serde_json::{Value, json};

use crate::support::server::{Answer, Request, Server};

/// Seconds that an access token lives.
const LIFETIME: i64 = 600;

/// An authorization server: single-use refresh tokens, a family that dies when one is used again.
#[derive(Default)]
struct Issuer {
    issued: u32,
    /// The access tokens: their scope and their end.
    access: HashMap<String, (String, i64)>,
    /// The refresh token that is good now, and its scope.
    refresh: Option<(String, String)>,
    /// Refresh tokens that were used.
    spent: Vec<String>,
    /// How often a used one came again.
    reused: u32,
    grants: u32,
    /// What happens to the next answer.
    fault: Fault,
    now: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// The server does what it was asked, and the answer is lost.
    Lost,
    /// The server does nothing and breaks down.
    Broken,
}

impl Issuer {
    fn answer(&mut self, request: &Request) -> Answer {
        let field = |name: &str| request.form_field(name).unwrap_or_default();
        let fault = std::mem::take(&mut self.fault);
        if fault == Fault::Broken {
            return Answer::text(503, "busy");
        }
        let scope = match field("grant_type").as_str() {
            "refresh_token" => {
                let shown = field("refresh_token");
                match &self.refresh {
                    Some((good, scope)) if *good == shown => {
                        let scope = scope.clone();
                        self.spent.push(shown);
                        scope
                    }
                    _ => {
                        if self.spent.contains(&shown) {
                            self.reused += 1;
                            self.refresh = None;
                        }
                        return Answer::json(400, r#"{"error":"invalid_grant"}"#);
                    }
                }
            }
            _ => {
                self.grants += 1;
                field("scope")
            }
        };
        self.issued += 1;
        let (access, refresh) = (format!("access-{}", self.issued), format!("refresh-{}", self.issued));
        self.access.insert(access.clone(), (scope.clone(), self.now + LIFETIME));
        self.refresh = Some((refresh.clone(), scope));
        if fault == Fault::Lost {
            return Answer::raw("");
        }
        let answer = json!({"access_token": access, "refresh_token": refresh, "expires_in": LIFETIME});
        Answer::json(200, answer.to_string())
    }
}

/// The local file, without a disk.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Token>>);

impl TokenStore for Memory {
    type Lock = ();

    async fn prepare(&self) -> Result<Option<Diagnostic>, Diagnostic> {
        Ok(None)
    }

    fn read(&self, name: &str) -> Result<Option<Token>, Diagnostic> {
        Ok(self.0.borrow().get(name).cloned())
    }

    async fn lock(&self, _: &str) -> Result<(), Diagnostic> {
        Ok(())
    }

    async fn save(&self, name: &str, token: &Token, _: &[(String, Value)]) -> Result<(), Diagnostic> {
        self.0.borrow_mut().insert(name.to_owned(), token.clone());
        Ok(())
    }

    async fn forget(&self, name: &str) -> Result<(), Diagnostic> {
        self.0.borrow_mut().remove(name);
        Ok(())
    }
}

/// Fields that stand in the definition as they are.
struct Literal;

impl Fields for Literal {
    fn text(&self, template: &Template) -> Result<String, template::Error> {
        Ok(template.source().to_owned())
    }

    fn value(&self, _: &Tree<Template>) -> Result<Value, template::Error> {
        Ok(Value::Null)
    }

    fn document(&self, template: &Template) -> Result<Secret, template::Error> {
        self.text(template).map(Secret::new)
    }

    fn has(&self, _: &Template) -> bool {
        true
    }
}

fn login(token_endpoint: &str, scope: &str) -> Login {
    let text = format!(
        "x: {{oauth2: {{grant_type: password, token_endpoint: '{token_endpoint}/token', client_id: me, username: u, password: pass, \
         scope: {scope}}}}}"
    );
    let document = yaml::read("auth.yaml", text, Privacy::Open).unwrap();
    let (mut decoder, mut builder) = (Decoder::new(&document.file), Builder::default());
    let found = runner::auth::definitions(&mut decoder, &mut builder, document.root.as_ref().unwrap());
    assert!(decoder.finish().is_empty());
    match found.into_iter().next() {
        Some(Definition { method: Method::Login(login), .. }) => *login,
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A run that asks for a token once, with one of two scopes.
    Run(u8),
    /// A run whose token the API refuses, and that renews it.
    Refused(u8),
    /// Time passes.
    Wait(u16),
    /// The next answer of the server is lost, or not given.
    Fault(bool),
    /// The server forgets the refresh token.
    Revoke,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_u8).prop_map(Step::Run),
        2 => (0..2_u8).prop_map(Step::Refused),
        4 => (0..1000_u16).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Fault),
        1 => Just(Step::Revoke),
    ]
}

struct World {
    issuer: Arc<Mutex<Issuer>>,
    server: Server,
    clock: FixedClock,
    store: Memory,
    client: Client,
    masker: Masker,
    /// Whether the answer to a refresh was lost since the last token came.
    lost: bool,
}

impl World {
    fn new() -> Self {
        let issuer = Arc::new(Mutex::new(Issuer { now: 1_000_000, ..Issuer::default() }));
        let shared = Arc::clone(&issuer);
        let server = Server::start(move |request| shared.lock().unwrap().answer(request));
        Self {
            issuer,
            server,
            clock: FixedClock::new(Timestamp(1_000_000)),
            store: Memory::default(),
            client: Client::new(Settings::default()).unwrap(),
            masker: Masker::new(),
            lost: false,
        }
    }

    /// One process: it starts with what is stored, asks for a token, and asks again when the API refuses it.
    async fn run(&mut self, scope: u8, refused: bool) {
        let scope = ["read", "write"][usize::from(scope)];
        let login = login(&self.server.url(), scope);
        let before = self.issuer.lock().unwrap().reused;
        let stored = self.store.0.borrow().clone().into_iter().collect();
        let endpoint = Endpoint { client: &self.client, masker: &self.masker, timeout: None };
        let life = Lifecycle::new(Some(&self.store), endpoint, &self.clock, Habits::default(), stored);
        let guard = |_: &url::Url, _| Ok(());
        let mut asking = Asking { name: "x", login: &login, fields: &Literal, sandbox: None, guard: &guard, refused: None };
        let mut result = life.token(&asking).await.map(|obtained| obtained.token);
        self.judge(&result, scope);
        if let (true, Ok(first)) = (refused, &result) {
            let first = first.access_token();
            asking.refused = Some(&first);
            result = life.token(&asking).await.map(|obtained| obtained.token);
            assert!(!result.as_ref().is_ok_and(|second| second.access_token() == first), "a refused token came again");
            self.judge(&result, scope);
        }
        let reused = self.issuer.lock().unwrap().reused - before;
        assert!(reused == 0 || self.lost, "a refresh token was spent twice");
        match &result {
            // A token that is still good says nothing about the refresh token that may be spent.
            Ok(token) => self.lost = token.refreshing_since().is_some(),
            Err(error) => {
                self.lost |= matches!(error, Error::Unanswered(_));
                let expected = matches!(error, Error::Unanswered(_) | Error::Unusable { .. } | Error::Http(_));
                assert!(expected, "{error}");
            }
        }
    }

    fn judge(&self, result: &Result<Token, Error>, scope: &str) {
        let Ok(token) = result else { return };
        let issuer = self.issuer.lock().unwrap();
        let access = token.access_token();
        let (granted, end) = issuer.access.get(access.expose()).expect("a token that the server gave");
        assert_eq!(granted, scope, "a token of another configuration");
        assert!(*end > self.clock.now().0, "an expired token");
        let kept = self.store.0.borrow().get("x").cloned().expect("it is stored");
        assert_eq!(kept, *token, "what is used is what is stored");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_a_promise(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Run(scope) => runtime.block_on(world.run(scope, false)),
                Step::Refused(scope) => runtime.block_on(world.run(scope, true)),
                Step::Wait(seconds) => {
                    world.clock.advance(i64::from(seconds));
                    world.issuer.lock().unwrap().now += i64::from(seconds);
                }
                Step::Fault(lost) => world.issuer.lock().unwrap().fault = if lost { Fault::Lost } else { Fault::Broken },
                Step::Revoke => world.issuer.lock().unwrap().refresh = None,
            }
        }
    }
}

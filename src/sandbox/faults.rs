//! Faults on request: what the token endpoint does wrong, for the next requests or for all, so that a client can be seen to cope.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use crate::yaml::parse_duration;

/// How long an answer takes when `slow` stands alone.
const SLOW: Duration = Duration::from_secs(2);
/// Seconds that a token lives when `expire` stands alone.
const EXPIRE: u32 = 5;
/// Requests that faults may be in store for.
const MOST: usize = 1_000;

/// What one request to the token endpoint meets. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// How long the answer is kept back. What was asked for has been done by then.
    slow: Option<Duration>,
    /// Whether the connection is closed without an answer. What was asked for has been done by then.
    drop: bool,
    /// Answered instead of doing anything.
    status: Option<StatusCode>,
    /// Seconds, in `Retry-After` beside the status.
    retry_after: Option<u32>,
    /// Seconds that an access token lives.
    expire: Option<u32>,
}

/// A fault that the sandbox does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault;

impl std::error::Error for UnknownFault {}

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `slow`, `slow=500ms`, `drop`, a status from 400 to 599, `expire`, `expire=60` (seconds) or `ok`")
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let fault = match (name, value) {
            ("ok", None) => Self::default(),
            ("drop", None) => Self { drop: true, ..Self::default() },
            ("slow", None) => Self { slow: Some(SLOW), ..Self::default() },
            ("slow", Some(time)) => Self { slow: Some(parse_duration(time).ok_or(UnknownFault)?), ..Self::default() },
            ("expire", None) => Self { expire: Some(EXPIRE), ..Self::default() },
            ("expire", Some(seconds)) => Self { expire: Some(seconds.parse().map_err(|_| UnknownFault)?), ..Self::default() },
            (status, None) => Self::of_status(status.parse().map_err(|_| UnknownFault)?)?,
            _ => return Err(UnknownFault),
        };
        Ok(fault)
    }
}

impl Fault {
    fn of_status(status: u16) -> Result<Self, UnknownFault> {
        let status = StatusCode::from_u16(status).ok().filter(|status| status.is_client_error() || status.is_server_error());
        let status = status.ok_or(UnknownFault)?;
        let retry_after = (status == StatusCode::TOO_MANY_REQUESTS).then_some(1);
        Ok(Self { status: Some(status), retry_after, ..Self::default() })
    }

    /// Whether the request meets anything unusual.
    pub(super) fn is_any(&self) -> bool {
        *self != Self::default()
    }

    /// Seconds that an access token is to live, where they are not the usual ones.
    pub(super) fn lifetime(&self) -> Option<i64> {
        self.expire.map(i64::from)
    }

    /// The answer that the request gets without anything being done.
    pub(super) fn instead(&self) -> Option<Answer> {
        let body = json!({"error": "temporarily_unavailable", "error_description": "The sandbox was asked for this fault"});
        let answer = Answer::json(self.status?, &body).no_store();
        Some(match self.retry_after {
            Some(seconds) => answer.with(header::RETRY_AFTER, HeaderValue::from(seconds)),
            None => answer,
        })
    }

    /// What becomes of an answer on its way out.
    pub(super) fn spoil(&self, answer: Answer) -> Answer {
        Answer { delay: self.slow.unwrap_or_default(), is_dropped: self.drop, ..answer }
    }
}

/// What `POST /sandbox/faults` may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    slow: Option<String>,
    #[serde(default)]
    drop: bool,
    status: Option<u16>,
    retry_after: Option<u32>,
    expire: Option<u32>,
    times: Option<Times>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Times {
    Count(usize),
    Word(String),
}

/// The faults in store.
#[derive(Default)]
pub(super) struct Faults {
    /// For the next requests, one each.
    next: VecDeque<Fault>,
    /// For all others: one each, and from the start again after the last.
    always: Vec<Fault>,
    turn: usize,
}

impl Faults {
    /// Faults for all requests, in turn.
    pub(super) fn always(always: Vec<Fault>) -> Self {
        Self { always, ..Self::default() }
    }

    /// Takes a fault as JSON, for the next request, for the next `times`, or for `"all"`. The error says what was expected.
    pub(super) fn order(&mut self, text: &[u8]) -> Result<(), String> {
        let order: Order = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let plain = match order.status {
            Some(status) => Fault::of_status(status).map_err(|_| "`status` must be from 400 to 599".to_owned())?,
            None => Fault::default(),
        };
        let slow =
            order.slow.map(|text| parse_duration(&text).ok_or("`slow` must be a duration such as \"500ms\"")).transpose()?;
        let retry_after = order.retry_after.or(plain.retry_after);
        let fault = Fault { slow, drop: order.drop, retry_after, expire: order.expire, ..plain };
        match order.times.unwrap_or(Times::Count(1)) {
            Times::Word(word) if word == "all" => (self.always, self.turn) = (vec![fault], 0),
            Times::Count(times) if self.next.len().saturating_add(times) <= MOST => {
                self.next.extend(std::iter::repeat_n(fault, times));
            }
            _ => return Err(format!("`times` must be \"all\" or a number; at most {MOST} faults can be in store")),
        }
        Ok(())
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the next request meets.
    pub(super) fn take(&mut self) -> Fault {
        if let Some(fault) = self.next.pop_front() {
            return fault;
        }
        let fault = self.always.get(self.turn).cloned().unwrap_or_default();
        self.turn = self.turn.saturating_add(1).checked_rem(self.always.len()).unwrap_or_default();
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;
    use super::*;

    /// Orders a fault as a test does.
    #[track_caller]
    fn order(desk: &mut Desk, text: &str) {
        let reply = desk.send("POST", "/sandbox/faults", &[], text);
        assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    }

    #[test]
    fn faults_of_the_command_line() {
        let status = |status: u16| Fault { status: StatusCode::from_u16(status).ok(), ..Fault::default() };
        let cases = [
            ("ok", Fault::default()),
            ("drop", Fault { drop: true, ..Fault::default() }),
            ("slow", Fault { slow: Some(SLOW), ..Fault::default() }),
            ("slow=500ms", Fault { slow: Some(Duration::from_millis(500)), ..Fault::default() }),
            ("500", status(500)),
            ("429", Fault { retry_after: Some(1), ..status(429) }),
            ("expire", Fault { expire: Some(5), ..Fault::default() }),
            ("expire=60", Fault { expire: Some(60), ..Fault::default() }),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "fast", "200", "600", "99999", "drop=1", "slow=soon", "expire=-1", "expire=1h"] {
            assert_eq!(text.parse::<Fault>(), Err(UnknownFault), "{text}");
        }
    }

    #[test]
    fn a_status_comes_instead_and_nothing_is_spent() {
        let mut desk = Desk::new();
        let (_, token) = desk.log_in();
        order(&mut desk, r#"{"status": 429, "retry_after": 7}"#);
        let reply = desk.refresh(&token);
        assert_eq!((reply.status, reply.header("retry-after")), (429, "7"));
        order(&mut desk, r#"{"status": 500, "times": 2}"#);
        assert_eq!((desk.refresh(&token).status, desk.refresh(&token).status), (500, 500));
        assert_eq!(desk.refresh(&token).status, 200);
    }

    #[test]
    fn a_drop_comes_after_the_deed() {
        let mut desk = Desk::new();
        let (_, token) = desk.log_in();
        order(&mut desk, r#"{"drop": true, "slow": "3s"}"#);
        let reply = desk.refresh(&token);
        assert_eq!((reply.status, reply.is_dropped, reply.delay), (200, true, Duration::from_secs(3)));
        assert_eq!(desk.refresh(&token).refusal().2, "Refresh token has expired");
    }

    #[test]
    fn tokens_live_as_long_as_ordered() {
        let mut desk = Desk::new();
        order(&mut desk, r#"{"expire": 60, "times": "all"}"#);
        let app = desk.as_app("enterprise", "900000001").json();
        let (login, _) = desk.log_in();
        assert_eq!(app["expires_in"], 60);
        desk.advance(59);
        assert_eq!(desk.get("/2.0/users/me", &login).status, 200);
        desk.advance(1);
        for token in [login.as_str(), app["access_token"].as_str().unwrap()] {
            assert_eq!(desk.get("/2.0/users/me", token).status, 401);
        }
        assert_eq!(desk.send("DELETE", "/sandbox/faults", &[], "").status, 204);
        assert_eq!(desk.as_app("enterprise", "900000001").json()["expires_in"], 4123);
    }

    #[test]
    fn faults_for_all_come_in_turn_after_those_that_are_ordered() {
        let mut faults = Faults::always(["500", "ok"].map(|text| text.parse().unwrap()).to_vec());
        faults.order(br#"{"status": 503}"#).unwrap();
        let seen: Vec<_> = (0..5).map(|_| faults.take().status.map(|status| status.as_u16())).collect();
        assert_eq!(seen, [Some(503), Some(500), None, Some(500), None]);
        assert_eq!(Faults::default().take(), Fault::default());
    }

    #[test]
    fn orders_that_are_none() {
        let mut desk = Desk::new();
        for (text, message) in [
            (r#"{"status": 200}"#, "`status` must be from 400 to 599"),
            (r#"{"slow": "soon"}"#, "`slow` must be a duration such as \"500ms\""),
            (r#"{"times": 1001}"#, "`times` must be \"all\" or a number; at most 1000 faults can be in store"),
            (r#"{"times": "some"}"#, "`times` must be \"all\" or a number; at most 1000 faults can be in store"),
            (
                r#"{"fast": true}"#,
                "unknown field `fast`, expected one of `slow`, `drop`, `status`, `retry_after`, `expire`, `times` at line 1 column 7",
            ),
        ] {
            let reply = desk.send("POST", "/sandbox/faults", &[], text);
            assert_eq!((reply.status, reply.json()["message"].as_str()), (400, Some(message)), "{text}");
        }
        let reply = desk.send("POST", "/sandbox/faults", &[("origin", "http://example.com")], r#"{"drop": true}"#);
        assert_eq!(reply.status, 403);
        assert!(!desk.as_app("enterprise", "900000001").is_dropped);
    }
}

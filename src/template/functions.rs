//! The functions and filters of ours. None reads a file or the process environment; no message of theirs holds a value.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD_INDIFFERENT, URL_SAFE_NO_PAD, URL_SAFE_NO_PAD_INDIFFERENT};
use ring::rand::{SecureRandom, SystemRandom};
use tera::value::ValueKind;
use tera::{Kwargs, State, Tera, TeraResult, Value};

use super::signal::{Signal, say};
use super::url::Spot;
use super::{MAX_OUTPUT, scalar};
use crate::clock::Clock;

/// The longest random text.
const MAX_RANDOM: usize = 4096;
/// How many values one variable of a template may hold, with all that lies in them.
const MAX_NODES: usize = 1_000_000;
/// How deep one may be.
const MAX_DEPTH: usize = 64;

/// How often the loops of one template may run, all together: Tera has no bound of its own.
const MAX_TURNS: usize = 1_000_000;

/// How many turns the loops of the template that is being rendered may still take.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicUsize);

impl Turns {
    /// Another template begins.
    pub(super) fn begin(&self) {
        self.0.store(MAX_TURNS, Ordering::Relaxed);
    }

    /// Whether a loop over `value` may run.
    fn spend(&self, value: &Value) -> bool {
        let turns = match (value.as_array(), value.as_map(), value.as_str()) {
            (Some(items), ..) => items.len(),
            (_, Some(members), _) => members.len(),
            (.., text) => text.map_or(0, str::len),
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(turns)).is_ok()
    }
}

/// Adds everything that `names` lists and Tera lacks, or does without a bound.
pub(super) fn register(tera: &mut Tera, clock: Arc<dyn Clock>, turns: Arc<Turns>) {
    inner(tera);
    tera.register_filter("__loop", move |v: &Value, _: Kwargs, _: &State<'_>| {
        if turns.spend(v) {
            Ok(v.clone())
        } else {
            Err(say(format!("the loops of this template would run more than {MAX_TURNS} times")))
        }
    });
    tera.register_function("now", move |_: Kwargs, _: &State<'_>| clock.now().0);
    tera.register_function("uuid", |_: Kwargs, _: &State<'_>| uuid::Uuid::new_v4().to_string());
    tera.register_function("random_int", random_int);
    tera.register_function("random_string", random_string);

    tera.register_filter("base64", |v: &Value, _: Kwargs, _: &State<'_>| text(v).map(|t| STANDARD.encode(t)));
    tera.register_filter("base64url", |v: &Value, _: Kwargs, _: &State<'_>| text(v).map(|t| URL_SAFE_NO_PAD.encode(t)));
    tera.register_filter("base64_decode", base64_decode);
    tera.register_filter("hex", |v: &Value, _: Kwargs, _: &State<'_>| text(v).map(|t| hex(t.as_bytes())));
    tera.register_filter("sha256", |v: &Value, _: Kwargs, _: &State<'_>| {
        text(v).map(|t| hex(ring::digest::digest(&ring::digest::SHA256, t.as_bytes()).as_ref()))
    });
    tera.register_filter("hmac_sha256", hmac_sha256);
    tera.register_filter("url_encode", |v: &Value, _: Kwargs, _: &State<'_>| Spot::Query.write(&text(v)?, false).map_err(say));
    tera.register_filter("json", |v: &Value, _: Kwargs, _: &State<'_>| json(v));
    tera.register_filter("str", |v: &Value, _: Kwargs, _: &State<'_>| text(v).or_else(|_| json(v)));
    tera.register_filter("from_json", |v: &Value, _: Kwargs, _: &State<'_>| {
        from_json(text(v)?.as_bytes(), "the text is not JSON")
    });
    tera.register_filter("jwt_claims", jwt_claims);
    tera.register_filter("date", date);
    tera.register_filter("to_timestamp", to_timestamp);
    tera.register_filter("int", int);
    tera.register_filter("float", float);
    tera.register_filter("join", join);
    tera.register_filter("replace", replace);
}

/// The filters that templates are rewritten with; a template can't name them.
fn inner(tera: &mut Tera) {
    tera.register_filter("__must", |v: &Value, arguments: Kwargs, _: &State<'_>| {
        if v.is_undefined() { Err(Signal::Undefined(number(&arguments)?).error()) } else { Ok(v.clone()) }
    });
    tera.register_filter("__value", |v: &Value, arguments: Kwargs, _: &State<'_>| {
        defined(v, &arguments)?;
        json(v)
    });
    tera.register_filter("__text", |v: &Value, arguments: Kwargs, _: &State<'_>| {
        defined(v, &arguments)?;
        output(v, &arguments)
    });
    tera.register_filter("__url", |v: &Value, arguments: Kwargs, _: &State<'_>| {
        defined(v, &arguments)?;
        let text = output(v, &arguments)?;
        let spot = Spot::from_number(arguments.must_get::<u8>("spot")?);
        let number = number(&arguments)?;
        spot.write(&text, v.is_safe()).map_err(|problem| Signal::Output(number, problem.to_owned()).error())
    });
    tera.register_filter("__bounded", |v: &Value, _: Kwargs, _: &State<'_>| {
        let mut left = Budget { nodes: MAX_NODES, bytes: MAX_OUTPUT };
        if left.spend(v, 0) { Ok(v.clone()) } else { Err(say("the value of this variable has grown too large or too deep")) }
    });
}

fn number(arguments: &Kwargs) -> TeraResult<usize> {
    arguments.must_get::<usize>("n")
}

fn defined(value: &Value, arguments: &Kwargs) -> TeraResult<()> {
    if value.is_undefined() { Err(Signal::Output(number(arguments)?, "has no value".to_owned()).error()) } else { Ok(()) }
}

fn output(value: &Value, arguments: &Kwargs) -> TeraResult<String> {
    let number = number(arguments)?;
    plain(value).map_err(|problem| Signal::Output(number, problem.to_owned()).error())
}

/// A scalar as text; the error goes on behind its name.
fn plain(value: &Value) -> Result<String, &'static str> {
    match value.kind() {
        ValueKind::Array => scalar::text(&serde_json::Value::Array(Vec::new())),
        ValueKind::Map => scalar::text(&serde_json::Value::Object(serde_json::Map::new())),
        _ => match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => scalar::text(&serde_json::to_value(value).unwrap_or_default()),
        },
    }
}

/// The text that a filter works on.
fn text(value: &Value) -> TeraResult<String> {
    plain(value).map_err(|problem| say(format!("the value {problem}")))
}

/// What is left to spend on one value.
struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Budget {
    /// Whether `value` fits. Recursion ends at `MAX_DEPTH`.
    fn spend(&mut self, value: &Value, depth: usize) -> bool {
        let bytes = value.as_str().map_or(0, str::len);
        if depth > MAX_DEPTH || self.nodes == 0 || bytes > self.bytes {
            return false;
        }
        self.nodes -= 1;
        self.bytes -= bytes;
        if let Some(items) = value.as_array() {
            return items.iter().all(|item| self.spend(item, depth + 1));
        }
        value.as_map().is_none_or(|members| members.values().all(|member| self.spend(member, depth + 1)))
    }
}

/// Bytes up to a bound.
pub(super) struct Capped {
    pub(super) bytes: Vec<u8>,
    pub(super) full: bool,
}

impl Capped {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), full: false }
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > MAX_OUTPUT - self.bytes.len() {
            self.full = true;
            return Err(std::io::Error::other("full"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn too_large() -> tera::Error {
    say(format!("the result is larger than {} MiB", MAX_OUTPUT / 1024 / 1024))
}

fn json(value: &Value) -> TeraResult<String> {
    let mut out = Capped::new();
    match serde_json::to_writer(&mut out, value) {
        Ok(()) => Ok(String::from_utf8(out.bytes)?),
        Err(_) if out.full => Err(too_large()),
        Err(_) => Err(say("the value can't be written as JSON")),
    }
}

fn from_json(bytes: &[u8], problem: &str) -> TeraResult<Value> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| say(problem))?;
    Value::try_from_serializable(&value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random_bytes(bytes: &mut [u8]) -> TeraResult<()> {
    SystemRandom::new().fill(bytes).map_err(|_| say("the machine gives no random numbers"))
}

/// A number below `bound`, every one equally likely; `0` stands for 2^64.
fn random_below(bound: u64) -> TeraResult<u64> {
    loop {
        let mut bytes = [0; 8];
        random_bytes(&mut bytes)?;
        let number = u64::from_le_bytes(bytes);
        if bound == 0 {
            return Ok(number);
        }
        // The last, incomplete stretch would favour small numbers.
        if number < u64::MAX - u64::MAX % bound {
            return Ok(number % bound);
        }
    }
}

fn random_int(arguments: Kwargs, _: &State<'_>) -> TeraResult<i64> {
    let whole = || say("`random_int` needs whole numbers");
    let min = arguments.must_get::<i64>("min").map_err(|_| whole())?;
    let max = arguments.must_get::<i64>("max").map_err(|_| whole())?;
    if min > max {
        return Err(say("`min` is larger than `max`"));
    }
    let width = max.abs_diff(min).wrapping_add(1);
    Ok(min.wrapping_add_unsigned(random_below(width)?))
}

fn random_string(arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let length = arguments.must_get::<usize>("length").unwrap_or(usize::MAX);
    if length > MAX_RANDOM {
        return Err(say(format!("`length` must be a whole number up to {MAX_RANDOM}")));
    }
    let letter = |_| {
        let at = usize::try_from(random_below(LETTERS.len() as u64)?).unwrap_or_default();
        Ok(LETTERS.get(at).copied().map_or('A', char::from))
    };
    (0..length).map(letter).collect()
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.trim_end_matches('=');
    if text.contains(['-', '_']) { URL_SAFE_NO_PAD_INDIFFERENT.decode(text) } else { STANDARD_NO_PAD_INDIFFERENT.decode(text) }
        .ok()
}

fn base64_decode(value: &Value, _: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let bytes = decode_base64(&text(value)?).ok_or_else(|| say("the value is not base64"))?;
    String::from_utf8(bytes).map_err(|_| say("the decoded value is not text"))
}

fn hmac_sha256(value: &Value, arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let key = text(&arguments.must_get::<Value>("key")?)?;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    Ok(hex(ring::hmac::sign(&key, text(value)?.as_bytes()).as_ref()))
}

fn jwt_claims(value: &Value, _: Kwargs, _: &State<'_>) -> TeraResult<Value> {
    let token = text(value)?;
    let claims = token.split('.').nth(1).and_then(decode_base64).ok_or_else(|| say("the value is not a JWT"))?;
    from_json(&claims, "the value is not a JWT")
}

fn date(value: &Value, arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let seconds = whole(value).ok_or_else(|| say("`date` needs seconds since 1970"))?;
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let time = time.ok_or_else(|| say("the time is out of range"))?;
    let format = arguments.get::<Value>("format")?.map(|format| text(&format)).transpose()?;
    let format = format.as_deref().unwrap_or("%Y-%m-%dT%H:%M:%SZ");
    jiff::fmt::strtime::format(format, time).map_err(|_| say("`format` is not understood; it is written as for `strftime`"))
}

fn to_timestamp(value: &Value, _: Kwargs, _: &State<'_>) -> TeraResult<i64> {
    let text = text(value)?;
    let text = text.trim();
    let time = text.parse::<jiff::Timestamp>().ok();
    // HTTP dates are close to those of mail.
    let time = time.or_else(|| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    time.map(jiff::Timestamp::as_second).ok_or_else(|| say("the value is not a time such as `2026-01-31T12:00:00Z`"))
}

/// A whole number, also one in text.
fn whole(value: &Value) -> Option<i128> {
    if let Some(number) = value.as_number() {
        return number.as_integer();
    }
    let text = value.as_str()?.trim();
    text.parse().ok().or_else(|| tera::Number::Float(text.parse::<f64>().ok()?).as_integer())
}

fn int(value: &Value, arguments: Kwargs, _: &State<'_>) -> TeraResult<Value> {
    let problem = || say("the value can't be read as a whole number");
    let base = arguments.get::<u32>("base").ok().flatten().unwrap_or(10);
    if base == 10 {
        return whole(value).map(Value::from).ok_or_else(problem);
    }
    let text = value.as_str().filter(|_| (2..=36).contains(&base)).ok_or_else(problem)?.trim();
    let prefix = match base {
        2 => "0b",
        8 => "0o",
        16 => "0x",
        _ => "",
    };
    let digits = text.strip_prefix(prefix).unwrap_or(text);
    i128::from_str_radix(digits, base).map(Value::from).map_err(|_| problem())
}

fn float(value: &Value, _: Kwargs, _: &State<'_>) -> TeraResult<f64> {
    let number = value.as_number().map(|number| number.as_float());
    let number = number.or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite()).ok_or_else(|| say("the value can't be read as a number"))
}

fn join(value: &Value, arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let items = value.as_array().ok_or_else(|| say("`join` needs a list"))?;
    let separator = arguments.get::<Value>("sep")?.map(|sep| text(&sep)).transpose()?.unwrap_or_default();
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text(item)?);
        if out.len() > MAX_OUTPUT {
            return Err(too_large());
        }
    }
    Ok(out)
}

fn replace(value: &Value, arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let value = text(value)?;
    let (from, to) = (text(&arguments.must_get::<Value>("from")?)?, text(&arguments.must_get::<Value>("to")?)?);
    let growth = value.matches(&from).count().saturating_mul(to.len());
    if growth.saturating_add(value.len()) > MAX_OUTPUT {
        return Err(too_large());
    }
    Ok(value.replace(&from, &to))
}

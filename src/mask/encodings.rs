//! The patterns that are looked for to find a secret: the secret, and what base64 and hex make of it.
//!
//! `docs/security.md` lists the encodings for users. Those that spell one character after the other are the business of
//! [`super::spelling`], which reads them wherever a pattern is looked for, and cost no pattern of their own. Base64 and hex take
//! a text as a whole, so what stands below them is spelt out here: the secret in the spellings of the usual writers, and in
//! base64 and hex once more. A token of letters and digits has few of them.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// A line of a secret with several is looked for by itself from this length on, in characters: keys are printed with other
/// margins and line ends. Shorter ones (a brace, the last line of a key) stand in ordinary text too.
const SHORTEST_LINE: usize = 16;

/// What must be encoded in a query: the least that any program encodes (WHATWG URL, "query percent-encode set").
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
const SPECIAL_QUERY: &AsciiSet = &QUERY.add(b'\'');
const FRAGMENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');
const PATH: &AsciiSet = &QUERY.add(b'?').add(b'`').add(b'{').add(b'}');
const SEGMENT: &AsciiSet = &PATH.add(b'/').add(b'%');
/// In an http URL a backslash parts segments too.
const HTTP_SEGMENT: &AsciiSet = &SEGMENT.add(b'\\');
/// The circumflex came to the standard's path set later; both are about.
const PATH_NOW: &AsciiSet = &PATH.add(b'^');
const SEGMENT_NOW: &AsciiSet = &SEGMENT.add(b'^');
const HTTP_SEGMENT_NOW: &AsciiSet = &HTTP_SEGMENT.add(b'^');
const USERINFO: &AsciiSet = &PATH_NOW.add(b'/').add(b':').add(b';').add(b'=').add(b'@').add(b'[').add(b'\\').add(b']').add(b'|');
/// Python's `quote`.
const QUOTE: &AsciiSet = &UNRESERVED.remove(b'/');
const COMPONENT: &AsciiSet = &USERINFO.add(b'$').add(b'%').add(b'&').add(b'+').add(b',');
/// JavaScript's `encodeURIComponent`.
const SCRIPT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// All but the unreserved characters of RFC 3986 §2.3: what templates do in a URL, and clients do in Basic (RFC 6749 §2.3.1).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// `application/x-www-form-urlencoded` of the WHATWG URL standard; the space is replaced afterwards.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

const PERCENT_SETS: [&AsciiSet; 16] = [
    QUERY,
    SPECIAL_QUERY,
    FRAGMENT,
    PATH,
    SEGMENT,
    HTTP_SEGMENT,
    PATH_NOW,
    SEGMENT_NOW,
    HTTP_SEGMENT_NOW,
    USERINFO,
    COMPONENT,
    SCRIPT,
    QUOTE,
    UNRESERVED,
    FORM,
    NON_ALPHANUMERIC,
];

/// Every pattern for `secret`, and for its longer lines when it has several.
pub(super) fn all(secret: &str) -> BTreeSet<String> {
    let mut patterns = BTreeSet::new();
    add(&mut patterns, secret, &spellings(secret));
    let lines = secret.lines().map(str::trim).filter(|line| line.len() < secret.len());
    // The first and last line of a key file say what it is, to everybody.
    for line in lines.filter(|line| line.chars().count() >= SHORTEST_LINE && !line.starts_with("-----")) {
        add(&mut patterns, line, &[line.to_owned()].into());
    }
    patterns
}

/// Adds `text` and what stands for it when it, or one of its `spellings`, is in base64 or hex.
fn add(patterns: &mut BTreeSet<String>, text: &str, spellings: &BTreeSet<String>) {
    for inner in spellings {
        patterns.extend(base64(inner));
        patterns.extend([false, true].map(|upper| hex(inner, upper)));
    }
    // Base64 and hex of base64 and hex. What base64 leaves of the last byte is of no use to anybody.
    for inner in base64_within(text) {
        patterns.extend(base64_within(&inner));
        patterns.extend([false, true].map(|upper| hex(&inner, upper)));
    }
    for inner in [false, true].map(|upper| hex(text, upper)) {
        patterns.extend(base64(&inner));
        patterns.extend([false, true].map(|upper| hex(&inner, upper)));
    }
    patterns.insert(text.to_owned());
}

/// What may stand below base64 or hex, which read a text as a whole: the usual writers' spellings of `text`, itself included.
fn spellings(text: &str) -> BTreeSet<String> {
    let mut spellings = BTreeSet::from([text.to_owned()]);
    // Some spell every character.
    spellings.extend([false, true].map(|upper| {
        let digits = hex(text, upper);
        digits.as_bytes().chunks(2).flat_map(|byte| [b"%", byte].concat()).map(char::from).collect::<String>()
    }));
    spellings.extend([false, true].map(|hex| numbered(text, |_| true, hex)));
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return spellings;
    }
    for set in PERCENT_SETS {
        let encoded = [percent(text, set), form(text, set)];
        spellings.extend(encoded.each_ref().map(|encoded| lower_hex(encoded)));
        spellings.extend(encoded);
    }
    json(&mut spellings, text);
    markup(&mut spellings, text);
    quoted(&mut spellings, text);
    spellings
}

fn percent(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

fn form(text: &str, set: &'static AsciiSet) -> String {
    percent(text, set).replace("%20", "+")
}

/// `%2F` → `%2f`, and nothing but what stands behind a percent sign.
fn lower_hex(encoded: &str) -> String {
    let mut digits = 0;
    let lower = |c: char| {
        digits = if c == '%' { 2 } else { i32::max(digits - 1, -1) };
        if c != '%' && digits >= 0 { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

fn hex(text: &str, upper: bool) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = if upper { write!(hex, "{byte:02X}") } else { write!(hex, "{byte:02x}") };
        hex
    })
}

/// Base64 in both alphabets, for each of the three places in a group of three bytes where the text may begin. The characters
/// that depend on what stands before or behind are left out, and with them the padding. So `user:SECRET` is covered too.
fn base64_within(text: &str) -> BTreeSet<String> {
    base64_at(text, |encoded, first, end| encoded.get(first..end).map(str::to_owned).into_iter().collect())
}

/// [`base64_within`], and the same at the end of the data, where nothing comes behind, and the last character holds bits of the
/// text only; with the padding and without.
fn base64(text: &str) -> BTreeSet<String> {
    base64_at(text, |encoded, first, end| {
        let padding = "==".get(..(4 - encoded.len() % 4) % 4).unwrap_or_default();
        let rest = encoded.get(first..).unwrap_or_default();
        let mut spellings = Vec::from_iter(encoded.get(first..end).map(str::to_owned));
        spellings.extend([rest.to_owned(), format!("{rest}{padding}")]);
        spellings
    })
}

/// What `take` makes of each encoding: it gets the characters, the first that holds bits of the text only, and the end of those.
fn base64_at(text: &str, take: impl Fn(&str, usize, usize) -> Vec<String>) -> BTreeSet<String> {
    let mut spellings = BTreeSet::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(text.as_bytes());
        // Six bits a character.
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            spellings.extend(take(&encoded, first, end));
        }
    }
    spellings
}

/// What writers of JSON disagree about. All write `\"`, `\\` and `\n`.
#[derive(Clone, Copy)]
struct JsonStyle {
    slash: bool,
    ascii_only: bool,
    upper_hex: bool,
    /// Characters that are spelt `\u00xx` although they need not be.
    escaped: &'static str,
}

fn json(spellings: &mut BTreeSet<String>, text: &str) {
    let styles = [false, true].into_iter().flat_map(|slash| {
        [(false, false), (true, false), (true, true), (false, true)].into_iter().flat_map(move |(ascii_only, upper_hex)| {
            // None; Go and Rails; templates of Python; .NET.
            ["", "<>&", "<>&'", "<>&'+\"`"].map(|escaped| JsonStyle { slash, ascii_only, upper_hex, escaped })
        })
    });
    for style in styles {
        spellings.insert(json_escaped(text, style));
    }
}

fn json_escaped(text: &str, style: JsonStyle) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if style.escaped.contains(c) || (style.ascii_only && !c.is_ascii()) => json_unicode(&mut out, c, style.upper_hex),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' if style.slash => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => json_unicode(&mut out, c, style.upper_hex),
            c => out.push(c),
        }
    }
    out
}

/// `\u00e9`; beyond the first 65,536 characters a pair of them (RFC 8259 §7).
fn json_unicode(out: &mut String, c: char, upper: bool) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a string can't fail.
        let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
    }
}

/// XML and HTML: text and attributes, with names or numbers.
fn markup(spellings: &mut BTreeSet<String>, text: &str) {
    for hex in [false, true] {
        spellings.insert(numbered(text, |c| matches!(c, '&' | '<' | '>' | '"' | '\''), hex));
        spellings.insert(numbered(text, |c| !c.is_ascii_alphanumeric(), hex));
        spellings.insert(numbered(text, |c| !c.is_ascii(), hex));
    }
    let basic = text.replace('&', "&amp;").replace('<', "&lt;");
    for basic in [basic.replace('>', "&gt;"), basic] {
        for quote in ["\"", "&quot;", "&#34;", "&#x22;"] {
            for apostrophe in ["'", "&apos;", "&#39;", "&#x27;"] {
                spellings.insert(basic.replace('"', quote).replace('\'', apostrophe));
            }
        }
    }
}

/// `&#47;` or `&#x2f;` for each character that is `chosen`.
fn numbered(text: &str, chosen: impl Fn(char) -> bool, hex: bool) -> String {
    text.chars().fold(String::with_capacity(text.len() * 2), |mut out, c| {
        // Writing to a string can't fail.
        let _ = match (chosen(c), hex) {
            (false, _) => out.write_char(c),
            (true, false) => write!(out, "&#{};", u32::from(c)),
            (true, true) => write!(out, "&#x{:x};", u32::from(c)),
        };
        out
    })
}

/// YAML and shells. In double quotes YAML is JSON that may also say `\xe9`, and `$'…'` may say `\303\251`.
fn quoted(spellings: &mut BTreeSet<String>, text: &str) {
    spellings.insert(text.replace('\'', "''"));
    spellings.insert(text.replace('\'', "'\\''"));
    spellings.insert(text.replace('\'', "'\"'\"'"));
    let escaped = |is_special: fn(char) -> bool| {
        text.chars().flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c])).collect::<String>()
    };
    spellings.insert(escaped(|c| matches!(c, '"' | '\\' | '$' | '`')));
    spellings.insert(escaped(|c| {
        c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_' | '/' | ':' | '@' | '%' | '+' | '=' | '\n')
    }));
    for latin in [false, true] {
        spellings.insert(by_byte(text, '"', latin));
        spellings.insert(by_byte(text, '\'', latin));
    }
}

/// Between quotes of the kind `quote`, with what is not printable ASCII as `\xe9` (`latin`) or in octal bytes.
fn by_byte(text: &str, quote: char, latin: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Writing to a string can't fail.
        let _ = match c {
            '\\' => out.write_str("\\\\"),
            c if c == quote => write!(out, "\\{c}"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            ' '..='~' => out.write_char(c),
            c if latin && c <= '\u{ff}' => write!(out, "\\x{:02x}", u32::from(c)),
            c if latin && c <= '\u{ffff}' => write!(out, "\\u{:04x}", u32::from(c)),
            c if latin => write!(out, "\\U{:08x}", u32::from(c)),
            c => c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(out, "\\{byte:03o}")),
        };
    }
    out
}

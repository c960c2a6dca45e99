//! The spellings in which a secret may appear: as it is, percent-encoded, in a form, in JSON, in XML or HTML, in base64 and hex.
//!
//! `docs/security.md` lists them for users. A text of letters and digits has one spelling in most of them, so this is a handful
//! of patterns for an ordinary secret.

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
const COMPONENT: &AsciiSet = &USERINFO.add(b'$').add(b'%').add(b'&').add(b'+').add(b',');
/// JavaScript's `encodeURIComponent`.
const SCRIPT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// All but the unreserved characters of RFC 3986 §2.3: what templates do in a URL, and clients do in Basic (RFC 6749 §2.3.1).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// `application/x-www-form-urlencoded` of the WHATWG URL standard; the space is replaced afterwards.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

const PERCENT_SETS: [&AsciiSet; 15] = [
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
    UNRESERVED,
    FORM,
    NON_ALPHANUMERIC,
];

/// Every spelling of `secret`, and of its longer lines when it has several.
pub(super) fn all(secret: &str) -> BTreeSet<String> {
    let mut spellings = BTreeSet::new();
    add(&mut spellings, secret);
    let lines = secret.lines().map(str::trim).filter(|line| line.len() < secret.len());
    // The first and last line of a key file say what it is, to everybody.
    for line in lines.filter(|line| line.chars().count() >= SHORTEST_LINE && !line.starts_with("-----")) {
        add(&mut spellings, line);
    }
    spellings
}

fn add(spellings: &mut BTreeSet<String>, text: &str) {
    for hex in [false, true].map(|upper| hex(text, upper)) {
        spellings.insert(hex);
    }
    base64(spellings, text);
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        // A form or a pair of Basic is encoded first, and the whole of it again.
        for inner in [percent(text, UNRESERVED), percent(text, SCRIPT), form(text, FORM), form(text, UNRESERVED)] {
            base64(spellings, &inner);
            spellings.extend([UNRESERVED, SCRIPT, FORM].map(|outer| percent(&inner, outer)));
        }
        for set in PERCENT_SETS {
            let encoded = [percent(text, set), form(text, set)];
            spellings.extend(encoded.each_ref().map(|encoded| lower_hex(encoded)));
            spellings.extend(encoded);
        }
        json(spellings, text);
        markup(spellings, text);
    }
    spellings.insert(text.to_owned());
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
fn base64(spellings: &mut BTreeSet<String>, text: &str) {
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(text.as_bytes());
        // Six bits a character: the first that holds bits of the text only, and the last.
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            spellings.extend(encoded.get(first..end).map(str::to_owned));
            // At the end of the data nothing comes behind, and the last character holds bits of the text only.
            spellings.extend(encoded.get(first..).map(str::to_owned));
            spellings.extend(encoded.get(first..).map(|rest| format!("{rest}{}", &"=="[..(3 - bytes.len() % 3) % 3])));
        }
    }
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
            // None; Go and Rails; .NET.
            ["", "<>&", "<>&'+\"`"].map(|escaped| JsonStyle { slash, ascii_only, upper_hex, escaped })
        })
    });
    for style in styles {
        let once = json_escaped(text, style);
        // A body with JSON in it, quoted in a report that is JSON.
        let plain = JsonStyle { slash: false, ascii_only: false, upper_hex: false, escaped: "" };
        spellings.insert(json_escaped(&once, plain));
        spellings.insert(once);
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
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return;
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

//! How programs spell a text when they write it down: what a secret may look like in an answer. Written by hand from the
//! standards and from what `jq`, Python, Go, .NET, PHP, bash and PyYAML write; nothing of the product is in it.

/// An encoding: its name and what it makes of a text.
pub(crate) type Encoding = (&'static str, fn(&str) -> String);

/// Encodings that replace one character after the other.
pub(crate) const SPELLINGS: [Encoding; 24] = [
    ("raw", str::to_owned),
    ("percent", |text| percent(text, |byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte), true)),
    ("percent, lower case", |text| percent(text, |byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte), false)),
    ("percent, the least", |text| percent(text, |byte| !(b'!'..=b'~').contains(&byte) || b"\"#<>".contains(&byte), true)),
    ("percent, every byte", |text| percent(text, |_| true, true)),
    ("form", |text| percent(text, |byte| !byte.is_ascii_alphanumeric() && !b"-._* ".contains(&byte), true).replace(' ', "+")),
    ("JSON", |text| json(text, |_| false)),
    ("JSON, ASCII only", |text| json(text, |c| !c.is_ascii())),
    ("JSON, slashes", |text| json(text, |_| false).replace('/', "\\/")),
    ("JSON for HTML", |text| json(text, |c| "<>&'".contains(c))),
    ("HTML", |text| by_char(text, |c| named(c).map_or(c.to_string(), |name| format!("&{name};")))),
    ("HTML, five in numbers", |text| by_char(text, |c| if named(c).is_some() { format!("&#{};", c as u32) } else { c.into() })),
    ("HTML, every character", |text| by_char(text, |c| format!("&#{};", c as u32))),
    ("HTML, every character in hex", |text| by_char(text, |c| format!("&#x{:x};", c as u32))),
    ("XML, not ASCII", |text| by_char(text, |c| if c.is_ascii() { c.into() } else { format!("&#{};", c as u32) })),
    ("YAML, single quotes", |text| text.replace('\'', "''")),
    ("YAML, double quotes", |text| {
        by_char(text, |c| match c {
            '"' | '\\' => format!("\\{c}"),
            '\n' => "\\n".into(),
            ' '..='~' => c.into(),
            '\0'..='\u{ff}' => format!("\\x{:02x}", c as u32),
            '\u{100}'..='\u{ffff}' => format!("\\u{:04x}", c as u32),
            c => format!("\\U{:08x}", c as u32),
        })
    }),
    ("shell, '\\''", |text| text.replace('\'', "'\\''")),
    ("shell, '\"'\"'", |text| text.replace('\'', "'\"'\"'")),
    ("shell, double quotes", |text| by_char(text, |c| if "\"\\$`".contains(c) { format!("\\{c}") } else { c.into() })),
    ("shell, backslashes", |text| {
        let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._/:@%+=\n".contains(c);
        by_char(text, |c| if plain(c) { c.into() } else { format!("\\{c}") })
    }),
    ("shell, $'…'", |text| {
        by_char(text, |c| match c {
            '\'' | '\\' => format!("\\{c}"),
            '\n' => "\\n".into(),
            ' '..='~' => c.into(),
            c => c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect(),
        })
    }),
    ("HTML, leading zeros", |text| {
        by_char(text, |c| if named(c).is_some() { format!("&#x{:06X};", c as u32) } else { c.into() })
    }),
    ("percent, mixed", |text| {
        let mut turn = 0;
        percent(
            text,
            move |byte| {
                turn += 1;
                !(b'!'..=b'~').contains(&byte) || b"\"%<>&+".contains(&byte) || turn % 3 == 0
            },
            false,
        )
    }),
];

/// Of [`SPELLINGS`], those that can stand below base64 and hex: all but the last, in which each writer is free.
pub(crate) const FIXED: usize = 22;

/// Encodings of a text as a whole.
pub(crate) const WHOLE: [Encoding; 8] = [
    ("base64", |text| base64(text.as_bytes(), b"+/", true)),
    ("base64, no padding", |text| base64(text.as_bytes(), b"+/", false)),
    ("base64url", |text| base64(text.as_bytes(), b"-_", false)),
    ("base64url, padding", |text| base64(text.as_bytes(), b"-_", true)),
    ("Basic", |text| base64(format!("user:{text}").as_bytes(), b"+/", true)),
    ("base64, in a longer text", |text| base64(format!("x{text} and more").as_bytes(), b"+/", true)),
    ("hex", |text| text.bytes().map(|byte| format!("{byte:02x}")).collect()),
    ("hex, upper case", |text| text.bytes().map(|byte| format!("{byte:02X}")).collect()),
];

/// How many chains of two encodings are promised.
pub(crate) const CHAINS: usize = FIXED * (SPELLINGS.len() + WHOLE.len())
    + (SPELLINGS.len() - FIXED) * SPELLINGS.len()
    + WHOLE.len() * (SPELLINGS.len() + WHOLE.len());

/// One of the [`CHAINS`]: its name and what it makes of `text`.
pub(crate) fn chain(number: usize, text: &str) -> (String, String) {
    let all = || SPELLINGS.iter().chain(&WHOLE);
    let pairs = all().enumerate().flat_map(|(at, inner)| {
        let free = (FIXED..SPELLINGS.len()).contains(&at);
        all().take(if free { SPELLINGS.len() } else { usize::MAX }).map(move |outer| (inner, outer))
    });
    let mut pairs = pairs.skip(number);
    let (inner, outer) = pairs.next().expect("a number below their count");
    (format!("{}, then {}", inner.0, outer.0), outer.1(&inner.1(text)))
}

fn by_char(text: &str, spell: impl Fn(char) -> String) -> String {
    text.chars().map(spell).collect()
}

fn percent(text: &str, mut chosen: impl FnMut(u8) -> bool, upper: bool) -> String {
    let spelt = text.bytes().flat_map(|byte| match (chosen(byte), upper) {
        (false, _) => vec![byte],
        (true, true) => format!("%{byte:02X}").into_bytes(),
        (true, false) => format!("%{byte:02x}").into_bytes(),
    });
    String::from_utf8(spelt.collect()).expect("bytes that are not ASCII are always chosen")
}

fn json(text: &str, chosen: impl Fn(char) -> bool) -> String {
    by_char(text, |c| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        c if chosen(c) || c < ' ' => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        c => c.into(),
    })
}

fn named(c: char) -> Option<&'static str> {
    [('&', "amp"), ('<', "lt"), ('>', "gt"), ('"', "quot"), ('\'', "apos")]
        .into_iter()
        .find(|(known, _)| *known == c)
        .map(|(_, name)| name)
}

fn base64(bytes: &[u8], last_two: &[u8; 2], padding: bool) -> String {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last_two.iter().copied()).collect();
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().chain(&[0, 0]).take(3).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        for place in 0..4 {
            match (place <= group.len(), padding) {
                (true, _) => out.push(char::from(alphabet[number >> (18 - 6 * place) & 63])),
                (false, true) => out.push('='),
                (false, false) => {}
            }
        }
    }
    out
}

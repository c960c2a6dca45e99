//! A search for secrets in what the program wrote. The masker encodes each secret and looks for the result; this decodes the
//! output, in every way that comes to mind and twice over, and looks for the secret. So neither can repeat the other's mistake.

use std::collections::BTreeSet;

/// How often decoding is repeated: base64 of a percent-encoded secret, JSON in JSON.
const LAYERS: usize = 2;

/// A line of a secret with several counts as a secret itself from this length on.
const SHORTEST_LINE: usize = 16;

/// Panics when `secret`, or a longer line of it, stands in `output` in any encoding.
#[track_caller]
pub(crate) fn assert_no_secret(output: impl AsRef<[u8]>, secret: &str) {
    assert_no_secrets(output, &[secret]);
}

/// The same for several secrets; the output is decoded once.
#[track_caller]
pub(crate) fn assert_no_secrets(output: impl AsRef<[u8]>, secrets: &[&str]) {
    if let Some(how) = find(output.as_ref(), secrets) {
        panic!("the secret got out, {how}:\n{}", String::from_utf8_lossy(output.as_ref()));
    }
}

/// How one of `secrets` stands in `output`, if one does.
pub(crate) fn find(output: &[u8], secrets: &[&str]) -> Option<String> {
    let mut wanted = BTreeSet::new();
    for secret in secrets.iter().map(|secret| secret.trim()) {
        assert!(secret.len() >= 4, "a secret this short is not masked");
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && !line.starts_with("-----"));
        wanted.extend(lines.chain([secret]));
    }
    let mut views = vec![("as it is".to_owned(), output.to_vec())];
    let mut seen = BTreeSet::new();
    for layer in 0..=LAYERS {
        let mut next = Vec::new();
        for (how, view) in views {
            if wanted.iter().any(|wanted| contains(&view, wanted.as_bytes())) {
                return Some(how);
            }
            if layer < LAYERS && seen.insert(view.clone()) {
                next.extend(decodings(&view).map(|(name, decoded)| (format!("{how}, {name}"), decoded)));
            }
        }
        views = next;
    }
    None
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(text, wanted).is_some()
}

/// What `view` becomes under each decoding that changes it.
fn decodings(view: &[u8]) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let spaced: Vec<u8> = view.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    let mut all =
        vec![("percent", percent(view)), ("form", percent(&spaced)), ("backslashes", backslashes(view)), ("XML", markup(view))];
    for (name, from, to) in [("''", "''", "'"), ("'\\''", "'\\''", "'"), ("'\"'\"'", "'\"'\"'", "'")] {
        let undoubled = replaced(view, |rest| rest.starts_with(from.as_bytes()).then(|| (to.as_bytes().to_vec(), from.len())));
        all.push((name, undoubled));
    }
    for offset in 0..4 {
        all.push(("base64", each_run(view, is_base64, |run| base64(run.get(offset..).unwrap_or_default()))));
    }
    for offset in 0..2 {
        all.push(("hex", each_run(view, |byte| byte.is_ascii_hexdigit(), |run| hex(run.get(offset..).unwrap_or_default()))));
    }
    all.into_iter().filter(move |(_, decoded)| decoded != &spaced).collect::<Vec<_>>().into_iter()
}

fn percent(view: &[u8]) -> Vec<u8> {
    replaced(view, |rest| match rest {
        [b'%', digits @ ..] => Some((vec![byte_of(digits.get(..2)?)?], 3)),
        _ => None,
    })
}

/// JSON, YAML in double quotes, and what shells know.
fn backslashes(view: &[u8]) -> Vec<u8> {
    let unit = |rest: &[u8]| match rest {
        [b'\\', b'u', digits @ ..] => u16::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok(),
        _ => None,
    };
    replaced(view, |rest| {
        if let Some(first) = unit(rest) {
            let pair = [first, rest.get(6..).and_then(unit).unwrap_or(0)];
            let c = char::decode_utf16(pair).next()?.ok()?;
            return Some((c.to_string().into_bytes(), c.len_utf16() * 6));
        }
        let [b'\\', escaped, digits @ ..] = rest else { return None };
        let number = |from: &[u8], length: usize, radix| {
            u32::from_str_radix(std::str::from_utf8(from.get(..length)?).ok()?, radix).ok().and_then(char::from_u32)
        };
        match escaped {
            b'x' => return number(digits, 2, 16).map(|c| (c.to_string().into_bytes(), 4)),
            b'U' => return number(digits, 8, 16).map(|c| (c.to_string().into_bytes(), 10)),
            b'0'..=b'3' => return number(&rest[1..], 3, 8).map(|c| (vec![c as u8], 4)),
            _ => {}
        }
        let plain = match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => return None,
            c => *c,
        };
        Some((vec![plain], 2))
    })
}

fn markup(view: &[u8]) -> Vec<u8> {
    replaced(view, |rest| {
        let end = rest.iter().take(14).position(|&byte| byte == b';')?;
        let c = match std::str::from_utf8(rest.get(..end)?).ok()?.strip_prefix('&')? {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let digits = number.strip_prefix('#')?;
                let code = digits.strip_prefix(['x', 'X']).map_or_else(|| digits.parse(), |hex| u32::from_str_radix(hex, 16));
                char::from_u32(code.ok()?)?
            }
        };
        Some((c.to_string().into_bytes(), end + 1))
    })
}

/// `view` with what `decode` knows replaced: it gets the rest of the text, and gives bytes and how many it read for them.
fn replaced(view: &[u8], decode: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(view.len()), view);
    while let Some((first, behind)) = rest.split_first() {
        if let Some((decoded, length)) = decode(rest) {
            out.extend(decoded);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}

/// The decoded runs of bytes that `belongs` to, one after the other with a line break between.
fn each_run(view: &[u8], belongs: impl Fn(u8) -> bool, decode: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    view.split(|&byte| !belongs(byte)).filter(|run| run.len() >= 4).flat_map(|run| [decode(run), vec![b'\n']].concat()).collect()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Six bits a character, in either alphabet; bits that fill no byte are dropped.
fn base64(run: &[u8]) -> Vec<u8> {
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for &byte in run {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xFF) as u8);
        }
    }
    out
}

fn hex(run: &[u8]) -> Vec<u8> {
    run.chunks_exact(2).filter_map(byte_of).collect()
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    const SECRET: &str = "p/a+s \"w\\ö🔑&<r>'d%";
    for (what, output) in [
        ("raw", SECRET.to_owned()),
        ("percent", "p%2Fa%2Bs%20%22w%5C%C3%B6%F0%9F%94%91%26%3Cr%3E%27d%25".to_owned()),
        ("percent, the least", "p/a+s%20%22w\\%c3%b6%f0%9f%94%91&%3cr%3e'd%25".to_owned()),
        ("form", "p%2Fa%2Bs+%22w%5C%C3%B6%F0%9F%94%91%26%3Cr%3E%27d%25".to_owned()),
        ("JSON", "\"p\\/a+s \\\"w\\\\ö🔑&<r>'d%\"".to_owned()),
        ("JSON, ASCII", "\"p/a+s \\\"w\\\\\\u00f6\\ud83d\\udd11\\u0026\\u003Cr\\u003e'd%\"".to_owned()),
        ("XML", "p/a+s &quot;w\\ö🔑&amp;&lt;r&gt;&#39;d%".to_owned()),
        ("hex", "702f612b732022775cc3b6f09f9491263c723e276425".to_owned()),
        ("base64", "cC9hK3MgIndcw7bwn5SRJjxyPidkJQ==".to_owned()),
        ("base64 of user:secret", "dTpwL2ErcyAid1zDtvCflJEmPHI-J2Ql".to_owned()),
    ] {
        assert!(find(format!("x: [{output}]\n").as_bytes(), &[SECRET]).is_some(), "{what}");
    }
    assert!(find(b"dTphJTJCYiUyRmM=", &["a+b/c"]).is_some(), "base64 of a percent-encoded secret");
    assert!(find(b"x a-line-of-16-chars y", &["short\na-line-of-16-chars\n"]).is_some(), "a line");
    assert_eq!(find(b"ordinary *** text, cC9hK3*** and p%2Fa***", &[SECRET]), None);
    assert_no_secret("nothing here", SECRET);
    // What the tests send, this finds.
    for (chain, spelt) in (0..super::spell::CHAINS).map(|number| super::spell::chain(number, SECRET)) {
        assert!(find(format!("x: [{spelt}]").as_bytes(), &[SECRET]).is_some(), "{chain}: {spelt}");
    }
}

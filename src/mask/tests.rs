use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const AWKWARD: &str = "p/a+s \"w\\ö🔑&<r>'d%=~*(!)";

fn knowing(secrets: &[&str]) -> Masker {
    let masker = Masker::new();
    for secret in secrets {
        assert_eq!(masker.learn(&Secret::new(*secret)), Learnt::Masked);
    }
    masker
}

/// What comes out when `pieces` are written one after the other.
fn streamed(masker: &Masker, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = masker.writer(&mut out);
    for piece in pieces {
        writer.write_all(piece).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    out
}

/// What real programs make of a secret: the libraries that send and print it, not the code under test.
fn produced(secret: &str) -> Vec<(&'static str, String)> {
    let query = url::Url::parse_with_params("http://host/", [("q", secret)]).unwrap();
    let mut path = url::Url::parse("http://host/").unwrap();
    path.path_segments_mut().unwrap().push(secret);
    let mut user = url::Url::parse("http://host/").unwrap();
    user.set_password(Some(secret)).unwrap();
    let mut raw_query = url::Url::parse("http://host/").unwrap();
    raw_query.set_query(Some(secret));
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::to_string(secret).unwrap();
    let inside = |url: &url::Url, before: &str| url.as_str().trim_start_matches(before).trim_end_matches("@host/").to_owned();
    vec![
        ("raw", secret.to_owned()),
        ("form", percent.clone()),
        ("query pair", inside(&query, "http://host/?q=")),
        ("query", inside(&raw_query, "http://host/?")),
        ("path segment", inside(&path, "http://host/")),
        ("user info", inside(&user, "http://:")),
        ("form twice", url::form_urlencoded::byte_serialize(percent.as_bytes()).collect()),
        ("json", json[1..json.len() - 1].to_owned()),
        ("json, slashes escaped", json[1..json.len() - 1].replace('/', "\\/")),
        ("hex", secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("hex, upper case", secret.bytes().map(|byte| format!("{byte:02X}")).collect()),
    ]
}

#[test]
fn every_spelling_is_masked() {
    for secret in [AWKWARD, "hunter2hunter2", "s3cr", "ключ-секрет"] {
        let masker = knowing(&[secret]);
        for (what, spelling) in produced(secret) {
            assert_eq!(masker.mask(&format!("[{spelling}]")), "[***]", "{what} of {secret}: {spelling}");
            assert!(masker.finds(spelling.as_bytes()), "{what}");
        }
    }
}

#[test]
fn spellings_of_other_programs_are_masked() {
    for (secret, spelling) in [
        ("a b/c?é", "a%20b%2fc%3f%c3%a9"),
        ("a b/c?é", "a+b%2fc%3f%c3%a9"),
        ("a b/c?é", "a b\\/c?\\u00e9"),
        ("a b/c?é", "a b/c?\\u00E9"),
        ("a b/c?🔑", "a b/c?\\ud83d\\udd11"),
        ("a<b>&c", "a\\u003cb\\u003e\\u0026c"),
        ("a+b'c", "a\\u002Bb\\u0027c"),
        ("one\ntwo", "one\\ntwo"),
        ("one\"two", "one\\\\\\\"two"),
        ("a<b>&\"c'd", "a&lt;b&gt;&amp;&quot;c&#39;d"),
        ("a<b>&\"c'd", "a&lt;b>&amp;\"c'd"),
        ("it's(me)!*", "it's(me)!*"),
        ("it's me", "it's%20me"),
    ] {
        assert_eq!(knowing(&[secret]).mask(&format!("[{spelling}]")), "[***]", "{spelling}");
    }
}

#[test]
fn a_pair_of_basic_is_masked_at_every_alignment() {
    for secret in ["s3cr3t-s3cr3t", AWKWARD, "abcd"] {
        let masker = knowing(&[secret]);
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for user in ["", "m", "me", "you", "them"] {
            for sent in [secret, form.as_str()] {
                let pair = format!("{user}:{sent}");
                for encoded in [STANDARD.encode(&pair), URL_SAFE_NO_PAD.encode(&pair)] {
                    // What stands before the colon is left, and the character that the colon and the secret share.
                    let masked = masker.mask(&encoded);
                    let left = (pair.len() - sent.len()) * 8 / 6 + 1;
                    assert!(masked.ends_with(MASK) && masked.len() - MASK.len() <= left, "{pair}: {masked}");
                }
            }
        }
    }
}

#[test]
fn a_key_file_is_masked_by_line_too() {
    let lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7/xy+z", "short=="];
    let masker = knowing(&[&format!("{}\n", lines.join("\n"))]);
    assert_eq!(masker.mask(&lines.join("\n")), "***");
    assert_eq!(masker.mask(&lines.join("\r\n    ")), "***");
    assert_eq!(masker.mask(&lines.join("|")), "-----BEGIN PRIVATE KEY-----|***|***|short==");
    assert_eq!(masker.mask(&lines.join("\\n")), "***");
}

#[test]
fn short_and_empty_secrets_are_not_masked() {
    let masker = Masker::new();
    assert_eq!(masker.learn(&Secret::new("")), Learnt::Masked);
    assert_eq!(masker.learn(&Secret::new(" \n ")), Learnt::Masked);
    assert_eq!(masker.learn(&Secret::new("äöü")), Learnt::TooShort);
    assert_eq!(masker.learn(&Secret::new("abc\n")), Learnt::TooShort);
    assert_eq!(masker.mask("abc äöü"), "abc äöü");
    assert_eq!(masker.learn(&Secret::new("äöüß")), Learnt::Masked);
    assert_eq!(masker.mask("abc äöüß"), "abc ***");
}

#[test]
fn overlapping_and_nested_secrets_leave_nothing() {
    let masker = knowing(&["abcdef", "defghi", "abcdefghijkl", "mnop", "mnopqrst"]);
    for (text, masked) in [
        ("<abcdef>", "<***>"),
        ("<abcdefghi>", "<***>"),
        ("<abcdefghijkl>", "<***>"),
        ("<abcdefghijk>", "<***jk>"),
        ("<abcdefabcdef>", "<***>"),
        ("<abcdef abcdef>", "<*** ***>"),
        ("<mnopq>", "<***q>"),
        ("<mnopqrst>", "<***>"),
    ] {
        assert_eq!(masker.mask(text), masked);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(String::from_utf8(streamed(&masker, &bytes)).unwrap(), masked);
    }
}

#[test]
fn a_very_long_secret_is_masked_whole() {
    let secret: String = (0..3000).map(|n| format!("ä{n}")).collect();
    let masker = knowing(&[&secret]);
    assert_eq!(masker.mask(&format!("<{secret}>")), "<***>");
    assert_eq!(masker.mask(&format!("<{}>", STANDARD.encode(&secret))), "<***>");
    let pieces: Vec<&[u8]> = secret.as_bytes().chunks(7).collect();
    assert_eq!(streamed(&masker, &pieces), b"***");
}

#[test]
fn ordinary_lines_appear_at_once_and_only_a_beginning_is_held_back() {
    let masker = knowing(&["secret-value"]);
    let mut out = Vec::new();
    let mut writer = masker.writer(&mut out);
    writer.write_all(b"a line\nsecre").unwrap();
    writer.flush().unwrap();
    assert_eq!(writer.held(), b"secre");
    writer.write_all(b"tary\n").unwrap();
    assert_eq!(writer.held(), b"");
    writer.write_all(b"sec").unwrap();
    drop(writer);
    assert_eq!(out, b"a line\nsecretary\nsec");
}

#[test]
fn what_is_learnt_later_is_masked_in_what_is_held_back() {
    let masker = knowing(&["token-one-and-more"]);
    let mut out = Vec::new();
    let mut writer = masker.writer(&mut out);
    writer.write_all(b"<token-one").unwrap();
    masker.clone().learn(&Secret::new("token-one"));
    writer.write_all(b"> <token-two>").unwrap();
    masker.learn(&Secret::new("token-two"));
    writer.write_all(b" <token-two>").unwrap();
    writer.finish().unwrap();
    drop(writer);
    assert_eq!(String::from_utf8(out).unwrap(), "<***> <token-two> <***>");
}

#[test]
fn nothing_shows_the_secrets_of_a_masker() {
    let masker = knowing(&["hunter2hunter2"]);
    let mut writer = masker.writer(Vec::new());
    writer.write_all(b"hunter2hun").unwrap();
    assert!(!format!("{masker:?} {writer:?}").contains("hunter"));
}

/// `text` cut at `cuts`, each taken modulo its length.
fn pieces<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
    ends.sort_unstable();
    ends.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// The same by brute force: mark each byte of each occurrence, and put one mask for each marked stretch.
fn masked_by_hand(secrets: &[String], text: &str) -> String {
    let mut hidden = vec![false; text.len()];
    for secret in secrets {
        for start in (0..text.len()).filter(|&start| text[start..].starts_with(secret)) {
            hidden[start..start + secret.len()].fill(true);
        }
    }
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        match (hidden[at], at > 0 && hidden[at - 1]) {
            (false, _) => out.push(c),
            (true, false) => out.push_str(MASK),
            (true, true) => {}
        }
    }
    out
}

/// What a server can send to keep a reader busy, and a token of the same to look for: the work grows with the text only.
#[test]
fn a_text_that_may_be_read_in_many_ways_costs_no_more_than_its_length() {
    for piece in ["\\", "%", "&", "'", "\"", "%25", "\\\"", "&amp;", "&#38;", "&#x5c;", "%5C", " ", "\n", "'\"'\"'", "\\\n", "a"]
    {
        let token = format!("{}x-yz", piece.repeat(300));
        let masker = knowing(&[&token, "\\\\%%&&''\"\"  x", AWKWARD]);
        let text = piece.repeat(20_000 / piece.len());
        let mut out = Vec::new();
        let (done, resume) = masker.patterns(|patterns| patterns.pass(text.as_bytes(), Resume::default(), true, &mut out));
        assert_eq!(done, text.len());
        // The last step of a place may go over the bound once.
        let bound = patterns::MOST_WORK + text.len() * patterns::WORK_PER_BYTE;
        assert!(resume.effort.all <= bound + 64 * 600, "{piece:?}: {} of {bound}", resume.effort.all);
    }
}

#[test]
fn what_takes_too_long_to_read_is_masked_to_the_end_of_its_line() {
    let masker = knowing(&[&"\\".repeat(600)]);
    let text = format!("before {} behind\nnext\n", "\\".repeat(5000));
    assert_eq!(masker.mask(&text), "before ***\nnext\n");
    assert!(masker.finds(text.as_bytes()));
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(4000).collect();
    assert_eq!(String::from_utf8(streamed(&masker, &pieces)).unwrap(), "before ***\nnext\n");
}

#[test]
fn a_margin_behind_a_secret_is_no_part_of_it() {
    let masker = knowing(&["one two-three four"]);
    assert_eq!(masker.mask("one two-three four\\\n  x"), "***\\\n  x");
    assert_eq!(masker.mask("one\n  two-three four\n  x"), "***\n  x");
}

proptest! {
    // Regressions become cases of the tables above instead.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_set_of_patterns_is_masked_as_by_hand(
        secrets in prop::collection::vec("[ab]{4,9}", 1..5),
        text in "[abc]{0,60}",
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        // Base64 of these contains other letters, hex only digits: only the raw spelling can occur.
        let masker = knowing(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
        let expected = masked_by_hand(&secrets, &text);
        prop_assert_eq!(&masker.mask(&text), &expected);
        prop_assert_eq!(masker.finds(text.as_bytes()), expected.contains(MASK));
        prop_assert_eq!(String::from_utf8(streamed(&masker, &pieces(text.as_bytes(), &cuts))).unwrap(), expected);
    }

    #[test]
    fn no_spelling_of_any_secret_passes_however_it_is_split(
        secret in "[^\\s\\p{Cc}]{1}\\PC{2,30}[^\\s\\p{Cc}]{1}",
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let masker = knowing(&[&secret]);
        let all = produced(&secret);
        let (what, spelling) = which.get(&all);
        // Control characters stand beside it: they are in no spelling.
        let text = format!("\u{1}{spelling}\u{1}");
        let out = String::from_utf8(streamed(&masker, &pieces(text.as_bytes(), &cuts))).unwrap();
        prop_assert_eq!(out, "\u{1}***\u{1}", "{}: {}", what, spelling);
    }

    #[test]
    fn text_without_a_secret_is_not_changed(
        text in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let masker = knowing(&["a-secret-of-some-length", "another/one+of them"]);
        prop_assert_eq!(&streamed(&masker, &pieces(&text, &cuts)), &text);
        prop_assert_eq!(streamed(&Masker::new(), &pieces(&text, &cuts)), text);
    }
}

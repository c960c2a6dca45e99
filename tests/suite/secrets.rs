//! What becomes of secrets: they go where the environment says, and no output shows them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use runner::mask::Masker;
use runner::secret::Secret;

use crate::support::leak::{assert_no_secret, assert_no_secrets, find};
use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};
use crate::support::spell::{CHAINS, SPELLINGS, WHOLE, chain};

/// A secret that each encoding spells differently.
const SECRET: &str = "p/a+s \"w\\ö🔑&<r>'d%";

/// A server that sends back what it got, as bodies and headers do: plain, and in its JSON.
fn echo() -> Server {
    Server::start(|request| {
        let sent = format!("{} {:?} {}", request.line(), request.headers, request.text());
        let decoded = request.form_field("secret").unwrap_or_default();
        let body = serde_json::json!({"sent": sent, "decoded": decoded, "id": 7});
        Answer::json(500, body.to_string()).header("X-Echo", &request.query)
    })
}

#[test]
fn a_secret_that_comes_back_is_masked_in_every_output() {
    let server = echo();
    // One row for each way to look at a run.
    let ways: [&[&str]; 1] = [&[]];
    for arguments in ways {
        let ran = Runner::new()
            .file("environments/dev.yaml", format!("variables: {{url: '{}', secret: !secret }}\n", server.url()))
            .file(
                "echo.yaml",
                "
                requests:
                  - name: Echo
                    method: POST
                    url: \"{{ url }}/{{ secret }}?q={{ secret }}\"
                    auth: {basic: {username: me, password: \"{{ secret }}\"}}
                    form: {secret: \"{{ secret }}\"}
                    assert: {status: 200, json: {$.decoded: other, $.sent: {contains: nothing}}}
                ",
            )
            .env_var("RUNNER_SECRET_secret", SECRET)
            .args(["echo.yaml", "--env", "dev"])
            .args(arguments.iter().copied())
            .run_unchecked();
        assert_eq!(ran.exit, 1, "{}", ran.all_output());
        assert_no_secret(ran.all_output(), SECRET);
        for file in ran.files().iter().filter(|file| !matches!(file.as_str(), "echo.yaml" | "environments/dev.yaml")) {
            assert_no_secret(ran.read(file), SECRET);
        }
    }
    let requests = server.requests();
    assert!(
        requests.len() == ways.len() && requests.iter().all(|request| request.form_field("secret").as_deref() == Some(SECRET))
    );
}

/// What comes out when `text` is written in pieces that end at `cuts`, each taken modulo its length.
fn streamed(masker: &Masker, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
    ends.sort_unstable();
    let mut out = Vec::new();
    let mut writer = masker.writer(&mut out);
    for piece in ends.windows(2).map(|pair| &text[pair[0]..pair[1]]) {
        writer.write_all(piece).unwrap();
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    out
}

fn knowing(secrets: &[&str]) -> Masker {
    let masker = Masker::new();
    for secret in secrets {
        masker.learn(&Secret::new(*secret));
    }
    masker
}

/// Letters, everything else of ASCII, some of Unicode, line breaks.
fn any_secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_-]{4,60}",
        "[!-~]{4,40}",
        "[!-~]([ -~]|[éß日🔑]|\n){2,30}[!-~]",
        "[a-z&<\"'%]([a-zA-Z0-9+/=\\\\ ]|\n){100,300}[é🔑]",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 32, max_shrink_iters: 100, ..ProptestConfig::default() })]

    /// Some of the chains for each secret, alone and all in one text.
    #[test]
    fn no_chain_of_two_encodings_hides_a_secret(
        secret in any_secret(),
        which in prop::collection::vec(0..CHAINS, 12),
        filler in prop::collection::vec("[a-zA-Z0-9%&\\\\'\"+/=;#<>{} \n]{0,12}", 12),
        cuts in prop::collection::vec(any::<usize>(), 0..30),
    ) {
        let masker = knowing(&[&secret]);
        let mut text = String::new();
        for (which, filler) in which.into_iter().zip(filler) {
            let (chain, spelt) = chain(which, &secret);
            let out = streamed(&masker, spelt.as_bytes(), &cuts);
            let how = find(&out, &[&secret]);
            prop_assert!(how.is_none(), "{chain}: {secret:?} got out, {how:?}: {}", String::from_utf8_lossy(&out));
            prop_assert!(masker.finds(spelt.as_bytes()), "{chain}: {secret:?}: {spelt}");
            text.push_str(&format!("{filler}{spelt}"));
        }
        let out = streamed(&masker, text.as_bytes(), &cuts);
        prop_assert_eq!(String::from_utf8_lossy(&out), masker.mask(&text), "the same in pieces");
        let how = find(&out, &[&secret]);
        prop_assert!(how.is_none(), "{secret:?} got out, {how:?}: {}", String::from_utf8_lossy(&out));
    }

    /// Full of what could be a spelling.
    #[test]
    fn text_without_a_secret_comes_out_as_it_was(
        text in "([a-m0-9 ]|[%&\\\\'\"+;#<>]|&#x?[0-9]{1,3};|\\\\[ux\"n][0-9]{2,4}|%[0-9a-f]{2}|\n|[éß🔑]){0,300}",
        cuts in prop::collection::vec(any::<usize>(), 0..9),
    ) {
        let masker = knowing(&["nopqrstuvwxyz", "NO/PQ+RS tu\nvw'xyz\"", "zzz-ßé-🔑<&>"]);
        prop_assert_eq!(String::from_utf8(streamed(&masker, text.as_bytes(), &cuts)).unwrap(), text);
    }
}

/// Each place at which two writes can part, in each encoding.
#[test]
fn a_secret_is_found_across_every_border() {
    let secret: String = (0..99).map(|n| format!("{n}&a/b+<'\"é\\%")).collect::<String>().chars().take(200).collect();
    let masker = knowing(&[&secret]);
    let mut borders = 0;
    for (name, encode) in SPELLINGS.iter().chain(&WHOLE) {
        let text = format!("<{}>", encode(&secret));
        let whole = masker.mask(&text);
        assert!(whole.contains("***") && whole.len() < 40, "{name}: {whole}");
        for border in (0..text.len()).step_by(if *name == "raw" { 1 } else { 31 }) {
            let out = streamed(&masker, text.as_bytes(), &[border]);
            assert_eq!(String::from_utf8_lossy(&out), whole, "{name}, cut at {border}");
            borders += 1;
        }
    }
    assert!(borders > 500, "{borders}");
}

/// Secrets of every shape; none is a part of the environment's own words.
fn shapes() -> Vec<String> {
    let mut shapes: Vec<String> = [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAo/BAQC7+JTU\n-----END KEY-----",
        "pässwörd-ключ-密码-🔑",
        "sIx6ch",
        "4ch@",
        "x&\"<%\né'>y",
        "prefix-of-another",
        "prefix-of-another-secret",
        "another-secret-overlaps",
        "7041776239815522",
        "with some blanks  in it",
        "'quoted'",
        "\"doubly\"",
        "back\\slash\\",
        "p%61rt%20encoded",
        "c29tZSBiYXNlNjQgdGV4dA==",
        "a+b/c=d+e/f==",
        "&amp;entity&#39;",
        "{braces}$dollar`tick`",
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "pass?key=value:w0rd@host/path",
        "tab\tand\rreturn",
        "00ff10a0deadbeefcafe",
    ]
    .map(str::to_owned)
    .to_vec();
    shapes.push((0..700).map(|n| format!("{n}-long/value")).collect::<String>()[..1500].to_owned());
    shapes
}

/// What can stand in a header: one line of ASCII.
fn header_safe(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// The parts of an answer in which a secret comes back.
const PLACES: [&str; 4] = ["body", "error", "head", "moved"];

/// What a server gave back: the number of the secret and of the encoding, and the place.
type Sent = BTreeSet<(usize, usize, usize)>;

/// A server that gives back a secret in some of the encodings. The path says in which place, which secret and which turn it is:
/// in four turns each encoding was in each place.
fn mirror(shapes: Vec<String>, sent: Arc<Mutex<Sent>>) -> Server {
    Server::start(move |request| {
        let mut path = request.path.split('/').skip(1);
        let place = path.next().and_then(|name| PLACES.iter().position(|place| *place == name));
        let (number, turn) = (path.next().and_then(|n| n.parse().ok()), path.next().and_then(|n| n.parse::<usize>().ok()));
        let (Some(place), Some(number), Some(turn)) = (place, number, turn) else { return Answer::json(200, "{}") };
        let secret: &String = &shapes[number];
        let mut all = String::new();
        for (encoding, (_, encode)) in SPELLINGS.iter().chain(&WHOLE).enumerate() {
            if (encoding + number + place + turn) % PLACES.len() == 0 {
                all.push_str(&format!("[{}] ", encode(secret)));
                sent.lock().unwrap().insert((number, encoding, place));
            }
        }
        let head = header_safe(&all);
        match PLACES[place] {
            "error" => Answer::raw(format!(
                "HTTP/1.1 500 {head}\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><title>Oh no</title><p>{all}</p></html>",
            )),
            "head" => Answer::status(401)
                .header("X-Echo", &head)
                .header("WWW-Authenticate", format!("Bearer realm=\"x\", error_description={head}"))
                .header("Set-Cookie", format!("a={head}")),
            "moved" => Answer::status(302).header("Location", format!("/there?{}", head.replace(' ', "+"))),
            _ => Answer::text(200, all),
        }
    })
}

/// A request to each place for each secret.
fn requests(secrets: usize, turn: usize) -> String {
    let mut collection = "requests:\n".to_owned();
    for (number, place) in (0..secrets).flat_map(|number| PLACES.map(|place| (number, place))) {
        collection.push_str(&format!(
            "  - name: {place} {number}
    url: '{{{{ api_url }}}}/{place}/{number}/{turn}'
    method: POST
    body: '{{{{ s{number} }}}}'
    assert: {{status: 299, headers: {{X-Echo: '{{{{ s{number} }}}}', Location: x}}, body: {{contains: 'no {{{{ s{number} }}}}', equals: x}}}}
    capture: {{c{number}: {{header: X-None}}, d{number}: $.x}}\n"
        ));
    }
    collection
}

/// Every secret in every encoding, in every part of an answer, to every output.
#[test]
fn no_output_shows_any_secret_in_any_encoding() {
    let shapes = shapes();
    let sent = Arc::default();
    let server = mirror(shapes.clone(), Arc::clone(&sent));
    let mut local = "variables:\n".to_owned();
    for (number, secret) in shapes.iter().enumerate() {
        local.push_str(&format!("  s{number}: !secret {}\n", serde_json::Value::from(secret.as_str())));
    }
    let secrets: Vec<&str> = shapes.iter().map(String::as_str).collect();
    // What several runs have in common is decoded once.
    let mut lines = BTreeSet::new();
    let outputs = [&["-q"][..], &[], &["-v"], &["-vv"], &["-vv", "--color", "always"], &["--dry-run"], &["check"]];
    for (turn, arguments) in outputs.into_iter().enumerate() {
        let ran = Runner::new()
            .file("environments/dev.yaml", format!("variables: {{api_url: '{}'}}\n", server.url()))
            .file("environments/dev.local.yaml", &local)
            .file("environments/.gitignore", "*.local.*\n.*.lock\n")
            .file("c.yaml", requests(shapes.len(), turn))
            .args(arguments.iter().copied())
            .args(["c.yaml", "--env", "dev"])
            .run_unchecked();
        let sends = !arguments.contains(&"--dry-run") && !arguments.contains(&"check");
        let output = ran.all_output();
        assert_eq!(ran.exit, i32::from(sends), "{arguments:?}\n{output}");
        assert!(output.contains("***") || !sends, "{arguments:?}\n{output}");
        assert!(secrets.iter().all(|secret| !output.contains(secret)), "{arguments:?}\n{output}");
        lines.extend(output.lines().map(|line| line.trim().to_owned()));
    }
    assert_no_secrets(Vec::from_iter(lines).join("\n"), &secrets);
    assert_eq!(sent.lock().unwrap().len(), 24 * 32 * 4, "secrets, encodings and places");
}

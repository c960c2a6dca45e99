//! Certificates: whose are trusted, what is said of those that are not, and how to do without.

use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use rustls::ALL_VERSIONS;
use rustls::version::{TLS12, TLS13};

use crate::support::peer::{End, Peer};
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};
use crate::support::tls::{Issuer, Pair, TlsServer, config, self_signed, signed_by_itself};

const HOST: &str = "127.0.0.1";

/// A project with one request to `url`.
fn project(url: &str) -> Runner {
    Runner::new().file("c.yaml", format!("requests: [{{url: \"{url}/\"}}]\n")).arg("c.yaml")
}

/// What a failed request is told with: the error and the help, a line each.
pub(crate) fn told(ran: &Ran) -> String {
    let lines = ran.stdout.lines().map(str::trim_start).filter_map(|line| {
        line.strip_prefix("error: ")
            .map(ToOwned::to_owned)
            .or_else(|| line.strip_prefix("= help: ").map(|help| format!("-> {help}")))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn serve(pair: &Pair, issuer: &Issuer) -> TlsServer {
    TlsServer::start(config(pair, ALL_VERSIONS, None), issuer.pem())
}

#[test]
fn a_certificate_is_trusted_when_it_or_its_issuer_is_named() {
    let issuer = Issuer::new("ours");
    for server in [self_signed(), serve(&issuer.issue(HOST, |_| ()), &issuer)] {
        let project = |tls: &str| {
            Runner::new()
                .file("certificates/ca.pem", server.pem())
                .file("environments/plain.yaml", format!("variables: {{url: \"{}\"}}\n{tls}", server.url()))
                .file("c.yaml", "defaults: {base_url: \"{{ url }}\"}\nrequests: [{url: /}]\n")
                .args(["c.yaml", "--env", "plain"])
        };
        assert_eq!(project("").run_unchecked().exit, 3);
        project("").args(["--cacert", "certificates/ca.pem"]).run_passing();
        project("tls: {ca: ../certificates/ca.pem}\n").run_passing();
        project("").file("environments/plain.local.yaml", "tls: {ca: ../certificates/ca.pem}\n").run_passing();
        // The name must still be the right one: nothing is relaxed by trusting an issuer.
        let port = server.address().port();
        let elsewhere = project("")
            .args(["--cacert", "certificates/ca.pem", "--var", &format!("url=https://other.test:{port}")])
            .args(["--resolve", "other.test:127.0.0.1"])
            .run_unchecked();
        assert_eq!(elsewhere.exit, 3, "{}", elsewhere.all_output());
        assert!(
            told(&elsewhere).starts_with("no TLS session with `other.test`: its certificate is for "),
            "{}",
            elsewhere.stdout
        );
    }
}

/// The same certificate, signed with ECDSA and SHA-224, which no browser takes. The signature itself is wrong then, too: what
/// is looked at first is which algorithm it is.
fn oddly_signed(pair: Pair) -> Pair {
    // ecdsa-with-SHA256 is 1.2.840.10045.4.3.2, ecdsa-with-SHA224 ends in 1 (RFC 5758 §3.2).
    const SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let mut bytes = pair.cert.to_vec();
    for start in 0..bytes.len() - SHA256.len() {
        if bytes[start..].starts_with(&SHA256) {
            bytes[start + SHA256.len() - 1] = 1;
        }
    }
    Pair { cert: bytes.into(), ..pair }
}

#[test]
fn a_bad_certificate_is_refused_with_the_reason_and_the_mend() {
    const CLOCK: &str = "-> the server needs a new certificate, or the clock of this machine is wrong";
    const UNKNOWN: &str = "-> if you trust the issuer, name its certificate: `--cacert ca.pem`, or `tls: {ca: ca.pem}` in the \
                           environment; `--insecure` checks nothing and is for a last resort";
    const SELF_SIGNED: &str = "-> if you trust this server, save its certificate and name it: `--cacert server.pem`, or `tls: {ca: \
                               server.pem}` in the environment; `--insecure` checks nothing and is for a last resort";
    let (issuer, stranger) = (Issuer::new("ours"), Issuer::new("stranger"));
    let past = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let future = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let signs = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let table = [
        (issuer.issue(HOST, past), "its certificate expired on [time]", CLOCK),
        (issuer.issue(HOST, future), "its certificate is not valid yet, but from [time]", CLOCK),
        (
            issuer.issue("other.test", |_| ()),
            "its certificate is for `other.test`",
            "-> use one of those names in the URL, or have the certificate renewed for this one",
        ),
        (signed_by_itself(HOST, |_| ()), "its certificate is signed by itself, so anybody could have made it", SELF_SIGNED),
        (stranger.issue(HOST, |_| ()), "its certificate is signed by nobody who is trusted here", UNKNOWN),
        (
            issuer.issue(HOST, signs),
            "its certificate is one for signing certificates, not one for a server",
            "-> have the server show a certificate made for a server (`basicConstraints=CA:FALSE`); `--insecure` checks nothing \
             and is for a last resort",
        ),
        (
            oddly_signed(issuer.issue(HOST, |_| ())),
            "its certificate is signed in a way that is too weak or unknown",
            "-> the server needs a certificate that is signed with SHA-256 or better",
        ),
    ];
    for (pair, reason, mend) in table {
        let server = serve(&pair, &issuer);
        let run = || project(&server.url()).file("ca.pem", server.pem()).args(["--cacert", "ca.pem"]);
        let ran = run().run_unchecked();
        assert_eq!((ran.exit, told(&ran)), (3, format!("no TLS session with `127.0.0.1`: {reason}\n{mend}")), "{}", ran.stdout);
        assert_eq!(server.heads().len(), 0, "{reason}: nothing is sent");
        let ran = run().arg("-k").run_unchecked();
        assert_eq!((ran.exit, server.heads().len()), (0, 1), "{reason}: {}", ran.all_output());
    }
}

#[test]
fn insecure_is_loud_wherever_it_comes_from() {
    const TEXT: &str =
        "no certificate is checked in this run: whoever sits on the way can read and change all of it, secrets too";
    const HELP: &str = "= help: to trust one server, name its certificate: `--cacert server.pem`, or `tls: {ca: server.pem}`\n";
    let server = self_signed();
    let project = || project(&server.url()).file("environments/e.yaml", "variables: {a: 1}\n").args(["--env", "e"]);
    let flag = format!("warning: `--insecure`: {TEXT}\n  {HELP}");
    let table = [
        (project().arg("-k"), flag.clone()),
        (project().args(["--insecure", "-q"]), flag),
        (
            project().file("environments/e.yaml", "tls: {insecure: true}\n"),
            format!(
                "warning: `insecure: true`: {TEXT}\n --> environments/e.yaml:1:17\n  |\n1 | tls: {{insecure: true}}\n  |                 ^^^^\n  \
                 |\n  {HELP}"
            ),
        ),
        (
            project().file("environments/e.local.yaml", "tls: {insecure: true}\n").arg("-q"),
            format!("warning: `insecure: true`: {TEXT}\n --> environments/e.local.yaml:1:17\n  {HELP}"),
        ),
    ];
    for (runner, stderr) in table {
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, stderr.as_str()), "{}", ran.stdout);
    }
    // `false` is silence, and checks.
    let ran = project().file("environments/e.yaml", "tls: {insecure: false}\n").run_unchecked();
    assert_eq!((ran.exit, ran.stderr.as_str()), (3, ""));
}

#[test]
fn a_collection_has_no_say_about_connections() {
    let server = self_signed();
    for key in ["tls: {insecure: true}", "insecure: true", "proxy: \"http://127.0.0.1:1\"", "resolve: {a.test: 127.0.0.1}"] {
        for collection in [
            format!("{key}\nrequests: [{{url: \"{}/\"}}]\n", server.url()),
            format!("defaults: {{{key}}}\nrequests: [{{url: \"{}/\"}}]\n", server.url()),
            format!("requests: [{{url: \"{}/\", {key}}}]\n", server.url()),
        ] {
            let ran = Runner::new().file("c.yaml", &collection).arg("c.yaml").run_unchecked();
            assert_eq!(ran.exit, 2, "{collection}{}", ran.all_output());
            assert!(ran.stderr.contains("unknown key"), "{collection}{}", ran.stderr);
        }
    }
    assert_eq!(server.heads().len(), 0);
}

/// A TLS record of type `kind` (RFC 8446 §5.1).
fn record(kind: u8, version: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short record").to_be_bytes();
    [&[kind, 3, version], &length[..], content].concat()
}

/// A fatal alert.
fn alert(number: u8) -> Vec<u8> {
    record(21, 3, &[2, number])
}

/// A ServerHello of TLS 1.0 that chooses AES-128-SHA.
fn old_hello() -> Vec<u8> {
    let hello = [&[3, 1], &[7; 32][..], &[0, 0, 0x2f, 0]].concat();
    let length = u8::try_from(hello.len()).expect("a short hello");
    record(22, 1, &[&[2, 0, 0, length], &hello[..]].concat())
}

#[test]
fn a_handshake_that_fails_says_why() {
    const OLD: &str = "-> TLS 1.0 and 1.1 are broken (RFC 8996): the server needs a newer version";
    let plain = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".to_vec();
    let table = [
        ("protocol_version", alert(70), format!("it speaks neither TLS 1.2 nor TLS 1.3\n{OLD}")),
        ("TLS 1.0", old_hello(), format!("it speaks neither TLS 1.2 nor TLS 1.3\n{OLD}")),
        (
            "handshake_failure",
            alert(40),
            "it takes none of the ciphers that are safe today\n\
             -> the server needs newer ciphers, or it wants a name or certificate that it did not get"
                .to_owned(),
        ),
        ("unrecognized_name", alert(112), "it does not know the host of this name".to_owned()),
        ("internal_error", alert(80), "it broke the handshake off with an internal error".to_owned()),
        ("user_canceled", alert(90), "it broke the handshake off with the alert UserCanceled".to_owned()),
        ("cut", old_hello()[..20].to_vec(), "it closed the connection during the handshake".to_owned()),
        ("closed", Vec::new(), "it closed the connection during the handshake".to_owned()),
        (
            "plain http",
            plain,
            "it does not speak TLS on this port\n-> if the server speaks plain http on this port, write `http://`".to_owned(),
        ),
    ];
    for (what, bytes, expected) in table {
        let peer = Peer::start(vec![bytes], End::Close);
        let ran = project(&format!("https://{}", peer.address())).run_unchecked();
        assert_eq!((ran.exit, told(&ran)), (3, format!("no TLS session with `127.0.0.1`: {expected}")), "{what}: {}", ran.stdout);
    }
    let silent = Peer::start(vec![], End::Silence);
    let ran = project(&format!("https://{}", silent.address())).args(["--connect-timeout", "100ms"]).run_unchecked();
    assert_eq!(
        (ran.exit, told(&ran).lines().next()),
        (3, Some("no end of the TLS handshake within [duration] (the limit is `--connect-timeout`)"))
    );
}

#[test]
fn plain_http_at_a_port_for_tls_is_told() {
    let tls = self_signed();
    let ran = project(&tls.url().replace("https:", "http:")).run_unchecked();
    assert!(
        ran.exit == 3 && told(&ran).ends_with("-> if the server expects TLS on this port, write `https://`"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_client_certificate_is_shown_when_it_is_asked_for() {
    let (issuer, stranger) = (Issuer::new("ours"), Issuer::new("stranger"));
    let (me, other) = (issuer.issue("me", |_| ()), stranger.issue("me", |_| ()));
    for version in [&TLS12, &TLS13] {
        let server = TlsServer::start(config(&issuer.issue(HOST, |_| ()), &[version], Some(&issuer)), issuer.pem());
        let project = |pair: &Pair, environment: &str| {
            project(&server.url())
                .file("ca.pem", server.pem())
                .file("me.pem", &pair.cert_pem)
                .file("me.key", &pair.key_pem)
                .file("environments/e.yaml", format!("variables: {{a: 1}}\n{environment}"))
                .args(["--env", "e", "--cacert", "ca.pem"])
        };
        project(&me, "").args(["--cert", "me.pem", "--key", "me.key"]).run_passing();
        project(&me, "tls: {ca: ../ca.pem, cert: ../me.pem, key: ../me.key}\n").run_passing();
        assert_eq!(server.heads().len(), 2);
        let ran = project(&me, "").run_unchecked();
        let expected = "no TLS session with `127.0.0.1`: it wants a client certificate\n\
            -> name one: `--cert me.pem --key me.key`, or `tls: {cert: me.pem, key: me.key}` in the environment";
        assert_eq!((ran.exit, told(&ran).as_str()), (3, expected), "{version:?} {}", ran.stdout);
        let ran = project(&other, "").args(["--cert", "me.pem", "--key", "me.key"]).run_unchecked();
        let said = told(&ran);
        assert_eq!(ran.exit, 3, "{version:?} {}", ran.stdout);
        assert!(
            said.starts_with("no TLS session with `127.0.0.1`: it does not take the client certificate: "),
            "{version:?} {said}"
        );
        assert_eq!(server.heads().len(), 2);
    }
}

#[test]
fn certificates_and_keys_that_cant_be_used_are_told_before_anything_is_sent() {
    let issuer = Issuer::new("ours");
    let (me, other) = (issuer.issue("me", |_| ()), issuer.issue("other", |_| ()));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBS\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_encrypted = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
    const OPEN: &str = "error: `--key` can't be used: it is encrypted with a passphrase, which nobody could type here\n  \
                        = help: take the passphrase off a copy that only you can read: `openssl pkey -in me.key -out plain.key`\n";
    let table = [
        ("ca.pem", "hunter2", "error: `--cacert` can't be used: expected certificates in PEM\n"),
        ("me.pem", "hunter2", "error: `--cert` can't be used: expected certificates in PEM\n"),
        ("me.key", "hunter2", "error: `--key` can't be used: expected a private key in PEM\n"),
        ("me.key", &other.key_pem, "error: `--key` can't be used: it does not belong to the certificate\n"),
        ("me.key", encrypted, OPEN),
        ("me.key", old_encrypted, OPEN),
    ];
    let server = Server::start(|_| Answer::json(200, "{}"));
    let project = || {
        project(&server.url())
            .file("ca.pem", issuer.pem())
            .file("me.pem", &me.cert_pem)
            .file("me.key", &me.key_pem)
            .args(["--cacert", "ca.pem", "--cert", "me.pem", "--key", "me.key"])
    };
    for (file, text, stderr) in table {
        let ran = project().file(file, text).run_unchecked();
        assert_eq!((ran.exit, ran.stderr.as_str()), (2, stderr), "{file}");
    }
    for (file, flag) in [("ca.pem", "--cacert"), ("me.pem", "--cert"), ("me.key", "--key")] {
        let runner = project();
        std::fs::remove_file(runner.path(file)).expect("it was just written");
        let ran = runner.run_unchecked();
        let stderr = format!("error: the file `[project]/{file}` of `{flag}` does not exist\n");
        assert_eq!((ran.exit, ran.stderr), (2, stderr));
    }
    assert_eq!(server.connections(), 0);
}

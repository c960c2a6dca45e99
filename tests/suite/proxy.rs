//! Proxies: what goes through them, what they get to see, and whose fault it is.

use std::net::TcpListener;
use std::sync::Arc;

use rustls::ALL_VERSIONS;

use crate::support::leak::assert_no_secret;
use crate::support::peer::{End, Peer};
use crate::support::proxy::Proxy;
use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};
use crate::support::tls::{Issuer, TlsServer, config};

use super::tls::told;

const HOST: &str = "api.example.test";

fn project(url: &str) -> Runner {
    Runner::new().file("c.yaml", format!("requests: [{{url: \"{url}\"}}]\n")).arg("c.yaml")
}

/// `GET http://api.example.test/x HTTP/1.1`.
fn first_lines(seen: &[String]) -> Vec<&str> {
    seen.iter().filter_map(|head| head.lines().next()).collect()
}

#[test]
fn everything_goes_through_a_proxy_but_what_is_excepted() {
    let proxy = Server::start(|_| Answer::json(200, r#"{"via": "proxy"}"#));
    let server = Server::start(|_| Answer::json(200, r#"{"via": "direct"}"#));
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let with_port = format!("{HOST}:{port}");
    type Row<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let table: [Row<'_>; 16] = [
        (HOST, &[], &[], "proxy"),
        (HOST, &["--noproxy", "other.test,example.test"], &[], "direct"),
        (HOST, &["--noproxy", ".example.test"], &[], "direct"),
        (HOST, &["--noproxy", "*"], &[], "direct"),
        (HOST, &["--noproxy", &with_port], &[], "direct"),
        (HOST, &["--noproxy", "api.example.test:1"], &[], "proxy"),
        (HOST, &["--noproxy", "10.0.0.0/8,ample.test"], &[], "proxy"),
        (HOST, &[], &[("NO_PROXY", "other.test, example.test")], "direct"),
        (HOST, &[], &[("no_proxy", "example.test")], "direct"),
        (HOST, &[], &[("NO_PROXY", "")], "proxy"),
        // As in curl: the flag before the variable, the variable in lower case before the other.
        (HOST, &["--noproxy", ""], &[("NO_PROXY", "*")], "proxy"),
        (HOST, &["--noproxy", "other.test"], &[("NO_PROXY", "*")], "proxy"),
        (HOST, &[], &[("no_proxy", "other.test"), ("NO_PROXY", "*")], "proxy"),
        // This machine is never asked for through another one.
        ("127.0.0.1", &[], &[], "direct"),
        ("localhost", &["--noproxy", ""], &[], "direct"),
        ("x.localhost", &[], &[], "direct"),
    ];
    for (host, arguments, variables, via) in table {
        let collection = format!("requests: [{{url: \"http://{host}:{port}/x\", assert: {{json: {{$.via: {via}}}}}}}]\n");
        let runner = Runner::new()
            .file("c.yaml", collection)
            .file("environments/e.yaml", format!("proxy: {}\n", proxy.url()))
            .args(["c.yaml", "--env", "e", "--resolve", "api.example.test:127.0.0.1"])
            .args(arguments.iter().copied());
        variables.iter().fold(runner, |runner, (name, value)| runner.env_var(name, *value)).run_passing();
    }
    let through = table.iter().filter(|(.., via)| *via == "proxy").count();
    assert_eq!(proxy.requests()[0].header("host"), Some(with_port.as_str()));
    assert_eq!((proxy.requests().len(), server.requests().len()), (through, table.len() - through));
}

#[test]
fn every_kind_of_proxy_passes_requests_on_and_its_credentials_stay_with_it() {
    const PASSWORD: &str = "p@ss-w0rd-of-proxy";
    let issuer = Issuer::new("ours");
    let server = TlsServer::start(config(&issuer.issue(HOST, |_| ()), ALL_VERSIONS, None), issuer.pem());
    let plain = Server::start(|_| Answer::json(200, r#"{"via": "proxy"}"#));
    let address = plain.url().trim_start_matches("http://").parse().unwrap();
    let own = Arc::new(config(&issuer.issue("127.0.0.1", |_| ()), ALL_VERSIONS, None));
    // `me:p@ss-w0rd-of-proxy`.
    const BASIC: &str = "Basic bWU6cEBzcy13MHJkLW9mLXByb3h5";
    let tunnel = format!("CONNECT {HOST}:443 HTTP/1.1");
    let absolute = format!("GET http://{HOST}/x HTTP/1.1");
    let socks = |host: &str, port: u16| format!("SOCKS me:{PASSWORD}@{host}:{port}");
    let table = [
        ("http", false, absolute.clone()),
        ("http", true, tunnel.clone()),
        ("https", false, absolute),
        ("https", true, tunnel),
        ("socks5", false, socks("10.9.8.7", 80)),
        ("socks5", true, socks("10.9.8.7", 443)),
        ("socks5h", false, socks(HOST, 80)),
        ("socks5h", true, socks(HOST, 443)),
    ];
    for (index, (scheme, tls, expected)) in table.into_iter().enumerate() {
        let upstream = if tls { server.address() } else { address };
        let proxy = Proxy::start(upstream, (scheme == "https").then(|| Arc::clone(&own)));
        let url = format!("{scheme}://me:p%40ss-w0rd-of-proxy@{}", proxy.address());
        let collection = format!(
            "requests: [{{url: \"{}://{HOST}/x\", auth: {{bearer: \"{{{{ api_key }}}}\"}}}}]\n",
            if tls { "https" } else { "http" }
        );
        let runner = Runner::new()
            .file("c.yaml", collection)
            .file("ca.pem", issuer.pem())
            .file("environments/e.yaml", format!("hosts: [\"http://{HOST}\", {HOST}]\nvariables: {{api_key: }}\n"))
            .args(["c.yaml", "--env", "e", "--cacert", "ca.pem", "-vv", "--resolve", &format!("{HOST}:10.9.8.7")]);
        let local = "variables: {api_key: t0ken-of-the-api}\n";
        // Half of them name the proxy in the local file, half on the command line.
        let runner = match index % 2 {
            0 => runner.file("environments/e.local.yaml", format!("{local}proxy: {url}\n")),
            _ => runner.file("environments/e.local.yaml", local).args(["--proxy", &url]),
        };
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{scheme} {tls} {}", ran.all_output());
        assert_no_secret(ran.all_output(), PASSWORD);
        // What the proxy adds to its answer to CONNECT is no part of the host's.
        assert!(!ran.stdout.to_lowercase().contains("via: 1.1"), "{}", ran.stdout);
        let seen = proxy.seen();
        assert_eq!(first_lines(&seen), [expected], "{scheme} {tls}");
        let header = |head: &str, name: &str| {
            head.lines().find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name))).is_some()
        };
        if scheme.starts_with("http") {
            assert!(seen[0].to_lowercase().contains(&format!("proxy-authorization: {}", BASIC.to_lowercase())), "{}", seen[0]);
            // Over plain http the proxy reads along; in front of a tunnel it gets nothing that is meant for the host.
            assert_eq!(header(&seen[0], "authorization"), !tls, "{}", seen[0]);
        }
        let to_host: Vec<String> = match tls {
            true => server.heads(),
            false => plain.requests().iter().map(|request| format!("{:?}", request.headers)).collect(),
        };
        assert!(!to_host.iter().any(|head| head.to_lowercase().contains("proxy-")), "{to_host:?}");
    }
    // Four tunnels to the server, two to the plain one; the other two were answered by the proxy.
    assert_eq!((server.heads().len(), plain.requests().len()), (4, 2));
    assert!(server.heads().iter().all(|head| head.contains("authorization: Bearer t0ken-of-the-api")), "{:?}", server.heads());
}

const FROM: &str = "\n-> the proxy comes from `proxy` in the environment or from `--proxy`; `--noproxy HOST` goes around it";
const CREDENTIALS: &str =
    "\n-> write them into the proxy's URL, in the local file: `proxy: http://USER:PASSWORD@HOST:PORT` (`@` is `%40`)";

/// Sends a request to `url` through a proxy at `at`, with or without credentials.
fn through(kind: &str, at: &str, url: &str) -> (i32, String) {
    let ran = project(url).args(["--proxy", &format!("{kind}{at}"), "--connect-timeout", "10s"]).run_unchecked();
    assert_no_secret(ran.all_output(), "hunter2-of-proxy");
    (ran.exit, told(&ran))
}

#[test]
fn what_an_http_proxy_does_wrong_is_told_of_the_proxy() {
    let answer = |text: &str| vec![text.replace('\n', "\r\n").into_bytes()];
    const PLAIN: &str = "http://api.example.test/x?token=hush";
    const TLS: &str = "https://api.example.test/x?token=hush";
    const OPEN: &str = "http://";
    const KEYED: &str = "http://me:hunter2-of-proxy@";
    let needed = "HTTP/1.1 407 Proxy Authentication Required\nProxy-Authenticate: Basic realm=\"x\"\nContent-Length: 0\n\n";
    let table = [
        (OPEN, TLS, answer(needed), "the proxy `127.0.0.1:[port]` wants a user name and password", CREDENTIALS),
        (OPEN, PLAIN, answer(needed), "the proxy `127.0.0.1:[port]` wants a user name and password", CREDENTIALS),
        (KEYED, TLS, answer(needed), "the proxy `127.0.0.1:[port]` does not take the user name and password", CREDENTIALS),
        (KEYED, PLAIN, answer(needed), "the proxy `127.0.0.1:[port]` does not take the user name and password", CREDENTIALS),
        (
            OPEN,
            TLS,
            answer("HTTP/1.1 403 Forbidden\nX-Injected: a\n\n<html>"),
            "the proxy `127.0.0.1:[port]` opens no tunnel to `api.example.test:443`",
            FROM,
        ),
        (OPEN, TLS, answer("garbage\n\n"), "the proxy `127.0.0.1:[port]` opens no tunnel to `api.example.test:443`", FROM),
        (
            OPEN,
            TLS,
            answer(&format!("HTTP/1.1 200 OK\nX: {}\n\n", "y".repeat(9000))),
            "the proxy `127.0.0.1:[port]` opens no tunnel to `api.example.test:443`",
            FROM,
        ),
        (OPEN, TLS, answer(""), "the proxy `127.0.0.1:[port]` closed the connection before there was a tunnel", FROM),
        (
            OPEN,
            TLS,
            answer("HTTP/1.1 200 "),
            "the proxy `127.0.0.1:[port]` closed the connection before there was a tunnel",
            FROM,
        ),
        (OPEN, PLAIN, answer("garbage\n\n"), "what the proxy `127.0.0.1:[port]` answers is no HTTP", FROM),
        (OPEN, PLAIN, answer(""), "the proxy `127.0.0.1:[port]` closed the connection without an answer", FROM),
        (
            OPEN,
            TLS,
            [answer("HTTP/1.1 200 OK\nContent-Length: 9\n\n"), answer("<html> no")].concat(),
            "what the proxy `127.0.0.1:[port]` sends through the tunnel to `api.example.test:443` is no TLS",
            FROM,
        ),
        (
            OPEN,
            TLS,
            [answer("HTTP/1.1 200 OK\n\n"), answer("")].concat(),
            "the proxy `127.0.0.1:[port]` closed the tunnel to `api.example.test:443` during the TLS handshake",
            FROM,
        ),
    ];
    for (kind, url, replies, message, mend) in table {
        let peer = Peer::start(replies.clone(), End::Close);
        let came = through(kind, &peer.address().to_string(), url);
        assert_eq!(came, (3, format!("{message}{mend}")), "{kind} {url} {}", String::from_utf8_lossy(&replies.concat()));
    }
    let silent = Peer::start(vec![], End::Silence);
    let ran = project(TLS).args(["--proxy", &silent.address().to_string(), "--connect-timeout", "100ms"]).run_unchecked();
    let message =
        format!("no connection through the proxy `127.0.0.1:[port]` within [duration] (the limit is `--connect-timeout`){FROM}");
    assert_eq!((ran.exit, told(&ran)), (3, message));
}

#[test]
fn a_proxy_that_cant_be_reached_is_told_from_the_host() {
    let closed = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).unwrap().to_string();
    let refused = format!("could not connect to the proxy `127.0.0.1:[port]`: connection refused{FROM}");
    for url in ["http://api.example.test/", "https://api.example.test/"] {
        assert_eq!(through("http://", &closed, url), (3, refused.clone()), "{url}");
        // The library does not say why.
        let refused = format!("could not connect to the proxy `127.0.0.1:[port]`{FROM}");
        assert_eq!(through("socks5h://", &closed, url), (3, refused), "{url}");
        // A label of more than 63 characters is looked up nowhere.
        let nowhere = format!("{}.test", "a".repeat(64));
        let (exit, said) = through("http://", &nowhere, url);
        assert!(exit == 3 && said.starts_with(&format!("could not look up the proxy `{nowhere}`: ")), "{url} {said}");
    }
    // With `socks5` it is the host's name that is looked up here.
    let nowhere = format!("{}.test", "b".repeat(64));
    let (exit, said) = through("socks5://", &closed, &format!("http://{nowhere}/"));
    assert!(exit == 3 && said.starts_with(&format!("could not look up `{nowhere}`: ")), "{said}");
    // The certificate is the proxy's.
    let own = Arc::new(config(&Issuer::new("stranger").issue("127.0.0.1", |_| ()), ALL_VERSIONS, None));
    let proxy = Proxy::start(closed.parse().unwrap(), Some(own));
    for url in ["http://api.example.test/", "https://api.example.test/"] {
        let (exit, said) = through("https://", &proxy.address().to_string(), url);
        let expected =
            "no TLS session with the proxy `127.0.0.1:[port]`: its certificate is signed by nobody who is trusted here\n";
        assert!(exit == 3 && said.starts_with(expected), "{url} {said}");
    }
    let plain = Peer::start(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], End::Close);
    let (exit, said) = through("https://", &plain.address().to_string(), "https://api.example.test/");
    let expected = "no TLS session with the proxy `127.0.0.1:[port]`: it does not speak TLS on this port\n";
    assert!(exit == 3 && said.starts_with(expected), "{said}");
}

#[test]
fn what_a_socks_proxy_says_is_told_in_words() {
    let method = |number: u8| vec![5, number];
    let reply = |number: u8| vec![5, number, 0, 1, 0, 0, 0, 0, 0, 0];
    const OPEN: &str = "socks5h://";
    const KEYED: &str = "socks5h://me:hunter2-of-proxy@";
    let refused =
        |reason: &str| format!("the proxy `127.0.0.1:[port]` does not connect to `api.example.test:443`: {reason}{FROM}");
    let alone = |what: &str, mend: &str| format!("the proxy `127.0.0.1:[port]` {what}{mend}");
    let table = [
        (OPEN, vec![method(0), reply(1)], refused("it failed, and does not say why")),
        (OPEN, vec![method(0), reply(2)], refused("its rules do not allow it")),
        (OPEN, vec![method(0), reply(3)], refused("the network can't be reached")),
        (OPEN, vec![method(0), reply(4)], refused("the host can't be reached")),
        (OPEN, vec![method(0), reply(5)], refused("the connection was refused")),
        (OPEN, vec![method(0), reply(6)], refused("the way is too long (TTL expired)")),
        (OPEN, vec![method(0), reply(7)], refused("it opens no connections for others")),
        (OPEN, vec![method(0), reply(8)], refused("it does not take this kind of address")),
        (OPEN, vec![method(0), reply(9)], alone("does not answer as a SOCKS5 proxy does", FROM)),
        (OPEN, vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], alone("does not answer as a SOCKS5 proxy does", FROM)),
        (OPEN, vec![vec![5, 7]], alone("does not answer as a SOCKS5 proxy does", FROM)),
        (OPEN, vec![method(2)], alone("wants a user name and password", CREDENTIALS)),
        (OPEN, vec![method(255)], alone("wants a user name and password", CREDENTIALS)),
        (KEYED, vec![method(255)], refused("it takes no user name and password")),
        (KEYED, vec![method(2), vec![1, 1]], alone("does not take the user name and password", CREDENTIALS)),
        (OPEN, vec![vec![]], alone("closed the connection before there was a tunnel", FROM)),
        (OPEN, vec![method(0), vec![5, 0]], alone("closed the connection before there was a tunnel", FROM)),
        (
            OPEN,
            vec![method(0), reply(0), b"garbage that is no TLS".to_vec()],
            format!("what the proxy `127.0.0.1:[port]` sends through the tunnel to `api.example.test:443` is no TLS{FROM}"),
        ),
    ];
    for (kind, replies, message) in table {
        let peer = Peer::start(replies.clone(), End::Close);
        let came = through(kind, &peer.address().to_string(), "https://api.example.test/x?token=hush");
        assert_eq!(came, (3, message), "{kind} {replies:?}");
    }
    let peer = Peer::start(vec![method(2)], End::Silence);
    let long = format!("socks5h://{}:x@", "u".repeat(256));
    let (exit, said) = through(&long, &peer.address().to_string(), "https://api.example.test/");
    assert_eq!((exit, said), (3, refused("the user name or password is longer than 255 bytes")));
}

/// Whoever it is told by: pages of proxies show a lot.
#[test]
fn the_password_of_a_proxy_is_masked_in_all_output() {
    const PASSWORD: &str = "p@ss-w0rd-of-proxy";
    let proxy = Server::start(|request| {
        let header = request.header("proxy-authorization").unwrap_or("none");
        Answer::text(200, format!("{header} {PASSWORD} p%40ss-w0rd-of-proxy"))
    });
    let url = proxy.url().replace("//", "//me:p%40ss-w0rd-of-proxy@");
    let project = |local: &str| {
        project("http://api.example.test/x")
            .file("environments/e.yaml", "variables: {a: 1}\n")
            .file("environments/e.local.yaml", format!("variables: {{b: 1}}\n{local}"))
            .args(["--env", "e", "-vv"])
    };
    for ran in [project(&format!("proxy: {url}\n")).run_passing(), project("").args(["--proxy", &url]).run_passing()] {
        assert_no_secret(ran.all_output(), PASSWORD);
        assert!(!ran.stdout.contains("p%40ss") && ran.stdout.contains("***"), "{}", ran.stdout);
    }
}

#[test]
fn an_ipv6_address_goes_through_a_proxy_over_plain_http_only() {
    let upstream = Server::start(|_| Answer::json(200, "{}"));
    let proxy = Proxy::start(upstream.url().trim_start_matches("http://").parse().unwrap(), None);
    project("http://[2001:db8::1]/x").args(["--proxy", &proxy.address().to_string()]).run_passing();
    assert_eq!(first_lines(&proxy.seen()), ["GET http://[2001:db8::1]/x HTTP/1.1"]);
    let (exit, said) = through("http://", &proxy.address().to_string(), "https://[2001:db8::1]/x");
    let expected = "could not connect to `[2001:db8::1]:443`: the HTTP library takes no IPv6 address for TLS through a proxy\n";
    assert!(exit == 3 && said.starts_with(expected), "{said}");
}

/// Only what the proxy itself says of itself is its fault: a host's 407, as odd as it is, is an answer.
#[test]
fn a_407_of_a_host_is_an_answer() {
    let server = Server::start(|_| Answer::status(407));
    Runner::new()
        .file("c.yaml", format!("requests: [{{url: \"{}/\", assert: {{status: 407}}}}]\n", server.url()))
        .args(["c.yaml", "--proxy", "http://127.0.0.1:1"])
        .run_passing();
}

#[test]
fn a_proxy_that_is_written_wrongly_is_told_without_its_password() {
    let project = |shared: &str, local: &str| {
        Runner::new()
            .file("environments/e.yaml", format!("variables: {{a: 1}}\n{shared}"))
            .file("environments/e.local.yaml", format!("variables: {{b: 1}}\n{local}"))
            .file("c.yaml", "requests: [{url: \"http://api.example.test/\"}]\n")
            .args(["c.yaml", "--env", "e"])
    };
    project("proxy: http://me:hunter2-of-proxy@proxy.test:3128\n", "")
        .expect_exit(2)
        .expect_stderr(
            "
            error: the password of the proxy stands in a file that is shared
             --> environments/e.yaml:2:8
              |
            2 | proxy: http://me:***@proxy.test:3128
              |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: move `proxy` to the local file beside this one, and change the password where it comes from if this file was ever pushed
            ",
        )
        .run();
    project("proxy: \"http://{{ user }}:{{ password }}@proxy.test:3128\"\n", "")
        .expect_exit(2)
        .expect_stderr(
            "
            error: `proxy` can't be used: templates are not read here; write the URL out, in the local file when it holds a password
             --> environments/e.yaml:2:8
              |
            2 | proxy: \"http://{{ user }}:***@proxy.test:3128\"
              |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            ",
        )
        .run();
    // The last is longer than the library takes; it would leave the proxy out.
    let long = format!("http://{}:hunter2-of-proxy@a", "u".repeat(70_000));
    let urls = [
        "ftp://me:hunter2-of-proxy@proxy.test",
        "http://me:hunter2-of-proxy@",
        "socks4://me:hunter2-of-proxy@a",
        "http://me:hunter2-of-proxy@a b",
        &long,
    ];
    for url in urls {
        let in_file = project("", &format!("proxy: \"{url}\"\n")).run_unchecked();
        let on_line = project("", "").args(["--proxy", url]).run_unchecked();
        for ran in [in_file, on_line] {
            assert_eq!((ran.exit, ran.stdout.as_str()), (2, ""), "{url}: {}", ran.stderr);
            assert!(ran.stderr.contains("can't be used: expected the URL of a proxy, with `http`, "), "{url}: {}", ran.stderr);
            assert_no_secret(ran.all_output(), "hunter2-of-proxy");
        }
    }
    let ran = project("", "").args(["--noproxy", "10.0.0.0/99"]).run_unchecked();
    assert!(ran.exit == 2 && ran.stderr.contains("expected hosts such as `example.com`"), "{}", ran.stderr);
}

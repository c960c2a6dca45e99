//! Names and addresses: `--resolve`, several addresses, and the names of this machine.

use std::net::{Ipv6Addr, TcpListener};

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};
use crate::support::tls::self_signed;

use super::tls::told;

fn project(url: &str) -> Runner {
    Runner::new().file("c.yaml", format!("requests: [{{url: \"{url}/x\"}}]\n")).arg("c.yaml")
}

fn port_of(server: &Server) -> String {
    server.url().rsplit(':').next().expect("a port").to_owned()
}

/// A name that no name server is asked for: its first label is longer than 63 bytes (RFC 1035 §2.3.4).
fn unaskable() -> String {
    format!("{}.test", "a".repeat(64))
}

#[test]
fn a_host_can_be_given_an_address() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let (port, name) = (port_of(&server), unaskable());
    let url = format!("http://{name}:{port}");
    let good = [
        format!("{name}:127.0.0.1"),
        format!("{name}.:127.0.0.1"),
        format!("{}:127.0.0.1", name.to_uppercase()),
        format!("{name}:{port}:127.0.0.1"),
        "*:127.0.0.1".to_owned(),
        format!("*:{port}:127.0.0.1"),
        // Nobody listens on the first: the next is tried.
        format!("{name}:127.0.0.2,127.0.0.1"),
        format!("{name}:[::1],127.0.0.1"),
    ];
    for resolve in &good {
        project(&url).args(["--resolve", resolve]).run_passing();
    }
    // An entry for the name goes before one for all names, and two for one name join.
    project(&url).args(["--resolve", "*:127.0.0.2", "--resolve", &format!("{name}:127.0.0.1")]).run_passing();
    project(&url).args(["--resolve", &format!("{name}:127.0.0.2"), "--resolve", &format!("{name}:127.0.0.1")]).run_passing();
    let ran = project(&url).args(["--resolve", "*:127.0.0.1", "--resolve", &format!("{name}:127.0.0.2")]).run_unchecked();
    assert!(ran.exit == 3 && told(&ran).starts_with("could not connect to "), "{}", ran.stdout);
    assert_eq!(server.lines().len(), good.len() + 2);
    assert_eq!(server.requests()[0].header("host"), Some(format!("{name}:{port}").as_str()));
    for resolve in [format!("{name}:1:127.0.0.1"), "other.test:127.0.0.1".to_owned(), format!("x.{name}:127.0.0.1")] {
        let ran = project(&url).args(["--resolve", &resolve]).run_unchecked();
        assert_eq!(ran.exit, 3, "{resolve}: {}", ran.all_output());
        assert!(told(&ran).starts_with(&format!("could not look up `{name}`: ")), "{resolve}: {}", ran.stdout);
    }
    assert_eq!(server.lines().len(), good.len() + 2);
}

#[test]
fn when_no_address_answers_the_host_is_named() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let url = format!("http://a.test:{}", port_of(&server));
    let ran = project(&url).args(["--resolve", "a.test:127.0.0.2,127.0.0.3"]).run_unchecked();
    let expected = format!(
        "could not connect to `a.test:{}`: connection refused\n-> is the server running, and is the port right?",
        port_of(&server)
    );
    assert_eq!((ran.exit, told(&ran), server.connections()), (3, expected, 0));
}

/// Plain http and secrets are trusted to them.
#[test]
fn localhost_is_this_machine_whatever_is_said() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let port = port_of(&server);
    for name in ["localhost", "LOCALHOST", "localhost.", "api.localhost"] {
        project(&format!("http://{name}:{port}")).args(["--resolve", "*:127.0.0.2"]).run_passing();
    }
    assert_eq!(server.lines().len(), 4);
    for resolve in ["localhost:127.0.0.1", "localhost:[::1],127.0.0.1"] {
        project(&format!("http://localhost:{port}")).args(["--resolve", resolve]).run_passing();
    }
    let ran = project(&format!("http://localhost:{port}")).args(["--resolve", "localhost:10.0.0.1"]).run_unchecked();
    let expected =
        "error: invalid value 'localhost:10.0.0.1' for '--resolve <HOST:ADDRESS>': `localhost` is always this machine\n";
    assert!(ran.exit == 2 && ran.raw_stderr.starts_with(expected), "{}", ran.raw_stderr);
}

#[test]
fn an_ipv6_address_is_a_host_too() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return }; // a machine without IPv6
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().take(2).map_while(Result::ok) {
            use std::io::{Read, Write};
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        }
    });
    project(&format!("http://{address}")).run_passing();
    // The second of the addresses of `localhost`.
    project(&format!("http://localhost:{}", address.port())).run_passing();
}

#[test]
fn a_certificate_is_checked_against_the_name_and_not_the_address() {
    let server = self_signed();
    let ran = project(&format!("https://api.test:{}", server.address().port()))
        .file("ca.pem", server.pem())
        .args(["--cacert", "ca.pem", "--resolve", "api.test:127.0.0.1"])
        .run_unchecked();
    let expected = "no TLS session with `api.test`: its certificate is for `127.0.0.1`\n\
        -> use one of those names in the URL, or have the certificate renewed for this one";
    assert_eq!((ran.exit, told(&ran).as_str(), server.heads().len()), (3, expected, 0), "{}", ran.stdout);
}

//! Servers that are slow, endless, or lie about what they send: every request ends within its limits, in time and in memory, and
//! says which limit it was.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::bomb;
use crate::support::hostile::{Full, Hostile, drip, flood, reset, silence};
use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// The most memory that a run may ever have in use.
const MOST_MEMORY: u64 = 150 << 20;

fn say(stream: &mut TcpStream, parts: &[&[u8]]) -> io::Result<()> {
    stream.write_all(&parts.concat())
}

#[test]
fn whatever_a_server_drags_out_ends_with_the_time_of_the_request() {
    let server = Hostile::start(|path, stream| match path {
        "/silence" => silence(stream),
        // What comes is not even read.
        "/sending" => {
            std::thread::sleep(Duration::from_secs(2));
            Ok(())
        }
        // Not as fast as can be: the unoptimised library takes seconds for what then lies in its buffer.
        "/interim" => drip(stream, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        "/drip-head" => say(stream, &[OK]).and_then(|()| drip(stream, b"x: y\r\n")),
        "/head" => say(stream, &[OK, b"x: y\r\n"]).and_then(|()| silence(stream)),
        "/body" => say(stream, &[OK, b"Content-Length: 9\r\n\r\nhello"]).and_then(|()| silence(stream)),
        "/drip-body" => say(stream, &[OK, b"Content-Length: 100000\r\n\r\n"]).and_then(|()| drip(stream, b"x")),
        "/chunk" => say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]).and_then(|()| silence(stream)),
        "/trailers" => {
            say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"]).and_then(|()| drip(stream, b"x: y\r\n"))
        }
        "/extension" => say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n5;"]).and_then(|()| drip(stream, b"x")),
        other => panic!("{other}"),
    });
    let plain = server.url();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = format!("https://{}", mute.local_addr().unwrap());
    let collection = format!(
        "
        defaults: {{base_url: '{plain}', timeout: 150ms}}
        requests:
          - {{name: TLS, url: '{tls}'}}
          - {{name: no answer, url: /silence}}
          - {{name: no answer to HEAD, method: HEAD, url: /silence}}
          - {{name: interim answers without end, url: /interim}}
          - {{name: a head in drips, url: /drip-head}}
          - {{name: half a head, url: /head}}
          - {{name: half a body, url: /body}}
          - {{name: a body in drips, url: /drip-body}}
          - {{name: a missing chunk, url: /chunk}}
          - {{name: endless trailers, url: /trailers}}
          - {{name: an endless chunk extension, url: /extension}}
          - {{name: nobody reads, method: PUT, url: /sending, body: {{file: zeros}}}}
        "
    );
    let runner = Runner::new().file("c.yaml", collection).args(["c.yaml", "--quiet", "--color", "never"]);
    let zeros = std::fs::File::create(runner.path("zeros")).unwrap();
    zeros.set_len(64 << 20).unwrap();
    let ran = runner.run_unchecked();
    assert_eq!(ran.exit, 3, "{}", ran.all_output());
    let whole = "within 150 ms (the limit is `timeout`)";
    let told: Vec<&str> = ran.raw_stdout.lines().filter(|line| line.contains(whole)).map(str::trim).collect();
    assert_eq!(told.len(), 12, "{}", ran.stdout);
    let expected = [
        "no end of the TLS handshake",
        "no answer",
        "no answer",
        "no answer",
        "no answer",
        "no answer",
        "5 of 9 bytes came",
        " of 100000 bytes came",
        "5 bytes came",
        "5 bytes came",
        "0 bytes came",
        " of 67108864 bytes",
    ];
    for (line, expected) in told.iter().zip(expected) {
        assert!(line.contains(expected), "{line}: {expected}");
    }
    assert_eq!(ran.stdout.matches("raise `timeout` of the request, or `--timeout`").count(), 12, "{}", ran.stdout);
}

#[test]
fn connecting_ends_with_its_own_time() {
    // The system takes the connection, and nobody ever speaks.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let full = Full::new();
    let collection = format!(
        "requests:\n  - {{name: TCP, url: 'http://{}'}}\n  - {{name: TLS, url: 'https://{}'}}\n",
        full.address(),
        mute.local_addr().unwrap()
    );
    let ran = Runner::new()
        .file("c.yaml", collection)
        .args(["c.yaml", "--quiet", "--connect-timeout", "150ms", "--timeout", "20s"])
        .run_unchecked();
    assert_eq!(ran.exit, 3, "{}", ran.all_output());
    for text in ["no connection within", "no end of the TLS handshake within"] {
        let line = format!("{text} 150 ms (the limit is `--connect-timeout`)");
        assert!(ran.raw_stdout.contains(&line), "{}", ran.stdout);
    }
    assert_eq!(ran.stdout.matches("raise `--connect-timeout`").count(), 2, "{}", ran.stdout);
}

/// What `/peak` of the [`attacks`] found: the most memory that its client had in use so far.
#[derive(Clone, Default)]
struct Peak {
    client: Arc<AtomicU32>,
    bytes: Arc<AtomicU64>,
}

impl Peak {
    fn look(&self) {
        let mut client = 0;
        for _ in 0..5000 {
            client = self.client.load(Ordering::SeqCst);
            if client != 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = std::fs::read_to_string(format!("/proc/{client}/status")).unwrap_or_default();
        let kibibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        // The pages of the program itself, of which a debug build has many, are nothing that an answer took.
        let used = kibibytes("VmHWM:").zip(kibibytes("RssFile:")).map_or(u64::MAX >> 10, |(peak, program)| peak - program);
        self.bytes.store(used << 10, Ordering::SeqCst);
    }
}

/// The answers that want memory, by path; `/peak` looks how much of it the client took.
fn attacks(peak: &Peak) -> Hostile {
    let peak = peak.clone();
    Hostile::start(move |path, stream| {
        let coded = |stream: &mut TcpStream, status: &str, coding: &str, body: &[u8]| {
            let head = format!("HTTP/1.1 {status}\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
            say(stream, &[head.as_bytes(), body])
        };
        match path {
            "/gzip" => coded(stream, "200 OK", "gzip", &bomb::gzip(1 << 30)),
            "/gzip-500" => coded(stream, "500 Broken", "gzip", &bomb::gzip(1 << 30)),
            "/deflate" => coded(stream, "200 OK", "deflate", &bomb::deflate(1 << 30)),
            "/brotli" => coded(stream, "200 OK", "br", &bomb::brotli(1 << 30)),
            "/zstd" => coded(stream, "200 OK", "zstd", &bomb::zstd(1 << 30)),
            "/nested" => coded(stream, "200 OK", "gzip, gzip", &bomb::nested()),
            "/full" => coded(stream, "200 OK", "gzip, gzip", &bomb::nested_stored(62 << 20)),
            "/layers" => coded(stream, "200 OK", "gzip, gzip, gzip", &bomb::gzip(1 << 20)),
            "/lines" => say(stream, &[OK]).and_then(|()| say(stream, &[&b"x: y\r\n".repeat(200_000), b"\r\n"])),
            "/line" => say(stream, &[OK, b"x: "]).and_then(|()| flood(stream, &[b'y'; 8192])),
            "/name" => say(stream, &[OK]).and_then(|()| flood(stream, &[b'y'; 8192])),
            "/status" => say(stream, &[b"HTTP/1.1 200 "]).and_then(|()| flood(stream, &[b'y'; 8192])),
            "/long" => {
                say(stream, &[OK, b"Content-Length: 9223372036854775807\r\n\r\n"]).and_then(|()| flood(stream, &[0; 8192]))
            }
            "/endless" => say(stream, &[OK, b"\r\n"]).and_then(|()| flood(stream, &[b'x'; 65536])),
            "/chunks" => {
                say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n"]).and_then(|()| flood(stream, &chunk(&[b'x'; 65536])))
            }
            "/small-chunks" => {
                let many = chunk(&[b'x'; 64]).repeat(100);
                say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n"]).and_then(|()| flood(stream, &many))
            }
            "/extension" => {
                say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n1;"]).and_then(|()| flood(stream, &[b'x'; 8192]))
            }
            "/trailers" => say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n0\r\n"])
                .and_then(|()| flood(stream, &b"x: y\r\n".repeat(1000))),
            "/trailer" => {
                say(stream, &[OK, b"Transfer-Encoding: chunked\r\n\r\n0\r\nx: "]).and_then(|()| flood(stream, &[b'y'; 8192]))
            }
            "/peak" => {
                peak.look();
                say(stream, &[OK, b"Content-Length: 2\r\n\r\n{}"])
            }
            other => panic!("{other}"),
        }
    })
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Runs the attacks, one request each, within the memory that a run may have; gives what was told of them, a line each.
fn attacked(names: &[&str], arguments: &[&str]) -> Vec<String> {
    let peak = Peak::default();
    let server = attacks(&peak);
    let mut collection = format!("defaults: {{base_url: '{}', timeout: 20s}}\nrequests:\n", server.url());
    for name in names.iter().chain(&["peak"]) {
        collection += &format!("  - {{name: {name}, url: /{name}}}\n");
    }
    let runner = Runner::new().file("c.yaml", collection).args(["c.yaml", "--quiet"]).args(arguments.iter().copied());
    let running = runner.spawn();
    peak.client.store(running.pid(), Ordering::SeqCst);
    let ran = running.end();
    assert_eq!((ran.exit, ran.stderr.as_str()), (3, ""), "{}", ran.all_output());
    let told = ran.stdout.lines().filter(|line| line.starts_with("  error: ")).map(|line| line.trim().to_owned()).collect();
    let bytes = peak.bytes.load(Ordering::SeqCst);
    assert!(bytes > 0 && bytes <= MOST_MEMORY, "{} MiB", bytes >> 20);
    told
}

#[test]
fn a_body_of_any_kind_stops_at_the_limit() {
    let names = ["gzip", "gzip-500", "deflate", "brotli", "zstd", "nested", "long", "endless", "chunks", "small-chunks"];
    let told = attacked(&names, &["--max-body", "1MiB"]);
    let expected = "error: the body is longer than 1 MiB (the limit is `--max-body`)";
    assert_eq!(told, vec![expected; names.len()], "{told:#?}");
}

#[test]
fn the_limit_without_a_flag_holds_the_memory() {
    let told = attacked(&["full", "endless"], &[]);
    assert_eq!(told, vec!["error: the body is longer than 64 MiB (the limit is `--max-body`)"; 2], "{told:#?}");
}

#[test]
fn heads_and_framing_without_end_are_stopped() {
    let names = ["layers", "lines", "line", "name", "status", "extension", "trailers", "trailer"];
    let told = attacked(&names, &[]);
    let framing = "error: the answer is no valid HTTP: what stands around its chunks is too long";
    let headers = "error: the answer has more than 256 KiB or 1000 lines of headers";
    assert_eq!(
        told,
        [
            "error: the body could not be decoded: 3 codings lie on top of each other, at most 2 are undone",
            headers,
            headers,
            headers,
            headers,
            framing,
            framing,
            framing,
        ]
    );
}

/// One answer of about 300 bytes, cut at every byte, by an end of the connection and by a reset.
#[test]
fn no_cut_passes_for_an_answer() {
    let body = format!(r#"{{"id": 7, "text": "{}"}}"#, "x".repeat(200));
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n{:x};x=y\r\n{}\r\n0\r\nx: y\r\n\r\n",
        100,
        &body[..100],
        body.len() - 100,
        &body[100..]
    );
    let lengths = [("whole", whole.len()), ("chunks", chunks.len())];
    let (whole, chunks) = (whole.into_bytes(), chunks.into_bytes());
    let server = Hostile::start(move |path, stream| {
        let mut words = path.split('/').skip(1);
        let answer = if words.next() == Some("whole") { &whole } else { &chunks };
        if words.next() == Some("reset") {
            reset(stream)?;
        }
        let end: usize = words.next().and_then(|end| end.parse().ok()).unwrap_or(answer.len());
        say(stream, &[&answer[..end]])
    });
    let mut collection = format!("defaults: {{base_url: '{}'}}\nrequests:\n", server.url());
    let mut cases = 0;
    for (what, length) in lengths {
        for how in ["end", "reset"] {
            for end in 0..length {
                collection += &format!("  - {{name: {what} {how} {end}, url: /{what}/{how}/{end}, assert: {{status: 200}}}}\n");
                cases += 1;
            }
        }
        collection += &format!("  - {{name: {what} {length}, url: /{what}/end/{length}, assert: {{json: {{$.id: 7}}}}}}\n");
    }
    let ran = Runner::new().file("c.yaml", collection).args(["c.yaml"]).run_unchecked();
    assert_eq!((ran.exit, ran.stderr.as_str()), (3, ""), "{}", ran.all_output());
    let starting = |mark: &str| ran.stdout.lines().filter(|line| line.starts_with(mark)).count();
    assert_eq!((starting("✓"), starting("! "), starting("  error: ")), (2, cases, cases), "{}", ran.stdout);
}

/// Without a length the end of the connection is the end of the body (RFC 9112 §6.3); only a reset is a failure.
#[test]
fn an_answer_without_a_length_ends_with_its_connection() {
    let server = Hostile::start(|path, stream| {
        if path == "/reset" {
            say(stream, &[OK, b"\r\n{\"id\": 7}"])?;
            // What was sent is read before the reset comes.
            std::thread::sleep(Duration::from_millis(50));
            return reset(stream);
        }
        say(stream, &[OK, b"\r\n{\"id\": 7}"])
    });
    let collection = format!(
        "defaults: {{base_url: '{}'}}\nrequests:\n  - {{name: End, url: /end}}\n  - {{name: Reset, url: /reset}}\n",
        server.url()
    );
    let ran = Runner::new().file("c.yaml", collection).args(["c.yaml"]).run_unchecked();
    assert_eq!(ran.exit, 3, "{}", ran.all_output());
    assert!(ran.stdout.contains("the answer broke off after 9 bytes"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 passed"), "{}", ran.stdout);
}

#[test]
fn the_limit_of_the_run_ends_the_request_under_way_and_skips_the_rest() {
    let server = Server::start(|request| match request.path.as_str() {
        "/slow" => Answer::json(200, "{}").slow(Duration::from_secs(5)),
        _ => Answer::json(200, r#"{"token": "t0ken-value-123"}"#),
    });
    let collection = r#"
        defaults: {base_url: "{{ url }}"}
        requests:
          - {name: Log in, url: /token, store: {access_token: $.token}}
          - {name: Slow, url: /slow}
          - {name: Later, url: /later}
          - {name: Clean up, url: /clean, always: true}
        "#;
    let ran = Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables:\n  url: {}\n", server.url()))
        .file("c.yaml", collection)
        .args(["c.yaml", "--env", "dev", "--run-timeout", "1.5"])
        .expect_exit(3)
        .expect_stdout(
            "
            ✓ GET    Log in                            200 [duration]
              stored access_token in environments/dev.local.yaml
            ! GET    Slow                              no answer [duration]
              error: no answer within the [duration] of the run (the limit is `--run-timeout`)
               --> c.yaml:4:23
                |
              4 |   - {name: Slow, url: /slow}
                |                       ^^^^^
                |
                = help: raise `--run-timeout` if the run may take longer
            - GET    Later                             skipped: the time of the run was up (the limit is `--run-timeout`)
            - GET    Clean up                          skipped: the time of the run was up (the limit is `--run-timeout`)

            4 requests: 1 passed, 1 errored, 2 skipped in [duration]
            ",
        )
        .run();
    assert_eq!(ran.read("environments/dev.local.yaml"), "stored:\n  access_token: t0ken-value-123\n");
    assert_eq!(server.lines(), ["GET /token", "GET /slow"]);
}

#[test]
fn a_run_without_time_sends_nothing_and_does_not_pass() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    Runner::new()
        .file("c.yaml", format!("requests:\n  - {{name: Ping, url: {}/}}\n", server.url()))
        .args(["c.yaml", "--run-timeout", "1ns"])
        .expect_exit(3)
        .expect_stdout(
            "
            - GET    Ping                              skipped: the time of the run was up (the limit is `--run-timeout`)

            1 request: 1 skipped in [duration]
            ",
        )
        .run();
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn loops_of_templates_are_counted() {
    let range = "range(end=100000)";
    let nested = format!("{{% for a in {range} %}}{{% for b in {range} %}}{{% endfor %}}{{% endfor %}}");
    let comprehension = format!("{{{{ [[b for b in {range}] for a in {range}] | length }}}}");
    for template in [nested, comprehension] {
        let collection = format!("variables:\n  x: '{template}'\nrequests:\n  - {{url: 'http://127.0.0.1:9/{{{{ x }}}}'}}\n");
        let ran = Runner::new().file("c.yaml", collection).args(["c.yaml", "--quiet"]).run_unchecked();
        let told = "the loops of this template would run more than 1000000 times";
        assert!(ran.exit == 1 && ran.stdout.contains(told), "{} {}", ran.exit, ran.all_output());
    }
}

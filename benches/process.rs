//! What the claims about speed rest on: whole runs of the release program against a server in this process, with their CPU time
//! and their peak memory.
//!
//!     cargo bench --bench process              all of it
//!     cargo bench --bench process -- chain 9   what contains `chain`, nine runs each
//!
//! CPU time is the figure to compare: it hardly depends on what else the machine does. The program is pinned to one core when
//! `taskset` is there, so that the server does not share it. Each run is measured by a small process of its own (this program
//! again), since the kernel gives the peak memory of all children together, and counts the parent's in.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark ends at the first surprise, prints its results, and is the outside world of the program"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use runner::mask::Masker;
use runner::secret::Secret;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The first argument of the small process that measures one run.
const MEASURE: &str = "--measure-one";

/// Runs of each case, unless the command line says otherwise.
const RUNS: usize = 7;

/// The size of an answer of the chain, in bytes.
const ANSWER_SIZE: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((MEASURE, command)) = arguments.split_first().map(|(first, command)| (first.as_str(), command)) {
        return measure_one(command);
    }
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("start it with `cargo bench --bench process`");
    }
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let runs = words.iter().find_map(|word| word.parse().ok()).unwrap_or(RUNS);
    let filter = words.iter().find(|word| word.parse::<usize>().is_err()).map_or("", |word| word.as_str());
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    write_project(folder.path(), server.port);
    let pinned = Command::new("taskset").args(["-c", "0", "true"]).status().is_ok_and(|status| status.success());
    println!("{} runs each, {}", runs, if pinned { "pinned to one core" } else { "not pinned: there is no `taskset`" });
    println!("{:34} {:>27} {:>21} {:>24}", "", "CPU ms", "peak MiB", "wall ms");

    let bench = Bench { folder: folder.path(), server: &server, runs, pinned, filter };
    bench.case("nothing: `runner --version`", &["--version"], 0);
    bench.case("two requests", &["two.yaml", "--env", "bench"], 2);
    bench.case("two requests, token stored", &["store.yaml", "--env", "bench"], 2);
    let short = bench.case("chain of 1,000 x 10 KB", &["chain1000.yaml", "--env", "bench"], 1000);
    let long = bench.case("chain of 5,000 x 10 KB", &["chain5000.yaml", "--env", "bench"], 5000);
    if let (Some(short), Some(long)) = (short, long) {
        println!("  a request of the 1,000: {:.1} µs CPU; one more: {:.1} µs CPU", short / 1000.0, (long - short) / 4000.0);
    }
    let _ = bench.case("1,000 answers at -vv, no secret", &["chain1000.yaml", "--env", "plain", "-vv"], 1000);
    let _ = bench.case("1,000 answers at -vv, a secret", &["chain1000.yaml", "--env", "bench", "-vv"], 1000);
    learn();
    bench.case("check of 5,000 requests", &["check", "big.yaml", "--env", "bench"], 0);
}

/// What it costs to make a secret known.
fn learn() {
    let key: String =
        (0..26).map(|line| format!("{line:02}IEvQIBADANBgkqhkiG9w0BAQEFAA/CBKcwggSjAgEAAoIBAQC7+VJTUXYabcd\n")).collect();
    for (what, secret) in [
        ("a token of 44 letters", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWo5".to_owned()),
        ("a password with everything", "p/a+s \"w\\ö🔑&<r>'d%=~*(!)".to_owned()),
        ("a JWT of 800", "eyJhbGciOiJIUzI1NiJ9_".repeat(38)),
        ("a key of 26 lines", key),
    ] {
        let secrets: Vec<Secret> = (10..60).map(|number| Secret::new(format!("{number}{secret}"))).collect();
        let masker = Masker::new();
        let started = Instant::now();
        for secret in &secrets {
            let _ = masker.learn(secret);
        }
        println!("  to learn {what}: {:.0} µs", started.elapsed().as_micros() as f64 / secrets.len() as f64);
    }
}

/// Runs `command` and prints its CPU time in µs, its peak memory in KiB, and its wall time in µs.
fn measure_one(command: &[String]) {
    let started = Instant::now();
    let output = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().unwrap();
    let wall = started.elapsed().as_micros();
    if !output.status.success() {
        panic!("{}:\n{}", output.status, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{cpu} {} {wall}", usage.max_rss());
}

struct Bench<'a> {
    folder: &'a Path,
    server: &'a Server,
    runs: usize,
    pinned: bool,
    filter: &'a str,
}

impl Bench<'_> {
    /// Measures and prints one case; gives its median CPU time in µs. Each run must succeed and send just `requests`.
    fn case(&self, name: &str, arguments: &[&str], requests: usize) -> Option<f64> {
        if !name.contains(self.filter) {
            return None;
        }
        let mut measured: [Vec<f64>; 3] = Default::default();
        // The first run warms the caches and is not counted.
        for run in 0..=self.runs {
            // Each run is the first that stores a token.
            let _ = std::fs::remove_file(self.folder.join("environments/bench.local.yaml"));
            let before = self.server.answered();
            let values = self.measure(arguments);
            assert_eq!(self.server.answered() - before, requests, "{name}: requests that reached the server");
            if run > 0 {
                for (all, value) in measured.iter_mut().zip(values) {
                    all.push(value);
                }
            }
        }
        let [cpu, memory, wall] = measured.map(spread);
        let column =
            |[least, middle, most]: [f64; 3], unit: f64| format!("{:.2} {:.2} {:.2}", least / unit, middle / unit, most / unit);
        println!("{name:34} {:>27} {:>21} {:>24}", column(cpu, 1e3), column(memory, 1024.0), column(wall, 1e3));
        Some(cpu[1])
    }

    /// CPU time in µs, peak memory in KiB, wall time in µs.
    fn measure(&self, arguments: &[&str]) -> [f64; 3] {
        let measurer = std::env::current_exe().unwrap();
        // `taskset` becomes the measurer, whose child inherits the core: so its own start is in no figure.
        let mut command = Command::new(if self.pinned { Path::new("taskset") } else { &measurer });
        if self.pinned {
            command.args(["-c", "0"]).arg(&measurer);
        }
        command.current_dir(self.folder).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", self.folder);
        if !arguments.contains(&"plain") {
            command.env("RUNNER_SECRET_client_secret", "bench/s3cret+ of \"é\" & <more>'s");
        }
        command.arg(MEASURE);
        let output = command.arg(env!("CARGO_BIN_EXE_runner")).args(arguments).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "`runner {}` failed", arguments.join(" "));
        let text = String::from_utf8(output.stdout).unwrap();
        let values: Vec<f64> = text.split_whitespace().map(|value| value.parse().unwrap()).collect();
        values.try_into().unwrap()
    }
}

/// Least, median, most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// The collections and the environment that are run.
fn write_project(folder: &Path, port: u16) {
    let environment = format!(
        "variables:\n  api_url: http://127.0.0.1:{port}\n  token_url: http://127.0.0.1:{port}/oauth2/token\n  client_id: bench\n  client_secret: !secret\n"
    );
    std::fs::create_dir(folder.join("environments")).unwrap();
    std::fs::write(folder.join("environments/bench.yaml"), environment).unwrap();
    let plain = format!("variables:\n  api_url: http://127.0.0.1:{port}\n");
    std::fs::write(folder.join("environments/plain.yaml"), plain).unwrap();
    for (file, keep) in [("two.yaml", "capture"), ("store.yaml", "store")] {
        std::fs::write(folder.join(file), two_requests(keep)).unwrap();
    }
    for length in [1000, 5000] {
        std::fs::write(folder.join(format!("chain{length}.yaml")), chain(length)).unwrap();
    }
    std::fs::write(folder.join("big.yaml"), big(5000)).unwrap();
}

/// A token, kept by `keep`, and a call with it; four assertions.
fn two_requests(keep: &str) -> String {
    format!(
        r#"name: Two requests
defaults: {{base_url: "{{{{ api_url }}}}"}}
requests:
  - name: Token
    url: "{{{{ token_url }}}}"
    form: {{grant_type: client_credentials, client_id: "{{{{ client_id }}}}", client_secret: "{{{{ client_secret }}}}"}}
    assert: {{status: 200, json: {{$.token_type: bearer}}}}
    {keep}: {{access_token: $.access_token}}
  - name: Who am I
    url: /users/me
    auth: {{bearer: "{{{{ access_token }}}}"}}
    assert: {{status: 200, json: {{$.type: user}}}}
"#
    )
}

/// Each request asks for what the one before captured; two assertions each.
fn chain(length: usize) -> String {
    let mut text = "name: Chain\ndefaults: {base_url: \"{{ api_url }}\"}\nrequests:\n".to_owned();
    for number in 0..length {
        let url = if number == 0 { "/items/0" } else { "/items/{{ next }}" };
        let _ = write!(
            text,
            "  - name: Item {number}\n    url: \"{url}\"\n    assert: {{status: 200, json: {{$.id: {number}}}}}\n    capture: {{next: $.next}}\n"
        );
    }
    text
}

/// About 200 bytes a request.
fn big(length: usize) -> String {
    let mut text = "name: Big\nvariables: {page_size: 100}\ndefaults: {base_url: \"{{ api_url }}\"}\nrequests:\n".to_owned();
    for number in 0..length {
        let _ = write!(
            text,
            "  - name: Request {number}\n    method: POST\n    url: \"/folders/{number}/items\"\n    query: {{limit: \"{{{{ page_size }}}}\"}}\n    json: {{name: \"file {number}\", parent: {{id: \"{{{{ client_id }}}}\"}}}}\n    assert: {{status: 201, json: {{\"$.entries[0].type\": file}}}}\n"
        );
    }
    text
}

/// Answers on a thread for each connection, with as little work as can be.
struct Server {
    port: u16,
    answered: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answered = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&answered);
        let filler =
            format!("[{}]", vec!["{\"type\": \"file\", \"name\": \"report.pdf\", \"size\": 4711}"; ANSWER_SIZE / 52].join(", "));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (counter, filler) = (Arc::clone(&counter), filler.clone());
                thread::spawn(move || serve(stream, &counter, &filler));
            }
        });
        Self { port, answered }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

/// Ends when the other side closes the connection.
fn serve(mut stream: TcpStream, answered: &AtomicUsize, filler: &str) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
            if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
                length = value.trim().parse().ok()?;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let body = match path.rsplit_once('/')? {
            ("/oauth2", "token") => {
                r#"{"access_token": "bench-access-token-0123456789", "token_type": "bearer", "expires_in": 3600}"#.to_owned()
            }
            ("/items", number) => {
                let number: usize = number.parse().ok()?;
                format!("{{\"id\": {number}, \"next\": {}, \"entries\": {filler}}}", number + 1)
            }
            _ => r#"{"type": "user", "id": "7"}"#.to_owned(),
        };
        answered.fetch_add(1, Ordering::SeqCst);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.into_bytes(), body.into_bytes()].concat()).ok()?;
    }
}

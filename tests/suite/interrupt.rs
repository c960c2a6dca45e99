//! What an interrupted run leaves: its summary, its exit code, and every value that was stored before.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, ioctl_tiocsctty, kill_process, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;

use crate::support::hostile::{Full, Hostile, silence};
use crate::support::runner::{Runner, Running, ignores_signals};
use crate::support::server::{Answer, Server};

/// A run that has stored a value and now waits for an answer that will not come in time.
fn waiting(server: &Server) -> (Runner, &'static str) {
    let collection = r#"
        defaults: {base_url: "{{ url }}"}
        requests:
          - {name: Log in, url: /token, store: {access_token: $.token}}
          - {name: Slow, url: /slow}
          - {name: Later, url: /later}
          - {name: Clean up, url: /clean, always: true}
        "#;
    let runner = Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables:\n  url: {}\n", server.url()))
        .file("c.yaml", collection)
        .args(["c.yaml", "--env", "dev"]);
    (runner, "stored:\n  access_token: t0ken-value-123\n")
}

fn slow_server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/slow" => Answer::json(200, "{}").slow(Duration::from_secs(5)),
        _ => Answer::json(200, r#"{"token": "t0ken-value-123"}"#),
    })
}

/// Waits until the server has the slow request.
fn wait_for_slow(running: &mut Running, server: &Server) {
    running.wait_for("stored access_token");
    for _ in 0..5000 {
        if server.lines().contains(&"GET /slow".to_owned()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("the slow request was not sent");
}

#[test]
fn an_interrupted_run_tells_what_was_done_and_keeps_what_was_stored() {
    let server = slow_server();
    let (runner, kept) = waiting(&server);
    let mut running = runner
        .expect_exit(130)
        .expect_stdout(
            "
            ✓ GET    Log in                            200 [duration]
              stored access_token in environments/dev.local.yaml

            1 request: 1 passed in [duration] (interrupted)
            ",
        )
        .expect_stderr("warning: interrupted while `Slow` was under way; the server may have received it\n")
        .spawn();
    wait_for_slow(&mut running, &server);
    running.interrupt();
    let ran = running.wait();
    assert_eq!(ran.read("environments/dev.local.yaml"), kept);
    assert_eq!(server.lines(), ["GET /token", "GET /slow"]);
}

#[test]
fn other_signals_that_ask_for_the_end_do_the_same() {
    for (signal, exit) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let server = slow_server();
        let (runner, kept) = waiting(&server);
        let mut running = runner
            .expect_exit(exit)
            .expect_stdout(
                "
                ✓ GET    Log in                            200 [duration]
                  stored access_token in environments/dev.local.yaml

                1 request: 1 passed in [duration] (interrupted)
                ",
            )
            .expect_stderr("warning: interrupted while `Slow` was under way; the server may have received it\n")
            .spawn();
        wait_for_slow(&mut running, &server);
        running.signal(signal);
        assert_eq!(running.wait().read("environments/dev.local.yaml"), kept);
    }
}

/// Whatever the run waits for when the signal comes, it ends, and what was stored stays.
#[test]
fn a_signal_is_heard_in_every_phase() {
    let server = Server::start(|_| Answer::json(200, r#"{"token": "t0ken-value-123"}"#));
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let reached = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&reached);
    let hostile = Hostile::start(move |path, stream| {
        if path == "/body" {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")?;
        }
        told.store(true, Ordering::SeqCst);
        silence(stream)
    });
    let full = Full::new();
    let places = [
        format!("http://{}/connecting", full.address()),
        format!("https://{}/handshake", mute.local_addr().unwrap()),
        format!("{}/first-byte", hostile.url()),
        format!("{}/body", hostile.url()),
    ];
    for place in places {
        let collection = format!(
            "requests:\n  - {{name: Log in, url: '{}/', store: {{access_token: $.token}}}}\n  - {{name: Slow, url: '{place}'}}\n",
            server.url()
        );
        let mut running = Runner::new()
            .file("environments/.gitignore", "*.local.*\n.*.lock\n")
            .file("environments/dev.yaml", format!("variables:\n  url: {}\n", server.url()))
            .file("c.yaml", collection)
            .args(["c.yaml", "--env", "dev"])
            .spawn();
        running.wait_for("stored access_token");
        while place.starts_with(&hostile.url()) && !reached.swap(false, Ordering::SeqCst) {
            std::thread::yield_now();
        }
        running.signal(Signal::TERM);
        let ran = running.end();
        assert_eq!(ran.exit, 143, "{place}: {}", ran.all_output());
        assert!(ran.stdout.contains("1 passed") && ran.stdout.contains("(interrupted)"), "{place}: {}", ran.stdout);
        assert_eq!(ran.read("environments/dev.local.yaml"), "stored:\n  access_token: t0ken-value-123\n", "{place}");
        let left: Vec<_> = std::fs::read_dir(ran.path("environments")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains(".tmp")), "{left:?}");
    }
}

/// A run that has stored a value and is stuck in a write, since nobody reads what it says; with the end that nobody reads.
fn stuck() -> (Child, PipeReader, TempDir, Server) {
    let server = Server::start(|_| Answer::json(200, r#"{"token": "t0ken-value-123"}"#));
    let folder = tempfile::tempdir().unwrap();
    let mut collection = String::from("requests:\n  - {name: Log in, url: '{{ url }}/', store: {access_token: $.token}}\n");
    for number in 0..400 {
        collection += &format!("  - {{url: '{{{{ url }}}}/{number}', assert: {{status: 404}}}}\n");
    }
    std::fs::create_dir(folder.path().join("environments")).unwrap();
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    write("c.yaml", &collection);
    write("environments/.gitignore", "*.local.*\n.*.lock\n");
    write("environments/dev.yaml", &format!("variables:\n  url: {}\n", server.url()));
    let (reader, writer) = std::io::pipe().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(["c.yaml", "--env", "dev"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It is full, and the run stuck, when nothing more goes in.
    let (mut held, mut same) = (0, 0);
    for _ in 0..10_000 {
        let now = ioctl_fionread(&reader).unwrap();
        same = if now == held { same + 1 } else { 0 };
        held = now;
        if held > 60_000 && same > 60 {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(held > 60_000, "{held}");
    (child, reader, folder, server)
}

/// The exit code of a program that must end by itself.
fn code(child: &mut Child) -> Option<i32> {
    for _ in 0..5000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    panic!("it did not end");
}

#[test]
fn a_run_whose_report_nobody_reads_ends_all_the_same() {
    let (mut child, _reader, folder, _server) = stuck();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(code(&mut child), Some(143));
    let stored = std::fs::read_to_string(folder.path().join("environments/dev.local.yaml")).unwrap();
    assert_eq!(stored, "stored:\n  access_token: t0ken-value-123\n");
}

#[test]
fn a_second_signal_ends_at_once() {
    // The time that a first signal grants is 1.5 seconds; a busy machine may spoil a round.
    let quick = (0..5).any(|_| {
        let (mut child, _reader, _folder, _server) = stuck();
        let started = Instant::now();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
        let code = code(&mut child);
        assert!(matches!(code, Some(129 | 143)), "{code:?}");
        started.elapsed() < Duration::from_millis(1400)
    });
    assert!(quick);
}

#[test]
fn a_signal_that_was_ignored_from_the_start_stays_ignored() {
    let server = slow_server();
    let (runner, _) = waiting(&server);
    let program = env!("CARGO_BIN_EXE_runner");
    let script = format!("trap '' HUP; exec '{program}' c.yaml --env dev");
    let mut running = Runner::of("sh").beside(&runner).args(["-c", &script]).spawn();
    wait_for_slow(&mut running, &server);
    running.signal(Signal::HUP);
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!(ran.exit, 143, "{}", ran.all_output());
}

#[test]
fn closed_streams_and_readers_that_go_stop_no_run() {
    let program = env!("CARGO_BIN_EXE_runner");
    for end in [">&-", "2>&-", "<&- >&- 2>&-", "| head -n 1 > first"] {
        let server = Server::start(|_| Answer::json(200, "{}"));
        let requests: String = (0..20).map(|number| format!("  - {{url: {}/{number}}}\n", server.url())).collect();
        let collection = Runner::new().file("c.yaml", format!("requests:\n{requests}"));
        let script = format!("{{ '{program}' c.yaml -vv; echo $? > code; }} {end}");
        let ran = Runner::of("sh").beside(&collection).args(["-c", &script]).run_unchecked();
        assert_eq!((ran.exit, ran.read("code").as_str(), server.lines().len()), (0, "0\n", 20), "{end}: {}", ran.all_output());
        assert!(!ran.all_output().contains("panicked"), "{end}: {}", ran.all_output());
    }
}

#[test]
fn a_killed_run_has_lost_nothing_that_it_said_was_stored() {
    let server = slow_server();
    let (runner, kept) = waiting(&server);
    let mut running = runner
        .expect_exit(137)
        .expect_stdout(
            "
            ✓ GET    Log in                            200 [duration]
              stored access_token in environments/dev.local.yaml
            ",
        )
        .spawn();
    wait_for_slow(&mut running, &server);
    running.kill();
    assert_eq!(running.wait().read("environments/dev.local.yaml"), kept);
}

/// A prompt on a terminal of its own, from inside which the program was started by [`in_a_session`].
struct Prompt {
    /// What a person at the terminal holds.
    keyboard: File,
    /// Keeps the terminal alive when the program has ended.
    screen: File,
    session: Child,
    _folder: TempDir,
}

/// Which terminal the helper takes.
const TERMINAL: &str = "RUNNER_TEST_TERMINAL";

/// Not a test: the process in which the program gets a terminal of its own, since only a new session can have one.
#[test]
fn in_a_session() {
    let Some(path) = std::env::var_os(TERMINAL) else { return };
    setsid().unwrap();
    let screen = File::options().read(true).write(true).open(path).unwrap();
    ioctl_tiocsctty(&screen).unwrap();
    let stream = || Stdio::from(screen.try_clone().unwrap());
    // A suite started in the background or by `nohup` hands on ignored signals, which the program rightly leaves ignored.
    let mut program = if ignores_signals() {
        let mut program = Command::new("env");
        program.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_runner")]);
        program
    } else {
        Command::new(env!("CARGO_BIN_EXE_runner"))
    };
    let mut child =
        program.args(["c.yaml", "--secret", "password"]).stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    println!("pid {}.", child.id());
    println!("code {}.", child.wait().unwrap().code().unwrap());
}

impl Prompt {
    fn open() -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let path = OsString::from_vec(ptsname(&keyboard, Vec::new()).unwrap().into_bytes());
        let screen = openat(CWD, &path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let collection = "requests:\n  - {url: 'http://127.0.0.1:9/', auth: {bearer: '{{ password }}'}}\n";
        std::fs::write(folder.path().join("c.yaml"), collection).unwrap();
        let session = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "interrupt::in_a_session", "--nocapture"])
            .current_dir(folder.path())
            .env_remove("CI")
            .env(TERMINAL, &path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut prompt = Self { keyboard: keyboard.into(), screen: screen.into(), session, _folder: folder };
        let mut shown = Vec::new();
        while !shown.ends_with(b"password: ") {
            let mut byte = [0];
            prompt.keyboard.read_exact(&mut byte).unwrap();
            shown.extend(byte);
        }
        assert!(!prompt.echoes());
        prompt
    }

    /// Whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        tcgetattr(&self.screen).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Lets `act` happen with the number of the program's process; gives its exit code.
    fn end(&mut self, act: impl FnOnce(Pid, &File)) -> i32 {
        let mut lines = BufReader::new(self.session.stdout.take().unwrap());
        let mut number = |word: &str| {
            let mut line = String::new();
            loop {
                line.clear();
                assert!(lines.read_line(&mut line).unwrap() > 0, "the helper ended without `{word}`");
                // The test harness may have written before on this line.
                if let Some((_, rest)) = line.split_once(word) {
                    return rest.split('.').next().unwrap().parse::<i32>().unwrap();
                }
            }
        };
        act(Pid::from_raw(number("pid ")).unwrap(), &self.keyboard);
        let code = number("code ");
        self.session.wait().unwrap();
        code
    }
}

#[test]
fn a_question_leaves_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut prompt = Prompt::open();
        assert_eq!(prompt.end(|pid, _| kill_process(pid, signal).unwrap()), code);
        assert!(prompt.echoes(), "{signal:?}");
    }
    let mut prompt = Prompt::open();
    assert_eq!(prompt.end(|_, mut keyboard| keyboard.write_all(b"hunter\x03").unwrap()), 130);
    assert!(prompt.echoes());
    // The answer was taken: it is a secret that may not go where the collection wants it.
    let mut prompt = Prompt::open();
    assert_eq!(prompt.end(|_, mut keyboard| keyboard.write_all(b"hunter2-hunter2\n").unwrap()), 6);
    assert!(prompt.echoes());
}

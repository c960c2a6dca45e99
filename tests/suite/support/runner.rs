//! The test builder: the real program in a folder of its own, with nothing of the developer's environment, and all three of
//! stdout, stderr and exit status compared, always. What a test does not mention must be empty, or 0.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::scrub::Scrubber;

/// No run of a test takes longer; one that does is killed and fails.
const LONGEST_RUN: Duration = Duration::from_secs(30);

/// How long to wait between two looks at something that happens in another process.
const PAUSE: Duration = Duration::from_millis(3);

/// One run of the program to be: its files, its arguments, and what must come of it.
#[must_use]
pub(crate) struct Runner {
    program: PathBuf,
    folders: Folders,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    stdin: String,
    exit: i32,
    stdout: String,
    stderr: String,
}

/// The project and a home for it, both gone with the last that uses them.
#[derive(Clone)]
struct Folders {
    project: Arc<TempDir>,
    home: Arc<TempDir>,
}

impl Runner {
    /// The program of this crate, in an empty project folder.
    pub(crate) fn new() -> Self {
        Self::of(env!("CARGO_BIN_EXE_runner"))
    }

    /// Another program under the same rules; it is found by the `PATH`.
    pub(crate) fn of(program: impl Into<PathBuf>) -> Self {
        let folder = || Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self::within(program.into(), Folders { project: folder(), home: folder() })
    }

    fn within(program: PathBuf, folders: Folders) -> Self {
        Self {
            program,
            folders,
            arguments: Vec::new(),
            variables: Vec::new(),
            stdin: String::new(),
            exit: 0,
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    /// The same project and home as `other`: for two runs at once. Files that were written stay.
    pub(crate) fn beside(mut self, other: &Self) -> Self {
        self.folders = other.folders.clone();
        self
    }

    /// Writes a file into the project folder, with the folders above it; a `.local.` file for this user only. See [`unindented`].
    pub(crate) fn file(self, path: &str, text: impl AsRef<str>) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a path below the project")).expect("folders");
        fs::write(&path, unindented(text.as_ref())).expect("a file");
        if path.to_string_lossy().contains(".local.") {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file of one's own");
        }
        self
    }

    /// Where `path`, relative to the project folder, lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folders.project.path().join(path)
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds several arguments.
    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// Sets a variable of the process environment, which is empty otherwise but for `PATH` and `HOME`.
    pub(crate) fn env_var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// What the program reads from stdin, which is never a terminal.
    pub(crate) fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// The exit code that must come; 128 and the signal's number when one ended the program.
    pub(crate) fn expect_exit(mut self, code: i32) -> Self {
        self.exit = code;
        self
    }

    /// What must come on stdout, after scrubbing. See [`unindented`].
    pub(crate) fn expect_stdout(mut self, text: &str) -> Self {
        self.stdout = unindented(text);
        self
    }

    /// What must come on stderr, after scrubbing. See [`unindented`].
    pub(crate) fn expect_stderr(mut self, text: &str) -> Self {
        self.stderr = unindented(text);
        self
    }

    /// Runs the program to its end and compares.
    #[track_caller]
    pub(crate) fn run(self) -> Ran {
        self.spawn().wait()
    }

    /// Runs the program to its end and compares nothing: for tests that look at the output themselves.
    #[track_caller]
    pub(crate) fn run_unchecked(self) -> Ran {
        self.spawn().end()
    }

    /// Runs the program to its end; everything must pass, without a word on stderr. For tests of what a server was asked: what
    /// stands on stdout is not compared.
    #[track_caller]
    pub(crate) fn run_passing(self) -> Ran {
        let ran = self.run_unchecked();
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{}", ran.all_output());
        ran
    }

    /// Starts the program.
    #[track_caller]
    pub(crate) fn spawn(self) -> Running {
        self.spawn_by(&[])
    }

    /// Starts the program in a process group of its own and stopped (as by SIGSTOP): its first instruction is yet to come.
    #[track_caller]
    pub(super) fn spawn_stopped(self) -> Running {
        self.spawn_by(&["sh", "-c", "kill -STOP $$; exec \"$0\" \"$@\""])
    }

    /// Starts the program through another one that ends with it.
    #[track_caller]
    fn spawn_by(self, starter: &[&str]) -> Running {
        let mut words: Vec<&OsStr> = starter.iter().map(OsStr::new).collect();
        if ignores_signals() {
            // The background jobs of a script ignore some, and so does `nohup`; their children inherit that.
            words.extend(["env", "--default-signal=HUP,INT,TERM"].map(OsStr::new));
        }
        words.push(self.program.as_os_str());
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        if !starter.is_empty() {
            command.process_group(0);
        }
        command.current_dir(self.folders.project.path()).args(&self.arguments).env_clear();
        // The profile is where a coverage run wants its counts.
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("HOME", self.folders.home.path()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let text = self.stdin.clone().into_bytes();
        // A thread of its own: the program need not read before it writes, nor at all.
        thread::spawn(move || stdin.write_all(&text));
        let stdout = Collected::from(child.stdout.take().expect("a pipe"));
        let stderr = Collected::from(child.stderr.take().expect("a pipe"));
        Running { child, stdout, stderr, expected: self, started: Instant::now() }
    }
}

/// A stream that a thread reads as it comes.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Collected {
    fn from(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let target = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                target.lock().expect("no reader panics").extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no reader panics")).into_owned()
    }
}

/// A program that runs. It is killed when this goes out of scope.
#[must_use]
pub(crate) struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    expected: Runner,
    started: Instant,
}

impl Running {
    /// Waits until `text` stands in stdout or stderr.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("`{text}`"), |running| {
            running.stdout.so_far().contains(text) || running.stderr.so_far().contains(text)
        });
    }

    /// What came on stdout so far, as it came.
    pub(crate) fn raw_stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a terminal's Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// What `kill -SIGNAL` sends.
    pub(crate) fn signal(&self, signal: Signal) {
        // A program that has ended by itself is no mistake here.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Ends the program as a crash or the power switch would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the program can be killed");
    }

    /// Waits for the end and compares.
    #[track_caller]
    pub(crate) fn wait(self) -> Ran {
        let (exit, stdout, stderr) = (self.expected.exit, self.expected.stdout.clone(), self.expected.stderr.clone());
        let arguments = self.expected.arguments.join(" ");
        let ran = self.end();
        let mut differences = String::new();
        for (what, came, expected) in [("stdout", &ran.stdout, &stdout), ("stderr", &ran.stderr, &stderr)] {
            if came != expected {
                let _ = write!(differences, "\n=== {what} that came\n{came}\n=== {what} expected\n{expected}");
            }
        }
        if ran.exit != exit {
            let _ = write!(differences, "\n=== exit code {} came, {exit} expected; stderr:\n{}", ran.exit, ran.stderr);
        }
        assert!(differences.is_empty(), "`runner {arguments}`:{differences}");
        ran
    }

    /// Waits for the end and compares nothing.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ran {
        self.wait_until("its end", |running| {
            let ended = |child: &mut Child| child.try_wait().expect("a child can be waited for").is_some();
            // A process that the program left behind may keep the pipes open; that is a mistake too.
            ended(&mut running.child) && running.stdout.reader.is_finished() && running.stderr.reader.is_finished()
        });
        let exit = exit_code(self.child.wait().expect("it has ended"));
        let (raw_stdout, raw_stderr) = (self.stdout.so_far(), self.stderr.so_far());
        let folders = self.expected.folders.clone();
        let scrubber = Scrubber::new(&[(folders.project.path(), "[project]"), (folders.home.path(), "[home]")]);
        let (stdout, stderr) = (scrubber.scrub(&raw_stdout), scrubber.scrub(&raw_stderr));
        Ran { exit, stdout, stderr, raw_stdout, raw_stderr, program: self.expected.program.clone(), folders }
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, reached: impl Fn(&mut Self) -> bool) {
        while !reached(self) {
            if self.started.elapsed() > LONGEST_RUN {
                // The program is killed when `self` is dropped.
                panic!("waited {LONGEST_RUN:?} for {what}; so far:\n{}\n{}", self.stdout.so_far(), self.stderr.so_far());
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run left.
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) exit: i32,
    /// Scrubbed.
    pub(crate) stdout: String,
    /// Scrubbed.
    pub(crate) stderr: String,
    /// As it came.
    pub(crate) raw_stdout: String,
    /// As it came.
    pub(crate) raw_stderr: String,
    program: PathBuf,
    folders: Folders,
}

impl Ran {
    /// Another run in the same folder and home; arguments, variables and expectations start anew.
    pub(crate) fn again(&self) -> Runner {
        Runner::within(self.program.clone(), self.folders.clone())
    }

    /// The text of a file in the project folder.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Whether there is something at `path` in the project folder.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Where `path`, relative to the project folder, lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folders.project.path().join(path)
    }

    /// Everything that the program wrote to its streams, as it came.
    pub(crate) fn all_output(&self) -> String {
        format!("{}\n{}", self.raw_stdout, self.raw_stderr)
    }

    /// The paths of all files in the project folder, in order.
    pub(crate) fn files(&self) -> Vec<String> {
        fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                if entry.is_dir() { collect(&entry, found) } else { found.push(entry) }
            }
        }
        let mut found = Vec::new();
        collect(self.folders.project.path(), &mut found);
        found.sort();
        let name = |path: &PathBuf| path.strip_prefix(self.folders.project.path()).expect("below it").display().to_string();
        found.iter().map(name).collect()
    }
}

/// SIGHUP, SIGINT and SIGTERM in a set of signals.
const ENDING: u64 = 1 | 1 << 1 | 1 << 14;

/// Whether this process was started with a signal ignored that asks for the end, where the system tells it.
pub(crate) fn ignores_signals() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & ENDING != 0)
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("a code or a signal")
}

/// A text as a test writes it down: when it starts with a line break, that break, the indentation that all lines share, and
/// the white space of the last line are left out. Any other text stays as it is.
pub(crate) fn unindented(text: &str) -> String {
    let Some(block) = text.strip_prefix('\n') else { return text.to_owned() };
    let block = block.trim_end_matches(' ');
    let width = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let shared = block.lines().filter(|line| !line.trim().is_empty()).map(width).min().unwrap_or(0);
    block.split_inclusive('\n').map(|line| if line.trim().is_empty() { "\n" } else { &line[shared..] }).collect()
}

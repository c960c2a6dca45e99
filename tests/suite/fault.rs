//! Saving under fault: the program is watched, killed, starved and stopped at every system call of a save, and other writers and
//! editors come in between. What a save promises is in `docs/environments.md`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use nix::errno::Errno;

use crate::store::{COLLECTION, IGNORED, LOCAL, TOKEN, new_project, project, server};
use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};
use crate::support::trace::{Call, Traced, Verdict, assert_kept_before_anything, trace};

/// One value, stored, and nothing else.
pub(crate) const ONE: &str = "requests: [{name: Get, url: '{{ api_url }}/token', store: {access_token: $.access_token}}]";
const OLD: &str = "# mine\nvariables: {a: 1}\nstored:\n  access_token: old # note\n";
const NEW: &str = "# mine\nvariables: {a: 1}\nstored:\n  access_token: token-from-the-answer # note\n";

/// The calls that can be interrupted by a signal, by their manual pages.
const INTERRUPTIBLE: &[&str] = &["open", "read", "write", "fsync", "flock", "truncate", "close"];

/// What a disk says that is full, broken, not ours, or one of too many.
const ERRORS: &[(Errno, &str)] = &[
    (Errno::EIO, "input/output error"),
    (Errno::ENOSPC, "no space left on device"),
    (Errno::EDQUOT, "disk quota exceeded"),
    (Errno::EROFS, "read-only file system"),
    (Errno::EACCES, "permission denied"),
    (Errno::EMFILE, "too many open files"),
];

/// Numbers the calls that touch files in the parts of a run that matter here.
#[derive(Default)]
struct Points {
    /// Which save, or which attempt to prepare one, from 0; `None` before the first.
    round: Option<usize>,
    /// The file calls in it so far.
    calls: usize,
    open: bool,
}

impl Points {
    /// The calls of a save: between an answer and the next word of the program.
    fn of_save(&mut self, call: &Call) -> Option<(usize, usize)> {
        if call.speaks() {
            let sends = call.is_on_socket() && call.name != "connect";
            if sends && !self.open {
                (self.round, self.calls) = (Some(self.round.map_or(0, |round| round + 1)), 0);
            }
            self.open = sends;
        }
        self.number(call)
    }

    /// The calls that prepare for saves: from the first look at `.gitignore` to the next word of the program.
    fn of_preparation(&mut self, call: &Call) -> Option<(usize, usize)> {
        if call.speaks() {
            self.open = false;
        } else if !self.open && call.is("stat", "environments/.gitignore") {
            (self.round, self.calls, self.open) = (Some(self.round.map_or(0, |round| round + 1)), 0, true);
        }
        self.number(call)
    }

    fn number(&mut self, call: &Call) -> Option<(usize, usize)> {
        if !self.open || call.path().is_none() {
            return None;
        }
        self.calls += 1;
        Some((self.round?, self.calls - 1))
    }
}

/// The names in the folder of the environment.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The temporary files among them.
fn temporary(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.contains("tmp") || name.contains("probe")).collect()
}

fn again(ran: &Ran) -> Runner {
    ran.again().args(["c.yaml", "--env", "dev"])
}

#[test]
fn nothing_leaves_the_program_before_a_value_is_on_disk() {
    for local in [None, Some(OLD)] {
        let server = server();
        let mut runner = project(&server, COLLECTION);
        if let Some(text) = local {
            runner = runner.file(LOCAL, text);
        }
        let top = runner.path("");
        let mut modes = Vec::new();
        let Some(traced) = trace(runner, |call| {
            // From its first byte on it is its owner's alone.
            if let ("write", Some(path)) = (call.name, call.path().filter(|path| path.ends_with(".tmp"))) {
                modes.push(fs::metadata(top.join(path)).unwrap().permissions().mode() & 0o777);
            }
            Verdict::Pass
        }) else {
            return;
        };
        assert_eq!(modes, [0o600]);
        let (ran, calls) = traced.ended();
        assert_eq!(ran.exit, 0, "{}", ran.all_output());
        assert_kept_before_anything(&calls, LOCAL);
        // What speaks after it: the report of this request, and the next one.
        assert!(calls.iter().any(Call::speaks));
    }
}

/// What was damaged on its way to the disk does not take the place of the old file.
#[test]
fn what_reads_back_otherwise_is_not_kept() {
    for damage in ["stored: {access_token: token-fr", "stored:\n  access_token: other\n", ""] {
        let server = server();
        let runner = project(&server, COLLECTION).file(LOCAL, OLD);
        let top = runner.path("");
        let Some(traced) = trace(runner, |call| {
            if let ("fsync", Some(path)) = (call.name, call.path())
                && path.ends_with(".tmp")
            {
                fs::write(top.join(path), damage).unwrap();
            }
            Verdict::Pass
        }) else {
            return;
        };
        let (ran, _) = traced.ended();
        assert_eq!((ran.exit, ran.read(LOCAL).as_str()), (5, OLD), "{damage}\n{}", ran.all_output());
        let reason = "can't save to `environments/dev.local.yaml`: what was read back is not what was written";
        assert!(ran.stdout.contains(reason), "{}", ran.stdout);
        assert_eq!(server.lines(), ["GET /token", "GET /tidy"]);
    }
}

/// Kills a run before the call that `at` numbers with `point`; what must hold then, and what came of it: whether the file is the
/// new one, and how many temporary files were left. `None` when the run ended before that call.
fn killed(runner: Runner, point: usize, mut at: impl FnMut(&Call) -> Option<(usize, usize)>) -> Option<Option<(bool, usize)>> {
    let (folder, local) = (runner.path("environments"), runner.path(LOCAL));
    let verdict = |call: &Call| if at(call) == Some((0, point)) { Verdict::Kill } else { Verdict::Pass };
    let (ran, calls) = trace(runner, verdict)?.ended();
    if ran.exit == 0 {
        assert!(point > 20, "only {point} calls were seen");
        return Some(None);
    }
    let what = format!("point {point}: {}", calls.last().unwrap());
    assert_eq!(ran.exit, 137, "{what}\n{}", ran.all_output());
    let text = fs::read_to_string(local).unwrap();
    assert!(text == OLD || text == NEW, "{what}\n{text}");
    let left = temporary(&folder);
    assert!(left.len() <= 1 && left.iter().all(|name| name.starts_with(".dev.local.yaml.")), "{what}: {left:?}");
    let ignored = fs::read_to_string(folder.join(".gitignore")).unwrap_or_else(|_| IGNORED.to_owned());
    assert_eq!(ignored, IGNORED, "{what}");
    Some(Some((text == NEW, left.len())))
}

/// Killed before any system call of a save, the file is wholly old or wholly new, and at most one temporary file is left, which git
/// would not take. The next run works and takes it away: each of these is the next run of the one before.
#[test]
fn a_run_killed_at_any_call_of_a_save_leaves_a_whole_file() {
    let server = server();
    let project = project(&server, ONE);
    let mut states = Vec::new();
    let mut left_behind = 0;
    for point in 0.. {
        let runner = Runner::new().beside(&project).file(LOCAL, OLD).args(["c.yaml", "--env", "dev"]);
        let mut points = Points::default();
        let Some(ended) = killed(runner, point, |call| points.of_save(call)) else { return };
        let Some((is_new, left)) = ended else { break };
        states.push(is_new);
        left_behind += left;
    }
    assert!(left_behind > 5, "no kill came between the making of the temporary file and its end");
    assert!(states.is_sorted() && states.contains(&true), "old before the rename and new after it: {states:?}");
    let last = Runner::new().beside(&project).args(["c.yaml", "--env", "dev"]).run_passing();
    assert_eq!((last.read(LOCAL).as_str(), temporary(&last.path("environments"))), (NEW, Vec::new()));
}

/// The same for what prepares for saves; in a folder without a `.gitignore` that is most.
#[test]
fn a_run_killed_at_any_call_that_prepares_for_a_save_leaves_no_trace_to_the_next() {
    let server = server();
    for point in 0.. {
        let project = new_project(&server, ONE).file(LOCAL, OLD);
        let next = Runner::new().beside(&project).args(["c.yaml", "--env", "dev"]);
        let mut points = Points::default();
        let Some(ended) = killed(project, point, |call| points.of_preparation(call)) else { return };
        let Some((is_new, _)) = ended else { break };
        assert!(!is_new && server.lines().len() == point, "point {point}");
        let ran = next.run_unchecked();
        assert_eq!((ran.exit, ran.read(LOCAL).as_str()), (0, NEW), "point {point}\n{}", ran.all_output());
        let folder = ran.path("environments");
        assert_eq!(names(&folder), [".dev.local.lock", ".gitignore", "dev.local.yaml", "dev.yaml"], "point {point}");
    }
}

/// A run of many saves, each of which meets its own fault; what the server saw between them.
struct Gauntlet {
    ran: Ran,
    calls: Vec<Call>,
    /// For each request: the place of the call that its save met a fault at, if it was long enough to have that call.
    met: Vec<Option<usize>>,
    /// For each request: the local file and the temporary files beside it when the next request came, and what that one sent.
    seen: Vec<(String, Vec<String>, String)>,
    lines: Vec<String>,
}

impl Gauntlet {
    /// The call that the save of the n-th request met a fault at.
    fn met(&self, n: usize) -> Option<&Call> {
        self.met[n].map(|at| &self.calls[at])
    }
}

/// More than the calls of a save.
const SAVES: usize = 60;

/// Runs `SAVES` requests that store, all of them always sent; `fault` says what meets the n-th call of the n-th save; it
/// is told n and where the local file lies, and may change the world.
fn gauntlet(mut fault: impl FnMut(usize, &Path, &Call) -> Verdict) -> Option<Gauntlet> {
    let folder = Arc::<Mutex<std::path::PathBuf>>::default();
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let (shared, saw) = (Arc::clone(&folder), Arc::clone(&seen));
    let server = Server::start(move |request| {
        let folder = shared.lock().unwrap();
        let local = fs::read_to_string(folder.join("dev.local.yaml")).unwrap();
        saw.lock().unwrap().push((local, temporary(&folder), request.query.clone()));
        Answer::json(200, format!(r#"{{"v":"value-of-{}"}}"#, &request.path[1..]))
    });
    let one = |n: usize| {
        format!("  - {{url: '{{{{ api_url }}}}/{n}', always: true, query: {{k: '{{{{ k }}}}'}}, store: {{k: $.v}}}}\n")
    };
    let after = "  - {url: '{{ api_url }}/after', query: {k: '{{ k }}'}}\n  - {url: '{{ api_url }}/last', always: true, query: {k: '{{ k }}'}}\n";
    let collection = format!("requests:\n{}{after}", (0..SAVES).map(one).collect::<String>());
    let runner = project(&server, &collection).file(LOCAL, "# mine\nstored:\n  k: value-of-old\n");
    *folder.lock().unwrap() = runner.path("environments");
    let local = runner.path(LOCAL);
    let (mut points, mut entered) = (Points::default(), 0);
    let mut met: Vec<Option<usize>> = vec![None; SAVES];
    let traced = trace(runner, |call| {
        entered += 1;
        match points.of_save(call) {
            Some((round, at)) if round == at => {
                met[round] = Some(entered - 1);
                fault(round, &local, call)
            }
            _ => Verdict::Pass,
        }
    });
    let (ran, calls) = traced.map(Traced::ended)?;
    let seen = seen.lock().unwrap().split_off(1);
    Some(Gauntlet { ran, calls, met, seen, lines: server.lines() })
}

/// What a fault in a save comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The value is saved, and nobody need know.
    Saved,
    /// The old file stands.
    Kept,
    /// The new file stands, but it is not sure that it stays.
    Unsure,
}

#[test]
fn a_fault_at_any_call_of_a_save_keeps_the_old_file_and_is_told() {
    let mut cells = 0;
    for (error, text) in ERRORS {
        let Some(gauntlet) = gauntlet(|_, _, _| Verdict::Fail(*error)) else { return };
        let Gauntlet { ran, met, seen, lines, .. } = &gauntlet;
        assert_eq!((ran.exit, seen.len()), (5, SAVES), "{}", ran.all_output());
        assert!(!lines.iter().any(|line| line.contains("/after")), "{lines:?}");
        let steps: Vec<&str> = ran.stdout.split("GET    /").skip(1).collect();
        let mut file = "# mine\nstored:\n  k: value-of-old\n".to_owned();
        for n in 0..SAVES {
            let call = gauntlet.met(n);
            let what = call.map_or_else(|| format!("save {n}"), |call| format!("save {n}: {call}"));
            let outcome = call.map_or(Outcome::Saved, outcome);
            if outcome != Outcome::Kept {
                file = format!("# mine\nstored:\n  k: value-of-{n}\n");
            }
            let (local, temporary, query) = &seen[n];
            assert_eq!((local, temporary), (&file, &Vec::new()), "{what}\n{}", steps[n]);
            // The next request has the value, saved or not.
            assert_eq!(query, &format!("k=value-of-{n}"), "{what}");
            let told = match outcome {
                Outcome::Saved => None,
                Outcome::Kept => Some("can't save to `environments/dev.local.yaml`: "),
                Outcome::Unsure => Some(
                    "`environments/dev.local.yaml` was written, but may be lost in a power cut: its folder can't be synced: ",
                ),
            };
            match told {
                None => assert!(steps[n].contains("stored k in environments/dev.local.yaml"), "{what}\n{}", steps[n]),
                Some(told) => {
                    let step = steps[n].to_lowercase();
                    assert!(step.contains(text), "{what}\n{step}");
                    for part in [told, "`--no-save` keeps the values of a run in memory only"] {
                        assert!(steps[n].contains(part), "{what}\n{}", steps[n]);
                    }
                }
            }
        }
        let hit = met.iter().flatten().count();
        assert!(hit > 30 && met[hit..].iter().all(Option::is_none), "{hit} calls of a save were met");
        cells += hit;
    }
    assert!(cells > 180, "{cells}");
}

/// What becomes of a save in which this call fails.
fn outcome(call: &Call) -> Outcome {
    let path = call.path().unwrap();
    match call.name {
        // All was synced before: a file that closes with an error has lost nothing.
        "close" => Outcome::Saved,
        // Root gives a file back to its owner where that works.
        "chown" => Outcome::Saved,
        "fsync" if path == "environments" => Outcome::Unsure,
        _ => Outcome::Kept,
    }
}

#[test]
fn a_save_goes_on_after_a_signal_and_writes_the_rest_of_a_short_write() {
    let interrupted = |call: &Call| match INTERRUPTIBLE.contains(&call.name) {
        true => Verdict::Fail(Errno::EINTR),
        false => Verdict::Pass,
    };
    let short = |call: &Call| match call.name {
        "read" | "write" => Verdict::Short,
        _ => Verdict::Pass,
    };
    for (what, fault) in [("interrupted", &interrupted as &dyn Fn(&Call) -> Verdict), ("short", &short)] {
        let Some(gauntlet) = gauntlet(|_, _, call| fault(call)) else { return };
        let Gauntlet { ran, seen, .. } = &gauntlet;
        assert_eq!((ran.exit, seen.len()), (0, SAVES + 1), "{what}\n{}", ran.all_output());
        for (n, (local, temporary, query)) in seen.iter().take(SAVES).enumerate() {
            assert_eq!(local, &format!("# mine\nstored:\n  k: value-of-{n}\n"), "{what}: {:?}", gauntlet.met(n));
            assert_eq!((temporary.len(), query.as_str()), (0, format!("k=value-of-{n}").as_str()), "{what}");
        }
    }
}

/// What goes wrong before the request is sent keeps it from being sent.
#[test]
fn a_fault_at_any_call_that_prepares_for_a_save_spends_nothing() {
    const BEFORE: &str = "# mine\nvariables: {a: 1}\n";
    let one = "  - {url: '{{ api_url }}/token', always: true, when: access_token is undefined, store: {access_token: $.access_token}}\n";
    let collection = format!("requests:\n{}", one.repeat(SAVES));
    // The calls that may fail without harm; the first error finds them.
    let mut harmless_calls: Vec<usize> = Vec::new();
    let mut cells = 0;
    for (error, _) in ERRORS {
        // Each run meets as many faults as it can: an attempt that fails is made again by the next request.
        let mut points_left: Vec<usize> = (0..SAVES).filter(|point| !harmless_calls.contains(point)).collect();
        loop {
            let server = server();
            let project = new_project(&server, &collection).file(LOCAL, BEFORE);
            let folder = project.path("environments");
            let mut points = Points::default();
            let mut met = Vec::new();
            let Some(traced) = trace(project, |call| {
                let at = points.of_preparation(call);
                if let Some((_, 0)) = at {
                    // Every attempt has the same to do.
                    let _ = fs::remove_file(folder.join(".gitignore"));
                }
                match at {
                    Some((round, at)) if points_left.get(round) == Some(&at) => {
                        met.push(call.clone());
                        Verdict::Fail(*error)
                    }
                    _ => Verdict::Pass,
                }
            }) else {
                return;
            };
            let (ran, _) = traced.ended();
            let told = ran.stdout.matches("can't save to `environments/dev.local.yaml`: ").count();
            let harmless = met.get(told).is_some();
            let what = format!("{error:?} at {}", met.last().map_or_else(String::new, Call::to_string));
            assert_eq!((ran.exit, server.lines().len()), (if told > 0 { 5 } else { 0 }, 1), "{what}\n{}", ran.all_output());
            assert!(told == met.len() || told + 1 == met.len(), "{what}\n{}", ran.all_output());
            assert_eq!(fs::read_to_string(folder.join(".gitignore")).unwrap(), IGNORED, "{what}");
            assert_eq!(ran.read(LOCAL), format!("{BEFORE}stored:\n  access_token: token-from-the-answer\n"), "{what}");
            if harmless {
                let last = met.last().unwrap();
                // What can't be tidied up stays for the next run; what closes with an error has lost nothing; and a
                // `.gitignore` that can't be seen is made, where that works.
                let listed = last.path() == Some("environments") && matches!(last.name, "open" | "getdents" | "stat");
                let sought = last.is("stat", ".gitignore");
                assert!(listed || sought || matches!(last.name, "close" | "unlink"), "{what}");
                assert_eq!(temporary(&folder).len(), usize::from(last.name == "unlink"), "{what}");
            } else {
                assert_eq!(temporary(&folder), [""; 0], "{what}");
            }
            cells += met.len();
            points_left.drain(..told);
            if !harmless {
                // The fault came too late to meet a call.
                break;
            }
            harmless_calls.push(points_left.remove(0));
        }
    }
    assert!(cells > 150, "{cells}");
}

/// A temporary file that could not even be taken away is taken away by the next run.
#[test]
fn what_could_not_be_tidied_up_is_tidied_up_by_the_next_run() {
    let server = server();
    let runner = project(&server, ONE).file(LOCAL, OLD);
    let folder = runner.path("environments");
    let mut points = Points::default();
    let Some(traced) = trace(runner, |call| match points.of_save(call) {
        Some(_) if matches!(call.name, "fsync" | "unlink") => Verdict::Fail(Errno::EIO),
        _ => Verdict::Pass,
    }) else {
        return;
    };
    let (ran, _) = traced.ended();
    assert_eq!((ran.exit, ran.read(LOCAL).as_str()), (5, OLD), "{}", ran.all_output());
    assert!(matches!(temporary(&folder).as_slice(), [name] if name.starts_with(".dev.local.yaml.")), "{:?}", names(&folder));
    assert_no_secret(ran.all_output(), TOKEN);
    let next = again(&ran).run_passing();
    assert_eq!((next.read(LOCAL).as_str(), temporary(&folder)), (NEW, Vec::new()));
}

/// The file can come into git's sight after the run has looked: while a request is out.
#[test]
fn a_file_that_git_would_take_by_now_is_not_written() {
    let ignore = Arc::<Mutex<std::path::PathBuf>>::default();
    let shared = Arc::clone(&ignore);
    let server = Server::start(move |request| {
        if request.path == "/token" {
            fs::write(&*shared.lock().unwrap(), "# nothing\n").unwrap();
        }
        Answer::json(200, r#"{"access_token":"token-from-the-answer"}"#)
    });
    let runner = project(&server, ONE).file(".git/HEAD", "ref: refs/heads/main\n").file(LOCAL, OLD);
    *ignore.lock().unwrap() = runner.path("environments/.gitignore");
    let ran = runner.run_unchecked();
    assert_eq!((ran.exit, ran.read(LOCAL).as_str()), (6, OLD), "{}", ran.all_output());
    assert!(ran.stdout.contains("is not ignored by git, so no secret is written to it"), "{}", ran.stdout);
}

/// How a person's editor writes a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Editor {
    /// A new file takes the place of the old one.
    Renames,
    /// The old file is emptied and filled.
    InPlace,
}

impl Editor {
    pub(crate) fn write(self, path: &Path, text: &str) {
        match self {
            Self::InPlace => fs::write(path, text).unwrap(),
            Self::Renames => {
                let new = path.with_file_name(".#edited.local.yaml");
                fs::write(&new, text).unwrap();
                fs::rename(new, path).unwrap();
            }
        }
    }
}

/// An edit that was finished before the save's last look at the file is kept, and so is one that comes after the rename. Between
/// these two, a few calls apart, nothing can be promised.
#[test]
fn a_persons_edit_at_any_call_of_a_save_is_kept() {
    for editor in [Editor::Renames, Editor::InPlace] {
        let Some(gauntlet) = gauntlet(|n, local, _| {
            editor.write(local, &format!("# edit {n}\n{}", fs::read_to_string(local).unwrap()));
            Verdict::Pass
        }) else {
            return;
        };
        let Gauntlet { ran, calls, seen, .. } = &gauntlet;
        assert_eq!(ran.exit, 0, "{editor:?}\n{}", ran.all_output());
        let (mut rest, mut anew, mut open) = ("# mine\nstored:\n".to_owned(), 0, Vec::new());
        for (n, (local, temporary, _)) in seen.iter().take(SAVES).enumerate() {
            if let Some(edit) = gauntlet.met[n] {
                let what = format!("{editor:?} before {}", calls[edit]);
                let end = edit + calls[edit..].iter().position(Call::speaks).unwrap();
                let renamed = calls[..end].iter().rposition(|call| call.is("rename", LOCAL)).unwrap();
                let last_look = calls[..renamed].iter().rposition(|call| call.is("open", LOCAL)).unwrap();
                let edited = format!("# edit {n}\n{rest}");
                if edit <= last_look || edit > renamed {
                    assert!(local.starts_with(&edited), "{what}\n{local}");
                } else {
                    open.push(what);
                }
                if local.starts_with(&edited) {
                    rest = edited;
                }
                anew += usize::from(calls[edit..end].iter().any(|call| call.name == "unlink"));
            }
            assert_eq!((local, temporary), (&format!("{rest}  k: value-of-{n}\n"), &Vec::new()), "{editor:?}");
        }
        assert!(anew > 5, "{editor:?}: only {anew} saves began anew");
        assert!(open.len() <= 5, "{open:?}");
    }
}

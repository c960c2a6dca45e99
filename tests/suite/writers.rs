//! Several writers of one local file: other runs, people's editors, and holders of the lock that die, stand still or hang.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Barrier, Mutex};

use nix::errno::Errno;
use rustix::process::Signal;

use crate::fault::{Editor, ONE};
use crate::store::{LOCAL, TOKEN, project, server};
use crate::support::leak::assert_no_secret;
use crate::support::runner::{Runner, Running};
use crate::support::server::{Answer, Server};
use crate::support::trace::{Call, Verdict, trace};

const LOCK: &str = "environments/.dev.local.lock";

/// Eight runs store into one file at once, and a person edits it in between: nothing of it is lost.
#[test]
fn eight_writers_and_a_person_lose_nothing() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 25;
    let file = Arc::<Mutex<PathBuf>>::default();
    let edited = Arc::clone(&file);
    let everyone = Barrier::new(WRITERS);
    let server = Server::start(move |request| {
        // The answers of a round are given when all have asked: no save is under way then.
        if everyone.wait().is_leader() {
            let file = edited.lock().unwrap();
            let round = request.path.rsplit('/').next().unwrap();
            let text = fs::read_to_string(&*file).unwrap();
            let text = text.replacen("stored:\n", &format!("  person_{round}: {round} # by hand\nstored:\n"), 1);
            let editor = if round.len() % 2 == 0 { Editor::Renames } else { Editor::InPlace };
            editor.write(&file, &text);
        }
        // And no sooner: what a person has not finished is nobody's to keep.
        everyone.wait();
        Answer::json(200, format!(r#"{{"v":"value{}"}}"#, request.path.replace('/', "-")))
    });
    let one = |who: usize, round: usize| {
        format!("  - {{url: '{{{{ api_url }}}}/{who}/{round}', store: {{w{who}_{round}: $.v, shared: $.v}}}}\n")
    };
    let collection = |who: usize| format!("requests:\n{}", (0..ROUNDS).map(|round| one(who, round)).collect::<String>());
    let before = "# mine\nvariables:\n  a: 1 # kept\nstored:\n  # above\n  shared: old # beside\n# end\n";
    let project = project(&server, "requests: []").file(LOCAL, before);
    *file.lock().unwrap() = project.path(LOCAL);
    let start = |who: usize| {
        let name = format!("w{who}.yaml");
        let runner = Runner::new().beside(&project).file(&name, collection(who));
        runner.args([name.as_str(), "--env", "dev"]).spawn()
    };
    let running: Vec<Running> = (0..WRITERS).map(start).collect();
    for run in running {
        let ran = run.end();
        assert_eq!((ran.exit, ran.stderr.as_str()), (0, ""), "{}", ran.all_output());
    }
    let local = fs::read_to_string(project.path(LOCAL)).unwrap();
    let mut lines: Vec<&str> = local.lines().collect();
    let mut take = |line: &str| {
        let at = lines.iter().position(|known| *known == line).unwrap_or_else(|| panic!("`{line}` is lost:\n{local}"));
        lines.remove(at);
    };
    for round in 0..ROUNDS {
        take(&format!("  person_{round}: {round} # by hand"));
        (0..WRITERS).for_each(|who| take(&format!("  w{who}_{round}: value-{who}-{round}")));
    }
    let last = lines.iter().find(|line| line.starts_with("  shared: value-")).unwrap_or_else(|| panic!("{local}"));
    let rest = before.replace("  shared: old # beside", last);
    assert_eq!(lines.iter().fold(String::new(), |text, line| text + line + "\n"), rest);
    assert!(last.ends_with(" # beside"), "{last}");
}

/// A run that stands still in the middle of its save, which it will go on with when it may.
fn standing_still(project: Runner) -> Option<Running> {
    let mut asked = false;
    let traced = trace(project, |call| {
        asked |= call.is_on_socket();
        if asked && call.name == "fsync" { Verdict::Stop } else { Verdict::Pass }
    })?;
    Some(traced.stopped())
}

/// Ten seconds, and no longer for two than for one.
#[test]
fn a_holder_that_stands_still_is_waited_for_and_then_named() {
    let server = server();
    let project = project(&server, ONE);
    let again = || Runner::new().beside(&project).args(["c.yaml", "--env", "dev"]);
    let Some(holder) = standing_still(again()) else { return };
    let pid = holder.pid();
    let expected = format!(
        "
        ! GET    Get                               not saved [duration]
          error: another process ({pid}) has held the environment's lock for [duration]
           --> c.yaml:1:60
            |
          1 | {ONE}
            |                                                            ^^^^^^^^^^^^
            |
            = help: if it is stopped, let it go on: kill -CONT {pid}
            = help: if it hangs, end it: kill -KILL {pid}
            = help: `--no-save` keeps the values of a run in memory only

        1 request: 1 errored in [duration]
        "
    );
    let waiting = [again(), again()].map(|run| run.expect_exit(5).expect_stdout(&expected).spawn());
    for run in waiting {
        run.wait();
    }
    // Nothing was spent while it was not known whether it could be kept.
    assert_eq!(server.lines(), ["GET /token"]);
    holder.signal(Signal::CONT);
    let ran = holder.end();
    assert_eq!((ran.exit, ran.read(LOCAL)), (0, format!("stored:\n  access_token: {TOKEN}\n")), "{}", ran.all_output());
}

#[test]
fn a_holder_that_is_killed_delays_nobody() {
    let server = server();
    let project = project(&server, ONE);
    let again = || Runner::new().beside(&project).args(["c.yaml", "--env", "dev"]);
    let Some(mut holder) = standing_still(again()) else { return };
    // It waits for the lock, or is about to.
    let waiting = again().spawn();
    holder.kill();
    let ran = waiting.end();
    assert_eq!((ran.exit, ran.read(LOCAL)), (0, format!("stored:\n  access_token: {TOKEN}\n")), "{}", ran.all_output());
    assert_eq!(holder.end().exit, 137);
}

/// Ctrl-C ends a run that waits for the lock, before and after the request; what it could not keep is said.
#[test]
fn an_interrupt_ends_the_wait_for_the_lock() {
    for with_answer in [false, true] {
        let path = Arc::<Mutex<PathBuf>>::default();
        let held = Arc::<Mutex<Option<fs::File>>>::default();
        let (shared, holds) = (Arc::clone(&path), Arc::clone(&held));
        let take = move || {
            let lock = fs::File::create(&*shared.lock().unwrap()).unwrap();
            lock.lock().unwrap();
            *holds.lock().unwrap() = Some(lock);
        };
        let before = take.clone();
        let server = Server::start(move |_| {
            take();
            Answer::json(200, format!(r#"{{"access_token":"{TOKEN}"}}"#))
        });
        let runner = project(&server, ONE);
        *path.lock().unwrap() = runner.path(LOCK);
        if !with_answer {
            before();
        }
        let (mut attempts, mut at, mut interrupted) = (0, 0, 0);
        let Some(traced) = trace(runner, |call| {
            at += 1;
            attempts += usize::from(call.is("flock", LOCK) && held.lock().unwrap().is_some());
            if attempts == 3 && interrupted == 0 {
                interrupted = at;
                return Verdict::Interrupt;
            }
            Verdict::Pass
        }) else {
            return;
        };
        let (ran, calls) = traced.ended();
        let warning = "warning: interrupted while `Get` waited to save `access_token`: not saved\n";
        assert_eq!((ran.exit, ran.stderr.trim_start()), (130, if with_answer { warning } else { "" }), "{}", ran.all_output());
        assert_eq!((server.lines().len(), ran.exists(LOCAL)), (usize::from(with_answer), false));
        // It did not try again, whatever time that would have taken.
        let later: Vec<&Call> = calls[interrupted..].iter().filter(|call| call.name == "flock").collect();
        assert!(later.len() <= 1, "{} attempts after the interrupt", later.len());
        assert_no_secret(ran.all_output(), TOKEN);
    }
}

/// Where there are no locks, as on some network file systems, nothing can be kept: not without a word.
#[test]
fn a_lock_that_can_not_be_had_is_named_with_the_reason() {
    for (call, error, reason) in [
        ("flock", Errno::ENOLCK, "No locks available (os error 37)"),
        ("flock", Errno::EOPNOTSUPP, "Operation not supported (os error 95)"),
        ("open", Errno::EROFS, "Read-only file system (os error 30)"),
        ("open", Errno::EACCES, "Permission denied (os error 13)"),
    ] {
        let server = server();
        let verdict = |seen: &Call| if seen.is(call, LOCK) { Verdict::Fail(error) } else { Verdict::Pass };
        let Some(traced) = trace(project(&server, ONE), verdict) else { return };
        let (ran, _) = traced.ended();
        let told = format!(
            "error: can't save to `environments/dev.local.yaml`: its lock `environments/.dev.local.lock` can't be taken: {reason}\n"
        );
        assert!(ran.stdout.contains(&told), "{}", ran.all_output());
        assert!(ran.stdout.contains("`--no-save` keeps the values of a run in memory only"), "{}", ran.stdout);
        assert_eq!((ran.exit, server.connections()), (5, 0));
        let unsaved = ran.again().args(["c.yaml", "--env", "dev", "--no-save"]).run_passing();
        assert!(!unsaved.exists(LOCAL));
    }
}

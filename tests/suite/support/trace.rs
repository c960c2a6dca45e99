//! The real program under a tracer: every system call of it that touches a file, a socket or a stream is seen before and after it
//! happens, can be made to fail, cut short, or be the last one, and the world can be changed while the program stands still.
//!
//! ptrace does it, through the safe functions of `nix`; the program knows nothing of it. Where the machine or the sandbox of a CI
//! system does not allow that, [`trace`] says so loudly and gives nothing, and the test has nothing to look at.

use std::fmt;

use nix::errno::Errno;

use super::runner::{Ran, Runner, Running};

/// What a system call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    /// A file or folder; its path is relative to the project folder where it lies below it.
    File(String),
    /// A socket.
    Socket,
    /// The program's stdout or stderr.
    Output,
    /// Pipes, events, the terminal, and what else is no file.
    Other,
}

/// One system call of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// As in the manual, without the variants of one thing: `open` for `openat`, `stat` for `fstat`, `lstat` and `statx`.
    pub(crate) name: &'static str,
    /// What it is about; the new name in a rename.
    pub(crate) object: Object,
    /// The old name in a rename or link.
    pub(crate) from: Option<String>,
    /// What came of it; `None` when the program was gone before that.
    pub(crate) result: Option<Result<i64, Errno>>,
}

impl Call {
    /// Whether it is about a socket.
    pub(crate) fn is_on_socket(&self) -> bool {
        self.object == Object::Socket
    }

    /// Whether it is the call `name` on a file whose path ends with `path`.
    pub(crate) fn is(&self, name: &str, path: &str) -> bool {
        self.name == name && self.path().is_some_and(|known| known.ends_with(path))
    }

    /// The path of a file.
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.object {
            Object::File(path) => Some(path),
            _ => None,
        }
    }

    /// Whether it brings bytes from a socket.
    pub(crate) fn receives(&self) -> bool {
        self.is_on_socket()
            && matches!(self.name, "read" | "recv")
            && self.result.is_some_and(|result| result.is_ok_and(|length| length > 0))
    }

    /// Whether bytes leave the program by it, or are about to: into a socket, to stdout or stderr, or by a new connection.
    pub(crate) fn speaks(&self) -> bool {
        matches!(self.name, "connect" | "send") || self.name == "write" && matches!(self.object, Object::Socket | Object::Output)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = match &self.object {
            Object::File(path) => path,
            Object::Socket => "a socket",
            Object::Output => "the output",
            Object::Other => "something else",
        };
        let from = self.from.as_ref().map_or_else(String::new, |from| format!("{from} → "));
        write!(f, "{}({from}{object})", self.name)?;
        match &self.result {
            Some(Ok(value)) => write!(f, " = {value}"),
            Some(Err(error)) => write!(f, " = {error}"),
            None => f.write_str(" …"),
        }
    }
}

/// What becomes of a call that the program is about to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It happens.
    Pass,
    /// It fails and nothing happens; but for `close`, which closes however it ends, as in Linux.
    Fail(Errno),
    /// A write takes one byte less than half of what it was given, but at least one.
    Short,
    /// It happens, and the program gets what a terminal's Ctrl-C sends.
    Interrupt,
    /// The program is killed and the call does not happen.
    Kill,
    /// The program is stopped as by SIGSTOP before the call and left alone; [`Traced::Stopped`] comes of it.
    Stop,
}

/// What a traced program left.
pub(crate) enum Traced {
    /// It has ended: what it left, and its calls in order.
    Ended(Ran, Vec<Call>),
    /// It stands still, by [`Verdict::Stop`].
    Stopped(Running),
}

impl Traced {
    /// A program that has ended.
    #[track_caller]
    pub(crate) fn ended(self) -> (Ran, Vec<Call>) {
        match self {
            Self::Ended(ran, calls) => (ran, calls),
            Self::Stopped(_) => panic!("the program was stopped"),
        }
    }

    /// A program that stands still.
    #[track_caller]
    pub(crate) fn stopped(self) -> Running {
        match self {
            Self::Stopped(running) => running,
            Self::Ended(ran, _) => panic!("the program ended with {}: {}", ran.exit, ran.all_output()),
        }
    }
}

/// Runs the program and asks `decide` at every call, before it happens (its result is not known yet), while the program stands
/// still. Compares nothing. `None` where tracing is not possible, which is told on stderr.
#[track_caller]
pub(crate) fn trace(runner: Runner, decide: impl FnMut(&Call) -> Verdict) -> Option<Traced> {
    imp::trace(runner, decide)
}

/// Holds a trace to the order of a save of `file`: from the last byte of the answer to the synced rename nothing leaves the program,
/// and the new file is synced, and read back, before it takes the place of the old one.
#[track_caller]
pub(crate) fn assert_kept_before_anything(calls: &[Call], file: &str) {
    let all = || calls.iter().map(|call| format!("{call}\n")).collect::<String>();
    let renamed = calls.iter().position(|call| call.is("rename", file));
    let renamed = renamed.unwrap_or_else(|| panic!("`{file}` was not renamed into place:\n{}", all()));
    let temporary = calls[renamed].from.clone().expect("a rename has an old name");
    let last = |what: &str, is: &dyn Fn(&Call) -> bool| {
        calls[..renamed].iter().rposition(is).unwrap_or_else(|| panic!("no {what} before the rename:\n{}", all()))
    };
    let received = last("answer", &Call::receives);
    let written = last("write", &|call| call.is("write", &temporary));
    let synced = last("sync of the new file", &|call| call.is("fsync", &temporary));
    let read = last("look at what was written", &|call| call.is("read", &temporary));
    assert!(received < written && written < synced && synced < read, "written, synced, read back, in this order:\n{}", all());
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let behind = calls[renamed..].iter().position(|call| call.name == "fsync" && call.path() == Some(folder));
    let behind = renamed + behind.unwrap_or_else(|| panic!("the folder is not synced after the rename:\n{}", all()));
    let loud = calls[received + 1..behind].iter().find(|call| call.speaks());
    assert!(loud.is_none(), "before the save was done: {}\n{}", loud.expect("one"), all());
}

/// Past the capture of the test harness, so that a suite that looked at less says so.
fn tell(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nWARNING: a test that traces the program was LEFT OUT: {why}");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod imp {
    use std::collections::HashMap;
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;
    use std::path::{Path, PathBuf};
    use std::sync::mpsc;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::libc::{self, user_regs_struct};
    use nix::sys::ptrace::{self, Options};
    use nix::sys::signal::{Signal, kill, killpg};
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
    use nix::unistd::Pid;

    use super::{Call, Object, Running, Traced, Verdict, tell};
    use crate::support::runner::Runner;

    /// A traced program that takes longer is killed.
    const LONGEST: Duration = Duration::from_secs(60);

    /// Where a call names what it is about: by a path, by a path below a folder's descriptor, or by a descriptor.
    #[derive(Clone, Copy)]
    enum Subject {
        Path(usize),
        At(usize, usize),
        Descriptor(usize),
    }
    use Subject::{At, Descriptor, Path as By};

    /// The calls that are looked at: their number, their name here, where the subject is, and where the old name is.
    const CALLS: &[(i64, &str, Subject, Option<Subject>)] = &[
        (libc::SYS_open, "open", By(0), None),
        (libc::SYS_openat, "open", At(0, 1), None),
        (libc::SYS_openat2, "open", At(0, 1), None),
        (libc::SYS_stat, "stat", By(0), None),
        (libc::SYS_lstat, "stat", By(0), None),
        (libc::SYS_fstat, "stat", Descriptor(0), None),
        (libc::SYS_newfstatat, "stat", At(0, 1), None),
        (libc::SYS_statx, "stat", At(0, 1), None),
        (libc::SYS_access, "access", By(0), None),
        (libc::SYS_faccessat, "access", At(0, 1), None),
        (libc::SYS_faccessat2, "access", At(0, 1), None),
        (libc::SYS_readlink, "readlink", By(0), None),
        (libc::SYS_readlinkat, "readlink", At(0, 1), None),
        (libc::SYS_getdents64, "getdents", Descriptor(0), None),
        (libc::SYS_mkdir, "mkdir", By(0), None),
        (libc::SYS_mkdirat, "mkdir", At(0, 1), None),
        (libc::SYS_unlink, "unlink", By(0), None),
        (libc::SYS_unlinkat, "unlink", At(0, 1), None),
        (libc::SYS_rename, "rename", By(1), Some(By(0))),
        (libc::SYS_renameat, "rename", At(2, 3), Some(At(0, 1))),
        (libc::SYS_renameat2, "rename", At(2, 3), Some(At(0, 1))),
        (libc::SYS_link, "link", By(1), Some(By(0))),
        (libc::SYS_linkat, "link", At(2, 3), Some(At(0, 1))),
        (libc::SYS_symlink, "symlink", By(1), None),
        (libc::SYS_symlinkat, "symlink", At(1, 2), None),
        (libc::SYS_chmod, "chmod", By(0), None),
        (libc::SYS_fchmod, "chmod", Descriptor(0), None),
        (libc::SYS_fchmodat, "chmod", At(0, 1), None),
        (libc::SYS_chown, "chown", By(0), None),
        (libc::SYS_fchown, "chown", Descriptor(0), None),
        (libc::SYS_fchownat, "chown", At(0, 1), None),
        (libc::SYS_truncate, "truncate", By(0), None),
        (libc::SYS_ftruncate, "truncate", Descriptor(0), None),
        (libc::SYS_read, "read", Descriptor(0), None),
        (libc::SYS_readv, "read", Descriptor(0), None),
        (libc::SYS_pread64, "read", Descriptor(0), None),
        (libc::SYS_write, "write", Descriptor(0), None),
        (libc::SYS_writev, "write", Descriptor(0), None),
        (libc::SYS_pwrite64, "write", Descriptor(0), None),
        (libc::SYS_lseek, "seek", Descriptor(0), None),
        (libc::SYS_copy_file_range, "write", Descriptor(2), None),
        (libc::SYS_sendfile, "write", Descriptor(0), None),
        (libc::SYS_fsync, "fsync", Descriptor(0), None),
        (libc::SYS_fdatasync, "fsync", Descriptor(0), None),
        (libc::SYS_flock, "flock", Descriptor(0), None),
        (libc::SYS_close, "close", Descriptor(0), None),
        (libc::SYS_connect, "connect", Descriptor(0), None),
        (libc::SYS_sendto, "send", Descriptor(0), None),
        (libc::SYS_sendmsg, "send", Descriptor(0), None),
        (libc::SYS_sendmmsg, "send", Descriptor(0), None),
        (libc::SYS_recvfrom, "recv", Descriptor(0), None),
        (libc::SYS_recvmsg, "recv", Descriptor(0), None),
        (libc::SYS_recvmmsg, "recv", Descriptor(0), None),
    ];

    pub(super) fn trace(runner: Runner, decide: impl FnMut(&Call) -> Verdict) -> Option<Traced> {
        let project = fs::canonicalize(runner.path("")).expect("the project folder");
        let running = runner.spawn_stopped();
        let leader = Pid::from_raw(i32::try_from(running.pid()).expect("a process id"));
        // It stops itself, so that nothing of the program has happened yet.
        waitpid(leader, Some(WaitPidFlag::WUNTRACED)).expect("the program stops");
        let options = Options::PTRACE_O_EXITKILL
            | Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACECLONE;
        if let Err(error) = ptrace::seize(leader, options) {
            tell(&format!("ptrace is not permitted here ({error})"));
            return None;
        }
        kill(leader, Signal::SIGCONT).expect("the program goes on");
        let table = CALLS.iter().map(|call| (call.0, *call)).collect();
        let tracer = Tracer { leader, project, table, threads: HashMap::new(), calls: Vec::new(), started: false, decide };
        Some(tracer.follow(running))
    }

    struct Tracer<D> {
        leader: Pid,
        project: PathBuf,
        table: HashMap<i64, (i64, &'static str, Subject, Option<Subject>)>,
        /// What the threads that are inside a system call are about; those outside one are not in it.
        threads: HashMap<Pid, Inside>,
        calls: Vec<Call>,
        /// Whether the program itself runs, and not the shell that started it.
        started: bool,
        decide: D,
    }

    /// A call between its entry and its exit.
    struct Inside {
        /// Its place in the list; `None` for one that is not looked at.
        call: Option<usize>,
        /// The registers to be restored and the result to be given.
        changed: Option<(user_regs_struct, Option<Errno>)>,
    }

    impl<D: FnMut(&Call) -> Verdict> Tracer<D> {
        fn follow(mut self, running: Running) -> Traced {
            let (done, wait) = mpsc::channel::<()>();
            let leader = self.leader;
            std::thread::spawn(move || {
                if wait.recv_timeout(LONGEST) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let _ = killpg(leader, Signal::SIGKILL);
                }
            });
            // Only the group of this program: other tests have children of their own. And the end of the program is only looked
            // at, since `Running` waits for it.
            let look = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT | WaitPidFlag::__WALL;
            loop {
                let seen = waitid(Id::PGid(leader), look).expect("a traced program");
                let thread = seen.pid().expect("a thread");
                if thread == leader && matches!(seen, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                    break;
                }
                let status = waitpid(thread, Some(WaitPidFlag::__WALL)).expect("what was seen");
                if self.take(status) {
                    drop(done);
                    return Traced::Stopped(running);
                }
            }
            drop(done);
            Traced::Ended(running.end(), self.calls)
        }

        /// Whether the program was left standing.
        fn take(&mut self, status: WaitStatus) -> bool {
            let (thread, signal) = match status {
                WaitStatus::PtraceSyscall(thread) => {
                    match self.threads.remove(&thread) {
                        None if self.enter(thread) => return true,
                        None => {}
                        Some(inside) => self.leave(thread, &inside),
                    }
                    (thread, None)
                }
                WaitStatus::PtraceEvent(thread, _, libc::PTRACE_EVENT_EXEC) => {
                    self.started = true;
                    // What comes next is the exit of that call.
                    self.threads.insert(thread, Inside { call: None, changed: None });
                    (thread, None)
                }
                WaitStatus::PtraceEvent(thread, ..) => (thread, None),
                WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
                _ => return false,
            };
            // A thread that was killed meanwhile can't be told to go on; its end comes next.
            let _ = if self.started { ptrace::syscall(thread, signal) } else { ptrace::cont(thread, signal) };
            false
        }

        /// Before a call. Whether the program was left standing.
        fn enter(&mut self, thread: Pid) -> bool {
            let Ok(registers) = ptrace::getregs(thread) else { return false };
            let mut inside = Inside { call: None, changed: None };
            if let Some(call) = self.call(thread, &registers) {
                let verdict = (self.decide)(&call);
                let closes = call.name == "close";
                inside.call = Some(self.calls.len());
                self.calls.push(call);
                let mut changed = registers;
                match verdict {
                    Verdict::Pass => {}
                    Verdict::Fail(error) => {
                        if !closes {
                            changed.orig_rax = u64::MAX;
                        }
                        inside.changed = Some((registers, Some(error)));
                    }
                    Verdict::Short => {
                        changed.rdx = (registers.rdx / 2).saturating_sub(1).max(1);
                        inside.changed = Some((registers, None));
                    }
                    Verdict::Interrupt => {
                        let _ = kill(self.leader, Signal::SIGINT);
                    }
                    Verdict::Kill => {
                        let _ = kill(self.leader, Signal::SIGKILL);
                    }
                    Verdict::Stop => {
                        self.let_go_of_others(thread);
                        kill(self.leader, Signal::SIGSTOP).expect("a signal can be sent");
                        ptrace::detach(thread, None).expect("a stopped thread can be let go");
                        return true;
                    }
                }
                if inside.changed.is_some() {
                    ptrace::setregs(thread, changed).expect("registers can be set");
                }
            }
            self.threads.insert(thread, inside);
            false
        }

        /// Ends the tracing of all threads but one: a thread that is still traced could not end without its tracer.
        fn let_go_of_others(&self, thread: Pid) {
            for entry in fs::read_dir(format!("/proc/{}/task", self.leader)).expect("the threads") {
                let name = entry.expect("a thread").file_name();
                let other = Pid::from_raw(name.to_string_lossy().parse().expect("a number"));
                // One that stands already, or has ended meanwhile, can't be told to stand; the wait tells.
                if other != thread && (ptrace::interrupt(other).is_ok() || self.threads.contains_key(&other)) {
                    let _ = waitpid(other, Some(WaitPidFlag::__WALL));
                    let _ = ptrace::detach(other, None);
                }
            }
        }

        /// After a call.
        fn leave(&mut self, thread: Pid, inside: &Inside) {
            let Some(at) = inside.call else { return };
            let Ok(mut registers) = ptrace::getregs(thread) else { return };
            if let Some((before, error)) = &inside.changed {
                let result = error.map_or(registers.rax, |error| (-i64::from(error as i32)).cast_unsigned());
                registers = user_regs_struct { rax: result, rip: registers.rip, ..*before };
                ptrace::setregs(thread, registers).expect("registers can be set");
            }
            let result = registers.rax.cast_signed();
            let failed = i32::try_from(-result).ok().filter(|code| (1..4096).contains(code));
            self.calls[at].result = Some(failed.map_or(Ok(result), |code| Err(Errno::from_raw(code))));
        }

        /// What a thread is about to do, if that is of interest.
        fn call(&self, thread: Pid, registers: &user_regs_struct) -> Option<Call> {
            let (_, name, subject, from) = *self.table.get(&registers.orig_rax.cast_signed())?;
            let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
            let object = self.object(thread, subject, &arguments);
            let from = from.map(|from| match self.object(thread, from, &arguments) {
                Object::File(path) => path,
                other => format!("{other:?}"),
            });
            Some(Call { name, object, from, result: None })
        }

        fn object(&self, thread: Pid, subject: Subject, arguments: &[u64; 4]) -> Object {
            match subject {
                By(at) => self.file(text_at(thread, arguments[at])),
                At(folder, at) => {
                    let path = if arguments[at] == 0 { PathBuf::new() } else { text_at(thread, arguments[at]) };
                    let descriptor = arguments[folder];
                    // AT_FDCWD is a negative number of 32 bits.
                    let here = (descriptor as i32) == libc::AT_FDCWD;
                    match path.is_absolute() || here {
                        true => self.file(path),
                        false if path.as_os_str().is_empty() => self.descriptor(thread, descriptor),
                        false => match self.descriptor(thread, descriptor) {
                            Object::File(folder) => self.file(self.project.join(folder).join(path)),
                            other => other,
                        },
                    }
                }
                Descriptor(at) => self.descriptor(thread, arguments[at]),
            }
        }

        fn descriptor(&self, thread: Pid, number: u64) -> Object {
            if matches!(number, 1 | 2) {
                return Object::Output;
            }
            let target = fs::read_link(format!("/proc/{thread}/fd/{number}")).unwrap_or_default();
            match target.to_string_lossy() {
                name if name.starts_with('/') => self.file(target),
                name if name.starts_with("socket:") => Object::Socket,
                _ => Object::Other,
            }
        }

        fn file(&self, path: PathBuf) -> Object {
            let path = path.strip_prefix(&self.project).unwrap_or(&path);
            let path: PathBuf = path.components().filter(|part| part.as_os_str() != ".").collect();
            let kept = [Path::new("/dev"), Path::new("/proc")].iter().all(|other| !path.starts_with(other));
            if kept { Object::File(path.to_string_lossy().into_owned()) } else { Object::Other }
        }
    }

    /// The text that ends with a zero byte at an address of a thread.
    fn text_at(thread: Pid, address: u64) -> PathBuf {
        let mut bytes = vec![0; 4096];
        // A text near the end of what is mapped is read up to there.
        let read = File::open(format!("/proc/{thread}/mem")).and_then(|memory| memory.read_at(&mut bytes, address));
        bytes.truncate(read.unwrap_or(0));
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        PathBuf::from(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod imp {
    use super::{Call, Runner, Traced, Verdict, tell};

    pub(super) fn trace(_runner: Runner, _decide: impl FnMut(&Call) -> Verdict) -> Option<Traced> {
        tell("the tracer knows the registers of x86_64 Linux only");
        None
    }
}

//! Signals that ask the program to end.
//!
//! A thread of its own waits for them: the thread of the run may be busy with a template, or stuck in a write that nobody reads.
//! The first signal is told to whoever listens, who finishes what was begun and ends the program. With the second, when that
//! takes too long, or when nobody listens, the thread ends the process itself, the terminal as it was found.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{future, io, thread};

use rustix::termios::{OptionalActions, Termios, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::oneshot;

/// How long the program may take to end by itself. With what follows it stays below 2 seconds.
const GRACE: Duration = Duration::from_millis(1500);

/// How long to wait between two looks for a second signal.
const PAUSE: Duration = Duration::from_millis(10);

/// Signals and the terminal belong to the process, and so does what is to be done about them.
static WATCH: Mutex<Watch> = Mutex::new(Watch { started: false, listener: None, changed: None });

struct Watch {
    /// Whether the thread runs.
    started: bool,
    /// Who is told of the first signal.
    listener: Option<oneshot::Sender<Interrupt>>,
    /// A terminal whose settings were changed, with those that it had.
    changed: Option<(File, Termios)>,
}

/// A signal that asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT: Ctrl-C.
    Keyboard,
    /// SIGTERM: another program asks.
    Terminated,
    /// SIGHUP: the terminal is gone.
    HungUp,
}

impl Interrupt {
    const ALL: [Self; 3] = [Self::Keyboard, Self::Terminated, Self::HungUp];

    /// The exit code that a shell gives for this signal: 128 and its number.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Keyboard => 130,
            Self::Terminated => 143,
            Self::HungUp => 129,
        }
    }

    const fn number(self) -> i32 {
        match self {
            Self::Keyboard => SIGINT,
            Self::Terminated => SIGTERM,
            Self::HungUp => SIGHUP,
        }
    }
}

/// Listens for the first signal.
#[derive(Debug)]
pub struct Interrupts(oneshot::Receiver<Interrupt>);

impl Interrupts {
    /// Starts to listen; from now on a signal does not end the process at once. One that was ignored when the process started
    /// stays so: `nohup`, and jobs in the background of a script, rely on it.
    ///
    /// # Errors
    /// When no handler can be registered, or no thread started.
    pub fn listen() -> io::Result<Self> {
        let mut watch = watching()?;
        let (sender, receiver) = oneshot::channel();
        watch.listener = Some(sender);
        Ok(Self(receiver))
    }

    /// The first signal. Whoever is told must end the program soon: it is ended after 1.5 seconds, and at a second signal.
    pub async fn first(self) -> Interrupt {
        match self.0.await {
            Ok(interrupt) => interrupt,
            // Somebody else listens.
            Err(_) => future::pending().await,
        }
    }
}

/// The first signal from now on; never ends when none can be listened for. See [`Interrupts::first`].
pub async fn interrupted() -> Interrupt {
    match Interrupts::listen() {
        Ok(interrupts) => interrupts.first().await,
        Err(_) => future::pending().await,
    }
}

/// Remembers the settings of a terminal that are about to be changed, for the case that a signal ends the process; `None` when
/// they are back.
pub(super) fn remember(before: Option<(File, Termios)>) {
    // Where nobody can watch, a signal ends the process in the system's way.
    if let Ok(mut watch) = watching() {
        watch.changed = before;
    }
}

fn lock() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state, with the thread that acts on it running.
fn watching() -> io::Result<MutexGuard<'static, Watch>> {
    let mut watch = lock();
    if !watch.started {
        let ignored = ignored();
        let wanted = Interrupt::ALL.into_iter().filter(|interrupt| !is_set(ignored, interrupt.number()));
        let signals = Signals::new(wanted.map(Interrupt::number))?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || wait(signals))?;
        watch.started = true;
    }
    Ok(watch)
}

fn wait(mut signals: Signals) {
    let first = signals.forever().find_map(|number| Interrupt::ALL.into_iter().find(|known| known.number() == number));
    let Some(interrupt) = first else { return };
    let listener = lock().listener.take();
    if listener.is_some_and(|listener| listener.send(interrupt).is_ok()) {
        let end = Instant::now() + GRACE;
        while Instant::now() < end && signals.pending().next().is_none() {
            thread::sleep(PAUSE);
        }
    }
    if let Some((terminal, before)) = lock().changed.take() {
        // There is nobody left to tell when the terminal is gone.
        let _ = tcsetattr(terminal, OptionalActions::Now, &before);
    }
    // Without the hooks of an ordinary exit: they would flush a stream that may be what the program is stuck at.
    signal_hook::low_level::exit(i32::from(interrupt.exit_code()));
}

/// The set of ignored signals, where the system tells it.
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|status| ignored_in(&status)).unwrap_or_default()
}

fn ignored_in(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

fn is_set(signals: u64, number: i32) -> bool {
    u32::try_from(number - 1).ok().and_then(|bit| signals.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        for interrupt in Interrupt::ALL {
            assert_eq!(i32::from(interrupt.exit_code()), 128 + interrupt.number());
        }
    }

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let ignored = ignored_in("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n").unwrap();
        let set: Vec<i32> = (1..65).filter(|number| is_set(ignored, *number)).collect();
        assert_eq!(set, [1, 13]);
        assert_eq!(ignored_in("Name:\tx\n"), None);
    }
}

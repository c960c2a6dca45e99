//! Signals that ask the program to end.
//!
//! They are only told here: what is finished first, and that a second one ends everything at once, is the caller's matter.

use std::{future, io};

use tokio::signal::unix::{Signal, SignalKind, signal};

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
    /// The exit code that a shell gives for this signal: 128 and its number.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Keyboard => 130,
            Self::Terminated => 143,
            Self::HungUp => 129,
        }
    }

    const fn kind(self) -> SignalKind {
        match self {
            Self::Keyboard => SignalKind::interrupt(),
            Self::Terminated => SignalKind::terminate(),
            Self::HungUp => SignalKind::hangup(),
        }
    }
}

/// Listens for signals; from its making on none of them ends the process by itself.
#[derive(Debug)]
pub struct Interrupts {
    keyboard: Option<Signal>,
    terminated: Option<Signal>,
    hung_up: Option<Signal>,
}

impl Interrupts {
    /// Starts to listen. A signal that was ignored when the process started stays so: `nohup`, and jobs in the background of a
    /// script, rely on it. Must be called within a runtime that has its signal driver enabled.
    ///
    /// # Errors
    /// When a handler can't be registered.
    pub fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let listen = |interrupt: Interrupt| {
            let kind = interrupt.kind();
            if is_set(ignored, kind.as_raw_value()) { Ok(None) } else { signal(kind).map(Some) }
        };
        Ok(Self {
            keyboard: listen(Interrupt::Keyboard)?,
            terminated: listen(Interrupt::Terminated)?,
            hung_up: listen(Interrupt::HungUp)?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Interrupt {
        tokio::select! {
            () = arrives(&mut self.keyboard) => Interrupt::Keyboard,
            () = arrives(&mut self.terminated) => Interrupt::Terminated,
            () = arrives(&mut self.hung_up) => Interrupt::HungUp,
        }
    }
}

/// The first signal from now on; never ends when none can be listened for. Who waits for a second one keeps [`Interrupts`].
pub async fn interrupted() -> Interrupt {
    match Interrupts::listen() {
        Ok(mut interrupts) => interrupts.next().await,
        Err(_) => future::pending().await,
    }
}

async fn arrives(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    future::pending::<()>().await;
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
    use rustix::process::{Signal as Number, getpid, kill_process};

    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        for interrupt in [Interrupt::Keyboard, Interrupt::Terminated, Interrupt::HungUp] {
            assert_eq!(i32::from(interrupt.exit_code()), 128 + interrupt.kind().as_raw_value());
        }
    }

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let ignored = ignored_in("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n").unwrap();
        let set: Vec<i32> = (1..65).filter(|number| is_set(ignored, *number)).collect();
        assert_eq!(set, [1, 13]);
        assert_eq!(ignored_in("Name:\tx\n"), None);
    }

    #[test]
    fn a_second_signal_is_told_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut interrupts = Interrupts::listen().unwrap();
            for _ in 0..2 {
                kill_process(getpid(), Number::TERM).unwrap();
                assert_eq!(interrupts.next().await, Interrupt::Terminated);
            }
        });
    }
}

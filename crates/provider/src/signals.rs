//! Holds back signals that would end the process, while work must not be left half done.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The signals that are not held back: those that do not end a process, those of a fault
/// in the program itself, and those that `main` and the standard library handle.
const LET_THROUGH: [Signal; 16] = [
    Signal::SIGCHLD,
    Signal::SIGCONT,
    Signal::SIGSTOP,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGURG,
    Signal::SIGWINCH,
    Signal::SIGABRT,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGTRAP,
    Signal::SIGPIPE,
    Signal::SIGXFSZ,
];

/// All signals that end a process unless it handles them, real-time signals included, as
/// an administrator, systemd, a closed terminal, a timer, a limit on CPU time or the
/// deadline sends them.
fn ending() -> SigSet {
    let mut signals = SigSet::all();
    for signal in LET_THROUGH {
        signals.remove(signal);
    }
    signals
}

/// Holds back signals that end a process until this is dropped; a signal that arrived in
/// the meantime ends the process then. The process has one thread.
///
/// At all other times they have their default effect, since there is nothing to clean up.
#[derive(Debug)]
#[must_use]
pub struct HeldBack {
    before: Option<SigSet>,
}

/// Holds the signals back from now on.
pub fn hold_back() -> HeldBack {
    // This fails only for invalid arguments; the signals are not held back then.
    let before = ending().thread_swap_mask(SigmaskHow::SIG_BLOCK);
    HeldBack {
        before: before.ok(),
    }
}

impl HeldBack {
    /// Whether one of them has arrived.
    pub fn pending(&self) -> bool {
        let Ok(signals) = SignalFd::with_flags(&ending(), SfdFlags::SFD_CLOEXEC) else {
            return false;
        };
        let mut watched = [PollFd::new(&signals, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Holds them back until the process ends.
    pub fn forever(mut self) {
        self.before = None;
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // This fails only for an invalid argument.
            let _ignored = before.thread_set_mask();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sys::signal::raise;

    use super::*;

    fn is_blocked(signal: Signal) -> bool {
        SigSet::thread_get_mask().unwrap().contains(signal)
    }

    #[test]
    fn a_signal_waits_and_is_seen() {
        let held = hold_back();
        assert!(!held.pending());
        raise(Signal::SIGHUP).unwrap();
        assert!(held.pending());
        // Remove the signal from the queue: otherwise it would end the tests.
        let pending = SigSet::from(Signal::SIGHUP).wait().unwrap();
        assert_eq!(pending, Signal::SIGHUP);
        assert!(!held.pending());
        drop(held);
        assert!(!is_blocked(Signal::SIGHUP));
    }

    #[test]
    fn signals_may_be_held_back_for_good() {
        thread::spawn(|| {
            hold_back().forever();
            let held: Vec<_> = Signal::iterator()
                .filter(|&signal| is_blocked(signal))
                .collect();
            // All of signal(7) whose action is Term or Core and that nothing else handles.
            let expected = [
                Signal::SIGHUP,
                Signal::SIGINT,
                Signal::SIGQUIT,
                Signal::SIGUSR1,
                Signal::SIGUSR2,
                Signal::SIGALRM,
                Signal::SIGTERM,
                Signal::SIGSTKFLT,
                Signal::SIGXCPU,
                Signal::SIGVTALRM,
                Signal::SIGPROF,
                Signal::SIGIO,
                Signal::SIGPWR,
                Signal::SIGSYS,
            ];
            assert_eq!(held, expected);
        })
        .join()
        .unwrap();
    }
}

//! Signals that would end the process wait while something must not be left half
//! done.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// What an administrator, systemd or a closed terminal sends.
const ENDING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Does `work` with the signals that end a process held back; one that comes
/// meanwhile ends it right after. The process has one thread then.
///
/// Everywhere else they act as on any program: nothing there needs tidying up.
pub fn held_back<T>(work: impl FnOnce() -> T) -> T {
    let ending = SigSet::from_iter(ENDING);
    // Refused only for arguments that do not exist; a signal is then not held back.
    let before = ending.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let done = work();
    if let Ok(before) = before {
        before.thread_set_mask().unwrap_or_default();
    }
    done
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn a_signal_waits_for_the_work() {
        let pending = held_back(|| {
            raise(Signal::SIGHUP).unwrap();
            // Taken out of the queue again: it would end the tests.
            SigSet::from(Signal::SIGHUP).wait().unwrap()
        });
        assert_eq!(pending, Signal::SIGHUP);
        let blocked = SigSet::thread_get_mask().unwrap();
        assert!(!blocked.contains(Signal::SIGHUP));
    }
}

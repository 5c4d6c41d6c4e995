//! The faults that have not happened yet, in the order in which they were added.

use super::{AnswerFault, ConnectionFault, Fault, FaultKind};
use crate::http::Request;

/// Faults that wait for a connection or a request.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    /// Adds one.
    pub(crate) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    /// Removes all faults.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The fault of a new connection, if there is one.
    pub(crate) fn for_connection(&mut self) -> Option<ConnectionFault> {
        self.first(|fault| match &fault.kind {
            FaultKind::Connection(connection) => Some(connection.clone()),
            FaultKind::Answer(_) => None,
        })
    }

    /// The fault of the response to that request, if there is one.
    pub(crate) fn for_request(&mut self, request: &Request) -> Option<AnswerFault> {
        let continues = request.query().iter().any(|(key, _)| key == "continue");
        self.first(|fault| match &fault.kind {
            FaultKind::Answer(AnswerFault::ExpiredContinue) if !continues => None,
            FaultKind::Answer(answer) => fault
                .path
                .as_ref()
                .is_none_or(|part| request.target.contains(part))
                .then(|| answer.clone()),
            FaultKind::Connection(_) => None,
        })
    }

    /// Takes the first fault for which `applies` returns one.
    fn first<T>(&mut self, applies: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.waiting.retain(|fault| fault.times != Some(0));
        self.waiting.iter_mut().find_map(|fault| {
            let happens = applies(fault)?;
            fault.times = fault.times.map(|times| times - 1);
            Some(happens)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;
    use crate::{
        fault::{AnswerFault, ConnectionFault, Fault},
        http::read,
    };

    #[test]
    fn each_fault_waits_for_its_turn_and_its_request() {
        let mut faults = Faults::default();
        faults.add(ConnectionFault::Refuse.into());
        faults.add(AnswerFault::ExpiredContinue.into());
        faults.add(Fault::from(AnswerFault::Garbage).on_path_containing("b="));
        faults.add(Fault::from(AnswerFault::LoginPage).times(2));
        let mut next = |target: &str| {
            let sent = format!("GET {target} HTTP/1.1\r\n\r\n");
            let request = read(&mut sent.as_bytes(), &mut Vec::new());
            faults.for_request(&request.unwrap().unwrap())
        };

        assert_eq!(next("/?a=1"), Some(AnswerFault::LoginPage));
        assert_eq!(next("/?b=1"), Some(AnswerFault::Garbage));
        assert_eq!(next("/?continue=x"), Some(AnswerFault::ExpiredContinue));
        assert_eq!(next("/?continue=x"), Some(AnswerFault::LoginPage));
        assert_eq!(next("/"), None);
        assert_eq!(faults.for_connection(), Some(ConnectionFault::Refuse));
        assert_eq!(faults.for_connection(), None);
    }
}

//! Compares the stand-in with the recorded responses of a real API server, and tests each
//! of its faults as a client.
//!
//! All modules are under `cfg(test)`: clippy does not count other functions of an
//! integration test as test code.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod program;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;

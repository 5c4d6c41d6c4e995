//! Holds the stand-in to the recorded answers of a real API server, and shows
//! each of its faults from a client's side.
//!
//! Everything is in modules under `cfg(test)`, since clippy takes no other
//! function of an integration test for a part of a test.

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

#![doc = include_str!("../README.md")]

mod api;
mod builder;
mod certificate;
mod clock;
mod connection;
mod fault;
mod http;
pub mod manifest;
mod random;
mod record;
mod secret;
mod server;
mod shared;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::{
    builder::{Builder, Error, TlsVersion},
    certificate::CertificateKind,
    fault::{AnswerFault, ConnectionFault, Fault, RetryAfter},
    record::RecordedRequest,
    secret::Secret,
    server::ApiServer,
    state::TokenOptions,
};

/// Locks a mutex, even if a thread has panicked while it held the lock: the test that
/// caused the panic fails anyway, and others should have their own result.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

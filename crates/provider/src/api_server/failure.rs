//! Why the API server gave no answer that can be used, and whether another attempt may
//! help.

use std::error::Error as StdError;
use std::time::Duration;

use ureq::http::StatusCode;

use super::tls::{Refused, TlsError};
use crate::deadline::Elapsed;
use crate::excerpt::Excerpt;

/// A final response that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// `message` of the `Status` object, if there is one.
    pub message: Option<String>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS cannot be set up.
    #[error("trust the API server")]
    Trust(#[source] TlsError),
    /// TLS with the proxy cannot be set up.
    #[error("trust the proxy")]
    ProxyTrust(#[source] TlsError),
    /// The server's URL has no host.
    #[error("the API server's URL has no host")]
    NoHost,
    /// The token cannot be sent.
    #[error("serviceAccountToken has characters that no HTTP header may hold")]
    Token,
    /// The server's certificate cannot be trusted; a retry would not help.
    #[error("TLS with the API server as {name:?} (--certificate-authority names its CA)")]
    Certificate {
        /// The name its certificate should have.
        name: String,
        /// The certificate and the reason.
        #[source]
        source: Refused,
    },
    /// The TLS handshake failed; a retry would not help.
    #[error(
        "TLS with the API server as {name:?} (wrong CA or name? --certificate-authority, --tls-server-name)"
    )]
    Tls {
        /// The name its certificate should have.
        name: String,
        /// The error of the TLS library.
        #[source]
        source: rustls::Error,
    },
    /// No response in any attempt.
    #[error("no answer in {attempts} attempt(s)")]
    Unreachable {
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The run's time is up, most of which was spent on using the answer, not on waiting
    /// for it.
    #[error(transparent)]
    Elapsed(Elapsed),
    /// 5xx or 429 in all attempts.
    #[error("the answer is {status}, after {attempts} attempt(s)")]
    Unavailable {
        /// The number of attempts.
        attempts: u32,
        /// The last status.
        status: StatusCode,
    },
    /// A redirect, which would send the token elsewhere.
    #[error(
        "the answer is a redirect ({0}), which is not followed: is this the API server's own address?"
    )]
    Redirect(StatusCode),
    /// A status that a retry cannot change.
    #[error("the answer is {}{}", .0.status, .0.quoted())]
    Refused(Refusal),
    /// A response larger than the caller's limit.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
}

impl Refusal {
    fn quoted(&self) -> String {
        let message = self.message.as_deref();
        message.map_or_else(String::new, |message| format!(": {:?}", Excerpt(message)))
    }
}

/// How one attempt failed.
pub(super) enum Failure {
    /// Another attempt would fail as well.
    Final(ClientError),
    /// The connection failed or was broken.
    Transient {
        /// The error.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server answered that it cannot serve the request now.
    Busy {
        /// The HTTP status.
        status: StatusCode,
        /// The pause that it asks for.
        retry_after: Option<Duration>,
    },
}

impl Failure {
    /// The error of a request that failed in this way in its last attempt.
    pub(super) fn after(self, attempts: u32) -> ClientError {
        match self {
            Self::Final(error) => error,
            Self::Busy { status, .. } => ClientError::Unavailable { attempts, status },
            Self::Transient { source } => ClientError::Unreachable { attempts, source },
        }
    }

    /// A description for the log.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Final(error) => error.to_string(),
            Self::Transient { source } => source.to_string(),
            Self::Busy { status, .. } => format!("API server answered {status}"),
        }
    }
}

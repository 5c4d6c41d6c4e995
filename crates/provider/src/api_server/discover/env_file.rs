//! The API server's address in an environment file, as on OpenShift.

use std::io;
use std::path::Path;

use secret::{ReadError, read_file};

use crate::api_server::address::{self, bracketed, unbracketed};

/// The largest file that is read: 64 KiB.
const MAX_BYTES: usize = 64 * 1024;

/// Why the environment file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The port is not valid.
    #[error("KUBERNETES_SERVICE_PORT is not a port from 1 to 65535")]
    Port,
    /// The file sets no host.
    #[error("KUBERNETES_SERVICE_HOST is not set")]
    NoHost,
}

/// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, as OpenShift's
/// machine-config-operator writes them for services of the node.
///
/// `None` if the file does not exist, as on most nodes.
///
/// # Errors
/// [`EnvFileError`] if it exists, but cannot be used.
pub(super) fn server(path: &Path) -> Result<Option<String>, EnvFileError> {
    let text = match read_file(path, MAX_BYTES) {
        Ok(text) => text,
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    parse(&String::from_utf8_lossy(&text)).map(Some)
}

fn parse(text: &str) -> Result<String, EnvFileError> {
    let (mut host, mut port) = ("", "6443");
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        match name.trim() {
            "KUBERNETES_SERVICE_HOST" => host = unquote(value),
            "KUBERNETES_SERVICE_PORT" => port = unquote(value),
            _ => {}
        }
    }
    if host.is_empty() {
        return Err(EnvFileError::NoHost);
    }
    let port = address::port(port).ok_or(EnvFileError::Port)?;
    let host = bracketed(unbracketed(host));
    Ok(format!("https://{host}:{port}"))
}

fn unquote(value: &str) -> &str {
    let value = value.trim();
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_file_is_parsed() {
        for (text, expected) in [
            (
                "KUBERNETES_SERVICE_HOST=a\nKUBERNETES_SERVICE_PORT=1",
                Some("https://a:1"),
            ),
            (
                "# x\n KUBERNETES_SERVICE_HOST = 'a' \n",
                Some("https://a:6443"),
            ),
            (
                "export KUBERNETES_SERVICE_HOST=\"2001:db8::1\"",
                Some("https://[2001:db8::1]:6443"),
            ),
            ("KUBERNETES_SERVICE_HOST=[::1]", Some("https://[::1]:6443")),
            ("KUBERNETES_SERVICE_HOST=''", None),
            ("KUBERNETES_SERVICE_HOST=a\nKUBERNETES_SERVICE_PORT=x", None),
            (
                "KUBERNETES_SERVICE_HOST=a\nKUBERNETES_SERVICE_PORT=+1",
                None,
            ),
            ("KUBERNETES_SERVICE_HOST=a\nKUBERNETES_SERVICE_PORT=0", None),
            (
                "KUBERNETES_SERVICE_HOST=a\nKUBERNETES_SERVICE_PORT=65536",
                None,
            ),
            ("KUBERNETES_SERVICE_HOST=a\nKUBERNETES_SERVICE_PORT=", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}

//! Runs a program of the node to ask for its version.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use secret::read_bounded;

/// The longest time that it may take.
const LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
/// The most bytes that are read of its output. A pipe holds more, so the program never
/// waits for its reader.
const MAX_BYTES: usize = 4096;

/// The output of the program, run without any environment; `None` if it fails or takes
/// too long.
pub(super) fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    match run(program, arguments) {
        Ok(said) => said,
        Err(error) => {
            tracing::debug!(?program, "run: {error}");
            None
        }
    }
}

fn run(program: &Path, arguments: &[&str]) -> io::Result<Option<String>> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Use a pipe for its stderr: the sandbox does not allow opening `/dev/null`.
    let mut child = command.spawn()?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill()?;
            break child.wait()?;
        }
        thread::sleep(PAUSE);
    };
    let stdout = child.stdout.take().filter(|_| status.success());
    let said = stdout.and_then(|stdout| read_bounded(stdout, MAX_BYTES).ok());
    Ok(said.map(|said| String::from_utf8_lossy(&said).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_program_is_read_within_a_time_limit() {
        let shell = |script: &str| output(Path::new("/bin/sh"), &["-c", script]);
        let said = shell("echo \"Kubernetes v1.36.2$HOME\"");
        assert_eq!(said.as_deref(), Some("Kubernetes v1.36.2\n"));
        assert_eq!(shell("echo x; exit 1"), None);
        assert_eq!(output(Path::new("/nowhere"), &[]), None);
        let started = Instant::now();
        assert_eq!(shell("exec sleep 60"), None);
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

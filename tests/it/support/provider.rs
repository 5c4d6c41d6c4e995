//! The provider's command line, and running it as kubelet does.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getuid};

use super::terminal::on_terminal;
use super::{Node, Outcome, Request, Run};

/// The executable under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_crio-credential-provider");

/// A run that is prepared, with its own environment.
#[derive(Clone)]
pub(crate) struct Provider {
    directory: PathBuf,
    flags: Vec<(String, OsString)>,
    switches: Vec<String>,
    environment: Vec<(String, OsString)>,
    token: Option<String>,
}

impl Provider {
    /// A provider without any flag, to be run in that directory.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            flags: Vec::new(),
            switches: Vec::new(),
            environment: Vec::new(),
            token: None,
        }
    }

    /// The token of the pod that kubelet pulls for.
    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Sets a flag with a value, instead of any earlier value.
    pub(crate) fn flag(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.without(name).another(name, value)
    }

    /// Gives a repeatable flag once more.
    pub(crate) fn another(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.flags
            .push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Removes a flag.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.flags.retain(|(given, _)| given != name);
        self
    }

    /// Sets a flag without a value.
    pub(crate) fn switch(mut self, name: &str) -> Self {
        self.switches.push(name.to_owned());
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_owned();
        self.environment.push((name.to_owned(), value));
        self
    }

    /// Gives every flag by its environment variable instead.
    pub(crate) fn in_environment(mut self) -> Self {
        let mut variables: Vec<(String, OsString)> = Vec::new();
        for (flag, value) in self.flags.drain(..) {
            let name = variable(&flag);
            match variables.iter_mut().find(|(given, _)| *given == name) {
                Some((_, values)) => {
                    values.push(":");
                    values.push(value);
                }
                None => variables.push((name, value)),
            }
        }
        for switch in self.switches.drain(..) {
            variables.push((variable(&switch), "true".into()));
        }
        self.environment.extend(variables);
        self
    }

    /// kubelet asks for the credentials of an image, on behalf of the pod.
    pub(crate) fn pull(&self, image: &str) -> Outcome {
        self.serve(&self.request(image))
    }

    /// The same, with this stdout.
    pub(crate) fn pull_into(&self, image: &str, stdout: impl Into<Stdio>) -> Outcome {
        self.begin_into(image, stdout).outcome()
    }

    /// kubelet sends this request.
    pub(crate) fn serve(&self, request: &Request) -> Outcome {
        self.run(request.to_string().as_bytes())
    }

    /// The provider gets these bytes on stdin.
    pub(crate) fn run(&self, stdin: &[u8]) -> Outcome {
        finish(self.command(), stdin)
    }

    /// Runs it by hand, with more arguments.
    pub(crate) fn run_with(&self, arguments: &[&str]) -> Outcome {
        self.run_with_stdin(arguments, b"")
    }

    /// Runs it by hand, with more arguments and this stdin.
    pub(crate) fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Outcome {
        let mut command = self.command();
        command.args(arguments);
        finish(command, stdin)
    }

    /// Runs it by hand on a terminal, with more arguments, and returns the exit code and
    /// everything that the terminal shows.
    pub(crate) fn run_on_terminal(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = self.command();
        command.args(arguments);
        on_terminal(command)
    }

    /// The pull, with stdin left open after the request.
    pub(crate) fn pull_with_open_stdin(&self, image: &str) -> Outcome {
        let started = Instant::now();
        let (child, stdin) = self.start(image);
        let outcome = Outcome::new(child.wait_with_output().unwrap(), started.elapsed());
        drop(stdin);
        outcome
    }

    /// The pull, which gets `signal` as soon as `ready` returns true.
    pub(crate) fn pull_until(
        &self,
        image: &str,
        ready: impl Fn() -> bool,
        signal: Signal,
    ) -> Outcome {
        let started = Instant::now();
        let mut run = self.begin(image);
        while !ready() {
            assert!(started.elapsed() < Duration::from_secs(20), "never ready");
            thread::sleep(Duration::from_millis(5));
        }
        run.signal(signal);
        run.outcome()
    }

    /// The pull from a shell script that runs `"$PROVIDER"`, with every flag in
    /// the environment, and `arguments` on the script's own command line.
    pub(crate) fn pull_in_script(&self, script: &str, arguments: &[&str], image: &str) -> Outcome {
        let provider = self.clone().in_environment();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).args(arguments);
        provider.surround(&mut command);
        command.env("PROVIDER", PROGRAM);
        finish(command, provider.request(image).to_string().as_bytes())
    }

    /// As [`pull_in_script`](Self::pull_in_script), but not as root. It runs a copy of
    /// the program: other users may have no access to the directory where it was built.
    pub(crate) fn pull_by_nobody(&self, node: &Node, script: &str, image: &str) -> Outcome {
        const NOBODY: u32 = 65534;
        let program = node.copy_program(PROGRAM, "program");
        node.set_mode("", 0o755);
        let provider = self.clone().in_environment();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        provider.surround(&mut command);
        command.env("PROVIDER", program);
        if getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        finish(command, provider.request(image).to_string().as_bytes())
    }

    fn start(&self, image: &str) -> (Child, ChildStdin) {
        let mut child = spawn(self.command());
        let mut stdin = child.stdin.take().unwrap();
        let request = self.request(image).to_string();
        stdin.write_all(request.as_bytes()).unwrap();
        (child, stdin)
    }

    /// Starts a pull, with the request already written.
    pub(crate) fn begin(&self, image: &str) -> Run {
        let started = Instant::now();
        let (child, stdin) = self.start(image);
        drop(stdin);
        Run::new(child, started)
    }

    /// The same, with this stdout.
    pub(crate) fn begin_into(&self, image: &str, stdout: impl Into<Stdio>) -> Run {
        let started = Instant::now();
        let mut command = self.command();
        let command = command.stdin(Stdio::piped()).stdout(stdout);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let request = self.request(image).to_string();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(request.as_bytes()).unwrap();
        Run::new(child, started)
    }

    fn request(&self, image: &str) -> Request {
        let request = Request::new(image);
        match &self.token {
            Some(token) => request.token(token),
            None => request,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        for (name, value) in &self.flags {
            let mut argument = OsString::from(format!("{name}="));
            argument.push(value);
            command.arg(argument);
        }
        command.args(&self.switches);
        self.surround(&mut command);
        command
    }

    /// The environment of the tests is not inherited, except for the path of a coverage
    /// profile.
    #[expect(
        clippy::disallowed_methods,
        reason = "the variable is for the tool that runs the tests, not for the program"
    )]
    fn surround(&self, command: &mut Command) {
        command.env_clear().current_dir(&self.directory);
        if let Some(profile) = env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        for (name, value) in &self.environment {
            command.env(name, value);
        }
    }
}

/// The environment variable that stands for a flag.
fn variable(flag: &str) -> String {
    let name = flag.trim_start_matches('-').replace('-', "_");
    format!("CRIO_CREDENTIAL_PROVIDER_{}", name.to_uppercase())
}

fn spawn(mut command: Command) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(command: Command, stdin: &[u8]) -> Outcome {
    let started = Instant::now();
    let mut child = spawn(command);
    let mut pipe = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A program that has read enough closes its stdin early.
        scope.spawn(move || pipe.write_all(stdin).unwrap_or_default());
        let output = child.wait_with_output().unwrap();
        Outcome::new(output, started.elapsed())
    })
}

//! The stand-in as a program, for shell scripts and the demo: it reads Secrets from
//! files, writes the files for clients into a directory, and serves.

use std::{
    error::Error as _,
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Read, Write},
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    thread,
};

use clap::Parser;
use test_cluster::{ApiServer, manifest};
use thiserror::Error;

const PUBLIC: u32 = 0o644;

const PRIVATE: u32 = 0o600;

/// Serves Secrets like a Kubernetes API server, until stdin closes. A stdin
/// that is /dev/null, as a shell gives it to a background job, counts as open.
#[derive(Debug, Parser)]
#[command(name = "test-cluster")]
struct Cli {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Directory for ca.crt, url, kubeconfig, token-NAMESPACE-ACCOUNT, and at
    /// last ready
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// JSON files with a Secret or a List of them, as kubectl prints them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    secrets: Vec<PathBuf>,

    /// Service accounts that may get and list the Secrets of their namespace
    #[arg(long, value_name = "NAMESPACE/ACCOUNT", num_args = 1..)]
    grant: Vec<Account>,

    /// Service accounts to write a token for, with mode 0600
    #[arg(long, value_name = "NAMESPACE/ACCOUNT", num_args = 1..)]
    token: Vec<Account>,

    /// File to append a line to for each request: METHOD path?query -> status
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct Account {
    namespace: String,
    name: String,
}

#[derive(Debug, Error)]
enum Error {
    #[error("write NAMESPACE/ACCOUNT instead of {0:?}")]
    Account(String),
    #[error("read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("read {}", .0.display())]
    Secrets(PathBuf, #[source] manifest::Error),
    #[error("write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("start the server")]
    Start(#[source] test_cluster::Error),
    #[error("use stdin and stdout")]
    Stdio(#[source] io::Error),
}

fn main() -> ExitCode {
    let Err(error) = run(&Cli::parse()) else {
        return ExitCode::SUCCESS;
    };
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    // Ignore a closed stderr.
    let _told = writeln!(io::stderr(), "test-cluster: {message}");
    ExitCode::FAILURE
}

fn run(cli: &Cli) -> Result<(), Error> {
    let ready = cli.out.join("ready");
    prepare(&cli.out, &ready).map_err(|error| Error::Write(cli.out.clone(), error))?;
    let server = start(cli)?;
    write(cli.out.join("ca.crt"), PUBLIC, &server.ca_pem())?;
    write(cli.out.join("url"), PUBLIC, &server.url())?;
    write(cli.out.join("kubeconfig"), PUBLIC, &server.kubeconfig())?;
    for Account { namespace, name } in &cli.token {
        let path = cli.out.join(format!("token-{namespace}-{name}"));
        write(path, PRIVATE, &server.token(namespace, name))?;
    }
    write(ready, PUBLIC, "")?;
    writeln!(io::stdout(), "listening on {}", server.url()).map_err(Error::Stdio)?;
    wait().map_err(Error::Stdio)
}

/// Creates the directory, and removes the file `ready` of an earlier run.
fn prepare(out: &Path, ready: &Path) -> io::Result<()> {
    fs::create_dir_all(out)?;
    remove(ready)
}

fn start(cli: &Cli) -> Result<ApiServer, Error> {
    let mut builder = ApiServer::builder().listen(cli.listen);
    if let Some(path) = &cli.log {
        let log = File::options().create(true).append(true).open(path);
        builder = builder.log(log.map_err(|error| Error::Write(path.clone(), error))?);
    }
    let server = builder.try_start().map_err(Error::Start)?;
    for path in &cli.secrets {
        let json = read(path).map_err(|error| Error::Read(path.clone(), error))?;
        let secrets = manifest::read(&json).map_err(|error| Error::Secrets(path.clone(), error))?;
        for (namespace, secret) in secrets {
            server.put_secret(&namespace, secret);
        }
    }
    for Account { namespace, name } in &cli.grant {
        server.grant(namespace, name);
    }
    Ok(server)
}

fn wait() -> io::Result<()> {
    let silent = fs::metadata("/dev/stdin")
        .is_ok_and(|stdin| stdin.file_type().is_char_device() && !io::stdin().is_terminal());
    if silent {
        loop {
            thread::park();
        }
    }
    io::copy(&mut io::stdin(), &mut io::sink()).map(|_| ())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a new file; replaces an existing one.
fn write(path: PathBuf, mode: u32, content: &str) -> Result<(), Error> {
    let written = remove(&path)
        .and_then(|()| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)
        })
        .and_then(|mut file| file.write_all(content.as_bytes()));
    written.map_err(|error| Error::Write(path, error))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl FromStr for Account {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('/') {
            Some((namespace, name)) if !name.contains('/') && !namespace.is_empty() => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(Error::Account(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

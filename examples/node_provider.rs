//! A credential provider for the tests. It checks that its stdin follows kubelet's
//! protocol, records how it was run, and writes the response that its arguments describe.
//! It is not part of the packages.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use kubelet_credential_provider::{ApiVersion, Auth, CacheKeyType, GoDuration, Request, Response};
use serde_json::json;

/// The pause between two parts of a response.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Parser)]
struct Arguments {
    /// The file that gets a line of JSON for each run.
    #[arg(long)]
    record: Option<PathBuf>,
    /// A login of the response, as KEY=USER:PASSWORD.
    #[arg(long = "login")]
    logins: Vec<String>,
    /// The `cacheKeyType` of the response.
    #[arg(long, default_value = "Image")]
    cache: String,
    /// Its `cacheDuration`, unless it is left out.
    #[arg(long, allow_hyphen_values = true)]
    duration: Option<GoDuration>,
    /// The length of stdout: a password makes up for what is missing.
    #[arg(long)]
    length: Option<usize>,
    /// How many bytes of stdout are written at once.
    #[arg(long, default_value_t = usize::MAX)]
    part: usize,
    /// Milliseconds before the response.
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// Leaves a process behind that has stdout and stderr open, and records its ID.
    #[arg(long)]
    leave: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut stdin = Vec::new();
    io::stdin().read_to_end(&mut stdin)?;
    let request = Request::parse(&stdin).context("parse stdin")?;
    let mut written = request.to_json(ApiVersion::V1);
    written.push(b'\n');
    ensure!(
        *written == stdin,
        "stdin is not a request as kubelet writes it"
    );

    let left = arguments.leave.then(leave).transpose()?;
    if let Some(record) = &arguments.record {
        append(record, &request, left)?;
    }
    sleep(Duration::from_millis(arguments.delay));
    let response = response(&arguments)?;
    for part in response.chunks(arguments.part) {
        io::stdout().write_all(part)?;
        if part.len() < response.len() {
            sleep(PAUSE);
        }
    }
    Ok(())
}

fn leave() -> io::Result<u32> {
    let child = Command::new("sleep").arg("1000").spawn()?;
    Ok(child.id())
}

/// Adds a line about this run: a single write, since several runs may share the file.
fn append(path: &PathBuf, request: &Request, left: Option<u32>) -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let environment: serde_json::Map<_, _> = env::vars()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let files: Vec<PathBuf> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect();
    let record = json!({
        "arguments": arguments,
        "files": files,
        "environment": environment,
        "directory": env::current_dir()?,
        "image": request.image,
        "left": left,
    });
    let mut file = File::options().append(true).create(true).open(path)?;
    file.write_all(format!("{record}\n").as_bytes())?;
    Ok(())
}

fn response(arguments: &Arguments) -> Result<Vec<u8>> {
    let cache_key_type = match arguments.cache.as_str() {
        "Registry" => CacheKeyType::Registry,
        "Global" => CacheKeyType::Global,
        _ => CacheKeyType::Image,
    };
    let mut response = Response {
        cache_key_type,
        cache_duration: arguments.duration,
        auth: BTreeMap::new(),
    };
    for login in &arguments.logins {
        let (key, login) = login.split_once('=').context("KEY=USER:PASSWORD")?;
        let (user, password) = login.split_once(':').context("USER:PASSWORD")?;
        response
            .auth
            .insert(key.to_owned(), Auth::new(user, password));
    }
    if let Some(length) = arguments.length {
        let key = || "padding.example".to_owned();
        response.auth.insert(key(), Auth::new("u", ""));
        let missing = length.checked_sub(response.to_json().len());
        let password = "p".repeat(missing.context("--length is too short")?);
        response.auth.insert(key(), Auth::new("u", password));
    }
    Ok(response.to_json().to_vec())
}

//! Build facts for `--version-json`. All of it depends only on the commit, the toolchain
//! and `SOURCE_DATE_EPOCH`, and none of it is required: a source archive without git
//! builds too.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes values to build scripts in the environment"
)]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let target = env::var("TARGET").unwrap_or_default();
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let git = |args: &[&str]| output("git", args).unwrap_or_default();
    set("GIT_COMMIT", &git(&["rev-parse", "HEAD"]));
    let utc = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
    set("GIT_COMMIT_DATE", &git(&["log", "-1", "--format=%cd", utc]));
    set("DATE", &build_date().unwrap_or_default());
    set(
        "RUST_VERSION",
        &output(&rustc, &["--version"]).unwrap_or_default(),
    );
    set("PLATFORM", &platform());
    set("DEPENDENCIES", &dependencies(&target).unwrap_or_default());
    set("TARGET", &target);

    for name in ["SOURCE_DATE_EPOCH", "REGISTRIES_CONF"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    // HEAD changes with the branch, its log with every commit.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name]);
        if Path::new(&path).is_file() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // The linker scripts of test/build: cargo links the program again after a change.
    for file in ["build.rs", "test/no-unwind.ld", "test/start.ld"] {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
}

fn set(name: &str, value: &str) {
    println!("cargo::rustc-env=BUILD_{name}={value}");
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .env("TZ", "UTC")
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `SOURCE_DATE_EPOCH` in RFC 3339; <https://reproducible-builds.org/specs/source-date-epoch/>.
fn build_date() -> Option<String> {
    let epoch = env::var("SOURCE_DATE_EPOCH").ok()?;
    let seconds: u64 = epoch.trim().parse().ok()?;
    output(
        "date",
        &["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"],
    )
}

fn platform() -> String {
    let of = |name| env::var(name).unwrap_or_default();
    let architecture = match of("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        "powerpc64" if of("CARGO_CFG_TARGET_ENDIAN") == "little" => "ppc64le".to_owned(),
        other => other.to_owned(),
    };
    format!("{}/{architecture}", of("CARGO_CFG_TARGET_OS"))
}

/// The crates that cargo links into the executable, as cargo lists them.
fn dependencies(target: &str) -> Option<String> {
    let cargo = env::var("CARGO").ok()?;
    let package = env::var("CARGO_PKG_NAME").ok()?;
    let tree = output(
        &cargo,
        &[
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal,no-proc-macro",
            "--target",
            target,
            "--package",
            &package,
            "--prefix",
            "none",
            "--format",
            "{p}",
        ],
    )?;
    let name_and_version = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        (name != package).then(|| format!("{name} {version}"))
    };
    let mut found: Vec<String> = tree.lines().filter_map(name_and_version).collect();
    found.sort();
    found.dedup();
    Some(found.join(","))
}

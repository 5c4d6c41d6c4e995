//! A terminal to run a program on.

use std::fs::File;
use std::io::Read;
use std::process::Command;

use nix::pty::openpty;

/// Runs a command on a terminal of its own, and returns the exit code and everything that
/// the terminal shows.
pub(super) fn on_terminal(mut command: Command) -> (Option<i32>, String) {
    let terminal = openpty(None, None).unwrap();
    let end = || terminal.slave.try_clone().unwrap();
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    // Nobody but the child keeps its end open.
    drop((terminal.slave, command));
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let mut master = File::from(terminal.master);
    // The last reader gets an error at the end.
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
    }
    let code = child.wait().unwrap().code();
    (code, String::from_utf8(seen).unwrap().replace("\r\n", "\n"))
}

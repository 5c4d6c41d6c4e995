//! Writes the response to kubelet: all of it, or the run fails.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, makedev};
use rustix::io::{Errno, write};

use crate::deadline::Deadline;
use crate::kubelet::Response;

/// Writes the response to `stdout`, which is not buffered and may be a pipe that no
/// process reads.
///
/// # Errors
/// The response was not written completely, so kubelet has none.
pub fn answer(stdout: impl AsFd, response: &Response, deadline: Deadline) -> io::Result<()> {
    if was_closed(&stdout)? {
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, "it is closed"));
    }
    let mut bytes = Vec::new();
    response.write(&mut bytes)?;
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        let timeout = Timespec::try_from(deadline.remaining()).ok();
        let mut watched = [PollFd::new(&stdout, PollFlags::OUT)];
        if poll(&mut watched, timeout.as_ref())? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, deadline.elapsed()));
        }
        match write(&stdout, left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Whether the process was started without a stdout: the standard library then opens
/// `/dev/null` for it, for reading and writing. A shell's `>/dev/null` is open only for
/// writing, and counts as a stdout.
fn was_closed(stdout: &impl AsFd) -> io::Result<bool> {
    let stat = fstat(stdout)?;
    let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == makedev(1, 3);
    Ok(is_null && fcntl_getfl(stdout)?.contains(OFlags::RDWR))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{PipeWriter, Read, Write, pipe};
    use std::time::Duration;

    use super::*;

    fn soon() -> Deadline {
        Deadline::new(Duration::from_millis(50))
    }

    fn fill(mut pipe: &PipeWriter) {
        rustix::io::ioctl_fionbio(pipe, true).unwrap();
        while pipe.write(&[b'x'; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(pipe, false).unwrap();
    }

    #[test]
    fn the_whole_response_is_written() {
        let (mut reader, writer) = pipe().unwrap();
        answer(&writer, &Response::empty(), soon()).unwrap();
        drop(writer);
        let (mut written, mut expected) = (Vec::new(), Vec::new());
        reader.read_to_end(&mut written).unwrap();
        Response::empty().write(&mut expected).unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn a_response_that_is_not_read_is_a_failure() {
        let (reader, writer) = pipe().unwrap();
        fill(&writer);
        let error = answer(&writer, &Response::empty(), soon()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(reader);
        let error = answer(&writer, &Response::empty(), soon()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_redirection_to_the_null_device_is_not_a_failure() {
        let mut options = File::options();
        let for_writing = options.write(true).open("/dev/null").unwrap();
        answer(&for_writing, &Response::empty(), soon()).unwrap();
        let for_both = options.read(true).open("/dev/null").unwrap();
        answer(&for_both, &Response::empty(), soon()).unwrap_err();
    }
}

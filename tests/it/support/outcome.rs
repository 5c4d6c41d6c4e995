//! The outcome of one run.

use std::process::Output;
use std::time::Duration;

/// The `auth` of a response that names no image.
pub(crate) const EMPTY: &str = "{}";

/// The `auth` of a response after which kubelet records the image for the service
/// account.
pub(crate) fn owned(image: &str) -> String {
    format!(r#"{{"{image}":{{"username":"","password":""}}}}"#)
}

/// The exit code and the output of a process.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// # Panics
    /// If the program panicked, which no input may cause. A panic's message is an error
    /// line with exit code 1, as any other failure is.
    #[track_caller]
    pub(crate) fn new(output: Output, elapsed: Duration) -> Self {
        let outcome = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            elapsed,
        };
        outcome.never_prints(&["internal error at", "panicked at"]);
        outcome
    }

    /// Asserts a response with exactly that `auth`, and no error.
    #[track_caller]
    pub(crate) fn answers(&self, auth: &str) {
        let expected = format!(
            r#"{{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Image","cacheDuration":"0s","auth":{auth}}}"#
        );
        assert_eq!(self.stdout, expected + "\n", "{self}");
        assert_eq!(self.code, Some(0), "{self}");
        assert!(self.lines("ERROR").is_empty(), "{self}");
    }

    /// Asserts a failure: nothing on stdout, and one line at the end of stderr
    /// with all these words.
    #[track_caller]
    pub(crate) fn fails_with(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        let errors = self.lines("ERROR");
        assert_eq!(errors.len(), 1, "{self}");
        assert_eq!(errors.last(), self.stderr.lines().last().as_ref(), "{self}");
        for word in words {
            assert!(errors[0].contains(word), "no {word:?} in: {self}");
        }
    }

    /// Asserts wrong usage: nothing on stdout, and a first line with these words.
    #[track_caller]
    pub(crate) fn is_wrong_usage(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        let first = self.stderr.lines().next().unwrap_or_default();
        for word in words {
            assert!(first.contains(word), "no {word:?} in: {self}");
        }
    }

    /// Asserts that a warning has all these words.
    #[track_caller]
    pub(crate) fn warns_with(&self, words: &[&str]) {
        let says_all = |line: &&str| words.iter().all(|word| line.contains(word));
        let warnings = self.lines("WARN");
        assert!(warnings.iter().any(says_all), "no {words:?} in: {self}");
    }

    /// Asserts that there is no warning and no error.
    #[track_caller]
    pub(crate) fn is_quiet(&self) {
        assert!(self.lines("WARN").is_empty(), "{self}");
        assert!(self.lines("ERROR").is_empty(), "{self}");
    }

    /// Asserts that none of these words was printed.
    #[track_caller]
    pub(crate) fn never_prints(&self, words: &[&str]) {
        for word in words {
            let said = self.stdout.contains(word) || self.stderr.contains(word);
            assert!(!said, "{word:?} in: {self}");
        }
    }

    /// Asserts that these words are in exactly one line of the log.
    #[track_caller]
    pub(crate) fn prints_once(&self, words: &str) {
        let lines = self.stderr.lines().filter(|line| line.contains(words));
        assert_eq!(lines.count(), 1, "{words:?} in: {self}");
    }

    fn lines(&self, level: &str) -> Vec<&str> {
        let of_level = |line: &&str| line.trim_start().starts_with(level);
        self.stderr.lines().filter(of_level).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit {:?} after {:?}\nstdout: {}\nstderr: {}",
            self.code, self.elapsed, self.stdout, self.stderr
        )
    }
}

//! One function per fuzz target. Each takes any bytes, and panics where the program panics
//! or breaks a property that it guarantees.
//!
//! A property is checked in one of three ways: against the guarantees of the types; against
//! a second, simpler implementation of the same rule, written from the specification and
//! sharing no code with the first; and against the *marker*, a password that is planted in
//! the input and must not appear in an error, a log line or a `Debug`.
//!
//! The functions do not depend on libFuzzer: `fuzz_targets/` passes them to it, and
//! `tests/smoke.rs` runs them over the corpus with any compiler.

#![forbid(unsafe_code)]

mod docker_config;
mod image_name;
mod key_matcher;
mod kubeconfig;
mod registries_conf;
mod request;
mod secret_list;

mod log;
mod presentable;
mod replay;

pub use crate::docker_config::docker_config;
pub use crate::image_name::image_name;
pub use crate::key_matcher::key_matcher;
pub use crate::kubeconfig::kubeconfig;
pub use crate::registries_conf::registries_conf;
pub use crate::replay::replay;
pub use crate::request::request;
pub use crate::secret_list::secret_list;

/// A target by its name, which is also that of its corpus and its binary.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "request",
        run: request,
    },
    Target {
        name: "registries_conf",
        run: registries_conf,
    },
    Target {
        name: "docker_config",
        run: docker_config,
    },
    Target {
        name: "kubeconfig",
        run: kubeconfig,
    },
    Target {
        name: "secret_list",
        run: secret_list,
    },
    Target {
        name: "key_matcher",
        run: key_matcher,
    },
    Target {
        name: "image_name",
        run: image_name,
    },
];

/// The body of a file in `fuzz_targets/`: under `cargo fuzz` libFuzzer's entry point,
/// otherwise a `main` that replays the files in its arguments.
#[macro_export]
macro_rules! fuzz_target {
    ($target:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$target(data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay($crate::$target);
        }
    };
}

//! See `fuzz::docker_config`.
#![cfg_attr(fuzzing, no_main)]
fuzz::fuzz_target!(docker_config);

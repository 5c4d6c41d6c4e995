//! See `fuzz::registries_conf`.
#![cfg_attr(fuzzing, no_main)]
fuzz::fuzz_target!(registries_conf);

//! See `fuzz::key_matcher`.
#![cfg_attr(fuzzing, no_main)]
fuzz::fuzz_target!(key_matcher);

//! See `fuzz::image_name`.
#![cfg_attr(fuzzing, no_main)]
fuzz::fuzz_target!(image_name);

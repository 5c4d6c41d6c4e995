//! See `fuzz::secret_list`.
#![cfg_attr(fuzzing, no_main)]
fuzz::fuzz_target!(secret_list);

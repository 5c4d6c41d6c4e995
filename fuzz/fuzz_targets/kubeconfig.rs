//! See `fuzz::kubeconfig`.
#![cfg_attr(fuzzing, no_main)]
fuzz::fuzz_target!(kubeconfig);

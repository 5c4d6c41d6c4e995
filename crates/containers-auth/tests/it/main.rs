//! Tests of the public API.

#[cfg(test)]
mod vectors;

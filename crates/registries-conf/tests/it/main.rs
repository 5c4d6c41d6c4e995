//! Tests of the public API: results of containers/image, rule by rule, and broken or
//! malicious input.

#[cfg(test)]
mod support;

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod rules;

#[cfg(test)]
mod errors;

#[cfg(test)]
mod load;

#[cfg(test)]
mod search_paths;

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod properties;

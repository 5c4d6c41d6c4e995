//! Values that are redacted in `Debug` and wiped when dropped.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

use zeroize::Zeroize;

/// A buffer that is wiped when dropped, spare capacity included; redacted in `Debug`.
///
/// Like `zeroize::Zeroizing`, but faster: that type clears a vector byte by byte.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Wiped<T: Wipe>(T);

/// A buffer that [`Wiped`] can contain.
pub trait Wipe: Zeroize {
    /// Empties the buffer, and keeps its capacity.
    fn empty(&mut self);
}

impl Wipe for Vec<u8> {
    fn empty(&mut self) {
        self.clear();
    }
}

impl Wipe for String {
    fn empty(&mut self) {
        self.clear();
    }
}

impl<T: Wipe> Wiped<T> {
    /// Takes ownership of a buffer.
    pub fn new(buffer: T) -> Self {
        Self(buffer)
    }
}

impl<T: Wipe> Drop for Wiped<T> {
    fn drop(&mut self) {
        // The spare capacity is wiped in one call, and in an empty buffer it is
        // everything.
        self.0.empty();
        self.0.zeroize();
    }
}

impl<T: Wipe> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Wipe> DerefMut for Wiped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Wipe> fmt::Debug for Wiped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wiped(..)")
    }
}

/// A byte string that is redacted in `Debug` and wiped when dropped.
///
/// ```
/// let password = secret::Secret::from("hunter2");
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Wiped<Vec<u8>>);

impl Secret {
    /// The value itself; the caller must not log it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(Wiped::new(value.as_bytes().to_vec()))
    }
}

impl From<Vec<u8>> for Secret {
    fn from(value: Vec<u8>) -> Self {
        Self(Wiped::new(value))
    }
}

impl From<Wiped<Vec<u8>>> for Secret {
    fn from(value: Wiped<Vec<u8>>) -> Self {
        Self(value)
    }
}

impl From<Wiped<String>> for Secret {
    fn from(mut value: Wiped<String>) -> Self {
        Self::from(mem::take(&mut *value).into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

//! Reads JSON value by value as it arrives, so that a list takes no more memory than its
//! largest item.
//!
//! `serde_json` checks and decodes the values; only the brackets and commas around them are
//! read here.

use std::io::{ErrorKind, Read};

use secret::{DecodeError, ReadError, Wiped};
use serde::de::DeserializeOwned;
use serde_json::Deserializer;

use crate::deadline::Elapsed;

/// The size of a new buffer: two TLS records.
const FIRST: usize = 32 * 1024;

/// The buffer of a stream; it can be used for one stream after the other, and is wiped
/// when dropped.
pub(super) type Buffer = Wiped<Vec<u8>>;

/// JSON from a reader.
pub(super) struct JsonStream<'a, R> {
    reader: R,
    buffer: &'a mut Buffer,
    /// The start of the bytes that were read and not used yet.
    start: usize,
    end: usize,
    limits: Limits,
    /// The number of bytes that were read.
    read: usize,
}

/// The limits of a stream, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The largest value.
    pub(super) value: usize,
    /// The whole stream.
    pub(super) all: usize,
}

/// Why a stream cannot be read any further.
#[derive(Debug)]
pub(super) enum StreamError {
    /// The reader fails, or a value is too large.
    Read(ReadError),
    /// It is not JSON of the expected shape.
    Decode(Option<DecodeError>),
    /// The time was up while a value was used.
    Elapsed(Elapsed),
}

impl From<Elapsed> for StreamError {
    fn from(elapsed: Elapsed) -> Self {
        Self::Elapsed(elapsed)
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<serde_json::Error> for StreamError {
    fn from(error: serde_json::Error) -> Self {
        Self::Decode(Some(error.into()))
    }
}

impl<'a, R: Read> JsonStream<'a, R> {
    /// Reads JSON within these limits.
    pub(super) fn new(reader: R, buffer: &'a mut Buffer, limits: Limits) -> Self {
        Self {
            reader,
            buffer,
            start: 0,
            end: 0,
            limits,
            read: 0,
        }
    }

    /// Reads one character, such as `[`.
    ///
    /// # Errors
    /// [`StreamError`], also if the next character is another one.
    pub(super) fn expect(&mut self, character: u8) -> Result<(), StreamError> {
        if self.peek()? != Some(character) {
            return Err(StreamError::Decode(None));
        }
        self.start += 1;
        Ok(())
    }

    /// Whether another member follows in an array or object that ends in `close`; reads the
    /// comma before it, or the end.
    ///
    /// # Errors
    /// [`StreamError`].
    pub(super) fn has_next(&mut self, close: u8, is_first: bool) -> Result<bool, StreamError> {
        if self.peek()? == Some(close) {
            self.start += 1;
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Reads one whole value and decodes it on the way.
    ///
    /// # Errors
    /// [`StreamError`]. The stream stays before a value that is not a `T`, so that it can
    /// be read as something else.
    pub(super) fn decode<T: DeserializeOwned>(&mut self) -> Result<T, StreamError> {
        self.peek()?;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let mut values = Deserializer::from_slice(unread).into_iter();
            match values.next() {
                // A number ends where another token begins.
                Some(Ok(value)) if values.byte_offset() < unread.len() => {
                    let length = values.byte_offset();
                    let text = unread.get(..length).unwrap_or_default();
                    // What is passed over was not looked at.
                    str::from_utf8(text).map_err(|_position| StreamError::Decode(None))?;
                    self.start = self.start.saturating_add(length);
                    return Ok(value);
                }
                Some(Err(error)) if !error.is_eof() => return Err(error.into()),
                Some(_) | None => {}
            }
            if !self.fill()? {
                return Err(StreamError::Decode(None));
            }
        }
    }

    /// Reads to the end of the stream, where only white space may follow.
    ///
    /// # Errors
    /// [`StreamError`].
    pub(super) fn end(&mut self) -> Result<(), StreamError> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(StreamError::Decode(None)),
        }
    }

    /// The next character that is not white space; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, StreamError> {
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let blanks = unread.iter().take_while(|byte| is_blank(byte)).count();
            self.start += blanks;
            if let Some(&byte) = unread.get(blanks) {
                return Ok(Some(byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads until the buffer is full or the stream ends; `false` if nothing was read. A
    /// full buffer is moved or doubled each time, so that a value is scanned only a few
    /// times before it is complete.
    fn fill(&mut self) -> Result<bool, StreamError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end.saturating_sub(self.start));
        if self.end == self.buffer.len() {
            if self.end > self.limits.value {
                return Err(too_large(self.limits.value));
            }
            let mut larger = Wiped::new(vec![0; self.end.saturating_mul(2).max(FIRST)]);
            if let Some(front) = larger.get_mut(..self.end) {
                front.copy_from_slice(self.buffer);
            }
            *self.buffer = larger;
        }
        let before = self.end;
        while let Some(free) = self
            .buffer
            .get_mut(self.end..)
            .filter(|free| !free.is_empty())
        {
            match self.reader.read(free) {
                Ok(0) => break,
                Ok(count) => self.end = self.end.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Io(error).into()),
            }
        }
        self.read = self.read.saturating_add(self.end.saturating_sub(before));
        if self.read > self.limits.all {
            return Err(too_large(self.limits.all));
        }
        Ok(self.end > before)
    }
}

fn too_large(limit: usize) -> StreamError {
    ReadError::TooLarge { limit }.into()
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// A reader that returns at most this many bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(into.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            into[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    const LIMITS: Limits = Limits {
        value: 1 << 20,
        all: 1 << 22,
    };

    fn array(reader: impl Read) -> Result<Vec<Value>, StreamError> {
        let mut buffer = Buffer::default();
        let mut stream = JsonStream::new(reader, &mut buffer, LIMITS);
        let mut values = Vec::new();
        stream.expect(b'[')?;
        while stream.has_next(b']', values.is_empty())? {
            values.push(stream.decode()?);
        }
        stream.end()?;
        Ok(values)
    }

    #[test]
    fn text_that_is_not_an_array_is_refused() {
        for text in [
            "",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1]]",
            "[1] 2",
            "{}",
            "[tru]",
            "[\"\u{1}\"]",
            "[\"a]",
        ] {
            let read = array(text.as_bytes());
            assert!(
                matches!(read, Err(StreamError::Decode(_))),
                "{text:?}: {read:?}"
            );
        }
    }

    /// Repeats a text for ever.
    struct Endless(&'static [u8]);

    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len() / self.0.len() * self.0.len();
            into[..count].copy_from_slice(&self.0.repeat(count / self.0.len()));
            Ok(count)
        }
    }

    #[test]
    fn an_endless_stream_is_refused() {
        for (repeated, expected) in [
            (&b"a"[..], LIMITS.value),
            (b"b\",\"", LIMITS.all),
            (b" ", LIMITS.value),
        ] {
            let read = array(b"[\"".chain(Endless(repeated)));
            assert!(
                matches!(read, Err(StreamError::Read(ReadError::TooLarge { limit })) if limit == expected),
                "{repeated:?}"
            );
        }
        let read = array(b"[".chain(Endless(b" ")));
        let all = LIMITS.all;
        assert!(
            matches!(read, Err(StreamError::Read(ReadError::TooLarge { limit })) if limit == all)
        );
    }

    proptest! {
        #[test]
        fn values_are_those_of_serde_json_however_they_arrive(
            texts in prop::collection::vec("[ -~]{0,40}|\\PC{0,9}", 0..20),
            numbers in prop::collection::vec(any::<i64>(), 0..20),
            length in 0..100_000_usize,
            step in 1..5_000_usize,
            pretty: bool,
        ) {
            let long = "x".repeat(length);
            let mut values: Vec<Value> = numbers.into_iter().map(Into::into).collect();
            values.extend(texts.into_iter().map(Into::into));
            values.push(serde_json::json!({ "long": [long, null, true] }));
            let text = if pretty {
                serde_json::to_string_pretty(&values).unwrap()
            } else {
                serde_json::to_string(&values).unwrap()
            };
            let read = array(Trickle(text.as_bytes(), step)).unwrap();
            prop_assert_eq!(read, values);
        }
    }
}

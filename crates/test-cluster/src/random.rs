//! Random bytes and identifiers. The source is that of the TLS provider, so no other
//! crate is needed.

use rustls::crypto::ring;

/// `N` random bytes.
#[expect(
    clippy::expect_used,
    reason = "a machine without randomness cannot run the tests at all"
)]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}

/// A random (version 4) UUID, as Kubernetes uses for `metadata.uid`.
pub(crate) fn uuid() -> String {
    let mut bytes = bytes::<16>();
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let mut digits = digits.chars();
    [8, 4, 4, 4, 12]
        .map(|length| digits.by_ref().take(length).collect::<String>())
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn uuids_differ_and_have_the_usual_shape() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(one.chars().all(|c| c.is_ascii_hexdigit() || c == '-'));
    }
}

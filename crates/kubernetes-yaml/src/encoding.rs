//! The encodings of a YAML text: `yaml_parser_determine_encoding` of go-yaml.

use secret::Wiped;

/// The text of a file: UTF-8, or UTF-16 after a byte order mark, which is decoded into
/// `decoded`. `None` if it is neither.
pub fn decode<'t>(bytes: &'t [u8], decoded: &'t mut Wiped<String>) -> Option<&'t str> {
    let (units, of_bytes): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, units @ ..] => (units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => (units, u16::from_be_bytes),
        _ => return str::from_utf8(bytes).ok(),
    };
    let (units, []) = units.as_chunks() else {
        return None;
    };
    decoded.clear();
    // A unit has at most three bytes in UTF-8. A growing buffer would leave unwiped
    // copies behind.
    decoded.reserve(units.len().saturating_mul(3));
    for character in char::decode_utf16(units.iter().copied().map(of_bytes)) {
        decoded.push(character.ok()?);
    }
    Some(decoded.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, of_unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(of_unit).collect()
    }

    #[test]
    fn a_text_is_utf_8_or_utf_16_after_a_byte_order_mark() {
        let text = "a: \u{fc}\u{4e16}\u{1f600}\n";
        let marked = format!("\u{feff}{text}");
        for (bytes, expected) in [
            (text.as_bytes().to_vec(), Some(text)),
            (marked.as_bytes().to_vec(), Some(&*marked)),
            (utf16(&marked, u16::to_le_bytes), Some(text)),
            (utf16(&marked, u16::to_be_bytes), Some(text)),
            (b"\xff\xfe".to_vec(), Some("")),
            (
                utf16(&format!("\u{feff}{marked}"), u16::to_le_bytes),
                Some(&*marked),
            ),
            (vec![], Some("")),
            // Half a unit, halves of a pair, and bytes that are not UTF-8.
            (b"\xff\xfea".to_vec(), None),
            (b"\xff\xfe\x00\xd8a\x00".to_vec(), None),
            (b"\xff\xfea\x00\x00\xdc".to_vec(), None),
            (b"\xff\xfe\x00\xd8".to_vec(), None),
            (b"a: \xff\xfe".to_vec(), None),
            (b"\xff".to_vec(), None),
        ] {
            let mut decoded = Wiped::default();
            assert_eq!(decode(&bytes, &mut decoded), expected, "{bytes:?}");
        }
    }
}

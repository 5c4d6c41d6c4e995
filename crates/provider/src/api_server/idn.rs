//! International host names in ASCII for DNS, as by `idnaASCII` of Go's `net/http`.
//!
//! The tables of IDNA for all scripts would be a twentieth of the binary. This module has
//! only the letters of common scripts that IDNA maps to their lower case and nothing
//! else. A name with other letters has to be given in ASCII.

use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The characters that end a label: the full stop, and those of Chinese and Japanese.
const FULL_STOPS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
/// Lower-case letters, and those of scripts without case, that IDNA keeps as they are:
/// Latin, Greek, Cyrillic, kana, Chinese and Hangul.
const LETTERS: [RangeInclusive<char>; 12] = [
    '\u{df}'..='\u{f6}',
    '\u{f8}'..='\u{131}',
    '\u{134}'..='\u{13e}',
    '\u{141}'..='\u{148}',
    '\u{14a}'..='\u{17e}',
    '\u{3ac}'..='\u{3ce}',
    '\u{430}'..='\u{45f}',
    '\u{3041}'..='\u{3096}',
    '\u{30a1}'..='\u{30fa}',
    '\u{30fc}'..='\u{30fe}',
    '\u{4e00}'..='\u{9fff}',
    '\u{ac00}'..='\u{d7a3}',
];
/// A letter with a single lower-case letter, which IDNA mapped to two letters before
/// Unicode 15.1.
const CAPITAL_SHARP_S: char = '\u{1e9e}';
/// The prefix of a label in Punycode.
const PREFIX: &str = "xn--";
/// The longest label of DNS.
const MAX_LABEL: usize = 63;

/// A host name in ASCII; unchanged if it is ASCII already. `None` if it has to be given
/// in ASCII, or is not a host name.
pub(super) fn to_ascii(name: &str) -> Option<Cow<'_, str>> {
    if name.is_ascii() {
        return Some(Cow::Borrowed(name));
    }
    let labels = name.split(FULL_STOPS).map(label_to_ascii);
    let labels: Vec<String> = labels.collect::<Option<_>>()?;
    Some(Cow::Owned(labels.join(".")))
}

fn label_to_ascii(label: &str) -> Option<String> {
    let characters: Vec<char> = label.chars().flat_map(char::to_lowercase).collect();
    let is_known = |c: &char| {
        matches!(c, 'a'..='z' | '0'..='9' | '-') || LETTERS.iter().any(|range| range.contains(c))
    };
    let is_too_long = characters.len() > MAX_LABEL;
    if is_too_long || label.contains(CAPITAL_SHARP_S) || !characters.iter().all(is_known) {
        return None;
    }
    let lower: String = characters.iter().collect();
    let is_encoded = lower.is_ascii() && lower.starts_with(PREFIX);
    if lower.starts_with('-') || lower.ends_with('-') || lower.contains("--") && !is_encoded {
        return None;
    }
    Some(if lower.is_ascii() {
        lower
    } else {
        PREFIX.to_owned() + &punycode(&characters)
    })
}

/// The Punycode of a label that is not longer than one of DNS, so that no number
/// overflows (RFC 3492, section 6.3).
fn punycode(label: &[char]) -> String {
    let mut written: String = label.iter().filter(|c| c.is_ascii()).collect();
    let mut known = u32::try_from(written.len()).unwrap_or(u32::MAX);
    if known > 0 {
        written.push('-');
    }
    let is_first = known;
    let mut delta = 0;
    let (mut least, mut bias) = (0x80, 72);
    while let Some(next) = label
        .iter()
        .map(|&c| u32::from(c))
        .filter(|&c| c >= least)
        .min()
    {
        delta += (next - least) * (known + 1);
        for c in label.iter().map(|&c| u32::from(c)) {
            if c < next {
                delta += 1;
            }
            if c == next {
                write_delta(&mut written, delta, bias);
                bias = adapted(delta, known + 1, known == is_first);
                delta = 0;
                known += 1;
            }
        }
        delta += 1;
        least = next + 1;
    }
    written
}

/// Writes a number in digits whose weights depend on the bias.
fn write_delta(written: &mut String, mut delta: u32, bias: u32) {
    let mut threshold_at = 36_u32;
    loop {
        let threshold = threshold_at.saturating_sub(bias).clamp(1, 26);
        let digit = if delta < threshold {
            delta
        } else {
            threshold + (delta - threshold) % (36 - threshold)
        };
        written.extend(if digit < 26 {
            char::from_digit(digit + 10, 36)
        } else {
            char::from_digit(digit - 26, 10)
        });
        if delta < threshold {
            return;
        }
        delta = (delta - threshold) / (36 - threshold);
        threshold_at += 36;
    }
}

fn adapted(delta: u32, known: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / known;
    let mut bias = 0;
    while delta > 455 {
        delta /= 35;
        bias += 36;
    }
    bias + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_gos_idna() {
        for (name, expected) in [
            ("API_1.Example.", "API_1.Example."),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("api。Example｡com．", "api.example.com."),
            ("straße.de", "xn--strae-oqa.de"),
            ("ΑΣΣ.gr", "xn--mxa0ba.gr"),
            ("Москва.рф", "xn--80adxhks.xn--p1ai"),
            ("テスト", "xn--zckzah"),
            ("日本語.jp", "xn--wgv71a119e.jp"),
            ("한국어.kr", "xn--3e0bk47br7k.kr"),
            ("åäö-1.se", "xn---1-uiad0g.se"),
            ("naïve-café", "xn--nave-caf-i1a7c"),
            ("xn--bcher-kva。example", "xn--bcher-kva.example"),
            (".bücher.example", ".xn--bcher-kva.example"),
        ] {
            assert_eq!(to_ascii(name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn other_names_have_to_be_given_in_ascii() {
        for name in [
            // Two characters that IDNA maps to one; letters that it maps to others.
            "bu\u{308}cher",
            "\u{1e9e}",
            "\u{130}",
            "\u{fb01}x",
            "\u{ff41}pi",
            "\u{644}\u{644}",
            // Not names.
            "bü_cher",
            "-ü",
            "ü-",
            "ü--x",
            "xn--ü",
            "-。x",
            "ü x",
            &"ü".repeat(64),
        ] {
            assert_eq!(to_ascii(name), None, "{name:?}");
        }
    }
}

//! Go's `filepath.Match` for one label of a host: `*` is any run of characters,
//! `[a-z]` and `[^a-z]` are classes. Labels hold no `/`, and neither `?` nor `\`
//! gets through the parser of patterns.

/// The longest label that is compared, which is longer than any image's name.
const MAX_LABEL: usize = 255;

/// Whether a label matches; never, where the glob is malformed.
pub(super) fn matches(glob: &str, label: &str) -> bool {
    if label.len() > MAX_LABEL {
        return false;
    }
    let (glob, label): (Vec<char>, Vec<char>) = (glob.chars().collect(), label.chars().collect());
    // Which positions of the label can be reached; one step per part of the glob.
    let mut reached = vec![false; label.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    let mut rest = glob.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        if first == '*' {
            rest = after;
            let mut any = false;
            for position in &mut reached {
                any |= *position;
                *position = any;
            }
            continue;
        }
        let Some((part, after)) = Part::parse(first, after) else {
            return false;
        };
        rest = after;
        let mut next = vec![false; label.len() + 1];
        for ((from, &c), to) in reached.iter().zip(&label).zip(next.iter_mut().skip(1)) {
            *to = *from && part.matches(c);
        }
        reached = next;
    }
    reached.last().copied().unwrap_or_default()
}

/// Whether some label matches both; yes where a class or the sheer length makes it
/// hard to tell.
pub(super) fn intersect(one: &str, other: &str) -> bool {
    if one.contains('[') || other.contains('[') || one.len().max(other.len()) > MAX_LABEL {
        return true;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // Row by row over `one`: whether its first parts and the first parts of
    // `other` have a label in common.
    let mut row: Vec<bool> = Vec::with_capacity(other.len() + 1);
    row.push(true);
    for c in &other {
        let before = row.last().copied().unwrap_or_default();
        row.push(before && *c == '*');
    }
    for a in &one {
        let mut next = Vec::with_capacity(row.len());
        next.push(row.first().copied().unwrap_or_default() && *a == '*');
        for ((b, &diagonal), &above) in other.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            let skip_a = *a == '*' && above;
            let skip_b = *b == '*' && left;
            // A star that meets a character swallows it.
            let star = (*a == '*' && left) || (*b == '*' && above);
            next.push(skip_a || skip_b || star || (a == b && diagonal));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

enum Part {
    Character(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Part {
    fn parse(first: char, rest: &[char]) -> Option<(Self, &[char])> {
        if first != '[' {
            return Some((Self::Character(first), rest));
        }
        let (negated, mut rest) = match rest.split_first() {
            Some(('^', after)) => (true, after),
            _ => (false, rest),
        };
        let mut ranges = Vec::new();
        loop {
            match rest.split_first()? {
                (']', after) if !ranges.is_empty() => {
                    return Some((Self::Class { negated, ranges }, after));
                }
                (&low, after) => {
                    if low == '-' || low == ']' {
                        return None;
                    }
                    let (high, after) = match after.split_first()? {
                        ('-', after) => after.split_first().map(|(&high, after)| (high, after))?,
                        _ => (low, after),
                    };
                    if high == '-' || high == ']' {
                        return None;
                    }
                    ranges.push((low, high));
                    rest = after;
                }
            }
        }
    }

    fn matches(&self, c: char) -> bool {
        match self {
            Self::Character(own) => *own == c,
            Self::Class { negated, ranges } => {
                let within = ranges.iter().any(|&(low, high)| (low..=high).contains(&c));
                within != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_match_as_in_gos_filepath_match() {
        for (glob, label, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*", "", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*b*c*d*e*", "axbxcxdxe", true),
            ("a*b*c*d*e*", "axbxcxdxexxx", true),
            ("a*b", "a", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^b-d]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("[]a]", "]", false),
            ("[-]", "-", false),
            ("[x-]", "x", false),
            ("[-x]", "x", false),
            ("[a-b-c]", "a", false),
            ("[", "a", false),
            ("[^", "a", false),
            ("[^bc", "a", false),
            ("a[", "a", false),
            ("a[", "ab", false),
            ("*x", "xxx", true),
        ] {
            assert_eq!(matches(glob, label), expected, "{glob} {label}");
        }
    }

    #[test]
    fn globs_have_labels_in_common_or_not() {
        for (one, other, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("*", "anything", true),
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("a*c", "ab*", true),
            ("*a*", "*b*", true),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("", "*", true),
            ("", "a", false),
            ("[ab]", "c", true),
        ] {
            assert_eq!(intersect(one, other), expected, "{one} {other}");
            assert_eq!(intersect(other, one), expected, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn what_matches_both_globs_is_in_common(
            one in "[ab*]{0,6}", other in "[ab*]{0,6}", label in "[ab]{0,6}",
        ) {
            if matches(&one, &label) && matches(&other, &label) {
                prop_assert!(intersect(&one, &other));
            }
        }
    }
}

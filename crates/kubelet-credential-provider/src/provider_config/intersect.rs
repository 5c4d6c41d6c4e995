//! Whether two globs can match the same label.

/// The longest label that [`intersect`] compares, longer than any image name.
const MAX_LABEL: usize = 255;

/// Whether some label matches both globs; also true if they are too long to compare.
pub(super) fn intersect(one: &str, other: &str) -> bool {
    if one.len().max(other.len()) > MAX_LABEL {
        return true;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // Row by row over `one`: whether its beginning and each beginning of `other` can
    // match the same label.
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
            // A star also matches the character of the other glob.
            let star = (*a == '*' && left) || (*b == '*' && above);
            next.push(skip_a || skip_b || star || (a == b && diagonal));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use containers_auth::glob::matches;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_intersect_or_not() {
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
        ] {
            assert_eq!(intersect(one, other), expected, "{one} {other}");
            assert_eq!(intersect(other, one), expected, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn globs_that_match_one_label_intersect(
            one in "[ab*]{0,6}", other in "[ab*]{0,6}", label in "[ab]{0,6}",
        ) {
            if matches(&one, &label) && matches(&other, &label) {
                prop_assert!(intersect(&one, &other));
            }
        }
    }
}

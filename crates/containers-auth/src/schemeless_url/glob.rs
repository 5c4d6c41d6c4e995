//! Globs for the labels of a host, as Go's `filepath.Match` reads them: `*` matches any
//! run of characters. Character classes, `?` and `\` do not occur here: the URL parser
//! refuses hosts with them, or takes a `?` as the beginning of a query.

/// Whether all labels of a host match those of a glob, one by one.
pub fn host_matches(glob: &str, host: &str) -> bool {
    let mut labels = host.split('.');
    let mut globs = glob.split('.');
    globs.all(|glob| labels.next().is_some_and(|label| matches(glob, label)))
        && labels.next().is_none()
}

/// Whether a label matches.
pub fn matches(glob: &str, label: &str) -> bool {
    let Some((head, mut tail)) = glob.split_once('*') else {
        return glob == label;
    };
    let Some(mut rest) = label.strip_prefix(head) else {
        return false;
    };
    // Between two stars the leftmost occurrence leaves the most text for the rest.
    while let Some((middle, next)) = tail.split_once('*') {
        let Some((_, after)) = rest.split_once(middle) else {
            return false;
        };
        (rest, tail) = (after, next);
    }
    rest.ends_with(tail)
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
            ("*x", "xxx", true),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abxab", true),
            ("q*x*.io", "quay.io", false),
        ] {
            assert_eq!(matches(glob, label), expected, "{glob} {label}");
        }
    }

    /// Whether a glob matches, by definition: `*` matches nothing, or one more character.
    fn by_definition(glob: &[u8], label: &[u8]) -> bool {
        match (glob, label) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                by_definition(rest, label)
                    || label
                        .split_first()
                        .is_some_and(|(_, less)| by_definition(glob, less))
            }
            ([a, glob @ ..], [b, label @ ..]) => a == b && by_definition(glob, label),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_star_matches_any_run_of_characters(glob in "[ab*]{0,6}", label in "[ab]{0,8}") {
            let expected = by_definition(glob.as_bytes(), label.as_bytes());
            prop_assert_eq!(matches(&glob, &label), expected);
        }

        #[test]
        fn labels_match_one_by_one(host in "[ab]{1,2}(\\.[ab]{1,2}){0,2}") {
            let stars = vec!["*"; host.split('.').count()].join(".");
            prop_assert!(host_matches(&stars, &host));
            let more = format!("{stars}.*");
            prop_assert!(!host_matches(&more, &host));
        }
    }
}

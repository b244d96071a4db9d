//! Entity tags: whether a consumer has the answer already (RFC 9110, 8.8.3 and 13.1.2).

/// Whether one of the tags in `If-None-Match`, whose lines these are, is that of the answer, by weak
/// comparison; `*` is any answer. A list that can't be read matches nothing.
pub fn matches<'r>(lines: impl Iterator<Item = &'r str>, own: Option<&str>) -> bool {
    lines.into_iter().any(|line| {
        if line.trim() == "*" {
            return true;
        }
        own.is_some_and(|own| {
            list(line).is_some_and(|tags| tags.iter().any(|tag| is_same(tag, own)))
        })
    })
}

/// Whether two tags are the same by weak comparison: their opaque parts are, weak or not.
pub fn is_same(one: &str, other: &str) -> bool {
    let opaque = |tag| opaque(tag).filter(|(_, rest)| rest.is_empty()).map(|(opaque, _)| opaque);
    opaque(one).is_some() && opaque(one) == opaque(other)
}

/// The tags of a list; none when it is no list of tags.
fn list(line: &str) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        // Empty elements are allowed (RFC 9110, 5.6.1).
        if let Some(behind) = rest.strip_prefix(',') {
            rest = behind.trim_start();
            continue;
        }
        let (_, behind) = opaque(rest)?;
        tags.push(rest.get(..rest.len() - behind.len())?);
        rest = behind.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
    Some(tags)
}

/// What stands between the quotes of the tag at the front of `text`, and what follows it.
fn opaque(text: &str) -> Option<(&str, &str)> {
    let quoted = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"')?;
    let (opaque, behind) = quoted.split_once('"')?;
    let allowed = |byte: u8| byte == b'!' || (b'#'..=b'~').contains(&byte) || byte >= 0x80;
    opaque.bytes().all(allowed).then_some((opaque, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 4.3: tags are weak and quoted; RFC 9110, 8.8.3.2 and 13.1.2.
    #[test]
    fn tags_are_compared_weakly() {
        let weak = Some("W/\"1\"");
        for (name, lines, own, expected) in [
            ("the same", &["W/\"1\""][..], weak, true),
            ("strong against weak", &["\"1\""], weak, true),
            ("weak against strong", &["W/\"1\""], Some("\"1\""), true),
            ("another", &["W/\"2\""], weak, false),
            ("in a list", &["W/\"0\", \"1\" ,W/\"2\""], weak, true),
            ("in a second line", &["W/\"0\"", "W/\"1\""], weak, true),
            ("with empty elements", &[", ,\"1\","], weak, true),
            ("a comma within", &["\"0,\"", "\"1,2\""], Some("\"1,2\""), true),
            ("a comma within, apart", &["\"0,\"1\""], weak, false),
            ("any", &["*"], weak, true),
            ("any, of none", &["*"], None, true),
            ("none to compare", &["W/\"1\""], None, false),
            ("nothing", &[""], weak, false),
            ("no line", &[], weak, false),
            ("without quotes", &["1"], Some("1"), false),
            ("half a quote", &["\"1"], weak, false),
            ("a small w", &["w/\"1\""], weak, false),
            ("a blank within", &["\"1 2\""], Some("\"1 2\""), false),
            ("two without a comma", &["\"0\" \"1\""], weak, false),
            ("a star within a list", &["\"0\", *"], weak, false),
            ("case counts", &["\"a\""], Some("\"A\""), false),
        ] {
            assert_eq!(matches(lines.iter().copied(), own), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_tag_is_found_wherever_it_stands(before in 0_usize..4, after in 0_usize..4, weak: bool) {
            let tag = if weak { "W/\"own\"" } else { "\"own\"" };
            let others = |count| vec!["W/\"x\""; count];
            let list = [others(before), vec![tag], others(after)].concat().join(", ");
            proptest::prop_assert!(matches([list.as_str()].into_iter(), Some("W/\"own\"")));
        }

        #[test]
        fn no_line_panics(line in ".{0,40}", own in ".{0,10}") {
            matches([line.as_str()].into_iter(), Some(&own));
        }
    }
}

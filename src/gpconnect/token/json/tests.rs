//! What is read, what is refused, and that nothing panics.

use super::*;
use crate::token::fault::Part;

fn fault(text: &str) -> Option<TokenFault> {
    read::<Object>(text.as_bytes(), &mut Reader::new(Part::Claims)).err()
}

/// gp-connect 7.1: a JSON object without duplicate names, at any level; nesting is bound.
#[test]
fn what_two_parsers_could_read_in_two_ways_is_refused() {
    use Part::Claims;
    let nested = |lists: usize| format!("{{\"a\":{}{}}}", "[".repeat(lists), "]".repeat(lists));
    for (name, text, expected) in [
        ("good", r#"{"a":1,"b":[{"a":1},{"a":2}]} "#.into(), None),
        (
            "twice",
            r#"{"ab":1,"ab":1}"#.into(),
            Some(TokenFault::NameTwice(Claims, CallersName::new("ab"))),
        ),
        (
            "once escaped",
            r#"{"ab":1,"\u0061b":1}"#.into(),
            Some(TokenFault::NameTwice(Claims, CallersName::new("ab"))),
        ),
        (
            "inside",
            r#"{"a":[{"b":{"c":1,"c":2}}]}"#.into(),
            Some(TokenFault::NameTwice(Claims, CallersName::new("c"))),
        ),
        (
            "without a letter",
            r#"{"":1,"":1}"#.into(),
            Some(TokenFault::NameTwice(Claims, CallersName::new(""))),
        ),
        ("other case", r#"{"a":1,"A":1}"#.into(), None),
        ("15 lists", nested(15), None),
        ("16 lists", nested(16), Some(TokenFault::TooDeep(Claims, 16))),
        ("12,000 lists", "[".repeat(12_000), Some(TokenFault::TooDeep(Claims, 16))),
        ("500 values", format!("{{\"a\":[{}0]}}", "0,".repeat(497)), None),
        (
            "501 values",
            format!("{{\"a\":[{}0]}}", "0,".repeat(498)),
            Some(TokenFault::TooMany(Claims, 500)),
        ),
        ("nothing", String::new(), Some(TokenFault::NotJson(Claims, 0))),
        ("more behind", "{}x".into(), Some(TokenFault::NotJson(Claims, 3))),
        ("broken off", "{\n\"a\":".into(), Some(TokenFault::NotJson(Claims, 6))),
        ("a list", "[]".into(), Some(TokenFault::NotAnObject(Claims, Found::List))),
        ("null", "null".into(), Some(TokenFault::NotAnObject(Claims, Found::Null))),
        ("a string", "\"ab\"".into(), Some(TokenFault::NotAnObject(Claims, Found::Text(2)))),
    ] {
        assert_eq!(fault(&text), expected, "{name}");
    }
    let reader = &mut Reader::new(Claims);
    assert_eq!(read::<Object>(b"{\"\xff\":1}", reader), Err(TokenFault::NotText(Claims)));
}

/// gp-connect 7.1: also a name that is the same as one of many.
#[test]
fn a_name_is_seen_twice_among_many() {
    let object = |last: usize| {
        let names: Vec<_> = (0..400).chain([last]).map(|name| format!("\"n{name}\":0")).collect();
        format!("{{{}}}", names.join(","))
    };
    assert_eq!(fault(&object(400)), None);
    for twice in [0, 7, 8, 9, 399] {
        assert!(matches!(fault(&object(twice)), Some(TokenFault::NameTwice(..))), "{twice}");
    }
}

proptest::proptest! {
    /// gp-connect 7.1: what the whole parser takes, and no other text, is read.
    #[test]
    fn json_is_what_serde_takes(text in r#"[{}\[\],:"a0 ]{0,16}"#) {
        let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        let read = fault(&text);
        let twice = matches!(read, Some(TokenFault::NameTwice(..)));
        proptest::prop_assert!(twice || read.is_none() == is_object.is_ok(), "{text}: {read:?}");
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let read = read::<Object>(&bytes, &mut Reader::new(Part::Header));
        let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
        proptest::prop_assert!(read.is_err() || is_object);
    }
}

//! Bodies of the greatest length that are made to cost much.

use super::*;

const LONGEST: usize = 65_536;

/// `part` as often as it fits, between `start` and `end`.
fn filled(start: &str, part: impl Fn(usize) -> String, end: &str) -> String {
    let mut body = start.to_owned();
    for count in 0.. {
        let part = part(count);
        if body.len() + part.len() + end.len() > LONGEST {
            break;
        }
        body.push_str(&part);
    }
    body + end
}

/// Each with the word that it is answered with.
fn bodies() -> Vec<(&'static str, String, &'static str)> {
    let same = |text: &'static str| move |_| text.to_owned();
    let identifier = |count| format!(r#",{{"system":"{SYSTEM}","value":"{count}"}}"#);
    let element = |count| format!("<a><system value='{SYSTEM}'/><value value='{count}'/></a>");
    vec![
        ("deep lists", filled("{\"a\":", same("["), ""), "unreadable"),
        ("deep objects", filled("", same("{\"a\":"), ""), "unreadable"),
        ("deep elements", filled("", same("<a>"), ""), "unreadable"),
        ("one name, often", filled("{\"a\":1", same(",\"a\":1"), "}"), "unreadable"),
        ("many names", filled("{\"\":1", |count| format!(",\"{count:x}\":1"), "}"), "none"),
        ("empty names", filled("{\"a\":1", same(",\"\":1"), "}"), "unreadable"),
        ("many objects", filled("{\"a\":[{}", same(",{}"), "]}"), "none"),
        ("a long number", filled("{\"a\":1", same("1"), "}"), "unreadable"),
        ("a long fraction", filled("{\"a\":0.1", same("1"), "}"), "none"),
        ("a long name", filled("{\"", same("\\u0061"), "\":1}"), "none"),
        ("many identifiers in JSON", filled("{\"a\":[1", identifier, "]}"), "several"),
        ("many identifiers in XML", filled("<b>", element, "</b>"), "several"),
        ("many attributes", filled("<a", |count| format!(" a{count:x}=''"), "/>"), "unreadable"),
        ("one attribute, often", filled("<a", same(" a=''"), "/>"), "unreadable"),
        (
            "elements with many attributes",
            filled("<a>", same("<a a='' b='' c='' d='' e='' f='' g='' h='' i='' j=''/>"), "</a>"),
            "none",
        ),
        (
            "many prefixes",
            filled("<a", |count| format!(" xmlns:a{count:x}='x'"), "/>"),
            "unreadable",
        ),
        (
            "many elements with prefixes",
            filled(
                &format!("<a{}>", (0..8).map(|at| format!(" xmlns:a{at}='x'")).collect::<String>()),
                same("<b a7:c=''/>"),
                "</a>",
            ),
            "none",
        ),
        ("entities", filled("<a>", same("&amp;"), "</a>"), "none"),
        ("a long comment", filled("<a><!--", same("- "), "--></a>"), "none"),
        ("markup that never ends", filled("<a b='", same(">"), ""), "unreadable"),
        ("a long value", filled("<a><value value='", same("&#57;"), "'/></a>"), "none"),
    ]
}

#[test]
fn the_most_expensive_bodies_are_answered_like_any_other() {
    for (name, body, expected) in bodies() {
        assert!(body.len() > LONGEST - 80 && body.len() <= LONGEST, "{name}: {}", body.len());
        let read = if body.starts_with('<') { read_xml(&body) } else { read_json(&body) };
        assert_eq!(read.word(), expected, "{name}");
    }
}

//! Request bodies of the longest length that is taken, each costly in a way of its own.

/// What a body may be long.
const LONGEST: usize = 65_536;
const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// A body, by the name under which it is shown.
pub struct Body {
    /// Its name.
    pub name: &'static str,
    /// Its bytes; the first one tells its format.
    pub bytes: Vec<u8>,
}

/// `before`, then `unit` of each number as often as it fits, then `behind`.
fn filled(before: &str, unit: impl Fn(usize) -> String, behind: &str) -> Vec<u8> {
    let mut text = before.to_owned();
    for number in 0.. {
        let next = unit(number);
        if text.len() + next.len() + behind.len() > LONGEST {
            break;
        }
        text.push_str(&next);
    }
    (text + behind).into_bytes()
}

/// All of them, a typical one first, which is short.
pub fn all() -> Vec<Body> {
    let typical = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"patientNHSNumber","valueIdentifier":{{"system":"{SYSTEM}","value":"9000000009"}}}},{{"name":"includeAllergies","part":[{{"name":"includeResolvedAllergies","valueBoolean":false}}]}}]}}"#
    );
    let same = |text: &'static str| move |_: usize| text.to_owned();
    let identifier = |number: usize| format!(r#",{{"system":"{SYSTEM}","value":"9{number:09}"}}"#);
    let element = |number: usize| {
        format!(r#"<i><system value="{SYSTEM}"/><value value="9{number:09}"/></i>"#)
    };
    let attribute = |number: usize| format!(" a{number}=\"\"");
    [
        ("a typical body", typical.into_bytes()),
        ("a body of names", filled("{\"a\":0", |number| format!(",\"n{number}\":0"), "}")),
        ("a body of lists", filled("{\"a\":[[]", same(",[]"), "]}")),
        ("a body of depth", filled("{\"a\":", same("["), "")),
        ("a body of escapes", filled("{\"a\":\"", same("\\u0041"), "\"}")),
        ("a body of numbers", filled("{\"a\":[0", same(",1e-9"), "]}")),
        ("a body of patients", filled("{\"a\":[{}", identifier, "]}")),
        ("a body of elements", filled("<a>", same("<b/>"), "</a>")),
        ("a body of attributes", filled("<a", attribute, "/>")),
        ("a body of references", filled("<a value=\"", same("&#x41;"), "\"/>")),
        ("a body of XML patients", filled("<a>", element, "</a>")),
    ]
    .map(|(name, bytes)| Body { name, bytes })
    .into()
}

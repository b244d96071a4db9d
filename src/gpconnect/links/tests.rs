//! Rewriting against whole documents read with a parser: the same answer, but for its links.

use proptest::{collection::vec, prelude::*, sample::select};
use quick_xml::{XmlVersion, events::Event, reader::Reader};
use serde_json::{Map, Value, json};

use super::*;

const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect/fhir";
const LONGER: &str = "https://gp.example/A20047/STU3/1/gpconnect/fhir/structured";
const GATEWAY: &str = "https://gw.example/A20047/STU3/1/gpconnect/fhir";
const OTHER: &str = "https://gw.example/A20047/STU3/1/gpconnect/structured/fhir";

fn links() -> Links {
    let (root, longer) = (ROOT.parse().unwrap(), LONGER.parse().unwrap());
    Links::new([(&root, GATEWAY.to_owned()), (&longer, OTHER.to_owned())])
}

/// `body` rewritten in parts of these lengths, the last of which repeats.
fn rewritten(body: &[u8], format: Format, parts: &[usize]) -> Vec<u8> {
    pushed(Rewriter::new(links(), format), body, parts)
}

/// `body` rewritten without leaps, in XML tag by tag.
fn walked_xml(body: &[u8]) -> Vec<u8> {
    let mut rewriter = Rewriter::new(links(), Format::Xml);
    if let Scanner::Xml(scanner) = &mut rewriter.scanner {
        // The empty text is everywhere, so every tag has one.
        scanner.landmarks = Landmarks::of(&[]);
    }
    pushed(rewriter, body, &[body.len().max(1)])
}

fn pushed(mut rewriter: Rewriter, body: &[u8], parts: &[usize]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), body);
    let mut lengths = parts.iter().chain(std::iter::repeat(parts.last().unwrap()));
    while !rest.is_empty() {
        let (part, behind) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
        rewriter.push(part, &mut out);
        rest = behind;
    }
    rewriter.end(&mut out);
    out
}

fn rewritten_text(body: &str, format: Format) -> String {
    let whole = rewritten(body.as_bytes(), format, &[body.len().max(1)]);
    if format == Format::Xml {
        assert_eq!(whole, walked_xml(body.as_bytes()), "without leaps: {body}");
    }
    for length in 1..body.len() {
        let in_parts = rewritten(body.as_bytes(), format, &[length]);
        assert_eq!(whole, in_parts, "{length} by {length}: {body}");
    }
    String::from_utf8(whole).unwrap()
}

/// What a URL becomes, by another way than the product's.
fn expected(url: &str) -> String {
    for (root, gateway) in [(LONGER, OTHER), (ROOT, GATEWAY)] {
        let with_port = root.replace("gp.example", "gp.example:443");
        for root in [root, &with_port] {
            let (origin, path) = root.split_at(root.find("/A20047").unwrap());
            let same = url.split_at_checked(origin.len()).is_some_and(|(start, rest)| {
                start.eq_ignore_ascii_case(origin) && rest.starts_with(path)
            });
            let behind = url.get(root.len()..).unwrap_or_default();
            if same && (behind.is_empty() || behind.starts_with(['/', '?', '#'])) {
                return [gateway, behind].concat();
            }
        }
    }
    url.to_owned()
}

#[test]
fn links_in_json_lead_through_the_gateway() {
    for (name, body, out) in [
        (
            "a resource's address",
            format!(r#"{{"fullUrl":"{ROOT}/Patient/1"}}"#),
            format!(r#"{{"fullUrl":"{GATEWAY}/Patient/1"}}"#),
        ),
        (
            "with blanks, a query and a fragment",
            format!("{{ \"url\" \n:\t\"{ROOT}?a=b\" , \"reference\" : \"{ROOT}#x\" }}"),
            format!("{{ \"url\" \n:\t\"{GATEWAY}?a=b\" , \"reference\" : \"{GATEWAY}#x\" }}"),
        ),
        (
            "slashes with a backslash, letters by number",
            format!(
                r#"{{"\u0075rl":"{}\/Patient\/1"}}"#,
                ROOT.replace('/', "\\/").replace('h', "\\u0068")
            ),
            format!(r#"{{"\u0075rl":"{GATEWAY}\/Patient\/1"}}"#),
        ),
        (
            "a host in capitals, the port of https",
            r#"{"url":"HTTPS://GP.Example:443/A20047/STU3/1/gpconnect/fhir/Slot"}"#.to_owned(),
            format!(r#"{{"url":"{GATEWAY}/Slot"}}"#),
        ),
        (
            "behind texts with quotes, backslashes and slashes",
            format!(r#"{{"a\"\\":"\/\"\\","b":"\u0022{ROOT}","url":"{ROOT}/Slot","c":"\\"}}"#),
            format!(r#"{{"a\"\\":"\/\"\\","b":"\u0022{ROOT}","url":"{GATEWAY}/Slot","c":"\\"}}"#),
        ),
        (
            "a name long before its value",
            format!(r#"{{"url"{0}:{0}"{ROOT}"}}"#, " ".repeat(200)),
            format!(r#"{{"url"{0}:{0}"{GATEWAY}"}}"#, " ".repeat(200)),
        ),
        (
            "the longer of two roots",
            format!(r#"{{"url":"{LONGER}/Patient"}}"#),
            format!(r#"{{"url":"{OTHER}/Patient"}}"#),
        ),
        (
            "names that only end as one of a link",
            format!(r#"{{"x,url":"{ROOT}","x{{url":"{ROOT}","x\"url":"{ROOT}"}}"#),
            format!(r#"{{"x,url":"{ROOT}","x{{url":"{ROOT}","x\"url":"{ROOT}"}}"#),
        ),
        (
            "an escape as far behind another quote as a path is",
            format!(r#"{{"a":"12345","url":"\u0068{}"}}"#, ROOT.trim_start_matches('h')),
            format!(r#"{{"a":"12345","url":"{GATEWAY}"}}"#),
        ),
    ] {
        assert_eq!(rewritten_text(&body, Format::Json), out, "{name}");
    }
}

#[test]
fn what_is_no_link_stays() {
    for (name, body) in [
        ("another host", r#"{"url":"https://other.example/A20047/STU3/1/gpconnect/fhir"}"#.into()),
        ("another path", format!(r#"{{"url":"{ROOT}s/Patient"}}"#)),
        ("another port", ROOT.replace("gp.example", "gp.example:8443")),
        ("another practice", format!(r#"{{"url":"{}"}}"#, ROOT.replace("A20047", "A20048"))),
        ("a relative reference", r#"{"reference":"Patient/1"}"#.into()),
        ("in the middle of a text", format!(r#"{{"url":"see {ROOT}/Patient/1"}}"#)),
        ("a text that is read by people", format!(r#"{{"div":"{ROOT}/Patient/1"}}"#)),
        ("a name in a text", format!(r#"{{"text":"\"url\": \"{ROOT}\""}}"#)),
        ("a name as a value", format!(r#"["url", "{ROOT}"]"#)),
        ("a list", format!(r#"{{"url":["{ROOT}"]}}"#)),
        ("a name that ends like one", format!(r#"{{"x\"url":"{ROOT}","x\\url":"{ROOT}"}}"#)),
        ("a name too long", format!(r#"{{"{}url":"{ROOT}"}}"#, "x".repeat(60))),
        ("a value that reads like a name", format!(r#"{{"a":"url","b":"{ROOT}"}}"#)),
        ("a value before a colon", format!(r#"{{"a":"url":"{ROOT}"}}"#)),
        ("another name between", format!(r#"{{"url":"","x":"{ROOT}"}}"#)),
        ("behind a quote in a text", format!(r#"{{"text":"\"url\":\"{ROOT}","x":"{ROOT}"}}"#)),
        ("behind backslashes", format!(r#"{{"text":"\\\\\"url\\\":\\\"{ROOT}"}}"#)),
        ("the path alone", r#"{"url":"/A20047/STU3/1/gpconnect/fhir/Patient/1"}"#.into()),
        ("two colons", format!(r#"{{"url"::"{ROOT}"}}"#)),
        ("cut off in a root", format!(r#"{{"url":"{}"#, ROOT.split_at(20).0)),
        ("cut off behind a backslash", r#"{"url":"https:\"#.into()),
        ("cut off in a number", r#"{"url":"https:\u00"#.into()),
        ("a sign for a digit", r#"{"url":"\u+068ttps://gp.example"}"#.into()),
        ("nothing", String::new()),
    ] {
        assert_eq!(rewritten_text(&body, Format::Json), body, "{name}");
    }
}

#[test]
fn links_in_xml_lead_through_the_gateway() {
    for (name, body, out) in [
        (
            "a resource's address",
            format!(r#"<entry><fullUrl value="{ROOT}/Patient/1"/></entry>"#),
            format!(r#"<entry><fullUrl value="{GATEWAY}/Patient/1"/></entry>"#),
        ),
        (
            "a prefix, single quotes, blanks, another attribute before",
            format!("<f:url id = \">\"\n value\t= '{ROOT}'></f:url>"),
            format!("<f:url id = \">\"\n value\t= '{GATEWAY}'></f:url>"),
        ),
        (
            "characters by number, an ampersand behind",
            format!(
                r#"<reference value="{}/Slot?a=1&amp;b=2"/>"#,
                ROOT.replace('/', "&#x2F;").replace('h', "&#104;")
            ),
            format!(r#"<reference value="{GATEWAY}/Slot?a=1&amp;b=2"/>"#),
        ),
        (
            "behind what is no element",
            format!(
                "<?xml version='1.0'?><!DOCTYPE x><!-- <url value='-- > --><url value='{ROOT}'/>"
            ),
            format!(
                "<?xml version='1.0'?><!DOCTYPE x><!-- <url value='-- > --><url value='{GATEWAY}'/>"
            ),
        ),
        (
            "behind an attribute with an angle, a text with marks",
            format!("<a b='>!?'>! ? & &#33;</a><url value=\"{ROOT}\"/>&#x2F;{ROOT}"),
            format!("<a b='>!?'>! ? & &#33;</a><url value=\"{GATEWAY}\"/>&#x2F;{ROOT}"),
        ),
        (
            "behind characters that were left as they are",
            format!("<a><![CDATA[<b ]] > ]]]><url value='{ROOT}'/></a>"),
            format!("<a><![CDATA[<b ]] > ]]]><url value='{GATEWAY}'/></a>"),
        ),
    ] {
        assert_eq!(rewritten_text(&body, Format::Xml), out, "{name}");
    }
    for (name, body) in [
        ("an extension's name", format!(r#"<extension url="{ROOT}/x"/>"#)),
        ("a comment", format!(r#"<!-- <url value="{ROOT}"/> -->"#)),
        ("an instruction", format!(r#"<?x <url value="{ROOT}"/> ?>"#)),
        ("characters", format!(r#"<![CDATA[<url value="{ROOT}"/>]]>"#)),
        ("a text", format!("<url>value=\"{ROOT}\"</url>")),
        ("another attribute", format!(r#"<url xvalue="{ROOT}" valuex="{ROOT}"/>"#)),
        ("an end", format!("</url value='{ROOT}'>")),
        ("a text like a tag", format!("<p>url value=\"{ROOT}\"</p>")),
        ("a tag's value in another's", format!("<p a='url value=\"{ROOT}\"'/>")),
        ("the second value", format!(r#"<p value="x" url value="{ROOT}"/>"#)),
        ("another host", r#"<url value="https://other.example/A20047"/>"#.into()),
        ("cut off in a reference", "<url value=\"https:&#".into()),
        ("a reference without end", "<url value=\"https:&#000000000000000000000047;\"".into()),
    ] {
        assert_eq!(rewritten_text(&body, Format::Xml), body, "{name}");
    }
}

#[test]
fn a_location_leads_through_the_gateway() {
    let links = links();
    for (url, out) in [
        (
            format!("{ROOT}/Appointment/1/_history/2"),
            Some(format!("{GATEWAY}/Appointment/1/_history/2")),
        ),
        (ROOT.to_owned(), Some(GATEWAY.to_owned())),
        (format!("{LONGER}/Patient"), Some(format!("{OTHER}/Patient"))),
        (format!("{ROOT}x"), None),
        ("Appointment/1".to_owned(), None),
        ("https://gp.example".to_owned(), None),
    ] {
        assert_eq!(links.of_url(&url), out, "{url}");
    }
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A service root in JSON, as it may be written.
const SPELT: [&str; 3] = [
    "https:\\/\\/gp.example\\/A20047\\/STU3\\/1\\/gpconnect\\/fhir",
    "\\u0068ttps://gp.example:443/A20047/STU3/1/gpconnect/fhir",
    "HTTPS://GP.EXAMPLE/A20047/STU3/1/gpconnect/fhir",
];

/// What texts in JSON are made of that have links, or what could be taken for one.
const PIECES_OF_TEXTS: &[&str] = &[
    ROOT,
    LONGER,
    SPELT[0],
    SPELT[1],
    SPELT[2],
    "/A20047/STU3/1/gpconnect/fhir",
    "url",
    "u\\u0072l",
    "\\\"",
    "\\\"url\\\":\\\"",
    "{\\\"url\\\":",
    "\\\\",
    "\\n",
    "\\/",
    "\\u0022",
    ":",
    ",",
    "{",
    " ",
    "/Patient/1",
    "x",
];

/// What stands between them, which makes hardly JSON.
const PIECES_BETWEEN: &[&str] = &[
    "{\"url\":\"",
    "\",\"reference\" : \"",
    "\"u\\u0072l\":\"",
    "\"text\":\"",
    "\",\"x\\\"url\":\"",
    "\"",
    "\",\"",
    "\":\"",
    "\\",
    "}",
    "\n\t",
];

/// A text in JSON, as it is written.
fn written() -> impl Strategy<Value = String> {
    vec(select(PIECES_OF_TEXTS), 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// JSON of members with a text or a list of texts each.
fn members() -> impl Strategy<Value = String> {
    let name =
        prop_oneof![select(vec!["\"url\"", "\"u\\u0072l\""]).prop_map(str::to_owned), written()];
    let blank = || select(vec!["", " ", "\n\t", "                "]);
    let one = written();
    let list = vec(written(), 0..3).prop_map(|texts| format!("[{}]", texts.join(", ")));
    let member = (name, blank(), blank(), prop_oneof![3 => one, 1 => list], blank());
    let member =
        member.prop_map(|(name, a, b, value, c)| format!("{{{a}{name}{a}:{b}{value}{c}}}"));
    vec(member, 0..8).prop_map(|members| format!("[{}]", members.join(",")))
}

const PIECES_OF_XML: &[&str] = &[
    ROOT,
    LONGER,
    "https:&#x2F;/gp.example/A20047/STU3/1/gpconnect/fhir",
    "&#104;ttps://gp.example:443/A20047/STU3/1/gpconnect/fhir",
    "HTTPS://GP.EXAMPLE/A20047/STU3/1/gpconnect/fhir",
    "/A20047/STU3/1/gpconnect/fhir",
    "<url value=\"",
    "<f:reference id='x' value = '",
    "<extension url=\"",
    "<url",
    " value=",
    "<p>",
    "<",
    ">",
    "/>",
    "\"",
    "'",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x",
    "?>",
    "<!DOCTYPE",
    "&",
    "&#",
    "&#x2F;",
    "!",
    "?",
    "=",
    " ",
    "/Patient/1",
    "x",
];

/// Texts that begin with a service root, nearly do, or hold one.
fn text() -> impl Strategy<Value = String> {
    let beginnings = select(vec![
        ROOT,
        LONGER,
        "HTTPS://GP.EXAMPLE:443/A20047/STU3/1/gpconnect/fhir",
        "https://gp.example:44/A20047/STU3/1/gpconnect/fhir",
        "https://gp.example/A20047/STU3/1/gpconnect/fhi",
        "https://other.example/x",
        "",
    ]);
    let pieces =
        select(vec!["/", "?", "#", "Patient", "\"", "\\", "é", "\u{1f600}", "&", "<", ":", "'"]);
    (beginnings, vec(pieces, 0..6)).prop_map(|(start, rest)| [start, &rest.concat()].concat())
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["fullUrl", "url", "reference", "location", "text", "urls", "a\"url"])
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![text().prop_map(Value::from), Just(json!(null)), Just(json!(12.5))];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((name(), inner), 0..5).prop_map(|members| {
                let owned = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(owned.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// A document, spelt as the dice say: blanks, escapes, numbers.
fn spelt(tree: &Value, dice: &mut impl Iterator<Item = u8>, out: &mut String) {
    let blank = |dice: &mut dyn Iterator<Item = u8>| {
        ["", "", " ", "\n\t"][usize::from(dice.next().unwrap() % 4)]
    };
    match tree {
        Value::String(text) => spell(text, dice, out),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(blank(dice));
                spelt(item, dice, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (place, (name, value)) in members.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                out.push_str(blank(dice));
                spell(name, dice, out);
                out.push_str(blank(dice));
                out.push(':');
                out.push_str(blank(dice));
                spelt(value, dice, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&tree.to_string()),
    }
}

fn spell(text: &str, dice: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match (letter, dice.next().unwrap() % 8) {
            ('"' | '\\', _) => out.extend(['\\', letter]),
            ('/', 0 | 1) => out.push_str("\\/"),
            (letter, 2) if letter < '\u{ffff}' => {
                out.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

fn with_links(tree: Value) -> Value {
    match tree {
        Value::Array(items) => items.into_iter().map(with_links).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let link = |(name, value): (String, Value)| match value.as_str() {
                Some(text) if is_element(name.as_bytes()) => (name, expected(text).into()),
                _ => (name, with_links(value)),
            };
            Value::Object(members.into_iter().map(link).collect())
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => tree,
    }
}

/// The tags and texts of a document with what their attributes mean.
fn events(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(text);
    let mut events = Vec::new();
    loop {
        let event = reader.read_event().unwrap();
        let other = format!("{event:?}");
        #[expect(clippy::wildcard_enum_match_arm, reason = "of a dozen kinds, two have attributes")]
        let (name, attributes) = match event {
            Event::Eof => return events,
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.local_name().into_inner().to_owned();
                let read = |attribute: quick_xml::events::attributes::Attribute<'_>| {
                    let key = attribute.key.as_ref().to_owned();
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap();
                    (key, value.into_owned())
                };
                let attributes = tag.attributes().map(|attribute| read(attribute.unwrap()));
                (name, attributes.collect())
            }
            _ => (other, Vec::new()),
        };
        events.push((name, attributes));
    }
}

fn element() -> impl Strategy<Value = String> {
    let attributes = select(vec!["value", "url", "id", "values"]);
    (
        select(vec!["url", "f:reference", "fullUrl", "extension", "div"]),
        attributes,
        text(),
        vec(any::<u8>(), 1..20),
        select(vec![
            "",
            " ",
            "\n  ",
            "text > ",
            "<!-- <url value='-->",
            "<![CDATA[<url ]]>",
            "<?p '<url ?>",
        ]),
    )
        .prop_map(|(name, attribute, text, dice, behind)| {
            let mut dice = dice.into_iter().cycle();
            let quote = if dice.next().unwrap() % 2 == 0 { '"' } else { '\'' };
            let mut value = String::new();
            for letter in text.chars() {
                match (letter, dice.next().unwrap() % 8) {
                    ('&', _) => value.push_str("&amp;"),
                    ('<', _) => value.push_str("&lt;"),
                    ('"', _) => value.push_str("&quot;"),
                    ('\'', _) => value.push_str("&#39;"),
                    (letter, 0) => value.push_str(&format!("&#{};", u32::from(letter))),
                    (letter, 1) => value.push_str(&format!("&#x{:x};", u32::from(letter))),
                    _ => value.push(letter),
                }
            }
            format!("<{name} {attribute}={quote}{value}{quote}/>{behind}")
        })
}

proptest! {
    #[test]
    fn an_answer_in_json_differs_by_its_links_only(
        tree in tree(), dice in vec(any::<u8>(), 1..40), parts in vec(1_usize..60, 1..8),
    ) {
        let mut body = String::new();
        spelt(&tree, &mut dice.into_iter().cycle(), &mut body);
        let out = rewritten(body.as_bytes(), Format::Json, &parts);
        prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), with_links(tree.clone()));
        if with_links(tree.clone()) == tree {
            prop_assert_eq!(&out, body.as_bytes());
        }
        prop_assert_eq!(out, rewritten(body.as_bytes(), Format::Json, &[body.len()]));
    }

    #[test]
    fn an_answer_in_xml_differs_by_its_links_only(
        elements in vec(element(), 0..8), parts in vec(1_usize..60, 1..8),
    ) {
        let body = format!("<Bundle>{}</Bundle>", elements.concat());
        let out = String::from_utf8(rewritten(body.as_bytes(), Format::Xml, &parts)).unwrap();
        let mut wanted = events(&body);
        for (name, attributes) in &mut wanted {
            for (_, value) in attributes.iter_mut().filter(|(key, _)| key == "value") {
                if is_element(name.as_bytes()) {
                    *value = expected(value);
                }
            }
        }
        prop_assert_eq!(events(&out), wanted);
        prop_assert_eq!(out.as_bytes(), rewritten(body.as_bytes(), Format::Xml, &[body.len()]));
    }

    /// Whatever comes: nothing panics, and what holds no root stays.
    #[test]
    fn strange_bytes_stay(body in vec(any::<u8>(), 0..200), parts in vec(1_usize..30, 1..5)) {
        for format in [Format::Json, Format::Xml] {
            prop_assert_eq!(rewritten(&body, format, &parts), body.clone());
        }
    }

    /// However it is written.
    #[test]
    fn a_leap_misses_no_link_in_json(body in members(), parts in vec(1_usize..90, 1..8)) {
        let out = text_of(rewritten(body.as_bytes(), Format::Json, &parts));
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        prop_assert_eq!(read(&out), with_links(read(&body)));
        prop_assert_eq!(out, text_of(rewritten(body.as_bytes(), Format::Json, &[body.len()])));
    }

    /// What is no JSON may have a link or not: a root may change, and nothing else.
    #[test]
    fn of_what_is_hardly_json_roots_change_only(
        pieces in vec(prop_oneof![select(PIECES_OF_TEXTS), select(PIECES_BETWEEN)], 0..40),
        parts in vec(1_usize..90, 1..8),
    ) {
        let body = pieces.concat();
        let out = text_of(rewritten(body.as_bytes(), Format::Json, &parts));
        let longer = [ROOT, "/structured"].concat();
        let back = |text: String| SPELT.iter().fold(text, |text, spelt| text.replace(spelt, ROOT));
        let out = out.replace(OTHER, &longer).replace(GATEWAY, ROOT);
        prop_assert_eq!(back(out), back(body));
    }

    /// Whatever a leap passes over, a walk finds no link in.
    #[test]
    fn a_leap_misses_no_link_in_xml(
        pieces in vec(select(PIECES_OF_XML), 0..40), parts in vec(1_usize..90, 1..8),
    ) {
        let body = pieces.concat();
        let out = rewritten(body.as_bytes(), Format::Xml, &parts);
        prop_assert_eq!(text_of(out), text_of(walked_xml(body.as_bytes())));
    }

    #[test]
    fn strange_text_does_not_depend_on_its_parts(
        body in "[{}\\[\\]:, \"\\\\/<>!?=&;'-]{0,30}(\"url\":\"|<url value=\")?[a-z\"\\\\]{0,10}",
        parts in vec(1_usize..5, 1..5),
    ) {
        for format in [Format::Json, Format::Xml] {
            let bytes = body.as_bytes();
            prop_assert_eq!(rewritten(bytes, format, &parts), bytes);
        }
    }
}

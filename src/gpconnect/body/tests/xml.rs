//! What is found in XML, and what is refused as XML.

use super::*;

fn identifier(value: &str) -> String {
    format!("<identifier><system value=\"{SYSTEM}\"/><value value=\"{value}\"/></identifier>")
}

/// gp-connect 19: inspecting JSON only misses the NHS number in XML.
/// gp-connect 12.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_number_in_an_xml_body_is_found() {
    let parameter = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Parameters xmlns="http://hl7.org/fhir">
  <parameter><name value="patientNHSNumber"/>
    <valueIdentifier><system value="{SYSTEM}"/><value value="9000000009"/></valueIdentifier></parameter>
  <parameter><name value="includeAllergies"/>
    <part><name value="includeResolvedAllergies"/><valueBoolean value="false"/></part></parameter>
</Parameters>"#
    );
    let (good, other) = (identifier("9000000009"), identifier("9000000017"));
    let one = &["9000000009"][..];
    let two = &["9000000009", "9000000017"][..];
    let in_parts = |system: &str, value: &str| format!("<a>{system}{value}</a>");
    let system = format!("<system value='{SYSTEM}'/>");
    for (name, body, expected) in [
        ("structured record", parameter.clone(), one),
        ("old system", parameter.replace("https://fhir.nhs.uk", "http://fhir.nhs.net"), one),
        ("no identifier", "<Appointment><status value=\"booked\"/></Appointment>".into(), &[][..]),
        ("any depth", format!("<a><b><c>{good}</c></b></a>"), one),
        ("twice", format!("<a>{good}<b>{good}</b></a>"), one),
        ("two", format!("<a>{good}{other}</a>"), two),
        ("value first", in_parts("<value value='9000000009'/>", &system), one),
        ("with end tags", in_parts(&system, "<value value='9000000009'></value>"), one),
        (
            "prefixed",
            format!(
                "<f:a xmlns:f='x'><f:system value='{SYSTEM}'/><f:value value='9000000009'/></f:a>"
            ),
            one,
        ),
        (
            "in a foreign namespace",
            format!(
                "<a xmlns='x'><system xmlns='y' value='{SYSTEM}'/><value value='9000000009'/></a>"
            ),
            one,
        ),
        (
            "attributes around",
            in_parts(&system, "<value id='1' value='9000000009' xml:lang='en'/>"),
            one,
        ),
        ("letters by number", in_parts(&system, "<value value='&#57;00000&#x30;009'/>"), one),
        ("entities of XML itself", in_parts(&system, "<value value='&lt;&amp;'/>"), &["<&"]),
        ("line ends in it", in_parts(&system, "<value value='900\n000\r\n0009'/>"), one),
        ("comment between", in_parts(&system, "<!-- 1 --><value value='9000000009'/>"), one),
        ("instruction between", in_parts(&system, "<?x y?><value value='9000000009'/>"), one),
        (
            "CDATA is text",
            in_parts(&system, &format!("<![CDATA[{other}]]><value value='9000000009'/>")),
            one,
        ),
        ("comment holds nothing", format!("<a>{good}<!--{other}--></a>"), one),
        (
            "one inside another",
            in_parts(&format!("{system}{good}"), "<value value='9000000017'/>"),
            two,
        ),
        ("no value", in_parts(&system, "<value id='1'/>"), &[]),
        ("no system", in_parts("<system/>", "<value value='9000000009'/>"), &[]),
        ("narrative", "<a><text><div>a &lt; b &#233; <b>c</b> é</div></text></a>".into(), &[]),
        ("comment around", format!("<!--a-->{good}\n<!--b-->\n"), one),
    ] {
        assert_eq!(read_xml(&body), patients(expected), "{name}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_parsers_read_differently_is_unreadable_as_xml() {
    let not_xml = "it is not well-formed XML";
    let entity = "it uses an entity that XML does not have";
    let document_type = "it has a document type, which FHIR has not";
    let prefix = "a namespace prefix is not declared";
    let good = identifier("9000000009");
    let crowd: String = (0..33).map(|count| format!(" a{count}=''")).collect();
    let prefixes: String = (0..9).map(|count| format!(" xmlns:a{count}='x'")).collect();
    for (name, body, expected) in [
        (
            "two values",
            format!("<a><system value='{SYSTEM}'/><value value='1'/><value value='2'/></a>"),
            REPEATED,
        ),
        (
            "two systems",
            format!("<a><system value='{SYSTEM}'/><system value='x'/><value value='1'/></a>"),
            REPEATED,
        ),
        ("capitals", format!("<a><System value='{SYSTEM}'/><value value='1'/></a>"), OTHER_CASE),
        ("capitals in the attribute", format!("<a><system Value='{SYSTEM}'/></a>"), OTHER_CASE),
        (
            "prefixed attribute",
            "<a xmlns:f='x'><value f:value='1'/></a>".into(),
            "the value of an identifier is in a namespace",
        ),
        ("attribute twice", "<a b='1' b='2'/>".into(), not_xml),
        ("document type", format!("<!DOCTYPE a>{good}"), document_type),
        ("document type in small letters", format!("<!doctype a>{good}"), document_type),
        (
            "entities that explode",
            "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><a>&c;</a>".into(),
            document_type,
        ),
        (
            "a file as an entity",
            "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///x'>]><a>&b;</a>".into(),
            document_type,
        ),
        ("entity in text", "<a>&b;</a>".into(), entity),
        ("entity in a value", "<a><value value='&b;'/></a>".into(), entity),
        ("letter that does not exist", "<a>&#xFFFFFFFF;</a>".into(), entity),
        ("undeclared prefix", "<f:a/>".into(), prefix),
        ("undeclared prefix of an attribute", "<a f:b='1'/>".into(), prefix),
        ("prefix beyond its element", "<a><b xmlns:f='x'/><f:c/></a>".into(), prefix),
        ("other encoding", "<?xml version='1.0' encoding='UTF-16'?><a/>".into(), OTHER_CHARSET),
        ("UTF-7", "<?xml version='1.0' encoding='utf-7'?><a/>".into(), OTHER_CHARSET),
        ("XML 1.1", "<?xml version='1.1'?><a/>".into(), "its XML version is not 1.0"),
        ("late declaration", " <?xml version='1.0'?><a/>".into(), not_xml),
        ("two declarations", "<?xml version='1.0'?><?xml version='1.0'?><a/>".into(), not_xml),
        ("two roots", format!("{good}{good}"), not_xml),
        ("text before", format!("<?a?>x{good}"), not_xml),
        ("text behind", format!("{good}x"), not_xml),
        ("CDATA behind", format!("{good}<![CDATA[x]]>"), not_xml),
        ("letter behind", format!("{good}&#57;"), not_xml),
        ("no root", "<!-- a -->".into(), not_xml),
        ("cut off", good.trim_end_matches("er>").into(), not_xml),
        ("not closed", "<a><b></b>".into(), not_xml),
        ("crossed", "<a><b></a></b>".into(), not_xml),
        ("closed twice", "<a/></a>".into(), not_xml),
        ("no quotes", "<a b=1/>".into(), not_xml),
        ("no value", "<a b/>".into(), not_xml),
        ("element in a value", "<a b='<c/>'/>".into(), not_xml),
        ("control character", "<a>\u{1}</a>".into(), not_xml),
        ("comment in a comment", "<a><!-- -- --></a>".into(), not_xml),
        (
            "many attributes",
            format!("<a{crowd}/>"),
            "an element has too many attributes or namespaces",
        ),
        (
            "many prefixes",
            format!("<a{prefixes}/>"),
            "an element has too many attributes or namespaces",
        ),
        ("too deep", format!("{}{}", "<a>".repeat(65), "</a>".repeat(65)), TOO_DEEP),
    ] {
        assert_eq!(read_xml(&body), Patients::Unreadable(expected), "{name}");
    }
    let deep = format!("{}{}", "<a>".repeat(64), "</a>".repeat(64));
    assert_eq!(read_xml(deep), Patients::None);
}

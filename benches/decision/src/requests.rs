//! The requests that are decided: a typical one, and those that want to be dear.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    Policy,
    facts::UnixSeconds,
    interaction::{Capability, InteractionSet},
    policy::{
        Agreement, Consumer, Enablement, Endpoint, Endpoints, Mode, Practice, PracticeIndex,
        UpstreamIndex,
    },
    report_only::ReportOnly,
    token::TokenTerms,
};

pub const NOW: UnixSeconds = UnixSeconds(1_795_420_900);
const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect";
/// What a token may measure with `Bearer` before it.
const LONGEST: usize = 16_384;

/// A request head.
pub struct Request {
    pub name: &'static str,
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(&'static str, Vec<u8>)>,
}

/// A practice with everything on, and a consumer that may ask it for everything.
pub fn policy() -> Policy {
    let mut endpoints = Endpoints::default();
    let endpoint = Endpoint {
        service_root: ROOT.parse().expect("a service root"),
        asid: "918999198993".parse().expect("an ASID"),
        party_key: "A20047-821452".parse().expect("a party key"),
        cpa_id: None,
        interactions: InteractionSet::of_1_2_7(),
        upstream: UpstreamIndex(0),
    };
    endpoints.set(Capability::Foundations, endpoint);
    let practice = Practice {
        ods_code: "A20047".parse().expect("an ODS code"),
        name: "The Avenue Surgery".into(),
        endpoints,
        enablement: Enablement { gp_connect: true, ..Enablement::default() },
    };
    let consumer = Consumer {
        asid: "200000000359".parse().expect("an ASID"),
        organisation: "RXX01".parse().expect("an ODS code"),
        organisation_name: "Northern Hospital".into(),
        party_key: None,
        host_names: Vec::new(),
        interactions: InteractionSet::of_1_2_7(),
        mode: Mode::Transparent,
        report_only: ReportOnly::default(),
        token: TokenTerms::default(),
        access: None,
        single_issue: false,
    };
    let agreement = Agreement {
        consumer: consumer.organisation,
        practice: PracticeIndex(0),
        capabilities: Capability::ALL.into_iter().collect(),
    };
    Policy::new(vec![practice], vec![consumer], [agreement], InteractionSet::of_1_2_7())
}

/// Claims of about 1.4 kB, as consumers send them.
fn claims() -> String {
    format!(
        r#"{{"iss":"https://epr.northern-hospital.example/gpconnect/consumer","sub":"u-4471-88213","aud":"{ROOT}","iat":{},"exp":{},"reason_for_request":"directcare","requested_scope":"patient/*.read","requesting_device":{{"resourceType":"Device","id":"EPR-7","identifier":[{{"system":"https://epr.northern-hospital.example/Id/local-device-identifier","value":"EPR-7-PRODUCTION-02"}}],"type":{{"coding":[{{"system":"http://snomed.info/sct","code":"706689003","display":"Application program software"}}]}},"model":"Example Electronic Patient Record","version":"9.2.1"}},"requesting_organization":{{"resourceType":"Organization","id":"1","identifier":[{{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"RXX01"}}],"name":"Northern Hospital NHS Trust"}},"requesting_practitioner":{{"resourceType":"Practitioner","id":"u-4471-88213","identifier":[{{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"555000111222"}},{{"system":"https://fhir.nhs.uk/Id/sds-role-profile-id","value":"555000333444"}},{{"system":"https://epr.northern-hospital.example/Id/local-user-id","value":"asha.kaur"}}],"name":[{{"family":"Kaur","given":["Asha"],"prefix":["Dr"]}}]}}}}"#,
        NOW.0 - 100,
        NOW.0 + 200,
    )
}

fn bearer(claims: &str) -> Vec<u8> {
    format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", URL_SAFE_NO_PAD.encode(claims))
        .into_bytes()
}

fn request(name: &'static str, authorization: Vec<u8>) -> Request {
    let text = |text: &str| text.as_bytes().to_vec();
    Request {
        name,
        method: "GET",
        target: "/A20047/STU3/1/gpconnect/Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009"
            .into(),
        headers: vec![
            ("Host", text("gateway.example")),
            ("Accept", text("application/fhir+json;charset=utf-8")),
            ("Ssp-TraceID", text("629ea9ba-a077-4d99-b289-7a9b19fd4e03")),
            ("Ssp-From", text("200000000359")),
            ("Ssp-To", text("918999198993")),
            (
                "Ssp-InteractionID",
                text("urn:nhs:names:services:gpconnect:fhir:rest:search:patient-1"),
            ),
            ("Authorization", authorization),
        ],
    }
}

/// The claims with `text` as often as it fits into the longest token, between two texts.
fn filled(before: &str, text: &str, behind: &str) -> String {
    let room = (LONGEST - 60) / 4 * 3 - before.len() - behind.len();
    [before, &text.repeat(room / text.len()), behind].concat()
}

/// All of them, the typical one first.
pub fn all() -> Vec<Request> {
    let claims = claims();
    let open = claims.strip_suffix('}').expect("an object");
    let broken = claims
        .replace("directcare", "research")
        .replace("patient/*.read", "patient/*.write")
        .replace("Device\"", "Banana\"")
        .replace("\"iss\"", "\"iss\":7,\"x\"");
    let mut members = open.to_owned();
    for number in 0.. {
        let member = format!(",\"m{number}\":{number}");
        if members.len() + member.len() + 1 > (LONGEST - 60) / 4 * 3 {
            break;
        }
        members.push_str(&member);
    }
    let device = claims.replace("\"resourceType\":\"Device\"", "\"resourceType\":\"Device\"@");
    let (before, behind) = device.split_once('@').expect("a device");
    let mut odd_target = request("a path of dots and escapes", bearer(&claims));
    odd_target.target = format!("/A20047/STU3/1/gpconnect/{}", ".%2e;/%2f%".repeat(800));
    let mut odd_accept = request("a long list of media types", bearer(&claims));
    odd_accept.headers.push(("Accept", "text/html;q=0.1,".repeat(1_500).into_bytes()));
    let mut odd_format = request("many formats", bearer(&claims));
    odd_format.target = format!("{}{}", odd_format.target, "&_format=%25".repeat(660));
    let mut many_headers = request("a hundred headers", bearer(&claims));
    many_headers.headers.extend((0..92).map(|_| ("X-Header-Of-Nobody", b"x".repeat(200))));
    vec![
        request("typical", bearer(&claims)),
        request("many faults", bearer(&broken)),
        request("a token that ends early", bearer(open)),
        request("many members", bearer(&(members + "}"))),
        request("a long text", bearer(&filled(&format!("{open},\"x\":\""), "x", "\"}"))),
        request(
            "a text of escapes",
            bearer(&filled(&format!("{open},\"x\":\""), "\\u0041", "\"}")),
        ),
        request("deep lists", bearer(&filled(&format!("{open},\"x\":"), "[", ""))),
        request("many empty lists", bearer(&filled(&format!("{open},\"x\":[[]"), ",[]", "]}"))),
        request("many unknown elements", bearer(&filled(before, ",\"y\":1", behind))),
        request("many identifiers", {
            let text = ",{\"system\":\"s\",\"value\":\"v\"}";
            let claims =
                claims.replacen("\"value\":\"EPR-7-PRODUCTION-02\"}", "\"value\":\"1\"}@", 1);
            let (before, behind) = claims.split_once('@').expect("an identifier");
            bearer(&filled(before, text, behind))
        }),
        request("a token of dots", [b"Bearer ".as_slice(), &[b'.'; LONGEST - 7]].concat()),
        request(
            "a token of noise",
            [b"Bearer a.".as_slice(), &[b'A'; LONGEST - 11], b"."].concat(),
        ),
        odd_target,
        odd_accept,
        odd_format,
        many_headers,
    ]
}

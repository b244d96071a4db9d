//! No patient in log or metrics: numbers and words are planted in everything that callers and
//! providers can write into, and looked for in everything that operators can read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::interactions as all;
use crate::harness::{Call, Form, HOST, Mode, World, token};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

/// Stands before a number where letters may stand.
const MARK: &str = "Zebedee";

/// Synthetic NHS numbers, each with its check digit, each given out once.
struct Numbers {
    next: u32,
    given: Vec<String>,
}

impl Numbers {
    const fn new() -> Self {
        Self { next: 990_000_000, given: Vec::new() }
    }

    /// Ten digits.
    fn number(&mut self) -> String {
        loop {
            let nine = self.next;
            self.next += 1;
            if let Some(number) = with_check_digit(nine) {
                self.given.push(number.clone());
                return number;
            }
        }
    }

    /// A word with a number in it.
    fn word(&mut self) -> String {
        format!("{MARK}{}", self.number())
    }
}

/// Modulus 11; none for numbers that have no check digit.
fn with_check_digit(nine: u32) -> Option<String> {
    let text = format!("{nine:09}");
    let weighted = text.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    let check = 11 - weighted.sum::<u32>() % 11;
    match check {
        11 => Some(format!("{text}0")),
        10 => None,
        check => Some(format!("{text}{check}")),
    }
}

/// A world before a scripted provider; `format` is that of its log.
async fn world(format: &str) -> (World, Scripted) {
    let provider = Scripted::start().await;
    let upstream = provider.address();
    let settings = format!(
        "[log]\nformat = \"{format}\"\n\n[timeouts]\nquery = \"500ms\"\ncommand = \"500ms\"\n\
         body = \"300ms\"\nhead = \"300ms\"\n"
    );
    let world = World::start(|plan| {
        plan.upstream = Some(upstream);
        plan.settings = settings;
        // Whatever somebody sets to see more.
        for name in ["RUST_LOG", "RUST_BACKTRACE"] {
            plan.environment.push((name.into(), "trace".into()));
        }
    })
    .await;
    (world, provider)
}

/// Sends it and takes whatever comes.
async fn send(world: &World, bytes: impl AsRef<[u8]>) -> u16 {
    let mut wire = Wire::open(world.address(Mode::Transparent)).await;
    wire.write(bytes).await;
    wire.finish_soon().await
}

/// Nothing of what was given out is in log or metrics.
async fn nothing_shows(world: &mut World, numbers: &Numbers) {
    let metrics = world.metrics().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let lines = world.gateway.log.lines();
    let requests = lines.iter().filter(|line| line["message"] == "request").count();
    assert!(requests > 50 || lines.len() > 50, "{requests} requests were logged");
    let log: Vec<String> = lines
        .iter()
        .map(|line| line.as_str().map_or_else(|| line.to_string(), ToOwned::to_owned))
        .collect();
    for text in log.iter().map(String::as_str).chain(metrics.lines()) {
        assert!(!text.contains(MARK) && !text.contains("ZEBEDEE"), "{text}");
        for number in &numbers.given {
            assert!(!text.contains(number), "{number} in {text}");
        }
        assert!(!text.contains("eyJ"), "a token in {text}");
    }
}

fn good(world: &World) -> Call {
    world.call(Mode::Transparent, &all::SEARCH_PATIENT, "Patient")
}

fn command(world: &World) -> Call {
    let call = world.call(Mode::Transparent, &all::AMEND_APPOINTMENT, "Appointment/1");
    call.with("If-Match", "W/\"1\"").json(&json!({"resourceType": "Appointment"}))
}

/// Every place of a request that a caller writes, planted one by one.
fn planted_requests(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    for header in [
        "Host", "Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID", "Authorization",
        "Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Encoding",
        "Content-Length", "Transfer-Encoding", "Expect", "If-Match", "If-None-Match", "Prefer",
        "Connection", "Upgrade", "TE", "Trailer", "Forwarded", "Via", "X-Forwarded-For",
        "X-Forwarded-Host", "traceparent", "tracestate", "User-Agent", "Referer", "Cookie",
        "Origin", "From", "X-Request-ID", "X-Patient", "Ssp_From", "Proxy-Authorization",
    ] {
        for value in [numbers.number(), numbers.word()] {
            requests.push(wire::bytes(&good(world).with(header, &value)));
            requests.push(wire::bytes(&command(world).with(header, &value)));
            requests.push(wire::bytes(&good(world).and(header, &value)));
        }
    }
    let name = format!("X-{}", numbers.word());
    requests.push(wire::bytes(&good(world).and(&name, "1")));
    let bearer = format!("Bearer {}", numbers.word());
    requests.push(wire::bytes(&good(world).with("Authorization", &bearer)));
    let shaped = format!("00{}", numbers.number());
    requests.push(wire::bytes(&good(world).with("Ssp-To", &shaped)));
    requests.push(wire::bytes(&good(world).with("Ssp-From", &format!("00{}", numbers.number()))));
    requests.extend(planted_targets(world, numbers));
    requests.extend(planted_claims(world, numbers));
    requests.extend(planted_bodies(world, numbers));
    requests.extend(planted_heads(world, numbers));
    requests
}

fn planted_targets(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let root = world.practice(0).service_root.to_string();
    let mut targets = Vec::new();
    for form in [Form::Ods, Form::Proxy, Form::Folded, Form::Escaped] {
        let of = |path: &str| {
            Call::new(Mode::Transparent, form, world.practice(0), &all::READ_PATIENT, path).target
        };
        let whole = of("Patient/1");
        for place in 1..whole.split('/').count() {
            let mut segments: Vec<String> = whole.split('/').map(str::to_owned).collect();
            segments[place] = numbers.number();
            targets.push(segments.join("/"));
            segments[place] = numbers.word();
            targets.push(segments.join("/"));
        }
        for path in [
            format!("Patient/{}", numbers.number()),
            format!("Patient/{}?x={}", numbers.word(), numbers.word()),
            format!("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C{}", numbers.number()),
            format!("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|{}", numbers.number()),
            format!("Patient?{}={}", numbers.word(), numbers.word()),
            format!("Patient?_format={}", numbers.word()),
            format!("{}/{}", numbers.word(), numbers.word()),
            format!("Patient/{}/Appointment", numbers.number()),
            format!("Patient/$gpc.{}", numbers.word()),
            format!("../{}", numbers.word()),
            format!("{}%2F{}", numbers.word(), numbers.word()),
            format!("Patient/1#{}", numbers.word()),
        ] {
            targets.push(of(&path));
        }
    }
    let host = numbers.number();
    targets.push(root.replace("https://gp1.sim.example", &format!("/https://{host}.example")) + "/Patient/1");
    targets.push(root.replace("https://", &format!("/https://{}@", numbers.word())) + "/Patient/1");
    targets.push(root.replace("sim.example", &format!("sim.example:{}", numbers.number())).replace("https", "/https") + "/Patient/1");
    targets.push(format!("http://{}/x", numbers.word()));
    targets.push(format!("http://{HOST}/{}", numbers.word()));
    targets.push(numbers.word());
    let sent = |target: String| {
        ["GET", "PUT", "DELETE"].map(|verb| {
            let call = if verb == "PUT" { command(world) } else { good(world) };
            let interaction = all::READ_PATIENT.urn();
            let call = Call { verb: verb.into(), target: target.clone(), ..call };
            let call = if verb == "GET" { call.with("Ssp-InteractionID", &interaction) } else { call };
            wire::bytes(&call)
        })
    };
    targets.into_iter().flat_map(sent).collect()
}

/// Each claim, replaced and added to, and everything within the three resources.
fn planted_claims(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let claims = token::claims("patient/*.read", world.practice(0).service_root.as_str());
    let mut places = Vec::new();
    collect(&claims, "", &mut places);
    assert!(places.len() > 30);
    let mut requests = Vec::new();
    for place in places {
        for value in [json!(numbers.number()), json!(numbers.word()), json!([numbers.word()]), json!({numbers.word(): numbers.word()})] {
            let mut claims = claims.clone();
            *claims.pointer_mut(&place).unwrap() = value;
            requests.push(wire::bytes(&good(world).claiming(&claims)));
        }
    }
    let mut claims = claims;
    claims[numbers.word()] = json!(numbers.number());
    requests.push(wire::bytes(&good(world).claiming(&claims)));
    for text in [
        format!("{{\"{}\":", numbers.word()),
        format!("{{\"iss\":\"{}\",\"iss\":\"{}\"}}", numbers.word(), numbers.word()),
        numbers.word(),
    ] {
        let bearer = format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", URL_SAFE_NO_PAD.encode(text));
        requests.push(wire::bytes(&good(world).with("Authorization", &bearer)));
    }
    for header in [format!("{{\"alg\":\"{}\"}}", numbers.word()), numbers.word()] {
        let bearer = format!("Bearer {}.e30.", URL_SAFE_NO_PAD.encode(header));
        requests.push(wire::bytes(&good(world).with("Authorization", &bearer)));
    }
    requests
}

/// The places of every value in some JSON.
fn collect(value: &Value, place: &str, places: &mut Vec<String>) {
    if !place.is_empty() {
        places.push(place.to_owned());
    }
    if let Some(object) = value.as_object() {
        object.iter().for_each(|(name, inner)| collect(inner, &format!("{place}/{name}"), places));
    } else if let Some(list) = value.as_array() {
        list.iter().enumerate().for_each(|(at, inner)| collect(inner, &format!("{place}/{at}"), places));
    }
}

fn planted_bodies(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let nhs = "https://fhir.nhs.uk/Id/nhs-number";
    for body in [
        format!("{{\"identifier\":[{{\"system\":\"{nhs}\",\"value\":\"{}\"}}]}}", numbers.number()),
        format!("{{\"{}\":\"{}\"", numbers.word(), numbers.word()),
        format!("<Patient><id value=\"{}\"/></Patient>", numbers.word()),
        numbers.word().repeat(5_000),
    ] {
        let long = command(world).bytes(body.clone());
        requests.push(wire::bytes(&long.clone().with("Ssp-From", "999999999999")));
        requests.push(wire::bytes(&long.clone().with("Content-Type", "text/plain")));
        requests.push(wire::bytes(&long));
        let head = String::from_utf8(wire::head(&command(world))).unwrap();
        // A chunk whose length is a word, one that is longer than it says, one that breaks off.
        for chunked in [format!("{body}\r\n"), format!("1\r\n{body}\r\n0\r\n\r\n"), format!("fffff\r\n{body}")] {
            requests.push(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunked}").into_bytes());
        }
        requests.push(format!("{head}Transfer-Encoding: chunked\r\n\r\n1;{}\r\nx\r\n0\r\nX-{}: {}\r\n\r\n", numbers.word(), numbers.word(), numbers.word()).into_bytes());
    }
    requests
}

fn planted_heads(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let line = |first: String| {
        let head = String::from_utf8(wire::bytes(&good(world))).unwrap();
        let (_, rest) = head.split_once("\r\n").unwrap();
        format!("{first}\r\n{rest}").into_bytes()
    };
    let mut requests = vec![
        line(format!("{} / HTTP/1.1", numbers.word())),
        line(format!("GET /{} HTTP/1.0", numbers.word())),
        line(format!("GET / {}", numbers.word())),
        line(format!("{} {} {}", numbers.word(), numbers.word(), numbers.word())),
        line(numbers.word()),
        line(format!("GET /{} x HTTP/1.1", numbers.word())),
        line(format!("CONNECT {}:443 HTTP/1.1", numbers.word())),
        numbers.word().into_bytes(),
        format!("GET /{}", numbers.word().repeat(1_000)).into_bytes(),
    ];
    for header in [
        format!("{}\r\n", numbers.word()),
        format!("X One: {}\r\n", numbers.word()),
        format!("X-One: 1\r\n {}\r\n", numbers.word()),
        format!("X-One: {}\0\r\n", numbers.word()),
        format!("X-One: {}\nX-Two: 2\r\n", numbers.word()),
        format!("X-One: {}\r\n", numbers.word().repeat(3_000)),
        format!("Ssp-From: {}\r\nSsp-From: {}\r\n", numbers.word(), numbers.word()),
    ] {
        let head = String::from_utf8(wire::bytes(&good(world))).unwrap();
        requests.push(head.replacen("\r\n\r\n", &format!("\r\n{header}\r\n"), 1).into_bytes());
    }
    requests
}

#[tokio::test]
async fn no_request_plants_a_patient() {
    for format in ["json", "human"] {
        let (mut world, _provider) = world(format).await;
        let mut numbers = Numbers::new();
        let requests = planted_requests(&world, &mut numbers);
        assert!(numbers.given.len() > 400, "{} planted", numbers.given.len());
        let mut good = 0;
        for request in requests {
            if send(&world, request).await == 200 {
                good += 1;
            }
        }
        assert!(good > 50, "{good} requests were carried");
        nothing_shows(&mut world, &numbers).await;
    }
}

/// Answers of a provider: good, wrong, and no answer at all.
fn planted_answers(numbers: &mut Numbers) -> Vec<Vec<Step>> {
    let mut answers = Vec::new();
    let text = |text: String| vec![Step::send(text), Step::Close];
    for status in ["200 OK", "404 Not Found", "500 Oops", "503 Busy"] {
        let body = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", numbers.word());
        answers.push(text(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())));
        answers.push(text(format!("HTTP/1.1 {status}\r\nContent-Length: 9999\r\n\r\n{body}")));
        answers.push(text(format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n{body}\r\n")));
        for header in ["Location", "ETag", "Content-Type", "Set-Cookie", "Ssp-TraceID", "Via", "Connection", "Server", "Transfer-Encoding", "Content-Length", "WWW-Authenticate"] {
            answers.push(text(format!("HTTP/1.1 {status}\r\n{header}: {}\r\nContent-Length: 0\r\n\r\n", numbers.word())));
        }
    }
    for answer in [
        numbers.word(),
        format!("{}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 {}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 OK\r\nX-{}: 1", numbers.word()),
        format!("HTTP/1.1 200 OK\r\nX-One: {}\0\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 OK\r\nX-One: {}\r\n\r\n", numbers.word().repeat(100_000)),
        format!("HTTP/1.1 100 {}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 101 {}\r\nUpgrade: {}\r\n\r\n{}", numbers.word(), numbers.word(), numbers.word()),
        format!("HTTP/1.1 204 No Content\r\n\r\n{}", numbers.word()),
    ] {
        answers.push(text(answer));
    }
    let word = numbers.word();
    answers.push(vec![Step::send(format!("HTTP/1.1 200 OK\r\nX-One: {word}")), Step::Reset]);
    answers.push(vec![Step::send(format!("HTTP/1.1 200 OK\r\n\r\n{word}")), Step::Reset]);
    answers.push(vec![Step::Reset]);
    answers
}

#[tokio::test]
async fn no_answer_plants_a_patient() {
    for format in ["json", "human"] {
        let (mut world, provider) = world(format).await;
        let mut numbers = Numbers::new();
        let answers = planted_answers(&mut numbers);
        for answer in answers {
            // The request names a patient as well: errors of the engine like to repeat its line.
            let mut call = good(&world);
            call.target = format!("{}?identifier=x|{}&{}", call.target, numbers.number(), numbers.word());
            provider.will(answer);
            send(&world, wire::bytes(&call)).await;
        }
        // And one that goes away, one that waits in vain.
        provider.will([Step::Hang]);
        let mut call = good(&world);
        call.target = format!("{}?{}", call.target, numbers.word());
        send(&world, wire::bytes(&call)).await;
        nothing_shows(&mut world, &numbers).await;
    }
}

/// What a caller is told of its own request does not reach another, and names no patient either.
#[tokio::test]
async fn refusals_repeat_no_number_and_no_query() {
    let (world, _provider) = world("json").await;
    let mut numbers = Numbers::new();
    for request in planted_claims(&world, &mut numbers) {
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(request).await;
        let reply = wire.read("GET").await;
        if reply.status >= 400 {
            assert!(!reply.text().contains(MARK), "{reply:?}");
        }
    }
    for (name, call) in [
        ("query", Call { target: good(&world).target + "?" + &numbers.word(), ..good(&world) }),
        ("trace id", good(&world).with("Ssp-TraceID", &numbers.word())),
        ("interaction", good(&world).with("Ssp-InteractionID", &numbers.word())),
        ("receiver", good(&world).with("Ssp-To", &numbers.word())),
        ("type", command(&world).with("Content-Type", &numbers.word())),
        ("body", command(&world).bytes(numbers.word())),
        ("host", good(&world).with("Host", &numbers.word())),
    ] {
        // Something else is wrong with each, so that all are refused.
        let call = call.with("Ssp-From", "999999999999");
        let reply = Wire::open(world.address(Mode::Transparent)).await.exchange(&call).await;
        assert!(reply.status >= 400, "{name}: {reply:?}");
        assert!(!reply.text().contains(MARK), "{name}: {reply:?}");
    }
}

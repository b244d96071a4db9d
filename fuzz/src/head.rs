//! Stage 1: a head is read in one way only, however its bytes arrive.

use gpconnect_gateway::proxy::rehearsal::admit;

use super::world::world;

/// A head that is accepted means the same to the check, to the engine's parser and to whoever
/// splits lines by hand; what is handed on are its own bytes; written down again it is accepted
/// again.
pub fn head(bytes: &[u8]) {
    let accepted = |bytes: &[u8], piece| {
        let world = world();
        admit(bytes, piece, &world.limits, &world.server_names)?.ok()
    };
    let whole = accepted(bytes, usize::MAX);
    assert_eq!(accepted(bytes, bytes.len() / 5 + 1), whole, "pieces make a difference");
    let Some(handed_on) = whole else { return };
    assert_same_bytes(bytes, &handed_on);

    let ours = lines(&handed_on);
    assert_eq!(engine(&handed_on), ours, "the engine reads another head");
    assert_unambiguous(&ours);

    let printed = print(&ours);
    if printed.len() <= world().limits.head_bytes {
        let again = accepted(&printed, usize::MAX).expect("what was accepted once");
        assert_eq!(lines(&again), ours, "printed, it reads differently");
    }
}

/// The request line and the fields, names and values without the blanks around them.
type Head = (Vec<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);

/// As somebody reads it who knows only that lines end in CRLF and names in a colon.
fn lines(head: &[u8]) -> Head {
    let text: Vec<u8> = head.strip_suffix(b"\r\n\r\n").expect("an empty line at the end").to_vec();
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
    let first = lines.next().expect("a first line");
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
        (line[..colon].to_vec(), line[colon + 1..].trim_ascii().to_vec())
    };
    (first.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect(), lines.map(field).collect())
}

/// As the parser reads it that the engine uses.
fn engine(head: &[u8]) -> Head {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut fields);
    let status = request.parse(head).expect("a head that the engine can read");
    assert_eq!(status, httparse::Status::Complete(head.len()), "the engine sees another end");
    assert_eq!(request.version, Some(1));
    let (method, path) = (request.method.expect("a method"), request.path.expect("a path"));
    let first = [method, path, "HTTP/1.1"].map(|part| part.as_bytes().to_vec()).into();
    let field = |field: &httparse::Header<'_>| {
        (field.name.as_bytes().to_vec(), field.value.trim_ascii().to_vec())
    };
    (first, request.headers.iter().map(field).collect())
}

fn print((first, fields): &Head) -> Vec<u8> {
    let fields =
        fields.iter().flat_map(|(name, value)| [b"\r\n".as_slice(), name, b": ", value].concat());
    first.join(&b' ').into_iter().chain(fields).chain(*b"\r\n\r\n").collect()
}

/// What is handed on is what arrived, without the authority of an absolute-form target.
fn assert_same_bytes(arrived: &[u8], handed_on: &[u8]) {
    if arrived.starts_with(handed_on) {
        return;
    }
    let start = arrived.iter().position(|byte| *byte == b' ').expect("a method") + 1;
    let (method, rest) = handed_on.split_at(start);
    assert!(arrived.starts_with(method), "the method changed");
    let arrived = &arrived[start..];
    assert!(arrived.starts_with(b"http://") || arrived.starts_with(b"https://"));
    let authority = arrived.iter().position(|byte| *byte == b':').expect("a scheme") + 3;
    let path = arrived[authority..].iter().position(|byte| *byte == b'/').expect("a path");
    assert!(arrived[authority + path..].starts_with(rest), "more was cut than the authority");
}

/// One host, one length at most, and each identity at most once under any spelling.
fn assert_unambiguous((_, fields): &Head) {
    let values = |name: &str| -> Vec<&[u8]> {
        let same = |given: &[u8]| {
            let dashed = given.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte });
            dashed.collect::<Vec<_>>().eq_ignore_ascii_case(name.as_bytes())
        };
        fields.iter().filter(|(given, _)| same(given)).map(|(_, value)| value.as_slice()).collect()
    };
    let [host] = values("host")[..] else { panic!("not one Host") };
    let served = |name: &str| name.as_bytes().eq_ignore_ascii_case(host);
    assert!(world().server_names.iter().any(|name| served(name.as_str())));
    for name in ["ssp-traceid", "ssp-from", "ssp-to", "ssp-interactionid", "authorization"] {
        assert!(values(name).len() <= 1, "{name} stands twice");
    }
    let (lengths, encodings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + encodings.len() <= 1, "its body has two lengths");
    for length in lengths {
        assert!(length.iter().all(u8::is_ascii_digit) && !length.is_empty());
    }
    assert!(encodings.iter().all(|encoding| encoding.eq_ignore_ascii_case(b"chunked")));
}

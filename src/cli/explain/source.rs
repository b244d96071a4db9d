//! Where the request comes from: a file with a raw request, a copied curl command, or options.

use std::{
    fs::File,
    io::{self, Read},
};

use super::{arguments::Curl, curl};

/// A request as it would come over the wire, and what had to be done to a file to make it so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The file, or what stands for it.
    pub(super) name: String,
    /// The bytes.
    pub(super) message: Vec<u8>,
    /// What was changed, for whoever wrote the file.
    pub(super) notes: Vec<String>,
    /// Whether a line of the head is the line of the file with the same number.
    pub(super) has_lines: bool,
}

impl Source {
    /// The value of a header, the first one of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.message.split(|byte| *byte == b'\n').skip(1);
        let mut head = lines.take_while(|line| !line.trim_ascii().is_empty());
        str::from_utf8(head.find_map(|line| value_of(line, name))?).ok()
    }
}

/// More than any gateway takes as head and body together.
const MOST_BYTES: u64 = 4 << 20;

/// Reads what `request` names: a URL with the options of `curl`, or a file.
///
/// # Errors
/// What was wrong, with the name of the file and the line where there is one.
pub(super) fn read(request: &str, options: &Curl) -> Result<Source, String> {
    if curl::is_url(request) {
        let message = curl::message(request, options)?;
        return Ok(Source {
            name: "the command line".into(),
            message,
            notes: Vec::new(),
            has_lines: false,
        });
    }
    if options.is_used() {
        return Err(format!(
            "{request}: -X, -H and -d go with a URL, which begins with http:// or https://"
        ));
    }
    let (name, bytes) = match request {
        "-" => ("standard input", bounded(io::stdin().lock())),
        path => (path, File::open(path).and_then(bounded)),
    };
    let bytes = bytes.map_err(|fault| format!("{name}: {fault}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(format!("{name}: is longer than {MOST_BYTES} bytes; expected one request"));
    }
    of_file(name, &bytes)
}

fn bounded(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the bytes of a file.
///
/// # Errors
/// For an empty file, and for a curl command that can't be read.
pub(super) fn of_file(name: &str, bytes: &[u8]) -> Result<Source, String> {
    let mut notes = Vec::new();
    let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => {
            notes.push("line 1: begins with a byte order mark, which was left out".into());
            rest
        }
        None => bytes,
    };
    if bytes.trim_ascii().is_empty() {
        return Err(format!(
            "{name}: is empty; expected a request line, headers, an empty line and a body, or a curl command"
        ));
    }
    if bytes.trim_ascii_start().starts_with(b"curl ") {
        let text =
            str::from_utf8(bytes).or(Err(format!("{name}: the curl command is not UTF-8")))?;
        let (url, options) = curl::parse(name, text)?;
        let message = curl::message(&url, &options)?;
        return Ok(Source { name: name.into(), message, notes, has_lines: false });
    }
    let message = Written { notes: &mut notes }.message(bytes);
    Ok(Source { name: name.into(), message, notes, has_lines: true })
}

/// A request that somebody wrote into a file.
struct Written<'n> {
    notes: &'n mut Vec<String>,
}

impl Written<'_> {
    fn note(&mut self, line: usize, text: &str) {
        self.notes.push(format!("line {line}: {text}"));
    }

    /// The message, with what an editor does not write put right.
    fn message(mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut lines, body) = split(bytes);
        // A file with some CR LF was not written by hand: what is odd about it is meant.
        let by_hand = !lines.iter().any(|line| line.ends_with(b"\r"));
        if by_hand {
            self.note(
                1,
                "lines end in LF and were read as CR LF; the gateway refuses LF alone on the wire",
            );
        }
        let body = match body {
            Some(body) => body,
            None => {
                while lines.last().is_some_and(|line| line.trim_ascii().is_empty()) {
                    lines.pop();
                }
                self.note(
                    lines.len() + 1,
                    "the empty line behind the headers is missing and was added; on the wire the \
                     gateway would wait for it and answer 408",
                );
                &[]
            }
        };
        let mut message = Vec::with_capacity(bytes.len() + 256);
        for line in &lines {
            message.extend_from_slice(line);
            message.extend_from_slice(if by_hand { b"\r\n" } else { b"\n" });
        }
        let body = self.framed(&lines, body, &mut message);
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(body);
        message
    }

    /// Gives a body without a length one, and cuts the file's last line end.
    fn framed<'b>(&mut self, lines: &[&[u8]], body: &'b [u8], message: &mut Vec<u8>) -> &'b [u8] {
        let value = |name: &str| lines.iter().find_map(|line| value_of(line, name));
        if value("Transfer-Encoding").is_some() {
            return body;
        }
        let first = lines.len() + 2;
        if let Some(length) = value("Content-Length") {
            let length = str::from_utf8(length).ok().and_then(|text| text.parse::<usize>().ok());
            let behind = length.and_then(|length| body.get(length..)).unwrap_or_default();
            if !behind.trim_ascii().is_empty() {
                let many = behind.len();
                let text = format!(
                    "{many} bytes stand behind the body of the length in Content-Length; on the \
                     wire they would be the next request"
                );
                self.note(first, &text);
            }
            return length.and_then(|length| body.get(..length)).unwrap_or(body);
        }
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        if !body.is_empty() {
            let length = body.len();
            let header = format!("Content-Length: {length}");
            message.extend_from_slice(format!("{header}\r\n").as_bytes());
            self.note(first, &format!("{header} was added for the body"));
        }
        body
    }
}

/// The lines of the head, without LF, and what stands behind the empty line.
fn split(bytes: &[u8]) -> (Vec<&[u8]>, Option<&[u8]>) {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        if line.strip_suffix(b"\r").unwrap_or(line).is_empty() && !lines.is_empty() {
            return (lines, Some(rest));
        }
        lines.push(line);
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    (lines, None)
}

/// The value of the header in `line`, if it has this name.
pub(super) fn value_of<'l>(line: &'l [u8], name: &str) -> Option<&'l [u8]> {
    let colon = memchr::memchr(b':', line)?;
    let (found, value) = line.split_at(colon);
    let same = found.eq_ignore_ascii_case(name.as_bytes());
    same.then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> (String, Vec<String>) {
        let source = of_file("r.http", text.as_bytes()).unwrap();
        (String::from_utf8(source.message).unwrap(), source.notes)
    }

    #[test]
    fn a_file_by_hand_becomes_what_goes_over_the_wire() {
        for (name, text, expected, notes) in [
            (
                "as on the wire",
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                vec![],
            ),
            (
                "LF",
                "GET / HTTP/1.1\nHost: h\n\n",
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                vec!["line 1: lines end in LF"],
            ),
            (
                "one LF among CR LF stays",
                "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n",
                vec![],
            ),
            (
                "no end",
                "GET / HTTP/1.1\nHost: h",
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                vec!["line 1: lines end in LF", "line 3: the empty line"],
            ),
            (
                "a body without a length",
                "PUT / HTTP/1.1\n\n{}\n",
                "PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                vec!["line 1: lines end in LF", "line 3: Content-Length: 2 was added"],
            ),
            (
                "a body with its length",
                "PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}\n",
                "PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}",
                vec![],
            ),
            (
                "more than its length",
                "PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET",
                "PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                vec!["line 4: 3 bytes stand behind the body"],
            ),
            (
                "less than its length",
                "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}",
                "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}",
                vec![],
            ),
        ] {
            let (message, found) = message(text);
            assert_eq!(message, expected, "{name}");
            assert_eq!(found.len(), notes.len(), "{name}: {found:?}");
            for (found, start) in found.iter().zip(notes) {
                assert!(found.starts_with(start), "{name}: {found}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_left_out() {
        let (message, notes) = message("\u{feff}GET / HTTP/1.1\r\n\r\n");
        assert_eq!(message, "GET / HTTP/1.1\r\n\r\n");
        assert!(notes[0].contains("byte order mark"));
    }

    #[test]
    fn an_empty_file_is_no_request() {
        for text in ["", " \n\n", "\u{feff}"] {
            let fault = of_file("r.http", text.as_bytes()).unwrap_err();
            assert!(fault.starts_with("r.http: is empty"), "{fault}");
        }
    }

    #[test]
    fn options_of_curl_go_with_a_url() {
        let options = Curl { method: Some("PUT".into()), ..Curl::default() };
        let fault = read("request.http", &options).unwrap_err();
        assert!(fault.contains("go with a URL"), "{fault}");
        let fault = read("no/such/file.http", &Curl::default()).unwrap_err();
        assert!(fault.starts_with("no/such/file.http: "), "{fault}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text in "(curl |GET |[A-Za-z: \\r\\n'\"\\\\{}-]){0,40}") {
            of_file("r", &bytes).unwrap_or(Source { name: String::new(), message: Vec::new(), notes: Vec::new(), has_lines: false });
            drop(of_file("r", text.as_bytes()));
        }
    }
}

//! A request as curl would send it, from options or from a copied command line.

use std::fs;

use shlex::Shlex;

use super::arguments::Curl;

impl Curl {
    /// Whether any option was given.
    pub(super) fn is_used(&self) -> bool {
        self.method.is_some() || !self.headers.is_empty() || self.has_body()
    }

    fn has_body(&self) -> bool {
        [&self.data, &self.data_binary, &self.data_raw].into_iter().any(|kind| !kind.is_empty())
    }

    /// The body: curl joins several pieces with `&`.
    fn body(&self) -> Result<Option<Vec<u8>>, String> {
        if !self.has_body() {
            return Ok(None);
        }
        let mut pieces = Vec::new();
        for text in &self.data {
            let mut piece = text_or_file(text)?;
            if text.starts_with('@') {
                piece.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            }
            pieces.push(piece);
        }
        for text in &self.data_binary {
            pieces.push(text_or_file(text)?);
        }
        pieces.extend(self.data_raw.iter().map(|text| text.clone().into_bytes()));
        Ok(Some(pieces.join(&b'&')))
    }
}

fn text_or_file(text: &str) -> Result<Vec<u8>, String> {
    match text.strip_prefix('@') {
        Some(path) => fs::read(path).map_err(|fault| format!("{path}: {fault}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}

/// Whether `text` is a URL and not the name of a file.
pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The bytes that curl would send over HTTP/1.1, without its `User-Agent`.
///
/// # Errors
/// When there is no host in the URL, a body can't be read, or a header is no header.
pub(super) fn message(url: &str, options: &Curl) -> Result<Vec<u8>, String> {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    let behind = behind.split('#').next().unwrap_or_default();
    let cut = behind.find(['/', '?']).unwrap_or(behind.len());
    let (authority, target) = behind.split_at_checked(cut).unwrap_or((behind, ""));
    if authority.is_empty() {
        return Err(format!("{url}: has no host; expected https://gateway/A20047/STU3/1/..."));
    }
    let body = options.body()?;
    let default = if body.is_some() { "POST" } else { "GET" };
    let method = options.method.as_deref().unwrap_or(default);
    let slash = if target.starts_with('/') { "" } else { "/" };
    let mut message = format!("{method} {slash}{target} HTTP/1.1\r\n");
    let mut own = vec![("Host", authority.to_owned()), ("Accept", "*/*".to_owned())];
    if let Some(body) = &body {
        own.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
        own.push(("Content-Length", body.len().to_string()));
    }
    for (name, value) in own {
        let replaces = |line: &String| {
            let named = line.split([':', ';']).next().unwrap_or_default();
            named.trim().eq_ignore_ascii_case(name)
        };
        if !options.headers.iter().any(replaces) {
            message.extend([name, ": ", &value, "\r\n"]);
        }
    }
    for line in &options.headers {
        message.push_str(&header(line)?);
    }
    message.push_str("\r\n");
    Ok([message.into_bytes(), body.unwrap_or_default()].concat())
}

/// A header line: `Name:` sends none, `Name;` sends an empty one, as curl has it.
fn header(line: &str) -> Result<String, String> {
    match line.split_once(':') {
        Some((_, value)) if value.trim().is_empty() => Ok(String::new()),
        Some(_) => Ok(format!("{line}\r\n")),
        None => match line.strip_suffix(';') {
            Some(name) => Ok(format!("{name}:\r\n")),
            None => Err(format!("-H '{line}': expected 'Name: value'")),
        },
    }
}

/// What becomes of an option of curl.
enum Meaning {
    Method,
    Header,
    Data,
    DataBinary,
    DataRaw,
    Url,
    /// A header of this name.
    Named(&'static str),
    /// The method HEAD.
    Head,
    /// `Accept-Encoding`.
    Compressed,
    /// It concerns the connection or curl's own output.
    Ignored,
    /// The same, with a value.
    IgnoredWithValue,
}

#[rustfmt::skip]
fn meaning(option: &str) -> Option<Meaning> {
    Some(match option {
        "-X" | "--request" => Meaning::Method,
        "-H" | "--header" => Meaning::Header,
        "-d" | "--data" | "--data-ascii" => Meaning::Data,
        "--data-binary" => Meaning::DataBinary,
        "--data-raw" => Meaning::DataRaw,
        "--url" => Meaning::Url,
        "-A" | "--user-agent" => Meaning::Named("User-Agent"),
        "-e" | "--referer" => Meaning::Named("Referer"),
        "-b" | "--cookie" => Meaning::Named("Cookie"),
        "-I" | "--head" => Meaning::Head,
        "--compressed" => Meaning::Compressed,
        "-s" | "--silent" | "-S" | "--show-error" | "-v" | "--verbose" | "-i" | "--include" | "-k"
        | "--insecure" | "-L" | "--location" | "-f" | "--fail" | "--fail-with-body" | "-g"
        | "--globoff" | "-N" | "--no-buffer" | "-#" | "--progress-bar" | "-4" | "-6" | "-O"
        | "--http1.1" | "--http2" | "--path-as-is" | "--tlsv1.2" | "--tlsv1.3" => Meaning::Ignored,
        "-o" | "--output" | "-E" | "--cert" | "--key" | "--cacert" | "--capath" | "--pass"
        | "--cert-type" | "--key-type" | "-w" | "--write-out" | "-m" | "--max-time"
        | "--connect-timeout" | "--retry" | "--resolve" | "--connect-to" | "-x" | "--proxy"
        | "--noproxy" | "-D" | "--dump-header" | "-c" | "--cookie-jar" | "--tls-max" | "--ciphers"
        | "--trace" | "--trace-ascii" | "--stderr" => Meaning::IgnoredWithValue,
        _ => return None,
    })
}

/// `text` without the backslashes that join its lines, which would become empty words.
fn joined(name: &str, text: &str) -> Result<String, String> {
    let (mut quote, mut line) = (None, 1);
    let mut joined = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match (letter, quote, next) {
            ('\\', None, Some('\r' | '\n')) => joined.push(' '),
            ('\\', None | Some('"'), Some(escaped)) => {
                letters.next();
                line += usize::from(escaped == '\n');
                joined.extend([letter, escaped]);
            }
            // Between words CR is no blank to the shell.
            ('\r', None, Some('\n')) => {}
            ('$', None, Some('\'')) => {
                return Err(format!(
                    "{name}:{line}: quotes of the form $'...' are not understood here; write '...'"
                ));
            }
            (letter, open, _) => {
                quote = match (letter, open) {
                    ('\'' | '"', None) => Some(letter),
                    (letter, Some(open)) if open == letter => None,
                    _ => open,
                };
                line += usize::from(letter == '\n');
                joined.push(letter);
            }
        }
    }
    Ok(joined)
}

/// The words of a command line, each with the line that it ends in.
fn words(name: &str, text: &str) -> Result<Vec<(usize, String)>, String> {
    let text = joined(name, text)?;
    let mut shlex = Shlex::new(&text);
    let mut words = Vec::new();
    while let Some(word) = shlex.next() {
        words.push((shlex.line_no, word));
    }
    if shlex.had_error {
        let line = shlex.line_no;
        return Err(format!("{name}:{line}: a quote or backslash of the curl command has no end"));
    }
    Ok(words)
}

/// Reads a copied command line: the URL and what else matters.
///
/// # Errors
/// With the file's name and the line: quotes that don't end, an option that is not known, no URL.
pub(super) fn parse(name: &str, text: &str) -> Result<(String, Curl), String> {
    let mut words = words(name, text)?.into_iter();
    let (mut url, mut options) = (None, Curl::default());
    // The first word is curl itself.
    words.next();
    while let Some((line, word)) = words.next() {
        if !word.starts_with('-') || word == "-" {
            url = Some(word);
            continue;
        }
        let (option, attached) = taken_apart(&word);
        let known = meaning(option).ok_or_else(|| {
            format!("{name}:{line}: {option} of curl is not understood here; leave it out")
        })?;
        let mut value = || {
            let next = attached.map(str::to_owned).or_else(|| words.next().map(|(_, word)| word));
            next.ok_or_else(|| format!("{name}:{line}: {option} lacks its value"))
        };
        match known {
            Meaning::Method => options.method = Some(value()?),
            Meaning::Header => options.headers.push(value()?),
            Meaning::Data => options.data.push(value()?),
            Meaning::DataBinary => options.data_binary.push(value()?),
            Meaning::DataRaw => options.data_raw.push(value()?),
            Meaning::Url => url = Some(value()?),
            Meaning::Named(header) => options.headers.push(format!("{header}: {}", value()?)),
            Meaning::Head => options.method = Some("HEAD".into()),
            Meaning::Compressed => options.headers.push("Accept-Encoding: gzip, deflate".into()),
            Meaning::Ignored => {}
            Meaning::IgnoredWithValue => drop(value()?),
        }
    }
    let url = url.ok_or_else(|| format!("{name}: the curl command has no URL"))?;
    let scheme = if is_url(&url) { "" } else { "http://" };
    Ok((format!("{scheme}{url}"), options))
}

/// An option and the value that is attached to it: `-XPOST`, `--url=...`. Flags that stand
/// together, as in `-sS`, are as good as their first: only flags without effect do.
fn taken_apart(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    match word.split_at_checked(2) {
        Some((option, rest)) if !rest.is_empty() => (option, Some(rest)),
        _ => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(text: &str) -> Result<String, String> {
        let (url, options) = parse("c.txt", text)?;
        Ok(String::from_utf8(message(&url, &options)?).unwrap())
    }

    #[test]
    fn a_copied_command_is_what_curl_sends() {
        for (name, text, expected) in [
            (
                "a GET",
                "curl https://gw:8443/A20047/x?a=1#top",
                "GET /A20047/x?a=1 HTTP/1.1\r\nHost: gw:8443\r\nAccept: */*\r\n\r\n",
            ),
            (
                "proxy form",
                "curl -sS 'https://gw/https://gp.example/A20047/STU3/1/gpconnect/metadata'",
                "GET /https://gp.example/A20047/STU3/1/gpconnect/metadata HTTP/1.1\r\nHost: gw\r\nAccept: */*\r\n\r\n",
            ),
            (
                "over lines",
                "curl -X PUT \\\n  -H 'Ssp-From: 1' \\\n  -H 'Accept:' -H 'Empty;' \\\n  --cert a.pem http://gw",
                "PUT / HTTP/1.1\r\nHost: gw\r\nSsp-From: 1\r\nEmpty:\r\n\r\n",
            ),
            (
                "a body",
                "curl --data-raw '@{}' -HContent-Type:text/plain gw/x",
                "POST /x HTTP/1.1\r\nHost: gw\r\nAccept: */*\r\nContent-Length: 3\r\nContent-Type:text/plain\r\n\r\n@{}",
            ),
            (
                "two bodies",
                "curl -d a=1 -d b=2 http://gw/?q",
                "POST /?q HTTP/1.1\r\nHost: gw\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=1&b=2",
            ),
            (
                "an option over two lines",
                "curl -H \\\r\n 'A: b' \"http://g\\\"w\"",
                "GET / HTTP/1.1\r\nHost: g\"w\r\nAccept: */*\r\nA: b\r\n\r\n",
            ),
            ("HEAD", "curl -I gw", "HEAD / HTTP/1.1\r\nHost: gw\r\nAccept: */*\r\n\r\n"),
        ] {
            assert_eq!(pasted(text).as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, expected) in [
            ("curl -H 'a: b", "c.txt:1: a quote or backslash"),
            ("curl \\\n --form a=b http://gw", "c.txt:2: --form of curl is not understood here"),
            ("curl http://gw -X", "c.txt:1: -X lacks its value"),
            ("curl -s", "c.txt: the curl command has no URL"),
            ("curl -H nothing http://gw", "-H 'nothing': expected 'Name: value'"),
            ("curl \\\n --data-raw $'{}' gw", "c.txt:2: quotes of the form $'...'"),
            ("curl https:///x", "https:///x: has no host"),
            ("curl -d @no/such/file http://gw", "no/such/file: "),
        ] {
            let fault = pasted(text).unwrap_err();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}

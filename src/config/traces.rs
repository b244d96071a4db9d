//! `[traces]`: of which requests spans are made, and who takes them.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::{
    finding::Place,
    section::Section,
    tls::{TlsFile, file},
    url::CollectorUrl,
};

/// The section, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Who takes spans; without one none are made.
    pub collector: Option<Collector>,
    /// The files that it names, and where.
    pub files: Vec<TlsFile>,
    /// Where the section stands.
    pub place: Place,
    /// Of which requests.
    pub sampling: Sampling,
}

/// Who takes spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Its address.
    pub endpoint: CollectorUrl,
    /// What it speaks.
    pub protocol: Protocol,
    /// The file of headers that go with each batch.
    pub headers: Option<PathBuf>,
    /// The authorities of its certificate; those of the system without.
    pub authorities: Option<PathBuf>,
    /// Our own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC, usually at port 4317.
    Grpc,
    /// Protocol buffers over HTTP/1.1, usually at port 4318.
    HttpProtobuf,
}

/// Of which requests spans are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Of how many, by chance.
    pub ratio: Ratio,
    /// Of how many a second because their callers trace them.
    pub callers_per_second: u32,
    /// From when on a request is slow enough for a span afterwards.
    pub slow: Duration,
}

impl Default for Sampling {
    /// Of none: also where the section went with a reload, and who takes spans is still there.
    fn default() -> Self {
        Self { ratio: Ratio::default(), callers_per_second: 0, slow: Duration::MAX }
    }
}

/// A share of all requests, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ratio(u32);

/// Why a text was refused as a [`Ratio`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a percentage from \"0%\" to \"100%\", with at most four decimals, as in \"0.5%\""
)]
pub struct NotARatio;

impl Ratio {
    /// How many of a million.
    pub const fn per_million(self) -> u32 {
        self.0
    }
}

impl FromStr for Ratio {
    type Err = NotARatio;

    fn from_str(text: &str) -> Result<Self, NotARatio> {
        let number = text.strip_suffix('%').ok_or(NotARatio)?.trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 3) || !digits(decimals, 4) {
            return Err(NotARatio);
        }
        let millionths = format!("{whole}{decimals:0<4}").parse().or(Err(NotARatio))?;
        (millionths <= 1_000_000).then_some(Self(millionths)).ok_or(NotARatio)
    }
}

/// Without the section no spans are made. Files lie relative to `folder`.
pub(super) fn traces(section: &Section<'_>, folder: &Path, is_there: bool) -> Option<Traces> {
    let place = section.place_of("endpoint");
    if !is_there {
        let (collector, files, sampling) = (None, Vec::new(), Sampling::default());
        return Some(Traces { collector, files, place, sampling });
    }
    let ratio = section.text::<Ratio>("ratio").map(|ratio| ratio.value);
    let callers = section.number("callers_per_second").and_then(|most| u32::try_from(most).ok());
    let slow = section.time("slow");
    let files = ["headers_file", "authorities", "certificate", "key"];
    let files = files.map(|name| file(section, name, folder));
    let collector = collector(section, files.each_ref().map(Option::as_ref));
    let sampling = Sampling { ratio: ratio?, callers_per_second: callers?, slow: slow? };
    let files = files.into_iter().flatten().collect();
    Some(Traces { collector: Some(collector?), files, place, sampling })
}

fn collector(section: &Section<'_>, files: [Option<&TlsFile>; 4]) -> Option<Collector> {
    let endpoint = section.text::<CollectorUrl>("endpoint").map(|endpoint| endpoint.value);
    let protocol = section.word("protocol", |word| match word {
        "grpc" => Some(Protocol::Grpc),
        "http/protobuf" => Some(Protocol::HttpProtobuf),
        _ => None,
    });
    let [headers, authorities, certificate, key] =
        files.map(|file| file.map(|file| file.path.clone()));
    section.both_or_neither("certificate", "key");
    let is_plain = endpoint.as_ref().is_some_and(|url| !url.is_secure());
    for name in ["authorities", "certificate", "key"] {
        if is_plain && section.has(name) {
            section.mistake(name, "is for https; leave it out beside an address of http");
        }
    }
    let mut consent = Some(());
    if endpoint.as_ref().is_some_and(|url| !url.is_secure() && !url.is_loopback()) {
        consent = section.consent("insecure_plain_http");
        if consent.is_some() {
            section.warn(
                "insecure_plain_http",
                "INSECURE: plain HTTP to the collector; who sits between reads which consumer \
                 asked what of which practice",
            );
        }
    } else if section.has("insecure_plain_http") {
        section.ask("insecure_plain_http");
        section.mistake(
            "insecure_plain_http",
            "is for an address of http beyond this machine; leave it out",
        );
    }
    let (endpoint, protocol) = (endpoint?, protocol?);
    if protocol == Protocol::Grpc && endpoint.path() != "/" {
        section.mistake(
            "endpoint",
            "has a path, which gRPC knows none of; end it behind the port, or write protocol = \
             \"http/protobuf\"",
        );
    }
    consent?;
    Some(Collector { endpoint, protocol, headers, authorities, certificate: certificate.zip(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_a_percentage() {
        for (text, expected) in [
            ("0%", Some(0)),
            ("1%", Some(10_000)),
            ("1 %", Some(10_000)),
            ("0.5%", Some(5_000)),
            ("0.0001%", Some(1)),
            ("12.3456%", Some(123_456)),
            ("100%", Some(1_000_000)),
            ("100.0%", Some(1_000_000)),
            ("100.0001%", None),
            ("101%", None),
            ("0.00001%", None),
            ("-1%", None),
            ("+1%", None),
            (".5%", None),
            ("1.%", None),
            ("1", None),
            ("0.01", None),
            ("%", None),
            ("", None),
        ] {
            let read = text.parse::<Ratio>().ok().map(Ratio::per_million);
            assert_eq!(read, expected, "{text:?}");
        }
    }
}

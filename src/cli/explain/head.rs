//! The head of a request, as the engine read it or as it can be made out.

use gpconnect::facts::Fields;

use super::{
    case::{Framing, Head},
    source::value_of,
};
use crate::proxy::rehearsal::Arrived;

/// The head as the engine read it.
pub(super) fn of_arrived<'m>(arrived: &'m Arrived, message: &'m [u8]) -> Head<'m> {
    Head {
        method: arrived.method(),
        target: arrived.target(),
        fields: arrived.fields(),
        ..as_meant(message)
    }
}

/// What can be made out of a head, also of one that is refused: so that the stages behind can tell
/// what else is wrong.
pub(super) fn as_meant(message: &[u8]) -> Head<'_> {
    let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |end| end + 4);
    let head = message.get(..end).unwrap_or_default();
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let mut word = || str::from_utf8(words.next().unwrap_or_default()).unwrap_or_default();
    let (method, target) = (word(), word());
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let value = |name| lines.iter().find_map(|line| value_of(line, name));
    let text = |name| value(name).and_then(|value| str::from_utf8(value).ok());
    let mut fields = Fields::default();
    for line in &lines {
        let colon = memchr::memchr(b':', line).unwrap_or_default();
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // As it was meant: a refused name is told by stage 1, and not once more as missing.
        let name = str::from_utf8(name).unwrap_or_default().trim().replace('_', "-");
        fields.note(&name, value);
    }
    let framing = match (value("Transfer-Encoding"), text("Content-Length")) {
        (Some(_), _) => Framing::Chunked,
        (None, Some(length)) => Framing::Length(length),
        (None, None) => Framing::None,
    };
    Head {
        method,
        target: origin_form(target),
        fields,
        lines: lines.len(),
        bytes: head.len(),
        host: text("Host"),
        framing,
    }
}

fn origin_form(target: &str) -> &str {
    let behind = ["http://", "https://"].iter().find_map(|scheme| target.strip_prefix(scheme));
    match behind {
        Some(behind) => behind.find('/').and_then(|slash| behind.get(slash..)).unwrap_or("/"),
        None => target,
    }
}

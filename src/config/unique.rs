//! Names and addresses of which each may stand once.

use std::{fmt::Display, net::SocketAddr, str::FromStr};

use super::{
    authority::ListenAddress,
    finding::{Located, Notebook},
    section::Section,
    terminator::UnixSocket,
};

/// A value that must differ from others, with the path of its key.
#[derive(Clone)]
pub(super) struct Unique<T> {
    pub(super) key: String,
    pub(super) value: Located<T>,
}

/// Notes each value that equals an earlier one.
pub(super) fn distinct<T: Display>(
    values: &[Unique<T>],
    notebook: &Notebook,
    equal: impl Fn(&T, &T) -> bool,
    rule: &str,
) {
    for (index, this) in values.iter().enumerate() {
        let same = |other: &&Unique<T>| equal(&other.value.value, &this.value.value);
        if let Some(first) = values.iter().take(index).find(same) {
            let (name, place) = (&first.key, notebook.name(first.value.place));
            let value = &this.value.value;
            let message = format!("\"{value}\" is also {name} ({place}); {rule}");
            notebook.mistake(this.value.place, this.key.clone(), message);
        }
    }
}

/// Whether two sockets can't be listened at together. Port 0 is any free one.
pub(super) fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let everywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || everywhere)
}

/// A text, with the path of its key.
pub(super) fn unique<T: FromStr<Err: Display>>(
    section: &Section<'_>,
    name: &str,
) -> Option<Unique<T>> {
    Some(Unique { key: section.path(name), value: section.text(name)? })
}

/// The `address` that a section listens at.
pub(super) fn bound_address(section: &Section<'_>) -> Option<Unique<SocketAddr>> {
    let Located { value: ListenAddress(value), place } = section.text("address")?;
    Some(Unique { key: section.path("address"), value: Located { value, place } })
}

/// The `socket` that a section listens at.
pub(super) fn bound_socket(section: &Section<'_>, socket: &UnixSocket) -> Unique<String> {
    let (key, place) = (section.path("socket"), section.place_of("socket"));
    Unique { key, value: Located { value: socket.path.display().to_string(), place } }
}

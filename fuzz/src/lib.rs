//! What must hold for any bytes at all: a function for each kind of input, which panics when it
//! doesn't. The fuzz targets call them, and so do the gateway's ordinary tests, with all seeds and
//! finds: this file is a module there, so it knows nothing of its own name.

mod access;
mod body;
mod client_cert;
mod configuration;
mod decision;
mod head;
mod headers;
mod links;
mod plain;
mod target;
mod token;
mod world;

pub use access::access;
pub use body::body;
pub use client_cert::client_cert;
pub use configuration::configuration;
pub use decision::decision;
pub use head::head;
pub use headers::headers;
pub use links::links;
pub use target::target;
pub use token::token;

/// Panics when it does not hold for these bytes.
pub type Property = fn(&[u8]);

/// Every property with its name, which is that of its target and of its folders of inputs.
pub const PROPERTIES: [(&str, Property); 10] = [
    ("access", access),
    ("body", body),
    ("client_cert", client_cert),
    ("configuration", configuration),
    ("decision", decision),
    ("head", head),
    ("headers", headers),
    ("links", links),
    ("target", target),
    ("token", token),
];

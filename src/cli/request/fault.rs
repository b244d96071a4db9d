//! Why a request could not be sent, or its answer not be read to the end.

use std::{io, time::Duration};

use gpconnect::names::OdsCode;
use thiserror::Error;

use crate::https::NoTls;

/// Why there is no whole answer. Each says what to do.
#[derive(Debug, Error)]
pub(super) enum Unsendable {
    #[error("{what} needs {option}; see gpconnect-gateway request --help")]
    Missing { what: &'static str, option: &'static str },
    #[error("--body {name}: {source}")]
    Body { name: String, source: io::Error },
    #[error("--body {name}: is not JSON, so {options} can't change it")]
    BodyNotJson { name: String, options: &'static str },
    #[error("--access-token {name}: {source}")]
    AccessToken { name: String, source: io::Error },
    #[error("--access-token {name}: is no token; expected one line of printable ASCII")]
    NotAnAccessToken { name: String },
    #[error("{path}: {source}")]
    ConfigUnopened { path: String, source: io::Error },
    #[error("{path}: can't be used; gpconnect-gateway check --config {path} says why")]
    ConfigUnusable { path: String },
    #[error("{path}: has no endpoint of {practice} for {what}")]
    NotInDirectory { path: String, practice: OdsCode, what: &'static str },
    #[error("the request target holds {0:?}, which no URL may; percent-encode it")]
    Target(char),
    #[error("header {name:?}: its name or its value can't be sent")]
    Header { name: String },
    #[error("no threads: {0}")]
    NoThreads(io::Error),
    #[error("{address}: connection refused; is the gateway running there? (--gateway URL)")]
    Refused { address: String },
    #[error("{address}: can't connect: {source}")]
    NotConnected { address: String, source: io::Error },
    #[error("{0}")]
    NoTls(#[from] NoTls),
    #[error("--cert, --key and --ca are for a gateway at https://...; this one is {0}")]
    PlainGateway(String),
    #[error("{address}: no TLS: {reason}")]
    NoHandshake { address: String, reason: String },
    #[error("{address}: no answer within {}; --timeout waits longer", seconds(*.limit))]
    Silent { address: String, limit: Duration },
    #[error("{address}: closed the connection, or what it answered is not HTTP: {source}")]
    NotAnswered { address: String, source: hyper::Error },
}

/// How the body of an answer ended too early.
#[derive(Debug, Error)]
pub(super) enum Broken {
    #[error("the answer broke off after {read} bytes of its body: {source}")]
    Cut { read: usize, source: hyper::Error },
    #[error("the answer was not complete within {}: {read} bytes of its body came", seconds(*.limit))]
    Slow { read: usize, limit: Duration },
    #[error("the answer goes on after {read} bytes; the rest was not read")]
    Endless { read: usize },
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f32())
}

//! What goes in comes out: bodies pass in both directions with every byte in its place, whatever
//! they are made of and however they are cut.
//!
//! `GPCONNECT_CORPUS` names a folder of payloads that pass besides the made-up ones; without it,
//! `../shared/corpus` does when it is there.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::harness::client::{Pieces, sha256};
use crate::harness::interactions::{BOOK_APPOINTMENT, GET_STRUCTURED_RECORD, READ_PATIENT};
use crate::harness::provider::AnyBody;
use crate::harness::{Mode, Provider, World};

/// The largest body that the specification's examples come near.
const LARGEST: usize = 3 << 20;

/// The most that a request body may have.
const LARGEST_REQUEST: usize = 65_536;

/// A body that has been told apart from all others by its name.
pub(crate) struct Payload {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// Bytes of every value in an order that does not repeat, so that any two places differ.
fn noise(length: usize) -> Bytes {
    let mut state = length as u64 | 1;
    let mut next = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn made_up(lengths: &[usize]) -> Vec<Payload> {
    let payload = |length: &usize| Payload {
        name: format!("{length} bytes of noise"),
        bytes: noise(*length),
    };
    lengths.iter().map(payload).collect()
}

/// Every file of the corpus; none when there is no corpus.
pub(crate) fn corpus() -> Vec<Payload> {
    let named = std::env::var_os("GPCONNECT_CORPUS").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let Some(folder) = named.or(beside.is_dir().then_some(beside)) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let payload = |file: &PathBuf| Payload {
        name: file.file_name().unwrap().to_string_lossy().into_owned(),
        bytes: fs::read(file).unwrap().into(),
    };
    files.iter().filter(|file| file.is_file()).map(payload).collect()
}

/// How an answer is cut: with its length, or in chunks of that size.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Pieces(usize),
    Chunks(usize),
}

impl Cut {
    fn body(self, bytes: &Bytes) -> AnyBody {
        let (size, with_length) = match self {
            Self::Whole => (bytes.len(), true),
            Self::Pieces(size) => (size, true),
            Self::Chunks(size) => (size, false),
        };
        let mut rest = bytes.clone();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            pieces.push(rest.split_to(size.min(rest.len())));
        }
        Pieces::new(pieces, with_length).boxed_unsync()
    }

    /// The number of this cut in a query.
    fn named(text: &str) -> Self {
        let (word, size) = text.split_once('-').unwrap();
        match (word, size.parse().unwrap()) {
            ("whole", _) => Self::Whole,
            ("pieces", size) => Self::Pieces(size),
            (_, size) => Self::Chunks(size),
        }
    }
}

/// Serves `.../Patient/{place}?{cut}` with the payload of that place, cut so.
async fn serve(payloads: &Arc<Vec<Payload>>) -> Provider {
    let payloads = Arc::clone(payloads);
    Provider::start(move |request: &Request<()>| {
        let place: usize = request.uri().path().rsplit('/').next().unwrap().parse().unwrap();
        let cut = Cut::named(request.uri().query().unwrap());
        Response::builder()
            .header("Content-Type", "application/fhir+json;charset=utf-8")
            .body(cut.body(&payloads[place].bytes))
            .unwrap()
    })
    .await
}

async fn pass(payloads: Vec<Payload>, cuts: &[&str]) {
    let payloads = Arc::new(payloads);
    let provider = serve(&payloads).await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let mut connection = world.connect(Mode::Transparent).await;
    for (place, payload) in payloads.iter().enumerate() {
        let sent = sha256(&payload.bytes);
        for cut in cuts {
            let path = format!("Patient/{place}?{cut}");
            let answer = connection.send(world.call(Mode::Transparent, &READ_PATIENT, &path)).await;
            let name = format!("{} {cut}", payload.name);
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.body.len(), payload.bytes.len(), "{name}");
            assert_eq!(sha256(&answer.body), sent, "{name}");
        }
    }
}

/// gp-connect 17.
#[tokio::test]
async fn every_payload_of_the_corpus_arrives_byte_for_byte() {
    pass(corpus(), &["whole-0", "chunks-4093"]).await;
}

#[tokio::test]
async fn answers_of_every_size_and_cut_arrive_byte_for_byte() {
    let small = made_up(&[1, 2, 3, 255, 1_023, 4_096, 16_385]);
    pass(small, &["whole-0", "pieces-1", "chunks-1", "chunks-7", "pieces-1000"]).await;
    let large = made_up(&[65_535, 65_536, 65_537, 262_145, 1_048_576, LARGEST - 1, LARGEST]);
    pass(large, &["whole-0", "pieces-16384", "chunks-997", "chunks-65537", "chunks-2000000"]).await;
}

#[tokio::test]
async fn an_answer_without_a_body_stays_without() {
    let provider = Provider::start(|_| {
        Response::builder().body(Pieces::new(Vec::new(), true).boxed_unsync()).unwrap()
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let mut connection = world.connect(Mode::Transparent).await;
    for _ in 0..3 {
        let call = world.call(Mode::Transparent, &READ_PATIENT, "Patient/1");
        let answer = connection.send(call).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(answer.header("content-length"), "0");
    }
}

/// gp-connect 4.3.
#[tokio::test]
async fn an_answer_arrives_whole_however_its_provider_frames_it() {
    for (name, wire) in [
        ("until the connection ends", "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}"),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{\"a\":1}"),
        ("with its length", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}"),
        (
            "in chunks with extensions",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;x=y\r\n{\"a\r\n04\r\n\":1}\r\n0\r\n\r\n",
        ),
        (
            "in chunks with a trailer",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n\
             7\r\n{\"a\":1}\r\n0\r\nX: y\r\n\r\n",
        ),
        (
            "behind an interim answer",
            "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        ),
    ] {
        let provider = Provider::saying(wire).await;
        let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
        let call = world.call(Mode::Transparent, &READ_PATIENT, "Patient/1");
        let answer = world.send(call).await;
        assert_eq!((answer.status, answer.text()), (200, "{\"a\":1}"), "{name}");
    }
}

/// Padding that is white space, so that each is one JSON object however long it is.
fn readable(lengths: &[usize]) -> Vec<Payload> {
    let payload = |length: &usize| Payload {
        name: format!("{length} bytes of JSON"),
        bytes: format!("{{\"caf\u{e9}\":\"\\u0041\"{}}}", " \n\t\r".repeat(*length))
            .into_bytes()
            .into_iter()
            .take(length - 1)
            .chain([b'}'])
            .collect(),
    };
    lengths.iter().map(payload).collect()
}

/// gp-connect 4.2.
#[tokio::test]
async fn a_request_body_arrives_byte_for_byte() {
    let world = World::start(|_| {}).await;
    let lengths = [1, 2, 1_023, 4_096, 16_384, 65_535, LARGEST_REQUEST];
    let known = corpus().into_iter().filter(|payload| payload.bytes.len() <= LARGEST_REQUEST);
    let any = made_up(&lengths).into_iter().chain(known);
    let any = any.map(|payload| (payload, &BOOK_APPOINTMENT, "Appointment"));
    // An operation passes only with a body that can be read.
    let record = "Patient/$gpc.getstructuredrecord";
    let readable = readable(&[30, 1_023, 16_384, LARGEST_REQUEST]);
    let readable = readable.into_iter().map(|payload| (payload, &GET_STRUCTURED_RECORD, record));
    let mut connection = world.connect(Mode::Transparent).await;
    for (payload, interaction, path) in any.chain(readable) {
        for size in [LARGEST_REQUEST, 16_001, 613] {
            let call = world
                .call(Mode::Transparent, interaction, path)
                .with("Content-Type", "application/fhir+json;charset=utf-8");
            let chunks: Vec<Bytes> =
                payload.bytes.chunks(size).map(Bytes::copy_from_slice).collect();
            let call = if chunks.len() == 1 {
                call.bytes(payload.bytes.clone())
            } else {
                call.chunks(chunks)
            };
            connection.send(call).await;
            let arrivals = world.arrivals();
            assert_eq!(arrivals.len(), 1, "{} {size}", payload.name);
            let arrived = arrivals[0].body_sha256();
            assert_eq!(arrived, sha256(&payload.bytes), "{} {size}", payload.name);
        }
    }
}

#[tokio::test]
async fn one_byte_more_than_a_request_may_have_reaches_nobody() {
    let world = World::start(|_| {}).await;
    let body = noise(LARGEST_REQUEST + 1);
    let call = || {
        let call = world.call(Mode::Transparent, &BOOK_APPOINTMENT, "Appointment");
        call.with("Content-Type", "application/fhir+json;charset=utf-8")
    };
    let chunks: Vec<Bytes> = body.chunks(9_999).map(Bytes::copy_from_slice).collect();
    for (name, call) in
        [("with its length", call().bytes(body.clone())), ("in chunks", call().chunks(chunks))]
    {
        let answer = world.send(call).await;
        assert_eq!(answer.status, 413, "{name}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{name}");
        assert!(world.arrivals().is_empty(), "{name}");
    }
}

//! Bodies in random parts, against the library's own reading and writing of whole ones.

use std::io::{Read, Write};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{links::Links, media::Format};

const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect/fhir";
const GATEWAY: &str = "https://gw.example/A20047/STU3/1/gpconnect/fhir";

fn rewriter() -> Rewriter {
    let root = ROOT.parse().unwrap();
    Rewriter::new(Links::new([(&root, GATEWAY.to_owned())]), Format::Json)
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body).unwrap();
    gzip.finish().unwrap()
}

/// The whole of one stream, with nothing behind it.
fn unzipped(body: &[u8]) -> Vec<u8> {
    let (mut plain, mut gzip) = (Vec::new(), GzDecoder::new(body));
    gzip.read_to_end(&mut plain).unwrap();
    assert!(gzip.into_inner().is_empty(), "one stream");
    plain
}

/// What leaves of `body` in parts of these lengths, the last of which repeats.
fn passed(coding: Coding, links: bool, body: &[u8], parts: &[usize]) -> io::Result<Vec<u8>> {
    let mut passage = Passage::new(coding, links.then(rewriter));
    let (mut out, mut rest) = (Vec::new(), body);
    let mut lengths = parts.iter().chain(std::iter::repeat(parts.last().unwrap()));
    while !rest.is_empty() {
        let (part, behind) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
        out.extend(passage.pass(part, false)?);
        rest = behind;
    }
    out.extend(passage.pass(&[], true)?);
    Ok(out)
}

fn record(entries: usize) -> Vec<u8> {
    let entry = |number| format!(r#"{{"fullUrl":"{ROOT}/Patient/{number}","text":"{number:x}"}},"#);
    (0..entries).map(entry).collect::<String>().into_bytes()
}

#[test]
fn a_body_leaves_whole_whatever_its_coding() {
    for entries in [0, 1, 700, 900, 20_000] {
        let plain = record(entries);
        let linked = String::from_utf8(plain.clone()).unwrap().replace(ROOT, GATEWAY).into_bytes();
        for parts in [[1_usize << 30], [65_536], [16_384], [1_000]] {
            let pass = |coding, links, body: &[u8]| passed(coding, links, body, &parts).unwrap();
            assert!(pass(Coding::Plain, true, &plain) == linked);
            assert!(unzipped(&pass(Coding::Pack, false, &plain)) == plain);
            assert!(unzipped(&pass(Coding::Pack, true, &plain)) == linked);
            assert!(unzipped(&pass(Coding::Within, true, &zipped(&plain))) == linked);
        }
    }
}

/// The compressor is shared, what it was given is not: a body comes out the same whatever was
/// compressed before it and between its parts.
#[test]
fn bodies_that_share_a_compressor_know_nothing_of_each_other() {
    let body = zipped(&record(5_000));
    let alone = std::thread::scope(|threads| {
        let pass = || passed(Coding::Within, true, &body, &[4_000]).unwrap();
        threads.spawn(pass).join().unwrap()
    });
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut passages = [(); 2].map(|()| Passage::new(Coding::Within, Some(rewriter())));
    let [first, second] = &mut passages;
    for part in body.chunks(4_000) {
        passed(Coding::Pack, false, &record(3_000), &[65_536]).unwrap();
        one.extend(first.pass(part, false).unwrap());
        other.extend(second.pass(part, false).unwrap());
    }
    one.extend(first.pass(&[], true).unwrap());
    other.extend(second.pass(&[], true).unwrap());
    assert!(one == alone && other == alone);
}

#[test]
fn parts_that_are_short_are_compressed_together() {
    let body = record(20_000);
    let length = |part| passed(Coding::Pack, false, &body, &[part]).unwrap().len();
    let whole = length(body.len());
    for part in [100, 1_400, 16_384, 65_536, 100_000] {
        assert!(length(part) < whole + whole / 10, "in parts of {part}");
    }
}

#[test]
fn what_is_no_whole_gzip_is_told() {
    let body = zipped(&record(2_000));
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = body.clone();
        change(&mut body);
        body
    };
    for (name, body) in [
        ("nothing", Vec::new()),
        ("a word", b"no gzip at all".to_vec()),
        ("its beginning", changed(&|body| body.truncate(5))),
        ("cut", changed(&|body| body.truncate(body.len() - 20))),
        ("cut in its sums", changed(&|body| body.truncate(body.len() - 1))),
        ("another sum", changed(&|body| *body.iter_mut().nth_back(5).unwrap() ^= 1)),
        ("another length", changed(&|body| *body.last_mut().unwrap() ^= 1)),
        ("more behind it", changed(&|body| body.push(0))),
        ("twice", changed(&|body| body.extend_from_within(..))),
    ] {
        for parts in [1, 1_000, 1 << 30] {
            assert!(passed(Coding::Within, true, &body, &[parts]).is_err(), "{name} by {parts}");
        }
    }
}

#[test]
fn a_body_is_not_printed() {
    let mut passage = Passage::new(Coding::Pack, Some(rewriter()));
    passage.pass(b"9000000009", false).unwrap();
    assert_eq!(format!("{passage:?}"), "Passage(links, pack)");
}

proptest! {
    #[test]
    fn any_parts_are_one_body(
        pieces in vec(select(vec!["\"url\":\"R/Slot\"", "\"text\":\"R \\\"\"", "\"x\" : []", " "]), 0..60),
        times in 1_usize..200, parts in vec(1_usize..30_000, 1..8),
    ) {
        let body = pieces.join(",").replace('R', ROOT).repeat(times).into_bytes();
        let linked = passed(Coding::Plain, true, &body, &parts).unwrap();
        let packed = passed(Coding::Pack, true, &body, &parts).unwrap();
        prop_assert!(unzipped(&packed) == linked);
        let within = passed(Coding::Within, true, &zipped(&body), &parts).unwrap();
        prop_assert!(unzipped(&within) == linked);
    }

    #[test]
    fn strange_bytes_are_no_gzip(body in vec(any::<u8>(), 0..300), parts in vec(1_usize..60, 1..4)) {
        prop_assert!(passed(Coding::Within, true, &body, &parts).is_err());
    }
}

//! Answers that are none, that can be read in two ways, or that do not keep what they promise.

use super::{
    answers_as_itself, begun_in_time, command, is_logged, is_well_again, line, others_are_well,
    others_take_commands, query, scripted, send, simulated, tells,
};
use crate::harness::Mode;
use crate::scripted::{Step, answer};
use crate::wire::{self, Cut, Wire};

#[tokio::test]
async fn what_is_no_answer() {
    let (world, provider) = scripted("").await;
    let many = "X-Many: 1\r\n".repeat(2_000);
    let huge = format!("X-Huge: {}\r\n", "a".repeat(4 << 20));
    let (broken, gone) = ("upstream_invalid", "upstream_unreachable");
    for (name, bytes, words) in [
        ("nonsense", "nonsense\r\n\r\n".as_bytes().to_vec(), [broken, broken]),
        ("a page without a head", b"<html>no head</html>\r\n\r\n".to_vec(), [broken, broken]),
        ("another protocol", b"\x15\x03\x01\x00\x02\x02\x28".to_vec(), [broken, gone]),
        ("mail", b"220 mail.example ESMTP\r\n".to_vec(), [broken, gone]),
        ("no status", b"HTTP/1.1\r\n\r\n".to_vec(), [broken, broken]),
        ("a status of letters", b"HTTP/1.1 abc OK\r\n\r\n".to_vec(), [broken, broken]),
        ("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n".to_vec(), [broken, broken]),
        ("a status below 100", b"HTTP/1.1 099 OK\r\n\r\n".to_vec(), [broken, broken]),
        (
            "another version",
            b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
            [broken, broken],
        ),
        (
            "a header without a colon",
            b"HTTP/1.1 200 OK\r\nX One\r\n\r\n".to_vec(),
            [broken, broken],
        ),
        ("a nul in a header", b"HTTP/1.1 200 OK\r\nX-One: a\0b\r\n\r\n".to_vec(), [broken, broken]),
        ("half a head", b"HTTP/1.1 200 OK\r\nContent-".to_vec(), [broken, gone]),
        ("many headers", format!("HTTP/1.1 200 OK\r\n{many}\r\n").into_bytes(), [broken, broken]),
        ("a huge header", format!("HTTP/1.1 200 OK\r\n{huge}\r\n").into_bytes(), [broken, broken]),
        ("nothing", Vec::new(), [gone, gone]),
    ] {
        let call = query(&world);
        provider.will([Step::Send(bytes), Step::Close]);
        let reply = send(&world, &call).await;
        is_logged(&world, &call, &words, name).await;
        let told = line(&world, &call, name).await["fault"].as_str().unwrap().to_owned();
        tells(&reply, &call, &told, name);
        assert_eq!(provider.arrived().len(), 1, "{name}: sent once");
        others_are_well(&world, name).await;
        // It keeps no connection: on a kept one a query would be sent once more.
        provider.will([Step::Good, Step::Close]);
        is_well_again(&world, name).await;
        provider.arrived();
    }
}

/// A head without end: cut when it is too much, whatever it goes on with.
#[tokio::test]
async fn a_head_without_end() {
    let (world, provider) = scripted("").await;
    for (name, again) in [
        ("of headers", "X-More: and more\r\n".repeat(1_000)),
        ("of one header", "and more ".repeat(1_000)),
    ] {
        let call = query(&world);
        let begin = Step::send("HTTP/1.1 200 OK\r\nX-First: ");
        provider.will([begin, Step::Forever(again.into_bytes(), std::time::Duration::ZERO)]);
        let reply = send(&world, &call).await;
        tells(&reply, &call, "upstream_invalid", name);
        is_logged(&world, &call, &["upstream_invalid"], name).await;
        others_are_well(&world, name).await;
        is_well_again(&world, name).await;
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n";

/// What breaks off behind its head reaches the caller as broken off.
#[tokio::test]
async fn bodies_that_break_off() {
    let (world, provider) = scripted("").await;
    let long = "Content-Length: 100\r\n\r\n";
    let coded = "Transfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n";
    for (name, behind) in [
        ("short of its length", format!("{long}{{\"a\":1}}")),
        ("without its body", long.to_owned()),
        ("without its last chunk", coded.to_owned()),
        ("in a chunk", format!("{coded}70\r\n{{\"b\":1}}")),
        ("in a chunk's length", format!("{coded}1")),
        ("with a broken length", format!("{coded}xyz\r\n")),
        ("with a length beyond numbers", format!("{coded}fffffffffffffffff\r\n")),
    ] {
        for end in [Step::Close, Step::Reset] {
            let name = format!("{name}, {end:?}");
            let call = query(&world);
            provider.will([Step::send(format!("{HEAD}{behind}")), end]);
            let mut wire = Wire::open(world.address(Mode::Transparent)).await;
            wire.write(wire::bytes(&call)).await;
            let (reply, cut) = wire.read_any("GET").await;
            if reply.status == 502 {
                // The reset overtook the head: then nothing had begun.
                tells(&reply, &call, "upstream_unreachable", &name);
            } else {
                assert_eq!((reply.status, cut), (200, Some(Cut::InBody)), "{name}: {reply:?}");
                assert_eq!(wire.rest().await, b"", "{name}");
                is_logged(&world, &call, &["answer_cut"], &name).await;
            }
            others_are_well(&world, &name).await;
            is_well_again(&world, &name).await;
        }
    }
}

/// The simulator's own faults of that kind.
#[tokio::test]
async fn simulated_resets_and_truncations() {
    let (world, _provider) = scripted("").await;
    for fault in
        ["reset=before-headers", "reset=after-headers", "reset=mid-body", "truncate", "truncate=1"]
    {
        let call = simulated(&world, fault);
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&call)).await;
        let (reply, cut) = wire.read_any("GET").await;
        if reply.status == 502 {
            assert!(fault.starts_with("reset"), "{fault}: {reply:?}");
            assert!(
                reply.text().contains("ERROR_COMMUNICATING_TO_ENDPOINT_URL_https://"),
                "{fault}"
            );
        } else {
            assert_ne!(fault, "reset=before-headers");
            assert_eq!((reply.status, cut), (200, Some(Cut::InBody)), "{fault}: {reply:?}");
        }
        is_logged(&world, &call, &["answer_cut", "upstream_unreachable"], fault).await;
        others_are_well(&world, fault).await;
    }
}

/// Framing that two readers could understand in two ways: whatever the caller gets, it is framed in
/// one, and nothing behind it is taken for the next answer.
#[tokio::test]
async fn framing_that_can_be_read_in_two_ways() {
    // An answer that ends nowhere is waited for in vain, but not for long.
    let settings = "[timeouts]\nquery = \"1s\"\ncommand = \"1m\"\n";
    let (world, provider) = scripted(settings).await;
    let hidden = String::from_utf8(answer("{\"id\":\"hidden\"}")).unwrap();
    let chunked = "7\r\n{\"a\":1}\r\n0\r\n\r\n";
    let after = format!("{chunked}{hidden}");
    let more = format!("{{\"a\":1}}{hidden}");
    let with = |headers: &str, body: &str| format!("{HEAD}{headers}\r\n\r\n{body}");
    let coded = "Transfer-Encoding: chunked";
    let odd = |status: &str, body: &str| format!("HTTP/1.1 {status}\r\n\r\n{body}");
    let tunnel = "101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
    for (name, text) in [
        ("length and chunks", with(&format!("Content-Length: 7\r\n{coded}"), chunked)),
        ("chunks and length", with(&format!("{coded}\r\nContent-Length: 7"), chunked)),
        ("a length of more", with(&format!("Content-Length: 500\r\n{coded}"), &after)),
        ("two lengths", with("Content-Length: 7\r\nContent-Length: 100", &more)),
        ("a list of lengths", with("Content-Length: 7, 7", &more)),
        ("a signed length", with("Content-Length: +7", &more)),
        ("a negative length", with("Content-Length: -7", &more)),
        ("a length of letters", with("Content-Length: seven", &more)),
        ("an unknown coding", with("Transfer-Encoding: x", &more)),
        ("coded twice", with("Transfer-Encoding: gzip, chunked", &after)),
        ("chunked twice", with(&format!("{coded}\r\n{coded}"), &after)),
        ("a blank before the colon", with("Content-Length : 7", &more)),
        ("folded", with("Content-Length:\r\n 7", &more)),
        ("more than its length", with("Content-Length: 7", &more)),
        ("more than its chunks", with(coded, &after)),
        ("a body where none is", odd("204 No Content", &hidden)),
        ("a length where no body is", odd("204 No Content\r\nContent-Length: 7", &more)),
        ("a body of what is unchanged", odd("304 Not Modified", &hidden)),
        ("a tunnel", odd(tunnel, "raw bytes")),
    ] {
        let steps = [Step::send(&text)];
        let (call, reply, _, mut wire) =
            begun_in_time(&world, &provider, &steps, || query(&world), async || {}).await;
        assert!(matches!(reply.status, 200 | 204 | 304 | 502), "{name}: {reply:?}");
        wire.finish().await;
        let rest = wire.rest().await;
        assert_eq!(String::from_utf8_lossy(&rest), "", "{name}: nothing follows");
        if reply.status == 502 {
            tells(&reply, &call, "upstream_invalid", name);
        } else {
            assert_ne!(reply.json_or_null()["id"], "hidden", "{name}");
        }
        answers_as_itself(&world, command(&world), name).await;
        let arrived = provider.arrived();
        let again = arrived[0].connection == arrived.last().unwrap().connection;
        // Chunks outweigh a length beside them (RFC 9112, 6.3): then all of it was read.
        assert!(!again || text.ends_with(chunked), "{name}: the connection is not used again");
        others_take_commands(&world, name).await;
    }
}

/// The answers of many callers over few connections, each to its own.
#[tokio::test]
async fn answers_are_not_mixed_up() {
    let (world, provider) = scripted("").await;
    let mut tasks = Vec::new();
    for number in 0..8 {
        let address = world.address(Mode::Transparent);
        let calls: Vec<_> = (0..25).map(|_| query(&world)).collect();
        tasks.push(tokio::spawn(async move {
            let mut wire = Wire::open(address).await;
            for call in calls {
                let reply = wire.exchange(&call).await;
                assert_eq!(reply.json()["id"], call.header("Ssp-TraceID").unwrap(), "{number}");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let arrived = provider.arrived();
    assert_eq!(arrived.len(), 200);
    let connections = arrived.iter().map(|arrived| arrived.connection).max().unwrap() + 1;
    assert!(connections <= 16, "kept connections serve again: {connections}");
}

//! Providers that can't be connected to.

use socket2::{Domain, Socket, Type};

use super::{call, command, elsewhere, is_logged, others_are_well, query, send, tells, world_with};
use crate::harness::interactions as all;
use crate::harness::{Call, Form, Mode, World};

/// Calls of the practice at the simulator's address that refuses.
fn to_the_dead(world: &World) -> [Call; 2] {
    let practice = world.practice(2);
    let query = Call::new(
        Mode::Transparent,
        Form::Proxy,
        practice,
        &all::SEARCH_PATIENT,
        "Patient?identifier=x%7C9000000009",
    );
    let query = Call { target: query.target, ..query };
    let body = serde_json::json!({"resourceType": "Appointment"});
    let command =
        Call::new(Mode::Transparent, Form::Ods, practice, &all::BOOK_APPOINTMENT, "Appointment");
    [query, command.json(&body)]
}

/// gp-connect 15.
#[tokio::test]
async fn a_provider_that_refuses_connections() {
    let world = world_with("127.0.0.1:9", "").await;
    for call in to_the_dead(&world) {
        let call = call.with("Ssp-TraceID", elsewhere(&world).header("Ssp-TraceID").unwrap());
        let name = call.verb.as_str();
        let reply = send(&world, &call).await;
        tells(&reply, &call, "upstream_unreachable", name);
        is_logged(&world, &call, &["upstream_unreachable"], name).await;
        others_are_well(&world, name).await;
    }
}

#[tokio::test]
async fn a_provider_whose_name_has_no_address() {
    let world = world_with("nowhere.invalid:80", "").await;
    for call in [query(&world), command(&world)] {
        let reply = send(&world, &call).await;
        tells(&reply, &call, "upstream_unreachable", &call.verb);
        is_logged(&world, &call, &["upstream_unreachable"], &call.verb).await;
        others_are_well(&world, &call.verb).await;
    }
}

/// Its queue of waiting connections is full, so the system drops what asks for another.
#[tokio::test]
async fn a_provider_that_does_not_take_connections() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting: Vec<Socket> = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // In progress, or never to be taken: either way it fills the queue.
            socket.connect(&address).ok();
            socket
        })
        .collect();
    let address = address.as_socket().unwrap().to_string();
    let world = world_with(&address, "[timeouts]\nconnect = \"300ms\"\n").await;
    for call in [query(&world), command(&world), call(&world, &all::READ_PATIENT, "Patient/1")] {
        let reply = send(&world, &call).await;
        tells(&reply, &call, "upstream_timeout", &call.verb);
        is_logged(&world, &call, &["upstream_timeout"], &call.verb).await;
        others_are_well(&world, &call.verb).await;
    }
    drop(waiting);
}

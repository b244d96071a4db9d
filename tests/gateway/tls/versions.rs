//! Versions and cipher suites, of both profiles.

use openssl::ssl::{SslContextBuilder, SslVersion};

use super::Secure;
use crate::harness::Mode;

type Change = fn(&mut SslContextBuilder);

fn only(builder: &mut SslContextBuilder, version: SslVersion) {
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
}

fn suite(builder: &mut SslContextBuilder, name: &str) {
    only(builder, SslVersion::TLS1_2);
    builder.set_cipher_list(&format!("{name}:@SECLEVEL=0")).unwrap();
}

macro_rules! suites {
    ($($name:literal),*) => { [$(($name, (|it| suite(it, $name)) as Change)),*] };
}

/// Whether a client that wants this gets through.
async fn connects(secure: &Secure, change: Change) -> bool {
    let issued = secure.pki.consumer(Mode::Transparent);
    let mut client = secure.client(Some(&issued));
    client.change = change;
    let answer = client.try_send(secure.call(Mode::Transparent)).await;
    answer.is_some_and(|answer| answer.status == 200)
}

const VERSIONS: [(&str, Change); 4] = [
    ("TLS 1.0", |it| only(it, SslVersion::TLS1)),
    ("TLS 1.1", |it| only(it, SslVersion::TLS1_1)),
    ("TLS 1.2", |it| only(it, SslVersion::TLS1_2)),
    ("TLS 1.3", |it| only(it, SslVersion::TLS1_3)),
];

/// What no profile offers: no forward secrecy, no encryption, no authentication, broken ciphers.
const NEVER: [(&str, Change); 8] = suites![
    "AES128-SHA256",
    "AES256-GCM-SHA384",
    "NULL-MD5",
    "NULL-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ADH-AES256-GCM-SHA384",
    "AECDH-AES256-SHA",
    "ECDHE-RSA-CAMELLIA256-SHA384"
];

/// gp-connect 8.
#[tokio::test]
async fn the_modern_profile() {
    let secure = Secure::start("").await;
    for ((name, change), expected) in VERSIONS.into_iter().zip([false, false, true, true]) {
        assert_eq!(connects(&secure, change).await, expected, "{name}");
    }
    for (name, change) in suites![
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305"
    ] {
        assert!(connects(&secure, change).await, "{name}");
    }
    let not_modern = suites!["ECDHE-RSA-AES256-SHA", "DHE-RSA-AES256-GCM-SHA384"];
    for (name, change) in NEVER.into_iter().chain(not_modern) {
        assert!(!connects(&secure, change).await, "{name}");
    }
}

/// The eight suites that consumers are tested with (gp-connect 8).
#[tokio::test]
async fn the_profile_of_gp_connect() {
    let secure = Secure::start("profile = \"gp-connect\"").await;
    for ((name, change), expected) in VERSIONS.into_iter().zip([false, false, true, false]) {
        assert_eq!(connects(&secure, change).await, expected, "{name}");
    }
    for (name, change) in suites![
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-SHA384",
        "ECDHE-RSA-AES256-SHA",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-AES256-SHA256",
        "DHE-RSA-AES256-SHA"
    ] {
        assert!(connects(&secure, change).await, "{name}");
    }
    let not_prescribed =
        suites!["ECDHE-RSA-CHACHA20-POLY1305", "DHE-RSA-AES256-CCM8", "DHE-RSA-AES128-SHA"];
    for (name, change) in NEVER.into_iter().chain(not_prescribed) {
        assert!(!connects(&secure, change).await, "{name}");
    }
}

/// The order is the gateway's: the first of its groups that the client has.
/// gp-connect 8.
#[tokio::test]
async fn the_gateway_prefers() {
    for (profile, expected) in
        [("modern", "ECDHE-RSA-AES256-GCM-SHA384"), ("gp-connect", "ECDHE-RSA-AES256-GCM-SHA384")]
    {
        let secure = Secure::start(&format!("profile = \"{profile}\"")).await;
        let issued = secure.pki.consumer(Mode::Transparent);
        let mut client = secure.client(Some(&issued));
        client.change = |it| {
            let all = "DHE-RSA-AES256-SHA:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
                       ECDHE-RSA-AES256-GCM-SHA384";
            suite(it, all);
        };
        let stream = client.try_connect().await.unwrap();
        assert_eq!(stream.ssl().current_cipher().unwrap().name(), expected, "{profile}");
    }
}

#[tokio::test]
async fn nothing_but_http_1_1_is_spoken() {
    let secure = Secure::start("").await;
    for (name, change, expected) in [
        ("both", (|it| it.set_alpn_protos(b"\x02h2\x08http/1.1").unwrap()) as Change, true),
        ("HTTP/1.1", |it| it.set_alpn_protos(b"\x08http/1.1").unwrap(), true),
        ("HTTP/2 alone", |it| it.set_alpn_protos(b"\x02h2").unwrap(), false),
    ] {
        let issued = secure.pki.consumer(Mode::Transparent);
        let mut client = secure.client(Some(&issued));
        client.change = change;
        let stream = client.try_connect().await;
        let chosen = stream
            .ok()
            .and_then(|stream| stream.ssl().selected_alpn_protocol().map(<[u8]>::to_vec));
        assert_eq!(chosen, expected.then(|| b"http/1.1".to_vec()), "{name}");
    }
}

/// A session that could be resumed would skip the check of its certificate.
/// gp-connect 8.
#[tokio::test]
async fn no_session_is_resumed() {
    use std::sync::{Arc, Mutex};
    let secure = Secure::start("").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let given = Arc::new(Mutex::new(0));
        let count = Arc::clone(&given);
        let client = secure.client(Some(&issued));
        let stream = client
            .try_connect_with(|builder| {
                only(builder, version);
                builder.set_session_cache_mode(openssl::ssl::SslSessionCacheMode::CLIENT);
                builder.set_new_session_callback(move |_, session| {
                    // Without an id or a ticket there is nothing to come back with.
                    *count.lock().unwrap() += session.id().len();
                });
            })
            .await
            .unwrap();
        let mut connection = crate::harness::Connection::over(stream).await;
        assert_eq!(connection.send(secure.call(Mode::Transparent)).await.status, 200);
        assert_eq!(*given.lock().unwrap(), 0, "{version:?}");
    }
}

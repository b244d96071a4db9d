//! Versions and cipher suites, of both profiles.

use openssl::ssl::{SslContextBuilder, SslVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Secure;
use super::open_server::OpenServer;
use super::suites::{SPOKEN, every_suite};
use crate::harness::{Connection, DEADLINE, Mode};

type Change = fn(&mut SslContextBuilder);

pub(super) fn only(builder: &mut SslContextBuilder, version: SslVersion) {
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
}

fn suite(builder: &mut SslContextBuilder, name: &str) {
    only(builder, SslVersion::TLS1_2);
    builder.set_cipher_list(&format!("{name}:@SECLEVEL=0")).unwrap();
}

/// Whether a client that wants this gets through.
async fn connects(secure: &Secure, change: impl FnOnce(&mut SslContextBuilder)) -> bool {
    let issued = secure.pki.consumer(Mode::Transparent);
    let Ok(stream) = secure.client(Some(&issued)).try_connect_with(change).await else {
        return false;
    };
    let mut connection = Connection::over(stream).await;
    let answer = connection.try_send(secure.call(Mode::Transparent)).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Each suite that the library knows, on its own: those of the profile get through, no other does.
/// What no client of this library could use anyway would prove nothing, so a server that takes all
/// takes it first.
/// gp-connect 8.
#[tokio::test]
async fn every_suite_but_those_of_the_profile_is_refused() {
    let suites = every_suite();
    assert!(suites.len() > 60, "{suites:?}");
    let open = OpenServer::start().await;
    let usable = async |name: &String| open.takes(|it| suite(it, name)).await;
    let mut used = Vec::new();
    for name in &suites {
        if usable(name).await {
            used.push(name);
        }
    }
    // Only those for DSS need a certificate that the server lacks.
    assert!(suites.len() - used.len() < 16, "{} of {}", used.len(), suites.len());
    for (profile, with_rsa, on_curve) in SPOKEN {
        let secure = Secure::start(&format!("profile = \"{profile}\"")).await;
        for expected in [with_rsa, on_curve] {
            for name in &suites {
                let is_spoken = expected.contains(&name.as_str());
                let connected = connects(&secure, |it| suite(it, name)).await;
                assert_eq!(connected, is_spoken, "{profile}: {name}");
            }
            let known = expected.iter().all(|name| suites.contains(&(*name).to_owned()));
            assert!(known, "{expected:?}");
            secure.pki.show(&secure.pki.gateway_on_curve());
            secure.renewed(1.0).await;
        }
    }
}

/// gp-connect 8.
#[tokio::test]
async fn every_version_but_those_of_the_profile_is_refused() {
    const VERSIONS: [(SslVersion, [bool; 2]); 4] = [
        (SslVersion::TLS1, [false, false]),
        (SslVersion::TLS1_1, [false, false]),
        (SslVersion::TLS1_2, [true, true]),
        (SslVersion::TLS1_3, [true, false]),
    ];
    let open = OpenServer::start().await;
    for (place, (profile, _, _)) in SPOKEN.into_iter().enumerate() {
        let secure = Secure::start(&format!("profile = \"{profile}\"")).await;
        for (version, spoken) in VERSIONS {
            assert!(open.takes(|it| only(it, version)).await, "{version:?} can be spoken at all");
            let connected = connects(&secure, |it| only(it, version)).await;
            assert_eq!(connected, spoken[place], "{profile}: {version:?}");
        }
        for suite in
            ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]
        {
            let alone: &dyn Fn(&mut SslContextBuilder) = &|it| {
                only(it, SslVersion::TLS1_3);
                it.set_ciphersuites(suite).unwrap();
            };
            assert_eq!(connects(&secure, alone).await, profile == "modern", "{profile}: {suite}");
        }
        for (version, hello) in [
            ("SSL 2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10".to_vec()),
            ("SSL 3", hello(0x0300)),
            ("TLS 1.0", hello(0x0301)),
            ("TLS 1.1", hello(0x0302)),
        ] {
            let answer = first_answer(&secure, &hello).await;
            assert!(!answer.starts_with(&[22]), "{profile}: {version}: {answer:?}");
        }
        let answer = first_answer(&secure, &hello(0x0303)).await;
        assert!(answer.starts_with(&[22, 3, 3]), "{profile}: TLS 1.2: {answer:?}");
        assert_eq!(answer.get(5), Some(&2), "{profile}: a hello of the server: {answer:?}");
    }
}

/// The hello of a client that speaks one version, with a suite that both profiles have.
fn hello(version: u16) -> Vec<u8> {
    let version = version.to_be_bytes();
    // Curve P-256, points as they are, RSA with SHA-256.
    let extensions: &[u8] =
        b"\x00\x0a\x00\x04\x00\x02\x00\x17\x00\x0b\x00\x02\x01\x00\x00\x0d\x00\x06\x00\x04\x08\x04\x04\x01";
    let mut body = Vec::from(version);
    body.extend([7; 32]);
    // No session, ECDHE-RSA-AES256-GCM-SHA384, no compression.
    body.extend(b"\x00\x00\x02\xc0\x30\x01\x00");
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = |of: usize| u16::try_from(of).unwrap().to_be_bytes();
    let handshake = [&[1, 0], length(body.len()).as_slice(), &body].concat();
    [&[22], version.as_slice(), &length(handshake.len()), &handshake].concat()
}

/// What comes back first; nothing when the connection is closed.
async fn first_answer(secure: &Secure, hello: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(secure.address()).await.unwrap();
    stream.write_all(hello).await.unwrap();
    let mut answer = vec![0; 6];
    let read = timeout(DEADLINE, stream.read_exact(&mut answer)).await;
    match read.expect("an answer or an end") {
        Ok(_) => answer,
        Err(_) => Vec::new(),
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

/// Those of RFC 7919 with 3,072 bits, beside the 2,048 that are used without any.
const OWN_PARAMETERS: &str = "-----BEGIN DH PARAMETERS-----
MIIBiAKCAYEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEfz9zeNVs7ZRkDW7w09N75nAI4YbRvydbmyQd62R0mkff3
7lmMsPrBhtkcrv4TCYUTknC0EwyTvEN5RPT9RFLi103TZPLiHnH1S/9croKrnJ32
nuhtK8UiNjoNq8Uhl5sN6todv5pC1cRITgq80Gv6U93vPBsg7j/VnXwl5B0rZsYu
N///////////AgEC
-----END DH PARAMETERS-----
";

/// gp-connect 8.
#[tokio::test]
async fn parameters_of_ones_own_are_used() {
    let folder = TempDir::with_prefix("gpconnect-dh-").unwrap();
    let file = folder.path().join("dh.pem");
    std::fs::write(&file, OWN_PARAMETERS).unwrap();
    let own = format!("dh_parameters = {:?}", file.to_str().unwrap());
    for (name, setting, bits) in [("none", "", 2_048), ("own", own.as_str(), 3_072)] {
        let secure = Secure::start(&format!("profile = \"gp-connect\"\n{setting}")).await;
        let issued = secure.pki.consumer(Mode::Transparent);
        let mut client = secure.client(Some(&issued));
        client.change = |it| suite(it, "DHE-RSA-AES256-GCM-SHA384");
        let stream = client.try_connect().await.unwrap();
        assert_eq!(stream.ssl().peer_tmp_key().unwrap().bits(), bits, "{name}");
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
        let mut connection = Connection::over(stream).await;
        assert_eq!(connection.send(secure.call(Mode::Transparent)).await.status, 200);
        assert_eq!(*given.lock().unwrap(), 0, "{version:?}");
    }
}

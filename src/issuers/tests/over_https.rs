//! Key sets behind https: a server that answers as it is told.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};
use tokio_openssl::SslStream;

use super::*;
use crate::{
    https::{self, ClientFiles, LIMIT, NoAnswer},
    issuers::fetch::{NotFetched, fetch},
    telemetry::Metrics,
    tls::issue,
};

/// What the server does with a request.
#[derive(Clone)]
enum Deed {
    Answer(Vec<u8>),
    /// An answer whose body does not end.
    Endless,
    /// Nothing, for ever.
    Silent,
}

struct Server {
    address: SocketAddr,
    authority: tempfile::TempDir,
    deed: Arc<Mutex<Deed>>,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(deed: Deed) -> Self {
        let authority = issue::Authority::root("Keys").unwrap();
        let issued = authority.issue(&issue::Order::new("localhost")).unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(&issued.certificate).unwrap();
        acceptor.set_private_key(&issued.key).unwrap();
        let context = acceptor.build().into_context();
        let folder = tempfile::tempdir().unwrap();
        let pem = authority.certificate.to_pem().unwrap();
        fs::write(folder.path().join("ca.pem"), pem).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (deed, asked) = (Arc::new(Mutex::new(deed)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        let (deeds, count) = (Arc::clone(&deed), Arc::clone(&asked));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let ssl = Ssl::new(&context).unwrap();
                let (deeds, count) = (Arc::clone(&deeds), Arc::clone(&count));
                connections.spawn(async move {
                    let mut stream = SslStream::new(ssl, stream).unwrap();
                    if std::pin::Pin::new(&mut stream).accept().await.is_ok() {
                        count.fetch_add(1, Ordering::SeqCst);
                        serve(&mut stream, &deeds).await;
                    }
                });
            }
        });
        Self { address, authority: folder, deed, asked, _tasks: tasks }
    }

    fn url(&self) -> crate::config::KeysUrl {
        format!("https://localhost:{}/keys", self.address.port()).parse().unwrap()
    }

    fn source(&self) -> KeySource {
        let authorities = Some(file(&self.authority.path().join("ca.pem")));
        let (url, written) = (self.url(), file(Path::new("folder")));
        KeySource::Url { url, written, authorities, refresh: Duration::from_secs(900) }
    }

    fn now(&self, deed: Deed) {
        *self.deed.lock().unwrap() = deed;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn fetched(&self) -> Result<usize, NotFetched> {
        let authorities = Some(self.authority.path().join("ca.pem"));
        let connector =
            https::connector(&ClientFiles { authorities, ..ClientFiles::default() }).unwrap();
        fetch(&self.url(), &connector).await.map(|keys| keys.len())
    }
}

async fn serve(stream: &mut SslStream<tokio::net::TcpStream>, deeds: &Mutex<Deed>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let deed = deeds.lock().unwrap().clone();
    match deed {
        Deed::Answer(bytes) => {
            // The other end may have had enough of it.
            if stream.write_all(&bytes).await.is_ok() {
                stream.shutdown().await.unwrap_or_default();
            }
        }
        Deed::Endless => {
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while sent.is_ok() {
                sent = stream.write_all(&[b' '; 65_536]).await;
            }
        }
        Deed::Silent => std::future::pending().await,
    }
}

fn answer(head: &str, body: &str) -> Deed {
    let length = body.len();
    Deed::Answer(format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

#[tokio::test]
async fn only_a_whole_key_set_counts() {
    let key = SigningKey::rsa("k", 2_048);
    let good = set(&[key.jwk()]);
    let server = Server::start(answer("200 OK", &good)).await;
    assert_eq!(server.fetched().await.unwrap(), 1);
    let elsewhere = format!("302 Found\r\nLocation: {}", server.url());
    let broken = format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{good}");
    for (name, deed, expected) in [
        ("a redirect", answer(&elsewhere, &good), "answered 302 Found; expected 200"),
        ("a fault", answer("500 Internal Server Error", &good), "answered 500"),
        ("a page", answer("200 OK", "<html></html>"), "the answer holds no JSON Web Key Set"),
        ("compressed", answer("200 OK\r\nContent-Encoding: gzip", &good), "compressed"),
        ("endless", Deed::Endless, "larger than 1024 KiB"),
        ("cut", Deed::Answer(broken.into_bytes()), "broke off"),
        ("no HTTP", Deed::Answer(b"hello\r\n\r\n".to_vec()), "no answer"),
    ] {
        server.now(deed);
        let told = server.fetched().await.unwrap_err().to_string();
        assert!(told.contains(expected), "{name}: {told}");
    }
    assert_eq!(server.asked(), 8, "each was asked once, the redirect too");
}

/// A server that says nothing is given up; time is wound on, not waited for.
#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start(Deed::Silent).await;
    let asked = server.asked.clone();
    let wind = async {
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        tokio::time::advance(LIMIT).await;
    };
    let (fetched, ()) = tokio::join!(server.fetched(), wind);
    assert!(matches!(fetched, Err(NotFetched::NoAnswer(NoAnswer::Late))));
}

/// The certificate of another authority.
#[tokio::test]
async fn a_server_has_to_prove_its_name() {
    let key = SigningKey::rsa("k", 2_048);
    let server = Server::start(answer("200 OK", &set(&[key.jwk()]))).await;
    let other = Server::start(Deed::Silent).await;
    let authorities = Some(other.authority.path().join("ca.pem"));
    let connector =
        https::connector(&ClientFiles { authorities, ..ClientFiles::default() }).unwrap();
    let told = fetch(&server.url(), &connector).await.unwrap_err();
    assert!(matches!(told, NotFetched::NoAnswer(NoAnswer::NotSecure(_))), "{told}");
    let by_number = format!("https://127.0.0.1:{}/", server.address.port()).parse().unwrap();
    let authorities = Some(server.authority.path().join("ca.pem"));
    let connector =
        https::connector(&ClientFiles { authorities, ..ClientFiles::default() }).unwrap();
    let told = fetch(&by_number, &connector).await.unwrap_err();
    assert!(matches!(told, NotFetched::NoAnswer(NoAnswer::NotSecure(_))), "{told}");
}

fn kept(issuers: &Issuers) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let metrics = Arc::new(Metrics::new().unwrap());
    for keys in issuers.keys() {
        let (keys, metrics) = (Arc::clone(keys), Arc::clone(&metrics));
        tasks.spawn(async move { keys.keep(&metrics.issuers).await });
    }
    tasks
}

/// Rotation: a token of the new key has the keys fetched once, however many such tokens there are;
/// tokens with keys that nobody has make no more fetches than the limit lets them.
#[tokio::test]
async fn an_unknown_key_has_the_keys_fetched_again() {
    let (one, two) = (SigningKey::rsa("one", 2_048), SigningKey::rsa("two", 2_048));
    let (of_one, of_two) = (one.token(Algorithm::Rs256), two.token(Algorithm::Ps256));
    let server = Server::start(answer("200 OK", &set(&[one.jwk()]))).await;
    let issuers = Issuers::open(&[settings(server.source())]).unwrap();
    let unknown = Err(AccessFault::KeyUnknown(IssuerIndex(0)));
    let verify = async |token: &str| issuers.verify(token).await.map(|_| ());
    let _tasks = kept(&issuers);
    // The first tokens wait for the first fetch.
    let (first, second) = tokio::join!(verify(&of_one), verify(&of_one));
    assert_eq!((first, second, server.asked()), (Ok(()), Ok(()), 1));
    // Right behind it there is none.
    server.now(answer("200 OK", &set(&[one.jwk(), two.jwk()])));
    for _ in 0..100 {
        assert_eq!(verify(&of_two).await, unknown);
    }
    assert_eq!(server.asked(), 1);
    // Half a minute later there is one for all.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    let (first, second, third) = tokio::join!(verify(&of_two), verify(&of_two), verify(&of_one));
    assert_eq!((first, second, third, server.asked()), (Ok(()), Ok(()), Ok(()), 2));
    // The last good keys stay when the issuer is down.
    server.now(answer("503 Service Unavailable", ""));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(901)).await;
    tokio::time::resume();
    let other = SigningKey::rsa("three", 2_048).token(Algorithm::Rs256);
    assert_eq!(verify(&other).await, unknown);
    assert_eq!((verify(&of_one).await, server.asked()), (Ok(()), 3));
}

/// Without any keys the issuer is out of reach, not the token wrong.
#[tokio::test]
async fn before_the_first_keys_there_are_none() {
    let key = SigningKey::rsa("k", 2_048);
    let server = Server::start(answer("500 Internal Server Error", "")).await;
    let issuers = Issuers::open(&[settings(server.source())]).unwrap();
    let _tasks = kept(&issuers);
    let token = key.token(Algorithm::Rs256);
    let unavailable = Err(AccessFault::KeysUnavailable(IssuerIndex(0)));
    assert_eq!(issuers.verify(&token).await.map(|_| ()), unavailable);
    server.now(answer("200 OK", &set(&[key.jwk()])));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    assert_eq!(issuers.verify(&token).await.map(|_| ()), Ok(()));
}

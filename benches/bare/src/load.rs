//! The load over mutual TLS: wrk has no client certificates. One thread, and a fixed number of
//! connections that are always busy. It prints what `load.lua` prints.
//!
//! `tls-load PORT HEADS CONNECTIONS SECONDS kept|new CERTIFICATE KEY AUTHORITIES`
//!
//! `kept`: requests over connections that stay open. `new`: full handshakes, each on a connection of
//! its own, which ends as soon as the other side has answered the end of it; no request is sent.

use std::{
    fs, io,
    pin::Pin,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslSessionCacheMode, SslVerifyMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_openssl::SslStream;

/// The name that requests are made under.
const HOST: &str = "gateway.example";
/// How long an answer or a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to send, and where to.
struct Plan {
    port: u16,
    heads: Vec<String>,
    context: SslContext,
    until: Instant,
    kept: bool,
}

/// What came of it.
#[derive(Default)]
struct Counted {
    requests: u64,
    bytes: u64,
    refused: u64,
    broken: u64,
    /// In microseconds.
    took: Vec<u64>,
}

type Connection = SslStream<TcpStream>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, heads, connections, seconds, kind, certificate, key, authorities] =
        arguments.as_slice()
    else {
        eprintln!("usage: see the first lines of load.rs");
        return ExitCode::from(2);
    };
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let heads = fs::read_to_string(heads)?;
        let heads = heads.split("\r\n\r\n").filter(|head| !head.is_empty());
        let (connections, seconds) = (connections.parse()?, seconds.parse()?);
        let mut plan = Plan {
            port: port.parse()?,
            heads: heads.map(str::to_owned).collect(),
            context: context(certificate, key, authorities)?,
            until: Instant::now(),
            kept: kind == "kept",
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let mut open = Vec::new();
            for _ in 0..connections {
                open.push(if plan.kept { Some(connect(&plan).await?) } else { None });
            }
            let begun = Instant::now();
            plan.until = begun + Duration::from_secs(seconds);
            let (plan, local) = (Rc::new(plan), tokio::task::LocalSet::new());
            let tasks: Vec<_> = open
                .into_iter()
                .enumerate()
                .map(|(place, open)| local.spawn_local(carry(Rc::clone(&plan), place, open)))
                .collect();
            let mut all = Counted::default();
            local
                .run_until(async {
                    for task in tasks {
                        all.add(task.await?);
                    }
                    Ok::<_, tokio::task::JoinError>(())
                })
                .await?;
            all.print(begun.elapsed());
            Ok(())
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("tls-load: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// No session is kept, so that each handshake is a full one.
fn context(certificate: &str, key: &str, authorities: &str) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_certificate_chain_file(certificate)?;
    context.set_private_key_file(key, SslFiletype::PEM)?;
    context.set_ca_file(authorities)?;
    context.set_verify(SslVerifyMode::PEER);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(context.build())
}

async fn connect(plan: &Plan) -> io::Result<Connection> {
    let stream = TcpStream::connect(("127.0.0.1", plan.port)).await?;
    stream.set_nodelay(true)?;
    let mut ssl = Ssl::new(&plan.context)?;
    ssl.set_hostname(HOST)?;
    ssl.param_mut().set_host(HOST)?;
    let mut stream = SslStream::new(ssl, stream)?;
    Pin::new(&mut stream).connect().await.map_err(io::Error::other)?;
    Ok(stream)
}

/// Keeps one connection busy, or one place for connections.
async fn carry(plan: Rc<Plan>, place: usize, mut open: Option<Connection>) -> Counted {
    let mut counted = Counted::default();
    let mut number = place;
    while Instant::now() < plan.until {
        let begun = Instant::now();
        let done = match &mut open {
            Some(connection) => timeout(PATIENCE, exchange(&plan, number, connection)).await,
            None => timeout(PATIENCE, shake(&plan)).await,
        };
        match done {
            Ok(Ok((status, bytes))) => {
                counted.requests += 1;
                counted.bytes += bytes;
                counted.refused += u64::from(status >= 400);
            }
            Ok(Err(_)) | Err(_) => {
                counted.broken += 1;
                return counted;
            }
        }
        counted.took.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        number += 7;
    }
    counted
}

/// One full handshake. Under TLS 1.3 the other side judges our certificate after our part is done:
/// only its answer to the end of the connection says that it was content.
async fn shake(plan: &Plan) -> io::Result<(u16, u64)> {
    let mut connection = connect(plan).await?;
    connection.shutdown().await?;
    match connection.read(&mut [0; 1]).await? {
        0 => Ok((0, 0)),
        _ => Err(io::Error::other("it says more than goodbye")),
    }
}

/// One request and its whole answer: its status and bytes.
async fn exchange(
    plan: &Plan,
    number: usize,
    connection: &mut Connection,
) -> io::Result<(u16, u64)> {
    let head = plan.heads.get(number % plan.heads.len()).map_or("", String::as_str);
    let request = format!(
        "{head}\r\nSsp-TraceID: {:08x}-0000-4000-8000-{number:012x}\r\n\r\n",
        number.wrapping_mul(2_654_435_761) & 0xffff_ffff
    );
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(4_096);
    let end = loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if connection.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = head.split("content-length:").nth(1).and_then(|text| {
        text.split("\r\n").next()?.trim().parse::<usize>().ok()
    });
    let (Some(status), Some(length)) = (status, length) else {
        return Err(io::Error::other("an answer without status or length"));
    };
    let mut left = (end + length).saturating_sub(answer.len());
    let mut room = vec![0; 64 * 1_024];
    while left > 0 {
        let most = left.min(room.len());
        match connection.read(room.get_mut(..most).unwrap_or_default()).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => left -= read,
        }
    }
    Ok((status, (end + length) as u64))
}

impl Counted {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.refused += other.refused;
        self.broken += other.broken;
        self.took.extend(other.took);
    }

    fn print(mut self, elapsed: Duration) {
        self.took.sort_unstable();
        let at = |share: usize| self.took.get(self.took.len() * share / 100).copied().unwrap_or(0);
        println!(
            "LOAD {{\"requests\":{},\"microseconds\":{},\"bytes\":{},\"p50\":{},\"p99\":{},\
             \"refused\":{},\"broken\":{}}}",
            self.requests,
            elapsed.as_micros(),
            self.bytes,
            at(50),
            at(99),
            self.refused,
            self.broken
        );
    }
}

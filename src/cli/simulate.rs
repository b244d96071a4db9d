//! `simulate`: a GP practice system for any number of practices on one port, or the secure proxy
//! before them.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use gpconnect::names::Asid;
use openssl::{
    error::ErrorStack,
    ssl::{SslContext, SslFiletype, SslMethod, SslVerifyMode},
};
use tokio::{net::TcpListener, signal::ctrl_c};

use super::Ended;
use crate::simulator::{self, Estate, FIRST_PRACTICE, Proxy, Settings};

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The systems of practices.
    Practices,
    /// The secure proxy before them, such as the national one.
    Proxy,
}

/// Simulate the system of any number of GP practices on one port, or the secure proxy before them.
///
/// All seventeen interactions of GP Connect 1.2.7, with patients, slots and appointments drawn from
/// a seed. Every practice knows the patients 9000000009 (an ordinary record), 9000000025 (200 kB)
/// and 9000000033 (3 MB). Faults are ordered per request with an X-Sim-Fault header, as in
/// "latency=200ms..400ms;status=503", or per practice at /_simulator/faults/{ODS code}.
///
/// With --as proxy it takes requests in proxy form, checks them as the national proxy does, and asks
/// practices that another simulator of the same seed plays (--behind). Its own refusals are ordered in
/// the same way, as "proxy=agreement", per request with X-Sim-Proxy-Fault.
///
/// Example: gpconnect-gateway simulate --practices 1000 --directory practices.toml
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to simulate.
    #[arg(long = "as", value_enum, default_value_t = Part::Practices)]
    part: Part,
    /// Where the practices are that the proxy asks.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:19000")]
    behind: SocketAddr,
    /// A system that may send through the proxy; may be repeated. Without, any may.
    #[arg(long = "sender", value_name = "ASID")]
    senders: Vec<Asid>,
    /// Speak TLS with this certificate and those that lead to its authority, in PEM; callers must show
    /// one of their own.
    #[arg(long, value_name = "FILE", requires_all = ["key", "client_authorities"])]
    certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The authorities of callers' certificates, in PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    client_authorities: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:19000")]
    listen: SocketAddr,
    /// How many practices.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    practices: usize,
    /// What everything is drawn from: the same seed gives the same practices and patients.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the practices to this file, as a directory file for the gateway.
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// The name of the upstream in that file.
    #[arg(long, value_name = "NAME", default_value = "simulator")]
    upstream: String,
    /// The name of the group of all practices in that file.
    #[arg(long, value_name = "NAME", default_value = "everyone")]
    group: String,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match simulate(arguments) {
        Ok(()) => Ended::Done,
        Err(fault) => {
            eprintln!("{}: {fault}", arguments.listen);
            Ended::Unable
        }
    }
}

fn simulate(arguments: &Arguments) -> io::Result<()> {
    let estate = Arc::new(Estate::generate(arguments.seed, arguments.practices));
    if let Some(file) = &arguments.directory {
        fs::write(file, estate.directory_toml(&arguments.upstream, &arguments.group))?;
        println!("directory file: {}", file.display());
    }
    let mut settings = Settings::new(estate);
    settings.tls = tls(arguments)?;
    if arguments.part == Part::Proxy {
        let senders = arguments.senders.clone();
        settings.proxy = Some(Proxy { senders, ..Proxy::before(arguments.behind) });
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        let address = listener.local_addr()?;
        let running = simulator::start(settings, listener)?;
        let (many, behind) = (arguments.practices, arguments.behind);
        match arguments.part {
            Part::Practices => {
                println!("{many} practices at {address}, the first is {FIRST_PRACTICE}")
            }
            Part::Proxy => println!("a proxy at {address}, before {many} practices at {behind}"),
        }
        println!("connections to {} are refused", running.refused_addr());
        ctrl_c().await?;
        running.stop().await;
        Ok(())
    })
}

/// What TLS is spoken with, where it is.
fn tls(arguments: &Arguments) -> io::Result<Option<SslContext>> {
    let Arguments { certificate, key, client_authorities, .. } = arguments;
    let files = (certificate.as_deref(), key.as_deref(), client_authorities.as_deref());
    let (Some(certificate), Some(key), Some(authorities)) = files else { return Ok(None) };
    Ok(Some(context(certificate, key, authorities)?))
}

fn context(certificate: &Path, key: &Path, authorities: &Path) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    context.set_certificate_chain_file(certificate)?;
    context.set_private_key_file(key, SslFiletype::PEM)?;
    context.set_ca_file(authorities)?;
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    context.set_session_id_context(b"simulator")?;
    Ok(context.build())
}

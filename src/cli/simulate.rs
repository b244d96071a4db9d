//! `simulate`: a GP practice system for any number of practices on one port.

use std::{fs, io, net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Args;
use tokio::{net::TcpListener, signal::ctrl_c};

use super::Ended;
use crate::simulator::{self, Estate, FIRST_PRACTICE};

/// Simulate the system of any number of GP practices on one port.
///
/// All seventeen interactions of GP Connect 1.2.7, with patients, slots and appointments drawn from
/// a seed. Every practice knows the patients 9000000009 (an ordinary record), 9000000025 (200 kB)
/// and 9000000033 (3 MB). Faults are ordered per request with an X-Sim-Fault header, as in
/// "latency=200ms..400ms;status=503", or per practice at /_simulator/faults/{ODS code}.
///
/// Example: gpconnect-gateway simulate --practices 1000 --directory practices.toml
#[derive(Debug, Args)]
pub(crate) struct Arguments {
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
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        let address = listener.local_addr()?;
        let running = simulator::start(simulator::Settings::new(Arc::clone(&estate)), listener)?;
        println!("{} practices at {address}, the first is {FIRST_PRACTICE}", arguments.practices);
        println!("connections to {} are refused", running.refused_addr());
        ctrl_c().await?;
        running.stop().await;
        Ok(())
    })
}

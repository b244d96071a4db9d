//! `serve`: the gateway.

use std::{io, path::PathBuf, sync::Arc};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::{Ended, log, start::Running};
use crate::{
    config::Environment,
    snapshot::Current,
    telemetry::{Metrics, Telemetry},
};

/// Run the gateway.
///
/// SIGHUP reads the configuration again: it takes effect when all of it is right, else what runs
/// stays. SIGTERM and SIGINT let requests under way finish, for at most `server.drain`.
///
/// Example: gpconnect-gateway serve --config /etc/gpconnect-gateway/gateway.toml
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match serve(arguments) {
        Ok(()) => Ended::Done,
        Err(fault) => {
            eprintln!("{fault}");
            Ended::Unable
        }
    }
}

fn serve(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let environment = Environment::new(std::env::vars_os());
    let (current, warnings) = Current::open(&arguments.config, environment)?;
    let snapshot = current.load();
    let (sink, style) = log::open(&snapshot.startup.log)?;
    for warning in warnings.iter() {
        warn!("{warning}");
    }
    let telemetry = Arc::new(Telemetry::new(Metrics::new()?, sink.clone(), style));
    let running = Running::start(current, telemetry)?;
    for ((name, _), address) in snapshot.startup.listeners.iter().zip(&running.addresses) {
        info!(listener = name, %address, "taking requests");
    }
    info!(
        address = %running.observe,
        practices = snapshot.policy.practices().len(),
        consumers = snapshot.policy.consumers().len(),
        "metrics and health"
    );
    drop(snapshot);
    wait(&running)?;
    info!("stopping: requests under way may finish");
    let cut = running.stop();
    if cut > 0 {
        warn!(cut, "stopped before all requests had finished");
    } else {
        info!("stopped");
    }
    sink.close();
    Ok(())
}

/// Waits for a signal to stop, reloading on SIGHUP meanwhile.
fn wait(running: &Running) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut reload = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = reload.recv() => running.reload(),
            }
        }
    })
}

//! `serve`: the gateway.

use std::{io, path::PathBuf, sync::Arc};

use clap::Args;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
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
    let log = log::open(&snapshot.startup.log)?;
    for warning in warnings.iter() {
        warn!("{warning}");
    }
    let telemetry = Arc::new(Telemetry::new(Metrics::new()?, log.sink.clone(), log.style));
    let signals = Signals::heed()?;
    let running = Running::start(current, telemetry)?;
    for (listener, address) in snapshot.startup.listeners.iter().zip(&running.addresses) {
        info!(listener = listener.name, tls = listener.secure, %address, "taking requests");
    }
    info!(
        address = %running.observe,
        practices = snapshot.policy.practices().len(),
        consumers = snapshot.policy.consumers().len(),
        "metrics and health"
    );
    drop(snapshot);
    signals.wait(|| {
        log.reopen();
        running.reload();
    });
    info!("stopping: requests under way may finish");
    let cut = running.stop();
    if cut > 0 {
        warn!(cut, "stopped before all requests had finished");
    } else {
        info!("stopped");
    }
    log.sink.close();
    Ok(())
}

/// The signals that are heeded, from before the gateway takes requests: who sends one as soon as it
/// does must not end the process by it.
struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn heed() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let within = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let reload = signal(SignalKind::hangup())?;
        drop(within);
        Ok(Self { runtime, terminate, interrupt, reload })
    }

    /// Waits for a signal to stop, calling `reload` on SIGHUP meanwhile.
    fn wait(mut self, reload: impl Fn()) {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.reload.recv() => reload(),
                }
            }
        });
    }
}

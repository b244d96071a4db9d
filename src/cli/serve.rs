//! `serve`: the gateway.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

use clap::Args;
use tracing::{info, warn};

use super::{Ended, audit, log, manager, signals::Signals, start::Running};
use crate::{
    config::Environment,
    snapshot::Current,
    telemetry::{Metrics, Telemetry},
};

/// Run the gateway.
///
/// SIGHUP reads the configuration again: it takes effect when all of it is right, else what runs
/// stays. SIGTERM and SIGINT turn /readyz red, for `server.notice`, then let requests under way
/// finish, for at most `server.drain`. systemd is told of all this when it asks (Type=notify).
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
    let (_, unwitnessed) = audit::findings(&arguments.config, &snapshot.startup.audit);
    for warning in unwitnessed {
        warn!("{warning}");
    }
    let telemetry = Arc::new(Telemetry::new(Metrics::new()?, log.sink.clone(), log.style));
    let mut signals = Signals::heed()?;
    let running = Running::start(current, telemetry, Arc::clone(&log.levels))?;
    for (listener, address) in snapshot.startup.listeners.iter().zip(&running.addresses) {
        info!(listener = listener.name, tls = listener.secure, %address, "taking requests");
    }
    info!(
        address = %running.observe,
        practices = snapshot.policy.practices().len(),
        consumers = snapshot.policy.consumers().len(),
        "metrics and health"
    );
    for address in &running.admin {
        info!(%address, "admin API");
    }
    drop(snapshot);
    manager::ready(&running.shared);
    running.report();
    signals.wait(|| {
        manager::reloading();
        log.reopen();
        running.reload();
        manager::ready(&running.shared);
        ControlFlow::Continue(())
    });
    let notice = running.leave();
    manager::stopping(&running.shared);
    info!(notice_s = notice.as_secs_f64(), "stopping: requests under way may finish");
    signals.pause(notice);
    let cut = running.stop();
    if cut > 0 {
        warn!(cut, "stopped before all requests had finished");
    } else {
        info!("stopped");
    }
    log.sink.close();
    Ok(())
}

//! Sets up the log: request lines and the program's own events go through one queue into one place,
//! in one form.

use std::{
    fs::OpenOptions,
    io::{self, IsTerminal, Write},
    panic,
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::{Log, LogFormat},
    telemetry::{LogSink, SinkWriter, Style},
};

/// Opens the log and lets all events of the program flow into it.
///
/// # Errors
/// When its file can't be opened for appending.
pub(crate) fn open(settings: &Log) -> io::Result<(LogSink, Style)> {
    let terminal = settings.file.is_none() && io::stdout().is_terminal();
    let output: Box<dyn Write + Send> = match &settings.file {
        Some(file) => Box::new(OpenOptions::new().append(true).create(true).open(file)?),
        None => Box::new(io::stdout()),
    };
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    let style = match settings.format {
        LogFormat::Json => Style::Json,
        LogFormat::Human => Style::Human { colour },
        LogFormat::Auto if terminal => Style::Human { colour },
        LogFormat::Auto => Style::Json,
    };
    let sink = LogSink::start(output)?;
    events(&sink, style);
    report_panics();
    Ok((sink, style))
}

/// The engine's own lines only when something is wrong: at lower levels it prints whole heads.
fn events(sink: &LogSink, style: Style) {
    let writer = SinkWriter(sink.clone());
    let make = move || writer.clone();
    let levels = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("gpconnect_gateway", Level::INFO);
    let registry = tracing_subscriber::registry().with(levels);
    let layer = tracing_subscriber::fmt::layer().with_writer(make).with_target(false);
    // A second gateway in one process (tests, the demo) shares the first one's subscriber.
    match style {
        Style::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        Style::Human { colour } => registry.with(layer.with_ansi(colour)).try_init(),
    }
    .unwrap_or_default();
}

/// A panic's message may hold what a request said; its place does not.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(place, "panic: a fault of the gateway; please report this line");
    }));
}

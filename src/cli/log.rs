//! Sets up the log: request lines and the program's own events go through one queue into one place,
//! in one form.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    panic,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    config::{Log, LogFormat},
    telemetry::{Levels, LogSink, SinkWriter, Style},
};

/// The open log.
pub(crate) struct Opened {
    /// Where lines go.
    pub(crate) sink: LogSink,
    /// Their form.
    pub(crate) style: Style,
    /// How much the program's own events say.
    pub(crate) levels: Arc<Levels>,
    moved: Arc<AtomicBool>,
}

impl Opened {
    /// Has the file opened again before the next line, for it may have been moved away.
    pub(crate) fn reopen(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }
}

/// A log file that can be moved away while it is written.
struct LogFile {
    path: PathBuf,
    file: File,
    moved: Arc<AtomicBool>,
}

impl Write for LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // When the new one can't be opened, the old one is better than none.
        if self.moved.swap(false, Ordering::Relaxed)
            && let Ok(file) = append(&self.path)
        {
            self.file = file;
        }
        self.file.write(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Opens the log and lets all events of the program flow into it.
///
/// # Errors
/// When its file can't be opened for appending.
pub(crate) fn open(settings: &Log) -> io::Result<Opened> {
    let terminal = settings.file.is_none() && io::stdout().is_terminal();
    let moved = Arc::<AtomicBool>::default();
    let output: Box<dyn Write + Send> = match &settings.file {
        Some(path) => {
            let (path, file) = (path.clone(), append(path)?);
            Box::new(LogFile { path, file, moved: Arc::clone(&moved) })
        }
        None => Box::new(io::stdout()),
    };
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    let style = match settings.format {
        LogFormat::Json => Style::Json,
        LogFormat::Logfmt => Style::Logfmt,
        LogFormat::Human => Style::Human { colour },
        LogFormat::Auto if terminal => Style::Human { colour },
        LogFormat::Auto => Style::Json,
    };
    let sink = LogSink::start(output)?;
    let levels = Arc::new(events(&sink, style));
    report_panics();
    Ok(Opened { sink, style, levels, moved })
}

/// The engine's own lines only when something is wrong: at lower levels it prints whole heads.
fn events(sink: &LogSink, style: Style) -> Levels {
    let writer = SinkWriter { sink: sink.clone(), logfmt: style == Style::Logfmt };
    let make = move || writer.clone();
    let (filter, levels) = Levels::new();
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(make).with_target(false);
    // A second gateway in one process (tests, the demo) shares the first one's subscriber.
    match style {
        Style::Json | Style::Logfmt => registry.with(layer.json().flatten_event(true)).try_init(),
        Style::Human { colour } => registry.with(layer.with_ansi(colour)).try_init(),
    }
    .unwrap_or_default();
    levels
}

/// A panic's message may hold what a request said; its place does not.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(place, "panic: a fault of the gateway; please report this line");
    }));
}

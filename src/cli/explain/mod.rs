//! `explain`: what the gateway would do with one request, check by check, and why.

mod access;
mod answer;
mod arguments;
mod body;
mod caller;
mod case;
mod claims;
mod curl;
mod decisions;
mod forward;
mod head;
mod hide;
mod hints;
mod judge;
mod looks;
mod parties;
mod place;
mod report;
mod sections;
mod show;
mod source;
#[cfg(test)]
mod tests;

use super::{
    Ended, audit, check,
    output::{Output, Paint, complain, counted, print, print_json},
};
use crate::snapshot::Snapshot;

pub(crate) use arguments::Arguments;
use caller::Caller;
use case::Place;
use hide::Hide;
use report::Explained;
use show::View;
use source::Source;

pub(crate) fn run(arguments: &Arguments) -> Ended {
    if arguments.checks {
        return print(decisions::markdown().as_bytes(), Ended::Done);
    }
    if let Some(trace_id) = &arguments.trace_id {
        return recorded(arguments, trace_id);
    }
    match load(arguments).and_then(|snapshot| explain(arguments, &snapshot)) {
        Ok(explained) => {
            let ended = if explained.would_pass { Ended::Done } else { Ended::No };
            match arguments.output {
                Output::Human => {
                    print(view(arguments, Paint::of_stdout()).text(&explained).as_bytes(), ended)
                }
                Output::Json => print_json(&explained, ended),
            }
        }
        Err(fault) => {
            complain(fault);
            Ended::Unable
        }
    }
}

/// What was decided of a request, as the journal has it.
fn recorded(arguments: &Arguments, trace_id: &str) -> Ended {
    let journal = match &arguments.journal {
        Some(journal) => Ok(journal.clone()),
        None => load(arguments).map(|snapshot| snapshot.startup.audit.directory.clone()),
    };
    match journal {
        Ok(journal) => audit::explain(&audit::Asked {
            journal: &journal,
            trace_id,
            reader_key: arguments.reader_key.as_deref(),
            output: arguments.output,
        }),
        Err(fault) => {
            complain(fault);
            Ended::Unable
        }
    }
}

fn explain(arguments: &Arguments, snapshot: &Snapshot) -> Result<Explained, String> {
    // Clap asks for a request unless --checks is given.
    let request = arguments.request.as_deref().unwrap_or_default();
    told(arguments, snapshot, &source::read(request, &arguments.curl)?)
}

fn told(arguments: &Arguments, snapshot: &Snapshot, source: &Source) -> Result<Explained, String> {
    let now = arguments.at.seconds()?;
    let listener = listener(snapshot, arguments.listener.as_deref())?;
    let place = Place {
        snapshot,
        listener,
        caller: Caller::of(arguments, snapshot, listener, source, now)?,
        config: arguments.config().display().to_string(),
        now,
        random: uuid::Uuid::new_v4().into_bytes(),
        hide: Hide { show_ids: arguments.show_ids },
    };
    // The engine reads the request from a pipe in memory, with its own clock for deadlines.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|fault| format!("can't start threads: {fault}"))?;
    runtime.block_on(judge::explain(source, &place))
}

fn view(arguments: &Arguments, paint: Paint) -> View {
    View { paint, body: arguments.body, quiet: arguments.quiet }
}

fn load(arguments: &Arguments) -> Result<Snapshot, String> {
    let config = arguments.config();
    let loaded = check::load(config).map_err(|fault| {
        format!("{}: {fault}; name the gateway.toml with --config", config.display())
    })?;
    let mistakes = counted(loaded.mistakes.len(), "mistake");
    loaded.snapshot.ok_or_else(|| {
        let config = config.display();
        format!(
            "{config}: can't be used, it has {mistakes}; see gpconnect-gateway check --config {config}"
        )
    })
}

fn listener(snapshot: &Snapshot, name: Option<&str>) -> Result<usize, String> {
    let Some(name) = name else { return Ok(0) };
    let names = || snapshot.listeners.iter().map(|entrance| entrance.name.as_str());
    names().position(|known| known == name).ok_or_else(|| {
        let known = names().collect::<Vec<_>>().join(", ");
        format!("--listener {name}: the configuration has no such listener; it has {known}")
    })
}

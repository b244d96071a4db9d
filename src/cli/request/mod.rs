//! `request`: a consumer. Builds headers and token for an interaction, sends it, prints both sides.

mod arguments;
mod body;
mod fault;
mod gateway;
mod generated;
mod head;
mod plan;
mod query;
mod route;
mod send;
mod show;
mod target;
#[cfg(test)]
mod tests;

use super::{
    Ended, moment,
    output::{Output, Paint, complain, print, print_json},
};

pub(crate) use arguments::Arguments;
use fault::Unsendable;
use plan::Plan;
use send::Answer;

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match request(arguments) {
        Ok(ended) => ended,
        Err(fault) => {
            complain(fault);
            Ended::Unable
        }
    }
}

fn request(arguments: &Arguments) -> Result<Ended, Unsendable> {
    let plan = Plan::make(arguments, moment::now())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Unsendable::NoThreads)?;
    let view = show::View::of(arguments, Paint::of_stdout());
    if arguments.output == Output::Human && print(&view.request(&plan), Ended::Done) != Ended::Done
    {
        return Ok(Ended::Unable);
    }
    let answer = runtime.block_on(send::send(&plan, arguments.timeout))?;
    Ok(finish(&plan, &answer, view, arguments.output))
}

fn finish(plan: &Plan, answer: &Answer, view: show::View, output: Output) -> Ended {
    let ended = match (&answer.broken, answer.is_good()) {
        (Some(_), _) => Ended::Unable,
        (None, true) => Ended::Done,
        (None, false) => Ended::No,
    };
    let printed = match output {
        Output::Human => print(&view.answer(answer), ended),
        Output::Json => print_json(&view.object(plan, answer), ended),
    };
    if let Some(fault) = &answer.broken {
        complain(fault);
    }
    printed
}

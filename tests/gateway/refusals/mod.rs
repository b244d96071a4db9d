//! Whatever is wrong with a request, its caller gets an `OperationOutcome`, nothing of it reaches a
//! provider, and log and metrics tell it by one word, without the patient.

mod bodies;
pub(crate) mod check;
pub(crate) mod contract;
mod headers;
mod heads;
mod limits;
mod outcome;
mod overload;
mod parties;
mod patients;
pub(crate) mod region;
mod settings;
mod targets;
mod tokens;

pub(crate) use outcome::Outcome;

use crate::harness::{Call, Interaction, Mode, World};
use crate::wire;

/// One way to be refused.
pub(crate) struct Case {
    pub(crate) name: String,
    /// For what the answer has to do with the request; its bytes may say something else.
    call: Call,
    /// The bytes, where they are not those of the call.
    raw: Option<Vec<u8>>,
    word: &'static str,
    /// A part of the diagnostics.
    says: &'static str,
    /// Whether the connection ends behind the answer.
    closes: bool,
}

impl Case {
    /// A call that is refused and keeps its connection.
    fn of(name: impl Into<String>, call: Call, word: &'static str) -> Self {
        Self { name: name.into(), call, raw: None, word, says: "", closes: false }
    }

    /// With a part of the diagnostics.
    fn says(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    /// The answer is the last one on its connection.
    fn closes(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Sends these bytes in place of the call's.
    fn raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw = Some(bytes.into());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.raw.clone().unwrap_or_else(|| wire::bytes(&self.call))
    }
}

/// A consumer's request for a patient, whose NHS number must show up nowhere. It asks for no
/// format.
fn base(world: &World) -> Call {
    region::search(world, region::OPEN).without("Accept")
}

/// The same for another interaction.
fn call(world: &World, interaction: &Interaction, path: &str) -> Call {
    world.call(Mode::Transparent, interaction, path).without("Accept")
}

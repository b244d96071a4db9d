//! What operations have switched off at this gateway for a while, whatever practices have switched on
//! and directories say.

use std::fmt;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use crate::{
    interaction::{Capability, CapabilitySet, InteractionId, InteractionSet},
    policy::{ConsumerIndex, PracticeIndex},
};

/// What is switched off. Empty, as it is nearly always, it costs a request one look.
#[derive(Clone, Debug, Default)]
pub struct SwitchedOff {
    any: bool,
    practices: HashSet<PracticeIndex, RandomState>,
    capabilities: HashMap<PracticeIndex, CapabilitySet, RandomState>,
    consumers: HashSet<ConsumerIndex, RandomState>,
    interactions: InteractionSet,
}

/// One thing that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// A practice.
    Practice(PracticeIndex),
    /// A capability at a practice.
    Capability(PracticeIndex, Capability),
    /// A consumer system.
    Consumer(ConsumerIndex),
    /// An interaction, at every practice.
    Interaction(InteractionId),
}

/// Which kind of thing is switched off, for texts and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchKind {
    /// The practice.
    Practice,
    /// The capability at the practice.
    Capability(Capability),
    /// The consumer system.
    Consumer,
    /// The interaction.
    Interaction,
}

impl SwitchedOff {
    /// Switches one more off.
    pub fn add(&mut self, switched: Switched) {
        self.any = true;
        match switched {
            Switched::Practice(practice) => {
                self.practices.insert(practice);
            }
            Switched::Capability(practice, capability) => {
                self.capabilities.entry(practice).or_default().insert(capability);
            }
            Switched::Consumer(consumer) => {
                self.consumers.insert(consumer);
            }
            Switched::Interaction(id) => self.interactions.insert(id),
        }
    }

    /// What is switched off of a request, if anything is.
    pub fn find(
        &self,
        consumer: ConsumerIndex,
        practice: PracticeIndex,
        id: InteractionId,
    ) -> Option<SwitchKind> {
        if !self.any {
            return None;
        }
        let capability = id.row().capability;
        if self.practices.contains(&practice) {
            Some(SwitchKind::Practice)
        } else if self.capabilities.get(&practice).is_some_and(|off| off.contains(capability)) {
            Some(SwitchKind::Capability(capability))
        } else if self.consumers.contains(&consumer) {
            Some(SwitchKind::Consumer)
        } else {
            self.interactions.contains(id).then_some(SwitchKind::Interaction)
        }
    }
}

impl fmt::Display for SwitchKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Practice => out.write_str("the practice"),
            Self::Capability(capability) => {
                write!(out, "the {} capability of the practice", capability.title())
            }
            Self::Consumer => out.write_str("the sending system"),
            Self::Interaction => out.write_str("the interaction"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_is_found_and_nothing_else() {
        use {Capability::Appointments, InteractionId as Id};
        let (practice, consumer) = (PracticeIndex(3), ConsumerIndex(5));
        let find = |switched: &[Switched], id| {
            let mut off = SwitchedOff::default();
            switched.iter().for_each(|one| off.add(*one));
            off.find(consumer, practice, id)
        };
        let whole = Switched::Practice(practice);
        let slots = Switched::Capability(practice, Appointments);
        for (name, switched, id, expected) in [
            ("nothing", &[][..], Id::ReadPatient, None),
            ("the practice", &[whole], Id::ReadMetadata, Some(SwitchKind::Practice)),
            ("another", &[Switched::Practice(PracticeIndex(4))], Id::ReadPatient, None),
            (
                "its capability",
                &[slots],
                Id::SearchSlot,
                Some(SwitchKind::Capability(Appointments)),
            ),
            ("another capability", &[slots], Id::ReadPatient, None),
            (
                "a capability elsewhere",
                &[Switched::Capability(PracticeIndex(5), Appointments)],
                Id::SearchSlot,
                None,
            ),
            (
                "the consumer",
                &[Switched::Consumer(consumer)],
                Id::ReadPatient,
                Some(SwitchKind::Consumer),
            ),
            ("another consumer", &[Switched::Consumer(ConsumerIndex(3))], Id::ReadPatient, None),
            (
                "the interaction",
                &[Switched::Interaction(Id::ReadPatient)],
                Id::ReadPatient,
                Some(SwitchKind::Interaction),
            ),
            ("another one", &[Switched::Interaction(Id::SearchSlot)], Id::ReadPatient, None),
            ("several", &[slots, whole], Id::SearchSlot, Some(SwitchKind::Practice)),
        ] {
            assert_eq!(find(switched, id), expected, "{name}");
        }
    }
}

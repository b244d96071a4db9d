//! Stage 4: which GP Connect interaction a request is, and the table of all of them.
//!
//! The id decides: amend and cancel, or document read and migrate, are the same on the wire.
//! Verb and path must then agree with it (gp-connect 3).

mod identify;
pub(crate) mod path;
mod sets;
mod table;
mod token_rules;

use std::time::Duration;

pub use identify::{Identified, derive, identify};
pub use path::{FhirPath, wire_shape};
pub use sets::{CapabilitySet, InteractionSet};
pub use table::{Interaction, InteractionId, TABLE};
pub use token_rules::{Release, TokenRules};

/// What a service root stands for. Foundations and Appointments usually share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// Patients, practitioners, organisations, locations, the capability statement.
    Foundations,
    /// Slots and appointments.
    Appointments,
    /// Access Record Structured.
    Structured,
    /// Access Documents: a neighbour of 1.2.7.
    Documents,
    /// Access Record HTML (0.5 and 0.7): a neighbour of 1.2.7.
    Html,
}

impl Capability {
    /// Every capability, in table order.
    pub const ALL: [Self; 5] =
        [Self::Foundations, Self::Appointments, Self::Structured, Self::Documents, Self::Html];

    /// The word for configuration, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Foundations => "foundations",
            Self::Appointments => "appointments",
            Self::Structured => "structured",
            Self::Documents => "documents",
            Self::Html => "html",
        }
    }

    /// The name in error texts.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Foundations => "Foundations",
            Self::Appointments => "Appointment Management",
            Self::Structured => "Access Record Structured",
            Self::Documents => "Access Documents",
            Self::Html => "Access Record HTML",
        }
    }

    /// The capability of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == word)
    }
}

/// The verbs that GP Connect carries; every other one is 405.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}

impl Verb {
    /// The verb of this method name.
    pub fn from_method(method: &str) -> Option<Self> {
        match method {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            _ => None,
        }
    }

    /// The method name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Whether an interaction changes something at the practice; deadlines and retries depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Has a side effect: register, book, amend, cancel. Never sent twice.
    Command,
    /// Has none; the structured record is one, although it is a POST.
    Query,
}

impl Kind {
    /// The word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
        }
    }

    /// How long a provider may take (gp-connect 14).
    pub const fn limits(self) -> Limits {
        let (goal, most) = match self {
            Self::Command => (100, 250),
            Self::Query => (1_000, 3_000),
        };
        Limits { goal: Duration::from_millis(goal), most: Duration::from_millis(most) }
    }
}

/// How long a provider may take for an answer: less than these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What it should keep.
    pub goal: Duration,
    /// What it must keep.
    pub most: Duration,
}

/// Which switch of the practice an interaction obeys (gp-connect 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// None: the Foundations statement is always answered, and 1.6 migrations ignore switches.
    Never,
    /// GP Connect as a whole: Foundations have no switch of their own (D18).
    Whole,
    /// GP Connect as a whole, and the capability's own.
    Own,
}

/// What the token's `requested_scope` must say (gp-connect 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `patient/*.read`.
    PatientRead,
    /// `patient/*.write`.
    PatientWrite,
    /// `organization/*.read`.
    OrganizationRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PatientRead, Self::PatientWrite, Self::OrganizationRead];

    /// The text of the claim.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PatientRead => "patient/*.read",
            Self::PatientWrite => "patient/*.write",
            Self::OrganizationRead => "organization/*.read",
        }
    }
}

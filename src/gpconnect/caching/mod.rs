//! What may be answered from memory, as which question, for how long, and to whom it is told how
//! (stage 11; gp-connect 13).
//!
//! Only what holds no patient: the interaction table says which, and a [`Question`] exists for those
//! alone. Since nothing is kept but answers to a `Question`, nothing else can be kept, whatever is
//! configured and whatever a provider's headers say. A question is made of facts and never of a
//! header's raw text; the request that a cache sends to a provider is made of the question, so that
//! what is not part of it can't shape the answer either.

mod content;
mod freshness;
mod kept;
mod question;
mod statement;
mod tags;
mod told;
mod wishes;

pub use freshness::{Freshness, LONGEST_FAILING, LONGEST_FRESH, LONGEST_STALE, Lifetime, sent_age};
pub use kept::{Candidate, Extent, NotKept, judge};
pub use question::Question;
pub use statement::Statement;
pub use tags::{is_same, matches};
pub use told::{Use, status};
pub use wishes::{Demand, Wishes};

/// What kind of answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A capability statement.
    Statement,
    /// An organisation by its id.
    Organisation,
    /// The organisations with an ODS code.
    Search,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Statement, Self::Organisation, Self::Search];

    /// The type of the resource that answers it.
    const fn resource(self) -> &'static str {
        match self {
            Self::Statement => "CapabilityStatement",
            Self::Organisation => "Organization",
            Self::Search => "Bundle",
        }
    }

    /// Whether a resource of this type answers it.
    fn is_answered_by(self, resource: &str) -> bool {
        // Version 0.x answers a statement in DSTU2, which calls it so.
        resource == self.resource() || (self == Self::Statement && resource == "Conformance")
    }
}

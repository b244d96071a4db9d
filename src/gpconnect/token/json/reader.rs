//! What is noticed while JSON is read, and how much of it is read at all.

use serde::de::Error;

use crate::{
    contract::Claim,
    token::{
        elements::{NEITHER, Versions},
        fault::{ElementFault, Part, ResourceFault, TokenFault},
    },
};

/// Lists and objects in each other that a token may have: a claim, a resource, a list, an object of
/// it, and extensions in those.
const MAX_DEPTH: u8 = 16;

/// Values that a token may have, however they are arranged: ten times what one needs, and few
/// enough that the most hostile one is read in a tenth of a millisecond.
const MAX_VALUES: usize = 500;

/// Undeclared elements and odd shapes of one claim that are told singly.
const MAX_ODD: usize = 8;

/// Something in a resource that is no FHIR, unless the version is one of these.
#[derive(Debug)]
pub(in crate::token) struct Odd<F> {
    pub(in crate::token) claim: Claim,
    pub(in crate::token) versions: Versions,
    pub(in crate::token) fault: F,
}

/// What is noticed while reading.
#[derive(Debug)]
pub(in crate::token) struct Reader {
    pub(super) part: Part,
    values: usize,
    /// What ended the reading, if it was not the syntax.
    pub(in crate::token) broken: Option<TokenFault>,
    /// Elements that FHIR does not have.
    pub(in crate::token) elements: Vec<Odd<ElementFault>>,
    /// Elements of a wrong type.
    pub(in crate::token) shapes: Vec<Odd<ResourceFault>>,
    /// Which claim the resource that is read stands in.
    pub(in crate::token) claim: Claim,
    /// Where in a list the reading is.
    pub(in crate::token) place: usize,
}

impl Reader {
    pub(in crate::token) const fn new(part: Part) -> Self {
        Self {
            part,
            values: 0,
            broken: None,
            elements: Vec::new(),
            shapes: Vec::new(),
            claim: Claim::RequestingDevice,
            place: 0,
        }
    }

    /// The start of the text.
    pub(in crate::token) const fn top(&mut self) -> At<'_> {
        At { reader: self, depth: 0 }
    }

    /// Counts a value that is about to be read.
    pub(super) fn count<E: Error>(&mut self) -> Result<(), E> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.broken(TokenFault::TooMany(self.part, MAX_VALUES)));
        }
        Ok(())
    }

    pub(super) fn broken<E: Error>(&mut self, fault: TokenFault) -> E {
        self.broken = Some(fault);
        E::custom("")
    }

    /// Takes note of an element that only `versions` have: the first ones in full, then their
    /// number.
    pub(in crate::token) fn note_element(
        &mut self,
        versions: Versions,
        fault: impl FnOnce() -> ElementFault,
    ) {
        let claim = self.claim;
        let same = |odd: &&mut Odd<ElementFault>| odd.claim == claim;
        let Some(last) = self.elements.iter_mut().filter(same).nth(MAX_ODD) else {
            self.elements.push(Odd { claim, versions, fault: fault() });
            return;
        };
        let more = if let ElementFault::More(more) = last.fault { more } else { 1 };
        *last = Odd { claim, versions: NEITHER, fault: ElementFault::More(more + 1) };
    }

    /// Takes note of an element of a wrong type: the first ones in full, then their number.
    pub(in crate::token) fn note_shape(&mut self, fault: ResourceFault) {
        let claim = self.claim;
        let same = |odd: &&mut Odd<ResourceFault>| odd.claim == claim;
        let Some(last) = self.shapes.iter_mut().filter(same).nth(MAX_ODD) else {
            self.shapes.push(Odd { claim, versions: NEITHER, fault });
            return;
        };
        let more = if let ResourceFault::MoreShapes(more) = last.fault { more } else { 1 };
        last.fault = ResourceFault::MoreShapes(more + 1);
    }
}

/// Where the reading stands.
#[derive(Debug)]
pub(in crate::token) struct At<'r> {
    pub(in crate::token) reader: &'r mut Reader,
    depth: u8,
}

impl At<'_> {
    /// The same place for a shorter time.
    pub(in crate::token) const fn here(&mut self) -> At<'_> {
        At { reader: self.reader, depth: self.depth }
    }

    /// Goes into a list or an object.
    pub(super) fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.depth == MAX_DEPTH {
            let fault = TokenFault::TooDeep(self.reader.part, MAX_DEPTH);
            return Err(self.reader.broken(fault));
        }
        self.depth += 1;
        Ok(())
    }
}

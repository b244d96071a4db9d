//! What can be wrong with a claim that holds a FHIR resource.

use std::fmt;

use super::{CallersName, Characters, Found};

/// Where in a resource something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// The resource itself.
    Resource,
    /// The identifier at this place.
    Identifier(usize),
    /// The name at this place.
    Name(usize),
}

impl Within {
    /// The data type there, if it is not the resource itself.
    const fn data_type(self) -> Option<&'static str> {
        match self {
            Self::Resource => None,
            Self::Identifier(_) => Some("Identifier"),
            Self::Name(_) => Some("HumanName"),
        }
    }
}

/// What stands before the name of an element.
impl fmt::Display for Within {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource => Ok(()),
            Self::Identifier(place) => write!(out, "identifier[{place}]."),
            Self::Name(place) => write!(out, "name[{place}]."),
        }
    }
}

/// Why a claim is no resource of the kind that belongs there: 422 (gp-connect 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceFault {
    /// Not an object.
    NotAnObject(Found),
    /// `resourceType` is no string.
    NoType(Found),
    /// `resourceType` is a string of this length that names no FHIR type.
    UnknownType(usize),
    /// An element of another shape.
    Shape {
        /// Where it stands.
        within: Within,
        /// Its name.
        element: &'static str,
        /// What is there.
        found: Found,
        /// What belongs there.
        expected: &'static str,
    },
    /// So many more of those.
    MoreShapes(usize),
}

impl ResourceFault {
    /// What follows "JWT claim (name) is not a valid (resource): ".
    pub(crate) fn text(&self, resource: &str) -> String {
        match self {
            Self::NotAnObject(found) => format!("it is {found}; expected an object"),
            Self::NoType(found) => format!("resourceType is {found}; expected {resource}"),
            Self::UnknownType(length) => format!(
                "resourceType is a string of {} that names no FHIR type; expected {resource}",
                Characters(*length)
            ),
            Self::Shape { within, element, found, expected } => {
                format!("{within}{element} is {found}; expected {expected}")
            }
            Self::MoreShapes(more) => format!("{more} more of its elements are of a wrong type"),
        }
    }
}

/// Elements that a resource does not have: 422 (gp-connect 7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementFault {
    /// One.
    Undeclared(Within, CallersName),
    /// So many more.
    More(usize),
}

impl ElementFault {
    /// One such fault, for the documentation.
    pub(crate) fn example() -> Self {
        Self::Undeclared(Within::Resource, CallersName::new("invalidField"))
    }

    /// What follows "JWT claim (name) is not a valid (resource): ", for the caller.
    pub(crate) fn text(&self, resource: &str) -> String {
        match self {
            Self::Undeclared(within, name) => {
                let owner = within.data_type().unwrap_or(resource);
                format!("{within}{}; {owner} has no such element", name.told())
            }
            Self::More(_) => self.note(resource),
        }
    }

    /// The same without what the caller wrote.
    pub(crate) fn note(&self, resource: &str) -> String {
        match self {
            Self::Undeclared(within, name) => {
                let owner = within.data_type().unwrap_or(resource);
                format!("{within}{}; {owner} has no such element", name.hidden())
            }
            Self::More(more) => format!("{more} more elements that {resource} does not have"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 7.4: diagnostics name the element; a name that could hold a patient's number is
    /// told by its length, and logs never repeat any.
    #[test]
    fn only_a_plain_name_of_an_element_is_repeated_and_only_to_the_caller() {
        for (name, element, told) in [
            ("plain", "invalidField", "invalidField; Device has no such element"),
            ("companion", "_model2", "_model2; Device has no such element"),
            (
                "an NHS number",
                "9000000009",
                "(a name of 10 characters); Device has no such element",
            ),
            ("in a word", "p9000000009", "(a name of 11 characters); Device has no such element"),
            ("markup", "<b>", "(a name of 3 characters); Device has no such element"),
            ("a letter beyond ASCII", "é", "(a name of 1 character); Device has no such element"),
            ("nothing", "", "(a name of 0 characters); Device has no such element"),
        ] {
            let fault = ElementFault::Undeclared(Within::Resource, CallersName::new(element));
            assert_eq!(fault.text("Device"), told, "{name}");
            let length = element.chars().count();
            let note = fault.note("Device");
            assert!(note.starts_with(&format!("(a name of {length} ")), "{name}: {note}");
            assert!(element.is_empty() || !format!("{fault:?}").contains(element), "{name}");
        }
        let long = "a".repeat(65);
        let fault = ElementFault::Undeclared(Within::Name(2), CallersName::new(&long));
        let told = "name[2].(a name of 65 characters); HumanName has no such element";
        assert_eq!(fault.text("Practitioner"), told);
    }
}

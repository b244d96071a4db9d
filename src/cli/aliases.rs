//! How people name interactions on the command line: a short name for each of the seventeen.

use std::ffi::OsStr;

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};
use gpconnect::interaction::InteractionId;

use super::output::nearest;

/// A name for an interaction.
pub(crate) struct Alias {
    pub(crate) name: &'static str,
    pub(crate) id: InteractionId,
    /// The options that matter for it.
    takes: &'static str,
}

const fn alias(name: &'static str, id: InteractionId, takes: &'static str) -> Alias {
    Alias { name, id, takes }
}

#[rustfmt::skip]
pub(crate) const ALIASES: &[Alias] = &[
    alias("metadata",            InteractionId::ReadMetadata,              ""),
    alias("find-patient",        InteractionId::SearchPatient,             "--nhs-number"),
    alias("read-patient",        InteractionId::ReadPatient,               "--id"),
    alias("find-practitioner",   InteractionId::SearchPractitioner,        "--id (an SDS user id)"),
    alias("read-practitioner",   InteractionId::ReadPractitioner,          "--id"),
    alias("find-organisation",   InteractionId::SearchOrganization,        "[--id] (an ODS code)"),
    alias("read-organisation",   InteractionId::ReadOrganization,          "--id"),
    alias("read-location",       InteractionId::ReadLocation,              "--id"),
    alias("register-patient",    InteractionId::RegisterPatient,           "--nhs-number, or --body"),
    alias("slots",               InteractionId::SearchSlot,                "[--start --end]"),
    alias("book",                InteractionId::BookAppointment,           "--slot ... (see below), or --body"),
    alias("read-appointment",    InteractionId::ReadAppointment,           "--id"),
    alias("appointments",        InteractionId::SearchPatientAppointments, "--id (of the patient)"),
    alias("amend",               InteractionId::AmendAppointment,          "--body [--description --comment]"),
    alias("cancel",              InteractionId::CancelAppointment,         "--body [--reason]"),
    alias("structured-record",   InteractionId::GetStructuredRecord,       "--nhs-number, or --body"),
    alias("structured-metadata", InteractionId::ReadStructuredMetadata,    ""),
];

/// The short name of an interaction; neighbours of 1.2.7 have none and go by their id.
pub(crate) fn name_of(id: InteractionId) -> &'static str {
    ALIASES.iter().find(|alias| alias.id == id).map_or_else(|| id.short(), |alias| alias.name)
}

/// The list for `--help`.
pub(crate) fn help() -> String {
    let row = |alias: &Alias| {
        let line = format!("  {:<20} {:<44} {}", alias.name, alias.id.short(), alias.takes);
        line.trim_end().to_owned()
    };
    let rows: Vec<_> = ALIASES.iter().map(row).collect();
    format!("Interactions (short name, id, options that matter):\n{}", rows.join("\n"))
}

/// Reads a short name, or an id with or without its common prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InteractionParser;

fn find(text: &str) -> Option<InteractionId> {
    let named = ALIASES.iter().find(|alias| alias.name == text).map(|alias| alias.id);
    named.or_else(|| InteractionId::from_name(text))
}

impl TypedValueParser for InteractionParser {
    type Value = InteractionId;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<InteractionId, Error> {
        let text = value.to_string_lossy();
        find(&text).ok_or_else(|| {
            let mut error = Error::new(ErrorKind::InvalidValue).with_cmd(command);
            let mut note = |kind, value| drop(error.insert(kind, value));
            note(ContextKind::InvalidArg, ContextValue::String("INTERACTION".into()));
            note(ContextKind::InvalidValue, ContextValue::String(text.clone().into_owned()));
            let strings = |names: Vec<&str>| {
                ContextValue::Strings(names.into_iter().map(String::from).collect())
            };
            let near = nearest(&text, ALIASES.iter().map(|alias| alias.name));
            note(ContextKind::ValidValue, strings(all()));
            if !near.is_empty() {
                note(ContextKind::SuggestedValue, strings(near));
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |alias: &Alias| PossibleValue::new(alias.name).help(alias.id.short());
        Some(Box::new(ALIASES.iter().map(value)))
    }
}

fn all() -> Vec<&'static str> {
    ALIASES.iter().map(|alias| alias.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_seventeen_has_one_name() {
        for id in InteractionId::all() {
            let names = ALIASES.iter().filter(|alias| alias.id == id).count();
            assert_eq!(names, usize::from(id.row().in_1_2_7), "{}", id.short());
        }
        let mut names = all();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 17);
    }

    #[test]
    fn an_interaction_goes_by_name_and_by_id() {
        for (name, text, expected) in [
            ("short name", "cancel", Some(InteractionId::CancelAppointment)),
            ("short id", "fhir:rest:search:slot-1", Some(InteractionId::SearchSlot)),
            (
                "whole id",
                "urn:nhs:names:services:gpconnect:fhir:rest:read:metadata-1",
                Some(InteractionId::ReadMetadata),
            ),
            ("a neighbour", "fhir:rest:read:metadata", Some(InteractionId::ReadHtmlMetadata)),
            ("another case", "Cancel", None),
            ("empty", "", None),
        ] {
            assert_eq!(find(text), expected, "{name}");
        }
    }

    #[test]
    fn a_wrong_name_is_told_with_the_near_ones() {
        let command = Command::new("request");
        let error = InteractionParser.parse_ref(&command, None, OsStr::new("find-patien"));
        let text = error.unwrap_err().to_string();
        assert!(text.contains("similar value exists: 'find-patient'"), "{text}");
    }

    #[test]
    fn the_help_lists_all() {
        let help = help();
        assert!(ALIASES.iter().all(|alias| help.contains(alias.name)));
    }
}

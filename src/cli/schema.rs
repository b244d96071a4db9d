//! `schema`: the JSON Schema of what operators write, and of what the journal holds.

use clap::{Args, ValueEnum};

use super::{
    Ended,
    output::{complain, print_json},
};
use crate::{admin::description, audit::record::SCHEMA, snapshot::schemas};

/// Print the JSON Schema of the configuration, for editors, or of a record of the audit journal, or
/// the description of the admin API.
///
/// Example: gpconnect-gateway schema directory > directory.schema.json
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Of which file.
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Of {
    /// The file that --config names.
    #[default]
    Gateway,
    /// The files that it names in turn: practices, consumers, agreements.
    Directory,
    /// A record of the audit journal.
    Audit,
    /// The admin API, in OpenAPI 3.1.
    Admin,
}

impl Of {
    const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Directory => "directory",
            Self::Audit => "audit",
            Self::Admin => "admin",
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match schema(arguments.of) {
        Some(schema) => print_json(&schema, Ended::Done),
        None => {
            complain("this build has no such schema; please report this");
            Ended::Unable
        }
    }
}

fn schema(of: Of) -> Option<serde_json::Value> {
    match of {
        Of::Audit => serde_json::from_str(SCHEMA).ok(),
        Of::Admin => Some(description()),
        Of::Gateway | Of::Directory => {
            schemas().into_iter().find(|(name, _)| *name == of.name()).map(|(_, schema)| schema)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_schema() {
        for (of, key) in
            [(Of::Gateway, "listener"), (Of::Directory, "provider"), (Of::Audit, "kind")]
        {
            let schema = schema(of).unwrap();
            assert!(schema["properties"][key].is_object(), "{}", of.name());
        }
        assert!(schema(Of::Admin).unwrap()["paths"]["/v1/status"].is_object());
    }
}

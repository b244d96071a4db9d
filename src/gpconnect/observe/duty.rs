//! Every duty of an answer, one row each.

/// Writes the closed list: the enum, and the table with one row a duty.
macro_rules! duties {
    ($($duty:ident $name:literal $section:literal $looks_at:literal $mend:literal)*) => {
        /// One thing that the specification asks of a provider's answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Duty {
            $(#[doc = concat!("`", $name, "`.")] $duty,)*
        }

        impl Duty {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$duty,)*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$duty => Row {
                        name: $name,
                        section: $section,
                        looks_at: $looks_at,
                        mend: $mend,
                    },)*
                }
            }
        }
    };
}

struct Row {
    name: &'static str,
    section: &'static str,
    looks_at: &'static str,
    mend: &'static str,
}

#[rustfmt::skip]
duties! {
    // duty     name                 section          looks at
    NoStore     "no_store"           "gp-connect 4.3" "whether an answer, also an error, says Cache-Control: no-store"
        "Send Cache-Control: no-store with every answer, errors too."
    Versioned   "etag_present"       "gp-connect 4.3" "whether a single resource that was read, made or changed comes with an ETag"
        "Send ETag: W/\"{versionId}\" with each single resource."
    WeakTag     "etag_weak"          "gp-connect 4.3" "whether an ETag is weak and in quotes"
        "Write the ETag as W/\"{versionId}\"."
    MediaType   "answer_media_type"  "gp-connect 6"   "whether a body is called application/fhir+json or application/fhir+xml"
        "Send Content-Type: application/fhir+json;charset=utf-8, or the same with xml."
    Charset     "answer_charset"     "gp-connect 4.3" "whether the Content-Type of FHIR names charset=utf-8"
        "Add ;charset=utf-8 to the Content-Type."
    Format      "answer_format"      "gp-connect 6"   "whether a body is in the format that was asked for, JSON where none was"
        "Heed _format, then Accept, then the request's Content-Type; else answer in JSON."
    ToldAsFhir  "answer_is_fhir"     "errors A"       "whether an error is an OperationOutcome"
        "Answer every 4xx and 5xx with an OperationOutcome, also where a balancer answers."
    SpineCode   "spine_code"         "errors E"       "whether an OperationOutcome names a Spine code, and one that exists"
        "Name a code of Spine-ErrorOrWarningCode-1 in issue.details.coding."
    Is415       "status_415"         "gp-connect 6"   "whether a format that is not supported is answered 415, not 406"
        "Answer 415 where 406 would be usual."
    Is409       "status_409"         "gp-connect 5"   "whether an If-Match of another version is answered 409, not 412"
        "Answer 409 where 412 would be usual."
    InTime      "time_limit"         "gp-connect 14"  "whether a command is answered in less than 250 ms, a query in less than 3 s"
        "Answer commands in less than 250 ms and queries in less than 3 s: this is a SHALL."
    Swift       "time_goal"          "gp-connect 14"  "whether a command is answered in less than 100 ms, a query in less than 1 s"
        "Answer commands in less than 100 ms and queries in less than 1 s: this is a SHOULD."
}

impl Duty {
    /// Its stable name, for metrics, the admin API and documentation.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The section of the specification that it stands in.
    pub const fn section(self) -> &'static str {
        self.row().section
    }

    /// What is looked at, in plain words: the rest of a sentence.
    pub const fn looks_at(self) -> &'static str {
        self.row().looks_at
    }

    /// What a supplier does about it.
    pub const fn mend(self) -> &'static str {
        self.row().mend
    }
}

//! What is seen of others beside their requests and answers: which rules of the specification they
//! break. Nothing here decides anything, and nothing is changed or delayed by it.
//!
//! An answer's head is judged by [`head`] as it passes, for the price of a few look-ups; the body of
//! an error, of which a bounded copy was made, by [`Observed::with_error`] when it has passed. The
//! rules that requests break are those of the decision: see [`Rule`].

mod duty;
mod outcome;
mod rule;

use std::time::Duration;

pub use duty::Duty;
pub use rule::{Rule, Side};

use self::outcome::Told;
use crate::{
    interaction::{Capability, InteractionId},
    media::Format,
};

/// What was judged of one answer, and what of it was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    judged: u16,
    broken: u16,
}

const _: () = assert!(Duty::ALL.len() <= 16, "a bit for each duty");

impl Observed {
    fn judge(&mut self, duty: Duty, is_kept: bool) {
        let bit = 1 << duty as u16;
        self.judged |= bit;
        self.broken = if is_kept { self.broken & !bit } else { self.broken | bit };
    }

    /// Whether nothing was judged.
    pub const fn is_empty(&self) -> bool {
        self.judged == 0
    }

    /// The duties that the answer was held against.
    pub fn judged(self) -> impl Iterator<Item = Duty> {
        among(self.judged)
    }

    /// Those that it did not keep.
    pub fn broken(self) -> impl Iterator<Item = Duty> {
        among(self.broken)
    }

    /// With what the whole body of an error says. None for one that a proxy on the way has made: it
    /// tells nothing of the practice.
    #[must_use]
    pub fn with_error(mut self, body: &[u8], format: Format) -> Option<Self> {
        match outcome::read(body, format) {
            Told::Otherwise => self.judge(Duty::ToldAsFhir, false),
            Told::ByProxy => return None,
            Told::ByCode(is_known) => {
                self.judge(Duty::ToldAsFhir, true);
                self.judge(Duty::SpineCode, is_known);
            }
        }
        Some(self)
    }
}

fn among(bits: u16) -> impl Iterator<Item = Duty> {
    Duty::ALL.iter().copied().filter(move |duty| bits & (1 << *duty as u16) != 0)
}

/// The head of a provider's answer.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// Its status.
    pub status: u16,
    /// Whether `Cache-Control` says `no-store`.
    pub no_store: bool,
    /// `ETag`.
    pub tag: Option<&'h [u8]>,
    /// `Content-Type`.
    pub content_type: Option<&'h str>,
    /// Whether it says that no body follows.
    pub is_bare: bool,
    /// How long it took to come.
    pub took: Duration,
}

impl Head<'_> {
    /// The format of the body, where the head names one that FHIR has.
    pub fn format(&self) -> Option<Format> {
        self.content_type.and_then(Format::of_media_type)
    }

    /// Whether an answer is no error, or an error that says it is FHIR. Who promises FHIR and answers
    /// with an error page, or with nothing, leaves a program without a reason.
    pub fn is_told_as_fhir(&self) -> bool {
        !self.is_error() || (!self.is_bare && self.format().is_some())
    }

    const fn is_error(&self) -> bool {
        self.status >= 400
    }
}

/// Judges the head of an answer to `id`. `admits` says whether the request lets the answer be in a
/// format.
pub fn head(head: &Head<'_>, id: InteractionId, admits: impl FnOnce(Format) -> bool) -> Observed {
    let mut seen = Observed::default();
    let limits = id.row().kind.limits();
    seen.judge(Duty::NoStore, head.no_store);
    seen.judge(Duty::InTime, head.took < limits.most);
    seen.judge(Duty::Swift, head.took < limits.goal);
    let has_body = !head.is_bare && !matches!(head.status, 204 | 304);
    if has_body && matches!(head.status, 200 | 201) && is_single_resource(id) {
        seen.judge(Duty::Versioned, head.tag.is_some());
    }
    if let Some(tag) = head.tag {
        seen.judge(Duty::WeakTag, is_weak(tag));
    }
    if has_body && is_fhir(id) {
        body(head, &mut seen, admits);
    }
    if head.is_error() {
        seen.judge(Duty::ToldAsFhir, head.is_told_as_fhir());
    }
    match head.status {
        406 | 415 => seen.judge(Duty::Is415, head.status == 415),
        409 | 412 => seen.judge(Duty::Is409, head.status == 409),
        _ => {}
    }
    seen
}

/// What the head says of the body.
fn body(head: &Head<'_>, seen: &mut Observed, admits: impl FnOnce(Format) -> bool) {
    let content_type = head.content_type.unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let named = [Format::Json, Format::Xml].map(Format::media_type);
    seen.judge(Duty::MediaType, named.iter().any(|known| essence.eq_ignore_ascii_case(known)));
    if let Some(format) = head.format() {
        seen.judge(Duty::Charset, parts.any(is_utf_8));
        seen.judge(Duty::Format, admits(format));
    }
}

fn is_utf_8(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
    })
}

/// `W/"..."`, with nothing in the quotes that ends them.
fn is_weak(tag: &[u8]) -> bool {
    let inner = tag.strip_prefix(b"W/\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.is_some_and(|inner| !inner.contains(&b'"'))
}

/// Whether it is answered by one resource that has versions: a statement and a bundle have none.
const fn is_single_resource(id: InteractionId) -> bool {
    use InteractionId::{
        AmendAppointment, BookAppointment, CancelAppointment, ReadAppointment,
        ReadHealthcareService, ReadLocation, ReadOrganization, ReadPatient, ReadPractitioner,
    };
    matches!(
        id,
        ReadPatient
            | ReadPractitioner
            | ReadOrganization
            | ReadLocation
            | ReadHealthcareService
            | ReadAppointment
            | BookAppointment
            | AmendAppointment
            | CancelAppointment
    )
}

/// Whether it is answered in FHIR as STU3 writes it: documents may come as they are, and version 0.x
/// has media types of its own.
fn is_fhir(id: InteractionId) -> bool {
    let is_document = matches!(id, InteractionId::ReadBinary | InteractionId::MigrateBinary);
    !is_document && id.row().capability != Capability::Html
}

#[cfg(test)]
mod tests;

//! Whether the claims are complete, in time, and agree with sender, practice and interaction.

mod resources;
mod times;

use super::{
    AudienceMatch, Claims,
    access::IssuerIndex,
    fault::{ClaimFault, Found, ScopeFault, ScopeFound, TokenFault},
    given::{Given, Text},
};
use crate::{
    contract::Claim,
    facts::UnixSeconds,
    interaction::{InteractionId, Scope, TABLE, TokenRules},
    names::{ServiceRoot, TokenId},
    policy::Consumer,
    rejection::Reason,
};

/// What a token is held against. What depends on something that is not known is not checked.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'p> {
    /// When the request arrived.
    pub now: UnixSeconds,
    /// What it asks for.
    pub interaction: Option<InteractionId>,
    /// Who sends it.
    pub sender: Option<&'p Consumer>,
    /// The registered service root that it goes to.
    pub service_root: Option<&'p ServiceRoot>,
}

impl Terms<'_> {
    /// What the interaction's version of the specification wants; while that is not known, 1.2.7's.
    const fn rules(&self) -> &'static TokenRules {
        match self.interaction {
            Some(id) => &id.row().token,
            None => &InteractionId::ReadPatient.row().token,
        }
    }
}

/// What was noticed about a token that operators want to know of, refused or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// How far the sender's clock is ahead in seconds, by `iat`: less than nothing by the age of the
    /// token. At most a day: `iat` may hold any number, a patient's among others.
    pub skew: Option<i64>,
    /// How closely `aud` points to the practice.
    pub audience: Option<AudienceMatch>,
    /// Whether the organisation is another than the sender's, also where that is let pass (D5).
    pub is_of_another_organisation: bool,
    /// Whose access token it is; none of a GP Connect token.
    pub issuer: Option<IssuerIndex>,
    /// The id that the issuer gave it, when its signature is right.
    pub token_id: Option<TokenId>,
}

/// From here on, in seconds, operators are warned of a clock that is ahead (gp-connect 7.3).
const FAST: i64 = 5;

impl Observed {
    /// Whether the sender's clock is so far ahead that somebody should set it.
    pub const fn is_of_a_fast_clock(&self) -> bool {
        matches!(self.skew, Some(skew) if skew > FAST)
    }
}

/// Checks every claim and adds a fault for each that is wrong.
pub fn check(claims: &Claims<'_>, terms: &Terms<'_>, faults: &mut Vec<Reason>) -> Observed {
    let faults = &mut Faults(faults);
    let tolerant = terms.sender.is_some_and(|sender| sender.token.without_final_dot);
    if !claims.ends_in_dot && !tolerant {
        faults.0.push(Reason::TokenMalformed(TokenFault::NoFinalDot));
    }
    faults.text(Claim::Iss, &claims.iss);
    faults.text(Claim::Sub, &claims.sub);
    let audience = audience(&claims.aud, terms, faults);
    let skew = times::check(&claims.iat, &claims.exp, terms.now, faults);
    reason_for_request(&claims.reason_for_request, terms, faults);
    requested_scope(&claims.requested_scope, terms, faults);
    resources::device(claims, terms.rules(), faults);
    let is_of_another_organisation = resources::organization(claims, terms, faults);
    resources::practitioner(claims, terms.rules(), faults);
    resources::record(claims, terms.rules(), faults);
    Observed { skew, audience, is_of_another_organisation, ..Observed::default() }
}

/// Where the checks put what they find.
struct Faults<'f>(&'f mut Vec<Reason>);

impl Faults<'_> {
    /// The value of a claim; one that has none is a fault.
    fn value<'c, T>(&mut self, claim: Claim, given: &'c Given<T>) -> Option<&'c T> {
        match given {
            Given::Value(value) => return Some(value),
            Given::Missing => self.0.push(Reason::ClaimMissing { claim, found: Found::Missing }),
            Given::Null => self.0.push(Reason::ClaimMissing { claim, found: Found::Null }),
            Given::Other(found) => self.0.push(Reason::ClaimUnreadable { claim, found: *found }),
        }
        None
    }

    /// The text of a claim; one that has none, or nothing but blanks, is a fault.
    fn text<'c>(&mut self, claim: Claim, given: &'c Given<Text<'_>>) -> Option<&'c str> {
        let text = self.value(claim, given)?;
        if text.is_blank() {
            self.holds(claim, "", Found::Empty, claim.expected());
            return None;
        }
        Some(text.expose())
    }

    fn holds(&mut self, claim: Claim, element: &'static str, found: Found, expected: &'static str) {
        self.invalid(claim, ClaimFault::Holds { element, found, expected });
    }

    fn invalid(&mut self, claim: Claim, fault: ClaimFault) {
        self.0.push(Reason::ClaimInvalid { claim, fault });
    }
}

fn audience(
    given: &Given<Text<'_>>,
    terms: &Terms<'_>,
    faults: &mut Faults<'_>,
) -> Option<AudienceMatch> {
    let text = faults.text(Claim::Aud, given)?;
    let root = terms.service_root?;
    let found = AudienceMatch::of(text, root, terms.rules().audience);
    let policy = terms.sender.map(|sender| sender.token.audience).unwrap_or_default();
    if !policy.accepts(found) {
        let found = Found::text(text);
        let practice = root.ods_code();
        faults.invalid(Claim::Aud, ClaimFault::PointsElsewhere { found, policy, practice });
    }
    Some(found)
}

fn reason_for_request(given: &Given<Text<'_>>, terms: &Terms<'_>, faults: &mut Faults<'_>) {
    const CLAIM: Claim = Claim::ReasonForRequest;
    let Some(text) = faults.text(CLAIM, given) else { return };
    let reasons = terms.rules().reasons;
    let is_known = match terms.interaction {
        Some(_) => reasons.contains(&text),
        None => TABLE.iter().any(|row| row.token.reasons.contains(&text)),
    };
    if !is_known {
        let expected = reasons.first().copied().unwrap_or_default();
        faults.holds(CLAIM, "", Found::text(text), expected);
    }
}

/// Scopes that the specification knows; the last one fits no interaction.
const SCOPES: [&str; 4] =
    ["patient/*.read", "patient/*.write", "organization/*.read", "organization/*.write"];

fn requested_scope(given: &Given<Text<'_>>, terms: &Terms<'_>, faults: &mut Faults<'_>) {
    let Some(text) = faults.text(Claim::RequestedScope, given) else { return };
    // 1.6 lets the confidentiality stand behind a blank.
    let (scope, behind) = text.split_once(' ').map_or((text, None), |(it, rest)| (it, Some(rest)));
    let confidentiality = terms.rules().confidentiality;
    let wanted = terms.interaction.map(|id| id.row().scope);
    let is_wanted = match wanted {
        Some(wanted) => wanted.as_str() == scope,
        None => Scope::ALL.iter().any(|known| known.as_str() == scope),
    };
    let fits = wanted.is_none()
        || match behind {
            None => confidentiality.contains(&""),
            Some(behind) => !behind.is_empty() && confidentiality.contains(&behind),
        };
    let found = match SCOPES.iter().find(|known| **known == text) {
        _ if is_wanted && fits => return,
        _ if is_wanted => ScopeFound::Behind { anything: behind.is_some() },
        Some(known) => ScopeFound::Known(known),
        None => ScopeFound::Unknown(Found::text(text)),
    };
    faults.0.push(Reason::ScopeMismatch(ScopeFault { found, wanted, confidentiality }));
}

#[cfg(test)]
mod tests;

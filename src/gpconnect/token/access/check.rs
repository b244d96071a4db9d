//! Whether an access token is for this gateway and this caller, in time, and says who the user is.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{
    AccessClaimFault, AccessToken, BindingFault, ClaimMapping, ClaimPath, Confirmation, Issuer,
    User,
    claim::{MAX_AHEAD, MOST_CHARACTERS, found},
};
use crate::{
    facts::UnixSeconds,
    names::TokenId,
    policy::{Consumer, Policy},
    rejection::Reason,
    token::{
        Observed, Payload,
        fault::{Found, Part, Seconds, TokenFault},
        json::{Object, Reader, read as read_json},
    },
};

/// What an access token is held against.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'p> {
    /// When the request arrived.
    pub now: UnixSeconds,
    /// The SHA-256 of the certificate that the caller came with.
    pub certificate: Option<&'p [u8; 32]>,
    /// Who sends it; while that is not known, what depends on it is not checked.
    pub sender: Option<&'p Consumer>,
    /// Where the issuers are.
    pub policy: &'p Policy,
}

/// What came of the checks.
#[derive(Debug, Default)]
pub struct Checked {
    /// Who the user is, as far as the claims say it, whatever is wrong with others.
    pub user: Option<User>,
    /// Whether nothing is wrong.
    pub is_right: bool,
    /// What operators want to know of it.
    pub observed: Observed,
}

/// Checks every claim and adds a fault for each that is wrong.
pub fn check(token: &AccessToken, terms: &Terms<'_>, faults: &mut Vec<Reason>) -> Checked {
    let mut observed = Observed { issuer: Some(token.issuer), ..Observed::default() };
    let before = faults.len();
    let issuer = terms.policy.issuer(token.issuer);
    // An index of another policy.
    let issuer = issuer.ok_or_else(|| Reason::GatewayFault { reference: "issuer".into() });
    let read = issuer.and_then(|issuer| Ok((issuer, read(&token.claims)?)));
    let (issuer, claims) = match read {
        Ok(read) => read,
        Err(reason) => {
            faults.push(reason);
            return Checked { observed, ..Checked::default() };
        }
    };
    let jti = claims.get("jti").and_then(Value::as_str);
    observed.token_id = jti.and_then(|text| text.parse::<TokenId>().ok());
    let faults = &mut Faults(faults);
    let of_sender = terms.sender.and_then(|sender| sender.access.as_ref());
    let is_of_others = of_sender.is_some_and(|access| !access.issuers.contains(&token.issuer));
    if is_of_others || claims.get("iss").and_then(Value::as_str) != Some(&issuer.issuer) {
        faults.claim("iss", AccessClaimFault::IssuerOfOthers);
    }
    audience(claims.get("aud"), issuer, faults);
    times(&claims, issuer, terms.now, faults);
    confirmation(claims.get("cnf"), issuer, terms.certificate, faults);
    let user = user(&claims, &issuer.mapping, faults);
    observed.is_of_another_organisation = organisation(&claims, issuer, terms.sender, faults);
    Checked { is_right: user.is_some() && faults.0.len() == before, user, observed }
}

/// The claims, held to the limits of every token: an object in which no name stands twice.
fn read(payload: &Payload) -> Result<Value, Reason> {
    let Object = read_json(payload.bytes(), &mut Reader::new(Part::Claims))
        .map_err(Reason::TokenMalformed)?;
    // From a text, as all tokens: a second kind of reader would make each of them slower.
    let value =
        str::from_utf8(payload.bytes()).ok().and_then(|text| serde_json::from_str(text).ok());
    value.ok_or(Reason::TokenMalformed(TokenFault::NotJson(Part::Claims, 1)))
}

/// Where the checks put what they find.
struct Faults<'f>(&'f mut Vec<Reason>);

impl Faults<'_> {
    fn claim(&mut self, claim: &str, fault: AccessClaimFault) {
        self.0.push(Reason::AccessClaim { claim: claim.into(), fault });
    }

    fn holds(&mut self, claim: &str, found: Found, expected: &'static str) {
        self.claim(claim, AccessClaimFault::Holds { found, expected });
    }

    /// A claim that has to be a text.
    fn text(&mut self, path: &ClaimPath, claims: &Value) -> Option<String> {
        let value = path.find(claims);
        let text = value.and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        match text {
            None => self.holds(path.as_str(), found(value), "a text"),
            Some(text) if text.chars().count() > MOST_CHARACTERS => {
                self.holds(path.as_str(), Found::text(text), "at most 256 characters");
            }
            Some(text) => return Some(text.to_owned()),
        }
        None
    }

    /// A claim that may be missing, and else has to be a text.
    fn perhaps(&mut self, path: Option<&ClaimPath>, claims: &Value) -> Option<String> {
        let path = path.filter(|path| path.find(claims).is_some_and(|value| !value.is_null()))?;
        self.text(path, claims)
    }

    /// A claim that is a moment: a whole number of seconds since 1970 UTC.
    fn moment(&mut self, claim: &'static str, claims: &Value) -> Option<i64> {
        let value = claims.get(claim);
        let moment = value.and_then(Value::as_i64);
        if moment.is_none() {
            self.holds(claim, found(value), "a whole number of seconds since 1970");
        }
        moment
    }
}

/// RFC 7519, 4.1.3: one text, or a list of them, of which one has to be ours.
fn audience(value: Option<&Value>, issuer: &Issuer, faults: &mut Faults<'_>) {
    let is_ours = |text: &str| issuer.audiences.iter().any(|ours| ours == text);
    let texts: Option<Vec<_>> = match value {
        Some(Value::String(text)) => Some(vec![text.as_str()]),
        Some(Value::Array(texts)) => texts.iter().map(Value::as_str).collect(),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => None,
    };
    match texts.filter(|texts| !texts.is_empty()) {
        Some(texts) if texts.iter().any(|text| is_ours(text)) => {}
        Some(_) => faults.claim("aud", AccessClaimFault::Elsewhere),
        None => faults.holds("aud", found(value), "a text or a list of texts"),
    }
}

/// Expiry without grace, as for GP Connect tokens; no longer life than the issuer is let; and
/// nothing from a future that two clocks don't explain.
fn times(claims: &Value, issuer: &Issuer, now: UnixSeconds, faults: &mut Faults<'_>) {
    let iat = faults.moment("iat", claims);
    let exp = faults.moment("exp", claims);
    let not_before = claims.get("nbf").filter(|value| !value.is_null());
    let nbf = not_before.and_then(|_| faults.moment("nbf", claims));
    for (claim, moment) in [("iat", iat), ("nbf", nbf)] {
        let ahead = moment.map_or(0, |moment| moment.saturating_sub(now.0));
        if ahead > MAX_AHEAD {
            faults.claim(claim, AccessClaimFault::Ahead(Seconds(ahead)));
        }
    }
    let Some(exp) = exp else { return };
    let lifetime = iat.map(|iat| exp.saturating_sub(iat));
    if let Some(found) = lifetime.filter(|lifetime| !(1..=issuer.longest).contains(lifetime)) {
        let fault = AccessClaimFault::Lifetime { found: Seconds(found), most: issuer.longest };
        faults.claim("exp", fault);
    }
    if now.0 >= exp {
        faults.0.push(Reason::TokenExpired { since: Seconds(now.0.saturating_sub(exp)) });
    }
}

/// RFC 8705, 3.1: the token was given to the holder of this certificate. A `cnf` that binds it to
/// something else is never passed over.
fn confirmation(
    cnf: Option<&Value>,
    issuer: &Issuer,
    certificate: Option<&[u8; 32]>,
    faults: &mut Faults<'_>,
) {
    let cnf = cnf.filter(|value| !value.is_null());
    if cnf.is_none() && issuer.confirmation == Confirmation::WhenPresent {
        return;
    }
    let hash = cnf.and_then(|cnf| cnf.get("x5t#S256"));
    let text = hash.and_then(Value::as_str);
    let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text).ok());
    let fault = match (bytes.filter(|bytes| bytes.len() == 32), certificate) {
        (None, _) => BindingFault::Holds(found(hash)),
        (Some(_), None) => BindingFault::NoCertificate,
        (Some(bytes), Some(certificate)) if bytes == certificate => return,
        (Some(_), Some(_)) => BindingFault::OtherCertificate,
    };
    faults.0.push(Reason::AccessTokenUnbound(fault));
}

fn user(claims: &Value, mapping: &ClaimMapping, faults: &mut Faults<'_>) -> Option<User> {
    let id = faults.text(&mapping.user_id, claims);
    let family = faults.text(&mapping.family_name, claims);
    let given = faults.text(&mapping.given_name, claims);
    let mut perhaps = |path: &Option<ClaimPath>| faults.perhaps(path.as_ref(), claims);
    Some(User {
        prefix: perhaps(&mapping.prefix),
        sds_user_id: perhaps(&mapping.sds_user_id),
        role: perhaps(&mapping.role),
        device: perhaps(&mapping.device),
        id: id?,
        family: family?,
        given: given?,
    })
}

/// The organisation is the sender's (D5). Tells whether it is another's.
fn organisation(
    claims: &Value,
    issuer: &Issuer,
    sender: Option<&Consumer>,
    faults: &mut Faults<'_>,
) -> bool {
    let code = faults.text(&issuer.mapping.organisation, claims);
    let expected = sender.map(|sender| sender.organisation);
    let other = expected.filter(|ours| code.is_some_and(|code| code != ours.as_str()));
    if let Some(expected) = other {
        faults.0.push(Reason::OrganisationMismatch { expected });
    }
    other.is_some()
}

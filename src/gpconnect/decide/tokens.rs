//! Stage 7 within an examination: which kind of token is due, and what it says.

use super::examine::Faults;
use crate::{
    accreditation::Parties,
    facts::RequestFacts,
    interaction::InteractionId,
    policy::{Consumer, Policy},
    rejection::Reason,
    token::{
        self, Observed, Payload, Said, Terms,
        access::{self, AccessFault, User},
    },
};

/// What a token said.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What operators want to know of it.
    pub(super) observed: Observed,
    /// The claims of a GP Connect token, when they could be taken out of it.
    pub(super) payload: Option<Payload>,
    /// What those say, when they could be read.
    pub(super) said: Option<Said>,
    /// The user of an access token.
    pub(super) user: Option<User>,
    /// Whether nothing is wrong with that.
    pub(super) is_right: bool,
}

/// Reads the token and holds it against what is known of the request.
pub(super) fn check(
    request: &RequestFacts<'_>,
    interaction: Option<InteractionId>,
    sender: Option<&Consumer>,
    parties: Option<&Parties<'_>>,
    policy: &Policy,
    faults: &mut Faults,
) -> Told {
    if is_access_token_due(request, sender) {
        return check_access_token(request, sender, policy, faults);
    }
    let authorization = request.fields.authorization;
    let Some(payload) = token::open(authorization, request.token_limit, &mut faults.0) else {
        return Told::default();
    };
    let service_root = parties.map(|parties| &parties.endpoint.service_root);
    let terms = Terms { now: request.now, interaction, sender, service_root };
    let (observed, said) = match faults.note(token::read(&payload)) {
        Some(claims) => (token::check(&claims, &terms, &mut faults.0), Some(Said::of(&claims))),
        None => (Observed::default(), None),
    };
    Told { observed, payload: Some(payload), said, ..Told::default() }
}

/// The sender's registration says it. While the sender is not known, the token does, as far as any
/// of the caller's systems sends such: the request is refused in either case.
const fn is_access_token_due(request: &RequestFacts<'_>, sender: Option<&Consumer>) -> bool {
    match (sender, request.access) {
        (Some(sender), _) => sender.access.is_some(),
        (None, Some(Ok(_))) => true,
        (None, Some(Err(fault))) => !matches!(fault, AccessFault::Unsigned),
        (None, None) => false,
    }
}

fn check_access_token(
    request: &RequestFacts<'_>,
    sender: Option<&Consumer>,
    policy: &Policy,
    faults: &mut Faults,
) -> Told {
    let bearer = token::bearer(request.fields.authorization, request.token_limit);
    if faults.note(bearer).is_none() {
        return Told::default();
    }
    match request.access {
        Some(Ok(token)) => {
            let terms = access::Terms {
                now: request.now,
                certificate: request.certificate,
                sender,
                policy,
            };
            let access::Checked { user, is_right, observed } =
                access::check(token, &terms, &mut faults.0);
            Told { observed, user, is_right, ..Told::default() }
        }
        Some(Err(fault)) => {
            faults.0.push(Reason::from(*fault));
            let observed = Observed { issuer: fault.issuer(), ..Observed::default() };
            Told { observed, ..Told::default() }
        }
        // Never without a check of the signature, whoever forgot it.
        None => {
            faults.0.push(Reason::GatewayFault { reference: "unverified".into() });
            Told::default()
        }
    }
}

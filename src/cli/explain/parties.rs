//! What the checks of stages 5, 6 and 8 looked at: the two systems and what was agreed and switched on.

use gpconnect::{contract::Check, interaction::Switch};

use super::{
    case::Case,
    looks::{Look, RAN, saw},
};
use crate::cli::output::counted;

pub(super) fn accreditation(check: Check, case: &Case<'_, '_, '_>) -> Look {
    const ORDER: [Check; 6] = [
        Check::SenderIsCaller,
        Check::SenderAccredited,
        Check::PracticeKnown,
        Check::ReceiverAccredited,
        Check::ReceiverNamed,
        Check::ServiceRoot,
    ];
    let examination = case.examination;
    let (Some(target), Some(found)) = (&examination.target, &examination.identified) else {
        let lacks = if examination.target.is_none() { "a target" } else { "an interaction" };
        return Look::Lacks(lacks);
    };
    // They run one after the other, up to the first fault.
    if case.first_failed(&ORDER).is_some_and(|failed| failed < check) && !case.fails(check) {
        return Look::Lacks("what the fault above leaves open");
    }
    let policy = &case.place.snapshot.policy;
    let practice = policy.find_practice(target.practice).map(|(_, practice)| practice);
    let endpoint = practice.and_then(|one| one.endpoints.of(found.id.row().capability));
    parties(check, case, practice, endpoint)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the stage has no others")]
fn parties(
    check: Check,
    case: &Case<'_, '_, '_>,
    practice: Option<&gpconnect::policy::Practice>,
    endpoint: Option<&gpconnect::policy::Endpoint>,
) -> Look {
    let headers = &case.examination.headers;
    let asid = endpoint.map(|endpoint| endpoint.asid.to_string()).unwrap_or_default();
    match check {
        Check::SenderIsCaller => {
            let callers: Vec<_> =
                case.place.systems().map(|system| system.asid.to_string()).collect();
            let from = headers.from.value().map_or("left out".to_owned(), |from| from.to_string());
            let callers = if callers.is_empty() {
                String::from("no registered system")
            } else {
                callers.join(" or ")
            };
            saw(format!("Ssp-From {from}; the caller is {callers}"))
        }
        Check::SenderAccredited => match case.examination.sender {
            Some((_, sender)) => saw(format!(
                "{} of {} may send {}",
                sender.asid,
                sender.organisation,
                counted(sender.interactions.iter().count(), "interaction")
            )),
            None => RAN,
        },
        Check::PracticeKnown => match practice {
            Some(practice) => saw(format!("{} {}", practice.ods_code, practice.name)),
            None => RAN,
        },
        Check::ReceiverAccredited => match endpoint {
            Some(endpoint) => saw(format!(
                "{asid} receives {}",
                counted(endpoint.interactions.iter().count(), "interaction")
            )),
            None => saw("the practice has no system for this capability"),
        },
        Check::ReceiverNamed => match headers.to.value() {
            Some(to) => saw(format!("Ssp-To {to}; the directory has {asid}")),
            None => saw(format!("left out; the directory has {asid}")),
        },
        _ => match endpoint {
            Some(endpoint) => saw(format!("registered is {}", endpoint.service_root)),
            None => RAN,
        },
    }
}

const NEEDS_PARTIES: Look = Look::Lacks("both systems, see stage 5");

pub(super) fn agreement(case: &Case<'_, '_, '_>) -> Look {
    match &case.examination.parties {
        Some(parties) => saw(format!(
            "{} asks {} for {}",
            parties.consumer.organisation,
            parties.endpoint.service_root.ods_code(),
            parties.capability.title()
        )),
        None => NEEDS_PARTIES,
    }
}

pub(super) fn enablement(check: Check, case: &Case<'_, '_, '_>) -> Look {
    if check == Check::GatewaySwitch {
        return Look::Live;
    }
    let examination = case.examination;
    let Some((parties, found)) = examination.parties.as_ref().zip(examination.identified) else {
        return NEEDS_PARTIES;
    };
    let switch = found.id.row().switch;
    if switch == Switch::Never {
        return Look::NotNeeded("the interaction passes whatever the switches say");
    }
    let practice = case.place.snapshot.policy.practice(parties.practice);
    let switches = practice.map(|practice| practice.enablement).unwrap_or_default();
    let word = |on: bool| if on { "on" } else { "off" };
    let capability = parties.capability;
    if check == Check::GpConnectSwitch {
        return saw(format!("GP Connect is {}", word(switches.gp_connect)));
    }
    if switch == Switch::Whole {
        return Look::NotNeeded("the interaction follows GP Connect as a whole");
    }
    if case.fails(Check::GpConnectSwitch) {
        return Look::Lacks("GP Connect to be on");
    }
    let on = switches.capabilities.contains(capability);
    saw(format!("{} is {}", capability.title(), word(on)))
}

//! Takes a request through the gateway's own steps and notes all that there is to say.

use bytes::Bytes;
use gpconnect::{
    RequestFacts,
    contract::{Check, Stage},
    decide::{self, Examination, HeldBody, examine, examine_body},
    facts::UnixSeconds,
    names::TraceId,
    policy::Consumer,
    rejection::Reason,
};

use super::{
    access, answer, case,
    case::{Case, Head, Place},
    claims, forward,
    head::{as_meant, of_arrived},
    hints::Hints,
    looks::{Look, look},
    place,
    report::{Asked, Caller, CheckFound, Explained, Fault, StageFound, System, Verdict},
    source::Source,
};
use crate::{
    cli::moment,
    proxy::rehearsal::{Arrived, arrive, made_out},
};

/// Explains one request.
///
/// # Errors
/// When there is no head to look at.
pub(super) async fn explain(source: &Source, place: &Place<'_>) -> Result<Explained, String> {
    let arrived = arrive(&source.message, place.snapshot, place.listener).await;
    let arrived = arrived.ok_or_else(|| {
        format!("{}: the head has no end; expected an empty line behind the headers", source.name)
    })?;
    let objection = place.caller.objection();
    let objection = objection.as_ref();
    Ok(match arrived {
        Ok(mut arrived) => {
            let body = arrived.body(place.snapshot).await;
            let head = of_arrived(&arrived, &source.message);
            let arrived = Some((&arrived, &body));
            Judge { source, place, head, objection, front: None, arrived }.explain()
        }
        Err(reason) => {
            let head = as_meant(&source.message);
            let front = Some(&reason);
            Judge { source, place, head, objection, front, arrived: None }.explain()
        }
    })
}

struct Judge<'a, 'm, 's> {
    source: &'a Source,
    place: &'a Place<'s>,
    head: Head<'m>,
    /// What stands against the caller, whatever its request is.
    objection: Option<&'a Reason>,
    /// What the front refused its head with.
    front: Option<&'a Reason>,
    /// What stage 1 let in, and stage 9 of it.
    arrived: Option<(&'a Arrived, &'a Result<Bytes, Reason>)>,
}

impl Judge<'_, '_, '_> {
    fn explain(self) -> Explained {
        let place = self.place;
        let policy = &place.snapshot.policy;
        let limit = place.snapshot.limits.token_bytes;
        let unproved = access::unproved(&self.head.fields, limit, place);
        let request = RequestFacts {
            method: self.head.method,
            target: self.head.target,
            fields: &self.head.fields,
            candidates: &place.caller.candidates,
            certificate: unproved.as_ref().and_then(|it| it.certificate.as_ref()),
            access: unproved.as_ref().map(|it| &it.token),
            now: UnixSeconds(place.now),
            random: place.random,
            token_limit: limit,
        };
        let examination = examine(&request, policy);
        let (patients, of_body) = self.of_body(&examination);
        let mut faults = self.faults(&examination, &of_body);
        let stages = self.stages(&examination, patients, &faults);
        let mut decision = examination.into_decision();
        if self.ends_at_front().is_some() {
            let (sent, format) = made_out(&self.source.message);
            decision.seen.trace_id = sent.unwrap_or(TraceId::from_random(place.random));
            decision.seen.format = format;
        }
        let body_fault = of_body.iter().find(|fault| fault.enforced).map(|fault| &fault.reason);
        let refused = match (self.ends_at_front(), &decision.outcome, body_fault) {
            (Some(reason), _, _) => Some(reason.clone().into()),
            (None, Err(rejection), _) => Some((**rejection).clone()),
            (None, Ok(_), Some(reason)) => Some(reason.clone().into()),
            (None, Ok(_), None) => None,
        };
        let answered = refused.as_ref().filter(|_| !place.caller.fails_handshake());
        if let Some(rejection) = answered {
            for (reason, fault) in &mut faults {
                fault.told = *reason == rejection.reason || rejection.also.contains(reason);
            }
        }
        let permit = decision.outcome.as_ref().ok().filter(|_| refused.is_none());
        Explained {
            would_pass: refused.is_none(),
            request: self.asked(),
            caller: self.caller(),
            at: moment::utc(place.now).unwrap_or_else(|| place.now.to_string()),
            config: place.config.clone(),
            stages,
            fails_handshake: place.caller.fails_handshake(),
            answer: refused
                .filter(|_| !place.caller.fails_handshake())
                .map(|rejection| answer::answer(rejection, &faults, &decision.seen, place)),
            faults: faults.into_iter().map(|(_, fault)| fault).collect(),
            forward: permit.zip(self.arrived).and_then(|(permit, (arrived, body))| {
                let length = body.as_ref().map_or(0, Bytes::len);
                forward::forward(permit, arrived, length, place)
            }),
        }
    }

    /// What is wrong in stage 1, in the order in which it counts: who is calling comes before what was
    /// sent. But a head that is refused tells nothing of a caller.
    fn at_front(&self) -> impl Iterator<Item = &Reason> {
        let mut both = [self.objection, self.front];
        if self.place.is_told() {
            both.reverse();
        }
        both.into_iter().flatten()
    }

    /// What ends the request in stage 1.
    fn ends_at_front(&self) -> Option<&Reason> {
        self.at_front().next()
    }

    fn asked(&self) -> Asked {
        let hide = self.place.hide;
        Asked {
            from: self.source.name.clone(),
            method: hide.plain(self.head.method),
            target: hide.target(self.head.target),
            notes: self.source.notes.clone(),
        }
    }

    fn caller(&self) -> Caller {
        let snapshot = self.place.snapshot;
        let system = |consumer: &Consumer| System {
            asid: consumer.asid.to_string(),
            ods_code: consumer.organisation.to_string(),
            organisation: snapshot
                .organisation(consumer.organisation)
                .map(|organisation| organisation.name.clone())
                .unwrap_or_default(),
            mode: match consumer.mode {
                gpconnect::policy::Mode::Transparent => "transparent",
                gpconnect::policy::Mode::Assist => "assist",
            },
        };
        let listener = snapshot.entrance(self.place.listener);
        Caller {
            listener: listener.map(|entrance| entrance.name.clone()).unwrap_or_default(),
            because: self.place.caller.because.clone(),
            certificate: self
                .place
                .caller
                .proof
                .as_ref()
                .map(|proof| proof.report(snapshot, self.place.now, self.place.hide)),
            systems: self.place.systems().map(system).collect(),
        }
    }

    /// Stage 9: how many patients query and body name, in a word, and what is wrong with the body.
    fn of_body(
        &self,
        examination: &Examination<'_, '_>,
    ) -> (Option<&'static str>, Vec<decide::Fault>) {
        let bytes = match self.arrived {
            Some((_, Ok(bytes))) => bytes,
            Some((_, Err(reason))) => return (None, vec![enforced(reason)]),
            None => return (None, Vec::new()),
        };
        let sent = examination.headers.interaction_id.value();
        let Some(id) = examination.identified.map(|found| found.id).or(sent) else {
            return (None, Vec::new());
        };
        let body = HeldBody { bytes, content_type: self.head.fields.content_type };
        let (patients, mut faults) = examine_body(
            body,
            examination.patients.clone(),
            id,
            examination.sender.map(|(_, consumer)| consumer),
            &self.place.snapshot.policy,
            UnixSeconds(self.place.now),
        );
        // What the query is told for already is not told twice.
        faults.retain(|fault| !examination.faults.contains(fault));
        (Some(patients.word()), faults)
    }

    /// All that is wrong, in the order of the contract.
    fn faults(
        &self,
        examination: &Examination<'_, '_>,
        of_body: &[decide::Fault],
    ) -> Vec<(Reason, Fault)> {
        let front = self.at_front().map(enforced);
        // What the front refused already is not told twice.
        let others = examination.faults.iter().filter(|fault| Some(&fault.reason) != self.front);
        let all = front.chain(others.cloned()).chain(of_body.iter().cloned());
        let sender = examination.sender.map(|(_, consumer)| consumer);
        let claims = case::claims(&self.head.fields, self.place.snapshot.limits.token_bytes);
        let hints = Hints {
            place: self.place,
            head: &self.head,
            examination,
            claims: claims.as_ref(),
            body_bytes: self.source.message.len().saturating_sub(self.head.bytes),
        };
        all.zip(1..)
            .map(|(fault, number)| {
                let here = hints.of(&fault.reason);
                let told = Fault { here, ..self.fault(&fault, number, sender) };
                (fault.reason, told)
            })
            .collect()
    }

    fn fault(&self, fault: &decide::Fault, number: usize, sender: Option<&Consumer>) -> Fault {
        let reason = &fault.reason;
        let check = reason.check();
        let relaxed = sender
            .and_then(|sender| sender.report_only.iter().find(|relaxed| relaxed.check() == check));
        let until = relaxed.filter(|_| !fault.enforced).and_then(|it| moment::utc(it.until().0));
        let line = self.source.has_lines.then(|| place::line_of(reason, self.source, self.place));
        Fault {
            number,
            fault: reason.word(),
            check,
            section: check.section(),
            status: reason.answer_as(self.place.snapshot.wording).0,
            enforced: fault.enforced,
            told: false,
            line: line.flatten(),
            says: answer::sentence(&answer::redacted(reason.clone(), self.place.hide)),
            fix: reason.fix().into_owned(),
            here: None,
            until,
        }
    }

    fn stages(
        &self,
        examination: &Examination<'_, '_>,
        patients: Option<&'static str>,
        faults: &[(Reason, Fault)],
    ) -> Vec<StageFound> {
        let limit = self.place.snapshot.limits.token_bytes;
        let case = Case {
            place: self.place,
            head: &self.head,
            front: self.front,
            examination,
            body: self.arrived.map(|(_, body)| body),
            patients,
            claims: case::claims(&self.head.fields, limit),
            failed: faults.iter().map(|(reason, _)| reason.check()).collect(),
        };
        let is_made =
            |check: Check| case.fails(check) || claims::is_made(check, case.is_access_token_due());
        let shown = Stage::ALL.into_iter().filter(|stage| *stage <= Stage::Limit);
        shown
            .map(|stage| StageFound {
                number: stage.number(),
                name: stage.name(),
                ends_here: stage == Stage::Admit && self.ends_at_front().is_some(),
                checks: Check::ALL
                    .iter()
                    .filter(|check| check.stage() == stage && is_made(**check))
                    .map(|check| found(*check, &case, faults))
                    .collect(),
            })
            .collect()
    }
}

fn enforced(reason: &Reason) -> decide::Fault {
    decide::Fault { reason: reason.clone(), enforced: true }
}

fn found(check: Check, case: &Case<'_, '_, '_>, faults: &[(Reason, Fault)]) -> CheckFound {
    let own: Vec<_> =
        faults.iter().map(|(_, fault)| fault).filter(|it| it.check == check).collect();
    let look = look(check, case);
    let verdict = match &look {
        _ if own.iter().any(|fault| fault.enforced) => Verdict::Fail,
        _ if !own.is_empty() => Verdict::Reported,
        Look::Ran(_) => Verdict::Pass,
        Look::NotNeeded(_) => Verdict::NotNeeded,
        Look::Lacks(_) => Verdict::NotRun,
        Look::Live => Verdict::Live,
    };
    let found = match (verdict, look) {
        (_, Look::Ran(found)) => found.unwrap_or_default(),
        (Verdict::Fail | Verdict::Reported, _) => String::new(),
        (_, Look::NotNeeded(why)) => why.to_owned(),
        (_, Look::Lacks(what)) => format!("needs {what}"),
        (_, Look::Live) => String::from("only a running gateway can tell"),
    };
    CheckFound {
        check,
        verdict,
        section: check.section(),
        looks_at: check.looks_at(),
        found,
        faults: own.iter().map(|fault| fault.number).collect(),
    }
}

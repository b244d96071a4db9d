//! A request as it will be sent.

use std::fmt;

use gpconnect::interaction::InteractionId;
use http::{HeaderMap, uri::PathAndQuery};

use super::{
    arguments::{Arguments, Content},
    body::{self, Body},
    fault::Unsendable,
    gateway::Gateway,
    head::{self, Header},
    query::query,
    route::Route,
    target::target,
};
use crate::{
    cli::{
        aliases, moment,
        token::author::{self, Purpose},
    },
    https::ClientFiles,
};

/// A request as it will be sent. `Debug` leaves out what may name a patient.
pub(super) struct Plan {
    pub(super) gateway: Gateway,
    /// What proves us to it.
    pub(super) files: ClientFiles,
    pub(super) method: &'static str,
    pub(super) target: PathAndQuery,
    /// What is shown.
    pub(super) headers: Vec<Header>,
    /// The same as it is sent.
    pub(super) sendable: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Plan({} to {:?})", self.method, self.gateway)
    }
}

impl Plan {
    /// Plans the request that the arguments ask for, at `now` in seconds since 1970 UTC.
    ///
    /// # Errors
    /// When something is missing, or can't be sent.
    pub(super) fn make(arguments: &Arguments, now: i64) -> Result<Self, Unsendable> {
        let (id, content, place) = (arguments.interaction, &arguments.content, &arguments.place);
        let uk = moment::now_in_uk();
        let created = uk.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let route = Route::find(place, id)?;
        let body = Body::of(id, content, &arguments.author, &created)?;
        let path = path(id, content, body.as_ref())?;
        let query = query(id, content, &route, uk.date())?;
        let token = match &place.access_token {
            Some(name) => access_token(name)?,
            None => token(arguments, &route, now),
        };
        let headers = head::headers(arguments, &route, body.as_ref(), &token);
        Ok(Self {
            gateway: place.gateway.clone(),
            files: ClientFiles {
                certificate: place.cert.clone(),
                key: place.key.clone(),
                authorities: place.ca.clone(),
            },
            method: id.row().verb.as_str(),
            target: target(place.form, &route, id, &path, &query)?,
            sendable: head::checked(&headers)?,
            headers,
            body: body.map(|body| body.bytes),
        })
    }
}

/// A fresh GP Connect token of our own.
fn token(arguments: &Arguments, route: &Route, now: i64) -> String {
    let id = arguments.interaction;
    let purpose = Purpose {
        aud: route.aud(&arguments.place, id),
        scope: author::scope_of(id),
        reason: author::reason_of(id),
        issued_at: now,
        lifetime: gpconnect::token::LIFETIME_SECONDS,
        rules: id.row().token,
    };
    author::compact(&author::claims(&arguments.author, &purpose))
}

/// The access token in a file, without the blanks and line ends around it. Whether it is a good one
/// is for the gateway to judge.
fn access_token(name: &str) -> Result<String, Unsendable> {
    let bytes = body::read(name);
    let bytes = bytes.map_err(|source| Unsendable::AccessToken { name: name.into(), source })?;
    let token = str::from_utf8(&bytes).map(str::trim).unwrap_or_default();
    let is_sendable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_sendable
        .then(|| token.to_owned())
        .ok_or_else(|| Unsendable::NotAnAccessToken { name: name.into() })
}

/// The FHIR path, its id filled in.
fn path(id: InteractionId, content: &Content, body: Option<&Body>) -> Result<String, Unsendable> {
    const PLACE: &str = "{id}";
    let path = id.row().path;
    if !path.contains(PLACE) {
        return Ok(path.to_owned());
    }
    let of_body = body.and_then(|body| body.id.as_ref());
    let logical_id = content.id.as_ref().or(of_body);
    let missing = Unsendable::Missing { what: aliases::name_of(id), option: "--id" };
    Ok(path.replace(PLACE, logical_id.ok_or(missing)?))
}

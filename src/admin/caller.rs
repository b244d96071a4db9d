//! Who calls the admin API, and whether it is a caller at all: no web page can make a browser one,
//! whatever name it gives this machine.

use std::{fs, net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};

use super::answer::Problem;
use crate::{
    config::ServerName,
    snapshot::{Role, Roles, Tokens},
};

/// The only name of the API at a Unix socket.
const LOCAL: &str = "localhost";

/// Where a call came in.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// At a Unix socket.
    Local {
        /// The user that the system says it is; none when it does not say.
        uid: Option<u32>,
        /// Whether that user may call.
        may: bool,
    },
    /// At an address.
    Tcp {
        /// The caller's.
        client: IpAddr,
        /// What `Host` may say.
        names: Arc<[ServerName]>,
    },
}

/// Somebody who may call.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    /// `uid:1000`, or `token:NAME`.
    pub(super) text: String,
    /// The user's name.
    pub(super) user: Option<String>,
    roles: Roles,
}

impl Principal {
    pub(super) fn may(&self, role: Role) -> Result<(), Problem> {
        let detail = || format!("{} has not the role {}", self.text, role.as_str());
        let refused = || Problem::new(StatusCode::FORBIDDEN, "role_missing", detail());
        self.roles.allow(role).then_some(()).ok_or_else(refused)
    }
}

impl Peer {
    pub(super) const fn client(&self) -> Option<IpAddr> {
        match self {
            Self::Local { .. } => None,
            Self::Tcp { client, .. } => Some(*client),
        }
    }

    /// Who it is as far as that is known without a token.
    pub(super) fn user(&self) -> Option<String> {
        match self {
            Self::Local { uid, .. } => uid.map(|uid| format!("uid:{uid}")),
            Self::Tcp { .. } => None,
        }
    }

    /// Who is calling, if it may.
    pub(super) fn admit(&self, head: &Parts, tokens: &Tokens) -> Result<Principal, Problem> {
        self.check_host(head)?;
        check_origin(&head.headers)?;
        match self {
            Self::Local { uid: Some(uid), may: true } => Ok(Principal {
                text: format!("uid:{uid}"),
                user: user_name(*uid),
                roles: Roles::ALL,
            }),
            Self::Local { .. } => {
                let detail = "this socket is for the gateway's own user, root, and the users in \
                              admin.socket_uids";
                Err(Problem::new(StatusCode::FORBIDDEN, "user_not_allowed", detail))
            }
            Self::Tcp { .. } => {
                let holder = bearer(&head.headers).and_then(|token| tokens.holder(token));
                let holder = holder.ok_or_else(token_missing)?;
                let text = format!("token:{}", holder.name);
                Ok(Principal { text, user: None, roles: holder.roles })
            }
        }
    }

    fn check_host(&self, head: &Parts) -> Result<(), Problem> {
        let hosts = head.headers.get_all(header::HOST).iter();
        let mut hosts = hosts.map(|host| host.to_str().unwrap_or_default());
        let host = hosts.next().filter(|_| hosts.next().is_none()).unwrap_or_default();
        let host = host.to_ascii_lowercase();
        let (is_name, expected) = match self {
            Self::Local { .. } => (host == LOCAL, LOCAL.to_owned()),
            Self::Tcp { names, .. } => {
                let all: Vec<_> = names.iter().map(ServerName::as_str).collect();
                (all.contains(&&*host), all.join(" or "))
            }
        };
        // An absolute target names a host of its own.
        if is_name && head.uri.authority().is_none() {
            return Ok(());
        }
        let detail = format!("expected one Host header that says {expected}, and a path as target");
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_not_served", detail))
    }
}

/// Refuses what only browsers send for a page, and what they send by themselves.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let site = HeaderName::from_static("sec-fetch-site");
    let is_none = |value: &HeaderValue| value == "none";
    let of_page = headers.contains_key(header::ORIGIN)
        || headers.contains_key(header::REFERER)
        || !headers.get_all(&site).iter().all(is_none);
    if of_page {
        let detail = "found Origin, Referer or Sec-Fetch-Site, which a browser sends for a page: no \
                      page may call this API";
        return Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", detail));
    }
    if headers.contains_key(header::COOKIE) {
        return Err(Problem::bad("cookie_sent", "found Cookie: this API knows no cookies"));
    }
    Ok(())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (all.next()?.to_str().ok()?, all.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn token_missing() -> Problem {
    let detail = "expected Authorization: Bearer with a token of the file in admin.tokens";
    let challenge = HeaderValue::from_static("Bearer realm=\"gpconnect-gateway admin\"");
    Problem::new(StatusCode::UNAUTHORIZED, "token_refused", detail)
        .with_header(header::WWW_AUTHENTICATE, challenge)
}

/// The name of a user of this machine. Directories elsewhere are not asked: they may hang.
fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let number = uid.to_string();
    let mut lines = users.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut words| {
        let name = words.next()?;
        (words.nth(1)? == number).then_some(name)
    });
    name.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn fault(peer: &Peer, uri: &str, headers: &[(&str, &str)]) -> &'static str {
        let admitted = peer.admit(&parts(uri, headers), &Tokens::default());
        admitted.map_or_else(|problem| problem.fault, |_| "")
    }

    #[test]
    fn only_callers_that_are_no_pages_are_let_in() {
        let local = Peer::Local { uid: Some(1), may: true };
        for (name, uri, headers, expected) in [
            ("good", "/", &[("host", "localhost")][..], ""),
            ("in capitals", "/", &[("host", "LOCALHOST")], ""),
            ("typed by hand", "/", &[("host", "localhost"), ("sec-fetch-site", "none")], ""),
            ("no host", "/", &[], "host_not_served"),
            ("two hosts", "/", &[("host", "localhost"), ("host", "localhost")], "host_not_served"),
            ("rebound", "/", &[("host", "evil.example")], "host_not_served"),
            ("absolute", "http://localhost/", &[("host", "localhost")], "host_not_served"),
            ("origin", "/", &[("host", "localhost"), ("origin", "null")], "cross_site"),
            ("a link", "/", &[("host", "localhost"), ("referer", "http://x/")], "cross_site"),
            (
                "same origin",
                "/",
                &[("host", "localhost"), ("sec-fetch-site", "same-origin")],
                "cross_site",
            ),
            (
                "one good, one bad",
                "/",
                &[
                    ("host", "localhost"),
                    ("sec-fetch-site", "none"),
                    ("sec-fetch-site", "cross-site"),
                ],
                "cross_site",
            ),
            ("cookie", "/", &[("host", "localhost"), ("cookie", "a=b")], "cookie_sent"),
        ] {
            assert_eq!(fault(&local, uri, headers), expected, "{name}");
        }
        for peer in
            [Peer::Local { uid: Some(1), may: false }, Peer::Local { uid: None, may: false }]
        {
            assert_eq!(fault(&peer, "/", &[("host", "localhost")]), "user_not_allowed");
        }
    }

    #[test]
    fn at_an_address_a_token_is_shown_once() {
        let names = Arc::from(["localhost:9091".parse().unwrap()]);
        let peer = Peer::Tcp { client: [127, 0, 0, 1].into(), names };
        for (name, headers) in [
            ("none", &[][..]),
            ("another scheme", &[("authorization", "Basic YTpi")]),
            ("unknown", &[("authorization", "Bearer gpcg_x")]),
        ] {
            let headers = [&[("host", "localhost:9091")][..], headers].concat();
            assert_eq!(fault(&peer, "/", &headers), "token_refused", "{name}");
        }
        assert_eq!(fault(&peer, "/", &[("host", "localhost")]), "host_not_served");
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(bearer(&parts("/", &twice).headers), None);
        assert_eq!(bearer(&parts("/", &twice[..1]).headers), Some("a"));
    }

    #[test]
    fn the_first_user_has_a_name() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!(user_name(u32::MAX - 1), None);
    }
}

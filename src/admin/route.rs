//! What can be asked of the admin API: one row an endpoint.

use http::{HeaderValue, Method, StatusCode, header};

use super::answer::Problem;
use crate::snapshot::Role;

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// It only looks.
    Look(Look),
    /// It is to change something, or to search the journal.
    Order(Order),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Status,
    Practices,
    Practice,
    Directory,
    Switches,
    Preview,
    Conformance,
    Description,
    Capabilities,
    CapabilityChanges,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Reload,
    LogLevel,
    Search,
    SwitchOff,
    SwitchOn,
    Purge,
}

/// One endpoint.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    /// The path; a part in braces stands for any one.
    pub(super) path: &'static str,
    /// Who may ask.
    pub(super) role: Role,
    /// What it is for.
    pub(super) summary: &'static str,
    /// What may stand in its query, each with its form in `schemas.json`.
    pub(super) query: &'static [(&'static str, &'static str)],
    /// The form of its body, where it has one.
    pub(super) body: Option<&'static str>,
    /// The status of a good answer.
    pub(super) status: u16,
    /// The form of that.
    pub(super) answer: &'static str,
}

/// Which breaches of rules are meant, and how many of them.
const BREACHES: &[(&str, &str)] =
    &[("side", "Side"), ("rule", "Rule"), ("organisation", "OdsCode"), ("most", "Rows")];

/// What a list of practices may be of.
const OF: &[(&str, &str)] = &[("practice", "OdsCode"), ("capability", "Capability")];

/// What names something that can be switched off.
const SWITCHABLE: &[(&str, &str)] = &[
    ("practice", "OdsCode"),
    ("capability", "Capability"),
    ("consumer", "Asid"),
    ("interaction", "Interaction"),
];

#[rustfmt::skip]
/// Every endpoint.
pub(super) const ROUTES: &[Route] = &[
    look(Look::Description, "/v1/openapi.json",      "Description",  &[],        "This description."),
    look(Look::Status,      "/v1/status",            "Status",       &[],        "The state of the gateway."),
    look(Look::Practices,   "/v1/practices",         "Practices",    &[],        "How every practice fares."),
    look(Look::Practice,    "/v1/practices/{ods}",   "Practice",     &[],        "How one practice fares."),
    look(Look::Directory,   "/v1/directory/{ods}",   "Organisation", &[],        "All that is registered of an organisation."),
    look(Look::Switches,    "/v1/switches",          "Switches",     &[],        "What is switched off."),
    look(Look::Preview,     "/v1/switches/preview",  "Preview",      SWITCHABLE, "What a switch would have refused in the last hour."),
    look(Look::Conformance, "/v1/conformance",       "Conformance",  BREACHES,   "Who breaks which rule of the specification, the worst first."),
    look(Look::Capabilities,      "/v1/capabilities",         "Capabilities",      OF, "What practices can be asked, by the statements of their systems."),
    look(Look::CapabilityChanges, "/v1/capabilities/changes", "CapabilityChanges", OF, "What of that has changed, and when."),
    order(Order::SwitchOff, Method::POST, "/v1/switches",         Role::Operate, "OffOrder",    (201, "Switch"),    "Switches something off."),
    order(Order::SwitchOn,  Method::POST, "/v1/switches/{id}/on", Role::Operate, "OnOrder",     (200, "Switch"),    "Switches it on again."),
    order(Order::Reload,    Method::POST, "/v1/reload",           Role::Operate, "ReloadOrder", (200, "Reloaded"),  "Reads the configuration again."),
    order(Order::LogLevel,  Method::PUT,  "/v1/log-level",        Role::Operate, "LevelOrder",  (200, "LogLevels"), "Sets how much a part of the gateway logs."),
    order(Order::Purge,     Method::POST, "/v1/cache/purge",      Role::Operate, "PurgeOrder",  (200, "Purged"),    "Has no answer told any more that is in memory."),
    order(Order::Search,    Method::POST, "/v1/audit/searches",   Role::Audit,   "SearchOrder", (201, "Announced"), "Puts down that the journal is about to be searched."),
];

const fn look(
    look: Look,
    path: &'static str,
    answer: &'static str,
    query: &'static [(&'static str, &'static str)],
    summary: &'static str,
) -> Route {
    Route {
        endpoint: Endpoint::Look(look),
        method: Method::GET,
        path,
        role: Role::Read,
        summary,
        query,
        body: None,
        status: 200,
        answer,
    }
}

const fn order(
    order: Order,
    method: Method,
    path: &'static str,
    role: Role,
    body: &'static str,
    (status, answer): (u16, &'static str),
    summary: &'static str,
) -> Route {
    Route {
        endpoint: Endpoint::Order(order),
        method,
        path,
        role,
        summary,
        query: &[],
        body: Some(body),
        status,
        answer,
    }
}

/// The endpoint of a call, and what stands for the part in braces.
pub(super) fn find<'p>(
    method: &Method,
    path: &'p str,
) -> Result<(&'static Route, &'p str), Problem> {
    let fits = |route: &'static Route| Some((route, argument(route.path, path)?));
    let here: Vec<_> = ROUTES.iter().filter_map(fits).collect();
    if let Some(found) = here.iter().find(|(route, _)| route.method == *method) {
        return Ok(*found);
    }
    if here.is_empty() {
        let all: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
        let detail = format!("there is no such path; there are {}", all.join(", "));
        return Err(Problem::not_found("path_unknown", detail));
    }
    let methods: Vec<_> = here.iter().map(|(route, _)| route.method.as_str()).collect();
    let methods = methods.join(", ");
    let detail = format!("expected {methods}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    // Methods are visible ASCII.
    let allow = HeaderValue::from_str(&methods).ok();
    Err(match allow {
        Some(allow) => problem.with_header(header::ALLOW, allow),
        None => problem,
    })
}

/// What stands for the part in braces, empty where there is none; none when the path is another.
fn argument<'p>(template: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, rest)) = template.split_once('{') else {
        return (template == path).then_some("");
    };
    let after = rest.split_once('}')?.1;
    let argument = path.strip_prefix(before)?.strip_suffix(after)?;
    (!argument.is_empty() && !argument.contains('/')).then_some(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_of_the_templates() {
        let find = |method: Method, path: &'static str| {
            find(&method, path).map(|(route, argument)| (route.endpoint, argument))
        };
        assert_eq!(find(Method::GET, "/v1/status").unwrap(), (Endpoint::Look(Look::Status), ""));
        let one = find(Method::GET, "/v1/practices/A20047").unwrap();
        assert_eq!(one, (Endpoint::Look(Look::Practice), "A20047"));
        for (name, method, path, expected) in [
            ("a slash more", Method::GET, "/v1/status/", "path_unknown"),
            ("nothing in braces", Method::GET, "/v1/practices/", "path_unknown"),
            ("two parts", Method::GET, "/v1/practices/A/B", "path_unknown"),
            ("capitals", Method::GET, "/V1/status", "path_unknown"),
            ("another method", Method::POST, "/v1/status", "method_not_allowed"),
            ("head", Method::HEAD, "/v1/status", "method_not_allowed"),
        ] {
            assert_eq!(find(method, path).unwrap_err().fault, expected, "{name}");
        }
    }
}

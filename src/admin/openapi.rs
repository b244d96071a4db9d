//! The description of the API in OpenAPI 3.1: of the table of [`route`](super::route)s, of the words
//! that the core knows, and of `schemas.json`, which has the form of each body and answer.

use std::collections::BTreeSet;

use gpconnect::{
    interaction::{Capability, InteractionId},
    observe::{Rule, Side},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::route::{Endpoint, ROUTES, Route};

/// The forms of bodies and answers.
const SCHEMAS: &str = include_str!("schemas.json");

/// The description.
pub fn description() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Admin API of gpconnect-gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What operations ask of a running gateway and what they tell it to do. \
                            Every call is a record in the audit journal. A call of a web page, with \
                            a cookie, or under another name than the gateway's is refused.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "At an address; at a Unix socket the system says who calls.",
                },
            },
        },
    })
}

fn schemas() -> Value {
    // A test reads the file.
    let mut schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    let interactions: Vec<_> = InteractionId::all().map(InteractionId::short).collect();
    let rules: BTreeSet<_> = Rule::all().map(Rule::name).collect();
    if let Some(schemas) = schemas.as_object_mut() {
        let capabilities = Capability::ALL.map(Capability::as_str);
        schemas.insert("Capability".into(), json!({ "enum": capabilities }));
        schemas.insert("Interaction".into(), json!({ "enum": interactions }));
        schemas.insert("Side".into(), json!({ "enum": Side::ALL.map(Side::as_str) }));
        schemas.insert("Rule".into(), json!({ "enum": rules }));
    }
    schemas
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    let answer = content("application/json", route.answer);
    let good = json!({ "description": "Done.", "content": answer });
    responses.insert(route.status.to_string(), good);
    for status in problems(route) {
        responses.insert(status.as_str().to_owned(), problem(status));
    }
    let mut operation = json!({
        "operationId": route.body.unwrap_or(route.answer),
        "summary": route.summary,
        "description": format!("Needs the role {}.", route.role.as_str()),
        "parameters": parameters(route),
        "responses": responses,
    });
    if let (Some(members), Some(body)) = (operation.as_object_mut(), route.body) {
        let body = json!({ "required": true, "content": content("application/json", body) });
        members.insert(String::from("requestBody"), body);
    }
    operation
}

fn problem(status: StatusCode) -> Value {
    let mut problem = json!({
        "description": status.canonical_reason().unwrap_or("A problem."),
        "content": content("application/problem+json", "Problem"),
    });
    let header = match status {
        StatusCode::UNAUTHORIZED => Some("WWW-Authenticate"),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some("Retry-After"),
        _ => None,
    };
    if let (Some(members), Some(header)) = (problem.as_object_mut(), header) {
        let headers = json!({ header: { "required": true, "schema": { "type": "string" } } });
        members.insert(String::from("headers"), headers);
    }
    problem
}

fn content(kind: &str, schema: &str) -> Value {
    json!({ kind: { "schema": reference(schema) } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// What can go wrong. 400 is a call that is not as it is described; 422 one that is, and names what
/// is not there or can't be done.
fn problems(route: &Route) -> Vec<StatusCode> {
    use StatusCode as S;
    // Before it is known which call it is: nobody, somebody who may not, another host, too many.
    let mut statuses = vec![
        S::BAD_REQUEST,
        S::UNAUTHORIZED,
        S::FORBIDDEN,
        S::MISDIRECTED_REQUEST,
        S::TOO_MANY_REQUESTS,
        S::INTERNAL_SERVER_ERROR,
    ];
    if route.path.contains('{') {
        statuses.push(S::NOT_FOUND);
    }
    if !route.query.is_empty() {
        statuses.push(S::UNPROCESSABLE_ENTITY);
    }
    if matches!(route.endpoint, Endpoint::Order(_)) {
        statuses.extend([
            S::REQUEST_TIMEOUT,
            S::CONFLICT,
            S::PAYLOAD_TOO_LARGE,
            S::UNSUPPORTED_MEDIA_TYPE,
            S::UNPROCESSABLE_ENTITY,
            S::SERVICE_UNAVAILABLE,
        ]);
    }
    statuses
}

/// The part of the path in braces, and what may stand in the query.
fn parameters(route: &Route) -> Vec<Value> {
    let parameter = |name: &str, place: &str, schema: Value| json!({ "name": name, "in": place, "required": place == "path", "schema": schema });
    let braces = route.path.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let in_path = braces.map(|(name, _)| {
        let schema = match name {
            "ods" => reference("OdsCode"),
            _ => json!({ "type": "string", "pattern": "^[0-9a-f]{8}$" }),
        };
        parameter(name, "path", schema)
    });
    let in_query = route.query.iter().map(|(name, form)| parameter(name, "query", reference(form)));
    in_path.into_iter().chain(in_query).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each form that is named is there, and each that is there is named.
    #[test]
    fn every_form_is_described_and_used() {
        let text = description().to_string();
        let all = schemas();
        let between = |start: &str| -> BTreeSet<String> {
            let found = text.split(start).skip(1);
            found.map(|it| it.split('"').next().unwrap().to_owned()).collect()
        };
        let there: BTreeSet<_> = all.as_object().unwrap().keys().cloned().collect();
        assert_eq!(between("#/components/schemas/"), there);
        assert_eq!(between("\"operationId\":\"").len(), ROUTES.len(), "each has its own name");
    }

    /// Each endpoint is described with its method, and nothing is that is none.
    #[test]
    fn every_endpoint_is_described_and_no_other() {
        let description = description();
        let mut described = BTreeSet::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let method = method.to_ascii_uppercase().parse().unwrap();
                let (route, _) = super::super::route::find(&method, path).unwrap();
                assert_eq!((route.path, &route.method), (&**path, &method));
                assert_eq!(operation["requestBody"].is_object(), method != "GET", "{path}");
                let role = operation["description"].as_str().unwrap();
                assert!(role.contains(route.role.as_str()), "{path}: {role}");
                described.insert((path.clone(), method.to_string()));
            }
        }
        assert_eq!(described.len(), ROUTES.len());
    }

    /// Each form is one by the rules of JSON Schema.
    #[test]
    fn forms_are_schemas() {
        let all = schemas();
        for name in all.as_object().unwrap().keys() {
            let schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$ref": format!("#/components/schemas/{name}"),
                "components": { "schemas": all },
            });
            assert!(jsonschema::meta::is_valid(&schema), "{name}");
            assert!(jsonschema::validator_for(&schema).is_ok(), "{name}");
        }
    }
}

//! The control endpoint: faults by HTTP, for a simulator in a process of its own.

use gpconnect::names::OdsCode;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Fault, Faults};
use crate::simulator::estate::Estate;
use crate::simulator::wire::reply::Reply;

/// What paths of the simulator itself begin with.
pub(crate) const PREFIX: &str = "/_simulator/";

/// Answers `PUT`, `GET` and `DELETE` of `/_simulator/faults/{ODS code or *}`.
pub(crate) fn control(
    faults: &Faults,
    estate: &Estate,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Reply {
    let practice = match path.strip_prefix("/_simulator/faults/").map(|name| whose(estate, name)) {
        Some(Ok(practice)) => practice,
        Some(Err(())) => return problem(StatusCode::NOT_FOUND, "no such practice"),
        None => return problem(StatusCode::NOT_FOUND, "only /_simulator/faults/{ODS code} exists"),
    };
    if method == Method::PUT {
        let json = serde_json::from_slice(body).unwrap_or(Value::Null);
        match Fault::list_from_json(&json) {
            Ok(ordered) => faults.order(practice, ordered),
            Err(why) => return problem(StatusCode::BAD_REQUEST, &why.to_string()),
        }
    } else if method == Method::DELETE {
        faults.order(practice, Vec::new());
    } else if method != Method::GET {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "use PUT, GET or DELETE");
    }
    let ordered: Vec<Value> = faults.ordered(practice).iter().map(Fault::to_json).collect();
    Reply::text(StatusCode::OK, "application/json", Value::from(ordered).to_string())
}

/// The practice of that name; `None` for the star that means all.
fn whose(estate: &Estate, name: &str) -> Result<Option<OdsCode>, ()> {
    if name == "*" {
        return Ok(None);
    }
    let practice = name.parse().ok().filter(|code| estate.practice(*code).is_some());
    practice.map(Some).ok_or(())
}

fn problem(status: StatusCode, what: &str) -> Reply {
    Reply::text(status, "application/json", json!({"error": what}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_ordered_shown_and_ended() {
        let (faults, estate) = (Faults::new(1), Estate::generate(1, 1));
        for (name, method, path, body, status, shown) in [
            ("order", Method::PUT, "A20047", "{\"status\":503}", 200, "[{\"status\":503}]"),
            ("show", Method::GET, "A20047", "", 200, "[{\"status\":503}]"),
            ("others have none", Method::GET, "*", "", 200, "[]"),
            (
                "bad fault",
                Method::PUT,
                "A20047",
                "{\"status\":1}",
                400,
                "{\"error\":\"\\\"status\\\" has a value that is not understood\"}",
            ),
            (
                "no JSON",
                Method::PUT,
                "A20047",
                "{",
                400,
                "{\"error\":\"expected a fault as an object or as text, or a list of them\"}",
            ),
            ("end", Method::DELETE, "A20047", "", 200, "[]"),
            ("unknown", Method::GET, "ZZZ99", "", 404, "{\"error\":\"no such practice\"}"),
            ("method", Method::POST, "*", "", 405, "{\"error\":\"use PUT, GET or DELETE\"}"),
        ] {
            let path = format!("/_simulator/faults/{path}");
            let reply = control(&faults, &estate, &method, &path, body.as_bytes());
            assert_eq!(reply.status.as_u16(), status, "{name}");
            assert_eq!(reply.pieces.concat(), shown.as_bytes(), "{name}");
        }
        let reply = control(&faults, &estate, &Method::GET, "/_simulator/", b"");
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
    }
}

//! Stages 2 and 4: a target is taken apart without a byte being lost or made.

use gpconnect::{
    interaction::{TABLE, derive, identify},
    target::{AddressForm, Routing, Target, read, shape},
};

use super::world::world;

/// `{method} {target}`: what is read of a target is a part of it, prints to the same target again,
/// and has no segment that another server would read as something else.
pub fn target(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let Ok(found) = read(method, target) else { return };
    assert_eq!(found.verb.as_str(), method);

    let sent = match found.query {
        Some(query) => [found.path(), query].join("?"),
        None => found.path().to_owned(),
    };
    assert!(target.ends_with(&sent), "what goes out is not what came in");
    assert!(!found.path().contains('?') && !found.path().contains('\\'));
    assert!(found.path().split('/').all(|segment| !matches!(segment, "." | "..")));
    let printed = print(&found, &sent);
    assert!(read(method, &printed) == Ok(found), "printed, it reads differently");

    for row in TABLE {
        let Ok(identified) = identify(&found, row.id, &world().policy) else { continue };
        let path = identified.path;
        let whole = match found.form {
            AddressForm::Ods { .. } => path.path.to_owned(),
            AddressForm::Proxy { .. } => [path.root, path.path].join("/"),
        };
        assert_eq!(whole, found.path(), "the path was cut wrongly");
        assert_eq!(path.path.split('/').count(), row.path.split('/').count());
        assert_eq!(path.logical_id.is_some(), row.path.contains("{id}"));
        let shown = shape(&found, Some(row.id));
        assert!(shown.split('/').all(is_word), "a part of the path is shown that may be an id");
    }
    let Ok(derived) = derive(&found, &world().policy) else { return };
    assert!(identify(&found, derived.id, &world().policy).is_ok());
}

/// Whether a segment is one that the table of interactions has.
fn is_word(segment: &str) -> bool {
    TABLE.iter().flat_map(|row| row.path.split('/')).any(|word| word == segment)
}

/// The target once more. `fhir/` stands in it whether it was there or not: it means nothing, but
/// keeps a path that begins with `structured/` from being read as a routing segment.
fn print(target: &Target<'_>, sent: &str) -> String {
    match target.form {
        AddressForm::Proxy { .. } => format!("/https://{sent}"),
        AddressForm::Ods { routing, .. } => {
            let routing = match routing {
                Routing::GpConnect => "",
                Routing::Structured => "structured/",
                Routing::Documents => "documents/",
            };
            format!("/{}/STU3/1/gpconnect/{routing}fhir/{sent}", target.practice)
        }
    }
}

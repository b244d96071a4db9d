//! The query of a request: ordered, with repeats, decoded by RFC 3986 only (a plus is a plus).

use super::outcome::{Code, Refusal};

/// Names and values in the order in which they arrived. Not to be printed: they name patients.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the raw text after the question mark.
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// Every value of that exact name.
    pub(crate) fn all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must stand exactly once.
    pub(crate) fn once(&self, name: &str) -> Result<&str, Refusal> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(Code::BadRequest.because(format!("Parameter {name} is missing"))),
            (Some(_), Some(_)) => {
                Err(Code::BadRequest.because(format!("Parameter {name} is repeated")))
            }
        }
    }

    /// The value of the one `identifier`, whose system must be the expected one.
    pub(crate) fn identifier(&self, system: &str) -> Result<&str, Refusal> {
        let text = self.once("identifier")?;
        match text.split_once('|') {
            Some((given, value)) if !given.is_empty() && !value.is_empty() => {
                if given == system {
                    Ok(value)
                } else {
                    Err(Code::InvalidIdentifierSystem
                        .because(format!("Identifier system is not {system}")))
                }
            }
            Some(_) | None => Err(Code::InvalidParameter
                .because("Parameter identifier: system and value are both required")),
        }
    }
}

/// Resolves percent escapes; anything that is not an escape stays as it is.
fn decode(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                decoded.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = tail;
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::fhir::NHS_NUMBER;

    #[test]
    fn escapes_are_resolved_and_nothing_else() {
        for (name, raw, value) in [
            ("plus", "a=+01:00", "+01:00"),
            ("escaped pipe", "a=x%7Cy", "x|y"),
            ("raw pipe", "a=x|y", "x|y"),
            ("broken escape", "a=100%zz%4", "100%zz%4"),
            ("not UTF-8", "a=%ff", "\u{fffd}"),
            ("no value", "a", ""),
        ] {
            assert_eq!(Query::parse(Some(raw)).all("a").next(), Some(value), "{name}");
        }
    }

    #[test]
    fn repeats_and_order_are_kept() {
        let query = Query::parse(Some("start=ge1&_include%3Arecurse=x&start=le2&&"));
        assert_eq!(query.all("start").collect::<Vec<_>>(), ["ge1", "le2"]);
        assert_eq!(query.once("_include:recurse"), Ok("x"));
        assert!(Query::parse(None).all("start").next().is_none());
    }

    #[test]
    fn an_identifier_has_its_system_and_value_once() {
        let system = NHS_NUMBER;
        for (name, raw, code) in [
            ("absent", String::new(), Code::BadRequest),
            ("wrong case", format!("Identifier={system}|1"), Code::BadRequest),
            ("twice", format!("identifier={system}|1&identifier={system}|1"), Code::BadRequest),
            ("no system", "identifier=|1".into(), Code::InvalidParameter),
            ("no pipe", "identifier=1".into(), Code::InvalidParameter),
            ("no value", format!("identifier={system}|"), Code::InvalidParameter),
            ("other system", "identifier=urn:x|1".into(), Code::InvalidIdentifierSystem),
        ] {
            let refused = Query::parse(Some(&raw)).identifier(system).map_err(|r| r.code).err();
            assert_eq!(refused, Some(code), "{name}");
        }
        let query = format!("identifier={system}%7C9000000009");
        assert_eq!(Query::parse(Some(&query)).identifier(system), Ok("9000000009"));
    }
}

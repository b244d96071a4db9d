//! What stands behind the question mark of a call that only looks.

use super::answer::Problem;

/// The parameters of a query such as `practice=A20047&capability=appointments`, each once, all of
/// them among `known`.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    pub(super) fn read(
        query: Option<&str>,
        known: &[(&'static str, &'static str)],
    ) -> Result<Self, Problem> {
        let mut read = Self::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some((name, _)) = known.iter().find(|(known, _)| *known == name) else {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let detail = match &*names {
                    [] => String::from("expected no query"),
                    names => format!("expected {} in the query", names.join(", ")),
                };
                return Err(Problem::bad("query_unknown", detail));
            };
            if read.of(name).is_some() {
                return Err(Problem::bad("query_unknown", format!("{name} stands twice")));
            }
            read.0.push((name, decoded(value)));
        }
        Ok(read)
    }

    /// What stands for a parameter.
    pub(super) fn of(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

/// The text without its percent signs, as far as they are right.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = behind.get(..2);
        let byte = digits.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = behind;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_each_thing_once() {
        let known = [("practice", ""), ("interaction", "")];
        let read = |query: &str| Query::read(Some(query), &known).map_err(|it| it.fault);
        let query = read("interaction=fhir%3Arest%3aread:patient-1&practice=A20047&").unwrap();
        assert_eq!(query.of("interaction"), Some("fhir:rest:read:patient-1"));
        assert_eq!((query.of("practice"), query.of("consumer")), (Some("A20047"), None));
        for query in ["x=1", "practice=A20047&practice=A20047", "practise=1", "%70ractice=A20047"] {
            assert_eq!(read(query).unwrap_err(), "query_unknown", "{query}");
        }
        assert_eq!(Query::read(None, &known).unwrap().of("practice"), None);
        assert!(Query::read(Some("practice=A20047"), &[]).is_err());
        for (text, expected) in
            [("", ""), ("%", "%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%é", "%é")]
        {
            assert_eq!(decoded(text), expected);
        }
    }
}

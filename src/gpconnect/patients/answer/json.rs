//! The reader of JSON answers. It walks over the text and keeps what patients are known by; a tree of
//! it, or a parser that hands out each value, would cost more than all else that is put down of a
//! request.

use std::borrow::Cow;

use memchr::memchr2;

use super::{Known, numbers};

/// Bundles in each other that are looked into: more than any answer has.
const DEEPEST: u8 = 8;

/// The patients of a JSON resource, some of which may lack a number. None when it is no JSON object.
pub(super) fn read(text: &str) -> Option<Vec<Known>> {
    let (mut walk, mut known) = (Walk { text, at: 0 }, Vec::new());
    if walk.next()? != b'{' {
        return None;
    }
    walk.resource(DEEPEST, &mut known)?;
    walk.next().is_none().then_some(known)
}

/// Where in a text the reading stands. Each step is none when the text is no JSON.
struct Walk<'b> {
    text: &'b str,
    at: usize,
}

impl<'b> Walk<'b> {
    /// Takes the next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            self.at += 1;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
        }
    }

    /// Passes over the rest of a string; what it holds, as it is written, and whether with escapes.
    fn string(&mut self) -> Option<(&'b str, bool)> {
        let (start, mut escapes) = (self.at, false);
        loop {
            self.at += memchr2(b'"', b'\\', self.text.as_bytes().get(self.at..)?)? + 1;
            if self.text.as_bytes().get(self.at - 1) == Some(&b'"') {
                return Some((self.text.get(start..self.at - 1)?, escapes));
            }
            escapes = true;
            self.at += 1;
        }
    }

    /// The rest of a string.
    fn text(&mut self) -> Option<Cow<'b, str>> {
        let start = self.at;
        match self.string()? {
            (text, false) => Some(Cow::Borrowed(text)),
            (_, true) => {
                serde_json::from_str(self.text.get(start - 1..self.at)?).map(Cow::Owned).ok()
            }
        }
    }

    /// The rest of a value that begins with `first`, if it is a string; else it is passed over.
    fn text_of(&mut self, first: u8) -> Option<Option<Cow<'b, str>>> {
        if first == b'"' { self.text().map(Some) } else { self.pass(first).map(|()| None) }
    }

    /// Passes over the rest of a value that begins with `first`.
    fn pass(&mut self, first: u8) -> Option<()> {
        let mut open = match first {
            b'"' => return self.string().map(|_| ()),
            b'{' | b'[' => 1_usize,
            _ => return Some(()),
        };
        while open > 0 {
            match self.next()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
        }
        Some(())
    }

    /// Hands out the members of an object that was begun: the name of each, and the first byte of its
    /// value.
    fn members(&mut self, mut each: impl FnMut(&mut Self, &str, u8) -> Option<()>) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => {
                    let name = self.text()?;
                    if self.next()? != b':' {
                        return None;
                    }
                    let first = self.next()?;
                    each(self, &name, first)?;
                }
                b'}' => return Some(()),
                // A comma, or the rest of a number or word.
                b'{' | b'[' | b']' | b':' => return None,
                _ => {}
            }
        }
    }

    /// Hands out the objects in a list that was begun.
    fn objects(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        loop {
            match self.next()? {
                b'{' => each(self)?,
                b']' => return Some(()),
                b'}' | b':' => return None,
                other => self.pass(other)?,
            }
        }
    }

    /// The patients of a resource that was begun.
    fn resource(&mut self, deepest: u8, known: &mut Vec<Known>) -> Option<()> {
        let (mut is_patient, mut id, mut identifiers) = (false, None, Vec::new());
        let before = known.len();
        self.members(|walk, name, first| {
            match (name, first) {
                ("resourceType", _) => {
                    is_patient = walk.text_of(first)?.as_deref() == Some("Patient")
                }
                ("id", _) => id = walk.text_of(first)?,
                ("identifier", b'[') => walk.objects(|walk| walk.identifier(&mut identifiers))?,
                ("entry", b'[') if deepest > 0 => {
                    walk.objects(|walk| walk.entry(deepest - 1, known))?
                }
                _ => walk.pass(first)?,
            }
            Some(())
        })?;
        if is_patient {
            // Of a patient no entries count, should it have some.
            known.truncate(before);
            let numbers = numbers(identifiers.into_iter());
            known.extend(id.map(|id| Known { id: super::FromCaller::new(id.into()), numbers }));
        }
        Some(())
    }

    fn entry(&mut self, deepest: u8, known: &mut Vec<Known>) -> Option<()> {
        self.members(|walk, name, first| match (name, first) {
            ("resource", b'{') => walk.resource(deepest, known),
            _ => walk.pass(first),
        })
    }

    fn identifier(&mut self, identifiers: &mut Vec<(Cow<'b, str>, Cow<'b, str>)>) -> Option<()> {
        let (mut system, mut value) = (None, None);
        self.members(|walk, name, first| {
            match name {
                "system" => system = walk.text_of(first)?,
                "value" => value = walk.text_of(first)?,
                _ => walk.pass(first)?,
            }
            Some(())
        })?;
        identifiers.extend(system.zip(value));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The same by a tree.
    fn by_tree(resource: &Value, ids: &mut Vec<String>) {
        if resource["resourceType"] == "Patient" {
            ids.extend(resource["id"].as_str().map(str::to_owned));
            return;
        }
        let entries = resource["entry"].as_array().into_iter().flatten();
        entries.for_each(|entry| by_tree(&entry["resource"], ids));
    }

    fn ids(text: &str) -> Option<Vec<String>> {
        let known = read(text)?.into_iter();
        Some(known.map(|known| known.id.expose().to_owned()).collect())
    }

    fn resource() -> impl Strategy<Value = Value> {
        let other = prop_oneof![
            Just(json!(null)),
            Just(json!(-1.5e3)),
            Just(json!([true, {"id": "x"}, ["}"], {}])),
            ".{0,6}".prop_map(Value::from),
        ];
        let patient = (".{0,6}", other, any::<bool>()).prop_map(|(id, other, first)| {
            if first {
                json!({"resourceType": "Patient", "x": other, "id": id, "entry": other})
            } else {
                json!({"entry": [other], "id": id, "more": {"id": other}, "resourceType": "Patient"})
            }
        });
        patient.prop_recursive(3, 20, 4, |resource| {
            proptest::collection::vec(resource, 0..4).prop_map(|resources| {
                let entries: Vec<_> = resources
                    .into_iter()
                    .map(|resource| json!({"fullUrl": "a\"\\b", "resource": resource, "n": 1}))
                    .collect();
                json!({"entry": entries, "id": "b", "total": 3, "resourceType": "Bundle"})
            })
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_a_tree_would_tell(resource in resource(), pretty: bool) {
            let text = if pretty { format!("{resource:#}") } else { resource.to_string() };
            let mut expected = Vec::new();
            by_tree(&resource, &mut expected);
            prop_assert_eq!(ids(&text), Some(expected));
            let cut: String = text.chars().take(text.chars().count() - 1).collect();
            prop_assert_eq!(ids(&cut), None, "{}", cut);
        }

        #[test]
        fn no_text_ends_the_gateway(text in r#"\{[{}\[\]:,"\\a\u{e9} ]{0,40}"#) {
            read(&text);
        }
    }

    #[test]
    fn names_are_read_in_each_spelling() {
        let text = r#"{"resource\u0054ype":"\u0050atient","\u0069d":"\u0031\n"}"#;
        assert_eq!(ids(text), Some(vec!["1\n".to_owned()]));
        let deep = |bundles: usize| {
            let patient = r#"{"resourceType":"Patient","id":"1"}"#.to_owned();
            (0..bundles)
                .fold(patient, |inner, _| format!(r#"{{"entry":[{{"resource":{inner}}}]}}"#))
        };
        assert_eq!(ids(&deep(8)), Some(vec!["1".to_owned()]));
        assert_eq!(ids(&deep(9)), Some(vec![]), "no stack is spent on hostile answers");
    }
}

//! The reader of XML bodies. Nothing is expanded: a document type is refused, and with it every
//! entity that it could declare.

use quick_xml::{
    XmlVersion,
    events::{BytesDecl, BytesStart, Event},
    name::{PrefixDeclaration, QName},
    reader::Reader,
};

use super::{DEEPEST, OTHER_CHARSET, Part, REPEATED, TOO_DEEP, Unreadable, is_utf_8};
use crate::patients::{Found, is_nhs_number_system};

const NOT_XML: Unreadable = "it is not well-formed XML";
const DOCUMENT_TYPE: Unreadable = "it has a document type, which FHIR has not";
const OTHER_VERSION: Unreadable = "its XML version is not 1.0";
const ENTITY: Unreadable = "it uses an entity that XML does not have";
const PREFIX: Unreadable = "a namespace prefix is not declared";
const CROWDED: Unreadable = "an element has too many attributes or namespaces";
const PREFIXED: Unreadable = "the value of an identifier is in a namespace";

/// Attributes of one element. FHIR needs four, narrative some more.
const MOST_ATTRIBUTES: usize = 32;
/// Prefixes in force at once. FHIR needs two.
const MOST_PREFIXES: usize = 8;

/// Finds the patients in an XML document. Namespaces are not told apart: what stands in a foreign
/// one counts too, because not every parser looks at them.
///
/// # Errors
/// For what is not one well-formed document, and for what parsers read differently.
pub(super) fn read(text: &str) -> Result<Found, Unreadable> {
    if text.bytes().any(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        return Err(NOT_XML);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut walk = Walk::default();
    let mut is_first = true;
    loop {
        match reader.read_event().or(Err(NOT_XML))? {
            Event::Start(start) => walk.open(&start)?,
            Event::Empty(start) => {
                walk.open(&start)?;
                walk.close();
            }
            // The reader has compared its name.
            Event::End(_) => walk.close(),
            Event::Text(text) if walk.is_inside() || text.trim_ascii().is_empty() => {}
            Event::CData(_) if walk.is_inside() => {}
            Event::GeneralRef(entity) if walk.is_inside() => {
                let is_letter = matches!(entity.resolve_char_ref(), Ok(Some(_)));
                if !is_letter && !matches!(&*entity, "lt" | "gt" | "amp" | "apos" | "quot") {
                    return Err(ENTITY);
                }
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::Decl(declaration) if is_first => check_declaration(&declaration)?,
            Event::DocType(_) => return Err(DOCUMENT_TYPE),
            Event::Eof => return walk.end(),
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) | Event::Decl(_) => {
                return Err(NOT_XML);
            }
        }
        is_first = false;
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), Unreadable> {
    if declaration.version().or(Err(NOT_XML))? != "1.0" {
        return Err(OTHER_VERSION);
    }
    match declaration.encoding().transpose().or(Err(NOT_XML))? {
        Some(encoding) if !is_utf_8(&encoding) => Err(OTHER_CHARSET),
        Some(_) | None => Ok(()),
    }
}

/// An element that is open, and the identifier that it may be.
#[derive(Default)]
struct Open {
    /// Whether its `system` is that of NHS numbers.
    system: Option<bool>,
    /// The text of its `value`, if that has one.
    value: Option<Option<String>>,
}

#[derive(Default)]
struct Walk {
    found: Found,
    open: Vec<Open>,
    /// The prefixes in force, each with the depth of the element that declares it.
    prefixes: Vec<(usize, String)>,
    has_root: bool,
}

impl Walk {
    const fn is_inside(&self) -> bool {
        !self.open.is_empty()
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Unreadable> {
        if !self.is_inside() && std::mem::replace(&mut self.has_root, true) {
            return Err(NOT_XML);
        }
        if self.open.len() == DEEPEST {
            return Err(TOO_DEEP);
        }
        let part = Part::named(start.local_name().into_inner())?;
        let text = self.attributes(start, part.is_some())?;
        if let Some((part, parent)) = part.zip(self.open.last_mut()) {
            let again = match part {
                Part::System => {
                    let is_nhs_number = text.is_some_and(|text| is_nhs_number_system(&text));
                    parent.system.replace(is_nhs_number).is_some()
                }
                Part::Value => parent.value.replace(text).is_some(),
            };
            if again {
                return Err(REPEATED);
            }
        }
        self.open.push(Open::default());
        Ok(())
    }

    /// Checks the attributes, and gives back the text of `value` where it is `wanted`.
    fn attributes(
        &mut self,
        start: &BytesStart<'_>,
        wanted: bool,
    ) -> Result<Option<String>, Unreadable> {
        let mut value = None;
        let mut has_prefix = start.name().prefix().is_some();
        for (count, attribute) in start.attributes().enumerate() {
            // The iterator refuses a name that stands twice.
            let attribute = attribute.or(Err(NOT_XML))?;
            if count == MOST_ATTRIBUTES {
                return Err(CROWDED);
            }
            if attribute.value.contains('<') {
                return Err(NOT_XML);
            }
            match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Named(_)) if self.prefixes.len() == MOST_PREFIXES => {
                    return Err(CROWDED);
                }
                Some(PrefixDeclaration::Named(prefix)) => {
                    self.prefixes.push((self.open.len(), prefix.to_owned()));
                }
                Some(PrefixDeclaration::Default) => {}
                None => {
                    let name = attribute.key.local_name().into_inner();
                    let is_value = wanted && Part::named(name)? == Some(Part::Value);
                    let is_prefixed = attribute.key.prefix().is_some();
                    has_prefix |= is_prefixed;
                    if is_value && is_prefixed {
                        return Err(PREFIXED);
                    }
                    if is_value {
                        let text = attribute.normalized_value(XmlVersion::Implicit1_0);
                        value = Some(text.or(Err(ENTITY))?.into_owned());
                    }
                }
            }
        }
        if has_prefix {
            self.check_prefixes(start)?;
        }
        Ok(value)
    }

    fn check_prefixes(&self, start: &BytesStart<'_>) -> Result<(), Unreadable> {
        let is_declared = |name: QName<'_>| {
            name.as_namespace_binding().is_some()
                || name.prefix().is_none_or(|prefix| {
                    let prefix = prefix.into_inner();
                    prefix == "xml" || self.prefixes.iter().any(|(_, known)| known == prefix)
                })
        };
        let names = start.attributes().filter_map(Result::ok).all(|it| is_declared(it.key));
        if names && is_declared(start.name()) { Ok(()) } else { Err(PREFIX) }
    }

    fn close(&mut self) {
        if let Some(Open { system: Some(true), value: Some(Some(value)) }) = self.open.pop() {
            self.found.note(&value);
        }
        // Those of the element that ended are the last ones.
        while self.prefixes.last().is_some_and(|(declared, _)| *declared >= self.open.len()) {
            self.prefixes.pop();
        }
    }

    fn end(self) -> Result<Found, Unreadable> {
        if self.has_root && !self.is_inside() { Ok(self.found) } else { Err(NOT_XML) }
    }
}

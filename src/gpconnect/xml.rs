//! The elements of an answer in XML, for those who look for a few of them by their place. Bodies of
//! requests, which are judged, have a stricter reader in [`crate::body`].

use std::{borrow::Cow, mem};

use quick_xml::{
    XmlVersion,
    events::{BytesStart, Event},
    reader::Reader,
};

/// How many elements may stand around one that is handed out. Nobody looks deeper, and of what is
/// nested deeper nothing is kept.
const DEEPEST: usize = 4;

/// Hands out each element, with the names of those around it as they are written, the outermost
/// first, until `each` ends it. Tells whether nothing but blanks stands beside the root; none when
/// the text is not one whole document, or has a document type.
pub(crate) fn each_element(
    text: &str,
    mut each: impl FnMut(&[&str], &BytesStart<'_>) -> Option<()>,
) -> Option<bool> {
    let mut reader = Reader::from_str(text);
    let mut open = Open::default();
    let mut is_alone = true;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                open.meet(&start, &mut each)?;
                open.push(start);
            }
            Event::Empty(start) => open.meet(&start, &mut each)?,
            // The reader has compared its name.
            Event::End(_) => open.pop(),
            Event::DocType(_) => return None,
            Event::Text(text) => is_alone &= open.is_inside() || text.trim_ascii().is_empty(),
            Event::Eof => return (open.has_root && !open.is_inside()).then_some(is_alone),
            Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

/// What the attribute `value` says, in which FHIR has its texts.
pub(crate) fn value<'s>(start: &'s BytesStart<'_>) -> Option<Cow<'s, str>> {
    let mut attributes = start.attributes().filter_map(Result::ok);
    let value = attributes.find(|attribute| attribute.key.as_ref() == "value")?;
    value.normalized_value(XmlVersion::Implicit1_0).ok()
}

/// The elements that are open.
#[derive(Default)]
struct Open<'t> {
    around: Vec<BytesStart<'t>>,
    /// How many more there are within those.
    deeper: usize,
    has_root: bool,
}

impl<'t> Open<'t> {
    const fn is_inside(&self) -> bool {
        !self.around.is_empty()
    }

    fn meet(
        &mut self,
        start: &BytesStart<'t>,
        each: &mut impl FnMut(&[&str], &BytesStart<'_>) -> Option<()>,
    ) -> Option<()> {
        if !self.is_inside() && mem::replace(&mut self.has_root, true) {
            return None;
        }
        if self.deeper > 0 {
            return Some(());
        }
        let mut names = [""; DEEPEST];
        for (name, start) in names.iter_mut().zip(&self.around) {
            *name = start.name().into_inner();
        }
        each(names.get(..self.around.len())?, start)
    }

    fn push(&mut self, start: BytesStart<'t>) {
        if self.around.len() < DEEPEST {
            self.around.push(start);
        } else {
            self.deeper += 1;
        }
    }

    fn pop(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.around.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way to each element, and what came of the whole.
    fn told(text: &str) -> (Vec<String>, Option<bool>) {
        let mut ways = Vec::new();
        let end = each_element(text, |around, start| {
            ways.push([around, &[start.name().into_inner()]].concat().join("/"));
            Some(())
        });
        (ways, end)
    }

    #[test]
    fn an_element_has_those_around_it() {
        let (ways, end) = told("<?xml version=\"1.0\"?>\n<a><f:b><c/></f:b>x<d></d></a>\n");
        assert_eq!(ways, ["a", "a/f:b", "a/f:b/c", "a/d"]);
        assert_eq!(end, Some(true));
        let (ways, end) = told("<a><b><c><d><e><f/></e><g/></d></c></b><h/></a>");
        let deepest = ["a/b/c/d", "a/b/c/d/e", "a/b/c/d/g", "a/h"];
        assert_eq!(ways, [&["a", "a/b", "a/b/c"][..], &deepest].concat());
        assert_eq!(end, Some(true));
    }

    #[test]
    fn a_text_is_one_whole_document() {
        for (text, expected) in [
            ("<a/>", Some(true)),
            ("<a/>x", Some(false)),
            ("x<a/>", Some(false)),
            ("", None),
            ("x", None),
            ("<a>", None),
            ("<a><b></a>", None),
            ("<a/><b/>", None),
            ("<!DOCTYPE a><a/>", None),
        ] {
            assert_eq!(told(text).1, expected, "{text}");
        }
        assert_eq!(each_element("<a/>", |_, _| None), None, "who wants no more of it ends it");
    }
}

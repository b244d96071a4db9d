//! What an operator should know of certificates and lists that can be used: those that end soon.

use super::certificate::Expiry;

const DAY: i64 = 86_400;
/// A new certificate takes weeks to be had.
const SOON: i64 = 30;

/// What to say of something that ends, `now` being seconds since 1970 UTC.
pub fn warning(expiry: &Expiry, now: i64) -> Option<String> {
    let Expiry { kind, file, subject, at } = expiry;
    let (file, left) = (file.path.display(), at.saturating_sub(now));
    let is_list = *kind == "revocation_list";
    if left < 0 && is_list {
        return Some(format!(
            "{file}: the revocation list of {subject} ran out {}; what was revoked since is not \
             known: fetch the new list",
            ago(-left)
        ));
    }
    if left < 0 {
        return Some(format!("{file}: the {kind} {subject} ended {}; replace it", ago(-left)));
    }
    // Lists are replaced daily or weekly: only their end is news.
    let days = left / DAY;
    let is_soon = !is_list && days < SOON;
    is_soon.then(|| format!("{file}: the {kind} {subject} ends in {days} days; replace it"))
}

fn ago(seconds: i64) -> String {
    match seconds / DAY {
        0 => String::from("today"),
        1 => String::from("a day ago"),
        days => format!("{days} days ago"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Document, Notebook, Section, TlsFile};

    #[test]
    fn what_ends_soon_is_told() {
        let notebook = Notebook::default();
        let document = Document::parse("gateway.toml", "", &notebook);
        let place = Section::read(&document, &[], &notebook, |root| root.place());
        let file = TlsFile { path: PathBuf::from("own.pem"), key: String::from("key"), place };
        let now = 1_000_000;
        for (name, kind, at, expected) in [
            ("good for long", "certificate", now + 30 * DAY, None),
            ("thirty days", "certificate", now + 30 * DAY - 1, Some("ends in 29 days")),
            ("the last day", "authority", now + 1, Some("ends in 0 days")),
            ("ended", "certificate", now - 1, Some("ended today")),
            ("ended before", "certificate", now - 3 * DAY, Some("ended 3 days ago")),
            ("a list of today", "revocation_list", now + 1, None),
            ("an old list", "revocation_list", now - DAY, Some("ran out a day ago")),
        ] {
            let subject = String::from("CN=Example");
            let told = warning(&Expiry { kind, file: file.clone(), subject, at }, now);
            match (told, expected) {
                (Some(told), Some(expected)) => assert!(told.contains(expected), "{name}: {told}"),
                (told, expected) => assert_eq!(told.as_deref(), expected, "{name}"),
            }
        }
    }
}

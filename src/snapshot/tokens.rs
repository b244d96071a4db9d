//! Who may call the admin API over TCP: a file with one line a token.
//!
//! ```text
//! # name      roles           SHA-256 of the token
//! grafana     read            9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! duty-desk   operate,audit   60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
//! ```
//!
//! The file holds hashes, so that a copy of it, as in a backup, lets nobody in. A plain hash is enough
//! because tokens are 256 random bits: only texts of the form that [`make`] gives are looked up.

use std::{fmt, fs, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{memcmp, rand::rand_bytes, sha::sha256};

use crate::config::{Fingerprint, Label, read_file};

/// How a token begins.
const START: &str = "gpcg_";

/// What a caller of the admin API may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look.
    Read,
    /// Change; who may, may look too.
    Operate,
    /// Search the journal.
    Audit,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Operate, Self::Audit];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Audit => "audit",
        }
    }
}

/// Several roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Every role.
    pub const ALL: Self = Self(7);

    /// Reads roles that are separated by commas.
    ///
    /// # Errors
    /// The word that is no role.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut roles = Self::default();
        for word in text.split(',') {
            let role = Role::ALL.into_iter().find(|role| role.as_str() == word);
            let role = role.ok_or_else(|| {
                let what = if word.is_ascii() && word.len() < 20 { word } else { "something else" };
                format!("found {what} where a role was expected: read, operate, audit")
            })?;
            roles.0 |= 1 << role as u8;
        }
        Ok(roles)
    }

    /// Whether a role is among them.
    pub const fn allow(self, role: Role) -> bool {
        let operates = self.0 >> Role::Operate as u8 & 1 == 1;
        self.0 >> role as u8 & 1 == 1 || (operates && matches!(role, Role::Read))
    }
}

/// Somebody with a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name that the journal has for it.
    pub name: String,
    /// What it may do.
    pub roles: Roles,
    sha256: [u8; 32],
}

impl fmt::Debug for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:?}", self.name, self.roles)
    }
}

/// The holders of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Holder>);

impl Tokens {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// What is wrong with it, as it may follow the file's name.
    pub fn open(path: &Path) -> Result<Self, String> {
        let text = read_file(path)?;
        let mode = fs::metadata(path).map_or(0, |about| about.permissions().mode());
        if mode & 0o027 != 0 {
            return Err(format!("can be reached by others; chmod 600 {}", path.display()));
        }
        Self::read(&text)
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut holders = Vec::<Holder>::new();
        let lines = (1..).zip(text.lines().map(str::trim));
        for (number, line) in lines.filter(|(_, it)| !it.is_empty() && !it.starts_with('#')) {
            let holder = holder(line).map_err(|why| format!("line {number}: {why}"))?;
            if holders.iter().any(|other| other.name == holder.name) {
                return Err(format!("line {number}: {} stands in it twice", holder.name));
            }
            holders.push(holder);
        }
        if holders.is_empty() {
            let how = "gpconnect-gateway admin token --name NAME --role read makes a line";
            return Err(format!("names nobody; {how}"));
        }
        Ok(Self(holders))
    }

    /// Whose token this is. Takes as long whoever's it is, and whether it is anybody's.
    pub fn holder(&self, token: &str) -> Option<&Holder> {
        let random = token.strip_prefix(START)?;
        let is_random = URL_SAFE_NO_PAD.decode(random).is_ok_and(|bytes| bytes.len() == 32);
        let shown = sha256(token.as_bytes());
        let mut found = None;
        for holder in &self.0 {
            if memcmp::eq(&holder.sha256, &shown) {
                found = Some(holder);
            }
        }
        found.filter(|_| is_random)
    }
}

fn holder(line: &str) -> Result<Holder, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(roles), Some(hash), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(String::from("expected a name, roles and a SHA-256, separated by blanks"));
    };
    // What may be a token by mistake is not shown.
    let name = name.parse::<Label>().map_err(|fault| format!("the name: {fault}"))?.to_string();
    let roles = Roles::read(roles)?;
    let sha256 = hash.parse::<Fingerprint>().map_err(|_other| {
        String::from("expected the SHA-256 of the token as its third word, 64 hexadecimal digits")
    });
    Ok(Holder { name, roles, sha256: sha256?.0 })
}

/// Makes a token, and the line of the file that lets its holder in.
///
/// # Errors
/// When the system has no randomness to give.
pub fn make(name: &Label, roles: Roles) -> Result<(String, String), openssl::error::ErrorStack> {
    let mut random = [0; 32];
    rand_bytes(&mut random)?;
    let token = [START, &URL_SAFE_NO_PAD.encode(random)].concat();
    let digits = sha256(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let has = |role: &Role| roles.0 >> *role as u8 & 1 == 1;
    let roles: Vec<_> = Role::ALL.iter().filter(|it| has(it)).map(|it| it.as_str()).collect();
    let line = [name.to_string(), roles.join(","), digits].join(" ");
    Ok((token, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lets_its_holder_in_and_nobody_else() {
        let (one, first) = make(&"one".parse().unwrap(), Roles::read("read").unwrap()).unwrap();
        let (two, second) =
            make(&"two".parse().unwrap(), Roles::read("audit,operate").unwrap()).unwrap();
        let tokens = Tokens::read(&format!("# who\n\n{first}\n{second}\n")).unwrap();
        let name = |token: &str| tokens.holder(token).map(|holder| holder.name.as_str());
        assert_eq!((name(&one), name(&two)), (Some("one"), Some("two")));
        let (random, shorter) =
            (one.strip_prefix(START).unwrap(), one.get(..one.len() - 1).unwrap());
        for wrong in ["", START, random, shorter, &format!("{one} "), &format!("{shorter}!")] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_word_that_somebody_chose_is_no_token() {
        let digits: String =
            sha256(b"gpcg_secret").iter().map(|byte| format!("{byte:02x}")).collect();
        let tokens = Tokens::read(&format!("weak read {digits}")).unwrap();
        assert_eq!(tokens.holder("gpcg_secret"), None);
    }

    #[test]
    fn roles_are_apart_but_who_operates_may_look() {
        for (text, expected) in [
            ("read", [true, false, false]),
            ("operate", [true, true, false]),
            ("audit", [false, false, true]),
            ("read,operate,audit", [true, true, true]),
        ] {
            let roles = Roles::read(text).unwrap();
            assert_eq!(Role::ALL.map(|role| roles.allow(role)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_no_token_is_shown() {
        let hash = "0f".repeat(32);
        let secret = "gpcg_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (name, text, expected) in [
            ("empty", String::new(), "names nobody"),
            ("comments", String::from("# a\n\n"), "names nobody"),
            ("two words", format!("a {hash}"), "line 1: expected a name, roles and a SHA-256"),
            ("no role", format!("\na root {hash}"), "line 2: found root where a role was expected"),
            ("a token", format!("a read {secret}"), "line 1: expected the SHA-256"),
            ("a token first", format!("{secret}/ read {hash}"), "line 1: the name"),
            ("twice", format!("a read {hash}\na audit {hash}"), "line 2: a stands in it twice"),
        ] {
            let fault = Tokens::read(&text).unwrap_err();
            assert!(fault.starts_with(expected), "{name}: {fault}");
            assert!(!fault.contains(secret), "{name}: {fault}");
        }
    }
}

//! Signed notes (c2sp.org/signed-note): a text and the Ed25519 signature of a named key. The keys
//! are written as the tools of that format write them, so that these can check what we sign.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::{
    error::ErrorStack,
    pkey::{Id, PKey, Private, Public},
    sign,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The type of an Ed25519 key among those of signed notes.
const ED25519: u8 = 1;
const PRIVATE: &str = "PRIVATE+KEY+";

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// It has another form.
    #[error("expected {0}+<name>+<8 hexadecimal digits>+<base64>")]
    Form(&'static str),
    /// Its hash is not that of its name and key.
    #[error("its hash does not fit its name and key: it was cut or changed")]
    Hash,
    /// It is of another algorithm.
    #[error("expected an Ed25519 key")]
    Kind,
}

/// A key that signs, with the name that it signs under.
pub struct Signer {
    name: String,
    id: [u8; 4],
    key: PKey<Private>,
}

/// Without the key.
impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({})", self.name)
    }
}

/// A key that checks.
#[derive(Clone)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
    key: PKey<Public>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Verifier({self})")
    }
}

/// Whether a text may be the name of a key: not empty, without blanks and `+`.
pub fn is_name(text: &str) -> bool {
    let is_bad = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
    !text.is_empty() && !text.chars().any(is_bad)
}

fn id(name: &str, public: &[u8]) -> [u8; 4] {
    let hash = Sha256::new_with_prefix(name).chain_update([b'\n', ED25519]).chain_update(public);
    let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
    [a, b, c, d]
}

/// The parts of a written key: its name, the hash that it claims, and its 32 bytes.
fn parts(text: &str, prefix: &'static str) -> Result<(String, [u8; 4], [u8; 32]), NotAKey> {
    let form = NotAKey::Form(if prefix.is_empty() { "" } else { "PRIVATE+KEY" });
    let text = text.trim().strip_prefix(prefix).ok_or(form)?;
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(form);
    };
    let hash = (hash.len() == 8).then(|| u32::from_str_radix(hash, 16)).ok_or(form)?;
    let key = Zeroizing::new(STANDARD.decode(key).or(Err(form))?);
    let (Ok(hash), true) = (hash, is_name(name)) else { return Err(form) };
    match key.split_first() {
        Some((&ED25519, key)) => {
            Ok((name.to_owned(), hash.to_be_bytes(), key.try_into().or(Err(form))?))
        }
        Some(_) => Err(NotAKey::Kind),
        None => Err(form),
    }
}

impl Signer {
    /// Makes a new key, as its file holds it.
    ///
    /// # Errors
    /// When OpenSSL has no randomness.
    pub fn generate(name: &str) -> Result<Zeroizing<String>, ErrorStack> {
        let key = PKey::generate_ed25519()?;
        let hash = u32::from_be_bytes(id(name, &key.raw_public_key()?));
        let seed = Zeroizing::new([&[ED25519], key.raw_private_key()?.as_slice()].concat());
        let seed = Zeroizing::new(STANDARD.encode(&*seed));
        Ok(Zeroizing::new(format!("{PRIVATE}{name}+{hash:08x}+{}", *seed)))
    }

    /// Reads a key from the text of its file.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn read(text: &str) -> Result<Self, NotAKey> {
        let (name, claimed, seed) = parts(text, PRIVATE)?;
        let seed = Zeroizing::new(seed);
        let key = PKey::private_key_from_raw_bytes(&*seed, Id::ED25519).or(Err(NotAKey::Kind))?;
        let public = key.raw_public_key().or(Err(NotAKey::Kind))?;
        let id = id(&name, &public);
        (claimed == id).then_some(Self { name, id, key }).ok_or(NotAKey::Hash)
    }

    /// The name that it signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What checks its signatures.
    ///
    /// # Errors
    /// When OpenSSL can't give the public key.
    pub fn verifier(&self) -> Result<Verifier, ErrorStack> {
        let raw = self.key.raw_public_key()?;
        let key = PKey::public_key_from_raw_bytes(&raw, Id::ED25519)?;
        let public = raw.try_into().unwrap_or_default();
        Ok(Verifier { name: self.name.clone(), id: self.id, public, key })
    }

    /// The signed note of a text, which ends in a line end.
    ///
    /// # Errors
    /// When OpenSSL can't sign.
    pub fn sign(&self, text: &str) -> Result<String, ErrorStack> {
        let mut signer = sign::Signer::new_without_digest(&self.key)?;
        let signature = signer.sign_oneshot_to_vec(text.as_bytes())?;
        let signature = STANDARD.encode([self.id.as_slice(), &signature].concat());
        Ok(format!("{text}\n— {} {signature}\n", self.name))
    }
}

impl Verifier {
    /// Reads a key from the text that [`fmt::Display`] prints.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn read(text: &str) -> Result<Self, NotAKey> {
        let (name, claimed, public) = parts(text, "")?;
        let id = id(&name, &public);
        let key = PKey::public_key_from_raw_bytes(&public, Id::ED25519).or(Err(NotAKey::Kind))?;
        (claimed == id).then_some(Self { name, id, public, key }).ok_or(NotAKey::Hash)
    }

    /// Whether a signature line of ours stands under `text`; none when it is of another key.
    fn judges(&self, text: &str, line: &str) -> Option<bool> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (id, signature) = bytes.split_at_checked(4)?;
        if name != self.name || id != self.id {
            return None;
        }
        let verified = sign::Verifier::new_without_digest(&self.key)
            .and_then(|mut verifier| verifier.verify_oneshot(signature, text.as_bytes()));
        Some(verified.unwrap_or_default())
    }
}

/// As a file of public keys holds it.
impl fmt::Display for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = u32::from_be_bytes(self.id);
        let key = STANDARD.encode([&[ED25519], self.public.as_slice()].concat());
        write!(out, "{}+{hash:08x}+{key}", self.name)
    }
}

/// Why a note is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// It has another form.
    #[error("is no signed note")]
    Form,
    /// No known key has signed it.
    #[error("is not signed by a key that is known here")]
    Unknown,
    /// The signature of a known key is of another text.
    #[error("has a forged signature")]
    Forged,
}

/// The text of a note that one of the keys has signed.
///
/// # Errors
/// [`NotSigned`].
pub fn open<'n>(note: &'n str, keys: &[Verifier]) -> Result<&'n str, NotSigned> {
    let end = note.rfind("\n\n").ok_or(NotSigned::Form)?;
    let (text, signatures) = note.split_at_checked(end + 1).ok_or(NotSigned::Form)?;
    let mut found = false;
    for line in signatures.trim_start_matches('\n').lines() {
        for key in keys {
            match key.judges(text, line) {
                Some(false) => return Err(NotSigned::Forged),
                Some(true) => found = true,
                None => {}
            }
        }
    }
    found.then_some(text).ok_or(NotSigned::Unknown)
}

/// The notes that stand one behind the other in a file. What follows the last whole one, such as a
/// line that was torn when it was written, comes last.
pub fn split(text: &str) -> (Vec<&str>, &str) {
    let mut notes = Vec::new();
    let mut rest = text.trim_start_matches('\n');
    while let Some(blank) = rest.find("\n\n") {
        let signatures = rest.get(blank + 2..).unwrap_or_default();
        let signed: usize = signatures
            .split_inclusive('\n')
            .take_while(|line| line.starts_with("— ") && line.ends_with('\n'))
            .map(str::len)
            .sum();
        let Some((note, behind)) = rest.split_at_checked(blank + 2 + signed) else { break };
        if signed == 0 {
            break;
        }
        notes.push(note);
        rest = behind.trim_start_matches('\n');
    }
    (notes, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note and its key as another tool of the format made them (c2sp.org/signed-note).
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_of_another_tool_is_believed() {
        let key = Verifier::read(KEY).unwrap();
        assert_eq!(key.to_string(), KEY);
        assert!(open(NOTE, std::slice::from_ref(&key)).unwrap().ends_with("problem is.\n"));
        assert_eq!(open(&NOTE.replace("know", "knew"), &[key]), Err(NotSigned::Forged));
    }

    #[test]
    fn what_we_sign_is_believed_by_our_key_alone() {
        let signer = |name| Signer::read(&Signer::generate(name).unwrap()).unwrap();
        let (ours, other) = (signer("gateway.example/audit"), signer("gateway.example/audit"));
        let note = ours.sign("one\ntwo\n").unwrap();
        let key = |signer: &Signer| signer.verifier().unwrap();
        assert_eq!(open(&note, &[key(&other), key(&ours)]), Ok("one\ntwo\n"));
        assert_eq!(open(&note, &[key(&other)]), Err(NotSigned::Unknown));
        assert_eq!(open("one\n", &[key(&ours)]), Err(NotSigned::Form));
        let two = format!("{note}{note}");
        assert_eq!(split(&two), (vec![&*note, &*note], ""));
        let torn = two.get(..two.len() - 9).unwrap();
        assert_eq!(split(torn), (vec![&*note], torn.get(note.len()..).unwrap()));
    }

    #[test]
    fn a_damaged_key_is_no_key() {
        let good = Signer::generate("a.example").unwrap();
        let last = good.len() - 2;
        for (name, text, fault) in [
            ("public in place of private", KEY.to_owned(), NotAKey::Form("PRIVATE+KEY")),
            ("cut", good.get(..last).unwrap().to_owned(), NotAKey::Form("PRIVATE+KEY")),
            ("another name", good.replace("a.example", "b.example"), NotAKey::Hash),
        ] {
            assert_eq!(Signer::read(&text).unwrap_err(), fault, "{name}");
        }
        assert_eq!(Verifier::read("x").unwrap_err(), NotAKey::Form(""));
        assert!(is_name("gateway.example/audit") && !is_name("a b") && !is_name("a+b"));
    }
}

//! Sealing to public keys in the age format (age-encryption.org/v1) with X25519 recipients, so that
//! a security team makes its keys with the tools that it has, and opens what we sealed with them.
//!
//! Only what a journal needs is here: small secrets, sealed to several keys, each of whose owners
//! can open them alone. The primitives are OpenSSL's.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use bech32::{Bech32, Hrp};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use openssl::{
    derive::Deriver,
    error::ErrorStack,
    pkey::{Id, PKey, Private},
    rand::rand_bytes,
    symm::{Cipher, decrypt_aead, encrypt_aead},
};
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: &str = "age-encryption.org/v1";
const STANZA: &str = "-> X25519 ";
const TAG: usize = 16;
/// The nonce of the only part of a small secret: number 0, and the mark of the last.
const LAST: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

type Secret = Zeroizing<[u8; 32]>;

/// Whom something is sealed to: `age1...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

/// Who can open it: `AGE-SECRET-KEY-1...`.
pub struct Identity {
    key: PKey<Private>,
    public: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Identity(of {})", Recipient(self.public))
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}, as age-keygen prints it")]
pub struct NotAKey(&'static str);

/// Why something can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// It has another form.
    #[error("is not in the age format with X25519 keys")]
    Form,
    /// It is sealed to others.
    #[error("is not sealed to this key")]
    NotForThisKey,
    /// It was changed.
    #[error("was changed after it was sealed")]
    Changed,
}

fn bytes(text: &str, kind: &str) -> Option<Secret> {
    let (found, bytes) = bech32::decode(text.trim()).ok()?;
    let bytes = Zeroizing::new(bytes);
    let right = found == Hrp::parse(kind).ok()?;
    right.then(|| bytes.as_slice().try_into().ok()).flatten().map(Zeroizing::new)
}

impl FromStr for Recipient {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bytes = bytes(text, "age").ok_or(NotAKey("a public key, age1..."))?;
        Ok(Self(*bytes))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hrp = Hrp::parse("age").or(Err(fmt::Error))?;
        out.write_str(&bech32::encode_lower::<Bech32>(hrp, &self.0).or(Err(fmt::Error))?)
    }
}

impl FromStr for Identity {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let refusal = NotAKey("a secret key, AGE-SECRET-KEY-1...");
        let secret = bytes(text, "age-secret-key-").ok_or(refusal)?;
        let key = PKey::private_key_from_raw_bytes(&*secret, Id::X25519).or(Err(refusal))?;
        let public = key.raw_public_key().or(Err(refusal))?;
        Ok(Self { key, public: public.try_into().or(Err(refusal))? })
    }
}

impl Identity {
    /// Makes a new key: what its file holds, and whom to seal to.
    ///
    /// # Errors
    /// When OpenSSL has no randomness.
    pub fn generate() -> Result<(Zeroizing<String>, Recipient), ErrorStack> {
        let key = PKey::generate_x25519()?;
        let secret = Zeroizing::new(key.raw_private_key()?);
        let hrp = Hrp::parse_unchecked("age-secret-key-");
        // Text of this length can always be written.
        let text = bech32::encode_upper::<Bech32>(hrp, &secret).unwrap_or_default();
        let public = key.raw_public_key()?.try_into().unwrap_or_default();
        Ok((Zeroizing::new(text), Recipient(public)))
    }

    /// Opens what was sealed to this key.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let end = sealed.windows(5).position(|five| five == b"\n--- ").ok_or(NotOpened::Form)?;
        let (head, rest) = sealed.split_at_checked(end + 4).ok_or(NotOpened::Form)?;
        let line = rest.iter().position(|byte| *byte == b'\n').ok_or(NotOpened::Form)?;
        let (mac, payload) = rest.split_at_checked(line).ok_or(NotOpened::Form)?;
        let mac = BASE64.decode(mac.trim_ascii()).or(Err(NotOpened::Form))?;
        let text = str::from_utf8(head).or(Err(NotOpened::Form))?;
        let file_key = self.file_key(text)?;
        if header_mac(&file_key, head).verify_slice(&mac).is_err() {
            return Err(NotOpened::Changed);
        }
        let payload = payload.get(1..).unwrap_or_default();
        let (nonce, payload) = payload.split_at_checked(16).ok_or(NotOpened::Form)?;
        let key = derive(&file_key, nonce, b"payload");
        open_part(&key, &LAST, payload).ok_or(NotOpened::Changed)
    }

    /// The key of the file, from the stanza that is for us.
    fn file_key(&self, head: &str) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let mut lines = head.lines();
        if lines.next() != Some(VERSION) {
            return Err(NotOpened::Form);
        }
        while let Some(line) = lines.next() {
            let Some(share) = line.strip_prefix(STANZA) else { continue };
            let share = BASE64.decode(share).or(Err(NotOpened::Form))?;
            let body = lines.next().and_then(|body| BASE64.decode(body).ok());
            let (Ok(share), Some(body)) = (<[u8; 32]>::try_from(share), body) else {
                return Err(NotOpened::Form);
            };
            let shared = agree(&self.key, &share).or(Err(NotOpened::Form))?;
            let key = wrapping_key(&shared, &share, &self.public);
            if let Some(file_key) = open_part(&key, &[0; 12], &body) {
                return Ok(file_key);
            }
        }
        Err(NotOpened::NotForThisKey)
    }
}

/// Seals a small secret, of up to 64 KiB, so that each recipient can open it alone.
///
/// # Errors
/// When OpenSSL fails, for instance for lack of randomness.
pub fn seal(secret: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, ErrorStack> {
    let mut file_key = Zeroizing::new([0; 16]);
    rand_bytes(&mut *file_key)?;
    let mut sealed = format!("{VERSION}\n").into_bytes();
    for Recipient(public) in recipients {
        let own = PKey::generate_x25519()?;
        let share = <[u8; 32]>::try_from(own.raw_public_key()?).unwrap_or_default();
        let key = wrapping_key(&agree(&own, public)?, &share, public);
        let body = seal_part(&key, &[0; 12], &*file_key)?;
        let stanza = format!("{STANZA}{}\n{}\n", BASE64.encode(share), BASE64.encode(body));
        sealed.extend_from_slice(stanza.as_bytes());
    }
    sealed.extend_from_slice(b"---");
    let mac = header_mac(&*file_key, &sealed).finalize().into_bytes();
    sealed.extend_from_slice(format!(" {}\n", BASE64.encode(mac)).as_bytes());
    let mut nonce = [0; 16];
    rand_bytes(&mut nonce)?;
    sealed.extend_from_slice(&nonce);
    sealed.extend(seal_part(&derive(&*file_key, &nonce, b"payload"), &LAST, secret)?);
    Ok(sealed)
}

fn agree(own: &PKey<Private>, other: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let other = PKey::public_key_from_raw_bytes(other, Id::X25519)?;
    let mut deriver = Deriver::new(own)?;
    // OpenSSL refuses a key with which everybody would agree on nothing but zeros.
    deriver.set_peer(&other)?;
    deriver.derive_to_vec().map(Zeroizing::new)
}

fn wrapping_key(shared: &[u8], share: &[u8; 32], recipient: &[u8; 32]) -> Secret {
    derive(shared, &[*share, *recipient].concat(), b"age-encryption.org/v1/X25519")
}

fn derive(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Secret {
    let mut key = Zeroizing::new([0; 32]);
    // 32 bytes are less than this function can give.
    Hkdf::<Sha256>::new(Some(salt), secret).expand(purpose, &mut *key).unwrap_or_default();
    key
}

fn header_mac(file_key: &[u8], head: &[u8]) -> Hmac<Sha256> {
    let key = derive(file_key, &[], b"header");
    // A key that is shorter than a block is one with zeros behind it (RFC 2104).
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block.iter_mut().zip(*key).for_each(|(place, byte)| *place = byte);
    <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block).chain_update(head)
}

fn seal_part(key: &Secret, nonce: &[u8; 12], part: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut tag = [0; TAG];
    let cipher = Cipher::chacha20_poly1305();
    let mut sealed = encrypt_aead(cipher, &**key, Some(nonce), &[], part, &mut tag)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

fn open_part(key: &Secret, nonce: &[u8; 12], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (part, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
    let cipher = Cipher::chacha20_poly1305();
    decrypt_aead(cipher, &**key, Some(nonce), &[], part, tag).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "AGE-SECRET-KEY-10Q04LX2CQTZ8LMSGGPNMH6XY4R2F7F969YAN5LQ6KL6VRKL6VFCQUNLYNQ";
    const PUBLIC: &str = "age1j6rt2nap9692uqvdydhefppnccevv68km7vqc2guza0u8r6uaf9q6usz5v";
    /// Sealed to the key above by another program of the format, in base64, with a stanza of a kind
    /// that nobody knows.
    const SEALED: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBmczBoVlR6TDNGVWppQ04zWTlYdU1DWWJtRTNtL0phYjluSm5lWVFEakRRCmdZTVdoLytwS2puY1RmWkJ0cHpHYmFrNlpTTUhsY05xejJSa29ROVBaVGMKLT4gYWdzbXE0LWdyZWFzZSB5UDg9IFVxWDlsIEVyYwp0d3Y0djk2QUFtbnc3UEpzak1XdGhWTmlJeldBNE5mdXBiSURtbnN4SDJiWEVSTFVMNjUzcDlSdlovWU4rYkhPCm4vakQwWjBaeWVVNjFzbzN5MVJQZkhZVVZvWFpseUZ3NUlCc3lVSEZRSjhhUlEKLS0tIGlVN3pMcEhLWTE3NFBSbDNBUjZ3OHorRmJrMkEzNkdJa01FN3o2VlB4ZzgKo3JYi8VRqOjpzB470Y13IZ+Wog7dgSgWtTgDUSML0RXp4PJ2KEJp69aJdTK0CCqQfmpGdRCXnRiNNXCiutl/zA==";

    fn identity() -> (Identity, Recipient) {
        let (secret, recipient) = Identity::generate().unwrap();
        (secret.parse().unwrap(), recipient)
    }

    #[test]
    fn what_another_program_sealed_is_opened() {
        let identity: Identity = SECRET.parse().unwrap();
        assert_eq!(Recipient(identity.public).to_string(), PUBLIC);
        assert_eq!(PUBLIC.parse::<Recipient>().unwrap().0, identity.public);
        let sealed = base64::engine::general_purpose::STANDARD.decode(SEALED).unwrap();
        let opened = identity.open(&sealed).unwrap();
        assert_eq!(*opened, b"0123456789abcdef0123456789ABCDEF");
    }

    #[test]
    fn each_recipient_opens_it_alone_and_nobody_else() {
        let ((one, to_one), (two, to_two), (three, _)) = (identity(), identity(), identity());
        let sealed = seal(b"a data key", &[to_one, to_two]).unwrap();
        assert_eq!(*one.open(&sealed).unwrap(), b"a data key");
        assert_eq!(*two.open(&sealed).unwrap(), b"a data key");
        assert!(matches!(three.open(&sealed), Err(NotOpened::NotForThisKey)));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(one.open(&changed).is_err(), "byte {at}");
            assert!(one.open(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        for text in ["", "age1", PUBLIC.get(..60).unwrap(), &PUBLIC.replace('q', "p"), SECRET] {
            assert!(text.parse::<Recipient>().is_err(), "{text}");
        }
        assert!(PUBLIC.parse::<Identity>().is_err());
        assert!(!format!("{:?}", SECRET.parse::<Identity>()).contains("SECRET"));
    }
}

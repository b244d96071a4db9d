//! What authorities have revoked, looked up. The library can do it too, but proves the signature of
//! every list anew in every handshake, once for each certificate of a chain: a tenth of what the
//! handshake costs. Here each list was proved when it was read.

use std::sync::Arc;

use openssl::{
    stack::StackRef,
    x509::{CrlStatus, X509, X509Crl, X509Ref},
};

use super::refused::openssl_codes::{CERT_REVOKED, UNABLE_TO_GET_CRL};

/// Beside each authority the lists that it signed.
pub(super) struct Revoked(Vec<(X509, Vec<Arc<X509Crl>>)>);

impl Revoked {
    /// None when a list is of a kind that only the library reads right. Each list is to be signed
    /// by an authority with the name of its issuer.
    pub(super) fn of(authorities: &[X509], lists: &[Arc<X509Crl>]) -> Option<Self> {
        if !lists.iter().all(|list| is_plain(list)) {
            return None;
        }
        let own = |authority: &X509| {
            let key = authority.public_key().ok()?;
            let signed = |list: &&Arc<X509Crl>| {
                super::trust::same(list.issuer_name(), authority.subject_name())
                    && list.verify(&key).unwrap_or(false)
            };
            Some((authority.clone(), lists.iter().filter(signed).cloned().collect()))
        };
        authorities.iter().map(own).collect::<Option<_>>().map(Self)
    }

    /// Looks at each certificate of a chain, the root at its end included.
    ///
    /// # Errors
    /// With the library's code for it: one is revoked, or its issuer has no list.
    pub(super) fn check(&self, chain: &StackRef<X509>) -> Result<(), i32> {
        let mut issuers = chain.iter().skip(1).chain(chain.iter().last());
        chain.iter().try_for_each(|one| {
            let lists = issuers.next().map(|issuer| self.of_issuer(issuer)).unwrap_or_default();
            if lists.is_empty() {
                return Err(UNABLE_TO_GET_CRL);
            }
            let revokes = |list: &Arc<X509Crl>| {
                matches!(list.get_by_serial(one.serial_number()), CrlStatus::Revoked(_))
            };
            if lists.iter().any(revokes) { Err(CERT_REVOKED) } else { Ok(()) }
        })
    }

    /// The lists of an authority, whichever of its certificates is in the chain.
    fn of_issuer(&self, issuer: &X509Ref) -> &[Arc<X509Crl>] {
        let found = self.0.iter().find(|(authority, _)| is_same(authority, issuer));
        found.map(|(_, lists)| lists.as_slice()).unwrap_or_default()
    }
}

/// Whether two certificates are of one authority: by name and key.
fn is_same(one: &X509Ref, other: &X509Ref) -> bool {
    if !super::trust::same(one.subject_name(), other.subject_name()) {
        return false;
    }
    let keys = (one.public_key(), other.public_key());
    matches!(keys, (Ok(one), Ok(other)) if one.public_eq(&other))
}

/// Whether a list names certificates of its issuer alone, all that are revoked, and nothing that
/// has to be understood besides (RFC 5280, 5.2 and 5.3): there is no list of changes, none for a
/// part of the certificates, none for another issuer, and no critical extension of any kind.
fn is_plain(list: &X509Crl) -> bool {
    // Encoded: three extensions by their numbers, and a truth value.
    const DELTA: &[u8] = b"\x06\x03\x55\x1d\x1b";
    const DISTRIBUTION_POINT: &[u8] = b"\x06\x03\x55\x1d\x1c";
    const OTHER_ISSUER: &[u8] = b"\x06\x03\x55\x1d\x1d";
    const CRITICAL: &[u8] = b"\x01\x01\xff";
    let Ok(bytes) = list.to_der() else { return false };
    let holds = |part: &[u8]| memchr::memmem::find(&bytes, part).is_some();
    // The same bytes may stand within a number or a signature: then the library does the work.
    ![DELTA, DISTRIBUTION_POINT, OTHER_ISSUER, CRITICAL].into_iter().any(holds)
}

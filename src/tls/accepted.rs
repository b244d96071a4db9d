//! Callers' chains that were accepted, so that the next request with the same one costs no
//! signature.
//!
//! One entry for each certificate: whoever holds one can displace its own by sending other chains
//! with it, and nobody else's. Refusals are not kept; they cost their sender as much as us.

use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::HashMap;

use super::certificate::ClientCertificate;

/// The most certificates that are known at once; with one more, all begin anew.
const MOST: usize = 1_024;

/// What was accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) certificate: Arc<ClientCertificate>,
    /// The digest of those that led to its authority.
    pub(super) chain: [u8; 32],
    /// The last second of the certificate that ends first.
    pub(super) good_until: i64,
}

/// Accepted chains by the SHA-256 of their first certificate. Looking one up takes no lock.
#[derive(Debug, Default)]
pub(super) struct Known(ArcSwap<HashMap<[u8; 32], Accepted>>);

impl Known {
    /// What was accepted of a certificate with this very chain.
    pub(super) fn find(&self, sha256: &[u8; 32], chain: &[u8; 32]) -> Option<Accepted> {
        self.0.load().get(sha256).filter(|accepted| accepted.chain == *chain).cloned()
    }

    /// Keeps what was accepted, in place of what was known of the certificate.
    pub(super) fn note(&self, sha256: [u8; 32], accepted: &Accepted) {
        self.0.rcu(|known| {
            let is_full = known.len() >= MOST && !known.contains_key(&sha256);
            let mut known = if is_full { HashMap::new() } else { HashMap::clone(known) };
            known.insert(sha256, accepted.clone());
            known
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(chain: u8) -> Accepted {
        let certificate = ClientCertificate {
            subject: String::new(),
            host_names: Vec::new(),
            issuer: String::new(),
            serial: String::new(),
            sha256: [0; 32],
            not_after: 0,
        };
        Accepted { certificate: Arc::new(certificate), chain: [chain; 32], good_until: 0 }
    }

    #[test]
    fn a_certificate_is_known_with_its_last_chain_only() {
        let known = Known::default();
        assert!(known.find(&[1; 32], &[7; 32]).is_none());
        known.note([1; 32], &accepted(7));
        known.note([2; 32], &accepted(7));
        assert!(known.find(&[1; 32], &[7; 32]).is_some());
        assert!(known.find(&[1; 32], &[8; 32]).is_none());
        known.note([1; 32], &accepted(8));
        assert!(known.find(&[1; 32], &[7; 32]).is_none());
        assert!(known.find(&[2; 32], &[7; 32]).is_some(), "another's stays");
    }

    #[test]
    fn no_number_of_certificates_makes_it_grow() {
        let known = Known::default();
        for number in 0..3 * MOST {
            let mut sha256 = [0; 32];
            sha256[..8].copy_from_slice(&number.to_be_bytes());
            known.note(sha256, &accepted(7));
            assert!(known.find(&sha256, &[7; 32]).is_some());
            assert!(known.0.load().len() <= MOST);
        }
    }
}

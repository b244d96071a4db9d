//! Whom we believe: authorities, and what they have revoked.

use std::{cmp::Ordering, sync::Arc};

use openssl::{
    error::ErrorStack,
    ssl::SslFiletype,
    stack::{Stack, StackRef},
    x509::{
        X509, X509Crl, X509NameRef, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult,
        store::{X509Lookup, X509Store, X509StoreBuilder},
        verify::{X509VerifyFlags, X509VerifyParam},
    },
};

use super::{
    certificate::{Expiry, name, seconds},
    fault::{Fault, both},
    files,
    refused::{openssl_codes::CERT_REVOKED, word, word_of},
    revoked::Revoked,
};
use crate::config::TlsFile;

/// 112 bits: RSA of 2048 bits, no SHA-1 in signatures.
pub(super) const SECURITY_LEVEL: u32 = 2;

/// Authorities with the lists of what they have revoked.
pub(super) struct Trust {
    pub(super) authorities: Vec<X509>,
    files: Vec<(TlsFile, SslFiletype)>,
    /// The lists in DER.
    pub(super) lists: Vec<Vec<u8>>,
    pub(super) expiries: Vec<Expiry>,
    /// What they revoke; none when only the library can tell.
    pub(super) revoked: Option<Arc<Revoked>>,
}

/// A store of [`Moments::None`], and what its authorities have revoked.
pub(super) struct Verifier {
    store: X509Store,
    revoked: Option<Arc<Revoked>>,
}

/// Which moments a chain is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moments {
    /// Those in certificates and in lists.
    All,
    /// None: the caller compares those of the certificates, and a list that has run out still
    /// counts for what it lists.
    None,
}

impl Trust {
    /// Reads authorities and lists. Each authority's issuer must be there, up to a root; each list
    /// must be signed by one of them, and each must have one.
    pub(super) fn read(
        authorities: &[TlsFile],
        lists: &[TlsFile],
        now: i64,
    ) -> Result<Self, Vec<Fault>> {
        let authority_files = all(authorities, files::certificates);
        let list_files = all(lists, files::revocation_lists);
        let (authority_files, list_files) = both(authority_files, list_files)?;
        let certificates: Vec<X509> =
            authority_files.iter().flat_map(|(_, found)| found.iter().cloned()).collect();
        let mut faults = Vec::new();
        let mut expiries = Vec::new();
        for (file, found) in &authority_files {
            for authority in found {
                if !certificates.iter().any(|it| it.issued(authority) == X509VerifyResult::OK) {
                    faults.push(no_issuer(file, authority));
                }
                expiries.push(Expiry {
                    kind: "authority",
                    file: TlsFile::clone(file),
                    subject: name(authority.subject_name()),
                    at: seconds(authority.not_after()),
                });
            }
        }
        for (file, (found, _)) in &list_files {
            for list in found {
                faults.extend(check_list(file, list, &certificates, now));
                // One without a next update never ends.
                expiries.extend(list.next_update().map(|ends| Expiry {
                    kind: "revocation_list",
                    file: TlsFile::clone(file),
                    subject: name(list.issuer_name()),
                    at: seconds(ends),
                }));
            }
        }
        let listed = |authority: &X509| {
            let mut found = list_files.iter().flat_map(|(_, (found, _))| found);
            found.any(|list| same(list.issuer_name(), authority.subject_name()))
        };
        if let Some(first) = lists.first() {
            for authority in certificates.iter().filter(|one| !listed(one)) {
                let name = name(authority.subject_name());
                let problem = format!(
                    "holds no list of the authority {name}, nor does another file; add its list"
                );
                faults.push(Fault::new(first, problem));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let form = |is_pem| if is_pem { SslFiletype::PEM } else { SslFiletype::ASN1 };
        let (mut files, mut lists) = (Vec::new(), Vec::new());
        for (file, (found, is_pem)) in list_files {
            files.push((file.clone(), form(is_pem)));
            lists.extend(found.into_iter().map(Arc::new));
        }
        Ok(Self {
            revoked: Revoked::of(&certificates, &lists).map(Arc::new),
            authorities: certificates,
            lists: lists.iter().map(|list| list.to_der().unwrap_or_default()).collect(),
            files,
            expiries,
        })
    }

    /// A store that accepts what these authorities issued for a purpose. It refuses what they have
    /// revoked only when [`Self::revoked`] can't tell.
    pub(super) fn store(
        &self,
        purpose: X509PurposeId,
        moments: Moments,
    ) -> Result<X509Store, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        for authority in &self.authorities {
            store.add_cert(authority.clone())?;
        }
        let mut parameters = X509VerifyParam::new()?;
        if self.revoked.is_none() {
            let lookup = store.add_lookup(X509Lookup::file())?;
            for (file, form) in &self.files {
                lookup.load_crl_file(&file.path, *form)?;
            }
            parameters.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
        }
        if moments == Moments::None {
            parameters.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
        }
        parameters.set_purpose(purpose)?;
        parameters.set_auth_level(SECURITY_LEVEL.try_into().unwrap_or_default());
        store.set_param(&parameters)?;
        Ok(store.build())
    }

    /// What certificates are verified with outside a handshake.
    pub(super) fn verifier(&self, purpose: X509PurposeId) -> Result<Verifier, ErrorStack> {
        let store = self.store(purpose, Moments::None)?;
        Ok(Verifier { store, revoked: self.revoked.clone() })
    }
}

/// Checks a certificate, what of its chain is revoked, and the moments of all certificates up to the
/// root. Gives the last second of the one that ends first.
pub(super) fn verify(
    verifier: &Verifier,
    certificate: &X509Ref,
    others: Option<&StackRef<X509>>,
    now: i64,
) -> Result<i64, &'static str> {
    const BROKEN: &str = "it can't be checked";
    let none = Stack::new().or(Err(BROKEN))?;
    let mut context = X509StoreContext::new().or(Err(BROKEN))?;
    let others = others.unwrap_or(&none);
    let checked = context.init(&verifier.store, certificate, others, |context| {
        if !context.verify_cert()? {
            return Ok(Err(word(context.error())));
        }
        Ok(unrevoked(verifier.revoked.as_deref(), context.chain())
            .map_err(word_of)
            .and_then(|()| within(context.chain(), now)))
    });
    checked.unwrap_or(Err(BROKEN))
}

/// Whether nothing of a chain that was verified is revoked; without `revoked` the library has seen
/// to it.
///
/// # Errors
/// With the library's code.
pub(super) fn unrevoked(
    revoked: Option<&Revoked>,
    chain: Option<&StackRef<X509>>,
) -> Result<(), i32> {
    match (revoked, chain) {
        (None, _) => Ok(()),
        (Some(revoked), Some(chain)) => revoked.check(chain),
        // There is none only when nothing was verified.
        (Some(_), None) => Err(CERT_REVOKED),
    }
}

/// The last second of the certificate of a chain that ends first.
fn within(chain: Option<&StackRef<X509>>, now: i64) -> Result<i64, &'static str> {
    let mut last = i64::MAX;
    for one in chain.into_iter().flatten() {
        if seconds(one.not_before()) > now {
            return Err("it, or an authority of it, is not valid yet");
        }
        last = last.min(seconds(one.not_after()));
    }
    if last < now { Err("it, or an authority of it, has expired") } else { Ok(last) }
}

/// What each file gives, or all that is wrong with any of them.
fn all<T>(
    files: &[TlsFile],
    read: impl Fn(&TlsFile) -> Result<T, Fault>,
) -> Result<Vec<(&TlsFile, T)>, Vec<Fault>> {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for file in files {
        match read(file) {
            Ok(content) => found.push((file, content)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

fn no_issuer(file: &TlsFile, authority: &X509) -> Fault {
    let (subject, issuer) = (name(authority.subject_name()), name(authority.issuer_name()));
    let problem = format!(
        "holds the authority {subject}, but no file holds its issuer {issuer}; add the \
         authorities up to their root"
    );
    Fault::new(file, problem)
}

fn check_list(file: &TlsFile, list: &X509Crl, authorities: &[X509], now: i64) -> Option<Fault> {
    let issuer = name(list.issuer_name());
    let signed = |authority: &X509| {
        same(list.issuer_name(), authority.subject_name())
            && authority.public_key().and_then(|key| list.verify(&key)).unwrap_or(false)
    };
    let problem = if !authorities.iter().any(signed) {
        format!(
            "holds a list in the name of {issuer} that none of the authorities signed; fetch it \
             again, or add the authority"
        )
    } else if seconds(list.last_update()) > now {
        format!("holds a list of {issuer} that is not valid yet; is the clock right?")
    } else {
        return None;
    };
    Some(Fault::new(file, problem))
}

pub(super) fn same(one: &X509NameRef, other: &X509NameRef) -> bool {
    one.try_cmp(other).is_ok_and(Ordering::is_eq)
}

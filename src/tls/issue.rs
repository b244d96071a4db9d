//! A public key infrastructure of our own: for the demo and for tests, never for anything real.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path};

use openssl::{
    asn1::{Asn1Integer, Asn1Time},
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    ssl::{SslContext, SslContextBuilder, SslMethod, SslMode, SslVerifyMode},
    x509::{
        X509, X509Builder, X509Crl, X509CrlBuilder, X509Name, X509Ref, X509RevokedBuilder,
        extension::{
            AuthorityKeyIdentifier, BasicConstraints, CrlNumber, ExtendedKeyUsage, KeyUsage,
            SubjectAlternativeName, SubjectKeyIdentifier,
        },
        store::X509StoreBuilder,
    },
};

use super::server::now;

const DAY: i64 = 86_400;

/// An authority that issues certificates and lists.
pub struct Authority {
    /// Its own certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PKey<Private>,
}

/// A certificate with its key.
pub struct Issued {
    /// The certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PKey<Private>,
}

/// What a certificate is to be.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its common name.
    pub common_name: String,
    /// Its DNS names.
    pub dns_names: Vec<String>,
    /// Its key.
    pub key: KeyKind,
    /// From when on it is good, in seconds since 1970 UTC.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// On the curve P-256.
    P256,
    /// RSA of so many bits.
    Rsa(u32),
}

impl Order {
    /// A certificate for a host, good from yesterday for ninety days.
    pub fn new(host: &str) -> Self {
        let now = now();
        Self {
            common_name: host.to_owned(),
            dns_names: vec![host.to_owned()],
            key: KeyKind::P256,
            from: now - DAY,
            until: now + 90 * DAY,
        }
    }
}

impl KeyKind {
    fn make(self) -> Result<PKey<Private>, ErrorStack> {
        match self {
            Self::P256 => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
                PKey::from_ec_key(EcKey::generate(&group)?)
            }
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits)?),
        }
    }
}

impl Authority {
    /// A root of its own.
    ///
    /// # Errors
    /// When the library can't.
    pub fn root(name: &str) -> Result<Self, ErrorStack> {
        Self::make(name, None)
    }

    /// An authority below this one.
    ///
    /// # Errors
    /// When the library can't.
    pub fn below(&self, name: &str) -> Result<Self, ErrorStack> {
        Self::make(name, Some(self))
    }

    fn make(name: &str, above: Option<&Self>) -> Result<Self, ErrorStack> {
        let key = KeyKind::P256.make()?;
        let order = Order { until: now() + 3_650 * DAY, ..Order::new(name) };
        let mut builder = begin(&order, &key, above.map(|it| &*it.certificate))?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build()?;
        builder.append_extension(usage)?;
        builder.sign(above.map_or(&key, |it| &it.key), MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// Issues a certificate.
    ///
    /// # Errors
    /// When the library can't.
    pub fn issue(&self, order: &Order) -> Result<Issued, ErrorStack> {
        let key = order.key.make()?;
        let mut builder = begin(order, &key, Some(&self.certificate))?;
        finish(&mut builder, order)?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok(Issued { certificate: builder.build(), key })
    }

    /// A list of what is revoked, good from yesterday until the moment given.
    ///
    /// # Errors
    /// When the library can't.
    pub fn revocation_list(&self, revoked: &[&X509Ref], until: i64) -> Result<X509Crl, ErrorStack> {
        let mut builder = X509CrlBuilder::new()?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let yesterday = Asn1Time::from_unix(now().min(until) - DAY)?;
        builder.set_last_update(&yesterday)?;
        builder.set_next_update(&*Asn1Time::from_unix(until)?)?;
        let identifier = {
            let context = X509::builder()?;
            let context = context.x509v3_context(Some(&self.certificate), None);
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?
        };
        builder.append_extension(identifier)?;
        let number = BigNum::from_dec_str(&now().to_string())?;
        builder.append_extension(CrlNumber::new(number)?.build()?)?;
        for one in revoked {
            let mut entry = X509RevokedBuilder::new()?;
            entry.set_serial_number(one.serial_number())?;
            entry.set_revocation_date(&yesterday)?;
            builder.add_revoked(entry.build())?;
        }
        builder.sort()?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        builder.build()
    }
}

/// A certificate that nobody but itself vouches for.
///
/// # Errors
/// When the library can't.
pub fn self_signed(order: &Order) -> Result<Issued, ErrorStack> {
    let key = order.key.make()?;
    let mut builder = begin(order, &key, None)?;
    finish(&mut builder, order)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok(Issued { certificate: builder.build(), key })
}

/// What all certificates have.
fn begin(
    order: &Order,
    key: &PKey<Private>,
    issuer: Option<&X509Ref>,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*Asn1Integer::from_bn(&serial)?)?;
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COMMONNAME, &order.common_name)?;
    let name = name.build();
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(issuer.map_or(&name, |issuer| issuer.subject_name()))?;
    builder.set_not_before(&*Asn1Time::from_unix(order.from)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(order.until)?)?;
    builder.set_pubkey(key)?;
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(issuer, None))?;
    builder.append_extension(identifier)?;
    if issuer.is_some() {
        let context = builder.x509v3_context(issuer, None);
        let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(identifier)?;
    }
    Ok(builder)
}

/// What those of systems have: usable at both ends of a connection.
fn finish(builder: &mut X509Builder, order: &Order) -> Result<(), ErrorStack> {
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    let usage = KeyUsage::new().critical().digital_signature().key_encipherment().build()?;
    builder.append_extension(usage)?;
    builder.append_extension(ExtendedKeyUsage::new().client_auth().server_auth().build()?)?;
    if !order.dns_names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in &order.dns_names {
            names.dns(name);
        }
        let names = names.build(&builder.x509v3_context(None, None))?;
        builder.append_extension(names)?;
    }
    Ok(())
}

impl Issued {
    /// The TLS of a system that shows this certificate and wants one of `authority` in turn, so
    /// that a test or a demo has a provider. It knows no revocation lists.
    ///
    /// # Errors
    /// When the library can't.
    pub fn server(&self, authority: &Authority) -> Result<SslContextBuilder, ErrorStack> {
        let mut context = SslContext::builder(SslMethod::tls_server())?;
        context.set_mode(
            SslMode::AUTO_RETRY
                | SslMode::ACCEPT_MOVING_WRITE_BUFFER
                | SslMode::ENABLE_PARTIAL_WRITE,
        );
        // A test may want to show a weak one.
        context.set_security_level(0);
        context.set_certificate(&self.certificate)?;
        context.set_private_key(&self.key)?;
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(authority.certificate.clone())?;
        context.set_cert_store(store.build());
        context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        context.set_session_id_context(b"simulator")?;
        Ok(context)
    }

    /// Writes certificate and key, which only the owner may read.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn write(&self, certificate: &Path, key: &Path) -> io::Result<()> {
        replace(certificate, &self.certificate.to_pem()?)?;
        replace(key, &self.key.private_key_to_pem_pkcs8()?)
    }
}

/// Writes a file that only the owner may read, in place of any other in one step.
///
/// # Errors
/// When it can't be written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // Left over from a writer that was stopped; there need be none.
    fs::remove_file(&new).unwrap_or_default();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    io::Write::write_all(&mut file, bytes)?;
    fs::rename(&new, path)
}

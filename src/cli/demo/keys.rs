//! Authorities, certificates and keys of the demo, made anew each time, in a folder that only its
//! owner can read.

use std::{collections::BTreeSet, io, path::Path};

use openssl::ssl::SslContext;

use crate::{
    simulator::Estate,
    tls::issue::{Authority, Order, replace},
};

/// The files that a listener and an upstream of the demo name.
pub(super) const LISTENER: &str = "[listener.tls]\n\
     certificate = \"gateway.pem\"\nkey = \"gateway.key\"\n\
     client_authorities = [\"consumers-ca.pem\"]\nrevocation_lists = [\"consumers-ca.crl\"]\n";
pub(super) const UPSTREAM: &str = "[upstream.tls]\n\
     certificate = \"gateway.pem\"\nkey = \"gateway.key\"\n\
     authorities = [\"providers-ca.pem\"]\nrevocation_lists = [\"providers-ca.crl\"]\n";

const DAY: i64 = 86_400;

/// Writes them into `folder`; `consumers` have each a name for their files and a host. Gives what
/// the simulator speaks TLS with.
pub(super) fn write(
    folder: &Path,
    estate: &Estate,
    consumers: &[(&str, &str)],
) -> io::Result<SslContext> {
    let file = |name: &str| folder.join(name);
    let network = Authority::root("Demo Network")?;
    network.issue(&Order::new("localhost"))?.write(&file("gateway.pem"), &file("gateway.key"))?;
    replace(&file("gateway-ca.pem"), &network.certificate.to_pem()?)?;
    let of_consumers = Authority::root("Demo Consumers")?;
    publish(&of_consumers, folder, "consumers-ca")?;
    for (name, host) in consumers {
        let (certificate, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
        of_consumers.issue(&Order::new(host))?.write(&certificate, &key)?;
    }
    let of_providers = Authority::root("Demo Providers")?;
    publish(&of_providers, folder, "providers-ca")?;
    let hosts: BTreeSet<_> = estate
        .practices()
        .iter()
        .map(|practice| practice.service_root.host().to_string())
        .collect();
    let order = Order { dns_names: hosts.into_iter().collect(), ..Order::new("Demo Supplier") };
    Ok(of_providers.issue(&order)?.server(&network)?.build())
}

/// Writes an authority's certificate and the list of what it has revoked: nothing.
fn publish(authority: &Authority, folder: &Path, name: &str) -> io::Result<()> {
    let certificate = authority.certificate.to_pem()?;
    replace(&folder.join(format!("{name}.pem")), &certificate)?;
    let list = authority.revocation_list(&[], Order::new(name).from + 31 * DAY)?;
    replace(&folder.join(format!("{name}.crl")), &list.to_pem()?)
}

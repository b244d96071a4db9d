//! `demo`: a simulated estate, the gateway in front of it and two registered consumers, on one
//! machine, with nothing to configure and with mutual TLS on both legs.

mod keys;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Ended, log, signals::Signals, start::Running};
use crate::{
    audit,
    config::Environment,
    simulator::{self, Estate, FIRST_PRACTICE},
    snapshot::Current,
    telemetry::{Metrics, Telemetry},
};

/// The consumer whose missing headers are filled in, and the one of strict mode.
const ASSISTED: &str = "200000000359";
const TRANSPARENT: &str = "200000000360";
const HOSPITAL: &str = "RXX01";
/// The names of their files, and their hosts.
const CONSUMERS: [(&str, &str); 2] =
    [("assisted", "assist.rxx01.example"), ("transparent", "transparent.rxx01.example")];

/// Run a simulated GP estate with the gateway in front of it.
///
/// Prints commands to paste. Ends with Ctrl-C.
///
/// Example: gpconnect-gateway demo
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many practices.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    practices: usize,
    /// Where the gateway takes requests of an assisted consumer; a transparent one has the next
    /// port. 0 takes free ones.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where metrics and health are. 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    observe_port: u16,
    /// Keep the configuration, certificates and keys in this folder, to look at and to change.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Plain HTTP on both legs, in place of mutual TLS.
    #[arg(long)]
    plain: bool,
}

type Fault = Box<dyn std::error::Error>;

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match demo(arguments) {
        Ok(()) => Ended::Done,
        Err(fault) => {
            eprintln!("{fault}");
            eprintln!("If a port is taken, choose others: demo --port 18080 --observe-port 19090");
            Ended::Unable
        }
    }
}

fn demo(arguments: &Arguments) -> Result<(), Fault> {
    let estate = Arc::new(Estate::generate(1, arguments.practices));
    let runtime = Runtime::new()?;
    // Whatever ends the demo, also a closed terminal: the folder goes, it holds keys.
    let mut signals = Signals::heed()?;
    let temporary = TempDir::with_prefix("gpconnect-demo-")?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    fs::create_dir_all(folder)?;
    let folder = &folder.canonicalize()?;
    let tls = (!arguments.plain).then(|| keys::write(folder, &estate, &CONSUMERS)).transpose()?;
    let simulated = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let settings = simulator::Settings::new(Arc::clone(&estate));
        let settings = simulator::Settings { tls, ..settings };
        simulator::start(settings, listener).map(|running| (running, address))
    })?;
    let (simulator, address) = simulated;
    let (ports, held) = Ports::choose(arguments)?;
    write_configuration(folder, &estate, address, ports, arguments.plain)?;

    let keys = folder.join("audit-keys");
    if !keys.exists() {
        audit::keys::make(&keys, "demo.example/audit")?;
    }
    let file = folder.join("gateway.toml");
    let (current, _) = Current::open(&file, Environment::new([]))?;
    let log = log::open(&current.load().startup.log)?;
    let telemetry = Arc::new(Telemetry::new(Metrics::new()?, log.sink.clone(), log.style));
    let running = Running::start(current, telemetry, Arc::clone(&log.levels))?;
    drop(held);
    println!("{}", introduction(arguments, ports, folder));
    signals.wait(|| ControlFlow::Break(()));
    running.stop();
    log.sink.close();
    runtime.block_on(simulator.stop());
    Ok(())
}

#[derive(Clone, Copy)]
struct Ports {
    assisted: u16,
    transparent: u16,
    observe: u16,
}

impl Ports {
    /// Chooses them. Those that the system gave out are not given to others while they are held.
    fn choose(arguments: &Arguments) -> io::Result<(Self, Vec<Socket>)> {
        let next = if arguments.port == 0 { 0 } else { arguments.port.saturating_add(1) };
        let mut held = Vec::new();
        let ports = Self {
            assisted: free(arguments.port, &mut held)?,
            transparent: free(next, &mut held)?,
            observe: free(arguments.observe_port, &mut held)?,
        };
        Ok((ports, held))
    }
}

/// The port itself, or a free one, which is held: bound, and not listened at, so that the gateway can.
fn free(port: u16, held: &mut Vec<Socket>) -> io::Result<u16> {
    if port != 0 {
        return Ok(port);
    }
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let given = socket.local_addr()?.as_socket().map_or(0, |address| address.port());
    held.push(socket);
    Ok(given)
}

fn write_configuration(
    folder: &Path,
    estate: &Estate,
    simulator: SocketAddr,
    ports: Ports,
    plain: bool,
) -> io::Result<()> {
    fs::write(folder.join("practices.toml"), estate.directory_toml("simulator", "everyone"))?;
    fs::write(folder.join("consumers.toml"), consumers())?;
    fs::write(folder.join("gateway.toml"), gateway(simulator, ports, plain))
}

fn gateway(simulator: SocketAddr, ports: Ports, plain: bool) -> String {
    let upstream = if plain { "insecure_plain_http = true\n" } else { keys::UPSTREAM };
    let listener = |name: &str, port: u16, asid: &str| {
        let access = if plain {
            format!("insecure_plain_http = true\ninsecure_everyone_is = [\"{asid}\"]\n")
        } else {
            keys::LISTENER.to_owned()
        };
        format!(
            "[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\n\
             server_names = [\"localhost:{port}\", \"127.0.0.1:{port}\"]\n{access}\n"
        )
    };
    format!(
        "# Written by `gpconnect-gateway demo`.\n\
         # Few connections: a new machine may allow few open files.\n\
         [limits]\nconnections = 1000\n\n\
         [directory]\nfiles = [\"practices.toml\", \"consumers.toml\"]\n\n{}{}\
         [observe]\naddress = \"127.0.0.1:{}\"\n\n\
         [[upstream]]\nname = \"simulator\"\naddress = \"{simulator}\"\n{upstream}",
        listener("assisted", ports.assisted, ASSISTED),
        listener("transparent", ports.transparent, TRANSPARENT),
        ports.observe,
    )
}

fn consumers() -> String {
    let consumer = |asid: &str, mode: &str| {
        format!(
            "[[consumer]]\nasid = \"{asid}\"\norganisation = \"{HOSPITAL}\"\n\
             host_name = \"{mode}.rxx01.example\"\nparty_key = \"{HOSPITAL}-9200001\"\n\
             mode = \"{mode}\"\ninteractions = [\"1.2.7\"]\n\n"
        )
    };
    format!(
        "[[organisation]]\nods_code = \"{HOSPITAL}\"\nname = \"Example Hospital\"\n\n{}{}\
         [[agreement]]\nreference = \"DEMO-1\"\nconsumers = [\"{HOSPITAL}\"]\n\
         practices = [\"group:everyone\"]\n\
         capabilities = [\"foundations\", \"appointments\", \"structured\"]\n\n\
         [[enablement]]\npractices = [\"group:everyone\"]\ngp_connect = true\n\
         capabilities = [\"appointments\", \"structured\"]\n",
        consumer(ASSISTED, "assist"),
        consumer(TRANSPARENT, "transparent"),
    )
}

fn introduction(arguments: &Arguments, ports: Ports, folder: &Path) -> String {
    let (practices, folder) = (arguments.practices, folder.display());
    let program = std::env::current_exe()
        .map_or_else(|_| "gpconnect-gateway".to_owned(), |path| path.display().to_string());
    let scheme = if arguments.plain { "http" } else { "https" };
    let gateway = format!("{scheme}://localhost:{}", ports.assisted);
    let files = |ca: &str| match arguments.plain {
        true => String::new(),
        false => format!(
            " --cert {folder}/assisted.pem --key {folder}/assisted.key {ca} {folder}/gateway-ca.pem"
        ),
    };
    let request = format!("{program} request --gateway {gateway}{}", files("--ca"));
    let asked = format!("{request} --practice {FIRST_PRACTICE}");
    let curl = format!("curl -s{}", files("--cacert"));
    format!(
        "
{practices} simulated practices behind the gateway. Paste into another terminal:

  {asked} metadata
  {asked} find-patient --nhs-number 9000000009
  {asked} slots
  {asked} structured-record --nhs-number 9000000009

  {curl} {gateway}/{FIRST_PRACTICE}/STU3/1/gpconnect/Patient/1 \\
    -H \"Authorization: Bearer $({program} token mint --interaction read-patient --ods \
         {FIRST_PRACTICE} --organisation {HOSPITAL})\"

What is refused says why (no token; a practice that does not exist):

  {curl} {gateway}/{FIRST_PRACTICE}/STU3/1/gpconnect/Patient/1
  {request} --practice Z99999 metadata

  {gateway}                 an assisted consumer: headers that it leaves out are filled in
  {scheme}://localhost:{}                 a transparent one: the strict behaviour of the specification
  http://localhost:{}/metrics         metrics; /livez, /readyz
  {}

Who looked at whose record, and whether the journal of it is whole:

  {program} audit search {folder}/audit --reader-key {folder}/audit-keys/reader.key --kind intent
  {program} audit verify {folder}/audit --key {folder}/audit-keys/signing.pub

Each request is a line below. Ctrl-C ends it.
",
        ports.transparent,
        ports.observe,
        format_args!("{folder}/gateway.toml"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{cli::start::listen, snapshot::check};

    #[test]
    fn a_port_that_was_chosen_is_nobody_elses() {
        let arguments =
            Arguments { practices: 1, port: 0, observe_port: 0, folder: None, plain: true };
        let (mut chosen, mut all) = (HashSet::new(), Vec::new());
        for _ in 0..200 {
            let (ports, held) = Ports::choose(&arguments).unwrap();
            for port in [ports.assisted, ports.transparent, ports.observe] {
                assert!(chosen.insert(port), "{port} twice");
                listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).expect("the gateway can");
            }
            all.push(held);
        }
    }

    #[test]
    fn what_the_demo_writes_can_be_used() {
        for plain in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let estate = Estate::generate(1, 20);
            if !plain {
                keys::write(folder.path(), &estate, &CONSUMERS).unwrap();
            }
            let ports = Ports { assisted: 1, transparent: 2, observe: 3 };
            let simulator = SocketAddr::from((Ipv4Addr::LOCALHOST, 4));
            write_configuration(folder.path(), &estate, simulator, ports, plain).unwrap();
            let found = check(&folder.path().join("gateway.toml"), &Environment::new([]));
            assert!(found.mistakes.is_empty(), "{}", found.mistakes);
            assert_eq!(found.warnings.is_empty(), !plain, "{}", found.warnings);
        }
    }
}

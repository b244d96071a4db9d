//! `demo`: a simulated estate, the gateway in front of it and two registered consumers, on one
//! machine, with nothing to configure.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use tempfile::TempDir;
use tokio::{runtime::Runtime, signal::ctrl_c};

use super::{Ended, log, start::Running};
use crate::{
    config::Environment,
    simulator::{self, Estate, FIRST_PRACTICE},
    snapshot::Current,
    telemetry::{Metrics, Telemetry},
};

/// The consumer whose missing headers are filled in, and the one of strict mode.
const ASSISTED: &str = "200000000359";
const TRANSPARENT: &str = "200000000360";
const HOSPITAL: &str = "RXX01";

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
    /// Keep the configuration in this folder, to look at and to change.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
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
    let simulated = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let settings = simulator::Settings::new(Arc::clone(&estate));
        simulator::start(settings, listener).map(|running| (running, address))
    })?;
    let (simulator, address) = simulated;
    let ports = Ports::choose(arguments)?;
    let temporary = TempDir::with_prefix("gpconnect-demo-")?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    write_configuration(folder, &estate, address, ports)?;

    let file = folder.join("gateway.toml");
    let (current, _) = Current::open(&file, Environment::new([]))?;
    let log = log::open(&current.load().startup.log)?;
    let telemetry = Arc::new(Telemetry::new(Metrics::new()?, log.sink.clone(), log.style));
    let running = Running::start(current, telemetry)?;
    println!("{}", introduction(arguments.practices, ports, &file));
    runtime.block_on(ctrl_c())?;
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
    fn choose(arguments: &Arguments) -> io::Result<Self> {
        let next = if arguments.port == 0 { 0 } else { arguments.port.saturating_add(1) };
        Ok(Self {
            assisted: free(arguments.port)?,
            transparent: free(next)?,
            observe: free(arguments.observe_port)?,
        })
    }
}

/// The port itself, or one that is free at this moment.
fn free(port: u16) -> io::Result<u16> {
    match port {
        0 => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()),
        port => Ok(port),
    }
}

fn write_configuration(
    folder: &Path,
    estate: &Estate,
    simulator: SocketAddr,
    ports: Ports,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("practices.toml"), estate.directory_toml("simulator", "everyone"))?;
    fs::write(folder.join("consumers.toml"), consumers())?;
    fs::write(folder.join("gateway.toml"), gateway(simulator, ports))
}

fn gateway(simulator: SocketAddr, ports: Ports) -> String {
    let listener = |name: &str, port: u16, asid: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\n\
             server_names = [\"localhost:{port}\", \"127.0.0.1:{port}\"]\n\
             insecure_plain_http = true\ninsecure_everyone_is = [\"{asid}\"]\n\n"
        )
    };
    format!(
        "# Written by `gpconnect-gateway demo`.\n\
         # Few connections: a new machine may allow few open files.\n\
         [limits]\nconnections = 1000\n\n\
         [directory]\nfiles = [\"practices.toml\", \"consumers.toml\"]\n\n{}{}\
         [observe]\naddress = \"127.0.0.1:{}\"\n\n\
         [[upstream]]\nname = \"simulator\"\naddress = \"{simulator}\"\ninsecure_plain_http = true\n",
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

fn introduction(practices: usize, ports: Ports, file: &Path) -> String {
    let program = std::env::current_exe()
        .map_or_else(|_| "gpconnect-gateway".to_owned(), |path| path.display().to_string());
    let gateway = format!("http://localhost:{}", ports.assisted);
    let request = format!("{program} request --gateway {gateway} --practice {FIRST_PRACTICE}");
    format!(
        "
{practices} simulated practices behind the gateway. Paste into another terminal:

  {request} metadata
  {request} find-patient --nhs-number 9000000009
  {request} slots
  {request} structured-record --nhs-number 9000000009

  curl -s {gateway}/{FIRST_PRACTICE}/STU3/1/gpconnect/Patient/1 \\
    -H \"Authorization: Bearer $({program} token mint --interaction read-patient --ods \
         {FIRST_PRACTICE} --organisation {HOSPITAL})\"

What is refused says why (no token; a practice that does not exist):

  curl -s {gateway}/{FIRST_PRACTICE}/STU3/1/gpconnect/Patient/1
  {program} request --gateway {gateway} --practice Z99999 metadata

  {gateway}                 an assisted consumer: headers that it leaves out are filled in
  http://localhost:{}                 a transparent one: the strict behaviour of the specification
  http://localhost:{}/metrics         metrics; /livez, /readyz
  {}

Each request is a line below. Ctrl-C ends it.
",
        ports.transparent,
        ports.observe,
        file.display(),
    )
}

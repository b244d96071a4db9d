//! `switch`: switches off a practice, a capability, a consumer or an interaction at a gateway at work,
//! and on again.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Ended,
    admin::{
        Where,
        client::{call, members},
    },
    moment,
    output::{Output, Table, complain, print},
};

/// Switch off a practice, a capability at it, a consumer or an interaction, for a while.
///
/// Requests that it concerns are answered 403 (`switched_off`). A switch outlives a restart, ends by
/// itself, and is a record in the journal; so is who set it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Preview(Preview),
    Off(Off),
    On(On),
}

/// Show what is switched off.
///
/// Exit code: 0 when it is shown, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway switch list /var/lib/gpconnect-gateway/audit
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    gateway: Where,
    /// The form.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

/// Show what a switch would refuse, judged by the last hour.
///
/// Exit code: 0 when it is shown, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway switch preview /var/lib/gpconnect-gateway/audit --practice A20047
#[derive(Debug, Args)]
struct Preview {
    #[command(flatten)]
    gateway: Where,
    #[command(flatten)]
    what: What,
}

/// Switch something off.
///
/// Exit code: 0 when it is off, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway switch off /var/lib/gpconnect-gateway/audit --practice A20047 --until +3600 --owner "duty desk" --reason "supplier's outage"
#[derive(Debug, Args)]
struct Off {
    #[command(flatten)]
    gateway: Where,
    #[command(flatten)]
    what: What,
    /// Until when: +3600 seconds from now, or 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment::check)]
    until: String,
    /// Who is to be asked about it.
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// Why, without the name of a patient.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Switch something on again.
///
/// Exit code: 0 when it is on, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway switch on /var/lib/gpconnect-gateway/audit 0a1b2c3d --reason "outage is over"
#[derive(Debug, Args)]
struct On {
    #[command(flatten)]
    gateway: Where,
    /// The switch, as switch list shows it.
    #[arg(value_name = "ID", value_parser = id)]
    id: String,
    /// Why, without the name of a patient.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// What is meant: one of practice, consumer and interaction.
#[derive(Debug, Args)]
struct What {
    /// A practice, by its ODS code.
    #[arg(long, value_name = "ODS", group = "what")]
    practice: Option<gpconnect::names::OdsCode>,
    /// A capability at that practice alone: foundations, appointments, structured and others.
    #[arg(long, value_name = "CAPABILITY", requires = "practice", value_parser = capability)]
    capability: Option<String>,
    /// A consumer system, by its ASID.
    #[arg(long, value_name = "ASID", group = "what")]
    consumer: Option<gpconnect::names::Asid>,
    /// An interaction, as in fhir:rest:read:patient-1.
    #[arg(long, value_name = "ID", group = "what", value_parser = interaction)]
    interaction: Option<String>,
}

fn id(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_owned()).ok_or_else(|| String::from("expected an id as in 0a1b2c3d"))
}

pub(super) fn capability(text: &str) -> Result<String, String> {
    use gpconnect::interaction::Capability;
    let all = || format!("expected one of {}", Capability::ALL.map(Capability::as_str).join(", "));
    Capability::from_word(text).map(|it| it.as_str().to_owned()).ok_or_else(all)
}

pub(super) fn interaction(text: &str) -> Result<String, String> {
    use gpconnect::interaction::InteractionId;
    let fault =
        || String::from("expected the id of an interaction, as in fhir:rest:read:patient-1");
    InteractionId::from_name(text).map(|it| it.short().to_owned()).ok_or_else(fault)
}

impl What {
    fn text(&self) -> Value {
        members([
            ("practice", self.practice.map(|code| code.to_string())),
            ("capability", self.capability.clone()),
            ("consumer", self.consumer.map(|asid| asid.to_string())),
            ("interaction", self.interaction.clone()),
        ])
    }

    /// As a query: no value has a sign that must be escaped.
    fn query(&self) -> String {
        let text = self.text();
        let members = text.as_object().into_iter().flatten();
        let pair = |(name, value): (&String, &Value)| {
            format!("{name}={}", value.as_str().unwrap_or_default())
        };
        members.map(pair).collect::<Vec<_>>().join("&")
    }
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match &arguments.command {
        Command::List(list) => show(list),
        Command::Preview(Preview { gateway, what }) => {
            let path = format!("/v1/switches/preview?{}", what.query());
            gateway.call("GET", &path, None)
        }
        Command::Off(Off { gateway, what, until, owner, reason }) => {
            let until = moment::parse(until, moment::now()).and_then(moment::utc);
            let body =
                json!({ "off": what.text(), "until": until, "owner": owner, "reason": reason });
            gateway.call("POST", "/v1/switches", Some(&body))
        }
        Command::On(On { gateway, id, reason }) => {
            let body = json!({ "reason": reason });
            gateway.call("POST", &format!("/v1/switches/{id}/on"), Some(&body))
        }
    }
}

fn show(List { gateway, output }: &List) -> Ended {
    if *output == Output::Json {
        return gateway.call("GET", "/v1/switches", None);
    }
    let answer = match call(&gateway.folder, "GET", "/v1/switches", None) {
        Ok(Some(answer)) if answer.status == 200 => answer,
        // It is told as any other call is.
        _ => return gateway.call("GET", "/v1/switches", None),
    };
    let switches = answer.body.get("switches").and_then(Value::as_array);
    let switches = switches.map(Vec::as_slice).unwrap_or_default();
    if switches.is_empty() {
        complain("Nothing is switched off.");
        return Ended::Done;
    }
    let mut table = Table::new(["id", "off", "until", "owner", "reason", "by"]);
    for switch in switches {
        let text = |name: &str| switch.get(name).and_then(Value::as_str).unwrap_or_default();
        let off = switch.get("off").and_then(Value::as_object).into_iter().flatten();
        let off: Vec<_> = off.filter_map(|(_, value)| value.as_str()).collect();
        let off = off.join(" ");
        table.row([text("id"), &off, text("until"), text("owner"), text("reason"), text("by")]);
    }
    print(table.to_string().as_bytes(), Ended::Done)
}

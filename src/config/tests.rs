//! The table of keys, the reader, the schema and the documented file agree with each other.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use serde_json::Value;

use super::*;

fn gateway(text: &str, variables: &[(&str, &str)]) -> (Option<Settings>, String) {
    let notebook = Notebook::default();
    let document = Document::parse("gateway.toml", text, &notebook);
    let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    let environment = Environment::new(variables.iter().map(pair));
    let (settings, _) = read(document, &environment, Path::new("folder"), &notebook);
    let (mistakes, _) = notebook.into_findings();
    (settings.filter(|_| mistakes.is_empty()), mistakes.to_string())
}

/// What must be written.
const LEAST: &str = r#"
[directory]
files = ["practices.toml"]
[[listener]]
name = "consumers"
address = "127.0.0.1:8080"
server_names = ["localhost:8080"]
insecure_plain_http = true
insecure_everyone_is = ["200000000359"]
"#;

#[test]
fn defaults_are_as_documented() {
    let (settings, mistakes) = gateway(LEAST, &[]);
    assert_eq!(mistakes, "");
    let settings = settings.unwrap();
    assert!((1..=16).contains(&settings.server.threads));
    assert_eq!(settings.server.notice, Duration::ZERO);
    assert_eq!(settings.server.drain, Duration::from_secs(5));
    assert_eq!(settings.observe.address.to_string(), "127.0.0.1:9090");
    assert_eq!(settings.log, Log { format: LogFormat::Auto, file: None });
    assert_eq!(
        settings.limits,
        Limits {
            head_bytes: 32_768,
            headers: 100,
            target_bytes: 8_192,
            body_bytes: 65_536,
            token_bytes: 16_384,
            connections: 10_000,
            in_flight: 2_000,
        }
    );
    let seconds = Duration::from_secs;
    assert_eq!(
        settings.timeouts,
        Timeouts {
            handshake: seconds(10),
            head: seconds(10),
            body: seconds(30),
            idle: seconds(60),
            connect: seconds(2),
            query: seconds(30),
            command: seconds(10),
            consumer_stall: seconds(30),
            exchange: seconds(600),
            upstream_idle: seconds(50),
        }
    );
}

/// Every key of `keys` but those whose path begins as one of `left_out`, with its default, its
/// example, or any good value, as TOML.
fn everything(keys: &[Key], path: &str, left_out: &[&str], text: &mut String) {
    let tables = |key: &&Key| matches!(key.kind, Kind::Table(_) | Kind::Tables(_));
    let stays = |key: &&Key| {
        let path = if path.is_empty() { key.name.into() } else { format!("{path}.{}", key.name) };
        !left_out.iter().any(|start| path.starts_with(start))
    };
    let keys: Vec<_> = keys.iter().filter(stays).collect();
    for key in keys.iter().copied().filter(|key| !tables(key)) {
        let value = match (&key.absent, &key.kind) {
            (Absent::Default(value) | Absent::Mistake(value), _) => (*value).to_owned(),
            (Absent::Means(_), Kind::Consent(_)) => String::from("true"),
            (Absent::Means(_), Kind::Text(form)) if form.what.starts_with("a host") => {
                String::from("\"gp.example\"")
            }
            (Absent::Means(_), Kind::Text(form)) if form.what == "an https address" => {
                String::from("\"https://id.example/keys.json\"")
            }
            (Absent::Means(_), Kind::Text(_)) if key.name == "address" => {
                String::from("\"127.0.0.1:8080\"")
            }
            (Absent::Means(_), Kind::Text(_)) if key.name == "socket" => {
                format!("\"{}/gateway.sock\"", std::env::temp_dir().display())
            }
            (Absent::Means(_), Kind::List(..)) if key.name == "terminators" => {
                format!("[\"{}\"]", "0f".repeat(32))
            }
            (Absent::Means(_), Kind::List(..)) if key.name == "socket_uids" => {
                String::from("[\"0\", \"1000\"]")
            }
            (Absent::Means(_), Kind::List(..)) => String::from("[\"200000000359\"]"),
            (Absent::Means(_), Kind::Number(least, _)) => least.to_string(),
            (Absent::Means(_), Kind::Size(least, _)) => least.to_string(),
            (Absent::Means(_), Kind::Time(least, _)) => format!("\"{}s\"", least.as_secs()),
            (Absent::Means(_), _) => String::from("\"gateway.log\""),
        };
        text.push_str(&format!("{} = {value}\n", key.name));
    }
    for key in keys.into_iter().filter(tables) {
        let path = if path.is_empty() { key.name.into() } else { format!("{path}.{}", key.name) };
        if let Kind::Table(keys) = &key.kind {
            text.push_str(&format!("[{path}]\n"));
            everything(keys, &path, left_out, text);
        } else if let Kind::Tables(keys) = &key.kind {
            text.push_str(&format!("[[{path}]]\n"));
            everything(keys, &path, left_out, text);
        }
    }
}

#[test]
fn the_reader_takes_every_key_of_the_table() {
    // A listener speaks TLS, stands behind a terminator, of which there are two kinds, or says what
    // it does without: not all keys can stand beside each other.
    // Keys of issuers are in a file or elsewhere.
    // The collector of spans is asked over https.
    // Addresses are all the same here: the admin API has one where no listener has.
    let plain = [
        "listener.tls",
        "listener.behind_terminator",
        "admin.address",
        "admin.server_names",
        "admin.tokens",
        "upstream.tls",
        "issuer.jwks_file",
        "traces.insecure_",
    ]
    .as_slice();
    let tls = [
        "listener.insecure_",
        "listener.behind_terminator",
        "admin.address",
        "admin.server_names",
        "admin.tokens",
        "upstream.insecure_",
        "issuer.jwks_u",
        "issuer.jwks_a",
        "issuer.jwks_r",
        "traces.insecure_",
    ]
    .as_slice();
    let pinned = [
        "listener.insecure_",
        "listener.tls",
        "listener.behind_terminator.socket",
        "admin.address",
        "admin.server_names",
        "admin.tokens",
        "upstream.insecure_",
        "issuer.jwks_u",
        "issuer.jwks_a",
        "issuer.jwks_r",
        "traces.insecure_",
    ];
    let socket = [
        "listener.insecure_",
        "listener.tls",
        "listener.address",
        "listener.behind_terminator.certificate",
        "listener.behind_terminator.key",
        "listener.behind_terminator.terminators",
        "admin.socket",
        "upstream.insecure_",
        "issuer.jwks_u",
        "issuer.jwks_a",
        "issuer.jwks_r",
        "traces.insecure_",
    ];
    for left_out in [plain, tls, pinned.as_slice(), socket.as_slice()] {
        let mut text = String::new();
        everything(GATEWAY, "", left_out, &mut text);
        assert_eq!(gateway(&text, &[]).1, "", "{text}");
    }
}

#[test]
fn the_shipped_file_documents_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gateway.toml");
    let text = fs::read_to_string(path).unwrap();
    for section in GATEWAY {
        let (Kind::Table(keys) | Kind::Tables(keys)) = &section.kind else { panic!() };
        let lines = section_lines(&text, section.name);
        // What need not be there at all is shown as a comment.
        let name = section.name;
        let heads = [format!("\n# [[{name}]]\n"), format!("\n# [{name}]\n")];
        let is_shown = heads.iter().any(|head| text.contains(head));
        for key in *keys {
            let name = format!("{}.{}", section.name, key.name);
            if let Kind::Table(inner) | Kind::Tables(inner) = &key.kind {
                let is_list = matches!(key.kind, Kind::Tables(_));
                let head = if is_list { format!("# [[{name}]]") } else { format!("# [{name}]") };
                let within: Vec<_> = lines.iter().skip_while(|line| **line != head).collect();
                assert!(!within.is_empty(), "{head} is not there");
                for key in *inner {
                    let written = within.iter().find_map(|line| value_of(line, key.name));
                    let (written, is_comment) = written.expect(key.name);
                    assert!(is_comment, "{head} is a comment, {} is not", key.name);
                    if let Absent::Default(value) | Absent::Mistake(value) = key.absent {
                        assert_eq!(written, value, "{name}.{}", key.name);
                    }
                }
                continue;
            }
            let written = lines.iter().find_map(|line| value_of(line, key.name));
            let (written, is_comment) = written.unwrap_or_else(|| panic!("{name} is not there"));
            match key.absent {
                Absent::Default(default) => {
                    assert_eq!((written, is_comment), (default, true), "{name}");
                }
                // What weakens is written out where the file needs it, and where to listen.
                Absent::Means(_) => {
                    let is_needed = key.name.starts_with("insecure_") || name == "listener.address";
                    assert!(is_comment || is_needed, "{name}");
                }
                Absent::Mistake(example) if is_shown => {
                    assert_eq!((written, is_comment), (example, true), "{name}");
                }
                Absent::Mistake(_) => assert!(!is_comment, "{name}"),
            }
        }
    }
}

fn section_lines<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let heads = [format!("[{name}]"), format!("[[{name}]]")];
    let heads = [heads.clone(), heads.map(|head| format!("# {head}"))].concat();
    let from = text.lines().skip_while(|line| heads.iter().all(|head| head != line));
    from.skip(1).take_while(|line| !line.starts_with('[')).collect()
}

/// The value after `name =`, and whether the line is a comment.
fn value_of<'t>(line: &'t str, name: &str) -> Option<(&'t str, bool)> {
    let bare = line.strip_prefix("# ");
    let value = bare.unwrap_or(line).strip_prefix(name)?.strip_prefix(" = ")?;
    Some((value, bare.is_some()))
}

#[test]
fn the_schema_describes_every_key() {
    fn compare(schema: &Value, keys: &[Key]) {
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"].as_object().unwrap().len(), keys.len());
        for key in keys {
            let property = &schema["properties"][key.name];
            assert!(
                property["description"].as_str().unwrap().contains(key.meaning),
                "{}",
                key.name
            );
            let required = schema["required"].as_array().unwrap().contains(&key.name.into());
            assert_eq!(required, matches!(key.absent, Absent::Mistake(_)), "{}", key.name);
            assert_eq!(property.get("default").is_some(), matches!(key.absent, Absent::Default(_)));
            if let Kind::Table(keys) = &key.kind {
                compare(property, keys);
            } else if let Kind::Tables(keys) = &key.kind {
                compare(&property["items"], keys);
            }
        }
    }
    let gateway = schema("gateway.toml", GATEWAY);
    assert_eq!(gateway["$schema"], "https://json-schema.org/draft/2020-12/schema");
    compare(&gateway, GATEWAY);
    let head = &gateway["properties"]["timeouts"]["properties"]["head"];
    assert_eq!(head["default"], "10s");
}

#[test]
fn the_environment_wins_over_the_file() {
    let (settings, mistakes) = gateway(
        LEAST,
        &[
            ("GPCG__LISTENER__0__ADDRESS", "[::1]:8081"),
            ("GPCG__LISTENER__0__SERVER_NAMES", "localhost:8081, gateway.example"),
            ("GPCG__LISTENER__1__ADDRESS", "127.0.0.1:8082"),
            ("GPCG__LISTENER__1__INSECURE_EVERYONE_IS", "[\"200000000360\"]"),
            ("GPCG__LISTENER__1__INSECURE_PLAIN_HTTP", "true"),
            ("GPCG__LISTENER__1__NAME", "others"),
            ("GPCG__LISTENER__1__SERVER_NAMES", "localhost:8082"),
            ("GPCG__LIMITS__BODY_BYTES", "32 KiB"),
            ("GPCG__LIMITS__HEADERS", "50"),
            ("GPCG__LOG__FILE", "gateway.log"),
            ("GPCG__TIMEOUTS__QUERY", "45s"),
            ("GPCGATEWAY", "is not ours"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!(mistakes, "");
    let settings = settings.unwrap();
    let names: Vec<_> = settings.listeners[0].server_names.iter().map(ServerName::as_str).collect();
    assert_eq!(names, ["localhost:8081", "gateway.example"]);
    assert_eq!(settings.listeners[0].address.to_string(), "[::1]:8081");
    assert_eq!(settings.listeners[1].name, "others");
    assert_eq!((settings.limits.body_bytes, settings.limits.headers), (32_768, 50));
    assert_eq!(settings.timeouts.query, Duration::from_secs(45));
    assert_eq!(settings.log.file.unwrap(), Path::new("folder/gateway.log"));
}

#[test]
fn the_environment_mends_what_the_file_has_wrong() {
    let broken = LEAST.replace("127.0.0.1:8080", "0.0.0.0:8080");
    assert!(gateway(&broken, &[]).1.contains("listener[0].address: is reached"));
    assert_eq!(gateway(&broken, &[("GPCG__LISTENER__0__ADDRESS", "127.0.0.1:8080")]).1, "");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_a_mistake() {
    use std::os::unix::ffi::OsStringExt;
    let notebook = Notebook::default();
    let document = Document::parse("gateway.toml", LEAST, &notebook);
    let value = OsString::from_vec(vec![0xff]);
    let environment = Environment::new([(OsString::from("GPCG__LOG__FILE"), value)]);
    read(document, &environment, Path::new(""), &notebook);
    let mistakes = notebook.into_findings().0.to_string();
    assert_eq!(mistakes, "GPCG__LOG__FILE: log.file: is not UTF-8; write it in UTF-8\n");
}

/// systemd says only to the service where its credentials are.
#[test]
fn credentials_are_found_where_systemd_puts_them() {
    let witness = "\n[[audit.witness]]\nname = \"w\"\nurl = \"https://w.example/\"\n\
                   token_file = \"$CREDENTIALS_DIRECTORY/token\"\n";
    let text = format!(
        "{LEAST}[audit]\nsigning_key = \"$CREDENTIALS_DIRECTORY/signing.key\"\n\
         search_key = \"$HOME/search.key\"\n{witness}"
    );
    let (settings, mistakes) = gateway(&text, &[("CREDENTIALS_DIRECTORY", "/run/credentials/x")]);
    assert_eq!(mistakes, "");
    let audit = settings.unwrap().audit;
    assert_eq!(audit.signing_key, Path::new("/run/credentials/x/signing.key"));
    assert_eq!(audit.search_key, Path::new("folder/$HOME/search.key"), "no other variable");
    let token = audit.witnesses.first().unwrap().token.clone().unwrap();
    assert_eq!(token, Path::new("/run/credentials/x/token"));

    let (_, mistakes) = gateway(&text, &[]);
    for place in [
        "gateway.toml:11: audit.signing_key: is below $CREDENTIALS_DIRECTORY, which is not set",
        "audit.witness[0].token_file: is below $CREDENTIALS_DIRECTORY",
    ] {
        assert!(mistakes.contains(place), "{mistakes}");
    }
    let variables = [
        ("GPCG__AUDIT__SIGNING_KEY", "$CREDENTIALS_DIRECTORY/other.key"),
        ("CREDENTIALS_DIRECTORY", "/run/credentials/x"),
    ];
    let (settings, _) = gateway(&text, &variables);
    assert_eq!(settings.unwrap().audit.signing_key, Path::new("/run/credentials/x/other.key"));
}

//! Has a gateway at work put down that its journal is about to be read, before it is.

use std::path::Path;

use serde_json::Value;

use crate::cli::{admin::client::call, output::complain};

/// Has the gateway put down that its journal is about to be read. `terms` say what is looked for.
/// Without a gateway it says on standard error that this stays off the record.
///
/// # Errors
/// When there is a gateway and it has not put it down: then the journal is not to be read.
pub(super) fn announce(folder: &Path, terms: &Value) -> Result<(), String> {
    match call(folder, "POST", "/v1/audit/searches", Some(terms))? {
        Some(answer) if answer.status == 201 => Ok(()),
        Some(answer) => Err(format!("the gateway does not allow this: {}", answer.detail())),
        None => {
            let name = folder.display();
            complain(format!(
                "Not on record: no gateway is at work on {name}, so nobody puts down this search."
            ));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        os::unix::net::UnixListener,
        thread,
    };

    use serde_json::json;

    use super::*;
    use crate::audit::signpost::Signpost;

    /// A socket that the journal in a folder leads to.
    fn listen(folder: &Path, epoch: u64) -> (UnixListener, Signpost) {
        let socket = folder.join(format!("{epoch}.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        (listener, Signpost::put_up(folder, epoch, &socket).unwrap())
    }

    /// A gateway that answers so, once.
    fn answering(listener: UnixListener, answer: &'static str) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut asked = [0; 4_096];
            // Whoever puts up a signpost looks whether the others lead anywhere, and says nothing.
            let (mut stream, length) = loop {
                let (mut stream, _) = listener.accept().unwrap();
                let length = stream.read(&mut asked).unwrap();
                if length > 0 {
                    break (stream, length);
                }
            };
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        })
    }

    #[test]
    fn the_newest_gateway_that_lives_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (older, _first) = listen(folder.path(), 1);
        let (newer, _second) = listen(folder.path(), 2);
        let (dead, _third) = listen(folder.path(), 3);
        drop(dead);
        older.set_nonblocking(true).unwrap();
        let told = answering(newer, "HTTP/1.1 201 Created\r\n\r\n{\"call\":\"1\"}");
        announce(folder.path(), &json!({"practice": "A20047"})).unwrap();
        let told = told.join().unwrap();
        assert!(told.starts_with("POST /v1/audit/searches HTTP/1.1\r\n"), "{told}");
        assert!(told.ends_with("{\"practice\":\"A20047\"}"), "{told}");
        while let Ok((mut stream, _)) = older.accept() {
            let mut asked = String::new();
            stream.read_to_string(&mut asked).unwrap();
            assert_eq!(asked, "");
        }
    }

    #[test]
    fn what_is_not_put_down_is_not_done() {
        for answer in [
            "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"detail\":\"it can't be written\"}",
            "HTTP/1.1 403 Forbidden\r\n\r\n{\"detail\":\"no\"}",
            "HTTP/1.1 201 Created\r\n\r\n",
            "",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (listener, _signpost) = listen(folder.path(), 1);
            let told = answering(listener, answer);
            assert!(announce(folder.path(), &json!({})).is_err(), "{answer}");
            told.join().unwrap();
        }
    }

    #[test]
    fn without_a_gateway_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        announce(folder.path(), &json!({})).unwrap();
        let (listener, _signpost) = listen(folder.path(), 1);
        drop(listener);
        announce(folder.path(), &json!({})).unwrap();
        assert!(announce(&folder.path().join("none"), &json!({})).is_err());
    }
}

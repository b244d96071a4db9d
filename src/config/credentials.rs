//! `$CREDENTIALS_DIRECTORY/NAME`: a file that systemd hands to a service (`LoadCredential=`), in a
//! folder that has another name with each service. No other variable is known.

use std::borrow::Cow;

use super::{
    finding::Notebook,
    node::{Node, Value},
};

/// The variable that systemd sets.
pub(super) const VARIABLE: &str = "CREDENTIALS_DIRECTORY";
const START: &str = "$CREDENTIALS_DIRECTORY/";

/// Puts the name of the folder into each text below `node`, of this `path`, that begins with the
/// variable's.
pub(super) fn resolve(
    node: &mut Node<'_>,
    path: &str,
    directory: Option<&str>,
    notebook: &Notebook,
) {
    let place = node.place;
    match &mut node.value {
        Value::Text(text) => match (text.strip_prefix(START), directory) {
            (None, _) => {}
            (Some(name), Some(directory)) => *text = Cow::Owned(format!("{directory}/{name}")),
            (Some(_), None) => notebook.mistake(
                place,
                path.to_owned(),
                "is below $CREDENTIALS_DIRECTORY, which is not set; systemd sets it for a service \
                 with LoadCredential=, elsewhere set it to the folder of the file",
            ),
        },
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                resolve(item, &format!("{path}[{index}]"), directory, notebook);
            }
        }
        Value::Table(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", entry.key);
                resolve(&mut entry.node, &path, directory, notebook);
            }
        }
        Value::Integer(_) | Value::Float | Value::Flag(_) | Value::Time => {}
    }
}

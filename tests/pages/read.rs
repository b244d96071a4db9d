//! The blocks of a document in Markdown.

use std::fs;
use std::path::Path;

/// The languages that blocks may be in. Commands are `sh`; output, drawings and lists are `text`.
const LANGUAGES: [&str; 5] = ["sh", "text", "toml", "yaml", "haproxy"];

/// What stands in a document besides prose.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// A command, of one line or of several that end in a backslash.
    Command { line: usize, text: String },
    /// A block that holds none.
    Block { line: usize, language: String, text: String },
}

/// All of a document, in order.
pub(crate) fn pieces(document: &str) -> Vec<Piece> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{document}: {why}"));
    of(document, &text)
}

fn of(document: &str, text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut block: Option<(usize, &str, Vec<&str>)> = None;
    for (line, text) in (1..).zip(text.lines()) {
        match (text.trim_start().strip_prefix("```"), block.take()) {
            (Some(language), None) => {
                let known = LANGUAGES.contains(&language);
                assert!(known, "{document}:{line}: {language:?} is none of {LANGUAGES:?}");
                block = Some((line, language, Vec::new()));
            }
            (Some(_), Some((line, "sh", lines))) => commands(line, &lines, &mut pieces),
            (Some(_), Some((line, language, lines))) => {
                let (language, text) = (language.to_owned(), lines.join("\n") + "\n");
                pieces.push(Piece::Block { line, language, text });
            }
            (None, Some((start, language, mut lines))) => {
                lines.push(text);
                block = Some((start, language, lines));
            }
            (None, None) => {}
        }
    }
    assert!(block.is_none(), "{document}: a block has no end");
    pieces
}

/// The commands of a block that begins in that line. Comments and empty lines are none.
fn commands(start: usize, lines: &[&str], pieces: &mut Vec<Piece>) {
    let mut begun: Option<(usize, String)> = None;
    for (line, text) in (start + 1..).zip(lines) {
        let (line, before) = begun.take().unwrap_or((line, String::new()));
        let text = format!("{before}{text}");
        match text.strip_suffix('\\') {
            Some(part) => begun = Some((line, part.to_owned())),
            None if text.trim().is_empty() || text.starts_with('#') => {}
            None => pieces.push(Piece::Command { line, text }),
        }
    }
    assert!(begun.is_none(), "{start}: the last line ends in a backslash");
}

#[test]
fn blocks_become_commands_and_texts() {
    let text = "x\n```sh\n# why\na b \\\n    c\n\nd\n```\n`y`\n```toml\n[e]\nf = 1\n```\n";
    let command = |line, text: &str| Piece::Command { line, text: text.into() };
    let table = Piece::Block { line: 10, language: "toml".into(), text: "[e]\nf = 1\n".into() };
    assert_eq!(of("x.md", text), [command(4, "a b     c"), command(7, "d"), table]);
}

//! The cases as they stand in `tests/cases/ambiguity` and `tests/cases/attacks`: bytes, and what is to become of them.
//!
//! ```text
//! # A remark.
//! case a length that is [[length]]
//! refused head_malformed
//! > POST [[book]] HTTP/1.1\r\n
//! > [[host]][[booking]]
//! > Content-Length: [[length]]\r\n
//! > \r\n
//! > [[body]]
//! each length: signed = +30
//! each length: hexadecimal = 0x1e
//! ```
//!
//! The lines behind `>` are the bytes, joined without anything between them; `\r \n \t \\ \xNN` are
//! escapes, and `[[...]]` is a word that the test replaces. `each` lines make one case of every
//! value, and of every combination where several words have values.
//!
//! Every request among the bytes has a line of its own, in their order, in front of them:
//!
//! - `refused WORD`: it is answered with the status of that fault, and reaches nobody.
//! - `unfinished`: more is waited for; when none comes, it is not forwarded.
//! - `accepted REQUEST`: it arrives, exactly as `read`, `book` or `next`, the test's own requests.
//! - `cleaned REQUEST: REASON`: the same, though others might have read it in another way.
//!
//! `with NAME: VALUE` lines say which further headers an accepted one arrives with, and a
//! `body BYTES` line what body in place of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// One conversation with the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) verdicts: Vec<Verdict>,
    /// Still with its words.
    bytes: String,
}

/// What is to become of one request.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Refused(String),
    Unfinished,
    Passed(Passed),
}

/// A request that arrives.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) request: String,
    /// Why it is passed although it might be read in another way.
    pub(crate) cleaned: Option<String>,
    with: Vec<String>,
    body: Option<String>,
}

impl Case {
    /// Its bytes, each word replaced.
    pub(crate) fn bytes(&self, word: &impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
        replaced(&self.bytes, word)
    }

    /// The reasons why it is passed although it might be read in another way.
    pub(crate) fn cleaned(&self) -> Option<&str> {
        self.verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Passed(passed) => passed.cleaned.as_deref(),
            Verdict::Refused(_) | Verdict::Unfinished => None,
        })
    }

    /// Whether all of it is passed on.
    pub(crate) fn is_accepted(&self) -> bool {
        self.verdicts.iter().all(|verdict| matches!(verdict, Verdict::Passed(_)))
    }
}

impl Passed {
    /// The header lines that it has besides its own.
    pub(crate) fn with(&self, word: &impl Fn(&str) -> Vec<u8>) -> Vec<String> {
        let line = |line: &String| String::from_utf8(replaced(line, word)).unwrap();
        self.with.iter().map(line).collect()
    }

    /// The body that it is to have in place of its own.
    pub(crate) fn body(&self, word: &impl Fn(&str) -> Vec<u8>) -> Option<Vec<u8>> {
        self.body.as_deref().map(|body| replaced(body, word))
    }
}

/// Every case of every file of a folder; each has a name of its own.
pub(crate) fn all(folder: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        for block in blocks(&fs::read_to_string(&file).unwrap()) {
            let of_file = |case: Case| Case { name: format!("{stem}: {}", case.name), ..case };
            cases.extend(read(&block).into_iter().map(of_file));
        }
    }
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "each case has a name of its own");
    cases
}

/// The lines between empty ones, remarks left out.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let blocks = lines.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    blocks.map(<[&str]>::to_vec).collect()
}

/// A word and its values, each with its name.
type Axis = (String, Vec<(String, String)>);

fn read(block: &[&str]) -> Vec<Case> {
    let mut case = Case { name: String::new(), verdicts: Vec::new(), bytes: String::new() };
    let mut axes: Vec<Axis> = Vec::new();
    for line in block {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "case" => rest.clone_into(&mut case.name),
            "refused" => case.verdicts.push(Verdict::Refused(rest.to_owned())),
            "unfinished" => case.verdicts.push(Verdict::Unfinished),
            "accepted" => case.verdicts.push(passed(rest, None)),
            "cleaned" => {
                let (request, reason) = rest.split_once(": ").expect("a reason");
                case.verdicts.push(passed(request, Some(reason)));
            }
            "with" => last(&mut case, line).with.push(rest.to_owned()),
            "body" => last(&mut case, line).body = Some(rest.to_owned()),
            ">" => case.bytes.push_str(rest),
            "each" => add(&mut axes, rest),
            _ => panic!("{line:?} begins with no word of the format"),
        }
    }
    assert!(!case.name.is_empty() && !case.bytes.is_empty(), "{block:#?} lacks name or bytes");
    assert!(!case.verdicts.is_empty(), "{}: no verdict", case.name);
    axes.iter().fold(vec![case], |cases, axis| cases.iter().flat_map(|c| spread(c, axis)).collect())
}

fn passed(request: &str, cleaned: Option<&str>) -> Verdict {
    let (request, cleaned) = (request.to_owned(), cleaned.map(str::to_owned));
    Verdict::Passed(Passed { request, cleaned, with: Vec::new(), body: None })
}

fn last<'c>(case: &'c mut Case, line: &str) -> &'c mut Passed {
    match case.verdicts.last_mut() {
        Some(Verdict::Passed(passed)) => passed,
        _ => panic!("{line:?} follows no request that is passed on"),
    }
}

fn add(axes: &mut Vec<Axis>, line: &str) {
    let (axis, value) = line.split_once(": ").expect("each WORD: NAME = VALUE");
    let (name, value) = value.split_once(" =").expect("each WORD: NAME = VALUE");
    let value = (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned());
    match axes.iter_mut().find(|(known, _)| known == axis) {
        Some((_, values)) => values.push(value),
        None => axes.push((axis.to_owned(), vec![value])),
    }
}

/// One case for each value of a word.
fn spread(case: &Case, (axis, values): &Axis) -> Vec<Case> {
    let word = format!("[[{axis}]]");
    let one = |(name, value): &(String, String)| {
        let mut case = case.clone();
        if !case.name.contains(&word) {
            case.name += &format!(", {word}");
        }
        case.name = case.name.replace(&word, name);
        case.bytes = case.bytes.replace(&word, value);
        for verdict in &mut case.verdicts {
            if let Verdict::Passed(passed) = verdict {
                passed.with.iter_mut().for_each(|line| *line = line.replace(&word, value));
                passed.body = passed.body.take().map(|body| body.replace(&word, value));
            }
        }
        case
    };
    values.iter().map(one).collect()
}

fn replaced(text: &str, word: &impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((literal, behind)) = rest.split_once("[[") {
        let (name, behind) = behind.split_once("]]").expect("a word ends in ]]");
        bytes.extend(unescaped(literal));
        bytes.extend(word(name));
        rest = behind;
    }
    bytes.extend(unescaped(rest));
    bytes
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let mut digit = || char::from(rest.next().unwrap()).to_digit(16).unwrap();
                u8::try_from(digit() * 16 + digit()).unwrap()
            }
            other => panic!("{other:?} is no escape, in {text:?}"),
        });
    }
    bytes
}

//! Who may know whom: parses the sources and fails on a path that goes against the arrows between
//! the rooms, or that brings the engine into a room that is to do without it.

#![expect(clippy::unwrap_used, reason = "tests: a failure is the report")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{UseTree, visit::Visit};

/// The rooms in their order, and how far to the right a room stands. A room may know those with a
/// smaller number; those of one number don't know each other. The core, `gpconnect`, is a package
/// of its own: the compiler keeps it pure.
#[rustfmt::skip]
const ROOMS: &[(&str, u8)] = &[
    ("config", 1), ("telemetry", 2), ("https", 2), ("directory", 3), ("audit", 3), ("cache", 3),
    ("limits", 3), ("tls", 3), ("traces", 3), ("issuers", 4), ("snapshot", 5), ("proxy", 6), ("admin", 6),
    ("simulator", 6), ("cli", 7),
];

/// Packages that only some rooms may name.
const GUARDED: &[(&str, &[&str])] = &[
    ("pingora", &["proxy", "admin", "simulator", "cli"]),
    ("hyper", &["https", "proxy", "admin", "simulator", "cli"]),
    ("hyper_util", &["https", "proxy", "admin", "simulator", "cli"]),
    ("opentelemetry", &["traces"]),
    ("tonic", &["traces"]),
    ("parking_lot", &["cli"]),
];

#[test]
fn no_room_knows_one_to_its_right() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (room, place) in ROOMS {
        for file in rust_files(&source.join(room)) {
            seen += 1;
            let text = fs::read_to_string(&file).unwrap();
            let faults = faults(room, *place, &text).into_iter();
            wrong.extend(faults.map(|fault| format!("{}: {fault}", file.display())));
        }
    }
    assert!(seen > 50, "the sources were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_its_place() {
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    for line in fs::read_to_string(map).unwrap().lines() {
        let room = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'));
        assert!(room.is_none_or(|room| place(room).is_some()), "{line} has no place");
    }
}

/// README's map has every room, each below all that it may know.
#[test]
fn the_map_shows_the_rooms_in_their_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let lines = readme.lines().filter_map(|line| line.strip_prefix("src/"));
    let shown: Vec<&str> = lines.map(|line| line.split('/').next().unwrap()).collect();
    let there =
        ROOMS.iter().map(|(room, _)| *room).filter(|room| root.join("src").join(room).is_dir());
    let expected: Vec<&str> = std::iter::once("gpconnect").chain(there).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_wrong_arrow_is_seen_however_it_is_written() {
    for (name, room, text, expected) in [
        ("to the left", "proxy", "use crate::config::Limits;", ""),
        ("its own", "config", "use crate::config::Limits;", ""),
        ("to the right", "config", "use crate::proxy::Shared;", "proxy"),
        ("the same brace", "admin", "use crate::simulator;", "simulator"),
        ("in place", "telemetry", "fn f() { crate::snapshot::load() }", "snapshot"),
        ("a list", "directory", "use crate::{config::{self, Limits}, audit::x::{Y}};", "audit"),
        ("in a comment", "config", "// crate::proxy, see", ""),
        ("the engine", "telemetry", "use pingora::Result;", "pingora"),
        ("the engine in a type", "config", "fn f() -> ::pingora::Result {}", "pingora"),
        ("the engine where it belongs", "proxy", "use pingora::Result;", ""),
    ] {
        let found = faults(room, place(room).unwrap(), text).join(" ");
        assert!(found.contains(expected), "{name}: {found}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{name}: {found}");
    }
}

fn place(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, place)| *place)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn faults(room: &str, own: u8, text: &str) -> Vec<String> {
    let mut paths = Paths::default();
    paths.visit_file(&syn::parse_file(text).unwrap());
    let fault = |[first, second]: [String; 2]| {
        let wrong = match first.as_str() {
            "crate" => second != room && place(&second).is_some_and(|place| place >= own),
            _ => GUARDED.iter().any(|(name, rooms)| *name == first && !rooms.contains(&room)),
        };
        wrong.then(|| format!("{room} must not name {first}::{second}"))
    };
    paths.0.into_iter().filter_map(fault).collect()
}

/// The first two words of every path in a file.
#[derive(Default)]
struct Paths(Vec<[String; 2]>);

impl Paths {
    fn add(&mut self, words: &[String]) {
        let word = |place: usize| words.get(place).cloned().unwrap_or_default();
        self.0.push([word(0), word(1)]);
    }

    fn add_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |word: String| [before, &[word]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.add(&with(name.ident.to_string())),
            UseTree::Rename(name) => self.add(&with(name.ident.to_string())),
            UseTree::Glob(_) => self.add(before),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(before, tree));
            }
        }
    }
}

impl Visit<'_> for Paths {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let words: Vec<_> = path.segments.iter().map(|word| word.ident.to_string()).collect();
        self.add(&words);
        syn::visit::visit_path(self, path);
    }
}

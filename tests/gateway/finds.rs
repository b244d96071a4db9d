//! Every input that fuzzing starts from, and every one that it found, through the same properties.

use std::{fs, panic, path::Path};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a library of its own for the fuzz targets")]
mod properties;

/// Files of a folder, none when it does not exist.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn seeds_and_finds_break_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, property) in properties::PROPERTIES {
        let seeds = files(&root.join("seeds").join(name));
        assert!(!seeds.is_empty(), "no seeds for {name}");
        for file in seeds.into_iter().chain(files(&root.join("finds").join(name))) {
            let input = fs::read(&file).unwrap();
            let held = panic::catch_unwind(|| property(&input));
            assert!(held.is_ok(), "{name} does not hold for {}", file.display());
        }
    }
}

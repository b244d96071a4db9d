//! Every input that fuzzing starts from, and every one that it found, through the same properties;
//! and the first ones changed at random.

use std::{
    fs, panic,
    path::{Path, PathBuf},
};

use proptest::{collection::vec, prelude::*};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a library of its own for the fuzz targets")]
mod properties;

/// The inputs of one property in `folder`; none when there is no such folder.
fn inputs(folder: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn seeds_and_finds_break_nothing() {
    for (name, property) in properties::PROPERTIES {
        let seeds = inputs("seeds", name);
        assert!(!seeds.is_empty(), "no seeds for {name}");
        for file in seeds.into_iter().chain(inputs("finds", name)) {
            let input = fs::read(&file).unwrap();
            let held = panic::catch_unwind(|| property(&input));
            assert!(held.is_ok(), "{name} does not hold for {}", file.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn changed_seeds_break_nothing(
        seed: prop::sample::Index,
        changes in vec((any::<prop::sample::Index>(), 0_usize..4, "\\PC{1,3}|[\r\n\t .:/%\"{},]"), 1..8),
    ) {
        for (name, property) in properties::PROPERTIES {
            let seeds = inputs("seeds", name);
            let mut input = fs::read(&seeds[seed.index(seeds.len())]).unwrap();
            for (place, removed, put_in) in &changes {
                let start = place.index(input.len() + 1);
                let end = (start + removed).min(input.len());
                input.splice(start..end, put_in.bytes());
            }
            property(&input);
        }
    }

    #[test]
    fn no_bytes_break_anything(bytes: Vec<u8>) {
        properties::PROPERTIES.iter().for_each(|(_, property)| property(&bytes));
    }
}

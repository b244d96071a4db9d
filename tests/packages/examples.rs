//! The example configurations are good as they are, once their keys and certificates are there.

use std::fs;

use tempfile::TempDir;

use super::site::Site;
use super::tools::repository;

#[test]
fn each_example_is_good() {
    let mut checked = 0;
    for example in fs::read_dir(repository("config/examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        let folder = TempDir::with_prefix("gpconnect-example-").unwrap();
        Site::of_example(&name, folder.path()).is_good();
        checked += 1;
    }
    assert!(checked > 0);
}

//! A file system that is mounted for a test.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::run;
use crate::harness::DEADLINE;

/// A mounted file system; it ends with this handle.
pub(crate) struct Mount {
    folder: TempDir,
    arguments: Vec<String>,
}

impl Mount {
    /// One in memory, with limits as `mount -o` takes them: `size=`, `nr_inodes=`.
    pub(crate) fn memory(limits: &str) -> Result<Self, String> {
        Self::new(&["-t", "tmpfs", "-o", limits, "tmpfs"])
    }

    /// The one in an image, over a loop device that goes when it is unmounted.
    pub(crate) fn image(image: &Path, options: &str) -> Result<Self, String> {
        let options = if options.is_empty() { "loop".into() } else { format!("loop,{options}") };
        Self::new(&["-o", &options, image.to_str().unwrap()])
    }

    fn new(arguments: &[&str]) -> Result<Self, String> {
        let folder = TempDir::with_prefix("gpconnect-disk-").unwrap();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mount = Self { folder, arguments };
        mount.again()?;
        Ok(mount)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Mounts it again, after [`Mount::end`].
    pub(crate) fn again(&self) -> Result<(), String> {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.push(self.path().to_str().unwrap());
        run("mount", &arguments).map(drop)
    }

    /// Unmounts it, once nobody has a file of it open.
    pub(crate) fn end(&self) {
        let start = Instant::now();
        while let Err(fault) = run("umount", &[self.path().to_str().unwrap()]) {
            assert!(start.elapsed() < DEADLINE, "{fault}");
            sleep(Duration::from_millis(10));
        }
    }

    /// The device that it is on, by its name below `/dev`.
    pub(crate) fn device(&self) -> String {
        let path = self.path().to_str().unwrap();
        let source = run("findmnt", &["-n", "-o", "SOURCE", path]).unwrap();
        source.trim().strip_prefix("/dev/").unwrap().to_owned()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // It may be unmounted already, and a test that fails may leave files open.
        run("umount", &["--lazy", self.path().to_str().unwrap()]).ok();
    }
}

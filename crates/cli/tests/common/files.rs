//! Files in a test's folder.

use crate::common::Bench;

impl Bench {
    /// Writes a file, and makes the folders that it lies in.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
}

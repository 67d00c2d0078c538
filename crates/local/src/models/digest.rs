//! sha256 of files, the way the manifest writes it.

use super::ModelError;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// A running sha256.
pub(crate) struct Sha256(Context);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Lower-case hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.0.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// The sha256 of a file.
pub(crate) fn sha256_of_file(path: &Path) -> Result<String, ModelError> {
    let mut file = std::fs::File::open(path).map_err(ModelError::io(path))?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(ModelError::io(path))? {
            0 => return Ok(sha256.finish()),
            n => sha256.update(&buffer[..n]),
        }
    }
}

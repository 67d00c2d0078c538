//! The models directory: where files lie and whether they are the right ones. Synchronous; the speech and language
//! modules read through it.

use super::manifest::{Component, Manifest, ModelFile};
use super::{ModelError, digest};
use std::path::{Path, PathBuf};

/// The directory that holds one folder per component: `<dir>/<component id>/<file>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDir {
    root: PathBuf,
}

/// How much of a component is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every file is there with its length. [`ModelDir::verify`] also checks the bytes.
    Present,
    /// Some files are missing or have the wrong length.
    Partial,
    /// Nothing is there.
    Absent,
}

/// A line of the list of components.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The component.
    pub component: &'static Component,
    /// What of it is on this machine.
    pub status: Status,
}

impl ModelDir {
    /// This directory.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `FRONTDESK_MODELS`, else `frontdesk/models` in the user's data directory.
    pub fn locate() -> Result<Self, ModelError> {
        Self::locate_in(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn locate_in(env: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, ModelError> {
        if let Some(root) = env("FRONTDESK_MODELS") {
            return Ok(Self { root });
        }
        let data = env("XDG_DATA_HOME").or_else(|| env("HOME").map(|home| home.join(".local/share")));
        data.map(|data| Self { root: data.join("frontdesk/models") }).ok_or(ModelError::NoDirectory)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where a file of a component lies, whether or not it is there.
    pub fn path_of(&self, component: &str, file: &str) -> PathBuf {
        self.root.join(component).join(file)
    }

    /// The path of a file that must be there, with the length the manifest names.
    pub fn file(&self, component: &str, file: &str) -> Result<PathBuf, ModelError> {
        let known = Manifest::embedded().component(component)?;
        let known = known
            .file(file)
            .ok_or_else(|| ModelError::UnknownFile { component: component.to_owned(), file: file.to_owned() })?;
        let path = self.path_of(component, file);
        self.check_length(component, known)?;
        Ok(path)
    }

    /// The bytes of a file that must be there.
    pub fn read(&self, component: &str, file: &str) -> Result<Vec<u8>, ModelError> {
        let path = self.file(component, file)?;
        std::fs::read(&path).map_err(ModelError::io(path))
    }

    /// What of a component is there, by name and length only.
    pub fn status(&self, component: &Component) -> Status {
        let present = component.files.iter().filter(|file| self.check_length(&component.id, file).is_ok()).count();
        let touched = component.files.iter().any(|file| self.path_of(&component.id, &file.name).exists());
        match present {
            n if n == component.files.len() => Status::Present,
            _ if touched => Status::Partial,
            _ => Status::Absent,
        }
    }

    /// Every component that fits this machine, with its status.
    pub fn list(&self) -> Vec<Listed> {
        let fitting = Manifest::embedded().components.iter().filter(|component| component.fits_this_machine());
        fitting.map(|component| Listed { component, status: self.status(component) }).collect()
    }

    /// Reads every file of a component and compares it with its pinned sha256. One error per bad file.
    pub fn verify(&self, component: &Component) -> Vec<ModelError> {
        component.files.iter().filter_map(|file| self.verify_file(&component.id, file).err()).collect()
    }

    pub(crate) fn verify_file(&self, component: &str, file: &ModelFile) -> Result<(), ModelError> {
        self.check_length(component, file)?;
        let path = self.path_of(component, &file.name);
        let found = digest::sha256_of_file(&path)?;
        if found == file.sha256 {
            return Ok(());
        }
        Err(ModelError::WrongHash { what: path.display().to_string(), expected: file.sha256.clone(), found })
    }

    fn check_length(&self, component: &str, file: &ModelFile) -> Result<(), ModelError> {
        let path = self.path_of(component, &file.name);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() == file.bytes => Ok(()),
            Ok(metadata) => Err(ModelError::WrongSize { path, found: metadata.len(), expected: file.bytes }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(ModelError::Missing { path }),
            Err(source) => Err(ModelError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(variables: &[(&str, &str)]) -> Result<ModelDir, ModelError> {
        ModelDir::locate_in(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn the_operators_own_directory_wins() {
        let all = [("FRONTDESK_MODELS", "/models"), ("XDG_DATA_HOME", "/data"), ("HOME", "/home/a")];
        assert_eq!(locate(&all).unwrap().path(), Path::new("/models"));
        assert_eq!(locate(&all[1..]).unwrap().path(), Path::new("/data/frontdesk/models"));
        assert_eq!(locate(&all[2..]).unwrap().path(), Path::new("/home/a/.local/share/frontdesk/models"));
        assert!(matches!(locate(&[]), Err(ModelError::NoDirectory)));
    }

    #[test]
    fn a_missing_file_names_the_command_that_fetches_it() {
        let empty = tempfile::tempdir().unwrap();
        let error = ModelDir::at(empty.path()).file("vad-silero-v6", "silero_vad.onnx").unwrap_err();
        assert!(error.to_string().contains("frontdesk models pull"), "{error}");
    }

    #[test]
    fn a_truncated_file_is_not_taken_for_present() {
        let root = tempfile::tempdir().unwrap();
        let dir = ModelDir::at(root.path());
        let path = dir.path_of("vad-silero-v6", "silero_vad.onnx");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"half").unwrap();
        let component = Manifest::embedded().component("vad-silero-v6").unwrap();
        assert_eq!(dir.status(component), Status::Partial);
        assert!(matches!(dir.file("vad-silero-v6", "silero_vad.onnx"), Err(ModelError::WrongSize { found: 4, .. })));
    }
}

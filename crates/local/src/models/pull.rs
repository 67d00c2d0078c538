//! Pulling components: what is missing is fetched from the first source that gives the pinned bytes.

use super::dir::ModelDir;
use super::extract;
use super::fetch::{self, Wanted};
use super::index::{self, Indexes};
use super::manifest::{Archive, Component, ModelFile, Registry};
use super::{ModelError, digest};
use reqwest::{Client, Url};
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Archives and parts of downloads lie here, inside the models directory.
const DOWNLOADS: &str = ".downloads";
const LOCK_POLL: Duration = Duration::from_millis(200);
const LOCK_POLLS_MAX: u32 = 30 * 60 * 5;

/// Is told how a pull goes on, for a progress bar. Called from the pulling task; must not block.
pub trait Progress: Send + Sync {
    /// A component begins; its licence should be shown.
    fn component(&self, component: &Component) {
        let _ = component;
    }
    /// `done` of `total` bytes of the archive or file `what` have come.
    fn bytes(&self, component: &str, what: &str, done: u64, total: u64) {
        let _ = (component, what, done, total);
    }
    /// A source failed and the next one is tried.
    fn source_failed(&self, component: &str, why: &str) {
        let _ = (component, why);
    }
    /// Another pull holds the directory; this one waits.
    fn waiting(&self) {}
    /// A component is complete.
    fn finished(&self, component: &str, pulled: Pulled) {
        let _ = (component, pulled);
    }
}

/// Says nothing.
pub struct NoProgress;
impl Progress for NoProgress {}

/// What a pull had to do for a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Its files were fetched.
    Fetched,
    /// Everything was there with the right bytes.
    AlreadyThere,
}

/// Where to look for archives and files.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// A directory with archives or with the files themselves, tried first.
    pub from: Option<PathBuf>,
    /// The package registries.
    pub indexes: Indexes,
    /// Whether publishers' own addresses may be asked.
    pub upstream: bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { from: None, indexes: Indexes::configured(), upstream: true }
    }
}

/// Fetches what is missing of these components into the directory. Files that are there with the right bytes are left
/// alone. Goes on after a component that fails, and returns the first error at the end. Safe to run twice at once.
pub async fn pull(
    dir: &ModelDir,
    components: &[&Component],
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<Vec<Pulled>, ModelError> {
    let downloads = dir.path().join(DOWNLOADS);
    std::fs::create_dir_all(&downloads).map_err(ModelError::io(&downloads))?;
    let _lock = lock(&dir.path().join(".lock"), progress).await?;
    let job = Job { dir, downloads, options, progress, client: fetch::client()? };
    let mut pulled = Vec::with_capacity(components.len());
    let mut failed = None;
    let mut used = HashSet::new();
    for component in components {
        match job.component(component, &mut used).await {
            Ok(done) => {
                progress.finished(&component.id, done);
                pulled.push(done);
            }
            Err(error) => {
                progress.source_failed(&component.id, &error.to_string());
                failed.get_or_insert(error);
            }
        }
    }
    for archive in used {
        let _ = std::fs::remove_file(archive);
    }
    failed.map_or(Ok(pulled), Err)
}

async fn lock(path: &Path, progress: &dyn Progress) -> Result<File, ModelError> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(ModelError::io(path))?;
    for poll in 0..LOCK_POLLS_MAX {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if poll == 0 => progress.waiting(),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(ModelError::Io { path: path.to_owned(), source }),
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
    Err(ModelError::Busy { path: path.to_owned() })
}

struct Job<'a> {
    dir: &'a ModelDir,
    downloads: PathBuf,
    options: &'a PullOptions,
    progress: &'a dyn Progress,
    client: Client,
}

impl Job<'_> {
    async fn component(&self, component: &Component, used: &mut HashSet<PathBuf>) -> Result<Pulled, ModelError> {
        let mut missing = self.missing(component).await?;
        if missing.is_empty() {
            return Ok(Pulled::AlreadyThere);
        }
        self.progress.component(component);
        let mut tried = Vec::new();
        if let Some(from) = &self.options.from {
            self.adopt_from(component, from, &mut missing, &mut tried);
        }
        if !missing.is_empty() {
            self.extract_from_archives(component, &mut missing, &mut tried, used).await;
        }
        if self.options.upstream {
            self.fetch_upstream(component, &mut missing, &mut tried).await;
        }
        if missing.is_empty() {
            return Ok(Pulled::Fetched);
        }
        // A wrong hash must not drown among "not found" lines, so it is returned as itself.
        match tried.iter().position(|error| matches!(error, ModelError::WrongHash { .. } | ModelError::Io { .. })) {
            Some(at) => Err(tried.swap_remove(at)),
            None => {
                let tried = tried.iter().map(ToString::to_string).collect();
                Err(ModelError::NoSource { component: component.id.clone(), tried })
            }
        }
    }

    async fn missing<'c>(&self, component: &'c Component) -> Result<Vec<&'c ModelFile>, ModelError> {
        let (dir, owned) = (self.dir.clone(), component.clone());
        let verdicts = tokio::task::spawn_blocking(move || {
            owned.files.iter().map(|file| dir.verify_file(&owned.id, file).is_err()).collect::<Vec<_>>()
        });
        let verdicts = verdicts.await.map_err(|error| ModelError::io(self.dir.path())(std::io::Error::other(error)))?;
        Ok(component.files.iter().zip(verdicts).filter(|(_, bad)| *bad).map(|(file, _)| file).collect())
    }

    /// Files that the operator's directory offers as they are, under the component's id or at the top.
    fn adopt_from(
        &self,
        component: &Component,
        from: &Path,
        missing: &mut Vec<&ModelFile>,
        tried: &mut Vec<ModelError>,
    ) {
        missing.retain(|file| {
            let target = self.dir.path_of(&component.id, &file.name);
            for source in [from.join(&component.id).join(&file.name), from.join(&file.name)] {
                let same_length = std::fs::metadata(&source).is_ok_and(|metadata| metadata.len() == file.bytes);
                if !same_length {
                    continue;
                }
                match extract::adopt(component, file, &source, &target) {
                    Ok(()) => return false,
                    Err(error) => self.failed(component, tried, error),
                }
            }
            true
        });
    }

    async fn extract_from_archives(
        &self,
        component: &Component,
        missing: &mut Vec<&ModelFile>,
        tried: &mut Vec<ModelError>,
        used: &mut HashSet<PathBuf>,
    ) {
        let mut archives = Vec::new();
        for archive in &component.archives {
            let needed = missing.iter().any(|file| file.members.iter().any(|member| member.archive == archive.file));
            if !needed {
                continue;
            }
            match self.archive(component, archive, tried).await {
                Some(path) => {
                    if path.starts_with(&self.downloads) {
                        used.insert(path.clone());
                    }
                    archives.push((archive.file.clone(), path));
                }
                None => continue,
            }
        }
        let mut left = Vec::new();
        for file in std::mem::take(missing) {
            let complete = !file.members.is_empty()
                && file.members.iter().all(|member| archives.iter().any(|(name, _)| *name == member.archive));
            let extracted = complete && self.extract(component, file, &archives, tried).await;
            if !extracted {
                left.push(file);
            }
        }
        *missing = left;
    }

    async fn extract(
        &self,
        component: &Component,
        file: &ModelFile,
        archives: &[(String, PathBuf)],
        tried: &mut Vec<ModelError>,
    ) -> bool {
        let target = self.dir.path_of(&component.id, &file.name);
        let (component_owned, file, archives) = (component.clone(), file.clone(), archives.to_vec());
        let work = tokio::task::spawn_blocking(move || extract::extract(&component_owned, &file, &archives, &target));
        let result = work.await.unwrap_or_else(|error| {
            Err(ModelError::Archive { archive: component.id.clone(), detail: error.to_string() })
        });
        result.map_err(|error| self.failed(component, tried, error)).is_ok()
    }

    /// The archive's path once some source has given it with the pinned bytes.
    async fn archive(&self, component: &Component, archive: &Archive, tried: &mut Vec<ModelError>) -> Option<PathBuf> {
        let local = self.options.from.iter().chain(&self.options.indexes.find_links);
        let places = local.chain(std::iter::once(&self.downloads)).map(|place| place.join(&archive.file));
        for path in places.collect::<Vec<_>>() {
            if !std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            match check_archive(&path, archive).await {
                Ok(()) => return Some(path),
                Err(error) => self.failed(component, tried, error),
            }
        }
        let target = self.downloads.join(&archive.file);
        for registry in self.registries(archive) {
            let found = match archive.registry {
                Registry::Pypi => self.find_on_pypi(&registry, archive).await,
                Registry::Npm => self.find_on_npm(&registry, archive).await,
            };
            let result = match found {
                Ok(url) => self.download(component, &url, wanted(archive), &target).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => return Some(target),
                Err(error) => self.failed(component, tried, error),
            }
        }
        None
    }

    fn registries(&self, archive: &Archive) -> Vec<String> {
        match archive.registry {
            Registry::Pypi => self.options.indexes.pypi.clone(),
            Registry::Npm => self.options.indexes.npm.iter().cloned().collect(),
        }
    }

    async fn find_on_pypi(&self, index: &str, archive: &Archive) -> Result<Url, ModelError> {
        let url = index::simple_page(index, &archive.package).ok_or_else(|| bad_address("the Python index"))?;
        let (base, content_type, body) = fetch::page(&self.client, &url, index::SIMPLE_ACCEPT).await?;
        index::find_on_page(&base, &content_type, &body, &archive.file).ok_or_else(|| not_listed(&url, archive))
    }

    async fn find_on_npm(&self, registry: &str, archive: &Archive) -> Result<Url, ModelError> {
        let url = index::npm_version(registry, archive).ok_or_else(|| bad_address("the npm registry"))?;
        let (_, _, body) = fetch::page(&self.client, &url, "application/json").await?;
        index::npm_tarball(&body).ok_or_else(|| not_listed(&url, archive))
    }

    async fn fetch_upstream(&self, component: &Component, missing: &mut Vec<&ModelFile>, tried: &mut Vec<ModelError>) {
        let mut left = Vec::new();
        for file in std::mem::take(missing) {
            let Some(url) = file.url.as_deref().and_then(|url| Url::parse(url).ok()) else {
                left.push(file);
                continue;
            };
            let what = format!("{}/{}", component.id, file.name);
            let wanted = Wanted { what: &what, bytes: file.bytes, sha256: &file.sha256 };
            let download = self.downloads.join(format!("{}--{}", component.id, file.name));
            let target = self.dir.path_of(&component.id, &file.name);
            let fetched = self.download(component, &url, wanted, &download).await;
            let placed = fetched.and_then(|()| place(&download, &target));
            if let Err(error) = placed {
                self.failed(component, tried, error);
                left.push(file);
            }
        }
        *missing = left;
    }

    async fn download(
        &self,
        component: &Component,
        url: &Url,
        wanted: Wanted<'_>,
        target: &Path,
    ) -> Result<(), ModelError> {
        let on_bytes = |done| self.progress.bytes(&component.id, wanted.what, done, wanted.bytes);
        fetch::download(&self.client, url, &wanted, target, &on_bytes).await
    }

    fn failed(&self, component: &Component, tried: &mut Vec<ModelError>, error: ModelError) {
        self.progress.source_failed(&component.id, &error.to_string());
        tried.push(error);
    }
}

fn wanted(archive: &Archive) -> Wanted<'_> {
    Wanted { what: &archive.file, bytes: archive.bytes, sha256: &archive.sha256 }
}

/// The operator's own files are only read; a bad one is reported, not removed.
async fn check_archive(path: &Path, archive: &Archive) -> Result<(), ModelError> {
    let hashed = path.to_owned();
    let found = tokio::task::spawn_blocking(move || digest::sha256_of_file(&hashed)).await;
    let found = found.map_err(|error| ModelError::io(path)(std::io::Error::other(error)))??;
    if found == archive.sha256 {
        return Ok(());
    }
    Err(ModelError::Archive { archive: path.display().to_string(), detail: format!("its sha256 is {found}") })
}

fn place(download: &Path, target: &Path) -> Result<(), ModelError> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(ModelError::io(parent))?;
    }
    std::fs::rename(download, target).map_err(ModelError::io(target))
}

fn bad_address(what: &str) -> ModelError {
    ModelError::Fetch { host: what.to_owned(), detail: "its configured address is not a URL".to_owned() }
}

fn not_listed(url: &Url, archive: &Archive) -> ModelError {
    let detail = format!("{} {} has no {}", archive.package, archive.version, archive.file);
    ModelError::Fetch { host: url.host_str().unwrap_or("?").to_owned(), detail }
}

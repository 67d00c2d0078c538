//! One HTTP download to a `.part` file: resumed after a cut, capped, and checked against its sha256 before it gets its
//! name.

use super::ModelError;
use super::digest::sha256_of_file;
use reqwest::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

const CONNECT: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(30);
/// An index page of a project with many releases is a few megabytes.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
const ATTEMPTS: u32 = 4;
const REDIRECTS_MAX: usize = 5;

/// What is fetched and what it must be.
pub(crate) struct Wanted<'a> {
    pub(crate) what: &'a str,
    pub(crate) bytes: u64,
    pub(crate) sha256: &'a str,
}

/// The client that all pulls share.
pub(crate) fn client() -> Result<Client, ModelError> {
    Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS_MAX))
        .user_agent(concat!("frontdesk/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ModelError::Fetch { host: "the HTTP client".to_owned(), detail: chain(&error) })
}

/// A page and its content type.
pub(crate) async fn page(client: &Client, url: &Url, accept: &str) -> Result<(Url, String, String), ModelError> {
    let request = client.get(url.clone()).header(ACCEPT, accept);
    let mut response = send(request, url).await?;
    if !response.status().is_success() {
        return Err(failed(url, format!("{} for {}", response.status(), url.path())));
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let mut base = response.url().clone();
    if base.host_str() == url.host_str() && base.username().is_empty() {
        let _ = base.set_username(url.username());
        let _ = base.set_password(url.password());
    }
    let mut body = Vec::new();
    while let Some(chunk) = next_chunk(&mut response, url).await? {
        if body.len() + chunk.len() > PAGE_BYTES_MAX {
            return Err(failed(url, "the index page is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((base, content_type, String::from_utf8_lossy(&body).into_owned()))
}

/// Downloads to `target`. A cut is resumed where it happened, also by a later run; wrong bytes are removed and tried
/// once more from the start, since it may have been the resumed half that was bad.
pub(crate) async fn download(
    client: &Client,
    url: &Url,
    wanted: &Wanted<'_>,
    target: &Path,
    on_bytes: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), ModelError> {
    let part = part_path(target);
    let mut resumed = part.exists();
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(125 << attempt)).await;
        }
        match attempt_download(client, url, wanted, &part, on_bytes).await {
            Ok(()) => match finish(wanted, &part, target).await {
                Err(ModelError::WrongHash { .. }) if resumed => resumed = false,
                result => return result,
            },
            Err(Attempt::Final(error)) => return Err(error),
            Err(Attempt::Again(error)) => {
                resumed |= part.exists();
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or_else(|| failed(url, "gave up")))
}

enum Attempt {
    Again(ModelError),
    Final(ModelError),
}

async fn attempt_download(
    client: &Client,
    url: &Url,
    wanted: &Wanted<'_>,
    part: &Path,
    on_bytes: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Attempt> {
    let mut have = tokio::fs::metadata(part).await.map_or(0, |metadata| metadata.len());
    if have == wanted.bytes {
        return Ok(());
    }
    if have > wanted.bytes {
        have = 0;
    }
    let mut request = client.get(url.clone());
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
    }
    let mut response = send(request, url).await.map_err(Attempt::Again)?;
    let mut file = match response.status() {
        StatusCode::PARTIAL_CONTENT if resumes_at(&response, have) => open(part, false).await,
        StatusCode::OK => {
            have = 0;
            open(part, true).await
        }
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            let _ = tokio::fs::remove_file(part).await;
            return Err(Attempt::Again(failed(url, "the download cannot be resumed")));
        }
        status => {
            let error = failed(url, format!("{status} for {}", url.path()));
            let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(if passing { Attempt::Again(error) } else { Attempt::Final(error) });
        }
    }
    .map_err(Attempt::Final)?;
    on_bytes(have);
    let copied = copy(&mut response, url, wanted, part, &mut file, have, on_bytes).await;
    // What arrived before a cut is worth keeping, so it is flushed in either case.
    file.flush().await.map_err(|source| Attempt::Final(ModelError::Io { path: part.to_owned(), source }))?;
    copied
}

async fn copy(
    response: &mut Response,
    url: &Url,
    wanted: &Wanted<'_>,
    part: &Path,
    file: &mut File,
    mut have: u64,
    on_bytes: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Attempt> {
    while let Some(chunk) = next_chunk(response, url).await.map_err(Attempt::Again)? {
        have += chunk.len() as u64;
        if have > wanted.bytes {
            let _ = tokio::fs::remove_file(part).await;
            let what = wanted.what.to_owned();
            return Err(Attempt::Final(ModelError::TooLarge { what, bytes_max: wanted.bytes }));
        }
        let written = file.write_all(&chunk).await;
        written.map_err(|source| Attempt::Final(ModelError::Io { path: part.to_owned(), source }))?;
        on_bytes(have);
    }
    if have < wanted.bytes {
        return Err(Attempt::Again(failed(url, format!("cut off after {have} of {} bytes", wanted.bytes))));
    }
    Ok(())
}

async fn finish(wanted: &Wanted<'_>, part: &Path, target: &Path) -> Result<(), ModelError> {
    let hashed = part.to_owned();
    let found = tokio::task::spawn_blocking(move || sha256_of_file(&hashed)).await;
    let found = found.map_err(|error| ModelError::io(part)(std::io::Error::other(error)))??;
    if found != wanted.sha256 {
        tokio::fs::remove_file(part).await.map_err(ModelError::io(part))?;
        let expected = wanted.sha256.to_owned();
        return Err(ModelError::WrongHash { what: wanted.what.to_owned(), expected, found });
    }
    tokio::fs::rename(part, target).await.map_err(ModelError::io(target))
}

async fn open(part: &Path, fresh: bool) -> Result<File, ModelError> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if fresh {
        options.truncate(true)
    } else {
        options.append(true)
    };
    options.open(part).await.map_err(ModelError::io(part))
}

fn resumes_at(response: &Response, have: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

async fn send(request: reqwest::RequestBuilder, url: &Url) -> Result<Response, ModelError> {
    match timeout(STALL, request.send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(failed(url, chain(&error.without_url()))),
        Err(_) => Err(failed(url, format!("no answer within {} s", STALL.as_secs()))),
    }
}

async fn next_chunk(
    response: &mut Response,
    url: &Url,
) -> Result<Option<impl std::ops::Deref<Target = [u8]>>, ModelError> {
    match timeout(STALL, response.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) => Err(failed(url, chain(&error.without_url()))),
        Err(_) => Err(failed(url, format!("nothing came for {} s", STALL.as_secs()))),
    }
}

fn failed(url: &Url, detail: impl Into<String>) -> ModelError {
    ModelError::Fetch { host: url.host_str().unwrap_or("?").to_owned(), detail: detail.into() }
}

/// The whole chain of causes in one line: the first one alone says only "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn part_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

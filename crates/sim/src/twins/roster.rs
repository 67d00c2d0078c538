//! The voices of an account, for twins that list and clone them.

use axum::extract::Multipart;
use std::sync::{Arc, Mutex, PoisonError};

/// One voice.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) gender: &'static str,
    pub(crate) preview_url: Option<String>,
    pub(crate) cloned: bool,
}

/// Some voices of the vendor's, then those that were cloned. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Roster(Arc<Mutex<Vec<Entry>>>);

impl Default for Roster {
    fn default() -> Self {
        let stock = |n: usize| Entry {
            id: format!("stock-{n:02}"),
            name: format!("Stock {n}"),
            language: ["en", "de", "hi"][n % 3].to_owned(),
            gender: ["female", "male"][n % 2],
            preview_url: n.is_multiple_of(2).then(|| format!("https://previews.example/stock-{n:02}.mp3")),
            cloned: false,
        };
        // More than fit on a page.
        Self(Arc::new(Mutex::new((0..120).map(stock).collect())))
    }
}

impl Roster {
    /// The voices behind the one of this id, and whether there are more.
    pub(crate) fn page(&self, after: Option<&str>, limit: usize) -> (Vec<Entry>, bool) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = after.and_then(|id| all.iter().position(|one| one.id == id)).map_or(0, |at| at + 1);
        let page: Vec<Entry> = all.iter().skip(from).take(limit).cloned().collect();
        let more = from + page.len() < all.len();
        (page, more)
    }

    /// Adds a cloned voice and gives its id.
    pub(crate) fn add(&self, name: &str, language: &str) -> String {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("cloned-{:02}", all.iter().filter(|one| one.cloned).count());
        let entry = Entry {
            id: id.clone(),
            name: name.to_owned(),
            language: language.to_owned(),
            gender: "female",
            preview_url: None,
            cloned: true,
        };
        all.push(entry);
        id
    }
}

/// One part of a form: its name, file name, content type and bytes.
type Part = (String, Option<String>, Option<String>, Vec<u8>);

/// A form with files, read whole.
#[derive(Debug, Default)]
pub(crate) struct Form {
    parts: Vec<Part>,
}

pub(crate) async fn form(mut parts: Multipart) -> Form {
    let mut form = Form::default();
    while let Ok(Some(part)) = parts.next_field().await {
        let name = part.name().unwrap_or_default().to_owned();
        let (file, kind) = (part.file_name().map(str::to_owned), part.content_type().map(str::to_owned));
        let Ok(bytes) = part.bytes().await else { break };
        form.parts.push((name, file, kind, bytes.to_vec()));
    }
    form
}

impl Form {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let part = self.parts.iter().find(|(part, file, ..)| part == name && file.is_none())?;
        std::str::from_utf8(&part.3).ok()
    }

    /// The first file of this name that is not empty.
    pub(crate) fn file(&self, name: &str) -> Option<&[u8]> {
        let mut files = self.parts.iter().filter(|(part, file, ..)| part == name && file.is_some());
        files.find(|(.., bytes)| !bytes.is_empty()).map(|(.., bytes)| bytes.as_slice())
    }

    /// What came, in short: names, values, and of files their type and length.
    pub(crate) fn summary(&self) -> String {
        let part = |(name, file, kind, bytes): &(String, Option<String>, Option<String>, Vec<u8>)| match file {
            Some(file) => format!("{name}={file} ({}, {} bytes)", kind.as_deref().unwrap_or("no type"), bytes.len()),
            None => format!("{name}={}", String::from_utf8_lossy(bytes)),
        };
        self.parts.iter().map(part).collect::<Vec<_>>().join(" ")
    }
}

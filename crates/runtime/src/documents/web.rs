//! Pages of sites through egress, which decides what may be reached.

use base::wire::{HttpRequest, Method};
use base::{Millis, limits};
use egress::Egress;
use knowledge::crawl::{Fetch, Fetched};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Fetches pages and files of sites.
#[derive(Clone, Debug)]
pub struct Web(Arc<Egress>);

impl Web {
    /// Through this way out, whose policy says which addresses may be reached.
    pub const fn new(egress: Arc<Egress>) -> Self {
        Self(egress)
    }

    /// Whether an address could be asked, as far as it tells by itself.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, url: &str) -> Result<(), String> {
        self.0.check_url(url).map_err(|failure| failure.detail)
    }
}

impl Fetch for Web {
    fn get<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send + 'a>> {
        let request = HttpRequest { method: Method::Get, url: url.to_owned(), headers: Vec::new(), body: Vec::new() };
        Box::pin(async move {
            // What a site offers may be a catalogue of many pages, which is larger than what providers say.
            let within = limits::KNOWLEDGE_FILE_BYTES_MAX;
            let answer = self.0.http_within(request, Millis(limits::CRAWL_PAGE_MS_MAX), within).await;
            let answer = answer.map_err(|failure| failure.detail)?;
            let location = answer.header("location").map(str::to_owned);
            Ok(Fetched { status: answer.status, location, body: answer.body.to_vec() })
        })
    }
}

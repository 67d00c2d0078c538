//! The pages of a site become documents: what `robots.txt` allows and the site map names, then what links lead to, within
//! bounds. A page that says what it said before is not taken in again; one that is gone goes here too.

pub mod frontier;
pub mod robots;

use crate::child::Parser;
use crate::ingest::{Added, Ingest, IngestError, Quiet, Source, documents, slug};
use crate::refusal::Refusal;
use base::limits;
use frontier::Frontier;
use model::business::TenantScope;
use quick_xml::Reader;
use quick_xml::events::Event;
use robots::Robots;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use store::Store;
use url::Url;

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// HTTP status.
    pub status: u16,
    /// Where it redirects to.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Fetches one address without following redirects. Whoever implements it decides which addresses may be reached at all.
pub trait Fetch: Send + Sync {
    /// Fetches, or says why not.
    fn get<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send + 'a>>;
}

/// How far a crawl goes.
#[derive(Clone, Copy, Debug)]
pub struct CrawlBounds {
    /// Pages.
    pub pages_max: usize,
    /// Links from the first page.
    pub depth_max: u32,
    /// Pause between two pages unless the site asks for a longer one.
    pub pause_ms: u64,
}

/// What became of a page.
#[derive(Debug)]
pub enum PageOutcome {
    /// Taken in, or known already.
    Taken(Added),
    /// It is gone, and its document with it.
    Gone,
    /// It was left out.
    Left(String),
}

/// Crawls sites into a store.
pub struct Crawler<'a> {
    /// Where documents go.
    pub store: &'a dyn Store,
    /// What takes them in.
    pub ingest: &'a Ingest,
    /// What reads them.
    pub parser: &'a Parser,
    /// What fetches them.
    pub fetch: &'a dyn Fetch,
}

impl Crawler<'_> {
    /// Visits a site from one of its pages and tells of each page. Answers whether pages were left out because there were
    /// too many.
    ///
    /// # Errors
    /// When the address is none, the first page cannot be read, or the store fails.
    pub async fn crawl(
        &self,
        scope: &TenantScope,
        start: &str,
        bounds: CrawlBounds,
        at_ms: i64,
        each: &mut (dyn FnMut(&str, &PageOutcome) + Send),
    ) -> Result<bool, IngestError> {
        let start = Url::parse(start).map_err(|error| Refusal::Kind(format!("the address is no URL: {error}")))?;
        let robots = self.robots(&start).await;
        let pause_ms =
            robots.pause_ms.unwrap_or(0).clamp(bounds.pause_ms, limits::CRAWL_PAUSE_MS_MAX.max(bounds.pause_ms));
        let sitemaps = robots.sitemaps.clone();
        let mut frontier = Frontier::new(start.clone(), robots, bounds.pages_max, bounds.depth_max);
        if frontier.is_ours(&start) {
            self.plan(scope, &start, sitemaps, &mut frontier).await?;
        }
        while let Some((url, depth)) = frontier.take() {
            let outcome = match self.visit(scope, &url, depth, &mut frontier, at_ms).await {
                Ok(outcome) => outcome,
                Err(error @ IngestError::Store(_)) => return Err(error),
                Err(error) => PageOutcome::Left(error.to_string()),
            };
            each(url.as_str(), &outcome);
            if pause_ms > 0 {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
        }
        Ok(frontier.is_cut())
    }

    async fn robots(&self, start: &Url) -> Robots {
        let Ok(address) = start.join("/robots.txt") else { return Robots::default() };
        match self.fetch.get(address.as_str()).await {
            Ok(answer) if answer.status == 200 => Robots::parse(&String::from_utf8_lossy(&answer.body)),
            _ => Robots::default(),
        }
    }

    /// Adds what the site maps name, and what was taken in from this site before.
    async fn plan(
        &self,
        scope: &TenantScope,
        start: &Url,
        mut sitemaps: Vec<String>,
        frontier: &mut Frontier,
    ) -> Result<(), IngestError> {
        for document in documents(self.store, scope).await? {
            if let Ok(url) = Url::parse(&document.source) {
                frontier.add(url, 1);
            }
        }
        if sitemaps.is_empty() {
            sitemaps.extend(start.join("/sitemap.xml").map(|url| url.to_string()));
        }
        let mut read = 0;
        while let Some(address) = sitemaps.pop() {
            let ours = Url::parse(&address).is_ok_and(|url| frontier.is_ours(&url));
            if !ours || read == limits::CRAWL_SITEMAPS_MAX {
                continue;
            }
            read += 1;
            let Ok(answer) = self.fetch.get(&address).await else { continue };
            if answer.status == 200 {
                let (pages, more) = read_sitemap(&String::from_utf8_lossy(&answer.body));
                sitemaps.extend(more);
                for page in pages.iter().filter_map(|page| Url::parse(page).ok()) {
                    frontier.add(page, 1);
                }
            }
        }
        Ok(())
    }

    async fn visit(
        &self,
        scope: &TenantScope,
        url: &Url,
        depth: u32,
        frontier: &mut Frontier,
        at_ms: i64,
    ) -> Result<PageOutcome, IngestError> {
        let (url, answer) = match self.follow(url, frontier).await {
            Ok(found) => found,
            Err(why) => return Ok(PageOutcome::Left(why)),
        };
        let slug = slug(url.as_str());
        match answer.status {
            200 => {}
            404 | 410 if self.store.delete_knowledge(scope, &slug).await? => return Ok(PageOutcome::Gone),
            status => return Ok(PageOutcome::Left(format!("the server answered {status}"))),
        }
        let source = Source { slug: &slug, title: None, source: url.as_str(), bytes: &answer.body };
        let document = match self.parser.parse(source.bytes, crate::ingest::file_name(source.source)).await {
            Ok(document) => document,
            Err(refusal) => return Ok(PageOutcome::Left(refusal.to_string())),
        };
        frontier.found(&url, depth, &document.links);
        self.ingest.add_read(scope, &source, document, at_ms, &Quiet).await.map(PageOutcome::Taken)
    }

    /// Follows redirects within the site. One that leaves it is not followed, whoever it leads to.
    async fn follow(&self, url: &Url, frontier: &Frontier) -> Result<(Url, Fetched), String> {
        let mut url = url.clone();
        for _ in 0..=limits::CRAWL_REDIRECTS_MAX {
            let answer = self.fetch.get(url.as_str()).await?;
            if !(300..400).contains(&answer.status) {
                return Ok((url, answer));
            }
            let target = answer.location.as_deref().and_then(|to| url.join(to).ok());
            let target = target.ok_or("it redirects to nowhere")?;
            if !frontier.is_ours(&target) {
                return Err("it redirects to another site".into());
            }
            url = frontier::plain(target);
        }
        Err("it redirects without end".into())
    }
}

/// Pages and further site maps that a site map names (sitemaps.org).
fn read_sitemap(xml: &str) -> (Vec<String>, Vec<String>) {
    let (mut pages, mut maps) = (Vec::new(), Vec::new());
    let (mut is_index, mut in_location, mut text) = (false, false, String::new());
    let mut reader = Reader::from_str(xml);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(tag) => {
                is_index |= tag.local_name().as_ref() == "sitemapindex";
                in_location = tag.local_name().as_ref() == "loc";
                text.clear();
            }
            Event::Text(more) if in_location => text.push_str(&more.xml10_content()),
            Event::GeneralRef(reference) if in_location && reference.xml10_content() == "amp" => text.push('&'),
            Event::End(tag) if tag.local_name().as_ref() == "loc" => {
                in_location = false;
                let list = if is_index { &mut maps } else { &mut pages };
                if list.len() < limits::CRAWL_QUEUE_MAX {
                    list.push(text.trim().to_owned());
                }
            }
            Event::Eof | Event::DocType(_) => break,
            _ => {}
        }
    }
    (pages, maps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_map_names_pages_and_further_maps() {
        let map = "<?xml version='1.0'?><urlset><url><loc> https://a.example/?x=1&amp;y=2 </loc><lastmod>2025</lastmod></url></urlset>";
        assert_eq!(read_sitemap(map), (vec!["https://a.example/?x=1&y=2".to_owned()], Vec::new()));
        let index = "<sitemapindex><sitemap><loc>https://a.example/b.xml</loc></sitemap></sitemapindex>";
        assert_eq!(read_sitemap(index), (Vec::new(), vec!["https://a.example/b.xml".to_owned()]));
        assert_eq!(read_sitemap("no map at all"), (Vec::new(), Vec::new()));
    }
}

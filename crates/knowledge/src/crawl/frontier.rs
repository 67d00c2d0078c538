//! Which pages of a site are visited, in which order, and when it is enough. Pure.

use super::robots::Robots;
use base::limits;
use std::collections::{HashSet, VecDeque};
use url::Url;

/// Longer addresses are made by machines for machines.
const URL_CHARS_MAX: usize = 512;
/// Pages of one path that differ in their query alone: calendars and filters never end.
const QUERIES_PER_PATH_MAX: usize = 10;
/// Endings of files that are no documents.
const NO_DOCUMENTS: [&str; 24] = [
    "png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "css", "js", "mjs", "json", "xml", "woff", "woff2", "ttf",
    "mp3", "mp4", "webm", "avi", "mov", "zip", "gz", "exe", "dmg",
];

/// The pages of one site that wait.
#[derive(Debug)]
pub struct Frontier {
    site: Url,
    robots: Robots,
    pages_max: usize,
    depth_max: u32,
    given: usize,
    waiting: VecDeque<(Url, u32)>,
    seen: HashSet<String>,
    queries: std::collections::HashMap<String, usize>,
}

impl Frontier {
    /// Begins at a page. The bounds are capped at [`limits::CRAWL_PAGES_MAX`] and [`limits::CRAWL_DEPTH_MAX`].
    pub fn new(start: Url, robots: Robots, pages_max: usize, depth_max: u32) -> Self {
        let mut frontier = Self {
            site: start.clone(),
            robots,
            pages_max: pages_max.min(limits::CRAWL_PAGES_MAX),
            depth_max: depth_max.min(limits::CRAWL_DEPTH_MAX),
            given: 0,
            waiting: VecDeque::new(),
            seen: HashSet::new(),
            queries: std::collections::HashMap::new(),
        };
        frontier.add(start, 0);
        frontier
    }

    /// The next page and how many links from the first it is.
    pub fn take(&mut self) -> Option<(Url, u32)> {
        if self.given >= self.pages_max {
            return None;
        }
        let next = self.waiting.pop_front();
        self.given += usize::from(next.is_some());
        next
    }

    /// Whether pages were left out because there were too many.
    pub fn is_cut(&self) -> bool {
        self.given >= self.pages_max && !self.waiting.is_empty()
    }

    /// Takes links in that stand on a page.
    pub fn found(&mut self, page: &Url, depth: u32, links: &[String]) {
        if depth >= self.depth_max {
            return;
        }
        for link in links {
            if let Ok(url) = page.join(link) {
                self.add(url, depth + 1);
            }
        }
    }

    /// Takes an address in, unless it is of another site, seen, forbidden or hopeless. Answers whether it is new.
    pub fn add(&mut self, url: Url, depth: u32) -> bool {
        let url = plain(url);
        let fits = self.is_ours(&url) && url.as_str().len() <= URL_CHARS_MAX && !is_trap(&url);
        if !fits || !self.robots.allows(&path_and_query(&url)) || self.waiting.len() >= limits::CRAWL_QUEUE_MAX {
            return false;
        }
        if url.query().is_some() {
            let count = self.queries.entry(url.path().to_owned()).or_default();
            if *count >= QUERIES_PER_PATH_MAX {
                return false;
            }
            *count += 1;
        }
        if !self.seen.insert(url.as_str().to_owned()) {
            return false;
        }
        self.waiting.push_back((url, depth));
        true
    }

    /// Whether an address belongs to the site: the same scheme, host and port; `www.` in front does not count.
    pub fn is_ours(&self, url: &Url) -> bool {
        let host = |url: &Url| url.host_str().map(|host| host.trim_start_matches("www.").to_owned());
        url.scheme() == self.site.scheme()
            && host(url) == host(&self.site)
            && url.port_or_known_default() == self.site.port_or_known_default()
    }
}

fn path_and_query(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// The address by which a page is known: without fragment, credentials and what only counts visitors.
pub fn plain(mut url: Url) -> Url {
    url.set_fragment(None);
    let counts =
        |name: &str| name.starts_with("utm_") || ["gclid", "fbclid", "ref", "sessionid", "sid"].contains(&name);
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| !counts(name)).map(|(a, b)| (a.into_owned(), b.into_owned())).collect();
    if kept.is_empty() {
        url.set_query(None);
    } else if url.query_pairs().count() != kept.len() {
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    url
}

/// Addresses that only go on and on, or are no documents.
fn is_trap(url: &Url) -> bool {
    let parts: Vec<&str> =
        url.path_segments().map(|parts| parts.filter(|part| !part.is_empty()).collect()).unwrap_or_default();
    let repeats = parts.iter().any(|part| parts.iter().filter(|other| *other == part).count() > 2);
    let ending = parts.last().and_then(|last| last.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    repeats || parts.len() > 12 || ending.is_some_and(|ending| NO_DOCUMENTS.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("an address")
    }

    fn all(frontier: &mut Frontier) -> Vec<String> {
        std::iter::from_fn(|| frontier.take().map(|(url, _)| url.to_string())).collect()
    }

    #[test]
    fn each_page_of_the_site_is_visited_once_and_other_sites_never() {
        let start = url("https://shop.example/help#top");
        let mut frontier = Frontier::new(start.clone(), Robots::default(), 100, 3);
        let links = [
            "/help",
            "a?utm_source=x",
            "a#b",
            "https://www.shop.example/c",
            "http://shop.example/d",
            "https://evil.example/",
            "https://shop.example.evil.example/",
            "mailto:a@b.example",
            "javascript:alert(1)",
            "/logo.png",
            "//shop.example:8443/x",
        ];
        frontier.found(&start, 0, &links.map(str::to_owned));
        assert_eq!(
            all(&mut frontier),
            ["https://shop.example/help", "https://shop.example/a", "https://www.shop.example/c"]
        );
    }

    #[test]
    fn an_endless_site_ends() {
        let mut frontier = Frontier::new(url("https://shop.example/"), Robots::default(), 50, 3);
        let mut visited = 0;
        while let Some((page, depth)) = frontier.take() {
            visited += 1;
            let more: Vec<String> = (0..20).map(|at| format!("{}x{visited}/{at}?day={at}", page.path())).collect();
            frontier.found(&page, depth, &more);
        }
        assert_eq!(visited, 50);
        assert!(frontier.is_cut());
        let mut calendar = Frontier::new(url("https://shop.example/cal"), Robots::default(), 500, 5);
        while let Some((page, depth)) = calendar.take() {
            calendar.found(&page, depth, &(0..100).map(|day| format!("/cal?day={depth}{day}")).collect::<Vec<_>>());
        }
        assert!(!calendar.is_cut());
    }

    #[test]
    fn what_robots_may_not_read_is_not_read() {
        let robots = Robots::parse("User-agent: *\nDisallow: /private");
        let mut frontier = Frontier::new(url("https://shop.example/"), robots, 10, 3);
        assert!(!frontier.add(url("https://shop.example/private/x"), 1));
        assert!(frontier.add(url("https://shop.example/public"), 1));
    }
}

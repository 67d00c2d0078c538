//! A site becomes documents.

use crate::shop::Shop;
use knowledge::crawl::{CrawlBounds, Crawler, Fetch, Fetched, PageOutcome};
use knowledge::ingest::Added;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

/// A site: what each path answers. Whoever asks for another host is noted.
#[derive(Default)]
struct Site {
    pages: BTreeMap<&'static str, Fetched>,
    asked: Mutex<Vec<String>>,
}

impl Site {
    fn page(mut self, path: &'static str, body: &str) -> Self {
        self.pages.insert(path, Fetched { status: 200, location: None, body: body.into() });
        self
    }

    fn redirect(mut self, path: &'static str, to: &str) -> Self {
        self.pages.insert(path, Fetched { status: 302, location: Some(to.into()), body: Vec::new() });
        self
    }
}

impl Fetch for Site {
    fn get<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send + 'a>> {
        self.asked.lock().unwrap().push(url.to_owned());
        let found = url.strip_prefix("https://shop.example").and_then(|path| self.pages.get(path)).cloned();
        Box::pin(async move { Ok(found.unwrap_or(Fetched { status: 404, ..Fetched::default() })) })
    }
}

const BOUNDS: CrawlBounds = CrawlBounds { pages_max: 20, depth_max: 3, pause_ms: 0 };

async fn crawl(shop: &Shop, site: &Site) -> Vec<String> {
    let crawler = Crawler { store: shop.store.as_ref(), ingest: &shop.ingest, parser: &shop.parser, fetch: site };
    let mut seen = Vec::new();
    let mut each = |url: &str, outcome: &PageOutcome| {
        let what = match outcome {
            PageOutcome::Taken(Added::Unchanged) => "unchanged".to_owned(),
            PageOutcome::Taken(Added::Indexed(_)) => "taken".to_owned(),
            PageOutcome::Gone => "gone".to_owned(),
            PageOutcome::Left(why) => why.clone(),
        };
        seen.push(format!("{} {what}", url.trim_start_matches("https://shop.example")));
    };
    crawler.crawl(&shop.scope, "https://shop.example/", BOUNDS, 1, &mut each).await.unwrap();
    seen
}

fn html(title: &str, text: &str, links: &str) -> String {
    format!("<!doctype html><title>{title}</title><nav>{links}</nav><h1>{title}</h1><p>{text}</p>")
}

#[tokio::test]
async fn a_site_is_read_from_its_map_and_links_and_never_beyond_itself() {
    let shop = Shop::open().await;
    let links = "<a href='/hours'>h</a><a href='/secret/x'>s</a><a href='/out'>o</a><a href='https://evil.example/'>e</a><a href='/loop'>l</a>";
    let site = Site::default()
        .page("/robots.txt", "User-agent: *\nDisallow: /secret\n")
        .page("/sitemap.xml", "<urlset><url><loc>https://shop.example/prices</loc></url><url><loc>https://evil.example/x</loc></url></urlset>")
        .page("/", &html("Home", "Welcome to our shop in the old town.", links))
        .page("/hours", &html("Hours", "We are open daily from nine to five.", ""))
        .page("/prices", &html("Prices", "A bell costs four euros in our shop.", ""))
        .page("/secret/x", &html("Secret", "Nobody reads this page here.", ""))
        .redirect("/out", "http://169.254.169.254/latest/meta-data")
        .redirect("/loop", "/loop");
    let seen = crawl(&shop, &site).await;
    assert_eq!(
        seen,
        [
            "/ taken",
            "/prices taken",
            "/hours taken",
            "/loop it redirects without end",
            "/out it redirects to another site"
        ]
    );
    let asked = site.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|url| url.starts_with("https://shop.example/") && !url.contains("secret")), "{asked:?}");
    assert!(shop.says(&shop.scope).await.contains(&"We are open daily from nine to five.".to_owned()));
}

#[tokio::test]
async fn a_second_visit_takes_in_what_changed_and_drops_what_is_gone() {
    let shop = Shop::open().await;
    let home = |day: &str| {
        let links = "<a href='/hours'>h</a><a href='/old'>o</a>";
        html("Home", "Welcome to our shop in the old town.", links)
            .replace("<nav>", &format!("<script>nonce('{day}')</script><nav>"))
    };
    let first = Site::default()
        .page("/", &home("monday"))
        .page("/hours", &html("Hours", "We are open daily from nine to five.", ""))
        .page("/old", &html("Old", "This offer of ours ends very soon.", ""));
    assert_eq!(crawl(&shop, &first).await, ["/ taken", "/hours taken", "/old taken"]);
    let second = Site::default()
        .page("/", &home("tuesday"))
        .page("/hours", &html("Hours", "We are open daily from eight to five.", ""));
    assert_eq!(crawl(&shop, &second).await, ["/ unchanged", "/hours taken", "/old gone"]);
    let says = shop.says(&shop.scope).await.join(" ");
    assert!(says.contains("eight to five") && !says.contains("nine to five") && !says.contains("offer"), "{says}");
}

/// A calendar that always has a next page.
#[derive(Default)]
struct Endless {
    asked: Mutex<usize>,
}

impl Fetch for Endless {
    fn get<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send + 'a>> {
        *self.asked.lock().unwrap() += 1;
        let next: u64 = url.rsplit('=').next().and_then(|number| number.parse().ok()).unwrap_or(0) + 1;
        let links = format!("<a href='/day?at={next}'>next</a><a href='/day?at={}'>later</a>", next * 1_000);
        let text = format!("On day {next} of our long calendar the shop is open from nine to five.");
        let is_page = !url.ends_with(".txt") && !url.ends_with(".xml");
        let body = if is_page { html(&format!("Day {next}"), &text, &links) } else { String::new() };
        let status = if is_page { 200 } else { 404 };
        Box::pin(async move { Ok(Fetched { status, location: None, body: body.into_bytes() }) })
    }
}

#[tokio::test]
async fn a_site_without_end_ends_at_its_bounds_and_says_so() {
    let (shop, site) = (Shop::open().await, Endless::default());
    let crawler = Crawler { store: shop.store.as_ref(), ingest: &shop.ingest, parser: &shop.parser, fetch: &site };
    let mut pages = 0;
    let mut each = |_: &str, _: &PageOutcome| pages += 1;
    let bounds = CrawlBounds { pages_max: 8, depth_max: 50, pause_ms: 0 };
    let cut = crawler.crawl(&shop.scope, "https://shop.example/day?at=0", bounds, 1, &mut each).await.unwrap();
    assert!(cut, "there were more");
    assert_eq!(pages, 8);
    assert!(*site.asked.lock().unwrap() <= 10, "pages, robots.txt and the site map");
}

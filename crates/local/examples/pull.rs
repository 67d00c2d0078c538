//! Pulls a tier into this user's models directory: `cargo run -p local --example pull -- [default|multilingual|optional]
//! [--from DIR]`.

use local::models::{Component, Manifest, ModelDir, Progress, PullOptions, Pulled, Tier, pull};
use std::sync::Mutex;

struct Lines(Mutex<(String, u64)>);

impl Progress for Lines {
    fn component(&self, component: &Component) {
        println!("{}: {} ({}; {})", component.id, component.purpose, component.license, component.attribution);
    }
    fn bytes(&self, _: &str, what: &str, done: u64, total: u64) {
        let tenth = done * 10 / total.max(1);
        let mut last = self.0.lock().expect("no holder panics");
        if *last != (what.to_owned(), tenth) {
            println!("  {what}: {} %", tenth * 10);
            *last = (what.to_owned(), tenth);
        }
    }
    fn source_failed(&self, component: &str, why: &str) {
        println!("  {component}: {why}");
    }
    fn waiting(&self) {
        println!("waiting for another pull");
    }
    fn finished(&self, component: &str, pulled: Pulled) {
        println!("{component}: {pulled:?}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tier = match arguments.first().map(String::as_str) {
        Some("multilingual") => Tier::Multilingual,
        Some("optional") => Tier::Optional,
        _ => Tier::Default,
    };
    let from = arguments.iter().position(|word| word == "--from").and_then(|at| arguments.get(at + 1)).map(Into::into);
    let dir = ModelDir::locate()?;
    let components: Vec<_> = Manifest::embedded().tier(tier).collect();
    println!("{} components into {}", components.len(), dir.path().display());
    let options = PullOptions { from, ..PullOptions::default() };
    pull(&dir, &components, &options, &Lines(Mutex::default())).await?;
    Ok(())
}

//! Calls behind each other for a long time, half as many as the server takes: what grows that should not.

use super::{APART, Finding, LATENCY_RATIO_MAX, Stage};
use crate::drive::{self, Scene};
use crate::end;
use crate::report::Spread;
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a call lasts.
const CALL: Duration = Duration::from_secs(20);
/// Looks at the server, over the whole time.
const LOOKS: u32 = 20;
/// Memory may be so much of what it was, and this more for what is kept for all calls.
const MEMORY_RATIO_MAX: f64 = 1.05;
const MEMORY_MIB_MORE: f64 = 2.0;
/// Files and sockets come and go with calls that are just beginning.
const DESCRIPTORS_RATIO_MAX: f64 = 1.2;

/// What was seen at one look.
#[derive(Debug, Serialize)]
struct Look {
    at_secs: u64,
    memory_mib: f64,
    descriptors: usize,
    threads: usize,
    calls_done: u64,
    /// Of calls that ended since the look before.
    answer: Spread,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Soak {
    minutes: u64,
    calls_at_once: u32,
    looks: Vec<Look>,
    calls_done: u64,
    turns_without_answer: usize,
    calls_refused: usize,
    calls_broken: Vec<String>,
    /// Of the last quarter, beside the second: the first fills caches.
    memory_mib_grown: f64,
    memory_kib_per_call: f64,
    descriptors_grown: i64,
    p95_ratio: f64,
}

/// What callers report when their call is over.
#[derive(Default)]
struct Book {
    since_look_ms: Vec<i64>,
    calls_done: u64,
    turns_without_answer: usize,
    calls_refused: usize,
    calls_broken: Vec<String>,
}

pub(super) async fn measure(stage: Stage, minutes: u64) -> anyhow::Result<Soak> {
    let calls_at_once = stage.limit / 2;
    let (stage, book) = (Arc::new(stage), Arc::new(Mutex::new(Book::default())));
    let (began, length) = (Instant::now(), Duration::from_secs(minutes * 60));
    let until = began + length;
    eprintln!("{calls_at_once} calls at once for {minutes} min");
    let mut callers = JoinSet::new();
    for place in 0..calls_at_once {
        let (stage, book) = (Arc::clone(&stage), Arc::clone(&book));
        callers.spawn(call_again(stage, book, began + APART * place, until));
    }
    let mut looks = Vec::new();
    for number in 1..=LOOKS {
        tokio::time::sleep_until(began + length * number / LOOKS).await;
        let look = look(&stage, &book, began)?;
        eprintln!("{:>6} s  {:.1} MiB  {} descriptors", look.at_secs, look.memory_mib, look.descriptors);
        looks.push(look);
    }
    callers.join_all().await;
    let stage = Arc::into_inner(stage).ok_or_else(|| anyhow::anyhow!("a caller is left over"))?;
    stage.close(Vec::new()).await?;
    let book = std::mem::take(&mut *book.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Soak::new(minutes, calls_at_once, looks, book))
}

/// One line of the world: a call, and then another.
async fn call_again(stage: Arc<Stage>, book: Arc<Mutex<Book>>, from: Instant, until: Instant) {
    tokio::time::sleep_until(from).await;
    while Instant::now() < until {
        let call = stage.place();
        let over = (Instant::now() + CALL).min(until);
        let heard = drive::drive(&call, Scene::Conversation, &stage.burst, over).await;
        end(&call).await;
        stage.cloud.phone.forget(&call);
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        book.calls_done += 1;
        book.calls_refused += usize::from(heard.refused);
        book.turns_without_answer += heard.responses_ms.iter().filter(|one| one.is_none()).count();
        book.since_look_ms.extend(heard.responses_ms.iter().flatten().map(|ms| *ms as i64));
        book.calls_broken.extend(heard.problem);
    }
}

fn look(stage: &Stage, book: &Mutex<Book>, began: Instant) -> anyhow::Result<Look> {
    let (usage, held) = (stage.server.usage()?, stage.server.held()?);
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Look {
        at_secs: began.elapsed().as_secs(),
        memory_mib: usage.rss_bytes as f64 / 1024.0 / 1024.0,
        descriptors: held.descriptors,
        threads: held.threads,
        calls_done: book.calls_done,
        answer: Spread::of(std::mem::take(&mut book.since_look_ms)),
    })
}

impl Soak {
    fn new(minutes: u64, calls_at_once: u32, looks: Vec<Look>, book: Book) -> Self {
        let quarter = (looks.len() / 4).max(1);
        let second = &looks[quarter.min(looks.len() - 1)..(quarter * 2).min(looks.len())];
        let last = &looks[looks.len() - quarter..];
        let mean = |of: &[Look], pick: fn(&Look) -> f64| of.iter().map(pick).sum::<f64>() / of.len().max(1) as f64;
        let both = |pick: fn(&Look) -> f64| (mean(second, pick), mean(last, pick));
        let (memory_then, memory) = both(|look| look.memory_mib);
        let (descriptors_then, descriptors) = both(|look| look.descriptors as f64);
        let (p95_then, p95) = both(|look| look.answer.p95_ms as f64);
        let (calls_then, calls) = both(|look| look.calls_done as f64);
        Self {
            minutes,
            calls_at_once,
            calls_done: book.calls_done,
            turns_without_answer: book.turns_without_answer,
            calls_refused: book.calls_refused,
            calls_broken: book.calls_broken,
            memory_mib_grown: memory - memory_then,
            memory_kib_per_call: (memory - memory_then) * 1024.0 / (calls - calls_then).max(1.0),
            descriptors_grown: (descriptors - descriptors_then).round() as i64,
            p95_ratio: p95 / p95_then.max(1.0),
            looks,
        }
    }
}

impl Finding for Soak {
    fn table(&self) -> String {
        let mut out = format!("{} calls at once for {} min\n\n", self.calls_at_once, self.minutes);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| after s | memory MiB | descriptors | threads | calls done | answers | answer p50 / p95 ms |\n|{}",
            "---|".repeat(7)
        );
        for look in &self.looks {
            let _ = writeln!(
                out,
                "| {} | {:.1} | {} | {} | {} | {} | {} / {} |",
                look.at_secs,
                look.memory_mib,
                look.descriptors,
                look.threads,
                look.calls_done,
                look.answer.count,
                look.answer.p50_ms,
                look.answer.p95_ms
            );
        }
        let _ = writeln!(
            out,
            "\n{} calls, {} without an answer to a turn, {} refused, {} broken\nfrom the second quarter to the last: memory \
             {:+.1} MiB ({:+.2} KiB for each call made), descriptors {:+}, answers p95 {:.2} of what it was",
            self.calls_done,
            self.turns_without_answer,
            self.calls_refused,
            self.calls_broken.len(),
            self.memory_mib_grown,
            self.memory_kib_per_call,
            self.descriptors_grown,
            self.p95_ratio
        );
        out
    }

    fn misses(&self) -> Vec<String> {
        let mut out = Vec::new();
        let then = self.looks.get(self.looks.len() / 4).map_or(0.0, |look| look.memory_mib);
        if self.memory_mib_grown > then * (MEMORY_RATIO_MAX - 1.0) + MEMORY_MIB_MORE {
            out.push(format!("memory grew by {:.1} MiB", self.memory_mib_grown));
        }
        let descriptors = self.looks.get(self.looks.len() / 4).map_or(0, |look| look.descriptors) as f64;
        if self.descriptors_grown as f64 > descriptors * (DESCRIPTORS_RATIO_MAX - 1.0) {
            out.push(format!("{} more descriptors", self.descriptors_grown));
        }
        if self.p95_ratio > LATENCY_RATIO_MAX {
            out.push(format!("answers p95 is {:.2} of what it was, more than {LATENCY_RATIO_MAX}", self.p95_ratio));
        }
        if self.turns_without_answer + self.calls_refused + self.calls_broken.len() > 0 {
            out.push("calls were refused or broke, or turns stayed without an answer".to_owned());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_after_the_caches_are_full_is_found() {
        let look = |number: u64, memory_mib| Look {
            at_secs: number * 60,
            memory_mib,
            descriptors: 100,
            threads: 9,
            calls_done: number * 100,
            answer: Spread::of(vec![400; 10]),
        };
        let warm = |number: u64| if number < 5 { 40.0 + number as f64 * 5.0 } else { 65.0 };
        let flat = Soak::new(20, 50, (0..20).map(|number| look(number, warm(number))).collect(), Book::default());
        assert!(flat.misses().is_empty(), "{:?}", flat.misses());
        let leaks = (0..20).map(|number| look(number, warm(number) + number as f64)).collect();
        let leaking = Soak::new(20, 50, leaks, Book::default());
        assert_eq!(leaking.misses().len(), 1, "{:?}", leaking.misses());
        assert!((10.0..10.5).contains(&leaking.memory_kib_per_call), "{}", leaking.memory_kib_per_call);
    }
}

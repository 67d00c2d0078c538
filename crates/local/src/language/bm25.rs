//! Okapi BM25 over a few thousand passages in memory. Pure.
//!
//! Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the
//! non-negative idf that Lucene uses.

use super::words::terms;
use std::collections::HashMap;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A passage that holds a term, and how often, in five bytes: of a large base most of the index is this.
#[derive(Clone, Copy, Debug)]
struct Posting([u8; 5]);

impl Posting {
    /// A term that a passage holds more than 255 times says no more about it.
    fn new(id: u32, count: u32) -> Self {
        let [a, b, c, d] = id.to_le_bytes();
        Self([a, b, c, d, u8::try_from(count).unwrap_or(u8::MAX)])
    }

    const fn id(self) -> u32 {
        let [a, b, c, d, _] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }

    fn count(self) -> f32 {
        f32::from(self.0[4])
    }
}

/// An inverted index.
#[derive(Clone, Debug, Default)]
pub struct Bm25 {
    postings: HashMap<String, Vec<Posting>>,
    lengths: Vec<u32>,
    length_mean: f32,
}

impl Bm25 {
    /// Indexes passages; their positions are the results' ids.
    pub fn build<S: AsRef<str>>(passages: &[S]) -> Self {
        let mut builder = Bm25Builder::default();
        passages.iter().for_each(|passage| builder.push(passage.as_ref()));
        builder.finish()
    }

    /// Bytes that the index takes, about.
    pub fn memory_bytes(&self) -> usize {
        let of = |(term, found): (&String, &Vec<Posting>)| term.capacity() + size_of_val(found.as_slice()) + 64;
        self.postings.iter().map(of).sum::<usize>() + self.lengths.len() * 4
    }

    /// How rare a term is; 0 for one that occurs nowhere.
    pub fn idf(&self, term: &str) -> f32 {
        self.postings.get(term).map_or(0.0, |found| {
            let n = self.lengths.len() as f32;
            let df = found.len() as f32;
            (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
        })
    }

    /// How much of a query's rare words a passage holds, from 0 to 1: a word that is nowhere counts as the rarest. 1 when the
    /// query has none.
    pub fn coverage(&self, query: &str, passage: usize) -> f32 {
        let mut asked = terms(query);
        asked.sort_unstable();
        asked.dedup();
        let n = self.lengths.len() as f32;
        let rarest = (1.0 + (n + 0.5) / 0.5).ln();
        let (mut held, mut all) = (0.0, 0.0);
        for term in &asked {
            let found = self.postings.get(term);
            let idf = if found.is_some() { self.idf(term) } else { rarest };
            all += idf;
            let holds =
                found.is_some_and(|found| found.binary_search_by_key(&(passage as u32), |one| one.id()).is_ok());
            held += if holds { idf } else { 0.0 };
        }
        if all > 0.0 { held / all } else { 1.0 }
    }

    /// The best passages for a query, best first, with scores above zero; ties by position.
    pub fn search(&self, query: &str, count: usize) -> Vec<(usize, f32)> {
        let mut scores: HashMap<u32, f32> = HashMap::new();
        let mut asked = terms(query);
        asked.sort_unstable();
        asked.dedup();
        for term in self.telling(&asked) {
            let idf = self.idf(term);
            for posting in self.postings.get(term).map_or(&[][..], Vec::as_slice) {
                let (id, tf) = (posting.id(), posting.count());
                let length = self.lengths[id as usize] as f32 / self.length_mean;
                *scores.entry(id).or_default() += idf * tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * length));
            }
        }
        let mut ranked: Vec<(usize, f32)> = scores.into_iter().map(|(id, score)| (id as usize, score)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(count);
        ranked
    }

    /// The terms that tell passages apart, in their order: in a large base, those of which so many passages hold one that
    /// looking at all of them would take longer than the answer may.
    fn telling<'a>(&self, asked: &'a [String]) -> Vec<&'a String> {
        let found = |term: &String| self.postings.get(term).map_or(0, Vec::len);
        let mut rarest: Vec<(usize, &String)> = asked.iter().map(|term| (found(term), term)).collect();
        rarest.sort_unstable();
        let mut total = 0;
        rarest.retain(|(count, _)| {
            total += count;
            total <= LOOKED_AT_MAX
        });
        asked.iter().filter(|term| rarest.iter().any(|(_, kept)| kept == term)).collect()
    }
}

/// Entries of the index that one question looks at.
const LOOKED_AT_MAX: usize = 60_000;

/// An index that is being put together.
#[derive(Clone, Debug, Default)]
pub struct Bm25Builder(Bm25);

impl Bm25Builder {
    /// Adds a passage; its position is the result's id.
    pub fn push(&mut self, passage: &str) {
        let index = &mut self.0;
        let id = u32::try_from(index.lengths.len()).unwrap_or(u32::MAX);
        let terms = terms(passage);
        index.lengths.push(u32::try_from(terms.len()).unwrap_or(u32::MAX));
        let mut counts: HashMap<String, u32> = HashMap::new();
        for term in terms {
            *counts.entry(term).or_default() += 1;
        }
        for (term, count) in counts {
            index.postings.entry(term).or_default().push(Posting::new(id, count));
        }
    }

    /// The index.
    pub fn finish(mut self) -> Bm25 {
        let index = &mut self.0;
        let total: f32 = index.lengths.iter().map(|&n| n as f32).sum();
        index.length_mean = (total / index.lengths.len().max(1) as f32).max(1.0);
        index.postings.values_mut().for_each(Vec::shrink_to_fit);
        index.lengths.shrink_to_fit();
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [&str; 3] = [
        "We deliver to Germany and Austria.",
        "Delivery of parts costs 4.90 euros. Delivery is quick.",
        "Rent an e-bike for 42 euros a day.",
    ];

    #[test]
    fn a_rare_word_finds_its_passage_first() {
        let index = Bm25::build(&PAGES);
        let ids = |query| index.search(query, 3).into_iter().map(|hit| hit.0).collect::<Vec<_>>();
        assert_eq!(ids("do you deliver to austria")[0], 0);
        assert_eq!(ids("what does delivery cost")[0], 1);
        assert_eq!(ids("e bike rental"), [2]);
    }

    #[test]
    fn words_that_nearly_every_passage_has_do_not_slow_a_large_base_down() {
        let mut passages = vec!["delivery of parts"; LOOKED_AT_MAX + 1];
        passages[7] = "delivery of zebras";
        let index = Bm25::build(&passages);
        assert_eq!(index.search("delivery of a zebra", 3).first().map(|hit| hit.0), Some(7));
        assert_eq!(index.search("delivery of a zebra", 3).len(), 1);
    }

    #[test]
    fn a_passage_covers_a_question_as_far_as_it_holds_its_rare_words() {
        let index = Bm25::build(&PAGES);
        assert!(index.coverage("do you deliver to austria", 0) > 0.99);
        let half = index.coverage("do you deliver to switzerland", 0);
        assert!(half > 0.2 && half < 0.8, "{half}");
        assert_eq!((index.coverage("zebra", 0), index.coverage("how are you", 0)), (0.0, 1.0));
    }

    #[test]
    fn nothing_in_common_finds_nothing() {
        let index = Bm25::build(&PAGES);
        assert!(index.search("zebra", 5).is_empty());
        assert!(index.search("", 5).is_empty());
        assert!(Bm25::build::<&str>(&[]).search("delivery", 5).is_empty());
    }
}

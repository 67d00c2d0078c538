//! Okapi BM25 over a few thousand passages in memory. Pure.
//!
//! Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with the
//! non-negative idf that Lucene uses.

use super::words::terms;
use std::collections::HashMap;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// An inverted index.
#[derive(Clone, Debug, Default)]
pub struct Bm25 {
    postings: HashMap<String, Vec<(u32, u32)>>,
    lengths: Vec<u32>,
    length_mean: f32,
}

impl Bm25 {
    /// Indexes passages; their positions are the results' ids.
    pub fn build<S: AsRef<str>>(passages: &[S]) -> Self {
        let mut index = Self::default();
        for (id, passage) in passages.iter().enumerate() {
            let terms = terms(passage.as_ref());
            index.lengths.push(u32::try_from(terms.len()).unwrap_or(u32::MAX));
            let mut counts: HashMap<String, u32> = HashMap::new();
            for term in terms {
                *counts.entry(term).or_default() += 1;
            }
            for (term, count) in counts {
                index.postings.entry(term).or_default().push((u32::try_from(id).unwrap_or(u32::MAX), count));
            }
        }
        let total: f32 = index.lengths.iter().map(|&n| n as f32).sum();
        index.length_mean = (total / index.lengths.len().max(1) as f32).max(1.0);
        index
    }

    /// Bytes that the index takes, about.
    pub fn memory_bytes(&self) -> usize {
        let of = |(term, found): (&String, &Vec<(u32, u32)>)| term.capacity() + found.capacity() * 8 + 64;
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

    /// The best passages for a query, best first, with scores above zero; ties by position.
    pub fn search(&self, query: &str, count: usize) -> Vec<(usize, f32)> {
        let mut scores: HashMap<u32, f32> = HashMap::new();
        let mut asked = terms(query);
        asked.sort_unstable();
        asked.dedup();
        for term in &asked {
            let idf = self.idf(term);
            for &(id, count) in self.postings.get(term).map_or(&[][..], Vec::as_slice) {
                let tf = count as f32;
                let length = self.lengths[id as usize] as f32 / self.length_mean;
                *scores.entry(id).or_default() += idf * tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * length));
            }
        }
        let mut ranked: Vec<(usize, f32)> = scores.into_iter().map(|(id, score)| (id as usize, score)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.truncate(count);
        ranked
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
    fn nothing_in_common_finds_nothing() {
        let index = Bm25::build(&PAGES);
        assert!(index.search("zebra", 5).is_empty());
        assert!(index.search("", 5).is_empty());
        assert!(Bm25::build::<&str>(&[]).search("delivery", 5).is_empty());
    }
}

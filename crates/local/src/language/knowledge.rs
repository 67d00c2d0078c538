//! What a business's documents say about a question: retrieve, rerank, gate, extract.
//!
//! Candidates are the union of the nearest by embedding and the best by BM25 (fusing their ranks hurts on natural
//! questions). A candidate's score is the cosine of its section, plus that of its best sentence, plus a tenth of the
//! cross-encoder's. Whether the best candidate is an answer is the [`Gate`]'s to say. What is said is verbatim.

use super::bm25::Bm25;
use super::document::{Document, Passage, is_short, sections};
use super::embed::{EMBEDDING_WIDTH, Embedding, cosine};
use super::gate::{Features, Gate, Verdict};
use super::words::words;
use super::{LanguageError, LanguageModels};
use model::generation::Citation;

const RERANK_WEIGHT: f32 = 0.1;
/// What the cross-encoder says at best and at worst, usually.
const CROSS_MAX: f32 = 9.5;
const CROSS_MIN: f32 = -11.0;

/// How much is looked at for a question. More finds more and costs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breadth {
    /// Candidates that are nearest in meaning.
    pub dense: usize,
    /// Candidates that share rare words.
    pub bm25: usize,
    /// Words of a candidate that the cross-encoder reads: it costs in proportion, and what answers a question stands
    /// together.
    pub words_max: usize,
    /// Whether candidates are passed over that cannot come first any more whatever the cross-encoder would say.
    pub prune: bool,
}

impl Default for Breadth {
    fn default() -> Self {
        Self { dense: 5, bm25: 3, words_max: 60, prune: true }
    }
}

/// Name of the space that the vectors of [`super::Embedder`] lie in; another model, another name.
pub const SPACE: &str = "minilm-l6-int8";

/// A business's documents, indexed. Built once, shared by all calls.
#[derive(Debug)]
pub struct Knowledge {
    sections: Vec<Passage>,
    section_vectors: Vec<Embedding>,
    heading_vectors: Vec<Embedding>,
    sentence_vectors: Vec<Embedding>,
    /// Where the sentences of each section begin; one more at the end.
    sentences_from: Vec<usize>,
    bm25: Bm25,
    gate: Gate,
    breadth: Breadth,
}

/// One section found for a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Position of the section.
    pub section: usize,
    /// Cosine of the section plus that of its nearest sentence.
    pub dense: f32,
    /// Cross-encoder score.
    pub cross: f32,
    /// What hits are ranked by.
    pub score: f32,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchOutcome {
    /// Candidates, best first.
    pub hits: Vec<Hit>,
    /// What the gate looked at.
    pub features: Features,
    /// How probable it is that the best candidate answers the question.
    pub probability: f32,
    /// What to do with it.
    pub verdict: Verdict,
    /// The best candidate's own words that are said.
    pub passage: Option<Citation>,
}

impl Knowledge {
    /// Reads, embeds and indexes documents; about 9 ms a sentence.
    pub fn build(models: &LanguageModels, documents: &[Document], gate: Gate) -> Result<Self, LanguageError> {
        Self::embed(models, documents.iter().flat_map(sections).collect(), gate)
    }

    /// Embeds and indexes passages.
    pub fn embed(models: &LanguageModels, sections: Vec<Passage>, gate: Gate) -> Result<Self, LanguageError> {
        let vectors = sections
            .iter()
            .map(|section| models.embedder.embed_all(&section.embedded()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::assemble(sections.into_iter().zip(vectors), gate))
    }

    /// Indexes passages with the vectors of what is [`Passage::embedded`] of each, in that order. A passage whose vectors
    /// are not as many is left out.
    pub fn assemble(passages: impl Iterator<Item = (Passage, Vec<Embedding>)>, gate: Gate) -> Self {
        let mut built = Self {
            sections: Vec::new(),
            section_vectors: Vec::new(),
            heading_vectors: Vec::new(),
            sentence_vectors: Vec::new(),
            sentences_from: vec![0],
            bm25: Bm25::default(),
            gate,
            breadth: Breadth::default(),
        };
        let mut words = Vec::new();
        for (passage, vectors) in passages {
            let [section, heading, sentences @ ..] = vectors.as_slice() else { continue };
            if sentences.len() != passage.sentences.len() {
                continue;
            }
            built.section_vectors.push(*section);
            built.heading_vectors.push(*heading);
            built.sentence_vectors.extend(sentences);
            built.sentences_from.push(built.sentence_vectors.len());
            words.push(passage.indexed());
            built.sections.push(passage);
        }
        built.bm25 = Bm25::build(&words);
        built
    }

    /// What decides whether the best passage is an answer.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The same, looking at more or less for a question.
    #[must_use]
    pub const fn with_breadth(mut self, breadth: Breadth) -> Self {
        self.breadth = breadth;
        self
    }

    /// Bytes that the index takes, about.
    pub fn memory_bytes(&self) -> usize {
        let vectors = self.section_vectors.len() * 2 + self.sentence_vectors.len();
        vectors * EMBEDDING_WIDTH * 4 + self.text_bytes()
    }

    /// Bytes that it takes beside the vectors, about.
    pub fn text_bytes(&self) -> usize {
        let of = |one: &Passage| {
            let texts = one.document.capacity() + one.heading.capacity();
            texts + size_of::<Passage>() + one.sentences.iter().map(|text| text.capacity() + 24).sum::<usize>()
        };
        self.sections.iter().map(of).sum::<usize>() + self.bm25.memory_bytes() + self.sentences_from.len() * 8
    }

    /// The sections, in the order of their documents.
    pub fn sections(&self) -> &[Passage] {
        &self.sections
    }

    /// Highest sum of section and sentence cosine of any section: how near the documents come to an utterance.
    pub fn nearest(&self, query: &Embedding) -> f32 {
        self.dense(query).into_iter().fold(0.0, f32::max)
    }

    /// Searches for a question. `query` is the embedding of `question`.
    pub fn search(
        &self,
        models: &LanguageModels,
        question: &str,
        query: &Embedding,
    ) -> Result<SearchOutcome, LanguageError> {
        let dense = self.dense(query);
        let mut order: Vec<usize> = (0..dense.len()).collect();
        order.sort_by(|&a, &b| dense[b].total_cmp(&dense[a]).then(a.cmp(&b)));
        order.truncate(self.breadth.dense);
        for (id, _) in self.bm25.search(question, self.breadth.bm25) {
            if !order.contains(&id) {
                order.push(id);
            }
        }
        order.sort_by(|&a, &b| dense[b].total_cmp(&dense[a]).then(a.cmp(&b)));
        let mut hits: Vec<Hit> = Vec::with_capacity(order.len());
        let mut best = f32::MIN;
        for section in order {
            let dense = dense[section];
            let hopeless = self.breadth.prune && dense + RERANK_WEIGHT * CROSS_MAX < best;
            let cross = if hopeless { CROSS_MIN } else { self.read(models, question, section, query)? };
            let score = dense + RERANK_WEIGHT * cross;
            best = best.max(score);
            hits.push(Hit { section, dense, cross, score });
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.section.cmp(&b.section)));
        Ok(self.judge(query, hits))
    }

    /// What the cross-encoder says of a section.
    fn read(
        &self,
        models: &LanguageModels,
        question: &str,
        section: usize,
        query: &Embedding,
    ) -> Result<f32, LanguageError> {
        let scores = models.reranker.score(question, &[&self.window(section, query)])?;
        scores.first().copied().ok_or_else(|| LanguageError::Run("the reranker gave no score".into()))
    }

    fn judge(&self, query: &Embedding, hits: Vec<Hit>) -> SearchOutcome {
        let Some(best) = hits.first() else {
            let features = Features::default();
            return SearchOutcome { hits, features, probability: 0.0, verdict: Verdict::Decline, passage: None };
        };
        let lead = hits.get(1).map_or(1.0, |second| best.score - second.score);
        let features = [best.dense, best.cross, lead, cosine(query, &self.heading_vectors[best.section])];
        let probability = self.gate.probability(&features);
        let passage = Some(self.extract(best.section, query));
        SearchOutcome { verdict: self.gate.verdict(probability), probability, features, passage, hits }
    }

    fn dense(&self, query: &Embedding) -> Vec<f32> {
        (0..self.sections.len())
            .map(|at| {
                let best = self.sentences_of(at).iter().map(|vector| cosine(query, vector)).fold(0.0, f32::max);
                best + cosine(query, &self.section_vectors[at])
            })
            .collect()
    }

    fn sentences_of(&self, section: usize) -> &[Embedding] {
        &self.sentence_vectors[self.sentences_from[section]..self.sentences_from[section + 1]]
    }

    /// What the cross-encoder reads of a section: its heading and the sentences around the nearest one.
    fn window(&self, section: usize, query: &Embedding) -> String {
        let found = &self.sections[section];
        let lengths: Vec<usize> = found.sentences.iter().map(|sentence| words(sentence).len()).collect();
        let nearness: Vec<f32> = self.sentences_of(section).iter().map(|vector| cosine(query, vector)).collect();
        let best =
            (0..nearness.len()).max_by(|&a, &b| nearness[a].total_cmp(&nearness[b]).then(b.cmp(&a))).unwrap_or(0);
        let (mut from, mut to) = (best, best + 1);
        let mut total = lengths.get(best).copied().unwrap_or(0);
        while from > 0 || to < lengths.len() {
            let before = from.checked_sub(1).map(|at| (at, nearness[at]));
            let after = (to < lengths.len()).then(|| (to, nearness[to]));
            let (at, goes_back) = match (before, after) {
                (Some((at, near)), Some((_, other))) if near >= other => (at, true),
                (Some((at, _)), None) => (at, true),
                (_, Some((at, _))) => (at, false),
                (None, None) => break,
            };
            total += lengths[at];
            if total > self.breadth.words_max {
                break;
            }
            if goes_back { from = at } else { to = at + 1 }
        }
        format!("{}. {}", found.heading, found.sentences.get(from..to).unwrap_or_default().join(" "))
    }

    /// The words that are said: a short section whole, else its two nearest sentences in their order.
    fn extract(&self, section: usize, query: &Embedding) -> Citation {
        let found = &self.sections[section];
        let quote = if is_short(found) {
            found.text()
        } else {
            let mut ranked: Vec<(usize, f32)> =
                self.sentences_of(section).iter().map(|vector| cosine(query, vector)).enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let mut kept: Vec<usize> = ranked.into_iter().take(2).map(|(at, _)| at).collect();
            kept.sort_unstable();
            kept.into_iter().map(|at| found.sentences[at].as_str()).collect::<Vec<_>>().join(" ")
        };
        Citation { document: found.document.clone(), section: found.heading.clone(), quote, page: found.page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_without_its_vectors_is_left_out() {
        let passage = |sentences: &[&str]| Passage {
            document: "Help".into(),
            heading: "Hours".into(),
            page: None,
            sentences: sentences.iter().map(|&one| one.to_owned()).collect(),
        };
        let vector = [0.0; EMBEDDING_WIDTH];
        let given = [(passage(&["One."]), vec![vector; 3]), (passage(&["One.", "Two."]), vec![vector; 3])];
        let index = Knowledge::assemble(given.into_iter(), Gate::default());
        assert_eq!(index.sections().len(), 1);
    }
}

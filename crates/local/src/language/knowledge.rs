//! What a business's documents say about a question: retrieve, rerank, gate, extract.
//!
//! Candidates are the union of the nearest by embedding and the best by BM25 (fusing their ranks hurts on natural
//! questions). A candidate's score is the cosine of its section, plus that of its best sentence, plus a tenth of the
//! cross-encoder's. Whether the best candidate is an answer is the [`Gate`]'s to say. What is said is verbatim.

use super::bm25::{Bm25, Bm25Builder};
use super::document::{Document, Passage, is_short, sections};
use super::embed::{Embedding, cosine};
use super::facts::Facts;
use super::gate::{Features, Gate, Verdict};
use super::near::{Asked, Near, Vectors};
use super::subject;
use super::words::{terms, words};
use super::{LanguageError, LanguageModels};
use base::limits;
use model::generation::Citation;
use std::fmt;
use std::sync::{Arc, OnceLock};

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
    heading_vectors: Vectors,
    sentence_vectors: Vectors,
    /// Where the sentences of each section begin; one more at the end.
    sentences_from: Vec<usize>,
    bm25: Bm25,
    /// Leads to what is near in a large base, once it is built.
    near: OnceLock<Near>,
    facts: Facts,
    gate: Gate,
    breadth: Breadth,
    elsewhere: Option<Arc<dyn Nominate>>,
}

/// Somebody who says which sections are near, beside this index.
pub trait Nominate: fmt::Debug + Send + Sync {
    /// Places of at most so many sections that are near, or `None` when nobody can tell in time. Blocking.
    fn nearest(&self, query: &Embedding, count: usize) -> Option<Vec<usize>>;
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
    /// Places of the facts that answered, where several passages did together.
    pub facts: Vec<usize>,
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
        let mut assembly = Assembly::new(gate);
        for (passage, vectors) in passages {
            assembly.push(passage, &vectors);
        }
        assembly.finish()
    }

    /// Links what is near in a large base, which takes about a millisecond of one core a passage: until it is done, every
    /// question looks at all passages. Nothing is to do in a small base.
    ///
    /// # Errors
    /// When no thread can be started for it.
    pub fn link(&self) -> Result<(), LanguageError> {
        if self.is_large() && self.near.get().is_none() {
            let near = Near::build(self.section_vectors.iter()).map_err(LanguageError::Run)?;
            // Whoever was quicker built the same.
            let _ = self.near.set(near);
        }
        Ok(())
    }

    /// Whether it is too large to look at every passage for every question.
    pub const fn is_large(&self) -> bool {
        self.sections.len() > limits::KNOWLEDGE_EXACT_CHUNKS_MAX
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

    /// The same, knowing what documents say of the things that they name; their passages are those of this index.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// The same, asking somebody else first which sections are near. What is nominated is ranked by the vectors of this index.
    #[must_use]
    pub fn with_elsewhere(mut self, elsewhere: Arc<dyn Nominate>) -> Self {
        self.elsewhere = Some(elsewhere);
        self
    }

    /// What documents say of the things that they name.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Bytes that the index takes, about.
    pub fn memory_bytes(&self) -> usize {
        let near = self.near.get().map_or(0, Near::memory_bytes);
        self.vector_bytes() + self.text_bytes() + near
    }

    /// Bytes that the vectors take.
    pub fn vector_bytes(&self) -> usize {
        let sections = self.section_vectors.len() * size_of::<Embedding>();
        sections + self.heading_vectors.memory_bytes() + self.sentence_vectors.memory_bytes()
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
        let asked = Asked::new(query);
        self.best(self.looked_at(&asked), &asked, 1).first().map_or(0.0, |found| found.1)
    }

    /// Searches for a question. `query` is the embedding of `question`.
    pub fn search(
        &self,
        models: &LanguageModels,
        question: &str,
        query: &Embedding,
    ) -> Result<SearchOutcome, LanguageError> {
        let asked = Asked::new(query);
        let order = self.candidates_of(question, &asked);
        let mut hits: Vec<Hit> = Vec::with_capacity(order.len());
        let mut best = f32::MIN;
        for (section, dense) in order {
            let hopeless = self.breadth.prune && dense + RERANK_WEIGHT * CROSS_MAX < best;
            let cross = if hopeless { CROSS_MIN } else { self.read(models, question, section, &asked)? };
            let score = dense + RERANK_WEIGHT * cross;
            best = best.max(score);
            hits.push(Hit { section, dense, cross, score });
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.section.cmp(&b.section)));
        let mut outcome = self.judge(question, &asked, hits);
        if outcome.verdict != Verdict::Decline && self.is_about_something_else(models, question, &outcome)? {
            outcome.verdict = Verdict::Decline;
            // What people see is what was decided.
            outcome.probability = outcome.probability.min(self.gate.closest_from * 0.5);
        }
        Ok(self.answer_which(question, outcome))
    }

    /// Whether the best candidate answers another question, which is near by everything but its subject.
    fn is_about_something_else(
        &self,
        models: &LanguageModels,
        question: &str,
        outcome: &SearchOutcome,
    ) -> Result<bool, LanguageError> {
        let Some(best) = outcome.hits.first() else { return Ok(false) };
        let passage = &self.sections[best.section];
        let differ = subject::asked_by(&passage.heading).and_then(|other| subject::what_differs(question, other));
        let Some((ours, theirs)) = differ else { return Ok(false) };
        // What the question is about may stand in the answer alone.
        let said = terms(&passage.text());
        if terms(&ours).iter().any(|term| said.contains(term)) {
            return Ok(false);
        }
        let (ours, theirs) = (models.embedder.embed(&ours)?, models.embedder.embed(&theirs)?);
        Ok(cosine(&ours, &theirs) < subject::RELATED_FROM)
    }

    /// The sections that come into question with their nearness in meaning, the nearest first: what is found before anything
    /// is read.
    pub fn candidates(&self, question: &str, query: &Embedding) -> Vec<(usize, f32)> {
        self.candidates_of(question, &Asked::new(query))
    }

    fn candidates_of(&self, question: &str, asked: &Asked<'_>) -> Vec<(usize, f32)> {
        let mut order = self.nearest_sections(asked, self.breadth.dense);
        for (id, _) in self.bm25.search(question, self.breadth.bm25) {
            if !order.iter().any(|(at, _)| *at == id) {
                order.push((id, self.dense(id, asked)));
            }
        }
        for id in self.facts.passages(question) {
            if !order.iter().any(|(at, _)| *at == id) {
                order.push((id, self.dense(id, asked)));
            }
        }
        order.sort_by(nearest_first);
        order
    }

    /// What the cross-encoder says of a section.
    fn read(
        &self,
        models: &LanguageModels,
        question: &str,
        section: usize,
        query: &Asked<'_>,
    ) -> Result<f32, LanguageError> {
        let scores = models.reranker.score(question, &[&self.window(section, query)])?;
        scores.first().copied().ok_or_else(|| LanguageError::Run("the reranker gave no score".into()))
    }

    fn judge(&self, question: &str, query: &Asked<'_>, hits: Vec<Hit>) -> SearchOutcome {
        let Some(best) = hits.first() else {
            let features = Features::default();
            return SearchOutcome {
                hits,
                features,
                probability: 0.0,
                verdict: Verdict::Decline,
                passage: None,
                facts: Vec::new(),
            };
        };
        let lead = hits.get(1).map_or(1.0, |second| best.score - second.score);
        let features = [
            best.dense,
            best.cross,
            lead,
            self.heading_vectors.cosine(best.section, query),
            self.bm25.coverage(question, best.section),
        ];
        let probability = self.gate.probability(&features);
        let passage = Some(self.extract(best.section, query));
        SearchOutcome {
            verdict: self.gate.verdict(probability),
            probability,
            features,
            passage,
            hits,
            facts: Vec::new(),
        }
    }

    /// The answer to a question for the things of which something is so: the sentences that say so, from wherever they stand.
    fn answer_which(&self, question: &str, mut outcome: SearchOutcome) -> SearchOutcome {
        let found = self.facts.which(question, |section| {
            let place = &self.sections[section];
            format!("{} {}", place.document, place.heading)
        });
        let facts: Vec<_> = found.iter().filter_map(|at| self.facts.fact(*at)).collect();
        if let Some(first) = facts.first() {
            let place = &self.sections[first.section];
            let quote = facts.iter().map(|fact| fact.quote.as_str()).collect::<Vec<_>>().join(" ");
            let (document, section) = (place.document.clone(), place.heading.clone());
            outcome.passage = Some(Citation { document, section, quote, page: place.page });
            (outcome.verdict, outcome.probability) = (Verdict::Answer, 1.0);
            outcome.facts = found;
        }
        outcome
    }

    /// The sections nearest in meaning with their nearness, the nearest first.
    fn nearest_sections(&self, query: &Asked<'_>, count: usize) -> Vec<(usize, f32)> {
        let nominated = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.nearest(query.whole, LOOKED_AT));
        let is_here = |at: &usize| *at < self.sections.len();
        let nominated = nominated.map(|found| found.into_iter().filter(is_here).collect());
        self.best(nominated.unwrap_or_else(|| self.looked_at(query)), query, count)
    }

    /// The sections that are looked at by their sentences too.
    fn looked_at(&self, query: &Asked<'_>) -> Vec<usize> {
        match self.near.get() {
            Some(near) => near.search(query.whole, LOOKED_AT),
            None if self.is_large() => self.scan(query),
            None => (0..self.sections.len()).collect(),
        }
    }

    fn best(&self, sections: Vec<usize>, query: &Asked<'_>, count: usize) -> Vec<(usize, f32)> {
        let with_dense = |at: usize| (at, self.dense(at, query));
        let mut found: Vec<(usize, f32)> = sections.into_iter().map(with_dense).collect();
        if found.len() > count && count > 0 {
            found.select_nth_unstable_by(count - 1, nearest_first);
            found.truncate(count);
        }
        found.sort_by(nearest_first);
        found
    }

    /// Looks at the vector of every section.
    fn scan(&self, query: &Asked<'_>) -> Vec<usize> {
        let mut found: Vec<(usize, f32)> =
            self.section_vectors.iter().enumerate().map(|(at, vector)| (at, cosine(query.whole, vector))).collect();
        found.select_nth_unstable_by(LOOKED_AT, nearest_first);
        found.truncate(LOOKED_AT);
        found.into_iter().map(|(at, _)| at).collect()
    }

    /// Nearness of a section: its cosine and that of its nearest sentence.
    fn dense(&self, section: usize, query: &Asked<'_>) -> f32 {
        let sentences = self.sentences_of(section).map(|at| self.sentence_vectors.cosine(at, query));
        sentences.fold(0.0, f32::max) + cosine(query.whole, &self.section_vectors[section])
    }

    fn sentences_of(&self, section: usize) -> std::ops::Range<usize> {
        self.sentences_from[section]..self.sentences_from[section + 1]
    }

    /// What the cross-encoder reads of a section: its heading and the sentences around the nearest one.
    fn window(&self, section: usize, query: &Asked<'_>) -> String {
        let found = &self.sections[section];
        let lengths: Vec<usize> = found.sentences.iter().map(|sentence| words(sentence).len()).collect();
        let nearness: Vec<f32> = self.sentences_of(section).map(|at| self.sentence_vectors.cosine(at, query)).collect();
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
    fn extract(&self, section: usize, query: &Asked<'_>) -> Citation {
        let found = &self.sections[section];
        let quote = if is_short(found) {
            found.text()
        } else {
            let sentences = self.sentences_of(section).map(|at| self.sentence_vectors.cosine(at, query));
            let mut ranked: Vec<(usize, f32)> = sentences.enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let mut kept: Vec<usize> = ranked.into_iter().take(2).map(|(at, _)| at).collect();
            kept.sort_unstable();
            kept.into_iter().map(|at| found.sentences[at].as_str()).collect::<Vec<_>>().join(" ")
        };
        Citation { document: found.document.clone(), section: found.heading.clone(), quote, page: found.page }
    }
}

/// Of a large base, so many sections are ranked by their sentences too.
const LOOKED_AT: usize = 64;

fn nearest_first(a: &(usize, f32), b: &(usize, f32)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// An index that is being put together, passage by passage: a large one is never in memory twice.
#[derive(Debug)]
pub struct Assembly {
    built: Knowledge,
    bm25: Bm25Builder,
}

impl Assembly {
    /// Begins.
    pub fn new(gate: Gate) -> Self {
        let built = Knowledge {
            sections: Vec::new(),
            section_vectors: Vec::new(),
            heading_vectors: Vectors::Whole(Vec::new()),
            sentence_vectors: Vectors::Whole(Vec::new()),
            sentences_from: vec![0],
            bm25: Bm25::default(),
            near: OnceLock::new(),
            facts: Facts::default(),
            gate,
            breadth: Breadth::default(),
            elsewhere: None,
        };
        Self { built, bm25: Bm25Builder::default() }
    }

    /// Adds a passage with the vectors of what is [`Passage::embedded`] of it, in that order. One whose vectors are not as many
    /// is left out; of others, the place is answered.
    pub fn push(&mut self, passage: Passage, vectors: &[Embedding]) -> Option<usize> {
        let [section, heading, sentences @ ..] = vectors else { return None };
        if sentences.len() != passage.sentences.len() {
            return None;
        }
        let built = &mut self.built;
        built.section_vectors.push(*section);
        built.heading_vectors.push(heading);
        sentences.iter().for_each(|sentence| built.sentence_vectors.push(sentence));
        built.sentences_from.push(built.sentence_vectors.len());
        self.bm25.push(&passage.indexed());
        built.sections.push(passage);
        if built.is_large() {
            built.heading_vectors.shorten();
            built.sentence_vectors.shorten();
        }
        Some(built.sections.len() - 1)
    }

    /// The index.
    pub fn finish(mut self) -> Knowledge {
        self.built.bm25 = self.bm25.finish();
        self.built
    }
}

#[cfg(test)]
mod tests {
    use super::super::embed::EMBEDDING_WIDTH;
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

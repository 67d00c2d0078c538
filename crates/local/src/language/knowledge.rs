//! What a business's documents say about a question: retrieve, rerank, gate, extract.
//!
//! Candidates are the union of the nearest by embedding and the best by BM25 (fusing their ranks hurts on natural
//! questions). A candidate's score is the cosine of its section, plus that of its best sentence, plus a tenth of the
//! cross-encoder's. Whether the best candidate is an answer is the [`Gate`]'s to say. What is said is verbatim.

use super::bm25::{Bm25, Bm25Builder};
use super::document::{Document, Passage, is_short, sections};
use super::embed::{EMBEDDING_WIDTH, Embedding, cosine};
use super::facts::Facts;
use super::gate::{Features, Gate, Verdict};
use super::near::{Near, Query, Table};
use super::subject;
use super::words::{terms, words};
use super::{LanguageError, LanguageModels};
use base::limits;
use model::generation::Citation;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
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
    /// By the embedder of this machine, always: what serves by itself, and in place of others that do not answer.
    own: Vectors,
    /// By the service that the business chose, if it did.
    further: Option<Further>,
    /// Where the sentences of each section begin; one more at the end.
    sentences_from: Vec<usize>,
    bm25: Bm25,
    facts: Facts,
    gate: Gate,
    breadth: Breadth,
    elsewhere: Option<Arc<dyn Nominate>>,
}

/// The vectors of all sections in one space.
#[derive(Debug)]
struct Vectors {
    sections: Table,
    headings: Table,
    sentences: Table,
    /// Leads to what is near in a large base, once it is built.
    near: OnceLock<Near>,
}

impl Vectors {
    fn new(width: usize) -> Self {
        let [sections, headings, sentences] = [(); 3].map(|()| Table::new(width));
        Self { sections, headings, sentences, near: OnceLock::new() }
    }

    /// Adds the vectors of a section, of its heading and of its sentences, one after the other.
    fn extend(&mut self, vectors: &[f32]) {
        let (section, rest) = vectors.split_at(self.sections.width());
        let (heading, sentences) = rest.split_at(self.sections.width());
        self.sections.extend(section);
        self.headings.extend(heading);
        self.sentences.extend(sentences);
    }

    fn shorten(&mut self) {
        self.headings.shorten();
        self.sentences.shorten();
    }

    fn link(&self) -> Result<(), LanguageError> {
        if self.near.get().is_none() {
            let near = Near::build(&self.sections).map_err(LanguageError::Run)?;
            // Whoever was quicker built the same.
            let _ = self.near.set(near);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.sections.memory_bytes() + self.headings.memory_bytes() + self.sentences.memory_bytes()
    }
}

/// Vectors that another service made.
#[derive(Debug)]
struct Further {
    space: String,
    scale: Scale,
    vectors: Vectors,
}

/// What a cosine of one space is worth in another one: services put texts that have nothing in common at 0.1 or at 0.6, and the
/// gate knows one of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    offset: f32,
    factor: f32,
}

impl Scale {
    /// Cosines are what they are.
    pub const SAME: Self = Self { offset: 0.0, factor: 1.0 };

    /// Brings the mean cosines of unrelated and of related texts in one space to where they are in the other. `None` when a space
    /// hardly tells them apart.
    pub fn between((unrelated, related): (f32, f32), (to_unrelated, to_related): (f32, f32)) -> Option<Self> {
        let factor = (to_related - to_unrelated) / (related - unrelated);
        let is_told = related - unrelated >= TOLD_APART_FROM && to_related > to_unrelated;
        is_told.then_some(Self { offset: to_unrelated - factor * unrelated, factor })
    }

    /// The cosine in the other space.
    pub fn of(self, cosine: f32) -> f32 {
        self.factor.mul_add(cosine, self.offset)
    }
}

const TOLD_APART_FROM: f32 = 0.05;

/// Vectors of questions that the service of a base made, by the questions.
#[derive(Clone, Debug, Default)]
pub struct Made(pub HashMap<String, Vec<f32>>);

/// A question as it is compared with the vectors of one space.
struct Asked<'a> {
    vectors: &'a Vectors,
    scale: Scale,
    query: Query<'a>,
}

impl Asked<'_> {
    fn section(&self, at: usize) -> f32 {
        self.scale.of(self.vectors.sections.cosine(at, &self.query))
    }

    fn heading(&self, at: usize) -> f32 {
        self.scale.of(self.vectors.headings.cosine(at, &self.query))
    }

    fn sentence(&self, at: usize) -> f32 {
        self.scale.of(self.vectors.sentences.cosine(at, &self.query))
    }
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
            assembly.push(passage, vectors.as_flattened(), &[]);
        }
        assembly.finish()
    }

    /// Links what is near in a large base, which takes about a millisecond of one core a passage: until it is done, every
    /// question looks at all passages. Nothing is to do in a small base.
    ///
    /// # Errors
    /// When no thread can be started for it.
    pub fn link(&self) -> Result<(), LanguageError> {
        if !self.is_large() {
            return Ok(());
        }
        self.further.as_ref().map_or(Ok(()), |further| further.vectors.link())?;
        self.own.link()
    }

    /// The space of the vectors that another service made, where there are any: questions are to be embedded by it, too.
    pub fn further_space(&self) -> Option<&str> {
        self.further.as_ref().map(|further| further.space.as_str())
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
        let all = std::iter::once(&self.own).chain(self.further.as_ref().map(|further| &further.vectors));
        let near: usize = all.filter_map(|one| one.near.get()).map(Near::memory_bytes).sum();
        self.vector_bytes() + self.text_bytes() + near
    }

    /// Bytes that the vectors take.
    pub fn vector_bytes(&self) -> usize {
        self.own.memory_bytes() + self.further.as_ref().map_or(0, |further| further.vectors.memory_bytes())
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
        let asked = self.asked(query);
        self.best(self.looked_at(&asked), &asked, 1).first().map_or(0.0, |found| found.1)
    }

    fn asked<'a>(&'a self, query: &'a [f32]) -> Asked<'a> {
        Asked { vectors: &self.own, scale: Scale::SAME, query: Query::new(query) }
    }

    /// Searches for a question by the vector that the service of this base made of it; by the embedder of this machine when there
    /// is none, or no such service.
    pub fn search(&self, models: &LanguageModels, question: &str, made: &Made) -> Result<SearchOutcome, LanguageError> {
        let theirs = self.further.as_ref().zip(made.0.get(question));
        if let Some((further, query)) = theirs.filter(|(one, query)| query.len() == one.vectors.sections.width()) {
            let asked = Asked { vectors: &further.vectors, scale: further.scale, query: Query::new(query) };
            return self.search_as(models, question, &asked);
        }
        let query = models.embedder.embed(question)?;
        self.search_as(models, question, &self.asked(&query))
    }

    fn search_as(
        &self,
        models: &LanguageModels,
        question: &str,
        asked: &Asked<'_>,
    ) -> Result<SearchOutcome, LanguageError> {
        let order = self.candidates_of(question, asked);
        let mut hits: Vec<Hit> = Vec::with_capacity(order.len());
        let mut best = f32::MIN;
        // Documents repeat each other, and versions of one repeat most of it: what was read is not read again.
        let mut known = HashMap::new();
        for (section, dense) in order {
            let hopeless = self.breadth.prune && dense + RERANK_WEIGHT * CROSS_MAX < best;
            let cross = if hopeless { CROSS_MIN } else { self.read(models, question, section, asked, &mut known)? };
            let score = dense + RERANK_WEIGHT * cross;
            best = best.max(score);
            hits.push(Hit { section, dense, cross, score });
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.section.cmp(&b.section)));
        let mut outcome = self.judge(question, asked, hits);
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
        self.candidates_of(question, &self.asked(query))
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

    /// What the cross-encoder says of a section, or has said of the same words.
    fn read(
        &self,
        models: &LanguageModels,
        question: &str,
        section: usize,
        query: &Asked<'_>,
        known: &mut HashMap<String, f32>,
    ) -> Result<f32, LanguageError> {
        let window = self.window(section, query);
        if let Some(score) = known.get(&window) {
            return Ok(*score);
        }
        let scores = models.reranker.score(question, &[&window])?;
        let score = scores.first().copied().ok_or_else(|| LanguageError::Run("the reranker gave no score".into()))?;
        known.insert(window, score);
        Ok(score)
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
        let features =
            [best.dense, best.cross, lead, query.heading(best.section), self.bm25.coverage(question, best.section)];
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
        // What lies elsewhere are the vectors of this machine.
        let is_own = std::ptr::eq(query.vectors, &raw const self.own);
        let own: Option<&Embedding> = query.query.whole.try_into().ok().filter(|_| is_own);
        let elsewhere = self.elsewhere.as_ref().zip(own);
        let nominated = elsewhere.and_then(|(elsewhere, query)| elsewhere.nearest(query, LOOKED_AT));
        let is_here = |at: &usize| *at < self.sections.len();
        let nominated = nominated.map(|found| found.into_iter().filter(is_here).collect());
        self.best(nominated.unwrap_or_else(|| self.looked_at(query)), query, count)
    }

    /// The sections that are looked at by their sentences too.
    fn looked_at(&self, query: &Asked<'_>) -> Vec<usize> {
        match query.vectors.near.get() {
            Some(near) => near.search(&query.query, LOOKED_AT),
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
        let mut found: Vec<(usize, f32)> = (0..self.sections.len()).map(|at| (at, query.section(at))).collect();
        found.select_nth_unstable_by(LOOKED_AT, nearest_first);
        found.truncate(LOOKED_AT);
        found.into_iter().map(|(at, _)| at).collect()
    }

    /// Nearness of a section: its cosine and that of its nearest sentence.
    fn dense(&self, section: usize, query: &Asked<'_>) -> f32 {
        self.sentences_of(section).map(|at| query.sentence(at)).fold(0.0, f32::max) + query.section(section)
    }

    fn sentences_of(&self, section: usize) -> std::ops::Range<usize> {
        self.sentences_from[section]..self.sentences_from[section + 1]
    }

    /// What the cross-encoder reads of a section: its heading and the sentences around the nearest one.
    fn window(&self, section: usize, query: &Asked<'_>) -> String {
        let found = &self.sections[section];
        let lengths: Vec<usize> = found.sentences.iter().map(|sentence| words(sentence).len()).collect();
        let nearness: Vec<f32> = self.sentences_of(section).map(|at| query.sentence(at)).collect();
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
            let sentences = self.sentences_of(section).map(|at| query.sentence(at));
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
            own: Vectors::new(EMBEDDING_WIDTH),
            further: None,
            sentences_from: vec![0],
            bm25: Bm25::default(),
            facts: Facts::default(),
            gate,
            breadth: Breadth::default(),
            elsewhere: None,
        };
        Self { built, bm25: Bm25Builder::default() }
    }

    /// The same for a base with vectors of a service beside those of this machine: of this space, which is so wide, and whose
    /// cosines are brought to this scale. Numbers take a byte then, but for those of whole passages in that space.
    #[must_use]
    pub fn with_further(mut self, space: &str, width: usize, scale: Scale) -> Self {
        let mut vectors = Vectors::new(width);
        vectors.shorten();
        self.built.own.shorten();
        self.built.further = Some(Further { space: space.to_owned(), scale, vectors });
        self
    }

    /// Adds a passage with the vectors of what is [`Passage::embedded`] of it, one after the other, in that order; `further` are
    /// those of the service. One whose vectors are not as many is left out; of others, the place is answered.
    pub fn push(&mut self, passage: Passage, vectors: &[f32], further: &[f32]) -> Option<usize> {
        let texts = passage.sentences.len() + 2;
        let built = &mut self.built;
        let width = built.further.as_ref().map_or(0, |one| one.vectors.sections.width());
        if vectors.len() != texts * EMBEDDING_WIDTH || further.len() != texts * width {
            return None;
        }
        built.own.extend(vectors);
        if let Some(one) = &mut built.further {
            one.vectors.extend(further);
        }
        built.sentences_from.push(built.own.sentences.len());
        self.bm25.push(&passage.indexed());
        built.sections.push(passage);
        if built.is_large() {
            built.own.shorten();
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
    use super::*;

    fn passage(sentences: &[&str]) -> Passage {
        Passage {
            document: "Help".into(),
            heading: "Hours".into(),
            page: None,
            sentences: sentences.iter().map(|&one| one.to_owned()).collect(),
        }
    }

    #[test]
    fn a_passage_without_its_vectors_is_left_out() {
        let vector = [0.0; EMBEDDING_WIDTH];
        let given = [(passage(&["One."]), vec![vector; 3]), (passage(&["One.", "Two."]), vec![vector; 3])];
        let index = Knowledge::assemble(given.into_iter(), Gate::default());
        assert_eq!(index.sections().len(), 1);
    }

    #[test]
    fn vectors_of_another_width_never_come_into_a_space() {
        let own = vec![0.1; 3 * EMBEDDING_WIDTH];
        let mut assembly = Assembly::new(Gate::default()).with_further("acme/wide:5", 5, Scale::SAME);
        assert_eq!(assembly.push(passage(&["One."]), &own, &[0.1; 3 * 4]), None, "too narrow");
        assert_eq!(assembly.push(passage(&["One."]), &own, &[]), None, "none");
        assert_eq!(assembly.push(passage(&["One."]), &own, &[0.1; 3 * 5]), Some(0));
        let index = assembly.finish();
        assert_eq!((index.sections().len(), index.further_space()), (1, Some("acme/wide:5")));
        let mut plain = Assembly::new(Gate::default());
        assert_eq!(plain.push(passage(&["One."]), &own, &[0.1; 15]), None, "nobody asked for them");
    }

    #[test]
    fn cosines_of_a_space_that_finds_everything_alike_are_brought_to_the_scale_of_the_gate() {
        let scale = Scale::between((0.6, 0.8), (0.1, 0.5)).expect("told apart");
        assert!((scale.of(0.6) - 0.1).abs() < 1e-6 && (scale.of(0.8) - 0.5).abs() < 1e-6);
        assert!((scale.of(0.7) - 0.3).abs() < 1e-6);
        assert_eq!(Scale::between((0.70, 0.72), (0.1, 0.5)), None);
    }
}

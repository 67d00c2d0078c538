//! What a business's documents say about a question: retrieve, rerank, gate, extract.
//!
//! Candidates are the union of the nearest by embedding and the best by BM25 (fusing their ranks hurts on natural
//! questions). A candidate's score is the cosine of its section, plus that of its best sentence, plus a tenth of the
//! cross-encoder's. Whether the best candidate is an answer is the [`Gate`]'s to say. What is said is verbatim.

use super::bm25::Bm25;
use super::document::{Document, Section, sections};
use super::embed::{EMBEDDING_WIDTH, Embedding, cosine};
use super::gate::{Features, Gate, Verdict};
use super::{LanguageError, LanguageModels};
use aws_lc_rs::digest::{SHA256, digest};
use model::generation::Citation;
use std::path::Path;

const DENSE_COUNT: usize = 5;
const BM25_COUNT: usize = 3;
const RERANK_WEIGHT: f32 = 0.1;
/// Changes when the vectors of the same text would: another model, another passage format.
const CACHE_FORMAT: &[u8] = b"frontdesk-embeddings-minilm-l6-2\n";

/// A business's documents, indexed. Built once, shared by all calls.
#[derive(Debug)]
pub struct Knowledge {
    sections: Vec<Section>,
    section_vectors: Vec<Embedding>,
    heading_vectors: Vec<Embedding>,
    /// Section and vector of each sentence, sections in order.
    sentence_vectors: Vec<(usize, Embedding)>,
    bm25: Bm25,
    gate: Gate,
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
        let sections: Vec<Section> = documents.iter().flat_map(sections).collect();
        let vectors = models.embedder.embed_all(&texts(&sections))?;
        Ok(Self::assemble(sections, vectors, gate))
    }

    /// As [`Knowledge::build`], with the vectors kept in a file: unchanged documents are not embedded again. A file that
    /// cannot be read or written costs time, never the knowledge.
    pub fn build_cached(
        models: &LanguageModels,
        documents: &[Document],
        gate: Gate,
        file: &Path,
    ) -> Result<Self, LanguageError> {
        let sections: Vec<Section> = documents.iter().flat_map(sections).collect();
        let texts = texts(&sections);
        if let Some(vectors) = std::fs::read(file).ok().and_then(|bytes| decode_vectors(&bytes, &texts)) {
            return Ok(Self::assemble(sections, vectors, gate));
        }
        let vectors = models.embedder.embed_all(&texts)?;
        if let Err(error) = std::fs::write(file, encode_vectors(&vectors, &texts)) {
            tracing::warn!(file = %file.display(), %error, "embeddings are not cached");
        }
        Ok(Self::assemble(sections, vectors, gate))
    }

    /// `vectors` are those of [`texts`], in that order.
    fn assemble(sections: Vec<Section>, mut vectors: Vec<Embedding>, gate: Gate) -> Self {
        let mut heading_vectors = vectors.split_off(sections.len());
        let of_sentences = heading_vectors.split_off(sections.len());
        let owners = sections.iter().enumerate().flat_map(|(at, s)| s.sentences.iter().map(move |_| at));
        let sentence_vectors = owners.zip(of_sentences).collect();
        let passages: Vec<String> = sections.iter().map(Section::passage).collect();
        Self {
            bm25: Bm25::build(&passages),
            section_vectors: vectors,
            heading_vectors,
            sentence_vectors,
            sections,
            gate,
        }
    }

    /// The sections, in the order of their documents.
    pub fn sections(&self) -> &[Section] {
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
        order.truncate(DENSE_COUNT);
        for (id, _) in self.bm25.search(question, BM25_COUNT) {
            if !order.contains(&id) {
                order.push(id);
            }
        }
        let passages: Vec<String> = order.iter().map(|&id| self.sections[id].passage()).collect();
        let views: Vec<&str> = passages.iter().map(String::as_str).collect();
        let cross = models.reranker.score(question, &views)?;
        let mut hits: Vec<Hit> = order
            .into_iter()
            .zip(cross)
            .map(|(section, cross)| Hit {
                section,
                dense: dense[section],
                cross,
                score: dense[section] + RERANK_WEIGHT * cross,
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.section.cmp(&b.section)));
        Ok(self.judge(query, hits))
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
        let mut best = vec![0.0_f32; self.sections.len()];
        for (section, vector) in &self.sentence_vectors {
            best[*section] = best[*section].max(cosine(query, vector));
        }
        best.iter().zip(&self.section_vectors).map(|(sentence, section)| sentence + cosine(query, section)).collect()
    }

    /// The words that are said: a short section whole, else its two nearest sentences in their order.
    fn extract(&self, section: usize, query: &Embedding) -> Citation {
        let found = &self.sections[section];
        let quote = if found.is_short() {
            found.text.clone()
        } else {
            let mut ranked: Vec<(usize, f32)> = self
                .sentence_vectors
                .iter()
                .filter(|(owner, _)| *owner == section)
                .enumerate()
                .map(|(at, (_, vector))| (at, cosine(query, vector)))
                .collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let mut kept: Vec<usize> = ranked.into_iter().take(2).map(|(at, _)| at).collect();
            kept.sort_unstable();
            kept.into_iter().map(|at| found.sentences[at].as_str()).collect::<Vec<_>>().join(" ")
        };
        Citation { document: found.document.clone(), section: found.heading.clone(), quote }
    }
}

/// What is embedded: the passage of every section, then every heading, then every sentence.
fn texts(sections: &[Section]) -> Vec<String> {
    let passages = sections.iter().map(Section::passage);
    let headings = sections.iter().map(|s| s.heading.clone());
    passages.chain(headings).chain(sections.iter().flat_map(|s| s.sentences.iter().cloned())).collect()
}

fn fingerprint(texts: &[String]) -> Vec<u8> {
    let mut bytes = CACHE_FORMAT.to_vec();
    for text in texts {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    digest(&SHA256, &bytes).as_ref().to_vec()
}

fn encode_vectors(vectors: &[Embedding], texts: &[String]) -> Vec<u8> {
    let mut bytes = CACHE_FORMAT.to_vec();
    bytes.extend(fingerprint(texts));
    bytes.extend(vectors.iter().flatten().flat_map(|x| x.to_le_bytes()));
    bytes
}

/// The vectors, unless the file belongs to other texts or is damaged.
fn decode_vectors(bytes: &[u8], texts: &[String]) -> Option<Vec<Embedding>> {
    let rest = bytes.strip_prefix(CACHE_FORMAT)?.strip_prefix(fingerprint(texts).as_slice())?;
    if rest.len() != texts.len() * EMBEDDING_WIDTH * 4 {
        return None;
    }
    let (numbers, _) = rest.as_chunks::<4>();
    let (vectors, _) = numbers.as_chunks::<EMBEDDING_WIDTH>();
    Some(vectors.iter().map(|v| v.map(f32::from_le_bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_vectors_belong_to_their_texts() {
        let texts = vec!["one".to_owned(), "two".to_owned()];
        let vectors = vec![[0.5; EMBEDDING_WIDTH], [-0.25; EMBEDDING_WIDTH]];
        let bytes = encode_vectors(&vectors, &texts);
        assert_eq!(decode_vectors(&bytes, &texts), Some(vectors));
        assert_eq!(decode_vectors(&bytes, &["one".to_owned(), "2".to_owned()]), None);
        assert_eq!(decode_vectors(&bytes[..bytes.len() - 1], &texts), None);
        assert_eq!(decode_vectors(b"", &texts), None);
    }
}

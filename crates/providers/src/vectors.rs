//! Vector stores: services that keep the vectors of passages beside our own rows and find the nearest ones.
//!
//! They are told vectors and places (which passage of which version of which document), never a word of a text, and what they
//! find is a nomination: whoever asks looks it up in its own rows. One thing that is asked may take several requests.

use crate::registry::vector_providers;
use base::wire::HttpRequest;
use base::{BusinessId, DocumentId, ErrorClass, Failure};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// A passage, by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Its document.
    pub document: DocumentId,
    /// Version of the document, from 1.
    pub version: u32,
    /// Place in the version, from 0.
    pub ordinal: u32,
}

/// A vector and the passage that it is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The passage.
    pub place: Place,
    /// Of length 1.
    pub vector: Vec<f32>,
}

/// What a store is asked, always on behalf of one business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorRequest {
    /// To be ready for vectors of this width; nothing happens when it is.
    Prepare {
        /// Whose they will be.
        business: BusinessId,
        /// Numbers of a vector.
        width: usize,
    },
    /// To keep these, in place of those of the same places.
    Upsert {
        /// Whose they are.
        business: BusinessId,
        /// At most [`VectorProtocol::points_max`].
        points: Vec<Point>,
    },
    /// To forget all passages of a version.
    Delete {
        /// Whose they are.
        business: BusinessId,
        /// The document.
        document: DocumentId,
        /// Its version.
        version: u32,
        /// How many passages it has.
        passages: u32,
    },
    /// For the nearest.
    Search {
        /// Whose.
        business: BusinessId,
        /// Near to this; of length 1.
        vector: Vec<f32>,
        /// At most so many.
        count: usize,
    },
    /// How many there are.
    Count {
        /// Whose.
        business: BusinessId,
    },
}

/// A passage that is near.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Whose it is, as the store says.
    pub business: BusinessId,
    /// The passage.
    pub place: Place,
    /// Cosine, as the store says.
    pub similarity: f32,
}

/// What a store answers.
#[derive(Clone, Debug, PartialEq)]
pub enum VectorAnswer {
    /// It is done.
    Done,
    /// The nearest, the nearest first.
    Found(Vec<Neighbour>),
    /// So many.
    Counted(u64),
}

/// What comes of an HTTP answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// This is to be asked next.
    Ask(HttpRequest),
    /// It is over.
    Answer(VectorAnswer),
}

/// A vendor's store over HTTP. One value for each thing that is asked.
pub trait VectorProtocol: Send {
    /// How many vectors one [`VectorRequest::Upsert`] may hold.
    fn points_max(&self) -> usize;
    /// The first request.
    fn begin(&mut self, request: &VectorRequest) -> HttpRequest;
    /// Whether a status other than 2xx is an answer to what was asked last: that there is nothing to forget, or that something is
    /// there already.
    fn accepts(&self, status: u16, body: &[u8]) -> bool;
    /// Reads the answer to the last request.
    fn on_answer(&mut self, status: u16, body: &[u8]) -> Result<Step, Failure>;
    /// Maps an HTTP status and body to a class.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

impl Place {
    /// A name of at most 60 letters, digits and hyphens that no other passage has.
    fn name(&self) -> String {
        format!("{}-{}-{}", self.document.0.as_simple(), self.version, self.ordinal)
    }

    /// The same as a UUID, for stores that take nothing else: version and place are mixed into the random half of the id of
    /// the document, so that places of one document never meet.
    fn uuid(&self) -> Uuid {
        Uuid::from_u128(self.document.0.as_u128() ^ (u128::from(self.version) << 32) ^ u128::from(self.ordinal))
    }
}

/// What a store keeps beside a vector.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    business: BusinessId,
    document: DocumentId,
    #[serde(deserialize_with = "whole")]
    version: u32,
    #[serde(deserialize_with = "whole")]
    ordinal: u32,
}

/// Some stores keep every number as one with a fraction.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let whole = number as u32;
    if f64::from(whole) == number { Ok(whole) } else { Err(D::Error::custom("not a whole number")) }
}

impl Payload {
    const fn of(business: BusinessId, place: Place) -> Self {
        Self { business, document: place.document, version: place.version, ordinal: place.ordinal }
    }

    const fn near(&self, similarity: f32) -> Neighbour {
        let place = Place { document: self.document, version: self.version, ordinal: self.ordinal };
        Neighbour { business: self.business, place, similarity }
    }
}

fn garbled() -> Failure {
    Failure::new(ErrorClass::Protocol, "the store sent an answer of another shape")
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|_| garbled())
}

const fn done() -> Step {
    Step::Answer(VectorAnswer::Done)
}

/// What was found: no more than was asked for, and none without a number.
fn found(neighbours: impl Iterator<Item = Neighbour>, count: usize) -> Step {
    let usable = neighbours.filter(|one| one.similarity.is_finite());
    Step::Answer(VectorAnswer::Found(usable.take(count).collect()))
}

vector_providers! { qdrant, pinecone, weaviate, chroma, azure_ai_search }

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn places_of_a_document_have_names_of_their_own() {
        let document = DocumentId::generate();
        let places = (1..20).flat_map(|version| (0..50).map(move |ordinal| Place { document, version, ordinal }));
        let names: HashSet<(String, Uuid)> = places.clone().map(|one| (one.name(), one.uuid())).collect();
        assert_eq!(names.len(), places.count());
        assert!(names.iter().all(|(name, _)| name.len() <= 60));
    }
}

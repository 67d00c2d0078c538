//! A passage of a business's documents: what is embedded, found and quoted.

use serde::{Deserialize, Serialize};

/// One passage, as plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Title of the document.
    pub document: String,
    /// Heading that it stands under, those above it in front: `Delivery: Abroad`.
    pub heading: String,
    /// Page on which it begins, from 1, where the document has pages.
    pub page: Option<u32>,
    /// Its sentences, items of lists and rows of tables, verbatim.
    pub sentences: Vec<String>,
}

impl Passage {
    /// The sentences with a space between them.
    pub fn text(&self) -> String {
        self.sentences.join(" ")
    }

    /// Heading and text: what is embedded, searched for words and reranked.
    pub fn indexed(&self) -> String {
        format!("{}. {}", self.heading, self.text())
    }

    /// Every text that has a vector: the passage, its heading, each sentence. Vectors are kept in this order.
    pub fn embedded(&self) -> Vec<String> {
        let mut texts = vec![self.indexed(), self.heading.clone()];
        texts.extend(self.sentences.iter().cloned());
        texts
    }
}

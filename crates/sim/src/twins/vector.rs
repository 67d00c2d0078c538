//! Embeddings that a test can reason about: texts that share words are alike.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A vector of length 1 that counts the words of the text, each in the place that its hash names.
pub(crate) fn of(text: &str, width: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; width.max(1)];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut hasher = DefaultHasher::new();
        word.to_lowercase().hash(&mut hasher);
        let place = (hasher.finish() % vector.len() as u64) as usize;
        vector[place] += 1.0;
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    } else {
        vector[0] = 1.0;
    }
    vector
}

//! What agents could not answer: which of the declined questions count, and which of them are the same question. Pure.

use std::collections::VecDeque;

/// Questions that resemble each other at least so much are one gap.
const SAME_FROM: f32 = 0.62;
/// A declined question counts when nothing said within this time shows that it was only the beginning of another.
pub const SETTLE_MS: i64 = 10_000;
/// Questions that wait to settle.
const PENDING_MAX: usize = 64;

/// Tells questions from their beginnings. While a caller still speaks, answers are prepared for what was said so far; the
/// beginning of a question that has an answer is no gap.
#[derive(Debug, Default)]
pub struct Collector {
    pending: VecDeque<(i64, String)>,
}

impl Collector {
    /// A question was answered or declined. Answers the questions that count by now.
    pub fn asked(&mut self, now_ms: i64, question: &str, declined: bool) -> Vec<String> {
        let said = plain(question);
        self.pending.retain(|(_, before)| !said.starts_with(&plain(before)));
        let extends = self.pending.iter().any(|(_, before)| plain(before).starts_with(&said));
        if declined && said.split(' ').count() >= WORDS_MIN && !extends {
            if self.pending.len() == PENDING_MAX {
                self.pending.pop_front();
            }
            self.pending.push_back((now_ms, question.trim().to_owned()));
        }
        self.settled(now_ms)
    }

    /// The questions that count by now.
    pub fn settled(&mut self, now_ms: i64) -> Vec<String> {
        let mut settled = Vec::new();
        while self.pending.front().is_some_and(|(at, _)| now_ms - at >= SETTLE_MS) {
            settled.extend(self.pending.pop_front().map(|(_, question)| question));
        }
        settled
    }

    /// Whether a question waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

/// Fewer words are no question that somebody could answer in writing.
const WORDS_MIN: usize = 2;

fn plain(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// A question with its vector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The words.
    pub question: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What it means.
    pub vector: Vec<f32>,
}

/// Questions that are one gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The one that stands for them.
    pub question: String,
    /// Places of all of them in what was given.
    pub members: Vec<usize>,
    /// Unix milliseconds when one was asked last.
    pub last_at_ms: i64,
}

/// Puts questions together that mean the same, the most frequent first. Each joins the cluster whose middle is nearest, or
/// begins one; the same questions in the same order give the same clusters.
pub fn clusters(asked: &[Asked]) -> Vec<Cluster> {
    let mut sums: Vec<Vec<f32>> = Vec::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (at, one) in asked.iter().enumerate() {
        let near = sums.iter().map(|sum| cosine(sum, &one.vector)).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        match near {
            Some((cluster, similarity)) if similarity >= SAME_FROM => {
                sums[cluster].iter_mut().zip(&one.vector).for_each(|(sum, x)| *sum += x);
                members[cluster].push(at);
            }
            _ => {
                sums.push(one.vector.clone());
                members.push(vec![at]);
            }
        }
    }
    let mut found: Vec<Cluster> = members
        .into_iter()
        .zip(&sums)
        .map(|(members, sum)| {
            let near = |at: &usize| cosine(sum, &asked[*at].vector);
            let middle = members.iter().copied().max_by(|a, b| near(a).total_cmp(&near(b)).then(b.cmp(a))).unwrap_or(0);
            let last_at_ms = members.iter().map(|&at| asked[at].at_ms).max().unwrap_or(0);
            Cluster { question: asked[middle].question.clone(), members, last_at_ms }
        })
        .collect();
    found.sort_by(|a, b| b.members.len().cmp(&a.members.len()).then(b.last_at_ms.cmp(&a.last_at_ms)));
    found
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    dot / (length(a) * length(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(question: &str, vector: [f32; 3], at_ms: i64) -> Asked {
        Asked { question: question.into(), at_ms, vector: vector.to_vec() }
    }

    #[test]
    fn questions_that_mean_the_same_are_one_gap_and_the_most_frequent_comes_first() {
        let found = clusters(&[
            asked("do you sell boats", [0.0, 1.0, 0.0], 5),
            asked("do you sell tents", [1.0, 0.1, 0.0], 1),
            asked("can i buy a tent", [0.95, 0.0, 0.1], 9),
            asked("tents?", [0.9, 0.2, 0.2], 3),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].members.as_slice(), found[0].last_at_ms), (&[1, 2, 3][..], 9));
        assert_eq!(found[1].question, "do you sell boats");
        assert!(clusters(&[]).is_empty());
    }

    #[test]
    fn the_beginning_of_a_question_is_no_gap() {
        let mut collector = Collector::default();
        assert!(collector.asked(0, "Do you sell", true).is_empty());
        assert!(collector.asked(500, "do you sell tents for", true).is_empty());
        assert!(collector.asked(900, "Do you sell tents for two?", true).is_empty());
        assert_eq!(collector.settled(SETTLE_MS + 900), ["Do you sell tents for two?"]);
        assert!(collector.is_empty());
    }

    #[test]
    fn a_beginning_whose_whole_question_was_answered_is_forgotten() {
        let mut collector = Collector::default();
        collector.asked(0, "when are you", true);
        collector.asked(700, "When are you open?", false);
        assert!(collector.settled(60_000).is_empty());
    }

    #[test]
    fn two_callers_with_different_questions_do_not_disturb_each_other() {
        let mut collector = Collector::default();
        collector.asked(0, "do you sell tents", true);
        collector.asked(100, "do you sell boats", true);
        assert_eq!(collector.settled(20_000).len(), 2);
    }
}

//! Questions of which the answer is known: made from documents and gaps, asked, counted.

use super::gate::{GateReport, example};
use super::{DocumentError, Documents, decision};
use crate::wall_ms;
use base::limits;
use local::language::Brain;
use local::language::evaluation::{Measured, Missed, Question, measure};
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use store::knowledge_work::{KnownQuestion, Work};
use uuid::Uuid;

/// Questions that are asked before others get their turn with the models.
const AT_ONCE: usize = 5;
/// Gaps that become questions which are to be declined.
const GAPS_MAX: usize = 50;

/// How good the answers are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// State of the documents that were asked.
    pub revision: u64,
    /// Passages that were searched.
    pub passages: usize,
    /// Questions that have an answer.
    pub answerable: usize,
    /// Of them, the best passage was the right one, whatever the gate said.
    pub ranked_first: usize,
    /// Of them, the right passage was the answer.
    pub answered: usize,
    /// Of them, the right passage was named as the closest.
    pub closest: usize,
    /// Of them, declined.
    pub lost: usize,
    /// Of them, a wrong passage was given or named.
    pub wrong: usize,
    /// Questions that have none.
    pub unanswerable: usize,
    /// Of them, declined.
    pub declined: usize,
    /// Statements that stand in no passage.
    pub false_statements: usize,
    /// Processor time of a search, in milliseconds; absent where the system does not tell.
    pub cpu_ms_mean: Option<f64>,
    /// What went other than it should.
    pub misses: Vec<Miss>,
    /// What came of fitting a gate to these questions; the counts above are those of the gate before.
    #[serde(default)]
    pub gate: Option<GateReport>,
}

/// A question that was answered other than it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// The question.
    pub question: String,
    /// Heading or title that answers it; absent: nothing does.
    pub expected: Option<String>,
    /// `answer`, `closest` or `decline`.
    pub decision: String,
    /// Heading of the best passage.
    pub found: Option<String>,
}

impl From<Missed> for Miss {
    fn from(missed: Missed) -> Self {
        Self {
            question: missed.question.text,
            expected: missed.question.section,
            decision: decision(missed.verdict).into(),
            found: missed.found,
        }
    }
}

impl Evaluation {
    fn add(&mut self, part: Measured, cpu_ms: &mut Vec<f64>) {
        self.passages = part.passages;
        self.answerable += part.answerable;
        self.ranked_first += part.ranked_first;
        self.answered += part.answered;
        self.closest += part.closest;
        self.lost += part.lost;
        self.wrong += part.wrong;
        self.unanswerable += part.unanswerable;
        self.declined += part.declined;
        self.false_statements += part.false_statements;
        let room = limits::KNOWLEDGE_MISSES_MAX.saturating_sub(self.misses.len());
        self.misses.extend(part.misses.into_iter().take(room).map(Miss::from));
        cpu_ms.extend(part.cpu_ms);
        self.cpu_ms_mean = (!cpu_ms.is_empty()).then(|| cpu_ms.iter().sum::<f64>() / cpu_ms.len() as f64);
    }
}

impl Documents {
    /// Makes questions out of headings that are ones, and out of what customers asked in vain, and adds those that are new.
    ///
    /// # Errors
    /// When the documents cannot be loaded or the questions not kept.
    pub async fn generate_questions(&self, scope: &TenantScope) -> Result<Vec<KnownQuestion>, DocumentError> {
        let brain = self.brain.of(scope.business).await.map_err(DocumentError::Unavailable)?;
        let gaps = super::gaps(self.store.as_ref(), scope).await?;
        let known = self.all_questions(scope).await?;
        let mut seen: HashSet<String> = known.iter().map(|one| one.question.to_lowercase()).collect();
        let from_headings = asked_by_headings(&brain);
        let from_gaps = gaps.into_iter().take(GAPS_MAX).map(|gap| (gap.question, None));
        let now_ms = wall_ms();
        let room = limits::KNOWLEDGE_QUESTIONS_MAX.saturating_sub(known.len());
        let made: Vec<KnownQuestion> = from_headings
            .into_iter()
            .map(|(question, heading)| (question, Some(heading)))
            .chain(from_gaps)
            .filter(|(question, _)| seen.insert(question.to_lowercase()))
            .take(room.min(limits::KNOWLEDGE_QUESTIONS_AT_ONCE_MAX))
            .map(|(question, expected)| KnownQuestion {
                id: Uuid::now_v7(),
                question,
                expected,
                origin: "generated".into(),
                created_at_ms: now_ms,
                updated_at_ms: now_ms,
            })
            .collect();
        self.store.add_questions(scope, &made).await?;
        Ok(made)
    }

    async fn all_questions(&self, scope: &TenantScope) -> Result<Vec<KnownQuestion>, DocumentError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.questions(scope, after, limits::PAGE_ROWS_MAX).await?;
            all.extend(page.rows);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Asks all known questions. Others get their turn with the models in between.
    pub(super) async fn measured(&self, scope: &TenantScope, work: &mut Work) -> Result<Evaluation, DocumentError> {
        // As the documents are now: the index that serves may be seconds old.
        let mind = crate::on_device::Minds::load(&self.minds, scope.business).await;
        let mind = mind.map_err(DocumentError::Unavailable)?;
        let questions: Vec<Question> = self.all_questions(scope).await?.into_iter().map(question).collect();
        work.progress.total = u32::try_from(questions.len()).unwrap_or(u32::MAX);
        let revision = self.store.knowledge_revision(scope).await?;
        let mut evaluation = Evaluation { revision, ..Evaluation::default() };
        let mut examples = Vec::new();
        evaluation.passages = mind.brain.sections().len();
        let mut cpu_ms = Vec::new();
        for asked in questions.chunks(AT_ONCE) {
            let (models, brain, part) = (Arc::clone(self.minds.models()), Arc::clone(&mind.brain), asked.to_vec());
            let count = u32::try_from(part.len()).unwrap_or(u32::MAX);
            let texts = part.iter().map(|one| one.text.clone()).collect();
            let made = self.minds.made_for_people(scope, &brain, texts).await?;
            let done = self.brain.think(move || measure(&models, brain.knowledge(), &part, &made)).await;
            let done = done.map_err(DocumentError::Unavailable)?;
            let done = done.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
            examples.extend(asked.iter().zip(&done.examples).filter_map(|(asked, seen)| example(asked, seen)));
            evaluation.add(done, &mut cpu_ms);
            work.progress.done += count;
            self.note(scope, work).await?;
        }
        evaluation.gate = Some(self.fit_gate(scope, examples).await?);
        Ok(evaluation)
    }
}

fn question(known: KnownQuestion) -> Question {
    Question { section: known.expected, text: known.question }
}

/// Headings that are questions, with the whole heading that answers them.
fn asked_by_headings(brain: &Brain) -> Vec<(String, String)> {
    let asked = brain.sections().iter().filter_map(|passage| {
        let last = passage.heading.rsplit(": ").next()?.trim();
        last.ends_with('?').then(|| (last.to_owned(), passage.heading.clone()))
    });
    asked.collect()
}

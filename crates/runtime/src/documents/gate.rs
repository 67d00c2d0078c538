//! When the documents are an answer: the gate that every business begins with, or one that was fitted to its own questions.

use super::kept::{keep, kept};
use super::{DocumentError, Documents};
use crate::wall_ms;
use local::language::Gate;
use local::language::evaluation::Question;
pub use local::language::fitting::Judged;
use local::language::fitting::{Fit, Truth, fit};
use local::language::gate::Features;
use model::business::TenantScope;
use serde::{Deserialize, Serialize};
use store::contract::office::ValueKind;
use store::{Store, StoreError};

/// Which gate a business wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateMode {
    /// The one that was fitted to its questions, where that is better.
    #[default]
    Fitted,
    /// The one that every business begins with.
    Usual,
}

impl GateMode {
    /// The word that is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Usual => "usual",
        }
    }
}

/// What is kept of the gate of a business.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptGate {
    /// Which one is wanted.
    pub mode: GateMode,
    /// What came of the last evaluation that had questions enough.
    pub fitted: Option<Fitted>,
}

/// A gate that was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// To so many questions.
    pub questions: usize,
    /// What came of it.
    pub fit: Fit,
}

impl KeptGate {
    /// The fitted gate where it is wanted and better, else the usual one.
    pub fn in_force(&self) -> Gate {
        match &self.fitted {
            Some(fitted) if self.mode == GateMode::Fitted && fitted.fit.is_better => fitted.fit.gate.clone(),
            _ => Gate::default(),
        }
    }

    /// Which gate is in force, and why.
    pub fn report(&self) -> GateReport {
        let (gate, fitted) = (self.in_force(), self.fitted.as_ref());
        GateReport {
            reason: self.reason(),
            answer_from: gate.answer_from,
            closest_from: gate.closest_from,
            questions: fitted.map_or(0, |one| one.questions),
            validated: fitted.map(|one| one.fit.validated),
            usual: fitted.map(|one| one.fit.usual),
        }
    }

    /// Why the gate that is in force is.
    pub fn reason(&self) -> GateReason {
        match &self.fitted {
            _ if self.mode == GateMode::Usual => GateReason::Chosen,
            None => GateReason::TooFewQuestions,
            Some(fitted) if fitted.fit.is_better => GateReason::Better,
            Some(_) => GateReason::NotBetter,
        }
    }
}

/// Why a gate is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateReason {
    /// The fitted one: it is better.
    Better,
    /// The usual one: the fitted one is no better.
    NotBetter,
    /// The usual one: there are too few questions to fit one.
    TooFewQuestions,
    /// The usual one: people want it.
    Chosen,
}

impl GateReason {
    /// The word that is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::NotBetter => "not_better",
            Self::TooFewQuestions => "too_few_questions",
            Self::Chosen => "chosen",
        }
    }
}

/// What an evaluation says about the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Why the gate that is in force from now on is.
    pub reason: GateReason,
    /// From this probability on, the passage is the answer.
    pub answer_from: f32,
    /// From this probability on, it is named as the closest.
    pub closest_from: f32,
    /// Questions that a gate can be fitted to.
    pub questions: usize,
    /// What gates do with them that were fitted without them.
    pub validated: Option<Judged>,
    /// What the usual gate does with them.
    pub usual: Option<Judged>,
}

/// The gate of a business, and how often it was changed.
///
/// # Errors
/// When the store does not answer.
pub async fn kept_gate(store: &dyn Store, scope: &TenantScope) -> Result<(KeptGate, u32), StoreError> {
    kept(store, scope, ValueKind::Gate).await
}

/// Says which gate a business wants. It is in force within seconds.
///
/// # Errors
/// When the store does not answer, or it was changed meanwhile.
pub async fn choose_gate(store: &dyn Store, scope: &TenantScope, mode: GateMode) -> Result<KeptGate, StoreError> {
    let (kept, version) = kept_gate(store, scope).await?;
    let changed = KeptGate { mode, ..kept.clone() };
    if changed != kept {
        keep(store, scope, ValueKind::Gate, &changed, version).await?;
    }
    Ok(changed)
}

/// What the gate saw of a question, when it teaches something: a question that is a heading word for word is found by every gate,
/// and would raise the bar to where nobody's own words reach it.
pub(super) fn example(question: &Question, seen: &(Features, bool)) -> Option<(Features, Truth)> {
    let (features, is_right) = *seen;
    let Some(expected) = &question.section else { return Some((features, Truth::Unanswerable)) };
    let heading = expected.rsplit(": ").next().unwrap_or(expected).trim();
    let is_copied = heading.eq_ignore_ascii_case(question.text.trim());
    (!is_copied).then_some((features, if is_right { Truth::Right } else { Truth::Missed }))
}

impl Documents {
    /// Fits a gate to questions and lets it serve where it is better and wanted.
    pub(super) async fn fit_gate(
        &self,
        scope: &TenantScope,
        examples: Vec<(Features, Truth)>,
    ) -> Result<GateReport, DocumentError> {
        let questions = examples.len();
        let made = self.brain.think(move || fit(&Gate::default(), &examples)).await;
        let made = made.map_err(DocumentError::Unavailable)?;
        let (before, version) = kept_gate(self.store.as_ref(), scope).await?;
        let same = before.fitted.as_ref().map(|one| &one.fit) == made.as_ref();
        let mut kept = before;
        if !same {
            kept.fitted = made.map(|fit| Fitted { at_ms: wall_ms(), questions, fit });
            match keep(self.store.as_ref(), scope, ValueKind::Gate, &kept, version).await {
                Ok(()) => {}
                // Somebody chose another one meanwhile; the next evaluation fits again.
                Err(StoreError::Conflict(_)) => kept = kept_gate(self.store.as_ref(), scope).await?.0,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(GateReport { questions, ..kept.report() })
    }
}

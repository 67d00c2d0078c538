//! Services that embed what businesses know, for those that chose one beside the model of this machine: passages when they are
//! taken in, questions while a caller waits.
//!
//! Vectors of the model of this machine are always there. So a service that is late, away, not allowed or not to be paid any more
//! costs half a second at most and nothing of the answer: the question is then compared with those.

use crate::bill::written_this_month;
use crate::documents::embedding::kept_embedding;
use crate::node::Shared;
use crate::reading::Sited;
use crate::service::{Bill, EmbedService};
use crate::wall_ms;
use async_trait::async_trait;
use base::{Failure, Money, Pii, limits};
use knowledge::ingest::Further;
use knowledge::spaces;
use local::language::knowledge::Made;
use model::business::TenantScope;
use model::routing::CostStage;
use providers::embed::{EmbedPurpose, EmbedRequest};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use store::{Store, StoreError};

/// A service that a business may choose, or why it may not.
pub struct Offered {
    /// Registry name.
    pub name: String,
    /// Name as people write it.
    pub title: String,
    /// The service, as the installation has it.
    pub service: Result<Sited<dyn EmbedService>, String>,
}

/// See the module.
pub struct Spaces {
    store: Arc<dyn Store>,
    offered: Vec<Offered>,
    /// What a business may spend in a month, where there is no node that knows.
    month: Option<Money>,
    /// Where what businesses spend is counted, once there is a node.
    node: OnceLock<Weak<Shared>>,
    /// Services that did not answer in time, with the Unix milliseconds until which they are not asked.
    paused: Mutex<HashMap<String, i64>>,
}

impl Spaces {
    /// These services, for the businesses of this store, of which each may spend so much in a month.
    pub fn new(store: Arc<dyn Store>, offered: Vec<Offered>, month: Option<Money>) -> Self {
        Self { store, offered, month, node: OnceLock::new(), paused: Mutex::default() }
    }

    /// From now on, what is spent counts as spent by the businesses of this node.
    pub(crate) fn pay_from(&self, node: &Arc<Shared>) {
        // A node is put together once.
        let _ = self.node.set(Arc::downgrade(node));
    }

    /// All there are.
    pub fn offered(&self) -> &[Offered] {
        &self.offered
    }

    /// Who makes the vectors of a space. Nobody does when the installation uses another model by now.
    fn of_space(&self, space: &str) -> Option<&Sited<dyn EmbedService>> {
        let width = spaces::width(space)?;
        let is_it = |one: &&Sited<dyn EmbedService>| spaces::named(one.service.space(), width) == space;
        self.offered.iter().filter_map(|one| one.service.as_ref().ok()).find(is_it)
    }

    /// A bill for what is asked beside calls, that knows whether anything may be spent.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn bill(&self, scope: &TenantScope) -> Result<Bill, StoreError> {
        let (bill, is_spent) = match self.node.get().and_then(Weak::upgrade) {
            Some(node) => (node.bill(scope.business), node.month_is_spent(scope).await?),
            None => (Bill::default(), self.month_is_spent(scope).await?),
        };
        if is_spent {
            bill.close();
        }
        Ok(bill)
    }

    async fn month_is_spent(&self, scope: &TenantScope) -> Result<bool, StoreError> {
        let Some(budget) = self.month else { return Ok(false) };
        Ok(written_this_month(self.store.as_ref(), scope, wall_ms()).await? >= budget)
    }

    /// Writes down what was spent beside calls.
    pub async fn settle(&self, scope: &TenantScope, bill: &Bill) {
        let cost = bill.total();
        if cost != Money::ZERO
            && let Err(error) = self.store.count_cost(scope, cost, wall_ms()).await
        {
            tracing::error!(%error, "what embedding documents cost was not counted");
        }
    }

    /// Vectors of questions in the space of a base, as many as the service makes in time: none when there is no such service,
    /// when it is late or fails, or when it may not be asked.
    pub async fn made(&self, space: Option<&str>, questions: Vec<String>, bill: &Bill) -> Made {
        let (Some(space), false) = (space, questions.is_empty()) else { return Made::default() };
        let Some(sited) = self.of_space(space) else { return counted("unknown") };
        if !bill.allows(sited.region) {
            return counted("not_allowed");
        }
        let name = sited.service.name();
        if self.paused().get(name).is_some_and(|until_ms| wall_ms() < *until_ms) {
            return counted("paused");
        }
        let texts: Vec<Pii<String>> = questions.iter().map(|question| question.as_str().into()).collect();
        let asked = self.embed(sited, texts, EmbedPurpose::Query, bill);
        let within = Duration::from_millis(limits::EMBED_QUESTION_MS_MAX);
        let outcome = match tokio::time::timeout(within, asked).await {
            Ok(Ok(vectors)) => {
                metrics::counter!("frontdesk_knowledge_questions_embedded_total", "outcome" => "made").increment(1);
                return Made(questions.into_iter().zip(vectors).collect());
            }
            Ok(Err(failure)) => {
                tracing::warn!(provider = name, %failure, "a question is not embedded; the model of this machine does it");
                "failed"
            }
            Err(_) => "late",
        };
        let pause_ms = i64::try_from(limits::EMBED_PAUSE_MS).unwrap_or(i64::MAX);
        self.paused().insert(name.to_owned(), wall_ms().saturating_add(pause_ms));
        counted(outcome)
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, HashMap<String, i64>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vectors of texts.
    pub(crate) async fn embed(
        &self,
        sited: &Sited<dyn EmbedService>,
        texts: Vec<Pii<String>>,
        purpose: EmbedPurpose,
        bill: &Bill,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let bill = bill.under(CostStage::Embed, sited.service.name(), false);
        let mut all = Vec::with_capacity(texts.len());
        for texts in texts.chunks(limits::EMBED_TEXTS_MAX) {
            let request = EmbedRequest { texts: texts.to_vec(), purpose };
            all.extend(sited.service.embed(request, &bill).await?.vectors);
        }
        Ok(all)
    }
}

fn counted(outcome: &'static str) -> Made {
    metrics::counter!("frontdesk_knowledge_questions_embedded_total", "outcome" => outcome).increment(1);
    Made::default()
}

/// What stands for a text without any letter: services refuse what is empty.
const BLANK: &str = "-";

#[async_trait]
impl Further for Spaces {
    async fn spaces(&self, scope: &TenantScope) -> Result<Vec<String>, String> {
        let kept = kept_embedding(self.store.as_ref(), scope).await.map_err(|error| error.to_string())?.0;
        Ok(kept.serving.into_iter().map(|serving| serving.space).collect())
    }

    async fn encode(&self, scope: &TenantScope, space: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, String> {
        let gone = || format!("no service of this installation makes vectors of {space} any more; choose another one");
        let sited = self.of_space(space).ok_or_else(gone)?;
        let bill = self.bill(scope).await.map_err(|error| error.to_string())?;
        if !bill.allows(sited.region) {
            return Err("what the business may spend in a month is spent".into());
        }
        let text = |text: String| if text.trim().is_empty() { BLANK.into() } else { text.as_str().into() };
        let texts = texts.into_iter().map(text).collect();
        let made = self.embed(sited, texts, EmbedPurpose::Document, &bill).await;
        // What was asked for is paid for, also when it was no use.
        self.settle(scope, &bill).await;
        made.map_err(|failure| format!("{}: {failure}", sited.service.name()))
    }
}

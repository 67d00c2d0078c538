//! The on-device brain as a service: one per business, over that business's documents.

use super::NAME;
use crate::service::{BrainService, BrainSession, KnowledgeSearch};
use base::{BusinessId, ErrorClass, Failure, limits};
use local::language::Brain;
use local::language::gate::Verdict;
use model::generation::{Citation, GenerationEvent, GenerationRequest};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Semaphore, mpsc};

/// Retrieve, rerank, gate, say it word for word.
pub struct LocalBrain {
    brains: RwLock<HashMap<BusinessId, (u64, Arc<Brain>)>>,
    slots: Arc<Semaphore>,
}

impl LocalBrain {
    /// A service that knows no business yet.
    pub fn new(slots: Arc<Semaphore>) -> Self {
        Self { brains: RwLock::default(), slots }
    }

    /// Sets or replaces what a business's agents answer from. Calls in progress use it from their next turn on.
    pub fn set(&self, business: BusinessId, brain: Arc<Brain>) {
        let mut brains = self.brains.write().unwrap_or_else(PoisonError::into_inner);
        let version = brains.get(&business).map_or(0, |(version, _)| *version) + 1;
        brains.insert(business, (version, brain));
    }

    fn of(&self, business: BusinessId) -> Option<Arc<Brain>> {
        self.brains.read().unwrap_or_else(PoisonError::into_inner).get(&business).map(|(_, brain)| Arc::clone(brain))
    }
}

impl BrainService for LocalBrain {
    fn name(&self) -> &str {
        NAME
    }

    fn generate(&self, business: BusinessId, request: GenerationRequest) -> BrainSession {
        let (outbox, events) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let (brain, slots) = (self.of(business), Arc::clone(&self.slots));
        tokio::spawn(async move {
            let answer = match brain {
                Some(brain) => think(brain, slots, request).await,
                None => Err(Failure::new(ErrorClass::Internal, "this business has no documents on this node")),
            };
            for event in answer.unwrap_or_else(|failure| vec![GenerationEvent::Failed(failure)]) {
                if outbox.send(event).await.is_err() {
                    return; // Cancelled.
                }
            }
        });
        BrainSession { events }
    }
}

async fn think(
    brain: Arc<Brain>,
    slots: Arc<Semaphore>,
    request: GenerationRequest,
) -> Result<Vec<GenerationEvent>, Failure> {
    let closed = |_| Failure::new(ErrorClass::Internal, "the model threads are gone");
    let slot = slots.acquire_owned().await.map_err(closed)?;
    let answer = tokio::task::spawn_blocking(move || {
        let answer = brain.answer(&request);
        drop(slot);
        answer
    });
    answer.await.map_err(|_| Failure::new(ErrorClass::Internal, "the brain stopped"))
}

impl KnowledgeSearch for LocalBrain {
    fn version(&self, business: BusinessId) -> u64 {
        self.brains.read().unwrap_or_else(PoisonError::into_inner).get(&business).map_or(0, |(version, _)| *version)
    }

    fn search(&self, business: BusinessId, query: &str) -> Vec<Citation> {
        let Some(brain) = self.of(business) else { return Vec::new() };
        match brain.search(query) {
            Ok(found) if found.verdict != Verdict::Decline => found.passage.into_iter().collect(),
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "a search in the documents failed");
                Vec::new()
            }
        }
    }
}

//! Models of this machine that read texts: the embedder of the default brain, languages, personal data that has a form.

use super::NAME;
use crate::drivers::{embeddable, readable};
use crate::service::{Bill, EmbedService, TextService};
use base::{ErrorClass, Failure};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use local::language::pii::{self, Form};
use local::language::{LanguageModels, detect};
use providers::embed::{EmbedRequest, Embeddings, tokens_of};
use providers::text::{Entity, EntityKind, TextAnswer, TextAnswers, TextItem, TextRequest, TextSkill};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Texts that are embedded before another call may have the processor.
const TEXTS_AT_ONCE: usize = 8;
/// Characters of a text that is looked through.
const CHARS_MAX: usize = 100_000;

/// Runs work on a thread for models, when one is free.
async fn on_thread<T: Send + 'static>(
    slots: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let closed = |_| Failure::new(ErrorClass::Internal, "the model threads are gone");
    let slot = Arc::clone(slots).acquire_owned().await.map_err(closed)?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(slot);
        done
    });
    done.await.map_err(|_| Failure::new(ErrorClass::Internal, "the model stopped"))
}

/// The embedder of this machine.
pub struct LocalEmbed {
    models: Arc<LanguageModels>,
    slots: Arc<Semaphore>,
}

impl LocalEmbed {
    /// Over loaded models, on as many threads as there are slots.
    pub fn new(models: Arc<LanguageModels>, slots: Arc<Semaphore>) -> Self {
        Self { models, slots }
    }
}

impl EmbedService for LocalEmbed {
    fn name(&self) -> &str {
        NAME
    }

    fn space(&self) -> &str {
        "local/minilm-l6-v2"
    }

    fn embed(&self, request: EmbedRequest, _bill: &Bill) -> BoxFuture<'static, Result<Embeddings, Failure>> {
        let (models, slots) = (Arc::clone(&self.models), Arc::clone(&self.slots));
        async move {
            let request = embeddable(request)?;
            let mut all = Embeddings { vectors: Vec::new(), tokens: tokens_of(&request.texts) };
            for texts in request.texts.chunks(TEXTS_AT_ONCE) {
                let (models, texts) = (Arc::clone(&models), texts.to_vec());
                let made = on_thread(&slots, move || {
                    let embed = |text: &base::Pii<String>| models.embedder.embed(text.expose()).map(Vec::from);
                    texts.iter().map(embed).collect::<Result<Vec<_>, _>>()
                });
                let failed = |error: local::language::LanguageError| {
                    tracing::warn!(%error, "a text could not be embedded");
                    Failure::new(ErrorClass::Internal, "the embedder of this machine failed")
                };
                all.vectors.extend(made.await?.map_err(failed)?);
            }
            Ok(all)
        }
        .boxed()
    }
}

/// What this machine can tell about texts: their language, and personal data that has a form (no names, no addresses).
pub struct LocalText {
    slots: Arc<Semaphore>,
}

impl LocalText {
    /// On as many threads as there are slots.
    pub fn new(slots: Arc<Semaphore>) -> Self {
        Self { slots }
    }
}

impl TextService for LocalText {
    fn name(&self) -> &str {
        NAME
    }

    fn can(&self, skill: TextSkill) -> bool {
        matches!(skill, TextSkill::Language | TextSkill::PersonalData)
    }

    fn read(&self, request: TextRequest, _bill: &Bill) -> BoxFuture<'static, Result<TextAnswers, Failure>> {
        let (slots, can) = (Arc::clone(&self.slots), self.can(request.skill));
        async move {
            if !can {
                return Err(Failure::new(ErrorClass::Invalid, "this machine cannot do this"));
            }
            let (mut outcomes, places) = readable(&request, CHARS_MAX)?;
            let answers = on_thread(&slots, move || {
                let answer = |place: &usize| (*place, answer(request.skill, &request.items[*place]));
                places.iter().map(answer).collect::<Vec<_>>()
            });
            for (place, answer) in answers.await? {
                outcomes[place] = Ok(answer);
            }
            Ok(outcomes)
        }
        .boxed()
    }
}

fn answer(skill: TextSkill, item: &TextItem) -> TextAnswer {
    let text = item.text.expose();
    if skill == TextSkill::Language {
        let (language, confidence) = detect::detect(text, item.language.as_deref()).unzip();
        return TextAnswer::Language {
            language: language.map(str::to_owned),
            confidence: confidence.unwrap_or_default(),
        };
    }
    let entity = |(form, range)| {
        let (kind, category) = match form {
            Form::Email => (EntityKind::Email, "email"),
            Form::Iban => (EntityKind::Account, "iban"),
            Form::Card => (EntityKind::Card, "card"),
            Form::Phone => (EntityKind::Phone, "phone"),
            Form::Id => (EntityKind::Id, "id"),
        };
        Entity { kind, category: category.to_owned(), range, confidence: 1.0 }
    };
    TextAnswer::PersonalData { entities: pii::find(text).into_iter().map(entity).collect(), masked: pii::mask(text) }
}

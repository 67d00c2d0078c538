//! Models of this machine that read texts: the embedder of the default brain, languages, personal data.

use super::NAME;
use crate::drivers::{embeddable, readable};
use crate::service::{Bill, EmbedService, TextService};
use base::{ErrorClass, Failure};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use local::language::names::{NameKind, Named};
use local::language::pii::{self, Form};
use local::language::{LanguageModels, Names, detect};
use providers::embed::{EmbedRequest, Embeddings, tokens_of};
use providers::text::{Entity, EntityKind, TextAnswer, TextAnswers, TextItem, TextRequest, TextSkill};
use std::ops::Range;
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
                    let texts: Vec<&str> = texts.iter().map(|text| text.expose().as_str()).collect();
                    Ok(models.embedder.embed_all(&texts)?.into_iter().map(Vec::from).collect::<Vec<_>>())
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

/// What this machine can tell about texts: their language, and personal data. Without a model of names, that is what has a form:
/// no names, no addresses.
pub struct LocalText {
    slots: Arc<Semaphore>,
    names: Option<Arc<Names>>,
}

impl LocalText {
    /// On as many threads as there are slots.
    pub fn new(slots: Arc<Semaphore>) -> Self {
        Self { slots, names: None }
    }

    /// The same, finding names too.
    #[must_use]
    pub fn with_names(mut self, names: Option<Names>) -> Self {
        self.names = names.map(Arc::new);
        self
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
        let (slots, names, can) = (Arc::clone(&self.slots), self.names.clone(), self.can(request.skill));
        async move {
            if !can {
                return Err(Failure::new(ErrorClass::Invalid, "this machine cannot do this"));
            }
            let (mut outcomes, places) = readable(&request, CHARS_MAX)?;
            let answers = on_thread(&slots, move || {
                let names = names.as_deref();
                let answer = |place: &usize| (*place, answer(request.skill, &request.items[*place], names));
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

fn answer(skill: TextSkill, item: &TextItem, names: Option<&Names>) -> TextAnswer {
    let text = item.text.expose();
    if skill == TextSkill::Language {
        let (language, confidence) = detect::detect(text, item.language.as_deref()).unzip();
        return TextAnswer::Language {
            language: language.map(str::to_owned),
            confidence: confidence.unwrap_or_default(),
        };
    }
    let mut found: Vec<(Entity, &str)> = pii::find(text).into_iter().map(|(form, range)| formed(form, range)).collect();
    let named = names.map_or(Ok(Vec::new()), |names| names.find_all(text)).unwrap_or_else(|error| {
        tracing::warn!(%error, "names in a text are not looked for");
        Vec::new()
    });
    for one in named {
        let overlaps =
            |(other, _): &(Entity, &str)| other.range.start < one.range.end && one.range.start < other.range.end;
        if !found.iter().any(overlaps) {
            found.extend(personal(one));
        }
    }
    found.sort_by_key(|(entity, _)| entity.range.start);
    let masked = pii::put(text, found.iter().map(|(entity, mark)| (*mark, entity.range.clone())));
    TextAnswer::PersonalData { entities: found.into_iter().map(|(entity, _)| entity).collect(), masked }
}

fn formed(form: Form, range: Range<usize>) -> (Entity, &'static str) {
    let (kind, category) = match form {
        Form::Email => (EntityKind::Email, "email"),
        Form::Iban => (EntityKind::Account, "iban"),
        Form::Card => (EntityKind::Card, "card"),
        Form::Phone => (EntityKind::Phone, "phone"),
        Form::Id => (EntityKind::Id, "id"),
    };
    (Entity { kind, category: category.to_owned(), range, confidence: 1.0 }, form.mask())
}

/// A name that says who somebody is; a town alone does not.
fn personal(named: Named) -> Option<(Entity, &'static str)> {
    let (kind, category, mark) = match named.kind {
        NameKind::Person => (EntityKind::Person, "name", "[name]"),
        NameKind::Address => (EntityKind::Address, "address", "[address]"),
        NameKind::Town => return None,
    };
    Some((Entity { kind, category: category.to_owned(), range: named.range, confidence: NAMED }, mark))
}

/// How sure a name is, which is found by its surroundings and not by a form.
const NAMED: f32 = 0.8;

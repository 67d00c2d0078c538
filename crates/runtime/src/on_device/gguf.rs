//! A model in a GGUF file as what phrases.

use super::phrasing::TextModel;
use local::language::gguf::{GgufError, GgufModel, GgufOptions};
use local::language::phrasing::INSTRUCTIONS;
use model::agent::BrainChoice;
use model::generation::{ChatMessage, GenerationEvent, GenerationRequest};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

impl TextModel for GgufModel {
    fn generate(
        &self,
        request: &GenerationRequest,
        cancelled: &Arc<AtomicBool>,
        emit: &mut dyn FnMut(GenerationEvent) -> bool,
    ) {
        GgufModel::generate(self, request, cancelled, emit);
    }
}

/// Loads a model for phrasing and reads its instructions once, so that the first caller does not wait for the file and for
/// what every prompt begins with. Blocking work.
///
/// # Errors
/// When the file is no model that can be run.
pub fn load_phrasing_model(path: &Path) -> Result<Arc<dyn TextModel>, GgufError> {
    let model = GgufModel::load(path, GgufOptions::default())?;
    let warm = GenerationRequest {
        brain: BrainChoice::Auto,
        messages: vec![
            ChatMessage::System { text: INSTRUCTIONS.to_owned() },
            ChatMessage::Customer { text: "Text: Hello.".to_owned().into() },
        ],
        tools: Vec::new(),
        awaiting: None,
        language: "en".into(),
        tokens_max: 1,
    };
    model.generate(&warm, &Arc::default(), &mut |event| {
        if let GenerationEvent::Failed(failure) = event {
            tracing::warn!(why = failure.detail, "the language model failed its first sentence");
        }
        true
    });
    Ok(Arc::new(model))
}

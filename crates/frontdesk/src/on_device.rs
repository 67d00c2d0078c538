//! Loading the models of this machine, and the knowledge of each business.

use anyhow::Context as _;
use knowledge::child::Parser;
use local::language::{LanguageModels, Names};
use local::models::ModelDir;
use local::speech::{NeuralVad, Recognizer, Synthesizer, TurnJudge};
use model::business::TenantScope;
use runtime::documents::recordings::Ears;
#[cfg(feature = "gguf")]
use runtime::on_device::PhrasingBrain;
use runtime::on_device::{Elsewhere, LocalBrain, LocalEmbed, LocalJudge, LocalStt, LocalTts, StoredMinds, model_slots};
use runtime::service::{BrainService, EmbedService};
use runtime::spaces::Spaces;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;
use tokio::sync::Semaphore;

/// Everything that runs on this machine.
pub struct OnDevice {
    /// Speech to text.
    pub stt: Arc<LocalStt>,
    /// Text to speech.
    pub tts: Arc<LocalTts>,
    /// Voice activity and end of turn.
    pub judge: Arc<LocalJudge>,
    /// The brain, still without businesses.
    pub brain: Arc<LocalBrain>,
    /// The brain with a language model that phrases, when one was asked for.
    pub phrasing: Option<Arc<dyn BrainService>>,
    /// The voice itself, for simulated callers.
    pub synthesizer: Arc<Synthesizer>,
    models: Arc<LanguageModels>,
    /// What hears recorded calls.
    pub ears: Arc<Ears>,
    /// Threads for models, which all of them share.
    pub slots: Arc<Semaphore>,
    slots_all: usize,
}

/// The models directory of a configuration.
pub fn model_dir(configured: &str) -> anyhow::Result<ModelDir> {
    if configured.is_empty() { Ok(ModelDir::locate()?) } else { Ok(ModelDir::at(configured)) }
}

/// What embeds, ranks and finds names. Blocking work.
///
/// # Errors
/// When a model without which nothing is answered is missing or wrong; the text names the command that mends it.
pub fn language(dir: &ModelDir) -> anyhow::Result<LanguageModels> {
    let models = LanguageModels::load(dir);
    let models = models.context("the language models are missing or broken; run `frontdesk models pull`")?;
    Ok(models.with_names(dir))
}

/// What finds names in texts, where its files are.
pub fn names(dir: &ModelDir) -> Option<Names> {
    Names::at(dir)
}

/// Loads all models, at once on several threads. Blocking work.
///
/// # Errors
/// When a model is missing or wrong; the text names the command that mends it.
pub fn load(dir: &ModelDir) -> anyhow::Result<OnDevice> {
    std::thread::scope(|scope| {
        let language = scope.spawn(|| language(dir));
        let recognizer = scope.spawn(|| Recognizer::load(dir));
        let synthesizer = Arc::new(Synthesizer::load(dir)?);
        let vad = NeuralVad::load(dir)?;
        let turn = TurnJudge::load(dir)?;
        let recognizer = Arc::new(recognizer.join().map_err(|_| anyhow::anyhow!("loading the recogniser failed"))??);
        let models = Arc::new(language.join().map_err(|_| anyhow::anyhow!("loading the language models failed"))??);
        let slots = model_slots();
        let ears = Arc::new(Ears::new(Arc::clone(&recognizer), vad.clone()));
        Ok(OnDevice {
            ears,
            stt: Arc::new(LocalStt::new(recognizer, Arc::clone(&slots))),
            tts: Arc::new(LocalTts::new(Arc::clone(&synthesizer), Arc::clone(&slots))),
            judge: Arc::new(LocalJudge::new(vad, Some(turn))),
            brain: Arc::new(LocalBrain::new(Arc::clone(&slots))),
            phrasing: None,
            synthesizer,
            models,
            slots_all: slots.available_permits(),
            slots,
        })
    })
}

/// Loads what judges turns from audio, and nothing else. Blocking work.
///
/// # Errors
/// When a model is missing or wrong.
pub fn load_judge(dir: &ModelDir) -> anyhow::Result<Arc<LocalJudge>> {
    Ok(Arc::new(LocalJudge::new(NeuralVad::load(dir)?, Some(TurnJudge::load(dir)?))))
}

/// What to do in a build that cannot run a language model by itself.
const NO_GGUF: &str = "brain \"gguf\": this build has no GGUF support; build it with `cargo build -p frontdesk --features \
    gguf` (needs cmake, clang and libclang), or let a server on this machine that speaks chat completions run the model and \
    set its address (`frontdesk config providers` names where); docs/local-llm.md tells how";

/// The configured language model, checked as far as can be without loading it.
///
/// # Errors
/// When there is none, or this build cannot run it.
pub fn gguf_file(configured: &str) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(cfg!(feature = "gguf"), NO_GGUF);
    anyhow::ensure!(!configured.is_empty(), "brain \"gguf\" needs models.gguf, the path of a language model");
    let path = PathBuf::from(configured);
    anyhow::ensure!(path.is_file(), "models.gguf: there is no file {}", path.display());
    Ok(path)
}

impl OnDevice {
    /// Finds out what texts mean.
    pub fn embedder(&self) -> Arc<dyn EmbedService> {
        Arc::new(LocalEmbed::new(Arc::clone(&self.models), Arc::clone(&self.slots)))
    }

    /// Loads the language model that phrases what the brain found. Blocking work.
    ///
    /// # Errors
    /// When it cannot be run.
    #[cfg(feature = "gguf")]
    pub fn load_phrasing(&mut self, file: &Path) -> anyhow::Result<()> {
        let model = runtime::on_device::load_phrasing_model(file).context("models.gguf")?;
        let brain = Arc::clone(&self.brain) as Arc<dyn BrainService>;
        self.phrasing = Some(Arc::new(PhrasingBrain::new(brain, model, Arc::clone(&self.slots))));
        Ok(())
    }

    /// Loads the language model that phrases what the brain found. Blocking work.
    ///
    /// # Errors
    /// Always: this build cannot.
    #[cfg(not(feature = "gguf"))]
    pub fn load_phrasing(&mut self, _file: &Path) -> anyhow::Result<()> {
        anyhow::bail!(NO_GGUF)
    }

    /// Whether no model is thinking.
    pub fn is_idle(&self) -> bool {
        self.slots.available_permits() == self.slots_all && !self.judge.is_busy()
    }

    /// What reads documents, gives them vectors and loads them.
    pub fn minds(
        &self,
        store: Arc<dyn Store>,
        elsewhere: Option<Elsewhere>,
        spaces: &Arc<Spaces>,
    ) -> anyhow::Result<StoredMinds> {
        let minds = StoredMinds::new(store, Arc::clone(&self.models), Parser::of_this_program()?);
        Ok(minds.with_elsewhere(elsewhere).with_spaces(Arc::clone(spaces)))
    }

    /// Loads the documents of a business and prepares its agents' tools and lines, so that the first call is as quick as
    /// the others. Without this they are loaded when somebody asks.
    pub async fn learn(&self, store: &dyn Store, scope: &TenantScope) -> anyhow::Result<()> {
        self.brain.load(scope.business).await.map_err(|why| anyhow::anyhow!("the documents: {why}"))?;
        let agents = store.agents(scope, None).await?;
        let tts = Arc::clone(&self.tts);
        let work = move || {
            for agent in &agents {
                let lines = &agent.agent.lines;
                tts.warm([
                    lines.greeting.as_str(),
                    &lines.filler,
                    &lines.are_you_there,
                    &lines.apology,
                    &lines.goodbye,
                ]);
            }
        };
        tokio::task::spawn_blocking(work).await.context("preparing the lines of agents stopped")
    }
}

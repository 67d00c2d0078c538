//! Recorded calls: heard by the models of this machine, and what they teach proposed to people. Nothing of it serves before
//! somebody accepts it.

use super::{Content, DocumentError, Documents, Given};
use crate::wall_ms;
use base::limits;
use knowledge::Refusal;
use knowledge::calls::{Exchange, exchanges, speech};
use knowledge::ingest::{self, Progress};
use knowledge::recording::{RATE_HZ, Recording};
use local::OnnxError;
use local::language::knowledge::SPACE;
use local::language::names::NameKind;
use local::language::{Brain, Embedding, LanguageModels, embed::cosine, pii};
use local::speech::{NeuralVad, Recognizer, SpeechError};
use media::ms_to_samples;
use model::business::TenantScope;
use std::ops::Range;
use std::sync::Arc;
use store::heard::{HeardCall, LeftOut, Proposal, ProposalState, Speaker, Utterance};
use store::{Cursor, StoreError};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Questions that resemble each other at least so much ask the same.
const SAME_FROM: f32 = 0.9;
/// Sound that is this much weaker than that of the other side at the same time came over from there.
const LEAK_RATIO: f64 = 16.0;
/// Voice activity is looked at in stretches of so much, so that others get their turn.
const STRETCH_MS: u64 = 60_000;
/// A recogniser that is busy with calls is asked again.
const TRIES: usize = 5;

/// What hears recorded calls.
pub struct Ears {
    recognizer: Arc<Recognizer>,
    vad: NeuralVad,
    room: Semaphore,
}

impl Ears {
    /// Over loaded models, which calls share.
    pub fn new(recognizer: Arc<Recognizer>, vad: NeuralVad) -> Self {
        Self { recognizer, vad, room: Semaphore::new(limits::KNOWLEDGE_RECORDINGS_AT_ONCE_MAX) }
    }

    fn words(&self, pcm: &[i16]) -> Result<String, SpeechError> {
        let mut tries = 1;
        loop {
            match self.recognizer.recognize(pcm) {
                Err(SpeechError::Onnx(OnnxError::Busy { .. })) if tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }
}

/// On which channel of a recording the business speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentSide {
    /// The first one.
    Left,
    /// The second one, as in the recordings of this program.
    #[default]
    Right,
}

/// A recording as somebody gives it.
#[derive(Clone, Copy, Debug)]
pub struct GivenCall<'a> {
    /// A file's name.
    pub name: &'a str,
    /// The file.
    pub bytes: &'a [u8],
    /// Who is on which channel, when there are two.
    pub agent: AgentSide,
}

/// What became of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The same was heard before.
    Before(Uuid),
    /// It was heard now.
    Now {
        /// The call.
        call: Uuid,
        /// Questions with answers that wait for a person.
        proposals: usize,
    },
}

/// Why a recording was not heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HearError {
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something behind us.
    #[error(transparent)]
    Documents(#[from] DocumentError),
}

impl From<StoreError> for HearError {
    fn from(error: StoreError) -> Self {
        Self::Documents(error.into())
    }
}

/// A stretch of speech on one channel.
struct Piece {
    channel: usize,
    ms: Range<u32>,
}

impl Documents {
    /// The same, able to hear recorded calls.
    #[must_use]
    pub fn with_ears(mut self, ears: Option<Arc<Ears>>) -> Self {
        self.ears = ears;
        self
    }

    /// Hears a recorded call and proposes what it teaches. `progress` hears of seconds of speech.
    ///
    /// # Errors
    /// When it is refused, or something does not answer.
    pub async fn hear(
        &self,
        scope: &TenantScope,
        given: GivenCall<'_>,
        progress: &dyn Progress,
    ) -> Result<Heard, HearError> {
        let ears = self.ears.as_ref().ok_or(Refusal::Deaf)?;
        let sha256 = ingest::hash(given.bytes);
        if let Some(call) = self.store.heard_call_of(scope, &sha256).await? {
            return Ok(Heard::Before(call));
        }
        let closed = |_| DocumentError::Unavailable("no more recordings are heard".into());
        let _room = ears.room.acquire().await.map_err(closed)?;
        let recording = Arc::new(self.minds.parser().hear(given.bytes, ingest::file_name(given.name)).await?);
        let pieces = self.pieces(ears, &recording).await?;
        let utterances = self.utterances(ears, &recording, &pieces, given.agent, progress).await?;
        if utterances.is_empty() {
            return Err(Refusal::Silent.into());
        }
        let id = Uuid::now_v7();
        let name: String = ingest::file_name(given.name).chars().take(NAME_CHARS_MAX).collect();
        let (proposals, left_out) = self.propose(scope, id, &name, exchanges(&utterances)).await?;
        let duration_ms = recording.duration_ms();
        let call = HeardCall { id, name, sha256, duration_ms, utterances, left_out, at_ms: wall_ms() };
        if !self.store.keep_heard_call(scope, &call, &proposals).await? {
            let before = self.store.heard_call_of(scope, &call.sha256).await?;
            return Ok(Heard::Before(before.unwrap_or(call.id)));
        }
        Ok(Heard::Now { call: id, proposals: proposals.len() })
    }

    /// Where somebody speaks on each channel, in order.
    async fn pieces(&self, ears: &Arc<Ears>, recording: &Arc<Recording>) -> Result<Vec<Piece>, DocumentError> {
        let mut found = Vec::new();
        for channel in 0..recording.channels.len() {
            let session = ears.vad.session(RATE_HZ).map_err(|error| DocumentError::Unavailable(error.to_string()))?;
            let frame_samples = session.frame_samples();
            let (mut session, mut frames) = (session, Vec::new());
            let stretch = ms_to_samples(STRETCH_MS, RATE_HZ) as usize / frame_samples * frame_samples;
            let samples = recording.channels[channel].len();
            for from in (0..samples).step_by(stretch.max(1)) {
                let recording = Arc::clone(recording);
                let look = move || {
                    let part = &recording.channels[channel][from..samples.min(from + stretch)];
                    frames.extend(part.chunks_exact(frame_samples).map(|frame| session.push(frame).unwrap_or(0.0)));
                    (session, frames)
                };
                (session, frames) = self.brain.think(look).await.map_err(DocumentError::Unavailable)?;
            }
            let frame_ms = u32::try_from(media::samples_to_ms(frame_samples as u64, RATE_HZ)).unwrap_or(1);
            let spoken = speech(&frames, frame_ms).into_iter().map(|ms| Piece { channel, ms });
            found.extend(spoken.filter(|piece| !came_over(recording, piece)));
        }
        found.sort_by_key(|piece| piece.ms.start);
        Ok(found)
    }

    async fn utterances(
        &self,
        ears: &Arc<Ears>,
        recording: &Arc<Recording>,
        pieces: &[Piece],
        agent: AgentSide,
        progress: &dyn Progress,
    ) -> Result<Vec<Utterance>, DocumentError> {
        let total: usize = pieces.iter().map(|piece| piece.ms.len()).sum();
        let (mut found, mut done, channels) = (Vec::new(), 0, recording.channels.len());
        for Piece { channel, ms } in pieces {
            let (ears, recording, at, range) = (Arc::clone(ears), Arc::clone(recording), *channel, ms.clone());
            let recognise = move || ears.words(samples(&recording.channels[at], &range));
            let text = self.brain.think(recognise).await.map_err(DocumentError::Unavailable)?;
            let text = text.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
            done += ms.len();
            progress.chunks(done / 1_000, total.div_ceil(1_000));
            if !text.trim().is_empty() {
                let speaker = speaker(channels, *channel, agent);
                found.push(Utterance { speaker, from_ms: ms.start, to_ms: ms.end, text: text.into() });
            }
        }
        Ok(found)
    }

    /// What of it is new and nobody's own.
    async fn propose(
        &self,
        scope: &TenantScope,
        call: Uuid,
        source: &str,
        found: Vec<Exchange>,
    ) -> Result<(Vec<Proposal>, LeftOut), DocumentError> {
        let (mut left_out, mut proposals) = (LeftOut::default(), Vec::new());
        if found.is_empty() {
            return Ok((proposals, left_out));
        }
        let brain = self.brain.of(scope.business).await.map_err(DocumentError::Unavailable)?;
        let mut before = self.asked_before(scope).await?;
        for one in found {
            let (models, brain, text) = (Arc::clone(self.minds.models()), Arc::clone(&brain), one.clone());
            let look = move || -> Result<_, local::language::LanguageError> {
                if is_personal(&models, &text.question)? || is_personal(&models, &text.answer)? {
                    return Ok(None);
                }
                let vector = models.embedder.embed(&text.question)?;
                Ok(Some((vector, is_known(&models, &brain, &text.question, &vector)?)))
            };
            let seen = self.brain.think(look).await.map_err(DocumentError::Unavailable)?;
            let seen = seen.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
            let Some((vector, is_known)) = seen else {
                left_out.personal += 1;
                continue;
            };
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            if is_known || before.iter().any(|other| resembles(other, &vector)) {
                left_out.known += 1;
                continue;
            }
            let at_ms = wall_ms();
            before.push(bytes.clone());
            proposals.push(Proposal {
                id: Uuid::now_v7(),
                heard: Some(call),
                source: source.to_owned(),
                from_ms: one.from_ms,
                question: one.question,
                answer: one.answer,
                state: ProposalState::Open,
                space: SPACE.into(),
                vector: bytes,
                created_at_ms: at_ms,
                updated_at_ms: at_ms,
            });
        }
        Ok((proposals, left_out))
    }

    /// Vectors of what was proposed before, whatever became of it.
    async fn asked_before(&self, scope: &TenantScope) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut found = Vec::new();
        for state in [ProposalState::Open, ProposalState::Accepted, ProposalState::Rejected] {
            let mut after: Option<Cursor> = None;
            loop {
                let page = self.store.proposals(scope, state, after, limits::PAGE_ROWS_MAX).await?;
                found.extend(page.rows.into_iter().filter(|one| one.space == SPACE).map(|one| one.vector));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Lets proposals become documents, each of its own: so each can be changed and deleted by itself. Those that were decided on
    /// already are passed over.
    ///
    /// # Errors
    /// `NotFound` when one of them is not there; otherwise when they cannot be kept.
    pub async fn accept(
        &self,
        scope: &TenantScope,
        ids: &[Uuid],
    ) -> Result<Option<store::knowledge_work::Work>, DocumentError> {
        let mut given = Vec::new();
        for id in ids {
            let one = self.store.proposal(scope, *id).await?;
            if one.state == ProposalState::Open {
                given.push(accepted(&one));
            }
        }
        if given.is_empty() {
            return Ok(None);
        }
        // Before the decision is noted: what is accepted twice is the same document, what is lost is not.
        let work = self.take(scope, given).await?;
        self.store.settle_proposals(scope, ids, ProposalState::Accepted, wall_ms()).await?;
        Ok(Some(work))
    }
}

const NAME_CHARS_MAX: usize = 200;

/// The document that a proposal becomes.
pub fn accepted(one: &Proposal) -> Given {
    let seconds = one.from_ms / 1_000;
    Given {
        name: format!("{} at {}:{:02}", one.source, seconds / 60, seconds % 60),
        document: format!("answer {}", one.question),
        title: Some(one.question.clone()),
        content: Content::Pairs(vec![(one.question.clone(), one.answer.clone())]),
        agent: AgentSide::default(),
    }
}

const fn speaker(channels: usize, channel: usize, agent: AgentSide) -> Speaker {
    match (channels, channel, agent) {
        (1, ..) => Speaker::Unknown,
        (_, 0, AgentSide::Left) | (_, 1, AgentSide::Right) => Speaker::Agent,
        _ => Speaker::Caller,
    }
}

fn samples<'a>(channel: &'a [i16], ms: &Range<u32>) -> &'a [i16] {
    let at = |ms: u32| (ms_to_samples(u64::from(ms), RATE_HZ) as usize).min(channel.len());
    &channel[at(ms.start)..at(ms.end)]
}

/// Whether what is heard on one channel is the other side's voice, which came over.
fn came_over(recording: &Recording, piece: &Piece) -> bool {
    let power =
        |channel: &Vec<i16>| samples(channel, &piece.ms).iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    let own = power(&recording.channels[piece.channel]);
    recording.channels.iter().any(|other| power(other) > own * LEAK_RATIO)
}

fn is_personal(models: &LanguageModels, text: &str) -> Result<bool, local::language::LanguageError> {
    if !pii::find(text).is_empty() {
        return Ok(true);
    }
    let Some(names) = &models.names else { return Ok(false) };
    Ok(names.find_all(text)?.iter().any(|one| one.kind == NameKind::Person))
}

/// Whether a document has the question for a heading.
fn is_known(
    models: &LanguageModels,
    brain: &Brain,
    question: &str,
    vector: &Embedding,
) -> Result<bool, local::language::LanguageError> {
    for (section, _) in brain.knowledge().candidates(question, vector) {
        let heading = brain.sections()[section].heading.as_str();
        let last = heading.rsplit(": ").next().unwrap_or(heading).trim();
        if last.ends_with('?') && cosine(&models.embedder.embed(last)?, vector) >= SAME_FROM {
            return Ok(true);
        }
    }
    Ok(false)
}

fn resembles(bytes: &[u8], vector: &Embedding) -> bool {
    let numbers = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
    bytes.len() == vector.len() * 4 && numbers.zip(vector).map(|(a, b)| a * b).sum::<f32>() >= SAME_FROM
}

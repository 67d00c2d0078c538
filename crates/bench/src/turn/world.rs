//! What the twins know: whose speech a recogniser's connection carries, and what the model answers to whom.

use super::agent_voice::{self, AgentVoice};
use super::render::Clip;
use serde_json::Value;
use sim::twins::deepgram::{Oracle, Speech, SpokenWord};
use sim::twins::openai::{Answerer, Reply};
use sim::twins::{deepgram, elevenlabs, openai, twilio};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What the providers take, fixed: their sum is the floor of an answer.
pub const STT_FINAL_MS: u64 = 120;
pub const LLM_FIRST_TOKEN_MS: u64 = 250;
pub const TTS_FIRST_AUDIO_MS: u64 = 150;
const LLM_TOKEN_GAP_MS: u64 = 12;
const REQUESTS_MAX: usize = 4_000;

/// Something the caller said.
#[derive(Clone, Debug)]
struct Said {
    words: Vec<String>,
    answer: String,
    at: Instant,
}

/// One caller, as the twins know it.
#[derive(Debug, Default)]
pub struct Caller {
    pub speech: Speech,
    said: Mutex<Vec<Said>>,
    /// The conversations that the model was shown, and when.
    requests: Mutex<Vec<(Instant, Value)>>,
    /// Connections of the recogniser.
    pub streams: std::sync::atomic::AtomicUsize,
}

/// All callers.
#[derive(Debug, Default)]
pub struct World {
    arming: Mutex<Option<Arc<Caller>>>,
    last: Mutex<Option<Arc<Caller>>>,
    callers: Mutex<Vec<Arc<Caller>>>,
    small_answer: String,
    /// What the voice was asked to say, and when.
    spoken: Mutex<Vec<(Instant, String)>>,
}

/// The running twins.
#[derive(Debug)]
pub struct Twins {
    pub stt: sim::twins::Twin,
    pub llm: sim::twins::Twin,
    pub tts: sim::twins::Twin,
    pub phone: twilio::TwilioTwin,
    pub world: Arc<World>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Twins {
    pub async fn start(voice: Arc<AgentVoice>, small_answer: &str, number: &str) -> std::io::Result<Self> {
        let world = Arc::new(World { small_answer: small_answer.to_owned(), ..World::default() });
        let (ears, mind, mouth) = (Arc::clone(&world), Arc::clone(&world), Arc::clone(&world));
        let stt = deepgram::Behaviour {
            final_ms: STT_FINAL_MS,
            oracle: Some(Oracle(Arc::new(move || ears.take_armed()))),
            ..deepgram::Behaviour::default()
        };
        let llm = openai::Behaviour {
            otherwise: Reply::says("All right."),
            first_token_ms: LLM_FIRST_TOKEN_MS,
            token_gap_ms: LLM_TOKEN_GAP_MS,
            answerer: Some(Answerer(Arc::new(move |request| Some(mind.answer(request))))),
            ..openai::Behaviour::default()
        };
        let tts = elevenlabs::Behaviour {
            timed_voice: Some(Arc::new(move |text, rate_hz| {
                let mut spoken = locked(&mouth.spoken);
                if spoken.len() < REQUESTS_MAX {
                    spoken.push((Instant::now(), text.to_owned()));
                }
                drop(spoken);
                voice.speak(text, rate_hz)
            })),
            first_audio_ms: TTS_FIRST_AUDIO_MS,
            ..elevenlabs::Behaviour::default()
        };
        let mut phone = twilio::TwinOptions::new("AC00000000000000000000000000000001", "twin-token");
        number.clone_into(&mut phone.number);
        Ok(Self {
            stt: deepgram::start(stt).await?,
            llm: openai::start(llm).await?,
            tts: elevenlabs::start(tts).await?,
            phone: twilio::TwilioTwin::start(phone).await?,
            world,
        })
    }
}

impl World {
    /// The next connection of the recogniser belongs to this caller.
    pub fn arm(&self, caller: &Arc<Caller>) {
        locked(&self.callers).push(Arc::clone(caller));
        *locked(&self.arming) = Some(Arc::clone(caller));
    }

    /// Whether the armed caller was taken; disarms when it was not in time.
    pub async fn taken(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if locked(&self.arming).is_none() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        locked(&self.arming).take().is_none()
    }

    pub fn leave(&self, caller: &Arc<Caller>) {
        locked(&self.callers).retain(|known| !Arc::ptr_eq(known, caller));
    }

    /// What the voice was asked to say, by whomever, between two moments.
    pub fn spoken(&self, from: Instant, to: Instant) -> Vec<(Instant, String)> {
        locked(&self.spoken).iter().filter(|(at, _)| (from..=to).contains(at)).cloned().collect()
    }

    fn take_armed(&self) -> Option<Speech> {
        // A connection that nobody waits for is another one of the call that began last.
        let caller = locked(&self.arming).take().or_else(|| locked(&self.last).clone())?;
        caller.streams.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let speech = Arc::clone(&caller.speech);
        *locked(&self.last) = Some(caller);
        Some(speech)
    }

    fn answer(&self, request: &Value) -> Reply {
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let user: Vec<String> = messages
            .iter()
            .filter(|message| message["role"] == "user")
            .map(|message| text_of(&message["content"]))
            .collect();
        let all: Vec<String> = user.iter().flat_map(|text| agent_voice::words(text)).collect();
        let callers = locked(&self.callers).clone();
        let Some(caller) = callers.iter().max_by(|a, b| a.fits(&all).total_cmp(&b.fits(&all))) else {
            return Reply::says(&self.small_answer);
        };
        let mut requests = locked(&caller.requests);
        if requests.len() < REQUESTS_MAX {
            requests.push((Instant::now(), request["messages"].clone()));
        }
        drop(requests);
        let last = user.last().map(|text| agent_voice::words(text)).unwrap_or_default();
        Reply::says(caller.answer_to(&last).unwrap_or_else(|| self.small_answer.clone()))
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// How many of these words are among those, each counted once.
fn shared(these: &[String], those: &[String]) -> usize {
    let mut left: HashMap<&str, usize> = HashMap::new();
    those.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let mut found = 0;
    for word in these {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            found += 1;
        }
    }
    found
}

impl Caller {
    /// Words that are about to be said, `began` being when the first sample leaves.
    pub fn speaks(&self, clip: &Clip, answer: &str, began: Instant) {
        let at = |ms: u64| began + Duration::from_millis(ms);
        let words =
            clip.words.iter().map(|(text, from, to)| SpokenWord { text: text.clone(), from: at(*from), to: at(*to) });
        locked(&self.speech).extend(words);
        let words: Vec<String> = clip.words.iter().flat_map(|(text, ..)| agent_voice::words(text)).collect();
        if !words.is_empty() {
            locked(&self.said).push(Said { words, answer: answer.to_owned(), at: began });
        }
    }

    /// How well a conversation fits what this caller has said.
    fn fits(&self, all: &[String]) -> f64 {
        let said = locked(&self.said);
        let own: Vec<String> = said.iter().flat_map(|said| said.words.iter().cloned()).collect();
        let age = said.last().map_or(1_000.0, |said| said.at.elapsed().as_secs_f64());
        // Of two that fit alike, the one who spoke last.
        shared(all, &own) as f64 / all.len().max(1) as f64
            - 0.5 * own.len().abs_diff(all.len()) as f64 / 1_000.0
            - age / 100_000.0
    }

    /// The answer to the latest thing said that these words hold a good part of.
    fn answer_to(&self, words: &[String]) -> Option<String> {
        let said = locked(&self.said);
        let fits = |said: &&Said| {
            let least = words.len().min(said.words.len());
            least > 0 && shared(&said.words, words) * 2 >= least
        };
        said.iter().rev().find(fits).or(said.last()).map(|said| said.answer.clone()).filter(|answer| !answer.is_empty())
    }

    /// The last conversation that the model was shown.
    pub fn last_request(&self) -> Option<Value> {
        let requests = locked(&self.requests);
        let longest = requests.iter().max_by_key(|(_, messages)| messages.as_array().map_or(0, Vec::len));
        longest.map(|(_, messages)| messages.clone())
    }

    /// When the model was asked, and what the caller's last words were then.
    pub fn asked(&self) -> Vec<(Instant, String)> {
        let last = |messages: &Value| {
            let user = messages.as_array().and_then(|all| all.iter().rev().find(|message| message["role"] == "user"));
            user.map(|message| text_of(&message["content"])).unwrap_or_default()
        };
        locked(&self.requests).iter().map(|(at, messages)| (*at, last(messages))).collect()
    }

    /// How often the model was asked.
    pub fn requests(&self) -> usize {
        locked(&self.requests).len()
    }
}

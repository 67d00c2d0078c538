//! Every twin that a server in the cloud set-up talks to, started together, and the configuration that points a server at
//! them. Latencies are fixed, so that what a measurement adds to them is the server's own.

use super::{deepgram, elevenlabs, openai, twilio};
use std::fmt::Write as _;
use std::io;

/// How the twins behave. Times are in milliseconds.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// What the recogniser understands, utterance by utterance; each call begins anew.
    pub heard: Vec<String>,
    /// From the end of an utterance, or the order to finish it, to its final transcript.
    pub stt_final_ms: u64,
    /// What the model answers, whatever was said.
    pub answer: String,
    /// To the first token of an answer; the rest follows at once.
    pub llm_first_token_ms: u64,
    /// From a text to its first audio.
    pub tts_first_audio_ms: u64,
    /// Our number, which the server must know.
    pub number: String,
}

/// The running twins. Dropping it ends every connection.
#[derive(Debug)]
pub struct Cloud {
    /// Speech to text.
    pub stt: super::Twin,
    /// The brain.
    pub llm: super::Twin,
    /// Text to speech.
    pub tts: super::Twin,
    /// The phone platform.
    pub phone: twilio::TwilioTwin,
}

impl Cloud {
    /// Starts all of them on free loopback ports.
    pub async fn start(options: &CloudOptions) -> io::Result<Self> {
        let stt = deepgram::Behaviour {
            final_ms: options.stt_final_ms,
            ..deepgram::Behaviour::script(options.heard.iter().map(String::as_str))
        };
        let llm = openai::Behaviour {
            otherwise: openai::Reply::says(&options.answer),
            first_token_ms: options.llm_first_token_ms,
            token_gap_ms: 0,
            ..openai::Behaviour::default()
        };
        let tts =
            elevenlabs::Behaviour { first_audio_ms: options.tts_first_audio_ms, ..elevenlabs::Behaviour::default() };
        let mut phone = twilio::TwinOptions::new("AC00000000000000000000000000000001", "twin-token");
        phone.number.clone_from(&options.number);
        Ok(Self {
            stt: deepgram::start(stt).await?,
            llm: openai::start(llm).await?,
            tts: elevenlabs::start(tts).await?,
            phone: twilio::TwilioTwin::start(phone).await?,
        })
    }

    /// Tables of a configuration file that make a server use these twins and nothing else.
    pub fn config(&self) -> String {
        let mut text = String::new();
        let providers = [
            ("stt", "deepgram", &self.stt.base_url, &self.stt.key),
            ("brain", "openai", &self.llm.base_url, &self.llm.key),
            ("tts", "elevenlabs", &self.tts.base_url, &self.tts.key),
        ];
        for (stage, name, base_url, key) in providers {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[{stage}]\nprovider = \"{name}\"\nfallback = []\n\
                 [providers.{name}]\nbase_url = \"{base_url}\"\napi_key = \"{key}\"\n"
            );
            match stage {
                "brain" => text.push_str("model = \"twin\"\n"),
                "tts" => text.push_str("voice = \"twin\"\n"),
                _ => {}
            }
        }
        let account = self.phone.options();
        let _ = write!(
            text,
            "[carriers.twilio]\naccount_sid = \"{}\"\nauth_token = \"{}\"\nbase_url = \"{}\"\n",
            account.account_sid,
            account.auth_token.expose(),
            self.phone.api_base()
        );
        text
    }

    /// The path of the voice webhook that the phone platform asks.
    pub fn voice_path(&self) -> &'static str {
        "/carriers/twilio/voice"
    }
}

//! How the platform is set up to bring the conversation: as audio (Media Streams), or as words that it recognises and speaks
//! itself (ConversationRelay). Source: twilio.com/docs/voice/twiml/connect/conversationrelay.

use crate::protocol::Capability;
use crate::registry::{Setting, Settings};

const MODE: Setting = Setting {
    key: "mode",
    env: "TWILIO_MODE",
    doc: "`media_streams` (the default): audio comes here. `conversation_relay`: the platform recognises and speaks, and words come here.",
};
const LANGUAGE: Setting = Setting {
    key: "language",
    env: "",
    doc: "`conversation_relay`: the language of both voices until the agent's is known, as `en-US` (the default).",
};
const VOICE: Setting =
    Setting { key: "voice", env: "", doc: "`conversation_relay`: the voice, by the name of the speech provider." };
const TTS_PROVIDER: Setting = Setting {
    key: "tts_provider",
    env: "",
    doc: "`conversation_relay`: who speaks, by the platform's name for it; its own choice by default.",
};
const TRANSCRIPTION_PROVIDER: Setting = Setting {
    key: "transcription_provider",
    env: "",
    doc: "`conversation_relay`: who recognises, by the platform's name for it; its own choice by default.",
};
const INTERRUPTIBLE: Setting = Setting {
    key: "interruptible",
    env: "",
    doc: "`conversation_relay`: what interrupts the agent, `any` (the default), `speech`, `dtmf` or `none`.",
};
const DTMF_DETECTION: Setting = Setting {
    key: "dtmf_detection",
    env: "",
    doc: "`conversation_relay`: `off` makes the platform keep the customer's keys to itself; on by default.",
};

const INTERRUPTIONS: [&str; 4] = ["any", "speech", "dtmf", "none"];

/// The mode, and the settings that only make sense in the second.
pub(super) const SETTINGS: [Setting; 7] =
    [MODE, LANGUAGE, VOICE, TTS_PROVIDER, TRANSCRIPTION_PROVIDER, INTERRUPTIBLE, DTMF_DETECTION];

/// What the platform can do when it relays words.
pub(super) const CAPABILITIES: &[Capability] = &[
    Capability::Place,
    Capability::Answer,
    Capability::Reject,
    Capability::KeysIn,
    Capability::KeysOut,
    Capability::HangUp,
    Capability::TransferCold,
    Capability::Record,
    Capability::MachineDetection,
    Capability::Text,
];

/// How the platform listens and speaks for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayOptions {
    /// BCP 47, with the region.
    pub language: String,
    /// As the speech provider names it.
    pub voice: Option<String>,
    /// As the platform names it.
    pub tts_provider: Option<String>,
    /// As the platform names it.
    pub transcription_provider: Option<String>,
    /// `any`, `speech`, `dtmf`, `none`.
    pub interruptible: &'static str,
    /// Whether the customer's keys are told.
    pub detects_keys: bool,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            language: "en-US".to_owned(),
            voice: None,
            tts_provider: None,
            transcription_provider: None,
            interruptible: "any",
            detects_keys: true,
        }
    }
}

/// How the relay is set up; `None` where audio comes here.
pub(super) fn relay(settings: &Settings<'_>) -> Result<Option<RelayOptions>, String> {
    let text = |setting: &Setting| settings.get(setting).map(|value| value.expose().trim().to_owned());
    match text(&MODE).as_deref() {
        Some("conversation_relay") => {}
        None | Some("media_streams") => {
            let meant = SETTINGS[1..].iter().find(|setting| settings.get(setting).is_some());
            return match meant {
                Some(setting) => Err(format!("{} needs mode = \"conversation_relay\"", setting.key)),
                None => Ok(None),
            };
        }
        Some(_) => return Err("mode is media_streams or conversation_relay".to_owned()),
    }
    let interruptible = match text(&INTERRUPTIBLE) {
        None => "any",
        Some(given) => INTERRUPTIONS
            .into_iter()
            .find(|known| *known == given)
            .ok_or_else(|| format!("{} is one of {}", INTERRUPTIBLE.key, INTERRUPTIONS.join(", ")))?,
    };
    let language = text(&LANGUAGE).unwrap_or_else(|| RelayOptions::default().language);
    if !language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err("language is a tag such as en-US".to_owned());
    }
    Ok(Some(RelayOptions {
        language,
        voice: text(&VOICE),
        tts_provider: text(&TTS_PROVIDER),
        transcription_provider: text(&TRANSCRIPTION_PROVIDER),
        interruptible,
        detects_keys: settings.get(&DTMF_DETECTION).is_none() || settings.is_on(&DTMF_DETECTION)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<RelayOptions>, String> {
        let configured = |key: &str| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| base::Secret::new((*value).to_owned()))
        };
        relay(&Settings { configured: &configured, env: &|_| None })
    }

    #[test]
    fn audio_is_the_default_and_words_have_defaults_of_their_own() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("mode", "media_streams")]), Ok(None));
        assert_eq!(read(&[("mode", "conversation_relay")]), Ok(Some(RelayOptions::default())));
        let all = [
            ("mode", "conversation_relay"),
            ("language", "de-DE"),
            ("voice", "de-DE-Neural2-F"),
            ("tts_provider", "Google"),
            ("transcription_provider", "Google"),
            ("interruptible", "speech"),
            ("dtmf_detection", "off"),
        ];
        let expected = RelayOptions {
            language: "de-DE".into(),
            voice: Some("de-DE-Neural2-F".into()),
            tts_provider: Some("Google".into()),
            transcription_provider: Some("Google".into()),
            interruptible: "speech",
            detects_keys: false,
        };
        assert_eq!(read(&all), Ok(Some(expected)));
    }

    #[test]
    fn a_setting_that_would_do_nothing_or_harm_is_an_error_in_one_line() {
        let why = |key: &str, value: &str| {
            read(&[("mode", "conversation_relay"), (key, value)]).expect_err("it does not fit")
        };
        assert_eq!(why("interruptible", "true"), "interruptible is one of any, speech, dtmf, none");
        assert_eq!(why("dtmf_detection", "maybe"), "dtmf_detection is on or off");
        assert_eq!(why("language", "English (US)"), "language is a tag such as en-US");
        assert_eq!(read(&[("mode", "relay")]).expect_err("unknown"), "mode is media_streams or conversation_relay");
        let alone = read(&[("voice", "Emma")]).expect_err("it would do nothing");
        assert_eq!(alone, "voice needs mode = \"conversation_relay\"");
    }
}

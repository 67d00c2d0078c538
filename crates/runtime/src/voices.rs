//! Asks a vendor for its voices, and clones one.

use base::wire::HttpRequest;
use base::{Failure, Millis, limits};
use egress::Egress;
pub use providers::voices::VoiceInfo;
use providers::voices::{CloneRequest, Listing, Voices};

/// All voices of a vendor, in its order, within [`limits::VOICE_PAGES_MAX`] pages.
///
/// # Errors
/// When it cannot be asked or refuses.
pub async fn list(egress: &Egress, provider: &str, voices: &dyn Voices) -> Result<Vec<VoiceInfo>, Failure> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..limits::VOICE_PAGES_MAX {
        let body = match voices.list(after.as_deref()) {
            Listing::Known(known) => return Ok(known),
            Listing::Ask(request) => ask(egress, provider, voices, *request, limits::VOICES_MS_MAX).await?,
        };
        let page = voices.listed(&body)?;
        all.extend(page.voices);
        // A vendor that points at the same page again would be asked for ever.
        match page.next {
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => break,
        }
    }
    Ok(all)
}

/// Clones a voice and gives its id; `None` when the vendor clones none.
///
/// # Errors
/// When it cannot be asked or refuses.
pub async fn clone(
    egress: &Egress,
    provider: &str,
    voices: &dyn Voices,
    wanted: &CloneRequest,
) -> Result<Option<String>, Failure> {
    let Some(request) = voices.clone_voice(wanted) else { return Ok(None) };
    let body = ask(egress, provider, voices, request, limits::VOICE_CLONE_MS_MAX).await?;
    voices.cloned(&body).map(Some)
}

async fn ask(
    egress: &Egress,
    provider: &str,
    voices: &dyn Voices,
    request: HttpRequest,
    deadline_ms: u64,
) -> Result<Vec<u8>, Failure> {
    let answer = egress.http(request, Millis(deadline_ms)).await?;
    if (200..300).contains(&answer.status) {
        return Ok(answer.body.to_vec());
    }
    let body = String::from_utf8_lossy(&answer.body);
    let class = voices.classify(answer.status, &body);
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Err(providers::answer::refusal(provider, class, answer.status, headers, &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ErrorClass;
    use egress::{EgressConfig, Policy};
    use providers::ProviderOptions;
    use providers::voices::Sample;
    use sim::twins::voice::Behaviour;
    use sim::twins::{Fault, Moment, azure_tts, cartesia_tts, elevenlabs};

    fn egress() -> Egress {
        Egress::new(EgressConfig::new(Policy::Operator))
    }

    fn of(name: &str, base_url: &str, key: &str) -> Box<dyn Voices> {
        let base_url = Some(base_url.to_owned());
        let options = ProviderOptions { api_key: Some(key.into()), base_url, ..ProviderOptions::default() };
        let provider = providers::tts::PROVIDERS.open(name, &options).expect("usable");
        provider.protocol().voices().expect("it has voices")
    }

    fn wanted() -> CloneRequest {
        let sample = |name: &str| Sample { file_name: name.to_owned(), bytes: b"RIFF----WAVE".to_vec() };
        CloneRequest::new("Ada", "en-US", Some("Calm."), vec![sample("a.wav"), sample("b.mp3")], true)
            .expect("complete")
    }

    #[tokio::test]
    async fn every_page_of_voices_is_asked_for_and_a_cloned_one_is_among_them() {
        let one = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
        let two = cartesia_tts::start(Behaviour::default()).await.expect("a free port");
        let asked = [
            ("elevenlabs", &one.base_url, &one.key, &one.record),
            ("elevenlabs_http", &one.base_url, &one.key, &one.record),
            ("cartesia", &two.base_url, &two.key, &two.record),
        ];
        for (name, base_url, key, record) in asked {
            let voices = of(name, base_url, key);
            let before = list(&egress(), name, voices.as_ref()).await.expect("listed");
            let stock: Vec<&VoiceInfo> = before.iter().filter(|voice| !voice.cloned).collect();
            assert_eq!(stock.len(), 120, "{name}: more than one page");
            let first = VoiceInfo {
                language: Some("en".to_owned()),
                gender: Some("female"),
                preview_url: Some("https://previews.example/stock-00.mp3".to_owned()),
                ..VoiceInfo::stock("stock-00", "Stock 0")
            };
            assert_eq!(*stock[0], first, "{name}");
            let id = clone(&egress(), name, voices.as_ref(), &wanted()).await.expect("cloned").expect("it clones");
            let after = list(&egress(), name, voices.as_ref()).await.expect("listed");
            let cloned = after.iter().find(|voice| voice.id == id).expect("it is there");
            assert!(cloned.cloned && cloned.name == "Ada", "{name}: {cloned:?}");
            assert_eq!(after.len(), before.len() + 1, "{name}");
            let sent = record.lines().into_iter().find(|line| line.starts_with("request clone")).expect("recorded");
            assert!(sent.contains("name=Ada") && sent.contains("a.wav (audio/wav, 12 bytes)"), "{name}: {sent}");
        }
    }

    #[tokio::test]
    async fn a_list_without_pages_is_read_whole_and_known_voices_need_no_request() {
        let twin = azure_tts::start(Behaviour::default()).await.expect("a free port");
        let asked = of("azure", &twin.base_url, &twin.key);
        let voices = list(&egress(), "azure", asked.as_ref()).await.expect("listed");
        assert_eq!((voices.len(), voices[0].language.as_deref(), voices[1].gender), (120, Some("en-US"), Some("male")));
        let none = clone(&egress(), "azure", asked.as_ref(), &wanted()).await.expect("no mistake");
        assert_eq!(none, None, "it clones no voices");
        for (name, id) in [("deepgram", "aura-2-thalia-en"), ("openai", "marin"), ("sarvam", "shubh")] {
            let known = of(name, "http://127.0.0.1:1", "key");
            let voices = list(&egress(), name, known.as_ref()).await.expect("nobody is asked");
            assert!(voices.iter().any(|voice| voice.id == id), "{name}");
        }
    }

    #[tokio::test]
    async fn a_refusal_has_its_class_and_tells_no_key() {
        let twin = cartesia_tts::start(Behaviour::default()).await.expect("a free port");
        let stranger = of("cartesia", &twin.base_url, "a-wrong-key");
        let why = list(&egress(), "cartesia", stranger.as_ref()).await.expect_err("a wrong key");
        assert_eq!(why.class, ErrorClass::Auth);
        assert!(!why.to_string().contains("a-wrong-key"));
        twin.faults.set_times(Moment::Start, Fault::Status { status: 429, retry_after_s: Some(2) }, 1);
        let known = of("cartesia", &twin.base_url, &twin.key);
        let why = clone(&egress(), "cartesia", known.as_ref(), &wanted()).await.expect_err("too many");
        assert_eq!((why.class, why.retry_after), (ErrorClass::RateLimited, Some(Millis(2_000))));
    }
}

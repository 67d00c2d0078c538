//! Words over a trunk in each wideband codec, by real telephones: what the trunk hears of them, and what they hear of it, is
//! understood by a recogniser that hears nothing else.

use async_trait::async_trait;
use base::wire::Wire;
use carriers::sip::sdp::{Codec, Preference, Protection};
use carriers::sip::{Told, samples, told};
use local::models::ModelDir;
use local::speech::{Recognizer, Synthesizer};
use media::Resampler;
use sip::{Config, Endpoint, Front, Invite, Line, Listen, Next, Report, Transport, Trunk, Verdict};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use testkit::baresip::Baresip;
use testkit::phone::{Options, Phone};
use testkit::ports;

const WORDS: &str = "Do you deliver bicycles to Austria?";
const HZ: u32 = 16_000;
/// Words, and a moment in which the last of them comes back.
const FRAMES_MAX: usize = 300;
const LONG: Duration = Duration::from_secs(60);

/// An owner that says what it hears, and remembers it.
#[derive(Default)]
struct Parrot {
    heard: Arc<Mutex<Vec<i16>>>,
}

#[async_trait]
impl Front for Parrot {
    async fn invited(&self, _invite: Invite) -> Verdict {
        Verdict::Answer { token: "t".into() }
    }

    async fn picked_up(&self, _call_ref: &str) -> Option<String> {
        None
    }

    async fn connected(&self, _call_ref: &str, mut line: Line) {
        let heard = Arc::clone(&self.heard);
        tokio::spawn(async move {
            let mut frames = 0;
            while let Some(wire) = line.from_leg.recv().await {
                if let Wire::Text(text) = &wire
                    && let Some(rate) = text.strip_prefix("start ").and_then(|start| start.rsplit(' ').next())
                {
                    assert_eq!(rate, "16000", "wideband reaches the line");
                }
                if let Some(Told::Audio(bytes)) = told(&wire) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).extend(samples(bytes));
                    frames += 1;
                    let _ = line.to_leg.try_send(wire); // The end of the call takes it away.
                }
                if frames >= FRAMES_MAX {
                    return; // Whose line is closed hangs up.
                }
            }
        });
    }

    async fn line_ended(&self, _call_ref: &str) -> Next {
        Next::HangUp
    }

    async fn reported(&self, _report: Report) {}
}

async fn trunk(front: Arc<Parrot>) -> (Endpoint, SocketAddr) {
    let first = ports::free(8);
    let address = SocketAddr::from(([127, 0, 0, 1], first));
    let trunk = Trunk {
        name: "words".into(),
        host: "127.0.0.1".into(),
        transport: Transport::Udp,
        user: None,
        password: None,
        registers: false,
        is_probed: false,
        allowed: Vec::new(),
        protection: Protection::Never,
        codecs: Codec::ALL.to_vec(),
        preference: Preference::Theirs,
    };
    let config = Config {
        listen: vec![Listen { transport: Transport::Udp, address }],
        public_ip: None,
        rtp_ports: first + 2..=first + 7,
        calls_max: 2,
        certificate: None,
        authorities: None,
        tap: None,
        trunks: vec![trunk],
    };
    (Endpoint::start(config, front).await.expect("it listens"), address)
}

/// The words, spoken, with a pause before and behind.
fn spoken(dir: &ModelDir) -> Vec<i16> {
    let speech = Synthesizer::load(dir).expect("models: `cargo xtask models`").synthesize(WORDS).expect("speech");
    let mut pcm = vec![0; HZ as usize / 2];
    let mut resampler = Resampler::new(speech.sample_rate_hz, HZ).expect("a rate");
    resampler.process(&speech.pcm, &mut pcm);
    pcm.resize(pcm.len() + HZ as usize * 4, 0);
    pcm
}

fn write(file: &Path, pcm: &[i16], rate_hz: u32, channels: u16) {
    let mut raised = Vec::new();
    Resampler::new(HZ, rate_hz).expect("a rate").process(pcm, &mut raised);
    let spec =
        hound::WavSpec { channels, sample_rate: rate_hz, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(file, spec).expect("a file");
    for sample in raised {
        (0..channels).for_each(|_| wav.write_sample(sample).expect("written"));
    }
    wav.finalize().expect("written");
}

fn read(file: &Path) -> Vec<i16> {
    let mut wav = hound::WavReader::open(file).expect("a recording");
    let (rate_hz, channels) = (wav.spec().sample_rate, usize::from(wav.spec().channels));
    let pcm: Vec<i16> = wav.samples::<i16>().step_by(channels).map_while(Result::ok).collect();
    let mut lowered = Vec::new();
    Resampler::new(rate_hz, HZ).expect("a rate").process(&pcm, &mut lowered);
    lowered
}

/// Words as they sound: no signs, small letters.
fn plain(text: &str) -> String {
    text.chars().filter(|sign| sign.is_alphanumeric() || *sign == ' ').collect::<String>().to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_in_opus_and_g722_are_understood_at_both_ends() {
    let dir = ModelDir::locate().expect("a directory");
    let ears = Recognizer::load(&dir).expect("models: `cargo xtask models`");
    let pcm = spoken(&dir);
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("words.wav");
    let there = folder.path().join("there.wav");
    for codec in ["opus", "G722"] {
        let parrot = Arc::new(Parrot::default());
        let (_endpoint, address) = trunk(Arc::clone(&parrot)).await;
        let target = format!("sip:+4940555000@{address}");
        if codec == "opus" {
            write(&file, &pcm, 48_000, 2);
            let mut phone = Baresip::calls(&target, "+4915735550123", "opus/48000/2", &file);
            std::fs::copy(phone.heard().await, &there).expect("its recording");
        } else {
            write(&file, &pcm, HZ, 1);
            let phone = Phone::start(Options { codec: "G722/16000", ..Options::default() }).await;
            phone.tell(&format!("call {target}")).await;
            phone.next("codec", 0, LONG).await;
            phone.tell(&format!("say {}", file.display())).await;
            phone.next("over", 0, LONG).await;
            phone.quit_with(&there).await;
        }
        let here = parrot.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (end, pcm) in [("the trunk", here), ("the telephone", read(&there))] {
            let text = ears.recognize(&pcm).expect("recognised");
            assert_eq!(plain(&text), plain(WORDS), "{codec}, heard by {end}");
        }
    }
}

//! What recorded calls teach: heard by the models of this machine, proposed to people, and said only when one of them agrees.

use crate::knowledge::{ask, ask_until, over, says, upload, world};
use crate::rig::Server;
use frontdesk::{caller, on_device};
use local::speech::Synthesizer;
use reqwest::StatusCode;
use serde_json::{Value, json};

const RATE_HZ: u32 = 8_000;
const QUESTION: &str = "Do you ship to Norway?";

/// Silence of half a second, then words, then silence.
fn line(voice: &Synthesizer, text: &str) -> Vec<i16> {
    let speech = voice.synthesize(text).expect("speech");
    let quiet = vec![0; RATE_HZ as usize / 2];
    [quiet.clone(), caller::for_the_line(&speech.pcm, speech.sample_rate_hz), quiet].concat()
}

/// A call as a file: who speaks on which channel, one after the other.
fn wav(channels: u16, said: &[(u16, &str)]) -> Vec<u8> {
    let voice = Synthesizer::load(&on_device::model_dir("").expect("a folder")).expect("a voice");
    file(channels, said.iter().map(|(channel, text)| (*channel, line(&voice, text))))
}

fn file(channels: u16, parts: impl Iterator<Item = (u16, Vec<i16>)>) -> Vec<u8> {
    let spec =
        hound::WavSpec { channels, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a header");
    for (channel, samples) in parts {
        for sample in samples {
            for at in 0..channels {
                writer.write_sample(if at == channel { sample } else { 0 }).expect("a sample");
            }
        }
    }
    writer.finalize().expect("an end");
    file.into_inner()
}

async fn open(server: &Server) -> Vec<Value> {
    let (status, page) = server.get("/api/v1/knowledge/proposals").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["items"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_call_proposes_what_it_teaches_and_a_person_decides_what_is_said() {
    let (_world, server) = world().await;
    let call = wav(
        2,
        &[
            (1, "Good morning, how can I help you?"),
            (0, "Hello, do you ship to Norway?"),
            (1, "Yes, we ship to Norway within five days."),
            (0, "And do you sell helmets for children?"),
            (1, "Yes, we have helmets in four sizes."),
            (0, "My number is 0 4 0, 5 5 5 0 1 7 0. Goodbye."),
        ],
    );
    let job = over(&server, &upload(&server, "monday.wav", call.clone()).await).await;
    let document = &job["documents"][0];
    assert_eq!(
        (&job["state"], &document["state"], &document["kind"]),
        (&json!("done"), &json!("heard"), &json!("recording")),
        "{job}"
    );
    let recording = document["recording"].as_str().expect("an id").to_owned();
    let (_, heard) = server.get(&format!("/api/v1/knowledge/recordings/{recording}")).await;
    let speakers: Vec<&str> =
        heard["utterances"].as_array().expect("a list").iter().filter_map(|one| one["speaker"].as_str()).collect();
    assert!(speakers.starts_with(&["agent", "caller", "agent"]), "{heard}");

    let proposed = open(&server).await;
    assert_eq!((proposed.len(), &document["proposals"]), (2, &json!(2)), "{proposed:?} of {heard}");
    let of = |word: &str| proposed.iter().find(|one| one["question"].as_str().is_some_and(|text| text.contains(word)));
    let (norway, helmets) = (of("Norway").expect("it was asked"), of("helmets").expect("it was asked"));
    assert!(!says(&ask(&server, QUESTION).await, "five days"), "nobody has agreed");
    let (_, documents) = server.get("/api/v1/knowledge/documents").await;
    assert!(!documents.to_string().contains("monday"), "a recording is no document");

    let id = norway["id"].as_str().expect("an id");
    let edited = json!({ "question": QUESTION, "answer": "Yes, we ship to Norway within five days, for 20 euros." });
    let put = server.http().put(server.url(&format!("/api/v1/knowledge/proposals/{id}"))).json(&edited).send().await;
    assert_eq!(put.expect("an answer").status(), StatusCode::OK);
    let (status, rejected) =
        server.post("/api/v1/knowledge/proposals/reject", &json!({ "ids": [helmets["id"]] })).await;
    assert_eq!((status, &rejected["rejected"]), (StatusCode::OK, &json!(1)));
    let (status, job) = server.post("/api/v1/knowledge/proposals/accept", &json!({ "ids": [id] })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    assert_eq!(over(&server, &job).await["documents"][0]["kind"], "pairs");
    ask_until(&server, QUESTION, |answer| says(answer, "20 euros")).await;
    assert_eq!(open(&server).await, [] as [Value; 0]);
    let late = server.http().put(server.url(&format!("/api/v1/knowledge/proposals/{id}"))).json(&edited).send().await;
    assert_eq!(late.expect("an answer").status(), StatusCode::CONFLICT);

    // The same file again, and another call in which the same is asked.
    let again = over(&server, &upload(&server, "again.wav", call).await).await;
    assert_eq!(again["documents"][0]["state"], "unchanged", "{again}");
    let other = wav(2, &[(1, "Do you sell helmets for children?"), (0, "Yes, we have helmets in four sizes.")]);
    let url = server.url("/api/v1/knowledge/documents?name=other.wav&agent=left");
    let answer = server.http().post(url).body(other).send().await.expect("an answer");
    let job = over(&server, &answer.json().await.expect("a job")).await;
    assert_eq!(
        (&job["documents"][0]["state"], &job["documents"][0]["proposals"]),
        (&json!("heard"), &json!(0)),
        "{job}"
    );
    let (_, heard) = server.get("/api/v1/knowledge/recordings").await;
    assert_eq!(heard["items"][0]["known"], 1, "a rejected question is not proposed again: {heard}");

    let gone = server.http().delete(server.url(&format!("/api/v1/knowledge/recordings/{recording}"))).send().await;
    assert_eq!(gone.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(server.get(&format!("/api/v1/knowledge/recordings/{recording}")).await.0, StatusCode::NOT_FOUND);
    assert!(says(&ask(&server, QUESTION).await, "20 euros"), "what a person accepted stays");
    assert!(!server.log().contains("Norway"), "what callers say is in no log");
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_nothing_and_of_one_channel() {
    let (_world, server) = world().await;
    let mono = wav(1, &[(0, "Do you deliver on Saturdays?"), (0, "Yes, we deliver on Saturdays until noon.")]);
    let job = over(&server, &upload(&server, "mono.wav", mono).await).await;
    let recording = job["documents"][0]["recording"].as_str().expect("an id");
    let (_, heard) = server.get(&format!("/api/v1/knowledge/recordings/{recording}")).await;
    assert_eq!(heard["utterances"][0]["speaker"], "unknown", "voices are not told apart: {heard}");
    assert_eq!(open(&server).await.len(), 1, "{heard}");

    let quiet = file(2, [(0, vec![0; 3 * RATE_HZ as usize])].into_iter());
    let cut = quiet[..20].to_vec();
    for (name, bytes, code) in [("quiet.wav", quiet, "no_speech"), ("cut.wav", cut, "broken")] {
        let job = over(&server, &upload(&server, name, bytes).await).await;
        let document = &job["documents"][0];
        assert_eq!((&document["state"], &document["error_code"]), (&json!("failed"), &json!(code)), "{job}");
        assert!(document["error"].as_str().is_some_and(|why| !why.is_empty()));
    }
}

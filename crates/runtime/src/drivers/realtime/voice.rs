//! The voice of a model that speaks itself: words of its answers come with the answers' own audio, all others are given to an
//! ordinary voice.

use super::MakeRealtime;
use super::track::{Sound, Track, Tracks};
use crate::service::{Bill, TtsCommand, TtsService, TtsSession};
use base::{ErrorClass, Failure, limits};
use media::Resampler;
use providers::realtime::RealtimeOpen;
use providers::tts::{TtsEvent, TtsOpen};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Audio that is handed on in one piece.
const PIECE_MS: usize = 100;

pub(super) struct Voice {
    pub(super) name: Arc<str>,
    pub(super) tracks: Arc<Tracks>,
    pub(super) make: MakeRealtime,
    /// Says what no answer says: the greeting, fillers, apologies.
    pub(super) ordinary: Option<Arc<dyn TtsService>>,
}

impl TtsService for Voice {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self, open: TtsOpen) -> TtsSession {
        self.open_billed(open, &Bill::default())
    }

    fn open_billed(&self, open: TtsOpen, bill: &Bill) -> TtsSession {
        let (command_sender, commands) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        let (events, event_receiver) = mpsc::channel(limits::TTS_EVENTS_MAX);
        let sample_rate_hz = output_rate_hz(&self.make, open.sample_rate_hz);
        let ordinary = self.ordinary.clone();
        let speech = Speech { ordinary, open, bill: bill.clone(), commands, events, rate_hz: sample_rate_hz };
        tokio::spawn(speech.run(Arc::clone(&self.tracks)));
        TtsSession { sample_rate_hz, commands: command_sender, events: event_receiver }
    }
}

/// What the codec would speak at on a line of this rate.
fn output_rate_hz(make: &MakeRealtime, line_hz: u32) -> u32 {
    let mut codec = make();
    codec.connect(&RealtimeOpen {
        sample_rate_hz: line_hz,
        language: String::new(),
        instructions: String::new(),
        tools: Vec::new(),
    });
    codec.output_rate_hz()
}

/// One utterance.
struct Speech {
    ordinary: Option<Arc<dyn TtsService>>,
    open: TtsOpen,
    bill: Bill,
    commands: mpsc::Receiver<TtsCommand>,
    events: mpsc::Sender<TtsEvent>,
    rate_hz: u32,
}

/// How a part of an utterance ended.
enum Part {
    /// All of it is out. These words no answer has.
    Over(Vec<TtsCommand>),
    /// Nobody listens any more.
    Cancelled,
    Failed(Failure),
}

impl Speech {
    async fn run(mut self, tracks: Arc<Tracks>) {
        if self.events.send(TtsEvent::Started).await.is_err() {
            return;
        }
        let Some(first) = self.commands.recv().await else { return };
        let track = match &first {
            TtsCommand::Segment(words) => tracks.claim(words),
            TtsCommand::Flush => None,
        };
        let part = match track {
            Some(track) => match self.play(&track).await {
                Part::Over(rest) if !rest.is_empty() => self.relay(rest, true).await,
                part => part,
            },
            None => {
                let flushed = matches!(first, TtsCommand::Flush);
                self.relay(vec![first], flushed).await
            }
        };
        let last = match part {
            Part::Over(_) => TtsEvent::Done,
            Part::Failed(failure) => TtsEvent::Failed(failure),
            Part::Cancelled => return,
        };
        self.commands.close();
        let _ = self.events.send(last).await; // The call may have lost interest.
    }

    /// Plays the audio of an answer whose first words were taken.
    async fn play(&mut self, track: &Track) -> Part {
        let piece = PIECE_MS * track.rate_hz as usize / 1_000;
        let mut others = Vec::new();
        let mut flushed = false;
        let mut heard = false;
        let mut waits_since = Instant::now();
        loop {
            match track.pull(piece) {
                Sound::Some(pcm) => {
                    heard = true;
                    // Waits while the call does not read.
                    if self.events.send(TtsEvent::Audio { pcm }).await.is_err() {
                        return Part::Cancelled;
                    }
                    waits_since = Instant::now();
                }
                Sound::Over(Err(failure)) => return Part::Failed(failure),
                Sound::Over(Ok(())) if flushed => {
                    if !others.is_empty() {
                        others.push(TtsCommand::Flush);
                    }
                    return Part::Over(others);
                }
                Sound::Over(Ok(())) | Sound::NotYet => {}
            }
            let wait_ms = if heard { limits::LLM_STALL_MS_MAX } else { limits::TTS_FIRST_AUDIO_MS_MAX };
            let due = waits_since + Duration::from_millis(wait_ms);
            let is_over = matches!(track.pull(0), Sound::Over(_));
            if is_over && flushed {
                continue;
            }
            tokio::select! {
                biased;
                () = self.events.closed() => return Part::Cancelled,
                command = self.commands.recv(), if !flushed => match command {
                    Some(TtsCommand::Segment(words)) if others.is_empty() && track.take_words(&words) => {}
                    Some(TtsCommand::Segment(words)) => others.push(TtsCommand::Segment(words)),
                    Some(TtsCommand::Flush) => flushed = true,
                    None => return Part::Cancelled,
                },
                () = std::future::ready(()), if track.has_sound() => {}
                () = track.changed(), if !is_over => {}
                () = tokio::time::sleep_until(due), if !is_over => {
                    let detail = format!("no audio of the answer within {wait_ms} ms");
                    return Part::Failed(Failure::new(ErrorClass::Timeout, detail));
                }
            }
        }
    }

    /// Lets an ordinary voice say these words and those that follow.
    async fn relay(&mut self, first: Vec<TtsCommand>, mut flushed: bool) -> Part {
        let Some(ordinary) = &self.ordinary else {
            return Part::Failed(Failure::new(ErrorClass::Invalid, "no answer of the model holds these words"));
        };
        let mut session = ordinary.open_billed(self.open.clone(), &self.bill);
        let resampler = (session.sample_rate_hz != self.rate_hz)
            .then(|| Resampler::new(session.sample_rate_hz, self.rate_hz))
            .transpose();
        let Ok(mut resampler) = resampler else {
            return Part::Failed(Failure::new(ErrorClass::Internal, "no way between two sample rates"));
        };
        let mut waiting: VecDeque<TtsCommand> = first.into();
        loop {
            tokio::select! {
                biased;
                () = self.events.closed() => return Part::Cancelled,
                event = session.events.recv() => match event {
                    Some(TtsEvent::Started) => {}
                    Some(TtsEvent::Done) => {
                        let mut rest = Vec::new();
                        if let Some(resampler) = &mut resampler {
                            resampler.flush(&mut rest);
                        }
                        let _ = self.events.send(TtsEvent::Audio { pcm: rest }).await;
                        return Part::Over(Vec::new());
                    }
                    Some(TtsEvent::Failed(failure)) => return Part::Failed(failure),
                    None => return Part::Failed(Failure::new(ErrorClass::Protocol, "the voice stopped without an end")),
                    Some(event) => {
                        let event = match (event, &mut resampler) {
                            (TtsEvent::Audio { pcm }, Some(resampler)) => {
                                let mut out = Vec::new();
                                resampler.process(&pcm, &mut out);
                                TtsEvent::Audio { pcm: out }
                            }
                            (event, _) => event,
                        };
                        if self.events.send(event).await.is_err() {
                            return Part::Cancelled;
                        }
                    }
                },
                permit = session.commands.reserve(), if !waiting.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(command) = waiting.pop_front() {
                            permit.send(command);
                        }
                    }
                    Err(_) => waiting.clear(), // Its events say why.
                },
                command = self.commands.recv(), if !flushed => match command {
                    Some(command) => {
                        flushed = matches!(command, TtsCommand::Flush);
                        waiting.push_back(command);
                    }
                    None => return Part::Cancelled,
                },
            }
        }
    }
}

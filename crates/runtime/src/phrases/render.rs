//! Making the audio of one line, and listening in while it is made.

use super::{JOIN_SILENT_MS_MAX, Phrase};
use crate::service::{TtsCommand, TtsSession};
use base::{ErrorClass, Failure, limits};
use media::{Resampler, ms_to_samples};
use providers::tts::TtsEvent;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Audio per event of a joined render.
const CHUNK_MS: u64 = 200;

/// What there is of a line so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// At the line's rate.
    pcm: Vec<i16>,
    words: Vec<(u32, u64)>,
    /// How it ended.
    end: Option<Result<(), Failure>>,
}

/// Renders one line. Whoever listens to `progress` hears it grow.
pub(super) async fn render(
    mut session: TtsSession,
    rate_hz: u32,
    text: &str,
    progress: &watch::Sender<Progress>,
) -> Result<Phrase, Failure> {
    let deadline = Duration::from_millis(limits::PHRASE_RENDER_MS_MAX);
    let collected = tokio::time::timeout(deadline, collect(&mut session, rate_hz, text, progress)).await;
    let late = || Failure::new(ErrorClass::Timeout, "the line was not rendered in time");
    let mut end = collected.unwrap_or_else(|_elapsed| Err(late()));
    if end.is_ok() && progress.borrow().pcm.is_empty() {
        end = Err(Failure::new(ErrorClass::Protocol, "there was no audio"));
    }
    progress.send_modify(|progress| progress.end = Some(end.clone()));
    end?;
    let made = progress.borrow();
    if made.pcm.len() as u64 > ms_to_samples(limits::PHRASE_MS_MAX, rate_hz) {
        return Err(Failure::new(ErrorClass::Invalid, "the line is too long to be kept"));
    }
    Ok(Phrase { pcm: made.pcm.as_slice().into(), words: made.words.as_slice().into() })
}

async fn collect(
    session: &mut TtsSession,
    rate_hz: u32,
    text: &str,
    progress: &watch::Sender<Progress>,
) -> Result<(), Failure> {
    let wrong_rate = |_| Failure::new(ErrorClass::Internal, "audio of a rate that the line cannot have");
    let mut resampler = match session.sample_rate_hz {
        same if same == rate_hz => None,
        other => Some(Resampler::new(other, rate_hz).map_err(wrong_rate)?),
    };
    for command in [TtsCommand::Segment(text.to_owned()), TtsCommand::Flush] {
        // A session that is gone says why in its events.
        let _ = session.commands.send(command).await;
    }
    loop {
        match session.events.recv().await {
            Some(TtsEvent::Audio { pcm }) => progress.send_modify(|progress| match &mut resampler {
                Some(resampler) => resampler.process(&pcm, &mut progress.pcm),
                None => progress.pcm.extend_from_slice(&pcm),
            }),
            Some(TtsEvent::Words { starts }) => progress.send_modify(|progress| {
                let own = starts.into_iter().filter(|(byte, _)| *byte < text.len());
                progress.words.extend(own.map(|(byte, ms)| (byte as u32, ms)));
            }),
            Some(TtsEvent::Started | TtsEvent::SegmentDone | TtsEvent::Usage { .. }) => {}
            Some(TtsEvent::Done) => break,
            Some(TtsEvent::Failed(failure)) => return Err(failure),
            None => return Err(Failure::new(ErrorClass::Protocol, "the voice stopped without an end")),
        }
    }
    if let Some(resampler) = &mut resampler {
        progress.send_modify(|progress| resampler.flush(&mut progress.pcm));
    }
    Ok(())
}

/// Waits for the end. Says whether the line is there.
pub(super) async fn ended(mut progress: watch::Receiver<Progress>) -> bool {
    let end = progress.wait_for(|progress| progress.end.is_some()).await;
    end.is_ok_and(|progress| matches!(progress.end, Some(Ok(()))))
}

pub(super) fn is_worth_joining(progress: &watch::Receiver<Progress>, since: Instant) -> bool {
    let made = progress.borrow();
    let is_young = since.elapsed() < Duration::from_millis(JOIN_SILENT_MS_MAX);
    !matches!(made.end, Some(Err(_))) && (is_young || !made.pcm.is_empty())
}

/// The render as a session of its own, from its first sample. It takes no text.
pub(super) fn join(progress: watch::Receiver<Progress>, rate_hz: u32) -> TtsSession {
    let (commands, inbox) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
    let (outbox, events) = mpsc::channel(limits::TTS_EVENTS_MAX);
    tokio::spawn(async move {
        let followed = async {
            // Nobody may listen any more.
            let _ = follow(progress, rate_hz, &outbox).await;
        };
        tokio::select! {
            () = followed => {}
            () = outbox.closed() => {}
        }
        drop(inbox);
    });
    TtsSession { sample_rate_hz: rate_hz, commands, events }
}

async fn follow(
    mut progress: watch::Receiver<Progress>,
    rate_hz: u32,
    outbox: &mpsc::Sender<TtsEvent>,
) -> Result<(), mpsc::error::SendError<TtsEvent>> {
    let chunk = ms_to_samples(CHUNK_MS, rate_hz) as usize;
    let (mut sent, mut told) = (0, 0);
    let silent_until = Instant::now() + Duration::from_millis(limits::HEDGE_TTS_MS);
    loop {
        let (pcm, words, end) = {
            let made = progress.borrow_and_update();
            (made.pcm[sent..].to_vec(), made.words[told..].to_vec(), made.end.clone())
        };
        (sent, told) = (sent + pcm.len(), told + words.len());
        if !words.is_empty() {
            let starts = words.into_iter().map(|(byte, ms)| (byte as usize, ms)).collect();
            outbox.send(TtsEvent::Words { starts }).await?;
        }
        for pcm in pcm.chunks(chunk) {
            outbox.send(TtsEvent::Audio { pcm: pcm.to_vec() }).await?;
        }
        match end {
            Some(Ok(())) => {
                outbox.send(TtsEvent::SegmentDone).await?;
                return outbox.send(TtsEvent::Done).await;
            }
            Some(Err(failure)) => return outbox.send(TtsEvent::Failed(failure)).await,
            None => {}
        }
        let changed = async {
            match sent {
                0 => tokio::time::timeout_at(silent_until, progress.changed()).await.map_err(|_| ErrorClass::Timeout),
                _ => Ok(progress.changed().await),
            }
        };
        let failed = match changed.await {
            Ok(Err(_)) if progress.borrow().end.is_none() => Some(ErrorClass::Internal),
            Ok(_) => None,
            Err(late) => Some(late), // Somebody else may be faster.
        };
        if let Some(class) = failed {
            let failure = Failure::new(class, "the line was not rendered in time to be joined");
            return outbox.send(TtsEvent::Failed(failure)).await;
        }
    }
}

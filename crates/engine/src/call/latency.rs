//! Where the time of one turn goes, counted from the end of the caller's speech.

use base::CallTime;
use model::journal::TurnLatency;

/// The stages of one turn. Each is noted once: the first time counts.
#[derive(Clone, Debug)]
pub(super) struct TurnClock {
    speech_end: CallTime,
    latency: TurnLatency,
}

impl TurnClock {
    /// The caller's speech ended then.
    pub fn start(speech_end: CallTime) -> Self {
        Self { speech_end, latency: TurnLatency::default() }
    }

    pub fn endpoint(&mut self, now: CallTime) {
        self.latency.endpoint_ms.get_or_insert(now.since(self.speech_end).0);
    }

    pub fn transcript(&mut self, at: CallTime) {
        self.latency.transcript_ms.get_or_insert(at.since(self.speech_end).0);
    }

    pub fn first_token(&mut self, now: CallTime) {
        self.latency.first_token_ms.get_or_insert(now.since(self.speech_end).0);
    }

    pub fn first_audio(&mut self, now: CallTime) {
        self.latency.first_audio_ms.get_or_insert(now.since(self.speech_end).0);
    }

    /// The caller has heard `played_ms` of the answer by now, so it became audible that long ago.
    pub fn heard(&mut self, now: CallTime, played_ms: u64) {
        self.latency.heard_ms.get_or_insert(now.since(self.speech_end).0.saturating_sub(played_ms));
    }

    pub fn latency(&self) -> TurnLatency {
        self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_counts_once_from_the_end_of_speech() {
        let mut clock = TurnClock::start(CallTime(1_000));
        clock.endpoint(CallTime(1_300));
        clock.first_token(CallTime(1_500));
        clock.first_token(CallTime(1_900));
        clock.heard(CallTime(2_000), 200);
        let latency = clock.latency();
        assert_eq!((latency.endpoint_ms, latency.first_token_ms, latency.heard_ms), (Some(300), Some(500), Some(800)));
    }
}

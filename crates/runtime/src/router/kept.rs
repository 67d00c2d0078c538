//! What a new recogniser must hear: the caller's audio since the last final transcript, bounded. Pure.

use crate::service::SttCommand;
use base::limits;
use std::collections::VecDeque;

/// Silence before an onset of speech that is kept, and the overlap after a final transcript: a word may have begun.
const PRE_ROLL_MS: u64 = 300;

/// Commands of a recognition session in order, each with a number that never changes.
#[derive(Debug)]
pub(super) struct Kept {
    rate_hz: u32,
    commands: VecDeque<SttCommand>,
    base: u64,
    samples: usize,
    /// The caller is speaking.
    speaking: bool,
    /// Speech began that no final has covered.
    owes: bool,
    finalizing: bool,
}

impl Kept {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            commands: VecDeque::new(),
            base: 0,
            samples: 0,
            speaking: false,
            owes: false,
            finalizing: false,
        }
    }

    /// The number of the first command there is.
    pub(super) fn begin(&self) -> u64 {
        self.base
    }

    /// The number that the next command will have.
    #[cfg(test)]
    fn end(&self) -> u64 {
        self.base + self.commands.len() as u64
    }

    /// Nobody speaks and nothing is owed: another stream could take over unnoticed.
    pub(super) fn is_idle(&self) -> bool {
        !self.speaking && !self.owes && !self.finalizing
    }

    /// Nobody speaks now and no answer is awaited, though a word that was said may not have been told.
    pub(super) fn is_quiet(&self) -> bool {
        !self.speaking && !self.finalizing
    }

    /// A final transcript was asked for and has not come.
    pub(super) fn is_finalizing(&self) -> bool {
        self.finalizing
    }

    /// The command with this number.
    pub(super) fn get(&self, number: u64) -> Option<&SttCommand> {
        self.commands.get(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    /// One more command. Answers how many frames of speech had to give way.
    pub(super) fn push(&mut self, command: SttCommand) -> u64 {
        match &command {
            SttCommand::Audio(pcm) => self.samples += pcm.len(),
            SttCommand::Speech(begins) => {
                self.speaking = *begins;
                self.owes |= *begins;
            }
            SttCommand::Finalize => self.finalizing = true,
        }
        self.commands.push_back(command);
        if !self.owes && !self.finalizing {
            self.keep_last(PRE_ROLL_MS);
            return 0;
        }
        self.keep_last(limits::STT_REPLAY_MS_MAX)
    }

    /// Words came that are not final: they must not be lost, even if nobody noticed that the caller speaks.
    pub(super) fn on_words(&mut self) {
        self.owes = true;
    }

    /// A final transcript covers what was said, except what began just now.
    pub(super) fn on_final(&mut self, finalized: bool) {
        if finalized {
            self.finalizing = false;
            // An order that was answered must not be given again; numbers stay, so nothing takes its place.
            for command in self.commands.iter_mut().filter(|command| matches!(command, SttCommand::Finalize)) {
                *command = SttCommand::Audio(Box::default());
            }
        }
        self.owes = self.speaking;
        if !self.finalizing {
            self.keep_last(PRE_ROLL_MS);
        }
    }

    /// Drops from the front until this much audio is left; answers how many frames that were.
    fn keep_last(&mut self, ms: u64) -> u64 {
        let samples_max = (u64::from(self.rate_hz) * ms / 1000) as usize;
        let mut dropped = 0;
        while self.samples > samples_max {
            let Some(command) = self.commands.pop_front() else { break };
            self.base += 1;
            if let SttCommand::Audio(pcm) = command {
                self.samples -= pcm.len();
                dropped += u64::from(!pcm.is_empty());
            }
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 160;

    fn audio(kept: &mut Kept, ms: u64) -> u64 {
        (0..ms / 20).map(|_| kept.push(SttCommand::Audio(vec![0; FRAME].into()))).sum()
    }

    fn kept_ms(kept: &Kept) -> u64 {
        kept.samples as u64 / 8
    }

    #[test]
    fn silence_is_not_kept_and_speech_is_with_a_little_before_it() {
        let mut kept = Kept::new(8_000);
        audio(&mut kept, 30_000);
        assert_eq!(kept_ms(&kept), PRE_ROLL_MS);
        kept.push(SttCommand::Speech(true));
        audio(&mut kept, 2_000);
        kept.push(SttCommand::Speech(false));
        audio(&mut kept, 400);
        assert_eq!(kept_ms(&kept), PRE_ROLL_MS + 2_400);
    }

    #[test]
    fn a_final_covers_what_was_said() {
        let mut kept = Kept::new(8_000);
        kept.push(SttCommand::Speech(true));
        audio(&mut kept, 2_000);
        kept.push(SttCommand::Speech(false));
        kept.push(SttCommand::Finalize);
        audio(&mut kept, 200);
        kept.on_final(false);
        assert_eq!(kept_ms(&kept), 2_200, "the order to finish is not answered yet");
        kept.on_final(true);
        assert_eq!(kept_ms(&kept), PRE_ROLL_MS);
        audio(&mut kept, 5_000);
        assert_eq!(kept_ms(&kept), PRE_ROLL_MS);
    }

    #[test]
    fn speech_that_goes_on_over_a_final_is_kept() {
        let mut kept = Kept::new(8_000);
        kept.push(SttCommand::Speech(true));
        audio(&mut kept, 4_000);
        kept.on_final(false);
        audio(&mut kept, 1_000);
        assert_eq!(kept_ms(&kept), PRE_ROLL_MS + 1_000);
    }

    #[test]
    fn words_of_a_caller_whom_nobody_else_noticed_are_kept() {
        let mut kept = Kept::new(8_000);
        kept.on_words();
        audio(&mut kept, 2_000);
        assert_eq!(kept_ms(&kept), 2_000);
    }

    #[test]
    fn a_long_story_loses_its_beginning_and_numbers_stay() {
        let mut kept = Kept::new(8_000);
        kept.push(SttCommand::Speech(true));
        let dropped = audio(&mut kept, limits::STT_REPLAY_MS_MAX + 1_000);
        assert_eq!((dropped, kept_ms(&kept)), (50, limits::STT_REPLAY_MS_MAX));
        assert_eq!(kept.end() - kept.begin(), limits::STT_REPLAY_MS_MAX / 20);
        assert!(kept.get(0).is_none() && kept.get(kept.begin()).is_some() && kept.get(kept.end()).is_none());
    }
}

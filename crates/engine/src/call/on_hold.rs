//! A caller whom the person who has the call puts on hold: neither hears the other, and the caller hears every so often that it goes on.
//!
//! Nobody is on hold without somebody who has put them there: it ends when the person comes back, gives the call away or is gone.

use super::CallMachine;
use base::limits::{ON_HOLD_SAYS_EVERY_MS, PERSON_IDLE_MS_MAX};
use base::{CallTime, Millis};
use model::journal::Entry;
use model::live::LiveKind;

impl CallMachine {
    /// Whether the caller and the person who has the call do not hear each other for now.
    pub const fn is_on_hold(&self) -> bool {
        self.on_hold.is_some()
    }

    pub(super) fn put_on_hold(&mut self, now: CallTime, on: bool, by: Option<String>) {
        if !on {
            return self.end_hold(now, by);
        }
        if self.on_hold.is_some() || !self.has_human || self.is_consulting() {
            return;
        }
        self.on_hold = Some(now + Millis(ON_HOLD_SAYS_EVERY_MS));
        self.out.journal(now, Entry::OnHold { by: by.clone() });
        self.out.live(LiveKind::OnHold { by });
        self.typist_shows(now);
        self.stop_voice(now);
        let line = self.agent.lines.on_hold.clone();
        self.say(now, &line);
    }

    /// The caller and whoever has the call hear each other again, if they did not.
    pub(super) fn end_hold(&mut self, now: CallTime, by: Option<String>) {
        if self.on_hold.take().is_none() {
            return;
        }
        self.out.journal(now, Entry::OffHold { by: by.clone() });
        self.out.live(LiveKind::OffHold { by });
        self.stop_voice(now);
        self.typist_shows(now);
    }

    /// Takes an entry of an earlier process in.
    pub(super) fn replay_hold(&mut self, entry: &Entry) {
        self.on_hold = matches!(entry, Entry::OnHold { .. }).then_some(self.now);
    }

    /// When a caller on hold hears next that it goes on.
    pub(super) fn on_hold_deadline(&self) -> Option<(CallTime, &'static str)> {
        let says_at = self.on_hold.filter(|_| !mutant!(SilentHold))?;
        self.nobody_speaks().then_some((says_at, "still on hold"))
    }

    pub(super) fn on_hold_goes_on(&mut self, now: CallTime) {
        self.on_hold = Some(now + Millis(ON_HOLD_SAYS_EVERY_MS));
        let line = self.agent.lines.on_hold_waiting.clone();
        self.say(now, &line);
    }

    /// How long a person who types may say nothing: who has put the caller on hold has something else to do.
    pub(super) const fn typing_ms_max(&self) -> u64 {
        if self.on_hold.is_some() { PERSON_IDLE_MS_MAX } else { base::limits::PERSON_TYPES_MS_MAX }
    }
}

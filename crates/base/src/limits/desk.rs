//! People of the business and the callers whom they take: who is called for them, who waits for them, who listens.

use super::CALL_MS_MAX;

/// Things that the call to a person says about itself and nobody has heard yet.
pub const CONSULT_NEWS_MAX: usize = 4;
/// A call to a person that nobody knows to be placed or not is waited for so long, in milliseconds.
pub const CONSULT_UNKNOWN_MS_MAX: u64 = 300_000;
/// The phone of a person who is asked for a caller rings at least and at most so long, in milliseconds.
pub const CONSULT_RING_MS_MIN: u64 = 5_000;
/// See [`CONSULT_RING_MS_MIN`].
pub const CONSULT_RING_MS_MAX: u64 = 120_000;
/// Briefing a person and their answer, from the moment they pick up, in milliseconds.
pub const BRIEFING_MS_MAX: u64 = 60_000;
/// While a person is being reached, the caller hears so often that it still goes on, in milliseconds.
pub const CONSULT_COMFORT_MS: u64 = 15_000;
/// A caller who waits in the queue hears so often that it still goes on, in milliseconds, and where they stand when that got
/// better.
pub const QUEUE_SAYS_EVERY_MS: u64 = 20_000;
/// A caller waits in the queue at least and at most so long before something else is done for them, in milliseconds.
pub const QUEUE_WAIT_MS_MIN: u64 = 30_000;
/// See [`QUEUE_WAIT_MS_MIN`].
pub const QUEUE_WAIT_MS_MAX: u64 = CALL_MS_MAX;
/// A node whose callers wait looks so often where they stand, in milliseconds: one question to the database for all of them.
pub const QUEUE_LOOK_MS: u64 = 1_000;
/// Callers of all businesses who wait at once and whose place is known.
pub const QUEUE_CALLERS_MAX: usize = 10_000;
/// A caller who was given to a person and whose call has not said so is given to another one after this, in milliseconds.
pub const QUEUE_CLAIM_MS: u64 = 10_000;
/// Callers whom one request for the next one tries, where the first ones have just hung up.
pub const QUEUE_TRIES_MAX: usize = 5;
/// So often one call tries to reach a person before it promises a call-back.
pub const CONSULTS_PER_CALL_MAX: u32 = 3;
/// Longest conversation of a caller with the person whom they were connected to, in milliseconds.
pub const BRIDGED_MS_MAX: u64 = 3 * 60 * 60 * 1_000;
/// Characters of what a person is told about a caller.
pub const BRIEF_CHARS_MAX: usize = 600;
/// A person who holds a call and whose audio line is gone is waited for this long; then the agent goes on, in milliseconds.
pub const PERSON_AWAY_MS_MAX: u64 = 4_000;
/// A person who holds a call without an audio line and has nothing said for this long has left, in milliseconds.
pub const PERSON_TYPES_MS_MAX: u64 = 15_000;
/// Who has a call over an open line and neither speaks nor does anything for so long gives it back.
pub const PERSON_IDLE_MS_MAX: u64 = 600_000;
/// Hints of supervisors that an agent keeps in mind; the oldest goes first.
pub const WHISPERS_MAX: usize = 5;
/// Characters of one hint, or of one line that a supervisor has said.
pub const DESK_TEXT_CHARS_MAX: usize = 500;
/// Supervisors at one call at once.
pub const SUPERVISORS_PER_CALL_MAX: usize = 8;
/// Frames of a call that a supervisor may be behind; the oldest are left out.
pub const TAP_FRAMES_MAX: usize = 200;
/// Audio of a supervisor that waits for its turn on the line, in milliseconds; the oldest is left out.
pub const PERSON_AUDIO_MS_MAX: u64 = 400;
/// Audio of a supervisor that is gathered before it begins to be heard, against the jitter of their network, in milliseconds.
pub const PERSON_AUDIO_MS_MIN: u64 = 60;
/// A caller on hold hears so often that it goes on.
pub const ON_HOLD_SAYS_EVERY_MS: u64 = 20_000;

//! The contract of every engine (rules 1 to 3).

use base::CallTime;

/// A pure state machine driven by a shell: feed one input, then drain all outputs, then wait for the next input or the
/// deadline, whichever is first.
pub trait Machine {
    /// What can happen.
    type Input;
    /// What it can ask for.
    type Output;

    /// Something happened. `now` never goes back.
    fn handle(&mut self, now: CallTime, input: Self::Input);
    /// The deadline passed. A call before the deadline changes nothing.
    fn handle_timeout(&mut self, now: CallTime);
    /// The next thing to do; call until `None`.
    fn poll_output(&mut self) -> Option<Self::Output>;
    /// When `handle_timeout` must be called and why. `None` only when the machine has ended.
    fn next_deadline(&self) -> Option<(CallTime, &'static str)>;
}

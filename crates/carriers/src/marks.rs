//! The marks a platform still owes us. Echoes of marks that were cleared, or never sent, mean nothing.

use base::MarkId;
use base::limits::MEDIA_MARKS_MAX;
use std::collections::VecDeque;

/// Marks sent and not echoed, oldest first.
#[derive(Debug, Default)]
pub(crate) struct PendingMarks(VecDeque<MarkId>);

impl PendingMarks {
    /// Remembers a mark that was just sent.
    pub(crate) fn sent(&mut self, mark: MarkId) {
        if self.0.len() >= MEDIA_MARKS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(mark);
    }

    /// Whether this echo tells that something was played. Marks are played in order, so older ones are settled too.
    pub(crate) fn echoed(&mut self, mark: MarkId) -> bool {
        let Some(index) = self.0.iter().position(|pending| *pending == mark) else { return false };
        self.0.drain(..=index);
        true
    }

    /// Forgets everything: a platform echoes cleared marks as if they had been played.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

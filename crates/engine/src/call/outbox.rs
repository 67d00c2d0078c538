//! What the machine has decided and the shell has not yet done, in order; and the numbering of the journal.

use crate::io::{Measure, Output};
use base::{CallTime, JournalSeq};
use model::journal::{Entry, Record};
use model::live::LiveKind;
use std::collections::VecDeque;

/// Outputs that wait to be polled.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Output>,
    last_seq: JournalSeq,
}

impl Outbox {
    /// Goes on after the last entry of an earlier incarnation.
    pub fn after(last_seq: JournalSeq) -> Self {
        Self { queue: VecDeque::new(), last_seq }
    }

    /// Appends to the journal; gives the entry's place.
    pub fn journal(&mut self, at: CallTime, entry: Entry) -> JournalSeq {
        self.last_seq = self.last_seq.next();
        if mutant!(JournalGap) && self.last_seq == JournalSeq(5) {
            self.last_seq = self.last_seq.next();
        }
        self.queue.push_back(Output::Journal(Record { seq: self.last_seq, at, entry }));
        self.last_seq
    }

    pub fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub fn live(&mut self, kind: LiveKind) {
        self.queue.push_back(Output::Live(kind));
    }

    pub fn measure(&mut self, measure: Measure) {
        self.queue.push_back(Output::Measure(measure));
    }

    pub fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}

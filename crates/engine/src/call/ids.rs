//! Ids within one call. Each incarnation counts in a range of its own, so that a late answer to a dead process can never
//! be taken for an answer to a living one.

use base::{GenerationId, SttStreamId, ToolCallId, TurnId, UtteranceId};

/// The next id of each kind.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    turn: TurnId,
    utterance: UtteranceId,
    generation: GenerationId,
    tool_call: ToolCallId,
    stt_stream: SttStreamId,
}

macro_rules! mint {
    ($self:ident . $field:ident) => {{
        $self.$field = $self.$field.next();
        $self.$field
    }};
}

impl Ids {
    /// Ids of this incarnation. The first of each kind is one above the start of the range.
    pub fn of_incarnation(incarnation: u32) -> Self {
        let incarnation = if mutant!(IdReusedAfterRecovery) { 0 } else { incarnation };
        let start = u64::from(incarnation) << 32;
        Self {
            turn: TurnId(start),
            utterance: UtteranceId(start),
            generation: GenerationId(start),
            tool_call: ToolCallId(start),
            stt_stream: SttStreamId(start),
        }
    }

    pub fn turn(&mut self) -> TurnId {
        mint!(self.turn)
    }

    pub fn utterance(&mut self) -> UtteranceId {
        mint!(self.utterance)
    }

    pub fn generation(&mut self) -> GenerationId {
        mint!(self.generation)
    }

    pub fn tool_call(&mut self) -> ToolCallId {
        mint!(self.tool_call)
    }

    pub fn stt_stream(&mut self) -> SttStreamId {
        mint!(self.stt_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_never_share_an_id() {
        let (mut first, mut second) = (Ids::of_incarnation(0), Ids::of_incarnation(1));
        assert_eq!((first.turn(), first.turn()), (TurnId(1), TurnId(2)));
        assert_eq!(second.turn(), TurnId((1 << 32) + 1));
    }
}

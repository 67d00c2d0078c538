//! The carrier and the host: everything that begins, interrupts and ends a call from outside.

use super::plan::{Event, Plan};
use super::swarm::Trouble;
use base::{JournalSeq, Millis};
use engine::Input;
use engine::io::{CarrierInput, ConsultInput, DeskInput, HostInput};
use model::call::{CallState, Direction};
use model::journal::{ConsultOutcome, HoldMode};

/// What the desk says through the agent.
pub const DESK_WORDS: &str = "A word from the desk.";

/// What a person says who has the call.
const PERSON_WORDS: &str = "This is a colleague.";
/// What the agent is told in confidence.
const WHISPER: &str = "Nobody but you hears this.";

fn report(plan: &mut Plan, ms: u64, input: CarrierInput) {
    plan.after(ms, Event::Report(Input::Carrier(input)));
}

/// The call comes in, or is dialled.
pub fn connect(plan: &mut Plan, direction: Direction) {
    let mut states = vec![CallState::Ringing, CallState::Answered];
    if direction == Direction::Outbound {
        states.insert(0, CallState::Initiated);
    }
    if plan.strikes(Trouble::StatesShuffled) {
        states.push(*plan.chance.one_of(&[
            CallState::Ringing,
            CallState::Active,
            CallState::Initiated,
            CallState::Answered,
        ]));
        for at in (1..states.len()).rev() {
            states.swap(at, plan.chance.below(at as u64 + 1) as usize);
        }
    }
    let mut at_ms = 0;
    if plan.strikes(Trouble::NeverConnected) {
        let end = *plan.chance.one_of(&[CallState::Busy, CallState::NoAnswer, CallState::Failed, CallState::Canceled]);
        let ms = plan.ms(500, 50_000);
        report(plan, 50, CarrierInput::State { state: CallState::Ringing });
        if plan.chance.happens(0.6) {
            report(plan, ms, CarrierInput::State { state: end });
        }
        return;
    }
    for state in states {
        at_ms += plan.ms(10, if direction == Direction::Outbound { 4_000 } else { 300 });
        report(plan, at_ms, CarrierInput::State { state });
    }
    let ms = at_ms + plan.ms(20, 1_500);
    plan.after(ms, Event::Media(true));
    if plan.strikes(Trouble::MediaLost) {
        let ms = ms + plan.ms(500, 60_000);
        plan.after(ms, Event::Media(false));
    }
}

/// The audio path is gone: it comes back after a while, or never.
pub fn media_lost(plan: &mut Plan) {
    if plan.chance.happens(0.8) {
        let ms = plan.ms(100, 13_000);
        plan.after(ms, Event::Media(true));
        if plan.strikes(Trouble::MediaLost) {
            let ms = ms + plan.ms(500, 30_000);
            plan.after(ms, Event::Media(false));
        }
    }
}

/// A hand-over is asked for.
pub fn transfer(plan: &mut Plan) {
    if plan.strikes(Trouble::TransferSilent) {
        return;
    }
    let ok = !plan.strikes(Trouble::TransferRefused);
    let ms = plan.ms(200, 35_000);
    report(plan, ms, CarrierInput::TransferDone { ok });
    if ok && plan.chance.happens(0.5) {
        plan.after(ms / 2, Event::Media(false));
    }
}

/// A person is to be brought to the caller.
pub fn consult(plan: &mut Plan, id: JournalSeq) {
    if plan.strikes(Trouble::TransferSilent) {
        return;
    }
    let ms = plan.ms(200, 60_000);
    if plan.strikes(Trouble::TransferRefused) {
        let outcome = *plan.chance.one_of(&[ConsultOutcome::Declined, ConsultOutcome::Busy, ConsultOutcome::Failed]);
        plan.tell(ms, Input::Consult { id, event: ConsultInput::Ended { outcome } });
        return;
    }
    plan.tell(ms, Input::Consult { id, event: ConsultInput::Connected { by: "call:colleague".into() } });
    let talk_ms = plan.ms(500, 60_000);
    plan.tell(ms + talk_ms, Input::Consult { id, event: ConsultInput::Left });
}

/// The caller waits in the queue: those before them are taken one by one, and perhaps so are they.
pub fn queued(plan: &mut Plan) {
    let mut ms = plan.ms(50, 2_000);
    for position in (1..=plan.ms(1, 4)).rev() {
        let position = u32::try_from(position).unwrap_or(1);
        plan.tell(ms, Input::Host(HostInput::QueuePosition { position }));
        ms += plan.ms(500, 40_000);
    }
    if plan.swarm.knows(Trouble::Desk) && plan.chance.happens(0.5) {
        let length_ms = plan.ms(1_000, 20_000);
        let take = DeskInput::TakeOver { by: Some("user:1".into()), mode: HoldMode::TakeOver, with_line: true };
        plan.tell(ms, Input::Desk(take));
        person(plan, ms, length_ms);
        plan.tell(ms + length_ms, Input::Desk(DeskInput::HandBack));
    }
}

/// The line is to be cut.
pub fn hang_up(plan: &mut Plan) {
    if plan.strikes(Trouble::HangUpSilent) {
        return;
    }
    let ms = plan.ms(20, 2_000);
    let input = if plan.chance.happens(0.5) {
        CarrierInput::HungUp
    } else {
        CarrierInput::State { state: CallState::Completed }
    };
    report(plan, ms, input);
}

/// What a person does who has the call for so long: speaks, is understood, perhaps late, and may lose their line.
fn person(plan: &mut Plan, from_ms: u64, length_ms: u64) {
    for _ in 0..2 {
        let ms = from_ms + plan.ms(0, length_ms);
        plan.tell(ms, Input::Desk(DeskInput::Speaks));
        let heard_ms = ms + plan.ms(200, 4_000);
        plan.tell(heard_ms, Input::Desk(DeskInput::Said { text: PERSON_WORDS.into() }));
    }
    if plan.chance.happens(0.3) {
        let ms = from_ms + plan.ms(0, length_ms);
        plan.tell(ms, Input::Desk(DeskInput::Line { is_up: false }));
        if plan.chance.happens(0.4) {
            let back_ms = ms + plan.ms(100, 6_000);
            plan.tell(back_ms, Input::Desk(DeskInput::Line { is_up: true }));
        }
    }
}

/// The person puts the caller on hold, and perhaps comes back to them.
fn holds(plan: &mut Plan, from_ms: u64, length_ms: u64) {
    let ms = from_ms + plan.ms(0, length_ms);
    plan.tell(ms, Input::Desk(DeskInput::Hold { on: true, by: None }));
    if plan.chance.happens(0.7) {
        let back_ms = ms + plan.ms(500, 30_000);
        plan.tell(back_ms, Input::Desk(DeskInput::Hold { on: false, by: None }));
    }
}

/// What the host, the desk and fate have in store for this call.
pub fn surprises(plan: &mut Plan) {
    let at = |plan: &mut Plan| plan.ms(500, 70_000);
    if plan.strikes(Trouble::Drain) {
        let ms = at(plan);
        let deadline = plan.now + Millis(ms + plan.ms(2_000, 40_000));
        plan.tell(ms, Input::Host(HostInput::Drain { deadline }));
    }
    if plan.strikes(Trouble::Budget) {
        let ms = at(plan);
        plan.tell(ms, Input::Host(HostInput::BudgetExhausted));
    }
    if plan.strikes(Trouble::Overflow) {
        let ms = at(plan);
        plan.tell(ms, Input::Host(HostInput::Overflow));
    }
    if plan.strikes(Trouble::Desk) {
        let ms = at(plan);
        let length_ms = plan.ms(1_000, 30_000);
        let mode = *plan.chance.one_of(&[HoldMode::TakeOver, HoldMode::BargeIn]);
        let with_line = plan.chance.happens(0.5);
        plan.tell(ms, Input::Desk(DeskInput::TakeOver { by: Some("user:1".into()), mode, with_line }));
        let say_ms = ms + plan.ms(0, 2 * length_ms);
        plan.tell(say_ms, Input::Desk(DeskInput::Say { text: DESK_WORDS.into() }));
        person(plan, ms, length_ms);
        if plan.chance.happens(0.3) {
            holds(plan, ms, length_ms);
        }
        if plan.chance.happens(0.8) {
            plan.tell(ms + length_ms, Input::Desk(DeskInput::HandBack));
        } else {
            plan.tell(ms + length_ms, Input::Desk(DeskInput::End));
        }
    }
    if plan.swarm.knows(Trouble::Desk) && plan.chance.happens(0.5) {
        let ms = at(plan);
        plan.tell(ms, Input::Desk(DeskInput::Whisper { by: None, text: WHISPER.into() }));
    }
    let mut kill_ms = 0;
    for _ in 0..3 {
        if !plan.strikes(Trouble::Kill) {
            break;
        }
        kill_ms += plan.ms(50, 40_000);
        plan.after(kill_ms, Event::Kill);
    }
}

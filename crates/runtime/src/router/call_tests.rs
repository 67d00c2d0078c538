//! Calls that share a board: what one finds out the next one knows, and what an operator or a budget changes in a call that
//! goes on.

use super::Board;
use super::brain::BrainRouter;
use super::ears::EarsRouter;
use super::roster::{CallContext, Roster};
use super::tests::{Played, Stage as Played_, ask, chain, done, down, frame, listen, next, text};
use crate::service::{BrainService, SttCommand, SttService};
use base::{ErrorClass, Failure, Money, limits};
use engine::io::HostInput;
use model::generation::{ChatMessage, GenerationEvent};
use model::routing::{Budget, Saving, Stage, Switches};
use providers::stt::SttEvent;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

type Told = Arc<Mutex<Vec<HostInput>>>;

/// One call of a node, with what it was told.
fn context(board: &Arc<Board>, budget: Option<i64>) -> (CallContext, Told) {
    let told = Told::default();
    let heard = Arc::clone(&told);
    let budget = budget.map(Money::from_usd_micros);
    let context = CallContext::of(board, budget, move |input| heard.lock().expect("a list").push(input));
    (context, told)
}

type Brains = Vec<Arc<dyn BrainService>>;

fn brains(count: usize) -> (Brains, Played_<(), GenerationEvent>) {
    let (chain, stage) = chain(&vec![0; count]);
    (chain.into_iter().map(|one| one as Arc<dyn BrainService>).collect(), stage)
}

fn call(board: &Arc<Board>, chain: &Brains) -> (BrainRouter, Told) {
    let (context, told) = context(board, None);
    (BrainRouter::new(Roster::fixed_in(context, chain.clone())), told)
}

/// Who served, and why, of all that a call was told.
fn routes(told: &Told) -> Vec<(String, String)> {
    let routed = |input: &HostInput| match input {
        HostInput::Routed(routed) => Some((routed.provider.clone(), routed.reason.clone())),
        _ => None,
    };
    told.lock().expect("a list").iter().filter_map(routed).collect()
}

async fn answers(played: Played<(), GenerationEvent>) {
    played.say(text("Yes.")).await;
    played.say(done()).await;
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_costs_a_call_nothing_and_closes_by_a_trial_that_no_caller_hears() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(2);
    for _ in 0..limits::BREAKER_FAILURES_MAX {
        let (router, _) = call(&board, &chain);
        let _session = ask(&router);
        stage.asked().await.say(GenerationEvent::Failed(down())).await;
        answers(stage.asked().await).await;
    }
    let (router, told) = call(&board, &chain);
    let began = Instant::now();
    let mut session = ask(&router);
    let second = stage.asked().await;
    assert_eq!((second.who, began.elapsed().as_millis()), (1, 0));
    answers(second).await;
    assert_eq!(next(&mut session.events).await, text("Yes."));
    assert_eq!(routes(&told), [("played-1".into(), "breaker_open".into())]);

    tokio::time::sleep(Duration::from_millis(limits::BREAKER_PAUSE_MS)).await;
    let (router, _) = call(&board, &chain);
    let mut session = ask(&router);
    let (one, other) = (stage.asked().await, stage.asked().await);
    let (trial, asked) = if one.who == 0 { (one, other) } else { (other, one) };
    assert_eq!((trial.who, asked.who), (0, 1), "the first is tried, the second is asked");
    answers(asked).await;
    assert_eq!(next(&mut session.events).await, text("Yes."));
    answers(trial).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (router, told) = call(&board, &chain);
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 0, "it is asked again");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(routes(&told), [("played-0".into(), "chosen".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_call_stays_with_who_serves_it_when_the_first_is_well_again() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(2);
    let (router, told) = call(&board, &chain);
    let _session = ask(&router);
    stage.asked().await.say(GenerationEvent::Failed(down())).await;
    answers(stage.asked().await).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 1);
    assert_eq!(routes(&told).last(), Some(&("played-1".into(), "unavailable".into())));
}

#[tokio::test(start_paused = true)]
async fn all_breakers_open_is_no_reason_to_ask_nobody() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(1);
    let (router, _) = call(&board, &chain);
    let session = ask(&router);
    stage.asked().await.say(GenerationEvent::Failed(Failure::new(ErrorClass::Auth, "no"))).await;
    drop(session);
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 0);
}

#[tokio::test(start_paused = true)]
async fn a_switch_takes_effect_in_a_call_that_goes_on_at_its_next_answer() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(2);
    let (router, told) = call(&board, &chain);
    let mut session = ask(&router);
    let first = stage.asked().await;
    first.say(text("Now")).await;
    let second = [(Stage::Llm, "played-1".to_owned())].into();
    board.switch(Switches { first: second, ..Switches::default() });
    answers(first).await;
    assert_eq!(next(&mut session.events).await, text("Now"), "what was begun is finished");
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 1);
    assert_eq!(routes(&told).last(), Some(&("played-1".into(), "switched".into())));
    board.switch(Switches::default());
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 0, "and back");
}

#[tokio::test(start_paused = true)]
async fn a_recogniser_is_switched_while_nobody_speaks_and_no_word_is_lost() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = chain(&[0, 0]);
    let chain = chain.into_iter().map(|one| one as Arc<dyn SttService>).collect();
    let (context, told) = context(&board, None);
    let router = EarsRouter::new(Roster::fixed_in(context, chain));
    let mut session = listen(&router);
    let mut first = stage.asked().await;
    first.say(SttEvent::Started).await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    session.commands.send(SttCommand::Speech(true)).await.expect("taken");
    assert!(matches!(first.hears().await, SttCommand::Speech(true)));
    let second = [(Stage::Stt, "played-1".to_owned())].into();
    board.switch(Switches { first: second, ..Switches::default() });
    session.commands.send(frame(1)).await.expect("taken");
    assert!(matches!(first.hears().await, SttCommand::Audio(_)), "the caller speaks: nothing is switched");
    assert!(stage.nobody_else());
    session.commands.send(SttCommand::Speech(false)).await.expect("taken");
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    let last = SttEvent::Final { text: "My order.".into(), finalized: true };
    first.say(last.clone()).await;
    assert_eq!(next(&mut session.events).await, last);
    let mut second = stage.asked().await;
    assert_eq!(second.who, 1);
    first.is_dropped().await;
    // The caller begins before the new one listens.
    session.commands.send(SttCommand::Speech(true)).await.expect("taken");
    session.commands.send(frame(7)).await.expect("taken");
    second.say(SttEvent::Started).await;
    loop {
        if matches!(second.hears().await, SttCommand::Audio(pcm) if pcm.first() == Some(&7)) {
            break;
        }
    }
    assert_eq!(routes(&told).last(), Some(&("played-1".into(), "switched".into())));
}

#[tokio::test(start_paused = true)]
async fn a_budget_makes_a_call_cheaper_then_shorter_and_tells_each_step() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(2);
    let (context, told) = context(&board, Some(1_000));
    let bill = context.bill.clone();
    let router = BrainRouter::new(Roster::fixed_in(context, chain));
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 0);
    bill.add(Money::from_usd_micros(700));
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 1, "the last one is free");
    bill.add(Money::from_usd_micros(400));
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 1);
    let steps = |input: &HostInput| match input {
        HostInput::Saving { step, budget } => Some((*step, *budget)),
        _ => None,
    };
    let told = told.lock().expect("a list").clone();
    let steps: Vec<_> = told.iter().filter_map(steps).collect();
    assert_eq!(steps, [(Saving::Cheaper, Budget::Call), (Saving::FreeOnly, Budget::Call)]);
    assert!(!told.contains(&HostInput::BudgetExhausted), "somebody free is left");
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_used_up_ends_the_call_only_when_nobody_free_is_left() {
    let board = Arc::new(Board::default());
    let (context, told) = context(&board, Some(1_000));
    let bill = context.bill.clone();
    // Of three the last one is free; it is taken away.
    let (mut chain, mut stage) = brains(2);
    let free = chain.pop().expect("two");
    chain.push(free);
    let router = BrainRouter::new(Roster::fixed_in(context, chain));
    let off = [(Stage::Llm, ["played-1".to_owned()].into())].into();
    board.switch(Switches { off, ..Switches::default() });
    bill.add(Money::from_usd_micros(2_000));
    let _session = ask(&router);
    assert_eq!(stage.asked().await.who, 0, "last words are not cut");
    let _session = ask(&router);
    let exhausted = told.lock().expect("a list").iter().filter(|input| **input == HostInput::BudgetExhausted).count();
    assert_eq!(exhausted, 1);
}

#[test]
fn a_short_answer_is_asked_for_in_words_and_in_tokens() {
    let request = model::generation::GenerationRequest {
        brain: model::agent::BrainChoice::Auto,
        messages: vec![ChatMessage::System { text: "You are Robin.".into() }],
        tools: Vec::new(),
        awaiting: None,
        language: "en".into(),
        tokens_max: 300,
    };
    let short = super::brain::shortened(request);
    assert_eq!(short.tokens_max, limits::SHORT_ANSWER_TOKENS_MAX);
    assert!(matches!(&short.messages[0], ChatMessage::System { text } if text.contains("one short sentence")));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_was_answered_in_another_call_is_answered_again_without_asking() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(2);
    let (one, _) = context(&board, None);
    let (mut two, _) = context(&board, None);
    two.answers = Arc::clone(&one.answers);
    two.business = one.business;
    let asks = |router: &BrainRouter, business| {
        let system = ChatMessage::System { text: "You are Robin.".into() };
        let customer = ChatMessage::Customer { text: "When are you open?".to_owned().into() };
        let request = model::generation::GenerationRequest {
            brain: model::agent::BrainChoice::Auto,
            messages: vec![system, customer],
            tools: Vec::new(),
            awaiting: None,
            language: "en".into(),
            tokens_max: 300,
        };
        router.generate(business, request)
    };
    let business = one.business;
    let first = BrainRouter::new(Roster::fixed_in(one, chain.clone()));
    let mut session = asks(&first, business);
    answers(stage.asked().await).await;
    while session.events.recv().await.is_some() {}
    let second = BrainRouter::new(Roster::fixed_in(two, chain.clone()));
    let mut session = asks(&second, business);
    assert_eq!(next(&mut session.events).await, GenerationEvent::Started);
    assert_eq!(next(&mut session.events).await, text("Yes."));
    assert_eq!(next(&mut session.events).await, done());
    assert!(stage.nobody_else(), "nobody was asked");
    let mut foreign = asks(&second, base::BusinessId::generate());
    stage.asked().await.say(text("No.")).await;
    assert_eq!(next(&mut foreign.events).await, text("No."), "another business has its own answers");
}

#[tokio::test(start_paused = true)]
async fn second_opinions_end_when_they_have_cost_their_share() {
    let board = Arc::new(Board::default());
    let (chain, mut stage) = brains(3);
    let (context, _) = context(&board, None);
    let bill = context.bill.clone();
    let router = BrainRouter::new(Roster::fixed_in(context, chain));
    let _session = ask(&router);
    let (_late, hedge) = (stage.asked().await, stage.asked().await);
    answers(hedge).await;
    bill.under(Stage::Llm, "played-1", true).add(Money::from_usd_micros(limits::HEDGE_COST_USD_MICROS_MAX + 1));
    let _session = ask(&router);
    let _asked = stage.asked().await;
    tokio::time::sleep(Duration::from_millis(limits::HEDGE_LLM_MS + 50)).await;
    assert!(stage.nobody_else(), "it is waited for");
}

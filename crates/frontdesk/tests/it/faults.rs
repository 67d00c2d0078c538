//! Eighty ways in which something outside fails, each in a call of its own: how long the caller hears nothing while it is
//! the agent's turn, and how the call ends. The first provider of a stage fails, a second one behind it is well; a tool and
//! the platform's API have no second.

mod failover;
mod line;
mod world;

use crate::rig::voice;
use carriers::playout::HeardSpan;
use line::{Ear, Silence, longest};
use model::journal::Entry;
use sim::twins::twilio::{CallRecord, TwinCall};
use sim::twins::{Fault, Moment};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use world::{BIKES, BYE, Common, DELIVERY, GOODBYE, HELLO, OPENING, ORDER, REPAIRS, SATURDAY, World};

/// The caller takes the agent's turn for over after this much quiet, when nothing more is on its way.
const QUIET_MS: u64 = 1_600;
/// The caller gives up on a silent agent.
const PATIENCE: Duration = Duration::from_secs(12);
/// A provider that refuses or answers an error makes an answer later by no more than this, one that is silent by no more than
/// the other.
const SLOWER_ERROR_MS_MAX: u64 = 300;
const SLOWER_SILENT_MS_MAX: u64 = 1_800;
/// Calls without a fault, for what is usual.
const USUAL_CALLS: usize = 8;
const SILENCE_MS_MAX: u64 = base::limits::DEAD_AIR_MS_MAX;
/// Calls in progress at once, unless the environment says otherwise: as many as a small machine carries in this build.
const CALLS_AT_ONCE: usize = 32;
/// Calls at once when cases are played again.
const QUIETLY: usize = 4;
const REPEATS_MAX: usize = 3;
const BEAT: Duration = Duration::from_millis(10);
/// A beat that comes this late disturbs what is measured.
const LATE: Duration = Duration::from_millis(40);
const AT_ONCE: &str = "FRONTDESK_FAULTS_AT_ONCE";
/// What stands above the table.
const HEAD: &str = "# What a caller hears when something fails

Each row is one call through the whole program: a greeting, two questions, a goodbye. The first provider of one stage fails in
one way, from the start of the call or from the middle of a turn on; a second one behind it is well. A tool and the platform's
API have no second. Measured from what arrives at the phone: the longest silence while it is the agent's turn, from the end of
the caller's words (or the pick-up) to the first sound, or between two sounds of one turn. A line from the audio cache and the
waiting sound are sounds; the hiss of the line is none. No row may be above 1,200 ms, and every call must end.

Beside it: how much later than in calls without a fault the first sound of an answer came, the slower one of the two questions. A
provider that refuses or answers an error may cost 300 ms, one that is silent 1,800 ms.

A slow service answers 3 s late. A half-open connection stays up and says nothing more. `cargo xtask faults` writes this file.

";
/// Where the table is written to.
const TABLE: &str = "FRONTDESK_FAULTS_TABLE";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Nothing fails: what the others are measured against.
    None,
    Stt,
    Llm,
    Tts,
    Tool,
    Carrier,
}

#[derive(Clone, Debug)]
struct Case {
    part: Part,
    name: &'static str,
    fault: Fault,
    moment: Moment,
}

impl Case {
    fn title(&self) -> [&'static str; 3] {
        let part = match self.part {
            Part::None => "nothing",
            Part::Stt => "STT",
            Part::Llm => "LLM",
            Part::Tts => "TTS",
            Part::Tool => "tool",
            Part::Carrier => "carrier API",
        };
        let when = match self.moment {
            Moment::Start => "start",
            Moment::MidTurn => "mid-turn",
        };
        [part, self.name, when]
    }
}

fn cases() -> Vec<Case> {
    let faults = [
        ("refuse", Fault::Refuse),
        ("black hole", Fault::BlackHole),
        ("5xx", Fault::Status { status: 503, retry_after_s: None }),
        ("429", Fault::Status { status: 429, retry_after_s: Some(1) }),
        ("slow", Fault::Slow { delay_ms: 3_000 }),
        ("cut", Fault::Cut),
        ("garbage", Fault::Garbage),
        ("half-open", Fault::HalfOpen),
    ];
    let mut cases = Vec::new();
    for part in [Part::Stt, Part::Llm, Part::Tts, Part::Tool, Part::Carrier] {
        for (name, fault) in &faults {
            for moment in [Moment::Start, Moment::MidTurn] {
                cases.push(Case { part, name, fault: fault.clone(), moment });
            }
        }
    }
    cases
}

/// What came of a case.
struct Finding {
    case: Case,
    silence: Silence,
    /// From the end of the caller's words to the first sound of the answer, the longer one of the two questions.
    waited_ms: Option<u64>,
    /// What the caller was told, in one word for each question.
    answers: String,
    ended: String,
    wrong: Vec<String>,
    was_disturbed: bool,
}

/// A person who asks two questions and says goodbye.
struct Caller<'a> {
    world: &'a World,
    call: TwinCall,
    ear: Ear,
    silence: Silence,
}

impl Caller<'_> {
    fn look<T>(&mut self, look: impl FnOnce(&[HeardSpan], u64) -> T) -> T {
        let Self { call, ear, .. } = self;
        call.record(|record| match record.leg() {
            Some(leg) => look(ear.sounds(leg.playout.heard()), leg.playout.now_ms()),
            None => look(&[], 0),
        })
    }

    /// Listens until the agent has said something and is done, or the line is dead.
    async fn hears_out(&mut self, from_ms: u64, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        loop {
            looks.tick().await;
            let over = self.call.record(CallRecord::is_over);
            let is_done = self.look(|sounds, now| {
                let last = sounds.last().filter(|span| span.to_ms > from_ms);
                last.is_some_and(|span| now >= span.to_ms + QUIET_MS)
            });
            if over || is_done || Instant::now() >= deadline {
                break;
            }
        }
        let silence = self.look(|sounds, now| longest(sounds, from_ms, now, what));
        if silence.ms > self.silence.ms {
            self.silence = silence;
        }
    }

    /// Says this line and answers when it was over.
    async fn says(&mut self, line: &str) -> u64 {
        self.world.next_line(line);
        let words = line.split_whitespace().count() as u64;
        let pcm = voice((words * 260).max(900));
        let length_ms = pcm.len() as u64 / 8;
        let from_ms = self.look(|_, now| now);
        self.call.speak(pcm).await;
        from_ms + length_ms
    }

    async fn asks(&mut self, line: &str, what: &str) {
        if self.call.record(CallRecord::is_over) {
            return;
        }
        let to_ms = self.says(line).await;
        self.hears_out(to_ms, what).await;
    }
}

fn arm(world: &World, case: &Case) {
    let fault = case.fault.clone();
    match case.part {
        // A stream that stands is hit in a sentence; then the recogniser stays as it is.
        Part::Stt if case.moment == Moment::MidTurn => world.stt.first.faults.set_always(fault),
        Part::None => {}
        Part::Stt => world.stt.first.faults.set(case.moment, fault),
        Part::Llm => world.llm.first.faults.set(case.moment, fault),
        Part::Tts => world.tts.first.faults.set(case.moment, fault),
        Part::Tool => world.tool.faults.set(case.moment, fault),
        // At the start the request to dial fails; in the call the request to hang up.
        Part::Carrier => world.phone.faults.set(Moment::Start, fault),
    }
}

async fn play(common: Arc<Common>, world: World, case: Case) -> Finding {
    world.is_warm().await;
    if case.moment == Moment::Start {
        arm(&world, &case);
    }
    let is_outbound = case.part == Part::Carrier && case.moment == Moment::Start;
    let call = if is_outbound {
        match dial(&world).await {
            Ok(call) => call,
            Err(ended) => {
                let silence = Silence { ms: 0, place: "no call".into() };
                return Finding {
                    case,
                    silence,
                    waited_ms: None,
                    answers: "-".into(),
                    ended,
                    wrong: Vec::new(),
                    was_disturbed: false,
                };
            }
        }
    } else {
        world.phone.place_call(&format!("{}/carriers/twilio/voice", world.base_url))
    };
    let picked_up = call.until(Duration::from_secs(5), "the media socket", |record| record.leg().is_some()).await;
    let mut caller = Caller { world: &world, call, ear: Ear::default(), silence: Silence::default() };
    let mut wrong: Vec<String> = picked_up.err().into_iter().collect();
    if is_outbound {
        caller.asks(HELLO, "greeting").await;
    } else {
        caller.hears_out(0, "greeting").await;
    }
    wrong.extend(converse(&mut caller, &case).await);
    let Caller { silence, call, .. } = caller;
    let sid = call.sid().to_owned();
    let (heard, ended) = journal(&common, &sid).await;
    let answers = heard_of(&case, &heard, &mut wrong);
    if silence.ms > SILENCE_MS_MAX {
        wrong.push(format!("{} ms of silence", silence.ms));
    }
    if !wrong.is_empty() {
        wrong.push(heard);
    }
    let waited_ms = waited(&common, &sid).await;
    Finding { case, silence, waited_ms, answers, ended, wrong, was_disturbed: false }
}

/// Two questions and the goodbye. Answers what went wrong.
async fn converse(caller: &mut Caller<'_>, case: &Case) -> Option<String> {
    if case.moment == Moment::MidTurn {
        arm(caller.world, case);
    }
    caller.asks(if case.part == Part::Tool { ORDER } else { SATURDAY }, "first question").await;
    caller.asks(BIKES, "second question").await;
    if caller.call.record(CallRecord::is_over) {
        return Some("the call was over before the caller said goodbye".into());
    }
    let to_ms = caller.says(BYE).await;
    let finished = caller.call.finished(Duration::from_secs(20)).await;
    let silence = caller.look(|sounds, now| longest(sounds, to_ms, now, "goodbye"));
    if silence.ms > caller.silence.ms {
        caller.silence = silence;
    }
    if finished.is_err() {
        caller.call.hang_up().await;
        return Some("the agent did not hang up".into());
    }
    None
}

/// Which answers were heard. Of a tool that failed there is none.
fn heard_of(case: &Case, heard: &str, wrong: &mut Vec<String>) -> String {
    let answer = if case.part == Part::Tool { DELIVERY } else { OPENING };
    let mut answers = Vec::new();
    for (name, wanted) in [("first", answer), ("second", REPAIRS), ("goodbye", GOODBYE)] {
        if heard.contains(wanted) {
            answers.push(name);
        } else if case.part != Part::Tool || name != "first" {
            wrong.push(format!("{wanted:?} was not heard"));
        }
    }
    answers.join(", ")
}

/// Calls the customer. An error says what became of the attempt when no phone rings.
async fn dial(world: &World) -> Result<TwinCall, String> {
    let request = runtime::DialRequest {
        carrier: "twilio".into(),
        agent: world.agent,
        to: crate::rig::CALLER.parse().expect("a number"),
        from: world.phone.options().number.parse().expect("a number"),
        base_url: world.base_url.clone(),
    };
    let began = Instant::now();
    let dialled = world.node.dial(world.scope, request).await;
    let took_ms = began.elapsed().as_millis();
    match (dialled, world.phone.outbound_call(Duration::from_millis(500)).await) {
        (_, Some(call)) => Ok(call),
        (Ok(_), None) => Err(format!("not known whether it rings, after {took_ms} ms; nobody dials again")),
        (Err(error), None) => Err(format!("refused after {took_ms} ms: {error}")),
    }
}

/// What was heard, as one text, and how the call ended, from the journal.
async fn journal(common: &Common, sid: &str) -> (String, String) {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..100 {
        looks.tick().await;
        let Ok(route) = common.store.route_call("twilio", sid).await else { return (String::new(), "no call".into()) };
        let records = common.store.journal(&route.scope, route.call.id).await.expect("a journal");
        let ended = records.iter().find_map(|record| match &record.entry {
            Entry::Ended { reason, state, .. } => Some(format!("{} ({reason})", state.name())),
            _ => None,
        });
        if let Some(ended) = ended {
            let heard = records.iter().filter_map(|record| match &record.entry {
                Entry::AgentTurn { heard, .. } => Some(heard.expose().as_str()),
                _ => None,
            });
            return (heard.collect::<Vec<_>>().join(" "), ended);
        }
    }
    (String::new(), "never".into())
}

/// How long the caller waited for the answers to the two questions, the longer of the two.
async fn waited(common: &Common, sid: &str) -> Option<u64> {
    let route = common.store.route_call("twilio", sid).await.ok()?;
    let records = common.store.journal(&route.scope, route.call.id).await.ok()?;
    let answers = [OPENING, DELIVERY, REPAIRS];
    let waits = records.iter().filter_map(|record| match &record.entry {
        Entry::AgentTurn { heard, latency: Some(latency), .. }
            if answers.iter().any(|answer| heard.expose().contains(answer)) =>
        {
            latency.heard_ms.max(latency.first_audio_ms)
        }
        _ => None,
    });
    waits.max()
}

/// How much longer the caller may wait for an answer because of a fault of a stage that has a second provider.
fn slower_ms_max(case: &Case) -> Option<u64> {
    let has_second = matches!(case.part, Part::Stt | Part::Llm | Part::Tts);
    has_second.then_some(match case.fault {
        Fault::Refuse | Fault::Status { .. } => SLOWER_ERROR_MS_MAX,
        _ => SLOWER_SILENT_MS_MAX,
    })
}

fn table(findings: &[Finding], usual_ms: u64) -> String {
    let mut text = String::from(
        "| stage | fault | when | longest silence, ms | where | answers later by, ms | heard of the answers | end |\n\
        |---|---|---|---|---|---|---|---|\n",
    );
    for finding in findings {
        let [part, fault, when] = finding.case.title();
        let Finding { silence, answers, ended, .. } = finding;
        let later = finding.waited_ms.map_or("-".to_owned(), |ms| ms.saturating_sub(usual_ms).to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {part} | {fault} | {when} | {} | {} | {later} | {answers} | {ended} |",
            silence.ms, silence.place
        );
    }
    text
}

fn judge_lateness(finding: &mut Finding, usual_ms: u64) {
    if let (Some(waited_ms), Some(most_ms)) = (finding.waited_ms, slower_ms_max(&finding.case)) {
        let later_ms = waited_ms.saturating_sub(usual_ms);
        if later_ms > most_ms {
            finding.wrong.push(format!("an answer came {later_ms} ms later than usual, {most_ms} ms are allowed"));
        }
    }
}

async fn play_all(common: &Arc<Common>, cases: Vec<Case>, at_once: usize, pulse: &Pulse) -> Vec<Finding> {
    let lines = Arc::new(Semaphore::new(at_once));
    let mut worlds = Vec::new();
    for case in cases {
        worlds.push((World::new(common).await, case));
    }
    let mut playing = Vec::new();
    for (world, case) in worlds {
        let (common, pulse) = (Arc::clone(common), pulse.clone());
        let line = Arc::clone(&lines).acquire_owned().await.expect("it is open");
        playing.push(tokio::spawn(async move {
            let began = Instant::now();
            let mut finding = play(common, world, case).await;
            finding.was_disturbed = pulse.was_late_since(began);
            drop(line);
            finding
        }));
    }
    let mut findings = Vec::new();
    for one in playing {
        findings.push(one.await.expect("a case that was played to its end"));
    }
    findings
}

/// Knows when this machine was late: a silence that was measured then says nothing about the program.
#[derive(Clone)]
struct Pulse(Arc<Mutex<Option<Instant>>>);

impl Pulse {
    fn start() -> Self {
        let pulse = Self(Arc::default());
        let late = Arc::downgrade(&pulse.0);
        tokio::spawn(async move {
            let mut due = Instant::now();
            while let Some(late) = late.upgrade() {
                due += BEAT;
                tokio::time::sleep_until(due).await;
                let now = Instant::now();
                if now.duration_since(due) > LATE {
                    *late.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                    due = now;
                }
            }
        });
        pulse
    }

    fn was_late_since(&self, since: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at >= since)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_single_fault_leaves_the_caller_in_silence() {
    let only = std::env::var("FRONTDESK_FAULTS_ONLY").unwrap_or_default();
    let dir = tempfile::tempdir().expect("a folder");
    let common = Arc::new(Common::new(dir.path()).await);
    let at_once = std::env::var(AT_ONCE).ok().and_then(|text| text.parse().ok()).unwrap_or(CALLS_AT_ONCE);
    let pulse = Pulse::start();
    let wanted: Vec<_> = cases().into_iter().filter(|case| case.title().join(" ").contains(&only)).collect();
    let calm = Case { part: Part::None, name: "no fault", fault: Fault::Cut, moment: Moment::Start };
    let usual = (0..USUAL_CALLS).map(|_| calm.clone()).chain(wanted).collect();
    let mut findings = play_all(&common, usual, at_once, &pulse).await;
    let mut usual: Vec<u64> = findings.drain(..USUAL_CALLS).filter_map(|one| one.waited_ms).collect();
    usual.sort_unstable();
    let usual_ms = usual.get(usual.len() / 2).copied().expect("answers of calls without a fault");
    println!("without a fault an answer is heard after {usual_ms} ms ({usual:?})");
    findings.iter_mut().for_each(|finding| judge_lateness(finding, usual_ms));
    for _ in 0..REPEATS_MAX {
        let disturbed = |finding: &Finding| finding.was_disturbed && !finding.wrong.is_empty();
        let again: Vec<_> = findings.iter().filter(|one| disturbed(one)).map(|one| one.case.clone()).collect();
        if again.is_empty() {
            break;
        }
        println!("{} cases are played again: this machine was late while they were measured", again.len());
        for mut found in play_all(&common, again, QUIETLY, &pulse).await {
            judge_lateness(&mut found, usual_ms);
            let same = |one: &&mut Finding| one.case.title() == found.case.title();
            if let Some(earlier) = findings.iter_mut().find(same) {
                *earlier = found;
            }
        }
    }
    let table = table(&findings, usual_ms);
    println!("{table}");
    if let Some(path) = std::env::var_os(TABLE) {
        std::fs::write(path, format!("{HEAD}{table}")).expect("the table is written");
    }
    let wrong: Vec<String> = findings
        .iter()
        .filter(|finding| !finding.wrong.is_empty())
        .map(|finding| format!("{}: {}", finding.case.title().join(", "), finding.wrong.join("; ")))
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), findings.len(), wrong.join("\n"));
}

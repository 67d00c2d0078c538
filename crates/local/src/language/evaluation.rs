//! How well a brain does on questions of which the right section is known, and on messages of which the right tool is.
//! The gate of a business is fitted from the same questions.

use super::document::Passage;
use super::gate::{Features, Gate, Verdict};
use super::knowledge::{Made, SearchOutcome};
use super::{Brain, Knowledge, LanguageError, LanguageModels};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, GenerationEvent, GenerationRequest};
use model::tool::{ToolAction, ToolSpec};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A question and the heading of the section that answers it; `None` when no section does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Heading of the right section.
    pub section: Option<String>,
    /// The question.
    pub text: String,
}

/// Reads one question a line: heading (or `-`), a tab, the question. Other lines are left out.
pub fn read_questions(tsv: &str) -> Vec<Question> {
    let line = |line: &str| {
        let (section, text) = line.split_once('\t')?;
        let section = (section.trim() != "-").then(|| section.trim().to_owned());
        Some(Question { section, text: text.trim().to_owned() })
    };
    tsv.lines().filter_map(line).collect()
}

/// A message, the tool it should lead to (`none` for talk), and the arguments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToolMessage {
    /// What the customer says.
    pub u: String,
    /// Name of the tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
}

/// Reads one message a line, as JSON.
pub fn read_tool_messages(jsonl: &str) -> Result<Vec<ToolMessage>, serde_json::Error> {
    jsonl.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

/// Counts over questions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuestionReport {
    /// Questions that have an answer.
    pub answerable: usize,
    /// Of them, the best section was the right one, whatever the gate said.
    pub ranked_first: usize,
    /// Of them, answered from the right section.
    pub answered: usize,
    /// Of them, the right section was named as the closest.
    pub closest: usize,
    /// Of them, answered from or given as closest a wrong section.
    pub wrong: usize,
    /// Questions that have none.
    pub unanswerable: usize,
    /// Of them, answered all the same.
    pub unanswerable_answered: usize,
    /// Of them, a passage was named as the closest.
    pub unanswerable_closest: usize,
    /// What went other than it should: question, verdict, section.
    pub misses: Vec<String>,
    /// What the gate saw, and whether the best section was the right one.
    pub examples: Vec<(Features, bool)>,
}

/// Asks all questions.
pub fn measure_questions(brain: &Brain, questions: &[Question]) -> Result<QuestionReport, LanguageError> {
    let mut report = QuestionReport::default();
    for question in questions {
        let outcome = brain.search(&question.text)?;
        let best = outcome.passage.as_ref().map(|p| p.section.clone());
        let right = question.section.is_some() && best == question.section;
        report.examples.push((outcome.features, right));
        match (&question.section, outcome.verdict) {
            (Some(_), _) if !right && outcome.verdict != Verdict::Decline => report.wrong += 1,
            (Some(_), Verdict::Answer) => report.answered += 1,
            (Some(_), Verdict::Closest) => report.closest += 1,
            (None, Verdict::Answer) => report.unanswerable_answered += 1,
            (None, Verdict::Closest) => report.unanswerable_closest += 1,
            (_, Verdict::Decline) => {}
        }
        if question.section.is_some() {
            report.answerable += 1;
            report.ranked_first += usize::from(right);
        } else {
            report.unanswerable += 1;
        }
        let expected = if question.section.is_some() { Verdict::Answer } else { Verdict::Decline };
        if outcome.verdict != expected || (question.section.is_some() && !right) {
            report.misses.push(format!(
                "{:?} {:.2} {:?} | {} -> {} (should be {})",
                outcome.verdict,
                outcome.probability,
                outcome.features,
                question.text,
                best.unwrap_or_default(),
                question.section.as_deref().unwrap_or("-"),
            ));
        }
    }
    Ok(report)
}

/// Counts over messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolReport {
    /// Messages.
    pub messages: usize,
    /// The right tool was chosen.
    pub right: usize,
    /// With the right arguments.
    pub right_with_args: usize,
    /// A tool that changes something was called where another was right, or with an argument that was not said.
    pub dangerous: usize,
    /// What went other than it should.
    pub misses: Vec<String>,
}

/// Sends all messages, each as the first of a conversation.
pub fn measure_tools(brain: &Brain, tools: &[ToolSpec], messages: &[ToolMessage]) -> ToolReport {
    let mut report = ToolReport { messages: messages.len(), ..ToolReport::default() };
    for message in messages {
        let events = brain.answer(&first_turn(&message.u, tools));
        let (tool, args) = chosen(&events, tools);
        let spec = tools.iter().find(|spec| spec.name == tool);
        let right = tool == message.tool;
        report.right += usize::from(right);
        report.right_with_args += usize::from(right && args == message.args);
        report.dangerous += usize::from(spec.is_some_and(|s| s.changes_state) && (!right || args != message.args));
        if !right || args != message.args {
            report
                .misses
                .push(format!("{} -> {tool} {args:?} (should be {} {:?})", message.u, message.tool, message.args));
        }
    }
    report
}

/// A request with one line of a customer in it.
pub fn first_turn(text: &str, tools: &[ToolSpec]) -> GenerationRequest {
    GenerationRequest {
        brain: BrainChoice::Local,
        messages: vec![ChatMessage::Customer { text: text.into() }],
        tools: tools.to_vec(),
        awaiting: None,
        language: "en".into(),
        tokens_max: 200,
    }
}

/// Which tool the events amount to: a call or the question for a missing argument; the search tool for a passage or an
/// honest "I don't know"; `none` for talk, which ending the call belongs to.
fn chosen(events: &[GenerationEvent], tools: &[ToolSpec]) -> (String, Map<String, Value>) {
    let named = |action: fn(&ToolAction) -> bool| tools.iter().find(|t| action(&t.action)).map(|t| t.name.clone());
    let search = named(|a| matches!(a, ToolAction::SearchKnowledge)).unwrap_or_else(|| "search_help".into());
    let end = named(|a| matches!(a, ToolAction::EndCall));
    for event in events {
        match event {
            GenerationEvent::ToolCall { name, .. } if Some(name) == end.as_ref() => break,
            GenerationEvent::ToolCall { name, args, .. } => {
                return (name.clone(), args.as_object().cloned().unwrap_or_default());
            }
            GenerationEvent::NeedSlot(slot) => return (slot.tool.clone(), slot.args.clone()),
            GenerationEvent::Cited { .. } | GenerationEvent::Done { finish: model::generation::Finish::Declined } => {
                return (search, Map::new());
            }
            _ => {}
        }
    }
    ("none".into(), Map::new())
}

/// Verdicts of gates that never saw the question: share of right passages that are answered and of others that are, by
/// cross-validation.
pub fn cross_validate(gate: &Gate, examples: &[(Features, bool)], folds: usize) -> (f32, f32) {
    let (mut right, mut right_answered, mut other, mut other_answered) = (0_usize, 0_usize, 0_usize, 0_usize);
    for fold in 0..folds {
        let part = |inside: bool| {
            examples
                .iter()
                .enumerate()
                .filter(move |(at, _)| (at % folds == fold) == inside)
                .map(|(_, e)| *e)
                .collect::<Vec<_>>()
        };
        let fitted = gate.fit(&part(false));
        for (features, is_right) in part(true) {
            let answered = fitted.verdict(fitted.probability(&features)) == Verdict::Answer;
            if is_right {
                right += 1;
                right_answered += usize::from(answered);
            } else {
                other += 1;
                other_answered += usize::from(answered);
            }
        }
    }
    (right_answered as f32 / right.max(1) as f32, other_answered as f32 / other.max(1) as f32)
}

/// A question that was answered other than it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    /// The question, and what was expected.
    pub question: Question,
    /// What the gate said.
    pub verdict: Verdict,
    /// How probable it took it to be that the passage is the answer.
    pub probability: f32,
    /// Heading of the best passage.
    pub found: Option<String>,
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (found, expected) = (self.found.as_deref().unwrap_or("-"), self.question.section.as_deref().unwrap_or("-"));
        let Self { question, verdict, probability, .. } = self;
        write!(f, "{verdict:?} {probability:.2} | {} -> {found} (should be {expected})", question.text)
    }
}

/// What an index does with questions of which the right passage is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Passages of the index.
    pub passages: usize,
    /// Questions that have an answer.
    pub answerable: usize,
    /// Of them, the best passage was the right one, whatever the gate said.
    pub ranked_first: usize,
    /// Of them, the right passage was given as the answer.
    pub answered: usize,
    /// Of them, the right passage was named as the closest.
    pub closest: usize,
    /// Of them, declined.
    pub lost: usize,
    /// Of them, a wrong passage was given or named.
    pub wrong: usize,
    /// Questions that have none.
    pub unanswerable: usize,
    /// Of them, declined.
    pub declined: usize,
    /// Of them, a passage was named as the closest.
    pub unanswerable_closest: usize,
    /// Of them, a passage was given as the answer.
    pub unanswerable_answered: usize,
    /// Statements that stand in no passage, word for word.
    pub false_statements: usize,
    /// Processor time of each search, in milliseconds; absent where the system does not tell.
    pub cpu_ms: Vec<f64>,
    /// What went other than it should.
    pub misses: Vec<Missed>,
    /// What the gate saw, and whether the best passage was the right one.
    pub examples: Vec<(Features, bool)>,
}

/// Asks an index all questions. A question expects the heading or the document of a passage; `made` are vectors that the service
/// of the index made of them.
pub fn measure(
    models: &LanguageModels,
    index: &Knowledge,
    questions: &[Question],
    made: &Made,
) -> Result<Measured, LanguageError> {
    let mut measured = Measured { passages: index.sections().len(), ..Measured::default() };
    for question in questions {
        let before = cpu_ms();
        let outcome = index.search(models, &question.text, made)?;
        measured.cpu_ms.extend(before.zip(cpu_ms()).map(|(before, after)| after - before));
        measured.note(index, question, &outcome);
    }
    Ok(measured)
}

impl Measured {
    fn note(&mut self, index: &Knowledge, question: &Question, outcome: &SearchOutcome) {
        let best = outcome.hits.first().map(|hit| &index.sections()[hit.section]);
        let right = question.section.as_ref().is_some_and(|expected| best.is_some_and(|best| is_from(best, expected)));
        self.examples.push((outcome.features, right));
        if let (Some(best), Some(passage)) = (best, &outcome.passage)
            && !is_verbatim(best, &passage.quote)
            && outcome.facts.is_empty()
        {
            self.false_statements += 1;
        }
        let expected = question.section.is_some();
        if expected {
            self.answerable += 1;
            self.ranked_first += usize::from(right);
        } else {
            self.unanswerable += 1;
        }
        let counter = match (expected, outcome.verdict) {
            (true, Verdict::Decline) => &mut self.lost,
            (true, _) if !right => &mut self.wrong,
            (true, Verdict::Answer) => &mut self.answered,
            (true, Verdict::Closest) => &mut self.closest,
            (false, Verdict::Decline) => &mut self.declined,
            (false, Verdict::Closest) => &mut self.unanswerable_closest,
            (false, Verdict::Answer) => &mut self.unanswerable_answered,
        };
        *counter += 1;
        let wanted = if expected { Verdict::Answer } else { Verdict::Decline };
        if outcome.verdict != wanted || (expected && !right) {
            self.misses.push(Missed {
                question: question.clone(),
                verdict: outcome.verdict,
                probability: outcome.probability,
                found: best.map(|best| best.heading.clone()),
            });
        }
    }
}

fn is_from(passage: &Passage, expected: &str) -> bool {
    let last = passage.heading.rsplit(": ").next();
    passage.heading == expected || passage.document == expected || last == Some(expected)
}

/// Whether every sentence of a quote stands in the passage.
fn is_verbatim(passage: &Passage, quote: &str) -> bool {
    let mut rest = quote;
    for sentence in &passage.sentences {
        rest = rest.strip_prefix(sentence.as_str()).unwrap_or(rest).trim_start();
    }
    rest.is_empty()
}

/// Processor time of all threads so far, from the kernel's scheduler.
fn cpu_ms() -> Option<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let nanos = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    Some(nanos.sum::<f64>() / 1e6)
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        writeln!(f, "{} passages", self.passages)?;
        writeln!(
            f,
            "answerable {}: recall@1 {:.3}; answered {}, named as closest {}, declined {} ({:.3}), wrong passage {}",
            self.answerable,
            share(self.ranked_first, self.answerable),
            self.answered,
            self.closest,
            self.lost,
            share(self.lost, self.answerable),
            self.wrong,
        )?;
        writeln!(
            f,
            "unanswerable {}: declined {} ({:.3}), named as closest {}, answered {}",
            self.unanswerable,
            self.declined,
            share(self.declined, self.unanswerable),
            self.unanswerable_closest,
            self.unanswerable_answered,
        )?;
        writeln!(f, "false statements: {}", self.false_statements)?;
        if !self.cpu_ms.is_empty() {
            let mut sorted = self.cpu_ms.clone();
            sorted.sort_by(f64::total_cmp);
            let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
            let p95 = sorted[(sorted.len() - 1) * 95 / 100];
            let max = sorted[sorted.len() - 1];
            writeln!(f, "a query: {mean:.1} ms CPU mean, {p95:.1} p95, {max:.1} max")?;
        }
        Ok(())
    }
}

//! `frontdesk text`: has texts read by the services of `[text]`.

use crate::cli::environment;
use crate::config::Config;
use crate::wiring;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use model::routing::AgentProviders;
use providers::text::{Entity, TextAnswer, TextItem, TextSkill};
use runtime::reading::{CallReading, Readers, Rules};
use runtime::service::Bill;
use serde_json::json;
use std::io::Read as _;
use std::process::ExitCode;

/// More than any service takes at once.
const TEXT_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum TextCommand {
    /// Say which language a text is in, how its writer feels, what it names, and what says who somebody is
    Analyse(AnalyseArgs),
    /// Say it in another language
    Translate(TranslateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AnalyseArgs {
    /// The text; standard input unless given
    text: Option<String>,
    /// Only this; may be repeated. Everything that a configured service can do unless given
    #[arg(long)]
    skill: Vec<Skill>,
    /// BCP-47 language of the text, where it is known
    #[arg(long)]
    language: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TranslateArgs {
    /// The text; standard input unless given
    text: Option<String>,
    /// BCP-47 language to translate into
    #[arg(long, value_name = "LANGUAGE")]
    to: String,
    /// BCP-47 language of the text; found out unless given
    #[arg(long, value_name = "LANGUAGE")]
    from: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Skill {
    Language,
    Sentiment,
    Entities,
    PersonalData,
}

impl Skill {
    const fn asked(self) -> TextSkill {
        match self {
            Self::Language => TextSkill::Language,
            Self::Sentiment => TextSkill::Sentiment,
            Self::Entities => TextSkill::Entities,
            Self::PersonalData => TextSkill::PersonalData,
        }
    }
}

pub(crate) async fn text(config: &Config, command: TextCommand) -> anyhow::Result<ExitCode> {
    let readers = wiring::readers(config, &environment).await?;
    match command {
        TextCommand::Analyse(args) => analyse(&readers, args).await,
        TextCommand::Translate(args) => translate(&readers, args).await,
    }
}

/// What stands on the command line, or comes in.
fn given(text: Option<String>) -> anyhow::Result<String> {
    let text = match text {
        Some(text) => text,
        None => {
            let mut text = String::new();
            std::io::stdin().take(TEXT_BYTES_MAX).read_to_string(&mut text).context("standard input")?;
            text
        }
    };
    if text.trim().is_empty() {
        bail!("there is no text; give it behind the command or on standard input");
    }
    Ok(text)
}

async fn analyse(readers: &Readers, args: AnalyseArgs) -> anyhow::Result<ExitCode> {
    let AnalyseArgs { text, skill, language, json } = args;
    let text = given(text)?;
    let is_asked = |one: &Skill| {
        let can = readers.chain.iter().any(|sited| sited.service.can(one.asked()));
        if skill.is_empty() { can } else { skill.contains(one) }
    };
    let (anywhere, bill) = (AgentProviders::default(), Bill::default());
    let rules = Rules { providers: &anywhere, is_spent: false };
    let mut code = ExitCode::SUCCESS;
    let mut found = serde_json::Map::new();
    for one in Skill::value_variants().iter().filter(|one| is_asked(one)) {
        let word = one.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let item = TextItem { text: text.as_str().into(), language: language.clone() };
        match readers.read(one.asked(), item, None, rules, &bill).await {
            Ok((by, answer)) if json => drop(found.insert(word, json!({"by": by, "found": answer}))),
            Ok((by, answer)) => println!("{word:13} {} ({by})", shown(&text, &answer)),
            Err(failure) => {
                eprintln!("{word}: {failure}");
                code = ExitCode::FAILURE;
            }
        }
    }
    if json {
        found.insert("cost_usd_micros".to_owned(), json!(bill.total().usd_micros));
        println!("{}", serde_json::to_string_pretty(&found)?);
    }
    Ok(code)
}

async fn translate(readers: &Readers, args: TranslateArgs) -> anyhow::Result<ExitCode> {
    let item = TextItem { text: given(args.text)?.into(), language: args.from };
    let (anywhere, bill) = (AgentProviders::default(), Bill::default());
    let rules = Rules { providers: &anywhere, is_spent: false };
    let translated = readers.read(TextSkill::Translation, item, Some(args.to), rules, &bill).await;
    match translated.map_err(|failure| anyhow::anyhow!("it is not translated: {failure}"))? {
        (_, TextAnswer::Translation { text, .. }) => println!("{}", text.expose()),
        (by, _) => bail!("{by} answered something else"),
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(text: &str, answer: &TextAnswer) -> String {
    let named = |entities: &[Entity]| {
        let one = |entity: &Entity| {
            format!("{} {:?}", word(&entity.kind), text.get(entity.range.clone()).unwrap_or_default())
        };
        if entities.is_empty() { "nothing".to_owned() } else { entities.iter().map(one).collect::<Vec<_>>().join(", ") }
    };
    match answer {
        TextAnswer::Language { language, confidence } => {
            format!("{} {confidence:.2}", language.as_deref().unwrap_or("unknown"))
        }
        TextAnswer::Sentiment { sentiment, positive, negative } => {
            format!("{}, {positive:.2} pleased, {negative:.2} displeased", word(sentiment))
        }
        TextAnswer::Entities { entities } => named(entities),
        TextAnswer::PersonalData { masked, .. } => masked.clone(),
        TextAnswer::Translation { text, .. } => text.expose().clone(),
    }
}

/// The stable word of a value.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What was found out about a call, for people. What the customer named is personal data, of which only the kinds are told.
pub(crate) fn lines_of(reading: &CallReading) -> Vec<String> {
    let by = |skill: TextSkill| reading.by.get(&skill).map_or("nobody", String::as_str);
    let mut lines = Vec::new();
    lines.extend(reading.language.as_ref().map(|one| format!("language  {one} ({})", by(TextSkill::Language))));
    lines.extend(
        reading.sentiment.as_ref().map(|one| format!("sentiment {} ({})", word(one), by(TextSkill::Sentiment))),
    );
    if !reading.entities.is_empty() {
        let kinds: Vec<String> = reading.entities.iter().map(|one| word(&one.kind)).collect();
        lines.push(format!("names     {} ({})", kinds.join(", "), by(TextSkill::Entities)));
    }
    lines
}

//! What a person is told about a caller before they take the call: by the brain that asked for them, or else what the conversation
//! itself holds. Names and values stand as the business wrote them, so the text needs no language of its own.

use super::{Dialog, Line, cut, template};
use crate::call::ask_of_briefing;
use base::limits::BRIEF_CHARS_MAX;
use model::tool::{Parameter, ParameterKind, ToolAction, ToolSpec};
use serde_json::{Map, Value};

/// The argument with which a brain says it.
pub const BRIEF: &str = "brief";

/// Characters of one thing that the caller said.
const QUOTE_CHARS_MAX: usize = 160;

/// The argument, as a brain sees it beside those that the business wants.
pub(super) fn add_parameter(tools: &mut [ToolSpec]) {
    let takes_none = |tool: &&mut ToolSpec| {
        matches!(tool.action, ToolAction::Handoff) && tool.parameters.iter().all(|known| known.name != BRIEF)
    };
    for tool in tools.iter_mut().filter(takes_none) {
        tool.parameters.push(Parameter {
            name: BRIEF.into(),
            description: "For the colleague, in one or two sentences: who calls, what they want, what was tried."
                .into(),
            kind: ParameterKind::Text,
            required: false,
            ask: None,
        });
    }
}

impl Dialog {
    /// All that a person hears: who is calling them, what for, and how they take the call.
    pub fn briefing(&self, told: Option<&str>) -> String {
        let brief = self.wanted(told);
        let text = |text: &str| Value::String(text.to_owned());
        let values = Map::from_iter([
            ("agent".to_owned(), text(&self.agent.name)),
            ("business".to_owned(), text(&self.agent.business_name)),
            ("brief".to_owned(), text(&brief)),
        ]);
        let told = template::fill(&self.agent.lines.brief, &values, None);
        format!("{} {}", told.trim(), ask_of_briefing(&self.agent)).trim().to_owned()
    }

    /// What the caller wants: as it was told, or else as the conversation holds it.
    pub fn wanted(&self, told: Option<&str>) -> String {
        let told = told.map(str::trim).filter(|told| !told.is_empty());
        let brief = told.map_or_else(|| self.brief(), str::to_owned);
        cut(&brief, BRIEF_CHARS_MAX).to_owned()
    }

    /// What is known of the caller, what they said first and last, and what was tried.
    fn brief(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        if let Some(flow) = &self.flow {
            parts.extend(flow.values().iter().map(|(name, value)| named(name, &template::spoken(value))));
        }
        let said: Vec<&str> = self.lines.iter().filter_map(Line::customer).collect();
        let first_and_last = said.first().into_iter().chain(said.last().filter(|_| said.len() > 1));
        parts.extend(first_and_last.map(|words| format!("\"{}\"", cut(words, QUOTE_CHARS_MAX).trim())));
        for line in &self.lines {
            if let Line::Tool { name, args, .. } = line {
                let args = args.as_object().map(template::spoken_args).unwrap_or_default();
                let tried = named(name, &args);
                if !parts.contains(&tried) {
                    parts.push(tried);
                }
            }
        }
        parts.join(" ")
    }
}

fn named(name: &str, value: &str) -> String {
    let name = name.replace('_', " ");
    if value.trim().is_empty() { format!("{name}.") } else { format!("{name}: {}.", value.trim()) }
}

impl Line {
    fn customer(&self) -> Option<&str> {
        match self {
            Self::Customer(text) => Some(text.expose()),
            Self::Agent(_) | Self::Tool { .. } => None,
        }
    }
}

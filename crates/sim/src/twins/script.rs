//! What a twin of a language model answers, the same words for every vendor.

use serde_json::Value;

/// What is answered, and when.
#[derive(Clone, Debug)]
pub struct Rule {
    when: When,
    reply: Reply,
}

#[derive(Clone, Debug)]
enum When {
    User(String),
    Tool(String),
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The words. `{result}` stands for what the last tool answered.
    pub text: String,
    /// Tools asked for: name and arguments.
    pub tool_calls: Vec<(String, Value)>,
}

impl Rule {
    /// When the last message is the user's and holds these words, in any case.
    pub fn on_user(words: &str, reply: Reply) -> Self {
        Self { when: When::User(words.to_lowercase()), reply }
    }

    /// When the last message is the result of this tool.
    pub fn on_tool(name: &str, reply: Reply) -> Self {
        Self { when: When::Tool(name.to_owned()), reply }
    }
}

impl Reply {
    /// Says this.
    pub fn says(text: impl Into<String>) -> Self {
        Self { text: text.into(), tool_calls: Vec::new() }
    }

    /// Asks for a tool.
    pub fn calls(name: &str, args: Value) -> Self {
        Self { text: String::new(), tool_calls: vec![(name.to_owned(), args)] }
    }

    /// Asks for one more tool.
    #[must_use]
    pub fn and_calls(mut self, name: &str, args: Value) -> Self {
        self.tool_calls.push((name.to_owned(), args));
        self
    }
}

/// What a request ends with.
pub(crate) struct Asked<'a> {
    /// The last words of the user.
    pub(crate) user: &'a str,
    /// The tool whose result is the last message.
    pub(crate) after_tool: Option<&'a str>,
    /// The text of the last message.
    pub(crate) last: &'a str,
}

/// The reply of the first rule that fits.
pub(crate) fn reply_to(rules: &[Rule], otherwise: &Reply, asked: &Asked<'_>) -> Reply {
    let fits = |rule: &&Rule| match (&rule.when, asked.after_tool) {
        (When::Tool(name), Some(tool)) => name == tool,
        (When::User(words), None) => asked.user.to_lowercase().contains(words.as_str()),
        _ => false,
    };
    let mut reply = rules.iter().find(fits).map_or(otherwise, |rule| &rule.reply).clone();
    reply.text = reply.text.replace("{result}", asked.last);
    reply
}

/// Text in two pieces, as services do: nobody may rely on whole arguments.
pub(crate) fn halves(text: &str) -> [&str; 2] {
    let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    [&text[..half], &text[half..]]
}

/// Rough tokens of a text.
pub(crate) fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// Rough tokens of a reply.
pub(crate) fn reply_tokens(reply: &Reply) -> usize {
    let args: usize = reply.tool_calls.iter().map(|(name, args)| name.len() + args.to_string().len()).sum();
    (reply.text.len() + args).div_ceil(4)
}

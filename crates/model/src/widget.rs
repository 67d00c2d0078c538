//! A widget: what stands on a website so that its visitors can write to an agent or talk with it.

use base::{BusinessId, WidgetId};
use serde::{Deserialize, Serialize};

/// A widget of a business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widget {
    /// Its id.
    pub id: WidgetId,
    /// Whose it is.
    pub business: BusinessId,
    /// What stands in the page's source: names the widget, and is no secret.
    pub key: String,
    /// What can be changed about it.
    pub settings: WidgetSettings,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
    /// From 1; one more with each change.
    pub version: u32,
}

/// What can be changed about a widget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WidgetSettings {
    /// What people of the business call it.
    pub name: String,
    /// Short name of the agent that answers.
    pub agent: String,
    /// Whether it is there for anybody.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Websites that it may stand on, such as `https://shop.example` or `https://*.shop.example`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Whether visitors may speak.
    #[serde(default = "yes")]
    pub voice: bool,
    /// Whether visitors may write.
    #[serde(default = "yes")]
    pub chat: bool,
    /// What stands above the conversation; empty: the agent's name.
    #[serde(default)]
    pub title: String,
    /// First words; empty: the agent's own greeting.
    #[serde(default)]
    pub greeting: String,
    /// What a visitor must agree to before the conversation begins; empty asks for nothing.
    #[serde(default)]
    pub consent: String,
    /// Where the visitor reads about privacy.
    #[serde(default)]
    pub privacy_url: String,
    /// Languages of the widget's own words (`en`, `hi`), the first where the page asks for none of them.
    #[serde(default = "english")]
    pub languages: Vec<String>,
    /// How it looks.
    #[serde(default)]
    pub theme: WidgetTheme,
    /// Conversations that may begin in a minute.
    #[serde(default = "sixty")]
    pub visits_per_minute: u32,
}

/// How a widget looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WidgetTheme {
    /// `#rrggbb` of buttons and of what the visitor says.
    pub colour: String,
    /// Light or dark.
    pub scheme: WidgetScheme,
    /// At which corner.
    pub position: WidgetPosition,
    /// Address of a picture above the conversation; empty: none.
    pub logo_url: String,
}

impl Default for WidgetTheme {
    fn default() -> Self {
        Self {
            colour: "#0f5bd7".into(),
            scheme: WidgetScheme::Auto,
            position: WidgetPosition::Right,
            logo_url: String::new(),
        }
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WidgetScheme {
    /// As the visitor's device.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// At which corner of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WidgetPosition {
    /// At the bottom, where lines end.
    #[default]
    Right,
    /// At the bottom, where lines begin.
    Left,
}

fn yes() -> bool {
    true
}

fn english() -> Vec<String> {
    vec!["en".into()]
}

fn sixty() -> u32 {
    60
}

impl WidgetSettings {
    /// Whether it may stand on a page of this origin.
    pub fn admits(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| covers(allowed, origin))
    }
}

/// Whether an origin is the allowed one, or one of its subdomains where it says `*.`.
fn covers(allowed: &str, origin: &str) -> bool {
    let Some((scheme, domain)) = allowed.split_once("://*.") else { return allowed.eq_ignore_ascii_case(origin) };
    let rest = origin.split_once("://").filter(|(of, _)| of.eq_ignore_ascii_case(scheme)).map(|(_, rest)| rest);
    let Some(rest) = rest.map(str::to_ascii_lowercase) else { return false };
    rest.strip_suffix(&domain.to_ascii_lowercase()).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
}

/// Reads an origin of a list as a browser would send it, or with `*.` before its domain.
///
/// # Errors
/// What is wrong with it.
pub fn read_origin(text: &str) -> Result<String, &'static str> {
    let text = text.trim().to_ascii_lowercase();
    let (scheme, host) = text.split_once("://").ok_or("an origin begins with https:// or http://")?;
    if !matches!(scheme, "https" | "http") {
        return Err("an origin begins with https:// or http://");
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the port is not a number");
    }
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if plain.is_empty() || !plain.chars().all(sign) || plain.starts_with('.') || plain.ends_with('.') {
        return Err("an origin is a scheme, a host and perhaps a port, with nothing behind them");
    }
    if plain != name && !plain.contains('.') {
        return Err("*. stands before a domain such as shop.example");
    }
    // Browsers leave the usual port out.
    let usual = if scheme == "https" { "443" } else { "80" };
    Ok(match port.filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{name}:{port}"),
        None => format!("{scheme}://{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_browsers_send_it() {
        assert_eq!(read_origin(" HTTPS://Shop.Example:443 "), Ok("https://shop.example".into()));
        assert_eq!(read_origin("http://localhost:5173"), Ok("http://localhost:5173".into()));
        assert_eq!(read_origin("https://*.shop.example"), Ok("https://*.shop.example".into()));
        for bad in
            ["shop.example", "https://", "https://a/b", "ftp://a.example", "https://*.example", "https://a b", "*"]
        {
            assert!(read_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_widget_stands_where_its_list_says_and_nowhere_that_only_looks_so() {
        assert!(covers("https://shop.example", "https://shop.example"));
        assert!(covers("https://*.shop.example", "https://www.shop.example"));
        for foreign in [
            "http://shop.example",
            "https://shop.example.evil",
            "https://evilshop.example",
            "https://shop.example:8443",
            "null",
        ] {
            assert!(!covers("https://shop.example", foreign), "{foreign}");
        }
        for foreign in
            ["https://shop.example", "https://evilshop.example", "http://www.shop.example", "https://.shop.example"]
        {
            assert!(!covers("https://*.shop.example", foreign), "{foreign}");
        }
    }
}

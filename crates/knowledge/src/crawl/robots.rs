//! What a site lets robots read: the Robots Exclusion Protocol (RFC 9309), with `Crawl-delay` and `Sitemap`. Pure.

/// What we call ourselves.
pub const USER_AGENT: &str = "frontdesk";
/// Of a larger file the rest does not count (RFC 9309, 2.5).
const BYTES_MAX: usize = 500 * 1024;

/// The rules that hold for us.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Robots {
    rules: Vec<(String, bool)>,
    /// Pause between two pages that the site asks for.
    pub pause_ms: Option<u64>,
    /// Site maps that it names.
    pub sitemaps: Vec<String>,
}

impl Robots {
    /// Reads `robots.txt`.
    pub fn parse(text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or(text);
        let (mut ours, mut all) = (Self::default(), Self::default());
        let (mut is_ours, mut is_all, mut in_agents, mut named) = (false, false, false, false);
        let mut sitemaps = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match field.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if !in_agents {
                        (is_ours, is_all) = (false, false);
                    }
                    in_agents = true;
                    is_ours |= value.to_ascii_lowercase().starts_with(USER_AGENT);
                    is_all |= value == "*";
                    named |= is_ours;
                }
                "sitemap" => sitemaps.push(value.to_owned()),
                field => {
                    in_agents = false;
                    for group in [(is_ours, &mut ours), (is_all, &mut all)]
                        .into_iter()
                        .filter_map(|(on, group)| on.then_some(group))
                    {
                        group.rule(field, value);
                    }
                }
            }
        }
        let mut chosen = if named { ours } else { all };
        chosen.sitemaps = sitemaps;
        chosen
    }

    fn rule(&mut self, field: &str, value: &str) {
        match field {
            "allow" if !value.is_empty() => self.rules.push((value.to_owned(), true)),
            "disallow" if !value.is_empty() => self.rules.push((value.to_owned(), false)),
            "crawl-delay" => {
                let seconds = value.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0 && seconds.is_finite());
                self.pause_ms = seconds.map(|seconds| (seconds * 1_000.0) as u64);
            }
            _ => {}
        }
    }

    /// Whether a path with its query may be read: the longest rule that fits decides, of two as long the one that allows.
    pub fn allows(&self, path: &str) -> bool {
        let fitting = self.rules.iter().filter(|(pattern, _)| fits(pattern, path));
        fitting.max_by_key(|(pattern, allowed)| (pattern.len(), *allowed)).is_none_or(|(_, allowed)| *allowed)
    }
}

/// Whether a path begins with a pattern in which `*` stands for anything and a `$` at the end for the end.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = pattern.strip_suffix('$').map_or((pattern, false), |bare| (bare, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        if to_end && at + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    !to_end || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_group_counts_before_that_of_all() {
        let robots = Robots::parse(
            "User-agent: *\nDisallow: /\n\nUser-Agent: Other\nUser-agent: Frontdesk\nDisallow: /private # x\nAllow: /private/help\nCrawl-delay: 0.5\n\nSitemap: https://a.example/map.xml",
        );
        assert!(robots.allows("/"));
        assert!(!robots.allows("/private/x"));
        assert!(robots.allows("/private/help/a"));
        assert_eq!((robots.pause_ms, robots.sitemaps.len()), (Some(500), 1));
    }

    #[test]
    fn wildcards_and_ends_count() {
        let robots = Robots::parse("User-agent: *\nDisallow: /*.pdf$\nDisallow: /a*/z\nAllow: /a1/z\n");
        assert!(!robots.allows("/files/x.pdf"));
        assert!(robots.allows("/files/x.pdf?y"));
        assert!(!robots.allows("/abc/z"));
        assert!(Robots::parse("").allows("/x"));
        assert!(Robots::parse("User-agent: *\nDisallow:").allows("/x"));
    }
}

//! An agent in two versions at once: a share of its customers gets another published version than the present one.

use crate::flags::{Flag, FlagBy, Flags, Subject};
use base::AgentId;
use serde::{Deserialize, Serialize};

/// A split of an agent's calls between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The other version.
    pub version: u32,
    /// How many of a hundred get it: 1 to 99.
    pub share_percent: u8,
    /// Of a hundred what: customers, who then get the same in all their calls, or calls.
    pub by: FlagBy,
    /// Unix milliseconds when it was set.
    #[serde(default)]
    pub set_at_ms: i64,
}

impl Split {
    /// Whether this call gets the other version. Depends on the agent, the share and whom it is asked for, and on nothing else:
    /// a share that grows takes nobody back.
    pub fn takes(&self, agent: AgentId, subject: &Subject<'_>) -> bool {
        let name = format!("split {agent}");
        let flag = Flag { share_percent: self.share_percent, by: self.by, description: String::new() };
        Flags([(name.clone(), flag)].into()).is_on(&name, subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BusinessId, CallId};

    #[test]
    fn a_customer_stays_with_a_version_and_the_share_is_about_that() {
        let (agent, business) = (AgentId::generate(), BusinessId::generate());
        let split = |share_percent| Split { version: 2, share_percent, by: FlagBy::Customer, set_at_ms: 0 };
        let takes = |share: u8, number: u32| {
            let customer = format!("+4915{number:08}");
            let subject = Subject { business, call: CallId::generate(), customer: Some(&customer) };
            split(share).takes(agent, &subject)
        };
        let few: Vec<bool> = (0..2_000).map(|number| takes(20, number)).collect();
        assert_eq!(few, (0..2_000).map(|number| takes(20, number)).collect::<Vec<_>>(), "in each call the same");
        let count = few.iter().filter(|one| **one).count();
        assert!((300..500).contains(&count), "{count}");
        assert!((0..2_000).all(|number| !few[number as usize] || takes(40, number)), "nobody is taken back");
    }
}

//! Nodes: processes that share one database and the calls of an installation.

use base::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What nodes say to each other and write for each other. One more with each release that changes any of it; nodes of two
/// neighbouring generations work together, so that an installation can be brought up to date node by node.
pub const GENERATION: u32 = 1;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Answers the API and serves the pages.
    Api,
    /// Takes and places calls.
    Media,
    /// Does what nobody waits for: durable jobs, deleting what is past its time.
    Worker,
}

impl NodeRole {
    /// All of them, as a node does unless it is told otherwise.
    pub const ALL: [NodeRole; 3] = [Self::Api, Self::Media, Self::Worker];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Media => "media",
            Self::Worker => "worker",
        }
    }
}

/// What a node does, all told. Written as names with commas: `api,media`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeRoles(BTreeSet<NodeRole>);

impl NodeRoles {
    /// Everything.
    pub fn all() -> Self {
        Self(NodeRole::ALL.into())
    }

    /// Whether this is among it.
    pub fn has(&self, role: NodeRole) -> bool {
        self.0.contains(&role)
    }
}

impl fmt::Display for NodeRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|role| role.name()).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for NodeRoles {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let roles = names.map(|name| {
            let known = NodeRole::ALL.into_iter().find(|role| role.name() == name);
            known.ok_or_else(|| format!("{name:?} is no role of a node: api, media or worker"))
        });
        let roles: BTreeSet<NodeRole> = roles.collect::<Result<_, _>>()?;
        if roles.is_empty() {
            Err("a node has at least one role: api, media or worker".into())
        } else {
            Ok(Self(roles))
        }
    }
}

impl TryFrom<String> for NodeRoles {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NodeRoles> for String {
    fn from(roles: NodeRoles) -> String {
        roles.to_string()
    }
}

/// A node as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// One life of one process: started again it is another node.
    pub id: NodeId,
    /// What people call it.
    pub name: String,
    /// Where other nodes reach it, such as `http://10.0.0.5:8080`, without a trailing slash.
    pub address: String,
    /// What it does.
    pub roles: NodeRoles,
    /// See [`GENERATION`].
    pub generation: u32,
    /// Version of the program, for people.
    pub version: String,
    /// Calls in progress.
    pub calls_live: u32,
    /// Calls at once.
    pub calls_max: u32,
    /// Takes no new calls: it is about to stop.
    pub draining: bool,
}

/// A node as the others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownNode {
    /// What it last said about itself.
    pub node: Node,
    /// Whether its lease runs.
    pub is_live: bool,
    /// Whether an operator asked it to drain.
    pub drain_asked: bool,
    /// Unix milliseconds when it began.
    pub started_at_ms: i64,
    /// Unix milliseconds, by the database's clock, when it was last heard of.
    pub seen_at_ms: i64,
}

/// How a node is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It takes what its roles say.
    Live,
    /// It was asked to take no new calls, and has not said yet that it does not.
    WillDrain,
    /// It takes no new calls.
    Draining,
    /// Its lease is over.
    Gone,
}

impl KnownNode {
    /// How it is.
    pub const fn state(&self) -> NodeState {
        match (self.is_live, self.node.draining, self.drain_asked) {
            (false, ..) => NodeState::Gone,
            (true, true, _) => NodeState::Draining,
            (true, false, true) => NodeState::WillDrain,
            (true, false, false) => NodeState::Live,
        }
    }
}

/// Why a name means no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOne {
    /// No live node is called so.
    Nobody,
    /// So many are.
    Several(usize),
}

/// The live node of this name or id.
///
/// # Errors
/// When there is none, or more than one.
pub fn named<'a>(nodes: &'a [KnownNode], wanted: &str) -> Result<&'a KnownNode, NotOne> {
    let fits = |known: &&KnownNode| known.is_live && (known.node.name == wanted || known.node.id.to_string() == wanted);
    let found: Vec<&KnownNode> = nodes.iter().filter(fits).collect();
    match found[..] {
        [] => Err(NotOne::Nobody),
        [known] => Ok(known),
        _ => Err(NotOne::Several(found.len())),
    }
}

/// Why a node may not join the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooFarApart {
    /// Of the one that wants to join.
    pub ours: u32,
    /// Of the one that is there.
    pub theirs: u32,
    /// What people call the one that is there.
    pub name: String,
    /// Its program's version.
    pub version: String,
}

impl fmt::Display for TooFarApart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours, theirs, name, version } = self;
        write!(
            f,
            "this program is of generation {ours}, and the node {name} (version {version}) is of generation {theirs}: "
        )?;
        f.write_str("only neighbouring generations work together. ")?;
        if ours < theirs {
            f.write_str("Start a newer version here.")
        } else {
            f.write_str("Bring that node up to date first, one generation at a time.")
        }
    }
}

impl std::error::Error for TooFarApart {}

/// Whether a node of this generation may join these.
///
/// # Errors
/// Names the first live node that is too far apart.
pub fn may_join(generation: u32, others: &[KnownNode]) -> Result<(), TooFarApart> {
    let far = others.iter().find(|other| other.is_live && other.node.generation.abs_diff(generation) > 1);
    far.map_or(Ok(()), |other| {
        Err(TooFarApart {
            ours: generation,
            theirs: other.node.generation,
            name: other.node.name.clone(),
            version: other.node.version.clone(),
        })
    })
}

/// Who of these takes a call best: of those that take calls and have room, the one with the largest share of its lines
/// free. A node that is in doubt comes later than one that is not, and the order among equals is fixed.
pub fn roomiest(nodes: &[KnownNode]) -> Option<&KnownNode> {
    let takes = |known: &&KnownNode| {
        let node = &known.node;
        let is_open = known.is_live && !node.draining && !known.drain_asked;
        is_open && node.roles.has(NodeRole::Media) && node.calls_live < node.calls_max
    };
    nodes.iter().filter(takes).min_by_key(|known| {
        let node = &known.node;
        (u64::from(node.calls_live) * 10_000 / u64::from(node.calls_max.max(1)), node.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(number: u8, generation: u32) -> KnownNode {
        let id = format!("019a0000-0000-7000-8000-0000000000{number:02x}").parse().expect("an id");
        let node = Node {
            id,
            name: format!("node-{number}"),
            address: String::new(),
            roles: NodeRoles::all(),
            generation,
            version: format!("{generation}.0"),
            calls_live: 0,
            calls_max: 10,
            draining: false,
        };
        KnownNode { node, is_live: true, drain_asked: false, started_at_ms: 0, seen_at_ms: 0 }
    }

    #[test]
    fn neighbouring_generations_work_together_and_others_are_told_why_not() {
        for theirs in [6, 7, 8] {
            assert_eq!(may_join(7, &[known(1, theirs)]), Ok(()));
        }
        let error = may_join(5, &[known(1, 6), known(2, 7)]).expect_err("too old").to_string();
        assert!(
            error.contains("generation 5") && error.contains("node-2") && error.contains("newer version"),
            "{error}"
        );
        let error = may_join(9, &[known(1, 7)]).expect_err("too new").to_string();
        assert!(error.contains("node-1") && error.contains("one generation at a time"), "{error}");
        assert_eq!(
            may_join(9, &[KnownNode { is_live: false, ..known(1, 7) }]),
            Ok(()),
            "a dead node is in nobody's way"
        );
    }

    #[test]
    fn a_call_goes_where_most_room_is() {
        let mut nodes = [known(1, 1), known(2, 1), known(3, 1)];
        nodes[0].node.calls_live = 5;
        nodes[1].node.calls_live = 6;
        nodes[1].node.calls_max = 100;
        nodes[2].node.calls_live = 1;
        let name = |nodes: &[KnownNode]| roomiest(nodes).map(|known| known.node.name.clone());
        assert_eq!(name(&nodes).as_deref(), Some("node-2"), "6 of 100 is less than 1 of 10");
        nodes[1].drain_asked = true;
        assert_eq!(name(&nodes).as_deref(), Some("node-3"));
        nodes[2].node.roles = "api,worker".parse().expect("roles");
        assert_eq!(name(&nodes).as_deref(), Some("node-1"));
        nodes[0].node.calls_live = 10;
        assert_eq!(name(&nodes), None);
    }

    #[test]
    fn roles_are_read_and_written_and_a_wrong_one_is_named() {
        let roles: NodeRoles = " media , api".parse().expect("roles");
        assert_eq!(roles.to_string(), "api,media");
        assert!(roles.has(NodeRole::Media) && !roles.has(NodeRole::Worker));
        assert!("api,medium".parse::<NodeRoles>().expect_err("wrong").contains("\"medium\""));
        assert!(" , ".parse::<NodeRoles>().is_err());
    }
}

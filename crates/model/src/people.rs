//! Who acts, and what they may do: roles, permissions and the table that joins them.
//!
//! The table is data (`permissions.csv`): one line per permission, one column per role. A change of it is a change of what
//! people may do, and reads as one in a review.

use base::{AccessKeyId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

const TABLE: &str = include_str!("permissions.csv");

/// What a person of a business is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers for the business and its plan. The last one cannot go.
    Owner,
    /// Runs everything but the plan.
    Admin,
    /// Leads the people at the desk and what agents say.
    Supervisor,
    /// Is at the desk: watches calls and takes over.
    Operator,
    /// Reads and counts.
    Analyst,
    /// Connects other systems.
    Developer,
}

impl Role {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Admin, Self::Supervisor, Self::Operator, Self::Analyst, Self::Developer];

    /// Its name, as the API and the table write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Supervisor => "supervisor",
            Self::Operator => "operator",
            Self::Analyst => "analyst",
            Self::Developer => "developer",
        }
    }

    /// What it may do.
    pub fn permissions(self) -> PermissionSet {
        match &*PARSED {
            Ok(table) => table[self as usize],
            Err(_) => PermissionSet::NONE, // The start of the program has refused it.
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownName)
    }
}

/// A name that is no role or no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName;

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such role or permission")
    }
}

impl std::error::Error for UnknownName {}

/// Calls a macro with every permission: its variant, its name, and what it allows. Whoever needs one thing per permission
/// (such as a type) makes it from here, so that none can be forgotten.
#[macro_export]
macro_rules! each_permission {
    ($make:ident) => {
        $make! {
            BusinessRead "business:read" "See the profile of the business.",
            BusinessManage "business:manage" "Change the profile, sign-in rules and address list of the business.",
            PeopleRead "people:read" "See who belongs to the business.",
            PeopleManage "people:manage" "Invite people, change roles, let people go.",
            KeysRead "keys:read" "See API keys and clients, never their secrets.",
            KeysManage "keys:manage" "Create, rotate and revoke API keys and clients.",
            AgentsRead "agents:read" "See agents and their versions.",
            AgentsWrite "agents:write" "Create agents and change drafts.",
            AgentsPublish "agents:publish" "Publish a version of an agent, or go back to one.",
            NumbersRead "numbers:read" "See numbers and where they lead.",
            NumbersManage "numbers:manage" "Add numbers and change where they lead.",
            CallsRead "calls:read" "See calls and their transcripts.",
            CallsPlace "calls:place" "Place calls and talk to an agent from a page.",
            CallsControl "calls:control" "End, transfer and take over calls.",
            RecordingsRead "recordings:read" "Listen to recordings.",
            ConversationsRead "conversations:read" "Read conversations.",
            ConversationsWrite "conversations:write" "Write into conversations.",
            CustomersRead "customers:read" "See customers.",
            CustomersWrite "customers:write" "Change customers.",
            TicketsRead "tickets:read" "See tickets.",
            TicketsWrite "tickets:write" "Raise and change tickets.",
            ProvidersRead "providers:read" "See providers, how they do, and which credentials there are.",
            ProvidersManage "providers:manage" "Set credentials of providers and test them.",
            ConfigRead "config:read" "See settings and feature flags.",
            ConfigManage "config:manage" "Change settings and feature flags.",
            WebhooksRead "webhooks:read" "See webhooks and their deliveries.",
            WebhooksManage "webhooks:manage" "Create, change, test and replay webhooks.",
            EventsRead "events:read" "Follow live events.",
            UsageRead "usage:read" "See usage and costs.",
            PlanManage "plan:manage" "Change the plan.",
            AuditRead "audit:read" "Read the audit log.",
            KnowledgeRead "knowledge:read" "See documents and tables.",
            KnowledgeWrite "knowledge:write" "Change documents and tables.",
            InstallationManage "installation:manage" "Run the installation: what no single business may decide.",
        }
    };
}

macro_rules! permission_enum {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// What somebody may do. Names are `subject:verb`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission {$(#[doc = $doc] $variant,)*}

        impl Permission {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, such as `agents:read`.
            pub const fn name(self) -> &'static str {
                match self {$(Self::$variant => $name,)*}
            }

            /// What it allows, in one sentence.
            pub const fn allows(self) -> &'static str {
                match self {$(Self::$variant => $doc,)*}
            }
        }
    };
}
each_permission!(permission_enum);

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.iter().copied().find(|one| one.name() == text).ok_or(UnknownName)
    }
}

impl Serialize for Permission {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(from)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Everything, also what only whoever runs the installation may do.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether it holds this one.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// What both hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the other one holds all of it.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// What it holds, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |one| self.contains(*one))
    }

    /// Reads names separated by spaces, as in a `scope` of OAuth 2.0 (RFC 6749, 3.3).
    ///
    /// # Errors
    /// The first name that is no permission.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split_ascii_whitespace().map(|name| name.parse::<Permission>().map_err(|_| name.to_owned())).collect()
    }
}

impl fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.iter().map(Permission::name);
        names.next().map_or(Ok(()), |first| f.write_str(first))?;
        names.try_for_each(|name| write!(f, " {name}"))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(from: I) -> Self {
        Self(from.into_iter().fold(0, |bits, one| bits | 1 << one as u8))
    }
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person of the business.
    User {
        /// Who.
        id: UserId,
        /// In which session.
        session: SessionId,
    },
    /// A program with an API key.
    Key {
        /// Which key.
        id: AccessKeyId,
    },
    /// A program with a token of OAuth 2.0.
    Client {
        /// Which client.
        id: AccessKeyId,
    },
    /// Whoever runs the installation: its own token, its command line, or a laptop that asks for none.
    Installation,
}

impl Actor {
    /// Its kind, in one word.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Key { .. } => "key",
            Self::Client { .. } => "client",
            Self::Installation => "installation",
        }
    }

    /// Its id, where it has one.
    pub fn id(self) -> Option<String> {
        match self {
            Self::User { id, .. } => Some(id.to_string()),
            Self::Key { id } | Self::Client { id } => Some(id.to_string()),
            Self::Installation => None,
        }
    }

    /// The person, if it is one.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            _ => None,
        }
    }
}

static PARSED: LazyLock<Result<[PermissionSet; 6], String>> = LazyLock::new(|| parse(TABLE));

/// Checks the table: every permission once, no unknown role, and nothing of the installation for a business. Called at the
/// start, so that a table that does not hold stops the program instead of the people.
///
/// # Errors
/// The line and what is wrong with it.
pub fn check_table() -> Result<(), String> {
    PARSED.as_ref().map(drop).map_err(Clone::clone)
}

fn parse(text: &str) -> Result<[PermissionSet; 6], String> {
    let mut lines = text.lines();
    let mut head = lines.next().unwrap_or_default().split(',');
    if head.next() != Some("permission") || !head.eq(Role::ALL.iter().map(|role| role.name())) {
        return Err("the first line names the columns: permission, then every role in order".into());
    }
    let mut sets: [Vec<Permission>; 6] = Default::default();
    let mut known = PermissionSet::NONE;
    for line in lines {
        let mut cells = line.split(',');
        let name = cells.next().unwrap_or_default();
        let permission: Permission = name.parse().map_err(|_| format!("{name}: there is no such permission"))?;
        if known.contains(permission) {
            return Err(format!("{name}: stands there twice"));
        }
        known = known.iter().chain([permission]).collect();
        let cells: Vec<&str> = cells.collect();
        if cells.len() != sets.len() {
            return Err(format!("{name}: needs {} cells", sets.len()));
        }
        for (set, cell) in sets.iter_mut().zip(cells) {
            match cell {
                "x" if permission == Permission::InstallationManage => {
                    return Err(format!("{name}: no role of a business may have it"));
                }
                "x" => set.push(permission),
                "" => {}
                other => return Err(format!("{name}: a cell is x or empty, not {other}")),
            }
        }
    }
    match Permission::ALL.iter().find(|one| !known.contains(**one)) {
        Some(missing) => Err(format!("{missing}: is not in the table")),
        None => Ok(sets.map(|set| set.into_iter().collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_for_every_permission_who_has_it() {
        assert_eq!(check_table(), Ok(()));
        assert!(Role::Owner.permissions().contains(Permission::PlanManage));
        assert!(!Role::Admin.permissions().contains(Permission::PlanManage));
        assert!(Role::Operator.permissions().contains(Permission::CallsControl));
        assert!(!Role::Analyst.permissions().contains(Permission::CallsControl));
        for role in Role::ALL {
            assert!(!role.permissions().contains(Permission::InstallationManage), "{role}");
            assert!(role.permissions().is_within(Role::Owner.permissions()), "an owner may do what a {role} may");
        }
    }

    #[test]
    fn the_page_about_access_shows_the_table() {
        let page = include_str!("../../../docs/access.md");
        for line in TABLE.lines().skip(1) {
            let mut cells = line.split(',');
            let permission: Permission = cells.next().and_then(|name| name.parse().ok()).expect("a permission");
            let cells: String =
                cells.map(|cell| if cell.is_empty() { " |".into() } else { format!(" {cell} |") }).collect();
            let row = format!("| `{permission}` | {} |{cells}", permission.allows());
            assert!(page.contains(&row), "docs/access.md lacks the line\n{row}");
        }
    }

    #[test]
    fn a_table_with_a_mistake_is_refused_with_its_place() {
        let without_audit: String =
            TABLE.lines().filter(|line| !line.starts_with("audit")).fold(String::new(), |mut text, line| {
                text.push_str(line);
                text.push('\n');
                text
            });
        let broken = [
            (without_audit, "audit:read: is not in the table"),
            (TABLE.replace("calls:read", "calls:reed"), "calls:reed: there is no such permission"),
            (TABLE.replace("installation:manage,,", "installation:manage,x,"), "no role of a business"),
            (format!("{TABLE}calls:read,,,,,,\n"), "calls:read: stands there twice"),
            (TABLE.replace("plan:manage,x,", "plan:manage,yes,"), "not yes"),
            (TABLE.replace(",analyst", ",analist"), "first line"),
        ];
        for (text, wanted) in broken {
            let error = parse(&text).expect_err(wanted);
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn permissions_are_written_and_read_as_a_scope_of_oauth() {
        let set = PermissionSet::parse("calls:read agents:read").expect("known");
        assert_eq!(set.to_string(), "agents:read calls:read");
        assert_eq!(PermissionSet::parse("calls:read calls:fly"), Err("calls:fly".into()));
        assert_eq!(PermissionSet::NONE.to_string(), "");
        assert_eq!(serde_json::from_str::<Permission>("\"audit:read\"").expect("known"), Permission::AuditRead);
    }
}

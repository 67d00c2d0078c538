//! Nodes and who has which call.

use crate::args;
use crate::contract::Answer;
use crate::db::{Db, DbRow, Reach, to_i64};
use crate::error::StoreError;
use crate::nodes::{Nodes, Orphan};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, CallId, Millis, NodeId, Secret, limits};
use model::business::TenantScope;
use model::node::{KnownNode, Node};
use uuid::Uuid;

const NODES: Reach = Db::across("nodes are the installation's");
const ORPHANS: Reach = Db::across("the calls of a dead node are of several businesses");

fn known(row: &DbRow) -> Answer<KnownNode> {
    let roles: String = row.get("roles")?;
    let node = Node {
        id: NodeId(row.get("id")?),
        name: row.get("name")?,
        address: row.get("address")?,
        roles: roles.parse().map_err(|_| StoreError::Corrupt("column roles: an unknown role".into()))?,
        generation: row.get("generation")?,
        version: row.get("version")?,
        calls_live: row.get("calls_live")?,
        calls_max: row.get("calls_max")?,
        draining: row.get("draining")?,
    };
    Ok(KnownNode {
        node,
        is_live: row.get("is_live")?,
        drain_asked: row.get("drain_asked")?,
        started_at_ms: row.get("started_at_ms")?,
        seen_at_ms: row.get("seen_at_ms")?,
    })
}

#[async_trait]
impl Nodes for SqlStore {
    async fn beat(&self, node: &Node, lease: Millis) -> Answer<bool> {
        let args = args![
            node.id.0,
            &node.name,
            &node.address,
            node.roles.to_string(),
            node.generation,
            &node.version,
            node.calls_live,
            node.calls_max,
            node.draining,
            to_i64(lease.0)?,
        ];
        let rows = self.db.write_rows(NODES, sql::BEAT_NODE, args).await?;
        rows.first().map_or(Ok(false), |row| row.get("drain_asked"))
    }

    async fn nodes(&self) -> Answer<Vec<KnownNode>> {
        let rows = self.db.read(NODES, sql::NODES, args![limits::PAGE_ROWS_MAX]).await?;
        rows.iter().map(known).collect()
    }

    async fn replace_nodes_at(&self, address: &str, node: NodeId) -> Answer<u64> {
        self.db.write(NODES, sql::END_OTHERS_AT, args![address, node.0]).await
    }

    async fn leave(&self, node: NodeId) -> Answer<()> {
        self.db.write(NODES, sql::LEAVE_NODE, args![node.0]).await.map(drop)
    }

    async fn ask_drain(&self, node: NodeId, drain: bool) -> Answer<bool> {
        Ok(self.db.write(NODES, sql::ASK_DRAIN, args![node.0, drain]).await? > 0)
    }

    async fn prune_nodes(&self, dead_for: Millis) -> Answer<u64> {
        self.db.write(ORPHANS, sql::PRUNE_NODES, args![to_i64(dead_for.0)?]).await
    }

    async fn claim_call(&self, scope: &TenantScope, call: CallId, node: NodeId, from: Option<NodeId>) -> Answer<bool> {
        let from = from.map_or(Uuid::nil(), |from| from.0);
        let args = args![scope.business.0, call.0, node.0, from];
        Ok(self.db.write(scope, sql::CLAIM_CALL, args).await? > 0)
    }

    async fn release_call(&self, scope: &TenantScope, call: CallId, node: NodeId) -> Answer<bool> {
        Ok(self.db.write(scope, sql::RELEASE_CALL, args![scope.business.0, call.0, node.0]).await? > 0)
    }

    async fn call_owner(&self, scope: &TenantScope, call: CallId) -> Answer<Option<NodeId>> {
        let row = self.db.read_one(scope, sql::CALL_OWNER, args![scope.business.0, call.0]).await?;
        row.map(|row| row.get("node").map(NodeId)).transpose()
    }

    async fn orphans(&self) -> Answer<Vec<Orphan>> {
        let rows = self.db.read(ORPHANS, sql::ORPHANS, args![limits::PAGE_ROWS_MAX]).await?;
        let orphan = |row: &DbRow| {
            let scope = TenantScope { business: BusinessId(row.get("business")?) };
            Ok(Orphan { scope, call: CallId(row.get("call")?), node: NodeId(row.get("node")?) })
        };
        rows.iter().map(orphan).collect()
    }

    fn peer_keys(&self) -> Vec<Secret<[u8; 32]>> {
        self.keys.derive("node to node").into_iter().map(|(_, key)| key).collect()
    }
}

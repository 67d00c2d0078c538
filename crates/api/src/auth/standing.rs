//! Whether somebody who came in with a right still has it: for connections that outlast the request which opened them.

use super::{Actor, Principal};
use crate::App;
use base::AccessKeyId;
use model::people::{Permission, PermissionSet};
use store::StoreError;
use store::people::{AccessKey, KeyKind};

/// The right by which a connection was opened.
pub(crate) struct Standing {
    app: App,
    principal: Principal,
    needs: Permission,
}

impl Standing {
    pub(crate) const fn new(app: App, principal: Principal, needs: Permission) -> Self {
        Self { app, principal, needs }
    }

    /// Whether it is still there: the session not ended, the key not revoked or expired, the role not changed. A database
    /// that does not answer takes nothing away: what goes on must not need it.
    pub(crate) async fn holds(&self) -> bool {
        match self.granted().await {
            Ok(granted) => granted.contains(self.needs),
            Err(StoreError::NotFound(_)) => false,
            Err(error) => {
                tracing::warn!(%error, "whether a connection may stay open cannot be read");
                true
            }
        }
    }

    async fn granted(&self) -> Result<PermissionSet, StoreError> {
        let (store, now_ms) = (self.app.node.store(), runtime::wall_ms());
        match self.principal.actor {
            Actor::User { id, session } => {
                let access = store.session_access(&self.principal.scope, session, now_ms).await?;
                let access = access.filter(|access| access.user == id);
                Ok(access.map_or(PermissionSet::default(), |access| access.role.permissions()))
            }
            Actor::Key { id } => self.of_key(KeyKind::Key, id).await,
            Actor::Client { id } => self.of_key(KeyKind::Client, id).await,
            Actor::Installation => Ok(PermissionSet::all()),
        }
    }

    async fn of_key(&self, kind: KeyKind, id: AccessKeyId) -> Result<PermissionSet, StoreError> {
        let now_ms = runtime::wall_ms();
        let key: AccessKey = self.app.node.store().key(&self.principal.scope, kind, id).await?;
        let is_void = key.revoked_at_ms.is_some() || key.expires_at_ms.is_some_and(|at| at <= now_ms);
        Ok(if is_void { PermissionSet::default() } else { key.permissions.intersection(self.principal.granted) })
    }
}

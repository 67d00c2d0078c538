//! What every store must obey about nodes and who has which call.

use crate::contract::Store;
use crate::laws::tenant;
use crate::shared::laws::until;
use base::{CallId, Millis, NodeId};
use model::node::{GENERATION, Node, NodeRoles};
use std::collections::BTreeSet;
use std::sync::Arc;

const LONG: Millis = Millis(60_000);
const SHORT: Millis = Millis(1);

fn node(name: &str) -> Node {
    Node {
        id: NodeId::generate(),
        name: name.into(),
        address: format!("http://{name}:8080"),
        roles: "api,media".parse::<NodeRoles>().expect("roles"),
        generation: GENERATION,
        version: "1.2.3".into(),
        calls_live: 3,
        calls_max: 200,
        draining: false,
    }
}

/// A node is there for as long as it says so, and goes when it says so.
pub async fn a_node_is_there_while_its_lease_runs(store: Arc<dyn Store>) {
    let (mut a, b) = (node("a"), node("b"));
    assert_eq!(store.beat(&a, LONG).await, Ok(false));
    assert_eq!(store.beat(&b, SHORT).await, Ok(false));
    until("the end of a lease", async || {
        let nodes = store.nodes().await.expect("nodes");
        let states: Vec<_> = nodes.iter().map(|known| (known.node.name.as_str(), known.is_live)).collect();
        states == [("a", true), ("b", false)]
    })
    .await;
    a.calls_live = 4;
    a.draining = true;
    assert_eq!(store.beat(&a, LONG).await, Ok(false));
    let known = store.nodes().await.expect("nodes");
    assert_eq!(known[0].node, a, "what it last said about itself");
    assert!(known[0].seen_at_ms >= known[0].started_at_ms && known[0].started_at_ms > 0);
    assert_eq!(store.prune_nodes(LONG).await, Ok(0), "it is not long enough ago");
    until("a lease that ended a while ago", async || store.prune_nodes(SHORT).await == Ok(1)).await;
    store.leave(a.id).await.expect("leaves");
    assert_eq!(store.nodes().await, Ok(Vec::new()));
}

/// An operator's wish reaches the node with its next beat, and outlives it.
pub async fn a_node_learns_that_it_should_drain(store: Arc<dyn Store>) {
    let a = node("a");
    assert_eq!(store.ask_drain(a.id, true).await, Ok(false), "there is no such node");
    store.beat(&a, LONG).await.expect("beats");
    assert_eq!(store.ask_drain(a.id, true).await, Ok(true));
    assert_eq!(store.beat(&a, LONG).await, Ok(true));
    assert_eq!(store.beat(&a, LONG).await, Ok(true));
    assert_eq!(store.ask_drain(a.id, false).await, Ok(true));
    assert_eq!(store.beat(&a, LONG).await, Ok(false));
}

/// A process that starts where another one ran has replaced it.
pub async fn a_process_that_was_replaced_has_no_lease_any_more(store: Arc<dyn Store>) {
    let (old, new, other) = (node("a"), node("a"), node("b"));
    store.beat(&old, LONG).await.expect("beats");
    store.beat(&other, LONG).await.expect("beats");
    assert_eq!(store.replace_nodes_at(&new.address, new.id).await, Ok(1));
    store.beat(&new, LONG).await.expect("beats");
    let live: Vec<_> = store.nodes().await.expect("nodes").into_iter().filter(|known| known.is_live).collect();
    let live: BTreeSet<_> = live.iter().map(|known| known.node.id).collect();
    assert_eq!(live, BTreeSet::from([other.id, new.id]));
}

/// Of many who want a call one gets it, and takes it only from whom it believes dead.
pub async fn a_call_has_one_node(store: Arc<dyn Store>) {
    let scope = tenant(store.as_ref(), "shop", "+49405550170").await.scope;
    let call = CallId::generate();
    assert_eq!(store.call_owner(&scope, call).await, Ok(None));
    let takers = (0..6).map(|_| {
        let (store, taker) = (Arc::clone(&store), NodeId::generate());
        tokio::spawn(async move { (taker, store.claim_call(&scope, call, taker, None).await) })
    });
    let answers = futures_util::future::join_all(takers.collect::<Vec<_>>()).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("no panic")).collect();
    let got: Vec<_> = answers.iter().filter(|(_, got)| *got == Ok(true)).map(|(taker, _)| *taker).collect();
    let [first] = got[..] else { panic!("{answers:?}") };
    assert_eq!(store.call_owner(&scope, call).await, Ok(Some(first)));
    assert_eq!(store.claim_call(&scope, call, first, None).await, Ok(true), "what one has already");
    let (second, third) = (NodeId::generate(), NodeId::generate());
    assert_eq!(store.claim_call(&scope, call, second, Some(third)).await, Ok(false), "it was never that one's");
    assert_eq!(store.claim_call(&scope, call, second, Some(first)).await, Ok(true));
    assert_eq!(store.claim_call(&scope, call, third, Some(first)).await, Ok(false), "somebody was faster");
    assert_eq!(store.release_call(&scope, call, first).await, Ok(false));
    assert_eq!(store.release_call(&scope, call, second).await, Ok(true));
    assert_eq!(store.call_owner(&scope, call).await, Ok(None));
}

/// Another business neither sees nor takes it.
pub async fn the_node_of_a_call_is_seen_by_its_business_alone(store: Arc<dyn Store>) {
    let ours = tenant(store.as_ref(), "shop", "+49405550170").await.scope;
    let theirs = tenant(store.as_ref(), "other", "+49405550171").await.scope;
    let (call, a, b) = (CallId::generate(), NodeId::generate(), NodeId::generate());
    assert_eq!(store.claim_call(&ours, call, a, None).await, Ok(true));
    assert_eq!(store.call_owner(&theirs, call).await, Ok(None));
    assert_eq!(store.release_call(&theirs, call, a).await, Ok(false));
    let _ = store.claim_call(&theirs, call, b, Some(a)).await; // Whatever it answers, it changes nothing of ours.
    assert_eq!(store.call_owner(&ours, call).await, Ok(Some(a)));
}

/// The calls of a node that is not there any more are found until somebody takes them.
pub async fn the_calls_of_a_dead_node_are_found(store: Arc<dyn Store>) {
    let scope = tenant(store.as_ref(), "shop", "+49405550170").await.scope;
    let (a, b) = (node("a"), node("b"));
    store.beat(&a, LONG).await.expect("beats");
    store.beat(&b, LONG).await.expect("beats");
    let (of_a, of_b, of_nobody) = (CallId::generate(), CallId::generate(), CallId::generate());
    store.claim_call(&scope, of_a, a.id, None).await.expect("claimed");
    store.claim_call(&scope, of_b, b.id, None).await.expect("claimed");
    store.claim_call(&scope, of_nobody, NodeId::generate(), None).await.expect("claimed");
    let orphans = async || -> Vec<_> { store.orphans().await.expect("calls").iter().map(|one| one.call).collect() };
    assert_eq!(orphans().await, [of_nobody]);
    store.beat(&a, SHORT).await.expect("beats for the last time");
    until("the end of a lease", async || orphans().await.contains(&of_a)).await;
    until("its calls keep its row", async || store.prune_nodes(SHORT).await == Ok(0)).await;
    let found = store.orphans().await.expect("calls").into_iter().find(|one| one.call == of_a).expect("found");
    assert_eq!((found.scope, found.node), (scope, a.id));
    assert_eq!(store.claim_call(&scope, of_a, b.id, Some(found.node)).await, Ok(true));
    assert_eq!(orphans().await, [of_nobody]);
}

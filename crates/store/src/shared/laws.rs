//! What every engine of sharing must obey. [`crate::shared_laws!`] makes each law a test of one engine.

use super::{Delivery, Held, Shared, SharedError, Subscription};
use base::{Millis, limits};
use bytes::Bytes;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tempfile_free::Folder;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

/// Makes every law a test. The argument is an expression that answers a future of `(Arc<dyn Shared>, guard)`; the guard lives
/// as long as the test.
#[macro_export]
macro_rules! shared_laws {
    ($open:expr) => {
        $crate::shared_laws!(@each $open;
            a_value_is_there_until_its_time_is_over,
            of_many_who_take_a_value_one_gets_it,
            of_many_who_want_a_lease_one_has_it_and_later_ones_have_higher_numbers,
            a_lease_that_ran_out_can_neither_be_extended_nor_given_back,
            a_counter_counts_everybody_and_begins_anew,
            a_message_reaches_every_listener_of_its_channel_and_no_other,
            a_slow_listener_is_told_that_it_missed_something,
            a_dropped_listener_leaves_the_others_alone,
            bytes_of_any_kind_come_back_as_they_were,
            what_makes_no_sense_is_refused,
        );
    };
    (@each $open:expr; $($law:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            let (shared, _guard) = $open.await;
            $crate::shared::laws::$law(shared).await;
        }
    )*};
}

const LONG: Millis = Millis(60_000);
const SHORT: Millis = Millis(80);
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks again and again until it is so.
pub async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    while !look().await {
        assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
        ticks.tick().await;
    }
}

/// What a listener hears next.
///
/// # Panics
/// When it hears nothing in time.
pub async fn hears(listener: &mut Subscription) -> Delivery {
    timeout(PATIENCE, listener.next()).await.expect("something is heard").expect("the channel is open")
}

fn message(text: &'static str) -> Delivery {
    Delivery::Message(Bytes::from_static(text.as_bytes()))
}

#[allow(missing_docs)]
pub async fn a_value_is_there_until_its_time_is_over(shared: Arc<dyn Shared>) {
    assert_eq!(shared.get("a").await, Ok(None));
    shared.put("a", b"one", LONG).await.expect("put");
    shared.put("a", b"two", LONG).await.expect("put");
    assert_eq!(shared.get("a").await, Ok(Some(Bytes::from_static(b"two"))));
    shared.put("a", b"three", SHORT).await.expect("put");
    until("the end of a value", async || shared.get("a").await == Ok(None)).await;
}

#[allow(missing_docs)]
pub async fn of_many_who_take_a_value_one_gets_it(shared: Arc<dyn Shared>) {
    shared.put("ticket", b"call", LONG).await.expect("put");
    let takers = (0..8).map(|_| {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { shared.take("ticket").await.expect("an answer").is_some() })
    });
    let takers = futures_util::future::join_all(takers.collect::<Vec<_>>()).await;
    assert_eq!(takers.into_iter().filter(|got| matches!(got, Ok(true))).count(), 1);
    assert_eq!(shared.get("ticket").await, Ok(None));
}

#[allow(missing_docs)]
pub async fn of_many_who_want_a_lease_one_has_it_and_later_ones_have_higher_numbers(shared: Arc<dyn Shared>) {
    let wanters = (0..8).map(|n| {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { shared.put_new("campaign", &format!("node-{n}"), LONG).await.expect("an answer") })
    });
    let answers = futures_util::future::join_all(wanters.collect::<Vec<_>>()).await;
    let mut leases = Vec::new();
    let mut others = Vec::new();
    for answer in answers {
        match answer.expect("no panic") {
            Held::Ours(lease) => leases.push(lease),
            Held::Theirs { holder, left } => others.push((holder, left)),
        }
    }
    let [first] = &leases[..] else { panic!("{leases:?}") };
    assert!(others.iter().all(|(holder, left)| *holder == first.holder && *left <= LONG && left.0 > 0), "{others:?}");
    assert_eq!(shared.extend(first, LONG).await, Ok(true));
    assert_eq!(shared.release(first).await, Ok(true));
    assert_eq!(shared.release(first).await, Ok(false), "it is given back already");
    let Ok(Held::Ours(second)) = shared.put_new("campaign", "a:name:with:colons", LONG).await else { panic!("free") };
    assert!(second.fence > first.fence);
    assert_eq!(shared.extend(first, LONG).await, Ok(false), "the first one lost it");
    assert_eq!(shared.release(first).await, Ok(false));
    let theirs = shared.put_new("campaign", "late", LONG).await.expect("an answer");
    assert!(matches!(theirs, Held::Theirs { holder, .. } if holder == "a:name:with:colons"));
}

#[allow(missing_docs)]
pub async fn a_lease_that_ran_out_can_neither_be_extended_nor_given_back(shared: Arc<dyn Shared>) {
    let Ok(Held::Ours(first)) = shared.put_new("x", "me", SHORT).await else { panic!("free") };
    let mut second = None;
    until("the end of a lease", async || match shared.put_new("x", "me", LONG).await {
        Ok(Held::Ours(lease)) => second.replace(lease).is_none(),
        _ => false,
    })
    .await;
    let second = second.expect("held");
    assert!(second.fence > first.fence, "the same holder, and still another lease");
    assert_eq!(shared.extend(&first, LONG).await, Ok(false));
    assert_eq!(shared.release(&first).await, Ok(false));
    assert_eq!(shared.release(&second).await, Ok(true));
}

#[allow(missing_docs)]
pub async fn a_counter_counts_everybody_and_begins_anew(shared: Arc<dyn Shared>) {
    let adders = (0..10).map(|_| {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { shared.count("logins", 3, LONG).await.expect("counted").total })
    });
    let totals = futures_util::future::join_all(adders.collect::<Vec<_>>()).await;
    assert_eq!(totals.into_iter().filter_map(Result::ok).max(), Some(30));
    let now = shared.count("logins", 0, LONG).await.expect("counted");
    assert!(now.total == 30 && now.left.0 > 0 && now.left <= LONG, "{now:?}");
    assert_eq!(shared.count("soon", 5, SHORT).await.map(|count| count.total), Ok(5));
    until("the end of a window", async || {
        shared.count("soon", 1, SHORT).await.is_ok_and(|count| count.total == 1 && count.left.0 > 0)
    })
    .await;
}

#[allow(missing_docs)]
pub async fn a_message_reaches_every_listener_of_its_channel_and_no_other(shared: Arc<dyn Shared>) {
    shared.publish("calls", b"nobody hears this").await.expect("published");
    let mut first = shared.subscribe("calls").await.expect("listens");
    let mut second = shared.subscribe("calls").await.expect("listens");
    let mut other = shared.subscribe("calls:more").await.expect("listens");
    shared.publish("calls", b"one").await.expect("published");
    shared.publish("calls", b"two").await.expect("published");
    shared.publish("calls:more", b"three").await.expect("published");
    for listener in [&mut first, &mut second] {
        assert_eq!((hears(listener).await, hears(listener).await), (message("one"), message("two")), "in order");
    }
    assert_eq!(hears(&mut other).await, message("three"));
}

#[allow(missing_docs)]
pub async fn a_slow_listener_is_told_that_it_missed_something(shared: Arc<dyn Shared>) {
    let mut slow = shared.subscribe("calls").await.expect("listens");
    let mut quick = shared.subscribe("calls").await.expect("listens");
    for n in 0..=limits::SHARED_MESSAGES_MAX {
        shared.publish("calls", n.to_string().as_bytes()).await.expect("published");
        assert_eq!(hears(&mut quick).await, Delivery::Message(Bytes::from(n.to_string())));
    }
    assert_eq!(hears(&mut slow).await, Delivery::Missed);
    assert_eq!(hears(&mut slow).await, message("1"), "and goes on with what is left");
}

#[allow(missing_docs)]
pub async fn a_dropped_listener_leaves_the_others_alone(shared: Arc<dyn Shared>) {
    let mut stays = shared.subscribe("calls").await.expect("listens");
    drop(shared.subscribe("calls").await.expect("listens"));
    drop(shared.subscribe("gone").await.expect("listens"));
    shared.publish("gone", b"into the void").await.expect("published");
    let mut again = shared.subscribe("gone").await.expect("listens again");
    shared.publish("gone", b"back").await.expect("published");
    // What was on its way while nobody listened may still arrive: who listens anew asks how things stand anyway.
    let mut heard = hears(&mut again).await;
    if heard == message("into the void") {
        heard = hears(&mut again).await;
    }
    assert_eq!(heard, message("back"));
    shared.publish("calls", b"still").await.expect("published");
    assert_eq!(hears(&mut stays).await, message("still"));
}

#[allow(missing_docs)]
pub async fn bytes_of_any_kind_come_back_as_they_were(shared: Arc<dyn Shared>) {
    let all: Vec<u8> = (0..=255).cycle().take(limits::SHARED_VALUE_BYTES_MAX).collect();
    shared.put("a key with spaces\r\nand lines", &all, LONG).await.expect("put");
    assert_eq!(shared.get("a key with spaces\r\nand lines").await, Ok(Some(Bytes::from(all))));
    shared.put("empty", b"", LONG).await.expect("put");
    assert_eq!(shared.get("empty").await, Ok(Some(Bytes::new())));
}

#[allow(missing_docs)]
pub async fn what_makes_no_sense_is_refused(shared: Arc<dyn Shared>) {
    let long = "k".repeat(limits::SHARED_KEY_BYTES_MAX + 1);
    let large = vec![0; limits::SHARED_VALUE_BYTES_MAX + 1];
    for key in ["", long.as_str()] {
        assert!(matches!(shared.get(key).await, Err(SharedError::Invalid(_))));
        assert!(matches!(shared.put_new(key, "me", LONG).await, Err(SharedError::Invalid(_))));
        assert!(matches!(shared.count(key, 1, LONG).await, Err(SharedError::Invalid(_))));
        assert!(matches!(shared.subscribe(key).await, Err(SharedError::Invalid(_))));
    }
    assert!(matches!(shared.put("a", &large, LONG).await, Err(SharedError::Invalid(_))));
    assert!(matches!(shared.publish("a", &large).await, Err(SharedError::Invalid(_))));
    assert!(matches!(shared.put("a", b"", Millis::ZERO).await, Err(SharedError::Invalid(_))));
    assert!(matches!(shared.count("a", 1, Millis::ZERO).await, Err(SharedError::Invalid(_))));
}

/// A Redis server of its own on the loopback interface, which keeps nothing. Gone when dropped.
pub struct LoopbackRedis {
    port: u16,
    folder: Folder,
    child: Child,
}

impl LoopbackRedis {
    /// Starts one at a free port.
    ///
    /// # Panics
    /// When there is no `redis-server` on this machine, which `cargo xtask setup` installs.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let folder = Folder::new();
        let child = spawn(port, &folder);
        let server = Self { port, folder, child };
        server.ready().await;
        server
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the server is killed");
    }

    /// Starts it again at the same port, empty.
    pub async fn start_again(&mut self) {
        self.child = spawn(self.port, &self.folder);
        self.ready().await;
    }

    /// Stops it without closing its connections (`SIGSTOP`), or lets it go on.
    pub async fn freeze(&self, is_frozen: bool) {
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        let pid = self.child.id().expect("it runs").to_string();
        let done = Command::new("kill").args([signal, &pid]).status().await.expect("kill runs");
        assert!(done.success());
    }

    async fn ready(&self) {
        let at = (Ipv4Addr::LOCALHOST, self.port);
        until("a Redis server", async || tokio::net::TcpStream::connect(at).await.is_ok()).await;
    }
}

fn spawn(port: u16, folder: &Folder) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--daemonize", "no", "--loglevel", "warning"])
        .arg("--dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server starts; `cargo xtask setup` installs it")
}

/// A folder that is removed when dropped; the library that tests use for it is no dependency of the program.
mod tempfile_free {
    use std::path::{Path, PathBuf};

    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn new() -> Self {
            let path = std::env::temp_dir().join(format!("frontdesk-redis-{}", uuid::Uuid::new_v4().as_simple()));
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0); // What stays is empty and in the folder for such things.
        }
    }
}

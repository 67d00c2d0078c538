//! Sharing through a Redis server (version 6.2 or newer, or what speaks its protocol: <https://redis.io/docs/latest/commands/>).
//!
//! One multiplexed connection for requests, which opens itself again, and one that listens. What has several steps is a
//! script, so that it happens whole.

use super::hub::Hub;
use super::{Count, Held, Lease, Shared, SharedAnswer, SharedError, Sharing, Subscription};
use super::{check_key, check_time, check_value};
use ::redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSubSink};
use ::redis::{Client, Cmd, FromRedisValue, RedisError, Script, ScriptInvocation, cmd};
use async_trait::async_trait;
use base::{Millis, Secret, limits};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Holds KEYS[1] for ARGV[1] milliseconds as ARGV[2] unless it is held; KEYS[2] counts leases.
const HOLD: &str = "local held = redis.call('GET', KEYS[1])
if held then return {0, held, redis.call('PTTL', KEYS[1])} end
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], fence .. ':' .. ARGV[2], 'PX', ARGV[1])
return {1, tostring(fence), 0}";
const EXTEND: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";
const RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";
const COUNT: &str = "local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) left = tonumber(ARGV[2]) end
return {total, left}";

/// Where the server is.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// `redis://[user:password@]host[:port][/database]`, `rediss://` over TLS.
    pub url: Secret<String>,
    /// What every key begins with, so that several installations can use one server.
    pub prefix: String,
}

/// What nodes share, on a Redis server.
pub struct Redis {
    connection: ConnectionManager,
    prefix: String,
    hub: Arc<Hub>,
    wishes: mpsc::Sender<Wish>,
    is_heard: Arc<AtomicBool>,
    scripts: Scripts,
}

struct Scripts {
    hold: Script,
    extend: Script,
    release: Script,
    count: Script,
}

/// A channel that somebody wants to listen to, and where to tell that it is so.
struct Wish {
    channel: String,
    heard: oneshot::Sender<()>,
}

impl Redis {
    /// Opens connections when they are needed; a server that is away is no error here.
    ///
    /// # Errors
    /// When the address makes no sense. The text holds no password.
    pub fn open(options: RedisOptions) -> SharedAnswer<Self> {
        let unreadable =
            |_| SharedError::Invalid("the address of Redis is redis://host:port/database, or rediss:// for TLS");
        let client = Client::open(options.url.expose().as_str()).map_err(unreadable)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(limits::SHARED_CONNECT_MS_MAX)))
            .set_response_timeout(Some(Duration::from_millis(limits::SHARED_MS_MAX)))
            .set_number_of_retries(2)
            .set_min_delay(Duration::from_millis(limits::SHARED_PROBE_MS / 2))
            .set_max_delay(Duration::from_millis(limits::SHARED_PROBE_MS));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(unreadable)?;
        let (wishes, wanted) = mpsc::channel(limits::SHARED_WISHES_MAX);
        let (hub, is_heard) = (Arc::new(Hub::default()), Arc::new(AtomicBool::new(false)));
        let ears =
            Ears { client, hub: Arc::clone(&hub), prefix: options.prefix.clone(), is_heard: Arc::clone(&is_heard) };
        // Ends when the last wish cannot come any more.
        tokio::spawn(ears.run(wanted));
        let scripts = Scripts {
            hold: Script::new(HOLD),
            extend: Script::new(EXTEND),
            release: Script::new(RELEASE),
            count: Script::new(COUNT),
        };
        Ok(Self { connection, prefix: options.prefix, hub, wishes, is_heard, scripts })
    }

    fn key(&self, kind: &str, key: &str) -> SharedAnswer<String> {
        check_key(key)?;
        Ok(format!("{}:{kind}:{key}", self.prefix))
    }

    async fn ask<T: FromRedisValue>(&self, request: &Cmd) -> SharedAnswer<T> {
        let mut connection = self.connection.clone();
        let answer = request.query_async(&mut connection);
        in_time(answer).await
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> SharedAnswer<T> {
        let mut connection = self.connection.clone();
        let answer = script.invoke_async(&mut connection);
        in_time(answer).await
    }

    /// Listens, and says when the server knows.
    pub(super) fn listen(&self, channel: &str) -> SharedAnswer<(Subscription, oneshot::Receiver<()>)> {
        check_key(channel)?;
        let subscription = self.hub.listen(channel)?;
        let (heard, is_heard) = oneshot::channel();
        // A full queue means a server that is away; its return brings all channels of the hub anyway.
        let _ = self.wishes.try_send(Wish { channel: channel.to_owned(), heard });
        Ok((subscription, is_heard))
    }

    /// Whether the connection that listens is up.
    pub(super) fn is_heard(&self) -> bool {
        self.is_heard.load(Ordering::Acquire)
    }
}

/// The answer, in time.
async fn in_time<T>(answer: impl Future<Output = Result<T, RedisError>>) -> SharedAnswer<T> {
    match timeout(Duration::from_millis(limits::SHARED_MS_MAX), answer).await {
        Ok(Ok(answer)) => Ok(answer),
        // The library's text names kinds and codes, never values.
        Ok(Err(error)) => Err(SharedError::Away(error.to_string())),
        Err(_elapsed) => Err(SharedError::Away(format!("no answer within {} ms", limits::SHARED_MS_MAX))),
    }
}

/// What a lease looks like on the server.
fn held_as(lease: &Lease) -> String {
    format!("{}:{}", lease.fence, lease.holder)
}

#[async_trait]
impl Shared for Redis {
    async fn get(&self, key: &str) -> SharedAnswer<Option<Bytes>> {
        let found: Option<Vec<u8>> = self.ask(cmd("GET").arg(self.key("v", key)?)).await?;
        Ok(found.map(Bytes::from))
    }

    async fn put(&self, key: &str, value: &[u8], keep: Millis) -> SharedAnswer<()> {
        check_value(value)?;
        check_time(keep)?;
        self.ask(cmd("SET").arg(self.key("v", key)?).arg(value).arg("PX").arg(keep.0)).await
    }

    async fn take(&self, key: &str) -> SharedAnswer<Option<Bytes>> {
        let found: Option<Vec<u8>> = self.ask(cmd("GETDEL").arg(self.key("v", key)?)).await?;
        Ok(found.map(Bytes::from))
    }

    async fn put_new(&self, key: &str, holder: &str, keep: Millis) -> SharedAnswer<Held> {
        check_value(holder.as_bytes())?;
        check_time(keep)?;
        let fences = format!("{}:fence", self.prefix);
        let mut call = self.scripts.hold.key(self.key("l", key)?);
        call.key(fences).arg(keep.0).arg(holder);
        let (ours, text, left): (u8, String, i64) = self.run(&call).await?;
        if ours == 1 {
            let fence = text.parse().map_err(|_| SharedError::Away("a lease without its number".into()))?;
            return Ok(Held::Ours(Lease { key: key.to_owned(), holder: holder.to_owned(), fence }));
        }
        let holder = text.split_once(':').map_or(text.as_str(), |(_, holder)| holder).to_owned();
        Ok(Held::Theirs { holder, left: Millis(u64::try_from(left).unwrap_or(0)) })
    }

    async fn extend(&self, lease: &Lease, keep: Millis) -> SharedAnswer<bool> {
        check_time(keep)?;
        let mut call = self.scripts.extend.key(self.key("l", &lease.key)?);
        call.arg(held_as(lease)).arg(keep.0);
        self.run(&call).await
    }

    async fn release(&self, lease: &Lease) -> SharedAnswer<bool> {
        let mut call = self.scripts.release.key(self.key("l", &lease.key)?);
        call.arg(held_as(lease));
        self.run(&call).await
    }

    async fn count(&self, key: &str, add: u64, window: Millis) -> SharedAnswer<Count> {
        check_time(window)?;
        let mut call = self.scripts.count.key(self.key("c", key)?);
        call.arg(add).arg(window.0);
        let (total, left): (u64, i64) = self.run(&call).await?;
        Ok(Count { total, left: Millis(u64::try_from(left).unwrap_or(0)) })
    }

    async fn publish(&self, channel: &str, message: &[u8]) -> SharedAnswer<()> {
        check_value(message)?;
        let heard_by: i64 = self.ask(cmd("PUBLISH").arg(self.key("m", channel)?).arg(message)).await?;
        tracing::trace!(channel, heard_by, "published");
        Ok(())
    }

    async fn subscribe(&self, channel: &str) -> SharedAnswer<Subscription> {
        let (subscription, is_heard) = self.listen(channel)?;
        match timeout(Duration::from_millis(limits::SHARED_MS_MAX), is_heard).await {
            Ok(Ok(())) => Ok(subscription),
            _ => Err(SharedError::Away("the connection that listens is not open".into())),
        }
    }

    async fn check(&self) -> SharedAnswer<()> {
        let _pong: String = self.ask(&cmd("PING")).await?;
        Ok(())
    }

    fn sharing(&self) -> Sharing {
        if self.is_heard() { Sharing::Together } else { Sharing::Away }
    }
}

/// The connection that listens.
struct Ears {
    client: Client,
    hub: Arc<Hub>,
    prefix: String,
    is_heard: Arc<AtomicBool>,
}

impl Ears {
    async fn run(self, mut wanted: mpsc::Receiver<Wish>) {
        let mut was_away = false;
        loop {
            // Whoever drops the server's handle ends this.
            if wanted.is_closed() {
                return;
            }
            match self.listen(&mut wanted, was_away).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(%error, "the connection that listens is gone");
                    self.is_heard.store(false, Ordering::Release);
                    was_away = true;
                    tokio::time::sleep(Duration::from_millis(limits::SHARED_PROBE_MS)).await;
                }
            }
        }
    }

    /// Listens until the connection breaks, or nobody can wish for anything any more.
    async fn listen(&self, wanted: &mut mpsc::Receiver<Wish>, was_away: bool) -> SharedAnswer<()> {
        let open = timeout(Duration::from_millis(limits::SHARED_CONNECT_MS_MAX), self.client.get_async_pubsub()).await;
        let open = open.map_err(|_| SharedError::Away("no connection in time".into()))?;
        let (mut sink, mut messages) = open.map_err(|error| SharedError::Away(error.to_string()))?.split();
        for channel in self.hub.channels() {
            in_time(sink.subscribe(self.name(&channel))).await?;
        }
        self.is_heard.store(true, Ordering::Release);
        if was_away {
            self.hub.missed();
        }
        let mut ticks = tokio::time::interval(Duration::from_millis(limits::SHARED_PING_MS));
        loop {
            tokio::select! {
                wish = wanted.recv() => match wish {
                    None => return Ok(()),
                    Some(wish) => {
                        in_time(sink.subscribe(self.name(&wish.channel))).await?;
                        let _ = wish.heard.send(()); // Whoever wished it may have gone.
                    }
                },
                message = messages.next() => {
                    let message = message.ok_or_else(|| SharedError::Away("the connection was closed".into()))?;
                    let channel = message.get_channel_name();
                    let place = channel.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_prefix(":m:"));
                    if let Some(channel) = place {
                        self.hub.deliver(channel, Bytes::copy_from_slice(message.get_payload_bytes()));
                    }
                }
                _ = ticks.tick() => self.tidy(&mut sink).await?,
            }
        }
    }

    /// Leaves channels that nobody listens to, and finds out whether the connection lives.
    async fn tidy(&self, sink: &mut PubSubSink) -> SharedAnswer<()> {
        for channel in self.hub.prune() {
            in_time(sink.unsubscribe(self.name(&channel))).await?;
        }
        in_time(sink.ping::<::redis::Value>()).await.map(drop)
    }

    fn name(&self, channel: &str) -> String {
        format!("{}:m:{channel}", self.prefix)
    }
}

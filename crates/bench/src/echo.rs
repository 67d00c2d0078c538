//! The yardstick: an echo server with the same WebSocket settings that takes every audio message apart and sends its audio
//! back as a new message. A server of calls cannot cost less than this.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use base::limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::Write as _;
use tokio::net::TcpListener;

/// Says where it listens on standard output, then serves until it is stopped.
pub async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let router =
        Router::new().route("/carriers/{carrier}/voice", post(voice)).route("/carriers/{carrier}/media", get(media));
    let listener = listener.tap_io(|stream| {
        // A small message that waits for the next one would be charged to the server under test.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn voice(axum::extract::Path(carrier): axum::extract::Path<String>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let answer =
        format!("<Response><Connect><Stream url=\"ws://{host}/carriers/{carrier}/media\"/></Connect></Response>");
    ([(header::CONTENT_TYPE, "text/xml")], answer).into_response()
}

async fn media(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(limits::MEDIA_MESSAGE_BYTES_MAX)
        .max_frame_size(limits::MEDIA_MESSAGE_BYTES_MAX)
        .on_upgrade(echo)
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default, rename = "streamSid")]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    media: Option<Audio<'a>>,
}

#[derive(Deserialize)]
struct Audio<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

async fn echo(mut socket: WebSocket) {
    let mut audio = Vec::new();
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Ok(said) = serde_json::from_str::<Said<'_>>(&text) else { continue };
        match (&*said.event, said.media) {
            ("media", Some(media)) => {
                audio.clear();
                if STANDARD.decode_vec(&*media.payload, &mut audio).is_err() {
                    return;
                }
                let mut answer = format!(r#"{{"event":"media","streamSid":"{}","media":{{"payload":""#, said.stream);
                STANDARD.encode_string(&audio, &mut answer);
                answer.push_str("\"}}");
                if socket.send(Message::Text(answer.into())).await.is_err() {
                    return;
                }
            }
            ("stop", _) => return,
            _ => {}
        }
    }
}

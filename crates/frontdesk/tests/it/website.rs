//! A visitor of a website writes to an agent, over the line that the widget opens, by the real program: nothing is spoken, the
//! visitor may go and come back, sees a person take over, and reads what was written meanwhile.

use crate::rig::{Server, Setting, World, poll};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const SHOP: &str = "https://shop.example";
const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const PATIENCE: Duration = Duration::from_secs(10);

/// A page of the website.
struct Page {
    line: WebSocketStream<TcpStream>,
    seen: Vec<Value>,
    frames: usize,
}

impl Page {
    async fn open(server: &Server, place: &str, token: &str) -> Self {
        let url = server.url(&format!("{place}/line")).replace("http://", "ws://");
        let mut request = url.as_str().into_client_request().expect("a request");
        let protocols = format!("frontdesk.visit.v1, frontdesk.token.{token}");
        request.headers_mut().insert("origin", SHOP.parse().expect("a header"));
        request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("a header"));
        let host = url.trim_start_matches("ws://").split('/').next().expect("a host").to_owned();
        let tcp = TcpStream::connect(host).await.expect("a connection");
        let (line, answer) = tokio_tungstenite::client_async(request, tcp).await.expect("a socket");
        assert_eq!(answer.headers()["sec-websocket-protocol"], "frontdesk.visit.v1", "and never the token");
        let mut page = Self { line, seen: Vec::new(), frames: 0 };
        page.tell(json!({"type": "start", "written": true})).await;
        page
    }

    async fn tell(&mut self, message: Value) {
        self.line.send(Message::Text(message.to_string().into())).await.expect("sent");
    }

    async fn types(&mut self, text: &str) {
        self.tell(json!({"type": "text", "text": text})).await;
    }

    /// The next event of this kind with these words.
    async fn sees(&mut self, event: &str, words: &str) -> Value {
        let wait = async {
            loop {
                match self.line.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let told: Value = serde_json::from_str(&text).expect("JSON");
                        self.seen.push(told.clone());
                        let said = told["text"].as_str().unwrap_or_default();
                        if told["event"] == event && said.contains(words) {
                            return told;
                        }
                    }
                    Some(Ok(Message::Binary(_))) => self.frames += 1,
                    Some(Ok(_)) => {}
                    other => panic!("the line is over: {other:?} after {:?}", self.seen),
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("no {event} with {words:?}"))
    }

    /// The code with which the line is closed.
    async fn is_closed(&mut self) -> u16 {
        let wait = async {
            loop {
                match self.line.next().await {
                    Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                    Some(Ok(_)) => {}
                    other => panic!("closed without a word: {other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("a close")
    }
}

/// A widget on the shop's website, and a visit by it: where, the token, the call.
async fn visit(server: &Server) -> (String, String, String) {
    let (_, agents) = server.get("/api/v1/agents").await;
    let settings = json!({"name": "site", "agent": agents["items"][0]["id"], "origins": [SHOP]});
    let (status, widget) = server.post("/api/v1/widgets", &settings).await;
    assert_eq!(status, StatusCode::CREATED, "{widget}");
    let place = format!("/api/v1/widget/{}", widget["key"].as_str().expect("a key"));
    let begin = server.http().post(server.url(&format!("{place}/visits"))).header("origin", SHOP);
    let begun: Value = begin.send().await.expect("an answer").json().await.expect("JSON");
    let text = |name: &str| begun[name].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    (place, text("token"), text("call"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_writes_goes_away_comes_back_and_meets_a_person() {
    let rules = vec![Rule::on_user("open on saturday", Reply::says(OPENING))];
    let world = World::new(Setting::new(&[], rules)).await;
    let server = world.serve().await;
    let (place, token, id) = visit(&server).await;
    let mut page = Page::open(&server, &place, &token).await;
    page.sees("agent_turn", "").await;
    page.types(SATURDAY).await;
    let answer = page.sees("agent_turn", OPENING).await;
    assert_eq!(answer["complete"], true, "what is written is read");

    // Another page of the website goes on with the same conversation.
    drop(page);
    let mut page = Page::open(&server, &place, &token).await;
    page.types(SATURDAY).await;
    page.sees("agent_turn", OPENING).await;
    let read = server.http().get(server.url(&format!("{place}/messages"))).header("origin", SHOP).bearer_auth(&token);
    let read: Value = read.send().await.expect("an answer").json().await.expect("JSON");
    let mine = read["items"].as_array().expect("messages").iter().filter(|one| one["role"] == "customer");
    assert_eq!(mine.count(), 2, "{read}");

    // A third one while the second is open: the second one is told.
    let mut third = Page::open(&server, &place, &token).await;
    assert_eq!(page.is_closed().await, 4001);
    let (status, _) = server.post(&format!("/api/v1/calls/{id}/take-over"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let taken = third.sees("taken_over", "").await;
    assert_eq!(taken["by"], Value::Null, "which person is nobody's business");
    server.post(&format!("/api/v1/calls/{id}/say"), &json!({"text": "Kim here."})).await;
    third.sees("agent_turn", "Kim here.").await;
    server.post(&format!("/api/v1/calls/{id}/hand-back"), &Value::Null).await;
    third.sees("handed_back", "").await;
    third.types(SATURDAY).await;
    third.sees("agent_turn", OPENING).await;
    third.tell(json!({"type": "end"})).await;
    assert_eq!(third.is_closed().await, 1000);
    assert_eq!(third.frames + page.frames, 0, "nothing is spoken");

    let detail = poll(PATIENCE, "the end of the call", async || {
        let detail = server.detail(&id).await;
        (!detail.call()["ended_at_ms"].is_null()).then_some(detail)
    })
    .await;
    assert_eq!(detail.call()["carrier"], "website");
    let stages: Vec<&Value> = detail.0["costs"].as_array().expect("costs").iter().map(|cost| &cost["stage"]).collect();
    assert!(!stages.iter().any(|stage| **stage == "tts" || **stage == "stt"), "{stages:?}");
    assert_eq!(detail.call()["recorded"], false);
    world.assert_replays(&id).await;
    let mut late = Page::open(&server, &place, &token).await;
    assert_eq!(late.is_closed().await, 4000, "over is over");
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_who_types_without_end_is_shown_the_door() {
    let world = World::new(Setting::new(&[], vec![Rule::on_user("open on saturday", Reply::says(OPENING))])).await;
    let server = world.serve().await;
    let (place, token, _) = visit(&server).await;
    let mut page = Page::open(&server, &place, &token).await;
    for _ in 0..12 {
        page.types(SATURDAY).await;
    }
    assert_eq!(page.is_closed().await, 4029);
}

//! Lines by WebRTC, as far as HTTP goes: who may open one, what is refused, and how a session is changed.

use crate::rig::{Rig, on_both};
use axum::http::StatusCode;
use serde_json::{Value, json};

const SHOP: &str = "https://shop.example";
const PLACE: &str = "/api/v1/webrtc/browser";
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Written by hand after RFC 8829, 5.2: audio both ways, and a data channel.
fn offer() -> String {
    let fingerprint = ["AB"; 32].join(":");
    let transport = format!(
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901234\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\n"
    );
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS *\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{transport}a=mid:0\r\n\
        a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n{transport}a=mid:1\r\n\
        a=sctp-port:5000\r\na=max-message-size:262144\r\n"
    )
}

async fn a_page_opens_a_session_and_only_its_business_changes_it(rig: Rig) {
    let (owner, other) = (rig.owner("shop").await, rig.owner("fair").await);
    let bearer = |token: &str| format!("Bearer {token}");
    let (mine, theirs) = (bearer(&owner.token), bearer(&other.token));
    let options = rig.ask(&owner.token, "GET", PLACE, None).await.good().json();
    assert_eq!(options, json!({"enabled": true, "ice_servers": []}));
    let opened = rig.send_text("POST", PLACE, &[("authorization", &mine)], Some((SDP, &offer()))).await;
    assert_eq!((opened.status, opened.header("content-type")), (StatusCode::CREATED, SDP), "{opened:?}");
    assert!(opened.text.contains("a=ice-lite") && opened.text.contains("a=setup:passive"), "{}", opened.text);
    let (session, etag) = (opened.header("location").to_owned(), opened.header("etag").to_owned());
    assert!(session.starts_with(PLACE), "{session}");
    let more = "a=candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host\r\n";
    let trickle = async |who: &str, tag: Option<&str>, text: &str| {
        let mut headers = vec![("authorization", who)];
        headers.extend(tag.map(|tag| ("if-match", tag)));
        let reply = rig.send_text("PATCH", &session, &headers, Some((FRAGMENT, text))).await;
        (reply.status.as_u16(), if reply.text.is_empty() { String::new() } else { reply.code() })
    };
    assert_eq!(trickle(&mine, Some(&etag), more).await, (204, String::new()));
    assert_eq!(trickle(&theirs, Some(&etag), more).await, (404, "not_found".into()));
    assert_eq!(trickle(&mine, None, more).await, (428, "precondition_required".into()));
    assert_eq!(trickle(&mine, Some("\"other\""), more).await, (412, "stale".into()));
    assert_eq!(trickle(&mine, Some("*"), more).await, (422, "invalid".into()));
    assert_eq!(rig.ask(&owner.token, "DELETE", &session, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.ask(&owner.token, "DELETE", &session, None).await.status, StatusCode::NO_CONTENT, "and again");
}

async fn what_is_no_offer_of_a_line_is_refused_with_the_reason(rig: Rig) {
    let owner = rig.owner("shop").await;
    let bearer = format!("Bearer {}", owner.token);
    let refused = async |kind: &str, text: &str| {
        let reply = rig.send_text("POST", PLACE, &[("authorization", &bearer)], Some((kind, text))).await;
        (reply.status.as_u16(), reply.code())
    };
    let channel = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    assert_eq!(refused("application/json", "{}").await, (415, "unsupported_media_type".into()));
    assert_eq!(refused(SDP, channel).await, (400, "bad_offer".into()));
    assert_eq!(refused(SDP, "v=0\r\n").await, (422, "invalid".into()), "nothing for the words");
    assert_eq!(refused(SDP, &offer().replace("opus", "speex")).await, (422, "invalid".into()));
    assert_eq!(refused(SDP, &"a".repeat(40_000)).await, (413, "too_large".into()));
}

async fn a_visitor_opens_a_session_with_the_token_of_the_visit(rig: Rig) {
    let (owner, _) = crate::samples::business(&rig).await;
    let settings = json!({"name": "site", "agent": "front", "origins": [SHOP]});
    let widget = rig.ask(&owner.token, "POST", "/api/v1/widgets", Some(settings)).await.good().json();
    let place = |rest: &str| format!("/api/v1/widget/{}{rest}", widget["key"].as_str().expect("a key"));
    let visit: Value = rig.send("POST", &place("/visits"), &[("origin", SHOP)], None).await.good().json();
    let bearer = format!("Bearer {}", visit["token"].as_str().expect("a token"));
    let credential = [("origin", SHOP), ("authorization", bearer.as_str())];
    let nobody = rig.send_text("POST", &place("/webrtc"), &credential[..1], Some((SDP, &offer()))).await;
    assert_eq!((nobody.status, nobody.code().as_str()), (StatusCode::UNAUTHORIZED, "visit_void"));
    let opened = rig.send_text("POST", &place("/webrtc"), &credential, Some((SDP, &offer()))).await;
    assert_eq!(opened.status, StatusCode::CREATED, "{opened:?}");
    assert!(opened.header("access-control-expose-headers").contains("location"));
    let session = opened.header("location").to_owned();
    assert!(session.starts_with(&place("/webrtc/")), "{session}");
    assert_eq!(rig.send("DELETE", &session, &credential[..1], None).await.code(), "visit_void");
    assert_eq!(rig.send("DELETE", &session, &credential, None).await.status, StatusCode::NO_CONTENT);
}

on_both!(
    a_page_opens_a_session_and_only_its_business_changes_it,
    what_is_no_offer_of_a_line_is_refused_with_the_reason,
    a_visitor_opens_a_session_with_the_token_of_the_visit,
);

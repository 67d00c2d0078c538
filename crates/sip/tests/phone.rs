//! Calls with a real telephone: PJSIP, as an independent reading of the standards. It judges audio, keys and protection.

#![allow(clippy::unwrap_used)]

mod support;

use model::call::CallState;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::{LONG, Manners, Office, Seen, endpoint, ports};

fn python() -> PathBuf {
    let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(Into::into);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.frontdesk/conformance/bin/python");
    let python = named.unwrap_or(own);
    assert!(python.exists(), "{} is missing: `cargo xtask test` installs it", python.display());
    python
}

struct Heard {
    was_up: bool,
    loud: u64,
    gaps: u64,
}

/// Calls, speaks for some seconds, presses the keys, hangs up.
async fn phone(keys: &str, protection: &str) -> (Heard, Seen) {
    let office = Office::new(Manners::default());
    let (_endpoint, address) = endpoint(&office, |_| {}).await;
    let port = ports(16);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/sip_phone.py");
    let mut command = tokio::process::Command::new(python());
    command.arg(script).arg(port.to_string()).arg(format!("sip:+4940555000@{address}"));
    command.args([keys, protection, "4"]).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    let output = tokio::time::timeout(LONG, command.output()).await.expect("the phone ends").unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = told.lines().last().unwrap_or_default();
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\": ")).unwrap_or_else(|| panic!("{told} {output:?}"));
        rest.split([',', '}']).next().unwrap().to_owned()
    };
    let heard = Heard {
        was_up: field("was_up") == "true",
        loud: field("loud").parse().unwrap(),
        gaps: field("gaps").parse().unwrap(),
    };
    let seen = office.until("the call is over", Seen::is_over).await;
    (heard, seen)
}

#[tokio::test]
async fn a_telephone_hears_itself_without_a_gap_and_its_keys_arrive_once() {
    let (heard, seen) = phone("1590*#", "plain").await;
    assert!(heard.was_up);
    assert!(heard.loud >= 100, "{} frames of the tone came back", heard.loud);
    // While keys are sent, no audio is: at the most some 2 s of the 4 are without the tone.
    assert!(seen.loud_frames >= 80, "{} loud frames arrived", seen.loud_frames);
    let keys: String = seen.words.iter().filter_map(|word| word.strip_prefix("dtmf ")).collect();
    assert_eq!(keys, "1590*#");
    assert_eq!(seen.states().last(), Some(&CallState::Completed));
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert!(quality.mos.unwrap() > 4.0, "{quality:?}");
}

#[tokio::test]
async fn protected_audio_flows_both_ways() {
    let (heard, seen) = phone("-", "protected").await;
    assert!(heard.was_up && heard.loud >= 120, "{} frames of the tone came back", heard.loud);
    assert!(heard.gaps <= 3, "{} gaps in it", heard.gaps);
    assert!(seen.loud_frames >= 120, "{} loud frames arrived", seen.loud_frames);
}

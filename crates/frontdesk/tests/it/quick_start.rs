//! The quick start of docs/api.md, run as a reader would run it.

use crate::rig::{Setting, World};
use serde_json::Value;
use sim::twins::openai::{Reply, Rule};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

const GUIDE: &str = include_str!("../../../../docs/api.md");
/// Where the guide's server listens.
const ADDRESS: &str = "http://127.0.0.1:8080";
/// What a value is that differs from run to run.
const ID_CHARS: usize = 36;

/// A block of commands and the answer that is shown below it.
struct Step {
    commands: String,
    shown: Option<Value>,
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = GUIDE.lines();
    while let Some(line) = lines.next() {
        let kind = match line {
            "```sh" | "```json" => line,
            _ => continue,
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if kind == "```sh" {
            steps.push(Step { commands: text.join("\n"), shown: None });
        } else {
            let shown = serde_json::from_str(&text.join("\n")).expect("the guide shows JSON");
            steps.last_mut().expect("an answer stands below its commands").shown = Some(shown);
        }
    }
    steps
}

/// Whether all that is shown was answered. Ids only have to be ids.
fn holds(answered: &Value, shown: &Value) -> bool {
    match (answered, shown) {
        (Value::Object(answered), Value::Object(shown)) => {
            shown.iter().all(|(name, shown)| answered.get(name).is_some_and(|answered| holds(answered, shown)))
        }
        (Value::Array(answered), Value::Array(shown)) => {
            answered.len() == shown.len() && answered.iter().zip(shown).all(|(answered, shown)| holds(answered, shown))
        }
        (Value::String(answered), Value::String(shown)) if is_id(shown) => is_id(answered),
        _ => answered == shown,
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.chars().filter(|sign| *sign == '-').count() == 4
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_quick_start_answers_as_shown() {
    let rule = Rule::on_user("open", Reply::says("From nine to six."));
    let world = World::new(Setting::new(&["When are you open?"; 4], vec![rule])).await;
    let server = world.serve().await;
    let program = Path::new(env!("CARGO_BIN_EXE_frontdesk")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let steps = steps();
    assert!(steps.len() > 10 && steps.iter().filter(|step| step.shown.is_some()).count() > 8);
    let mut before = String::new();
    for Step { commands, shown } in steps {
        let commands = commands.replace(ADDRESS, &server.url(""));
        // What earlier blocks exported and assigned holds; their commands are not run again.
        let script = format!("set -eu\n{before}\n{commands}");
        let child = Command::new("bash")
            .arg("-c")
            .arg(&script)
            .env("PATH", &path)
            .env("FRONTDESK_DATA_DIR", world.place.path().join("data"))
            .env("HOME", world.place.path())
            .current_dir(world.place.path())
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), child).await.expect("in time").expect("bash runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{commands}\n{said}{wrong}");
        if commands.starts_with("export ") {
            before.push_str(&commands);
            before.push('\n');
        }
        if let Some(shown) = shown {
            let last = said.lines().last().unwrap_or_default();
            let answered: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("no JSON: {commands}\n{said}"));
            assert!(holds(&answered, &shown), "{commands}\nanswered {answered:#}\nshown {shown:#}");
        }
    }
}

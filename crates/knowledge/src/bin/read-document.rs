//! Reads one document from standard input and writes its structure to standard output: what `frontdesk read-document`
//! does, for tests and for whoever wants to run parsers in a jail of their own.

use knowledge::child::{ChildLimits, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str, usual: u64| value(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let limits = ChildLimits {
        memory_bytes: number("--memory-bytes", base::limits::KNOWLEDGE_PARSE_MEMORY_BYTES_MAX),
        cpu_s: number("--cpu-s", base::limits::KNOWLEDGE_PARSE_MS_MAX / 1_000),
    };
    run(value("--name").map_or("", String::as_str), &limits)
}

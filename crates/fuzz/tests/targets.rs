//! A short run of every target: some thousand mutations of its seeds, the same on every machine.

#![allow(clippy::unwrap_used)]

use fuzz::{Mutator, Target};

const INPUTS: usize = 4_000;
/// A session of a browser and a second of audio cost more than a text.
const INPUTS_OF_LINES: usize = 1_000;

fn try_out(target: Target) {
    let seeds = target.seeds().unwrap();
    assert!(!seeds.is_empty(), "{target}");
    seeds.iter().for_each(|seed| target.run(seed));
    let mut mutator = Mutator::new(seeds, 7);
    let inputs = if matches!(target, Target::Rtp | Target::Stun) { INPUTS_OF_LINES } else { INPUTS };
    for _ in 0..inputs {
        let input = mutator.input();
        if std::panic::catch_unwind(|| target.run(&input)).is_err() {
            panic!("a finding of {target}: {:?}", String::from_utf8_lossy(&input));
        }
    }
}

#[test]
fn messages_of_sip_hurt_nothing() {
    try_out(Target::Sip);
}

#[test]
fn session_descriptions_hurt_nothing() {
    try_out(Target::Sdp);
}

#[test]
fn packets_of_audio_hurt_nothing() {
    try_out(Target::Rtp);
}

#[test]
fn datagrams_for_browsers_hurt_nothing() {
    try_out(Target::Stun);
}

#[test]
fn messages_of_every_media_socket_hurt_nothing() {
    let sockets = Target::all().into_iter().filter(|target| matches!(target, Target::Media(_)));
    assert!(sockets.map(try_out).count() > 5);
}

#[test]
fn every_target_is_found_by_its_name_and_has_seeds_that_are_not_refused_at_once() {
    for target in Target::all() {
        assert_eq!(Target::named(&target.to_string()), Some(target));
    }
    assert_eq!(Target::named("nothing"), None);
    // The seeds reach what they shall reach.
    let seeds = Target::Sdp.seeds().unwrap();
    assert!(seeds.iter().all(|seed| carriers::sip::sdp::read(seed).is_ok()), "{seeds:?}");
    let read = |seed: &Vec<u8>| !matches!(sip::trial::message(seed), sip::trial::Taken::Unreadable);
    let seeds = Target::Sip.seeds().unwrap();
    let readable = seeds.iter().filter(|seed| read(seed)).count();
    assert!(readable * 2 > seeds.len(), "{readable} of {}", seeds.len());
}

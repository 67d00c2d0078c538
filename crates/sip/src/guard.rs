//! Whose calls are taken: those from the addresses of a trunk, and those that prove to know a trunk's password (RFC 7616).

use crate::config::Trunk;
use aws_lc_rs::hmac;
use base::limits;
use rsipstack::dialog::authenticate::verify_digest;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::typed::Authorization;
use rsipstack::sip::{Header, Request};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const REALM: &str = "frontdesk";

/// What becomes of a request that would begin a call.
pub(crate) enum Admission {
    /// It comes over this trunk.
    Trunk(Arc<Trunk>),
    /// Who sends it must prove who they are.
    Challenge {
        /// The proof was right but old.
        is_stale: bool,
    },
    /// Nobody of ours.
    Stranger,
}

pub(crate) struct Guard {
    trunks: Vec<Arc<Trunk>>,
    /// Where the hosts of trunks are, by the trunk's name.
    found: Mutex<HashMap<String, Vec<IpAddr>>>,
    secret: hmac::Key,
}

impl Guard {
    pub(crate) fn new(trunks: &[Trunk]) -> Self {
        let mut secret = [0; 32];
        // A generator that fails must not make challenges predictable: then nobody can answer one, because the key is lost.
        if aws_lc_rs::rand::fill(&mut secret).is_err() {
            tracing::error!("no random numbers: trunks cannot prove themselves by password");
        }
        Self {
            trunks: trunks.iter().cloned().map(Arc::new).collect(),
            found: Mutex::default(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        }
    }

    pub(crate) fn trunk(&self, name: &str) -> Option<Arc<Trunk>> {
        self.trunks.iter().find(|trunk| trunk.name == name).cloned()
    }

    pub(crate) fn trunks(&self) -> &[Arc<Trunk>] {
        &self.trunks
    }

    /// Remembers where a trunk's host is.
    pub(crate) fn found(&self, trunk: &str, addresses: Vec<IpAddr>) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(trunk.to_owned(), addresses);
    }

    /// Where the host of a trunk was found.
    pub(crate) fn address_of(&self, trunk: &str) -> Option<IpAddr> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(trunk)?.first().copied()
    }

    pub(crate) fn admit(&self, source: IpAddr, request: &Request) -> Admission {
        let source = source.to_canonical();
        let is_from = |trunk: &&Arc<Trunk>| {
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            trunk.allowed.iter().any(|net| net.contains(&source))
                || found.get(&trunk.name).is_some_and(|addresses| addresses.contains(&source))
        };
        // Several trunks of one company may share addresses: the name that it calls us by tells them apart.
        let candidates: Vec<&Arc<Trunk>> = self.trunks.iter().filter(is_from).collect();
        let called = request.uri.user();
        let named = candidates.iter().find(|trunk| trunk.user.is_some() && trunk.user.as_deref() == called);
        if let Some(trunk) = named.or(candidates.first()) {
            return Admission::Trunk(Arc::clone(trunk));
        }
        self.proven(request)
    }

    fn proven(&self, request: &Request) -> Admission {
        let by_password = |trunk: &&Arc<Trunk>| trunk.user.is_some() && trunk.password.is_some();
        if !self.trunks.iter().any(|trunk| by_password(&trunk)) {
            return Admission::Stranger;
        }
        let Some(header) = request.authorization_header() else { return Admission::Challenge { is_stale: false } };
        let Ok(proof) = Authorization::parse(header.value()) else { return Admission::Challenge { is_stale: false } };
        let known =
            self.trunks.iter().filter(by_password).find(|trunk| trunk.user.as_deref() == Some(&*proof.username));
        let (Some(trunk), Some(password)) = (known, known.and_then(|trunk| trunk.password.as_ref())) else {
            return Admission::Challenge { is_stale: false };
        };
        if proof.realm != REALM || !verify_digest(&proof, password.expose(), request.method(), header.value()) {
            return Admission::Challenge { is_stale: false };
        }
        match self.is_fresh(&proof.nonce, &call_id(request)) {
            true => Admission::Trunk(Arc::clone(trunk)),
            false => Admission::Challenge { is_stale: true },
        }
    }

    /// The header that asks for a proof. The challenge is good for this call alone, and not for long.
    pub(crate) fn challenge(&self, request: &Request, is_stale: bool) -> Header {
        let nonce = self.nonce(now_secs(), &call_id(request));
        let stale = if is_stale { ", stale=true" } else { "" };
        Header::WwwAuthenticate(
            format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"{stale}").into(),
        )
    }

    fn nonce(&self, at_secs: u64, call_id: &str) -> String {
        let tag = hmac::sign(&self.secret, format!("{at_secs} {call_id}").as_bytes());
        let hex: String = tag.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{at_secs:x}-{hex}")
    }

    fn is_fresh(&self, nonce: &str, call_id: &str) -> bool {
        let made = nonce.split_once('-').and_then(|(at, _)| u64::from_str_radix(at, 16).ok());
        let Some(at_secs) = made else { return false };
        let age = now_secs().saturating_sub(at_secs);
        age <= limits::SIP_NONCE_SECS_MAX && self.nonce(at_secs, call_id) == nonce
    }
}

fn call_id(request: &Request) -> String {
    request.call_id_header().map(|id| id.value().to_owned()).unwrap_or_default()
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

//! Whether a domain is a business's: it must hold a file that says so.

use super::Node;
use base::wire::{HttpRequest, Method};
use base::{Millis, limits};
use model::branding::{PROOF_PATH, is_proof, proof_of};
use model::business::TenantScope;

impl Node {
    /// Looks for the proof at a domain, over TLS, at a public address and without following redirects.
    ///
    /// # Errors
    /// What is there instead, in words.
    pub async fn look_for_proof(&self, scope: &TenantScope, domain: &str) -> Result<(), String> {
        let url = format!("https://{domain}{PROOF_PATH}");
        let request = HttpRequest { method: Method::Get, url: url.clone(), headers: Vec::new(), body: Vec::new() };
        let answer = self.tools_egress().http(request, Millis(limits::DOMAIN_PROOF_MS_MAX)).await;
        let found = match answer {
            Ok(answer) if answer.status == 200 && is_proof(&answer.body, scope.business) => return Ok(()),
            Ok(answer) if answer.status == 200 => "it answers something else".to_owned(),
            Ok(answer) => format!("it answers with status {}", answer.status),
            Err(failure) => format!("it cannot be reached: {failure}"),
        };
        Err(format!("{url} must hold the line {}; {found}", proof_of(scope.business)))
    }
}

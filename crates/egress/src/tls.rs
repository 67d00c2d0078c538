//! TLS: one cryptography library for the whole program, and the machine's own list of trusted certificates.

use base::{ErrorClass, Failure};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use std::sync::Arc;

/// Makes aws-lc-rs the cryptography of every library in this process. The first line of `main`: a library that finds two
/// candidates and no choice panics at its first handshake. Repeating it is harmless.
pub fn install_crypto() {
    // An error only says that a provider is installed already.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// Whom we trust. What is offered to speak is for the caller to add.
pub(crate) fn client_config(extra_roots: &[CertificateDer<'static>]) -> Result<ClientConfig, Failure> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let unusable = |error: rustls::Error| {
        let why =
            format!("TLS cannot be used on this machine ({error}); install its trusted certificates (ca-certificates)");
        Failure::new(ErrorClass::Internal, why)
    };
    let verifier = Verifier::new_with_extra_roots(extra_roots.iter().cloned(), provider.clone());
    let verifier = Arc::new(verifier.map_err(unusable)?);
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unusable)?;
    // Not dangerous: the verifier is the platform's own; the builder's shorthand for it takes no further authorities.
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

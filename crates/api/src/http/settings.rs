//! What an operator decides about the HTTP surface.

/// What an operator decides about the HTTP surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Origins (`https://app.example.com`) whose pages may use the API with a bearer token. Empty: only our own pages.
    pub origins: Vec<String>,
    /// Requests that one key or person may make in a minute unless the plan of its business says otherwise; 0 bounds nothing.
    pub requests_per_minute: u32,
    /// Days for which the installation keeps what was said and heard; `None`: for ever.
    pub retention_days: Option<u32>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { origins: Vec::new(), requests_per_minute: 1_200, retention_days: None }
    }
}

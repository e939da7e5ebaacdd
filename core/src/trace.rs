//! One explanation: what each layer did with a request, and when.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Collects what the layers did with one request. `dmail explain` prints it.
#[derive(Debug)]
pub struct Trace {
    started: Instant,
    steps: Mutex<Vec<Step>>,
}

/// One thing that a layer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which layer: `mapping`, `throttle`, `cache`, `flight`, the source's name.
    pub layer: &'static str,
    /// What it did, in one line without secrets.
    pub text: String,
    /// When, counted from the start of the request.
    pub at: Duration,
}

impl Trace {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now(), steps: Mutex::new(Vec::new()) }
    }

    /// Writes one step down.
    pub fn note(&self, layer: &'static str, text: String) {
        let step = Step { layer, text, at: self.started.elapsed() };
        self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(step);
    }

    /// What was written down so far, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

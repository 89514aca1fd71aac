//! What test suites share: the simulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it found"
)]

pub mod sim;

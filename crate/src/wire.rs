//! Bytes to types and back, and nothing else.

pub mod codec;
pub mod numbers;
pub mod rendezvous;

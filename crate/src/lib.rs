//! Peer groups for the web: the engine.

pub mod crypto;
pub mod engine;
pub mod error;
pub mod graph;
pub mod group;
pub mod limits;
pub mod names;
pub mod random;
pub mod time;
pub mod wire;

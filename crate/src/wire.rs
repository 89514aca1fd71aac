//! Bytes to types and back, and nothing else.

pub mod attributes;
pub mod codec;
pub mod description;
pub mod link;
pub mod numbers;
pub mod password;
pub mod rendezvous;
pub mod seconds;
pub mod sync;
pub mod text;

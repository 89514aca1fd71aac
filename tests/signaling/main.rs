//! The rendezvous server over real sockets: the protocol, sockets that misbehave, pages.

// What goes wrong in a test is to end it.
#![allow(clippy::unwrap_used)]

mod client;
mod pages;
mod protocol;
mod served;
mod sockets;

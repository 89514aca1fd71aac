//! The rendezvous server over real sockets: the protocol, sockets that misbehave, pages,
//! STUN and TURN, and a server that means harm.

// What goes wrong in a test is to end it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod admission;
mod away;
mod balancer;
mod client;
mod conformance;
mod engines;
mod hostile;
mod limits;
mod metrics;
mod nats;
mod pages;
mod protocol;
mod proxy;
mod relaying;
mod returning;
mod served;
mod sockets;
mod stun;
mod tls;
mod turn;

//! The rendezvous server: where members of a group find each other.
//!
//! [`rooms`] is the server's logic without sockets or clocks, which the simulator runs as it is.

pub mod rooms;

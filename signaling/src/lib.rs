//! The rendezvous server: where members of a group find each other.
//!
//! [`rooms`] is the server's logic without sockets or clocks, which the simulator runs as it is.
//! [`server`] puts it behind WebSockets and serves the pages of a demo; [`settings`] is what an
//! operator decides, and [`options`] reads it from a command line and a file; [`turn`] relays
//! packets. Nothing is stored: clients put back within seconds what a restart forgets.

mod clock;
pub mod options;
pub mod rooms;
pub mod server;
pub mod settings;
pub mod turn;

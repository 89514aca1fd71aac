//! The rendezvous server over real sockets.

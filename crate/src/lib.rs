//! Peer groups for the web: the engine.

//! Peer groups for the web: create a group, invite people, connect, enumerate, talk over direct
//! connections, close. The same engine runs in a browser page (wasm, `web/`) and natively.
//!
//! # Architecture
//!
//! ```text
//!              the app (TypeScript, Rust)
//!        Command │                 ▲ Event
//!                ▼                 │
//!   ┌───────────────────────────────────────┐
//!   │ engine    facade: requests, nodes     │   no clock, no OS randomness, no I/O,
//!   │ group     credentials, discovery      │   no user code on the stack
//!   │ graph     links, overlay, direct      │
//!   │ crypto, wire                          │
//!   │ names, error, limits                  │
//!   └───────────────────────────────────────┘
//!         Effect │                 ▲ Input
//!                ▼                 │
//!      a driver: web/ or a simulator's world
//! ```
//!
//! Data flows one way. A driver passes what the app asks ([`engine::command::Command`]) and what
//! happened ([`engine::input::Input`]) to one [`engine::Engine`]; the engine changes its state and
//! queues what must be done ([`engine::effect::Effect`]) and what the app should hear
//! ([`engine::event::Event`]). Time, randomness and storage are arguments, so the simulator in
//! `tests/sim` runs the same code over a faulty network from one seed.
//!
//! Two layers keep each other honest. **Graph** knows nodes, links, frames and direct connections,
//! and asks a [`graph::security::Security`] whether somebody may be here. **Group** implements that
//! with credentials, and finds the first node through the rendezvous. `PeerGraph` and `PeerGroup` of
//! the app are these two. Arrows point one way: `web -> engine -> group -> graph -> crypto, wire ->
//! names, error, limits`. The types-only files of `engine/` (command, input, effect, event, and the
//! context that carries them) are the vocabulary that group and graph speak too.
//!
//! ## How two nodes meet
//!
//! 1. A member's node joins two topics at the rendezvous server: one derived from the epoch secret,
//!    one from the door. The server checks a signature with the topic's key and learns nothing else.
//!    Its announcement is sealed and bound to its tag ([`group::discovery`]).
//! 2. A newcomer derives the door's topic from its invitation, looks, opens announcements, and
//!    verifies who stands there before it says anything.
//! 3. It sends Noise message 1 with its session, its credentials and its session description; the
//!    member verifies them, countersigns the admission, and answers with the epoch secret and its
//!    own description ([`graph::handshake`]). No address reaches anybody who has not proved
//!    membership or, joining, a valid invitation.
//! 4. Candidates follow under the handshake's keys. The first frame on the data channel confirms the
//!    handshake's hash and both certificate fingerprints, so a server in the middle gets nothing.
//! 5. Neighbors tell each other the control items they know: credentials, admissions, properties.
//!    When the first has told all, the newcomer is synchronised and stands in the topics itself.
//!
//! When both ends dial at once, the attempt of the lower node id wins: node ids are proved by the
//! handshake, while tags are only the server's word.
//!
//! ## Rules of the house
//!
//! Remote input never panics and never allocates without a bound; every bound is in [`limits`].
//! Every wire number is in [`wire::numbers`], every failure in [`error`]. Encodings are canonical:
//! bounds are part of the types and decoding consumes all input. Links carry epochs: a new attempt is
//! a new [`names::LinkId`], and late news of an old one is dropped. Every request is answered once.

pub mod base;
pub mod crypto;
pub mod engine;
pub mod error;
pub mod graph;
pub mod group;
pub mod limits;
pub mod names;
pub mod random;
pub mod record;
pub mod sorted;
pub mod time;
#[cfg(target_arch = "wasm32")]
mod web;
pub mod wire;

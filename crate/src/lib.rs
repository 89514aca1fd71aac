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
//!   │ graph     links, overlay, direct, and │
//!   │           records between nodes       │
//!   │ record    records at one node, search │
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
//! Two layers keep each other honest. **Graph** knows nodes, links, frames, direct connections and
//! who has which records, and asks a [`graph::security::Security`] whether somebody may be here and
//! what it may write. **Group** implements that with credentials, and finds the first node through
//! the rendezvous. `PeerGraph` and `PeerGroup` of the app are these two. Below them, **record** knows
//! what a record is and holds the records of one node; it knows no link. Arrows point one way: `web
//! -> engine -> group -> graph -> record -> crypto, wire -> names, error, limits`. The types-only files of `engine/` (command, input, effect, event, and the
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
//!    Where no channel opens in time the link goes over the server's relay instead, in sealed pieces, and
//!    confirms the same there ([`graph::relay`]).
//! 5. Neighbors bring each other to the same control items (credentials, admissions, properties) and
//!    records. When the first of them has told all, the newcomer is synchronised and stands in the
//!    topics itself.
//!
//! Who has a password and no membership gets one first, in a handshake of its own at the same door: the
//! member proves that it is one, the newcomer proves that it knows the password, and only then the member
//! does the same and signs the membership ([`graph::password`] says what travels, [`group::password`] who
//! holds the password and what a guess costs). Then it knocks like everybody.
//!
//! When both ends dial at once, the attempt of the lower node id wins: node ids are proved by the
//! handshake, while tags are only the server's word.
//!
//! ## How a record travels
//!
//! A record is signed by whoever changed it last, and says who made it, when, and when it ends. Its id
//! begins with a hash of its creator, so nobody makes records in another's name. Two versions of it
//! say themselves which wins: first by version, then by the moment of the change, then by hash
//! ([`record::model`]).
//!
//! 1. **Written.** What the app changes is checked, signed and handed to storage. Nobody hears of it
//!    before storage has confirmed it, so a write that fails leaves no trace ([`graph::records`]).
//! 2. **Stored.** [`record::store`] holds one version of each record, and within its quotas the same
//!    records in whatever order they came. In storage each is sealed with a key of this identity, so
//!    what is read back need not be verified again ([`record::stored`]).
//! 3. **Flooded.** It goes on the lane of every neighbor but the one it came from ([`graph::lane`]):
//!    control items first, then what is new, then what a comparison found, and never more than a
//!    window that the other end has not taken. Every author has a rate; what is faster waits
//!    ([`graph::pace`]).
//! 4. **Taken in.** Form and signature come first, and convict the neighbor that passed on a bad one.
//!    Time and rights come next and convict nobody, for others may know more or less than we do: what
//!    is ahead of time, or by somebody unknown, waits for its time or for the membership
//!    ([`graph::waiting`]), and the app of a graph may be asked. What passes is kept, told to the app,
//!    flooded on and stored ([`graph::arrival`]).
//! 5. **Compared.** The handshake carries digests of what both ends hold. Where they differ, coded
//!    symbols tell in what, at a cost that goes with the differences and not with the records; who has
//!    next to nothing is sent everything ([`record::sync`]). Once a minute a node compares with one
//!    neighbor at random, so what flooding lost is found again ([`graph::synchronize`]).
//! 6. **Ended.** A record ends by peer time, the group's clock, which no minority can move and nobody
//!    can move fast ([`graph::clock`]). A deleted one is remembered until it would have ended, so that
//!    no late copy brings it back.
//!
//! Control items take the same lanes and are compared the same way, but before records: they say whose
//! records count. To graph they are bytes that its `Security` hands out and absorbs. When they change
//! what somebody may do, waiting records are weighed again, and those without a right are dropped.
//!
//! ## How a membership ends
//!
//! A revocation is a control item like others, so the same words reach everybody and the verdict cannot
//! depend on what came first ([`group::judge`]). An admin removes members and juniors among the admins; the
//! group key removes anybody. What somebody signed who was removed counts where a vouch of the same
//! revocation lists it: dates prove nothing. With a removal comes a new epoch ([`group::epoch`]): a secret from
//! which the members' topic and the keys of links derive. It travels over links between members only, and a
//! node passes it on after it has closed its links with those whom the epoch leaves out. Sealing
//! it to each member instead would cost 56 bytes a member and leave out whoever joined a moment ago.
//!
//! Who slept through that knocks with an old secret and gets a hint that this one is not known; then it
//! comes by the door, which needs no epoch, shows that it is a member, and gets the epoch of now. Whoever
//! was removed gets the revocation there instead.
//!
//! ## Who is there
//!
//! Credentials say who is a member; what members show of themselves lies in records of the engine's own
//! types ([`record::reserved`]), which travel and converge like all others and which no app sees or writes.
//! One per member says its name and is stored; one per node says where it is reached and whether somebody
//! looks, and is not: it lives for minutes, is refreshed at two thirds of that, and is withdrawn before the
//! links close ([`graph::presence`]). A node that ended without a word is withdrawn by the next one of the
//! same storage, which remembers it ([`group::state`]). Whoever tells its presence to everybody itself says
//! so in it, and nobody passes it on: else each refresh would cross every link of a full mesh.
//! [`group::roster`] brings both together, and is the one place where somebody comes into the list or goes.
//!
//! ## What lies in storage
//!
//! An identity is a seed under a key of [`engine::effect::SECRETS`]: the driver wraps such values with a key
//! of the platform where there is one. Everything else is bound to that seed: what is stored of a group is
//! sealed with a key of it ([`group::state`]), records carry a seal of it ([`record::stored`]). So who copies
//! the storage has nothing, and who has another identity cannot pass for this one. Texts for another machine
//! are sealed under a password ([`group::sealed`]); stretching it takes 0.1 s, so it is an effect, and the
//! driver decides when and where ([`engine::effect::Effect::Stretch`]).
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
pub mod gauge;
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

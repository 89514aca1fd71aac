//! The table of targets: every decoder of bytes from outside, and what must hold for it.
//!
//! For all of them: no panic, no more memory than the input justifies, and what was decoded encodes
//! to the same bytes again.

use core::fmt::Display;
use core::str::FromStr;
use std::borrow::Cow;

use peer_group::crypto::{FAKE, Primitives as _, signed_bytes};
use peer_group::graph::mailbox::ServerUrl;
use peer_group::graph::session::Session;
use peer_group::group::Control;
use peer_group::group::credential::{Credential, Credentials};
use peer_group::group::discovery::Standing;
use peer_group::group::identity::{ALONE, Card, Identity};
use peer_group::group::invitation::{Bearer, Bound, ByPassword, preview};
use peer_group::group::properties::SignedProperties;
use peer_group::group::sealed::Sealed;
use peer_group::group::state::{GraphState, GroupState};
use peer_group::names::{GroupId, NodeAddress, NodeId, PeerId, RecordId};
use peer_group::random::Random;
use peer_group::record::reserved::{MemberData, PresenceData};
use peer_group::wire::codec::Wire;
use peer_group::wire::description::Description;
use peer_group::wire::link::{Hello, Packet, Reply, Signal, Trickle};
use peer_group::wire::numbers::stored;
use peer_group::wire::password::{Asking, Challenge};
use peer_group::wire::rendezvous::{ClientMessage, ServerMessage};
use peer_group::wire::sync::{Answers, Digests, Message};
use peer_group::wire::text::{self, TextKind};
use peer_group_signaling::rooms::{Crowd, Note, Search};

use crate::attempt::bounded;
use crate::{cluster, heads, pair, records, relays, rooms, turn};

/// Something that inputs are thrown at.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Panics where something is wrong; true if the input was taken.
    pub(crate) run: fn(&[u8]) -> bool,
    /// The longest input.
    pub(crate) longest: usize,
    /// Its share of the time.
    pub(crate) share: u32,
}

const fn decoder(name: &'static str, run: fn(&[u8]) -> bool) -> Target {
    Target {
        name,
        run,
        longest: 4096,
        share: 1,
    }
}

/// Every target.
pub(crate) const TARGETS: &[Target] = &[
    decoder("signal", whole::<Signal>),
    decoder("packet", whole::<Packet>),
    decoder("hello", whole::<Hello>),
    decoder("reply", whole::<Reply>),
    decoder("trickle", whole::<Trickle>),
    decoder("session", whole::<Session>),
    decoder("description", description),
    decoder("sdp", sdp),
    decoder("client-message", whole::<ClientMessage>),
    decoder("server-message", whole::<ServerMessage>),
    decoder("note", whole::<Note>),
    decoder("far-search", whole::<Search>),
    decoder("crowd", whole::<Crowd>),
    decoder("server-url", server_url),
    decoder("node-address", node_address),
    decoder("invitation", invitation),
    decoder("names", names),
    decoder("standing", whole::<Standing>),
    decoder("credential", whole::<Credential>),
    decoder("credentials", whole::<Credentials>),
    decoder("control", whole::<Control>),
    decoder("properties", whole::<SignedProperties>),
    decoder("asking", whole::<Asking>),
    decoder("challenge", whole::<Challenge>),
    decoder("identity", identity),
    decoder("card", card),
    decoder("sealed-text", sealed_text),
    decoder("group-state", group_state),
    decoder("graph-state", graph_state),
    decoder("attributes", records::attributes),
    decoder("record", records::record),
    decoder("stored-record", records::stored_record),
    decoder("member-data", whole::<MemberData>),
    decoder("presence-data", whole::<PresenceData>),
    decoder("database", records::database),
    decoder("digests", whole::<Digests>),
    decoder("answers", whole::<Answers>),
    decoder("sync-message", whole::<Message>),
    decoder("comparison", records::comparison),
    Target {
        name: "rooms",
        run: rooms::run,
        longest: 512,
        share: 2,
    },
    Target {
        name: "work",
        run: rooms::run_working,
        longest: 512,
        share: 1,
    },
    Target {
        name: "cluster",
        run: cluster::run,
        longest: 512,
        share: 2,
    },
    Target {
        name: "turn",
        run: turn::run,
        longest: 512,
        share: 1,
    },
    Target {
        name: "relays",
        run: relays::run,
        longest: 512,
        share: 1,
    },
    Target {
        name: "heads",
        run: heads::run,
        longest: 512,
        share: 1,
    },
    Target {
        name: "pair",
        run: pair::run,
        longest: 1024,
        share: 8,
    },
];

/// The value, checked in all ways that hold for every type.
pub(crate) fn read<T: Wire>(bytes: &[u8]) -> Option<T> {
    let value = bounded(bytes, || T::from_bytes(bytes).ok())?;
    assert!(value.to_bytes() == bytes, "two encodings of one value");
    Some(value)
}

fn whole<T: Wire>(bytes: &[u8]) -> bool {
    read::<T>(bytes).is_some()
}

fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// From the wire: whatever it is, it can be written for a browser.
fn description(bytes: &[u8]) -> bool {
    let read = read::<Description>(bytes);
    if let Some(description) = &read {
        let _ = Description::parse(description.offer, &description.to_sdp());
    }
    read.is_some()
}

/// From a browser: what is kept of it is all written again, and fits on the wire.
fn sdp(bytes: &[u8]) -> bool {
    let sdp = as_text(bytes);
    let read = bounded(bytes, || Description::parse(true, &sdp));
    if let Some(description) = &read {
        let again = Description::parse(true, &description.to_sdp());
        assert!(again.as_ref() == read.as_ref(), "written and read again");
        assert!(Description::from_bytes(&description.to_bytes()).as_ref() == Ok(description));
    }
    read.is_some()
}

fn server_url(bytes: &[u8]) -> bool {
    let text = as_text(bytes);
    let url = bounded(bytes, || ServerUrl::parse(&text));
    if let Ok(url) = &url {
        let base = &url.base;
        assert!(
            base.starts_with("ws://") || base.starts_with("wss://"),
            "{base}"
        );
        assert!(base.contains(&url.origin), "{base}");
    }
    url.is_ok()
}

/// As bytes, as the text of these bytes, and as a text.
fn node_address(bytes: &[u8]) -> bool {
    let pasted = as_text(bytes);
    let parsed = bounded(bytes, || text::parse_node_address(&pasted)).ok();
    if let Some(address) = &parsed {
        assert!(text::node_address(address) == pasted.trim());
    }
    let read = read::<NodeAddress>(bytes);
    let written = text::encode(TextKind::Node, bytes);
    assert!(text::parse_node_address(&written).ok() == read);
    parsed.is_some() || read.is_some()
}

/// As a text, as the text of these bytes, and as its issuer would have signed them.
fn invitation(bytes: &[u8]) -> bool {
    let pasted = as_text(bytes);
    let parsed = bounded(bytes, || preview(&FAKE, &pasted));
    let written = text::encode(TextKind::Invitation, bytes);
    let _ = preview(&FAKE, &written);
    if let Some(Bound { body, .. }) = read::<Bound>(bytes) {
        let issuer = FAKE.public_key(&body.head.issuer.0);
        let signed = signed_bytes("invitation", &body.head.group.0, &body.to_bytes());
        let signature = FAKE.sign(&issuer, &signed);
        let _ = preview(
            &FAKE,
            &text::encode(TextKind::Invitation, &Bound { body, signature }.to_bytes()),
        );
    }
    if let Some(ByPassword { body, .. }) = read::<ByPassword>(bytes) {
        let issuer = FAKE.public_key(&body.head.issuer.0);
        let _ = preview(&FAKE, &ByPassword::text(&FAKE, &issuer, body));
    }
    let Some(Bearer { body, seed, .. }) = read::<Bearer>(bytes) else {
        return parsed.is_ok();
    };
    // With the fake primitives, a key's public half is its own mask.
    let issuer = FAKE.public_key(&body.head.issuer.0);
    let signed = Bearer::text(&FAKE, &issuer, body, seed);
    preview(&FAKE, &signed).is_ok()
}

fn names(bytes: &[u8]) -> bool {
    fn one<T: FromStr + Display>(bytes: &[u8], text: &str) -> bool {
        let name = bounded(bytes, || text.parse::<T>().ok());
        if let Some(name) = &name {
            assert!(name.to_string() == text, "two spellings of {name}");
        }
        name.is_some()
    }
    let text = as_text(bytes);
    let long = one::<PeerId>(bytes, &text) | one::<GroupId>(bytes, &text);
    long | one::<NodeId>(bytes, &text) | one::<RecordId>(bytes, &text)
}

fn identity(bytes: &[u8]) -> bool {
    let first = bounded(bytes, || Identity::from_stored(ALONE, bytes));
    let stored = bounded(bytes, || Identity::from_stored("identity/", bytes));
    let exported = bounded(bytes, || Identity::from_exported(bytes, 5).ok());
    for read in [&first, &stored, &exported].into_iter().flatten() {
        let again = Identity::from_stored("identity/", &read.to_bytes());
        assert!(again.as_ref() == Some(read), "not stored as it is");
    }
    whole::<Identity>(bytes) | first.is_some() | exported.is_some()
}

/// As a text, and as the text of these bytes.
fn card(bytes: &[u8]) -> bool {
    let pasted = as_text(bytes);
    let parsed = bounded(bytes, || Card::parse(&FAKE, &pasted));
    let written = text::encode(TextKind::Card, bytes);
    parsed.is_ok() | bounded(bytes, || Card::parse(&FAKE, &written)).is_ok()
}

/// As a text, and as the text of these bytes: what it asks for is what we would give.
fn sealed_text(bytes: &[u8]) -> bool {
    let pasted = as_text(bytes);
    let written = text::encode(TextKind::Identity, bytes);
    let read = [pasted.as_ref(), &written].map(|text| {
        let sealed = bounded(bytes, || Sealed::parse(TextKind::Identity, text));
        if let Ok(sealed) = &sealed {
            assert!(sealed.cost().is_bearable());
            let _ = bounded(bytes, || sealed.open(&FAKE, &[3; 32]));
        }
        sealed.is_ok()
    });
    read.contains(&true)
}

fn group_state(bytes: &[u8]) -> bool {
    // As it is, and as its identity would have sealed it.
    let identity = Identity::new(&mut Random::new([1; 32]), 0);
    let read = |key: &str, bytes: &[u8]| GroupState::from_stored(&FAKE, &identity, key, bytes);
    let Some(state) = self::read::<GroupState>(bytes) else {
        return bounded(bytes, || read("group/", bytes)).is_some();
    };
    let key = GroupState::key(state.group, state.peer);
    let sealed = state.to_stored(&FAKE, &identity, &mut Random::new([2; 32]));
    let right = (state.version == stored::GROUP).then_some(state);
    assert!(read(&key, &sealed) == right);
    true
}

fn graph_state(bytes: &[u8]) -> bool {
    whole::<GraphState>(bytes) | bounded(bytes, || GraphState::from_stored(bytes)).is_some()
}

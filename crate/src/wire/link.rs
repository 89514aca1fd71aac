//! What two nodes say to each other: handshakes inside signals, then frames on the link.
//!
//! A signal is opaque to the rendezvous server but for the version, the purpose and the id of the
//! secret it is keyed with. Every frame carries a sequence number per link and direction.

use crate::limits::{
    ALTERNATIVES, CONTROL_ITEM_BYTES, CONTROL_ITEMS_PER_FRAME, LABEL_BYTES, MESSAGE_BYTES,
    MESSAGE_TYPE_BYTES, PIECE_BYTES, RECORDS_FRAME_BYTES, RECORDS_PER_FRAME, SIGNAL_BYTES,
};
use crate::names::{Attempt, NodeAddress};
use crate::wire::codec::{Bytes, List, Malformed, Reader, Text, Wire};
use crate::wire::description::{Description, Line};
use crate::wire::numbers::{LINK_VERSION, bye, frame, purpose, reply, scope, signal, trickle};
use crate::wire::sync::{Answers, Digests, Message};
use crate::{wire_enum, wire_numbers, wire_struct};

/// What a node shows to prove that it may be here: opaque to the graph.
pub type Proof = Bytes<{ 12 * 1024 }>;
/// What a node hands to one it lets in: opaque to the graph.
pub type Grant = Bytes<{ 12 * 1024 }>;
/// What is said about a password: opaque to the graph.
pub type OnPassword = Bytes<128>;
/// A signed session in its wire form.
pub type SessionBytes = Bytes<256>;

wire_numbers! {
    /// What a handshake is for.
    Purpose {
        /// A link between members.
        Neighbor = purpose::NEIGHBOR,
        /// Somebody at the door.
        Join = purpose::JOIN,
        /// A link for direct connections only.
        Direct = purpose::DIRECT,
        /// Somebody at the door who has a password and no membership yet.
        Password = purpose::PASSWORD,
        /// A member at the door, whose secrets may be old.
        Return = purpose::RETURN,
    }
}

impl Purpose {
    /// Whether it begins at the door.
    #[must_use]
    pub fn is_at_door(self) -> bool {
        matches!(self, Self::Join | Self::Return | Self::Password)
    }
}

wire_numbers! {
    /// Why a link ends.
    ByeReason {
        /// The node goes off the network.
        Leaving = bye::LEAVING,
        /// The link is not needed.
        Unneeded = bye::UNNEEDED,
        /// A newer link replaced it.
        Replaced = bye::REPLACED,
        /// The other side broke a rule.
        Fault = bye::FAULT,
        /// The other side is no longer a member.
        Removed = bye::REMOVED,
    }
}

wire_numbers! {
    /// What is compared.
    Scope {
        /// Control items.
        Control = scope::CONTROL,
        /// Records.
        Data = scope::DATA,
    }
}

/// The payload of a rendezvous signal: the version, then the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signal(pub SignalBody);

impl Signal {
    /// The attempt that it begins, if it is a first message.
    #[must_use]
    pub fn initiates(&self) -> Option<Attempt> {
        match &self.0 {
            SignalBody::Initiate { noise, .. } => noise.first_chunk().copied().map(Attempt),
            _ => None,
        }
    }
}

impl Wire for Signal {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(LINK_VERSION);
        self.0.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.array()? {
            [LINK_VERSION] => SignalBody::decode(input).map(Self),
            _ => Err(Malformed),
        }
    }
}

wire_enum! {
    /// The body of a signal.
    pub enum SignalBody {
        /// First handshake message. Its first bytes name the attempt.
        Initiate = signal::INITIATE {
            /// What for.
            purpose: Purpose,
            /// The responder's session, which the initiator has verified, is part of the prologue.
            knows_session: bool,
            /// Which secret it is keyed with.
            psk_id: [u8; 8],
            /// Noise message 1.
            noise: Bytes<SIGNAL_BYTES>,
        },
        /// Second handshake message.
        Answer = signal::ANSWER {
            /// To which attempt.
            attempt: Attempt,
            /// Noise message 2.
            noise: Bytes<SIGNAL_BYTES>,
        },
        /// The secret of a first message is not known here: an old one, perhaps. Anybody could have
        /// written this, so it is a hint.
        Unknown = signal::UNKNOWN {
            /// Of which attempt.
            attempt: Attempt,
        },
        /// A [`Trickle`] under the keys of the handshake: in a signal, or in a relayed frame.
        Sealed = signal::SEALED {
            /// Of which attempt.
            attempt: Attempt,
            /// Never twice.
            counter: u64,
            /// What is sealed.
            sealed: Bytes<SIGNAL_BYTES>,
        },
    }
}

wire_struct! {
    /// The payload of Noise message 1.
    pub struct Hello {
        /// Who asks.
        pub session: SessionBytes,
        /// Why it may.
        pub proof: Proof,
        /// The initiator's wall clock, to say how far clocks are apart; decides nothing.
        pub time_ms: u64,
        /// Makes the keys of synchronisation unpredictable.
        pub nonce: [u8; 16],
        /// What the initiator holds, if it wants to know what differs.
        pub holds: Option<Digests>,
        /// The initiator's description; only to somebody whose session it has verified.
        pub offer: Option<Description>,
    }
}

wire_enum! {
    /// The payload of Noise message 2.
    pub enum Reply {
        /// Let us.
        Accept = reply::ACCEPT {
            /// Who answers.
            session: SessionBytes,
            /// Why it may.
            proof: Proof,
            /// What the initiator gets, if it stood at the door.
            grant: Grant,
            /// How that compares with what the responder holds.
            compared: Option<Answers>,
            /// The answer, or an offer if message 1 carried none.
            description: Description,
        },
        /// Rather not.
        Refuse = reply::REFUSE {
            /// The number of an error code.
            code: u16,
            /// The responder's wall clock.
            time_ms: u64,
            /// Others to try.
            alternatives: List<NodeAddress, ALTERNATIVES>,
            /// Control items that prove it to somebody who is no member any more.
            why: List<Bytes<CONTROL_ITEM_BYTES>, CONTROL_ITEMS_PER_FRAME>,
        },
        /// Prove that you know the password. No link comes of this handshake.
        Challenge = reply::CHALLENGE {
            /// Who answers.
            session: SessionBytes,
            /// Why it may be here: shown before anything that the password proves.
            proof: Proof,
            /// The answer to what was shown in message 1.
            said: OnPassword,
        },
    }
}

wire_enum! {
    /// What is sealed beside the data channel.
    pub enum Trickle {
        /// A candidate; empty at the end of the list.
        Candidate = trickle::CANDIDATE {
            /// The candidate attribute's value.
            candidate: Line,
        },
        /// The answer to an offer that came in message 2.
        Answer = trickle::ANSWER {
            /// It.
            description: Description,
        },
        /// The attempt is given up.
        Abandon = trickle::ABANDON {
            /// The number of an error code.
            code: u16,
        },
        /// Who asks proves that it knows the password.
        Proof = trickle::PROOF {
            /// Made for this handshake.
            proof: [u8; 32],
        },
        /// Who answers proves the same, and lets it in.
        Admitted = trickle::ADMITTED {
            /// Made for this handshake.
            proof: [u8; 32],
            /// What it gets.
            grant: Grant,
        },
        /// A piece of a link's packet. Only relayed frames carry it, and they carry nothing else.
        Piece = trickle::PIECE {
            /// Counts the sender's pieces on this link from 0: none may be missing.
            number: u64,
            /// The packet goes on in the next piece.
            goes_on: bool,
            /// It.
            bytes: Bytes<PIECE_BYTES>,
        },
    }
}

wire_struct! {
    /// One message on a channel of a link.
    pub struct Packet {
        /// Counts the sender's frames on this link from 0.
        pub sequence: u64,
        /// The frame.
        pub frame: Frame,
    }
}

wire_enum! {
    /// What is said on a link. Connection ids are the receiver's own, 0 meaning the neighbor
    /// connection itself.
    pub enum Frame {
        /// First frame, sealed by the handshake's keys: its hash, then the sender's and the
        /// receiver's certificate fingerprints.
        Confirm = frame::CONFIRM {
            /// Never twice.
            counter: u64,
            /// What is sealed.
            sealed: Bytes<256>,
        },
        /// Are you there?
        Ping = frame::PING {
            /// Comes back.
            token: u64,
        },
        /// Yes.
        Pong = frame::PONG {
            /// As it came.
            token: u64,
            /// Peer time at the sender, in milliseconds since 1970.
            time_ms: u64,
        },
        /// The link ends.
        Bye = frame::BYE {
            /// Why.
            reason: ByeReason,
        },
        /// Control items: opaque to the graph.
        Control = frame::CONTROL {
            /// Them.
            items: List<Bytes<CONTROL_ITEM_BYTES>, CONTROL_ITEMS_PER_FRAME>,
        },
        /// Open a direct connection.
        DirectOpen = frame::DIRECT_OPEN {
            /// The opener's id of it.
            id: u64,
            /// What it is for.
            label: Text<LABEL_BYTES>,
        },
        /// A direct connection is accepted.
        DirectAccept = frame::DIRECT_ACCEPT {
            /// The opener's id.
            id: u64,
            /// The accepter's id.
            accepter: u64,
        },
        /// A direct connection is refused.
        DirectRefuse = frame::DIRECT_REFUSE {
            /// The opener's id.
            id: u64,
        },
        /// A direct connection is closed, or its opening given up.
        DirectClose = frame::DIRECT_CLOSE {
            /// The closer's id.
            id: u64,
        },
        /// A message of the app.
        Data = frame::DATA {
            /// Over which connection.
            to: u64,
            /// Its type.
            kind: Text<MESSAGE_TYPE_BYTES>,
            /// It.
            data: Bytes<MESSAGE_BYTES>,
        },
        /// The app took the oldest messages that came over a connection.
        Taken = frame::TAKEN {
            /// Over which connection.
            to: u64,
            /// How many.
            messages: u32,
        },
        /// Something of a comparison.
        Sync = frame::SYNC {
            /// Of what.
            scope: Scope,
            /// It.
            message: Message,
        },
        /// Records, each whole.
        Records = frame::RECORDS {
            /// Them.
            records: List<Bytes<RECORDS_FRAME_BYTES>, RECORDS_PER_FRAME>,
        },
        /// A piece of a record that is too large for one frame; the pieces come in order.
        RecordPart = frame::RECORD_PART {
            /// Bytes of the record that follow this piece.
            rest: u32,
            /// The piece.
            piece: Bytes<RECORDS_FRAME_BYTES>,
        },
        /// Frames of control items or records were taken in.
        ItemsTaken = frame::ITEMS_TAKEN {
            /// How many.
            frames: u32,
        },
    }
}

impl Frame {
    /// Whether it carries control items or records, or is about them.
    #[must_use]
    pub fn is_of_items(&self) -> bool {
        matches!(
            self,
            Self::Control { .. }
                | Self::Records { .. }
                | Self::RecordPart { .. }
                | Self::Sync { .. }
        )
    }
}

//! Honest messages about a group's password.

use peer_group::crypto::FAKE;
use peer_group::group::Control;
use peer_group::group::invitation::{ByPassword, ByPasswordBody, Head};
use peer_group::group::password::verifier::Verifier;
use peer_group::names::{GroupId, PeerId, Role};
use peer_group::random::Random;
use peer_group::wire::codec::{Bytes, List, Text, Wire};
use peer_group::wire::link::{Purpose, Reply, Signal, SignalBody, Trickle};
use peer_group::wire::numbers::invitation;
use peer_group::wire::password::{Asking, Challenge, Worked};
use peer_group::wire::seconds::Seconds;
use peer_group::wire::text::{self, TextKind};

fn filled<const MAX: usize>(len: usize) -> Bytes<MAX> {
    Bytes::new(vec![7; len.min(MAX)]).unwrap_or_default()
}

pub(crate) fn messages() -> Vec<Vec<u8>> {
    let mut all = said();
    all.extend(kept());
    all
}

fn said() -> Vec<Vec<u8>> {
    let asking = Asking {
        generation: 2,
        share: [1; 32],
        sealing: [2; 32],
        work: Some(Worked {
            at: 1_800_000_000_000,
            answer: 300_000,
        }),
    };
    let challenges = [
        Challenge::Share { share: [1; 32] },
        Challenge::Generation { generation: 3 },
        Challenge::Work {
            bits: 18,
            at: 1_800_000_000_000,
            puzzle: [3; 32],
        },
        Challenge::Later { after_ms: 10_000 },
    ];
    let knock = SignalBody::Initiate {
        purpose: Purpose::Password,
        knows_session: true,
        psk_id: [1; 8],
        noise: filled(300),
    };
    let challenge = Reply::Challenge {
        session: filled(146),
        proof: filled(181),
        said: filled(33),
    };
    let grant = Trickle::Admitted {
        proof: [1; 32],
        grant: filled(361),
    };
    let mut all: Vec<Vec<u8>> = challenges.iter().map(Wire::to_bytes).collect();
    all.push(asking.to_bytes());
    all.push(Signal(knock).to_bytes());
    all.push(challenge.to_bytes());
    all.push(Trickle::Proof { proof: [1; 32] }.to_bytes());
    all.push(grant.to_bytes());
    all
}

fn kept() -> Vec<Vec<u8>> {
    let (group, mut random) = (GroupId([9; 32]), Random::new([1; 32]));
    let to = (PeerId([2; 32]), &[3; 32]);
    let verifier = Verifier::seal(&FAKE, &mut random, group, &[5; 32], to, (1, &[4; 32]));
    let head = Head {
        kind: invitation::PASSWORD,
        group,
        friendly_name: Text::new("Tea").unwrap_or_default(),
        issuer: PeerId([2; 32]),
        issuer_name: Text::new("Al").unwrap_or_default(),
        rendezvous: List::default(),
    };
    let body = ByPasswordBody {
        head,
        door: [1; 16],
        role: Role::Member,
        generation: 1,
        made: Seconds(1_800_000_000),
    };
    let written = ByPassword::text(&FAKE, &[5; 32], body);
    let read = text::decode(
        TextKind::Invitation,
        &written,
        peer_group::error::Code::Internal,
    );
    let items = verifier.map(|verifier| Control::Verifier { verifier }.to_bytes());
    items
        .into_iter()
        .chain(read)
        .chain([written.into_bytes()])
        .collect()
}

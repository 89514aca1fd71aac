//! Frames between the two ends of a pair.

use peer_group::wire::rendezvous::{RelayClosedReason, RelayFrame, relay_cost};

use super::*;

pub(super) const A: [u8; 32] = [1; 32];
pub(super) const B: [u8; 32] = [2; 32];
/// Of frames that count for a whole number of KiB.
pub(super) const LEN: usize = 1024 - 64;

pub(super) fn relay(to: [u8; 32], len: usize) -> ClientMessage {
    ClientMessage::Relay {
        to: tag(to),
        frame: RelayFrame::new(vec![5; len]).unwrap(),
    }
}

pub(super) fn closed(to: [u8; 32], reason: RelayClosedReason) -> ServerMessage {
    ServerMessage::RelayClosed {
        to: tag(to),
        reason,
    }
}

/// Two that have signalled each other, and so may relay.
fn pair(limits: Limits) -> (Server, Client, Client) {
    let mut server = Server::new(limits);
    let (a, b) = (server.open(1), server.open_from(2, [192, 0, 2, 2]));
    server.tell(a.conn, &ClientMessage::Listen { r: A });
    server.tell(b.conn, &ClientMessage::Listen { r: B });
    meet(&mut server, &a, &b);
    (server, a, b)
}

fn meet(server: &mut Server, a: &Client, b: &Client) {
    server.tell(a.conn, &signal(tag(B), b"initiate"));
    server.tell(b.conn, &signal(tag(A), b"answer"));
    server.heard(a.conn);
    server.heard(b.conn);
}

impl Server {
    /// The sockets take all that was sent.
    pub(super) fn take(&mut self) {
        while let Some(receipt) = self.receipts.pop_front() {
            self.rooms.taken(self.now, receipt);
        }
        self.drain();
    }

    /// The credit that a connection was given, and nothing else.
    pub(super) fn credit(&mut self, conn: ConnId) -> u32 {
        let heard = self.heard(conn).into_iter();
        heard
            .map(|message| match message {
                ServerMessage::RelayCredit { bytes, .. } => bytes,
                other => panic!("no credit but {other:?}"),
            })
            .sum()
    }
}

#[test]
fn only_who_was_written_to_may_be_sent_frames_by() {
    let mut server = Server::new(Limits::default());
    let (a, b) = (server.open(1), server.open(2));
    assert_eq!(server.tell(a.conn, &relay(B, 1)), error(ErrorReason::Tag));
    server.tell(a.conn, &ClientMessage::Listen { r: A });
    let gone = [closed(B, RelayClosedReason::Gone)];
    assert_eq!(server.tell(a.conn, &relay(B, 1)), gone);
    server.tell(b.conn, &ClientMessage::Listen { r: B });
    let unasked = [closed(B, RelayClosedReason::Unasked)];
    assert_eq!(server.tell(a.conn, &relay(B, 1)), unasked);
    server.tell(a.conn, &signal(tag(B), b"initiate"));
    server.heard(b.conn);
    // Its own signal does not help it: the other one has to want it.
    assert_eq!(server.tell(a.conn, &relay(B, 1)), unasked);
    let own = [closed(A, RelayClosedReason::Unasked)];
    assert_eq!(server.tell(a.conn, &relay(A, 1)), own);
    assert_eq!(server.heard(b.conn), []);
    // And the one that was written to may answer by frames at once.
    assert_eq!(server.tell(b.conn, &relay(A, 3)), []);
    let frame = RelayFrame::new(vec![5; 3]).unwrap();
    let from = tag(B);
    assert_eq!(server.heard(a.conn), [ServerMessage::Relay { from, frame }]);
    assert_eq!(server.tell(a.conn, &relay(B, 1)), []);
    assert_eq!(server.heard(b.conn).len(), 1);
}

#[test]
fn frames_that_lead_nowhere_are_few() {
    let mut server = Server::new(Limits {
        signals: Rate {
            per_second: 1,
            burst: 2,
        },
        ..Limits::default()
    });
    let a = server.open(1);
    server.tell(a.conn, &ClientMessage::Listen { r: A });
    let gone = || closed(B, RelayClosedReason::Gone);
    for _ in 0..2 {
        assert_eq!(server.tell(a.conn, &relay(B, 1)), [gone()]);
    }
    let slower = ServerMessage::Error {
        reason: ErrorReason::Rate,
        retry_after_ms: 1_000,
    };
    assert_eq!(server.tell(a.conn, &relay(B, 1)), [gone(), slower]);
}

#[test]
fn credit_comes_back_when_the_other_end_takes_and_is_all_that_may_be_under_way() {
    let (mut server, a, b) = pair(Limits::default());
    for _ in 0..64 {
        assert_eq!(server.tell(a.conn, &relay(B, LEN)), []);
    }
    assert_eq!(server.heard(b.conn).len(), 64);
    assert_eq!(server.rooms.counts().relayed_bytes, 64 * LEN as u64);
    server.take();
    assert_eq!(server.credit(a.conn), 65_536);
    assert_eq!(server.credit(b.conn), 0);
    for _ in 0..64 {
        assert_eq!(server.tell(a.conn, &relay(B, LEN)), []);
    }
    server.heard(b.conn);
    // The other end does not read: not a byte more.
    let over = server.tell(a.conn, &relay(B, 0));
    assert_eq!(over, [closed(B, RelayClosedReason::Quota)]);
    assert_eq!(server.heard(b.conn), [closed(A, RelayClosedReason::Gone)]);
    // What comes late of a pair that is no more changes nothing.
    server.take();
    assert_eq!(server.heard(a.conn), []);
    // It may not begin anew by itself, but the other end may want it again.
    let unasked = [closed(B, RelayClosedReason::Unasked)];
    assert_eq!(server.tell(a.conn, &relay(B, 0)), unasked);
    meet(&mut server, &a, &b);
    assert_eq!(server.tell(a.conn, &relay(B, 0)), []);
    assert_eq!(server.heard(b.conn).len(), 1);
    assert_eq!(server.rooms.counts().relay_overruns, 1);
}

#[test]
fn small_frames_are_counted_with_what_they_take_on_the_wire() {
    let (mut server, a, b) = pair(Limits::default());
    let most = 65_536 / relay_cost(&[]);
    assert_eq!(most, 1024);
    for _ in 0..most {
        assert_eq!(server.tell(a.conn, &relay(B, 0)), []);
    }
    assert_eq!(server.heard(b.conn).len(), 1024);
    let over = server.tell(a.conn, &relay(B, 0));
    assert_eq!(over, [closed(B, RelayClosedReason::Quota)]);
}

/// Sends as fast as credit allows and says how many bytes went in `ms`, to a reader that takes all.
fn rush(server: &mut Server, from: &Client, to: ([u8; 32], &Client), ms: Millis) -> u64 {
    let (mut credit, mut sent) = (65_536, 0);
    for _ in 0..ms / 10 {
        while credit >= 1024 {
            assert_eq!(server.tell(from.conn, &relay(to.0, LEN)), []);
            credit -= 1024;
            sent += 1024;
            server.take();
            credit += server.credit(from.conn);
        }
        server.heard(to.1.conn);
        server.pass(10);
        credit += server.credit(from.conn);
    }
    sent
}

#[test]
fn a_pair_goes_no_faster_than_its_rate() {
    let (mut server, a, b) = pair(Limits::default());
    let sent = rush(&mut server, &a, (B, &b), 10_000);
    // Ten seconds and the burst at the beginning, give or take a window.
    let expected = 11 * 256 * 1024;
    assert!(sent.abs_diff(expected) <= 65_536, "{sent} bytes");
}

#[test]
fn an_address_goes_no_faster_than_its_rate_however_many_pairs_it_has() {
    let limits = Limits {
        relay_per_pair: Rate {
            per_second: 1_000_000_000,
            burst: 1_000_000_000,
        },
        ..Limits::default()
    };
    let (mut server, a, b) = pair(limits);
    let sent = rush(&mut server, &a, (B, &b), 5_000);
    assert!(sent.abs_diff(6 * 1024 * 1024) <= 65_536, "{sent} bytes");

    // All windows of many pairs at once are more than an address may owe.
    let (mut server, _, _) = pair(limits);
    let mut sent = 0;
    'all: for n in 10..100u8 {
        let (one, other) = (
            server.open(2 * u64::from(n)),
            server.open(2 * u64::from(n) + 1),
        );
        let (r, s) = ([n; 32], [n + 100; 32]);
        server.tell(one.conn, &ClientMessage::Listen { r });
        server.tell(other.conn, &ClientMessage::Listen { r: s });
        server.tell(other.conn, &signal(tag(r), b"come"));
        server.heard(one.conn);
        for _ in 0..64 {
            let answer = server.tell(one.conn, &relay(s, LEN));
            if !answer.is_empty() {
                assert_eq!(answer, [closed(s, RelayClosedReason::Quota)]);
                break 'all;
            }
            sent += 1024;
        }
    }
    // A burst, and as much again in debt.
    assert_eq!(sent, 2 * 1024 * 1024 + 1024);
}

#[test]
fn a_pair_ends_with_either_end_and_with_silence() {
    let (mut server, a, b) = pair(Limits::default());
    server.tell(a.conn, &relay(B, 1));
    server.heard(b.conn);
    // A newer socket under the same tag: what the old one had under way is lost.
    let newer = server.open(3);
    server.tell(newer.conn, &ClientMessage::Listen { r: A });
    assert_eq!(server.heard(b.conn), [closed(A, RelayClosedReason::Gone)]);
    // It goes on at once with the newer one, both ways and with a full window.
    assert_eq!(server.tell(b.conn, &relay(A, LEN)), []);
    assert_eq!(server.heard(newer.conn).len(), 1);
    assert_eq!(server.rooms.counts().pairs, 1);

    server.pass(60_000);
    assert_eq!(server.tell(newer.conn, &relay(B, LEN)), []);
    server.heard(b.conn);
    server.pass(119_999);
    assert_eq!(server.rooms.counts().pairs, 1);
    server.pass(60_000);
    let idle = RelayClosedReason::Idle;
    assert_eq!(server.heard(newer.conn), [closed(B, idle)]);
    assert_eq!(server.heard(b.conn), [closed(A, idle)]);

    assert_eq!(server.tell(newer.conn, &relay(B, 1)), []);
    server.heard(b.conn);
    server.disconnect(&newer);
    let gone = ServerMessage::Gone { tag: tag(A) };
    let both = [closed(A, RelayClosedReason::Gone), gone];
    assert_eq!(server.heard(b.conn), both);
    server.disconnect(&b);
    assert_eq!(server.rooms.counts().pairs, 0);
    server.pass(600_000);
    assert_eq!(server.rooms.next_timeout(), None);
}

#[test]
fn pairs_are_few_and_an_operator_may_want_none() {
    let (mut server, a, b) = pair(Limits {
        pairs_per_connection: 1,
        ..Limits::default()
    });
    assert_eq!(server.tell(a.conn, &relay(B, 1)), []);
    let c = server.open(3);
    server.tell(c.conn, &ClientMessage::Listen { r: [3; 32] });
    server.tell(b.conn, &signal(tag([3; 32]), b"come"));
    server.heard(c.conn);
    let full = [closed(B, RelayClosedReason::Quota)];
    assert_eq!(server.tell(c.conn, &relay(B, 1)), full);

    let (mut server, a, _) = pair(Limits {
        relay: false,
        ..Limits::default()
    });
    let off = [closed(B, RelayClosedReason::Off)];
    assert_eq!(server.tell(a.conn, &relay(B, 1)), off);
}

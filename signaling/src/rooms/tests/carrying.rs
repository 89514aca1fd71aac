//! Frames between two ends that are reached through two machines.

use std::cell::RefCell;
use std::rc::Rc;

use peer_group::wire::rendezvous::{RelayClosedReason, RelayFrame};

use super::machines::{Cluster, Fate};
use super::relaying::{A, B, LEN, closed, relay};
use super::*;

mod chance;

const WINDOW: u32 = 65_536;
const GONE: RelayClosedReason = RelayClosedReason::Gone;

/// Two that have signalled each other, at two machines.
fn pair(limits: Limits) -> (Cluster, Client, Client) {
    let mut cluster = Cluster::with(3, limits);
    let (a, b) = (cluster.open(0, 1), cluster.open(1, 2));
    listen(&mut cluster, 0, &a, A);
    listen(&mut cluster, 1, &b, B);
    meet(&mut cluster, &a, &b);
    (cluster, a, b)
}

fn listen(cluster: &mut Cluster, at: usize, client: &Client, r: [u8; 32]) {
    let answer = cluster.tell(at, client, &ClientMessage::Listen { r });
    assert_eq!(answer, [ServerMessage::Listening {}]);
}

/// A at the first machine, B at the second.
fn meet(cluster: &mut Cluster, a: &Client, b: &Client) {
    for (at, from, to, (other, client)) in [(0, a, B, (1, b)), (1, b, A, (0, a))] {
        assert_eq!(cluster.tell(at, from, &signal(tag(to), b"come")), []);
        let heard = cluster.machines[other].heard(client.conn);
        assert!(
            matches!(&heard[..], [ServerMessage::Delivered { .. }]),
            "{heard:?}"
        );
    }
}

fn numbered(to: [u8; 32], number: u32) -> ClientMessage {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(LEN, 0);
    ClientMessage::Relay {
        to: tag(to),
        frame: RelayFrame::new(bytes).unwrap(),
    }
}

/// The numbers of the frames that a client heard; nothing else may have come.
fn numbers(heard: Vec<ServerMessage>) -> Vec<u32> {
    let number = |message| match message {
        ServerMessage::Relay { frame, .. } => u32::from_be_bytes(*frame.first_chunk().unwrap()),
        other => panic!("no frame but {other:?}"),
    };
    heard.into_iter().map(number).collect()
}

/// The sockets of a machine take all that was sent.
fn take(cluster: &mut Cluster, at: usize) {
    cluster.machines[at].take();
    cluster.carry();
}

fn pairs(cluster: &Cluster) -> Vec<u64> {
    let machines = cluster.machines.iter();
    machines.map(|one| one.rooms.counts().pairs).collect()
}

/// Lets the notes lose their way that `is_it` picks; which come after those that were said before.
fn lose(cluster: &mut Cluster, mut is_it: impl FnMut(&Note) -> bool + 'static) {
    cluster.fate = Some(Box::new(move |note| match is_it(note) {
        true => Fate::IsLost,
        false => Fate::Arrives,
    }));
}

#[test]
fn frames_arrive_in_order_and_credit_comes_back_when_they_are_taken() {
    let (mut cluster, a, b) = pair(Limits::default());
    for round in 0..4 {
        for n in 0..64 {
            let answer = cluster.tell(0, &a, &numbered(B, round * 64 + n));
            assert_eq!(answer, []);
        }
        let expected: Vec<u32> = (round * 64..round * 64 + 64).collect();
        assert_eq!(numbers(cluster.machines[1].heard(b.conn)), expected);
        take(&mut cluster, 1);
        assert_eq!(cluster.machines[0].credit(a.conn), WINDOW);
    }
    assert_eq!(pairs(&cluster), [1, 1, 0]);
    // Counted once, where they came in.
    let counts = cluster.machines[0].rooms.counts();
    assert_eq!(counts.relayed_bytes, 256 * LEN as u64);
    assert_eq!(cluster.machines[1].rooms.counts().relayed_frames, 0);
    // The other way the window is a window of its own.
    for n in 0..64 {
        assert_eq!(cluster.tell(1, &b, &numbered(A, n)), []);
    }
    let expected: Vec<u32> = (0..64).collect();
    assert_eq!(numbers(cluster.machines[0].heard(a.conn)), expected);
}

#[test]
fn not_a_byte_more_is_under_way_than_the_window_says() {
    let (mut cluster, a, b) = pair(Limits::default());
    for _ in 0..64 {
        assert_eq!(cluster.tell(0, &a, &relay(B, LEN)), []);
    }
    cluster.machines[1].heard(b.conn);
    // The other end does not read.
    let over = cluster.tell(0, &a, &relay(B, 0));
    assert_eq!(over, [closed(B, RelayClosedReason::Quota)]);
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, GONE)]);
    assert_eq!(pairs(&cluster), [0, 0, 0]);
    // It may not begin anew by itself, but the other end may want it again.
    let unasked = [closed(B, RelayClosedReason::Unasked)];
    assert_eq!(cluster.tell(0, &a, &relay(B, 0)), unasked);
    meet(&mut cluster, &a, &b);
    assert_eq!(cluster.tell(0, &a, &relay(B, 0)), []);
    assert_eq!(cluster.machines[1].heard(b.conn).len(), 1);
}

#[test]
fn a_machine_that_sends_more_than_the_window_is_not_believed() {
    let (mut cluster, a, b) = pair(Limits::default());
    cluster.tell(0, &a, &relay(B, LEN));
    // The sender's machine takes for credit what the other never told.
    lose(&mut cluster, |note| matches!(note, Note::Taken { .. }));
    let half = cluster.halves(0);
    for n in 1..100 {
        let note = Note::Taken {
            from: tag(B),
            halves: half.clone(),
            bytes: n * 1024,
        };
        let now = cluster.machines[0].now;
        cluster.machines[0].rooms.noted(now, tag(A), note);
        cluster.tell(0, &a, &relay(B, LEN));
    }
    let heard = cluster.machines[1].heard(b.conn);
    let frames = heard
        .iter()
        .filter(|message| matches!(message, ServerMessage::Relay { .. }));
    assert_eq!(frames.count(), 64);
    assert_eq!(heard.last(), Some(&closed(A, GONE)));
    assert_eq!(pairs(&cluster), [0, 0, 0]);
}

#[test]
fn only_who_was_written_to_may_be_sent_frames_by_and_asking_in_vain_costs() {
    let mut cluster = Cluster::with(
        2,
        Limits {
            signals: Rate {
                per_second: 1,
                burst: 3,
            },
            ..Limits::default()
        },
    );
    let (a, b) = (cluster.open(0, 1), cluster.open(1, 2));
    listen(&mut cluster, 0, &a, A);
    assert_eq!(cluster.tell(0, &a, &relay(B, 1)), [closed(B, GONE)]);
    listen(&mut cluster, 1, &b, B);
    let unasked = closed(B, RelayClosedReason::Unasked);
    for _ in 0..2 {
        assert_eq!(
            cluster.tell(0, &a, &relay(B, 1)),
            std::slice::from_ref(&unasked)
        );
    }
    let slower = ServerMessage::Error {
        reason: ErrorReason::Rate,
        retry_after_ms: 1_000,
    };
    let quota = closed(B, RelayClosedReason::Quota);
    assert_eq!(cluster.tell(0, &a, &relay(B, 1)), [quota, slower]);
    assert_eq!(cluster.machines[1].heard(b.conn), []);
    assert_eq!(pairs(&cluster), [0, 0]);
}

#[test]
fn a_client_has_as_many_pairs_as_it_may_wherever_they_begin() {
    let (mut cluster, a, b) = pair(Limits {
        pairs_per_connection: 1,
        ..Limits::default()
    });
    assert_eq!(cluster.tell(0, &a, &relay(B, 1)), []);
    let c = cluster.open(2, 3);
    listen(&mut cluster, 2, &c, [3; 32]);
    cluster.tell(1, &b, &signal(tag([3; 32]), b"come"));
    cluster.machines[2].heard(c.conn);
    let full = [closed(B, RelayClosedReason::Quota)];
    assert_eq!(cluster.tell(2, &c, &relay(B, 1)), full);
    assert_eq!(pairs(&cluster), [1, 1, 0]);
    let (mut cluster, a, _) = pair(Limits {
        relay: false,
        ..Limits::default()
    });
    let off = [closed(B, RelayClosedReason::Off)];
    assert_eq!(cluster.tell(0, &a, &relay(B, 1)), off);
}

#[test]
fn a_pair_goes_no_faster_than_its_rate() {
    let (mut cluster, a, b) = pair(Limits::default());
    let (mut credit, mut sent) = (WINDOW, 0u64);
    for _ in 0..1_000 {
        while credit >= 1024 {
            assert_eq!(cluster.tell(0, &a, &relay(B, LEN)), []);
            credit -= 1024;
            sent += 1024;
            take(&mut cluster, 1);
            credit += cluster.machines[0].credit(a.conn);
        }
        cluster.machines[1].heard(b.conn);
        cluster.pass(10);
        credit += cluster.machines[0].credit(a.conn);
    }
    // Ten seconds and the burst at the beginning, give or take a window at each machine.
    let expected: u64 = 11 * 256 * 1024;
    assert!(sent.abs_diff(expected) <= 2 * 65_536, "{sent} bytes");
}

#[test]
fn both_may_begin_at_once() {
    let (mut cluster, a, b) = pair(Limits::default());
    // Neither machine has heard of the other's when it begins.
    for n in 0..3 {
        cluster.machines[0].tell(a.conn, &numbered(B, n));
        cluster.machines[1].tell(b.conn, &numbered(A, n));
    }
    cluster.carry();
    for (at, client) in [(0, &a), (1, &b)] {
        let heard = cluster.machines[at].heard(client.conn);
        assert_eq!(numbers(heard), [0, 1, 2]);
    }
    assert_eq!(pairs(&cluster), [1, 1, 0]);
    for n in 3..64 {
        assert_eq!(cluster.tell(0, &a, &numbered(B, n)), []);
    }
    take(&mut cluster, 1);
    assert_eq!(cluster.machines[0].credit(a.conn), WINDOW);
}

#[test]
fn a_pair_ends_with_either_end_and_with_silence() {
    let (mut cluster, a, b) = pair(Limits::default());
    cluster.tell(0, &a, &relay(B, 1));
    cluster.machines[1].heard(b.conn);
    // One end moves to a third machine: what its old socket had under way is lost.
    cluster.pass(1_000);
    let moved = cluster.open(2, 3);
    listen(&mut cluster, 2, &moved, A);
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, GONE)]);
    // It goes on at once with the new one, once that has something to say.
    let unasked = [closed(A, RelayClosedReason::Unasked)];
    assert_eq!(cluster.tell(1, &b, &relay(A, LEN)), unasked);
    assert_eq!(cluster.tell(2, &moved, &relay(B, LEN)), []);
    assert_eq!(cluster.machines[1].heard(b.conn).len(), 1);
    assert_eq!(cluster.tell(1, &b, &relay(A, LEN)), []);
    assert_eq!(cluster.machines[2].heard(moved.conn).len(), 1);
    assert_eq!(pairs(&cluster), [0, 1, 1]);

    cluster.pass(60_000);
    assert_eq!(cluster.tell(2, &moved, &relay(B, LEN)), []);
    cluster.machines[1].heard(b.conn);
    cluster.pass(119_000);
    assert_eq!(pairs(&cluster), [0, 1, 1]);
    cluster.pass(2_000);
    let idle = RelayClosedReason::Idle;
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, idle)]);
    assert_eq!(cluster.machines[2].heard(moved.conn), [closed(B, idle)]);

    // One end comes to the other's machine.
    assert_eq!(cluster.tell(2, &moved, &relay(B, 1)), []);
    cluster.machines[1].heard(b.conn);
    let near = cluster.open(1, 4);
    listen(&mut cluster, 1, &near, A);
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, GONE)]);
    assert_eq!(cluster.tell(1, &near, &relay(B, 1)), []);
    assert_eq!(cluster.machines[1].heard(b.conn).len(), 1);
    assert_eq!(pairs(&cluster), [0, 1, 0]);
    cluster.machines[1].disconnect(&near);
    cluster.machines[1].disconnect(&b);
    cluster.pass(600_000);
    for machine in &cluster.machines[1..] {
        assert_eq!(machine.rooms.next_timeout(), None);
    }
}

#[test]
fn who_leaves_ends_its_pairs_at_both_machines() {
    let (mut cluster, a, b) = pair(Limits::default());
    cluster.tell(0, &a, &relay(B, 1));
    cluster.machines[1].heard(b.conn);
    cluster.machines[0].disconnect(&a);
    cluster.carry();
    let gone = ServerMessage::Gone { tag: tag(A) };
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, GONE), gone]);
    assert_eq!(pairs(&cluster), [0, 0, 0]);
}

#[test]
fn a_machine_that_dies_ends_its_pairs_and_no_others() {
    let (mut cluster, a, _) = pair(Limits::default());
    let c = cluster.open(2, 3);
    listen(&mut cluster, 2, &c, [3; 32]);
    cluster.tell(2, &c, &signal(tag(A), b"come"));
    cluster.machines[0].heard(a.conn);
    assert_eq!(cluster.tell(0, &a, &relay([3; 32], 1)), []);
    cluster.machines[2].heard(c.conn);
    cluster.tell(0, &a, &relay(B, LEN));
    cluster.kill(1);
    // With frames under way it shows at once, without it when the machine is missed.
    assert_eq!(cluster.tell(0, &a, &relay(B, LEN)), [closed(B, GONE)]);
    assert_eq!(pairs(&cluster)[0], 1);
    cluster.kill(2);
    cluster.part(Some(1));
    assert_eq!(cluster.machines[0].heard(a.conn), []);
    cluster.part(Some(2));
    let end = [closed([3; 32], GONE)];
    assert_eq!(cluster.machines[0].heard(a.conn), end);
    assert_eq!(pairs(&cluster)[0], 0);
}

#[test]
fn an_outage_ends_pairs_at_both_ends_and_they_begin_anew() {
    let (mut cluster, a, b) = pair(Limits::default());
    cluster.tell(0, &a, &relay(B, LEN));
    cluster.machines[1].heard(b.conn);
    cluster.is_up = false;
    cluster.part(None);
    assert_eq!(cluster.machines[0].heard(a.conn), [closed(B, GONE)]);
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, GONE)]);
    assert_eq!(cluster.tell(0, &a, &relay(B, LEN)), [closed(B, GONE)]);
    cluster.is_up = true;
    assert_eq!(cluster.tell(0, &a, &numbered(B, 7)), []);
    assert_eq!(numbers(cluster.machines[1].heard(b.conn)), [7]);
}

#[test]
fn what_is_lost_ends_the_pair_at_both_ends() {
    let (mut cluster, a, b) = pair(Limits::default());
    let is_third =
        |note: &Note| matches!(note, Note::Relay { number: 2, frame, .. } if frame.is_some());
    lose(&mut cluster, is_third);
    let mut told = Vec::new();
    for n in 0..4 {
        told.extend(cluster.tell(0, &a, &numbered(B, n)));
    }
    assert_eq!(told, [closed(B, GONE)]);
    let mut heard = cluster.machines[1].heard(b.conn);
    assert_eq!(heard.pop(), Some(closed(A, GONE)));
    assert_eq!(numbers(heard), [0, 1]);
    assert_eq!(pairs(&cluster), [0, 0, 0]);

    // The last one's loss shows when nothing is heard of it.
    cluster.tell(0, &a, &numbered(B, 0));
    cluster.tell(0, &a, &numbered(B, 1));
    assert_eq!(cluster.tell(0, &a, &numbered(B, 2)), []);
    assert_eq!(numbers(cluster.machines[1].heard(b.conn)), [0, 1]);
    cluster.pass(5_000);
    assert_eq!(cluster.machines[0].heard(a.conn), [closed(B, GONE)]);
    assert_eq!(cluster.machines[1].heard(b.conn), [closed(A, GONE)]);
}

#[test]
fn credit_that_was_lost_comes_when_it_is_asked_for() {
    let (mut cluster, a, b) = pair(Limits::default());
    lose(&mut cluster, |note| matches!(note, Note::Taken { .. }));
    for n in 0..64 {
        assert_eq!(cluster.tell(0, &a, &numbered(B, n)), []);
        take(&mut cluster, 1);
    }
    assert_eq!(cluster.machines[0].credit(a.conn), 0);
    cluster.fate = None;
    cluster.pass(5_000);
    assert_eq!(cluster.machines[0].credit(a.conn), WINDOW);
    cluster.machines[1].heard(b.conn);
    // What was told earlier gives none again, nor does more than was sent.
    for bytes in [1024, u64::from(WINDOW) + 1] {
        let note = Note::Taken {
            from: tag(B),
            halves: cluster.halves(0),
            bytes,
        };
        let now = cluster.machines[0].now;
        cluster.machines[0].rooms.noted(now, tag(A), note);
        cluster.carry();
        assert_eq!(cluster.machines[0].credit(a.conn), 0);
    }
    // With nothing under way nobody asks.
    lose(&mut cluster, |note| panic!("{note:?}"));
    cluster.pass(60_000);
    cluster.fate = None;
    // Who takes its time and says so may; who says nothing is gone.
    cluster.tell(0, &a, &numbered(B, 64));
    cluster.pass(60_000);
    assert_eq!(pairs(&cluster), [1, 1, 0]);
    lose(&mut cluster, |note| matches!(note, Note::Taken { .. }));
    cluster.tell(0, &a, &numbered(B, 65));
    cluster.pass(15_000);
    assert_eq!(cluster.machines[0].heard(a.conn), []);
    cluster.pass(5_000);
    assert_eq!(cluster.machines[0].heard(a.conn), [closed(B, GONE)]);
    assert_eq!(pairs(&cluster), [0, 0, 0]);
}

#[test]
fn an_end_that_was_not_told_hears_it_with_its_next_frame() {
    let (mut cluster, a, b) = pair(Limits::default());
    cluster.tell(0, &a, &numbered(B, 0));
    cluster.machines[1].heard(b.conn);
    lose(&mut cluster, |note| matches!(note, Note::Closed { .. }));
    cluster.machines[0].disconnect(&a);
    cluster.carry();
    cluster.fate = None;
    let gone = ServerMessage::Gone { tag: tag(A) };
    assert_eq!(cluster.machines[1].heard(b.conn), [gone]);
    // The newer socket has no half, and begins one: the old one ends for it.
    let newer = cluster.open(0, 9);
    listen(&mut cluster, 0, &newer, A);
    cluster.tell(1, &b, &signal(tag(A), b"come"));
    cluster.machines[0].heard(newer.conn);
    assert_eq!(cluster.tell(0, &newer, &numbered(B, 0)), []);
    let mut heard = cluster.machines[1].heard(b.conn);
    assert_eq!(heard.remove(0), closed(A, GONE));
    assert_eq!(numbers(heard), [0]);
    lose(&mut cluster, |note| matches!(note, Note::Closed { .. }));
    cluster.machines[1].disconnect(&b);
    cluster.carry();
    cluster.fate = None;
    let newer_b = cluster.open(1, 10);
    listen(&mut cluster, 1, &newer_b, B);
    cluster.tell(1, &newer_b, &signal(tag(A), b"come"));
    cluster.machines[0].heard(newer.conn);
    assert_eq!(cluster.tell(0, &newer, &numbered(B, 1)), [closed(B, GONE)]);
    assert_eq!(pairs(&cluster), [0, 0, 0]);
}

#[test]
fn what_comes_late_of_an_earlier_pair_ends_no_later_one() {
    let (mut cluster, a, b) = pair(Limits::default());
    let early: Rc<RefCell<Vec<Note>>> = Rc::default();
    let seen = Rc::clone(&early);
    cluster.fate = Some(Box::new(move |note| {
        seen.borrow_mut().push(note.clone());
        Fate::Arrives
    }));
    for n in 0..20 {
        cluster.tell(0, &a, &numbered(B, n));
        cluster.tell(1, &b, &numbered(A, n));
    }
    take(&mut cluster, 0);
    take(&mut cluster, 1);
    cluster.pass(5_000);
    for _ in 0..70 {
        cluster.tell(0, &a, &relay(B, LEN));
    }
    cluster.fate = None;
    let has_closed = early
        .borrow()
        .iter()
        .any(|note| matches!(note, Note::Closed { .. }));
    assert!(has_closed);
    meet_anew(&mut cluster, &a, &b);
    assert_eq!(cluster.tell(0, &a, &numbered(B, 0)), []);
    assert_eq!(numbers(cluster.machines[1].heard(b.conn)), [0]);
    assert_eq!(cluster.tell(1, &b, &numbered(A, 0)), []);
    assert_eq!(numbers(cluster.machines[0].heard(a.conn)), [0]);
    for note in early.borrow().iter() {
        // Repeated to whom it was for.
        let (at, to) = match note {
            Note::Relay { from, .. } | Note::Taken { from, .. } | Note::Closed { from, .. } => {
                match *from == tag(A) {
                    true => (1, tag(B)),
                    false => (0, tag(A)),
                }
            }
            _ => continue,
        };
        let now = cluster.machines[at].now;
        cluster.machines[at].rooms.noted(now, to, note.clone());
        cluster.carry();
    }
    assert_eq!(cluster.machines[0].heard(a.conn), []);
    assert_eq!(cluster.machines[1].heard(b.conn), []);
    assert_eq!(cluster.tell(0, &a, &numbered(B, 1)), []);
    assert_eq!(numbers(cluster.machines[1].heard(b.conn)), [1]);
}

/// After one end sent more than it may.
fn meet_anew(cluster: &mut Cluster, a: &Client, b: &Client) {
    cluster.pass(10_000);
    cluster.machines[0].heard(a.conn);
    cluster.machines[1].heard(b.conn);
    meet(cluster, a, b);
}

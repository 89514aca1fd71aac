//! Machines of a cluster: what they have each other know, ask, and answer.

use super::machines::Cluster;
use super::*;
use crate::rooms::far::bucket_of;

#[test]
fn a_machine_that_is_alone_asks_nobody() {
    let mut server = Server::new(Limits::default());
    let client = server.open(1);
    server.join(&client, [1; 32]);
    server.tell(client.conn, &signal(tag([9; 32]), b"nobody"));
    server.disconnect(&client);
    server.rooms.claim_again(server.now);
    assert_eq!(server.rooms.poll_far(), None);
}

#[test]
fn machines_name_and_reach_those_of_others() {
    let mut cluster = Cluster::new(3);
    let clients: Vec<Client> = (0..3).map(|at| cluster.open(at, 1)).collect();
    assert_eq!(cluster.join(0, &clients[0], 1), (0, vec![]));
    assert_eq!(cluster.join(1, &clients[1], 2), (1, vec![tag([1; 32])]));
    let (bucket, sample) = cluster.join(2, &clients[2], 3);
    assert_eq!((bucket, sample.len()), (2, 2));
    let word = signal(tag([3; 32]), b"hello");
    assert_eq!(cluster.tell(0, &clients[0], &word), []);
    let heard = cluster.machines[2].heard(clients[2].conn);
    assert!(
        matches!(&heard[..], [ServerMessage::Delivered { from, .. }] if *from == tag([1; 32])),
        "{heard:?}"
    );
    let nobody = signal(tag([9; 32]), b"nobody");
    let refused = ServerMessage::Refused {
        to: tag([9; 32]),
        reason: RefusedReason::Gone,
    };
    assert_eq!(cluster.tell(0, &clients[0], &nobody), [refused]);
    // Those who corresponded hear of its end, at whichever end they were; others do not.
    let end = clients[2].conn;
    let now = cluster.machines[2].now;
    cluster.machines[2].rooms.disconnected(now, end);
    cluster.carry();
    let gone = ServerMessage::Gone { tag: tag([3; 32]) };
    assert_eq!(cluster.machines[0].heard(clients[0].conn), [gone]);
    assert_eq!(cluster.machines[1].heard(clients[1].conn), []);
    assert!(cluster.hears[2].is_empty() && cluster.stands[2].is_empty());
    // When a stay is over, nobody is asked about it either.
    cluster.pass(121_000);
    assert!(cluster.stands.iter().all(BTreeSet::is_empty));
    assert_eq!(cluster.hears.iter().map(BTreeSet::len).sum::<usize>(), 2);
}

#[test]
fn what_cannot_be_carried_is_answered_from_here() {
    let mut cluster = Cluster::new(2);
    let (a, b) = (cluster.open(0, 1), cluster.open(0, 2));
    cluster.join(0, &a, 1);
    let machine = &mut cluster.machines[0];
    for message in [b.join(&KEY, [2; 32]), signal(tag([9; 32]), b"far")] {
        assert_eq!(machine.tell(b.conn, &message), []);
    }
    while let Some(far) = machine.rooms.poll_far() {
        machine.rooms.missed(machine.now, far);
    }
    machine.drain();
    let quota = ServerMessage::Refused {
        to: tag([9; 32]),
        reason: RefusedReason::Quota,
    };
    let heard = machine.heard(b.conn);
    assert!(
        matches!(&heard[..], [ServerMessage::Joined { sample, .. }, refused]
            if tags_of(sample) == [tag([1; 32])] && *refused == quota),
        "{heard:?}"
    );
}

#[test]
fn a_tag_is_where_it_came_to_last() {
    let mut cluster = Cluster::new(2);
    let (friend, old) = (cluster.open(0, 1), cluster.open(0, 2));
    cluster.join(0, &friend, 1);
    cluster.join(0, &old, 2);
    cluster.tell(0, &friend, &signal(tag([2; 32]), b"to the old one"));
    assert_eq!(cluster.machines[0].heard(old.conn).len(), 1);
    cluster.pass(5_000);
    let new = cluster.open(1, 1);
    assert_eq!(cluster.join(1, &new, 2).1, [tag([1; 32])]);
    let ended = (old.conn, ErrorReason::Superseded);
    assert_eq!(cluster.machines[0].closed, [ended]);
    // It lives on, so nobody hears that it is gone.
    assert_eq!(cluster.machines[0].heard(friend.conn), []);
    assert_eq!(cluster.seen(0, &friend, 16), [tag([2; 32])]);
    cluster.tell(0, &friend, &signal(tag([2; 32]), b"to the new one"));
    assert_eq!(cluster.machines[1].heard(new.conn).len(), 1);
    // What comes late of the old one changes nothing.
    let now = cluster.machines[0].now;
    cluster.machines[0].rooms.disconnected(now, old.conn);
    cluster.carry();
    assert_eq!(cluster.machines[0].heard(friend.conn), []);
    assert_eq!(cluster.seen(0, &friend, 16), [tag([2; 32])]);
}

#[test]
fn of_two_claims_at_once_one_stays_at_both_machines() {
    for late in [0, 40] {
        let mut cluster = Cluster::new(2);
        let (a, b) = (cluster.open(0, 1), cluster.open(1, 1));
        // Neither has heard of the other's when it is made.
        let listen = ClientMessage::Listen { r: [2; 32] };
        cluster.machines[0].tell(a.conn, &listen);
        cluster.machines[0].now.monotonic += late;
        cluster.machines[1].now.monotonic += late;
        cluster.machines[1].tell(b.conn, &listen);
        for machine in &mut cluster.machines {
            let now = machine.now;
            machine.rooms.claim_again(now);
        }
        cluster.carry();
        let left: usize = cluster.hears.iter().map(BTreeSet::len).sum();
        assert_eq!(left, 1, "{late} ms apart");
    }
}

#[test]
fn after_an_outage_the_later_claim_stays_whoever_is_heard_first() {
    // The machines that tell theirs again: what the others tell may be lost.
    for told in [&[0, 1][..], &[1, 0], &[0], &[1]] {
        let mut cluster = Cluster::new(2);
        let old = cluster.open(0, 1);
        cluster.join(0, &old, 2);
        cluster.is_up = false;
        cluster.pass(60_000);
        let new = cluster.open(1, 1);
        assert_eq!(cluster.join(1, &new, 2), (0, vec![]));
        cluster.pass(30_000);
        cluster.is_up = true;
        for at in told.iter().copied() {
            let now = cluster.machines[at].now;
            cluster.machines[at].rooms.claim_again(now);
            cluster.carry();
        }
        assert!(cluster.hears[0].is_empty() && cluster.hears[1].len() == 1);
        assert_eq!(cluster.machines[1].closed, []);
    }
}

#[test]
fn a_stranger_cannot_say_that_somebody_is_gone() {
    let mut cluster = Cluster::new(2);
    let (a, b) = (cluster.open(0, 1), cluster.open(1, 1));
    cluster.join(0, &a, 1);
    cluster.join(1, &b, 2);
    // It never had to do with the first.
    let now = cluster.machines[0].now;
    let note = Note::Gone { tag: tag([2; 32]) };
    cluster.machines[0].rooms.noted(now, tag([1; 32]), note);
    cluster.carry();
    assert_eq!(cluster.machines[0].heard(a.conn), []);
}

#[test]
fn a_sample_takes_from_each_machine_by_how_many_stand_there() {
    let mut cluster = Cluster::new(2);
    // One at the first machine, seven at the second: of two drawn, the one is in a quarter.
    for n in 1..=8u8 {
        let at = usize::from(n > 1);
        let client = cluster.open(at, u64::from(n));
        cluster.join(at, &client, n);
    }
    let (rounds, mut with_first) = (2_000, 0);
    for n in 0..rounds {
        let at = n % 2;
        let looker = cluster.open(at, 1_000 + n as u64);
        let tags = cluster.seen(at, &looker, 2);
        assert!(tags.len() == 2 && tags[0] != tags[1], "{tags:?}");
        with_first += usize::from(tags.contains(&tag([1; 32])));
        cluster.machines[at].disconnect(&looker);
        // Nobody's rate or stay may run out meanwhile.
        cluster.pass(50);
    }
    let expected = rounds as f64 / 4.0;
    let spread = (rounds as f64 * 0.25 * 0.75).sqrt();
    let off = (f64::from(with_first as u32) - expected).abs() / spread;
    assert!(
        off < 4.0,
        "{with_first} of {rounds}, {off:.1} deviations off"
    );
}

#[test]
fn buckets_round_up_to_powers_of_two() {
    for (n, bucket) in [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 3),
        (u64::MAX, 64),
    ] {
        assert_eq!(bucket_of(n), bucket, "{n} stand there");
    }
}

//! Tags, signals and newer sockets.

use super::*;

#[test]
fn nobody_takes_a_tag_without_its_secret() {
    let mut server = Server::new(Limits::default());
    let (victim, thief) = (server.open(1), server.open(2));
    let stolen = tag([1; 32]);
    server.join(&victim, [1; 32]);
    let squat = thief.join_at(&KEY, [9; 32], stolen, ORIGIN, 120);
    assert_eq!(server.tell(thief.conn, &squat), error(ErrorReason::Tag));
    let listen = ClientMessage::Listen { r: [3; 32] };
    assert_eq!(
        server.tell(thief.conn, &listen),
        [ServerMessage::Listening {}]
    );
    for foreign in [refresh([1; 32]), ClientMessage::Leave { tag: stolen }] {
        assert_eq!(server.tell(thief.conn, &foreign), error(ErrorReason::Tag));
    }
    server.tell(thief.conn, &signal(stolen, b"hi"));
    let [ServerMessage::Delivered { from, payload }] = &server.heard(victim.conn)[..] else {
        panic!("the victim is not reached any more")
    };
    // Stamped by the connection, not by any message.
    assert_eq!((*from, &payload[..]), (tag([3; 32]), &b"hi"[..]));
}

#[test]
fn a_connection_has_one_tag_and_needs_it_to_signal() {
    let mut server = Server::new(Limits::default());
    let (a, b) = (server.open(1), server.open(2));
    server.tell(b.conn, &ClientMessage::Listen { r: [2; 32] });
    let word = signal(tag([2; 32]), b"who am I");
    assert_eq!(server.tell(a.conn, &word), error(ErrorReason::Tag));
    let listen = |n| ClientMessage::Listen { r: [n; 32] };
    let listening = [ServerMessage::Listening {}];
    assert_eq!(server.tell(a.conn, &listen(1)), listening);
    assert_eq!(server.tell(a.conn, &listen(1)), listening);
    assert_eq!(server.tell(a.conn, &listen(4)), error(ErrorReason::Tag));
    assert_eq!(
        server.tell(a.conn, &a.join(&KEY, [4; 32])),
        error(ErrorReason::Tag)
    );
    assert_eq!(server.tell(a.conn, &word), []);
    assert_eq!(server.heard(b.conn).len(), 1);
    // Once it has left, it may be reachable under another one.
    let leave = ClientMessage::Leave { tag: tag([1; 32]) };
    assert_eq!(server.tell(a.conn, &leave), []);
    assert_eq!(server.tell(a.conn, &listen(4)), listening);
}

#[test]
fn a_newer_socket_takes_over_and_the_late_end_of_the_old_one_changes_nothing() {
    let mut server = Server::new(Limits::default());
    let (friend, old) = (server.open(1), server.open(2));
    server.tell(friend.conn, &ClientMessage::Listen { r: [1; 32] });
    server.join(&old, [2; 32]);
    server.tell(friend.conn, &signal(tag([2; 32]), b"to the old one"));
    assert_eq!(server.heard(old.conn).len(), 1);

    let new = server.open(3);
    assert_eq!(server.join(&new, [2; 32]), []);
    assert_eq!(server.heard(old.conn), error(ErrorReason::Superseded));
    assert_eq!(server.closed, [(old.conn, ErrorReason::Superseded)]);

    server.disconnect(&old);
    server.tell(old.conn, &ClientMessage::Leave { tag: tag([2; 32]) });
    let [ServerMessage::Peers { sample, .. }] =
        &server.tell(friend.conn, &friend.resolve(&KEY, 16))[..]
    else {
        panic!("no peers")
    };
    assert_eq!(tags_of(sample), [tag([2; 32])]);
    let word = signal(tag([2; 32]), b"to the new one");
    assert_eq!(server.tell(friend.conn, &word), []);
    assert_eq!(server.heard(new.conn).len(), 1);
    // Only now is it gone.
    server.disconnect(&new);
    let gone = ServerMessage::Gone { tag: tag([2; 32]) };
    assert_eq!(server.heard(friend.conn), [gone]);
}

#[test]
fn a_signal_to_nobody_is_refused_and_going_is_told_to_correspondents_only() {
    let mut server = Server::new(Limits::default());
    let (a, b, c) = (server.open(1), server.open(2), server.open(3));
    for (client, n) in [(&a, 1), (&b, 2), (&c, 3)] {
        server.tell(client.conn, &ClientMessage::Listen { r: [n; 32] });
    }
    let gone = |n| ServerMessage::Gone { tag: tag([n; 32]) };
    assert_eq!(
        server.tell(a.conn, &signal(tag([9; 32]), b"?")),
        [ServerMessage::Refused {
            to: tag([9; 32]),
            reason: RefusedReason::Gone
        }]
    );
    server.tell(a.conn, &signal(tag([2; 32]), b"hi"));
    server.heard(b.conn);
    server.tell(b.conn, &ClientMessage::Leave { tag: tag([2; 32]) });
    assert_eq!(server.heard(a.conn), [gone(2)]);
    server.disconnect(&a);
    assert_eq!(server.heard(b.conn), []);
    assert_eq!(server.heard(c.conn), []);
}

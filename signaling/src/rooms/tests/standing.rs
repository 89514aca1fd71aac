//! Announcements and looking for them.

use super::*;

#[test]
fn those_who_join_are_found_and_those_who_look_are_not() {
    let mut server = Server::new(Limits::default());
    let (a, b, c) = (server.open(1), server.open(2), server.open(3));
    assert_eq!(server.join(&a, [1; 32]), []);
    assert_eq!(server.join(&b, [2; 32]), [tag([1; 32])]);

    let mut both = vec![tag([1; 32]), tag([2; 32])];
    both.sort_unstable();
    for _ in 0..2 {
        let [ServerMessage::Peers { sample, topic: t }] =
            &server.tell(c.conn, &c.resolve(&KEY, 16))[..]
        else {
            panic!("no peers")
        };
        assert_eq!((tags_of(sample), *t), (both.clone(), topic()));
        // The announcement is passed on as it was.
        for entry in sample.iter() {
            assert_eq!(tag(entry.announcement[..].try_into().unwrap()), entry.tag);
        }
    }
    let [ServerMessage::Peers { sample, .. }] = &server.tell(c.conn, &c.resolve(&KEY, 1))[..]
    else {
        panic!("no peers")
    };
    assert_eq!(sample.len(), 1);
    // One who stands there and looks does not find itself.
    let [ServerMessage::Peers { sample, .. }] = &server.tell(a.conn, &a.resolve(&KEY, 16))[..]
    else {
        panic!("no peers")
    };
    assert_eq!(tags_of(sample), [tag([2; 32])]);
}

#[test]
fn joining_takes_the_topics_key_this_server_this_connection_and_these_words() {
    let mut server = Server::new(Limits::default());
    let (a, b) = (server.open(1), server.open(2));
    let r = [1; 32];
    let good = a.join(&KEY, r);

    // Another connection replays what the first one sends.
    assert_eq!(
        server.tell(b.conn, &good),
        error(ErrorReason::Signature),
        "replayed"
    );
    let elsewhere = a.join_at(&KEY, r, tag(r), "other.example:443", 120);
    assert_eq!(
        server.tell(a.conn, &elsewhere),
        error(ErrorReason::Signature),
        "signed for another server"
    );
    let edits: [fn(&mut ClientMessage); 3] = [
        |m| {
            if let ClientMessage::Join { signature, .. } = m {
                signature[0] ^= 1;
            }
        },
        |m| {
            if let ClientMessage::Join { ttl_s, .. } = m {
                *ttl_s -= 1;
            }
        },
        |m| {
            if let ClientMessage::Join { topic, .. } = m {
                *topic = Topic(REAL.public_key(&[43; 32]));
            }
        },
    ];
    for edit in edits {
        let mut bad = good.clone();
        edit(&mut bad);
        assert_eq!(server.tell(a.conn, &bad), error(ErrorReason::Signature));
        assert_eq!(server.paused, 1_000);
    }
    let ClientMessage::Resolve {
        topic, signature, ..
    } = b.resolve(&KEY, 16)
    else {
        unreachable!()
    };
    let replayed = ClientMessage::Resolve {
        topic,
        signature,
        want: 16,
    };
    assert_eq!(
        server.tell(a.conn, &replayed),
        error(ErrorReason::Signature)
    );
    // None of it left a trace.
    assert_eq!(server.join(&b, [2; 32]), []);
    assert_eq!(server.join(&a, r), [tag([2; 32])]);
}

#[test]
fn announcements_stand_as_long_as_granted_and_refreshed() {
    let mut server = Server::new(Limits::default());
    let (a, b, looker) = (server.open(1), server.open(2), server.open(3));
    for (client, r, asked, granted) in [(&a, [1; 32], 30, 30), (&b, [2; 32], 9_999, 120)] {
        let join = client.join_at(&KEY, r, tag(r), ORIGIN, asked);
        let [ServerMessage::Joined { ttl_s, .. }] = &server.tell(client.conn, &join)[..] else {
            panic!("not joined")
        };
        assert_eq!(*ttl_s, granted);
    }
    let found = |server: &mut Server| match &server.tell(looker.conn, &looker.resolve(&KEY, 16))[..]
    {
        [ServerMessage::Peers { sample, .. }] => tags_of(sample),
        other => panic!("no peers but {other:?}"),
    };
    server.pass(29_999);
    assert_eq!(found(&mut server).len(), 2);
    assert_eq!(server.tell(a.conn, &refresh([1; 32])).len(), 1);
    server.pass(29_999);
    assert_eq!(found(&mut server).len(), 2);
    server.pass(1);
    assert_eq!(found(&mut server), [tag([2; 32])]);
    // Too late to refresh; still reachable, and may join again.
    assert_eq!(
        server.tell(a.conn, &refresh([1; 32])),
        error(ErrorReason::Tag)
    );
    assert_eq!(server.tell(b.conn, &signal(tag([1; 32]), b"hi")), []);
    assert_eq!(server.heard(a.conn).len(), 1);
    assert_eq!(server.join(&a, [1; 32]), [tag([2; 32])]);
    server.pass(60_001);
    assert_eq!(found(&mut server), [tag([1; 32])]);
    server.disconnect(&a);
    assert_eq!(found(&mut server), []);
}

#[test]
fn a_refresh_may_change_what_is_announced() {
    let mut server = Server::new(Limits::default());
    let (a, b) = (server.open(1), server.open(2));
    server.join(&a, [1; 32]);
    let news = ClientMessage::Refresh {
        topic: topic(),
        tag: tag([1; 32]),
        announcement: Announcement::new(b"news".to_vec()),
        want: 0,
    };
    let nobody = ServerMessage::Peers {
        topic: topic(),
        sample: List::default(),
    };
    assert_eq!(server.tell(a.conn, &news), [nobody]);
    let [ServerMessage::Peers { sample, .. }] = &server.tell(b.conn, &b.resolve(&KEY, 16))[..]
    else {
        panic!("no peers")
    };
    assert_eq!(&sample[0].announcement[..], b"news");
}

//! Work before requests: when it is asked for, what it buys, and what does not count.

use peer_group::crypto::work::solve;
use peer_group::limits::WORK_BITS;
use peer_group::wire::rendezvous::work_puzzle;

use super::*;

const BITS: u8 = 6;
/// Requests that an answer buys.
const BUYS: u8 = 8;

fn limits(work: Work) -> Limits {
    Limits {
        work,
        work_above: Rate {
            per_second: 2,
            burst: 4,
        },
        requests: Rate {
            per_second: 1_000,
            burst: 1_000,
        },
        ..Limits::default()
    }
}

fn answer(client: &Client, number: u32, bits: u8) -> ClientMessage {
    let puzzle = work_puzzle(&client.challenge, number);
    let answer = solve(&REAL, &puzzle, bits, 0, 1 << 30).expect("there is one");
    ClientMessage::Work { answer }
}

/// Asked for so many bits, and refused until they are there.
fn refused(bits: u8) -> Vec<ServerMessage> {
    let again = ServerMessage::Error {
        reason: ErrorReason::Rate,
        retry_after_ms: 2_000,
    };
    vec![ServerMessage::Work { bits }, again]
}

impl Server {
    /// Opens where work is asked for before Welcome.
    fn open_working(&mut self, conn: u64) -> Client {
        self.connect(conn, HOME);
        let hello = ClientMessage::Hello {
            version: 1,
            features: 0,
        };
        match &self.tell(ConnId(conn), &hello)[..] {
            [
                ServerMessage::Work { bits: BITS },
                ServerMessage::Welcome { challenge, .. },
            ] => Client {
                conn: ConnId(conn),
                challenge: *challenge,
            },
            other => panic!("not asked to work but {other:?}"),
        }
    }
}

#[test]
fn an_answer_buys_some_requests_and_each_of_them_only_once() {
    let mut server = Server::new(limits(Work::Always(BITS)));
    let client = server.open_working(1);
    let listen = ClientMessage::Listen { r: [1; 32] };
    for number in 0..2 {
        assert_eq!(server.tell(client.conn, &listen), refused(BITS));
        let work = answer(&client, number, BITS);
        assert_eq!(server.tell(client.conn, &work), []);
        server.join(&client, [1; 32]);
        for _ in 1..BUYS {
            assert_eq!(
                server.tell(client.conn, &listen),
                [ServerMessage::Listening {}]
            );
        }
        // What stays where it is costs nothing.
        let stays = server.tell(client.conn, &refresh([1; 32]));
        assert!(matches!(stays[..], [ServerMessage::Peers { .. }]));
    }
    let counts = server.rooms.counts();
    assert_eq!((counts.work_asked, counts.work_done), (3, 2));
}

#[test]
fn answers_that_are_wrong_unasked_for_old_or_of_another_connection_end_theirs() {
    let mut server = Server::new(limits(Work::Always(BITS)));
    let other = server.open_working(1);
    let listen = ClientMessage::Listen { r: [1; 32] };
    for (conn, case) in (2..).zip(["wrong", "of another", "unasked for", "old"]) {
        let client = server.open_working(conn);
        let right = answer(&client, 0, BITS);
        let bad = match case {
            "wrong" => {
                let puzzle = work_puzzle(&client.challenge, 0);
                let solved = |answer: &u64| solve(&REAL, &puzzle, BITS, *answer, 1).is_some();
                let answer = (0..).find(|answer| !solved(answer)).unwrap();
                ClientMessage::Work { answer }
            }
            "of another" => answer(&other, 0, BITS),
            _ => {
                assert_eq!(server.tell(client.conn, &right), []);
                if case == "old" {
                    for _ in 0..BUYS {
                        server.tell(client.conn, &listen);
                    }
                    assert_eq!(server.tell(client.conn, &listen), refused(BITS));
                }
                right
            }
        };
        let said = server.tell(client.conn, &bad);
        assert_eq!(said, error(ErrorReason::Malformed), "{case}");
        assert_eq!(
            server.closed.pop(),
            Some((client.conn, ErrorReason::Malformed))
        );
    }
}

#[test]
fn while_there_are_many_requests_and_some_seconds_longer_work_is_asked_for() {
    let mut server = Server::new(limits(Work::Auto));
    let listen = ClientMessage::Listen { r: [1; 32] };
    let client = server.open(1);
    for _ in 0..4 {
        assert_eq!(
            server.tell(client.conn, &listen),
            [ServerMessage::Listening {}]
        );
    }
    assert_eq!(server.tell(client.conn, &listen), refused(WORK_BITS));
    // Not looked at: a signature that fits costs as much as one that does not.
    let unsigned = client.join_at(&KEY, [1; 32], tag([1; 32]), "elsewhere", 60);
    assert_eq!(server.tell(client.conn, &unsigned), refused(WORK_BITS));
    assert_eq!(server.rooms.counts().bad_signatures, 0);
    server.pass(9_999);
    server.connect(2, HOME);
    let hello = ClientMessage::Hello {
        version: 1,
        features: 0,
    };
    let said = server.tell(ConnId(2), &hello);
    assert_eq!(said[0], ServerMessage::Work { bits: WORK_BITS });
    server.pass(1);
    server.open(3);
    assert_eq!(
        server.tell(client.conn, &listen),
        [ServerMessage::Listening {}]
    );
}

#[test]
fn those_who_do_not_work_take_nothing_from_those_who_do() {
    let in_all = Rate {
        per_second: 1,
        burst: 2,
    };
    let mut server = Server::new(Limits {
        requests_in_all: in_all,
        ..limits(Work::Always(BITS))
    });
    let (idle, diligent) = (server.open_working(1), server.open_working(2));
    let listen = |n| ClientMessage::Listen { r: [n; 32] };
    for _ in 0..20 {
        assert_eq!(server.tell(idle.conn, &listen(1)), refused(BITS));
    }
    server.tell(diligent.conn, &answer(&diligent, 0, BITS));
    assert_eq!(
        server.tell(diligent.conn, &listen(2)),
        [ServerMessage::Listening {}]
    );
}

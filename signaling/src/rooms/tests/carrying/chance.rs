//! Pairs across machines whose notes are lost, repeated and late, by chance.

use super::*;

/// What one end has sent and heard in the life of a pair.
struct End {
    at: usize,
    client: Client,
    to: [u8; 32],
    credit: u32,
    sent: u32,
    next: Option<u32>,
    heard: usize,
    ended: usize,
}

impl End {
    fn new(at: usize, client: Client, to: [u8; 32]) -> Self {
        Self {
            at,
            client,
            to,
            credit: WINDOW,
            sent: 0,
            next: None,
            heard: 0,
            ended: 0,
        }
    }

    fn hear(&mut self, cluster: &mut Cluster) {
        for message in cluster.machines[self.at].heard(self.client.conn) {
            match message {
                ServerMessage::RelayCredit { bytes, .. } => {
                    self.credit += bytes;
                    assert!(self.credit <= WINDOW, "credit for nothing");
                }
                ServerMessage::Relay { frame, .. } => {
                    let number = u32::from_be_bytes(*frame.first_chunk().unwrap());
                    // Within the life of a pair nothing is missing and nothing comes twice.
                    assert!(self.next.is_none_or(|next| next == number));
                    self.next = Some(number + 1);
                    self.heard += 1;
                }
                ServerMessage::RelayClosed { reason, .. } => {
                    assert_eq!(reason, GONE);
                    self.credit = WINDOW;
                    self.next = None;
                    self.ended += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn send(&mut self, cluster: &mut Cluster) -> bool {
        if self.credit < 1024 {
            return false;
        }
        let message = numbered(self.to, self.sent);
        cluster.machines[self.at].tell_only(self.client.conn, &message);
        self.credit -= 1024;
        self.sent += 1;
        true
    }
}

#[test]
fn whatever_becomes_of_notes_frames_come_in_order_or_their_ends_are_told() {
    let unlimited = Rate {
        per_second: 1_000_000_000,
        burst: 1_000_000_000,
    };
    let limits = Limits {
        signals: unlimited,
        signals_per_address: unlimited,
        relay_per_pair: unlimited,
        relay_per_address: unlimited,
        ..Limits::default()
    };
    let (mut ended, mut heard) = (0, 0);
    for seed in 0..60 {
        let (mut cluster, a, b) = pair(limits);
        let mut random = Random::new([seed; 32]);
        // Seldom enough that some pairs live for long.
        let mut faults = Random::new([seed + 100; 32]);
        let among = [20, 100, 1_000][usize::from(seed % 3)];
        cluster.fate = Some(Box::new(move |_| match faults.below(among) {
            0 => Fate::IsLost,
            1 => Fate::IsRepeated,
            2 => Fate::IsLate,
            _ => Fate::Arrives,
        }));
        let mut ends = [End::new(0, a, B), End::new(1, b, A)];
        for step in 0..3_000 {
            if step == 2_500 {
                // The way is good again, and a question or two later so is everything else.
                cluster.fate = None;
                for _ in 0..6 {
                    cluster.pass(5_000);
                    take(&mut cluster, 0);
                    take(&mut cluster, 1);
                    ends.iter_mut().for_each(|end| end.hear(&mut cluster));
                }
                for end in &mut ends {
                    assert!(end.credit > WINDOW / 2, "seed {seed}: credit was forgotten");
                    (end.heard, end.ended) = (0, 0);
                }
            }
            let end = &mut ends[random.below(2) as usize];
            match random.below(10) {
                0..6 => drop(end.send(&mut cluster)),
                6 | 7 => cluster.machines[end.at].take(),
                8 => cluster.carry(),
                _ => cluster.pass(random.below(500)),
            }
            for end in &mut ends {
                end.hear(&mut cluster);
                let waiting = cluster.machines[end.at].receipts.len();
                // A pair that was ended may leave one window behind that nobody took yet.
                assert!(waiting <= 64 * (2 + end.ended), "{waiting} frames wait");
            }
            ended += ends.iter().filter(|end| end.ended > 0).count();
        }
        for _ in 0..6 {
            cluster.pass(5_000);
            take(&mut cluster, 0);
            take(&mut cluster, 1);
            ends.iter_mut().for_each(|end| end.hear(&mut cluster));
        }
        for end in &ends {
            assert!(
                end.heard > 100,
                "seed {seed}: {} frames in the end",
                end.heard
            );
            heard += end.heard;
        }
        let [a, b] = ends;
        cluster.machines[0].disconnect(&a.client);
        cluster.machines[1].disconnect(&b.client);
        cluster.carry();
        assert_eq!(pairs(&cluster), [0, 0, 0], "seed {seed}");
    }
    assert!(ended > 0 && heard > 0, "nothing was tried");
}

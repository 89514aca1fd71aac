//! What kind of universe a seed makes: sizes, delays and the faults that may happen.

use peer_group::crypto::Crypto;

use super::dice::Dice;
use super::faults::Fault;
use super::hostile::Trick;

/// How a machine's timers come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerStyle {
    /// On the millisecond.
    Exact,
    /// Once a second, as in a hidden tab.
    EverySecond,
    /// Up to a minute late, as in a tab hidden for long.
    Late,
}

/// What is drawn before a universe begins.
#[derive(Clone)]
pub struct Options {
    /// Where everything comes from.
    pub seed: u64,
    /// The primitives.
    pub crypto: Crypto,
    /// Machines that are in the group in the end.
    pub nodes: usize,
    /// One way between two machines.
    pub latency_ms: (u64, u64),
    /// One way to the server.
    pub server_ms: (u64, u64),
    /// Packets lost in a thousand: late on an ordered channel, gone on the other.
    pub loss_per_mille: u64,
    /// How long storage takes.
    pub storage_ms: (u64, u64),
    /// How timers come while there are faults.
    pub timers: TimerStyle,
    /// How timers come afterwards.
    pub calm_timers: TimerStyle,
    /// How long there are faults.
    pub safety_ms: u64,
    /// Between two faults.
    pub fault_ms: (u64, u64),
    /// The kinds of faults.
    pub faults: Vec<Fault>,
    /// Links in a thousand that never open.
    pub ice_failure_per_mille: u64,
    /// Pairs of machines in a thousand between which no link ever opens, in the end neither.
    pub no_way_per_mille: u64,
    /// Links in a thousand that open at one end only.
    pub one_sided_per_mille: u64,
    /// Links in a thousand whose close the other end does not hear.
    pub silent_close_per_mille: u64,
    /// Questions in a thousand that the apps answer with yes.
    pub accept_per_mille: u64,
    /// Where the server is.
    pub server: String,
    /// Apps act by themselves: open, connect, come back.
    pub automatic: bool,
    /// The machine whose member lies, and how.
    pub hostile: Option<(usize, Vec<Trick>)>,
    /// The group admits by password, and nobody is given a link.
    pub by_password: bool,
    /// Between two things that an app does with records.
    pub work_ms: (u64, u64),
    /// How often, in a thousand, it does many at once.
    pub burst_per_mille: u64,
}

impl Options {
    /// The universe of a seed.
    #[must_use]
    pub fn of(seed: u64, crypto: Crypto) -> Self {
        let dice = &mut Dice::new(seed, "options");
        let low = dice.between(1, 80);
        let server_low = dice.between(1, 100);
        // What came later has dice of its own.
        let later = &mut Dice::new(seed, "options 2");
        let mut kinds: Vec<Fault> = Fault::ALL
            .iter()
            .filter(|_| dice.per_mille(500))
            .copied()
            .collect();
        if later.per_mille(400) {
            kinds.push(Fault::DiskFull);
        }
        let few = usize::try_from(dice.between(2, 8)).unwrap_or(2);
        let many = usize::try_from(later.between(9, 12)).unwrap_or(9);
        let nodes = if later.per_mille(150) { many } else { few };
        let hostile = later.per_mille(400).then(|| {
            let machine = 1 + later.index(nodes - 1);
            let often = later.pick(&[100, 300, 1000]);
            let mut tricks: Vec<Trick> = Trick::ALL
                .iter()
                .filter(|_| later.per_mille(often))
                .copied()
                .collect();
            if tricks.is_empty() {
                tricks.push(Trick::Resurrects);
            }
            (machine, tricks)
        });
        // Where somebody lies it is by what links have made of it.
        let by_password = hostile.is_none() && Dice::new(seed, "password").per_mille(300);
        let rare = |dice: &mut Dice| dice.pick(&[0, 0, 20, 100, 300]);
        Self {
            seed,
            crypto,
            nodes,
            latency_ms: (low, low + dice.between(0, 120)),
            server_ms: (server_low, server_low + dice.between(0, 150)),
            loss_per_mille: dice.pick(&[0, 0, 10, 50, 200]),
            storage_ms: (0, dice.pick(&[0, 5, 50, 1500])),
            timers: dice.pick(&[
                TimerStyle::Exact,
                TimerStyle::Exact,
                TimerStyle::EverySecond,
                TimerStyle::Late,
            ]),
            calm_timers: dice.pick(&[TimerStyle::Exact, TimerStyle::EverySecond]),
            safety_ms: dice.between(5_000, 180_000),
            fault_ms: (500, dice.pick(&[3_000, 10_000, 40_000])),
            faults: kinds,
            ice_failure_per_mille: rare(dice),
            no_way_per_mille: Dice::new(seed, "no way").pick(&[0, 0, 0, 300, 1000]),
            one_sided_per_mille: rare(dice),
            silent_close_per_mille: rare(dice),
            accept_per_mille: dice.pick(&[1000, 1000, 700]),
            server: "ws://rendezvous.test:8443".to_owned(),
            automatic: true,
            hostile,
            by_password,
            work_ms: later.pick(&[(400, 4_000), (2_000, 15_000), (5_000, 60_000)]),
            burst_per_mille: later.pick(&[0, 10, 20]),
        }
    }

    /// A world without faults in which a test does everything itself.
    #[must_use]
    pub fn plain(seed: u64, crypto: Crypto, nodes: usize) -> Self {
        Self {
            nodes,
            latency_ms: (10, 20),
            server_ms: (10, 20),
            loss_per_mille: 0,
            storage_ms: (0, 5),
            timers: TimerStyle::Exact,
            calm_timers: TimerStyle::Exact,
            safety_ms: 0,
            faults: Vec::new(),
            ice_failure_per_mille: 0,
            no_way_per_mille: 0,
            one_sided_per_mille: 0,
            silent_close_per_mille: 0,
            accept_per_mille: 1000,
            automatic: false,
            hostile: None,
            by_password: false,
            ..Self::of(seed, crypto)
        }
    }
}

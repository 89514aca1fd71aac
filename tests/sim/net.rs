//! Links between machines: fake peer connections that open only where real ones would.
//!
//! An end knows the other by what its description said: user name, password and certificate
//! fingerprint. Two ends meet if each was given the other's, at least one has a candidate of the
//! other, and the network lets packets through both ways.

use std::collections::{BTreeMap, VecDeque};

use peer_group::engine::effect::Role;
use peer_group::engine::input::{Channel, Input};
use peer_group::error::{CandidateKind, Stage};
use peer_group::names::LinkId;
use peer_group::time::Millis;
use peer_group::wire::description::Description;

use super::dice::Dice;
use super::taint::MARK;
use super::world::{Happening, World};

/// Silence after which a browser reports `disconnected`.
const DISCONNECTED_MS: Millis = 5_000;
/// Silence after which a browser reports `failed`.
const FAILED_MS: Millis = 30_000;

/// What a description tells about an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secrets {
    /// ICE user name.
    pub ufrag: String,
    /// ICE password.
    pub pwd: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

impl Secrets {
    /// Secrets from random bytes, marked.
    #[must_use]
    pub fn new(random: [u8; 24]) -> Self {
        let mark = String::from_utf8_lossy(MARK);
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut fingerprint = [0; 32];
        let bytes = MARK.iter().chain(&random).copied();
        fingerprint
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        Self {
            ufrag: format!("{mark}{}", &hex[..8]),
            pwd: format!("{mark}{hex}"),
            fingerprint,
        }
    }

    fn of(sdp: &str) -> Option<Self> {
        let parsed = Description::parse(true, sdp)?;
        Some(Self {
            ufrag: parsed.ufrag.as_str().to_owned(),
            pwd: parsed.pwd.as_str().to_owned(),
            fingerprint: parsed.fingerprint,
        })
    }
}

/// A data-channel description as a browser writes it.
#[must_use]
pub fn describe(secrets: &Secrets, offer: bool) -> String {
    let pairs: Vec<String> = secrets
        .fingerprint
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\n\
         a=setup:{}\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n",
        secrets.ufrag,
        secrets.pwd,
        pairs.join(":"),
        if offer { "actpass" } else { "active" },
    )
}

/// A candidate of a machine's end, as a browser writes it.
#[must_use]
pub fn candidate(secrets: &Secrets, machine: usize, end: usize) -> String {
    format!(
        "candidate:{end} 1 udp 2122260223 10.0.0.{} {} typ host generation 0 ufrag {} network-id 1",
        machine + 1,
        10_000 + end,
        secrets.ufrag
    )
}

/// How far an end is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Not open.
    New,
    /// It met the other end.
    Met,
    /// Its channels are open.
    Open,
    /// It failed, or heard the other side close.
    Ended,
    /// Its engine closed it, or its machine is gone.
    Closed,
}

enum Parcel {
    Frame(Channel, Vec<u8>),
    Close,
}

/// One end of a link.
pub struct End {
    /// Whose.
    pub machine: usize,
    life: u32,
    link: LinkId,
    /// What its description says.
    pub secrets: Secrets,
    remote: Option<Secrets>,
    has_candidate: bool,
    /// How far it is.
    pub phase: Phase,
    /// The other end, once met.
    pub other: Option<usize>,
    /// Never opens at this end.
    mute: bool,
    silent_close: bool,
    opened: bool,
    lost: bool,
    silent_since: Option<Millis>,
    consent_armed: bool,
    incoming: VecDeque<(Millis, Parcel)>,
    pump_armed: bool,
    /// What its engine sent of comparisons: messages and bytes.
    pub compared: (u64, u64),
    /// Bytes that its engine sent.
    pub carried: u64,
}

/// All links, and what is cut.
pub struct Net {
    /// Every end there ever was.
    pub ends: Vec<End>,
    by_link: BTreeMap<(usize, u32, LinkId), usize>,
    /// `cut[a][b]`: nothing goes from a to b.
    pub cut: Vec<Vec<bool>>,
    /// Machines without a way to the server.
    pub server_cut: Vec<bool>,
    /// Connections over the server so far.
    pub relayed: u64,
}

impl Net {
    /// A network that lets everything through.
    #[must_use]
    pub fn new(machines: usize) -> Self {
        Self {
            ends: Vec::new(),
            by_link: BTreeMap::new(),
            cut: vec![vec![false; machines]; machines],
            server_cut: vec![false; machines],
            relayed: 0,
        }
    }

    /// Whether ends of both machines were given each other's description.
    #[must_use]
    pub fn described(&self, machine: usize, other: usize) -> bool {
        let mut ends = self.ends.iter().filter(|end| end.machine == machine);
        ends.any(|one| {
            let mut others = self.ends.iter().filter(|end| end.machine == other);
            others.any(|two| {
                one.remote.as_ref() == Some(&two.secrets)
                    && two.remote.as_ref() == Some(&one.secrets)
            })
        })
    }

    /// Whether an end of that machine opened to an end of the other: both were given each other's
    /// description.
    #[must_use]
    pub fn linked(&self, machine: usize, other: usize) -> bool {
        self.ends.iter().any(|end| {
            end.machine == machine
                && end.opened
                && end.other.is_some_and(|o| self.ends[o].machine == other)
        })
    }
}

impl World {
    fn end_of(&self, machine: usize, link: LinkId) -> Option<usize> {
        let life = self.machines[machine].life;
        self.net.by_link.get(&(machine, life, link)).copied()
    }

    fn report(&mut self, end: usize, delay: Millis, input: Input) {
        let End { machine, life, .. } = self.net.ends[end];
        self.later(
            delay,
            Happening::Input {
                machine,
                life,
                input,
            },
        );
    }

    /// An engine wants a peer connection.
    pub fn open_link(&mut self, machine: usize, link: LinkId, role: &Role) {
        let secrets = Secrets::new(self.dice.bytes());
        let end = self.net.ends.len();
        let remote = match role {
            Role::Offer => None,
            Role::Answer { remote } => Some(remote.as_str()),
        };
        let offer = remote.is_none();
        let life = self.machines[machine].life;
        let calm = self.calm;
        let mute = !calm && self.dice.per_mille(self.options.one_sided_per_mille);
        let silent_close = !calm && self.dice.per_mille(self.options.silent_close_per_mille);
        self.net.by_link.insert((machine, life, link), end);
        self.net.ends.push(End {
            machine,
            life,
            link,
            secrets: secrets.clone(),
            remote: None,
            has_candidate: false,
            phase: Phase::New,
            other: None,
            mute,
            silent_close,
            opened: false,
            lost: false,
            silent_since: None,
            consent_armed: false,
            incoming: VecDeque::new(),
            pump_armed: false,
            compared: (0, 0),
            carried: 0,
        });
        if let Some(remote) = remote {
            self.set_remote(machine, end, remote);
        }
        let mut delay = self.dice.between(3, 60);
        let sdp = describe(&secrets, offer);
        self.report(end, delay, Input::LinkDescribed { link, sdp });
        for _ in 0..self.dice.between(1, 3) {
            delay += self.dice.between(1, 100);
            let candidate = candidate(&secrets, machine, end);
            self.report(end, delay, Input::CandidateFound { link, candidate });
        }
        delay += self.dice.between(1, 200);
        self.report(
            end,
            delay,
            Input::CandidateFound {
                link,
                candidate: String::new(),
            },
        );
    }

    /// An engine sets the answer to its offer.
    pub fn answer_link(&mut self, machine: usize, link: LinkId, remote: &str) {
        if let Some(end) = self.end_of(machine, link) {
            self.set_remote(machine, end, remote);
        }
    }

    fn set_remote(&mut self, machine: usize, end: usize, remote: &str) {
        let Some(secrets) = Secrets::of(remote) else {
            self.fail(format!(
                "machine {machine} was given a description that no browser reads"
            ));
            return;
        };
        self.saw_description(machine, &secrets);
        self.net.ends[end].remote = Some(secrets);
        let patience = self.dice.between(15_000, 30_000);
        self.later(patience, Happening::GiveUp { end });
        self.later(0, Happening::Match { end });
    }

    /// An engine adds a candidate.
    pub fn add_candidate(&mut self, machine: usize, link: LinkId, candidate: &str) {
        let Some(end) = self.end_of(machine, link) else {
            return;
        };
        let port = candidate
            .split(' ')
            .nth(5)
            .and_then(|port| port.parse::<usize>().ok());
        let of = port.and_then(|port| self.net.ends.get(port.checked_sub(10_000)?));
        let remote = self.net.ends[end].remote.as_ref();
        if of.is_some_and(|of| Some(&of.secrets) == remote) {
            self.net.ends[end].has_candidate = true;
            self.later(0, Happening::Match { end });
        }
    }

    /// Whether both ends know each other and can reach each other.
    pub fn match_ends(&mut self, end: usize) {
        let one = &self.net.ends[end];
        let (Some(remote), Phase::New) = (&one.remote, one.phase) else {
            return;
        };
        let found = self
            .net
            .ends
            .iter()
            .position(|other| other.secrets.ufrag == remote.ufrag);
        let Some(other) = found else { return };
        let two = &self.net.ends[other];
        let matches = |a: &End, b: &End| a.remote.as_ref() == Some(&b.secrets);
        if !matches(one, two) || !matches(two, one) || two.phase != Phase::New || end == other {
            return;
        }
        if !one.has_candidate && !two.has_candidate {
            return;
        }
        let ends = (end.min(other), end.max(other));
        let no_way = !self.calm && {
            // The same for both ends, and for every try of this pair of ends.
            let mut dice = Dice::new(self.options.seed ^ (ends.1 as u64) << 20, "ice");
            dice.per_mille(self.options.ice_failure_per_mille)
        };
        if no_way {
            return;
        }
        let (a, b) = (one.machine, two.machine);
        if !self.has_way(a, b) {
            return;
        }
        if self.net.cut[a][b] || self.net.cut[b][a] {
            self.later(1_000, Happening::Match { end });
            return;
        }
        let (low, high) = self.options.latency_ms;
        // ICE checks, DTLS and SCTP: about four round trips.
        let delay = 8 * self.dice.between(low, high);
        self.later(delay, Happening::Meet { ends });
    }

    /// Whether packets ever get from one machine to the other by themselves.
    #[must_use]
    pub fn has_way(&self, a: usize, b: usize) -> bool {
        let pair = format!("no way {} {}", a.min(b), a.max(b));
        !Dice::new(self.options.seed, &pair).per_mille(self.options.no_way_per_mille)
    }

    /// A link comes up, unless something changed meanwhile.
    pub fn meet(&mut self, (a, b): (usize, usize)) {
        if self.net.ends[a].phase != Phase::New || self.net.ends[b].phase != Phase::New {
            return;
        }
        for (end, other) in [(a, b), (b, a)] {
            self.net.ends[end].phase = Phase::Met;
            self.net.ends[end].other = Some(other);
            let delay = self.dice.between(0, self.options.latency_ms.1);
            if !self.net.ends[end].mute || self.calm {
                self.later(delay, Happening::Open { end });
            }
            self.watch(end);
        }
    }

    /// An end's channels open.
    pub fn open_end(&mut self, end: usize) {
        if self.net.ends[end].phase != Phase::Met {
            return;
        }
        self.net.ends[end].phase = Phase::Open;
        self.net.ends[end].opened = true;
        let link = self.net.ends[end].link;
        self.report(end, 0, Input::LinkOpened { link });
        self.report(end, 0, Input::LinkPath { link, turn: false });
        self.pump(end);
    }

    /// An end has looked for long enough.
    pub fn give_up(&mut self, end: usize) {
        let (stage, open) = match self.net.ends[end].phase {
            Phase::New => (Stage::Ice, false),
            Phase::Met => (Stage::Channel, false),
            _ => (Stage::Channel, true),
        };
        if !open {
            self.fail_end(end, stage);
        }
    }

    fn fail_end(&mut self, end: usize, stage: Stage) {
        self.net.ends[end].phase = Phase::Ended;
        let link = self.net.ends[end].link;
        let candidates = vec![CandidateKind::Host];
        self.report(
            end,
            0,
            Input::LinkFailed {
                link,
                stage,
                candidates,
            },
        );
    }

    /// An engine sends a frame.
    pub fn transmit(&mut self, machine: usize, link: LinkId, channel: Channel, bytes: Vec<u8>) {
        let Some(end) = self.end_of(machine, link) else {
            return;
        };
        if self.net.ends[end].phase == Phase::Open
            && let Some(other) = self.net.ends[end].other
        {
            self.tally_frame(end, other, &bytes);
            let parcels = if self.lies(machine) {
                self.lie(other, bytes)
            } else {
                vec![bytes]
            };
            for bytes in parcels {
                self.send_parcel(other, Parcel::Frame(channel, bytes));
            }
        }
    }

    /// A frame that no engine wrote is under way to an end.
    pub fn slip_in(&mut self, to: usize, channel: Channel, bytes: Vec<u8>) {
        self.send_parcel(to, Parcel::Frame(channel, bytes));
    }

    fn send_parcel(&mut self, to: usize, parcel: Parcel) {
        let (low, high) = self.options.latency_ms;
        let mut delay = self.dice.between(low, high);
        if self.dice.per_mille(self.options.loss_per_mille) {
            if matches!(parcel, Parcel::Frame(Channel::Unreliable, _)) {
                return;
            }
            delay += self.dice.between(200, 1_500);
        }
        let end = &mut self.net.ends[to];
        end.incoming.push_back((self.now + delay, parcel));
        self.pump(to);
    }

    /// Arms the arrival of the first parcel under way.
    fn pump(&mut self, to: usize) {
        let end = &mut self.net.ends[to];
        let Some((at, _)) = end.incoming.front() else {
            return;
        };
        if !end.pump_armed && end.phase == Phase::Open {
            end.pump_armed = true;
            let delay = at.saturating_sub(self.now);
            self.later(delay, Happening::Frame { end: to });
        }
    }

    /// The first parcel under way to an end arrives, if the network lets it.
    pub fn frame(&mut self, to: usize) {
        self.net.ends[to].pump_armed = false;
        let Some(from) = self.net.ends[to].other else {
            return;
        };
        if self.net.ends[to].phase != Phase::Open {
            return;
        }
        let (a, b) = (self.net.ends[from].machine, self.net.ends[to].machine);
        if self.net.cut[a][b] {
            // Sent again until it gets through.
            self.net.ends[to].pump_armed = true;
            self.later(250, Happening::Frame { end: to });
            return;
        }
        let link = self.net.ends[to].link;
        match self.net.ends[to].incoming.pop_front() {
            Some((_, Parcel::Frame(channel, bytes))) => {
                if self.lies(b) {
                    self.overhear(&bytes);
                }
                self.report(
                    to,
                    0,
                    Input::FrameReceived {
                        link,
                        channel,
                        bytes,
                    },
                );
            }
            Some((_, Parcel::Close)) => {
                self.net.ends[to].phase = Phase::Ended;
                self.report(to, 0, Input::LinkClosed { link });
            }
            None => {}
        }
        self.pump(to);
    }

    /// An engine closes a link.
    pub fn close_link(&mut self, machine: usize, link: LinkId) {
        if let Some(end) = self.end_of(machine, link) {
            let silent = self.net.ends[end].silent_close && !self.calm;
            self.close_end(end, silent);
        }
    }

    fn close_end(&mut self, end: usize, silent: bool) {
        let before = self.net.ends[end].phase;
        self.net.ends[end].phase = Phase::Closed;
        let Some(other) = self.net.ends[end].other else {
            return;
        };
        if silent {
            self.net.ends[other].incoming.clear();
        } else if matches!(before, Phase::Met | Phase::Open) {
            self.send_parcel(other, Parcel::Close);
        }
        self.watch(other);
    }

    /// A machine's life ends: the others hear it, or just hear nothing more.
    pub fn drop_links(&mut self, machine: usize, silent: bool) {
        let life = self.machines[machine].life;
        for end in 0..self.net.ends.len() {
            let of = &self.net.ends[end];
            if of.machine == machine && of.life == life && of.phase != Phase::Closed {
                self.close_end(end, silent);
            }
        }
    }

    /// Something about a machine's network changed: its links look whether the others answer.
    pub fn watch_machine(&mut self, machine: usize) {
        for end in 0..self.net.ends.len() {
            let of = &self.net.ends[end];
            let touches = of.machine == machine
                || of
                    .other
                    .is_some_and(|other| self.net.ends[other].machine == machine);
            if touches && matches!(of.phase, Phase::Met | Phase::Open) {
                self.watch(end);
            }
        }
    }

    fn watch(&mut self, end: usize) {
        if !self.net.ends[end].consent_armed {
            self.net.ends[end].consent_armed = true;
            let delay = self.dice.between(50, 1_000);
            self.later(delay, Happening::Consent { end });
        }
    }

    /// An end asks whether the other still answers.
    pub fn consent(&mut self, end: usize) {
        self.net.ends[end].consent_armed = false;
        let of = &self.net.ends[end];
        let Some(other) = of.other else { return };
        if !matches!(of.phase, Phase::Met | Phase::Open) {
            return;
        }
        let (a, b) = (of.machine, self.net.ends[other].machine);
        let there = matches!(self.net.ends[other].phase, Phase::Met | Phase::Open);
        let awake = !self.machines[a].asleep && !self.machines[b].asleep;
        let answers = there && awake && !self.net.cut[a][b] && !self.net.cut[b][a];
        let link = of.link;
        if answers {
            self.net.ends[end].silent_since = None;
            if core::mem::take(&mut self.net.ends[end].lost) {
                self.report(end, 0, Input::LinkRecovered { link });
            }
            return;
        }
        let since = *self.net.ends[end].silent_since.get_or_insert(self.now);
        let silent = self.now - since;
        if silent >= FAILED_MS {
            self.fail_end(end, Stage::Channel);
            return;
        }
        let open = self.net.ends[end].phase == Phase::Open;
        if silent >= DISCONNECTED_MS && open && !self.net.ends[end].lost {
            self.net.ends[end].lost = true;
            self.report(end, 0, Input::LinkLost { link });
        }
        self.watch(end);
    }
}

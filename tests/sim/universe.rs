//! One seed from beginning to end: faults, then everything is mended and must come right.

use std::collections::BTreeSet;

use peer_group::crypto::Crypto;
use peer_group::engine::command::{Command, Target};
use peer_group::engine::event::{Answer, ConnectionInfo, ConnectionStatus, Event, State};
use peer_group::limits;
use peer_group::names::{ConnectionId, ConnectionKind, NodeId, PeerId};
use peer_group::time::Millis;

use super::app::DIRECT_MS;
use super::bounds::Peaks;
use super::options::Options;
use super::world::{Failure, Happening, World};

/// From the end of the faults to the full mesh: a socket or dial may be waiting out its longest
/// pause (60 s), then a lost link its end (30 s), and an app its next try.
const CONVERGENCE_MS: Millis = 150_000;
/// From a close to the news of it, besides what the network takes.
const NEWS_MS: Millis = 1_000;
/// Messages each way over a direct connection.
const MESSAGES: usize = 20;

/// What a universe took.
#[derive(Clone, Copy, Default, Debug)]
pub struct Figures {
    /// Things that happened.
    pub steps: u64,
    /// Virtual milliseconds.
    pub virtual_ms: Millis,
    /// From the end of the faults to the full mesh.
    pub converged_ms: Millis,
    /// Links that were begun.
    pub links: u64,
    /// From the full mesh to agreement about records.
    pub agreed_ms: Millis,
    /// From the last changes to agreement about them.
    pub spread_ms: Millis,
    /// Records that are shown in the end.
    pub records: u64,
    /// The most that any engine held.
    pub peaks: Peaks,
}

impl World {
    /// Runs the universe of these options.
    pub fn live(&mut self) -> Result<Figures, Failure> {
        self.safety();
        self.mend();
        let mended = self.now;
        // What broke in the last moment is not heard of yet: only then does whole mean whole.
        self.run_for(NEWS_MS);
        if !self.run_until(CONVERGENCE_MS, Self::is_whole) {
            let text = format!(
                "not whole {CONVERGENCE_MS} ms after the faults: {}",
                self.gaps()
            );
            self.fail(text);
        }
        let converged_ms = self.now - mended;
        self.run_for(5_000);
        if !self.is_whole() {
            let text = format!("whole, and then not: {}", self.gaps());
            self.fail(text);
        }
        let (agreed_ms, spread_ms) = self.settle_records();
        let first = self.machines[0].app.view.shown.len();
        for number in 0..self.machines.len().min(3) {
            self.talk(number);
        }
        self.part();
        self.end();
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(Figures {
                steps: self.steps,
                virtual_ms: self.now,
                converged_ms,
                links: self.net.ends.len() as u64,
                agreed_ms,
                spread_ms,
                records: first as u64,
                peaks: self.peaks,
            }),
        }
    }

    fn safety(&mut self) {
        self.start(0);
        for machine in 1..self.machines.len() {
            let delay = self.app_dice.between(0, self.options.safety_ms / 2);
            self.later(delay, Happening::Start { machine });
        }
        self.later(self.options.fault_ms.0, Happening::Fault);
        if self.hostile.is_some() {
            self.later(self.options.fault_ms.1, Happening::Mischief);
        }
        let end = self.now + self.options.safety_ms;
        while self.now < end && self.failure.is_none() {
            self.run_for(10_000.min(end - self.now));
            self.check_requests();
            self.check_views();
        }
        // Some universes see the longest sleep to its end.
        if self.app_dice.per_mille(300) {
            let awake = |world: &Self| world.machines.iter().all(|of| of.backlog.is_none());
            self.options.faults.clear();
            self.run_until(3_700_000, awake);
        }
    }

    fn neighbors(&self, machine: usize) -> Vec<ConnectionInfo> {
        let of = &self.machines[machine];
        let shown = of
            .engine
            .as_ref()
            .zip(of.app.handle)
            .and_then(|(engine, handle)| {
                engine
                    .connections(handle, Some(ConnectionKind::Neighbor))
                    .ok()
            });
        shown.unwrap_or_default()
    }

    fn others(&self, machine: usize) -> BTreeSet<(Option<NodeId>, Option<PeerId>)> {
        let all = self.machines.iter().enumerate();
        all.filter(|(other, _)| *other != machine && !self.lies(*other))
            .filter(|(_, of)| of.app.handle.is_some())
            .map(|(_, of)| (of.app.node_id, of.app.peer))
            .collect()
    }

    /// Everybody honest is online and is everybody else's neighbor, once; in a group that is too
    /// large for that, they hang together.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.gap().is_none()
    }

    /// What is missing, machine by machine.
    #[must_use]
    pub fn gaps(&self) -> String {
        let (machine, text) = self.gap().unwrap_or((0, "nothing is missing".to_owned()));
        format!("machine {machine}: {text}")
    }

    fn gap(&self) -> Option<(usize, String)> {
        let honest = self.honest();
        let apart = honest
            .iter()
            .find_map(|machine| Some((*machine, self.gap_of(*machine)?)));
        apart.or_else(|| self.split(&honest))
    }

    /// Somebody whom the first one's neighbors and theirs do not reach.
    fn split(&self, honest: &[usize]) -> Option<(usize, String)> {
        let mut reached: BTreeSet<usize> = honest.first().copied().into_iter().collect();
        let mut edge: Vec<usize> = reached.iter().copied().collect();
        while let Some(machine) = edge.pop() {
            for info in self.neighbors(machine) {
                let Some((other, _)) = self.nodes.get(&info.node_id) else {
                    continue;
                };
                if honest.contains(other) && reached.insert(*other) {
                    edge.push(*other);
                }
            }
        }
        let lost = honest.iter().find(|machine| !reached.contains(machine))?;
        Some((*lost, "no path leads there".to_owned()))
    }

    fn gap_of(&self, machine: usize) -> Option<String> {
        let of = &self.machines[machine];
        let (Some(engine), Some(handle)) = (&of.engine, of.app.handle) else {
            return Some(format!("not open; failures {:?}", of.app.failures.last()));
        };
        let others = self.others(machine);
        let status = engine.status(handle).ok()?;
        let neighbors = self.neighbors(machine);
        let state = if neighbors.is_empty() && others.is_empty() {
            State::Listening
        } else {
            State::Online
        };
        if !of.app.connected || status.state != state || !status.listening || !status.synchronized {
            return Some(format!("{status:?}; failures {:?}", of.app.failures.last()));
        }
        let is_liar = |info: &&ConnectionInfo| {
            let owner = self.nodes.get(&info.node_id);
            owner.is_some_and(|(machine, _)| self.lies(*machine))
        };
        let neighbors: Vec<_> = neighbors.iter().filter(|info| !is_liar(info)).collect();
        let shown: BTreeSet<_> = neighbors
            .iter()
            .map(|info| (Some(info.node_id), Some(info.peer)))
            .collect();
        let is_full = self.is_small();
        let fits = if is_full {
            shown == others
        } else {
            shown.is_subset(&others)
        };
        if neighbors.len() != shown.len() || !fits {
            let names = |of: &BTreeSet<(Option<NodeId>, Option<PeerId>)>| -> Vec<String> {
                of.iter().map(|(node, _)| self.name_of(*node)).collect()
            };
            let lacks = names(&others.difference(&shown).copied().collect());
            let beyond = names(&shown.difference(&others).copied().collect());
            let count = neighbors.len();
            return Some(format!(
                "{count} neighbors; lacks {lacks:?}, has besides {beyond:?}"
            ));
        }
        None
    }

    /// Whether everybody is everybody's neighbor, from the beginning.
    fn is_small(&self) -> bool {
        self.machines.len() <= limits::FULL_MESH_NODES
    }

    /// `m3`, or `m3 of before` for a node that machine 3 was.
    fn name_of(&self, node: Option<NodeId>) -> String {
        let owner = node
            .and_then(|node| self.nodes.get(&node))
            .map(|(machine, _)| *machine);
        match owner {
            Some(machine) if self.machines[machine].app.node_id == node => format!("m{machine}"),
            Some(machine) => format!("m{machine} of before"),
            None => "nobody".to_owned(),
        }
    }

    /// Two machines open a direct connection, say twenty things each way, and close it.
    fn talk(&mut self, number: usize) {
        if self.failure.is_some() {
            return;
        }
        let honest = self.honest();
        if honest.len() < 2 {
            return;
        }
        let from = self.app_dice.index(honest.len());
        let step = 1 + self.app_dice.index(honest.len() - 1);
        let to = honest[(from + step) % honest.len()];
        let from = honest[from];
        let (peer, node) = (self.machines[to].app.peer, self.machines[to].app.node_id);
        let address = {
            let of = &self.machines[to];
            of.engine().address(of.app.handle()).ok().flatten()
        };
        let (Some(peer), Some(node), Some(address)) = (peer, node, address) else {
            self.fail(format!("machine {to} is online and has no address"));
            return;
        };
        let mut targets = vec![
            Target::Peer(peer),
            Target::Node(node),
            Target::Address(address),
        ];
        // Who is no neighbor is not known by name.
        if !self.is_small() {
            targets.drain(..2);
        }
        let target = self.app_dice.pick(&targets);
        let label = format!("talk {number}");
        let handle = self.machines[from].app.handle();
        let open = Command::OpenDirect {
            handle,
            to: target,
            label: label.clone(),
            timeout_ms: DIRECT_MS,
        };
        let answer = self.ask(from, open);
        let Ok(Answer::Connected(info)) = answer else {
            self.fail(format!(
                "machine {from}: no direct connection to {to}: {answer:?}"
            ));
            return;
        };
        let far = |world: &Self| {
            let mut open = world.machines[to].app.connections.iter();
            open.find(|(_, (_, change))| change.incoming && change.label == label)
                .map(|(id, _)| *id)
        };
        self.run_until(5_000, |world| far(world).is_some());
        let Some(far) = far(self) else {
            self.fail(format!(
                "machine {to} does not hear of the direct connection"
            ));
            return;
        };
        let ends = [(from, info.id), (to, far)];
        self.exchange(ends);
        self.hang_up(ends);
    }

    fn exchange(&mut self, ends: [(usize, ConnectionId); 2]) {
        let mut requests = Vec::new();
        for n in 0..MESSAGES {
            for (machine, connection) in ends {
                let send = Command::Send {
                    handle: self.machines[machine].app.handle(),
                    connection,
                    kind: "talk".to_owned(),
                    data: format!("{n}").into_bytes(),
                };
                match self.command(machine, send) {
                    Ok(request) => requests.push((machine, request)),
                    Err(error) => self.fail(format!("machine {machine} may not send: {error:?}")),
                }
            }
        }
        let all_done = |world: &Self| {
            requests.iter().all(|(machine, request)| {
                let answer = world.machines[*machine].app.answers.get(request);
                matches!(answer, Some(Ok(Answer::Done)))
            })
        };
        if !self.run_until(60_000, all_done) {
            self.fail("messages over a direct connection were not acknowledged");
        }
        let expected: Vec<Vec<u8>> = (0..MESSAGES).map(|n| format!("{n}").into_bytes()).collect();
        for (machine, connection) in ends {
            let inbox = self.machines[machine].app.inbox.get(&connection);
            let got: Option<Vec<&Vec<u8>>> =
                inbox.map(|inbox| inbox.iter().map(|(_, data)| data).collect());
            if got != Some(expected.iter().collect()) {
                self.fail(format!("machine {machine} got {got:?}"));
            }
        }
    }

    fn hang_up(&mut self, ends: [(usize, ConnectionId); 2]) {
        if self.failure.is_some() {
            return;
        }
        let (machine, connection) = self.app_dice.pick(&ends);
        let handle = self.machines[machine].app.handle();
        let closed = self.ask(machine, Command::CloseDirect { handle, connection });
        if closed != Ok(Answer::Done) {
            self.fail(format!(
                "machine {machine} cannot close a direct connection: {closed:?}"
            ));
        }
        let limit = self.news_limit();
        let both = |world: &Self| {
            ends.iter().all(|(machine, connection)| {
                !world.machines[*machine]
                    .app
                    .connections
                    .contains_key(connection)
            })
        };
        if !self.run_until(limit, both) {
            self.fail("the close of a direct connection was not heard by both");
        }
    }

    /// How soon news must be through: a second, and what this network takes.
    fn news_limit(&self) -> Millis {
        let resent = if self.options.loss_per_mille > 0 {
            6_000
        } else {
            0
        };
        NEWS_MS + 2 * self.options.latency_ms.1 + resent
    }

    /// One machine leaves: the others hear it soon, and stay whole.
    fn part(&mut self) {
        if self.failure.is_some() {
            return;
        }
        let honest = self.honest();
        let leaver = self.app_dice.pick(&honest);
        let gone = self.machines[leaver].app.node_id;
        let neighbors: Vec<NodeId> = self
            .neighbors(leaver)
            .iter()
            .map(|info| info.node_id)
            .collect();
        let apart = self.offsets() + 5_000;
        self.close(leaver);
        let since = self.now;
        let limit = self.news_limit();
        let everybody_heard = |world: &Self| {
            let others = world.machines.iter().enumerate().filter(|(other, of)| {
                let linked = of.app.node_id.is_some_and(|node| neighbors.contains(&node));
                *other != leaver && linked && !world.lies(*other)
            });
            others.into_iter().all(|(_, of)| {
                of.heard
                    .iter()
                    .any(|(at, event)| *at >= since && tells_of_the_end(event, gone))
            })
        };
        // The answer to the close itself may have taken a moment of that time.
        if !self.run_until(limit, everybody_heard) {
            self.fail(format!("machine {leaver} left and not everybody heard it"));
        }
        // In a larger group it is told from one to the next.
        // Whose time is behind lets what is ahead of it wait.
        let apart = apart > limits::RECORD_AHEAD_MS;
        let shown = |world: &Self| !apart && gone.is_some_and(|gone| world.is_shown(gone));
        if !self.run_until(4 * limit, |world| !shown(world)) {
            self.fail(format!("machine {leaver} left and is shown to be present"));
        }
        if !self.run_until(10_000, Self::is_whole) {
            let text = format!("not whole after machine {leaver} left: {}", self.gaps());
            self.fail(text);
        }
    }

    fn close(&mut self, machine: usize) {
        self.machines[machine].app.retired = true;
        let handle = self.machines[machine].app.handle();
        match self.command(machine, Command::Close { handle }) {
            Ok(request) => {
                let done = |world: &Self| {
                    world.machines[machine].app.answers.get(&request) == Some(&Ok(Answer::Done))
                };
                let now = self.now;
                let mut ahead = 0;
                // Others are told while the closing one still waits for its own answer.
                while ahead < 5_000 && !done(self) && self.failure.is_none() {
                    self.run_for(10);
                    ahead = self.now - now;
                }
                if !done(self) {
                    self.fail(format!("machine {machine} cannot close"));
                }
            }
            Err(error) => self.fail(format!("machine {machine} may not close: {error:?}")),
        }
    }

    /// Everybody leaves: nothing is left behind.
    fn end(&mut self) {
        for machine in 0..self.machines.len() {
            if self.failure.is_none() && self.machines[machine].app.handle.is_some() {
                self.close(machine);
            }
        }
        self.run_for(65_000);
        self.check_requests();
        for machine in 0..self.machines.len() {
            let model = &self.machines[machine].model;
            let left = (model.live_links(), model.live_sockets(), model.live_locks());
            let waiting = model.requests.len();
            if left != (0, 0, 0) || waiting != 0 {
                self.fail(format!(
                    "machine {machine} left behind (links, sockets, locks) {left:?}, {waiting} requests"
                ));
            }
        }
    }
}

fn tells_of_the_end(event: &Event, gone: Option<NodeId>) -> bool {
    match event {
        Event::NeighborConnection { change, .. } => {
            change.status == ConnectionStatus::Disconnected && change.node_id == gone
        }
        _ => false,
    }
}

/// Runs one seed.
pub fn run(seed: u64, crypto: Crypto) -> Result<Figures, Failure> {
    World::new(Options::of(seed, crypto)).live()
}

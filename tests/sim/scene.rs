//! What tests do with machines that do nothing by themselves: create, invite, join, connect.

use peer_group::engine::command::{Command, Expiry, NewInvitation, NewRecord};
use peer_group::engine::event::{Answer, State};
use peer_group::error::Error;
use peer_group::names::{ConnectionKind, GroupId, RecordId};
use peer_group::time::Millis;

use super::app::CONNECT_MS;
use super::world::World;

impl World {
    /// The failure of a check is the failure of the test.
    ///
    /// # Panics
    /// If a check failed.
    pub fn require_sound(&self) {
        if let Some(failure) = &self.failure {
            panic!("at {} ms: {}", failure.at, failure.text);
        }
    }

    /// A machine runs, makes a group, and counts as its member.
    pub fn create(&mut self, machine: usize) -> GroupId {
        self.start(machine);
        let options = self.open_options();
        let group = Self::new_group();
        let answer = self.ask(machine, Command::CreateGroup { options, group });
        assert!(matches!(answer, Ok(Answer::Opened(_))), "{answer:?}");
        self.trust(machine);
        self.machines[machine].app.group.expect("it was opened")
    }

    /// A machine counts as a member from now on: it may see descriptions and be linked.
    pub fn trust(&mut self, machine: usize) {
        self.members.extend(self.machines[machine].app.peer);
    }

    /// A machine goes online.
    pub fn connect(&mut self, machine: usize) -> Result<Answer, Error> {
        self.connect_within(machine, CONNECT_MS)
    }

    /// A machine goes online, within a limit.
    pub fn connect_within(&mut self, machine: usize, timeout_ms: Millis) -> Result<Answer, Error> {
        let handle = self.machines[machine].app.handle();
        self.ask(
            machine,
            Command::Connect {
                handle,
                timeout_ms,
                addresses: Vec::new(),
            },
        )
    }

    /// A machine makes an invitation.
    pub fn invitation(&mut self, machine: usize, invitation: NewInvitation) -> String {
        let handle = self.machines[machine].app.handle();
        match self.ask(machine, Command::CreateInvitation { handle, invitation }) {
            Ok(Answer::Invitation(text)) => text,
            other => panic!("no invitation: {other:?}"),
        }
    }

    /// A machine runs and takes an invitation.
    pub fn join(&mut self, machine: usize, invitation: &str) -> Result<Answer, Error> {
        self.start(machine);
        let options = self.open_options();
        let invitation = invitation.to_owned();
        self.ask(
            machine,
            Command::JoinGroup {
                options,
                invitation,
            },
        )
    }

    /// A machine runs and opens the group that it was in.
    ///
    /// # Panics
    /// If it was in none, or cannot open it.
    pub fn reopen(&mut self, machine: usize) {
        self.start(machine);
        let options = self.open_options();
        let group = self.machines[machine].app.group.expect("it was in a group");
        let opened = self.ask(machine, Command::OpenGroup { options, group });
        assert!(matches!(opened, Ok(Answer::Opened(_))), "{opened:?}");
    }

    /// A machine that was in a group opens it and goes online.
    ///
    /// # Panics
    /// If it cannot.
    pub fn come_back(&mut self, machine: usize) {
        self.reopen(machine);
        let online = self.connect(machine);
        assert!(online.is_ok(), "machine {machine}: {online:?}");
    }

    /// A machine takes an invitation, counts as a member, and goes online.
    ///
    /// # Panics
    /// If it is not let in.
    pub fn let_in(&mut self, machine: usize, invitation: &str) {
        let joined = self.join(machine, invitation);
        assert!(joined.is_ok(), "machine {machine}: {joined:?}");
        self.trust(machine);
        let online = self.connect(machine);
        assert!(online.is_ok(), "machine {machine}: {online:?}");
    }

    /// A machine adds a record that lives for a day.
    ///
    /// # Panics
    /// If something else is answered.
    pub fn add_note(&mut self, machine: usize, text: &str) -> Result<RecordId, Error> {
        let record = NewRecord {
            kind: "note".to_owned(),
            data: text.as_bytes().to_vec(),
            attributes: Vec::new(),
            expires: Expiry::In(24 * 3_600_000),
            auto_refresh: false,
        };
        let handle = self.machines[machine].app.handle();
        match self.ask(machine, Command::AddRecord { handle, record })? {
            Answer::RecordAdded(id) => Ok(id),
            other => panic!("no record: {other:?}"),
        }
    }

    /// The first `count` machines are a group and online; the text admits whoever follows.
    pub fn group_of(&mut self, count: usize) -> String {
        self.create(0);
        let invitation = NewInvitation {
            max_uses: 100,
            ..NewInvitation::default()
        };
        let text = self.invitation(0, invitation);
        let online = self.connect(0);
        assert!(online.is_ok(), "{online:?}");
        for machine in 1..count {
            self.let_in(machine, &text);
        }
        let all_linked = |world: &Self| (0..count).all(|m| world.neighbor_count(m) == count - 1);
        assert!(self.run_until(30_000, all_linked), "the group is not whole");
        text
    }

    /// Neighbor connections of a machine.
    #[must_use]
    pub fn neighbor_count(&self, machine: usize) -> usize {
        let connections = self.machines[machine].app.connections.values();
        connections
            .filter(|(kind, _)| *kind == ConnectionKind::Neighbor)
            .count()
    }

    /// How far a machine is.
    #[must_use]
    pub fn state(&self, machine: usize) -> Option<State> {
        let of = &self.machines[machine];
        of.engine()
            .status(of.app.handle())
            .ok()
            .map(|status| status.state)
    }
}

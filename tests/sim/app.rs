//! The apps: what a page does with its engine, by itself or as a test says.

use std::collections::BTreeMap;

use peer_group::crypto::stretch::Password;
use peer_group::engine::command::{Command, NewGroup, NewInvitation, OpenOptions, Store, Target};
use peer_group::engine::event::{Answer, ConnectionChange, Event, Opened, Status};
use peer_group::engine::input::Verdict;
use peer_group::error::{Code, Error};
use peer_group::names::{
    ConnectionId, ConnectionKind, GroupId, HandleId, NodeId, NodeIndex, PeerId, RequestId, Role,
};
use peer_group::time::Millis;

use super::people::People;
use super::view::View;
use super::work::Asked as Changing;
use super::world::{Happening, World};

/// How long apps let `connect` take.
pub const CONNECT_MS: Millis = 30_000;
/// How long apps let a direct connection take.
pub const DIRECT_MS: Millis = 20_000;

/// What groups that admit by password ask for.
fn password() -> Password {
    Password::new("three green teapots".to_owned()).expect("it is one")
}

/// Something an app does later.
#[derive(Clone, Debug)]
pub enum Act {
    /// Creates, opens or joins.
    Begin,
    /// Goes online.
    Connect,
    /// Takes one message.
    Take(ConnectionId),
    /// Whatever comes to its mind.
    Idle,
    /// Something with records.
    Work,
}

/// What a command was, for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Creating, opening, joining.
    Open,
    /// Opening what was there before.
    Reopen,
    /// Going online.
    Connect,
    /// An invitation.
    Invite,
    /// Anything else.
    Other,
}

/// One app.
pub struct App {
    /// It makes the group.
    pub creator: bool,
    /// The group, once it was opened.
    pub group: Option<GroupId>,
    /// Who it is, once known; never another.
    pub peer: Option<PeerId>,
    /// Its handle.
    pub handle: Option<HandleId>,
    /// The node behind it.
    pub node: Option<NodeIndex>,
    /// That node's name.
    pub node_id: Option<NodeId>,
    /// `connect` succeeded.
    pub connected: bool,
    /// What became of commands.
    pub answers: BTreeMap<RequestId, Result<Answer, Error>>,
    /// Connections that commands promised.
    pub promised: BTreeMap<RequestId, ConnectionId>,
    /// The status as events told it.
    pub status: Option<Status>,
    /// Open connections as events told them.
    pub connections: BTreeMap<ConnectionId, (ConnectionKind, ConnectionChange)>,
    /// Messages by connection, in order of arrival.
    pub inbox: BTreeMap<ConnectionId, Vec<(String, Vec<u8>)>>,
    /// How `connect` failed.
    pub failures: Vec<Error>,
    /// Takes messages by itself.
    pub takes: bool,
    /// It left for good.
    pub retired: bool,
    /// The records, as it knows them.
    pub view: View,
    /// The members, as events told of them.
    pub people: People,
    /// What a graph's app says about records of others; nothing: it is silent.
    pub about_records: Option<Verdict>,
    /// The types of records that are complete, in the order they were told.
    pub complete: Vec<String>,
    /// Changes of records under way.
    pub calls: BTreeMap<RequestId, Changing>,
    /// One that is being asked for.
    pub next_call: Option<Changing>,
    /// When its last handle was closed.
    pub closed_at: Millis,
    asked: BTreeMap<RequestId, Asked>,
    sent: u64,
}

impl App {
    /// An app that did nothing yet.
    #[must_use]
    pub fn new(creator: bool) -> Self {
        Self {
            creator,
            group: None,
            peer: None,
            handle: None,
            node: None,
            node_id: None,
            connected: false,
            answers: BTreeMap::new(),
            promised: BTreeMap::new(),
            status: None,
            connections: BTreeMap::new(),
            inbox: BTreeMap::new(),
            failures: Vec::new(),
            takes: true,
            retired: false,
            view: View::default(),
            people: People::default(),
            about_records: Some(Verdict::Accept),
            complete: Vec::new(),
            calls: BTreeMap::new(),
            next_call: None,
            closed_at: 0,
            asked: BTreeMap::new(),
            sent: 0,
        }
    }

    /// The page is gone; what it knew of the group is in its address bar.
    pub fn crashed(&mut self) {
        let failures = core::mem::take(&mut self.failures);
        *self = Self {
            group: self.group,
            peer: self.peer,
            failures,
            ..Self::new(self.creator)
        };
    }

    /// The handle; a test asks only after opening.
    #[must_use]
    pub fn handle(&self) -> HandleId {
        self.handle.expect("the app has a handle")
    }

    fn take_opened(&mut self, opened: &Opened) {
        self.group = Some(opened.group);
        self.peer = Some(opened.peer);
        self.handle = Some(opened.handle);
        self.node = Some(opened.node);
        self.node_id = Some(opened.node_id);
        self.connected = false;
        self.view = View::default();
        self.people = People::default();
    }
}

impl World {
    /// How apps open things.
    #[must_use]
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions {
            store: Store::Default,
            rendezvous: vec![self.options.server.clone()],
            ice_servers: Vec::new(),
            relay_only: false,
            ..OpenOptions::default()
        }
    }

    /// What a new group is like.
    #[must_use]
    pub fn new_group() -> NewGroup {
        NewGroup {
            friendly_name: "A group".to_owned(),
            comment: String::new(),
            classifier: String::new(),
            ..NewGroup::default()
        }
    }

    /// An app asks its engine.
    pub fn command(&mut self, machine: usize, command: Command) -> Result<RequestId, Error> {
        if let Command::DeleteLocal { id, .. } = &command {
            self.machines[machine].app.view.dropped.insert(*id);
        }
        let asked = match &command {
            Command::OpenGroup { .. } => Asked::Reopen,
            Command::CreateGroup { .. }
            | Command::JoinGroup { .. }
            | Command::JoinWithPassword { .. }
            | Command::CreateGraph { .. }
            | Command::OpenGraph { .. } => Asked::Open,
            Command::Connect { .. } => Asked::Connect,
            Command::CreatePasswordInvitation { .. } if self.options.automatic => Asked::Invite,
            Command::CreateInvitation { .. } => Asked::Invite,
            _ => Asked::Other,
        };
        let now = self.clock(machine);
        self.trace
            .machine(self.now, machine, || format!(">> {command:?}"));
        let limit = super::checks::limit_of(&command);
        let of = &mut self.machines[machine];
        let engine = of.engine.as_mut().expect("the machine runs");
        let result = engine.command(now, command);
        if let Ok(request) = result {
            if let Some(connection) = engine.connection_of(request) {
                of.app.promised.insert(request, connection);
            }
            of.app.asked.insert(request, asked);
            self.work_asked(machine, request);
            let of = &mut self.machines[machine];
            let noted = of.model.asked(self.now, request, limit);
            self.check(machine, noted);
        }
        self.drain(machine);
        result
    }

    /// Asks, and goes on until the answer is there.
    pub fn ask(&mut self, machine: usize, command: Command) -> Result<Answer, Error> {
        let limit = super::checks::limit_of(&command) + 120_000;
        let request = self.command(machine, command)?;
        self.run_until(limit, |world| {
            world.machines[machine].app.answers.contains_key(&request)
        });
        if let Some(failure) = &self.failure {
            panic!("at {} ms: {}", failure.at, failure.text);
        }
        let answer = self.machines[machine].app.answers.get(&request).cloned();
        answer.expect("every request is answered")
    }

    fn do_later(&mut self, machine: usize, delay: Millis, act: Act) {
        let life = self.machines[machine].life;
        self.later(delay, Happening::App { machine, life, act });
    }

    /// An app begins.
    pub fn begin(&mut self, machine: usize) {
        let delay = self.app_dice.between(1, 50);
        self.do_later(machine, delay, Act::Begin);
        let idle = self.app_dice.between(1_000, 10_000);
        self.do_later(machine, idle, Act::Idle);
        self.work_later(machine);
    }

    fn work_later(&mut self, machine: usize) {
        let (low, high) = self.options.work_ms;
        let delay = self.work_dice.between(low, high) * self.calmness();
        self.do_later(machine, delay, Act::Work);
    }

    /// An app does something.
    pub fn act(&mut self, machine: usize, act: Act) {
        if self.machines[machine].backlog.is_some() {
            self.do_later(machine, 500, act);
            return;
        }
        let handle = self.machines[machine].app.handle;
        match (act, handle) {
            (Act::Begin, None) => self.open(machine),
            (Act::Connect, Some(handle)) if !self.machines[machine].app.connected => {
                let connect = Command::Connect {
                    handle,
                    timeout_ms: CONNECT_MS,
                    addresses: Vec::new(),
                };
                if let Err(error) = self.command(machine, connect) {
                    self.fail(format!("machine {machine}: connect was refused: {error:?}"));
                }
            }
            (Act::Take(connection), Some(handle)) => {
                // The connection may be gone meanwhile.
                let take = Command::Take {
                    handle,
                    connection,
                    messages: 1,
                };
                if let Err(error) = self.command(machine, take)
                    && error.code != Code::ConnectionNotFound
                {
                    self.fail(format!("machine {machine}: take was refused: {error:?}"));
                }
            }
            (Act::Work, _) if !self.calm => {
                if let Some(handle) = handle {
                    self.work(machine, handle);
                }
                self.work_later(machine);
            }
            (Act::Idle, _) if !self.calm => {
                if let Some(handle) = handle {
                    self.fidget(machine, handle);
                }
                let delay = self.app_dice.between(500, 15_000) * self.calmness();
                self.do_later(machine, delay, Act::Idle);
            }
            _ => {}
        }
    }

    fn open(&mut self, machine: usize) {
        let options = self.open_options();
        let app = &self.machines[machine].app;
        let command = match (app.group, app.creator, self.invitations.last()) {
            (Some(group), true, _) => Command::OpenGroup { options, group },
            (Some(group), false, None) => Command::OpenGroup { options, group },
            (Some(group), false, Some(_)) if self.app_dice.per_mille(700) => {
                Command::OpenGroup { options, group }
            }
            (None, true, _) => {
                let mut group = Self::new_group();
                if self.options.by_password {
                    group.password = Some(password());
                    group.password_role = Role::InvitingMember;
                }
                Command::CreateGroup { options, group }
            }
            (_, false, Some(invitation)) if self.options.by_password => Command::JoinWithPassword {
                options,
                invitation: invitation.clone(),
                password: password(),
            },
            (_, false, Some(invitation)) => Command::JoinGroup {
                options,
                invitation: invitation.clone(),
            },
            (None, false, None) => {
                self.do_later(machine, 500, Act::Begin);
                return;
            }
        };
        if let Err(error) = self.command(machine, command) {
            self.fail(format!(
                "machine {machine}: opening was refused at once: {error:?}"
            ));
        }
    }

    /// What a person might do meanwhile: nothing of it may break anything.
    fn fidget(&mut self, machine: usize, handle: HandleId) {
        let app = &self.machines[machine].app;
        let open: Vec<(ConnectionId, ConnectionKind)> = app
            .connections
            .iter()
            .map(|(id, (kind, _))| (*id, *kind))
            .collect();
        let known: Vec<PeerId> = self.members.iter().copied().collect();
        let command = match self.app_dice.between(0, 9) {
            0..=2 if !known.is_empty() => Command::OpenDirect {
                handle,
                to: Target::Peer(self.app_dice.pick(&known)),
                label: "fidget".to_owned(),
                timeout_ms: DIRECT_MS,
            },
            3..=6 if !open.is_empty() => {
                let (connection, _) = self.app_dice.pick(&open);
                self.machines[machine].app.sent += 1;
                let len = self.app_dice.pick(&[0, 1, 100, 30_000]);
                Command::Send {
                    handle,
                    connection,
                    kind: "fidget".to_owned(),
                    data: vec![7; len],
                }
            }
            7 => {
                let direct = open
                    .iter()
                    .find(|(_, kind)| *kind == ConnectionKind::Direct);
                let Some((connection, _)) = direct else {
                    return;
                };
                Command::CloseDirect {
                    handle,
                    connection: *connection,
                }
            }
            8 if self.app_dice.per_mille(200) && !self.invitations.is_empty() => {
                Command::Close { handle }
            }
            9 if self.machines[machine].app.creator => self.invitation_of(handle),
            _ => return,
        };
        let allowed = [
            Code::ConnectSelf,
            Code::NodeNotFound,
            Code::GroupNotReady,
            Code::ConnectionNotFound,
            Code::OutOfMemory,
            Code::ClockSkew,
        ];
        match self.command(machine, command) {
            Err(error) if !allowed.contains(&error.code) => {
                self.fail(format!(
                    "machine {machine}: a fair request was refused: {error:?}"
                ));
            }
            _ => {}
        }
    }

    /// What lets in whoever comes.
    fn invitation_of(&self, handle: HandleId) -> Command {
        if self.options.by_password {
            Command::CreatePasswordInvitation { handle }
        } else {
            Self::invite(handle, 1000)
        }
    }

    /// An invitation for so many.
    #[must_use]
    pub fn invite(handle: HandleId, max_uses: u32) -> Command {
        let invitation = NewInvitation {
            max_uses,
            ..NewInvitation::default()
        };
        Command::CreateInvitation { handle, invitation }
    }

    /// An app hears an event.
    pub fn event(&mut self, machine: usize, event: Event) {
        let checked = self.machines[machine].model.event(&event);
        self.check(machine, checked);
        let now = self.now;
        self.machines[machine].heard.push((now, event.clone()));
        match event {
            Event::Answered { request, result } => self.answered(machine, request, result),
            Event::StatusChanged { status, .. } => {
                self.machines[machine].app.status = Some(status);
            }
            Event::NeighborConnection { change, .. } => {
                self.connection_changed(machine, ConnectionKind::Neighbor, *change);
            }
            Event::DirectConnection { change, .. } => {
                self.connection_changed(machine, ConnectionKind::Direct, *change);
            }
            Event::IncomingData {
                connection,
                kind,
                data,
                ..
            } => {
                let app = &mut self.machines[machine].app;
                app.inbox.entry(connection).or_default().push((kind, data));
                if app.takes {
                    let delay = self.app_dice.between(0, 100);
                    self.do_later(machine, delay, Act::Take(connection));
                }
            }
            Event::RecordChanged {
                node,
                change,
                id,
                kind,
            } => {
                let app = &mut self.machines[machine].app;
                if app.node == Some(node) && app.handle.is_some() {
                    let told = app.view.told(change, id, &kind);
                    self.check(machine, told);
                }
            }
            Event::MemberChanged { node, change, peer } => {
                self.member_told(machine, node, change, peer);
            }
            Event::TypeSynchronized { kind, .. } => {
                self.machines[machine].app.complete.push(kind);
            }
            Event::PropertiesChanged { .. }
            | Event::ConnectionFailed { .. }
            | Event::AuthenticationFailed { .. }
            | Event::StorageFailed { .. } => {}
            Event::Closed { handle, .. } => self.handle_closed(machine, handle),
        }
    }

    fn handle_closed(&mut self, machine: usize, handle: HandleId) {
        if self.machines[machine].app.handle == Some(handle) {
            self.node_ended(machine);
        }
        let app = &mut self.machines[machine].app;
        if app.handle == Some(handle) {
            app.handle = None;
            app.closed_at = self.now;
            app.view = View::default();
            app.people = People::default();
            app.connected = false;
            app.status = None;
            app.connections.clear();
            if self.options.automatic && !app.retired {
                let delay = self.app_dice.between(1, 2_000);
                self.do_later(machine, delay, Act::Begin);
            }
        }
    }

    fn answered(&mut self, machine: usize, request: RequestId, result: Result<Answer, Error>) {
        self.work_answered(machine, request, &result);
        let app = &mut self.machines[machine].app;
        app.answers.insert(request, result.clone());
        let asked = app.asked.remove(&request);
        if let Ok(Answer::Opened(opened)) = &result {
            self.opened(machine, opened);
        }
        if !self.options.automatic {
            return;
        }
        match (asked, result) {
            (Some(Asked::Open | Asked::Reopen), Ok(Answer::Opened(opened))) => {
                let delay = self.app_dice.between(0, 300);
                self.do_later(machine, delay, Act::Connect);
                if self.machines[machine].app.creator && self.invitations.is_empty() {
                    let invite = self.invitation_of(opened.handle);
                    if let Err(error) = self.command(machine, invite) {
                        self.fail(format!("the creator may not invite: {error:?}"));
                    }
                }
            }
            (Some(Asked::Reopen), Err(error)) if self.machines[machine].app.creator => {
                self.fail(format!(
                    "the creator's group was not there again: {error:?}"
                ));
            }
            (Some(Asked::Open | Asked::Reopen), Err(error)) => {
                self.machines[machine].app.failures.push(error);
                let delay = self.app_dice.between(500, 3_000);
                self.do_later(machine, delay, Act::Begin);
            }
            (Some(Asked::Connect), Ok(_)) => self.machines[machine].app.connected = true,
            (Some(Asked::Connect), Err(error)) => {
                // After a crash nothing is known of a password that let nobody in yet: it is asked for again.
                if error.code == Code::WrongPassword
                    && let Some(handle) = self.machines[machine].app.handle
                {
                    let password = password();
                    let given = self.command(machine, Command::GivePassword { handle, password });
                    self.check(
                        machine,
                        given.map(|_| ()).map_err(|error| format!("{error:?}")),
                    );
                }
                self.machines[machine].app.failures.push(error);
                let delay = self.app_dice.between(500, 3_000);
                self.do_later(machine, delay, Act::Connect);
            }
            (Some(Asked::Invite), Ok(Answer::Invitation(text))) => self.invitations.push(text),
            (Some(Asked::Invite), Err(error)) => {
                self.fail(format!("an invitation was not made: {error:?}"));
            }
            _ => {}
        }
    }

    fn opened(&mut self, machine: usize, opened: &Opened) {
        let before = self.machines[machine].app.peer;
        if self.options.automatic && before.is_some_and(|peer| peer != opened.peer) {
            self.fail(format!("machine {machine} came back as somebody else"));
        }
        self.machines[machine].app.take_opened(opened);
        self.nodes.insert(opened.node_id, (machine, opened.peer));
        if self.options.automatic {
            self.members.insert(opened.peer);
        }
        // Another handle on the same node: what it missed.
        let engine = self.machines[machine].engine();
        if let Ok(status) = engine.status(opened.handle) {
            self.machines[machine].app.status = Some(status);
        }
    }
}

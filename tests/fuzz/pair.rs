//! Live engines that hear changed messages: two in a group over the simulator's network, while a
//! script (the input) changes what arrives, and what is sealed before it is sealed.
//!
//! A change to a sealed message is refused at its tag, so it is made to the plain text: the far side
//! opens it, believes it, and decodes it.

use std::cell::RefCell;

use peer_group::crypto::stretch::Cost;
use peer_group::crypto::{FAKE, Primitives};
use peer_group::engine::command::{Command, Expiry, NewInvitation, NewRecord, Target};
use peer_group::engine::input::Input;
use peer_group::names::ConnectionKind;
use peer_group::wire::attributes::Value;
use peer_group::wire::codec::{Bytes, Wire as _};
use peer_group::wire::rendezvous::ServerMessage;
use peer_group_tests::sim::options::Options;
use peer_group_tests::sim::world::World;

/// Changes that one script may make.
const STEPS: usize = 24;

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::default();
}

/// Change: bytes are overwritten.
pub(crate) const OVER: u8 = 0;
/// Change: the piece comes in place of all.
pub(crate) const INSTEAD: u8 = 1;
/// Change: the piece comes in place of a frame, whose number it keeps: any other is not in its turn.
pub(crate) const IN_TURN: u8 = 5;

/// What a change is made to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// What the server said, or the signal inside.
    Message,
    /// What came over a link.
    Frame,
    /// What is about to be sealed.
    Plain,
    /// What a browser said of its own end.
    Line,
}

impl What {
    /// All, each at its own number.
    const ALL: [Self; 4] = [Self::Message, Self::Frame, Self::Plain, Self::Line];
}

/// What is changed, and what was seen.
#[derive(Default)]
struct Script {
    steps: Vec<Step>,
    /// How many of each kind there were so far.
    count: [usize; 4],
    /// Everything that was seen, while an honest conversation is recorded.
    log: Option<Vec<Vec<u8>>>,
}

/// One change: to the one of that number and kind.
#[derive(Clone)]
struct Step {
    what: What,
    number: usize,
    kind: u8,
    at: usize,
    piece: Vec<u8>,
}

/// A step as bytes: `number` counts those of its kind, `kind` says what is done with `piece`.
pub(crate) fn step(what: What, number: u8, kind: u8, at: u8, piece: &[u8]) -> Vec<u8> {
    let len = piece.len().min(255);
    let mut bytes = vec![kind << 2 | what as u8, number, 0, at, len as u8];
    bytes.extend_from_slice(&piece[..len]);
    bytes
}

impl Script {
    /// Each step is five bytes and its piece; whatever is left over is no step.
    fn read(mut bytes: &[u8]) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        while let [kind, number, high, low, len, rest @ ..] = bytes {
            let (piece, rest) = rest.split_at(usize::from(*len).min(rest.len()));
            bytes = rest;
            steps.push(Step {
                what: What::ALL[usize::from(kind & 3)],
                number: usize::from(*number),
                kind: kind >> 2,
                at: usize::from(u16::from_be_bytes([*high, *low])),
                piece: piece.to_vec(),
            });
            if steps.len() == STEPS {
                break;
            }
        }
        Self {
            steps,
            ..Self::default()
        }
    }

    /// The changes to the next one of its kind.
    fn next(&mut self, what: What, seen: &[u8]) -> Vec<Step> {
        if let Some(log) = &mut self.log {
            log.push(seen.to_vec());
        }
        let count = &mut self.count[what as usize];
        let number = *count;
        *count += 1;
        let of_it = |step: &&Step| step.what == what && step.number == number;
        self.steps.iter().filter(of_it).cloned().collect()
    }
}

impl Step {
    /// Changes bytes, length and all.
    fn change(&self, bytes: &mut Vec<u8>) {
        let at = self.at.min(bytes.len());
        match self.kind % 8 {
            OVER => self.overwrite(bytes),
            INSTEAD => *bytes = self.piece.clone(),
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..at, self.piece.iter().copied())),
            4 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&self.piece);
            }
            _ => {
                let end = bytes.iter().position(|byte| byte & 0x80 == 0);
                bytes.truncate(end.map_or(0, |end| end + 1));
                bytes.extend_from_slice(&self.piece);
            }
        }
    }

    /// Changes bytes where they are.
    fn overwrite(&self, bytes: &mut [u8]) {
        let at = self.at.min(bytes.len());
        for (to, from) in bytes[at..].iter_mut().zip(&self.piece) {
            *to = *from;
        }
    }
}

/// What arrives at a machine, changed.
fn arrives(input: &mut Input) {
    SCRIPT.with_borrow_mut(|script| match input {
        Input::SocketReceived { bytes, .. } => server_message(script, bytes),
        Input::FrameReceived { bytes, .. } => {
            for step in script.next(What::Frame, bytes) {
                step.change(bytes);
            }
        }
        Input::LinkDescribed { sdp: text, .. }
        | Input::CandidateFound {
            candidate: text, ..
        } => {
            let mut bytes = core::mem::take(text).into_bytes();
            for step in script.next(What::Line, &bytes) {
                step.change(&mut bytes);
            }
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => {}
    });
}

/// A signal inside is changed, or the whole.
fn server_message(script: &mut Script, bytes: &mut Vec<u8>) {
    let inner = match ServerMessage::from_bytes(bytes) {
        Ok(ServerMessage::Delivered { from, payload }) => Some((from, payload)),
        _ => None,
    };
    if let (Some(log), Some((_, payload))) = (&mut script.log, &inner) {
        log.push(payload.to_vec());
    }
    for step in script.next(What::Message, bytes) {
        match &inner {
            Some((from, payload)) if step.kind & 8 == 0 => {
                let mut payload = payload.to_vec();
                step.change(&mut payload);
                if let Some(payload) = Bytes::new(payload) {
                    let from = *from;
                    *bytes = ServerMessage::Delivered { from, payload }.to_bytes();
                }
            }
            _ => step.change(bytes),
        }
    }
}

/// The fake primitives, but for plain texts that a script changes before they are sealed.
struct Changing;
static CHANGING: Changing = Changing;

impl Primitives for Changing {
    fn public_key(&self, seed: &[u8; 32]) -> [u8; 32] {
        FAKE.public_key(seed)
    }
    fn sign(&self, seed: &[u8; 32], message: &[u8]) -> [u8; 64] {
        FAKE.sign(seed, message)
    }
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        FAKE.verify(key, message, signature)
    }
    fn is_public_key(&self, key: &[u8; 32]) -> bool {
        FAKE.is_public_key(key)
    }
    fn exchange_public(&self, secret: &[u8; 32]) -> [u8; 32] {
        FAKE.exchange_public(secret)
    }
    fn exchange(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        FAKE.exchange(secret, public)
    }
    fn seal(&self, key: &[u8; 32], nonce: &[u8; 12], extra: &[u8], plain: &[u8]) -> Vec<u8> {
        // The caller has made room for as many bytes as it gave: the length stays.
        let mut plain = plain.to_vec();
        let steps = SCRIPT.with_borrow_mut(|script| script.next(What::Plain, &plain));
        for step in steps {
            step.overwrite(&mut plain);
        }
        FAKE.seal(key, nonce, extra, &plain)
    }
    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        extra: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        FAKE.open(key, nonce, extra, sealed)
    }
    fn hash(&self, parts: &[&[u8]]) -> [u8; 64] {
        FAKE.hash(parts)
    }
    fn derive(&self, secret: &[u8], purpose: &str, context: &[&[u8]]) -> [u8; 32] {
        FAKE.derive(secret, purpose, context)
    }
    fn stretch(&self, password: &[u8], salt: &[u8], cost: Cost) -> Option<[u8; 32]> {
        FAKE.stretch(password, salt, cost)
    }
    fn element(&self, uniform: &[u8; 64]) -> [u8; 32] {
        FAKE.element(uniform)
    }
    fn multiply(&self, scalar: &[u8; 32], element: &[u8; 32]) -> Option<[u8; 32]> {
        FAKE.multiply(scalar, element)
    }
}

/// Two engines live through the script; whether the second became a member all the same.
pub(crate) fn run(bytes: &[u8]) -> bool {
    SCRIPT.set(Script::read(bytes));
    live().1
}

/// Everything that the two say and seal when nothing is changed, and what they keep.
pub(crate) fn record() -> Vec<Vec<u8>> {
    SCRIPT.set(Script {
        log: Some(Vec::new()),
        ..Script::default()
    });
    let (world, whole) = live();
    assert!(whole, "two honest engines do not meet: {:?}", world.failure);
    let mut log = SCRIPT.take().log.unwrap_or_default();
    for machine in &world.machines {
        log.extend(machine.disk.values().cloned());
    }
    log.extend(
        world
            .invitations
            .iter()
            .map(|text| text.clone().into_bytes()),
    );
    log
}

fn live() -> (World, bool) {
    let mut world = World::new(Options::plain(1, &CHANGING, 2));
    world.arrives = Some(arrives);
    world.start(0);
    let options = world.open_options();
    let group = World::new_group();
    tell(&mut world, 0, |_| {
        Some(Command::CreateGroup { options, group })
    });
    world.trust(0);
    tell(&mut world, 0, connect);
    let invitation = NewInvitation {
        max_uses: 3,
        ..NewInvitation::default()
    };
    tell(&mut world, 0, |world| {
        let handle = world.machines[0].app.handle?;
        Some(Command::CreateInvitation { handle, invitation })
    });
    let told = world.machines[0]
        .app
        .answers
        .values()
        .find_map(|answer| match answer {
            Ok(peer_group::engine::event::Answer::Invitation(text)) => Some(text.clone()),
            _ => None,
        });
    world.invitations.extend(told);
    tell(&mut world, 0, |world| add(world, 0));
    world.start(1);
    let options = world.open_options();
    tell(&mut world, 1, |world| {
        let invitation = world.invitations.first()?.clone();
        Some(Command::JoinGroup {
            options,
            invitation,
        })
    });
    world.trust(1);
    tell(&mut world, 1, connect);
    let whole = world.neighbor_count(1) == 1;
    tell(&mut world, 0, |world| add(world, 0));
    tell(&mut world, 1, |world| add(world, 1));
    tell(&mut world, 0, |world| send(world, 0));
    tell(&mut world, 1, |world| send(world, 1));
    tell(&mut world, 1, |world| {
        let handle = world.machines[1].app.handle?;
        let to = Target::Peer(world.machines[0].app.peer?);
        let label = "fuzz".to_owned();
        let timeout_ms = 1_000;
        Some(Command::OpenDirect {
            handle,
            to,
            label,
            timeout_ms,
        })
    });
    tell(&mut world, 1, |world| send(world, 1));
    tell(&mut world, 0, |world| {
        let handle = world.machines[0].app.handle?;
        Some(Command::Close { handle })
    });
    (world, whole)
}

/// An app asks for something, if it can, and time passes.
fn tell(world: &mut World, machine: usize, command: impl FnOnce(&World) -> Option<Command>) {
    if let Some(command) = command(world) {
        let _ = world.command(machine, command);
    }
    world.run_for(1_500);
}

fn connect(world: &World) -> Option<Command> {
    let machine = world.machines.iter().rposition(|of| of.engine.is_some())?;
    Some(Command::Connect {
        handle: world.machines[machine].app.handle?,
        timeout_ms: 1_000,
        addresses: Vec::new(),
    })
}

/// A record that lives for an hour.
fn add(world: &World, machine: usize) -> Option<Command> {
    let record = NewRecord {
        kind: "chat".to_owned(),
        data: vec![7; 40],
        attributes: vec![("size".to_owned(), vec![Value::Number(40)])],
        expires: Expiry::In(3_600_000),
        auto_refresh: false,
    };
    let handle = world.machines[machine].app.handle?;
    Some(Command::AddRecord { handle, record })
}

/// Over the newest connection of the machine.
fn send(world: &World, machine: usize) -> Option<Command> {
    let app = &world.machines[machine].app;
    let (connection, (kind, _)) = app.connections.iter().next_back()?;
    Some(Command::Send {
        handle: app.handle?,
        connection: *connection,
        kind: match kind {
            ConnectionKind::Neighbor => "neighbor".to_owned(),
            ConnectionKind::Direct => "direct".to_owned(),
        },
        data: vec![7; 20],
    })
}

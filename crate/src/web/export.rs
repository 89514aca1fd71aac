//! What the wrapper in `js/` calls: the engine's facade, thin, every method taking `&self`.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::failure::thrown;
use super::plain::Plain as _;
use super::pump::{Core, now};
use super::shapes::{ConnectionInfo, GroupProperties, NodeStatus};
use crate::crypto::stretch::Password;
use crate::engine::command::{
    Command, IceServer, NewGroup, NewInvitation, OpenOptions, PropertiesChange, Store, Target,
};
use crate::engine::input::{Input, Verdict};
use crate::error::{Code, Error};
use crate::names::{
    AskId, ConnectionId, ConnectionKind, HandleId, NodeAddress, PeerId, RequestId, Role,
};
use crate::wire::numbers::LINK_VERSION;
use crate::wire::text;

#[wasm_bindgen(typescript_custom_section)]
const ARGUMENTS: &str = "
/** A STUN or TURN server. */
export interface IceServerArguments {
  readonly urls: readonly string[];
  readonly username: string;
  readonly credential: string;
}
/** How to open a group or graph. No store name: the default store, or memory. */
export interface OpenArguments {
  readonly memory: boolean;
  readonly store: string | undefined;
  readonly identity: string | undefined;
  readonly rendezvous: readonly string[];
  readonly iceServers: readonly IceServerArguments[];
  readonly relayOnly: boolean;
  readonly validates: boolean;
  readonly syncPrecedence: readonly string[];
}
/** What a new group is to be like. */
export interface NewGroupArguments {
  readonly friendlyName: string;
  readonly comment: string;
  readonly classifier: string;
  readonly deferExpiration: boolean;
  readonly maxRecordSize: number | undefined;
  readonly memberDataOptional: boolean;
  readonly presenceDisabled: boolean;
  readonly memberDataLifetime: number | undefined;
  readonly presenceLifetime: number | undefined;
  readonly password: string | undefined;
  readonly passwordRole: Role | undefined;
}
";

#[wasm_bindgen]
extern "C" {
    /// A STUN or TURN server.
    #[wasm_bindgen(typescript_type = "IceServerArguments")]
    pub type IceServerArguments;
    #[wasm_bindgen(method, getter)]
    fn urls(this: &IceServerArguments) -> Vec<String>;
    #[wasm_bindgen(method, getter)]
    fn username(this: &IceServerArguments) -> String;
    #[wasm_bindgen(method, getter)]
    fn credential(this: &IceServerArguments) -> String;

    /// How to open a group or graph.
    #[wasm_bindgen(typescript_type = "OpenArguments")]
    pub type OpenArguments;
    #[wasm_bindgen(method, getter)]
    fn memory(this: &OpenArguments) -> bool;
    #[wasm_bindgen(method, getter)]
    fn store(this: &OpenArguments) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn identity(this: &OpenArguments) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn rendezvous(this: &OpenArguments) -> Vec<String>;
    #[wasm_bindgen(method, getter, js_name = iceServers)]
    fn ice_servers(this: &OpenArguments) -> Vec<IceServerArguments>;
    #[wasm_bindgen(method, getter, js_name = relayOnly)]
    fn relay_only(this: &OpenArguments) -> bool;
    #[wasm_bindgen(method, getter)]
    fn validates(this: &OpenArguments) -> bool;
    #[wasm_bindgen(method, getter, js_name = syncPrecedence)]
    fn sync_precedence(this: &OpenArguments) -> Vec<String>;

    /// What a new group is to be like.
    #[wasm_bindgen(typescript_type = "NewGroupArguments")]
    pub type NewGroupArguments;
    #[wasm_bindgen(method, getter, js_name = friendlyName)]
    fn friendly_name(this: &NewGroupArguments) -> String;
    #[wasm_bindgen(method, getter)]
    fn comment(this: &NewGroupArguments) -> String;
    #[wasm_bindgen(method, getter)]
    fn classifier(this: &NewGroupArguments) -> String;
    #[wasm_bindgen(method, getter, js_name = deferExpiration)]
    fn defer_expiration(this: &NewGroupArguments) -> bool;
    #[wasm_bindgen(method, getter, js_name = maxRecordSize)]
    fn max_record_size(this: &NewGroupArguments) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = memberDataOptional)]
    fn member_data_optional(this: &NewGroupArguments) -> bool;
    #[wasm_bindgen(method, getter, js_name = presenceDisabled)]
    fn presence_disabled(this: &NewGroupArguments) -> bool;
    #[wasm_bindgen(method, getter, js_name = memberDataLifetime)]
    fn member_data_lifetime(this: &NewGroupArguments) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = presenceLifetime)]
    fn presence_lifetime(this: &NewGroupArguments) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    fn password(this: &NewGroupArguments) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = passwordRole)]
    fn password_role(this: &NewGroupArguments) -> Option<String>;
}

impl NewGroupArguments {
    fn read(&self) -> Result<NewGroup, JsValue> {
        let role = self.password_role();
        // Beyond 32 bits is out of every range: the engine says so.
        let number = |value: Option<f64>| value.map(|value| value as u32);
        Ok(NewGroup {
            friendly_name: self.friendly_name(),
            comment: self.comment(),
            classifier: self.classifier(),
            defer_expiration: self.defer_expiration(),
            max_record_size: number(self.max_record_size()),
            member_data_optional: self.member_data_optional(),
            presence_disabled: self.presence_disabled(),
            member_data_lifetime: number(self.member_data_lifetime()),
            presence_lifetime: number(self.presence_lifetime()),
            password: read_password(self.password())?,
            password_role: role.and_then(|name| Role::named(&name)).unwrap_or_default(),
        })
    }
}

impl OpenArguments {
    pub(super) fn read_store(&self) -> Store {
        match (self.memory(), self.store()) {
            (true, _) => Store::Memory,
            (false, Some(name)) => Store::Named(name),
            (false, None) => Store::Default,
        }
    }

    pub(super) fn read_identity(&self) -> Result<Option<PeerId>, JsValue> {
        let identity = self.identity().map(|text| text.parse());
        identity.transpose().map_err(thrown)
    }

    pub(super) fn read(&self) -> Result<OpenOptions, JsValue> {
        let server = |server: &IceServerArguments| IceServer {
            urls: server.urls(),
            username: server.username(),
            credential: server.credential(),
        };
        Ok(OpenOptions {
            store: self.read_store(),
            identity: self.read_identity()?,
            rendezvous: self.rendezvous(),
            ice_servers: self.ice_servers().iter().map(server).collect(),
            relay_only: self.relay_only(),
            validates: self.validates(),
            sync_precedence: self.sync_precedence(),
        })
    }
}

/// The version of the package.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The version of the protocol between nodes.
#[wasm_bindgen]
#[must_use]
pub fn protocol() -> u32 {
    u32::from(LINK_VERSION)
}

thread_local! {
    /// Told when the engine panics; it only takes a note.
    static DIED: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// All groups and graphs of this page.
#[wasm_bindgen]
pub struct Engine {
    core: Rc<Core>,
}

#[wasm_bindgen]
impl Engine {
    /// An engine. `wake` must only queue a microtask, which calls `pump` and then `poll` until there
    /// is nothing more; `died` is told once, with words, when the engine has a fault.
    #[wasm_bindgen(constructor)]
    pub fn new(wake: Function, died: Function) -> Result<Engine, JsValue> {
        report_panics(died);
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| {
            let words = "this browser gives no random numbers";
            thrown(Error::new(Code::UnsupportedPlatform).detail(words))
        })?;
        Ok(Self {
            core: Core::new(seed, wake),
        })
    }

    /// Takes in what happened and does what is to be done.
    pub fn pump(&self) {
        self.core.pump();
    }

    /// The next event.
    #[wasm_bindgen(unchecked_return_type = "EngineEvent | undefined")]
    pub fn poll(&self) -> JsValue {
        let news = self.core.next_news();
        news.and_then(|news| news.plain())
            .unwrap_or(JsValue::UNDEFINED)
    }

    /// Makes a group.
    #[wasm_bindgen(js_name = createGroup)]
    pub fn create_group(
        &self,
        options: &OpenArguments,
        group: &NewGroupArguments,
    ) -> Result<f64, JsValue> {
        self.command(Command::CreateGroup {
            options: options.read()?,
            group: group.read()?,
        })
    }

    /// Opens a group.
    #[wasm_bindgen(js_name = openGroup)]
    pub fn open_group(&self, options: &OpenArguments, group: &str) -> Result<f64, JsValue> {
        self.command(Command::OpenGroup {
            options: options.read()?,
            group: group.parse().map_err(thrown)?,
        })
    }

    /// Takes an invitation.
    #[wasm_bindgen(js_name = joinGroup)]
    pub fn join_group(&self, options: &OpenArguments, invitation: String) -> Result<f64, JsValue> {
        self.command(Command::JoinGroup {
            options: options.read()?,
            invitation,
        })
    }

    /// Removes what is stored of a group.
    #[wasm_bindgen(js_name = deleteGroup)]
    pub fn delete_group(&self, options: &OpenArguments, group: &str) -> Result<f64, JsValue> {
        self.command(Command::DeleteGroup {
            store: options.read_store(),
            identity: options.read_identity()?,
            group: group.parse().map_err(thrown)?,
        })
    }

    /// Makes a graph.
    #[wasm_bindgen(js_name = createGraph)]
    pub fn create_graph(&self, options: &OpenArguments, graph: String) -> Result<f64, JsValue> {
        self.command(Command::CreateGraph {
            options: options.read()?,
            graph,
        })
    }

    /// Opens a graph.
    #[wasm_bindgen(js_name = openGraph)]
    pub fn open_graph(&self, options: &OpenArguments, graph: String) -> Result<f64, JsValue> {
        self.command(Command::OpenGraph {
            options: options.read()?,
            graph,
        })
    }

    /// Goes online.
    pub fn connect(
        &self,
        handle: f64,
        timeout_ms: f64,
        addresses: Vec<String>,
    ) -> Result<f64, JsValue> {
        let addresses = addresses.iter().map(|text| address(text));
        self.command(Command::Connect {
            handle: HandleId(handle as u64),
            timeout_ms: timeout_ms as u64,
            addresses: addresses.collect::<Result<_, _>>()?,
        })
    }

    /// Makes a graph reachable.
    pub fn listen(&self, handle: f64) -> Result<f64, JsValue> {
        let handle = HandleId(handle as u64);
        self.command(Command::Listen { handle })
    }

    /// Connects a graph to a node.
    #[wasm_bindgen(js_name = connectNode)]
    pub fn connect_node(
        &self,
        handle: f64,
        peer: Option<String>,
        to: &str,
        timeout_ms: f64,
    ) -> Result<f64, JsValue> {
        let peer = peer.map(|text| text.parse()).transpose();
        self.command(Command::ConnectNode {
            handle: HandleId(handle as u64),
            peer: peer.map_err(thrown)?,
            address: address(to)?,
            timeout_ms: timeout_ms as u64,
        })
    }

    /// Ends one handle.
    pub fn close(&self, handle: f64) -> Result<f64, JsValue> {
        let handle = HandleId(handle as u64);
        self.command(Command::Close { handle })
    }

    /// Opens a direct connection to a peer id, a node id or an address.
    #[wasm_bindgen(js_name = openDirect)]
    pub fn open_direct(
        &self,
        handle: f64,
        to: &str,
        label: String,
        timeout_ms: f64,
    ) -> Result<f64, JsValue> {
        self.command(Command::OpenDirect {
            handle: HandleId(handle as u64),
            to: target(to)?,
            label,
            timeout_ms: timeout_ms as u64,
        })
    }

    /// Closes a direct connection.
    #[wasm_bindgen(js_name = closeDirect)]
    pub fn close_direct(&self, handle: f64, connection: f64) -> Result<f64, JsValue> {
        self.command(Command::CloseDirect {
            handle: HandleId(handle as u64),
            connection: ConnectionId(connection as u64),
        })
    }

    /// Sends a message.
    pub fn send(
        &self,
        handle: f64,
        connection: f64,
        kind: String,
        data: Vec<u8>,
    ) -> Result<f64, JsValue> {
        self.command(Command::Send {
            handle: HandleId(handle as u64),
            connection: ConnectionId(connection as u64),
            kind,
            data,
        })
    }

    /// The app took the oldest messages of a connection.
    pub fn take(&self, handle: f64, connection: f64, messages: u32) -> Result<f64, JsValue> {
        self.command(Command::Take {
            handle: HandleId(handle as u64),
            connection: ConnectionId(connection as u64),
            messages,
        })
    }

    /// Makes an invitation. Times in wall seconds.
    #[wasm_bindgen(js_name = createInvitation)]
    pub fn create_invitation(
        &self,
        handle: f64,
        role: &str,
        to: Option<String>,
        max_uses: u32,
        usable_until: Option<f64>,
        expires: Option<f64>,
    ) -> Result<f64, JsValue> {
        self.command(Command::CreateInvitation {
            handle: HandleId(handle as u64),
            invitation: NewInvitation {
                role: Role::named(role).unwrap_or(Role::Member),
                to,
                max_uses,
                usable_until: usable_until.map(|seconds| seconds as u64),
                expires: expires.map(|seconds| seconds as u64),
            },
        })
    }

    /// Changes a group's properties.
    #[wasm_bindgen(js_name = setProperties)]
    pub fn set_properties(
        &self,
        handle: f64,
        friendly_name: Option<String>,
        comment: Option<String>,
        presence_lifetime: Option<f64>,
        password: Option<String>,
    ) -> Result<f64, JsValue> {
        self.command(Command::SetProperties {
            handle: HandleId(handle as u64),
            change: PropertiesChange {
                friendly_name,
                comment,
                presence_lifetime: presence_lifetime.map(|seconds| seconds as u32),
                password: read_password(password)?,
            },
        })
    }

    /// Gives a request up.
    pub fn abort(&self, request: f64) -> Result<f64, JsValue> {
        let request = RequestId(request as u64);
        self.command(Command::Abort { request })
    }

    /// Closes every handle.
    pub fn shutdown(&self) -> Result<f64, JsValue> {
        self.command(Command::Shutdown)
    }

    /// Answers a question.
    pub fn answer(
        &self,
        ask: f64,
        #[wasm_bindgen(unchecked_param_type = "'accept' | 'reject' | 'defer'")] verdict: &str,
    ) {
        let ask = AskId(ask as u64);
        let verdict = match verdict {
            "accept" => Verdict::Accept,
            "defer" => Verdict::Defer,
            _ => Verdict::Reject,
        };
        self.core.push(Input::Answered { ask, verdict });
    }

    /// The connection that a request is opening.
    #[wasm_bindgen(js_name = connectionOf)]
    pub fn connection_of(&self, request: f64) -> Option<f64> {
        let request = RequestId(request as u64);
        let connection = self.core.look(|engine| engine.connection_of(request));
        connection.map(|id| id.0 as f64)
    }

    /// A handle's status.
    #[wasm_bindgen(unchecked_return_type = "NodeStatus")]
    pub fn status(&self, handle: f64) -> Result<JsValue, JsValue> {
        let status = self
            .core
            .look(|engine| engine.status(HandleId(handle as u64)));
        let status = NodeStatus::from(status.map_err(thrown)?);
        Ok(status.plain().unwrap_or(JsValue::UNDEFINED))
    }

    /// Where a handle's node is reached.
    #[wasm_bindgen(unchecked_return_type = "NodeAddress | undefined")]
    pub fn address(&self, handle: f64) -> Result<Option<String>, JsValue> {
        let address = self
            .core
            .look(|engine| engine.address(HandleId(handle as u64)));
        Ok(address.map_err(thrown)?.as_ref().map(text::node_address))
    }

    /// What a handle's group is like.
    #[wasm_bindgen(unchecked_return_type = "GroupProperties")]
    pub fn properties(&self, handle: f64) -> Result<JsValue, JsValue> {
        let handle = HandleId(handle as u64);
        let found = self
            .core
            .look(|engine| engine.properties(handle).map(GroupProperties::from));
        let found = found.map_err(thrown)?;
        Ok(found.plain().unwrap_or(JsValue::UNDEFINED))
    }

    /// Milliseconds by which peer time is ahead of this machine's clock.
    #[wasm_bindgen(js_name = peerTimeOffset)]
    pub fn peer_time_offset(&self, handle: f64) -> Result<f64, JsValue> {
        let offset = self
            .core
            .look(|engine| engine.peer_time_offset(HandleId(handle as u64)));
        Ok(offset.map_err(thrown)? as f64)
    }

    /// A handle's connections, of one kind or of both.
    #[wasm_bindgen(unchecked_return_type = "ConnectionInfo[]")]
    pub fn connections(
        &self,
        handle: f64,
        #[wasm_bindgen(unchecked_param_type = "ConnectionKind | undefined")] kind: Option<String>,
    ) -> Result<JsValue, JsValue> {
        let kind = match kind.as_deref() {
            Some("neighbor") => Some(ConnectionKind::Neighbor),
            Some("direct") => Some(ConnectionKind::Direct),
            _ => None,
        };
        let found = self
            .core
            .look(|engine| engine.connections(HandleId(handle as u64), kind));
        let found = found.map_err(thrown)?;
        let found: Vec<ConnectionInfo> = found.into_iter().map(Into::into).collect();
        Ok(found.plain().unwrap_or(JsValue::UNDEFINED))
    }
}

impl Engine {
    pub(super) fn look<T>(&self, look: impl FnOnce(&crate::engine::Engine) -> T) -> T {
        self.core.look(look)
    }

    pub(super) fn push(&self, input: Input) {
        self.core.push(input);
    }

    pub(super) fn command(&self, command: Command) -> Result<f64, JsValue> {
        let answer = self
            .core
            .with_engine(|engine| engine.command(now(), command));
        answer.map(|request| request.0 as f64).map_err(thrown)
    }
}

fn read_password(text: Option<String>) -> Result<Option<Password>, JsValue> {
    text.map(Password::new).transpose().map_err(thrown)
}

fn address(text: &str) -> Result<NodeAddress, JsValue> {
    text::parse_node_address(text).map_err(thrown)
}

/// The three kinds of target are told apart by their spelling.
fn target(text: &str) -> Result<Target, JsValue> {
    if let Ok(peer) = text.parse() {
        return Ok(Target::Peer(peer));
    }
    if let Ok(node) = text.parse() {
        return Ok(Target::Node(node));
    }
    text::parse_node_address(text)
        .map(Target::Address)
        .map_err(|error| {
            let words = "a peer id, a node id or a node address is needed";
            let detail = if text.starts_with("pg-") {
                error.detail
            } else {
                words.to_owned()
            };
            thrown(Error::new(Code::InvalidArgument).detail(detail))
        })
}

/// Panics go to the console, for us, and to the wrapper, which tells the app.
fn report_panics(died: Function) {
    DIED.with(|slot| slot.replace(Some(died)));
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let died = DIED.with(|slot| slot.take());
        if let Some(died) = died {
            let _ = died.call1(&JsValue::UNDEFINED, &info.to_string().into());
        }
    }));
}

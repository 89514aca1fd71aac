//! What crosses to the wrapper: the plain objects, their TypeScript types, and what fills them.

use js_sys::{Date, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use self::record::{
    PeerRecord, RecordEvent, StorageFailedEvent, TypeSynchronizedEvent, ValidateEvent,
};
use super::failure::Failure;
use super::identity::{GroupInfo, IdentityInfo, ImportedGroup};
use super::member::MemberEvent;
use super::plain::{Plain, plain};
use crate::engine::effect::Question;
use crate::engine::event::{self, Answer, Event};
use crate::group::properties::Properties;
use crate::names::{AskId, ConnectionKind, GroupId, NodeIndex};
use crate::wire::text;

mod record;

#[wasm_bindgen(typescript_custom_section)]
const NAMES: &str = "
type Brand<T, B extends string> = T & { readonly __brand: B };
/** An identity: its public key in text form. */
export type PeerId = Brand<string, 'PeerId'>;
/** A group: its public key in text form. */
export type GroupId = Brand<string, 'GroupId'>;
/** One open session of an identity (a tab set, a process). New at every open. 16 hex digits. */
export type NodeId = Brand<string, 'NodeId'>;
/** Where a node can be reached: rendezvous servers, mailbox and sealing key in one string. */
export type NodeAddress = Brand<string, 'NodeAddress'>;
/** Local to this node; never reused while the handle lives. */
export type ConnectionId = Brand<number, 'ConnectionId'>;
export type Role = 'admin' | 'inviting-member' | 'member';
export type ConnectionKind = 'neighbor' | 'direct';
/** Anything that happened, in order. */
export type EngineEvent = AnsweredEvent | StatusEvent | NeighborEvent | DirectEvent | DataEvent
  | PropertiesEvent | MemberEvent | RecordEvent | TypeSynchronizedEvent | StorageFailedEvent
  | FailedEvent | AuthenticationFailedEvent | ClosedEvent | AskEvent
  | ValidateEvent;
";

plain! {
    /// How far a group or graph is.
    NodeStatus {
        /// The stage.
        state: &'static str => "state" ":"
            "'disconnected' | 'connecting' | 'synchronizing' | 'listening' | 'online' | 'suspended' | 'closed'",
        /// Discoverable, accepts members, alone or not.
        listening: bool => "listening" ":" "boolean",
        /// At least one neighbor.
        has_connections: bool => "hasConnections" ":" "boolean",
        /// Synchronised at least once.
        synchronized: bool => "synchronized" ":" "boolean",
    }

    /// PEER_CONNECTION_INFO. A snapshot; it does not change.
    ConnectionInfo {
        /// Its id at this node.
        id: u64 => "id" ":" "ConnectionId",
        /// Kept up by the engine, or opened by an app.
        kind: &'static str => "kind" ":" "ConnectionKind",
        /// The identity at the other end.
        peer: String => "peerId" ":" "PeerId",
        /// The node at the other end.
        node: String => "nodeId" ":" "NodeId",
        /// Where that node is reached.
        address: String => "address" ":" "NodeAddress",
        /// How bytes travel now.
        path: &'static str => "path" ":" "'direct' | 'turn' | 'relay'",
        /// The last measured round trip.
        rtt_ms: Option<u64> => "rttMs" "?:" "number",
        /// Since when.
        opened_at: JsValue => "openedAt" ":" "Date",
        /// App bytes that left.
        bytes_sent: u64 => "bytesSent" ":" "number",
        /// App bytes that came.
        bytes_received: u64 => "bytesReceived" ":" "number",
    }

    /// A group or graph that was created, opened or joined.
    Opened {
        /// The handle on it.
        handle: u64 => "handle" ":" "number",
        /// The node behind it.
        node: u64 => "node" ":" "number",
        /// The group.
        group: String => "groupId" ":" "GroupId",
        /// The identity.
        peer: String => "peerId" ":" "PeerId",
        /// This node.
        node_id: String => "nodeId" ":" "NodeId",
    }

    /// A request is answered: with a value or with a failure.
    AnsweredEvent = "answered" {
        /// Which.
        request: u64 => "request" ":" "number",
        /// The answer.
        value: Option<JsValue> => "value" "?:"
            "Opened | NodeStatus | ConnectionInfo | PeerRecord | PeerRecord[] | IdentityInfo | IdentityInfo[] | GroupInfo[] | ImportedGroup | Uint8Array<ArrayBuffer> | string",
        /// Why there is none.
        failure: Option<Failure> => "failure" "?:" "Failure",
    }

    /// A node's status is another.
    StatusEvent = "status-changed" {
        /// Which node.
        node: u64 => "node" ":" "number",
        /// Its status now.
        status: NodeStatus => "status" ":" "NodeStatus",
    }

    /// PEER_GROUP_PROPERTIES. A snapshot; it does not change.
    GroupProperties {
        /// What people call it: 1 to 255 characters.
        friendly_name: String => "friendlyName" ":" "string",
        /// More about it: at most 512 characters.
        comment: String => "comment" ":" "string",
        /// A short readable kind: at most 149 characters. Never changes.
        classifier: String => "classifier" ":" "string",
        /// Names it. Never changes.
        group: String => "groupId" ":" "GroupId",
        /// Who made it, and alone may change it. Never changes.
        creator: String => "creator" ":" "PeerId",
        /// Members publish who they are only once they do something. Never changes.
        member_data_optional: bool => "memberDataOptional" ":" "boolean",
        /// Nobody publishes its presence unless its app asks for it. Never changes.
        presence_disabled: bool => "presenceDisabled" ":" "boolean",
        /// While a member is not connected, nothing ends at it. Never changes.
        defer_expiration: bool => "deferExpiration" ":" "boolean",
        /// Seconds that what a member publishes of itself lives. Never changes.
        member_data_lifetime: u32 => "memberDataLifetime" ":" "number",
        /// Seconds that a presence lives.
        presence_lifetime: u32 => "presenceLifetime" ":" "number",
        /// Bytes of data and attributes that a record may have. Never changes.
        max_record_size: u32 => "maxRecordSize" ":" "number",
        /// What the password makes of whoever knows it; present when the group admits by password.
        password_role: Option<&'static str> => "passwordRole" "?:" "Role",
    }

    /// A group's properties are others, or are known for the first time.
    PropertiesEvent = "properties-changed" {
        /// Of which node.
        node: u64 => "node" ":" "number",
    }

    /// What happened to a connection.
    Change {
        /// It opened, ended, or did not come up.
        status: &'static str => "status" ":" "'connected' | 'disconnected' | 'failed'",
        /// Which.
        connection: u64 => "connectionId" ":" "ConnectionId",
        /// The node at the other end, where known.
        node_id: Option<String> => "nodeId" "?:" "NodeId",
        /// The identity at the other end, where known.
        peer: Option<String> => "peerId" "?:" "PeerId",
        /// The attempt that follows a failed one.
        next: Option<u64> => "nextConnectionId" "?:" "ConnectionId",
        /// Why.
        reason: Option<Failure> => "reason" "?:" "Failure",
        /// The other side opened it.
        incoming: bool => "incoming" ":" "boolean",
        /// What a direct connection is for.
        label: String => "label" ":" "string",
    }

    /// A neighbor came, went or could not be reached.
    NeighborEvent = "neighbor-connection" {
        /// Of which node.
        node: u64 => "node" ":" "number",
        /// What happened.
        change: Change => "change" ":" "Change",
    }

    /// A direct connection opened, closed or did not come up.
    DirectEvent = "direct-connection" {
        /// Of which node.
        node: u64 => "node" ":" "number",
        /// What happened.
        change: Change => "change" ":" "Change",
    }

    /// A message came.
    DataEvent = "incoming-data" {
        /// To which node.
        node: u64 => "node" ":" "number",
        /// Over which connection.
        connection: u64 => "connectionId" ":" "ConnectionId",
        /// From whom.
        from: String => "from" ":" "PeerId",
        /// Its type.
        kind: String => "kind" ":" "string",
        /// The message.
        data: Uint8Array => "data" ":" "Uint8Array<ArrayBuffer>",
    }

    /// Going online failed.
    FailedEvent = "failed" {
        /// Which node.
        node: u64 => "node" ":" "number",
        /// Why.
        failure: Failure => "failure" ":" "Failure",
    }

    /// A member said that the password is wrong.
    AuthenticationFailedEvent = "authentication-failed" {
        /// At which node.
        node: u64 => "node" ":" "number",
        /// Why.
        failure: Failure => "failure" ":" "Failure",
    }

    /// A handle is closed.
    ClosedEvent = "closed" {
        /// Which.
        handle: u64 => "handle" ":" "number",
        /// Why, if the app did not ask for it.
        failure: Option<Failure> => "failure" "?:" "Failure",
    }

    /// May this member open a direct connection? To be answered with `answer`.
    AskEvent = "ask" {
        /// Which question.
        ask: u64 => "ask" ":" "number",
        /// Of which node.
        node: u64 => "node" ":" "number",
        /// Who asks.
        peer: String => "peerId" ":" "PeerId",
        /// From which node.
        node_id: String => "nodeId" ":" "NodeId",
    }
}

pub(super) fn date(milliseconds: f64) -> JsValue {
    Date::new(&milliseconds.into()).into()
}

impl From<event::Status> for NodeStatus {
    fn from(status: event::Status) -> Self {
        Self {
            state: status.state.as_str(),
            listening: status.listening,
            has_connections: status.has_connections,
            synchronized: status.synchronized,
        }
    }
}

impl From<(GroupId, &Properties)> for GroupProperties {
    fn from((group, of): (GroupId, &Properties)) -> Self {
        Self {
            friendly_name: of.friendly_name.to_string(),
            comment: of.comment.to_string(),
            classifier: of.classifier.to_string(),
            group: group.to_string(),
            creator: of.creator.to_string(),
            member_data_optional: of.member_data_optional,
            presence_disabled: of.presence_disabled,
            defer_expiration: of.defer_expiration,
            member_data_lifetime: of.member_data_lifetime,
            presence_lifetime: of.presence_lifetime,
            max_record_size: of.max_record_size,
            password_role: of.password.as_ref().map(|rule| rule.role.as_str()),
        }
    }
}

impl From<event::ConnectionInfo> for ConnectionInfo {
    fn from(info: event::ConnectionInfo) -> Self {
        Self {
            id: info.id.0,
            kind: match info.kind {
                ConnectionKind::Neighbor => "neighbor",
                ConnectionKind::Direct => "direct",
            },
            peer: info.peer.to_string(),
            node: info.node_id.to_string(),
            address: text::node_address(&info.address),
            path: info.path.as_str(),
            rtt_ms: info.rtt_ms,
            opened_at: date(info.opened_at as f64),
            bytes_sent: info.bytes_sent,
            bytes_received: info.bytes_received,
        }
    }
}

impl From<event::Opened> for Opened {
    fn from(opened: event::Opened) -> Self {
        Self {
            handle: opened.handle.0,
            node: opened.node.0,
            group: opened.group.to_string(),
            peer: opened.peer.to_string(),
            node_id: opened.node_id.to_string(),
        }
    }
}

impl From<event::ConnectionChange> for Change {
    fn from(change: event::ConnectionChange) -> Self {
        Self {
            status: match change.status {
                event::ConnectionStatus::Connected => "connected",
                event::ConnectionStatus::Disconnected => "disconnected",
                event::ConnectionStatus::Failed => "failed",
            },
            connection: change.connection.0,
            node_id: change.node_id.map(|id| id.to_string()),
            peer: change.peer.map(|id| id.to_string()),
            next: change.next.map(|id| id.0),
            reason: change.reason.map(Into::into),
            incoming: change.incoming,
            label: change.label,
        }
    }
}

fn answered(answer: Answer) -> Option<JsValue> {
    match answer {
        Answer::Opened(opened) => Opened::from(*opened).plain(),
        Answer::Status(status) => NodeStatus::from(status).plain(),
        Answer::Connected(info) => ConnectionInfo::from(*info).plain(),
        Answer::Listening(address) => text::node_address(&address).plain(),
        Answer::Invitation(text) | Answer::Exported(text) => text.plain(),
        Answer::Groups(all) => {
            let all: Vec<GroupInfo> = all.into_iter().map(Into::into).collect();
            all.plain()
        }
        Answer::Imported(group, peer) => ImportedGroup {
            group: group.to_string(),
            peer: peer.to_string(),
        }
        .plain(),
        Answer::Identity(info) => IdentityInfo::from(*info).plain(),
        Answer::Identities(all) => {
            let all: Vec<IdentityInfo> = all.into_iter().map(Into::into).collect();
            all.plain()
        }
        Answer::RecordAdded(id) => id.to_string().plain(),
        Answer::Record(info) => PeerRecord::from(*info).plain(),
        Answer::Records(found) => {
            let found: Vec<PeerRecord> = found.into_iter().map(Into::into).collect();
            found.plain()
        }
        Answer::Database(bytes) => Uint8Array::from(bytes.as_slice()).plain(),
        Answer::Done => None,
    }
}

/// What the wrapper fetches, in order: events, and questions to the app.
pub(super) enum News {
    /// Of the engine.
    Event(Event),
    /// A question to the app.
    Ask {
        ask: AskId,
        node: NodeIndex,
        question: Question,
    },
}

impl Plain for News {
    fn plain(self) -> Option<JsValue> {
        match self {
            Self::Event(event) => plain_event(event),
            Self::Ask {
                ask: AskId(ask),
                node: NodeIndex(node),
                question: Question::AcceptDirect { peer, node_id },
            } => AskEvent {
                ask,
                node,
                peer: peer.to_string(),
                node_id: node_id.to_string(),
            }
            .plain(),
            Self::Ask {
                ask: AskId(ask),
                node: NodeIndex(node),
                question: Question::ValidateRecord { record, change },
            } => ValidateEvent {
                ask,
                node,
                record: (*record).into(),
                change: record::asked(change),
            }
            .plain(),
        }
    }
}

fn plain_event(event: Event) -> Option<JsValue> {
    match event {
        Event::Answered { request, result } => {
            let (value, failure) = match result {
                Ok(answer) => (answered(answer), None),
                Err(error) => (None, Some(error.into())),
            };
            let request = request.0;
            AnsweredEvent {
                request,
                value,
                failure,
            }
            .plain()
        }
        Event::StatusChanged { node, status } => StatusEvent {
            node: node.0,
            status: status.into(),
        }
        .plain(),
        Event::PropertiesChanged { node } => PropertiesEvent { node: node.0 }.plain(),
        Event::NeighborConnection { node, change } => NeighborEvent {
            node: node.0,
            change: (*change).into(),
        }
        .plain(),
        Event::DirectConnection { node, change } => DirectEvent {
            node: node.0,
            change: (*change).into(),
        }
        .plain(),
        Event::IncomingData {
            node,
            connection,
            from,
            kind,
            data,
        } => DataEvent {
            node: node.0,
            connection: connection.0,
            from: from.to_string(),
            kind,
            data: Uint8Array::from(data.as_slice()),
        }
        .plain(),
        Event::RecordChanged {
            node,
            change,
            id,
            kind,
        } => RecordEvent {
            node: node.0,
            change: change.as_str(),
            id: id.to_string(),
            kind,
        }
        .plain(),
        Event::MemberChanged { node, change, peer } => MemberEvent {
            node: node.0,
            change: change.as_str(),
            peer: peer.to_string(),
        }
        .plain(),
        Event::TypeSynchronized { node, kind } => {
            let node = node.0;
            TypeSynchronizedEvent { node, kind }.plain()
        }
        Event::StorageFailed { node, error } => StorageFailedEvent {
            node: node.0,
            failure: error.into(),
        }
        .plain(),
        Event::ConnectionFailed { node, error } => FailedEvent {
            node: node.0,
            failure: error.into(),
        }
        .plain(),
        Event::AuthenticationFailed { node, error } => AuthenticationFailedEvent {
            node: node.0,
            failure: error.into(),
        }
        .plain(),
        Event::Closed { handle, reason } => ClosedEvent {
            handle: handle.0,
            failure: reason.map(Into::into),
        }
        .plain(),
    }
}

//! Members as they cross to the wrapper, and what it calls for them.
#![allow(
    unreachable_pub,
    reason = "exports are public to JavaScript, wherever they stand"
)]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::export::Engine;
use super::failure::thrown;
use super::plain::{Plain as _, plain};
use super::preview::LAST_DATE_MS;
use super::shapes::date;
use crate::engine::command::{Command, PresenceChange};
use crate::engine::event;
use crate::engine::input::Input;
use crate::names::{GroupId, HandleId};
use crate::wire::text;

plain! {
    /// A node by which a member is present.
    MemberNode {
        /// Names it.
        node_id: String => "nodeId" ":" "NodeId",
        /// Where it is reached.
        address: String => "address" ":" "NodeAddress",
        /// Nobody looks at it now.
        away: bool => "away" ":" "boolean",
        /// What its app says of it.
        attributes: String => "attributes" ":" "string",
    }

    /// What makes somebody a member. PEER_CREDENTIAL_INFO.
    CredentialInfo {
        /// Whom.
        subject: String => "subject" ":" "PeerId",
        /// Who gave it: a member, or the group's own key.
        issuer: String => "issuer" ":" "PeerId | GroupId",
        /// It was the group's own key.
        issued_by_group: bool => "issuedByGroup" ":" "boolean",
        /// What it allows.
        roles: Vec<&'static str> => "roles" ":" "readonly Role[]",
        /// From when on it is valid.
        not_before: JsValue => "notBefore" ":" "Date",
        /// When it ends; one without an end has the last date there is.
        not_after: JsValue => "notAfter" ":" "Date",
    }

    /// PEER_MEMBER. A snapshot; it does not change.
    Member {
        /// Names it.
        peer: String => "peerId" ":" "PeerId",
        /// What people call it; may be empty.
        name: String => "name" ":" "string",
        /// What it may do.
        roles: Vec<&'static str> => "roles" ":" "readonly Role[]",
        /// One of its nodes is on the network, and shows it.
        present: bool => "present" ":" "boolean",
        /// Those nodes: first those that somebody looks at, of these the newest.
        nodes: Vec<MemberNode> => "nodes" ":" "readonly MemberNode[]",
        /// What makes it a member.
        credential: CredentialInfo => "credential" ":" "CredentialInfo",
    }

    /// Somebody is a member, or present, or is not any more, or shows something else of itself.
    MemberEvent = "member-changed" {
        /// In the group of which node.
        node: u64 => "node" ":" "number",
        /// What happened.
        change: &'static str => "change" ":"
            "'connected' | 'disconnected' | 'updated' | 'joined' | 'left' | 'revoked'",
        /// To whom.
        peer: String => "peerId" ":" "PeerId",
    }
}

impl From<event::MemberInfo> for Member {
    fn from(info: event::MemberInfo) -> Self {
        let node = |node: event::MemberNode| MemberNode {
            node_id: node.node_id.to_string(),
            address: text::node_address(&node.address),
            away: node.away,
            attributes: node.attributes,
        };
        let credential = info.credential;
        let until = credential.until.map(|end| end.saturating_mul(1000));
        Self {
            peer: info.peer.to_string(),
            name: info.name,
            roles: vec![info.role.as_str()],
            present: !info.nodes.is_empty(),
            nodes: info.nodes.into_iter().map(node).collect(),
            credential: CredentialInfo {
                subject: info.peer.to_string(),
                // Both kinds of names are written the same.
                issuer: GroupId(credential.issuer).to_string(),
                issued_by_group: credential.issued_by_group,
                roles: vec![info.role.as_str()],
                not_before: date(credential.from.saturating_mul(1000) as f64),
                not_after: date(until.unwrap_or(LAST_DATE_MS).min(LAST_DATE_MS) as f64),
            },
        }
    }
}

#[wasm_bindgen]
impl Engine {
    /// The members of a handle's group, its own first.
    #[wasm_bindgen(unchecked_return_type = "Member[]")]
    pub fn members(
        &self,
        handle: f64,
        present: Option<bool>,
        peer: Option<String>,
    ) -> Result<JsValue, JsValue> {
        let peer = peer.map(|text| text.parse()).transpose().map_err(thrown)?;
        let handle = HandleId(handle as u64);
        let found = self.look(|engine| engine.members(handle, present, peer));
        let found: Vec<Member> = found.map_err(thrown)?.into_iter().map(Into::into).collect();
        Ok(found.plain().unwrap_or(JsValue::UNDEFINED))
    }

    /// Says what a handle's node shows of itself. What is undefined stays.
    #[wasm_bindgen(js_name = setPresence)]
    pub fn set_presence(
        &self,
        handle: f64,
        present: Option<bool>,
        attributes: Option<String>,
    ) -> Result<f64, JsValue> {
        self.command(Command::SetPresence {
            handle: HandleId(handle as u64),
            change: PresenceChange {
                present,
                attributes,
            },
        })
    }

    /// Somebody looks at this page, or does not any more.
    pub fn seen(&self, visible: bool) {
        self.push(Input::Seen { visible });
    }
}

//! What an invitation says of itself, for whoever holds its text.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::failure::thrown;
use super::plain::{Plain as _, plain};
use super::shapes::date;
use crate::crypto::REAL;
use crate::group::invitation::{self, Preview};

plain! {
    /// What an invitation says of itself. Signed by its issuer, not yet checked with the group.
    InvitationInfo {
        /// How it lets in.
        kind: &'static str => "kind" ":" "'bound' | 'bearer' | 'password'",
        /// Into which group.
        group: String => "groupId" ":" "GroupId",
        /// What people call the group.
        friendly_name: String => "friendlyName" ":" "string",
        /// Who made it.
        issuer: String => "issuer" ":" "PeerId",
        /// What its issuer is called.
        issuer_name: String => "issuerName" ":" "string",
        /// For whom, when it is bound.
        subject: Option<String> => "subject" "?:" "PeerId",
        /// What the newcomer may do.
        roles: Vec<&'static str> => "roles" ":" "readonly Role[]",
        /// From when on it is valid.
        not_before: JsValue => "notBefore" ":" "Date",
        /// When the membership ends; one without an end has the last date there is.
        not_after: JsValue => "notAfter" ":" "Date",
        /// The rendezvous servers that it names.
        rendezvous: Vec<String> => "rendezvous" ":" "readonly string[]",
    }
}

/// The last moment that a JavaScript Date can hold.
pub(super) const LAST_DATE_MS: u64 = 8_640_000_000_000_000;

impl From<Preview> for InvitationInfo {
    fn from(preview: Preview) -> Self {
        Self {
            kind: preview.kind,
            group: preview.group.to_string(),
            friendly_name: preview.friendly_name,
            issuer: preview.issuer.to_string(),
            issuer_name: preview.issuer_name,
            subject: preview.subject.map(|peer| peer.to_string()),
            roles: preview.roles.iter().map(|role| role.as_str()).collect(),
            not_before: date(preview.not_before.saturating_mul(1000) as f64),
            not_after: date(
                preview
                    .not_after
                    .map_or(LAST_DATE_MS, |end| end.saturating_mul(1000)) as f64,
            ),
            rendezvous: preview.rendezvous,
        }
    }
}

/// Reads an invitation. No group and no network is needed.
#[wasm_bindgen(js_name = parseInvitation, unchecked_return_type = "InvitationInfo")]
#[allow(unreachable_pub, reason = "public to JavaScript")]
pub fn parse_invitation(text: &str) -> Result<JsValue, JsValue> {
    let preview = invitation::preview(&REAL, text).map_err(thrown)?;
    Ok(InvitationInfo::from(preview)
        .plain()
        .unwrap_or(JsValue::UNDEFINED))
}

//! An engine error as the wrapper gets it: fields, from which it makes a PeerError.

use wasm_bindgen::JsValue;

use super::plain::{Plain, plain};
use crate::error::{Error, Evidence};

plain! {
    /// For connection failures: enough to say what to change.
    ConnectionEvidence {
        /// How far the connection came.
        stage: &'static str => "stage" ":"
            "'rendezvous' | 'discovery' | 'handshake' | 'ice' | 'dtls' | 'channel' | 'synchronization'",
        /// The kinds of candidates this side had found.
        candidates: Option<Vec<&'static str>> => "candidates" "?:"
            "readonly ('host' | 'srflx' | 'prflx' | 'relay')[]",
        /// Whether a TURN server was there to be used.
        turn_tried: Option<bool> => "turnTried" "?:" "boolean",
        /// Whether the rendezvous server was asked to carry it.
        relay_tried: Option<bool> => "relayTried" "?:" "boolean",
        /// This clock minus the rendezvous server's.
        clock_offset_ms: Option<f64> => "clockOffsetMs" "?:" "number",
    }

    /// A failed call.
    Failure {
        /// The reason, a row of the error table.
        code: &'static str => "code" ":" "string",
        /// What in particular.
        detail: String => "detail" ":" "string",
        /// Milliseconds after which to try again.
        retry_after: Option<u32> => "retryAfter" "?:" "number",
        /// What is known of a failed connection.
        evidence: Option<ConnectionEvidence> => "evidence" "?:" "ConnectionEvidence",
    }
}

impl From<Evidence> for ConnectionEvidence {
    fn from(evidence: Evidence) -> Self {
        let kinds = evidence.candidates.iter().map(|kind| kind.as_str());
        let kinds: Vec<&'static str> = kinds.collect();
        Self {
            stage: evidence.stage.as_str(),
            candidates: (!kinds.is_empty()).then_some(kinds),
            turn_tried: evidence.turn_tried,
            relay_tried: evidence.relay_tried,
            clock_offset_ms: evidence.clock_offset_ms.map(|offset| offset as f64),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code.as_str(),
            detail: error.detail,
            retry_after: error.retry_after,
            evidence: error.evidence.map(|evidence| (*evidence).into()),
        }
    }
}

/// What an export throws.
pub(super) fn thrown(error: Error) -> JsValue {
    Failure::from(error).plain().unwrap_or(JsValue::UNDEFINED)
}

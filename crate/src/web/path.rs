//! Which way a link's bytes go, from the statistics of its peer connection.

use js_sys::{Map, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::RtcPeerConnection;

/// Whether the selected pair runs over a TURN server; None while no pair is known.
pub(super) async fn is_relayed(connection: &RtcPeerConnection) -> Option<bool> {
    let report = JsFuture::from(connection.get_stats()).await.ok()?;
    let report: Map = report.unchecked_into();
    let pair = selected_pair(&report)?;
    let ends = ["localCandidateId", "remoteCandidateId"];
    let is_relay = |end: &str| {
        let candidate = text(&pair, end).map(|id| report.get(&id.into()));
        candidate
            .and_then(|candidate| text(&candidate, "candidateType"))
            .as_deref()
            == Some("relay")
    };
    Some(ends.into_iter().any(is_relay))
}

/// The transport names its pair; where it does not (older Firefox), the pair says it itself.
fn selected_pair(report: &Map) -> Option<JsValue> {
    let (mut named, mut marked) = (None, None);
    report.for_each(&mut |entry, _| match text(&entry, "type").as_deref() {
        Some("transport") => named = text(&entry, "selectedCandidatePairId").or(named.take()),
        Some("candidate-pair") => {
            let is_selected = |key: &str| Reflect::get(&entry, &key.into()) == Ok(JsValue::TRUE);
            if is_selected("selected") || (marked.is_none() && is_selected("nominated")) {
                marked = Some(entry);
            }
        }
        _ => {}
    });
    let pair = named
        .map(|id| report.get(&id.into()))
        .filter(|pair| pair.is_object());
    pair.or(marked)
}

fn text(object: &JsValue, key: &str) -> Option<String> {
    Reflect::get(object, &key.into()).ok()?.as_string()
}

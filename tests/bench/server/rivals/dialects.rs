//! What clients of other signaling servers say to meet in a room of two and signal each other.

use std::pin::Pin;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::SIGNAL;
use crate::socket::Socket;

/// Another server and how one talks to it.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    /// What it did of the scenario.
    pub(crate) did: &'static str,
    /// In the folder of rivals.
    pub(crate) program: &'static str,
    pub(crate) arguments: fn(&str) -> Vec<String>,
    /// What a client of a room dials.
    pub(crate) path: fn(usize, usize) -> String,
    pub(crate) meet: for<'a> fn(&'a mut Socket, &'a mut Socket, usize) -> Meeting<'a>,
}

type Meeting<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

pub(crate) const PEERJS: Dialect = Dialect {
    name: "peerjs-server (npm peer 1.0.2)",
    did: "no rooms: each side must know the other's id beforehand; no proof of anything; JSON",
    program: "npm/node_modules/peer/dist/bin/peerjs.js",
    arguments: |port| vec![format!("--port={port}"), "--host=127.0.0.1".to_owned()],
    path: |_, number| format!("/peerjs?key=peerjs&id=c{number}&token=t{number}"),
    meet: |a, b, room| {
        Box::pin(async move {
            hear(a, |said| said["type"] == "OPEN").await;
            hear(b, |said| said["type"] == "OPEN").await;
            let names = [format!("c{}", 2 * room), format!("c{}", 2 * room + 1)];
            let offer =
                json!({"type": "OFFER", "src": names[1], "dst": names[0], "payload": blob()});
            say(b, &offer).await;
            hear(a, |said| said["type"] == "OFFER").await;
            let answer =
                json!({"type": "ANSWER", "src": names[0], "dst": names[1], "payload": blob()});
            say(a, &answer).await;
            hear(b, |said| said["type"] == "ANSWER").await;
        })
    },
};

pub(crate) const Y_WEBRTC: Dialect = Dialect {
    name: "y-webrtc 10.3.0 signaling",
    did: "a topic whose every message goes to all in it, the sender too; no proof; JSON",
    program: "npm/node_modules/y-webrtc/bin/server.js",
    arguments: |_| Vec::new(),
    path: |_, _| "/".to_owned(),
    meet: |a, b, room| {
        Box::pin(async move {
            let topic = format!("room {room}");
            for socket in [&mut *a, &mut *b] {
                say(socket, &json!({"type": "subscribe", "topics": [topic]})).await;
                // Subscribing is not answered; what is said later is.
                say(socket, &json!({"type": "ping"})).await;
                hear(socket, |said| said["type"] == "pong").await;
            }
            for _ in 0..2 {
                let publish = json!({"type": "publish", "topic": topic, "data": blob()});
                say(b, &publish).await;
                hear(a, |said| said["type"] == "publish").await;
                hear(b, |said| said["type"] == "publish").await;
                std::mem::swap(a, b);
            }
        })
    },
};

pub(crate) const TRACKER: Dialect = Dialect {
    name: "bittorrent-tracker 11.2.3",
    did: "announce with an offer that one other in the swarm gets; no proof; JSON",
    program: "npm/tracker.mjs",
    arguments: |_| Vec::new(),
    path: |_, _| "/".to_owned(),
    meet: |a, b, room| {
        Box::pin(async move {
            let names = [format!("{:020}", 2 * room), format!("{:020}", 2 * room + 1)];
            let announce = |who: &str, more: Value| {
                let mut all = json!({
                    "action": "announce", "info_hash": format!("room{room:016}"), "peer_id": who,
                    "uploaded": 0, "downloaded": 0, "left": 1,
                });
                all.as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
                all
            };
            let first = announce(
                &names[0],
                json!({"event": "started", "offers": [], "numwant": 0}),
            );
            say(a, &first).await;
            hear(a, |said| said["interval"].is_number()).await;
            let offer = json!({"type": "offer", "sdp": blob()});
            let offers = json!([{"offer": offer, "offer_id": format!("{room:020}")}]);
            let second = announce(
                &names[1],
                json!({"event": "started", "offers": offers, "numwant": 1}),
            );
            say(b, &second).await;
            hear(b, |said| said["interval"].is_number()).await;
            let offer = hear(a, |said| said["offer"].is_object()).await;
            let answer = json!({
                "to_peer_id": offer["peer_id"], "offer_id": offer["offer_id"],
                "answer": {"type": "answer", "sdp": blob()},
            });
            say(a, &announce(&names[0], answer)).await;
            hear(b, |said| said["answer"].is_object()).await;
        })
    },
};

pub(crate) const MATCHBOX: Dialect = Dialect {
    name: "matchbox_signaling 0.15.0 (matchbox_server)",
    did: "a room named in the path, whoever comes is told to all in it; no proof; JSON",
    program: "cargo/bin/matchbox_server",
    arguments: |port| vec![format!("127.0.0.1:{port}")],
    path: |room, _| format!("/room{room}"),
    meet: |a, b, _| {
        Box::pin(async move {
            hear(a, |said| said["IdAssigned"].is_string()).await;
            let name = hear(b, |said| said["IdAssigned"].is_string()).await;
            // Who came first is told of the other.
            hear(a, |said| said["NewPeer"] == name["IdAssigned"]).await;
            let signal = |to: &Value| json!({"Signal": {"receiver": to, "data": blob()}});
            say(a, &signal(&name["IdAssigned"])).await;
            let from = hear(b, |said| said["Signal"].is_object()).await;
            say(b, &signal(&from["Signal"]["sender"])).await;
            hear(a, |said| said["Signal"].is_object()).await;
        })
    },
};

fn blob() -> String {
    "7".repeat(SIGNAL)
}

async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await;
}

/// The next message that is as wished; others go by.
async fn hear(socket: &mut Socket, wished: impl Fn(&Value) -> bool) -> Value {
    loop {
        let data = socket.hear().await.into_data();
        let said: Value = serde_json::from_slice(&data).expect("JSON");
        if wished(&said) {
            return said;
        }
    }
}

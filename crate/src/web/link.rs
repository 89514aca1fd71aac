//! Peer connections: one per link, with two negotiated channels.

use crate::sorted::{Map, Set};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Promise};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Event, RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcDataChannelState,
    RtcDataChannelType, RtcIceCandidateInit, RtcIceConnectionState, RtcIceServer,
    RtcIceTransportPolicy, RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState,
    RtcSdpType, RtcSessionDescriptionInit,
};

use super::count::{Count, Counted};
use super::listener::Listener;
use super::path::is_relayed;
use super::promise::{Deferred, after};
use super::pump::Reporter;
use super::socket::message;
use crate::engine::command::IceServer;
use crate::engine::effect::Role;
use crate::engine::input::{Channel, Input};
use crate::error::{CandidateKind, Stage};
use crate::names::LinkId;

/// How long a closed link may take to send what it still holds.
const LAST_WORDS_MS: u32 = 500;

/// The links of one engine.
pub(super) struct Links {
    reporter: Reporter,
    open: RefCell<Map<LinkId, Link>>,
}

impl Links {
    pub(super) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            open: RefCell::default(),
        }
    }

    /// Makes a peer connection and describes it.
    pub(super) fn open(&self, id: LinkId, role: Role, servers: &[IceServer], relay_only: bool) {
        let news = Rc::new(News {
            id,
            reporter: self.reporter.clone(),
            progress: Progress::default(),
        });
        match Link::new(&news, servers, relay_only) {
            Ok(link) => {
                describe(news, link.connection.clone(), role);
                self.open.borrow_mut().insert(id, link);
            }
            Err(_) => news.failed(Stage::Ice),
        }
    }

    /// Sets the remote answer.
    pub(super) fn answer(&self, id: LinkId, remote: &str) {
        if let Some(link) = self.open.borrow().get(&id) {
            let remote = description(RtcSdpType::Answer, remote);
            let set = link.connection.set_remote_description(&remote);
            let news = link.news.clone();
            spawn_local(async move {
                if JsFuture::from(set).await.is_err() {
                    news.failed(Stage::Handshake);
                }
            });
        }
    }

    /// Adds a candidate of the other end; one that this browser cannot use is no failure.
    pub(super) fn add_candidate(&self, id: LinkId, candidate: &str) {
        if let Some(link) = self.open.borrow().get(&id) {
            let init = RtcIceCandidateInit::new(candidate);
            init.set_sdp_m_line_index(Some(0));
            let added = link
                .connection
                .add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
            spawn_local(async move {
                let _ = JsFuture::from(added).await;
            });
        }
    }

    /// Sends one message.
    pub(super) fn transmit(&self, id: LinkId, channel: Channel, bytes: &[u8]) {
        if let Some(link) = self.open.borrow().get(&id) {
            let to = match channel {
                Channel::Reliable => &link.reliable,
                Channel::Unreliable => &link.unreliable,
            };
            let refused = to.send_with_u8_array(bytes).is_err();
            // A closed channel says so by itself; one that is open and refuses has lost bytes.
            let is_open = to.ready_state() == RtcDataChannelState::Open;
            if refused && is_open && channel == Channel::Reliable {
                link.news.failed(Stage::Channel);
            }
        }
    }

    /// Lets what was sent before leave, and closes.
    pub(super) fn close(&self, id: LinkId) {
        let closed = self.open.borrow_mut().remove(&id);
        if let Some(mut link) = closed {
            link.listeners.clear();
            if link.reliable.ready_state() != RtcDataChannelState::Open {
                return;
            }
            // A channel that is closed still sends what it holds; its connection would not.
            let empty = Deferred::new();
            link.reliable.set_onclose(Some(&empty.resolve));
            link.reliable.close();
            let either = Array::of2(&empty.promise, &after(LAST_WORDS_MS));
            spawn_local(async move {
                let _ = JsFuture::from(Promise::race(&either)).await;
                link.reliable.set_onclose(None);
                drop(link);
            });
        }
    }
}

/// Dropped: listeners first, then channels and connection are closed.
struct Link {
    listeners: Vec<Listener>,
    reliable: RtcDataChannel,
    unreliable: RtcDataChannel,
    connection: RtcPeerConnection,
    news: Rc<News>,
    _counts: [Count; 3],
}

impl Link {
    fn new(news: &Rc<News>, servers: &[IceServer], relay_only: bool) -> Result<Self, JsValue> {
        let connection =
            RtcPeerConnection::new_with_configuration(&configured(servers, relay_only))?;
        let channel = |number: u16, init: RtcDataChannelInit| {
            init.set_negotiated(true);
            init.set_id(number);
            let label = number.to_string();
            let channel = connection.create_data_channel_with_data_channel_dict(&label, &init);
            channel.set_binary_type(RtcDataChannelType::Arraybuffer);
            channel
        };
        let reliable = channel(0, RtcDataChannelInit::new());
        let unordered = RtcDataChannelInit::new();
        unordered.set_ordered(false);
        unordered.set_max_retransmits(0);
        let unreliable = channel(1, unordered);
        let mut listeners = listen_to_connection(news, &connection);
        listeners.extend(listen_to_channel(news, &reliable, Channel::Reliable));
        listeners.extend(listen_to_channel(news, &unreliable, Channel::Unreliable));
        Ok(Self {
            listeners,
            reliable,
            unreliable,
            connection,
            news: news.clone(),
            _counts: [Counted::Connections, Counted::Channels, Counted::Channels].map(Count::new),
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listeners.clear();
        self.reliable.close();
        self.unreliable.close();
        self.connection.close();
    }
}

/// How far a link has come, as its events tell.
#[derive(Default)]
struct Progress {
    open_channels: Cell<u8>,
    is_lost: Cell<bool>,
    is_over: Cell<bool>,
    all_found: Cell<bool>,
    candidates: RefCell<Set<CandidateKind>>,
}

/// What is reported of one link.
struct News {
    id: LinkId,
    reporter: Reporter,
    progress: Progress,
}

impl News {
    fn report(&self, input: Input) {
        if !self.progress.is_over.get() {
            self.reporter.report(input);
        }
    }

    /// Once, and the last of this link.
    fn failed(&self, stage: Stage) {
        let candidates = self.progress.candidates.borrow().iter().copied().collect();
        self.report(Input::LinkFailed {
            link: self.id,
            stage,
            candidates,
        });
        self.progress.is_over.set(true);
    }

    fn closed(&self) {
        self.report(Input::LinkClosed { link: self.id });
        self.progress.is_over.set(true);
    }

    fn found(&self, candidate: String) {
        let is_end = candidate.is_empty();
        // Firefox ends the list with an empty candidate and then with none.
        if is_end && self.progress.all_found.replace(true) {
            return;
        }
        if let Some(kind) = kind_of(&candidate) {
            self.progress.candidates.borrow_mut().insert(kind);
        }
        self.report(Input::CandidateFound {
            link: self.id,
            candidate,
        });
    }

    fn channel_opened(&self) {
        let open = self.progress.open_channels.get() + 1;
        self.progress.open_channels.set(open);
        if open == 2 {
            self.report(Input::LinkOpened { link: self.id });
        }
    }

    fn state_changed(self: &Rc<Self>, connection: &RtcPeerConnection) {
        let link = self.id;
        match connection.connection_state() {
            RtcPeerConnectionState::Connected => {
                if self.progress.is_lost.replace(false) {
                    self.report(Input::LinkRecovered { link });
                }
                let (news, connection) = (self.clone(), connection.clone());
                spawn_local(async move {
                    if let Some(turn) = is_relayed(&connection).await {
                        news.report(Input::LinkPath { link, turn });
                    }
                });
            }
            RtcPeerConnectionState::Disconnected if !self.progress.is_lost.replace(true) => {
                self.report(Input::LinkLost { link });
            }
            RtcPeerConnectionState::Failed => self.failed(reached(connection)),
            _ => {}
        }
    }
}

/// Where a failed connection stood: ICE that is up means that DTLS failed.
fn reached(connection: &RtcPeerConnection) -> Stage {
    match connection.ice_connection_state() {
        RtcIceConnectionState::Connected | RtcIceConnectionState::Completed => Stage::Dtls,
        _ => Stage::Ice,
    }
}

fn listen_to_connection(news: &Rc<News>, connection: &RtcPeerConnection) -> Vec<Listener> {
    let found = {
        let news = news.clone();
        move |event: &Event| {
            if let Some(event) = event.dyn_ref::<RtcPeerConnectionIceEvent>() {
                let candidate = event.candidate().map(|candidate| candidate.candidate());
                news.found(candidate.unwrap_or_default());
            }
        }
    };
    let changed = {
        let (news, connection) = (news.clone(), connection.clone());
        move |_: &Event| news.state_changed(&connection)
    };
    vec![
        Listener::new(connection, "icecandidate", found),
        Listener::new(connection, "connectionstatechange", changed),
    ]
}

fn listen_to_channel(news: &Rc<News>, from: &RtcDataChannel, channel: Channel) -> Vec<Listener> {
    let opened = {
        let news = news.clone();
        move |_: &Event| news.channel_opened()
    };
    let received = {
        let news = news.clone();
        move |event: &Event| {
            if let Some(bytes) = message(event) {
                news.report(Input::FrameReceived {
                    link: news.id,
                    channel,
                    bytes,
                });
            }
        }
    };
    let closed = {
        let news = news.clone();
        move |_: &Event| news.closed()
    };
    vec![
        Listener::new(from, "open", opened),
        Listener::new(from, "message", received),
        Listener::new(from, "close", closed),
    ]
}

/// Describes a link. The remote offer is handed over at once, so that candidates which follow in
/// the same pump queue up behind it.
fn describe(news: Rc<News>, connection: RtcPeerConnection, role: Role) {
    let remote = match role {
        Role::Offer => None,
        Role::Answer { remote } => {
            let remote = description(RtcSdpType::Offer, &remote);
            Some(connection.set_remote_description(&remote))
        }
    };
    spawn_local(async move {
        let described = match remote {
            None => describe_as(&news, &connection, RtcSdpType::Offer).await,
            Some(set) => match JsFuture::from(set).await {
                Ok(_) => describe_as(&news, &connection, RtcSdpType::Answer).await,
                Err(error) => Err(error),
            },
        };
        if described.is_err() {
            news.failed(Stage::Handshake);
        }
    });
}

/// Reports the description as it was made: it holds no candidates, each of those follows by itself.
async fn describe_as(
    news: &News,
    connection: &RtcPeerConnection,
    kind: RtcSdpType,
) -> Result<(), JsValue> {
    let made = match kind {
        RtcSdpType::Offer => connection.create_offer(),
        _ => connection.create_answer(),
    };
    let made: RtcSessionDescriptionInit = JsFuture::from(made).await?.unchecked_into();
    let set = connection.set_local_description(&made);
    news.report(Input::LinkDescribed {
        link: news.id,
        sdp: made.get_sdp().unwrap_or_default(),
    });
    JsFuture::from(set).await?;
    Ok(())
}

fn description(kind: RtcSdpType, sdp: &str) -> RtcSessionDescriptionInit {
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(sdp);
    description
}

fn configured(servers: &[IceServer], relay_only: bool) -> RtcConfiguration {
    let list: Array = servers
        .iter()
        .map(|server| {
            let entry = RtcIceServer::new();
            let urls: Array = server.urls.iter().map(JsValue::from).collect();
            entry.set_urls(&urls);
            if !server.username.is_empty() {
                entry.set_username(&server.username);
                entry.set_credential(&server.credential);
            }
            entry
        })
        .collect();
    let configuration = RtcConfiguration::new();
    configuration.set_ice_servers(&list);
    if relay_only {
        configuration.set_ice_transport_policy(RtcIceTransportPolicy::Relay);
    }
    configuration
}

/// The kind that a candidate line names after `typ`.
fn kind_of(candidate: &str) -> Option<CandidateKind> {
    let mut words = candidate.split(' ').skip_while(|word| *word != "typ");
    match words.nth(1)? {
        "host" => Some(CandidateKind::Host),
        "srflx" => Some(CandidateKind::ServerReflexive),
        "prflx" => Some(CandidateKind::PeerReflexive),
        "relay" => Some(CandidateKind::Relay),
        _ => None,
    }
}

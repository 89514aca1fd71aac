//! The other machines of a cluster, over NATS: tags and topics are its subjects, and there is no
//! state of ours but who is connected where.
//!
//! A machine subscribes to each tag that is reached through it and each topic that somebody stands in
//! here. A signal is a request to its tag, a sample one to its topic. Nobody waits for machines that
//! do not answer, and while NATS cannot be reached each machine goes on alone.

mod open;
mod subjects;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, Message, StatusCode, Subscriber};
use futures_util::StreamExt as _;
use peer_group::names::{Tag, Topic};
use peer_group::wire::codec::Wire as _;
use peer_group::wire::rendezvous::RefusedReason;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::hall::Hall;
use super::metrics::{Tally, count};
use crate::rooms::{Far, Machine, Note, Search};
use crate::settings::ClusterUrls;
use crate::turn;
use open::Open;
use subjects::Subjects;

/// How often machines say that they are there, and after what silence one is not.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
const ALIVE_FOR: Duration = Duration::from_millis(3_500);
/// After what silence NATS is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(5);
/// What a step with NATS may take; beyond it, it is gone.
const WITHIN: Duration = Duration::from_secs(1);
/// Between two tries to reach NATS, at most.
const RETRY_MS: u64 = 2_000;
/// Messages that wait for one tag or topic: two windows of the smallest frames. More are lost, as a
/// signal may be, and as ends a pair.
const WAITING: usize = 2_048;
/// What waits to be told and asked elsewhere: some seconds of all that clients may ask for. What is
/// more is answered from here alone.
const FAR: usize = 65_536;
/// Packets of TURN that wait to be sent elsewhere; more are lost, as packets may be.
const PACKETS: usize = 1_024;
/// News of the connection to NATS.
const EVENTS: usize = 64;

/// A connection to the others that is being made.
pub(super) struct Cluster {
    hall: Arc<Hall>,
    client: Client,
    machine: Machine,
    subjects: Subjects,
    far: Receiver<Far>,
    /// TURN of this machine, and what goes from it to others.
    turn: Option<Arc<turn::Sockets>>,
    packets: Receiver<turn::Packet>,
    events: Receiver<Event>,
    /// What is to be heard, and by whom it is.
    heard: BTreeMap<Key, Option<Ear>>,
    open: Open,
    /// Other machines, and when they were last heard.
    others: BTreeMap<Machine, Instant>,
    is_up: bool,
    /// When all others have said that they are there.
    known_from: Instant,
}

/// What is subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Tag(Tag),
    Topic(Topic),
}

/// A task that hears one subject, for as long as this is kept.
struct Ear(AbortHandle);

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Cluster {
    /// Begins to look for NATS; whether it is there shows later.
    pub(super) async fn new(
        urls: &ClusterUrls,
        hall: &Arc<Hall>,
        turn: Option<&Arc<turn::Sockets>>,
        machine: Machine,
    ) -> Result<Self, String> {
        let (told, events) = channel(EVENTS);
        let client = options(told)
            .connect(urls.all())
            .await
            .map_err(|error| error.to_string())?;
        let (send, far) = channel(FAR);
        hall.reach_out(send);
        hall.tally.between.wanted.store(1, Relaxed);
        let (send, packets) = channel(PACKETS);
        turn.inspect(|turn| turn.reach_out(send));
        Ok(Self {
            hall: Arc::clone(hall),
            client,
            machine,
            subjects: Subjects::new(machine),
            far,
            turn: turn.cloned(),
            packets,
            events,
            heard: BTreeMap::new(),
            open: Open::default(),
            others: BTreeMap::new(),
            is_up: false,
            known_from: Instant::now(),
        })
    }

    /// Goes on for ever.
    pub(super) async fn run(mut self) {
        let mut ears = JoinSet::new();
        let (Some(mut answers), Some(mut alive)) = (
            subscribe(&self.client, self.subjects.answers()).await,
            subscribe(&self.client, self.subjects.alive()).await,
        ) else {
            return warn!("the cluster takes no subscriptions: this machine goes on alone");
        };
        if let Some(turn) = &self.turn {
            let subject = self.subjects.turn(turn::part(self.machine));
            if let Some(packets) = subscribe(&self.client, subject).await {
                let tally = Arc::clone(&self.hall.tally);
                ears.spawn(take_packets(packets, Arc::clone(turn), tally));
            }
        }
        let mut beat = interval(ALIVE_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.open.due();
            tokio::select! {
                Some(event) = self.events.recv() => self.event(&event, &mut ears).await,
                Some(answer) = answers.next() => self.answer(&answer),
                Some(hello) = alive.next() => self.meet(&hello),
                Some(far) = self.far.recv() => {
                    let bytes = far.bytes();
                    self.act(far, &mut ears).await;
                    self.hall.carried(bytes);
                }
                Some(packet) = self.packets.recv() => {
                    let subject = self.subjects.turn(packet.part());
                    if self.publish(subject, None, packet.to_bytes()).await {
                        count(&self.hall.tally.between.packets_out);
                    }
                }
                _ = beat.tick() => self.beat(&mut ears).await,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.open.expire(&self.hall, Instant::now());
                }
                Some(_) = ears.join_next(), if !ears.is_empty() => {}
            }
        }
    }

    async fn event(&mut self, event: &Event, ears: &mut JoinSet<()>) {
        match event {
            Event::Connected => self.come_up(ears).await,
            Event::Disconnected => {
                warn!("the cluster cannot be reached: this machine goes on alone");
                count(&self.hall.tally.between.outages);
                self.hall.tally.between.connected.store(0, Relaxed);
                self.is_up = false;
                self.others.clear();
                self.open.give_up(&self.hall);
                self.hall.parted(None);
            }
            // Its words may name hosts.
            _ => debug!("the cluster has something to say"),
        }
    }

    /// NATS is there (again).
    async fn come_up(&mut self, ears: &mut JoinSet<()>) {
        info!("the cluster can be reached");
        self.is_up = true;
        self.hall.tally.between.connected.store(1, Relaxed);
        self.known_from = Instant::now() + 2 * ALIVE_EVERY;
        let missing = self.heard.iter().filter(|(_, ear)| ear.is_none());
        let missing: Vec<Key> = missing.map(|(key, _)| *key).collect();
        for key in missing {
            self.hear(key, ears).await;
        }
        self.say_alive().await;
        // What was claimed meanwhile, others could not hear of.
        self.hall.claim_again();
    }

    async fn act(&mut self, far: Far, ears: &mut JoinSet<()>) {
        match far {
            Far::Hear(tag) => self.hear(Key::Tag(tag), ears).await,
            Far::Stand(topic) => self.hear(Key::Topic(topic), ears).await,
            Far::Ignore(tag) => drop(self.heard.remove(&Key::Tag(tag))),
            Far::Desert(topic) => drop(self.heard.remove(&Key::Topic(topic))),
            Far::Tell { to, note } => {
                let subject = self.subjects.tag(to);
                self.say(subject, None, note.to_bytes()).await;
            }
            Far::Signal { conn, to, note } => {
                if !self.is_reachable() {
                    return self.hall.signalled(conn, to, Some(RefusedReason::Gone));
                }
                count(&self.hall.tally.between.asked);
                let id = self.open.signal(conn, to);
                let answer = self.subjects.answer(id);
                let subject = self.subjects.tag(to);
                self.say(subject, Some(answer), note.to_bytes()).await;
            }
            Far::Carry { pair, to, note } => {
                let subject = self.subjects.tag(to);
                let silence = self.subjects.silence(pair);
                if !self.say(subject, Some(silence), note.to_bytes()).await {
                    self.hall.lost(pair);
                }
            }
            Far::Search { search, asked } => {
                if !self.is_reachable() {
                    return self.hall.found(asked, Vec::new());
                }
                let subject = self.subjects.topic(asked.topic);
                count(&self.hall.tally.between.asked);
                let id = self.open.search(asked);
                let answer = self.subjects.answer(id);
                self.say(subject, Some(answer), search.to_bytes()).await;
            }
        }
    }

    /// Begins to hear a tag or topic, now or when NATS is there.
    async fn hear(&mut self, key: Key, ears: &mut JoinSet<()>) {
        if matches!(self.heard.get(&key), Some(Some(_))) {
            return;
        }
        let mut ear = None;
        if self.is_reachable() {
            let subject = match key {
                Key::Tag(tag) => self.subjects.tag(tag),
                Key::Topic(topic) => self.subjects.topic(topic),
            };
            if let Some(subscriber) = subscribe(&self.client, subject).await {
                let (hall, client) = (Arc::clone(&self.hall), self.client.clone());
                let task = ears.spawn(listen(key, subscriber, hall, client));
                ear = Some(Ear(task));
            } else {
                // It is slow: the next beat tries again.
                self.is_up = false;
            }
        }
        self.heard.insert(key, ear);
    }

    fn answer(&mut self, answer: &Message) {
        let is_nobody = answer.status == Some(StatusCode::NO_RESPONDERS);
        let Some(id) = self.subjects.id(&answer.subject) else {
            let pair = self.subjects.pair(&answer.subject).filter(|_| is_nobody);
            return pair.into_iter().for_each(|pair| self.hall.lost(pair));
        };
        if is_nobody {
            self.open.nobody(&self.hall, id);
        } else {
            let is_known = Instant::now() >= self.known_from;
            let all = is_known.then_some(self.others.len());
            self.open.answered(&self.hall, id, &answer.payload, all);
        }
    }

    fn meet(&mut self, hello: &Message) {
        if let Ok(machine) = Machine::from_bytes(&hello.payload) {
            self.others.insert(machine, Instant::now());
        }
    }

    async fn beat(&mut self, ears: &mut JoinSet<()>) {
        if !self.is_up && self.client.connection_state() == State::Connected {
            // It had only been slow.
            self.come_up(ears).await;
        }
        let dead = self
            .others
            .extract_if(.., |_, heard| heard.elapsed() >= ALIVE_FOR);
        for (machine, _) in dead {
            self.hall.parted(Some(machine));
        }
        self.say_alive().await;
        let between = &self.hall.tally.between;
        for (number, now) in [
            (&between.connected, usize::from(self.is_reachable())),
            (&between.machines, self.others.len()),
            (&between.heard, self.heard.len()),
        ] {
            number.store(now as u64, Relaxed);
        }
    }

    async fn say_alive(&mut self) {
        let subject = self.subjects.alive();
        self.publish(subject, None, self.machine.to_bytes()).await;
    }

    fn is_reachable(&self) -> bool {
        self.is_up && self.client.connection_state() == State::Connected
    }

    /// Says something that somebody wants said, and counts it.
    async fn say(&mut self, subject: String, reply: Option<String>, bytes: Vec<u8>) -> bool {
        let sent = self.publish(subject, reply, bytes).await;
        let between = &self.hall.tally.between;
        count(if sent {
            &between.notes_out
        } else {
            &between.lost
        });
        sent
    }

    /// Says something, if there is somebody to say it to; whether that is so.
    async fn publish(&mut self, subject: String, reply: Option<String>, bytes: Vec<u8>) -> bool {
        if !self.is_reachable() {
            return false;
        }
        self.is_up = publish(&self.client, subject, reply, bytes).await;
        self.is_up
    }
}

fn options(told: Sender<Event>) -> ConnectOptions {
    ConnectOptions::new()
        .name("peer-group-signaling")
        // Whoever asks knows what it has itself.
        .no_echo()
        .retry_on_initial_connect()
        .ping_interval(PING_EVERY)
        .connection_timeout(WITHIN)
        .subscription_capacity(WAITING)
        .reconnect_delay_callback(|tries| {
            let tries = u32::try_from(tries).unwrap_or(u32::MAX).min(6);
            Duration::from_millis((50 << tries).min(RETRY_MS))
        })
        .event_callback(move |event| {
            // One that is lost shows in the state, which is looked at as well.
            let _ = told.try_send(event);
            std::future::ready(())
        })
}

async fn subscribe(client: &Client, subject: String) -> Option<Subscriber> {
    timeout(WITHIN, client.subscribe(subject)).await.ok()?.ok()
}

async fn publish(client: &Client, subject: String, reply: Option<String>, bytes: Vec<u8>) -> bool {
    let bytes = bytes.into();
    let sent = timeout(WITHIN, async {
        match reply {
            Some(reply) => client.publish_with_reply(subject, reply, bytes).await,
            None => client.publish(subject, bytes).await,
        }
    });
    matches!(sent.await, Ok(Ok(())))
}

/// Takes packets of TURN that come from other machines.
async fn take_packets(mut packets: Subscriber, turn: Arc<turn::Sockets>, tally: Arc<Tally>) {
    let mut out = Vec::with_capacity(turn::PACKET_BYTES);
    while let Some(message) = packets.next().await {
        match turn::Packet::from_bytes(&message.payload) {
            Ok(packet) => {
                count(&tally.between.packets_in);
                turn.came(&packet, &mut out);
            }
            Err(_) => debug!("another machine is of another version"),
        }
    }
}

/// Hears what is said to a tag or asked about a topic.
async fn listen(key: Key, mut subscriber: Subscriber, hall: Arc<Hall>, client: Client) {
    while let Some(message) = subscriber.next().await {
        count(&hall.tally.between.notes_in);
        let answer = match key {
            Key::Tag(tag) => {
                let note = Note::from_bytes(&message.payload);
                note.map(|note| {
                    let is_asked = matches!(note, Note::Signal { .. });
                    let refused = hall.noted(tag, note);
                    is_asked.then(|| refused.to_bytes())
                })
            }
            Key::Topic(topic) => {
                let search = Search::from_bytes(&message.payload);
                search.map(|search| Some(hall.searched(topic, search).to_bytes()))
            }
        };
        match (answer, message.reply) {
            (Ok(Some(answer)), Some(reply)) => {
                publish(&client, reply.to_string(), None, answer).await;
            }
            (Ok(_), _) => {}
            (Err(_), _) => debug!("another machine is of another version"),
        }
    }
}

//! Frames of an open link: probes, control items, messages, and what ends it.

use super::lane::ControlItem;
use super::link::{Link, Received, Stage};
use super::security::{Absorbed, Security};
use super::{Graph, Timer};
use crate::engine::context::Context;
use crate::engine::event::{Answer, Event};
use crate::error::{Code, Error, Stage as Reached};
use crate::limits;
use crate::names::{ConnectionId, LinkId, PeerId};
use crate::wire::codec::{Bytes, List, Text};
use crate::wire::link::{ByeReason, Frame, Purpose};

impl Graph {
    /// A packet came over a link.
    pub(super) fn frame(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        bytes: &[u8],
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.heard = cx.now.monotonic;
        let frames = match link.receive(bytes) {
            Received::Frames(frames) => frames,
            Received::Bad => return self.fault(cx, id, "it sent what no node of ours sends"),
        };
        for frame in frames {
            let Some(link) = self.links.get(&id) else {
                return;
            };
            match (frame, link.is_open()) {
                (Frame::Confirm { counter, sealed }, false) => {
                    self.confirmed(cx, security, id, counter, &sealed);
                }
                (Frame::Confirm { .. }, true) | (_, false) => {
                    return self.fault(cx, id, "its frames are out of order");
                }
                (frame, true) => self.open_frame(cx, security, id, frame),
            }
        }
    }

    fn open_frame(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        frame: Frame,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if frame.is_of_items() {
            if link.purpose == Purpose::Direct {
                return self.convict(cx, id, "it sent records over a direct connection");
            }
            link.items_heard = cx.now.monotonic;
        }
        match frame {
            Frame::Confirm { .. } => {}
            Frame::Ping { token } => {
                let time_ms = self.records.clock.at(cx.now);
                link.send(cx, Frame::Pong { token, time_ms });
            }
            Frame::Pong { token, time_ms } => {
                link.confirmed_heard = true;
                link.confirm = None;
                if let Some((_, sent)) = link.probe.take_if(|(sent, _)| *sent == token) {
                    let rtt = cx.now.monotonic.saturating_sub(sent);
                    link.rtt_ms = Some(rtt);
                    let there = i64::try_from(time_ms.saturating_add(rtt / 2)).unwrap_or(i64::MAX);
                    let here = i64::try_from(cx.now.wall).unwrap_or(i64::MAX);
                    // One that waited while this machine stood still tells what time it was.
                    if rtt < limits::TIME_ASKED_MS {
                        link.peer_time_offset = Some(there.saturating_sub(here));
                    }
                }
            }
            Frame::Bye { reason } => self.bye(cx, security, id, reason),
            Frame::Control { items } => {
                self.acknowledge(cx, id);
                self.control(cx, security, id, &items);
            }
            Frame::DirectOpen { id: theirs, label } => {
                self.direct_asked(cx, id, theirs, label.into_string());
            }
            Frame::DirectAccept { id: ours, accepter } => {
                self.direct_accepted(cx, id, ConnectionId(ours), accepter);
            }
            Frame::DirectRefuse { id: ours } => self.direct_refused(cx, id, ConnectionId(ours)),
            Frame::DirectClose { id: theirs } => self.direct_closed(cx, id, theirs),
            Frame::Data { to, kind, data } => {
                self.data(cx, id, to, kind.into_string(), data.into_vec());
            }
            Frame::Taken { to, messages } => self.taken(cx, id, to, messages),
            Frame::Sync { scope, message } => self.compared(cx, security, id, scope, message),
            Frame::Records { records } => {
                self.acknowledge(cx, id);
                self.records_came(cx, security, id, records.iter().map(|record| &**record));
            }
            Frame::RecordPart { rest, piece } => {
                self.acknowledge(cx, id);
                self.record_piece(cx, security, id, rest, &piece);
            }
            Frame::ItemsTaken { frames } => {
                link.lane.taken(frames);
                self.pass_on(cx, id);
            }
        }
    }

    /// The other end broke a rule: the link ends.
    pub(super) fn fault(&mut self, cx: &mut Context<'_>, id: LinkId, why: &str) {
        let error = Error::new(Code::ConnectionFailed)
            .detail(why)
            .at(Reached::Channel);
        self.close_link(cx, id, ByeReason::Fault, &error);
    }

    fn bye(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        id: LinkId,
        reason: ByeReason,
    ) {
        if reason == ByeReason::Unneeded {
            self.open_elsewhere(cx, security, id);
        }
        let Some(mut link) = self.remove(id) else {
            return;
        };
        let detail = match reason {
            ByeReason::Leaving => {
                link.left = true;
                self.overlay.forget(link.remote.node);
                "the other side left"
            }
            ByeReason::Unneeded => {
                if link.purpose != Purpose::Direct {
                    self.overlay
                        .dial_failed(cx, link.remote.node, &Code::ConnectionRefused.into());
                }
                "the other side does not need the link"
            }
            ByeReason::Replaced => "a newer link replaced it",
            ByeReason::Fault => "the other side found a fault",
            ByeReason::Removed => "the other side says that this membership has ended",
        };
        let error = Error::new(Code::ConnectionFailed)
            .detail(detail)
            .at(Reached::Channel);
        self.ended(cx, link, error);
    }

    /// Takes control items.
    fn control(
        &mut self,
        cx: &mut Context<'_>,
        security: &mut dyn Security,
        from: LinkId,
        items: &[ControlItem],
    ) {
        let items: Vec<&[u8]> = items.iter().map(|item| &**item).collect();
        match security.absorb(cx, &items) {
            Absorbed::Good => {}
            Absorbed::Bad => self.convict(cx, from, "it passed on a forged credential"),
        }
    }

    /// Ends every link with somebody who is no member any more, and tells it why.
    pub fn eject(&mut self, cx: &mut Context<'_>, security: &mut dyn Security) {
        let links: Vec<(LinkId, PeerId)> = self
            .links
            .iter()
            .filter_map(|(id, link)| Some((*id, link.remote.peer()?)))
            .collect();
        for (id, peer) in links {
            let Some(error) = security.out(peer, cx.now) else {
                continue;
            };
            let items = security.farewell(peer).into_iter().filter_map(Bytes::new);
            let items: Vec<ControlItem> = items.collect();
            if let Some(link) = self.links.get_mut(&id).filter(|link| link.is_open()) {
                for items in items.chunks(limits::CONTROL_ITEMS_PER_FRAME / 2) {
                    let items = List::first(items.to_vec());
                    link.send(cx, Frame::Control { items });
                }
            }
            self.close_link(cx, id, ByeReason::Removed, &error);
        }
    }

    /// Sends control items to every neighbor.
    pub fn spread(&mut self, items: &[ControlItem]) {
        for link in self.links.values_mut().filter(|link| link.is_neighbor()) {
            link.lane.control(items.iter().cloned());
        }
    }

    /// Whether every neighbor has taken all that was on its way.
    #[must_use]
    pub fn all_taken(&self) -> bool {
        let mut neighbors = self.links.values().filter(|link| link.is_neighbor());
        neighbors.all(|link| link.lane.is_idle())
    }

    /// Sends what the lanes of all links have room for.
    pub fn pump_lanes(&mut self, cx: &mut Context<'_>) {
        for link in self.links.values_mut().filter(|link| link.is_neighbor()) {
            while link.has_room()
                && let Some(frame) = link.lane.next(&self.records.store, cx.now.monotonic)
            {
                link.send(cx, frame);
            }
        }
    }

    /// Asks a silent link for a sign of life, and drops it when none has come for long.
    pub(super) fn probe(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if !matches!(link.stage, Stage::Open) {
            return;
        }
        let now = cx.now.monotonic;
        if self.pass_on(cx, id) {
            return;
        }
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let silent = now.saturating_sub(link.heard);
        let asked = link.probe.map(|(_, sent)| now.saturating_sub(sent));
        // Only unanswered probes count: a machine that slept was silent without being asked.
        if silent >= limits::LINK_DEAD_MS
            && asked.is_some_and(|asked| asked >= limits::LINK_LOST_MS)
        {
            let error = Error::new(Code::ConnectionFailed)
                .detail("the other side was silent for too long")
                .at(Reached::Channel);
            return self.fail(cx, id, error);
        }
        let idle = silent >= limits::PROBE_IDLE_MS || !link.confirmed_heard;
        if idle {
            let token = u64::from_le_bytes(cx.random.bytes());
            if link.probe.is_none() {
                link.probe = Some((token, now));
            }
            let token = link.probe.map_or(token, |(token, _)| token);
            link.send(cx, Frame::Ping { token });
        }
        let next = if idle {
            limits::PROBE_REPEAT_MS
        } else {
            limits::PROBE_IDLE_MS - silent
        };
        self.timers.arm(Timer::Probe(id), now + next);
    }

    /// Asks a neighbor for its time, unless it has been asked.
    pub(super) fn ask_time(&mut self, cx: &mut Context<'_>, id: LinkId) {
        let link = self.links.get_mut(&id);
        let Some(link) = link.filter(|l| l.is_open() && l.probe.is_none()) else {
            return;
        };
        let token = u64::from_le_bytes(cx.random.bytes());
        link.probe = Some((token, cx.now.monotonic));
        link.send(cx, Frame::Ping { token });
    }

    /// Sends a message over a neighbor or direct connection.
    pub fn send(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        message: super::flow::Outgoing,
    ) -> Result<(), Error> {
        if let Some(direct) = self.directs.get_mut(&connection) {
            let link = direct.link.filter(|_| direct.is_open());
            let Some(link) = link else {
                return Err(Error::new(Code::ConnectionNotFound)
                    .detail("the direct connection is not open yet: wait for `opened`"));
            };
            direct.flow.push(message);
            self.pump(cx, link, Some(connection));
            return Ok(());
        }
        let link = self
            .links
            .values_mut()
            .find(|l| l.is_neighbor() && l.connection == Some(connection));
        let Some(link) = link else {
            return Err(Code::ConnectionNotFound.into());
        };
        link.flow.push(message);
        let id = link.id;
        self.pump(cx, id, None);
        Ok(())
    }

    /// Sends what fits the window.
    pub(super) fn pump(&mut self, cx: &mut Context<'_>, id: LinkId, direct: Option<ConnectionId>) {
        while self.links.get(&id).is_some_and(Link::has_room) && self.pump_one(cx, id, direct) {}
    }

    /// Sends the next message of one connection, if it fits the window.
    pub(super) fn pump_one(
        &mut self,
        cx: &mut Context<'_>,
        id: LinkId,
        direct: Option<ConnectionId>,
    ) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        let (to, flow) = match direct {
            Some(direct) => match self.directs.get_mut(&direct) {
                Some(direct) => (direct.remote, &mut direct.flow),
                None => return false,
            },
            None => (0, &mut link.flow),
        };
        let Some(message) = flow.release() else {
            return false;
        };
        if let (Some(kind), Some(data)) = (Text::new(message.kind), Bytes::new(message.data)) {
            link.send(cx, Frame::Data { to, kind, data });
        }
        true
    }

    fn data(&mut self, cx: &mut Context<'_>, id: LinkId, to: u64, kind: String, data: Vec<u8>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(from) = link.remote.peer() else {
            return;
        };
        let (connection, arrived) = if to == 0 {
            match link.connection.filter(|_| link.purpose != Purpose::Direct) {
                Some(connection) => (connection, link.flow.arrived(data.len())),
                None => return,
            }
        } else {
            let connection = ConnectionId(to);
            match self
                .directs
                .get_mut(&connection)
                .filter(|d| d.link == Some(id) && d.is_open())
            {
                Some(direct) => (connection, direct.flow.arrived(data.len())),
                // Closed here while it was on its way.
                None => return,
            }
        };
        if arrived.is_err() {
            return self.fault(cx, id, "it sent more than was asked for");
        }
        cx.event(Event::IncomingData {
            node: cx.node,
            connection,
            from,
            kind,
            data,
        });
    }

    /// The app took messages: tell the sender.
    pub fn take(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        messages: u32,
    ) -> Result<(), Error> {
        let (id, to, taken) = if let Some(direct) = self.directs.get_mut(&connection) {
            (direct.link, direct.remote, direct.flow.take(messages))
        } else {
            let link = self
                .links
                .values_mut()
                .find(|l| l.connection == Some(connection));
            let link = link.ok_or_else(|| Error::new(Code::ConnectionNotFound))?;
            (Some(link.id), 0, link.flow.take(messages))
        };
        if let Some(link) = id
            .and_then(|id| self.links.get_mut(&id))
            .filter(|_| taken > 0)
        {
            link.send(
                cx,
                Frame::Taken {
                    to,
                    messages: taken,
                },
            );
        }
        Ok(())
    }

    fn taken(&mut self, cx: &mut Context<'_>, id: LinkId, to: u64, messages: u32) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let direct = (to != 0).then_some(ConnectionId(to));
        let flow = match direct {
            None => &mut link.flow,
            Some(to) => match self.directs.get_mut(&to).filter(|d| d.link == Some(id)) {
                Some(direct) => &mut direct.flow,
                None => return,
            },
        };
        for _ in 0..messages {
            let Some(request) = flow.taken() else { break };
            cx.answer(request, Ok(Answer::Done));
        }
        self.pump(cx, id, direct);
    }
}

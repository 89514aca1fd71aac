//! One relayed address: whose it is, whom it lets in, and its channels.

use std::net::{Ipv4Addr, SocketAddrV4};

use peer_group::time::Millis;

use crate::rooms::bucket::Bucket;

/// How long an allocation stands without a refresh.
pub(super) const ALLOCATION_MS: Millis = 600_000;
const PERMISSION_MS: Millis = 300_000;
const CHANNEL_MS: Millis = 600_000;

/// What a client has allocated.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) relayed: SocketAddrV4,
    pub(super) user: u64,
    /// The request that made it, which may come twice.
    pub(super) transaction: [u8; 12],
    pub(super) until: Millis,
    /// When something last went through it, roughly; at first, when it was made.
    pub(super) heard: Millis,
    pub(super) bucket: Bucket,
    permissions: Vec<(Ipv4Addr, Millis)>,
    channels: Vec<Channel>,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    number: u16,
    peer: SocketAddrV4,
    until: Millis,
}

/// Why something cannot be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotAdded {
    /// There are as many as there may be.
    Full,
    /// The number is another peer's, or the peer has another number.
    Taken,
}

impl Allocation {
    pub(super) fn new(
        now: Millis,
        relayed: SocketAddrV4,
        user: u64,
        transaction: [u8; 12],
        bucket: Bucket,
    ) -> Self {
        Self {
            relayed,
            user,
            transaction,
            until: now.saturating_add(ALLOCATION_MS),
            heard: now,
            bucket,
            permissions: Vec::new(),
            channels: Vec::new(),
        }
    }

    pub(super) fn lets_in(&self, now: Millis, ip: Ipv4Addr) -> bool {
        self.permissions
            .iter()
            .any(|(of, until)| *of == ip && *until > now)
    }

    pub(super) fn permit(
        &mut self,
        now: Millis,
        ip: Ipv4Addr,
        most: usize,
    ) -> Result<(), NotAdded> {
        self.permissions
            .retain(|(of, until)| *of != ip && *until > now);
        if self.permissions.len() >= most {
            return Err(NotAdded::Full);
        }
        self.permissions
            .push((ip, now.saturating_add(PERMISSION_MS)));
        Ok(())
    }

    /// Whom a channel leads to.
    pub(super) fn channel(&self, now: Millis, number: u16) -> Option<SocketAddrV4> {
        let mut all = self.channels.iter();
        all.find(|of| of.number == number && of.until > now)
            .map(|of| of.peer)
    }

    /// Which channel leads there.
    pub(super) fn channel_to(&self, now: Millis, peer: SocketAddrV4) -> Option<u16> {
        let mut all = self.channels.iter();
        all.find(|of| of.peer == peer && of.until > now)
            .map(|of| of.number)
    }

    /// Makes or refreshes a channel, which also lets its peer in.
    pub(super) fn bind(
        &mut self,
        now: Millis,
        number: u16,
        peer: SocketAddrV4,
        most: usize,
    ) -> Result<(), NotAdded> {
        self.channels.retain(|of| of.until > now);
        let same = |of: &Channel| (of.number == number, of.peer == peer);
        if self
            .channels
            .iter()
            .any(|of| matches!(same(of), (true, false) | (false, true)))
        {
            return Err(NotAdded::Taken);
        }
        let others = self.channels.iter().filter(|of| of.number != number);
        if others.count() >= most {
            return Err(NotAdded::Full);
        }
        self.permit(now, *peer.ip(), most)?;
        self.channels.retain(|of| of.number != number);
        self.channels.push(Channel {
            number,
            peer,
            until: now.saturating_add(CHANNEL_MS),
        });
        Ok(())
    }
}

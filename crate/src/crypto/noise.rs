//! `Noise_IKpsk1_25519_ChaChaPoly_SHA512` in two messages, by `snow` on our own primitives.

use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::CryptoResolver;
use snow::types;
use snow::{Builder, HandshakeState, StatelessTransportState};

use super::Crypto;
use crate::random::Random;

const PATTERN: &str = "Noise_IKpsk1_25519_ChaChaPoly_SHA512";
/// What a handshake message adds to its payload at most.
const OVERHEAD: usize = 32 + 48 + 16;
const MAX_MESSAGE: usize = 65_535;
const TAG_BYTES: usize = 16;

/// What both ends of a handshake must agree on beforehand.
pub struct Terms<'a> {
    /// Hashed in: any difference ends the handshake.
    pub prologue: &'a [u8],
    /// The secret that only those who may knock know.
    pub psk: &'a [u8; 32],
}

/// A handshake after its first message was sent; empty once it is finished.
pub struct Initiator(Option<HandshakeState>);

/// A handshake after its first message was read.
pub struct Responder {
    state: HandshakeState,
    /// The initiator's static key, proved by the message.
    pub remote: [u8; 32],
}

/// What a finished handshake leaves: keys for whatever travels beside the data channel.
pub struct Keys {
    transport: StatelessTransportState,
    /// Names the handshake: equal at both ends, and at no other pair.
    pub hash: [u8; 64],
    next: u64,
    seen: ReplayWindow,
}

/// Writes message 1 to the holder of `remote`.
pub fn initiate(
    crypto: Crypto,
    random: &mut Random,
    secret: &[u8; 32],
    remote: &[u8; 32],
    terms: &Terms<'_>,
    payload: &[u8],
) -> Option<(Initiator, Vec<u8>)> {
    let builder = builder(crypto, random, secret, terms)?;
    let mut state = builder
        .remote_public_key(remote)
        .ok()?
        .build_initiator()
        .ok()?;
    let message = write(&mut state, payload)?;
    Some((Initiator(Some(state)), message))
}

impl Initiator {
    /// Reads message 2. Bytes that are no answer to message 1 change nothing: the true answer may
    /// still come.
    pub fn finish(&mut self, message: &[u8]) -> Option<(Vec<u8>, Keys)> {
        let mut payload = vec![0; message.len().min(MAX_MESSAGE)];
        let len = self.0.as_mut()?.read_message(message, &mut payload).ok()?;
        payload.truncate(len);
        Some((payload, Keys::new(self.0.take()?)?))
    }
}

/// Reads message 1 with our static `secret`: the initiator's payload and static key, if it fits.
pub fn respond(
    crypto: Crypto,
    random: &mut Random,
    secret: &[u8; 32],
    terms: &Terms<'_>,
    message: &[u8],
) -> Option<(Vec<u8>, Responder)> {
    let mut state = builder(crypto, random, secret, terms)?
        .build_responder()
        .ok()?;
    let mut payload = vec![0; message.len().min(MAX_MESSAGE)];
    let len = state.read_message(message, &mut payload).ok()?;
    payload.truncate(len);
    let remote = state.get_remote_static()?.try_into().ok()?;
    Some((payload, Responder { state, remote }))
}

impl Responder {
    /// Writes message 2.
    pub fn answer(mut self, payload: &[u8]) -> Option<(Vec<u8>, Keys)> {
        let message = write(&mut self.state, payload)?;
        Some((message, Keys::new(self.state)?))
    }
}

impl Keys {
    fn new(state: HandshakeState) -> Option<Self> {
        let hash = state.get_handshake_hash().try_into().ok()?;
        let transport = state.into_stateless_transport_mode().ok()?;
        Some(Self {
            transport,
            hash,
            next: 0,
            seen: ReplayWindow::default(),
        })
    }

    /// Seals `plain` under the next counter.
    pub fn seal(&mut self, plain: &[u8]) -> Option<(u64, Vec<u8>)> {
        let mut sealed = vec![0; plain.len().checked_add(TAG_BYTES)?];
        let len = self
            .transport
            .write_message(self.next, plain, &mut sealed)
            .ok()?;
        sealed.truncate(len);
        let counter = self.next;
        self.next += 1;
        Some((counter, sealed))
    }

    /// Opens what the other end sealed under `counter`, once.
    pub fn open(&mut self, counter: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        if !self.seen.is_new(counter) {
            return None;
        }
        let mut plain = vec![0; sealed.len()];
        let len = self
            .transport
            .read_message(counter, sealed, &mut plain)
            .ok()?;
        plain.truncate(len);
        self.seen.note(counter);
        Some(plain)
    }
}

/// Which of the last 64 counters were used: signals may overtake one another.
#[derive(Default)]
struct ReplayWindow {
    /// One more than the highest counter seen.
    end: u64,
    /// Bit i: counter `end - 1 - i` was seen.
    seen: u64,
}

impl ReplayWindow {
    fn is_new(&self, counter: u64) -> bool {
        match self.end.checked_sub(counter) {
            None | Some(0) => true,
            Some(age) => age <= 64 && self.seen & (1 << (age - 1)) == 0,
        }
    }

    fn note(&mut self, counter: u64) {
        if counter >= self.end {
            let ahead = counter - self.end + 1;
            self.seen = if ahead >= 64 { 0 } else { self.seen << ahead };
            self.end = counter + 1;
        }
        self.seen |= 1 << (self.end - counter - 1);
    }
}

fn builder<'a>(
    crypto: Crypto,
    random: &mut Random,
    secret: &'a [u8; 32],
    terms: &'a Terms<'a>,
) -> Option<Builder<'a>> {
    let params: NoiseParams = PATTERN.parse().ok()?;
    let resolver = Resolver {
        crypto,
        seed: random.bytes(),
    };
    Builder::with_resolver(params, Box::new(resolver))
        .prologue(terms.prologue)
        .and_then(|b| b.psk(1, terms.psk))
        .and_then(|b| b.local_private_key(secret))
        .ok()
}

fn write(state: &mut HandshakeState, payload: &[u8]) -> Option<Vec<u8>> {
    let mut message = vec![0; payload.len() + OVERHEAD];
    let len = state.write_message(payload, &mut message).ok()?;
    message.truncate(len);
    Some(message)
}

/// Gives `snow` our primitives and our randomness.
struct Resolver {
    crypto: Crypto,
    seed: [u8; 32],
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn types::Random>> {
        Some(Box::new(Rng(Random::new(self.seed))))
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn types::Dh>> {
        Some(Box::new(Exchange {
            crypto: self.crypto,
            secret: [0; 32],
            public: [0; 32],
        }))
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn types::Hash>> {
        Some(Box::new(Hash {
            crypto: self.crypto,
            input: Vec::new(),
        }))
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn types::Cipher>> {
        Some(Box::new(Cipher {
            crypto: self.crypto,
            key: [0; 32],
        }))
    }
}

struct Rng(Random);

impl types::Random for Rng {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(out);
        Ok(())
    }
}

struct Exchange {
    crypto: Crypto,
    secret: [u8; 32],
    public: [u8; 32],
}

impl types::Dh for Exchange {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        if let Ok(secret) = secret.try_into() {
            self.secret = secret;
            self.public = self.crypto.exchange_public(&self.secret);
        }
    }

    fn generate(&mut self, rng: &mut dyn types::Random) -> Result<(), snow::Error> {
        let mut secret = [0; 32];
        rng.try_fill_bytes(&mut secret)?;
        self.set(&secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.secret
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        // The slice is as long as snow's largest key.
        let shared = public
            .first_chunk()
            .and_then(|public| self.crypto.exchange(&self.secret, public))
            .ok_or(snow::Error::Dh)?;
        out.get_mut(..32)
            .ok_or(snow::Error::Dh)?
            .copy_from_slice(&shared);
        Ok(())
    }
}

struct Hash {
    crypto: Crypto,
    input: Vec<u8>,
}

impl types::Hash for Hash {
    fn name(&self) -> &'static str {
        "SHA512"
    }

    fn block_len(&self) -> usize {
        128
    }

    fn hash_len(&self) -> usize {
        64
    }

    fn reset(&mut self) {
        self.input.clear();
    }

    fn input(&mut self, data: &[u8]) {
        self.input.extend_from_slice(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash = self.crypto.hash(&[&self.input]);
        out.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        self.input.clear();
    }
}

struct Cipher {
    crypto: Crypto,
    key: [u8; 32],
}

/// Noise's nonce for ChaCha20-Poly1305: four zero bytes, then the counter, little-endian.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce
        .iter_mut()
        .skip(4)
        .zip(counter.to_le_bytes())
        .for_each(|(to, from)| *to = from);
    nonce
}

impl types::Cipher for Cipher {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = *key;
    }

    fn encrypt(&self, counter: u64, extra: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let sealed = self.crypto.seal(&self.key, &nonce(counter), extra, plain);
        out.iter_mut()
            .zip(&sealed)
            .for_each(|(to, from)| *to = *from);
        sealed.len()
    }

    fn decrypt(
        &self,
        counter: u64,
        extra: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let plain = self
            .crypto
            .open(&self.key, &nonce(counter), extra, sealed)
            .ok_or(snow::Error::Decrypt)?;
        out.get_mut(..plain.len())
            .ok_or(snow::Error::Decrypt)?
            .copy_from_slice(&plain);
        Ok(plain.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{FAKE, Primitives as _, REAL};

    fn pair(crypto: Crypto) -> (Keys, Keys) {
        let mut random = Random::new([9; 32]);
        let (a, b) = ([1; 32], [2; 32]);
        let terms = Terms {
            prologue: b"here",
            psk: &[3; 32],
        };
        let remote = crypto.exchange_public(&b);
        let (mut first, message) =
            initiate(crypto, &mut random, &a, &remote, &terms, b"offer").unwrap();
        let (payload, second) = respond(crypto, &mut random, &b, &terms, &message).unwrap();
        assert_eq!(payload, b"offer");
        assert_eq!(second.remote, crypto.exchange_public(&a));
        let (message, b_keys) = second.answer(b"answer").unwrap();
        assert!(first.finish(&[0; 80]).is_none());
        let mut edited = message.clone();
        edited[40] ^= 1;
        assert!(first.finish(&edited).is_none());
        let (payload, a_keys) = first.finish(&message).unwrap();
        assert_eq!(payload, b"answer");
        assert_eq!(a_keys.hash, b_keys.hash);
        (a_keys, b_keys)
    }

    #[test]
    fn both_ends_agree_and_forged_answers_do_no_harm() {
        for crypto in [&REAL as Crypto, &FAKE] {
            let (mut a, mut b) = pair(crypto);
            let (counter, sealed) = a.seal(b"hello").unwrap();
            assert_eq!(b.open(counter + 1, &sealed), None);
            assert_eq!(
                b.open(counter, &sealed).as_deref(),
                Some(b"hello".as_slice())
            );
            assert_eq!(b.open(counter, &sealed), None);
        }
    }

    #[test]
    fn another_psk_or_prologue_reads_nothing() {
        let mut random = Random::new([9; 32]);
        let terms = Terms {
            prologue: b"here",
            psk: &[3; 32],
        };
        let remote = REAL.exchange_public(&[2; 32]);
        let (_, message) = initiate(&REAL, &mut random, &[1; 32], &remote, &terms, b"").unwrap();
        for terms in [
            Terms {
                prologue: b"there",
                psk: &[3; 32],
            },
            Terms {
                prologue: b"here",
                psk: &[4; 32],
            },
        ] {
            assert!(respond(&REAL, &mut random, &[2; 32], &terms, &message).is_none());
        }
    }

    #[test]
    fn messages_may_overtake_one_another_but_not_repeat() {
        let (mut a, mut b) = pair(&FAKE);
        let sealed: Vec<_> = (0..100u8).map(|i| a.seal(&[i]).unwrap()).collect();
        for i in [5usize, 3, 4, 99, 60, 98] {
            assert_eq!(b.open(sealed[i].0, &sealed[i].1), Some(vec![i as u8]));
            assert_eq!(b.open(sealed[i].0, &sealed[i].1), None);
        }
        // Fallen out of the window of 64: refused, seen or not.
        assert_eq!(b.open(sealed[10].0, &sealed[10].1), None);
    }
}

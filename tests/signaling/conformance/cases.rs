//! The cases: what is written, and what is to come back.

use super::opcode::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};

const PROTOCOL: u16 = 1002;
const NOT_BINARY: u16 = 1003;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;
/// Any will do, and the same must do for all.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Bytes that a signal adds to what it carries, besides its length.
const SIGNAL_HEAD: usize = 17;
/// The largest signal.
const LARGEST: usize = 16_384;

/// One case.
pub(super) struct Case {
    pub(super) name: String,
    /// Written one after another.
    pub(super) pieces: Vec<Vec<u8>>,
    /// What comes back, in order.
    pub(super) then: Vec<Then>,
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// A signal to oneself, with that.
    Echo(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The end, with that code if with any.
    Close(Option<u16>),
}

/// A frame as clients send it.
pub(super) fn frame(fin: bool, reserved: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
    framed(fin, reserved, opcode, payload, Some(MASK))
}

fn framed(fin: bool, reserved: u8, opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = vec![u8::from(fin) << 7 | reserved << 4 | opcode];
    let bit = u8::from(mask.is_some()) << 7;
    match payload.len() {
        len @ 0..=125 => out.push(bit | len as u8),
        len @ 126..=0xffff => {
            out.push(bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    out.extend(mask.iter().flatten());
    out.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    out
}

fn whole(opcode: u8, payload: &[u8]) -> Vec<u8> {
    frame(true, 0, opcode, payload)
}

/// The same, each byte by itself.
fn bytewise(pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    pieces
        .into_iter()
        .flatten()
        .map(|byte| vec![byte])
        .collect()
}

fn close(code: u16, words: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), words].concat()
}

struct List<F> {
    all: Vec<Case>,
    /// A message that carries that to whom it comes from.
    message: F,
}

/// All cases.
pub(super) fn cases(message: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Case> {
    let mut list = List {
        all: Vec::new(),
        message,
    };
    list.framing();
    list.pings();
    list.reserved();
    list.opcodes();
    list.fragments();
    list.wrong_fragments();
    list.text();
    list.closing();
    list.wrong_closing();
    list.lengths_and_masks();
    list.all
}

impl<F: Fn(&[u8]) -> Vec<u8>> List<F> {
    fn add(&mut self, name: impl Into<String>, pieces: Vec<Vec<u8>>, then: Vec<Then>) {
        let name = name.into();
        self.all.push(Case { name, pieces, then });
    }

    fn fails(&mut self, name: impl Into<String>, pieces: Vec<Vec<u8>>, code: u16) {
        self.add(name, pieces, vec![Then::Close(Some(code))]);
    }

    fn framing(&mut self) {
        for len in [
            0, 1, 100, 105, 106, 107, 108, 109, 110, 111, 112, 1_000, 4_000, LARGEST,
        ] {
            let payload = vec![0xfe; len];
            let message = (self.message)(&payload);
            let name = format!("framing: a message of {} bytes", message.len());
            let then = vec![Then::Echo(payload)];
            self.add(&*name, vec![whole(BINARY, &message)], then.clone());
            if len <= 1_000 {
                let pieces = bytewise(vec![whole(BINARY, &message)]);
                self.add(format!("{name}, byte by byte"), pieces, then);
            }
        }
        let message = (self.message)(b"two");
        let both = [whole(BINARY, &message), whole(BINARY, &message)].concat();
        let then = vec![Then::Echo(b"two".to_vec()); 2];
        self.add("framing: two messages in one piece", vec![both], then);
    }

    fn pings(&mut self) {
        let payloads: [(&str, Vec<u8>); 5] = [
            ("nothing", Vec::new()),
            ("text", b"Hello, world!".to_vec()),
            ("no text", vec![0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0, 0xff]),
            ("124 bytes", vec![0xfe; 124]),
            ("125 bytes", vec![0xfe; 125]),
        ];
        for (what, payload) in payloads {
            let ping = whole(PING, &payload);
            let then = vec![Then::Pong(payload)];
            self.add(
                format!("ping: with {what}"),
                vec![ping.clone()],
                then.clone(),
            );
            self.add(
                format!("ping: with {what}, byte by byte"),
                bytewise(vec![ping]),
                then,
            );
        }
        self.fails(
            "ping: of 126 bytes",
            vec![whole(PING, &[0xfe; 126])],
            PROTOCOL,
        );
        for payload in [&b""[..], b"unsolicited"] {
            let name = format!("pong: unasked, of {} bytes", payload.len());
            self.add(name, vec![whole(PONG, payload)], Vec::new());
        }
        self.fails(
            "pong: of 126 bytes",
            vec![whole(PONG, &[0xfe; 126])],
            PROTOCOL,
        );
        let mixed = vec![whole(PONG, b"unasked"), whole(PING, b"asked")];
        self.add(
            "pong: unasked, then a ping",
            mixed,
            vec![Then::Pong(b"asked".to_vec())],
        );
        let names: Vec<Vec<u8>> = (0..10)
            .map(|n| format!("payload-{n}").into_bytes())
            .collect();
        let pings: Vec<Vec<u8>> = names.iter().map(|name| whole(PING, name)).collect();
        let then: Vec<Then> = names.into_iter().map(Then::Pong).collect();
        self.add("ping: ten", pings.clone(), then.clone());
        self.add("ping: ten, byte by byte", bytewise(pings), then);
    }

    fn reserved(&mut self) {
        for bits in 1..8 {
            let message = (self.message)(b"reserved");
            for (what, opcode, payload) in [
                ("a message", BINARY, &*message),
                ("a ping", PING, b"reserved"),
                ("a pong", PONG, b"reserved"),
                ("a close", CLOSE, &close(1000, b"")),
            ] {
                let wrong = frame(true, bits, opcode, payload);
                self.fails(
                    format!("reserved bits: {bits} on {what}"),
                    vec![wrong],
                    PROTOCOL,
                );
            }
            let pieces = vec![whole(BINARY, &message), frame(true, bits, BINARY, &message)];
            let then = vec![
                Then::Echo(b"reserved".to_vec()),
                Then::Close(Some(PROTOCOL)),
            ];
            self.add(
                format!("reserved bits: {bits} after a message"),
                pieces,
                then,
            );
        }
    }

    fn opcodes(&mut self) {
        for opcode in (3..8).chain(11..16) {
            let name = format!("opcode: {opcode}");
            self.fails(&*name, vec![whole(opcode, b"")], PROTOCOL);
            let more = vec![whole(opcode, b"unknown")];
            self.fails(format!("{name} with a payload"), more, PROTOCOL);
            let message = whole(BINARY, &(self.message)(b"before"));
            let pieces = vec![message, whole(opcode, b"unknown"), whole(PING, b"")];
            let then = vec![Then::Echo(b"before".to_vec()), Then::Close(Some(PROTOCOL))];
            self.add(format!("{name} between a message and a ping"), pieces, then);
        }
    }

    fn fragments(&mut self) {
        let payload = b"in parts".to_vec();
        let message = (self.message)(&payload);
        let parts = |sizes: usize| {
            let count = message.len().div_ceil(sizes);
            let parts = message.chunks(sizes).enumerate();
            let parts = parts.map(move |(n, part)| {
                let opcode = if n == 0 { BINARY } else { CONTINUATION };
                frame(n + 1 == count, 0, opcode, part)
            });
            parts.collect::<Vec<_>>()
        };
        let echo = vec![Then::Echo(payload.clone())];
        for size in [1, 2, 7, 16, 25] {
            let name = format!("fragments: of {size} bytes");
            self.add(&*name, parts(size), echo.clone());
            self.add(
                format!("{name}, byte by byte"),
                bytewise(parts(size)),
                echo.clone(),
            );
            let one = parts(size).concat();
            self.add(format!("{name}, in one piece"), vec![one], echo.clone());
        }
        let empty_first = vec![frame(false, 0, BINARY, b""), whole(CONTINUATION, &message)];
        self.add("fragments: the first empty", empty_first, echo.clone());
        let empty_last = vec![frame(false, 0, BINARY, &message), whole(CONTINUATION, b"")];
        self.add("fragments: the last empty", empty_last, echo.clone());
        let mut between = parts(20);
        between.insert(1, frame(false, 0, CONTINUATION, b""));
        self.add("fragments: one between empty", between, echo);
        for at in [1, 2, 3] {
            for (opcode, what) in [(PING, "ping"), (PONG, "pong")] {
                let mut pieces = parts(9);
                pieces.insert(at, whole(opcode, b"between"));
                let mut then = vec![Then::Echo(payload.clone())];
                if opcode == PING {
                    then.insert(0, Then::Pong(b"between".to_vec()));
                }
                let name = format!("fragments: a {what} before part {}", at + 1);
                self.add(&*name, pieces.clone(), then.clone());
                self.add(format!("{name}, byte by byte"), bytewise(pieces), then);
            }
        }
        let mut pieces = parts(9);
        pieces.insert(1, whole(CLOSE, &close(1000, b"")));
        let then = vec![Then::Close(Some(1000))];
        self.add("fragments: a close between them", pieces, then);
        let large = (self.message)(&vec![3; LARGEST]);
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        for part in large.chunks(1_000) {
            let opcode = if pieces.is_empty() {
                BINARY
            } else {
                CONTINUATION
            };
            pieces.push(frame(false, 0, opcode, part));
        }
        pieces.push(whole(CONTINUATION, b""));
        let then = vec![Then::Echo(vec![3; LARGEST])];
        self.add(
            "fragments: the largest signal in seventeen",
            pieces.clone(),
            then,
        );
        pieces.insert(17, frame(false, 0, CONTINUATION, &[0; 1_000]));
        self.fails("fragments: together too large", pieces, TOO_BIG);
    }

    fn wrong_fragments(&mut self) {
        let message = (self.message)(b"parts");
        for (opcode, what) in [(PING, "ping"), (PONG, "pong"), (CLOSE, "close")] {
            let wrong = vec![frame(false, 0, opcode, b"")];
            self.fails(
                format!("fragments: a {what} that is not the last"),
                wrong,
                PROTOCOL,
            );
        }
        for fin in [true, false] {
            let last = if fin { "the last" } else { "not the last" };
            let wrong = vec![frame(fin, 0, CONTINUATION, &message)];
            self.fails(
                format!("fragments: nothing to go on with, {last}"),
                wrong,
                PROTOCOL,
            );
            let wrong = vec![
                whole(BINARY, &message),
                frame(fin, 0, CONTINUATION, b"more"),
            ];
            let then = vec![Then::Echo(b"parts".to_vec()), Then::Close(Some(PROTOCOL))];
            self.add(
                format!("fragments: going on after the end, {last}"),
                wrong,
                then,
            );
            for opcode in [BINARY, TEXT] {
                let wrong = vec![
                    frame(false, 0, BINARY, &message[..9]),
                    frame(fin, 0, opcode, &message[9..]),
                ];
                let name = format!("fragments: opcode {opcode} inside a message, {last}");
                self.fails(name, wrong, PROTOCOL);
            }
        }
    }

    fn text(&mut self) {
        let right: [&str; 5] = ["", "Hello", "κόσμε", "\u{10ffff}", "\u{feff}\u{fffe}"];
        for words in right {
            let name = format!(
                "text: {} bytes of UTF-8, which is not spoken here",
                words.len()
            );
            self.fails(name, vec![whole(TEXT, words.as_bytes())], NOT_BINARY);
        }
        let words = "κόσμε".as_bytes();
        let parts = vec![
            frame(false, 0, TEXT, &words[..3]),
            whole(CONTINUATION, &words[3..]),
        ];
        self.fails(
            "text: UTF-8 cut inside a letter, by fragments",
            parts,
            NOT_BINARY,
        );
        let wrong: [(&str, &[u8]); 22] = [
            ("a continuation alone", b"\x80"),
            ("two continuations", b"\x80\xbf"),
            ("a start of two alone", b"\xc3"),
            ("a start of three alone", b"\xe2\x82"),
            ("a start of four alone", b"\xf0\x9f\x98"),
            ("a start before a letter", b"\xc3a"),
            ("an overlong slash of two", b"\xc0\xaf"),
            ("an overlong slash of three", b"\xe0\x80\xaf"),
            ("an overlong slash of four", b"\xf0\x80\x80\xaf"),
            ("an overlong slash of five", b"\xf8\x80\x80\x80\xaf"),
            ("an overlong slash of six", b"\xfc\x80\x80\x80\x80\xaf"),
            ("an overlong end of two", b"\xc1\xbf"),
            ("an overlong end of three", b"\xe0\x9f\xbf"),
            ("an overlong zero", b"\xc0\x80"),
            ("the first surrogate", b"\xed\xa0\x80"),
            ("the last surrogate", b"\xed\xbf\xbf"),
            ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80"),
            ("beyond the last", b"\xf4\x90\x80\x80"),
            ("fe", b"\xfe"),
            ("ff", b"\xff"),
            (
                "wrong in the middle",
                b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80edited",
            ),
            ("five bytes", b"\xf8\x88\x80\x80\x80"),
        ];
        for (what, bytes) in wrong {
            let name = format!("text: {what}");
            self.fails(&*name, vec![whole(TEXT, bytes)], NOT_UTF8);
            let (first, last) = bytes.split_at(bytes.len() / 2);
            let parts = vec![frame(false, 0, TEXT, first), whole(CONTINUATION, last)];
            self.fails(format!("{name}, in fragments"), parts, NOT_UTF8);
        }
    }

    fn closing(&mut self) {
        let answers = |list: &mut Self, name: String, payload: &[u8], code: Option<u16>| {
            list.add(name, vec![whole(CLOSE, payload)], vec![Then::Close(code)]);
        };
        answers(self, "close: without a code".to_owned(), b"", None);
        for code in [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
        ] {
            answers(
                self,
                format!("close: {code}"),
                &close(code, b""),
                Some(code),
            );
            let words = "schön".as_bytes();
            answers(
                self,
                format!("close: {code} with words"),
                &close(code, words),
                Some(code),
            );
        }
        let most = close(1000, &[b'*'; 123]);
        answers(
            self,
            "close: with the longest words".to_owned(),
            &most,
            Some(1000),
        );
        let once = vec![Then::Close(Some(1000))];
        let end = whole(CLOSE, &close(1000, b""));
        self.add("close: twice", vec![end.clone(), end.clone()], once.clone());
        let after = vec![end.clone(), whole(PING, b"late")];
        self.add("close: then a ping", after, once.clone());
        let after = vec![end.clone(), whole(BINARY, &(self.message)(b"late"))];
        self.add("close: then a message", after, once.clone());
        let after = vec![[end.clone(), whole(BINARY, &(self.message)(b"late"))].concat()];
        self.add("close: then a message, in one piece", after, once.clone());
        self.add("close: byte by byte", bytewise(vec![end.clone()]), once);
        let before = vec![whole(BINARY, &(self.message)(b"before")), end];
        let then = vec![Then::Echo(b"before".to_vec()), Then::Close(Some(1000))];
        self.add("close: after a message", before, then);
    }

    fn wrong_closing(&mut self) {
        for code in [
            0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
        ] {
            let payload = close(code, b"");
            self.fails(
                format!("close: {code}"),
                vec![whole(CLOSE, &payload)],
                PROTOCOL,
            );
            let payload = close(code, b"words");
            self.fails(
                format!("close: {code} with words"),
                vec![whole(CLOSE, &payload)],
                PROTOCOL,
            );
        }
        self.fails("close: half a code", vec![whole(CLOSE, b"\x03")], PROTOCOL);
        let long = close(1000, &[b'*'; 124]);
        self.fails("close: words too long", vec![whole(CLOSE, &long)], PROTOCOL);
        let wrong = close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80");
        self.fails(
            "close: words that are not UTF-8",
            vec![whole(CLOSE, &wrong)],
            NOT_UTF8,
        );
    }

    fn lengths_and_masks(&mut self) {
        let message = (self.message)(b"masks");
        let echo = vec![Then::Echo(b"masks".to_vec())];
        for mask in [[0; 4], [0xff; 4], [1, 2, 3, 4]] {
            let piece = framed(true, 0, BINARY, &message, Some(mask));
            self.add(format!("mask: {mask:?}"), vec![piece], echo.clone());
        }
        for (opcode, what) in [
            (BINARY, "a message"),
            (TEXT, "text"),
            (PING, "a ping"),
            (PONG, "a pong"),
            (CLOSE, "a close"),
        ] {
            let payload = if opcode == CLOSE {
                close(1000, b"")
            } else {
                b"bare".to_vec()
            };
            let piece = framed(true, 0, opcode, &payload, None);
            self.fails(format!("mask: none on {what}"), vec![piece], PROTOCOL);
        }
        // Told before it is sent: nothing of it is waited for.
        for len in [LARGEST as u64 + 65, 1 << 20, u64::from(u32::MAX), 1 << 62] {
            let mut piece = vec![0x80 | BINARY, 0x80 | 127];
            piece.extend(len.to_be_bytes());
            piece.extend(MASK);
            self.fails(format!("length: {len}"), vec![piece], TOO_BIG);
        }
        let over = vec![7; LARGEST + SIGNAL_HEAD + 3 + 64];
        self.fails(
            "length: a frame too large",
            vec![whole(BINARY, &over)],
            TOO_BIG,
        );
    }
}

//! A data-channel session description, without what every such description repeats.
//!
//! Attributes we do not know pass through, so that what browsers add one day works between them.

use core::fmt::Write as _;

use crate::limits::{SDP_LINE_BYTES, SDP_LINES};
use crate::wire::codec::{List, Malformed, Reader, Text, Wire};
use crate::wire_struct;

/// One line of SDP without its end: no control characters, so nobody can smuggle a second line in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line(Text<SDP_LINE_BYTES>);

impl Line {
    /// The line, unless it is too long or is several.
    #[must_use]
    pub fn new(line: &str) -> Option<Self> {
        if line.chars().any(char::is_control) {
            None
        } else {
            Text::new(line).map(Self)
        }
    }

    /// The line as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Wire for Line {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let text = Text::<SDP_LINE_BYTES>::decode(input)?;
        Self::new(&text).ok_or(Malformed)
    }
}

/// The attributes that we write ourselves.
const OWN: [&str; 8] = [
    "setup",
    "ice-ufrag",
    "ice-pwd",
    "fingerprint",
    "mid",
    "sctp-port",
    "max-message-size",
    "group",
];

/// An attribute that we only pass on: none of those that we write, or a second fingerprint would
/// stand beside the one that was confirmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Other(Line);

impl Other {
    /// The attribute, unless it is too long, several, or one that we write.
    #[must_use]
    pub fn new(attribute: &str) -> Option<Self> {
        let name = attribute.split(':').next().unwrap_or_default();
        if OWN.iter().any(|own| name.trim().eq_ignore_ascii_case(own)) {
            return None;
        }
        Line::new(attribute).map(Self)
    }
}

impl Wire for Other {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let line = Line::decode(input)?;
        Self::new(line.as_str()).ok_or(Malformed)
    }
}

wire_struct! {
    /// What one end of a link says of itself.
    pub struct Description {
        /// An offer, not an answer.
        pub offer: bool,
        /// DTLS role: actpass, active or passive.
        pub setup: Line,
        /// ICE user name.
        pub ufrag: Line,
        /// ICE password.
        pub pwd: Line,
        /// SHA-256 of the DTLS certificate.
        pub fingerprint: [u8; 32],
        /// Of the one media section.
        pub mid: Line,
        /// SCTP port.
        pub sctp_port: u16,
        /// Largest message the end takes; 0 where it does not say.
        pub max_message_size: u32,
        /// Session attributes that we only pass on.
        pub session: List<Other, SDP_LINES>,
        /// Media attributes that we only pass on, candidates among them.
        pub media: List<Other, SDP_LINES>,
    }
}

impl Description {
    /// Reads what a browser wrote; nothing if it is not a description of one data channel section.
    #[must_use]
    pub fn parse(offer: bool, sdp: &str) -> Option<Self> {
        let mut found = Found::default();
        for line in sdp.lines() {
            let line = line.trim_end();
            if line.starts_with("m=") {
                if found.in_media || !line.starts_with("m=application ") {
                    return None;
                }
                found.in_media = true;
            } else if let Some(attribute) = line.strip_prefix("a=") {
                found.attribute(attribute)?;
            }
        }
        Some(Self {
            offer,
            setup: found.setup?,
            ufrag: found.ufrag?,
            pwd: found.pwd?,
            fingerprint: found.fingerprint?,
            mid: found.mid?,
            sctp_port: found.sctp_port?,
            max_message_size: found.max_message_size.unwrap_or(0),
            session: List::new(found.session)?,
            media: List::new(found.media)?,
        })
    }

    /// The description as browsers read it.
    #[must_use]
    pub fn to_sdp(&self) -> String {
        let mid = self.mid.as_str();
        let mut out =
            format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mid}\r\n");
        for Other(line) in self.session.iter() {
            let _ = write!(out, "a={}\r\n", line.as_str());
        }
        let _ = write!(
            out,
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
             a=mid:{mid}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\n\
             a=setup:{}\r\na=sctp-port:{}\r\n",
            self.ufrag.as_str(),
            self.pwd.as_str(),
            fingerprint_text(&self.fingerprint),
            self.setup.as_str(),
            self.sctp_port,
        );
        if self.max_message_size > 0 {
            let _ = write!(out, "a=max-message-size:{}\r\n", self.max_message_size);
        }
        for Other(line) in self.media.iter() {
            let _ = write!(out, "a={}\r\n", line.as_str());
        }
        out
    }
}

#[derive(Default)]
struct Found {
    in_media: bool,
    setup: Option<Line>,
    ufrag: Option<Line>,
    pwd: Option<Line>,
    fingerprint: Option<[u8; 32]>,
    mid: Option<Line>,
    sctp_port: Option<u16>,
    max_message_size: Option<u32>,
    session: Vec<Other>,
    media: Vec<Other>,
}

impl Found {
    fn attribute(&mut self, attribute: &str) -> Option<()> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "setup" => self.setup = Some(Line::new(value)?),
            "ice-ufrag" => self.ufrag = Some(Line::new(value)?),
            "ice-pwd" => self.pwd = Some(Line::new(value)?),
            "fingerprint" => {
                // A certificate may be described by several hashes; SHA-256 is always one.
                if let Some(hash) = value.strip_prefix("sha-256 ") {
                    self.fingerprint = Some(parse_fingerprint(hash)?);
                }
            }
            "mid" => self.mid = Some(Line::new(value)?),
            "sctp-port" => self.sctp_port = Some(value.parse().ok()?),
            "max-message-size" => {
                self.max_message_size =
                    Some(u32::try_from(value.parse::<u64>().ok()?).unwrap_or(u32::MAX));
            }
            // Written anew.
            "group" => {}
            _ if self.in_media => self.media.push(Other::new(attribute)?),
            _ => self.session.push(Other::new(attribute)?),
        }
        Some(())
    }
}

fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let mut parts = text.split(':');
    for byte in &mut out {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(out)
}

fn fingerprint_text(bytes: &[u8; 32]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROMIUM: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\na=sctp-init:AQ\r\n";

    #[test]
    fn what_a_browser_wrote_survives_the_way() {
        let description = Description::parse(true, CHROMIUM).unwrap();
        assert_eq!(description.fingerprint, core::array::from_fn(|i| i as u8));
        assert_eq!(
            Description::from_bytes(&description.to_bytes()),
            Ok(description.clone())
        );
        assert!(description.to_bytes().len() < 256, "compact");
        let again = Description::parse(true, &description.to_sdp()).unwrap();
        assert_eq!(again, description);
        assert!(
            description.to_sdp().contains("a=sctp-init:AQ\r\n"),
            "unknown ones pass"
        );
        assert!(description.to_sdp().contains("a=ice-options:trickle\r\n"));
    }

    #[test]
    fn session_level_fingerprints_count_and_missing_parts_do_not() {
        let firefox = CHROMIUM.replace("a=setup:actpass\r\n", "");
        assert!(Description::parse(true, &firefox).is_none());
        let video = CHROMIUM.replace("m=application", "m=video");
        assert!(Description::parse(true, &video).is_none());
    }

    #[test]
    fn nobody_smuggles_lines() {
        assert!(Line::new("x\r\na=setup:active").is_none());
        let text = Text::<SDP_LINE_BYTES>::new("x\ny").unwrap();
        assert_eq!(Line::from_bytes(&text.to_bytes()), Err(Malformed));
    }

    #[test]
    fn nobody_adds_a_second_fingerprint() {
        for own in [
            "fingerprint:sha-256 00",
            "Fingerprint :x",
            "setup:active",
            "group",
        ] {
            let text = Text::<SDP_LINE_BYTES>::new(own).unwrap();
            assert_eq!(Other::from_bytes(&text.to_bytes()), Err(Malformed), "{own}");
        }
        assert!(Other::new("fingerprints-of-the-future:1").is_some());
    }
}

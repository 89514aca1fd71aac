//! The log of a universe: one aligned line per thing that happened, if somebody asked for it.

use peer_group::time::Millis;

/// Lines, printed or kept, or not even made.
pub struct Trace {
    printing: bool,
    keeping: bool,
    /// Lines that were kept.
    pub lines: Vec<String>,
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

impl Trace {
    /// Prints if `SIM_TRACE` is set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            printing: std::env::var_os("SIM_TRACE").is_some_and(|value| value != "0"),
            keeping: false,
            lines: Vec::new(),
        }
    }

    /// Keeps every line from now on.
    pub fn keep(&mut self) {
        self.keeping = true;
    }

    /// One line: when, where, what.
    pub fn line(&mut self, now: Millis, place: &str, what: impl FnOnce() -> String) {
        if !self.printing && !self.keeping {
            return;
        }
        let line = format!(
            "{:>9}.{:03} {place:<4} {}",
            now / 1000,
            now % 1000,
            shorten(&what())
        );
        if self.printing {
            println!("{line}");
        }
        if self.keeping {
            self.lines.push(line);
        }
    }

    /// One line about a machine.
    pub fn machine(&mut self, now: Millis, machine: usize, what: impl FnOnce() -> String) {
        if self.printing || self.keeping {
            self.line(now, &format!("m{machine}"), what);
        }
    }
}

/// Byte lists as their length, for what is in them is sealed anyway; descriptions as their user
/// name.
fn shorten(text: &str) -> String {
    name_descriptions(&count_bytes(text))
}

fn name_descriptions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\"v=0") {
        let (before, sdp) = rest.split_at(at);
        let end = sdp[1..].find('"').map_or(sdp.len(), |end| end + 2);
        let name = sdp[..end]
            .split("a=ice-ufrag:")
            .nth(1)
            .and_then(|rest| rest.split('\\').next());
        out.push_str(before);
        out.push_str(name.unwrap_or("a description"));
        rest = &sdp[end..];
    }
    out.push_str(rest);
    out
}

fn count_bytes(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(200));
    let mut rest = text;
    while let Some(at) = rest.find("bytes: [") {
        let (before, list) = rest.split_at(at + "bytes: [".len());
        let end = list.find(']').unwrap_or(list.len());
        let count = list[..end]
            .split(',')
            .filter(|n| !n.trim().is_empty())
            .count();
        out.push_str(before);
        out.push_str(&count.to_string());
        rest = &list[end..];
    }
    out.push_str(rest);
    if let Some((cut, _)) = out.char_indices().nth(400) {
        out.truncate(cut);
        out.push_str("..");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_not_listed() {
        assert_eq!(
            shorten("A { bytes: [1, 2, 3], x: 1 } B { bytes: [] }"),
            "A { bytes: [3], x: 1 } B { bytes: [0] }"
        );
    }

    #[test]
    fn descriptions_are_named() {
        let sdp = "v=0\r\na=ice-ufrag:abcd\r\na=setup:active\r\n".to_owned();
        assert_eq!(
            shorten(&format!("A {{ sdp: {sdp:?}, x: 1 }}")),
            "A { sdp: abcd, x: 1 }"
        );
    }
}

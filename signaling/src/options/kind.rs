//! What an option's value may be: how it is read, how it is written, and its bounds.

use std::time::Duration;

use crate::rooms::Rate;
use crate::settings::Settings;

/// What an option's value may be, and where it goes.
pub(super) enum Kind {
    /// A whole number within bounds, which are in the units that people write.
    Number {
        /// What it counts.
        unit: Unit,
        /// The least and the most.
        bounds: (u64, u64),
        /// Where it goes.
        at: fn(&mut Settings) -> &mut dyn Number,
    },
    /// So many a second after a burst.
    Rate {
        /// What it counts: things or bytes.
        unit: Unit,
        /// The most of either.
        most: u64,
        /// Where it goes.
        at: fn(&mut Settings) -> &mut Rate,
    },
    /// On or off.
    Switch {
        /// Where it goes.
        at: fn(&mut Settings) -> &mut bool,
    },
    /// Something else, once or not at all.
    One {
        /// Reads it; nothing, if it is not given.
        set: fn(&mut Settings, &str) -> Result<(), String>,
        /// As it would be written.
        show: fn(&Settings) -> Option<String>,
    },
    /// Something else, so often.
    Many {
        /// The most.
        most: usize,
        /// Reads all of them.
        set: fn(&mut Settings, &[String]) -> Result<(), String>,
        /// As they would be written.
        show: fn(&Settings) -> Vec<String>,
    },
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things.
    Each,
    /// Bytes, which may be written with K or M.
    Bytes,
    /// Seconds, kept as milliseconds.
    Seconds,
    /// Seconds, kept as such.
    WholeSeconds,
}

/// A number of the settings. Times are counted in milliseconds.
pub(super) trait Number {
    /// What it is.
    fn get(&self) -> u64;
    /// What it shall be; within its bounds, which its type can hold.
    fn set(&mut self, value: u64);
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn get(&self) -> u64 {
                u64::try_from(*self).unwrap_or(u64::MAX)
            }
            fn set(&mut self, value: u64) {
                *self = Self::try_from(value).unwrap_or(Self::MAX);
            }
        }
    )*};
}
numbers!(u16, u32, u64, usize);

impl Number for Duration {
    fn get(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
    fn set(&mut self, value: u64) {
        *self = Self::from_millis(value);
    }
}

/// A value as it stands in a file or on a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// A number, in the units that people write.
    Number(u64),
    /// On or off.
    Switch(bool),
    /// Text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    fn text(&self) -> Option<String> {
        match self {
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Switch(_) | Self::List(_) => None,
        }
    }
}

impl Kind {
    /// Puts `value` where it belongs, or says what would be right.
    pub(super) fn set(&self, settings: &mut Settings, value: &Value) -> Result<(), String> {
        match self {
            Self::Number { unit, bounds, at } => {
                let text = value.text().ok_or_else(|| self.expected())?;
                let number = number(*unit, &text).ok_or_else(|| self.expected())?;
                if number < bounds.0 || number > bounds.1 {
                    return Err(self.expected());
                }
                at(settings).set(number.saturating_mul(unit.scale()));
            }
            Self::Rate { unit, most, at } => {
                let text = value.text().ok_or_else(|| self.expected())?;
                let rate = text.split_once('/').and_then(|(per_second, burst)| {
                    let part = |text| number(*unit, text).filter(|n| (1..=*most).contains(n));
                    Some(Rate {
                        per_second: u32::try_from(part(per_second)?).ok()?,
                        burst: u32::try_from(part(burst)?).ok()?,
                    })
                });
                *at(settings) = rate.ok_or_else(|| self.expected())?;
            }
            Self::Switch { at } => {
                *at(settings) = match value {
                    Value::Switch(on) => *on,
                    Value::Text(text) if text == "on" => true,
                    Value::Text(text) if text == "off" => false,
                    _ => return Err(self.expected()),
                };
            }
            Self::One { set, .. } => {
                let text = value.text().ok_or_else(|| self.expected())?;
                set(settings, &text)?;
            }
            Self::Many { most, set, .. } => {
                let all = match value {
                    Value::List(all) => all.clone(),
                    Value::Text(one) => vec![one.clone()],
                    _ => return Err(self.expected()),
                };
                if all.len() > *most {
                    return Err(self.expected());
                }
                set(settings, &all)?;
            }
        }
        Ok(())
    }

    /// What it is set to; nothing where it is not set.
    pub(super) fn get(&self, settings: &mut Settings) -> Option<Value> {
        Some(match self {
            Self::Number { unit, at, .. } => Value::Number(at(settings).get() / unit.scale()),
            Self::Rate { unit, at, .. } => {
                let rate = *at(settings);
                let part = |n| short(*unit, u64::from(n));
                Value::Text(format!("{}/{}", part(rate.per_second), part(rate.burst)))
            }
            Self::Switch { at } => Value::Switch(*at(settings)),
            Self::One { show, .. } => Value::Text(show(settings)?),
            Self::Many { show, .. } => {
                let all = show(settings);
                if all.is_empty() {
                    return None;
                }
                Value::List(all)
            }
        })
    }

    /// What may be written, for people.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Number { unit, bounds, .. } => {
                let (least, most) = (short(*unit, bounds.0), short(*unit, bounds.1));
                format!("{} from {least} to {most}", unit.name())
            }
            Self::Rate { unit, most, .. } => {
                let most = short(*unit, *most);
                let what = unit.name();
                format!("{what} a second and {what} at once, such as 2/24, each from 1 to {most}")
            }
            Self::Switch { .. } => "on or off (in a file: true or false)".to_owned(),
            Self::One { .. } => "a text".to_owned(),
            Self::Many { most, .. } => format!("a text or a list of at most {most}"),
        }
    }
}

impl Unit {
    /// How many of what the settings count one of what people write is.
    fn scale(self) -> u64 {
        match self {
            Self::Each | Self::Bytes | Self::WholeSeconds => 1,
            Self::Seconds => 1000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Each => "a number",
            Self::Bytes => "bytes (K or M for KiB or MiB)",
            Self::Seconds | Self::WholeSeconds => "seconds",
        }
    }
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * 1024;

fn number(unit: Unit, text: &str) -> Option<u64> {
    let (digits, scale) = match (unit, text.strip_suffix('K'), text.strip_suffix('M')) {
        (Unit::Bytes, Some(digits), _) => (digits, KIB),
        (Unit::Bytes, _, Some(digits)) => (digits, MIB),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

fn short(unit: Unit, number: u64) -> String {
    match unit {
        Unit::Bytes if number > 0 && number.is_multiple_of(MIB) => format!("{}M", number / MIB),
        Unit::Bytes if number > 0 && number.is_multiple_of(KIB) => format!("{}K", number / KIB),
        _ => number.to_string(),
    }
}

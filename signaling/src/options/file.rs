//! Options in a file: TOML whose keys are the names of the flags.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::kind::Value;
use super::table::Row;
use crate::settings::{Settings, quoted};

/// Takes the values of a file over.
pub(super) fn read(path: &Path, rows: &[Row], settings: &mut Settings) -> Result<(), String> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    parse(&text, rows, settings).map_err(|error| format!("{name}, {error}"))
}

fn parse(text: &str, rows: &[Row], settings: &mut Settings) -> Result<(), String> {
    let line = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        format!("line {}", before.lines().count().max(1))
    };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.end);
        format!("{}: this is not TOML: {}", line(at), error.message())
    })?;
    let mut values = BTreeMap::new();
    for (key, value) in table.get_ref() {
        let (name, at) = (key.get_ref(), line(key.span().end));
        let Some(row) = rows.iter().find(|row| row.name == name) else {
            let words = match nearest(name, rows) {
                Some(right) => format!("did you mean {right}?"),
                None => "--print-config lists all that there are".to_owned(),
            };
            return Err(format!("{at}: there is no option {name}; {words}"));
        };
        let value = plain(value.get_ref())
            .ok_or_else(|| format!("{at}: {name} takes {}", row.kind.expected()))?;
        values.insert(row.name, (value, at));
    }
    // In the order of the table: some options look at those before them.
    for row in rows {
        if let Some((value, at)) = values.get(row.name) {
            let words = |words| format!("{at}: {}: {words}", row.name);
            row.kind.set(settings, value).map_err(words)?;
        }
    }
    Ok(())
}

fn plain(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            Value::Number(u64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::Array(all) => {
            let texts = all.iter().map(|one| match one.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            });
            Value::List(texts.collect::<Option<_>>()?)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => return None,
    })
}

/// The option that was most likely meant.
fn nearest(name: &str, rows: &[Row]) -> Option<&'static str> {
    let distance = |row: &Row| strsim::damerau_levenshtein(name, row.name);
    let best = rows.iter().min_by_key(|row| distance(row))?;
    (distance(best) <= (name.len() / 2).max(2)).then_some(best.name)
}

/// A file that says what `settings` say, with the help of each option.
pub(super) fn print(settings: &Settings, rows: &[Row]) -> String {
    let mut settings = settings.clone();
    let mut text = String::from(
        "# Options of peer-group-signaling. Each key is a flag of the same name too, which wins.\n",
    );
    let mut heading = "";
    for row in rows {
        if row.heading != heading {
            heading = row.heading;
            let _ = write!(text, "\n# == {heading} ==\n");
        }
        let _ = write!(text, "\n# {}\n", row.help);
        let _ = match row.kind.get(&mut settings) {
            Some(value) => writeln!(text, "{} = {}", row.name, written(&value)),
            None => writeln!(text, "# {} = \"{}\"", row.name, row.value),
        };
    }
    text
}

fn written(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Switch(on) => on.to_string(),
        Value::Text(text) => quoted(text),
        Value::List(all) => format!(
            "[{}]",
            all.iter()
                .map(|text| quoted(text))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::rows;
    use super::*;

    fn refused(text: &str) -> String {
        parse(text, &rows(), &mut Settings::default()).unwrap_err()
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same() {
        let rows = rows();
        let mut settings = Settings::default();
        let values = [
            ("listen", Value::Text("[::1]:9".into())),
            ("www", Value::Text("a \"b\" \\ \t c".into())),
            ("public-url", Value::Text("http://a.example:443".into())),
            (
                "ice-server",
                Value::List(vec!["stun:a".into(), "stun:b".into()]),
            ),
            ("relay", Value::Switch(false)),
            ("relay-window", Value::Text("96K".into())),
            ("requests", Value::Text("3/7".into())),
            ("silent-seconds", Value::Number(80)),
            ("turn", Value::Text("[::1]:3478".into())),
            ("turn-host", Value::Text("[::1]".into())),
        ];
        for (name, value) in values {
            let row = rows.iter().find(|row| row.name == name).unwrap();
            row.kind.set(&mut settings, &value).unwrap();
        }
        let text = print(&settings, &rows);
        let mut again = Settings::default();
        parse(&text, &rows, &mut again).unwrap();
        assert_eq!(format!("{again:?}"), format!("{settings:?}"), "{text}");
        assert_ne!(format!("{again:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn a_wrong_key_is_answered_with_the_nearest_right_one_and_its_line() {
        let words = refused("# ours\nlisten = \"[::]:80\"\n\nconections = 3\n");
        assert_eq!(
            words,
            "line 4: there is no option conections; did you mean connections?"
        );
        assert!(refused("relay_window = 7").contains("did you mean relay-window?"));
        assert!(refused("something-else-altogether = 7").contains("--print-config"));
    }

    #[test]
    fn a_wrong_value_is_answered_with_what_is_right() {
        for (text, part) in [
            ("connections = 0", "a number from 1 to 10000000"),
            ("connections = -1", "a number from 1"),
            ("connections = 1.5", "a number from 1"),
            ("connections = [\"1\"]", "a number from 1"),
            ("silent-seconds = 60", "seconds from 75 to 3600"),
            (
                "relay-window = \"1K\"",
                "bytes (K or M for KiB or MiB) from 32896 to 16M",
            ),
            ("requests = \"2\"", "such as 2/24"),
            ("requests = \"0/9\"", "such as 2/24"),
            ("relay = \"perhaps\"", "on or off"),
            ("listen = \"8080\"", "127.0.0.1:8080"),
            ("ice-server = [\"turn:a\"]", "credentials"),
            ("connections = ", "not TOML"),
            ("connections = 1\nconnections = 2", "not TOML"),
        ] {
            let words = refused(text);
            assert!(words.contains(part), "{text}: {words}");
            assert!(words.starts_with("line "), "{text}: {words}");
        }
        let nine = format!("ice-server = [{}]", ["\"stun:a\""; 9].join(","));
        assert!(refused(&nine).contains("at most 8"));
    }
}

//! YAML text in, a JSON value and the place of each of its nodes out.
//!
//! Only what a configuration needs is read: one document of plain mappings, sequences and scalars.
//! Anchors, aliases, tags and duplicate keys are refused, so nothing expands and nothing is hidden.

use std::collections::HashMap;

use serde_json::{Map, Value};
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::errors::{ConfigError, ConfigErrors};
use super::place::{At, Place};
use super::quote::quoted;

/// The longest file: a configuration with 200 routes on each of 16 listeners has a tenth of it.
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;
/// The deepest nesting: the format itself needs five levels.
const MAX_DEPTH: usize = 16;

/// Where each node stands, by JSON pointer.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where the key stands; for an item of a sequence, the item itself.
    pub(super) keys: HashMap<String, Place>,
    pub(super) values: HashMap<String, Place>,
}

/// Reads a document. Everything that is wrong with it as YAML is reported together, up to the first
/// place where it stops being YAML.
pub(super) fn read(text: &str) -> Result<(Value, Places), ConfigErrors> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        places: Places::default(),
        errors: Vec::new(),
    };
    let outcome = reader.document();
    let Reader { places, mut errors, .. } = reader;
    match outcome {
        Ok(value) if errors.is_empty() => Ok((value, places)),
        Ok(_) => Err(ConfigErrors::new(errors)),
        Err(error) => {
            errors.push(error);
            Err(ConfigErrors::new(errors))
        }
    }
}

struct Reader<'a> {
    parser: Parser<std::str::Chars<'a>>,
    places: Places,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, ConfigError> {
        loop {
            let (event, mark) = self.next(&At::root())?;
            match event {
                Event::StreamStart | Event::DocumentStart | Event::Nothing => {}
                Event::StreamEnd => return Ok(Value::Object(Map::new())),
                other => {
                    let value = self.node(other, mark, &At::root(), 0)?;
                    self.end()?;
                    return Ok(value);
                }
            }
        }
    }

    /// After the one document nothing may follow.
    fn end(&mut self) -> Result<(), ConfigError> {
        loop {
            let (event, mark) = self.next(&At::root())?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentEnd | Event::Nothing => {}
                Event::StreamStart
                | Event::DocumentStart
                | Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {
                    let message = "the file must hold one YAML document only";
                    return Err(ConfigError::at(place(&mark), &At::root(), message));
                }
            }
        }
    }

    fn next(&mut self, at: &At) -> Result<(Event, Marker), ConfigError> {
        self.parser.next_token().map_err(|error| {
            ConfigError::at(place(error.marker()), at, format!("not YAML: {}", error.info()))
        })
    }

    /// One node whose first event has been taken. The recursion is bounded by [`MAX_DEPTH`].
    fn node(
        &mut self,
        event: Event,
        mark: Marker,
        at: &At,
        depth: usize,
    ) -> Result<Value, ConfigError> {
        let here = place(&mark);
        self.places.values.insert(at.pointer().to_owned(), here);
        if depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(ConfigError::at(here, at, message));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), here, at);
                if text.is_empty() && style == TScalarStyle::Plain {
                    // A value that is not there has the place of whatever comes next.
                    self.places.values.remove(at.pointer());
                }
                Ok(if style == TScalarStyle::Plain { plain(text) } else { Value::String(text) })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), here, at);
                self.sequence(at, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), here, at);
                self.mapping(at, depth)
            }
            Event::Alias(_) => {
                self.errors.push(ConfigError::at(here, at, "YAML aliases are not allowed"));
                Ok(Value::Null)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(ConfigError::at(here, at, "not YAML: a value is missing")),
        }
    }

    fn sequence(&mut self, at: &At, depth: usize) -> Result<Value, ConfigError> {
        let mut items = Vec::new();
        loop {
            let item = at.index(items.len());
            let (event, mark) = self.next(&item)?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(items));
            }
            self.places.keys.insert(item.pointer().to_owned(), place(&mark));
            items.push(self.node(event, mark, &item, depth + 1)?);
        }
    }

    fn mapping(&mut self, at: &At, depth: usize) -> Result<Value, ConfigError> {
        let mut entries = Map::new();
        loop {
            let (event, mark) = self.next(at)?;
            let here = place(&mark);
            let (key, anchor, has_tag) = match event {
                Event::MappingEnd => return Ok(Value::Object(entries)),
                Event::Scalar(key, _, anchor, tag) => (key, anchor, tag.is_some()),
                _ => return Err(ConfigError::at(here, at, "a key must be a plain text")),
            };
            let entry = at.key(&key);
            if entries.is_empty() {
                self.starts_at(at, here);
            }
            self.refuse_extras(anchor, has_tag, here, &entry);
            if let Some(first) = self.places.keys.get(entry.pointer()) {
                let message = format!("duplicate key; it stands on line {} already", first.line);
                self.errors.push(ConfigError::at(here, &entry, message));
            } else {
                self.places.keys.insert(entry.pointer().to_owned(), here);
            }
            let (event, mark) = self.next(&entry)?;
            let value = self.node(event, mark, &entry, depth + 1)?;
            entries.insert(key, value);
        }
    }

    /// The parser places a block mapping at its first colon; it starts at its first key.
    fn starts_at(&mut self, at: &At, first_key: Place) {
        let is_item = at.parts().last().is_some_and(|part| part.parse::<usize>().is_ok());
        let keys = is_item.then_some(&mut self.places.keys);
        for places in [Some(&mut self.places.values), keys].into_iter().flatten() {
            if let Some(place) = places.get_mut(at.pointer()) {
                *place = first_key.min(*place);
            }
        }
    }

    fn refuse_extras(&mut self, anchor: usize, has_tag: bool, here: Place, at: &At) {
        if anchor != 0 {
            self.errors.push(ConfigError::at(here, at, "YAML anchors are not allowed"));
        }
        if has_tag {
            self.errors.push(ConfigError::at(here, at, "YAML tags are not allowed"));
        }
    }
}

/// The core schema of YAML 1.2 without its octal, hexadecimal and infinite numbers: `yes` is a text.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Value::from(integer);
    }
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>() {
        Ok(number) if is_number => Value::from(number),
        _ => Value::String(text),
    }
}

fn place(mark: &Marker) -> Place {
    let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: clip(mark.line()), column: clip(mark.col()).saturating_add(1) }
}

/// Refuses what must not even be scanned.
pub(super) fn check_text(bytes: &[u8]) -> Result<&str, ConfigErrors> {
    let start = Place { line: 1, column: 1 };
    let refuse = |place, message: String| {
        Err(ConfigErrors::new(vec![ConfigError::at(place, &At::root(), message)]))
    };
    if bytes.len() > MAX_FILE_BYTES {
        return refuse(start, format!("the file is longer than {MAX_FILE_BYTES} bytes"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = good.iter().filter(|b| **b == b'\n').count() + 1;
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            let byte = quoted(&format!("0x{byte:02x}"));
            refuse(Place { line, column: 1 }, format!("the file is not UTF-8: byte {byte}"))
        }
    }
}

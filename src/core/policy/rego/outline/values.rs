//! The data of a bundle, value by value: objects are walked into, an array is one value.

use regorus::Value;

use super::super::super::item::{Item, ItemKind};
use super::super::super::{Files, Findings, digest_of};
use super::super::data;
use super::super::paths::RulePath;
use super::super::rules::Rules;
use super::keys::{Keys, keys_of};

/// Above this the data is compared as a whole: the list of its values would be larger than an answer
/// of the worker.
const MAX_VALUES: usize = 100_000;
const MAX_BYTES: usize = 16 << 20;

/// Every value below `data` with its path; one item for all of it where there are too many.
pub(super) fn items(files: &Files, rules: &Rules) -> Vec<(RulePath, Item)> {
    let Some(data) = data::load(files, rules, &mut Findings::default()) else { return Vec::new() };
    let mut walk = Walk { keys: keys_of(files), items: Vec::new(), bytes: 0 };
    if walk.value(&data, &mut RulePath::default()).is_some() {
        return walk.items;
    }
    let digest = digest_of(data.to_string().as_bytes());
    vec![(RulePath::default(), Item::plain(ItemKind::Data, "data", ("", 0), digest))]
}

struct Walk {
    keys: Keys,
    items: Vec<(RulePath, Item)>,
    bytes: usize,
}

impl Walk {
    /// `None` when there are too many. The loader bounds the depth.
    fn value(&mut self, value: &Value, path: &mut RulePath) -> Option<()> {
        if let Value::Object(object) = value
            && (object.iter().next().is_some() || path.0.is_empty())
        {
            for (key, value) in object.iter() {
                path.0.push(key.as_string().map(|key| key.to_string()).unwrap_or_default());
                self.value(value, path)?;
                path.0.pop();
            }
            return Some(());
        }
        let meaning = value.to_string();
        let text = match value.as_array() {
            Ok(elements) => elements.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(_) => meaning.clone(),
        };
        let name = path.to_string();
        self.bytes += name.len() + meaning.len() + text.len();
        if self.items.len() >= MAX_VALUES || self.bytes > MAX_BYTES {
            return None;
        }
        let (file, line) = self.keys.get(&path.0).map_or(("", 0), |(file, line)| (&**file, *line));
        let item = Item::plain(ItemKind::Data, name, (file, line), meaning);
        self.items.push((path.clone(), Item { text, ..item }));
        Some(())
    }
}

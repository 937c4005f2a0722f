//! `templates.json`: links of policy templates, as the Cedar command line writes them.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{EntityUid, PolicyId, PolicySet, SlotId};
use serde::Deserialize;

use super::Findings;
use super::ids::check_id;
use super::json::array;
use super::parse::{ParsedFile, Places, claim};
use super::place::{Lines, error_at, sentence, warn_at};
use super::source::Source;
use super::words::Words;

/// Each link is a policy of its own.
const MAX_LINKS: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    template_id: String,
    link_id: String,
    args: HashMap<String, String>,
}

/// A template with its slots filled.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) template: PolicyId,
    pub(super) id: PolicyId,
    pub(super) values: HashMap<SlotId, EntityUid>,
}

/// Reads the links and adds them to the set that holds their templates.
pub(super) fn load(
    sources: &[Source<'_>],
    words: &Words,
    set: &mut PolicySet,
    places: &mut Places,
    findings: &mut Findings,
) -> Vec<Linked> {
    let mut all = Vec::new();
    for source in sources {
        let elements = array(*source, findings);
        if all.len() + elements.len() > MAX_LINKS {
            let message = format!("the bundle has more than {MAX_LINKS} template links");
            findings.error(source.file, 0, 0, message);
            return all;
        }
        let lines = Lines::of(source.text);
        for (offset, value) in elements {
            let linked = read(value, words).and_then(|linked| {
                if !claim(linked.id.as_ref(), *source, lines.place(offset), places, findings) {
                    return Ok(None);
                }
                set.link(linked.template.clone(), linked.id.clone(), linked.values.clone())
                    .map_err(|error| sentence(&error))?;
                Ok(Some(linked))
            });
            match linked {
                Ok(linked) => all.extend(linked),
                Err(message) => error_at(findings, source.file, source.text, offset, message),
            }
        }
    }
    all
}

/// Warns about templates without a link: they decide nothing.
pub(super) fn unused(files: &[ParsedFile<'_>], links: &[Linked], findings: &mut Findings) {
    let linked: BTreeSet<&PolicyId> = links.iter().map(|linked| &linked.template).collect();
    for file in files {
        for template in file.set.templates().filter(|template| !linked.contains(template.id())) {
            let start = file.statements.get(template.id()).map_or(0, |statement| statement.start);
            let message =
                format!("no link fills the template `{}`: it decides nothing", template.id());
            let hint = "add a link to `templates.json`, or take the template away";
            warn_at(findings, file.source, start, message, hint);
        }
    }
}

fn read(value: serde_json::Value, words: &Words) -> Result<Linked, String> {
    let link: Link = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let mut values = HashMap::new();
    for (slot, text) in &link.args {
        let slot = match slot.as_str() {
            "?principal" => SlotId::principal(),
            "?resource" => SlotId::resource(),
            _ => return Err(format!("there is no slot `{slot}`")),
        };
        let uid: EntityUid =
            text.parse().map_err(|_| format!("`{text}` is not of the form `Type::\"id\"`"))?;
        check_id(words, &uid)?;
        values.insert(slot, uid);
    }
    Ok(Linked {
        template: PolicyId::new(link.template_id),
        id: PolicyId::new(link.link_id),
        values,
    })
}

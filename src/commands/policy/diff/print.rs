//! How differences are told: for people, or as one JSON document.

use std::collections::BTreeMap;
use std::io::{self, Write};

use portreeve_core::policy::Outcome;
use portreeve_core::policy::compare::{Change, How, ItemKind, Line, Matrix, Place};
use serde_json::{Value, json};

use super::flips::{Flip, Flips};
use super::{Compared, Sides};
use crate::commands::policy::matrix::cell_to_json;
use crate::commands::policy::report::{place, printable};

/// For people; JSON has all.
const MAX_CHANGES: usize = 200;
const MAX_FLIPS: usize = 100;
/// Of what is new or gone as a whole, where the start says what it is.
const MAX_WHOLE_LINES: usize = 12;
/// Of what moved from one file to another.
const MAX_NAMES: usize = 4;
/// As wide as the longest word of [`word_of`].
const WORD: usize = 7;

pub(super) fn pretty(out: &mut impl Write, sides: &Sides, all: &[Compared]) -> io::Result<()> {
    for compared in all {
        if all.len() > 1 && (compared.differs() || !compared.changes.is_empty()) {
            let (a, b) = (compared.place_a(sides, ""), compared.place_b(sides, ""));
            writeln!(out, "{} → {}\n", printable(&a), printable(&b))?;
        }
        let is_shown = |change: &&Change| change.how != How::Moved;
        for change in compared.changes.iter().filter(is_shown).take(MAX_CHANGES) {
            pretty_change(out, sides, compared, change)?;
        }
        more(out, compared.changes.iter().filter(is_shown).count(), MAX_CHANGES)?;
        pretty_moves(out, sides, compared)?;
        for note in &compared.notes {
            writeln!(out, "note: {}", printable(note))?;
        }
        if let Some(flips) = &compared.flips {
            pretty_flips(out, sides, compared, flips)?;
        }
    }
    writeln!(out, "{}", summary(all))
}

fn more(out: &mut impl Write, count: usize, shown: usize) -> io::Result<()> {
    match count.checked_sub(shown) {
        Some(0) | None => Ok(()),
        Some(rest) => writeln!(out, "… and {rest} more: --format json has all\n"),
    }
}

fn pretty_change(
    out: &mut impl Write,
    sides: &Sides,
    compared: &Compared,
    change: &Change,
) -> io::Result<()> {
    let kind = change.kind.as_str();
    let name = printable(&change.name);
    let was = change.was.as_ref().map(|was| format!("{} → ", printable(was))).unwrap_or_default();
    let aspects = match change.aspects.as_slice() {
        [] => String::new(),
        aspects => format!(": {}", printable(&aspects.join(", "))),
    };
    writeln!(out, "{:<WORD$}  {kind} {was}{name}{aspects}", word_of(change.how))?;
    let indent = " ".repeat(WORD + 2);
    let of_a = change.a.as_ref().map(|a| place(&compared.place_a(sides, &a.file), a.line));
    let of_b = change.b.as_ref().map(|b| place(&compared.place_b(sides, &b.file), b.line));
    let places: Vec<String> = of_a.into_iter().chain(of_b).collect();
    writeln!(out, "{indent}{}", places.join(" → "))?;
    if !change.reaches.is_empty() {
        writeln!(out, "{indent}reaches {}", printable(&change.reaches.join(", ")))?;
    }
    let most = match (change.how, change.kind) {
        (How::Changed, _) => usize::MAX,
        (_, ItemKind::Test) => 0,
        _ => MAX_WHOLE_LINES,
    };
    let cut = change.lines.len().saturating_sub(most);
    for line in change.lines.iter().take(most) {
        let (sign, text) = match line {
            Line::Kept(text) => (' ', text),
            Line::Removed(text) => ('-', text),
            Line::Added(text) => ('+', text),
            Line::LeftOut(count) => {
                writeln!(out, "{indent}… {count} lines")?;
                continue;
            }
        };
        writeln!(out, "{indent}{}", format!("{sign} {}", printable(text)).trim_end())?;
    }
    if cut > 0 && most > 0 {
        writeln!(out, "{indent}… {cut} lines")?;
    }
    writeln!(out)
}

/// A line for each file that something moved out of and into: a folder may move as a whole.
fn pretty_moves(out: &mut impl Write, sides: &Sides, compared: &Compared) -> io::Result<()> {
    let mut moves: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for change in compared.changes.iter().filter(|change| change.how == How::Moved) {
        let (Some(a), Some(b)) = (&change.a, &change.b) else { continue };
        let files = (compared.place_a(sides, &a.file), compared.place_b(sides, &b.file));
        moves.entry(files).or_default().push(&change.name);
    }
    let indent = " ".repeat(WORD + 2);
    for ((a, b), mut names) in moves {
        let count = names.len();
        names.dedup();
        let more = if names.len() > MAX_NAMES { ", …" } else { "" };
        names.truncate(MAX_NAMES);
        writeln!(
            out,
            "{:<WORD$}  {count} as they were: {}{more}",
            "moved",
            printable(&names.join(", "))
        )?;
        writeln!(out, "{indent}{} → {}\n", printable(&a), printable(&b))?;
    }
    Ok(())
}

const fn word_of(how: How) -> &'static str {
    match how {
        How::Added => "added",
        How::Removed => "removed",
        How::Changed => "changed",
        How::Renamed => "renamed",
        How::Moved => "moved",
    }
}

fn pretty_flips(
    out: &mut impl Write,
    sides: &Sides,
    compared: &Compared,
    flips: &Flips,
) -> io::Result<()> {
    let Flips { samples, flipped, note, .. } = flips;
    let (peers, requests) = (samples.peers.len(), samples.requests.len());
    writeln!(out, "decisions: {} of {peers} peers × {requests} requests differ\n", flipped.len())?;
    for flip in flipped.iter().take(MAX_FLIPS) {
        let (peer, request) = flips.names(flip);
        writeln!(out, "{} → {}  {peer}  {request}", shown(flip.was), shown(flip.is))?;
        let of_a = |file: &str| compared.place_a(sides, file);
        writeln!(out, "  was: {}", why(&flips.a, flip.at, of_a))?;
        let of_b = |file: &str| compared.place_b(sides, file);
        writeln!(out, "  is:  {}\n", why(&flips.b, flip.at, of_b))?;
    }
    more(out, flipped.len(), MAX_FLIPS)?;
    note.iter().try_for_each(|note| writeln!(out, "note: {note}\n"))
}

/// What a reviewer must not overlook is in capitals.
const fn shown(word: Outcome) -> &'static str {
    match word {
        Outcome::Allow => "ALLOW",
        Outcome::Deny => "deny",
        Outcome::Error => "ERROR",
    }
}

/// The reason of a decision and the policies that made it.
fn why(matrix: &Matrix, at: usize, place_of: impl Fn(&str) -> String) -> String {
    let Some(cell) = matrix.cells.get(at) else { return String::new() };
    let policies = cell.policies.iter().filter_map(|at| matrix.policies.get(*at));
    let policies = policies.map(|policy| {
        let at = place(&place_of(&policy.file), policy.line);
        format!("{} ({at})", printable(&policy.id))
    });
    let policies: Vec<String> = policies.collect();
    let by = if policies.is_empty() { "" } else { " by " };
    let error = cell.error.and_then(|at| matrix.errors.get(at));
    let error = error.map(|text| format!(": {}", printable(text))).unwrap_or_default();
    format!("{}{by}{}{error}", cell.reason, policies.join(", "))
}

/// `1 added, 2 changed; tests: 1 added; 3 decisions differ`
fn summary(all: &[Compared]) -> String {
    let hows = [How::Added, How::Removed, How::Changed, How::Renamed, How::Moved];
    let counts = |is_meant: fn(ItemKind) -> bool| {
        let changes = || all.iter().flat_map(|compared| &compared.changes);
        let counts = hows.iter().filter_map(|how| {
            let count = changes().filter(|c| c.how == *how && is_meant(c.kind)).count();
            (count > 0).then(|| format!("{count} {}", word_of(*how)))
        });
        counts.collect::<Vec<_>>().join(", ")
    };
    let mut parts = vec![counts(|kind| kind != ItemKind::Test)];
    let tests = counts(|kind| kind == ItemKind::Test);
    if !tests.is_empty() {
        parts.push(format!("tests: {tests}"));
    }
    if all.iter().any(|compared| compared.flips.is_some()) {
        let flips = all.iter().filter_map(|compared| compared.flips.as_ref());
        let count: usize = flips.map(|flips| flips.flipped.len()).sum();
        parts.push(format!("decisions: {count} differ"));
    }
    parts.retain(|part| !part.is_empty());
    match all.iter().any(Compared::differs) {
        true => parts.join("; "),
        false => {
            parts.insert(0, "no difference".to_owned());
            parts.join("; ")
        }
    }
}

impl Compared {
    fn place_a(&self, sides: &Sides, file: &str) -> String {
        sides.a.place(&self.pair.at_a(file))
    }

    fn place_b(&self, sides: &Sides, file: &str) -> String {
        sides.b.place(&self.pair.at_b(file))
    }
}

impl Flips {
    /// Who asks what.
    fn names(&self, flip: &Flip) -> (String, String) {
        let requests = self.samples.requests.len().max(1);
        let name = |list: &[_], at: usize| {
            let sample: Option<&portreeve_core::policy::compare::Sample> = list.get(at);
            sample.map(|sample| printable(&sample.name).into_owned()).unwrap_or_default()
        };
        let peer = name(&self.samples.peers, flip.at / requests);
        (peer, name(&self.samples.requests, flip.at % requests))
    }
}

pub(super) fn json(out: &mut impl Write, sides: &Sides, all: &[Compared]) -> io::Result<()> {
    let document = json!({
        "a": sides.a.label,
        "b": sides.b.label,
        "differs": all.iter().any(Compared::differs),
        "bundles": all.iter().map(|compared| bundle_to_json(sides, compared)).collect::<Vec<_>>(),
        "summary": summary(all),
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn bundle_to_json(sides: &Sides, compared: &Compared) -> Value {
    let at = |place: &Option<Place>, of: &dyn Fn(&str) -> String| {
        place.as_ref().map(|place| json!({ "file": of(&place.file), "line": place.line }))
    };
    let change = |change: &Change| {
        json!({
            "kind": change.kind,
            "change": change.how,
            "name": change.name,
            "was": change.was,
            "aspects": change.aspects,
            "a": at(&change.a, &|file| compared.place_a(sides, file)),
            "b": at(&change.b, &|file| compared.place_b(sides, file)),
            "reaches": change.reaches,
            "lines": change.lines,
        })
    };
    json!({
        "a": compared.pair.a.as_ref().map(|_| compared.place_a(sides, "")),
        "b": compared.pair.b.as_ref().map(|_| compared.place_b(sides, "")),
        "changes": compared.changes.iter().map(change).collect::<Vec<_>>(),
        "notes": compared.notes,
        "decisions": compared.flips.as_ref().map(flips_to_json),
    })
}

fn flips_to_json(flips: &Flips) -> Value {
    let cell =
        |matrix: &Matrix, at: usize| matrix.cells.get(at).map(|cell| cell_to_json(cell, matrix));
    let flip = |flip: &Flip| {
        let (peer, request) = flips.names(flip);
        json!({
            "peer": peer,
            "request": request,
            "a": cell(&flips.a, flip.at),
            "b": cell(&flips.b, flip.at),
        })
    };
    json!({
        "peers": flips.samples.peers.len(),
        "requests": flips.samples.requests.len(),
        "differing": flips.flipped.iter().map(flip).collect::<Vec<_>>(),
        "note": flips.note,
    })
}

//! Tables of decisions: for people, as JSON, as CSV, as Markdown.

use std::io::{self, Write};

use portreeve_core::policy::Outcome;
use portreeve_core::policy::compare::{Cell, Matrix, Sample};
use serde_json::{Value, json};

use super::Decided;
use crate::commands::policy::report::{policy_to_json, printable};

/// What fits a terminal of people, and a page.
const WIDTH: usize = 100;
/// Of a peer's name; longer ones lose their middle.
const MAX_LABEL: usize = 44;
/// Between columns.
const GAP: usize = 2;
/// As long as the longest word.
const CELL: usize = 5;
/// Errors are told below the table; more of them say the same.
const MAX_ERRORS: usize = 10;

pub(super) fn pretty(out: &mut impl Write, all: &[Decided]) -> io::Result<()> {
    for (number, decided) in all.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        if all.len() > 1 {
            writeln!(out, "{}\n", printable(&decided.root))?;
        }
        pretty_one(out, decided)?;
    }
    Ok(())
}

fn pretty_one(out: &mut impl Write, decided: &Decided) -> io::Result<()> {
    let Decided { samples, matrix, note, .. } = decided;
    let digits = samples.requests.len().to_string().len();
    for (number, request) in (1..).zip(&samples.requests) {
        writeln!(out, "{number:>digits$}  {}", cut(&request.name, WIDTH - digits - GAP))?;
    }
    let labels: Vec<String> = samples.peers.iter().map(|peer| cut(&peer.name, MAX_LABEL)).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
    let most = ((WIDTH - width) / (CELL + GAP)).max(1);
    // Tables of one width, rather than one that is full and a rest.
    let tables = samples.requests.len().div_ceil(most).max(1);
    let per_table = samples.requests.len().div_ceil(tables).max(1);
    for first in (0..samples.requests.len()).step_by(per_table) {
        let columns = first..samples.requests.len().min(first + per_table);
        writeln!(out)?;
        let heads: Vec<String> = columns.clone().map(|at| (at + 1).to_string()).collect();
        row(out, "", width, heads.iter().map(String::as_str))?;
        for (number, label) in labels.iter().enumerate() {
            let cells =
                columns.clone().map(|at| word(matrix, number * samples.requests.len() + at));
            row(out, label, width, cells)?;
        }
    }
    errors(out, decided)?;
    let count = |word: Outcome| matrix.cells.iter().filter(|cell| cell.outcome == word).count();
    writeln!(
        out,
        "\n{} peers × {} requests: {} allow, {} deny, {} error",
        samples.peers.len(),
        samples.requests.len(),
        count(Outcome::Allow),
        count(Outcome::Deny),
        count(Outcome::Error),
    )?;
    note.iter().try_for_each(|note| writeln!(out, "note: {note}"))
}

fn row<'a>(
    out: &mut impl Write,
    label: &str,
    width: usize,
    cells: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let mut line = format!("{label:<width$}");
    for cell in cells {
        line.push_str(&format!("{:GAP$}{cell:<CELL$}", ""));
    }
    writeln!(out, "{}", line.trim_end())
}

/// An error stands out without any colour.
fn word(matrix: &Matrix, at: usize) -> &'static str {
    match matrix.cells.get(at).map(|cell| cell.outcome) {
        Some(Outcome::Allow) => "allow",
        Some(Outcome::Deny) => "deny",
        Some(Outcome::Error) => "ERROR",
        None => "-",
    }
}

fn errors(out: &mut impl Write, decided: &Decided) -> io::Result<()> {
    let Decided { matrix, .. } = decided;
    let failed = cells(decided).filter(|(_, _, cell)| cell.outcome == Outcome::Error);
    for (number, (peer, request, cell)) in failed.enumerate() {
        if number == 0 {
            writeln!(out)?;
        }
        if number == MAX_ERRORS {
            return writeln!(out, "… and more: --format json has all");
        }
        let text = cell.error.and_then(|at| matrix.errors.get(at)).map_or("", String::as_str);
        let (peer, request) = (printable(&peer.name), printable(&request.name));
        writeln!(out, "ERROR {peer}, {request}: {} {}", cell.reason, printable(text))?;
    }
    Ok(())
}

/// Every decision with who asks what.
fn cells(decided: &Decided) -> impl Iterator<Item = (&Sample, &Sample, &Cell)> {
    let samples = &decided.samples;
    let pairs = samples
        .peers
        .iter()
        .flat_map(|peer| samples.requests.iter().map(move |request| (peer, request)));
    pairs.zip(&decided.matrix.cells).map(|((peer, request), cell)| (peer, request, cell))
}

/// A name that is too long loses its middle: both ends of a SPIFFE ID say something.
fn cut(name: &str, most: usize) -> String {
    let name: Vec<char> = printable(name).chars().collect();
    if name.len() <= most {
        return name.iter().collect();
    }
    let head = most / 2;
    let tail = most - head - 1;
    let (start, end) = (name.iter().take(head), name.iter().skip(name.len() - tail));
    start.chain(&['…']).chain(end).collect()
}

pub(super) fn json(out: &mut impl Write, all: &[Decided]) -> io::Result<()> {
    let sample = |sample: &Sample| json!({ "name": sample.name, "facts": sample.facts });
    let bundle = |decided: &Decided| {
        let Decided { root, samples, matrix, note } = decided;
        let decisions = cells(decided).map(|(peer, request, cell)| {
            let mut decision = json!({ "peer": peer.name, "request": request.name });
            if let (Value::Object(decision), Value::Object(cell)) =
                (&mut decision, cell_to_json(cell, matrix))
            {
                decision.extend(cell);
            }
            decision
        });
        json!({
            "root": root,
            "peers": samples.peers.iter().map(sample).collect::<Vec<_>>(),
            "requests": samples.requests.iter().map(sample).collect::<Vec<_>>(),
            "decisions": decisions.collect::<Vec<_>>(),
            "note": note,
        })
    };
    let document = json!({ "bundles": all.iter().map(bundle).collect::<Vec<_>>() });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// A decision with what its numbers stand for.
pub(in crate::commands::policy) fn cell_to_json(cell: &Cell, matrix: &Matrix) -> Value {
    let policies = cell.policies.iter().filter_map(|at| matrix.policies.get(*at));
    json!({
        "outcome": cell.outcome.as_str(),
        "reason": cell.reason,
        "policies": policies.map(policy_to_json).collect::<Vec<_>>(),
        "error": cell.error.and_then(|at| matrix.errors.get(at)),
    })
}

pub(super) fn csv(out: &mut impl Write, all: &[Decided]) -> io::Result<()> {
    writeln!(out, "bundle,peer,spiffe_id,request,method,path,route,outcome,reason,policies")?;
    for decided in all {
        for (peer, request, cell) in cells(decided) {
            let text = |sample: &Sample, key: &str, other: &str| {
                let text = sample.facts.get(key).and_then(Value::as_str);
                text.unwrap_or(other).to_owned()
            };
            let policies = cell.policies.iter().filter_map(|at| decided.matrix.policies.get(*at));
            let policies: Vec<&str> = policies.map(|policy| &*policy.id).collect();
            let fields = [
                decided.root.clone(),
                peer.name.clone(),
                text(peer, "source", ""),
                request.name.clone(),
                text(request, "method", "GET"),
                text(request, "path", ""),
                text(request, "route", ""),
                cell.outcome.as_str().to_owned(),
                cell.reason.clone(),
                policies.join(" "),
            ];
            writeln!(out, "{}", fields.map(|field| csv_field(&field)).join(","))?;
        }
    }
    Ok(())
}

/// A field that a spreadsheet would take for a formula is told to be a text.
fn csv_field(text: &str) -> String {
    let text = printable(text);
    let quote = if text.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    match quote.is_empty() && !text.contains([',', '"']) {
        true => text.into_owned(),
        false => format!("\"{quote}{}\"", text.replace('"', "\"\"")),
    }
}

pub(super) fn markdown(out: &mut impl Write, all: &[Decided]) -> io::Result<()> {
    for decided in all {
        let Decided { root, samples, matrix, note } = decided;
        writeln!(out, "### {}\n", markdown_text(root))?;
        let heads = samples.requests.iter().map(|request| markdown_text(&request.name));
        writeln!(out, "| peer | {} |", heads.collect::<Vec<_>>().join(" | "))?;
        writeln!(out, "|---|{}", "---|".repeat(samples.requests.len()))?;
        for (number, peer) in samples.peers.iter().enumerate() {
            let first = number * samples.requests.len();
            let cells = (first..first + samples.requests.len()).map(|at| word(matrix, at));
            let cells = cells.collect::<Vec<_>>().join(" | ");
            writeln!(out, "| {} | {cells} |", markdown_text(&peer.name))?;
        }
        writeln!(out)?;
        if let Some(note) = note {
            writeln!(out, "{note}\n")?;
        }
    }
    Ok(())
}

/// Text of a bundle is text and no markup.
fn markdown_text(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '&' | '!') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests;

//! Coverage for people: how much in all, a line a file, and below it what no test reaches.

use std::io::{self, Write};

use super::super::report::{place, printable};
use super::{Measured, gaps};

/// Nobody reads more; the JSON output has them all.
const MAX_GAPS: usize = 200;
/// A path that is longer shifts its own line only.
const MAX_PATH_WIDTH: usize = 60;

pub(super) fn print(out: &mut impl Write, measured: &Measured) -> io::Result<()> {
    let coverage = &measured.coverage;
    let total = coverage.total();
    let by_language = measured.by_language().map(|(language, what, count)| {
        format!("{language} {count}, {} of {} {what}", count.covered, count.total)
    });
    let by_language = by_language.collect::<Vec<_>>().join("; ");
    writeln!(out)?;
    match by_language.is_empty() {
        true => writeln!(out, "coverage: nothing could be measured")?,
        false => writeln!(out, "coverage {total} ({by_language})")?,
    }
    let files = gaps::of(coverage);
    let width = files.keys().map(|file| printable(file).chars().count()).max().unwrap_or(0);
    let width = width.min(MAX_PATH_WIDTH);
    let mut left = MAX_GAPS;
    for (file, found) in &files {
        let (count, shown) = (found.count, printable(file));
        let of = format!("{} of {}", count.covered, count.total);
        writeln!(out, "  {shown:width$}  {:>7}  {of}", count.to_string())?;
        for gap in found.gaps.iter().take(left) {
            writeln!(out, "    {}  {}", place(file, gap.first), printable(&gap.text))?;
        }
        left = left.saturating_sub(found.gaps.len());
    }
    let gaps: usize = files.values().map(|found| found.gaps.len()).sum();
    if gaps > MAX_GAPS {
        writeln!(out, "    and {} more places: see `--format json`", gaps - MAX_GAPS)?;
    }
    for (root, why) in &measured.missing {
        writeln!(out, "  {} is not in these numbers: {}", printable(root), printable(why))?;
    }
    measured.print_shortfall(out)
}

//! Coverage as workflow commands, which GitHub shows beside the lines of a pull request.

use std::io::{self, Write};

use super::super::github::{data, property};
use super::super::report::printable;
use super::{Measured, gaps};

/// GitHub shows ten of a step; what is beyond this only makes its log longer.
const MAX_ANNOTATIONS: usize = 200;
const TITLE: &str = "portreeve policy coverage";

pub(super) fn print(out: &mut impl Write, measured: &Measured) -> io::Result<()> {
    let files = gaps::of(&measured.coverage);
    let all = files.iter().flat_map(|(file, found)| found.gaps.iter().map(move |gap| (file, gap)));
    for (file, gap) in all.take(MAX_ANNOTATIONS) {
        let file = property(&printable(file));
        let text = data(&printable(&gap.text));
        let lines = format!("line={},endLine={}", gap.first, gap.last);
        writeln!(out, "::warning file={file},{lines},title={TITLE}::{text}")?;
    }
    for (root, why) in &measured.missing {
        let text = format!("`{root}` is not in the coverage: {why}");
        writeln!(out, "::warning title={TITLE}::{}", data(&printable(&text)))?;
    }
    if let Some(shortfall) = measured.shortfall() {
        writeln!(out, "::error title={TITLE}::{}", data(&shortfall))?;
    }
    Ok(())
}

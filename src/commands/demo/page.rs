//! The page: what is running, and the five calls to copy.

use std::io::{self, Write};

use super::calls::Calls;
use super::world::Facts;

/// Characters of a commit that tell it from others.
const COMMIT_CHARS: usize = 12;
const INDENT: &str = "     ";

pub(super) fn print(
    out: &mut impl Write,
    facts: &Facts,
    calls: &Calls,
    program: &str,
) -> io::Result<()> {
    print_facts(out, facts)?;
    writeln!(out, "\nFive calls to copy into another terminal:")?;
    for (position, call) in calls.in_order().into_iter().enumerate() {
        writeln!(out, "\n  {}. {}.\n", position + 1, call.title)?;
        for command in &call.commands {
            writeln!(out, "{}", indented(command))?;
        }
    }
    let directory = &facts.directory;
    writeln!(out, "\nThen: {program} status -c {directory}/portreeve.yaml")?;
    writeln!(out, "Ctrl-C ends the demo.")?;
    out.flush()
}

/// What is running.
pub(super) fn print_facts(out: &mut impl Write, facts: &Facts) -> io::Result<()> {
    let Facts { address, trust_domain, workloads, language, commit, directory } = facts;
    let commit: String = commit.chars().take(COMMIT_CHARS).collect();
    let workloads = workloads.join(", ");
    writeln!(out, "A service behind Portreeve, in {directory}\n")?;
    let mut row = |name: &str, value: String| writeln!(out, "  {name:<14}{value}");
    row("sidecar", format!("https://{address}, mTLS only"))?;
    row("service", "orders, on the Unix socket app.sock: nobody reaches it round the sidecar".into())?;
    row("trust domain", format!("{trust_domain}, embedded, with the workloads {workloads}"))?;
    row("policy", format!("{language}, in the git repository policies, main at {commit}"))?;
    row("log", "state/log, one line a decision".to_owned())?;
    row("configuration", "portreeve.yaml".to_owned())
}

/// A command, or any text, a little to the right.
pub(super) fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("{INDENT}{line}")).collect();
    lines.join("\n")
}

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
    for (number, call) in calls.in_order() {
        writeln!(out, "\n{}\n", heading(number, call.title))?;
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
    writeln!(out, "A service and its sidecar, in {directory}\n")?;
    let mut row = |name: &str, value: &str| writeln!(out, "  {name:<15}{value}");
    row("sidecar", &format!("https://{address}, mTLS only"))?;
    row("service", "orders, a small sample behind it, on the Unix socket app.sock")?;
    row("trust domain", &format!("{trust_domain}, embedded, with the workloads {workloads}"))?;
    row("policy", &format!("{language}, from the git repository policies, main at {commit}"))?;
    row("log", "state/log, one line a decision")?;
    row("configuration", "portreeve.yaml; what the sidecar says is in events.txt")
}

/// What a call shows, behind its number.
pub(super) fn heading(number: Option<usize>, title: &str) -> String {
    match number {
        Some(number) => format!("  {number}. {title}."),
        None => format!("{INDENT}{title}."),
    }
}

/// A command, or any text, a little to the right.
pub(super) fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("{INDENT}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::commands::demo::calls::Place;
    use crate::commands::demo::language::Language;

    #[test]
    fn the_page_tells_what_runs_and_how_to_call_it() {
        let directory = "/tmp/portreeve-demo-x1y2z3";
        let address = "127.0.0.1:40123".parse().unwrap();
        let facts = Facts {
            address,
            trust_domain: "demo.test",
            workloads: &["web", "orders"],
            language: Language::Cedar.name(),
            commit: "4f1c2d3e4f1c2d3e4f1c2d3e4f1c2d3e4f1c2d3e".to_owned(),
            directory: directory.to_owned(),
        };
        let calls = Calls::new(&Place {
            program: "portreeve",
            endpoint: &format!("unix://{directory}/workload-api.sock"),
            address,
            directory,
            language: Language::Cedar,
        });
        let mut out = Vec::new();
        print(&mut out, &facts, &calls, "portreeve").unwrap();
        expect![[r#"
            A service and its sidecar, in /tmp/portreeve-demo-x1y2z3

              sidecar        https://127.0.0.1:40123, mTLS only
              service        orders, a small sample behind it, on the Unix socket app.sock
              trust domain   demo.test, embedded, with the workloads web, orders
              policy         Cedar, from the git repository policies, main at 4f1c2d3e4f1c
              log            state/log, one line a decision
              configuration  portreeve.yaml; what the sidecar says is in events.txt

            Five calls to copy into another terminal:

              1. The web shop reads an order: allowed.

                 SPIFFE_ENDPOINT_SOCKET=unix:///tmp/portreeve-demo-x1y2z3/workload-api.sock \
                   portreeve call https://127.0.0.1:40123/orders/1 --pick web

              2. It reads a report: denied, with the decision's id.

                 SPIFFE_ENDPOINT_SOCKET=unix:///tmp/portreeve-demo-x1y2z3/workload-api.sock \
                   portreeve call https://127.0.0.1:40123/reports/daily --pick web

              3. Why? This explains the last denial; with an id, any decision.

                 portreeve explain -c /tmp/portreeve-demo-x1y2z3/portreeve.yaml

              4. Change one line of policy and commit it.

                 sed -i 's|== Workload::".*/sa/batch"|in TrustDomain::"demo.test"|' \
                   /tmp/portreeve-demo-x1y2z3/policies/orders.cedar
                 git -C /tmp/portreeve-demo-x1y2z3/policies commit -am 'Let everyone read reports'

                 Within two seconds, what was denied is allowed.

                 SPIFFE_ENDPOINT_SOCKET=unix:///tmp/portreeve-demo-x1y2z3/workload-api.sock \
                   portreeve call https://127.0.0.1:40123/reports/daily --pick web

              5. Every decision stands in the log, with the policy that made it.

                 portreeve tail -c /tmp/portreeve-demo-x1y2z3/portreeve.yaml

            Then: portreeve status -c /tmp/portreeve-demo-x1y2z3/portreeve.yaml
            Ctrl-C ends the demo.
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }
}

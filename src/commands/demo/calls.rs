//! The five calls: the page prints these very strings, and the script gives them to a shell.

use std::net::SocketAddr;

use super::language::Language;
use super::shell::word;

/// Where everything is; the paths hold nothing that a shell would read something into.
pub(super) struct Place<'a> {
    /// A word of a shell.
    pub(super) program: &'a str,
    /// The Workload API.
    pub(super) endpoint: &'a str,
    pub(super) address: SocketAddr,
    pub(super) directory: &'a str,
    pub(super) language: Language,
}

/// One step of the demo.
#[derive(Debug)]
pub(super) struct Call {
    /// What it shows, in a sentence.
    pub(super) title: &'static str,
    /// Each as a shell takes it; a long one goes on in a second line.
    pub(super) commands: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Calls {
    pub(super) allowed: Call,
    pub(super) denied: Call,
    pub(super) explain: Call,
    /// Edit and commit.
    pub(super) change: Call,
    /// What was denied, under the changed policy: the other half of `change`.
    pub(super) again: Call,
    pub(super) log: Call,
}

impl Calls {
    pub(super) fn new(place: &Place<'_>) -> Self {
        let Place { program, endpoint, address, directory, language } = *place;
        let call = |path: &str| {
            format!(
                "SPIFFE_ENDPOINT_SOCKET={endpoint} \\\n  \
                 {program} call https://{address}{path} --pick web"
            )
        };
        let of_file = |command: &str| format!("{program} {command} -c {directory}/portreeve.yaml");
        let policies = format!("{directory}/policies");
        let edit = word(language.edit());
        let edit = format!("sed -i {edit} \\\n  {policies}/{}", language.file());
        let commit = format!("git -C {policies} commit -am 'Let everyone read reports'");
        Self {
            allowed: Call {
                title: "The web shop reads an order: allowed",
                commands: vec![call("/orders/1")],
            },
            denied: Call {
                title: "It reads a report: denied, with the decision's id",
                commands: vec![call("/reports/daily")],
            },
            explain: Call {
                title: "Why? This explains the last denial; with an id, any decision",
                commands: vec![of_file("explain")],
            },
            change: Call {
                title: "Change one line of policy and commit it",
                commands: vec![edit, commit],
            },
            again: Call {
                title: "Within two seconds, what was denied is allowed",
                commands: vec![call("/reports/daily")],
            },
            log: Call {
                title: "Every decision stands in the log, with the policy that made it",
                commands: vec![of_file("tail")],
            },
        }
    }

    /// In the order in which they are made; what has no number goes with the one before.
    pub(super) fn in_order(&self) -> [(Option<usize>, &Call); 6] {
        [
            (Some(1), &self.allowed),
            (Some(2), &self.denied),
            (Some(3), &self.explain),
            (Some(4), &self.change),
            (None, &self.again),
            (Some(5), &self.log),
        ]
    }
}

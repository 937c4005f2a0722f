//! The loader confines itself: Landlock for files, ports and signals, rlimits for the rest.
//!
//! What the kernel lacks is reported, never passed over in silence.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::{Assignment, Limits, LoaderError, Source, THIS_PROGRAM};

/// The newest Landlock that we have rules for: files (1 to 3, 5), ports (4), signals (6).
const WANTED: ABI = ABI::V6;

/// git, ssh and the libraries that they load.
const PROGRAM_DIRECTORIES: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32"];
/// Names, certificates, users; the resolver's file is often a link out of /etc.
const READABLE: [&str; 5] =
    ["/etc", "/etc/resolv.conf", "/dev/urandom", "/dev/random", "/proc/self"];
const WRITABLE_DEVICES: [&str; 2] = ["/dev/null", "/dev/zero"];

/// git keeps one file per pack open, ssh and curl a few sockets.
const MAX_OPEN_FILES: u64 = 512;
/// The largest pack; a repository of policies is far below.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// git maps packs into memory, and a hostile delta may ask for much more.
const MAX_FETCH_MEMORY_BYTES: u64 = 4 << 30;

/// What confines the loader, as status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Everything that was asked for is enforced.
    pub complete: bool,
    /// One sentence for each thing that is not.
    pub missing: Vec<String>,
}

/// Confines the keeper, and with it every worker, git and ssh.
///
/// # Errors
/// The kernel supports a restriction and refuses to apply it.
pub(super) fn confine_keeper(assignment: &Assignment) -> Result<Report, LoaderError> {
    let mut report = Report { complete: true, missing: Vec::new() };
    limit(&mut report, "core files", Resource::Core, 0);
    limit(&mut report, "open files", Resource::Nofile, MAX_OPEN_FILES);
    limit(&mut report, "file size", Resource::Fsize, MAX_FILE_BYTES);
    let status = keeper_domain(assignment, &mut report).map_err(confine_error)?;
    note(&mut report, &status);
    Ok(report)
}

/// Limits a fetch worker, and with it git and ssh.
pub(super) fn confine_fetch() -> Report {
    let mut report = Report { complete: true, missing: Vec::new() };
    limit(&mut report, "memory", Resource::As, MAX_FETCH_MEMORY_BYTES);
    report
}

/// Confines a check worker, which has read its candidate already: nothing more to read, write,
/// start or reach.
///
/// # Errors
/// The kernel supports a restriction and refuses to apply it.
pub(super) fn confine_check(limits: Limits) -> Result<Report, LoaderError> {
    let mut report = Report { complete: true, missing: Vec::new() };
    limit(&mut report, "core files", Resource::Core, 0);
    limit(&mut report, "memory", Resource::As, limits.check_memory_bytes);
    limit(&mut report, "processor time", Resource::Cpu, limits.check_seconds);
    limit(&mut report, "file size", Resource::Fsize, 0);
    let status = empty_domain().map_err(confine_error)?;
    note(&mut report, &status);
    Ok(report)
}

fn keeper_domain(
    assignment: &Assignment,
    report: &mut Report,
) -> Result<RestrictionStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // No links, devices or sockets, and nothing in the store is ever executed.
    let keep = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::Refer;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::Signal)?
        .create()?;
    for path in PROGRAM_DIRECTORIES.into_iter().chain([THIS_PROGRAM]) {
        rules = permit(rules, Path::new(path), read | AccessFs::Execute, None)?;
    }
    for path in READABLE {
        rules = permit(rules, Path::new(path), read, None)?;
    }
    for path in WRITABLE_DEVICES {
        rules = permit(rules, Path::new(path), read | AccessFs::WriteFile, None)?;
    }
    for path in readable_of(&assignment.source) {
        rules = permit(rules, &path, read, Some(report))?;
    }
    rules = permit(rules, &assignment.store, keep, Some(report))?;
    rules.restrict_self()
}

fn empty_domain() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .restrict_self()
}

/// Adds a rule for a path that exists; one that `report` is given for is missed if it does not.
fn permit(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
    report: Option<&mut Report>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(opened) => {
            let access = if path.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
            rules.add_rule(PathBeneath::new(opened, access))
        }
        Err(_) => {
            if let Some(report) = report {
                report.miss(format!("`{}` does not exist and stays closed", path.display()));
            }
            Ok(rules)
        }
    }
}

/// What a source itself needs to read.
fn readable_of(source: &Source) -> Vec<PathBuf> {
    let (url, known_hosts, ssh_key, token_file) = match source {
        Source::Dir(path) => return vec![path.clone()],
        Source::Git { url, known_hosts, ssh_key, token_file, .. } => {
            (url, known_hosts, ssh_key, token_file)
        }
    };
    let directory = url.strip_prefix("file://").unwrap_or(url);
    let directory = directory.starts_with('/').then(|| standing(Path::new(directory)));
    let authorities = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(std::env::var_os);
    let mut paths: Vec<PathBuf> = authorities.map(PathBuf::from).collect();
    paths.extend(directory);
    paths.extend(known_hosts.clone());
    paths.extend(ssh_key.clone());
    paths.extend(token_file.as_deref().map(mounted));
    paths
}

/// A mounted secret changes by swapping a link in its folder: a rule for the file that the link
/// points to now would not hold for the next one. The root folder is never opened.
fn mounted(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder.parent().is_some() => folder.to_path_buf(),
        _ => file.to_path_buf(),
    }
}

/// The folder that a repository of this machine stands in, or the nearest above it that is there now: a
/// repository that is away at the start, or made anew, is another inode than any rule could name.
fn standing(repository: &Path) -> PathBuf {
    let is_there = |folder: &&Path| folder.parent().is_some() && folder.is_dir();
    let nearest = repository.ancestors().skip(1).find(is_there);
    nearest.unwrap_or(repository).to_path_buf()
}

fn limit(report: &mut Report, name: &str, resource: Resource, maximum: u64) {
    let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
    if let Err(error) = setrlimit(resource, limit) {
        report.miss(format!("no limit on {name}: {error}"));
    }
}

fn note(report: &mut Report, status: &RestrictionStatus) {
    let available = match status.landlock {
        LandlockStatus::NotEnabled => "is not enabled in this kernel".to_owned(),
        LandlockStatus::NotImplemented => "is not in this kernel".to_owned(),
        LandlockStatus::Available { effective_abi, .. } => {
            format!("has version {} here, {} is wanted", effective_abi as i32, WANTED as i32)
        }
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => {
            report.miss(format!("Landlock is enforced in part: it {available}"));
        }
        RulesetStatus::NotEnforced => {
            report.miss(format!("files and ports are not confined: Landlock {available}"));
        }
    }
    if !status.no_new_privs {
        report.miss("a program with setuid may gain privileges".to_owned());
    }
}

fn confine_error(source: RulesetError) -> LoaderError {
    LoaderError::Confine { what: "landlock", source: Box::new(source) }
}

impl Report {
    fn miss(&mut self, sentence: String) {
        self.complete = false;
        self.missing.push(sentence);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// A domain holds for its thread, so that each is tried on a thread of its own.
    fn confined<T: Send + 'static>(
        confine: impl FnOnce() -> RestrictionStatus + Send + 'static,
        attempt: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let thread = std::thread::spawn(move || {
            let is_enforced = confine().ruleset != RulesetStatus::NotEnforced;
            is_enforced.then(attempt)
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_check_reads_writes_and_starts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "a").unwrap();
        let attempt = move || {
            [
                fs::read(&file).is_ok(),
                fs::write(&file, "b").is_ok(),
                fs::remove_file(&file).is_ok(),
                Command::new("true").status().is_ok(),
            ]
        };
        // A kernel without Landlock says so in the report and is not tested here.
        let done = confined(|| empty_domain().unwrap(), attempt);
        assert!(done.is_none_or(|done| done == [false; 4]), "{done:?}");
    }

    #[test]
    fn a_keeper_writes_its_store_reads_its_source_and_runs_programs_of_the_system() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("a"), "#!/bin/sh\n").unwrap();
            folder
        };
        let (store, policies, other) = (folder("store"), folder("policies"), folder("other"));
        let source = Source::Dir(policies.clone());
        let limits = Limits::default();
        let assignment = Assignment {
            source,
            store: store.clone(),
            limits,
            unbounded_builtins: portreeve_core::policy::UnboundedBuiltins::Refuse,
        };
        let confine = move || {
            let mut report = Report { complete: true, missing: Vec::new() };
            let status = keeper_domain(&assignment, &mut report).unwrap();
            assert_eq!(report.missing, Vec::<String>::new());
            status
        };
        let attempt = move || {
            let may = |folder: &Path| {
                (fs::read(folder.join("a")).is_ok(), fs::write(folder.join("a"), "").is_ok())
            };
            let runs = Command::new("git").arg("--version").output().is_ok();
            (may(&store), may(&policies), may(&other), runs)
        };
        let done = confined(confine, attempt);
        let expected = ((true, true), (true, false), (false, false), true);
        assert!(done.is_none_or(|done| done == expected), "{done:?}");
    }

    #[test]
    fn a_mounted_secret_opens_its_folder_and_never_the_root() {
        assert_eq!(mounted(Path::new("/run/secrets/token")), Path::new("/run/secrets"));
        assert_eq!(mounted(Path::new("/token")), Path::new("/token"));
    }
}

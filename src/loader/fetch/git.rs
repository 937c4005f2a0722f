//! The hardened git command: no configuration but ours, one protocol, no hooks, no prompts.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use super::FetchError;
use super::remote::{Remote, plain_path};
use crate::loader::Source;
use crate::loader::client::describe;
use crate::loader::protocol::bounded;

/// `ls-remote` of a repository with a hundred thousand references fits.
const MAX_OUTPUT_BYTES: u64 = 16 << 20;
/// Of what git and the server say.
const MAX_COMPLAINT_BYTES: u64 = 4_000;
/// A token is one line; a larger file is not one.
const MAX_TOKEN_BYTES: u64 = 16 << 10;

const TOKEN_VARIABLE: &str = "PORTREEVE_GIT_TOKEN";
/// Answers git's question from the environment, so that the token is in no argument. The user name is
/// the one that hosting sites accept beside any token.
const TOKEN_HELPER: &str = "!f() { test \"$1\" = get && \
    printf 'username=x-access-token\\npassword=%s\\n' \"$PORTREEVE_GIT_TOKEN\"; }; f";

/// Everything that a run of git needs to know.
pub(super) struct Git {
    mirror: PathBuf,
    home: PathBuf,
    scheme: &'static str,
    origin: String,
    ssh: Option<String>,
    token: Option<String>,
}

/// git said no, or could not be run.
#[derive(Debug, thiserror::Error)]
#[error("`git {verb}` failed ({end}): {complaint}")]
pub(super) struct GitFailure {
    /// What git ended with, if no signal ended it.
    pub code: Option<i32>,
    verb: String,
    end: String,
    complaint: String,
}

/// A git whose output is read as it comes.
pub(super) struct Running {
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
    child: Child,
    complaint: JoinHandle<String>,
    verb: String,
}

impl Git {
    pub(super) fn new(source: &Source, remote: &Remote, store: &Path) -> Result<Self, FetchError> {
        let Source::Git { known_hosts, ssh_key, token_file, .. } = source else {
            return Err(FetchError::NotGit);
        };
        let is_ssh = remote.scheme == "ssh";
        let ssh = match (is_ssh, known_hosts) {
            (true, Some(known_hosts)) => Some(ssh_command(known_hosts, ssh_key.as_deref())?),
            (true, None) => return Err(FetchError::KnownHosts),
            (false, _) => None,
        };
        let token = match token_file {
            Some(file) if remote.scheme == "https" => Some(read_token(file)?),
            _ => None,
        };
        Ok(Self {
            mirror: store.join("mirror.git"),
            home: store.to_path_buf(),
            scheme: remote.scheme,
            origin: remote.origin.clone(),
            ssh,
            token,
        })
    }

    /// For reading what is there: no server is ever asked.
    pub(super) fn local(repository: &Path) -> Self {
        Self {
            mirror: repository.to_path_buf(),
            home: repository.to_path_buf(),
            scheme: "none",
            origin: String::new(),
            ssh: None,
            token: None,
        }
    }

    pub(super) fn mirror(&self) -> &Path {
        &self.mirror
    }

    /// Runs git to its end and returns what it wrote.
    pub(super) fn run(&self, verb: &str, arguments: &[&str]) -> Result<Vec<u8>, FetchError> {
        let Running { stdin, stdout, child, complaint, verb } = self.start(verb, arguments)?;
        drop(stdin);
        let mut output = Vec::new();
        let limited = stdout.take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut output);
        if u64::try_from(output.len()).unwrap_or(u64::MAX) > MAX_OUTPUT_BYTES {
            return Err(FetchError::Output { verb, bytes: MAX_OUTPUT_BYTES });
        }
        limited.map_err(FetchError::Pipe)?;
        end(child, complaint, verb).map(|()| output)
    }

    /// Starts git in the mirror; whoever does not finish it leaves it to the worker's end.
    pub(super) fn start(&self, verb: &str, arguments: &[&str]) -> Result<Running, FetchError> {
        let mut child = self.command(verb, arguments).spawn().map_err(FetchError::NoGit)?;
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let Some(((stdin, stdout), mut stderr)) = pipes else {
            return Err(FetchError::Pipe(std::io::ErrorKind::BrokenPipe.into()));
        };
        let token = self.token.clone();
        let complaint = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = (&mut stderr).take(MAX_COMPLAINT_BYTES).read_to_end(&mut text);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            let text = String::from_utf8_lossy(&text).into_owned();
            match token {
                Some(token) => text.replace(&token, "[token]"),
                None => text,
            }
        });
        Ok(Running { stdin, stdout, child, complaint, verb: verb.to_owned() })
    }

    fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.mirror).args(self.configuration());
        command.arg(verb).args(arguments);
        self.environment(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn environment(&self, command: &mut Command) {
        // Whoever runs a command of ours may have git's own variables set, as a hook has.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0");
        if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
            command.env("GIT_SSL_CAINFO", file);
        }
        if let Some(ssh) = &self.ssh {
            command.env("GIT_SSH_COMMAND", ssh).env("GIT_SSH_VARIANT", "ssh");
        }
        if let Some(token) = &self.token {
            command.env(TOKEN_VARIABLE, token);
        }
    }

    fn configuration(&self) -> Vec<String> {
        let mut settings: Vec<String> = [
            "protocol.allow=never",
            "protocol.version=2",
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.attributesFile=/dev/null",
            "core.packedGitWindowSize=32m",
            "core.packedGitLimit=512m",
            "fetch.fsckObjects=true",
            "transfer.fsckObjects=true",
            "submodule.recurse=false",
            "fetch.recurseSubmodules=false",
            "gc.autoDetach=false",
            "maintenance.autoDetach=false",
            "pack.threads=1",
            "credential.helper=",
            // A redirect would take the request, and perhaps the token, to a host nobody named.
            "http.followRedirects=false",
            "http.lowSpeedLimit=1000",
            "http.lowSpeedTime=30",
        ]
        .map(str::to_owned)
        .to_vec();
        settings.push(format!("protocol.{}.allow=always", self.scheme));
        if self.token.is_some() {
            settings.push(format!("credential.{}.helper={TOKEN_HELPER}", self.origin));
        }
        settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }
}

impl Running {
    /// Closes git's input and waits for its end.
    pub(super) fn finish(self) -> Result<(), FetchError> {
        drop(self.stdin);
        drop(self.stdout);
        end(self.child, self.complaint, self.verb)
    }
}

fn end(mut child: Child, complaint: JoinHandle<String>, verb: String) -> Result<(), FetchError> {
    let status: ExitStatus = child.wait().map_err(FetchError::Pipe)?;
    let complaint = complaint.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let (code, end, complaint) = (status.code(), describe(status), bounded(&complaint));
    let failure = GitFailure { code, verb, end, complaint };
    Err(FetchError::Git(Box::new(failure)))
}

fn ssh_command(known_hosts: &Path, key: Option<&Path>) -> Result<String, FetchError> {
    let known_hosts = plain_path("known_hosts", known_hosts)?;
    let mut command = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes \
        -o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no -o IdentitiesOnly=yes \
        -o IdentityAgent=none -o ForwardAgent=no -o ClearAllForwardings=yes \
        -o PermitLocalCommand=no -o ConnectTimeout=15 -o UserKnownHostsFile="
        .to_owned();
    command.push_str(known_hosts);
    if let Some(key) = key {
        command.push_str(" -i ");
        command.push_str(plain_path("ssh_key", key)?);
    }
    Ok(command)
}

fn read_token(file: &Path) -> Result<String, FetchError> {
    let error = |source| FetchError::Token { path: file.to_path_buf(), source };
    let mut token = String::new();
    let opened = std::fs::File::open(file).map_err(error)?;
    opened.take(MAX_TOKEN_BYTES).read_to_string(&mut token).map_err(error)?;
    let token = token.trim();
    if token.is_empty() || token.chars().any(char::is_control) {
        return Err(error(std::io::Error::other("it does not hold one line of text")));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_token_is_in_the_environment_and_in_no_argument() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "s3cret\n").unwrap();
        let git = git("https://git.example:8443/p.git", None, Some(file)).unwrap();
        let command = git.command("fetch", &["--end-of-options", "https://git.example:8443/p.git"]);
        let arguments: Vec<_> =
            command.get_args().map(|argument| argument.to_str().unwrap()).collect();
        assert!(!arguments.iter().any(|argument| argument.contains("s3cret")), "{arguments:?}");
        let helper = "credential.https://git.example:8443.helper=!f()";
        assert!(arguments.iter().any(|argument| argument.starts_with(helper)), "{arguments:?}");
        let token = command.get_envs().find(|(name, _)| *name == TOKEN_VARIABLE);
        assert_eq!(token.unwrap().1.unwrap(), "s3cret");
    }

    #[test]
    fn git_is_told_the_token_for_its_own_host_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "s3cret'\"$(id)\n").unwrap();
        let git = git("https://git.example:8443/p.git", None, Some(file)).unwrap();
        let ask = |host: &str| {
            let mut running = git.start("credential", &["fill"]).unwrap();
            write!(running.stdin, "protocol=https\nhost={host}\n\n").unwrap();
            drop(running.stdin);
            let mut answer = String::new();
            running.stdout.read_to_string(&mut answer).unwrap();
            answer
        };
        let answer = ask("git.example:8443");
        assert!(answer.contains("\npassword=s3cret'\"$(id)\n"), "{answer}");
        for other in ["git.example", "evil.example", "git.example:8443.evil.example"] {
            let answer = ask(other);
            assert!(!answer.contains("s3cret"), "{answer}");
        }
    }

    #[test]
    fn a_token_is_given_to_https_alone() {
        let missing = || Some(PathBuf::from("/nonexistent/token"));
        assert!(git("file:///srv/p", None, missing()).unwrap().token.is_none());
        assert!(matches!(
            git("https://git.example/p", None, missing()),
            Err(FetchError::Token { .. })
        ));
    }

    #[test]
    fn git_may_use_one_protocol_and_no_hooks() {
        let git = git("file:///srv/p", None, None).unwrap();
        let settings = git.configuration();
        for wanted in ["protocol.allow=never", "protocol.file.allow=always"] {
            assert!(settings.iter().any(|setting| setting == wanted), "{wanted}");
        }
        assert!(settings.iter().any(|setting| setting == "core.hooksPath=/dev/null"));
        assert!(!settings.iter().any(|setting| setting == "protocol.ssh.allow=always"));
    }

    #[test]
    fn ssh_needs_known_hosts_and_plain_paths() {
        let url = "ssh://git@git.example/p";
        assert!(matches!(git(url, None, None), Err(FetchError::KnownHosts)));
        let ssh = git(url, Some("/etc/keys/known_hosts"), None).unwrap().ssh.unwrap();
        assert!(ssh.contains("StrictHostKeyChecking=yes"), "{ssh}");
        assert!(ssh.ends_with("UserKnownHostsFile=/etc/keys/known_hosts"), "{ssh}");
        for path in ["known_hosts", "/a b", "/a;id", "/a'b", "/$HOME/a", "/a%h"] {
            assert!(matches!(git(url, Some(path), None), Err(FetchError::Path { .. })), "{path}");
        }
    }

    fn git(
        url: &str,
        known_hosts: Option<&str>,
        token_file: Option<PathBuf>,
    ) -> Result<Git, FetchError> {
        let source = Source::Git {
            url: url.to_owned(),
            reference: "main".to_owned(),
            subdir: String::new(),
            known_hosts: known_hosts.map(PathBuf::from),
            ssh_key: None,
            token_file,
        };
        Git::new(&source, &Remote::parse(url).unwrap(), Path::new("/store"))
    }
}

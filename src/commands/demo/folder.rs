//! The demo's directory: a policy repository, a configuration, and what the sidecar will put there.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::language::Language;
use super::shell;
use crate::commands::shipped;

/// git as the demo runs it: with nobody's settings and in no repository but the one it is told.
const NEUTRAL_GIT: [(&str, &str); 3] =
    [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")];
/// What would point git to another repository.
pub(super) const FOREIGN_GIT: [&str; 4] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"];

/// The directory; a temporary one goes when this does.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Folder {
    /// A temporary directory, or the one to keep, which must be new or empty.
    pub(super) fn make(keep: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match keep {
            Some(path) => Self { path: make_empty(path)?, temporary: None },
            None => {
                let made = tempfile::Builder::new().prefix("portreeve-demo-").tempdir();
                let made = made.context("failed to make a temporary directory")?;
                Self { path: made.path().to_owned(), temporary: Some(made) }
            }
        };
        match folder.path.to_str() {
            Some(text) if text.chars().all(shell::is_plain) => Ok(folder),
            _ => bail!(
                "`{}` has a space or a character with a meaning to a shell or in a URL: use --keep \
                 with another directory",
                folder.path.display()
            ),
        }
    }

    /// Makes the policy repository and gives its first commit.
    pub(super) fn make_repository(&self, language: Language) -> anyhow::Result<String> {
        let policies = self.policies();
        for (path, content) in shipped::bundle(language.folder()).filter(|(path, _)| !is_test(path))
        {
            let path = policies.join(path);
            let parent = path.parent().unwrap_or(&policies);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, content))
                .with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        self.git(&["init", "--quiet", "--initial-branch=main", "--template="])?;
        // They stand in the repository, so that a person's own settings do not touch the commit.
        for (key, value) in [
            ("user.name", "portreeve demo"),
            ("user.email", "demo@demo.test"),
            ("commit.gpgSign", "false"),
            ("core.hooksPath", "/dev/null"),
        ] {
            self.git(&["config", key, value])?;
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "-m", "Say who may do what at the service orders"])?;
        self.head()
    }

    /// The commit that the policy repository stands at.
    pub(super) fn head(&self) -> anyhow::Result<String> {
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.policies()).args(arguments).envs(NEUTRAL_GIT);
        for name in FOREIGN_GIT {
            command.env_remove(name);
        }
        let output = command.output().context("failed to run `git`, which the demo needs")?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("`git {}` failed: {}", arguments.join(" "), complaint.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes the configuration that the sidecar is started with.
    pub(super) fn write_config(&self) -> anyhow::Result<()> {
        let path = self.config();
        fs::write(&path, self.config_text())
            .with_context(|| format!("failed to write `{}`", path.display()))
    }

    fn config_text(&self) -> String {
        let Self { path, .. } = self;
        let (api, app) = (self.api_socket(), self.app_socket());
        let (path, api, app) = (path.display(), api.display(), app.display());
        format!(
            "\
# Written by `portreeve demo`.
version: 1
service: orders
# Holds the policy store, the log and the admin socket.
state_dir: state

identity:
  socket: unix://{api}
  # The Workload API offers this user several SVIDs; this one is the sidecar's.
  pick: {{ hint: orders }}

listeners:
  - name: inbound
    # Any free port.
    address: 127.0.0.1:0
    # Policy reads a route by its name; what matches none is the route `default`.
    routes:
      - {{ name: orders, path: \"/orders/{{rest...}}\" }}
      - {{ name: reports, path: \"/reports/{{rest...}}\" }}
      - {{ name: health, path: /healthz, methods: [GET] }}

upstreams:
  - name: app
    address: unix:{app}

policy:
  source: {{ git: {path}/policies }}
  ref: main
  # A commit decides within two seconds.
  interval: 1s
"
        )
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn policies(&self) -> PathBuf {
        self.path.join("policies")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.path.join("portreeve.yaml")
    }

    pub(super) fn app_socket(&self) -> PathBuf {
        self.path.join("app.sock")
    }

    pub(super) fn api_socket(&self) -> PathBuf {
        self.path.join("workload-api.sock")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("state/log")
    }

    /// What the sidecar says about itself; standard error belongs to the demo.
    pub(super) fn events(&self) -> PathBuf {
        self.path.join("events.txt")
    }

    /// Removes what is temporary, and says what became of the directory.
    pub(super) fn finish(self) -> anyhow::Result<String> {
        let path = self.path.display().to_string();
        let Some(temporary) = self.temporary else {
            return Ok(format!("everything is left in {path}"));
        };
        temporary.close().with_context(|| format!("failed to remove `{path}`"))?;
        Ok(format!("removed {path}"))
    }
}

/// They pin the decision that the demo changes.
fn is_test(path: &str) -> bool {
    path.contains("_test.") || path.ends_with(".cedar-tests.json")
}

fn make_empty(path: &Path) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).with_context(|| format!("failed to make the directory `{shown}`"))?;
    let mut entries =
        fs::read_dir(path).with_context(|| format!("failed to read the directory `{shown}`"))?;
    if entries.next().is_some() {
        bail!("`{shown}` is not empty: --keep takes a new or an empty directory");
    }
    fs::canonicalize(path).with_context(|| format!("failed to find the directory `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_directory_to_keep_is_new_or_empty() {
        let root = tempfile::tempdir().unwrap();
        let new = root.path().join("a/b");
        assert_eq!(Folder::make(Some(&new)).unwrap().path(), new);
        Folder::make(Some(&new)).unwrap();
        fs::write(new.join("x"), "").unwrap();
        let error = Folder::make(Some(&new)).unwrap_err();
        assert!(error.to_string().ends_with("a new or an empty directory"), "{error}");
    }

    #[test]
    fn a_path_that_a_shell_would_take_apart_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a b", "a'b", "a$b", "a#b", "a%b"] {
            let error = Folder::make(Some(&root.path().join(name))).unwrap_err();
            assert!(error.to_string().contains("use --keep with another directory"), "{error}");
        }
    }

    #[test]
    fn the_directory_holds_a_valid_configuration_and_a_repository_without_tests() {
        let folder = Folder::make(None).unwrap();
        folder.write_config().unwrap();
        let config = config::load(&folder.config(), &|_| None).unwrap();
        assert_eq!(config.state_dir, folder.path().join("state"));
        assert_eq!(config.warnings.len(), 0, "{:?}", config.warnings);
        let head = folder.make_repository(Language::Rego).unwrap();
        assert_eq!(head.len(), 40, "{head}");
        assert_eq!(folder.git(&["status", "--porcelain"]).unwrap(), "");
        let files = folder.git(&["ls-files"]).unwrap();
        assert_eq!(files, ".manifest\nauthz/orders.rego\nshop/data.json\n");
        let path = folder.path().to_owned();
        assert_eq!(folder.finish().unwrap(), format!("removed {}", path.display()));
        assert!(!path.exists());
    }
}

//! How `tail` and `explain` find the decision log.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::audit::Target;
use crate::config;

/// Says where the log is, when nothing on the command line does.
const VARIABLE: &str = "PORTREEVE_LOG";

#[expect(clippy::doc_markdown, reason = "the texts are a help page")]
#[derive(Debug, Default, clap::Args)]
pub(super) struct LogArgs {
    /// The sidecar's configuration file, which names the log
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of the log itself [env: PORTREEVE_LOG] [default: /var/lib/portreeve/log]
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    log: Option<PathBuf>,
}

impl LogArgs {
    #[cfg(test)]
    pub(super) fn of(dir: &Path) -> Self {
        Self { log: Some(dir.to_owned()), ..Self::default() }
    }

    /// `--log` or the log of `--config`, then that of the variable, then that of the defaults.
    pub(super) fn dir(&self) -> anyhow::Result<PathBuf> {
        self.dir_with(&|name| std::env::var(name).ok())
    }

    fn dir_with(&self, env: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<PathBuf> {
        let dir = match (&self.log, &self.config) {
            (Some(dir), _) => dir.clone(),
            (None, Some(path)) => match config::load(path, env)?.log.target {
                Target::Dir(dir) => dir,
                Target::Stdout => {
                    bail!("`{}` sends the log to standard output: read it there", path.display())
                }
            },
            (None, None) => env(VARIABLE)
                .filter(|value| !value.is_empty())
                .map_or_else(|| Path::new(config::DEFAULT_STATE_DIR).join("log"), PathBuf::from),
        };
        std::fs::metadata(&dir).with_context(|| {
            format!("there is no log in `{}`: name it by -c FILE or --log DIR", dir.display())
        })?;
        Ok(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
version: 1
service: orders
state_dir: state
identity: { socket: /api.sock }
listeners: [{ name: a, address: '127.0.0.1:0' }]
upstreams: [{ name: app, address: 'unix:/app.sock' }]
policy: { source: { dir: policies } }
";

    #[test]
    fn the_command_line_comes_before_the_environment() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for dir in ["state/log", "other"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        std::fs::write(root.join("portreeve.yaml"), CONFIG).unwrap();
        let other = root.join("other").display().to_string();
        let env = |name: &str| (name == VARIABLE).then(|| other.clone());
        let config = LogArgs { config: Some(root.join("portreeve.yaml")), log: None };
        assert_eq!(config.dir_with(&env).unwrap(), root.join("state/log"));
        assert_eq!(LogArgs::of(root).dir_with(&env).unwrap(), root);
        assert_eq!(LogArgs::default().dir_with(&env).unwrap(), root.join("other"));
    }

    #[test]
    fn a_log_that_is_no_directory_is_an_error_that_says_what_to_name() {
        let root = tempfile::tempdir().unwrap();
        let missing = LogArgs::of(&root.path().join("missing")).dir_with(&|_| None).unwrap_err();
        assert!(missing.to_string().ends_with("name it by -c FILE or --log DIR"), "{missing}");
        let path = root.path().join("portreeve.yaml");
        std::fs::write(&path, format!("{CONFIG}log: {{ stdout: true }}\n")).unwrap();
        let stdout = LogArgs { config: Some(path), log: None }.dir_with(&|_| None).unwrap_err();
        assert!(stdout.to_string().ends_with("read it there"), "{stdout}");
    }
}

//! The policy store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::scalars::{DurationText, PathText};

/// Where policy comes from and how often it is looked for.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Policy {
    pub source: PolicySource,
    /// A branch, a tag or a full commit id. Only with `git`.
    #[serde(default = "default_ref", rename = "ref")]
    #[schemars(length(min = 1, max = 255))]
    pub reference: String,
    /// The bundle's root inside the repository; empty is the whole. Only with `git`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub subdir: String,
    /// How often the source is looked at; 1s to 24h.
    #[serde(default = "default_interval")]
    pub interval: DurationText,
    /// How a commit's signer is verified. It has no default for `https` and `ssh` repositories: that
    /// nobody verifies must be written out. `file` repositories and directories default to `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Verify")]
    pub verify: Option<Verify>,
    /// What becomes of a Rego builtin whose cost is set by its arguments, such as `numbers.range`.
    #[serde(default)]
    pub unbounded_builtins: UnboundedBuiltins,
    /// The file of known host keys; required for `ssh`, which refuses a host that is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub known_hosts: Option<PathText>,
    /// The private key for `ssh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub ssh_key: Option<PathText>,
    /// A file with the token for `https`, read at every fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub token_file: Option<PathText>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "`refuse` bounds its arguments, and a call beyond is an error; `pool` gives them 64 times the room, and decides Rego on threads of their own, where a decision that takes longer than 600 ms is given up as an error."
)]
pub(in super::super) enum UnboundedBuiltins {
    #[default]
    Refuse,
    Pool,
}

/// One of `git` and `dir`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct PolicySource {
    /// A git repository: `https://`, `ssh://`, `file://` or an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 2048))]
    pub git: Option<String>,
    /// A directory, read whole at every interval: for development.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub dir: Option<PathText>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Verify {
    None,
}

fn default_ref() -> String {
    "main".to_owned()
}

fn default_interval() -> DurationText {
    DurationText("30s".to_owned())
}

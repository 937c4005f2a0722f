//! The log's directory and the admin socket.

use std::path::Path;
use std::{fs, io};

use rustix::fs::statvfs;

use super::Check;
use crate::admin::{self, PartState, Readiness};
use crate::audit::{self, OnFailure, Target};

/// With less, the log ends within a busy hour.
const LOW_BYTES: u64 = 1 << 30;
/// With less, it ends at once.
const NONE_BYTES: u64 = 16 << 20;

pub(super) fn log(settings: &audit::Settings) -> Check {
    let name = "log";
    let Target::Dir(dir) = &settings.target else {
        return Check::ok(name, "goes to standard output");
    };
    // A directory that is not there yet is made at the start, in the nearest one that is.
    let Some(found) = dir.ancestors().find(|path| path.exists()) else {
        return Check::fail(name, format!("there is no `{}`", dir.display()), "correct `log.dir`");
    };
    let place = match found == dir {
        true => format!("`log.dir` `{}`", dir.display()),
        false => {
            let (dir, found) = (dir.display(), found.display());
            format!("`log.dir` `{dir}` is not there yet; `{found}`, in which it will be made,")
        }
    };
    if !found.is_dir() {
        return Check::fail(name, format!("{place} is not a directory"), "correct `log.dir`");
    }
    if let Err(error) = try_writing(found, found == dir) {
        let to_do = "correct `log.dir`, give the directory to the sidecar's user, or run the \
                     doctor as that user";
        return Check::fail(name, format!("{place} cannot be written to: {error}"), to_do);
    }
    let free = match statvfs(found) {
        Ok(of) => of.f_bavail.saturating_mul(of.f_frsize),
        Err(error) => {
            let text = format!("{place} is writable; its free space cannot be asked for: {error}");
            return Check::warn(name, text, "look at the file system");
        }
    };
    space(&place, free, settings.on_failure)
}

/// Makes and removes what the sidecar would make: a file, and the directory for it where it is not
/// there yet. What permissions say is not enough: file systems have rules of their own.
fn try_writing(dir: &Path, is_the_log: bool) -> io::Result<()> {
    let trial = dir.join(format!(".portreeve-doctor-{}", std::process::id()));
    if is_the_log {
        return make_and_remove(&trial);
    }
    fs::create_dir(&trial)?;
    let made = make_and_remove(&trial.join("file"));
    made.and(fs::remove_dir(&trial))
}

fn make_and_remove(file: &Path) -> io::Result<()> {
    fs::File::create_new(file)?;
    fs::remove_file(file)
}

pub(super) fn space(place: &str, free: u64, on_failure: OnFailure) -> Check {
    let found = format!("{place} is writable, {} MiB are free", free >> 20);
    let ends = match on_failure {
        OnFailure::Deny => "when it is full, every request is denied",
        OnFailure::Drop => "when it is full, records are lost",
    };
    let to_do = format!("make room, or set `log.keep_files`: {ends}");
    match free {
        0..NONE_BYTES => Check::fail("log", found, to_do),
        NONE_BYTES..LOW_BYTES => Check::warn("log", found, to_do),
        _ => Check::ok("log", found),
    }
}

/// Whether a sidecar runs on this configuration, and whether it is ready.
pub(super) async fn sidecar(socket: &Path) -> Check {
    let name = "sidecar";
    let answer = match admin::client::get(socket, "/readyz").await {
        Ok(answer) => answer,
        Err(error) if !socket.exists() => {
            let to_do = "start it: `portreeve run -c FILE`";
            return Check::warn(name, format!("none runs: {error}"), to_do);
        }
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::new(error));
            return Check::warn(name, text, "it has ended or hangs: look at its log");
        }
    };
    let Ok(readiness) = serde_json::from_value::<Readiness>(answer) else {
        let text = "its readiness has another form than ours";
        return Check::warn(name, text, "it is of another version: use its own program");
    };
    let bad = readiness.parts.iter().filter(|part| part.state != PartState::Ready);
    let told: Vec<String> =
        bad.map(|part| format!("{} ({}): {}", part.name, part.reason, part.text)).collect();
    match readiness.state() {
        PartState::Ready => Check::ok(name, format!("ready, on `{}`", socket.display())),
        PartState::Degraded => Check::warn(name, "ready, degraded", told.join("\n")),
        PartState::NotReady => Check::fail(name, "runs and is not ready", told.join("\n")),
    }
}

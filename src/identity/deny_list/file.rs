//! The list in force and its file: read at the start, replaced as a whole at every change.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use portreeve_core::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Denial, DenyList, DenyListError, VERSION};

pub(super) const FILE_NAME: &str = "deny-list.json";
/// As many entries as a list holds, of the longest IDs and reasons, escaped.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The deny-list in force and its file. Clones share it.
#[derive(Clone, Debug)]
pub struct DenyListFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    current: ArcSwap<DenyList>,
    /// Counts changes, and keeps one from overtaking another.
    changes: watch::Sender<u64>,
    writing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    blocked: Vec<Denial>,
}

/// Read before the rest: of a newer form only this is understood.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl DenyListFile {
    /// Reads the list of a state directory; without a file nobody is blocked.
    ///
    /// # Errors
    /// There is a file, and it cannot be read or understood.
    pub fn open(state_dir: &Path) -> Result<Self, DenyListError> {
        let path = state_dir.join(FILE_NAME);
        let list = read(&path)?;
        let inner = Inner {
            path,
            current: ArcSwap::from_pointee(list),
            changes: watch::Sender::new(0),
            writing: Mutex::new(()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Who is blocked now.
    #[must_use]
    pub fn current(&self) -> arc_swap::Guard<Arc<DenyList>> {
        self.inner.current.load()
    }

    /// A receiver that wakes after every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Blocks a peer or a trust domain, in place of what the list said of it. In force when this
    /// returns, also where the file could not be written: then only until the next start.
    ///
    /// # Errors
    /// The entry cannot be, or its file cannot be written.
    pub fn block(&self, denial: Denial) -> Result<(), DenyListError> {
        let _writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.current().entries();
        entries.retain(|entry| entry.spiffe_id != denial.spiffe_id);
        entries.push(denial);
        let next = DenyList::of(entries)?;
        let written = self.write(&next);
        self.publish(next);
        written
    }

    /// Takes an entry off the list and returns it; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be written; the entry stays in force.
    pub fn unblock(&self, spiffe_id: &str) -> Result<Option<Denial>, DenyListError> {
        Ok(self.remove(|entry| entry.spiffe_id == spiffe_id)?.pop())
    }

    /// Takes off the list what is no longer in force, and returns it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remove_expired(&self, now: Timestamp) -> Result<Vec<Denial>, DenyListError> {
        let is_over = |entry: &Denial| entry.until.is_some_and(|until| until <= now);
        if !self.current().all().any(is_over) {
            return Ok(Vec::new());
        }
        self.remove(is_over)
    }

    fn remove(&self, goes: impl Fn(&Denial) -> bool) -> Result<Vec<Denial>, DenyListError> {
        let _writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (gone, stay): (Vec<_>, Vec<_>) = self.current().entries().into_iter().partition(goes);
        if !gone.is_empty() {
            let next = DenyList::of(stay)?;
            self.write(&next)?;
            self.publish(next);
        }
        Ok(gone)
    }

    /// Publishes first and tells after: whoever is woken sees the new list.
    fn publish(&self, next: DenyList) {
        self.inner.current.store(Arc::new(next));
        self.inner.changes.send_modify(|changes| *changes += 1);
    }

    /// All or nothing, and on the disk when it returns.
    fn write(&self, list: &DenyList) -> Result<(), DenyListError> {
        let path = &self.inner.path;
        let written = Written { version: VERSION, blocked: list.entries() };
        replace(path, &written)
            .map_err(|source| DenyListError::Write { path: path.clone(), source })
    }
}

fn read(path: &Path) -> Result<DenyList, DenyListError> {
    let failed = |source| DenyListError::Read { path: path.to_owned(), source };
    let form = |source| DenyListError::Form { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DenyList::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(failed(io::Error::other("it is longer than any that was written")));
    }
    let Versioned { version } = serde_json::from_slice(&text).map_err(form)?;
    if version != VERSION {
        return Err(DenyListError::Version { path: path.to_owned(), found: version });
    }
    let written: Written = serde_json::from_slice(&text).map_err(form)?;
    DenyList::of(written.blocked)
}

fn replace(path: &Path, written: &Written) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec_pretty(written)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

//! The local deny-list: whom an operator has blocked here, whatever their trust domain says of them.
//!
//! It stands in a file of the state directory, so that it outlives a restart, and in memory as an
//! immutable [`DenyList`] that handshakes and requests read without a lock. A file that cannot be
//! read stops the start: who is blocked would not be known.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The form of the file; another one is of another version of the program.
const VERSION: u32 = 1;
const FILE_NAME: &str = "deny-list.json";
/// An operator blocks by hand. What needs more entries is a matter for policy or for the issuer.
pub const MAX_ENTRIES: usize = 10_000;
/// One sentence.
pub const MAX_REASON_BYTES: usize = 512;
/// [`MAX_ENTRIES`] of the longest IDs and reasons, escaped.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Who is blocked, from one change to the next.
#[derive(Debug, Default)]
pub struct DenyList {
    ids: HashMap<SpiffeId, Denial>,
    trust_domains: HashMap<TrustDomain, Denial>,
}

/// One entry, as it is told and as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// A SPIFFE ID, or `spiffe://td` for all of a trust domain.
    pub spiffe_id: String,
    pub reason: String,
    pub since: Timestamp,
    /// `None`: until it is lifted.
    pub until: Option<Timestamp>,
}

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

/// Why the deny-list could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum DenyListError {
    #[error(
        "the deny-list `{}` cannot be read, so who is blocked is not known: repair it, or move it \
         away to start with nobody blocked", path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the deny-list `{}` is not understood, so who is blocked is not known: repair it, or move \
         it away to start with nobody blocked", path.display()
    )]
    Form { path: PathBuf, source: serde_json::Error },
    #[error(
        "the deny-list `{}` has version {found} and this program reads version {VERSION}: use the \
         newer program", path.display()
    )]
    Version { path: PathBuf, found: u32 },
    #[error("the deny-list has an entry that cannot be: {text}")]
    Entry { text: String },
    #[error("the deny-list is full: it holds {MAX_ENTRIES} entries")]
    Full,
    #[error("the deny-list `{}` cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
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

impl DenyList {
    /// The entry that blocks a peer now, if any: that of its ID before that of its trust domain.
    #[must_use]
    pub fn denies(&self, id: &SpiffeId, now: Timestamp) -> Option<&Denial> {
        let in_force = |denial: &&Denial| denial.until.is_none_or(|until| now < until);
        let by_id = || self.ids.get(id).filter(in_force);
        let by_domain = || self.trust_domains.get(id.trust_domain()).filter(in_force);
        if self.is_empty() { None } else { by_id().or_else(by_domain) }
    }

    /// Every entry, by ID.
    #[must_use]
    pub fn entries(&self) -> Vec<Denial> {
        let all = self.ids.values().chain(self.trust_domains.values());
        let sorted: BTreeMap<_, _> =
            all.map(|denial| (denial.spiffe_id.as_str(), denial)).collect();
        sorted.into_values().cloned().collect()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() + self.trust_domains.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.trust_domains.is_empty()
    }

    fn of(entries: impl IntoIterator<Item = Denial>) -> Result<Self, DenyListError> {
        let mut list = Self::default();
        for denial in entries {
            let invalid = |text: String| DenyListError::Entry { text };
            let id = SpiffeId::parse(&denial.spiffe_id)
                .map_err(|error| invalid(format!("`{}`: {error}", denial.spiffe_id)))?;
            let reason = &denial.reason;
            if reason.trim().is_empty() || reason.len() > MAX_REASON_BYTES {
                let text = format!("`{id}`: the reason has 1 to {MAX_REASON_BYTES} bytes");
                return Err(invalid(text));
            }
            if id.path().is_empty() {
                list.trust_domains.insert(id.trust_domain().clone(), denial);
            } else {
                list.ids.insert(id, denial);
            }
        }
        if list.len() > MAX_ENTRIES { Err(DenyListError::Full) } else { Ok(list) }
    }
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
        let list = self.current();
        if !list.ids.values().chain(list.trust_domains.values()).any(is_over) {
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

#[cfg(test)]
mod tests;

//! Appending lines to the current file, or to standard output, and changing files.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use portreeve_core::Timestamp;

use super::recover::{Recovered, quarantine_path, recover};
use super::{Durability, OpenError, Settings, Target, files};
use crate::clock::Clock;

/// What happened to files and is not recorded yet. Rotations faster than the log thread records
/// them are counted in the last.
const MAX_NOTICES: usize = 64;

/// Writes whole lines, each with one `write`. Whoever holds it decides the next number.
#[derive(Debug)]
pub(super) struct Appender {
    clock: Clock,
    /// `None` for standard output.
    place: Option<Place>,
    /// `None` where a file has to be opened first.
    pub(super) current: Option<Current>,
    /// A part of a line stands at the end and could not be cut off.
    is_torn: bool,
    /// The last record has been written.
    pub(super) is_closed: bool,
    pub(super) notices: Vec<Notice>,
    /// The file goes on because the next could not be begun.
    pub(super) warning: Option<String>,
}

#[derive(Debug)]
struct Place {
    dir: PathBuf,
    lock: File,
    rotate_bytes: u64,
    syncs: bool,
}

#[derive(Debug)]
pub(super) struct Current {
    pub(super) file: File,
    path: PathBuf,
    size: u64,
    first_seq: u64,
}

/// Something to be recorded by the log thread.
#[derive(Debug)]
pub(super) enum Notice {
    Rotated {
        closed: String,
        opened: String,
    },
    Recovered {
        file: String,
        quarantine: String,
        bytes: u64,
    },
    /// A file with lines in it was deleted under us.
    Removed {
        first_seq: u64,
        last_seq: u64,
        time: Timestamp,
    },
    Pruned {
        file: String,
        first_seq: u64,
    },
}

impl Appender {
    /// Opens the target, recovers its end, and says which number comes next.
    pub(super) fn open(settings: &Settings, clock: Clock) -> Result<(Self, u64), OpenError> {
        let mut appender = Self {
            clock,
            place: None,
            current: None,
            is_torn: false,
            is_closed: false,
            notices: Vec::new(),
            warning: None,
        };
        let next_seq = match &settings.target {
            Target::Stdout => {
                let opened = io::stdout().as_fd().try_clone_to_owned();
                let file = opened.map_err(|source| OpenError::Stdout { source })?.into();
                let path = PathBuf::new();
                appender.current = Some(Current { file, path, size: 0, first_seq: 1 });
                1
            }
            Target::Dir(dir) => appender.open_directory(dir, settings)?,
        };
        Ok((appender, next_seq))
    }

    fn open_directory(&mut self, dir: &Path, settings: &Settings) -> Result<u64, OpenError> {
        let failed = |source| OpenError::Directory { path: dir.to_owned(), source };
        files::make_directory(dir).map_err(failed)?;
        let lock = files::lock(dir).map_err(failed)?;
        let lock = lock.ok_or_else(|| OpenError::Locked { path: dir.to_owned() })?;
        let mut next_seq = 1;
        if let Some(last) = files::list(dir).map_err(failed)?.pop() {
            let recovered = recover(&last.path, last.first_seq);
            let Recovered { file, size, next_seq: next, quarantined } =
                recovered.map_err(|source| OpenError::File { path: last.path.clone(), source })?;
            next_seq = next;
            if quarantined > 0 {
                self.notices.push(Notice::Recovered {
                    file: name_of(&last.path),
                    quarantine: name_of(&quarantine_path(&last.path)),
                    bytes: quarantined,
                });
            }
            if size < settings.rotate_bytes {
                let (path, first_seq) = (last.path, last.first_seq);
                self.current = Some(Current { file, path, size, first_seq });
            }
        }
        let syncs = settings.durability == Durability::Synced;
        let rotate_bytes = settings.rotate_bytes;
        self.place = Some(Place { dir: dir.to_owned(), lock, rotate_bytes, syncs });
        if self.current.is_none() {
            self.begin_file(next_seq).map_err(failed)?;
        }
        Ok(next_seq)
    }

    /// Appends one whole line, or nothing.
    pub(super) fn append(&mut self, line: &[u8], seq: u64) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.must_rotate(length) {
            // A log that goes on in a file that is too long is better than none.
            self.warning = self.rotate(seq).err().map(|error| error.to_string());
        }
        if self.current.is_none() {
            self.begin_file(seq)?;
        }
        let Some(current) = &mut self.current else { return Err(io::ErrorKind::NotFound.into()) };
        if self.is_torn {
            (&current.file).write_all(b"\n")?;
            self.is_torn = false;
        }
        if let Err((error, written)) = write_whole(&current.file, line) {
            self.is_torn = written > 0 && cut_off(&current.file, written).is_err();
            return Err(error);
        }
        current.size = current.size.saturating_add(length);
        Ok(())
    }

    /// A second handle on the current file, to be synced without holding up anyone.
    pub(super) fn file_to_sync(&self) -> io::Result<Option<File>> {
        self.current.as_ref().map(|current| current.file.try_clone()).transpose()
    }

    /// Notices that the file was deleted or moved away, and begins another.
    pub(super) fn check_place(&mut self, next_seq: u64) -> io::Result<()> {
        if self.place.is_none() || self.is_closed {
            return Ok(());
        }
        if let Some(current) = self.current.take_if(|it| !files::is_at(&it.file, &it.path)) {
            let is_deleted = current.file.metadata().is_ok_and(|found| found.nlink() == 0);
            if is_deleted && next_seq > current.first_seq {
                self.notices.push(Notice::Removed {
                    first_seq: current.first_seq,
                    last_seq: next_seq.saturating_sub(1),
                    time: self.clock.now(),
                });
            }
        }
        if self.current.is_none() { self.begin_file(next_seq) } else { Ok(()) }
    }

    /// Deletes the oldest closed files beyond those to keep.
    pub(super) fn prune(dir: &Path, keep_files: usize) -> io::Result<Vec<Notice>> {
        let mut closed = files::list(dir)?;
        closed.pop(); // the current one
        let surplus = closed.len().saturating_sub(keep_files);
        let mut pruned = Vec::new();
        for file in closed.into_iter().take(surplus) {
            fs::remove_file(&file.path)?;
            let first_seq = file.first_seq;
            pruned.push(Notice::Pruned { file: name_of(&file.path), first_seq });
        }
        Ok(pruned)
    }

    /// Gives file and lock up: another log may open the directory.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.current = None;
        self.place = None;
    }

    fn must_rotate(&self, length: u64) -> bool {
        match (&self.place, &self.current) {
            (Some(place), Some(current)) => {
                current.size > 0 && current.size.saturating_add(length) > place.rotate_bytes
            }
            _ => false,
        }
    }

    fn rotate(&mut self, seq: u64) -> io::Result<()> {
        let closed = self.current.take();
        if let Err(error) = self.begin_file(seq) {
            self.current = closed;
            return Err(error);
        }
        let Some(closed) = closed else { return Ok(()) };
        if self.place.as_ref().is_some_and(|place| place.syncs) {
            closed.file.sync_data()?;
        }
        if self.notices.len() < MAX_NOTICES {
            let opened = self.current.as_ref().map_or_else(String::new, |it| name_of(&it.path));
            self.notices.push(Notice::Rotated { closed: name_of(&closed.path), opened });
        }
        Ok(())
    }

    fn begin_file(&mut self, first_seq: u64) -> io::Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        if !files::holds_lock(&place.dir, &place.lock) {
            place.lock = files::lock(&place.dir)?.ok_or_else(|| {
                io::Error::new(io::ErrorKind::ResourceBusy, "another process holds the directory")
            })?;
        }
        let path = place.dir.join(files::name(self.clock.now(), first_seq));
        let file = files::create(&path)?;
        if place.syncs {
            File::open(&place.dir)?.sync_all()?; // the name has to survive too
        }
        self.current = Some(Current { file, path, size: 0, first_seq });
        self.is_torn = false;
        Ok(())
    }
}

/// One `write` in all but the rarest cases; the error comes with the bytes that were written.
fn write_whole(mut file: &File, line: &[u8]) -> Result<(), (io::Error, usize)> {
    let mut written = 0;
    while let Some(rest) = line.get(written..)
        && !rest.is_empty()
    {
        match file.write(rest) {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), written)),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, written)),
        }
    }
    Ok(())
}

/// Measured anew, since someone may have cut the file shorter.
fn cut_off(file: &File, written: usize) -> io::Result<()> {
    let length = file.metadata()?.len();
    let kept = length.checked_sub(u64::try_from(written).unwrap_or(u64::MAX));
    file.set_len(kept.ok_or(io::ErrorKind::InvalidInput)?)
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

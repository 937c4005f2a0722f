//! Reading a log back: in order, by decision, or as it grows. Reading takes no lock.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use portreeve_core::Timestamp;
use portreeve_core::record::{DecisionId, MAX_LINE_BYTES};
use serde_json::Value;

use super::files;

/// How much of a file's end is read first when the last lines are asked for.
const TAIL_BYTES: u64 = 1 << 20;
/// A start whose clock is wrong leaves some records of a wrong time; so many starts do not hide what
/// was written before them.
const RECENT: usize = 256;
/// A poll of a log that grows reads no more than this at once.
const MAX_POLL_BYTES: u64 = 4 << 20;

/// Why a place of a log is not a record.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("failed to read log `{path}`")]
    Io { path: PathBuf, source: io::Error },
    #[error("`{path}` has a line of more than {MAX_LINE_BYTES} bytes")]
    TooLong { path: PathBuf },
    #[error("`{path}` has a line that is not a record")]
    NotARecord { path: PathBuf, source: serde_json::Error },
}

/// The lines of all files of a log in order, without their newlines.
#[derive(Debug)]
pub struct Lines {
    files: std::vec::IntoIter<files::LogFile>,
    current: Option<(PathBuf, BufReader<File>)>,
}

/// All lines of a log. The last is left out while it is not whole.
///
/// # Errors
/// The directory cannot be read.
pub fn read(dir: &Path) -> Result<Lines, ReadError> {
    let files = files::list(dir).map_err(|source| io_error(dir, source))?;
    Ok(Lines { files: files.into_iter(), current: None })
}

/// Every record of a decision: itself, its end, or the refusals that carry its id.
///
/// # Errors
/// The log cannot be read.
pub fn find(dir: &Path, id: &DecisionId) -> Result<Vec<Value>, ReadError> {
    let mut found = Vec::new();
    // Of the exchange's first decision, as later ones name it: inside a string its quotes are escaped.
    let mut again: Option<(u64, String)> = None;
    for line in read(dir)? {
        let line = match line {
            Ok(line) => line,
            Err(error @ ReadError::Io { .. }) => return Err(error),
            Err(ReadError::TooLong { .. } | ReadError::NotARecord { .. }) => continue,
        };
        let has = |text: &[u8]| line.windows(text.len()).any(|part| part == text);
        let may_be_again = again.as_ref().is_some_and(|(_, of)| has(of.as_bytes()));
        if !has(id.as_bytes()) && !may_be_again {
            continue;
        }
        // A caller can put an id into a path: only its own fields count.
        if let Ok(record) = serde_json::from_slice::<Value>(&line) {
            let is_its_own = record.get("id").and_then(Value::as_str) == Some(id.as_str());
            let ids = record.pointer("/refused/ids").and_then(Value::as_array);
            let is_among = ids.is_some_and(|ids| ids.iter().any(|it| it == id.as_str()));
            let of = again.as_ref().map(|(of, _)| *of);
            let is_again = of.is_some() && record.get("of").and_then(Value::as_u64) == of;
            if is_its_own && record.get("kind").is_some_and(|kind| kind == "decision") {
                let seq = record.get("seq").and_then(Value::as_u64);
                again = seq.map(|seq| (seq, format!("\"of\":{seq},")));
            }
            if is_its_own || is_among || is_again {
                found.push(record);
            }
        }
    }
    Ok(found)
}

impl Iterator for Lines {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((path, reader)) = &mut self.current {
                match next_line(path, reader) {
                    Ok(None) => {}
                    Ok(Some(line)) => return Some(Ok(line)),
                    Err(error) => return Some(Err(error)),
                }
            }
            let path = self.files.next()?.path;
            match File::open(&path) {
                Ok(file) => self.current = Some((path, BufReader::new(file))),
                // Deleted since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.current = None,
                Err(source) => return Some(Err(io_error(&path, source))),
            }
        }
    }
}

fn next_line(path: &Path, reader: &mut BufReader<File>) -> Result<Option<Vec<u8>>, ReadError> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    let failed = |source| io_error(path, source);
    reader.by_ref().take(limit).read_until(b'\n', &mut line).map_err(failed)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(line));
    }
    if line.len() < MAX_LINE_BYTES {
        return Ok(None); // the end, or a line that is not whole
    }
    reader.skip_until(b'\n').map_err(failed)?;
    Err(ReadError::TooLong { path: path.to_owned() })
}

/// A log as it grows, file after file.
#[derive(Debug)]
pub struct Follow {
    dir: PathBuf,
    current: Option<Position>,
}

/// The latest time of the last records; `None` where none can be read.
#[must_use]
pub fn newest_time(dir: &Path) -> Option<Timestamp> {
    let (lines, _) = last(dir, RECENT, |_| true).ok()?;
    let time = |line: &Vec<u8>| {
        let record: Value = serde_json::from_slice(line).ok()?;
        Timestamp::parse(record.get("time")?.as_str()?).ok()
    };
    lines.iter().filter_map(time).max()
}

#[derive(Debug)]
struct Position {
    file: files::LogFile,
    /// Just behind the last whole line.
    offset: u64,
}

/// The last `count` lines that `keep` accepts, and where to go on.
///
/// # Errors
/// The log cannot be read.
pub fn last(
    dir: &Path,
    count: usize,
    keep: impl Fn(&[u8]) -> bool,
) -> Result<(Vec<Vec<u8>>, Follow), ReadError> {
    let files = files::list(dir).map_err(|source| io_error(dir, source))?;
    let mut lines = VecDeque::new();
    let mut current = None;
    for file in files.into_iter().rev() {
        let failed = |source| io_error(&file.path, source);
        let mut window = TAIL_BYTES;
        loop {
            let (found, start, end) = tail_of(&file.path, window).map_err(failed)?;
            let found: Vec<_> = found.into_iter().filter(|line| keep(line)).collect();
            if start > 0 && lines.len() + found.len() < count {
                window = window.saturating_mul(4);
                continue;
            }
            for line in found.into_iter().rev().take(count - lines.len()) {
                lines.push_front(line);
            }
            current.get_or_insert(Position { file, offset: end });
            break;
        }
        if lines.len() >= count {
            break;
        }
    }
    Ok((lines.into(), Follow { dir: dir.to_owned(), current }))
}

/// The whole lines within the last `window` bytes, where they begin and where they end.
fn tail_of(path: &Path, window: u64) -> io::Result<(Vec<Vec<u8>>, u64, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(window);
    let (lines, consumed) = lines_from(&mut file, start, window)?;
    // The first is cut unless the window begins with the file.
    let skipped = usize::from(start > 0);
    Ok((lines.into_iter().skip(skipped).collect(), start, start + consumed))
}

/// The whole lines from `offset` on within `limit` bytes, and how many bytes they are.
fn lines_from(file: &mut File, offset: u64, limit: u64) -> io::Result<(Vec<Vec<u8>>, u64)> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(limit).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let lines = bytes.get(..whole).unwrap_or_default().split_inclusive(|b| *b == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line).to_vec()).collect();
    Ok((lines, u64::try_from(whole).unwrap_or(u64::MAX)))
}

impl Follow {
    /// The lines that have come since the last call; an empty answer means none yet.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn poll(&mut self) -> Result<Vec<Vec<u8>>, ReadError> {
        loop {
            // Before the file is read: what is written later is in it or in one listed next time.
            let listed = files::list(&self.dir).map_err(|source| io_error(&self.dir, source))?;
            if let Some(position) = &mut self.current {
                let lines = position.read()?;
                if !lines.is_empty() {
                    return Ok(lines);
                }
            }
            let seen = self.current.as_ref().map(|position| &position.file);
            let is_next = |file: &files::LogFile| {
                seen.is_none_or(|seen| (file.first_seq, &file.path) > (seen.first_seq, &seen.path))
            };
            match listed.into_iter().find(is_next) {
                Some(file) => self.current = Some(Position { file, offset: 0 }),
                None => return Ok(Vec::new()),
            }
        }
    }
}

impl Position {
    fn read(&mut self) -> Result<Vec<Vec<u8>>, ReadError> {
        let failed = |source| io_error(&self.file.path, source);
        let mut file = match File::open(&self.file.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let length = file.metadata().map_err(failed)?.len();
        self.offset = if length < self.offset { 0 } else { self.offset }; // it was cut shorter
        let (lines, consumed) =
            lines_from(&mut file, self.offset, MAX_POLL_BYTES).map_err(failed)?;
        self.offset += consumed;
        Ok(lines)
    }
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io { path: path.to_owned(), source }
}

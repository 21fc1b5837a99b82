//! A file of which only parts are in memory.
//!
//! A checkpoint's index is some hundred kilobytes of a file that may be larger than the memory that is
//! left. Readers ask for ranges; a range that is not there yet is noted, the reading stops, and is begun
//! again once the noted ranges have been added. Nothing is waited for, so that the same readers serve a
//! file in memory and one that a browser hands out piece by piece.

use crate::error::Error;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

/// Why reading ended before there was an index.
pub enum Stop {
    /// Parts of the file are not there yet; the file has noted which.
    Wanted,
    /// What is refused, damaged or missing.
    Refused(Error),
}

pub type Result<T> = std::result::Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Refused(error)
    }
}

impl From<String> for Stop {
    fn from(sentence: String) -> Stop {
        Stop::Refused(Error::BadModel(sentence))
    }
}

impl From<&str> for Stop {
    fn from(sentence: &str) -> Stop {
        Stop::from(sentence.to_owned())
    }
}

/// Ranges that lie closer than this are read as one: a read costs more than these bytes.
const GAP: usize = 16 << 10;

/// A file's length and the parts of it that are there, by their offset.
pub struct PartialFile<'a> {
    length: usize,
    parts: BTreeMap<usize, Cow<'a, [u8]>>,
    wanted: RefCell<Vec<Range<usize>>>,
}

impl<'a> PartialFile<'a> {
    /// A file of which nothing is there.
    pub fn new(length: usize) -> PartialFile<'a> {
        PartialFile { length, parts: BTreeMap::new(), wanted: RefCell::default() }
    }

    /// A file that is there.
    pub fn whole(bytes: &'a [u8]) -> PartialFile<'a> {
        PartialFile { parts: BTreeMap::from([(0, bytes.into())]), ..PartialFile::new(bytes.len()) }
    }

    /// Bytes of the file.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Adds a part; parts that touch or overlap become one.
    pub fn add(&mut self, begin: usize, bytes: Vec<u8>) {
        let (mut start, mut joined) = (begin, Cow::from(bytes));
        let before = self.parts.range(..begin).next_back();
        if let Some(start_before) = before.filter(|(at, part)| *at + part.len() >= begin).map(|(&at, _)| at) {
            let part = self.parts.remove(&start_before).unwrap_or_default();
            (start, joined) = (start_before, append(part, start_before, begin, &joined));
        }
        while let Some(entry) = self.parts.range(start..).next().map(|(&at, _)| at)
            && entry <= start + joined.len()
        {
            let part = self.parts.remove(&entry).unwrap_or_default();
            joined = append(joined, start, entry, &part);
        }
        self.parts.insert(start, joined);
    }

    /// A range of the file; `None` where it reaches beyond the end.
    pub fn get(&self, range: Range<usize>) -> Result<Option<&[u8]>> {
        if range.end > self.length || range.start > range.end {
            return Ok(None);
        }
        let there = self.from(range.start);
        match there.get(..range.len()) {
            Some(bytes) => Ok(Some(bytes)),
            None => {
                // What is there already is not read again.
                self.wanted.borrow_mut().push(range.start + there.len()..range.end);
                Err(Stop::Wanted)
            }
        }
    }

    /// What is there from an offset on.
    pub fn from(&self, begin: usize) -> &[u8] {
        let part = self.parts.range(..=begin).next_back();
        part.and_then(|(&start, part)| part.get(begin - start..)).unwrap_or_default()
    }

    /// The noted ranges in order, none of which touches another; they are noted no more.
    pub fn take_wanted(&self) -> Vec<Range<usize>> {
        let mut wanted = self.wanted.take();
        wanted.sort_by_key(|range| range.start);
        wanted.dedup_by(|next, range| {
            let near = next.start <= range.end.saturating_add(GAP);
            if near {
                range.end = range.end.max(next.end);
            }
            near
        });
        wanted
    }
}

/// A part that begins at `start`, longer by what a part that begins within it or at its end has beyond it.
fn append<'a>(mut part: Cow<'a, [u8]>, start: usize, begin: usize, other: &[u8]) -> Cow<'a, [u8]> {
    if let Some(beyond) = other.get(start + part.len() - begin..) {
        part.to_mut().extend(beyond);
    }
    part
}

//! The directory of a zip archive whose entries are all stored, as `torch.save` writes them.
//!
//! Every offset is held against the archive's length and against the other entries; nothing is
//! inflated, so no entry can be larger than its bytes; one that is compressed may be there, but not be read. Checksums are not held, because PyTorch can be
//! told not to compute them (`torch.serialization.set_crc32_options`).

use crate::error::shortened;
use crate::read::partial::{PartialFile, Result, Stop};
use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::ops::Range;

/// First bytes of an archive with at least one entry.
pub const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const END64_LOCATOR: &[u8] = b"PK\x06\x07";

/// Lengths of the records above without their variable parts.
const LOCAL_LENGTH: usize = 30;
const CENTRAL_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
const END64_LENGTH: usize = 56;
const LOCATOR_LENGTH: usize = 20;

/// The places of the entries' data in an archive, by name.
pub struct Entries<'a>(BTreeMap<&'a str, (Range<usize>, bool)>);

impl<'a> Entries<'a> {
    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    /// Where the data of an entry lies that is stored as it is.
    ///
    /// # Errors
    /// For one that is compressed: other archives than those of `torch.save` are, and the names of what is in them
    /// say more.
    pub fn get(&self, name: &str) -> Result<Option<Range<usize>>> {
        match self.0.get(name) {
            None => Ok(None),
            Some((place, true)) => Ok(Some(place.clone())),
            Some((_, false)) => {
                Err(refused(name, "is compressed, expected a stored entry as torch.save writes it"))
            }
        }
    }
}

/// Every entry of an archive.
pub fn entries<'a>(file: &'a PartialFile) -> Result<Entries<'a>> {
    let (directory, count) = directory(file)?;
    file.get(directory.clone())?;
    let mut entries = BTreeMap::new();
    // Entries lie in the order of the directory: none begins before the one before it ends.
    let mut begin = 0;
    let mut at = directory.start;
    let mut wanted = false;
    while at < directory.end {
        let header = record(file, at, CENTRAL_HEADER, CENTRAL_LENGTH)?;
        let (flags, method) = (u16_at(header, 8), u16_at(header, 10));
        let (packed, size) = (u32_at(header, 20), u32_at(header, 24));
        let lengths = [28, 30, 32].map(|field| usize::from(u16_at(header, field)));
        let name = name_at(file, at + CENTRAL_LENGTH, lengths[0])?;
        if flags & 1 != 0 {
            return Err(refused(name, "is encrypted"));
        }
        let stored = method == 0 && packed == size;
        let local = u32_at(header, 42) as usize;
        if [size, packed, u32_at(header, 42)].contains(&u32::MAX) {
            return Err(refused(name, "is over 4 GB"));
        }
        if local < begin {
            return Err(refused(name, "begins inside the one before it: the file is damaged"));
        }
        at += CENTRAL_LENGTH + lengths.iter().sum::<usize>();
        let data = match data_of_entry(file, local, name, packed as usize, stored) {
            Ok(data) => data,
            // The other entries' headers are noted too before the reading ends.
            Err(Stop::Wanted) => {
                wanted = true;
                continue;
            }
            Err(refused) => return Err(refused),
        };
        if data.end > directory.start {
            return Err(refused(name, "reaches into the archive's directory: the file is damaged"));
        }
        begin = data.end;
        if entries.insert(name, (data, stored)).is_some() {
            return Err(refused(name, "is there twice"));
        }
    }
    if wanted {
        return Err(Stop::Wanted);
    }
    if at != directory.end || entries.len() != count {
        return Err(Stop::from(format!(
            "the zip archive's directory lists {} entries, its end says {count}: the file is damaged",
            entries.len()
        )));
    }
    Ok(Entries(entries))
}

/// Place of the central directory and the number of its entries.
fn directory(file: &PartialFile) -> Result<(Range<usize>, usize)> {
    let truncated = || Stop::from("the zip archive has no end: was the checkpoint downloaded whole?");
    // The end is followed only by a comment of at most 65,535 bytes, whose length it holds.
    let longest = END64_LENGTH + LOCATOR_LENGTH + END_LENGTH + usize::from(u16::MAX);
    let before = file.len().saturating_sub(longest);
    let tail = file.get(before..file.len())?.unwrap_or_default();
    let last = tail.len().checked_sub(END_LENGTH).ok_or_else(truncated)?;
    let end = (0..=last)
        .rev()
        .find(|&at| {
            tail[at..].starts_with(END)
                && usize::from(u16_at(&tail[at..], 20)) == tail.len() - at - END_LENGTH
        })
        .ok_or_else(truncated)?;
    let record32 = &tail[end..];
    let fields32 =
        [u64::from(u16_at(record32, 10)), u64::from(u32_at(record32, 12)), u64::from(u32_at(record32, 16))];
    let locator = end.checked_sub(LOCATOR_LENGTH).filter(|&at| tail[at..].starts_with(END64_LOCATOR));
    let ([count, size, offset], directory_end) = match locator {
        None => (fields32, before + end),
        Some(locator) => {
            let at = before + locator.checked_sub(END64_LENGTH).unwrap_or(locator);
            if u64_at(&tail[locator..], 8) != at as u64 {
                return Err(damaged(format_args!("its zip64 end is not where it says")));
            }
            let record64 = record(file, at, END64, END64_LENGTH)?;
            let fields64 = [32, 40, 48].map(|field| u64_at(record64, field));
            // A field of the older record is all ones where it is too small for the number.
            let saturated = [u64::from(u16::MAX), u64::from(u32::MAX), u64::from(u32::MAX)];
            if (0..3).any(|i| fields32[i] != fields64[i] && fields32[i] != saturated[i]) {
                return Err(damaged(format_args!("its two ends disagree")));
            }
            (fields64, at)
        }
    };
    if offset.checked_add(size) != Some(directory_end as u64) {
        return Err(damaged(format_args!(
            "its directory does not lie before its end: was the checkpoint downloaded whole?"
        )));
    }
    // Both fit: their sum is an offset in the archive.
    Ok((offset as usize..directory_end, usize::try_from(count).unwrap_or(usize::MAX)))
}

/// Place of an entry's data, which its local header precedes.
fn data_of_entry(
    file: &PartialFile,
    local: usize,
    name: &str,
    size: usize,
    stored: bool,
) -> Result<Range<usize>> {
    // The name is read with the header: a second read would cost as much as the first.
    file.get(local..(local + LOCAL_LENGTH + name.len()).min(file.len()).max(local))?;
    let header = record(file, local, LOCAL_HEADER, LOCAL_LENGTH)?;
    if stored && u16_at(header, 8) != 0 {
        return Err(refused(name, "is compressed, expected a stored entry as torch.save writes it"));
    }
    let lengths = [26, 28].map(|field| usize::from(u16_at(header, field)));
    if name_at(file, local + LOCAL_LENGTH, lengths[0])? != name {
        return Err(refused(name, "has another name in its own header: the file is damaged"));
    }
    let start = local + LOCAL_LENGTH + lengths[0] + lengths[1];
    let end = start.checked_add(size).filter(|&end| end <= file.len());
    Ok(start..end.ok_or_else(|| refused(name, "reaches beyond the end of the file: it is damaged"))?)
}

/// The record at an offset that begins with a signature.
fn record<'a>(file: &'a PartialFile, at: usize, signature: &[u8], length: usize) -> Result<&'a [u8]> {
    file.get(at..at.saturating_add(length))?
        .filter(|record| record.starts_with(signature))
        .ok_or_else(|| damaged(format_args!("it has no header at offset {at} where it names one")))
}

fn name_at<'a>(file: &'a PartialFile, at: usize, length: usize) -> Result<&'a str> {
    file.get(at..at + length)?
        .and_then(|name| std::str::from_utf8(name).ok())
        .ok_or_else(|| damaged(format_args!("an entry's name is no text")))
}

fn u16_at(record: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([record[at], record[at + 1]])
}

fn u32_at(record: &[u8], at: usize) -> u32 {
    u32::from(u16_at(record, at)) | u32::from(u16_at(record, at + 2)) << 16
}

fn u64_at(record: &[u8], at: usize) -> u64 {
    u64::from(u32_at(record, at)) | u64::from(u32_at(record, at + 4)) << 32
}

#[cold]
#[inline(never)]
fn refused(name: &str, what: &str) -> Stop {
    Stop::from(format!("entry `{}` of the zip archive {what}", shortened(name)))
}

#[cold]
#[inline(never)]
fn damaged(what: Arguments) -> Stop {
    Stop::from(format!("the zip archive is damaged: {what}"))
}

//! Checkpoints read as a browser reads them: from parts of the file, by way of another file in the layout that
//! engines read.

use g_ghostnet::Result;
use g_ghostnet::checkpoint::{Checkpoint, safetensors_layout};
use g_ghostnet::model::Options;
use g_ghostnet::read::{Progress, Reader};

/// The checkpoint as a reader makes it that is handed the ranges it asks for, and how many bytes those had; `read` is
/// [`Reader::read`] with whatever is held of it.
///
/// # Errors
/// As [`Reader::read`].
pub fn read_by_parts(
    file: &[u8],
    options: &Options,
    mut read: impl FnMut(&Reader) -> Result<Progress>,
) -> Result<(Checkpoint, usize)> {
    let mut reader = Reader::new(file.len(), options.clone());
    let mut total = 0;
    loop {
        match read(&reader)? {
            Progress::Read(checkpoint) => return Ok((*checkpoint, total)),
            Progress::Wanted(ranges) => {
                assert!(!ranges.is_empty(), "the reader asks for nothing and goes no further");
                for range in ranges {
                    let within = !range.is_empty() && range.end <= file.len();
                    assert!(within, "the reader asks for {range:?} of {}", file.len());
                    total += range.len();
                    assert!(total <= 2 * file.len(), "the reader asks for the same bytes again and again");
                    reader.add(range.start, file[range].to_vec());
                }
            }
        }
    }
}

/// The safetensors file of a checkpoint whose tensors lie in another file, or in its own bytes: the header and, one
/// after the other, the row-major elements.
pub fn file_of(checkpoint: &Checkpoint, file: &[u8]) -> Vec<u8> {
    let (mut made, order) = safetensors_layout(checkpoint.tensors(), &checkpoint.config);
    for tensor in order {
        let place = tensor.place().expect("it lies within its file");
        let elements = match place.start >= file.len() {
            true => checkpoint.bytes(place).to_vec(),
            false => tensor.row_major(&file[place]),
        };
        made.extend(elements);
    }
    made
}

//! Models read both ways: from the whole file, and as a browser does it, from parts of the file by way of another file
//! in the layout that engines read.

use crate::hostile::targets::parts::{self, file_of};
use g_ghostnet::Result;
use g_ghostnet::checkpoint::Checkpoint;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::read::Reader;

/// As [`parts::read_by_parts`], with nothing held of the reader.
pub fn read_by_parts(bytes: &[u8], options: &Options) -> Result<(Checkpoint, usize)> {
    parts::read_by_parts(bytes, options, Reader::read)
}

/// The model of a file, which both ways make or refuse in the same words.
#[track_caller]
pub fn model_of(bytes: Vec<u8>, options: &Options) -> Result<Model> {
    let by_parts = read_by_parts(&bytes, options).and_then(|(checkpoint, _)| {
        let made = Checkpoint::from_bytes(file_of(&checkpoint, &bytes))?;
        let model = Model::from_own_layout(made, options.labels.clone())?;
        Ok((model, checkpoint.origin))
    });
    let whole = Model::from_bytes(bytes, options);
    match (&whole, by_parts) {
        (Ok(whole), Ok((by_parts, origin))) => {
            assert_eq!(whole.checkpoint.origin, origin);
            same(whole, &by_parts);
        }
        (Err(whole), Err(by_parts)) => assert_eq!(*whole, by_parts),
        (whole, by_parts) => {
            panic!("of the whole file {:?}, by parts {:?}", whole.as_ref().err(), by_parts.map(|_| ()).err());
        }
    }
    whole
}

/// Two models with the same numbers under the same keys.
#[track_caller]
fn same(a: &Model, b: &Model) {
    assert_eq!((&a.architecture, &a.labels, a.input), (&b.architecture, &b.labels, b.input));
    assert_eq!(a.checkpoint.config, b.checkpoint.config);
    let network = a.network(a.input.side, a.input.side).unwrap();
    for (key, _) in network.steps.iter().flat_map(|step| a.checkpoint.expected_of(step)) {
        assert_eq!(a.checkpoint.shape(&key), b.checkpoint.shape(&key), "{key}");
        assert_eq!(a.checkpoint.dtype(&key), b.checkpoint.dtype(&key), "{key}");
        assert_eq!(a.checkpoint.read(&key), b.checkpoint.read(&key), "{key}");
    }
}

//! Where in a checkpoint's file its weights lay, and what of it the network does not read.

use serde::Serialize;

/// Where in a checkpoint the weights lay, and what of it the network does not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Where in the file the weights were, such as `state_dict`; empty at its top.
    pub weights: String,
    /// What the network does not read.
    pub left_out: Vec<LeftOut>,
}

/// A tensor or value of a file that the network does not read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its key in the file.
    pub name: String,
    /// Why it is not read.
    pub reason: String,
}

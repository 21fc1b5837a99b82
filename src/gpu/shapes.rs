//! The uniform of one dispatch: the Rust twin of `Shapes` in `shaders/shapes.wgsl`.

use crate::arch::{Activation, View};
use bytemuck::{Pod, Zeroable};

/// Shapes of one dispatch, in the order of the shader's struct.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Shapes {
    /// Element of the view's first channel.
    pub x_first: u32,
    /// Elements from channel to channel, a multiple of 4.
    pub x_pitch: u32,
    /// Channels of one group.
    pub x_channels: u32,
    /// Rows.
    pub x_height: u32,
    /// Columns.
    pub x_width: u32,
    /// As `x_first`.
    pub y_first: u32,
    /// As `x_pitch`.
    pub y_pitch: u32,
    /// Channels of one group.
    pub y_channels: u32,
    /// Rows.
    pub y_height: u32,
    /// Columns.
    pub y_width: u32,
    /// As `x_first`, of the second operand.
    pub add_first: u32,
    /// As `x_pitch`, of the second operand.
    pub add_pitch: u32,
    /// One of the `ADD_` constants.
    pub add_kind: u32,
    /// One of the `ACTIVATION_` constants of the shader.
    pub activation: u32,
    /// Images.
    pub batch: u32,
    /// Channel groups; for Winograd's products, frequencies x groups.
    pub groups: u32,
    /// Filter side.
    pub kernel: u32,
    /// Shapes between outputs.
    pub stride: u32,
    /// Winograd's tiles across.
    pub tiles_x: u32,
    /// Winograd's tiles down.
    pub tiles_y: u32,
}

/// Nothing is added.
pub const ADD_NONE: u32 = 0;
/// A value of y's shape.
pub const ADD_VALUE: u32 = 1;
/// One number for each channel of each image.
pub const ADD_CHANNEL: u32 = 2;
/// One number for each channel of each image, multiplied.
pub const SCALE_CHANNEL: u32 = 3;

/// The shader's number of an activation.
pub fn activation(activation: Activation) -> u32 {
    match activation {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::HardSigmoid => 2,
    }
}

/// Elements from channel to channel of a value in a batch: its pixels, padded to whole quads.
#[must_use]
pub fn pitch(batch: usize, pixels: usize) -> usize {
    (batch * pixels).next_multiple_of(4)
}

impl Shapes {
    /// The shapes of a step of one group, stride and kernel 1.
    pub fn new(x: View, y: View, batch: usize) -> Shapes {
        let (x_pitch, y_pitch) = (pitch(batch, x.pixels()), pitch(batch, y.pixels()));
        Shapes {
            x_first: (x.first * x_pitch) as u32,
            x_pitch: x_pitch as u32,
            x_channels: x.channels as u32,
            x_height: x.height as u32,
            x_width: x.width as u32,
            y_first: (y.first * y_pitch) as u32,
            y_pitch: y_pitch as u32,
            y_channels: y.channels as u32,
            y_height: y.height as u32,
            y_width: y.width as u32,
            batch: batch as u32,
            groups: 1,
            kernel: 1,
            stride: 1,
            ..Shapes::default()
        }
    }

    /// The same with a second operand.
    pub fn with_add(self, add: Option<View>, kind_of_one: u32) -> Shapes {
        let Some(add) = add else { return self };
        let add_pitch = pitch(self.batch as usize, add.pixels());
        Shapes {
            add_first: (add.first * add_pitch) as u32,
            add_pitch: add_pitch as u32,
            add_kind: if add.pixels() == 1 { kind_of_one } else { ADD_VALUE },
            ..self
        }
    }

    /// Quads of one channel of y.
    pub fn quads(&self) -> u32 {
        self.y_pitch / 4
    }
}

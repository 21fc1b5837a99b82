//! The kernels: which shader files make each, and how many workgroups a step needs.

use super::shapes::Shapes;
use half::f16;

/// A shader file's name and text.
macro_rules! shaders {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../shaders/", $name, ".wgsl")))),*]
    };
}

/// Every file of `shaders/`, by its name without extension.
pub const SHADERS: &[(&str, &str)] = shaders![
    "conv_depthwise",
    "conv_registers",
    "conv_shared",
    "dense",
    "draw",
    "elementwise",
    "finish",
    "finish_plain",
    "load_pointwise",
    "load_spatial",
    "max_pool",
    "mean",
    "patches",
    "picture",
    "range",
    "shapes",
    "values_f16",
    "values_f32",
    "weights_f16",
    "weights_f32",
    "winograd_input",
    "winograd_output",
];

/// Text of a shader file.
///
/// # Panics
/// For a name that no file has; the tests name them all.
#[must_use]
pub fn shader(name: &str) -> &'static str {
    SHADERS.iter().find(|shader| shader.0 == name).map(|shader| shader.1).expect("a file of shaders/")
}

/// The module of several files.
pub(crate) fn join(files: &[&str]) -> String {
    files.iter().copied().map(shader).collect::<Vec<_>>().join("\n")
}

/// Modules of the shaders that draw feature maps of such numbers: the ranges, then the picture.
#[must_use]
pub fn drawing(values: Float) -> [[&'static str; 3]; 2] {
    ["range", "draw"].map(|name| [values.values(), "picture", name])
}

/// How weights or feature maps lie in a buffer; sums are f32 in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Float {
    /// Half the memory. Feature maps need the device's feature `shader-f16`, weights none.
    F16,
    /// As they are.
    F32,
}

impl Float {
    /// Bytes of a number.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Float::F16 => 2,
            Float::F32 => 4,
        }
    }

    /// The file of `shaders/` that begins a module whose feature maps are such numbers.
    fn values(self) -> &'static str {
        match self {
            Float::F16 => "values_f16",
            Float::F32 => "values_f32",
        }
    }

    /// The file that reads weights of such numbers.
    fn weights(self) -> &'static str {
        match self {
            Float::F16 => "weights_f16",
            Float::F32 => "weights_f32",
        }
    }

    /// As they lie in a buffer.
    #[must_use]
    pub fn encode(self, numbers: &[f32]) -> Vec<u8> {
        match self {
            Float::F16 => numbers.iter().flat_map(|&number| f16::from_f32(number).to_le_bytes()).collect(),
            Float::F32 => bytemuck::cast_slice(numbers).to_vec(),
        }
    }

    /// The numbers of a buffer.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Float::F16 => {
                bytes.as_chunks().0.iter().map(|&number| f16::from_le_bytes(number).to_f32()).collect()
            }
            Float::F32 => bytes.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect(),
        }
    }
}

/// Whether 3 x 3 convolutions of stride 1 use Winograd's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winograd {
    /// Where it should be faster.
    Auto,
    /// Where it can be used.
    Always,
    /// Nowhere.
    Never,
}

/// Which kind of adapter the kernels are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A graphics card: shared memory and many lanes.
    Hardware,
    /// A CPU that emulates one: registers and few lanes, no barriers.
    Software,
}

/// One pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kernel {
    /// `conv_registers`: 1 x 1 convolution for software.
    PointwiseRegisters(Float),
    /// `conv_registers`: any convolution for software.
    SpatialRegisters(Float),
    /// `conv_registers` without an end: the products of Winograd's method.
    ProductsRegisters,
    /// `conv_shared`: 1 x 1 convolution for hardware; the tile's rows of invocations.
    PointwiseShared(Float, u32),
    /// `conv_shared`: any convolution for hardware; the tile's rows of invocations.
    SpatialShared(Float, u32),
    /// `conv_shared` without an end: the products of Winograd's method; the tile's rows of invocations.
    ProductsShared(u32),
    /// `conv_depthwise`
    Depthwise(Float),
    /// `dense`
    Dense(Float),
    /// `winograd_input`
    WinogradInput,
    /// `winograd_output`
    WinogradOutput,
    /// `patches`
    Patches,
    /// `mean`
    Mean,
    /// `max_pool`
    MaxPool,
    /// `elementwise`
    Elementwise,
}

/// Invocations of a workgroup of conv_shared.
const SHARED_INVOCATIONS: u32 = 64;
/// The heights of its tile, in invocations.
const SHARED_ROWS: [u32; 3] = [2, 4, 8];

impl Kernel {
    /// Every kernel that a target may use.
    #[must_use]
    pub fn all(target: Target) -> Vec<Kernel> {
        let mut kernels = vec![
            Kernel::WinogradInput,
            Kernel::WinogradOutput,
            Kernel::Mean,
            Kernel::MaxPool,
            Kernel::Elementwise,
        ];
        match target {
            Target::Software => kernels.extend([Kernel::ProductsRegisters, Kernel::Patches]),
            Target::Hardware => kernels.extend(SHARED_ROWS.map(Kernel::ProductsShared)),
        }
        for weights in [Float::F16, Float::F32] {
            kernels.extend([Kernel::Depthwise(weights), Kernel::Dense(weights)]);
            match target {
                Target::Software => {
                    kernels.extend([Kernel::PointwiseRegisters(weights), Kernel::SpatialRegisters(weights)]);
                }
                Target::Hardware => {
                    for rows in SHARED_ROWS {
                        kernels.extend([
                            Kernel::PointwiseShared(weights, rows),
                            Kernel::SpatialShared(weights, rows),
                        ]);
                    }
                }
            }
        }
        kernels
    }

    /// Names of the files of `shaders/` that follow each other in the kernel's module, for feature maps of such
    /// numbers.
    #[must_use]
    pub fn files(self, values: Float) -> Vec<&'static str> {
        let parts: &[&'static str] = match self {
            Kernel::PointwiseRegisters(w) => &[w.weights(), "load_pointwise", "finish", "conv_registers"],
            Kernel::SpatialRegisters(w) => &[w.weights(), "load_spatial", "finish", "conv_registers"],
            Kernel::ProductsRegisters => &["weights_f32", "load_pointwise", "finish_plain", "conv_registers"],
            Kernel::PointwiseShared(w, _) => &[w.weights(), "load_pointwise", "finish", "conv_shared"],
            Kernel::SpatialShared(w, _) => &[w.weights(), "load_spatial", "finish", "conv_shared"],
            Kernel::ProductsShared(_) => &["weights_f32", "load_pointwise", "finish_plain", "conv_shared"],
            Kernel::Depthwise(w) => &[w.weights(), "load_spatial", "finish", "conv_depthwise"],
            Kernel::Dense(w) => &[w.weights(), "dense"],
            Kernel::WinogradInput => &["winograd_input"],
            Kernel::WinogradOutput => &["winograd_output"],
            Kernel::Patches => &["load_spatial", "patches"],
            Kernel::Mean => &["mean"],
            Kernel::MaxPool => &["max_pool"],
            Kernel::Elementwise => &["elementwise"],
        };
        // What is between Winograd's transforms stays f32: they enlarge rounding errors.
        let values = match self {
            Kernel::ProductsRegisters | Kernel::ProductsShared(_) => Float::F32,
            _ => values,
        };
        [values.values(), "shapes"].iter().chain(parts).copied().collect()
    }

    /// The kernel's module, for feature maps of such numbers.
    #[must_use]
    pub fn source(self, values: Float) -> String {
        join(&self.files(values))
    }

    /// Invocations of a workgroup, where the shader leaves them open.
    fn lanes(self, target: Target) -> u32 {
        match (target, self) {
            // A vector of the emulator; the more workgroups, the better they spread over the threads.
            (Target::Software, _) => 4,
            (Target::Hardware, _) => 64,
        }
    }

    /// Values of the module's `override`s.
    #[must_use]
    pub fn constants(self, target: Target) -> Vec<(&'static str, f64)> {
        match self {
            Kernel::PointwiseShared(_, rows)
            | Kernel::SpatialShared(_, rows)
            | Kernel::ProductsShared(rows) => {
                let depth = if rows == 2 { 2.0 } else { 4.0 };
                vec![("rows", f64::from(rows)), ("depth", depth)]
            }
            _ => vec![("lanes", f64::from(self.lanes(target)))],
        }
    }

    /// Workgroups that a step needs.
    #[must_use]
    pub fn workgroups(self, target: Target, shapes: &Shapes) -> u64 {
        let lanes = self.lanes(target);
        let blocks_out = shapes.y_channels.div_ceil(4);
        let (quads, groups) = (shapes.quads(), shapes.groups);
        let tiles = shapes.batch * shapes.tiles_x * shapes.tiles_y;
        let parts = match self {
            Kernel::PointwiseRegisters(_) | Kernel::SpatialRegisters(_) | Kernel::ProductsRegisters => {
                let tiles = u64::from(quads.div_ceil(2) * blocks_out.div_ceil(2)) * u64::from(groups);
                return tiles.div_ceil(u64::from(lanes));
            }
            Kernel::PointwiseShared(_, rows)
            | Kernel::SpatialShared(_, rows)
            | Kernel::ProductsShared(rows) => {
                [quads.div_ceil(2 * SHARED_INVOCATIONS / rows), groups, blocks_out.div_ceil(2 * rows)]
            }
            Kernel::Depthwise(_) => [quads.div_ceil(lanes), groups, shapes.y_channels],
            Kernel::Dense(_) => [shapes.batch, blocks_out, 1],
            Kernel::WinogradInput => [tiles.div_ceil(lanes), groups, shapes.x_channels],
            Kernel::WinogradOutput => [tiles.div_ceil(lanes), groups, shapes.y_channels],
            Kernel::Patches => {
                return (u64::from(quads) * u64::from(shapes.x_channels)).div_ceil(u64::from(lanes));
            }
            Kernel::Mean => [shapes.batch, shapes.x_channels, 1],
            Kernel::MaxPool => [shapes.y_pitch.div_ceil(lanes), shapes.x_channels, 1],
            Kernel::Elementwise => [quads.div_ceil(lanes), shapes.x_channels, 1],
        };
        parts.map(u64::from).iter().product()
    }
}

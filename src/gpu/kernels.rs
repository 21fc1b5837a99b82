//! The kernels: which shader files make each, and how many workgroups a step needs.

use super::step::Step;

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
    "step",
    "weights_f16",
    "weights_f32",
    "winograd_input",
    "winograd_output",
];

/// The files that draw feature maps; `picture` begins the other two.
pub const DRAWING: [&str; 3] = ["picture", "range", "draw"];

/// Text of a shader file.
///
/// # Panics
/// For a name that no file has; the tests name them all.
#[must_use]
pub fn shader(name: &str) -> &'static str {
    SHADERS.iter().find(|shader| shader.0 == name).map(|shader| shader.1).expect("a file of shaders/")
}

/// How weights lie in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WeightType {
    /// Two in four bytes.
    F16,
    /// As they are.
    F32,
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
    PointwiseRegisters(WeightType),
    /// `conv_registers`: any convolution for software.
    SpatialRegisters(WeightType),
    /// `conv_registers` without an end: the products of Winograd's method.
    Products,
    /// `conv_shared`: 1 x 1 convolution for hardware; the tile's rows of invocations.
    PointwiseShared(WeightType, u32),
    /// `conv_shared`: any convolution for hardware; the tile's rows of invocations.
    SpatialShared(WeightType, u32),
    /// `conv_depthwise`
    Depthwise(WeightType),
    /// `dense`
    Dense(WeightType),
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

impl Kernel {
    /// Every kernel that a target may use.
    #[must_use]
    pub fn all(target: Target) -> Vec<Kernel> {
        let mut kernels = vec![
            Kernel::WinogradInput,
            Kernel::WinogradOutput,
            Kernel::Products,
            Kernel::Patches,
            Kernel::Mean,
            Kernel::MaxPool,
            Kernel::Elementwise,
        ];
        for weights in [WeightType::F16, WeightType::F32] {
            kernels.extend([Kernel::Depthwise(weights), Kernel::Dense(weights)]);
            match target {
                Target::Software => {
                    kernels.extend([Kernel::PointwiseRegisters(weights), Kernel::SpatialRegisters(weights)]);
                }
                Target::Hardware => {
                    for rows in [2, 4, 8] {
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

    /// Names of the files of `shaders/` that follow each other in the kernel's module.
    #[must_use]
    pub fn files(self) -> Vec<&'static str> {
        let weights = |weights: WeightType| match weights {
            WeightType::F16 => "weights_f16",
            WeightType::F32 => "weights_f32",
        };
        match self {
            Kernel::PointwiseRegisters(w) => {
                vec!["step", weights(w), "load_pointwise", "finish", "conv_registers"]
            }
            Kernel::SpatialRegisters(w) => {
                vec!["step", weights(w), "load_spatial", "finish", "conv_registers"]
            }
            Kernel::Products => {
                vec!["step", "weights_f32", "load_pointwise", "finish_plain", "conv_registers"]
            }
            Kernel::PointwiseShared(w, _) => {
                vec!["step", weights(w), "load_pointwise", "finish", "conv_shared"]
            }
            Kernel::SpatialShared(w, _) => vec!["step", weights(w), "load_spatial", "finish", "conv_shared"],
            Kernel::Depthwise(w) => vec!["step", weights(w), "load_spatial", "finish", "conv_depthwise"],
            Kernel::Dense(w) => vec!["step", weights(w), "dense"],
            Kernel::WinogradInput => vec!["step", "winograd_input"],
            Kernel::WinogradOutput => vec!["step", "winograd_output"],
            Kernel::Patches => vec!["step", "load_spatial", "patches"],
            Kernel::Mean => vec!["step", "mean"],
            Kernel::MaxPool => vec!["step", "max_pool"],
            Kernel::Elementwise => vec!["step", "elementwise"],
        }
    }

    /// The kernel's module.
    #[must_use]
    pub fn source(self) -> String {
        self.files().into_iter().map(shader).collect::<Vec<_>>().join("\n")
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
            Kernel::PointwiseShared(_, rows) | Kernel::SpatialShared(_, rows) => {
                let depth = if rows == 2 { 2.0 } else { 4.0 };
                vec![("rows", f64::from(rows)), ("depth", depth)]
            }
            _ => vec![("lanes", f64::from(self.lanes(target)))],
        }
    }

    /// Workgroups that a step needs.
    #[must_use]
    pub fn workgroups(self, target: Target, step: &Step) -> u64 {
        let lanes = self.lanes(target);
        let blocks_out = step.y_channels.div_ceil(4);
        let (quads, groups) = (step.quads(), step.groups);
        let tiles = step.batch * step.tiles_x * step.tiles_y;
        let parts = match self {
            Kernel::PointwiseRegisters(_) | Kernel::SpatialRegisters(_) | Kernel::Products => {
                let tiles = u64::from(quads.div_ceil(2) * blocks_out.div_ceil(2)) * u64::from(groups);
                return tiles.div_ceil(u64::from(lanes));
            }
            Kernel::PointwiseShared(_, rows) | Kernel::SpatialShared(_, rows) => {
                [quads.div_ceil(2 * SHARED_INVOCATIONS / rows), groups, blocks_out.div_ceil(2 * rows)]
            }
            Kernel::Depthwise(_) => [quads.div_ceil(lanes), groups, step.y_channels],
            Kernel::Dense(_) => [step.batch, blocks_out, 1],
            Kernel::WinogradInput => [tiles.div_ceil(lanes), groups, step.x_channels],
            Kernel::WinogradOutput => [tiles.div_ceil(lanes), groups, step.y_channels],
            Kernel::Patches => {
                return (u64::from(quads) * u64::from(step.x_channels)).div_ceil(u64::from(lanes));
            }
            Kernel::Mean => [step.batch, step.x_channels, 1],
            Kernel::MaxPool => [step.y_pitch.div_ceil(lanes), step.x_channels, 1],
            Kernel::Elementwise => [quads.div_ceil(lanes), step.x_channels, 1],
        };
        parts.map(u64::from).iter().product()
    }
}

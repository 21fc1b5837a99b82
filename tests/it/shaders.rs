//! Every shader, reflected by naga and held against the Rust side.

use g_ghostnet::gpu::draw::Uniform;
use g_ghostnet::gpu::kernels::{Float, Kernel, SHADERS, Target, drawing, shader};
use g_ghostnet::gpu::shapes::Shapes;
use naga::{AddressSpace, ShaderStage, StorageAccess, TypeInner};
use std::collections::BTreeSet;
use std::mem::offset_of;

const VALUES: [Float; 2] = [Float::F32, Float::F16];

#[test]
fn every_file_is_in_the_table_and_back() {
    let files: BTreeSet<String> = std::fs::read_dir("shaders")
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let table: BTreeSet<String> = SHADERS.iter().map(|shader| shader.0.to_owned()).collect();
    assert_eq!(files, table);
    for (name, text) in SHADERS {
        assert!(text.starts_with("// "), "{name}: a shader begins with what it computes");
    }
}

#[test]
fn every_file_is_part_of_a_kernel() {
    let used: BTreeSet<&str> = VALUES
        .into_iter()
        .flat_map(|values| {
            let of_kernels = kernels().into_iter().flat_map(move |(_, kernel)| kernel.files(values));
            of_kernels.chain(drawing(values).into_iter().flatten())
        })
        .collect();
    let table: BTreeSet<&str> = SHADERS.iter().map(|shader| shader.0).collect();
    assert_eq!(used, table);
}

#[test]
fn kernels_are_valid_and_bind_what_the_engine_binds() {
    for (values, (target, kernel)) in
        VALUES.into_iter().flat_map(|values| kernels().into_iter().map(move |kernel| (values, kernel)))
    {
        let module = parse(&kernel.source(values));
        let entries: Vec<_> =
            module.entry_points.iter().map(|entry| (entry.name.as_str(), entry.stage)).collect();
        assert_eq!(entries, [("main", ShaderStage::Compute)], "{kernel:?}");
        let mut uniform = false;
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            assert_eq!(binding.group, 0, "{kernel:?}");
            let store = StorageAccess::STORE;
            match (binding.binding, variable.space) {
                (0, AddressSpace::Uniform) => uniform = true,
                (1..=4, AddressSpace::Storage { access }) => assert!(!access.contains(store), "{kernel:?}"),
                (5, AddressSpace::Storage { access }) => assert!(access.contains(store), "{kernel:?}"),
                other => panic!("{kernel:?} binds {other:?}"),
            }
        }
        assert!(uniform, "{kernel:?} has no uniform");
        let overrides: BTreeSet<_> =
            module.overrides.iter().filter_map(|(_, value)| value.name.clone()).collect();
        let set: BTreeSet<_> =
            kernel.constants(target).into_iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(overrides, set, "{kernel:?}");
    }
}

#[test]
fn the_uniform_has_the_same_layout_in_rust() {
    macro_rules! fields {
        ($($field:ident),* $(,)?) => { vec![$((stringify!($field), offset_of!(Shapes, $field) as u32)),*] };
    }
    let rust = fields![
        x_first, x_pitch, x_channels, x_height, x_width, y_first, y_pitch, y_channels, y_height, y_width,
        add_first, add_pitch, add_kind, activation, batch, groups, kernel, stride, tiles_x, tiles_y,
    ];
    let module = parse(shader("shapes"));
    assert_eq!(members(&module, "Shapes"), (rust, size_of::<Shapes>() as u32));
}

/// What WebGPU grants without being asked, `maxComputeWorkgroupStorageSize`.
const WORKGROUP_STORAGE: u32 = 16_384;

/// Of the arrays as they are declared, with the constants that the engine sets.
#[test]
fn shared_memory_is_within_the_default_limit() {
    let mut largest = 0;
    for values in VALUES {
        for (target, kernel) in kernels() {
            let source = kernel.source(values);
            let module = parse(&source);
            let constants = kernel.constants(target).into_iter();
            let constants = constants.map(|(name, value)| (name.to_owned(), value)).collect();
            let info = validate(&module, &source);
            let entry = Some((ShaderStage::Compute, "main"));
            let (module, _) =
                naga::back::pipeline_constants::process_overrides(&module, &info, entry, &constants).unwrap();
            let mut layouts = naga::proc::Layouter::default();
            layouts.update(module.to_ctx()).unwrap();
            let shared = module.global_variables.iter().map(|(_, variable)| variable);
            let shared = shared.filter(|variable| variable.space == AddressSpace::WorkGroup);
            let bytes: u32 = shared.map(|variable| layouts[variable.ty].size).sum();
            assert!(bytes <= WORKGROUP_STORAGE, "{kernel:?} takes {bytes} bytes");
            largest = largest.max(bytes);
        }
    }
    assert!(largest > 0, "some kernels share memory");
}

#[test]
fn the_drawing_shaders_are_valid() {
    macro_rules! fields {
        ($($field:ident),* $(,)?) => { vec![$((stringify!($field), offset_of!(Uniform, $field) as u32)),*] };
    }
    let rust = fields![first, pitch, height, width, count, columns, cell, gap, one_scale];
    for files in VALUES.into_iter().flat_map(drawing) {
        let module = parse(&files.map(shader).join("\n"));
        assert_eq!(members(&module, "Picture"), (rust.clone(), size_of::<Uniform>() as u32));
    }
}

/// Names and offsets of a struct's members, and its size.
fn members<'a>(module: &'a naga::Module, name: &str) -> (Vec<(&'a str, u32)>, u32) {
    let (_, found) =
        module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).expect("the struct is declared");
    let TypeInner::Struct { members, span } = &found.inner else { panic!("{name} is a struct") };
    (members.iter().map(|member| (member.name.as_deref().unwrap_or(""), member.offset)).collect(), *span)
}

fn kernels() -> Vec<(Target, Kernel)> {
    [Target::Hardware, Target::Software]
        .into_iter()
        .flat_map(|target| Kernel::all(target).into_iter().map(move |kernel| (target, kernel)))
        .collect()
}

fn parse(source: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    validate(&module, source);
    module
}

fn validate(module: &naga::Module, source: &str) -> naga::valid::ModuleInfo {
    use naga::valid::Capabilities;
    // unpack2x16float, core WGSL that naga counts as a capability, and f16 where a module enables it.
    let capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32 | Capabilities::SHADER_FLOAT16;
    naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
        .validate(module)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)))
}

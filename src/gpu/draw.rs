//! Feature maps drawn straight from the buffer they were computed in: nothing is read back.

use super::kernels::{drawing, join};
use super::{Gpu, Program};
use crate::arch::View;
use crate::error::{Error, Result};
use bytemuck::{Pod, Zeroable};
use wgpu::BufferUsages as Usage;

/// Feature maps in a grid of square cells, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Which image of the batch.
    pub image: usize,
    /// Channels of the tap, in the order they are drawn.
    pub channels: Vec<u32>,
    /// Cells in a row.
    pub columns: u32,
    /// Side of a cell in pixels.
    pub cell: u32,
    /// Empty pixels after each cell.
    pub gap: u32,
    /// Whether all maps share one colour scale; else each has its own, from its minimum to its maximum.
    pub one_scale: bool,
}

impl Picture {
    /// Width and height in pixels.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a picture without pixels, or of more than `largest` in a row or column.
    pub fn size(&self, largest: u32) -> Result<[u32; 2]> {
        let step = u64::from(self.cell) + u64::from(self.gap);
        let columns = u64::from(self.columns);
        let rows = (self.channels.len() as u64).div_ceil(columns.max(1));
        let size = [columns, rows].map(|cells| cells.saturating_mul(step).try_into().unwrap_or(u32::MAX));
        if self.cell == 0 || size.iter().any(|side| !(1..=largest).contains(side)) {
            return Err(Error::WrongShape(format!(
                "the picture has {} x {} pixels, expected 1 to {largest} a side: choose another cell or number of \
                 columns",
                size[0], size[1]
            )));
        }
        Ok(size)
    }
}

/// `Picture` in `shaders/picture.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Uniform {
    /// Element of channel 0 of the image.
    pub first: u32,
    /// Elements from channel to channel.
    pub pitch: u32,
    /// Rows of a map.
    pub height: u32,
    /// Columns of a map.
    pub width: u32,
    /// Number of maps.
    pub count: u32,
    /// Cells in a row.
    pub columns: u32,
    /// Side of a cell in pixels.
    pub cell: u32,
    /// Empty pixels after each cell.
    pub gap: u32,
    /// 1 where all maps share one scale.
    pub one_scale: u32,
}

/// The pipelines that draw, for one texture format and one palette.
pub struct Painter {
    range: wgpu::ComputePipeline,
    draw: wgpu::RenderPipeline,
    layouts: [wgpu::BindGroupLayout; 2],
    palette: wgpu::Buffer,
}

impl Painter {
    /// Compiles the pipelines; `palette` has 256 colours of 4 bytes, red first.
    ///
    /// # Errors
    /// [`Error::WrongShape`] for a palette of another length, and the device's.
    pub async fn new(gpu: &Gpu, format: wgpu::TextureFormat, palette: &[u8]) -> Result<Painter> {
        if palette.len() != 1024 {
            return Err(Error::WrongShape(format!(
                "the palette has {} bytes, expected 256 colours of 4",
                palette.len()
            )));
        }
        gpu.guarded(|| {
            let [range, draw] = drawing(gpu.values()).map(|files| {
                gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some("picture"),
                    source: wgpu::ShaderSource::Wgsl(join(&files).into()),
                })
            });
            let layouts = [wgpu::ShaderStages::COMPUTE, wgpu::ShaderStages::FRAGMENT]
                .map(|stage| bind_group_layout(gpu, stage));
            let [for_range, for_draw] = layouts.each_ref().map(|layout| {
                gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some("picture"),
                    bind_group_layouts: &[Some(layout)],
                    immediate_size: 0,
                })
            });
            let range = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("range"),
                layout: Some(&for_range),
                module: &range,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
            let draw = gpu.device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some("draw"),
                layout: Some(&for_draw),
                vertex: wgpu::VertexState {
                    module: &draw,
                    entry_point: Some("vertex"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    buffers: &[],
                },
                fragment: Some(wgpu::FragmentState {
                    module: &draw,
                    entry_point: Some("fragment"),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    targets: &[Some(format.into())],
                }),
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                multiview_mask: None,
                cache: None,
            });
            let palette = gpu.upload("palette", palette, Usage::STORAGE)?;
            Ok(Painter { range, draw, layouts, palette })
        })
        .await
    }

    /// Draws maps of a tap of the program's last run; what the device has to say is for [`Gpu::guarded`].
    ///
    /// # Errors
    /// [`Error::UnknownTap`] for a tap that the run did not keep, [`Error::WrongShape`] for an image or
    /// channel it does not have.
    pub fn draw(
        &self,
        gpu: &Gpu,
        program: &Program,
        tap: &str,
        picture: &Picture,
        target: &wgpu::TextureView,
    ) -> Result<()> {
        let view = tapped(program, tap)?;
        let largest = picture.channels.iter().max().map_or(0, |&channel| channel as usize);
        if picture.image >= program.batch() || largest >= view.channels {
            return Err(Error::WrongShape(format!(
                "image {} and channel {largest} were asked for, expected below {} and {}",
                picture.image,
                program.batch(),
                view.channels
            )));
        }
        let (values, first, pitch) = program.place(view);
        let count = picture.channels.len() as u32;
        let uniform = Uniform {
            first: (first + picture.image * view.pixels()) as u32,
            pitch: pitch as u32,
            height: view.height as u32,
            width: view.width as u32,
            count,
            columns: picture.columns,
            cell: picture.cell,
            gap: picture.gap,
            one_scale: u32::from(picture.one_scale),
        };
        let uniform = gpu.upload("picture", bytemuck::bytes_of(&uniform), Usage::UNIFORM)?;
        let channels = gpu.upload("channels", bytemuck::cast_slice(&picture.channels), Usage::STORAGE)?;
        let ranges = gpu.buffer("ranges", 8 * u64::from(count), Usage::STORAGE)?;
        let buffers = [&uniform, values, &channels, &self.palette, &ranges];
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let [for_range, for_draw] = self.layouts.each_ref().map(|layout| {
            gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("picture"),
                layout,
                entries: &entries,
            })
        });
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.range);
            pass.set_bind_group(0, &for_range, &[]);
            pass.dispatch_workgroups(if picture.one_scale { 1 } else { count }, 1, 1);
        }
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("draw"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            pass.set_pipeline(&self.draw);
            pass.set_bind_group(0, &for_draw, &[]);
            pass.draw(0..3, 0..1);
        }
        gpu.queue.submit([encoder.finish()]);
        Ok(())
    }
}

/// The view of a tap that the program kept.
fn tapped(program: &Program, name: &str) -> Result<View> {
    let taps = &program.plan().taps;
    match taps.iter().find(|tap| tap.0 == name) {
        Some(tap) => Ok(tap.1),
        None => Err(Error::UnknownTap {
            name: name.into(),
            known: taps.iter().map(|tap| tap.0.as_str()).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// `ranges` is written by the compute shader and read by the fragment shader.
fn bind_group_layout(gpu: &Gpu, stage: wgpu::ShaderStages) -> wgpu::BindGroupLayout {
    let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
    let ranges = storage(stage == wgpu::ShaderStages::FRAGMENT);
    let types = [wgpu::BufferBindingType::Uniform, storage(true), storage(true), storage(true), ranges];
    let entries: Vec<_> = (0..)
        .zip(types)
        .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: stage,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        })
        .collect();
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("picture"), entries: &entries };
    gpu.device.create_bind_group_layout(&descriptor)
}

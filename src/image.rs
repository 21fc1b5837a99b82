//! Pictures: RGBA8 pixels -> resized, cropped and normalised planar CHW values.
//!
//! The resize equals `Image.resize` of Pillow 13 on an RGB picture bit for bit: the filter grows with the
//! reduction (antialiasing), weights are fixed-point with 22 fraction bits, and what the first of the two
//! passes gives is rounded to 8 bits.
//! A canvas' own scaling differs from that by up to 76/255 in a pixel, which moves probabilities.
//! Only the rows and columns that the crop keeps are computed, and only as many rows as one output
//! row needs are held: memory is a few rows whatever the picture's size.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Largest width and height: JPEG's own limit, and more than any canvas holds.
const MAX_EXTENT: usize = 65_535;
/// Largest number of pixels of a picture (1 GiB of RGBA8).
const MAX_PIXELS: usize = 1 << 28;
/// Largest input side of a network.
const MAX_SIDE: usize = 4096;
/// Fraction bits of a filter weight: 32 less 8 of a pixel, 2 of the sum's overshoot.
const FRACTION_BITS: u32 = 32 - 8 - 2;
/// What a sum of weighted bytes begins with, so that the final shift rounds.
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// How a picture of any size becomes a square one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The whole picture, squashed to side x side.
    Squash,
    /// The short side is resized to `resize_side`, then the centre is cut out (torchvision's
    /// `Resize(resize_side)`, `CenterCrop(side)`).
    Crop {
        /// Pixels of the short side before the crop, at least the input side.
        resize_side: usize,
    },
}

/// The filter of the resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Interpolation {
    /// Triangle, 2 pixels wide.
    Bilinear,
    /// Cubic convolution with a = -0.5, 4 pixels wide.
    Bicubic,
}

/// From a picture to a network's input: the `input` of a model's JSON config, for example
/// `{"side":224,"resize":"crop","resizeSide":256,"interpolation":"bilinear",
/// "mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Preprocess {
    /// Width and height of the network's input.
    pub side: usize,
    /// How the picture becomes a square.
    pub resize: Resize,
    /// The filter of the resize.
    pub interpolation: Interpolation,
    /// Subtracted from each channel (red, green, blue; of values in 0..1).
    pub mean: [f32; 3],
    /// Divides each channel after that.
    pub std: [f32; 3],
}

impl Default for Preprocess {
    /// ImageNet's usual evaluation: short side 256, centre 224 x 224, bilinear.
    fn default() -> Self {
        Preprocess {
            side: 224,
            resize: Resize::Crop { resize_side: 256 },
            interpolation: Interpolation::Bilinear,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }
}

impl Preprocess {
    /// CIFAR's usual evaluation, for pictures of any size: short side and centre 32 x 32, bilinear.
    #[must_use]
    pub fn cifar() -> Preprocess {
        Preprocess {
            side: 32,
            resize: Resize::Crop { resize_side: 32 },
            interpolation: Interpolation::Bilinear,
            mean: [0.4914, 0.4822, 0.4465],
            std: [0.2023, 0.1994, 0.2010],
        }
    }

    /// The rule for an input of another side. A crop keeps its share of the picture, to the nearest pixel.
    #[must_use]
    pub fn at(self, side: usize) -> Preprocess {
        let resize = match self.resize {
            Resize::Squash => Resize::Squash,
            Resize::Crop { resize_side } => Resize::Crop {
                resize_side: (2 * resize_side).saturating_mul(side).saturating_add(self.side)
                    / (2 * self.side),
            },
        };
        Preprocess { side, resize, ..self }
    }

    /// Whether the rule can be carried out.
    ///
    /// # Errors
    /// [`Error::BadModel`] says which field cannot be used and why.
    pub fn check(&self) -> Result<()> {
        let Preprocess { side, resize, mean, std, .. } = *self;
        if !(1..=MAX_SIDE).contains(&side) {
            return Err(Error::BadModel(format!("the input side is {side}, expected 1 to {MAX_SIDE}")));
        }
        if let Resize::Crop { resize_side } = resize
            && !(side..=MAX_SIDE).contains(&resize_side)
        {
            return Err(Error::BadModel(format!(
                "resizeSide is {resize_side}, expected at least the input side {side} and at most {MAX_SIDE}"
            )));
        }
        let positive = std.iter().all(|&std| std > 0.0 && std.is_finite());
        // A deviation near zero would make infinities of finite numbers.
        if !positive || !normalisation(self).as_flattened().iter().all(|value| value.is_finite()) {
            return Err(Error::BadModel(format!(
                "mean {mean:?} and std {std:?} must be finite, std above zero, and (byte / 255 - mean) / std finite"
            )));
        }
        Ok(())
    }
}

/// [`Preprocess`] as written in JSON, where `resizeSide` stands beside `resize`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    side: usize,
    resize: ResizeName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resize_side: Option<usize>,
    interpolation: Interpolation,
    mean: [f32; 3],
    std: [f32; 3],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ResizeName {
    Squash,
    Crop,
}

impl TryFrom<Fields> for Preprocess {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Self> {
        let Fields { side, resize, resize_side, interpolation, mean, std } = fields;
        let resize = match (resize, resize_side) {
            (ResizeName::Squash, _) => Resize::Squash,
            (ResizeName::Crop, Some(resize_side)) => Resize::Crop { resize_side },
            (ResizeName::Crop, None) => {
                return Err(Error::BadModel(
                    "resize \"crop\" needs resizeSide, the short side before the crop".into(),
                ));
            }
        };
        let rule = Preprocess { side, resize, interpolation, mean, std };
        rule.check()?;
        Ok(rule)
    }
}

impl From<Preprocess> for Fields {
    fn from(rule: Preprocess) -> Self {
        let Preprocess { side, resize, interpolation, mean, std } = rule;
        let (resize, resize_side) = match resize {
            Resize::Squash => (ResizeName::Squash, None),
            Resize::Crop { resize_side } => (ResizeName::Crop, Some(resize_side)),
        };
        Fields { side, resize, resize_side, interpolation, mean, std }
    }
}

/// A picture -> `[3, side, side]` normalised values, channels red, green, blue.
///
/// `rgba` is `[height, width, 4]`, 8 bits each, alpha not premultiplied; what is transparent shows white.
///
/// # Errors
/// [`Error::BadImage`] if the picture is empty or too large or `rgba` is not `4 * width * height` long;
/// [`Error::BadModel`] if the rule cannot be carried out.
pub fn preprocess(rgba: &[u8], width: usize, height: usize, rule: &Preprocess) -> Result<Vec<f32>> {
    rule.check()?;
    check_picture(rgba, width, height)?;
    let side = rule.side;
    let (columns, rows) = match rule.resize {
        Resize::Squash => (Span::whole(width, side), Span::whole(height, side)),
        Resize::Crop { resize_side } => {
            let short = width.min(height);
            let resized = |extent| resize_side * extent / short;
            (Span::centre(width, resized(width), side), Span::centre(height, resized(height), side))
        }
    };
    let vertical_first = vertical_first(&columns, &rows);
    let columns = columns.windows(rule.interpolation);
    let rows = rows.windows(rule.interpolation);

    let mut picture = Picture { rgba, width, over_white: Vec::new() };
    let table = normalisation(rule);
    let mut output = vec![0f32; 3 * side * side];
    let write_row = |y: usize, row: &[u8]| {
        for (channel, values) in table.iter().enumerate() {
            let plane_row = &mut output[(channel * side + y) * side..][..side];
            for (out, &byte) in plane_row.iter_mut().zip(row[channel..].iter().step_by(3)) {
                *out = values[usize::from(byte)];
            }
        }
    };
    if vertical_first {
        resize_vertical_first(&mut picture, &columns, &rows, write_row);
    } else {
        resize_horizontal_first(&mut picture, &columns, &rows, write_row);
    }
    Ok(output)
}

fn check_picture(rgba: &[u8], width: usize, height: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::BadImage(format!("the picture is {width} x {height} pixels: it is empty")));
    }
    if width > MAX_EXTENT || height > MAX_EXTENT || width * height > MAX_PIXELS {
        return Err(Error::BadImage(format!(
            "the picture is {width} x {height} pixels, more than {MAX_EXTENT} on a side or {MAX_PIXELS} in all: \
             reduce it first"
        )));
    }
    if rgba.len() != 4 * width * height {
        return Err(Error::BadImage(format!(
            "a picture of {width} x {height} pixels has {} bytes of RGBA, found {}",
            4 * width * height,
            rgba.len()
        )));
    }
    Ok(())
}

/// `values[channel][byte]`: the normalised value of each byte, in the order of operations of PyTorch.
fn normalisation(rule: &Preprocess) -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|byte| (byte as f32 / 255.0 - rule.mean[channel]) / rule.std[channel])
    })
}

/// The part `first..first + kept` of an axis of `input` pixels resized to `resized` pixels.
struct Span {
    input: usize,
    resized: usize,
    first: usize,
    kept: usize,
}

/// The input pixels `first..first + weights.len()` of one output pixel, with their fixed-point weights.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

impl Span {
    fn whole(input: usize, resized: usize) -> Self {
        Span { input, resized, first: 0, kept: resized }
    }

    /// The middle `kept` pixels. A half pixel left over goes to the even side, as Python rounds.
    fn centre(input: usize, resized: usize, kept: usize) -> Self {
        let rest = resized - kept;
        Span { input, resized, first: (rest + rest / 2 % 2) / 2, kept }
    }

    fn windows(&self, interpolation: Interpolation) -> Vec<Window> {
        let (filter, reach): (fn(f64) -> f64, f64) = match interpolation {
            Interpolation::Bilinear => (bilinear, 1.0),
            Interpolation::Bicubic => (bicubic, 2.0),
        };
        let scale = self.input as f64 / self.resized as f64;
        // A reduction widens the filter to the input pixels that one output pixel covers.
        let filter_scale = scale.max(1.0);
        let reach = reach * filter_scale;
        let window = |output: usize| {
            let centre = (output as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(self.input);
            let weights: Vec<f64> = (first..end)
                .map(|input| filter((input as f64 - centre + 0.5) * filter_scale.recip()))
                .collect();
            let total: f64 = weights.iter().sum();
            Window { first, weights: weights.iter().map(|weight| fixed_point(weight / total)).collect() }
        };
        (self.first..self.first + self.kept).map(window).collect()
    }
}

fn bilinear(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Rounds half away from zero.
fn fixed_point(weight: f64) -> i32 {
    (weight * f64::from(1 << FRACTION_BITS) + 0.5f64.copysign(weight)) as i32
}

/// The choice of Pillow 13, which shows in the rounding between the passes: a picture that loses more
/// than twice as many rows as columns is resized vertically first.
fn vertical_first(columns: &Span, rows: &Span) -> bool {
    let lost = |span: &Span| span.input as i64 - span.resized as i64;
    lost(rows) > 0 && lost(rows) > 2 * lost(columns)
}

/// Calls `write_row(y, [side, 3] bytes)` for each output row.
fn resize_horizontal_first(
    picture: &mut Picture,
    columns: &[Window],
    rows: &[Window],
    mut write_row: impl FnMut(usize, &[u8]),
) {
    // The input rows that one output row needs, resized horizontally: row r lies at r % held.
    let held = rows.iter().map(|window| window.weights.len()).max().unwrap_or(0);
    let row_bytes = 3 * columns.len();
    let mut resized = vec![0u8; held * row_bytes];
    let slot = |row: usize| (row % held) * row_bytes..(row % held + 1) * row_bytes;
    let mut next = rows.first().map_or(0, |window| window.first);
    let mut sums = vec![0i32; row_bytes];
    let mut bytes = vec![0u8; row_bytes];
    for (y, window) in rows.iter().enumerate() {
        while next < window.first + window.weights.len() {
            resize_row(picture.row(next), columns, &mut resized[slot(next)]);
            next += 1;
        }
        sums.fill(HALF);
        for (row, &weight) in (window.first..).zip(&window.weights) {
            add_weighted(&mut sums, weight, &resized[slot(row)]);
        }
        bytes_from_sums(&sums, &mut bytes);
        write_row(y, &bytes);
    }
}

/// As [`resize_horizontal_first`], with the passes in the other order.
fn resize_vertical_first(
    picture: &mut Picture,
    columns: &[Window],
    rows: &[Window],
    mut write_row: impl FnMut(usize, &[u8]),
) {
    let mut sums = vec![0i32; 4 * picture.width];
    let mut shrunk = vec![[0u8; 4]; picture.width];
    let mut bytes = vec![0u8; 3 * columns.len()];
    for (y, window) in rows.iter().enumerate() {
        sums.fill(HALF);
        for (row, &weight) in (window.first..).zip(&window.weights) {
            add_weighted(&mut sums, weight, picture.row(row).as_flattened());
        }
        bytes_from_sums(&sums, shrunk.as_flattened_mut());
        resize_row(&shrunk, columns, &mut bytes);
        write_row(y, &bytes);
    }
}

/// `output[3 * x + c] = sum_i columns[x].weights[i] * pixels[columns[x].first + i][c]`
fn resize_row(pixels: &[[u8; 4]], columns: &[Window], output: &mut [u8]) {
    for (out, window) in output.as_chunks_mut::<3>().0.iter_mut().zip(columns) {
        // Four sums though three are kept: one vector register.
        let mut sums = [HALF; 4];
        for (pixel, weight) in pixels[window.first..].iter().zip(&window.weights) {
            for (sum, &value) in sums.iter_mut().zip(pixel) {
                *sum += weight * i32::from(value);
            }
        }
        *out = [byte_from_sum(sums[0]), byte_from_sum(sums[1]), byte_from_sum(sums[2])];
    }
}

fn add_weighted(sums: &mut [i32], weight: i32, bytes: &[u8]) {
    for (sum, &byte) in sums.iter_mut().zip(bytes) {
        *sum += weight * i32::from(byte);
    }
}

fn bytes_from_sums(sums: &[i32], bytes: &mut [u8]) {
    for (byte, &sum) in bytes.iter_mut().zip(sums) {
        *byte = byte_from_sum(sum);
    }
}

/// A sum of weighted bytes that began with [`HALF`] -> byte.
fn byte_from_sum(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// `[height, width, 4]` bytes read row by row over white.
struct Picture<'a> {
    rgba: &'a [u8],
    width: usize,
    over_white: Vec<[u8; 4]>,
}

impl Picture<'_> {
    /// Row `y`; only a row with transparent pixels is copied.
    fn row(&mut self, y: usize) -> &[[u8; 4]] {
        let (pixels, _) = self.rgba[4 * self.width * y..][..4 * self.width].as_chunks::<4>();
        if pixels.iter().all(|pixel| pixel[3] == 255) {
            return pixels;
        }
        self.over_white.clear();
        self.over_white.extend(pixels.iter().map(|&[red, green, blue, alpha]| {
            [over_white(red, alpha), over_white(green, alpha), over_white(blue, alpha), 255]
        }));
        &self.over_white
    }
}

/// `alpha * value + (1 - alpha) * white`, rounded to nearest.
fn over_white(value: u8, alpha: u8) -> u8 {
    let sum = u32::from(alpha) * u32::from(value) + (255 - u32::from(alpha)) * 255;
    // (sum + 128) * 257 >> 16 is sum / 255 rounded, for every sum that two bytes can make.
    (((sum + 128) * 257) >> 16) as u8
}

//! Where the rows of a pass come from: matrices in memory, or files whose rows are converted, normalised and quantised on the fly,
//! a block at a time, so that no converted copy of a file ever exists as a whole.

use crate::failure::{Result, fail};
use crate::files::Vectors;
use nnn::{Element, Matrix};
use std::ops::Range;
use std::path::Path;

/// Rows that passes read in blocks.
pub trait Source<T: Element>: Sync {
    fn rows(&self) -> usize;

    fn dim(&self) -> usize;

    /// What messages call it.
    fn name(&self) -> String;

    /// Rows a pass should ask for at a time.
    fn block_rows(&self) -> usize;

    /// The rows of a range as a matrix of its own (its row 0 is the first of the range), in place or in `buffer`. They are finite.
    fn block<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Buffer) -> Result<Matrix<'a, T>>;
}

/// Memory of one block; each thread has its own and keeps it.
#[derive(Default)]
pub struct Buffer {
    floats: Vec<f32>,
    codes: Vec<i8>,
    scales: Vec<f32>,
}

/// Rows that need no conversion: large blocks, only so that progress shows.
const DIRECT_ROWS: usize = 16_384;

/// Converted rows: a block that stays in the caches from conversion to use.
const CONVERTED_BYTES: usize = 1 << 20;

/// A file, to be normalised first if asked for.
pub struct FileRows<'a> {
    pub vectors: &'a Vectors,
    pub normalize: bool,
}

impl FileRows<'_> {
    fn converted_rows(&self) -> usize {
        (CONVERTED_BYTES / (4 * self.vectors.dim())).clamp(64, 1024)
    }

    /// f32 rows, in place where the file has them as they are needed.
    fn floats<'a>(&'a self, rows: Range<usize>, floats: &'a mut Vec<f32>) -> Result<Matrix<'a, f32>> {
        let (first, count, dim) = (rows.start, rows.len(), self.vectors.dim());
        let in_place = self.vectors.in_place(rows.clone())?;
        if let Some(block) = in_place {
            self.vectors.check_finite(&block, first)?;
            if !self.normalize {
                return Ok(block);
            }
            floats.resize(count * dim, 0.0);
            nnn::normalize(&block, floats, dim)?;
        } else {
            self.vectors.read(rows, floats)?;
            self.vectors.check_finite(&Matrix::new(floats, count, dim)?, first)?;
            if self.normalize {
                nnn::normalize_in_place(floats, count, dim, dim)?;
            }
        }
        Ok(Matrix::new(floats, count, dim)?)
    }
}

impl Source<f32> for FileRows<'_> {
    fn rows(&self) -> usize {
        self.vectors.rows()
    }

    fn dim(&self) -> usize {
        self.vectors.dim()
    }

    fn name(&self) -> String {
        self.vectors.path().display().to_string()
    }

    fn block_rows(&self) -> usize {
        let direct = !self.normalize && matches!(self.vectors.in_place(0..1), Ok(Some(_)));
        if direct { DIRECT_ROWS } else { self.converted_rows() }
    }

    fn block<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Buffer) -> Result<Matrix<'a, f32>> {
        self.floats(rows, &mut buffer.floats)
    }
}

impl Source<i8> for FileRows<'_> {
    fn rows(&self) -> usize {
        self.vectors.rows()
    }

    fn dim(&self) -> usize {
        self.vectors.dim()
    }

    fn name(&self) -> String {
        self.vectors.path().display().to_string()
    }

    fn block_rows(&self) -> usize {
        self.converted_rows()
    }

    fn block<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Buffer) -> Result<Matrix<'a, i8>> {
        let Buffer { floats, codes, scales } = buffer;
        let block = self.floats(rows, floats)?;
        quantize(&block, codes, scales)?;
        Ok(Matrix::new(codes, block.rows(), block.dim())?.with_scale(scales)?)
    }
}

/// A whole file as one matrix: where it lies, or converted in memory.
pub struct Loaded {
    vectors: Vectors,
    name: String,
    converted: Option<Vec<f32>>,
}

impl Loaded {
    /// Reads all rows, scaled to unit length if `normalize`. Fails at the first value that is not finite.
    pub fn open(path: &Path, normalize: bool) -> Result<Self> {
        let vectors = Vectors::open(path)?;
        let mut floats = Vec::new();
        FileRows { vectors: &vectors, normalize }.floats(0..vectors.rows(), &mut floats)?;
        let converted = (!floats.is_empty()).then_some(floats);
        let name = vectors.path().display().to_string();
        Ok(Loaded { vectors, name, converted })
    }

    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn whole(&self) -> Result<Whole<'_>> {
        let (rows, dim) = (self.vectors.rows(), self.vectors.dim());
        let (data, stride) = match &self.converted {
            Some(floats) => (&floats[..], dim),
            None => match self.vectors.floats_in_place(0..rows)? {
                Some(place) => place,
                None => return fail(format!("{} was not read", self.name)),
            },
        };
        Ok(Whole { data, name: &self.name, rows, dim, stride })
    }
}

/// All rows of a matrix in memory, of which ranges are matrices too.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    data: &'a [f32],
    name: &'a str,
    rows: usize,
    dim: usize,
    stride: usize,
}

impl<'a> Whole<'a> {
    /// A dense matrix; `data` holds whole rows.
    pub fn dense(data: &'a [f32], dim: usize) -> Self {
        Whole { data, name: "a matrix in memory", rows: data.len() / dim, dim, stride: dim }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn matrix(&self) -> Result<Matrix<'a, f32>> {
        self.range(0..self.rows)
    }

    pub fn range(&self, rows: Range<usize>) -> Result<Matrix<'a, f32>> {
        let data = self.data.get(rows.start * self.stride..).unwrap_or_default();
        Ok(Matrix::with_stride(data, rows.len(), self.dim, self.stride)?)
    }

    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.stride..][..self.dim]
    }
}

impl Source<f32> for Whole<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn block_rows(&self) -> usize {
        DIRECT_ROWS
    }

    fn block<'a>(&'a self, rows: Range<usize>, _: &'a mut Buffer) -> Result<Matrix<'a, f32>> {
        self.range(rows)
    }
}

/// A dense matrix in memory.
pub struct Owned<T> {
    data: Vec<T>,
    /// One per row for int8 codes, empty for f32.
    scales: Vec<f32>,
    rows: usize,
    dim: usize,
}

impl Owned<f32> {
    /// A whole file in memory, normalised to unit length.
    pub fn normalized(vectors: &Vectors) -> Result<Self> {
        let (rows, dim) = (vectors.rows(), vectors.dim());
        let file = FileRows { vectors, normalize: true };
        let mut buffer = Buffer::default();
        file.floats(0..rows, &mut buffer.floats)?;
        Ok(Owned { data: buffer.floats, scales: Vec::new(), rows, dim })
    }

    /// All rows of a file, each at the position given for it.
    pub fn in_order(source: &FileRows, positions: &[u32]) -> Result<Self> {
        let (rows, dim) = (source.vectors.rows(), source.vectors.dim());
        let mut data = vec![0.0; rows * dim];
        let mut buffer = Vec::new();
        let block_rows = <FileRows as Source<f32>>::block_rows(source);
        for first in (0..rows).step_by(block_rows) {
            let block = source.floats(first..rows.min(first + block_rows), &mut buffer)?;
            for (row, position) in (0..block.rows()).filter_map(|i| block.row(i)).zip(&positions[first..]) {
                data[*position as usize * dim..][..dim].copy_from_slice(row);
            }
        }
        Ok(Owned { data, scales: Vec::new(), rows, dim })
    }

    /// The int8 codes of the same rows.
    pub fn quantized(&self) -> Result<Owned<i8>> {
        let mut codes = Owned { data: Vec::new(), scales: Vec::new(), rows: self.rows, dim: self.dim };
        quantize(&Matrix::new(&self.data, self.rows, self.dim)?, &mut codes.data, &mut codes.scales)?;
        Ok(codes)
    }
}

/// How a slice of elements and their scales becomes a matrix.
trait View: Element {
    fn view<'a>(data: &'a [Self], scales: &'a [f32], rows: usize, dim: usize) -> nnn::Result<Matrix<'a, Self>>;
}

impl View for f32 {
    fn view<'a>(data: &'a [f32], _: &'a [f32], rows: usize, dim: usize) -> nnn::Result<Matrix<'a, f32>> {
        Matrix::new(data, rows, dim)
    }
}

impl View for i8 {
    fn view<'a>(data: &'a [i8], scales: &'a [f32], rows: usize, dim: usize) -> nnn::Result<Matrix<'a, i8>> {
        Matrix::new(data, rows, dim)?.with_scale(scales)
    }
}

impl<T: View + Sync> Source<T> for Owned<T> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn name(&self) -> String {
        "a matrix in memory".to_owned()
    }

    fn block_rows(&self) -> usize {
        DIRECT_ROWS
    }

    fn block<'a>(&'a self, rows: Range<usize>, _: &'a mut Buffer) -> Result<Matrix<'a, T>> {
        let data = self.data.get(rows.start * self.dim..rows.end * self.dim);
        let scales = if self.scales.is_empty() { Some(&[][..]) } else { self.scales.get(rows.clone()) };
        match (data, scales) {
            (Some(data), Some(scales)) => Ok(T::view(data, scales, rows.len(), self.dim)?),
            _ => fail(format!("rows {rows:?} are outside of a matrix of {} rows", self.rows)),
        }
    }
}

fn quantize(block: &Matrix<f32>, codes: &mut Vec<i8>, scales: &mut Vec<f32>) -> Result<()> {
    codes.resize(block.rows() * block.dim(), 0);
    scales.resize(block.rows(), 0.0);
    Ok(nnn::quantize(block, codes, block.dim(), scales)?)
}

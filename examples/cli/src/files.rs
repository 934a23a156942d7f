//! Reading the user's vectors through memory maps: `.npy` (f32, f16), `.fvecs`, `.fbin`.
//!
//! Opening a file reads its header and nothing else, so a gallery may be larger than memory. f32 rows are used in place where the
//! machine can read them as they are; all others are converted block by block ([`crate::source`]).

use crate::failure::{Failure, Result, fail_at};
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use memmap2::Mmap;
use nnn::{MAX_DIM, Matrix};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Matrices of numbers on disk, one vector per row.
pub struct Vectors {
    path: PathBuf,
    map: Mmap,
    layout: Layout,
}

/// Where the rows are in the file.
#[derive(Clone, Copy)]
struct Layout {
    element: Element,
    rows: usize,
    dim: usize,
    /// Bytes before the first row, and from one row to the next.
    offset: usize,
    stride: usize,
    /// Whether four bytes before each row repeat its dim (`.fvecs`).
    dim_per_row: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Element {
    F32,
    F16,
}

impl Element {
    fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::F16 => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Element::F32 => "f32",
            Element::F16 => "f16",
        }
    }
}

impl Vectors {
    /// Maps a file and checks its header against its length.
    pub fn open(path: &Path) -> Result<Self> {
        let map = map_file(path)?;
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let layout = match extension.as_str() {
            _ if map.starts_with(b"\x93NUMPY") => npy_layout(path, &map)?,
            "npy" => return fail_at(path, "is named .npy but does not begin with NumPy's magic bytes; write it with numpy.save"),
            "fvecs" => fvecs_layout(path, &map)?,
            "fbin" => fbin_layout(path, &map)?,
            _ => return fail_at(path, "has an unknown format; give a .npy (f32 or f16), .fvecs or .fbin file"),
        };
        Ok(Vectors { path: path.to_owned(), map, layout })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    pub fn dim(&self) -> usize {
        self.layout.dim
    }

    /// A line for the user: shape and element type.
    pub fn describe(&self) -> String {
        format!("{} ({} x {}, {})", self.path.display(), self.rows(), self.dim(), self.layout.element.name())
    }

    /// Fails unless both files have the same dim.
    pub fn same_dim(&self, other: &Vectors) -> Result<()> {
        if self.dim() == other.dim() {
            return Ok(());
        }
        fail_at(
            &other.path,
            format!(
                "has dim {}, but {} has dim {}; both must come from the same model",
                other.dim(),
                self.path.display(),
                self.dim()
            ),
        )
    }

    /// Rows of the file where they lie, if they are f32 in this machine's byte order and aligned.
    pub fn in_place(&self, rows: Range<usize>) -> Result<Option<Matrix<'_, f32>>> {
        let count = rows.len();
        let Some((floats, stride)) = self.floats_in_place(rows)? else { return Ok(None) };
        Ok(Some(Matrix::with_stride(floats, count, self.layout.dim, stride)?))
    }

    /// Their elements, and how many lie from one row to the next.
    pub fn floats_in_place(&self, rows: Range<usize>) -> Result<Option<(&[f32], usize)>> {
        let Layout { element, stride, .. } = self.layout;
        if element != Element::F32 || cfg!(target_endian = "big") {
            return Ok(None);
        }
        self.check_dims(rows.clone())?;
        Ok(bytemuck::try_cast_slice::<u8, f32>(self.span(&rows)).ok().map(|floats| (floats, stride / 4)))
    }

    /// Converts rows to f32, dense, into `out` (replacing what it holds).
    pub fn read(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let Layout { element, dim, stride, .. } = self.layout;
        self.check_dims(rows.clone())?;
        out.clear();
        out.resize(rows.len() * dim, 0.0);
        for (row, out) in self.span(&rows).chunks(stride).zip(out.chunks_exact_mut(dim)) {
            let row = &row[..dim * element.bytes()];
            match element {
                Element::F32 => {
                    for (out, bytes) in out.iter_mut().zip(row.as_chunks().0) {
                        *out = f32::from_le_bytes(*bytes);
                    }
                }
                Element::F16 => read_f16(row, out),
            }
        }
        Ok(())
    }

    /// The failure for the first value of a block that is NaN or infinite; `block` starts at row `first` of the file.
    pub fn check_finite(&self, block: &Matrix<f32>, first: usize) -> Result<()> {
        match nnn::find_nonfinite(block) {
            None => Ok(()),
            Some((row, column)) => {
                let value = block.row(row).map_or(f32::NAN, |row| row[column]);
                fail_at(
                    &self.path,
                    format!("row {}, column {column} (counted from 0) is {value}; remove that row or embed it again", first + row),
                )
            }
        }
    }

    /// Bytes from the first to the last element of some rows.
    fn span(&self, rows: &Range<usize>) -> &[u8] {
        let Layout { element, dim, offset, stride, .. } = self.layout;
        if rows.is_empty() {
            return &[];
        }
        let end = offset + (rows.end - 1) * stride + dim * element.bytes();
        &self.map[offset + rows.start * stride..end]
    }

    /// Fails at the first row of a `.fvecs` file whose own dim differs from that of row 0.
    fn check_dims(&self, rows: Range<usize>) -> Result<()> {
        let Layout { dim, offset, stride, dim_per_row, .. } = self.layout;
        for row in rows.filter(|_| dim_per_row) {
            let at = offset + row * stride - 4;
            let own = le_u32(&self.map[at..at + 4]);
            if own as usize != dim {
                return fail_at(
                    &self.path,
                    format!(
                        "row {row} (counted from 0) says dim {own}, row 0 says {dim}; the file is damaged or its rows differ in length"
                    ),
                );
            }
        }
        Ok(())
    }
}

/// One column of numbers from a `.npy` file: biases, or gallery rows that answer queries.
pub fn read_column<T: npyz::Deserialize>(path: &Path, what: &str, dtype: &str) -> Result<Vec<T>> {
    let map = map_file(path)?;
    let npy = npyz::NpyFile::new(&map[..]).or_else(|error| fail_at(path, not_npy(&error)))?;
    let shape = npy.shape().to_vec();
    if shape.len() != 1 {
        return fail_at(path, format!("has shape {}; {what} need one dimension", show_shape(&shape)));
    }
    let found = npy.dtype().descr();
    let values = npy.try_data::<T>().ok().map(|data| data.collect::<std::io::Result<Vec<T>>>());
    match values {
        Some(Ok(values)) => Ok(values),
        Some(Err(_)) => fail_at(path, format!("is truncated: its header promises {} values; write it again", shape[0])),
        None => fail_at(path, format!("has dtype {found}; {what} must be {dtype}: save it with .astype({dtype:?})")),
    }
}

/// Whole numbers of any width from a `.npy` file of one or two dimensions, and the length of a row (1 of one dimension).
pub fn read_integers(path: &Path, what: &str) -> Result<(Vec<i64>, usize)> {
    let map = map_file(path)?;
    let npy = npyz::NpyFile::new(&map[..]).or_else(|error| fail_at(path, not_npy(&error)))?;
    let shape = npy.shape().to_vec();
    let width = match shape[..] {
        [_] => 1,
        [_, width] => to_usize(path, width)?.max(1),
        _ => return fail_at(path, format!("has shape {}; {what} need one or two dimensions", show_shape(&shape))),
    };
    if npy.order() == Order::Fortran && shape.len() > 1 {
        return fail_at(path, "is in Fortran (column) order; save it with numpy.save(path, numpy.ascontiguousarray(x))");
    }
    let found = npy.dtype().descr();
    let integers = match &npy.dtype() {
        DType::Plain(plain) => match (plain.type_char(), plain.num_bytes()) {
            (TypeChar::Int, Some(1)) => integers::<i8>(npy),
            (TypeChar::Int, Some(2)) => integers::<i16>(npy),
            (TypeChar::Int, Some(4)) => integers::<i32>(npy),
            (TypeChar::Int, Some(8)) => integers::<i64>(npy),
            (TypeChar::Uint, Some(1)) => integers::<u8>(npy),
            (TypeChar::Uint, Some(2)) => integers::<u16>(npy),
            (TypeChar::Uint, Some(4)) => integers::<u32>(npy),
            _ => None,
        },
        _ => None,
    };
    match integers {
        Some(Ok(values)) => Ok((values, width)),
        Some(Err(_)) => fail_at(path, format!("is truncated: its header promises shape {}; write it again", show_shape(&shape))),
        None => fail_at(path, format!("has dtype {found}; {what} must be whole numbers: save it with .astype('<i8')")),
    }
}

fn integers<T: npyz::Deserialize + Into<i64>>(npy: npyz::NpyFile<&[u8]>) -> Option<std::io::Result<Vec<i64>>> {
    let data = npy.try_data::<T>().ok()?;
    Some(data.map(|value| value.map(Into::into)).collect())
}

/// Lines of a text file.
pub fn read_lines(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::Message(format!("{}: cannot be read: {error}", path.display())))?;
    Ok(text.lines().map(str::to_owned).collect())
}

pub fn map_file(path: &Path) -> Result<Mmap> {
    let cannot = |error: std::io::Error| Failure::Message(format!("{}: cannot be read: {error}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return fail_at(path, "is not a regular file; only files can be memory-mapped");
    }
    if metadata.len() == 0 {
        return fail_at(path, "is empty; write it again");
    }
    // SAFETY: the map is read-only and lives as long as the slices into it. That no other process cuts or rewrites the file
    // meanwhile is asked of the user (`--help`), as for every program that maps its input.
    unsafe { Mmap::map(&file) }.map_err(cannot)
}

fn npy_layout(path: &Path, map: &[u8]) -> Result<Layout> {
    let mut rest = map;
    let header = NpyHeader::from_reader(&mut rest).or_else(|error| fail_at(path, not_npy(&error)))?;
    let offset = map.len() - rest.len();
    let element = npy_element(path, &header.dtype())?;
    let shape = header.shape();
    let &[rows, dim] = shape else {
        let remedy = match shape.len() {
            1 => "one vector is x.reshape(1, -1)",
            _ => "flatten it to rows with x.reshape(len(x), -1)",
        };
        return fail_at(path, format!("has shape {}; it must have two dimensions, rows and dim: {remedy}", show_shape(shape)));
    };
    if header.order() == Order::Fortran && rows > 1 && dim > 1 {
        return fail_at(path, "is in Fortran (column) order; save it with numpy.save(path, numpy.ascontiguousarray(x))");
    }
    let (rows, dim) = (to_usize(path, rows)?, to_usize(path, dim)?);
    let layout = Layout { element, rows, dim, offset, stride: dim.saturating_mul(element.bytes()), dim_per_row: false };
    check_length(path, map.len(), &layout)?;
    Ok(layout)
}

fn npy_element(path: &Path, dtype: &DType) -> Result<Element> {
    let save_as = |dtype: &str| format!("save it with numpy.save(path, x.astype('{dtype}'))");
    if let DType::Plain(plain) = dtype {
        let element = match (plain.type_char(), plain.num_bytes()) {
            (TypeChar::Float, Some(4)) => Some((Element::F32, "<f4")),
            (TypeChar::Float, Some(2)) => Some((Element::F16, "<f2")),
            _ => None,
        };
        match element {
            Some((_, native)) if plain.endianness() == Endianness::Big => {
                return fail_at(path, format!("has dtype {plain}, big-endian; {}", save_as(native)));
            }
            Some((element, _)) => return Ok(element),
            None => {}
        }
    }
    fail_at(path, format!("has dtype {}; f32 and f16 are supported: {}", dtype.descr(), save_as("<f4")))
}

fn fvecs_layout(path: &Path, map: &[u8]) -> Result<Layout> {
    if map.len() < 4 {
        return fail_at(path, "is truncated inside of row 0; write it again");
    }
    let dim = le_u32(map) as usize;
    let stride = dim.saturating_add(1).saturating_mul(4);
    let layout = Layout { element: Element::F32, rows: map.len() / stride, dim, offset: 4, stride, dim_per_row: true };
    check_shape(path, layout.rows.max(1), dim)?;
    if !map.len().is_multiple_of(stride) {
        return fail_at(
            path,
            format!(
                "is truncated inside of row {} (counted from 0), or its rows differ in length: {} bytes are no multiple of the \
                 {stride} of a row of dim {dim}; write it again",
                layout.rows,
                map.len()
            ),
        );
    }
    Ok(layout)
}

fn fbin_layout(path: &Path, map: &[u8]) -> Result<Layout> {
    if map.len() < 8 {
        return fail_at(path, "is shorter than the 8 bytes of an .fbin header (rows, dim); write it again");
    }
    let (rows, dim) = (le_u32(map) as usize, le_u32(&map[4..]) as usize);
    let layout = Layout { element: Element::F32, rows, dim, offset: 8, stride: dim.saturating_mul(4), dim_per_row: false };
    let end = check_length(path, map.len(), &layout)?;
    if end != map.len() {
        return fail_at(
            path,
            format!(
                "has {} bytes after its {rows} rows of dim {dim}; are its elements f32? (.u8bin and .i8bin are not supported)",
                map.len() - end
            ),
        );
    }
    Ok(layout)
}

fn check_shape(path: &Path, rows: usize, dim: usize) -> Result<()> {
    if dim == 0 || dim > MAX_DIM {
        return fail_at(path, format!("has dim {dim}; it must be 1 to {MAX_DIM}"));
    }
    if rows == 0 {
        return fail_at(path, "has no rows; give a file with at least one vector");
    }
    if u32::try_from(rows).is_err() {
        return fail_at(path, format!("has {rows} rows, more than 2^32 - 1; split it and merge the results"));
    }
    Ok(())
}

/// Fails if the file ends before the last row does; returns the end of the last row.
fn check_length(path: &Path, len: usize, layout: &Layout) -> Result<usize> {
    let Layout { rows, dim, stride, offset, .. } = *layout;
    check_shape(path, rows, dim)?;
    match rows.checked_mul(stride).and_then(|bytes| bytes.checked_add(offset)) {
        Some(end) if end <= len => Ok(end),
        _ => {
            let whole = len.saturating_sub(offset) / stride;
            fail_at(
                path,
                format!(
                    "is truncated inside of row {whole} (counted from 0): its header promises {rows} rows of dim {dim}; write it again"
                ),
            )
        }
    }
}

/// Converts little-endian f16 to f32, with the machine's own instruction where there is one.
fn read_f16(row: &[u8], out: &mut [f32]) {
    match bytemuck::try_cast_slice::<u8, u16>(row) {
        Ok(bits) if cfg!(target_endian = "little") => bits.reinterpret_cast::<f16>().convert_to_f32_slice(out),
        _ => {
            for (out, bytes) in out.iter_mut().zip(row.as_chunks().0) {
                *out = f16::from_le_bytes(*bytes).to_f32();
            }
        }
    }
}

fn not_npy(error: &std::io::Error) -> String {
    let error = error.to_string(); // of a header that cannot be parsed, an excerpt over several lines follows
    let reason = error.split("-->").next().unwrap_or_default().trim_end_matches([' ', ':']);
    format!("has no readable NumPy header ({reason}); write it with numpy.save")
}

fn show_shape(shape: &[u64]) -> String {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    format!("({})", sizes.join(", "))
}

fn to_usize(path: &Path, n: u64) -> Result<usize> {
    usize::try_from(n).or_else(|_| fail_at(path, format!("has a size of {n}, too large for this machine; split it")))
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

//! Results that outlive a run: biases, neighbour tables and coarse indexes, in files that know what they were made from.
//!
//! A header of 128 bytes, then words of four bytes; all little-endian.
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | magic |
//! | 8..12 | version of the format |
//! | 12..16 | kind: 1 biases, 2 neighbour table, 3 coarse index |
//! | 16..20 | bit 0: scored with int8 codes; bit 1: rows scaled to unit length |
//! | 20..24 | alpha (biases), f32 |
//! | 24..32, 32..40 | dim; k, of an index the number of its lists |
//! | 40..48, 48..56 | rows of the gallery (of an index: its rows), rows of the bank |
//! | 56..72, 72..88 | fingerprints of the two |
//! | 88..96 | 0 |
//! | 96..128 | BLAKE3 of bytes 0..96 and of all words |
//! | 128.. | biases: one per row · table: rows x k · index: centroids, lists x dim; offsets, lists + 1; ids, one per row |
//!
//! A file cut or changed at any byte is refused, and so are files that were made from other rows.

use crate::failure::{Result, fail_at};
use crate::files::{Vectors, map_file};
use crate::output::{Output, Staged};
use crate::source::{Buffer, FileRows, Source};
use crate::work::{Progress, for_each, lock};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Not text, and changed by programs that convert ends of lines.
const MAGIC: [u8; 8] = *b"\x89nnn\r\n\x1a\n";
const VERSION: u32 = 1;
const HEADER: usize = 128;
const HASHED: usize = 96;

/// The extension that asks for this format.
pub const EXTENSION: &str = "nnn";

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Biases = 1,
    Neighbors = 2,
    Coarse = 3,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Kind::Biases => "biases",
            Kind::Neighbors => "a neighbour table",
            Kind::Coarse => "a coarse index",
        })
    }
}

/// Which rows a result was made from: how many, and the wrapping sum of a hash of every row with its number. So the fingerprint of rows
/// appended later is added to that of the others, and threads sum up what they read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fingerprint {
    pub rows: u64,
    pub sum: u128,
}

impl Fingerprint {
    /// Reads all rows of a file, which become rows `first..` of what is fingerprinted.
    pub fn of(vectors: &Vectors, first: u64, threads: usize) -> Result<Self> {
        let source = FileRows { vectors, normalize: false };
        let (rows, block_rows) = (vectors.rows(), <FileRows as Source<f32>>::block_rows(&source));
        let sum = Mutex::new(0u128);
        let progress = Progress::new("fingerprint", rows as u64);
        for_each(threads, rows.div_ceil(block_rows), Buffer::default, |buffer, item| {
            let range = item * block_rows..rows.min((item + 1) * block_rows);
            let start = range.start;
            let block: nnn::Matrix<f32> = source.block(range, buffer)?;
            let hashes = (0..block.rows()).filter_map(|i| Some((i, block.row(i)?)));
            let part = hashes.fold(0u128, |sum, (i, row)| sum.wrapping_add(hash_row(first + (start + i) as u64, row)));
            let mut sum = lock(&sum);
            *sum = sum.wrapping_add(part);
            progress.add(block.rows() as u64);
            Ok(())
        })?;
        let sum = *lock(&sum);
        Ok(Fingerprint { rows: rows as u64, sum })
    }

    /// Of these rows with `more` behind them, whose numbers begin where these end.
    pub fn followed_by(self, more: Fingerprint) -> Self {
        Fingerprint { rows: self.rows + more.rows, sum: self.sum.wrapping_add(more.sum) }
    }
}

fn hash_row(number: u64, row: &[f32]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes());
    match cfg!(target_endian = "little") {
        true => hasher.update(bytemuck::cast_slice(row)),
        false => row.iter().fold(&mut hasher, |hasher, x| hasher.update(&x.to_le_bytes())),
    };
    let [low, _] = halves(hasher.finalize().as_bytes());
    low
}

fn halves(hash: &[u8; 32]) -> [u128; 2] {
    let half = |at: usize| u128::from_le_bytes(array(hash, at));
    [half(0), half(16)]
}

/// How rows were prepared and scored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Preparation {
    pub int8: bool,
    pub normalize: bool,
}

impl Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.int8, self.normalize) {
            (false, false) => f.write_str("without --int8 and --normalize"),
            (true, false) => f.write_str("with --int8, without --normalize"),
            (false, true) => f.write_str("with --normalize, without --int8"),
            (true, true) => f.write_str("with --int8 and --normalize"),
        }
    }
}

/// What a file says of its words.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Header {
    pub kind: Kind,
    pub preparation: Preparation,
    pub alpha: f32,
    pub dim: u64,
    /// Of an index: its lists.
    pub k: u64,
    /// The gallery; of an index, its rows.
    pub rows: Fingerprint,
    pub bank: Fingerprint,
}

impl Header {
    /// Words that follow, if the sizes are possible.
    fn words(&self) -> Option<usize> {
        let words = match self.kind {
            Kind::Biases => Some(self.rows.rows),
            Kind::Neighbors => self.rows.rows.checked_mul(self.k),
            Kind::Coarse => {
                let centroids = self.k.checked_mul(self.dim)?;
                centroids.checked_add(self.k.checked_add(1)?)?.checked_add(self.rows.rows)
            }
        };
        usize::try_from(words?).ok().filter(|words| words.checked_mul(4).is_some_and(|bytes| bytes <= usize::MAX - HEADER))
    }

    fn encode(&self) -> [u8; HASHED] {
        let mut bytes = [0; HASHED];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&MAGIC);
        put(&VERSION.to_le_bytes());
        put(&(self.kind as u32).to_le_bytes());
        put(&(u32::from(self.preparation.int8) | u32::from(self.preparation.normalize) << 1).to_le_bytes());
        put(&self.alpha.to_le_bytes());
        for size in [self.dim, self.k, self.rows.rows, self.bank.rows] {
            put(&size.to_le_bytes());
        }
        put(&self.rows.sum.to_le_bytes());
        put(&self.bank.sum.to_le_bytes());
        bytes
    }

    /// The header of bytes whose magic, version and hash are right.
    fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        let (u32_at, u64_at) = (|at| u32::from_le_bytes(array(bytes, at)), |at| u64::from_le_bytes(array(bytes, at)));
        let kind = [Kind::Biases, Kind::Neighbors, Kind::Coarse].into_iter().find(|&kind| kind as u32 == u32_at(12))?;
        let flags = u32_at(16);
        let header = Header {
            kind,
            preparation: Preparation { int8: flags & 1 != 0, normalize: flags & 2 != 0 },
            alpha: f32::from_bits(u32_at(20)),
            dim: u64_at(24),
            k: u64_at(32),
            rows: Fingerprint { rows: u64_at(40), sum: u128::from_le_bytes(array(bytes, 56)) },
            bank: Fingerprint { rows: u64_at(48), sum: u128::from_le_bytes(array(bytes, 72)) },
        };
        // Nothing that the format does not know is skipped over.
        (header.encode()[..] == bytes[..HASHED]).then_some(header)
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}

/// A file that was read and found whole.
#[derive(Debug)]
pub struct Stored {
    pub path: PathBuf,
    pub header: Header,
    words: Vec<u32>,
}

/// The parts of a coarse index.
#[derive(Debug)]
pub struct Lists {
    pub centroids: Vec<f32>,
    pub offsets: Vec<u32>,
    pub ids: Vec<u32>,
}

impl Stored {
    /// Whether a path asks for this format.
    pub fn names(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == EXTENSION)
    }

    /// Reads a file that must hold `kind`.
    pub fn open(path: &Path, kind: Kind) -> Result<Self> {
        let map = map_file(path)?;
        let remedy = "make it again";
        if !map.starts_with(&MAGIC) {
            return fail_at(path, format!("is no file of libnnn, or was changed at its beginning; {remedy}"));
        }
        let Some((head, payload)) = map.split_first_chunk::<HEADER>() else {
            return fail_at(path, format!("is cut inside of its header; {remedy}"));
        };
        let version = u32::from_le_bytes(array(head, 8));
        if version != VERSION {
            return fail_at(
                path,
                format!("has version {version} of the format, this program reads {VERSION}; {remedy} with this program"),
            );
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&head[..HASHED]).update(payload);
        let header = match Header::decode(head) {
            Some(header) if hasher.finalize().as_bytes()[..] == head[HASHED..] => header,
            _ => return fail_at(path, format!("is cut or damaged: its content does not have the hash of its header; {remedy}")),
        };
        if header.words().and_then(|words| words.checked_mul(4)) != Some(payload.len()) {
            return fail_at(path, format!("holds {} bytes, which its sizes do not explain; {remedy}", payload.len()));
        }
        if header.kind != kind {
            return fail_at(path, format!("holds {}, not {kind}; give the other file", header.kind));
        }
        let words = payload.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        Ok(Stored { path: path.to_owned(), header, words })
    }

    /// Biases, or the table.
    pub fn floats(&self) -> Vec<f32> {
        self.words.iter().map(|&word| f32::from_bits(word)).collect()
    }

    /// The parts of an index, whose lengths `open` has checked.
    pub fn lists(&self) -> Lists {
        let Header { dim, k, .. } = self.header;
        let (centroids, rest) = self.words.split_at((k * dim) as usize);
        let (offsets, ids) = rest.split_at(k as usize + 1);
        let centroids = centroids.iter().map(|&word| f32::from_bits(word)).collect();
        Lists { centroids, offsets: offsets.to_vec(), ids: ids.to_vec() }
    }

    /// Fails unless the file was made from these rows of the gallery (or of the index).
    pub fn check_rows(&self, vectors: &Vectors, found: Fingerprint) -> Result<()> {
        self.check(vectors, found, self.header.rows)
    }

    pub fn check_bank(&self, vectors: &Vectors, found: Fingerprint) -> Result<()> {
        self.check(vectors, found, self.header.bank)
    }

    fn check(&self, vectors: &Vectors, found: Fingerprint, expected: Fingerprint) -> Result<()> {
        if (vectors.dim() as u64, found) == (self.header.dim, expected) {
            return Ok(());
        }
        let shape = format!("{} x {}", expected.rows, self.header.dim);
        let same_shape = (vectors.dim() as u64, found.rows) == (self.header.dim, expected.rows);
        fail_at(
            &self.path,
            format!(
                "was made from other rows ({shape}{}) than {} holds; give the file it was made from, or make it again",
                if same_shape { ", other values" } else { "" },
                vectors.describe()
            ),
        )
    }

    /// Fails unless rows are now prepared as they were.
    pub fn check_preparation(&self, preparation: Preparation) -> Result<()> {
        if preparation == self.header.preparation {
            return Ok(());
        }
        fail_at(&self.path, format!("was made {}; run this {0} too, or make it again", self.header.preparation))
    }
}

/// Writes a result under a temporary name.
pub fn stage(output: &Output, header: &Header, words: impl Iterator<Item = u32>) -> Result<Staged> {
    let head = header.encode();
    let mut payload = Vec::with_capacity(header.words().unwrap_or(0) * 4);
    words.for_each(|word| payload.extend_from_slice(&word.to_le_bytes()));
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head).update(&payload);
    output.stage_parts(&[&head, hasher.finalize().as_bytes(), &payload])
}

pub fn bits(values: &[f32]) -> impl Iterator<Item = u32> {
    values.iter().map(|value| value.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct File(PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            File(std::env::temp_dir().join(format!("nnn-store-{name}-{}.nnn", std::process::id())))
        }

        /// What `Stored::open` says of these bytes.
        fn refusal(&self, bytes: &[u8], kind: Kind) -> Option<String> {
            fs::write(&self.0, bytes).unwrap();
            Stored::open(&self.0, kind).err().map(|failure| failure.to_string())
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn header(kind: Kind) -> Header {
        Header {
            kind,
            preparation: Preparation { int8: true, normalize: false },
            alpha: 0.75,
            dim: 6,
            k: 4,
            rows: Fingerprint { rows: 50, sum: 0x0123_4567_89AB_CDEF_1122_3344_5566_7788 },
            bank: Fingerprint { rows: 9, sum: u128::MAX - 5 },
        }
    }

    fn words(kind: Kind) -> Vec<u32> {
        (0..header(kind).words().unwrap() as u32).map(|i| i.wrapping_mul(0x9E37_79B9)).collect()
    }

    fn written(file: &File, kind: Kind) -> Vec<u8> {
        stage(&Output::new(&file.0, &[]).unwrap(), &header(kind), words(kind).into_iter()).unwrap().commit().unwrap();
        fs::read(&file.0).unwrap()
    }

    const KINDS: [(Kind, usize); 3] = [(Kind::Biases, 50), (Kind::Neighbors, 200), (Kind::Coarse, 4 * 6 + 5 + 50)];

    #[test]
    fn what_was_written_is_read() {
        for (kind, count) in KINDS {
            let file = File::new(&format!("read-{}", kind as u32));
            assert_eq!(written(&file, kind).len(), HEADER + 4 * count);
            let stored = Stored::open(&file.0, kind).unwrap();
            assert_eq!(stored.header, header(kind));
            assert_eq!(bits(&stored.floats()).collect::<Vec<_>>(), words(kind));
            for (other, _) in KINDS.into_iter().filter(|(other, _)| *other != kind) {
                let refusal = Stored::open(&file.0, other).unwrap_err().to_string();
                assert!(refusal.contains(&format!("holds {kind}, not {other}")), "{refusal}");
            }
        }
        let file = File::new("lists");
        written(&file, Kind::Coarse);
        let Lists { centroids, offsets, ids } = Stored::open(&file.0, Kind::Coarse).unwrap().lists();
        assert_eq!(bits(&centroids).chain(offsets).chain(ids).collect::<Vec<_>>(), words(Kind::Coarse));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        for (kind, _) in KINDS {
            let file = File::new(&format!("cut-{}", kind as u32));
            let whole = written(&file, kind);
            for length in 0..whole.len() {
                assert!(file.refusal(&whole[..length], kind).is_some(), "{kind}, {length} bytes");
            }
            assert!(file.refusal(&[&whole[..], &[0]].concat(), kind).is_some(), "{kind}, a byte more");
            assert!(file.refusal(&whole, kind).is_none());
        }
    }

    /// Every bit of the header, and a bit of every byte behind it.
    #[test]
    fn a_file_changed_anywhere_is_refused() {
        for (kind, _) in KINDS {
            let file = File::new(&format!("changed-{}", kind as u32));
            let whole = written(&file, kind);
            let flips = (0..8 * HEADER).chain((HEADER..whole.len()).map(|byte| 8 * byte + byte % 8));
            for flip in flips {
                let mut bytes = whole.clone();
                bytes[flip / 8] ^= 1 << (flip % 8);
                assert!(file.refusal(&bytes, kind).is_some(), "{kind}, bit {flip}");
            }
        }
    }

    /// A header with a right hash that promises more than memory can hold, or what the format does not know.
    #[test]
    fn impossible_headers_are_refused() {
        let file = File::new("impossible");
        let sealed = |change: &dyn Fn(&mut [u8; HASHED])| {
            let mut head = header(Kind::Coarse).encode();
            change(&mut head);
            let payload: Vec<u8> = words(Kind::Coarse).iter().flat_map(|word| word.to_le_bytes()).collect();
            let hash = blake3::Hasher::new().update(&head).update(&payload).finalize();
            [&head[..], hash.as_bytes(), &payload].concat()
        };
        assert_eq!(file.refusal(&sealed(&|_| ()), Kind::Coarse), None);
        for at in [24, 32, 40] {
            for size in [0, 1, 1 << 61, u64::MAX / 4, u64::MAX] {
                let bytes = sealed(&|head| head[at..at + 8].copy_from_slice(&u64::to_le_bytes(size)));
                assert!(file.refusal(&bytes, Kind::Coarse).is_some(), "{size} at {at}");
            }
        }
        for (at, value) in [(8, 2), (12, 4), (16, 4), (88, 1), (95, 1)] {
            assert!(file.refusal(&sealed(&|head| head[at] = value), Kind::Coarse).is_some(), "{value} at {at}");
        }
    }

    #[test]
    fn fingerprints_of_parts_add_up_and_tell_order() {
        let row = |x: f32| [x, 1.0];
        let sum = |rows: &[[f32; 2]], first: u64| {
            rows.iter().zip(first..).fold(0u128, |sum, (row, i)| sum.wrapping_add(hash_row(i, row)))
        };
        let print = |rows: &[[f32; 2]], first| Fingerprint { rows: rows.len() as u64, sum: sum(rows, first) };
        let all = [row(1.0), row(2.0), row(3.0)];
        assert_eq!(print(&all[..1], 0).followed_by(print(&all[1..], 1)), print(&all, 0));
        assert_ne!(print(&all, 0), print(&[row(2.0), row(1.0), row(3.0)], 0));
        assert_ne!(print(&[row(0.0)], 0), print(&[row(-0.0)], 0));
    }
}

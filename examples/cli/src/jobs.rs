//! `nnn bias` and `nnn search` on the user's files.

use crate::failure::{Result, fail, fail_at};
use crate::files::{Vectors, read_column};
use crate::index::{self, Index};
use crate::output::Output;
use crate::passes;
use crate::source::{FileRows, Source};
use crate::store::{self, Fingerprint, Header, Kind, Preparation, Stored};
use crate::text::{machine, thousands};
use clap::Args;
use nnn::Element;
use serde_json::json;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How rows are prepared and scored.
#[derive(Clone, Copy, Args)]
pub struct Rows {
    /// Scale every row to unit length first, so that scores are cosines
    #[arg(long)]
    normalize: bool,
    /// Score with int8 codes (one scale per row) instead of f32
    #[arg(long)]
    int8: bool,
}

impl Rows {
    /// f32 rows.
    pub fn floats(normalize: bool) -> Self {
        Rows { normalize, int8: false }
    }

    pub fn preparation(&self) -> Preparation {
        Preparation { int8: self.int8, normalize: self.normalize }
    }

    pub fn of<'a>(&self, vectors: &'a Vectors) -> FileRows<'a> {
        FileRows { vectors, normalize: self.normalize }
    }
}

#[derive(Args)]
pub struct Bias {
    /// Vectors to retrieve
    #[arg(long, value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    gallery: Option<PathBuf>,
    /// Reference queries, such as training captions
    #[arg(long, value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    bank: Option<PathBuf>,
    /// Neighbours in the bank that a bias averages
    #[arg(short, long, default_value = "16")]
    k: NonZeroUsize,
    /// Strength of the bias
    #[arg(long, default_value_t = 0.75, value_parser = crate::parse_alpha, allow_negative_numbers = true)]
    alpha: f32,
    /// Where to write the biases, one f32 per gallery row: .npy, or .nnn, which knows its gallery and bank
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep the neighbour table too (.nnn, 4 k bytes per row), for other k and alpha later and for `nnn add`
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    table: Option<PathBuf>,
    /// An index of the bank, from `nnn index`: compare each row with the part of the bank in its nearest lists only
    #[arg(long, value_name = "FILE", requires = "probes", conflicts_with_all = ["from", "table"])]
    bank_index: Option<PathBuf>,
    /// How many lists (see `nnn tune-probes`)
    #[arg(long, value_name = "N", requires = "bank_index")]
    probes: Option<NonZeroUsize>,
    /// Take the neighbours from such a table instead of a gallery and a bank
    #[arg(long, value_name = "FILE", conflicts_with_all = ["normalize", "int8"])]
    from: Option<PathBuf>,
    /// Print JSON instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Args)]
pub struct Search {
    /// Vectors to retrieve
    #[arg(long, value_name = "FILE")]
    gallery: PathBuf,
    /// Queries
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// Biases of the gallery, from `nnn bias` [default: none, plain retrieval]
    #[arg(long, value_name = "FILE")]
    bias: Option<PathBuf>,
    /// An index of the gallery, from `nnn index`: look in the lists that are nearest to each query only
    #[arg(long, value_name = "FILE", requires = "probes")]
    index: Option<PathBuf>,
    /// How many lists (see `nnn tune-probes`)
    #[arg(long, value_name = "N", requires = "index")]
    probes: Option<NonZeroUsize>,
    /// Hits per query
    #[arg(short, long, default_value = "10")]
    k: NonZeroUsize,
    /// Where to write the gallery rows of the hits: .npy, u32, queries x k; 4294967295 where a query has fewer
    #[arg(long, value_name = "FILE")]
    out_ids: PathBuf,
    /// Where to write their scores: .npy, f32, queries x k; -inf where a query has fewer
    #[arg(long, value_name = "FILE")]
    out_scores: PathBuf,
    /// Print JSON instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rows: Rows,
}

impl Bias {
    pub fn run(&self, threads: usize, out: &mut impl Write) -> Result<()> {
        match (&self.from, &self.gallery, &self.bank) {
            (Some(table), ..) => self.of_table(table, out),
            (None, Some(gallery), Some(bank)) => self.pass_over(gallery, bank, threads, out),
            _ => fail("give --gallery and --bank, or --from a neighbour table"),
        }
    }

    fn pass_over(&self, gallery: &Path, bank: &Path, threads: usize, out: &mut impl Write) -> Result<()> {
        let (gallery, bank, k) = (Vectors::open(gallery)?, Vectors::open(bank)?, self.k.get());
        gallery.same_dim(&bank)?;
        if k > bank.rows() {
            return fail_at(bank.path(), format!("has {} rows, fewer than k = {k}; lower -k or give a larger bank", bank.rows()));
        }
        let inputs = [gallery.path(), bank.path()];
        let output = Output::new(&self.out, &inputs)?;
        let table_output = self.table.as_deref().map(|path| stored_output(path, &inputs)).transpose()?;
        if table_output.as_ref().is_some_and(|table| table.is(&output)) {
            return fail("--out and --table name the same file; choose two");
        }

        let started = Instant::now();
        if let (Some(index), Some(probes)) = (&self.bank_index, self.probes) {
            return self.probe(&gallery, &bank, index, probes.get(), &output, threads, out);
        }
        let (bias, table) = match self.rows.int8 {
            true => self.pass::<i8>(&self.rows.of(&gallery), &self.rows.of(&bank), threads),
            false => self.pass::<f32>(&self.rows.of(&gallery), &self.rows.of(&bank), threads),
        }?;
        let time = started.elapsed();

        let mut header = Header {
            kind: Kind::Biases,
            preparation: self.rows.preparation(),
            alpha: self.alpha,
            dim: gallery.dim() as u64,
            k: k as u64,
            rows: Fingerprint::default(),
            bank: Fingerprint::default(),
        };
        if Stored::names(&self.out) || table.is_some() {
            header.rows = Fingerprint::of(&gallery, 0, threads)?;
            header.bank = Fingerprint::of(&bank, 0, threads)?;
        }
        if let (Some(output), Some(table)) = (table_output, &table) {
            let header = Header { kind: Kind::Neighbors, alpha: 0.0, ..header };
            store::stage(&output, &header, store::bits(table))?.commit()?;
        }
        self.write(&output, &header, &bias)?;
        if self.json {
            return self.write_json(&bias, gallery.dim() as u64, bank.rows() as u64, Some(time), out);
        }
        writeln!(out, "gallery {}, bank {}", gallery.describe(), bank.describe())?;
        self.summary(&bias, out)?;
        writeln!(out, "{}", speed(self.rows, threads, [gallery.rows(), bank.rows(), gallery.dim()], time))?;
        Ok(())
    }

    /// Biases from the nearest lists of the bank.
    #[allow(clippy::too_many_arguments)] // what `pass_over` has opened
    fn probe(
        &self,
        gallery: &Vectors,
        bank: &Vectors,
        index: &Path,
        probes: usize,
        output: &Output,
        threads: usize,
        out: &mut impl Write,
    ) -> Result<()> {
        let index = Index::open(index, bank, self.rows.normalize, threads)?;
        let (lists, parameters) = (index.lists(), (self.k.get(), self.alpha));
        let started = Instant::now();
        let probed = match self.rows.int8 {
            true => index::bias::<i8>(&self.rows.of(gallery), &index.quantized()?, parameters, probes, threads),
            false => index::bias::<f32>(&self.rows.of(gallery), &index, parameters, probes, threads),
        }?;
        let time = started.elapsed();
        let stored = Stored::names(&self.out);
        let fingerprint = |vectors| if stored { Fingerprint::of(vectors, 0, threads) } else { Ok(Fingerprint::default()) };
        let header = Header {
            kind: Kind::Biases,
            preparation: self.rows.preparation(),
            alpha: self.alpha,
            dim: gallery.dim() as u64,
            k: self.k.get() as u64,
            rows: fingerprint(gallery)?,
            bank: fingerprint(bank)?,
        };
        self.write(output, &header, &probed.result)?;
        writeln!(out, "gallery {}, bank {}", gallery.describe(), bank.describe())?;
        self.summary(&probed.result, out)?;
        let all = gallery.rows() as f64 * bank.rows() as f64;
        writeln!(out, "{probes} of {lists} lists: {:.2} % of all pairs were scored", 100.0 * probed.pairs as f64 / all)?;
        if probed.short > 0 {
            writeln!(
                out,
                "{} rows found fewer than k = {} and have the mean of those; more --probes find more",
                thousands(probed.short),
                self.k
            )?;
        }
        writeln!(out, "{:.2} s, {}", time.as_secs_f64(), machine(threads))?;
        Ok(())
    }

    /// Biases, and the table where it is to be kept.
    fn pass<T: Element>(
        &self,
        gallery: &impl Source<T>,
        bank: &impl Source<T>,
        threads: usize,
    ) -> Result<(Vec<f32>, Option<Vec<f32>>)> {
        let (rows, k) = (gallery.rows(), self.k.get());
        if self.table.is_none() {
            return Ok((passes::bias(gallery, bank, k, self.alpha, threads)?, None));
        }
        let mut table = passes::empty_table(rows, k)?;
        passes::neighbors(gallery, bank, &mut table, k, threads)?;
        Ok((self.biases_of(&mut table, k, &gallery.name())?, Some(table)))
    }

    fn biases_of(&self, table: &mut [f32], table_k: usize, name: &str) -> Result<Vec<f32>> {
        let (rows, k) = (table.len() / table_k, self.k.get());
        let mut bias = vec![0.0; rows];
        let neighbors = nnn::Neighbors::from_table(table, rows, table_k)?;
        neighbors.bias(k, self.alpha, &mut bias).or_else(|_| passes::no_bias(name, 0, neighbors.as_slice(), table_k))?;
        Ok(bias)
    }

    fn of_table(&self, path: &Path, out: &mut impl Write) -> Result<()> {
        let output = Output::new(&self.out, &[path])?;
        let stored = Stored::open(path, Kind::Neighbors)?;
        let (table_k, bank_rows) = (stored.header.k, stored.header.bank.rows);
        let most = table_k.min(bank_rows);
        if self.k.get() as u64 > most {
            return fail_at(
                path,
                format!("holds {most} neighbours per row, fewer than k = {}; lower -k, or make it with more", self.k),
            );
        }
        let bias = self.biases_of(&mut stored.floats(), table_k as usize, &path.display().to_string())?;
        let header = Header { kind: Kind::Biases, alpha: self.alpha, k: self.k.get() as u64, ..stored.header };
        self.write(&output, &header, &bias)?;
        if self.json {
            return self.write_json(&bias, header.dim, bank_rows, None, out);
        }
        writeln!(out, "{}: {} rows, their {table_k} nearest of {bank_rows} in the bank", path.display(), thousands(bias.len()))?;
        self.summary(&bias, out)
    }

    fn write(&self, output: &Output, header: &Header, bias: &[f32]) -> Result<()> {
        match Stored::names(&self.out) {
            true => store::stage(output, header, store::bits(bias))?,
            false => output.stage_npy(&[bias.len() as u64], bias.iter().copied())?,
        }
        .commit()
    }

    fn write_json(&self, bias: &[f32], dim: u64, bank_rows: u64, time: Option<Duration>, out: &mut impl Write) -> Result<()> {
        let [mean, low, high] = spread(bias);
        let report = json!({
            "out": self.out, "rows": bias.len(), "dim": dim, "bank_rows": bank_rows, "k": self.k, "alpha": f64::from(self.alpha),
            "mean": mean, "min": low, "max": high, "seconds": time.map(|time| time.as_secs_f64()),
        });
        writeln!(out, "{report:#}")?;
        Ok(())
    }

    fn summary(&self, bias: &[f32], out: &mut impl Write) -> Result<()> {
        let [mean, low, high] = spread(bias);
        writeln!(out, "{}: {} biases, mean {mean:.4}, {low:.4} to {high:.4}", self.out.display(), thousands(bias.len()))?;
        Ok(())
    }
}

/// Mean, least and greatest.
fn spread(bias: &[f32]) -> [f64; 3] {
    let (low, high) = bias.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &b| (low.min(b), high.max(b)));
    [bias.iter().map(|&b| f64::from(b)).sum::<f64>() / bias.len() as f64, low.into(), high.into()]
}

impl Search {
    pub fn run(&self, threads: usize, out: &mut impl Write) -> Result<()> {
        let (gallery, queries) = (Vectors::open(&self.gallery)?, Vectors::open(&self.queries)?);
        gallery.same_dim(&queries)?;
        let inputs: Vec<&Path> = [Some(&self.gallery), Some(&self.queries), self.bias.as_ref(), self.index.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
        let (ids, scores) = (Output::new(&self.out_ids, &inputs)?, Output::new(&self.out_scores, &inputs)?);
        if ids.is(&scores) {
            return fail("--out-ids and --out-scores name the same file; choose two");
        }
        let bias = self.bias.as_deref().map(|path| bias_of(path, &gallery, self.rows.preparation(), threads)).transpose()?;

        let (k, bias) = (self.k.get(), bias.as_deref());
        let (query_rows, gallery_rows) = (self.rows.of(&queries), self.rows.of(&gallery));
        let index = self.index.as_deref().map(|path| Index::open(path, &gallery, self.rows.normalize, threads)).transpose()?;
        let started = Instant::now();
        let mut pairs = queries.rows() as u64 * gallery.rows() as u64;
        let hits = match (index, self.probes, self.rows.int8) {
            (Some(index), Some(probes), int8) => {
                let probed = match int8 {
                    true => index::search::<i8>(&query_rows, &index.quantized()?, bias, k, probes.get(), threads),
                    false => index::search::<f32>(&query_rows, &index, bias, k, probes.get(), threads),
                }?;
                pairs = probed.pairs;
                probed.result
            }
            (.., true) => passes::search::<i8>(&query_rows, &gallery_rows, bias, k, threads)?,
            (.., false) => passes::search::<f32>(&query_rows, &gallery_rows, bias, k, threads)?,
        };
        let time = started.elapsed();

        let shape = [queries.rows() as u64, hits.k as u64];
        let ids = ids.stage_npy(&shape, hits.hits.iter().map(|hit| hit.id))?;
        let scores = scores.stage_npy(&shape, hits.hits.iter().map(|hit| hit.score))?;
        ids.commit()?;
        scores.commit()?;
        if self.json {
            let report = json!({
                "out_ids": self.out_ids, "out_scores": self.out_scores, "queries": queries.rows(), "hits": hits.k,
                "rows": gallery.rows(), "dim": gallery.dim(), "seconds": time.as_secs_f64(),
            });
            writeln!(out, "{report:#}")?;
            return Ok(());
        }
        writeln!(out, "gallery {}, queries {}", gallery.describe(), queries.describe())?;
        if hits.k < k {
            writeln!(out, "the gallery has {} rows: {} hits per query instead of {k}", gallery.rows(), hits.k)?;
        }
        writeln!(
            out,
            "{}, {}: {} queries x {} hits",
            self.out_ids.display(),
            self.out_scores.display(),
            thousands(queries.rows()),
            hits.k
        )?;
        if self.index.is_some() {
            let all = queries.rows() as f64 * gallery.rows() as f64;
            writeln!(
                out,
                "{:.2} % of all pairs were scored; {:.2} s, {}",
                100.0 * pairs as f64 / all,
                time.as_secs_f64(),
                machine(threads)
            )?;
            return Ok(());
        }
        writeln!(out, "{}", speed(self.rows, threads, [gallery.rows(), queries.rows(), gallery.dim()], time))?;
        Ok(())
    }
}

/// The file of a result that knows what it was made from.
pub fn stored_output(path: &Path, inputs: &[&Path]) -> Result<Output> {
    match Stored::names(path) {
        true => Output::new(path, inputs),
        false => fail_at(path, format!("would be a file of libnnn; give it the extension .{}", store::EXTENSION)),
    }
}

/// Biases of just this gallery: a `.nnn` file is held against the gallery's rows (one read of it), a `.npy` has only its length.
pub fn bias_of(path: &Path, gallery: &Vectors, preparation: Preparation, threads: usize) -> Result<Vec<f32>> {
    if !Stored::names(path) {
        return read_bias(path, gallery);
    }
    let stored = Stored::open(path, Kind::Biases)?;
    stored.check_preparation(preparation)?;
    stored.check_rows(gallery, Fingerprint::of(gallery, 0, threads)?)?;
    finite(path, stored.floats())
}

fn read_bias(path: &Path, gallery: &Vectors) -> Result<Vec<f32>> {
    let bias = read_column::<f32>(path, "biases", "<f4")?;
    if bias.len() != gallery.rows() {
        return fail_at(
            path,
            format!(
                "has {} biases, but {} has {} rows; make it from this gallery with `nnn bias`",
                bias.len(),
                gallery.path().display(),
                gallery.rows()
            ),
        );
    }
    finite(path, bias)
}

fn finite(path: &Path, bias: Vec<f32>) -> Result<Vec<f32>> {
    match bias.iter().position(|b| !b.is_finite()) {
        Some(row) => fail_at(path, format!("row {row} (counted from 0) is {}; make it again with `nnn bias`", bias[row])),
        None => Ok(bias),
    }
}

/// A line about time and throughput; reading and conversion of the files included.
pub fn speed(rows: Rows, threads: usize, sizes: [usize; 3], time: Duration) -> String {
    let unit = if rows.int8 { "GOP/s" } else { "GFLOP/s" };
    let products: f64 = sizes.into_iter().map(|n| n as f64).product();
    let rate = 2.0 * products / time.as_secs_f64() / 1e9;
    format!("{:.2} s, {rate:.1} {unit}, {}", time.as_secs_f64(), machine(threads))
}

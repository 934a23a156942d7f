//! `nnn index` and `nnn tune-probes`: coarse indexes of a bank or a gallery, and how many lists to probe.

use crate::failure::{Result, fail, fail_at};
use crate::files::Vectors;
use crate::jobs::{Rows, bias_of, stored_output};
use crate::passes::{self, Hits};
use crate::source::{Buffer, FileRows, Owned, Source};
use crate::store::{self, Fingerprint, Header, Kind, Lists, Preparation, Stored};
use crate::text::{machine, thousands};
use crate::work::{for_each, lock, part_rows};
use nnn::{Element, Matrix};
use serde_json::json;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// Rows of the sample for each list, and most rows that are assigned together.
const SAMPLE_PER_LIST: usize = 64;
const ASSIGN_ROWS: usize = 4096;

#[derive(clap::Args)]
pub struct Args {
    /// The rows to index: a bank for `nnn bias --probes`, a gallery for `nnn search --probes`
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// Lists [default: twice the square root of the rows]
    #[arg(long, value_name = "N")]
    lists: Option<NonZeroUsize>,
    /// Rounds of k-means
    #[arg(long, value_name = "N", default_value = "10")]
    rounds: NonZeroUsize,
    /// Seed of the drawing of the first centroids
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Scale every row to unit length first, as the biases or the search will
    #[arg(long)]
    normalize: bool,
    /// Where to write the index (.nnn)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    let vectors = Vectors::open(&args.rows)?;
    let (rows, dim) = (vectors.rows(), vectors.dim());
    let lists = args.lists.map_or_else(|| (2.0 * (rows as f64).sqrt()) as usize, NonZeroUsize::get).clamp(1, rows.max(1));
    if args.lists.is_some_and(|wanted| wanted.get() > rows) {
        return fail_at(vectors.path(), format!("has {rows} rows, fewer than {} lists; lower --lists", lists));
    }
    let output = stored_output(&args.out, &[&args.rows])?;
    let source = FileRows { vectors: &vectors, normalize: args.normalize };

    let started = Instant::now();
    let sample = sample(&source, lists.saturating_mul(SAMPLE_PER_LIST))?;
    let mut centroids = vec![0.0; lists * dim];
    let mut scratch = vec![0; nnn::coarse_train_scratch(sample.len() / dim, lists, dim)];
    let view = Matrix::new(&sample, sample.len() / dim, dim)?;
    nnn::coarse_train(&view, lists, args.rounds.get(), args.seed, &mut scratch, &mut centroids)?;
    let trained = started.elapsed();
    let list_of = assign(&source, &centroids, threads)?;
    let Sorted { offsets, ids } = sort(&list_of, lists)?;
    let time = started.elapsed();

    let header = Header {
        kind: Kind::Coarse,
        preparation: Preparation { int8: false, normalize: args.normalize },
        alpha: 0.0,
        dim: dim as u64,
        k: lists as u64,
        rows: Fingerprint::of(&vectors, 0, threads)?,
        bank: Fingerprint::default(),
    };
    let sizes = || offsets.windows(2).map(|pair| pair[1] - pair[0]);
    let (largest, empty) = (sizes().max().unwrap_or(0), sizes().filter(|size| *size == 0).count());
    store::stage(&output, &header, store::bits(&centroids).chain(offsets.iter().copied()).chain(ids))?.commit()?;
    writeln!(out, "{}", vectors.describe())?;
    writeln!(out, "{}: {} lists, the largest of {largest} rows, {empty} empty", args.out.display(), thousands(lists))?;
    let [train_s, all_s] = [trained, time].map(|time| time.as_secs_f64());
    writeln!(out, "{all_s:.2} s, {train_s:.2} of them for the centroids, {}", machine(threads))?;
    Ok(())
}

/// Rows of equal distance, about `wanted` of them.
fn sample(source: &FileRows, wanted: usize) -> Result<Vec<f32>> {
    let rows = <FileRows as Source<f32>>::rows(source);
    let step = (rows / wanted.max(1)).max(1);
    let mut sample = Vec::new();
    passes::blocks(source, &mut Buffer::default(), |block: &Matrix<f32>, range| {
        let first = range.start.next_multiple_of(step) - range.start;
        (first..block.rows()).step_by(step).filter_map(|i| block.row(i)).for_each(|row| sample.extend_from_slice(row));
        Ok(())
    })?;
    Ok(sample)
}

/// The list of every row.
fn assign(source: &FileRows, centroids: &[f32], threads: usize) -> Result<Vec<u32>> {
    let (rows, dim) = (<FileRows as Source<f32>>::rows(source), <FileRows as Source<f32>>::dim(source));
    let centroids = Matrix::new(centroids, centroids.len() / dim, dim)?;
    let mut list_of = vec![0; rows];
    let part = part_rows(rows, threads, ASSIGN_ROWS);
    let parts: Vec<Mutex<&mut [u32]>> = list_of.chunks_mut(part).map(Mutex::new).collect();
    let state = || (Buffer::default(), vec![0; nnn::neighbors_scratch(1, dim)]);
    for_each(threads, parts.len(), state, |(buffer, scratch), item| {
        let range = item * part..rows.min((item + 1) * part);
        let block: Matrix<f32> = source.block(range, buffer)?;
        Ok(nnn::coarse_assign(&block, &centroids, 0..block.rows(), scratch, &mut lock(&parts[item]))?)
    })?;
    Ok(list_of)
}

/// Rows list by list.
struct Sorted {
    offsets: Vec<u32>,
    ids: Vec<u32>,
}

fn sort(list_of: &[u32], lists: usize) -> Result<Sorted> {
    let mut sorted = Sorted { offsets: vec![0; lists + 1], ids: vec![0; list_of.len()] };
    nnn::coarse_lists(list_of, &mut sorted.offsets, &mut sorted.ids)?;
    Ok(sorted)
}

/// `nnn add --index`: new rows behind those of an index, in the lists of its centroids.
pub fn add(index: &Path, new: &Path, out_path: &Path, threads: usize, out: &mut impl Write) -> Result<()> {
    let new = Vectors::open(new)?;
    let output = stored_output(out_path, &[new.path()])?;
    let stored = Stored::open(index, Kind::Coarse)?;
    let header = stored.header;
    if new.dim() as u64 != header.dim {
        return fail_at(
            new.path(),
            format!("has dim {}, but the index has dim {}; both must come from the same model", new.dim(), header.dim),
        );
    }
    let rows = header.rows.followed_by(Fingerprint::of(&new, header.rows.rows, threads)?);
    if rows.rows > u64::from(u32::MAX) {
        return fail_at(new.path(), format!("brings the rows to {}, above 2^32 - 1; make a second index", rows.rows));
    }
    let Lists { centroids, offsets, ids } = stored.lists();
    let mut list_of = vec![0; ids.len()];
    for (list, pair) in (0..).zip(offsets.windows(2)) {
        ids[pair[0] as usize..pair[1] as usize].iter().for_each(|id| list_of[*id as usize] = list);
    }
    let source = FileRows { vectors: &new, normalize: header.preparation.normalize };
    list_of.extend(assign(&source, &centroids, threads)?);
    let Sorted { offsets, ids } = sort(&list_of, header.k as usize)?;
    let header = Header { rows, ..header };
    store::stage(&output, &header, store::bits(&centroids).chain(offsets).chain(ids))?.commit()?;
    writeln!(out, "{} rows more in the index: {}", thousands(new.rows()), new.describe())?;
    writeln!(out, "it now holds {} rows in {} lists", thousands(rows.rows as usize), thousands(header.k as usize))?;
    Ok(())
}

/// An index with its rows, in memory, in the order of its lists.
pub struct Index<T> {
    lists: Lists,
    dim: usize,
    ordered: Owned<T>,
}

impl Index<f32> {
    /// Reads an index of just these rows. The rows are copied: 4 bytes per element.
    pub fn open(path: &Path, vectors: &Vectors, normalize: bool, threads: usize) -> Result<Self> {
        let stored = Stored::open(path, Kind::Coarse)?;
        stored.check_preparation(Preparation { int8: false, normalize })?;
        stored.check_rows(vectors, Fingerprint::of(vectors, 0, threads)?)?;
        let lists = stored.lists();
        let mut positions = vec![0; lists.ids.len()];
        for (position, id) in (0u32..).zip(&lists.ids) {
            match positions.get_mut(*id as usize) {
                Some(slot) => *slot = position,
                None => return fail_at(path, "names rows that are not there; make it again with `nnn index`"),
            }
        }
        let ordered = Owned::in_order(&FileRows { vectors, normalize }, &positions)?;
        Ok(Index { lists, dim: vectors.dim(), ordered })
    }

    /// With int8 codes, one byte per element.
    pub fn quantized(self) -> Result<Index<i8>> {
        Ok(Index { ordered: self.ordered.quantized()?, lists: self.lists, dim: self.dim })
    }
}

impl<T> Index<T> {
    pub fn lists(&self) -> usize {
        self.lists.offsets.len() - 1
    }

    pub fn rows(&self) -> usize {
        self.lists.ids.len()
    }

    fn centroids(&self) -> Result<Matrix<'_, f32>> {
        Ok(Matrix::new(&self.lists.centroids, self.lists(), self.dim)?)
    }
}

/// What probing found, and what it cost.
pub struct Probed<R> {
    pub result: R,
    /// Pairs of rows that were scored.
    pub pairs: u64,
    /// Rows whose biases are means of fewer than k.
    pub short: usize,
}

/// Neighbour tables of ranges of the gallery from the nearest lists of the bank, and biases of them.
pub fn bias<T: Element + Sync>(
    gallery: &impl Source<T>,
    bank: &Index<T>,
    (k, alpha): (usize, f32),
    probes: usize,
    threads: usize,
) -> Result<Probed<Vec<f32>>>
where
    Owned<T>: Source<T>,
{
    let (rows, dim) = (gallery.rows(), gallery.dim());
    let mut buffer = Buffer::default();
    let ordered = bank.ordered.block(0..bank.rows(), &mut buffer)?;
    let (centroids, offsets) = (bank.centroids()?, &bank.lists.offsets[..]);
    let mut bias = vec![0.0; rows];
    let part = part_rows(rows, threads, 8192);
    let parts: Vec<Mutex<&mut [f32]>> = bias.chunks_mut(part).map(Mutex::new).collect();
    let totals = Mutex::new((0, 0));
    let state = || (Buffer::default(), vec![0; nnn::coarse_scratch(part, bank.lists(), probes, dim)], vec![0.0; part * k]);
    for_each(threads, parts.len(), state, |(buffer, scratch, table), item| {
        let range = item * part..rows.min((item + 1) * part);
        let (first, count) = (range.start, range.len());
        let block = gallery.block(range, buffer)?;
        let mut neighbors = nnn::Neighbors::init(table, count, k)?;
        let mut pairs = 0;
        nnn::coarse_neighbors(&mut neighbors, &block, &ordered, &centroids, offsets, probes, 0..count, scratch, &mut pairs)?;
        let table = neighbors.as_slice();
        let short = nnn::coarse_bias(table, count, k, k, alpha, &mut lock(&parts[item]))
            .or_else(|_| passes::no_bias(&gallery.name(), first, table, k).map(|()| 0))?;
        let mut totals = lock(&totals);
        *totals = (totals.0 + pairs, totals.1 + short);
        Ok(())
    })?;
    drop(parts);
    let (pairs, short) = *lock(&totals);
    Ok(Probed { result: bias, pairs, short })
}

/// The best rows of every query in the nearest lists; `bias` in the order of the gallery.
pub fn search<T: Element + Sync>(
    queries: &impl Source<T>,
    gallery: &Index<T>,
    bias: Option<&[f32]>,
    k: usize,
    probes: usize,
    threads: usize,
) -> Result<Probed<Hits>>
where
    Owned<T>: Source<T>,
{
    let (total, k, dim) = (queries.rows(), k.min(gallery.rows()), queries.dim());
    let mut buffer = Buffer::default();
    let ordered = gallery.ordered.block(0..gallery.rows(), &mut buffer)?;
    let (centroids, offsets, ids) = (gallery.centroids()?, &gallery.lists.offsets[..], &gallery.lists.ids[..]);
    let mut all = Hits::empty(total, k)?;
    let part = part_rows(total, threads, 1024);
    let outputs: Vec<_> = all.hits.chunks_mut(part * k).zip(all.found.chunks_mut(part)).map(Mutex::new).collect();
    let pairs = Mutex::new(0);
    let state = || (Buffer::default(), vec![0; nnn::coarse_scratch(part, gallery.lists(), probes, dim)]);
    for_each(threads, outputs.len(), state, |(buffer, scratch), item| {
        let block = queries.block(item * part..total.min((item + 1) * part), buffer)?;
        let mut output = lock(&outputs[item]);
        let (hits, found) = &mut *output;
        let mut own = 0;
        nnn::coarse_search(&block, &ordered, &centroids, offsets, ids, bias, None, probes, k, scratch, hits, found, &mut own)?;
        *lock(&pairs) += own;
        Ok(())
    })?;
    drop(outputs);
    let pairs = *lock(&pairs);
    Ok(Probed { result: all, pairs, short: 0 })
}

#[derive(clap::Args)]
pub struct TuneArgs {
    /// The gallery
    #[arg(long, value_name = "FILE")]
    gallery: PathBuf,
    /// Queries to measure with: a sample of those to come
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// An index of the gallery; with --bank, of the bank
    #[arg(long, value_name = "FILE")]
    index: PathBuf,
    /// Biases of the gallery, from `nnn bias`
    #[arg(long, value_name = "FILE", conflicts_with = "bank")]
    bias: Option<PathBuf>,
    /// The bank that the index is of: measure biases by probing
    #[arg(long, value_name = "FILE")]
    bank: Option<PathBuf>,
    /// With --bank: neighbours that a bias averages
    #[arg(short, long, default_value = "16", requires = "bank")]
    k: NonZeroUsize,
    /// With --bank: strength of the bias
    #[arg(long, default_value_t = 0.75, value_parser = crate::parse_alpha, allow_negative_numbers = true, requires = "bank")]
    alpha: f32,
    /// The share of the exact hits that has to be found
    #[arg(long, value_name = "SHARE", default_value_t = 0.99, value_parser = parse_share)]
    recall: f64,
    /// Hits per query
    #[arg(long, value_name = "N", default_value = "10")]
    hits: NonZeroUsize,
    #[command(flatten)]
    rows: Rows,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// A number of probes, measured.
struct Step {
    probes: usize,
    recall: f64,
    /// Share of all pairs that was scored.
    touched: f64,
    error: Option<nnn::BiasError>,
}

pub fn tune(args: &TuneArgs, threads: usize, out: &mut impl Write) -> Result<()> {
    let (gallery, queries) = (Vectors::open(&args.gallery)?, Vectors::open(&args.queries)?);
    gallery.same_dim(&queries)?;
    let steps = match args.rows.preparation().int8 {
        true => args.measure(&gallery, &queries, threads, |index| index.quantized()),
        false => args.measure(&gallery, &queries, threads, Ok),
    }?;
    let chosen = steps.iter().filter(|step| step.recall >= args.recall).min_by_key(|step| step.probes);
    let Some(chosen) = chosen else { return fail("not even all lists find the exact hits; make the index again with `nnn index`") };
    if args.json {
        let step = |step: &Step| {
            json!({
                "probes": step.probes, "recall": step.recall, "touched": step.touched,
                "bias_error": step.error.map(|error| json!({"mean": error.mean, "max": error.max})),
            })
        };
        let report = json!({"steps": steps.iter().map(step).collect::<Vec<_>>(), "proposal": step(chosen)});
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    writeln!(out, "gallery {}, queries {}", gallery.describe(), queries.describe())?;
    let bank = args.bank.is_some();
    writeln!(
        out,
        "{:>8} {:>10} {:>10}{}",
        "probes",
        format!("recall@{}", args.hits),
        "touched",
        if bank { "  bias error: mean, max" } else { "" }
    )?;
    for Step { probes, recall, touched, error } in &steps {
        let error = error.map_or(String::new(), |error| format!("  {:.5}, {:.5}", error.mean, error.max));
        writeln!(out, "{probes:>8} {recall:>10.4} {:>9.1} %{error}", 100.0 * touched)?;
    }
    writeln!(out, "Proposal: --probes {}", chosen.probes)?;
    Ok(())
}

impl TuneArgs {
    fn measure<T: Element + Sync>(
        &self,
        gallery: &Vectors,
        queries: &Vectors,
        threads: usize,
        prepare: impl Fn(Index<f32>) -> Result<Index<T>>,
    ) -> Result<Vec<Step>>
    where
        Owned<T>: Source<T>,
        for<'a> FileRows<'a>: Source<T>,
    {
        let normalize = self.rows.preparation().normalize;
        let (gallery_rows, query_rows) = (self.rows.of(gallery), self.rows.of(queries));
        let hits = self.hits.get();
        let found = |bias: Option<&[f32]>| passes::search::<T>(&query_rows, &gallery_rows, bias, hits, threads);
        let recall = |exact: &Hits, hits: &Hits| nnn::hits_recall(&exact.hits, &exact.found, &hits.hits, &hits.found, exact.k);
        match &self.bank {
            None => {
                let bias = self.bias.as_deref().map(|path| bias_of(path, gallery, self.rows.preparation(), threads)).transpose()?;
                let exact = found(bias.as_deref())?;
                let index = prepare(Index::open(&self.index, gallery, normalize, threads)?)?;
                let all = queries.rows() as f64 * gallery.rows() as f64;
                self.bisect(index.lists(), |probes| {
                    let probed = search(&query_rows, &index, bias.as_deref(), hits, probes, threads)?;
                    let recall = recall(&exact, &probed.result)?;
                    Ok(Step { probes, recall, touched: probed.pairs as f64 / all, error: None })
                })
            }
            Some(path) => {
                let bank = Vectors::open(path)?;
                gallery.same_dim(&bank)?;
                let (k, alpha) = (self.k.get(), self.alpha);
                if k > bank.rows() {
                    return fail_at(path, format!("has {} rows, fewer than k = {k}; lower -k", bank.rows()));
                }
                let exact_bias = passes::bias::<T>(&gallery_rows, &self.rows.of(&bank), k, alpha, threads)?;
                let exact = found(Some(&exact_bias))?;
                let index = prepare(Index::open(&self.index, &bank, normalize, threads)?)?;
                let all = gallery.rows() as f64 * bank.rows() as f64;
                self.bisect(index.lists(), |probes| {
                    let probed = bias::<T>(&gallery_rows, &index, (k, alpha), probes, threads)?;
                    let error = nnn::bias_error(&exact_bias, &probed.result)?;
                    let recall = recall(&exact, &found(Some(&probed.result))?)?;
                    Ok(Step { probes, recall, touched: probed.pairs as f64 / all, error: Some(error) })
                })
            }
        }
    }

    /// Doubles the probes until the recall is reached, then looks for the fewest in between. Ascending probes.
    fn bisect(&self, lists: usize, measure: impl Fn(usize) -> Result<Step>) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        let (mut low, mut high) = (0, 1);
        loop {
            let step = measure(high.min(lists))?;
            let (reached, probes) = (step.recall >= self.recall, step.probes);
            steps.push(step);
            if reached || probes == lists {
                high = probes;
                break;
            }
            (low, high) = (high, 2 * high);
        }
        while high - low > 1 + high / 16 {
            let step = measure(low.midpoint(high))?;
            if step.recall >= self.recall {
                high = step.probes
            } else {
                low = step.probes
            }
            steps.push(step);
        }
        steps.sort_by_key(|step| step.probes);
        Ok(steps)
    }
}

fn parse_share(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("it must lie above 0 and not above 1, such as 0.99".to_owned()),
    }
}

//! The two passes of the program over row ranges: biases of a gallery, and search.

use crate::failure::{Result, fail};
use crate::source::{Buffer, Source};
use crate::work::{Progress, for_each, lock, part_rows};
use nnn::{Element, Hit, Neighbors, Positives};
use std::ops::Range;
use std::sync::Mutex;

/// Most gallery rows of a part of the bias pass. The more, the rarer the bank is converted and packed; the fewer, the finer the
/// progress. The neighbour table of a part should not be large either.
const BIAS_ROWS: usize = 2048;
const TABLE_FLOATS: usize = 16 << 20;

/// All rows of a source, a block at a time.
pub fn blocks<T: Element>(
    source: &impl Source<T>,
    buffer: &mut Buffer,
    mut step: impl FnMut(&nnn::Matrix<T>, Range<usize>) -> Result<()>,
) -> Result<()> {
    for first in (0..source.rows()).step_by(source.block_rows()) {
        let range = first..source.rows().min(first + source.block_rows());
        step(&source.block(range.clone(), buffer)?, range)?;
    }
    Ok(())
}

/// What a thread of a bank pass keeps.
struct BankPass {
    gallery: Buffer,
    bank: Buffer,
    scratch: Vec<u8>,
}

impl BankPass {
    fn new<T: Element>(k: usize, gallery: &impl Source<T>) -> Self {
        BankPass { gallery: Buffer::default(), bank: Buffer::default(), scratch: vec![0; nnn::neighbors_scratch(k, gallery.dim())] }
    }

    /// Adds the whole bank to the table of some rows.
    fn add<T: Element>(
        &mut self,
        gallery: &impl Source<T>,
        rows: Range<usize>,
        bank: &impl Source<T>,
        table: &mut Neighbors,
        progress: &Progress,
    ) -> Result<()> {
        let count = rows.len();
        let block = gallery.block(rows, &mut self.gallery)?;
        for start in (0..bank.rows()).step_by(bank.block_rows()) {
            let rows = start..bank.rows().min(start + bank.block_rows());
            let pairs = count as u64 * rows.len() as u64;
            table.update(&block, &bank.block(rows, &mut self.bank)?, 0..count, &mut self.scratch)?;
            progress.add(pairs);
        }
        Ok(())
    }
}

fn bias_part(rows: usize, k: usize, threads: usize) -> usize {
    part_rows(rows, threads, BIAS_ROWS.min(TABLE_FLOATS / k).max(1))
}

/// Biases of all gallery rows: parts of the gallery go to the threads, each passes over the whole bank. No table of all rows is kept.
pub fn bias<T: Element>(gallery: &impl Source<T>, bank: &impl Source<T>, k: usize, alpha: f32, threads: usize) -> Result<Vec<f32>> {
    let rows = gallery.rows();
    let mut bias = vec![0.0; rows];
    let part = bias_part(rows, k, threads);
    let parts: Vec<Mutex<&mut [f32]>> = bias.chunks_mut(part).map(Mutex::new).collect();
    let progress = Progress::new("biases", rows as u64 * bank.rows() as u64);
    let state = || (BankPass::new(k, gallery), vec![0.0; part.min(rows) * k]);
    for_each(threads, parts.len(), state, |(pass, table), item| {
        let range = item * part..rows.min((item + 1) * part);
        let first = range.start;
        let mut table = Neighbors::init(table, range.len(), k)?;
        pass.add(gallery, range, bank, &mut table, &progress)?;
        table.bias(k, alpha, &mut lock(&parts[item])).or_else(|_| no_bias(&gallery.name(), first, table.as_slice(), k))
    })?;
    Ok(bias)
}

/// A table that has seen nothing.
pub fn empty_table(rows: usize, k: usize) -> Result<Vec<f32>> {
    match rows.checked_mul(k) {
        Some(floats) => Ok(vec![f32::NEG_INFINITY; floats]),
        None => fail(format!("a table of {k} neighbours for {rows} rows does not fit the memory; lower -k")),
    }
}

/// Adds a bank to the neighbour table of all gallery rows, `k` floats per row.
pub fn neighbors<T: Element>(
    gallery: &impl Source<T>,
    bank: &impl Source<T>,
    table: &mut [f32],
    k: usize,
    threads: usize,
) -> Result<()> {
    let rows = gallery.rows();
    let part = bias_part(rows, k, threads);
    let parts: Vec<Mutex<&mut [f32]>> = table.chunks_mut(part * k).map(Mutex::new).collect();
    let progress = Progress::new("neighbours", rows as u64 * bank.rows() as u64);
    for_each(
        threads,
        parts.len(),
        || BankPass::new(k, gallery),
        |pass, item| {
            let range = item * part..rows.min((item + 1) * part);
            let mut table = lock(&parts[item]);
            let mut table = Neighbors::from_table(&mut table, range.len(), k)?;
            pass.add(gallery, range, bank, &mut table, &progress)
        },
    )
}

/// Why rows from `first` on have no bias. All values and alpha are finite and k is at most the bank's rows, so that something has
/// overflowed f32: a product, which then is no neighbour, or the bias itself.
pub fn no_bias(gallery: &str, first: usize, table: &[f32], k: usize) -> Result<()> {
    match table.chunks_exact(k).position(|row| row.contains(&f32::NEG_INFINITY)) {
        Some(row) => fail(format!(
            "{gallery}: row {} (counted from 0) has fewer than {k} neighbours, because products with the bank overflow f32; \
             use --normalize",
            first + row
        )),
        None => fail(format!("{gallery}: biases of the rows from {first} on overflow f32; lower --alpha or use --normalize")),
    }
}

/// Hits of all queries, `k` places each, best first; `found[q]` of them are filled, the others hold no row and score -inf.
pub struct Hits {
    pub k: usize,
    pub hits: Vec<Hit>,
    pub found: Vec<u32>,
}

/// What an empty place holds.
const NO_HIT: Hit = Hit { score: f32::NEG_INFINITY, id: u32::MAX };

impl Hits {
    pub fn empty(queries: usize, k: usize) -> Result<Self> {
        match queries.checked_mul(k) {
            Some(places) => Ok(Hits { k, hits: vec![NO_HIT; places], found: vec![0; queries] }),
            None => fail(format!("{queries} queries with {k} hits each do not fit the memory; lower -k or split the queries")),
        }
    }

    /// How many queries have each gallery row among their first `n` hits.
    pub fn occurrences(&self, n: usize, rows: usize) -> Result<Vec<u32>> {
        let mut counts = vec![0; rows];
        nnn::count_occurrences(&self.hits, &self.found, self.k, n.min(self.k), &mut counts)?;
        Ok(counts)
    }

    /// The rank of each query's best answer among its hits.
    pub fn ranks(&self, answers: &Positives) -> Result<Vec<u32>> {
        let mut ranks = vec![0; self.found.len()];
        nnn::best_ranks(&self.hits, &self.found, self.k, answers, &mut ranks)?;
        Ok(ranks)
    }

    /// The hits of each query in turn.
    pub fn queries(&self) -> impl Iterator<Item = &[Hit]> {
        self.hits.chunks_exact(self.k).zip(&self.found).map(|(hits, &found)| &hits[..found as usize])
    }
}

/// Queries that make it worth giving each thread queries of its own rather than gallery rows of its own.
const QUERIES_PER_THREAD: usize = 64;

/// Most queries of a part where the queries are shared out, and gallery rows of a part where the gallery is.
const QUERY_ROWS: usize = 1024;
const GALLERY_ROWS: usize = 65_536;

/// The `k` best gallery rows of every query by score minus bias (all rows if there are fewer).
///
/// Many queries are shared out among the threads; few queries all go over parts of the gallery. Hits of blocks are merged; any way
/// gives the same bits.
pub fn search<T: Element>(
    queries: &impl Source<T>,
    gallery: &impl Source<T>,
    bias: Option<&[f32]>,
    k: usize,
    threads: usize,
) -> Result<Hits> {
    let (query_rows, rows) = (queries.rows(), gallery.rows());
    let k = k.min(rows);
    let mut all = Hits::empty(query_rows, k)?;
    let by_query = query_rows >= QUERIES_PER_THREAD * threads;
    let query_part = if by_query { part_rows(query_rows, threads, QUERY_ROWS) } else { query_rows };
    let gallery_part = if by_query { rows } else { part_rows(rows, threads, GALLERY_ROWS) };
    let gallery_parts = rows.div_ceil(gallery_part);
    let outputs: Vec<_> = all.hits.chunks_mut(query_part * k).zip(all.found.chunks_mut(query_part)).map(Mutex::new).collect();
    let progress = Progress::new("search", query_rows as u64 * rows as u64);

    struct State {
        queries: Buffer,
        gallery: Buffer,
        scratch: Vec<u8>,
        hits: Vec<Hit>,
        found: Vec<u32>,
    }
    let state = || State {
        queries: Buffer::default(),
        gallery: Buffer::default(),
        scratch: vec![0; nnn::search_scratch(query_part, k, gallery.dim())],
        hits: vec![NO_HIT; query_part * k],
        found: vec![0; query_part],
    };
    for_each(threads, outputs.len() * gallery_parts, state, |state, item| {
        let (query_item, first_query) = (item / gallery_parts, item / gallery_parts * query_part);
        let queries = queries.block(first_query..query_rows.min(first_query + query_part), &mut state.queries)?;
        let first_row = item % gallery_parts * gallery_part;
        let end = rows.min(first_row + gallery_part);
        for first in (first_row..end).step_by(gallery.block_rows()) {
            let block_rows = first..end.min(first + gallery.block_rows());
            let count = block_rows.len();
            let bias = bias.map(|bias| &bias[block_rows.clone()]);
            let block = gallery.block(block_rows, &mut state.gallery)?;
            let (hits, found) = (&mut state.hits[..], &mut state.found[..queries.rows()]);
            nnn::search(&queries, &block, bias, None, k, 0..count, &mut state.scratch, hits, found)?;

            let mut output = lock(&outputs[query_item]);
            let (all_hits, all_found) = &mut *output;
            let lists = hits.chunks_exact_mut(k).zip(found).zip(all_hits.chunks_exact_mut(k).zip(all_found.iter_mut()));
            for ((hits, found), (into, into_found)) in lists {
                let hits = &mut hits[..*found as usize];
                hits.iter_mut().for_each(|hit| hit.id += first as u32); // absolute rows: at most 2^32 - 1 of them
                nnn::merge_hits(into, into_found, hits, k)?;
            }
            progress.add(queries.rows() as u64 * count as u64);
        }
        Ok(())
    })?;
    drop(outputs);
    Ok(all)
}

//! `nnn evaluate`: all methods side by side, and the gain against the size of the bank.

use crate::answers;
use crate::charts;
use crate::failure::{Result, fail_at};
use crate::family;
use crate::leaks::Leak;
use crate::methods::{self, DEEPEST, DEPTH, Parameters, Problem, Run};
use crate::output::Output;
use crate::rankings::{self, Confidence, recalls, show_gain};
use crate::set::{Files, Set};
use crate::shipped;
use crate::source::Whole;
use crate::text::{json_recall, machine, parameters_json, parameters_text};
use crate::work::{Progress, for_each, lock};
use nnn::Interval;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

#[derive(clap::Args)]
#[command(after_help = answers::FORMAT)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// Items like those of the gallery, for the methods with two banks [default: the gallery]
    #[arg(long, value_name = "FILE")]
    gallery_bank: Option<PathBuf>,
    #[command(flatten)]
    parameters: Parameters,
    /// Measure NNN with this many rows of the bank, drawn at random, too
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    bank_sizes: Vec<usize>,
    /// Where to draw the gain against the bank's size
    #[arg(long, value_name = "FILE", requires = "bank_sizes")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    confidence: Confidence,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// NNN with a part of the bank.
struct Size {
    rows: usize,
    recalls: [f64; 3],
    gain: Interval,
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    let svg = args.svg.as_deref().map(|path| Output::new(path, &args.files.inputs(&[&args.gallery_bank]))).transpose()?;
    let set = args.files.read([shipped::QUERIES, shipped::ANSWERS])?;
    set.check_k(args.parameters.k.get(), "-k")?;
    set.check_k(args.parameters.csls_k.get(), "--csls-k")?;
    check_sizes(args, &set)?;
    let gallery_bank = args.gallery_bank.as_deref().map(|path| args.files.like(path, &set.gallery)).transpose()?;
    let [gallery, bank, queries] = set.wholes()?;
    let leaks = set.leaks()?;
    let problem = Problem {
        gallery,
        bank,
        gallery_bank: gallery_bank.as_ref().map(|side| side.whole()).transpose()?,
        queries,
        answers: &set.answers,
        threads,
    };
    let runs = methods::run_all(&problem, &args.parameters)?;
    let plain = &runs[0];
    let gains = gains(args, &runs, threads)?;
    let sizes = bank_sizes(args, &problem, &plain.ranks)?;
    let own_gallery_bank = gallery_bank.is_none();
    if let Some(svg) = svg {
        let points: Vec<_> = sizes.iter().map(|size| (size.rows, size.gain)).collect();
        svg.stage_text(&charts::bank_sizes(&points, &args.confidence, args.parameters.k.get(), args.parameters.alpha)?)?
            .commit()?;
    }
    if args.json {
        let report = report(args, &set, &runs, &gains, &sizes, &leaks, own_gallery_bank)?;
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    write_runs(out, args, &set, &runs, &gains, own_gallery_bank, threads)?;
    write_sizes(out, args, &sizes)
}

/// The gain of every method over plain search, which is the first.
fn gains(args: &Args, runs: &[Run], threads: usize) -> Result<Vec<Interval>> {
    let gains = Mutex::new(vec![Interval::default(); runs.len()]);
    let progress = Progress::new("bootstrap", runs.len() as u64);
    for_each(
        threads,
        runs.len(),
        || (),
        |(), i| {
            let gain = args.confidence.gain(&runs[0].ranks, &runs[i].ranks)?;
            lock(&gains)[i] = gain;
            progress.add(1);
            Ok(())
        },
    )?;
    Ok(gains.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn check_sizes(args: &Args, set: &Set) -> Result<()> {
    let (bank, k) = (set.bank.vectors(), args.parameters.k.get());
    for &size in &args.bank_sizes {
        if size < k || size > bank.rows() {
            return fail_at(
                bank.path(),
                format!("--bank-sizes {size} is not between k = {k} and the bank's {} rows; leave it out", bank.rows()),
            );
        }
    }
    Ok(())
}

/// One pass: a table that grows by the rows of a shuffled bank.
fn bank_sizes(args: &Args, problem: &Problem, plain: &[u32]) -> Result<Vec<Size>> {
    let Problem { gallery, bank, queries, answers, threads, .. } = problem;
    let mut sizes = args.bank_sizes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let Some(&most) = sizes.last() else { return Ok(Vec::new()) };
    let drawn = sample(bank.rows(), most, args.confidence.seed);
    let rows: Vec<f32> = drawn.iter().flat_map(|&row| bank.row(row).iter().copied()).collect();
    let k = args.parameters.k.get();
    let mut table = vec![f32::NEG_INFINITY; gallery.rows() * k];
    let mut seen = 0;
    let mut results = Vec::new();
    for rows_now in sizes {
        let more = Whole::dense(&rows[seen * bank.dim()..rows_now * bank.dim()], bank.dim());
        family::add_neighbors(&mut table, gallery, &more, k, *threads)?;
        seen = rows_now;
        let bias = family::table_bias(&mut table, gallery, k, args.parameters.alpha)?;
        let ranks = rankings::ranks(queries, gallery, &bias, answers, *threads)?;
        let ranks = &ranks[queries.rows()..];
        results.push(Size { rows: rows_now, recalls: recalls(ranks)?, gain: args.confidence.gain(plain, ranks)? });
    }
    Ok(results)
}

/// The first `count` of the numbers 0..n in an order of the seed.
fn sample(n: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut below = |n: usize| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15); // splitmix64
        let z = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ z >> 31) * n as u128) >> 64) as usize
    };
    let mut order: Vec<usize> = (0..n).collect();
    for i in 0..count {
        let other = i + below(n - i);
        order.swap(i, other);
    }
    order.truncate(count);
    order
}

fn write_runs(
    out: &mut impl Write,
    args: &Args,
    set: &Set,
    runs: &[Run],
    gains: &[Interval],
    own_gallery_bank: bool,
    threads: usize,
) -> Result<()> {
    writeln!(out, "{}", set.describe())?;
    writeln!(out, "{}; times of one run\n", machine(threads))?;
    let level = args.confidence.percent();
    writeln!(
        out,
        "{:<18}{:<44}{:>6} {:>6} {:>6} {:>7}   {:<24}{:>7} {:>5} {:>8} {:>9} {:>9}",
        "",
        "",
        "R@1",
        "R@5",
        "R@10",
        "median",
        format!("R@1 gain [{level} %]"),
        "skew",
        "max",
        "never",
        "bank",
        "search"
    )?;
    for (run, gain) in runs.iter().zip(gains) {
        let [r1, r5, r10] = recalls(&run.ranks)?;
        let gain = if run.name == "plain" { String::new() } else { show_gain(gain) };
        let name = format!("{}{}", run.name, if run.transductive { " (*)" } else { "" });
        writeln!(
            out,
            "{name:<18}{:<44}{r1:>6.2} {r5:>6.2} {r10:>6.2} {:>7}   {gain:<24}{:>7.3} {:>5} {:>6.2} % {:>6.0} ms {:>6.0} ms",
            parameters_text(&run.parameters),
            median_text(&run.ranks)?,
            run.hubness.skewness,
            run.hubness.maximum,
            100.0 * run.hubness.never,
            1e3 * run.bank_time.as_secs_f64(),
            1e3 * run.search_time.as_secs_f64(),
        )?;
    }
    writeln!(out, "\nR@n: percent of the queries with an answer among the first n; median: of the rank of the best answer.")?;
    writeln!(
        out,
        "skew, max, never: of the k-occurrence N_{DEPTH}, in how many queries' first {DEPTH} a row is. Gains in points."
    )?;
    writeln!(out, "(*) transductive: each ranking depends on all other queries of the file; not comparable with the others.")?;
    if own_gallery_bank {
        writeln!(
            out,
            "DualIS and DualDIS use the gallery itself as the gallery bank. --gallery-bank gives another one, and adds DBSN."
        )?;
    }
    Ok(())
}

fn median_text(ranks: &[u32]) -> Result<String> {
    let median = nnn::median_rank(ranks)?;
    Ok(if median.is_finite() { median.to_string() } else { format!("> {DEEPEST}") })
}

fn write_sizes(out: &mut impl Write, args: &Args, sizes: &[Size]) -> Result<()> {
    if sizes.is_empty() {
        return Ok(());
    }
    let Parameters { k, alpha, .. } = args.parameters;
    writeln!(out, "\nNNN, k = {k}, alpha = {alpha}, with a part of the bank:")?;
    writeln!(out, "{:>10} {:>7} {:>7} {:>7}   R@1 gain [{} %]", "bank rows", "R@1", "R@5", "R@10", args.confidence.percent())?;
    for Size { rows, recalls: [r1, r5, r10], gain } in sizes {
        writeln!(out, "{rows:>10} {r1:>7.2} {r5:>7.2} {r10:>7.2}   {}", show_gain(gain))?;
    }
    Ok(())
}

fn report(
    args: &Args,
    set: &Set,
    runs: &[Run],
    gains: &[Interval],
    sizes: &[Size],
    leaks: &[Leak],
    own_gallery_bank: bool,
) -> Result<Value> {
    let mut methods = Vec::new();
    for (run, gain) in runs.iter().zip(gains) {
        methods.push(json!({
            "name": run.name,
            "parameters": parameters_json(&run.parameters),
            "transductive": run.transductive,
            "recall": json_recall(&recalls(&run.ranks)?),
            "median_rank": nnn::median_rank(&run.ranks)?,
            "gain": interval(gain),
            "n10": {
                "skewness": run.hubness.skewness, "kurtosis": run.hubness.kurtosis, "max": run.hubness.maximum,
                "robin_hood": run.hubness.robin_hood, "never": run.hubness.never,
            },
            "bank_seconds": run.bank_time.as_secs_f64(),
            "search_seconds": run.search_time.as_secs_f64(),
        }));
    }
    let sizes: Vec<Value> = sizes
        .iter()
        .map(|size| json!({"rows": size.rows, "recall": json_recall(&size.recalls), "gain": interval(&size.gain)}))
        .collect();
    Ok(json!({
        "set": set.json(),
        "gallery_bank_is_gallery": own_gallery_bank,
        "confidence": args.confidence.percent(),
        "methods": methods,
        "bank_sizes": sizes,
        "leaks": leaks.iter().map(Leak::json).collect::<Vec<_>>(),
    }))
}

pub fn interval(interval: &Interval) -> Value {
    json!({"points": interval.gain, "low": interval.low, "high": interval.high})
}

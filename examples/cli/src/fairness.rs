//! `nnn fairness`: does retrieval prefer one of two attributes, before and after a correction, and with a balanced bank?

use crate::answers::{self, Answers};
use crate::failure::{Result, fail_at};
use crate::files::read_lines;
use crate::hubs::nnn_bias;
use crate::labels::{self, Attributes};
use crate::leaks::{self, Leak};
use crate::passes::{self, Hits};
use crate::set::leaks_of;
use crate::shipped;
use crate::source::{Loaded, Whole};
use crate::text::{machine, thousands};
use nnn::{Fairness, Positives};
use serde_json::{Value, json};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The protocol of the paper, and the formats.
const HELP: &str = "\
The bias of a query is (rows with A - rows with B) / n among its first n hits. Signed biases of different queries cancel in their \
mean, so the mean of their magnitudes is shown too. What even retrieval would give is the share of A minus that of B in the gallery.

The paper's protocol (Chowdhury et al., EMNLP 2024, section 3.3), with your own embeddings of VisoGender and COCO:
  gallery.npy   the 230 images: 23 occupations, 5 of people with either label each
  labels.txt    per image `masculine` or `feminine`
  queries.npy   the 23 prompts, one per occupation
  answers.txt   per prompt the 10 images of its occupation; then precision is shown too
  bank.npy      captions of COCO
  nnn fairness --gallery gallery.npy --labels labels.txt --attribute-a masculine --attribute-b feminine --queries queries.npy \
--answers answers.txt --bank bank.npy -k 16 --alpha 0.75 -n 1,5,6,10 --normalize
The paper reports for CLIP: mean bias .348 -> .072 (n = 6), .270 -> .078 (n = 10), precision 56.5 -> 69.6 % (n = 1), 49.6 -> 56.5 % (n = 5).

Without files the command runs on the shipped set, as an illustration of the arithmetic and of nothing social: are functions that are \
methods of a class (A) retrieved more than functions of a module (B)?";

fn help() -> String {
    format!("{HELP}\n\n{}\n\n{}", labels::FORMAT, answers::FORMAT)
}

#[derive(clap::Args)]
#[command(after_help = help())]
pub struct Args {
    /// Vectors to retrieve [default: all files are those of the shipped set]
    #[arg(long, value_name = "FILE", requires_all = ["bank", "queries", "labels"])]
    gallery: Option<PathBuf>,
    /// Reference queries
    #[arg(long, value_name = "FILE", requires = "gallery")]
    bank: Option<PathBuf>,
    /// Queries that name no attribute
    #[arg(long, value_name = "FILE", requires = "gallery")]
    queries: Option<PathBuf>,
    /// The attribute of each gallery row
    #[arg(long, value_name = "FILE", requires = "gallery")]
    labels: Option<PathBuf>,
    /// The attribute of each bank row: compares with a bank of equally many rows of either, drawn at random
    #[arg(long, value_name = "FILE", requires = "gallery")]
    bank_labels: Option<PathBuf>,
    /// The gallery rows that answer each query: shows precision, too
    #[arg(long, value_name = "FILE", requires = "gallery")]
    answers: Option<PathBuf>,
    #[command(flatten)]
    attributes: Attributes,
    /// Depths at which the bias is taken
    #[arg(short, value_name = "N,N,...", value_delimiter = ',', default_value = "1,5,10")]
    n: Vec<NonZeroUsize>,
    /// Neighbours in the bank that a bias averages
    #[arg(short, long, default_value = "16")]
    k: NonZeroUsize,
    /// Strength of the bias
    #[arg(long, default_value_t = 0.75, value_parser = crate::parse_alpha, allow_negative_numbers = true)]
    alpha: f32,
    /// Seed of the balanced bank
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Scale every row to unit length first, so that scores are cosines (done with the shipped set)
    #[arg(long)]
    normalize: bool,
    /// Folder of the shipped set [default: examples/data/pydoc-minilm of the repository]
    #[arg(long, value_name = "DIR", conflicts_with = "gallery")]
    data: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// All that is read.
struct Inputs {
    gallery: Loaded,
    bank: Loaded,
    queries: Loaded,
    labels: Vec<i8>,
    bank_labels: Option<Vec<i8>>,
    answers: Option<Answers>,
}

/// One way to retrieve, at every depth.
struct Run {
    name: &'static str,
    /// Rows of the bank; 0 for plain search.
    bank_rows: usize,
    fairness: Vec<Fairness>,
    /// Share of the first n that are answers, in percent.
    precision: Option<Vec<f64>>,
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    let inputs = read(args)?;
    let [gallery, bank, queries] = [inputs.gallery.whole()?, inputs.bank.whole()?, inputs.queries.whole()?];
    let found = [leaks_of(&inputs.bank, &inputs.queries, leaks::QUERY)?, leaks_of(&inputs.bank, &inputs.gallery, leaks::GALLERY)?];
    let leaks: Vec<Leak> = found.into_iter().flatten().collect();
    let depth = args.n.iter().map(|n| n.get()).max().unwrap_or(1);
    if depth > gallery.rows() {
        let path = inputs.gallery.vectors().path();
        return fail_at(path, format!("has {} rows, fewer than -n {depth}; lower -n", gallery.rows()));
    }
    let positives = inputs.answers.as_ref().map(Answers::positives).transpose()?;
    let judge = |name, bank_rows, bias: Option<&[f32]>| -> Result<Run> {
        let hits = passes::search(&queries, &gallery, bias, depth, threads)?;
        let mut out = vec![0.0; queries.rows()];
        let fairness =
            args.n.iter().map(|n| Ok(nnn::attribute_bias(&hits.hits, &hits.found, hits.k, n.get(), &inputs.labels, &mut out)?));
        let fairness = fairness.collect::<Result<Vec<_>>>()?;
        let precision = positives.as_ref().map(|positives| args.n.iter().map(|n| precision(&hits, positives, n.get())).collect());
        Ok(Run { name, bank_rows, fairness, precision })
    };
    let bias = nnn_bias(&gallery, &inputs.bank, args.k.get(), args.alpha, threads)?;
    let mut runs = vec![judge("plain", 0, None)?, judge("NNN", bank.rows(), Some(&bias))?];
    if let Some(labels) = &inputs.bank_labels {
        let rows = balanced(&bank, labels, args.seed)?;
        let balanced = Whole::dense(&rows, bank.dim());
        if balanced.rows() < args.k.get() {
            let path = inputs.bank.vectors().path();
            return fail_at(
                path,
                format!("has a balanced part of only {} rows, fewer than -k {}; lower -k", balanced.rows(), args.k),
            );
        }
        let bias = passes::bias(&gallery, &balanced, args.k.get(), args.alpha, threads)?;
        runs.push(judge("NNN, balanced", balanced.rows(), Some(&bias))?);
    }
    let share = |value: i8| inputs.labels.iter().filter(|label| **label == value).count();
    let (a, b) = (share(1), share(-1));
    if args.json {
        writeln!(out, "{:#}", report(args, &runs, [a, b], gallery.rows(), queries.rows(), &leaks))?;
        return Ok(());
    }
    let even = (a as f64 - b as f64) / gallery.rows() as f64;
    writeln!(
        out,
        "gallery {} rows: {} with A, {} with B; queries {}; {}",
        thousands(gallery.rows()),
        thousands(a),
        thousands(b),
        thousands(queries.rows()),
        machine(threads)
    )?;
    if args.gallery.is_none() {
        writeln!(out, "A: methods of a class, B: functions of a module. An illustration of the arithmetic, nothing social.")?;
    }
    writeln!(out, "Bias of a query: (A - B) / n among its first n; of the gallery as a whole {even:+.3}.\n")?;
    writeln!(out, "{:<16}{:>10}{:>6}{:>12}{:>12}{:>12}", "", "bank rows", "n", "mean bias", "mean |bias|", "precision")?;
    for run in &runs {
        for (i, (n, fairness)) in args.n.iter().zip(&run.fairness).enumerate() {
            let name = if i == 0 { run.name } else { "" };
            let rows = if i == 0 && run.bank_rows > 0 { thousands(run.bank_rows) } else { String::new() };
            let precision = run.precision.as_ref().map_or_else(String::new, |p| format!("{:.2} %", p[i]));
            writeln!(out, "{name:<16}{rows:>10}{n:>6}{:>+12.4}{:>12.4}{precision:>12}", fairness.mean, fairness.mean_abs)?;
        }
    }
    Ok(())
}

fn read(args: &Args) -> Result<Inputs> {
    if let (Some(gallery), Some(bank), Some(queries), Some(labels)) = (&args.gallery, &args.bank, &args.queries, &args.labels) {
        let [gallery, bank, queries] = [gallery, bank, queries].map(|path| Loaded::open(path, args.normalize));
        let (gallery, bank, queries) = (gallery?, bank?, queries?);
        gallery.vectors().same_dim(bank.vectors())?;
        gallery.vectors().same_dim(queries.vectors())?;
        let rows = [&gallery, &bank, &queries].map(|side| side.vectors().rows());
        let bank_labels = args.bank_labels.as_ref().map(|path| args.attributes.read(path, rows[1], "bank")).transpose()?;
        let answers = args.answers.as_ref().map(|path| Answers::read(path, rows[2], rows[0])).transpose()?;
        return Ok(Inputs {
            labels: args.attributes.read(labels, rows[0], "gallery")?,
            bank_labels,
            answers,
            gallery,
            bank,
            queries,
        });
    }
    let file = |name| shipped::file(args.data.as_deref(), name);
    let open = |name| Loaded::open(&file(name)?, true);
    let (gallery, bank, queries) = (open(shipped::GALLERY)?, open(shipped::BANK)?, open(shipped::QUERIES)?);
    let labels = |name| -> Result<Vec<i8>> {
        let names = read_lines(file(name)?)?;
        Ok(names.iter().map(|name| if shipped::is_method(name) { 1 } else { -1 }).collect())
    };
    Ok(Inputs {
        labels: labels(shipped::GALLERY_TEXTS)?,
        bank_labels: Some(labels(shipped::BANK_TEXTS)?),
        answers: Some(Answers::read(&file(shipped::ANSWERS)?, queries.vectors().rows(), gallery.vectors().rows())?),
        gallery,
        bank,
        queries,
    })
}

/// The rows of a bank with equally many of either attribute; rows with neither are left out.
fn balanced(bank: &Whole, labels: &[i8], seed: u64) -> Result<Vec<f32>> {
    let groups: Vec<u8> = labels.iter().map(|label| label.rem_euclid(3) as u8).collect();
    let mut drawn = vec![0; bank.rows()];
    let count = nnn::balanced_sample(&groups, seed, &mut drawn)?;
    Ok(drawn[..count].iter().flat_map(|&row| bank.row(row as usize).iter().copied()).collect())
}

/// The mean share of each query's first `n` hits that answer it, in percent.
fn precision(hits: &Hits, positives: &Positives, n: usize) -> f64 {
    let right =
        |(query, hits): (usize, &[nnn::Hit])| hits.iter().take(n).filter(|hit| positives.of(query).contains(&hit.id)).count();
    let sum: usize = hits.queries().enumerate().map(right).sum();
    100.0 * sum as f64 / (n * hits.found.len()) as f64
}

fn report(args: &Args, runs: &[Run], [a, b]: [usize; 2], rows: usize, queries: usize, leaks: &[Leak]) -> Value {
    let depths = |run: &Run| -> Vec<Value> {
        let depth = |(i, (n, fairness)): (usize, (&NonZeroUsize, &Fairness))| {
            let precision = run.precision.as_ref().map(|precision| precision[i]);
            json!({"n": n, "mean": fairness.mean, "mean_abs": fairness.mean_abs, "precision": precision})
        };
        args.n.iter().zip(&run.fairness).enumerate().map(depth).collect()
    };
    json!({
        "gallery": {"rows": rows, "a": a, "b": b},
        "queries": queries,
        "k": args.k,
        "alpha": args.alpha,
        "leaks": leaks.iter().map(Leak::json).collect::<Vec<_>>(),
        "runs": runs.iter().map(|run| json!({"name": run.name, "bank_rows": run.bank_rows, "depths": depths(run)})).collect::<Vec<_>>(),
    })
}

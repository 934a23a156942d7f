//! `nnn hubs`: which gallery rows are hubs, before and after a correction.

use crate::answers::{self, Answers};
use crate::failure::{Result, fail, fail_at};
use crate::files::read_lines;
use crate::jobs::bias_of;
use crate::leaks::{self, Leak};
use crate::output::Output;
use crate::passes::{self, Hits};
use crate::plot::Picture;
use crate::set::leaks_of;
use crate::shipped;
use crate::source::{Loaded, Whole};
use crate::store::Preparation;
use crate::text::{machine, shorten, thousands};
use nnn::Hubness;
use serde_json::{Value, json};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Hits of a query that count.
const DEPTH: usize = 10;

#[derive(clap::Args)]
#[command(after_help = answers::FORMAT)]
pub struct Args {
    /// Vectors to retrieve [default: all files are those of the shipped set]
    #[arg(long, value_name = "FILE", requires = "queries")]
    gallery: Option<PathBuf>,
    /// Queries, such as a day's
    #[arg(long, value_name = "FILE", requires = "gallery")]
    queries: Option<PathBuf>,
    /// Compare with NNN from these reference queries
    #[arg(long, value_name = "FILE", requires = "gallery", conflicts_with = "bias")]
    bank: Option<PathBuf>,
    /// Compare with these biases, of any method: .nnn, or .npy, f32, one per gallery row
    #[arg(long, value_name = "FILE", requires = "gallery")]
    bias: Option<PathBuf>,
    /// The gallery row or rows that answer each query; with them the picture shows recall
    #[arg(long, value_name = "FILE", requires = "gallery")]
    answers: Option<PathBuf>,
    /// Names of the gallery rows: a text file, one line per row
    #[arg(long, value_name = "FILE", requires = "gallery")]
    texts: Option<PathBuf>,
    /// Neighbours in the bank that a bias averages
    #[arg(short, long, default_value = "16")]
    k: NonZeroUsize,
    /// Strength of the bias
    #[arg(long, default_value_t = 0.75, value_parser = crate::parse_alpha, allow_negative_numbers = true)]
    alpha: f32,
    /// Scale every row to unit length first, so that scores are cosines (done with the shipped set)
    #[arg(long)]
    normalize: bool,
    /// Folder of the shipped set [default: examples/data/pydoc-minilm of the repository]
    #[arg(long, value_name = "DIR", conflicts_with = "gallery")]
    data: Option<PathBuf>,
    /// Hubs to list
    #[arg(long, value_name = "N", default_value = "10")]
    top: NonZeroUsize,
    /// Where to draw the k-occurrence before and after
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// How often each row is retrieved.
struct Side {
    counts: Vec<u32>,
    hubness: Hubness,
    /// R@1 in percent, where the answers are known.
    recall: Option<f64>,
}

impl Side {
    fn new(hits: &Hits, rows: usize, answers: Option<&Answers>) -> Result<Self> {
        let counts = hits.occurrences(DEPTH, rows)?;
        let hubness = nnn::hubness(&counts)?;
        let recall = match answers {
            Some(answers) => Some(100.0 * nnn::recall(&hits.ranks(&answers.positives()?)?, 1)?),
            None => None,
        };
        Ok(Side { counts, hubness, recall })
    }

    fn json(&self) -> Value {
        let Hubness { skewness, kurtosis, robin_hood, never, maximum, .. } = self.hubness;
        json!({"skewness": skewness, "kurtosis": kurtosis, "robin_hood": robin_hood, "never": never, "max": maximum, "recall_1": self.recall})
    }
}

/// The files of the user, or the shipped ones.
fn paths(args: &Args) -> Result<Inputs> {
    if let (Some(gallery), Some(queries)) = (&args.gallery, &args.queries) {
        let Args { bank, answers, texts, .. } = args;
        let [bank, answers, texts] = [bank, answers, texts].map(Clone::clone);
        return Ok(Inputs { gallery: gallery.clone(), queries: queries.clone(), bank, answers, texts, normalize: args.normalize });
    }
    let file = |name| shipped::file(args.data.as_deref(), name);
    Ok(Inputs {
        gallery: file(shipped::GALLERY)?,
        queries: file(shipped::QUERIES)?,
        bank: Some(file(shipped::BANK)?),
        answers: Some(file(shipped::ANSWERS)?),
        texts: Some(file(shipped::GALLERY_TEXTS)?),
        normalize: true,
    })
}

struct Inputs {
    gallery: PathBuf,
    queries: PathBuf,
    bank: Option<PathBuf>,
    answers: Option<PathBuf>,
    texts: Option<PathBuf>,
    normalize: bool,
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    if args.svg.is_some() && args.gallery.is_some() && args.bank.is_none() && args.bias.is_none() {
        return fail("--svg draws before and after a correction; give --bank or --bias, too");
    }
    let inputs = [&args.gallery, &args.queries, &args.bank, &args.bias, &args.answers, &args.texts];
    let inputs: Vec<_> = inputs.into_iter().filter_map(|path| path.as_deref()).collect();
    let svg = args.svg.as_deref().map(|path| Output::new(path, &inputs)).transpose()?;
    let paths = paths(args)?;
    let open = |path: &PathBuf| Loaded::open(path, paths.normalize);
    let gallery_file = open(&paths.gallery)?;
    let queries_file = open(&paths.queries)?;
    gallery_file.vectors().same_dim(queries_file.vectors())?;
    let (gallery, queries) = (gallery_file.whole()?, queries_file.whole()?);
    let rows = gallery.rows();
    let answers = paths.answers.as_ref().map(|path| Answers::read(path, queries.rows(), rows)).transpose()?;
    let texts = paths.texts.as_ref().map(read_lines).transpose()?;
    if let (Some(path), Some(texts)) = (&paths.texts, &texts)
        && texts.len() != rows
    {
        return fail_at(path, format!("has {} lines, but the gallery has {rows} rows; give one line per row", texts.len()));
    }
    let mut leaks: Vec<Leak> = Vec::new();
    let bias = match (&args.bias, &paths.bank) {
        (Some(path), _) => {
            Some(bias_of(path, gallery_file.vectors(), Preparation { int8: false, normalize: paths.normalize }, threads)?)
        }
        (None, Some(path)) => {
            let bank = open(path)?;
            gallery_file.vectors().same_dim(bank.vectors())?;
            leaks.extend(leaks_of(&bank, &queries_file, leaks::QUERY)?);
            leaks.extend(leaks_of(&bank, &gallery_file, leaks::GALLERY)?);
            Some(nnn_bias(&gallery, &bank, args.k.get(), args.alpha, threads)?)
        }
        (None, None) => None,
    };
    let side = |bias: Option<&[f32]>| Side::new(&passes::search(&queries, &gallery, bias, DEPTH, threads)?, rows, answers.as_ref());
    let before = side(None)?;
    let after = bias.as_deref().map(|bias| side(Some(bias))).transpose()?;

    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|&row| (std::cmp::Reverse(before.counts[row]), row));
    order.truncate(args.top.get());
    if let (Some(svg), Some(after)) = (svg, &after) {
        let picture = Picture {
            before: &before.counts,
            after: &after.counts,
            recall: before.recall.zip(after.recall).map(|(before, after)| [before, after]),
            hubness: [before.hubness, after.hubness],
            queries: queries.rows(),
            nnn: args.bias.is_none().then_some((args.k.get(), args.alpha)),
        };
        svg.stage_text(&picture.svg()?)?.commit()?;
    }
    let text = |row: usize| texts.as_ref().map(|texts| &texts[row][..]);
    if args.json {
        let hub = |&row: &usize| json!({"row": row, "text": text(row), "before": before.counts[row], "after": after.as_ref().map(|side| side.counts[row])});
        let report = json!({
            "queries": queries.rows(),
            "rows": rows,
            "depth": DEPTH,
            "before": before.json(),
            "after": after.as_ref().map(Side::json),
            "leaks": leaks.iter().map(Leak::json).collect::<Vec<_>>(),
            "hubs": order.iter().map(hub).collect::<Vec<_>>(),
        });
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    writeln!(out, "gallery {} rows, queries {}; {}", thousands(rows), thousands(queries.rows()), machine(threads))?;
    writeln!(out, "N_{DEPTH} of a row: how many queries have it among their first {DEPTH}.\n")?;
    writeln!(out, "{:<8}{:>9}{:>10}{:>8}{:>16}{:>12}", "", "skewness", "kurtosis", "max", "never retrieved", "Robin Hood")?;
    for (name, side) in [("before", Some(&before)), ("after", after.as_ref())] {
        let Some(Side { hubness: h, .. }) = side else { continue };
        let never = format!("{:.2} %", 100.0 * h.never);
        writeln!(out, "{name:<8}{:>9.3}{:>10.3}{:>8}{never:>16}{:>12.3}", h.skewness, h.kurtosis, h.maximum, h.robin_hood)?;
    }
    writeln!(out, "\n{:>10} {:>8} {:>8}  hub", "row", "before", "after")?;
    for row in order {
        let after = after.as_ref().map_or_else(|| "-".to_owned(), |side| side.counts[row].to_string());
        writeln!(out, "{row:>10} {:>8} {after:>8}  {}", before.counts[row], shorten(text(row).unwrap_or("(--texts names it)")))?;
    }
    Ok(())
}

/// The NNN biases of a bank in memory.
pub fn nnn_bias(gallery: &Whole, bank: &Loaded, k: usize, alpha: f32, threads: usize) -> Result<Vec<f32>> {
    let (bank, vectors) = (bank.whole()?, bank.vectors());
    if k > bank.rows() {
        return fail_at(vectors.path(), format!("has {} rows, fewer than -k {k}; lower -k or give a larger bank", bank.rows()));
    }
    passes::bias(gallery, &bank, k, alpha, threads)
}

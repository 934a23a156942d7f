//! `nnn export`: gallery and biases as vectors for an engine that knows inner products, distances or cosines only.

use crate::failure::{Result, fail};
use crate::files::Vectors;
use crate::jobs::{Rows, bias_of};
use crate::output::Output;
use crate::passes;
use crate::source::Buffer;
use crate::text::thousands;
use nnn::{ExportLimits, Form, Matrix};
use serde_json::json;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// Vectors to retrieve
    #[arg(long, value_name = "FILE")]
    gallery: PathBuf,
    /// Their biases, from `nnn bias`
    #[arg(long, value_name = "FILE")]
    bias: PathBuf,
    /// What the engine compares by. An index of another metric than its vectors' form ranks wrongly
    #[arg(long, value_enum)]
    form: FormName,
    /// Where to write the vectors, in the order of the gallery: .npy or .fbin, f32
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Queries to export with them
    #[arg(long, value_name = "FILE", requires = "out_queries")]
    queries: Option<PathBuf>,
    /// Where to write those
    #[arg(long, value_name = "FILE", requires = "queries")]
    out_queries: Option<PathBuf>,
    /// Pad vectors with zeros to a multiple of this many floats
    #[arg(long, value_name = "FLOATS", default_value = "1")]
    multiple: NonZeroUsize,
    /// Room for rows to come, as a share of the biases' range and of the largest squared length; rows outside need a new export
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = parse_slack, allow_negative_numbers = true)]
    slack: f64,
    /// Scale every row to unit length first (as the biases were made)
    #[arg(long)]
    normalize: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormName {
    /// Inner product, greatest first
    Ip,
    /// Euclidean distance, least first
    L2,
    /// Cosine, greatest first
    Cosine,
}

impl FormName {
    fn form(self) -> Form {
        match self {
            FormName::Ip => Form::InnerProduct,
            FormName::L2 => Form::L2,
            FormName::Cosine => Form::Cosine,
        }
    }

    /// How the engine's answer becomes the debiased score, with the figures of this export.
    fn score(self, limits: &ExportLimits) -> String {
        let ExportLimits { norm2, bias_min, bias_max } = *limits;
        let centre = (f64::from(bias_min) + f64::from(bias_max)) / 2.0;
        let half = f64::from(bias_max) - centre;
        match self {
            FormName::Ip => format!("score = ip - {centre}"),
            FormName::L2 => format!("score = (|q|^2 + {} - d^2) / 2, d the Euclidean distance", norm2 - 2.0 * f64::from(bias_min)),
            FormName::Cosine => format!("score = cos * sqrt({} * (|q|^2 + 1)) - {centre}", norm2 + half * half),
        }
    }
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    let gallery = Vectors::open(&args.gallery)?;
    let queries = args.queries.as_deref().map(Vectors::open).transpose()?;
    if let Some(queries) = &queries {
        gallery.same_dim(queries)?;
    }
    let inputs: Vec<&Path> =
        [Some(&args.gallery), Some(&args.bias), args.queries.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
    let rows_output = Output::new(&args.out, &inputs)?;
    let query_output = args.out_queries.as_deref().map(|path| Output::new(path, &inputs)).transpose()?;
    if query_output.as_ref().is_some_and(|queries| queries.is(&rows_output)) {
        return fail("--out and --out-queries name the same file; choose two");
    }
    let rows = Rows::floats(args.normalize);
    let bias = bias_of(&args.bias, &gallery, rows.preparation(), threads)?;
    let form = args.form.form();
    let stride = nnn::export_dim(gallery.dim(), form, args.multiple.get());

    let gallery_rows = rows.of(&gallery);
    let mut limits = ExportLimits::empty();
    passes::blocks(&gallery_rows, &mut Buffer::default(), |block: &Matrix<f32>, range| {
        limits.merge(&nnn::export_limits(block, &bias[range], 0..block.rows())?);
        Ok(())
    })?;
    let room = (args.slack * (f64::from(limits.bias_max) - f64::from(limits.bias_min))) as f32;
    limits = ExportLimits {
        norm2: limits.norm2 * (1.0 + args.slack),
        bias_min: limits.bias_min - room,
        bias_max: limits.bias_max + room,
    };

    let staged = rows_output.stage_rows(gallery.rows(), stride, |write| {
        let mut vectors = Vec::new();
        passes::blocks(&gallery_rows, &mut Buffer::default(), |block: &Matrix<f32>, range| {
            vectors.resize(block.rows() * stride, 0.0);
            nnn::export_rows(block, &bias[range], &limits, form, 0..block.rows(), &mut vectors, stride)?;
            write(&vectors)
        })
    })?;
    if let (Some(queries), Some(output)) = (&queries, query_output) {
        let query_rows = rows.of(queries);
        let staged = output.stage_rows(queries.rows(), stride, |write| {
            let mut vectors = Vec::new();
            passes::blocks(&query_rows, &mut Buffer::default(), |block: &Matrix<f32>, _| {
                vectors.resize(block.rows() * stride, 0.0);
                nnn::export_queries(block, form, 1.0, &mut vectors, stride)?;
                write(&vectors)
            })
        })?;
        staged.commit()?;
    }
    staged.commit()?;

    let tail = match args.form {
        FormName::Ip => "-1",
        FormName::L2 => "0",
        FormName::Cosine => "-1, 0",
    };
    let score = args.form.score(&limits);
    if args.json {
        let report = json!({
            "rows": gallery.rows(), "dim": gallery.dim(), "vector": stride, "query_tail": tail, "score": score,
            "limits": {"norm2": limits.norm2, "bias_min": limits.bias_min, "bias_max": limits.bias_max},
        });
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    writeln!(out, "{}: {} vectors of {stride} floats", args.out.display(), thousands(gallery.rows()))?;
    writeln!(out, "a query is its {} elements, then {tail}, then zeros up to {stride}", gallery.dim())?;
    writeln!(out, "{score}")?;
    Ok(())
}

fn parse_slack(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(slack) if (0.0..=100.0).contains(&slack) => Ok(slack),
        _ => Err("it must lie between 0 and 100, such as 0.25".to_owned()),
    }
}

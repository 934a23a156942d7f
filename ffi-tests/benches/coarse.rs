//! `cargo bench -p ffi-tests --bench coarse`: the curve of the probed bias pass against the size of the bank, at a mean bias error of
//! at most 0.002, beside the exact pass of the same build; and the rows that a probed debiased search touches at recall@10 >= 0.99.
//! One thread, by the clock of the thread; pin it (`taskset -c 1`). Prints Markdown tables.
//!
//! A generated clustered set (seeded; 200,000 x 384 bank, 20,000 gallery rows); or `-- --set FOLDER`: gallery.npy, queries.npy,
//! bank.npy, ground_truth.npy as `scripts/wordnet.py` makes them. `-- --lists 1` is how many lists there are, in square roots of
//! the rows (4 when not given); `-- --int8` probes lists of int8 codes (the exact pass, and what the error is measured against, stay f32);
//! `-- --svg FILE` draws the curve.

use ffi_tests::data::Random;
use nnn::{Element, Hit, Matrix, Neighbors};

const K: usize = 16;
const ALPHA: f32 = 0.75;
const ERROR: f64 = 0.002;
const TOP: usize = 10;

struct Rows {
    data: Vec<f32>,
    dim: usize,
}

impl Rows {
    fn rows(&self) -> usize {
        self.data.len() / self.dim
    }

    fn part(&self, first: usize, count: usize) -> Matrix<'_, f32> {
        Matrix::new(&self.data[first * self.dim..][..count * self.dim], count, self.dim).expect("rows")
    }

    fn all(&self) -> Matrix<'_, f32> {
        self.part(0, self.rows())
    }

    fn load(path: &std::path::Path) -> Rows {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let header = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        let text = String::from_utf8_lossy(&bytes[10..10 + header]).into_owned();
        let shape = text.split('(').nth(1).and_then(|t| t.split(')').next()).expect("a shape");
        let dim = shape.split(',').nth(1).and_then(|n| n.trim().parse().ok()).unwrap_or(1);
        let data = bytes[10 + header..].chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])).collect();
        Rows { data, dim }
    }
}

/// Rows as int8 codes.
struct Codes {
    codes: Vec<i8>,
    scale: Vec<f32>,
    dim: usize,
}

impl Codes {
    fn of(rows: &Rows) -> Codes {
        let (mut codes, mut scale) = (vec![0; rows.data.len()], vec![0.0; rows.rows()]);
        nnn::quantize(&rows.all(), &mut codes, rows.dim, &mut scale).expect("finite");
        Codes { codes, scale, dim: rows.dim }
    }

    fn all(&self) -> Matrix<'_, i8> {
        Matrix::new(&self.codes, self.scale.len(), self.dim).and_then(|m| m.with_scale(&self.scale)).expect("rows")
    }
}

/// Unit rows around topics, the topics around themes, as texts and images are: half of a row's square length is its own.
struct Generator {
    random: Random,
    topics: Vec<f32>,
    dim: usize,
}

impl Generator {
    fn new(dim: usize, themes: usize, topics: usize) -> Generator {
        let mut random = Random(2024);
        let themes: Vec<f32> = (0..themes).flat_map(|_| unit(&mut random, dim)).collect();
        let count = themes.len() / dim;
        let topics = (0..topics)
            .flat_map(|t| {
                let theme = &themes[t % count * dim..][..dim];
                let own = unit(&mut random, dim);
                theme.iter().zip(own).map(|(a, b)| (a + b) * 0.5f32.sqrt()).collect::<Vec<_>>()
            })
            .collect();
        Generator { random, topics, dim }
    }

    fn rows(&mut self, rows: usize) -> Rows {
        let dim = self.dim;
        let mut data = Vec::with_capacity(rows * dim);
        for _ in 0..rows {
            let topic = &self.topics[self.random.below(self.topics.len() / dim) * dim..][..dim];
            let own = unit(&mut self.random, dim);
            data.extend(topic.iter().zip(own).map(|(a, b)| (a + b) * 0.5f32.sqrt()));
        }
        nnn::normalize_in_place(&mut data, rows, dim, dim).expect("finite");
        Rows { data, dim }
    }
}

fn unit(random: &mut Random, dim: usize) -> Vec<f32> {
    // Sums of four uniform numbers are round enough.
    let mut row: Vec<f32> = (0..dim).map(|_| (0..4).map(|_| random.float()).sum()).collect();
    nnn::normalize_in_place(&mut row, 1, dim, dim).expect("finite");
    row
}

/// Seconds of this thread on a core: other processes do not count.
fn seconds<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let now = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes one timespec.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    };
    let start = now();
    let result = work();
    (now() - start, result)
}

/// An index over rows.
struct Index {
    lists: usize,
    centroids: Rows,
    offsets: Vec<u32>,
    ids: Vec<u32>,
    listed: Rows,
}

impl Index {
    fn new(rows: &Matrix<f32>, lists: usize) -> Index {
        let dim = rows.dim();
        // Every so manyth row: 64 a list.
        let step = (rows.rows() / (64 * lists)).max(1);
        let sample = Matrix::with_stride(rows_of(rows), rows.rows().div_ceil(step), dim, dim * step).expect("rows");
        let mut scratch = vec![0; nnn::coarse_train_scratch(sample.rows(), lists, dim).max(1 << 20)];
        let mut centroids = Rows { data: vec![0.0; lists * dim], dim };
        nnn::coarse_train(&sample, lists, 8, 1, &mut scratch, &mut centroids.data).expect("valid arguments");
        let mut assigned = vec![0; rows.rows()];
        nnn::coarse_assign(rows, &centroids.all(), 0..rows.rows(), &mut scratch, &mut assigned).expect("valid arguments");
        let (mut offsets, mut ids) = (vec![0; lists + 1], vec![0; rows.rows()]);
        nnn::coarse_lists(&assigned, &mut offsets, &mut ids).expect("valid arguments");
        let mut listed = Rows { data: vec![0.0; rows.rows() * dim], dim };
        nnn::coarse_gather(rows, &ids, &mut listed.data, dim).expect("valid arguments");
        Index { lists, centroids, offsets, ids, listed }
    }

    fn bias<T: Element>(&self, gallery: &Matrix<T>, bank: &Matrix<T>, probes: usize) -> (Vec<f32>, u64, usize) {
        let rows = gallery.rows();
        let mut table = vec![0.0; rows * K];
        let mut scratch = vec![0; nnn::coarse_scratch(rows, self.lists, probes, gallery.dim())];
        let mut pairs = 0;
        let mut neighbors = Neighbors::init(&mut table, rows, K).expect("memory");
        let (c, o, s, p) = (self.centroids.all(), &self.offsets, &mut scratch, &mut pairs);
        nnn::coarse_neighbors(&mut neighbors, gallery, bank, &c, o, probes, 0..rows, s, p).expect("valid arguments");
        let mut bias = vec![0.0; rows];
        let short = nnn::coarse_bias(&table, rows, K, K, ALPHA, &mut bias).expect("valid arguments");
        (bias, pairs, short)
    }

    fn search(&self, queries: &Matrix<f32>, bias: &[f32], probes: usize) -> (Vec<Hit>, Vec<u32>, u64) {
        let n = queries.rows();
        let mut scratch = vec![0; nnn::coarse_scratch(n, self.lists, probes, queries.dim())];
        let (mut hits, mut found, mut pairs) = (vec![Hit { score: 0.0, id: 0 }; n * TOP], vec![0; n], 0);
        let (g, c, o, i) = (self.listed.all(), self.centroids.all(), &self.offsets, &self.ids);
        let (s, h, f, p) = (&mut scratch, &mut hits, &mut found, &mut pairs);
        nnn::coarse_search(queries, &g, &c, o, i, Some(bias), None, probes, TOP, s, h, f, p).expect("valid arguments");
        (hits, found, pairs)
    }
}

/// The elements of a dense matrix.
fn rows_of<'a>(m: &Matrix<'a, f32>) -> &'a [f32] {
    let (first, last) = (m.row(0).expect("a row"), m.row(m.rows() - 1).expect("a row"));
    // SAFETY: both are parts of one slice of the matrix, which is dense.
    unsafe { std::slice::from_raw_parts(first.as_ptr(), last.as_ptr().offset_from(first.as_ptr()) as usize + m.dim()) }
}

fn exact_bias<T: Element>(gallery: &Matrix<T>, bank: &Matrix<T>) -> Vec<f32> {
    let mut bias = vec![0.0; gallery.rows()];
    let mut scratch = vec![0; nnn::neighbors_scratch(K, gallery.dim())];
    nnn::bias(gallery, bank, K, ALPHA, 0..gallery.rows(), &mut scratch, &mut bias).expect("valid arguments");
    bias
}

/// `--lists`, 4 when not given, times the square root of the rows.
fn lists_for(rows: usize) -> usize {
    let factor: f64 = argument("--lists").map_or(4.0, |text| text.parse().expect("--lists takes a number"));
    ((factor * (rows as f64).sqrt()) as usize).max(1)
}

fn argument(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned()
}

fn main() {
    let set = argument("--set").map(std::path::PathBuf::from);
    let (gallery, queries, bank) = match &set {
        Some(folder) => {
            let load = |name: &str| Rows::load(&folder.join(name));
            (load("gallery.npy"), load("queries.npy"), load("bank.npy"))
        }
        None => {
            let mut generator = Generator::new(384, 100, 2000);
            (generator.rows(20_000), generator.rows(1000), generator.rows(200_000))
        }
    };
    println!("{} gallery rows, {} bank rows, dim {}, k {K}, alpha {ALPHA}", gallery.rows(), bank.rows(), bank.dim);
    let curve = curve(&gallery, &bank);
    if let Some(path) = argument("--svg") {
        std::fs::write(path, svg(&curve)).expect("write the drawing");
    }
    match &set {
        Some(folder) => recall(&gallery, &queries, &bank, Some(&Rows::load(&folder.join("ground_truth.npy")))),
        // The larger side as the gallery, the other as its bank.
        None => recall(&bank, &queries, &gallery, None),
    }
}

struct Point {
    bank: usize,
    exact: f64,
    probed: f64,
}

/// Gallery rows that the exact pass is timed on, and errors are measured on.
const SAMPLE: usize = 2000;

fn curve(gallery: &Rows, bank: &Rows) -> Vec<Point> {
    // Spread over the gallery, and copied.
    let step = gallery.rows() / SAMPLE;
    let data = (0..SAMPLE).flat_map(|i| gallery.data[i * step * gallery.dim..][..gallery.dim].to_vec()).collect();
    let sample = Rows { data, dim: gallery.dim };
    let codes = std::env::args().any(|a| a == "--int8").then(|| (Codes::of(gallery), Codes::of(&sample)));
    let mut points: Vec<Point> = Vec::new();
    println!(
        "| bank | lists | probes | pairs scored | mean error | max error | short rows | exact s | probed s | exact / probed | growth | build s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for halvings in (0..5).rev() {
        let n = bank.rows() >> halvings;
        let lists = lists_for(n);
        let part = bank.part(0, n);
        let (build, index) = seconds(|| Index::new(&part, lists));
        let listed = codes.as_ref().map(|_| Codes::of(&index.listed));
        let probe = |whole: bool, probes: usize| match (&codes, &listed) {
            (Some((gallery, sample)), Some(listed)) => {
                index.bias(&if whole { gallery } else { sample }.all(), &listed.all(), probes)
            }
            _ => index.bias(&if whole { gallery } else { &sample }.all(), &index.listed.all(), probes),
        };
        let error = |probes: usize, exact: &[f32]| nnn::bias_error(exact, &probe(false, probes).0).expect("as many");
        // The exact pass, before and after the probed one.
        let (before, exact) = seconds(|| exact_bias(&sample.all(), &part));
        let probes = least(lists, |probes| error(probes, &exact).mean <= ERROR);
        let (first, (_, pairs, short)) = seconds(|| probe(true, probes));
        let (after, _) = seconds(|| exact_bias(&sample.all(), &part));
        let (second, _) = seconds(|| probe(true, probes));
        let exact_time = before.min(after) * gallery.rows() as f64 / SAMPLE as f64;
        let probed = first.min(second);
        let left = error(probes, &exact);
        let growth = points.last().map_or(String::new(), |p| format!("N^{:.2}", (probed / p.probed).log2()));
        println!(
            "| {n} | {lists} | {probes} | {:.2} % | {:.5} | {:.4} | {short} | {exact_time:.2} | {probed:.2} | {:.1} | {growth} | {build:.1} |",
            100.0 * pairs as f64 / (gallery.rows() as f64 * n as f64),
            left.mean,
            left.max,
            exact_time / probed
        );
        points.push(Point { bank: n, exact: exact_time, probed });
    }
    if let [first, .., last] = &points[..] {
        println!("\nover all: N^{:.2}", (last.probed / first.probed).ln() / (last.bank as f64 / first.bank as f64).ln());
    }
    points
}

/// The least number of probes that is good, within 5 %.
fn least(lists: usize, good: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, 1);
    while high < lists && !good(high) {
        low = high;
        high = (2 * high).min(lists);
    }
    while high - low > 1.max(high / 20) {
        let middle = (low + high) / 2;
        if good(middle) { high = middle } else { low = middle }
    }
    high
}

fn recall(gallery: &Rows, queries: &Rows, bank: &Rows, truth: Option<&Rows>) {
    let (all, queries) = (gallery.all(), queries.all());
    let bank_index = Index::new(&bank.all(), lists_for(bank.rows()));
    let step = gallery.rows() / SAMPLE;
    let data = (0..SAMPLE).flat_map(|i| gallery.data[i * step * gallery.dim..][..gallery.dim].to_vec()).collect();
    let sample = Rows { data, dim: gallery.dim };
    let exact = exact_bias(&sample.all(), &bank.all());
    let error = |probes| nnn::bias_error(&exact, &bank_index.bias(&sample.all(), &bank_index.listed.all(), probes).0);
    let probes = least(bank_index.lists, |probes| error(probes).expect("as many").mean <= ERROR);
    let (bias, ..) = bank_index.bias(&all, &bank_index.listed.all(), probes);
    let exact_of = |bias: Option<&[f32]>| {
        let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; queries.rows() * TOP], vec![0; queries.rows()]);
        let mut scratch = vec![0; nnn::search_scratch(queries.rows(), TOP, gallery.dim)];
        let rows = 0..gallery.rows();
        nnn::search(&queries, &all, bias, None, TOP, rows, &mut scratch, &mut hits, &mut found).expect("valid arguments");
        (hits, found)
    };
    let at_1 = |hits: &[Hit]| {
        truth.map(|truth| {
            let right = hits.chunks(TOP).zip(&truth.data).filter(|(hits, row)| hits[0].id == row.to_bits()).count();
            100.0 * right as f64 / queries.rows() as f64
        })
    };
    let (time, (hits, found)) = seconds(|| exact_of(Some(&bias)));
    let index = Index::new(&all, lists_for(gallery.rows()));
    let run = |probes| {
        let (own, own_found, pairs) = index.search(&queries, &bias, probes);
        (nnn::hits_recall(&hits, &found, &own, &own_found, TOP).expect("as many"), pairs, own)
    };
    println!("\n| probes of {} | recall@{TOP} | rows touched | fewer | time, exact / probed |", index.lists);
    println!("|---|---|---|---|---|");
    let share = |pairs: u64| pairs as f64 / (queries.rows() as f64 * gallery.rows() as f64);
    let probes = least(index.lists, |probes| run(probes).0 >= 0.99);
    let (probed, (recall, pairs, own)) = seconds(|| run(probes));
    println!("| {probes} | {recall:.4} | {:.2} % | {:.1} x | {:.1} |", 100.0 * share(pairs), 1.0 / share(pairs), time / probed);
    if let (Some(plain), Some(exact_search), Some(both)) = (at_1(&exact_of(None).0), at_1(&hits), at_1(&own)) {
        let exact = at_1(&exact_of(Some(&exact_bias(&all, &bank.all()))).0).unwrap_or(0.0);
        println!(
            "\nR@1: plain {plain:.2}, exact biases and search {exact:.2}, probed biases {exact_search:.2}, probed biases and search {both:.2}"
        );
    }
}

/// Time against bank size, both logarithmic.
fn svg(points: &[Point]) -> String {
    let (width, height, margin) = (640.0, 400.0, 56.0);
    let times = || points.iter().flat_map(|p| [p.exact, p.probed]);
    let (low, high) = (times().fold(f64::MAX, f64::min), times().fold(0.0, f64::max));
    let (first, last) = (points[0].bank as f64, points[points.len() - 1].bank as f64);
    let x = |n: f64| margin + (n / first).ln() / (last / first).ln() * (width - 2.0 * margin);
    let y = |t: f64| height - margin - (t / low).ln() / (high / low).ln() * (height - 2.0 * margin);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (name, colour, time) in [("exact", "#888", (|p| p.exact) as fn(&Point) -> f64), ("probed", "#0b6", |p| p.probed)] {
        let line: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.bank as f64), y(time(p)))).collect();
        text += &format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n", line.join(" "));
        for p in points {
            let (cx, cy) = (x(p.bank as f64), y(time(p)));
            text += &format!("<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3\" fill=\"{colour}\"/>\n");
            text += &format!("<text x=\"{cx:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.2} s</text>\n", cy - 8.0, time(p));
        }
        let end = &points[points.len() - 1];
        text +=
            &format!("<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>\n", width - margin + 6.0, y(time(end)) + 14.0);
    }
    for p in points {
        let at = x(p.bank as f64);
        text += &format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", height - margin + 24.0, p.bank);
    }
    text + &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">bank rows</text>\n</svg>\n", width / 2.0, height - 10.0)
}

//! The picture of `nnn demo` and `nnn hubs`: how often gallery rows are retrieved, before and after.

use crate::failure::{Failure, Result};
use nnn::Hubness;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What the picture shows.
pub struct Picture<'a> {
    /// N_10 of every gallery row.
    pub before: &'a [u32],
    pub after: &'a [u32],
    /// R@1 in percent, before and after, where the answers are known.
    pub recall: Option<[f64; 2]>,
    pub hubness: [Hubness; 2],
    pub queries: usize,
    /// The k and alpha of NNN; `None` for biases that came from elsewhere.
    pub nnn: Option<(usize, f32)>,
}

const SIZE: (u32, u32) = (900, 460);
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const MUTED: RGBColor = RGBColor(0x6e, 0x77, 0x81);
const BEFORE: RGBColor = RGBColor(0xd9, 0x6a, 0x1d);
const AFTER: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);

/// Right edges of the legend's columns.
const COLUMNS: [i32; 3] = [690, 785, 868];

/// Below one row, so that a bar of one row is seen on the logarithmic axis.
const FLOOR: f64 = 0.6;

/// Height of the bracket over the hubs: above the few rows of that tail, below the legend.
const HUB_LEVEL: f64 = 9.0;

impl Picture<'_> {
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| Failure::Message(format!("the picture cannot be drawn: {error}")))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let (before, after) = (histogram(self.before), histogram(self.after));
        let most_often = before.len().max(after.len()) as f64;
        let tallest = before.iter().chain(&after).copied().max().unwrap_or(1) as f64;
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;

        let font = |size: i32, color: &RGBColor| ("sans-serif", size).into_font().color(color);
        root.draw_text("How often each gallery row is retrieved", &font(22, &INK), (28, 20))?;
        let subtitle = format!(
            "N_10: among the first 10 of {} queries, for {} rows. Bias: {}.",
            self.queries,
            self.before.len(),
            self.nnn.map_or_else(|| "from a file".to_owned(), |(k, alpha)| format!("k = {k}, alpha = {alpha}"))
        );
        root.draw_text(&subtitle, &font(15, &MUTED), (28, 50))?;

        let mut chart = ChartBuilder::on(&root)
            .margin_top(84)
            .margin_right(28)
            .margin_bottom(14)
            .margin_left(14)
            .x_label_area_size(52)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..most_often + 0.5, (FLOOR..tallest * 1.6).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.10))
            .axis_style(INK.mix(0.5))
            .x_labels(12)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .label_style(font(14, &INK))
            .axis_desc_style(font(15, &INK))
            .x_desc("queries that have the row among their first 10")
            .y_desc("gallery rows (log scale)")
            .draw()?;

        for (counts, color, shift) in [(&before, BEFORE, -0.42), (&after, AFTER, 0.02)] {
            let bars = counts.iter().enumerate().filter(|(_, rows)| **rows > 0).map(|(times, &rows)| {
                let left = times as f64 + shift;
                Rectangle::new([(left, FLOOR), (left + 0.4, rows as f64)], color.filled())
            });
            chart.draw_series(bars)?;
        }

        // The rows that are retrieved more often than any row after debiasing.
        let limit = self.hubness[1].maximum;
        let hubs = self.before.iter().filter(|&&times| times > limit).count();
        if hubs > 0 {
            let (left, right, level) = (f64::from(limit) + 0.5, most_often - 0.5, HUB_LEVEL);
            let bracket = [(left, level * 0.82), (left, level), (right, level), (right, level * 0.82)];
            chart.draw_series(std::iter::once(PathElement::new(bracket, BEFORE.stroke_width(2))))?;
            let rows = if hubs == 1 { "row" } else { "rows" };
            let what = format!("more than {limit}: {hubs} {rows} before, none after");
            let style = font(16, &BEFORE).pos(Pos::new(HPos::Right, VPos::Bottom));
            chart.draw_series(std::iter::once(Text::new(what, (right, level * 1.18), style)))?;
        }

        self.legend(&root)?;
        root.present()?;
        Ok(())
    }

    /// The two keys with their figures, at the top right of the plot where no bar reaches.
    fn legend<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, plotters::coord::Shift>,
    ) -> std::result::Result<(), Box<dyn std::error::Error>>
    where
        DB::ErrorType: 'static,
    {
        let keys = [("plain", BEFORE), (if self.nnn.is_some() { "debiased (NNN)" } else { "debiased" }, AFTER)];
        let text = || ("sans-serif", 16).into_font();
        let right = Pos::new(HPos::Right, VPos::Top);
        let columns = ["R@1", "skewness", "largest"].iter().zip(COLUMNS).skip(usize::from(self.recall.is_none()));
        for (column, right_edge) in columns {
            root.draw_text(column, &text().color(&MUTED).pos(right), (right_edge, 84))?;
        }
        for (i, (name, color)) in keys.into_iter().enumerate() {
            let (x, y) = (464, 108 + 24 * i as i32);
            root.draw(&Rectangle::new([(x, y), (x + 15, y + 15)], color.filled()))?;
            root.draw_text(name, &text().color(&INK), (x + 25, y))?;
            let Hubness { skewness, maximum, .. } = self.hubness[i];
            let recall = self.recall.map_or_else(String::new, |recall| format!("{:.1} %", recall[i]));
            let figures = [recall, format!("{skewness:.2}"), maximum.to_string()];
            for (figure, right_edge) in figures.iter().zip(COLUMNS) {
                root.draw_text(figure, &text().style(FontStyle::Bold).color(&INK).pos(right), (right_edge, y))?;
            }
        }
        Ok(())
    }
}

/// How many rows occur 0, 1, 2, ... times.
fn histogram(occurrences: &[u32]) -> Vec<usize> {
    let mut counts = vec![0; occurrences.iter().max().map_or(0, |&max| max as usize + 1)];
    for &times in occurrences {
        counts[times as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_counts_rows() {
        assert_eq!(histogram(&[0, 3, 0, 1]), [2, 1, 0, 1]);
        assert_eq!(histogram(&[]), [0; 0]);
    }

    #[test]
    fn picture_names_its_figures() {
        let (before, after) = ([0, 0, 0, 9, 1], [2, 2, 2, 2, 2]);
        let picture = Picture {
            before: &before,
            after: &after,
            recall: Some([12.34, 56.78]),
            hubness: [&before, &after].map(|counts| nnn::hubness(counts).unwrap()),
            queries: 1,
            nnn: Some((3, 0.5)),
        };
        let svg = picture.svg().unwrap();
        for figure in ["12.3 %", "56.8 %", "more than 2: 1 row before, none after", "k = 3, alpha = 0.5"] {
            assert!(svg.contains(figure), "{figure} is missing");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
    }
}

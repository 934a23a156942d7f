//! The pictures of `nnn tune` and `nnn evaluate --bank-sizes`.

use crate::failure::{Failure, Result};
use crate::rankings::Confidence;
use nnn::Interval;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const MUTED: RGBColor = RGBColor(0x6e, 0x77, 0x81);
const WORSE: RGBColor = RGBColor(0xd9, 0x6a, 0x1d);
const BETTER: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn svg(size: (u32, u32), draw: impl FnOnce(&DrawingArea<SVGBackend, plotters::coord::Shift>) -> Drawn) -> Result<String> {
    let mut svg = String::new();
    let attempt = || -> Drawn {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
        Ok(())
    };
    attempt().map_err(|error| Failure::Message(format!("the picture cannot be drawn: {error}")))?;
    Ok(svg)
}

fn font(size: i32, color: &RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(color)
}

/// R@1 over a grid of parameters.
pub struct HeatMap<'a> {
    pub ks: &'a [usize],
    pub alphas: &'a [f32],
    /// Percent, for each alpha all ks.
    pub recalls: &'a [f64],
    /// Of plain search, percent.
    pub plain: f64,
    /// The cell to frame.
    pub best: usize,
    pub queries: usize,
}

const CELL: (i32, i32) = (74, 30);
const CORNER: (i32, i32) = (90, 104);

impl HeatMap<'_> {
    pub fn svg(&self) -> Result<String> {
        let (columns, rows) = (self.ks.len() as i32, self.alphas.len() as i32);
        let size = (CORNER.0 + CELL.0 * columns.max(6) + 30, CORNER.1 + CELL.1 * rows + 24);
        svg((size.0 as u32, size.1 as u32), |root| {
            root.draw_text("R@1 over k and alpha", &font(22, &INK), (24, 16))?;
            let subtitle = format!("{} queries; plain search: {:.2} %. Blue is better, orange worse.", self.queries, self.plain);
            root.draw_text(&subtitle, &font(15, &MUTED), (24, 46))?;
            let centre = Pos::new(HPos::Center, VPos::Center);
            for (column, k) in (0..).zip(self.ks) {
                let at = (CORNER.0 + CELL.0 * column + CELL.0 / 2, CORNER.1 - 14);
                root.draw_text(&format!("k = {k}"), &font(14, &INK).pos(centre), at)?;
            }
            // Each color has its own scale: the worst cells lose far more than the best ones gain.
            let gains = self.recalls.iter().map(|recall| recall - self.plain);
            let [loss, gain] = gains.fold([f64::MIN_POSITIVE; 2], |[loss, most], gain| [loss.max(-gain), most.max(gain)]);
            for (row, (alpha, recalls)) in (0..).zip(self.alphas.iter().zip(self.recalls.chunks(self.ks.len()))) {
                let y = CORNER.1 + CELL.1 * row;
                let right = Pos::new(HPos::Right, VPos::Center);
                root.draw_text(&format!("{alpha:.3}"), &font(14, &INK).pos(right), (CORNER.0 - 10, y + CELL.1 / 2))?;
                for (column, recall) in (0..).zip(recalls) {
                    let x = CORNER.0 + CELL.0 * column;
                    let cell = [(x, y), (x + CELL.0, y + CELL.1)];
                    let change = recall - self.plain;
                    let (color, depth) = if change < 0.0 { (WORSE, -change / loss) } else { (BETTER, change / gain) };
                    root.draw(&Rectangle::new(cell, color.mix(depth * 0.8).filled()))?;
                    let ink = if depth > 0.7 { WHITE } else { INK };
                    root.draw_text(&format!("{recall:.1}"), &font(14, &ink).pos(centre), (x + CELL.0 / 2, y + CELL.1 / 2))?;
                }
            }
            root.draw_text("alpha", &font(14, &MUTED).pos(Pos::new(HPos::Right, VPos::Center)), (CORNER.0 - 10, CORNER.1 - 14))?;
            let (column, row) = ((self.best % self.ks.len()) as i32, (self.best / self.ks.len()) as i32);
            let (x, y) = (CORNER.0 + CELL.0 * column, CORNER.1 + CELL.1 * row);
            root.draw(&Rectangle::new([(x, y), (x + CELL.0, y + CELL.1)], INK.stroke_width(3)))?;
            Ok(())
        })
    }
}

/// The gain in R@1 with parts of the bank, with its interval.
pub fn bank_sizes(points: &[(usize, Interval)], confidence: &Confidence, k: usize, alpha: f32) -> Result<String> {
    let values = || points.iter().flat_map(|(_, gain)| [gain.low, gain.high]);
    let low = values().fold(0.0, f64::min);
    let high = values().fold(0.0, f64::max);
    let margin = 0.08 * (high - low).max(0.1);
    let (least, most) = points.iter().fold((usize::MAX, 1), |(least, most), (rows, _)| (least.min(*rows), most.max(*rows)));
    let (left, right) = (least as f64 / 1.3, most as f64 * 1.3);
    svg((760, 420), |root| {
        root.draw_text("Gain against the size of the bank", &font(22, &INK), (28, 18))?;
        let subtitle =
            format!("NNN, k = {k}, alpha = {alpha}: points of R@1 over plain search, {} % intervals.", confidence.percent());
        root.draw_text(&subtitle, &font(15, &MUTED), (28, 48))?;
        let mut chart = ChartBuilder::on(root)
            .margin_top(80)
            .margin_right(28)
            .margin_bottom(14)
            .margin_left(14)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d((left..right).log_scale(), low - margin..high + margin)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.10))
            .axis_style(INK.mix(0.5))
            .y_labels(8)
            .x_label_formatter(&|x| rows_label(*x))
            .y_label_formatter(&|y| format!("{y:+.1}"))
            .label_style(font(14, &INK))
            .axis_desc_style(font(15, &INK))
            .x_desc("rows of the bank (log scale)")
            .y_desc("gain in R@1, points")
            .draw()?;
        chart.draw_series(std::iter::once(PathElement::new([(left, 0.0), (right, 0.0)], INK.mix(0.6))))?;
        let at = |rows: usize| rows as f64;
        chart.draw_series(
            points
                .iter()
                .map(|(rows, gain)| PathElement::new([(at(*rows), gain.low), (at(*rows), gain.high)], BETTER.stroke_width(2))),
        )?;
        let line: Vec<_> = points.iter().map(|(rows, gain)| (at(*rows), gain.gain)).collect();
        chart.draw_series(std::iter::once(PathElement::new(line, BETTER.stroke_width(2))))?;
        chart.draw_series(points.iter().map(|(rows, gain)| Circle::new((at(*rows), gain.gain), 4, BETTER.filled())))?;
        Ok(())
    })
}

/// Labels where the logarithmic axis has room for them: 1, 2 and 5 times a power of ten.
fn rows_label(rows: f64) -> String {
    let label = format!("{rows:.0}");
    let wide = label.starts_with(['1', '2', '5']) && label[1..].chars().all(|digit| digit == '0');
    if wide { label } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heat_map_names_every_cell() {
        let map =
            HeatMap { ks: &[1, 16], alphas: &[0.5, 0.75], recalls: &[40.0, 41.1, 42.2, 33.3], plain: 40.0, best: 2, queries: 9 };
        let svg = map.svg().unwrap();
        for text in ["k = 1", "k = 16", "0.500", "0.750", "40.0", "41.1", "42.2", "33.3", "plain search: 40.00 %", "9 queries"] {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
    }
}

//! The report's drawings as SVG. Nothing here measures anything.

use plotters::{
    coord::{
        Shift,
        ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter},
    },
    element::DashedPathElement,
    prelude::*,
};
use statrs::function::erf::erfc_inv;

use crate::{figures::Figures, report::MARKED_THRESHOLDS};

/// Width and height of a drawing, in pixels; the page scales it.
const SIZE: (u32, u32) = (640, 420);

/// The colour of bona fide presentations.
const BONA_FIDE: RGBColor = RGBColor(0x0f, 0x76, 0x6e);

/// Colours of the attacks in the order of their names: told apart by people who do not see red and
/// green, and in print by their order in the legend.
const ATTACKS: [RGBColor; 5] = [
    RGBColor(0xc2, 0x41, 0x0c),
    RGBColor(0x1d, 0x4e, 0xd8),
    RGBColor(0x7e, 0x22, 0xce),
    RGBColor(0xa1, 0x62, 0x07),
    RGBColor(0xbe, 0x18, 0x5d),
];

const INK: RGBColor = RGBColor(0x1f, 0x29, 0x37);
const GREY: RGBColor = RGBColor(0x6b, 0x72, 0x80);
const FAINT: RGBColor = RGBColor(0xe5, 0xe7, 0xeb);

const FONT: &str = "sans-serif";

/// Error rates between which a DET curve is drawn.
const DET_RANGE: (f64, f64) = (0.001, 0.7);

/// Where the DET curve's axes have their marks.
const DET_MARKS: [f64; 9] = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6];

type Drawing<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = DrawingAreaErrorKind<std::io::Error>;

/// One drawing and what it shows.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    /// How to read it, in plain words.
    pub(crate) caption: &'static str,
    pub(crate) svg: String,
}

/// The drawings of a group; those that have nothing to show are left out.
pub(crate) fn all(figures: &Figures, threshold: f64) -> Vec<Plot> {
    let mut plots = Vec::new();
    let mut add = |title, caption, drawn: Result<String, Failure>| {
        // A text has no end at which writing to it fails.
        if let Ok(svg) = drawn {
            plots.push(Plot {
                title,
                caption,
                svg,
            });
        }
    };
    if !figures.curve.is_empty() {
        add(
            "Errors over the threshold",
            "Moving the threshold to the right refuses more live people (BPCER) and lets fewer attacks pass (APCER). The dashed lines are the recommended operating points, 0.90 and 0.95, and the threshold in force.",
            draw(|area| errors_over_threshold(area, figures, threshold)),
        );
    }
    if figures.det.values().any(|points| points.len() > 2) {
        add(
            "Trade-off between the errors (DET)",
            "Each point of a line is one threshold. The nearer a line runs to the lower left corner, the better the two kinds of photo are separated; where it crosses the diagonal, both error rates are equal (D-EER). Both axes are stretched by the probit, so that small error rates can be read.",
            draw(|area| det(area, figures)),
        );
    }
    add(
        "Where the scores lie",
        "Share of each class's photos by score. Good scores put live people at the right and attacks at the left; errors come from where they overlap.",
        draw(|area| histogram(area, figures, threshold)),
    );
    if figures.reliability.bins.len() > 1 {
        add(
            "Reliability of the score",
            "For each range of scores: how many of its photos were live, with 95 % intervals. On the diagonal the score could be read as a probability, for this mix of live people and attacks only.",
            draw(|area| reliability(area, figures)),
        );
    }
    plots
}

fn draw(
    drawing: impl for<'a> FnOnce(&Drawing<'a>) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        drawing(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// With a decimal only where it says something.
fn percent(share: &f64) -> String {
    let shown = format!("{:.1} %", share * 100.0);
    shown.replace(".0 %", " %")
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Names and colours of the species, in order.
fn species(figures: &Figures) -> impl Iterator<Item = (&str, RGBColor)> {
    figures
        .attacks
        .keys()
        .map(String::as_str)
        .zip(ATTACKS.into_iter().cycle())
}

/// A chart of two axes from 0 to 1; the vertical one to `top`.
macro_rules! chart {
    ($area:expr, $x:expr, $y:expr, $x_name:expr, $y_name:expr, $x_label:expr, $y_label:expr) => {{
        let mut chart = ChartBuilder::on($area)
            .margin(12)
            .x_label_area_size(54)
            .y_label_area_size(78)
            .build_cartesian_2d($x, $y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT)
            .axis_style(GREY)
            .x_labels(11)
            .y_labels(11)
            .x_desc($x_name)
            .y_desc($y_name)
            .label_style(text(17))
            .axis_desc_style(text(18))
            .x_label_formatter(&$x_label)
            .y_label_formatter(&$y_label)
            .draw()?;
        chart
    }};
}

/// Puts the legend where there is room.
macro_rules! legend {
    ($chart:expr, $position:expr) => {
        $chart
            .configure_series_labels()
            .position($position)
            .background_style(WHITE.mix(0.85))
            .border_style(FAINT)
            .label_font(text(17))
            .margin(8)
            .draw()?
    };
}

fn line_key(colour: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3))
}

/// Upright dashed lines at the thresholds that matter.
fn marks(threshold: f64, top: f64) -> Vec<DashedPathElement<std::vec::IntoIter<(f64, f64)>, u32>> {
    let mut marks = MARKED_THRESHOLDS.to_vec();
    if !marks.contains(&threshold) {
        marks.push(threshold);
    }
    marks
        .into_iter()
        .map(|mark| {
            let ends = vec![(mark, 0.0), (mark, top)];
            DashedPathElement::new(ends, 5, 4, GREY.stroke_width(1))
        })
        .collect()
}

fn errors_over_threshold(
    area: &Drawing<'_>,
    figures: &Figures,
    threshold: f64,
) -> Result<(), Failure> {
    let mut chart = chart!(
        area,
        0.0..1.0,
        0.0..1.0,
        "threshold",
        "error rate",
        |x: &f64| format!("{x:.1}"),
        percent
    );
    chart.draw_series(marks(threshold, 1.0))?;
    chart
        .draw_series(LineSeries::new(
            figures
                .curve
                .iter()
                .map(|point| (point.threshold, point.bpcer)),
            BONA_FIDE.stroke_width(3),
        ))?
        .label("BPCER: live refused")
        .legend(line_key(BONA_FIDE));
    for (name, colour) in species(figures) {
        let points = figures
            .curve
            .iter()
            .filter_map(|point| Some((point.threshold, *point.apcer.get(name)?)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(3)))?
            .label(format!("APCER: {name} passed"))
            .legend(line_key(colour));
    }
    legend!(chart, SeriesLabelPosition::MiddleLeft);
    Ok(())
}

/// The probit of a share, clamped to what is drawn.
fn probit(share: f64) -> f64 {
    let (least, most) = DET_RANGE;
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * share.clamp(least, most))
}

/// An axis of shares, stretched by the probit.
struct ProbitAxis;

impl Ranged for ProbitAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "pixels of a drawing")]
    fn map(&self, share: &f64, (start, end): (i32, i32)) -> i32 {
        let (least, most) = (probit(DET_RANGE.0), probit(DET_RANGE.1));
        let way = (probit(*share) - least) / (most - least);
        start + (way * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        DET_MARKS.to_vec()
    }

    fn range(&self) -> std::ops::Range<f64> {
        DET_RANGE.0..DET_RANGE.1
    }
}

impl ValueFormatter<f64> for ProbitAxis {
    fn format(share: &f64) -> String {
        percent(share)
    }
}

fn det(area: &Drawing<'_>, figures: &Figures) -> Result<(), Failure> {
    let mut chart = chart!(
        area,
        ProbitAxis,
        ProbitAxis,
        "APCER: attacks that pass",
        "BPCER: live people refused",
        percent,
        percent
    );
    let ends = DET_RANGE;
    chart.draw_series([DashedPathElement::new(
        vec![(ends.0, ends.0), (ends.1, ends.1)],
        3,
        5,
        GREY.stroke_width(1),
    )])?;
    for (name, points) in &figures.det {
        let colour = species(figures)
            .find(|(species, _)| species == name)
            .map_or(INK, |(_, colour)| colour);
        chart
            .draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(3),
            ))?
            .label(name.as_str())
            .legend(line_key(colour));
    }
    legend!(chart, SeriesLabelPosition::UpperRight);
    Ok(())
}

/// Shares of a class by bin, as the corners of its steps.
fn steps(counts: &[u64]) -> Vec<(f64, f64)> {
    let all: u64 = counts.iter().sum();
    let width = 1.0 / counts.len() as f64;
    let mut corners = vec![(0.0, 0.0)];
    for (at, count) in counts.iter().enumerate() {
        let height = *count as f64 / all.max(1) as f64;
        corners.push((at as f64 * width, height));
        corners.push(((at + 1) as f64 * width, height));
    }
    corners.push((1.0, 0.0));
    corners
}

fn histogram(area: &Drawing<'_>, figures: &Figures, threshold: f64) -> Result<(), Failure> {
    let histogram = &figures.histogram;
    let live = steps(&histogram.bona_fide);
    let attacks: Vec<_> = species(figures)
        .filter_map(|(name, colour)| Some((name, colour, steps(histogram.attacks.get(name)?))))
        .collect();
    let top = attacks
        .iter()
        .flat_map(|(_, _, steps)| steps)
        .chain(&live)
        .map(|(_, height)| *height)
        .fold(0.05, f64::max)
        * 1.05;
    let mut chart = chart!(
        area,
        0.0..1.0,
        0.0..top,
        "score",
        "share of the class",
        |x: &f64| format!("{x:.1}"),
        percent
    );
    chart.draw_series(marks(threshold, top))?;
    chart
        .draw_series([Polygon::new(live.clone(), BONA_FIDE.mix(0.18).filled())])?
        .label("live")
        .legend(line_key(BONA_FIDE));
    chart.draw_series(LineSeries::new(live, BONA_FIDE.stroke_width(2)))?;
    for (name, colour, steps) in attacks {
        chart.draw_series([Polygon::new(steps.clone(), colour.mix(0.12).filled())])?;
        chart
            .draw_series(LineSeries::new(steps, colour.stroke_width(2)))?
            .label(name)
            .legend(line_key(colour));
    }
    legend!(chart, SeriesLabelPosition::UpperMiddle);
    Ok(())
}

fn reliability(area: &Drawing<'_>, figures: &Figures) -> Result<(), Failure> {
    let mut chart = chart!(
        area,
        0.0..1.0,
        0.0..1.0,
        "mean score",
        "share of live people",
        |x: &f64| format!("{x:.1}"),
        percent
    );
    let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
    chart.draw_series([DashedPathElement::new(diagonal, 3, 5, GREY.stroke_width(1))])?;
    let bins = &figures.reliability.bins;
    chart.draw_series(bins.iter().map(|bin| {
        let ends = [
            (bin.mean_score, bin.bona_fide.lower),
            (bin.mean_score, bin.bona_fide.upper),
        ];
        PathElement::new(ends, BONA_FIDE.mix(0.55).stroke_width(2))
    }))?;
    chart.draw_series(LineSeries::new(
        bins.iter().map(|bin| (bin.mean_score, bin.bona_fide.rate)),
        BONA_FIDE.stroke_width(2),
    ))?;
    chart.draw_series(
        bins.iter()
            .map(|bin| Circle::new((bin.mean_score, bin.bona_fide.rate), 4, BONA_FIDE.filled())),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probit_is_the_quantile_of_the_normal_distribution() {
        for (share, value) in [(0.5, 0.0), (0.1, -1.281_551_6), (0.025, -1.959_963_9)] {
            assert!((probit(share) - value).abs() < 1e-6, "{share}");
        }
    }

    #[test]
    fn the_axis_is_stretched_by_the_probit() {
        let at = |share| ProbitAxis.map(&share, (0, 1000));
        assert_eq!((at(DET_RANGE.0), at(DET_RANGE.1)), (0, 1000));
        // Out of range: at the end.
        assert_eq!((at(0.0), at(1.0)), (0, 1000));
        // From 0.1 to 1 % it is as far as from about 10 to 32 %.
        let (low, high) = (at(0.01) - at(0.001), at(0.317) - at(0.1));
        assert!((low - high).abs() < 30, "{low} {high}");
        assert_eq!(ProbitAxis::format(&0.005), "0.5 %");
        assert_eq!(ProbitAxis::format(&0.2), "20 %");
    }

    #[test]
    fn steps_cover_the_whole_axis_and_sum_to_one() {
        let steps = steps(&[1, 3]);
        assert_eq!(steps.first(), Some(&(0.0, 0.0)));
        assert_eq!(steps.last(), Some(&(1.0, 0.0)));
        assert_eq!(
            steps[1..=4],
            [(0.0, 0.25), (0.5, 0.25), (0.5, 0.75), (1.0, 0.75)]
        );
    }
}

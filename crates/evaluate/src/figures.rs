//! Error rates of one group of presentations, with intervals.

mod classes;
mod counts;
mod curves;
mod measure;
mod types;

pub use measure::FIXED_RATES;
pub use types::{
    AtApcer, AtBpcer, AtThreshold, CurvePoint, Estimate, Figures, Histogram, Reliability,
    ReliabilityBin, Responses, Share, Species, Worst,
};

//! How well a presentation attack detector works, measured on labelled photos.
//!
//! `data` (what is measured on) → `outcome` (what the detector said) → `figures` (error rates with
//! intervals, from `scores`, `interval` and `bootstrap`) → `report` (everything, as JSON) → `html`
//! (one page for people, with `plots`). `calibrate` fits the user's own calibration.
//! `disturb` changes pictures, and `stability` counts what that does to verdicts.
//!
//! Terms and definitions are those of ISO/IEC 30107-3:2023, "Biometric presentation attack
//! detection, Part 3: Testing and reporting". A *bona fide* presentation is a live person's own; a
//! *PAI species* is a kind of attack (print, screen, …); the *APCER* of a species is the share of
//! its presentations that are classified as bona fide; the *BPCER* is the share of bona fide
//! presentations that are classified as attacks. Both count presentations that got a verdict;
//! those that got none are the *APNRR* and the *BPNRR* (non-response rates). Of several species
//! the worst counts, not the mean.

pub mod bootstrap;
pub mod calibrate;
pub mod data;
pub mod disturb;
pub mod figures;
pub mod html;
pub mod interval;
pub mod outcome;
mod plots;
pub mod presets;
pub mod reasons;
pub mod report;
pub mod review;
pub mod scores;
pub mod stability;

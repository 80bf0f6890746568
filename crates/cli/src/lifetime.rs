//! Durations on the command line.

use std::time::Duration;

/// Longest duration that is taken: later, dates end.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A duration such as `90d`, of at least a second.
///
/// # Errors
/// What is wrong, and what is allowed.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let allowed = "allowed is 1s to 100y as a number with a unit, such as 90d, 12h or 1h 30m (units: s, m, h, d, w, M for months, y)";
    match humantime::parse_duration(text) {
        Ok(duration) if duration < Duration::from_secs(1) => {
            Err(format!("it is shorter than a second; {allowed}"))
        }
        Ok(duration) if duration > LONGEST => {
            Err(format!("it is longer than 100 years; {allowed}"))
        }
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; {allowed}")),
    }
}

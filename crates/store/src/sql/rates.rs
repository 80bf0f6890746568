//! Rate limits.

use async_trait::async_trait;

use super::{
    SqlStore,
    backend::Backend,
    query::{Statement, Value, only, statement},
};
use crate::{
    clock::Timestamp,
    error::StoreError,
    key::KeyId,
    rate::{CLOCK_TOLERANCE, Rate, RateDecision, micros},
    store::RateStore,
};

/// $2 now, $3 interval, $4 window, $5 clock tolerance, all in µs. No row comes back, and nothing is
/// written, when the request is refused. An arrival time beyond the tolerance was written by a clock
/// that has been set back since, and counts as an idle key's.
const TAKE_RATE: &str = "INSERT INTO livecheck_rate (key_id, arrival) VALUES ($1, $2 + $3) \
     ON CONFLICT (key_id) DO UPDATE SET arrival = $3 + \
     CASE WHEN livecheck_rate.arrival BETWEEN $2 AND $2 + $4 + $5 \
     THEN livecheck_rate.arrival ELSE $2 END \
     WHERE livecheck_rate.arrival + $3 <= $2 + $4 OR livecheck_rate.arrival > $2 + $4 + $5 \
     RETURNING arrival";

const PEEK_RATE: &str = "SELECT arrival FROM livecheck_rate WHERE key_id = $1";

#[async_trait]
impl<B: Backend> RateStore for SqlStore<B> {
    async fn take_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        let tolerance = i64::try_from(CLOCK_TOLERANCE.as_micros()).unwrap_or(i64::MAX);
        let take = statement!(
            TAKE_RATE,
            key,
            micros(now),
            rate.interval(),
            rate.window(),
            tolerance
        );
        if let Some(row) = self.write(take).await?.first() {
            return Ok(rate.allowed(row.int(0)?, now));
        }
        let rows = self.read(statement!(PEEK_RATE, key)).await?;
        Ok(rate.refused(only(rows)?.int(0)?, now))
    }

    async fn take_session_rate(
        &self,
        key: &KeyId,
        rate: Rate,
        now: Timestamp,
    ) -> Result<RateDecision, StoreError> {
        // No key has such an id.
        let id = KeyId::from_stored(format!("{key}/sessions"));
        self.take_rate(&id, rate, now).await
    }
}

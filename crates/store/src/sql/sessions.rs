//! Sessions.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    Failure, SqlStore,
    backend::Backend,
    query::{Statement, Value, only, statement},
};
use crate::{
    clock::Timestamp,
    error::StoreError,
    key::KeyId,
    secret::{SessionToken, TokenHash},
    store::{SessionState, SessionStore},
};

/// How long a session is kept after its end.
const KEEP_ENDED_SESSIONS: Duration = Duration::from_secs(24 * 60 * 60);

const INSERT_SESSION: &str = "INSERT INTO livecheck_session \
     (token_hash, key_id, uses_left, uses_total, expires_at) VALUES ($1, $2, $3, $3, $4)";

const PEEK_SESSION: &str = "SELECT uses_left FROM livecheck_session \
     WHERE token_hash = $1 AND key_id = $2 AND expires_at > $3";

const TAKE_USE: &str = "UPDATE livecheck_session SET uses_left = uses_left - 1 \
     WHERE token_hash = $1 AND key_id = $2 AND expires_at > $3 AND uses_left > 0 \
     RETURNING uses_left";

const RETURN_USE: &str = "UPDATE livecheck_session SET uses_left = uses_left + 1 \
     WHERE token_hash = $1 AND key_id = $2 AND uses_left < uses_total";

/// $3 where to stop counting.
const COUNT_SESSIONS: &str = "SELECT count(*) FROM (SELECT 1 FROM livecheck_session \
     WHERE key_id = $1 AND expires_at > $2 LIMIT $3) AS open";

#[async_trait]
impl<B: Backend> SessionStore for SqlStore<B> {
    async fn create_session(
        &self,
        key: &KeyId,
        uses: u32,
        expires_at: Timestamp,
    ) -> Result<SessionToken, StoreError> {
        let token = SessionToken::random()?;
        let hash = token.hash();
        let insert = statement!(INSERT_SESSION, &hash, key, i64::from(uses), expires_at);
        match self.write(insert).await {
            Err(Failure::Dangling) => Err(StoreError::KeyNotFound(key.to_string())),
            Err(failure) => Err(failure.into()),
            Ok(_) => Ok(token),
        }
    }

    async fn peek_session(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        let rows = self.read(statement!(PEEK_SESSION, token, key, now)).await?;
        Ok(match rows.first().map(|row| row.count(0)).transpose()? {
            None => SessionState::NotFound,
            Some(0) => SessionState::Exhausted,
            Some(remaining) => SessionState::Ready { remaining },
        })
    }

    async fn take_use(
        &self,
        token: &TokenHash,
        key: &KeyId,
        now: Timestamp,
    ) -> Result<SessionState, StoreError> {
        let rows = self.write(statement!(TAKE_USE, token, key, now)).await?;
        if let Some(row) = rows.first() {
            let remaining = row.count(0)?;
            return Ok(SessionState::Ready { remaining });
        }
        Ok(match self.peek_session(token, key, now).await? {
            SessionState::NotFound => SessionState::NotFound,
            // Also if a use came back in between: this call didn't get one.
            SessionState::Exhausted | SessionState::Ready { .. } => SessionState::Exhausted,
        })
    }

    async fn return_use(&self, token: &TokenHash, key: &KeyId) -> Result<(), StoreError> {
        self.write(statement!(RETURN_USE, token, key)).await?;
        Ok(())
    }

    async fn count_sessions(
        &self,
        key: &KeyId,
        now: Timestamp,
        most: u32,
    ) -> Result<u32, StoreError> {
        let count = statement!(COUNT_SESSIONS, key, now, i64::from(most));
        only(self.read(count).await?)?.count(0)
    }

    async fn purge_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let ended = now.minus(KEEP_ENDED_SESSIONS);
        self.purge(B::PURGE_SESSIONS, ended).await
    }
}

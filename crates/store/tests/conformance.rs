//! What every store does, asked of each: SQLite in a file, SQLite in memory, PostgreSQL.
//!
//! A case is one function of a fresh database's address; the table at the end runs it everywhere.

#![expect(clippy::unwrap_used, reason = "a case stops where the store fails")]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use livecheck_store::testing::{PostgresCluster, TempFolder, add_sessions};
use livecheck_store::{
    ApiKey, ImageKey, ImageMac, ImageState, KeyChange, KeyRecord, KeySelector, KeyThresholds,
    NewKey, Rate, ReplayPolicy, SessionState, SessionToken, Store, StoreError, Threshold,
    Timestamp, open,
};

/// Some moment in 2026.
const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A fresh database, for as long as this is kept.
struct Fresh {
    address: String,
    store: Arc<dyn Store>,
    _folder: TempFolder,
}

impl Fresh {
    async fn at(address: String, folder: TempFolder) -> Self {
        let store = open(&address)
            .await
            .expect("a fresh database can be opened");
        Self {
            address,
            store,
            _folder: folder,
        }
    }

    async fn sqlite() -> Option<Self> {
        let folder = TempFolder::new();
        let address = format!("sqlite://{}", folder.path().join("store.db").display());
        Some(Self::at(address, folder).await)
    }

    async fn memory() -> Option<Self> {
        Some(Self::at("sqlite::memory:".to_owned(), TempFolder::new()).await)
    }

    async fn postgres() -> Option<Self> {
        Some(Self::at(postgres_database()?, TempFolder::new()).await)
    }

    async fn key(&self, name: &str) -> (KeyRecord, ApiKey) {
        let made = self.store.create_key(NewKey::named(name), NOW).await;
        made.expect("a key can be made")
    }

    async fn find(&self, key: &ApiKey) -> KeyRecord {
        let found = self.store.find_key(&key.hash()).await.unwrap();
        found.expect("the key is known")
    }
}

/// The address of an empty database on the server all cases share.
fn postgres_database() -> Option<String> {
    static CLUSTER: OnceLock<Option<PostgresCluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(PostgresCluster::start).as_ref()?;
    Some(cluster.new_database())
}

fn ready(remaining: u32) -> SessionState {
    SessionState::Ready { remaining }
}

async fn a_key_is_found_by_its_hash(db: Fresh) {
    let new = NewKey {
        expires_at: Some(NOW.plus(HOUR)),
        require_session: true,
        rate: Some(Rate::new(2.5, 7).unwrap()),
        ..NewKey::named("Bank of Örebro")
    };
    let (record, key) = db.store.create_key(new, NOW).await.unwrap();
    assert_eq!(db.find(&key).await, record);
    assert_eq!(record.name, "Bank of Örebro");
    assert_eq!(record.created_at, NOW);
    assert_eq!(record.expires_at, Some(NOW.plus(HOUR)));
    assert_eq!(record.shown, key.reveal()[..8]);
    assert_eq!(record.rate, Some(Rate::new(2.5, 7).unwrap()));
    assert!(record.require_session);
    assert_eq!(
        (record.last_used_at, record.revoked_at, record.successor),
        (None, None, None)
    );

    let (_, other) = db.key("other").await;
    let other_db = open("sqlite::memory:").await.unwrap();
    assert_eq!(other_db.find_key(&other.hash()).await.unwrap(), None);
    assert_eq!(db.store.list_keys().await.unwrap().len(), 2);
}

fn threshold(value: f32) -> Option<Threshold> {
    Some(Threshold::new(value).unwrap())
}

fn strict() -> KeyThresholds {
    KeyThresholds {
        preset: Some("strict".to_owned()),
        liveness: threshold(0.97),
        face: threshold(0.6),
        mask: None,
        review: threshold(0.812_345),
    }
}

async fn thresholds_of_a_key_are_kept_and_handed_on(db: Fresh) {
    let new = NewKey {
        thresholds: strict(),
        ..NewKey::named("alice")
    };
    let (record, key) = db.store.create_key(new, NOW).await.unwrap();
    assert_eq!(record.thresholds, strict());
    assert_eq!(record.thresholds.review.unwrap().value(), 0.812_345);
    assert_eq!(db.find(&key).await.thresholds, strict());
    let rotated = db.store.rotate_key(&"alice".into(), None, NOW).await;
    assert_eq!(rotated.unwrap().0.thresholds, strict());
    for wrong in [-0.01, 1.01, f32::NAN] {
        let error = Threshold::new(wrong).unwrap_err();
        assert!(matches!(error, StoreError::BadThreshold(_)), "{wrong}");
    }
}

async fn a_sandbox_key_can_be_told_by_its_beginning(db: Fresh) {
    let new = NewKey {
        sandbox: true,
        ..NewKey::named("tests")
    };
    let (record, key) = db.store.create_key(new, NOW).await.unwrap();
    assert!(record.sandbox);
    assert!(key.reveal().starts_with("lck_test_"));
    assert_eq!(record.shown, key.reveal()[..13]);
    let parsed = ApiKey::parse(key.reveal()).expect("it has the form of a key");
    assert_eq!(db.find(&parsed).await, record);
    let (record, key) = db
        .store
        .rotate_key(&"tests".into(), None, NOW)
        .await
        .unwrap();
    assert!(record.sandbox && key.reveal().starts_with("lck_test_"));
    let (record, key) = db.key("alice").await;
    assert!(!record.sandbox && !key.reveal().starts_with("lck_test_"));
}

async fn settings_of_a_key_change_one_by_one(db: Fresh) {
    let new = NewKey {
        rate: Some(Rate::new(2.5, 7).unwrap()),
        replay: Some(ReplayPolicy::Flag),
        thresholds: strict(),
        ..NewKey::named("alice")
    };
    let (before, key) = db.store.create_key(new, NOW).await.unwrap();
    let unchanged = db
        .store
        .change_key(&"alice".into(), &KeyChange::default())
        .await
        .unwrap();
    assert_eq!(unchanged, std::slice::from_ref(&before));
    let change = KeyChange {
        expires_at: Some(Some(NOW.plus(HOUR))),
        require_session: Some(true),
        rate: Some(None),
        replay: Some(Some(ReplayPolicy::Refuse)),
        preset: Some(None),
        liveness: Some(threshold(0.5)),
        mask: Some(threshold(0.25)),
        review: Some(None),
        ..KeyChange::default()
    };
    let changed = db
        .store
        .change_key(&KeySelector::Id(before.id.clone()), &change)
        .await
        .unwrap();
    let expected = KeyRecord {
        expires_at: Some(NOW.plus(HOUR)),
        require_session: true,
        rate: None,
        replay: Some(ReplayPolicy::Refuse),
        thresholds: KeyThresholds {
            preset: None,
            liveness: threshold(0.5),
            face: threshold(0.6),
            mask: threshold(0.25),
            review: None,
        },
        ..before
    };
    assert_eq!(changed, std::slice::from_ref(&expected));
    assert_eq!(db.find(&key).await, expected);
}

async fn a_name_means_every_key_of_it_that_is_not_revoked(db: Fresh) {
    let end = Some(NOW.plus(HOUR));
    let (old, _) = db.key("alice").await;
    let (new, _) = db
        .store
        .rotate_key(&"alice".into(), Some(HOUR), NOW)
        .await
        .unwrap();
    let change = KeyChange {
        expires_at: Some(None),
        review: Some(threshold(0.8)),
        ..KeyChange::default()
    };
    let changed = db.store.change_key(&"alice".into(), &change).await.unwrap();
    let ids: Vec<_> = changed.iter().map(|key| key.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&old.id) && ids.contains(&new.id));
    assert!(
        changed
            .iter()
            .all(|key| key.thresholds.review == threshold(0.8))
    );
    // A rotated key is not prolonged.
    let old = changed.iter().find(|key| key.id == old.id).unwrap();
    assert_eq!(old.expires_at, end);
    db.store.revoke_key(&"alice".into(), NOW).await.unwrap();
    for gone in ["alice", "nobody", old.id.as_str()] {
        let error = db.store.change_key(&gone.into(), &change).await;
        assert_eq!(error.unwrap_err(), StoreError::KeyNotFound(gone.to_owned()));
    }
}

async fn pruning_deletes_what_ended_with_all_that_hangs_on_it(db: Fresh) {
    let (revoked, _) = db.key("revoked").await;
    let (kept, _) = db.key("kept").await;
    let new = NewKey {
        expires_at: Some(NOW.plus(SECOND)),
        ..NewKey::named("expired")
    };
    let (expired, _) = db.store.create_key(new, NOW).await.unwrap();
    let image = ImageKey::new([1; 32]).mac(b"image");
    for key in [&revoked.id, &kept.id] {
        let until = NOW.plus(HOUR);
        db.store.create_session(key, 3, until).await.unwrap();
        db.store
            .remember_image(key, &image, NOW, until)
            .await
            .unwrap();
        let rate = Rate::new(1.0, 1).unwrap();
        db.store.take_rate(key, rate, NOW).await.unwrap();
    }
    db.store.revoke_key(&"revoked".into(), NOW).await.unwrap();
    let nothing = db.store.prune_keys(NOW.minus(MILLISECOND)).await.unwrap();
    assert_eq!(nothing, []);
    let pruned = db.store.prune_keys(NOW.plus(SECOND)).await.unwrap();
    let ids: std::collections::BTreeSet<_> = pruned.into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [revoked.id, expired.id].into());
    let left = db.store.list_keys().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, kept.id);
    let seen = db
        .store
        .remember_image(&kept.id, &image, NOW, NOW.plus(HOUR))
        .await;
    assert_eq!(seen.unwrap(), ImageState::Seen);
}

async fn keys_move_between_stores(db: Fresh) {
    let new = NewKey {
        expires_at: Some(NOW.plus(HOUR)),
        require_session: true,
        rate: Some(Rate::new(2.5, 7).unwrap()),
        replay: Some(ReplayPolicy::Flag),
        thresholds: strict(),
        sandbox: true,
        ..NewKey::named("alice")
    };
    let (_, old) = db.store.create_key(new, NOW).await.unwrap();
    let rotated = db.store.rotate_key(&"alice".into(), None, NOW).await;
    let (_, new) = rotated.unwrap();
    db.key("bob").await;
    db.store.revoke_key(&"bob".into(), NOW).await.unwrap();
    let exported = db.store.export_keys().await.unwrap();
    assert_eq!(exported.len(), 3);

    let other = open("sqlite::memory:").await.unwrap();
    other.import_keys(&exported).await.unwrap();
    assert_eq!(other.export_keys().await.unwrap(), exported);
    for key in [old, new] {
        let there = other.find_key(&key.hash()).await.unwrap();
        assert_eq!(there, Some(db.find(&key).await));
    }
    // Twice is once, and here too.
    other.import_keys(&exported).await.unwrap();
    db.store.import_keys(&exported).await.unwrap();
    assert_eq!(db.store.export_keys().await.unwrap(), exported);

    let third = open("sqlite::memory:").await.unwrap();
    third.create_key(NewKey::named("alice"), NOW).await.unwrap();
    let clash = third.import_keys(&exported).await;
    assert_eq!(clash.unwrap_err(), StoreError::ImportClash);
    assert_eq!(third.list_keys().await.unwrap().len(), 1, "all or none");
    let mut nameless = exported;
    nameless[0].record.name = String::new();
    let error = third.import_keys(&nameless).await.unwrap_err();
    assert!(matches!(error, StoreError::BadName(_)));
}

async fn names_are_checked(db: Fresh) {
    db.key("alice").await;
    let long = "x".repeat(65);
    for bad in ["", " alice", "alice\n", "a;b", "k0123456789abcdef", &long] {
        let made = db.store.create_key(NewKey::named(bad), NOW).await;
        assert!(matches!(made, Err(StoreError::BadName(_))), "{bad:?}");
    }
    let twin = db.store.create_key(NewKey::named("alice"), NOW).await;
    assert_eq!(twin.unwrap_err(), StoreError::NameTaken("alice".to_owned()));
    db.store.revoke_key(&"alice".into(), NOW).await.unwrap();
    db.key("alice").await;
}

async fn a_key_expires_to_the_millisecond(db: Fresh) {
    let end = NOW.plus(HOUR);
    let new = NewKey {
        expires_at: Some(end),
        ..NewKey::named("alice")
    };
    let (_, key) = db.store.create_key(new, NOW).await.unwrap();
    let record = db.find(&key).await;
    assert!(record.is_live(end.minus(MILLISECOND)));
    assert!(!record.is_live(end));
}

async fn a_revoked_key_is_dead_whatever_the_clock_says(db: Fresh) {
    let (alice, key) = db.key("alice").await;
    let (_, bob) = db.key("bob").await;
    let revoked = db
        .store
        .revoke_key(&KeySelector::Id(alice.id.clone()), NOW)
        .await
        .unwrap();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].revoked_at, Some(NOW));
    assert!(!db.find(&key).await.is_live(NOW.minus(HOUR)));
    assert!(db.find(&bob).await.is_live(NOW));
    for gone in [alice.id.as_str(), "alice", "nobody", "k0000000000000000"] {
        let again = db.store.revoke_key(&gone.into(), NOW).await;
        assert_eq!(again.unwrap_err(), StoreError::KeyNotFound(gone.to_owned()));
    }
}

async fn rotation_gives_a_second_key_of_the_same_settings(db: Fresh) {
    let new = NewKey {
        expires_at: Some(NOW.plus(24 * HOUR)),
        require_session: true,
        rate: Some(Rate::new(3.0, 9).unwrap()),
        ..NewKey::named("alice")
    };
    let (old, old_key) = db.store.create_key(new, NOW).await.unwrap();
    let later = NOW.plus(HOUR);
    let (new, new_key) = db
        .store
        .rotate_key(&"alice".into(), Some(2 * HOUR), later)
        .await
        .unwrap();
    assert_ne!(new.id, old.id);
    assert_eq!(new.name, "alice");
    assert_eq!(new.created_at, later);
    assert_eq!(new.expires_at, Some(later.plus(24 * HOUR)));
    assert_eq!(
        (new.require_session, new.rate),
        (old.require_session, old.rate)
    );
    assert_eq!(db.find(&new_key).await, new);

    let old = db.find(&old_key).await;
    assert_eq!(old.successor, Some(new.id.clone()));
    assert!(old.is_live(later.plus(2 * HOUR).minus(MILLISECOND)));
    assert!(!old.is_live(later.plus(2 * HOUR)));

    let again = db
        .store
        .rotate_key(&old.id.as_str().into(), None, later)
        .await;
    assert_eq!(
        again.unwrap_err(),
        StoreError::AlreadyRotated(old.id.to_string())
    );
    let (third, _) = db
        .store
        .rotate_key(&"alice".into(), None, later)
        .await
        .unwrap();
    assert_ne!(third.id, new.id);

    // Without a grace period the old key lives on; a revocation by name shuts out all of them.
    assert_eq!(db.find(&new_key).await.expires_at, new.expires_at);
    let revoked = db.store.revoke_key(&"alice".into(), later).await.unwrap();
    assert_eq!(revoked.len(), 3);
}

async fn a_grace_period_never_prolongs_a_key(db: Fresh) {
    let end = NOW.plus(HOUR);
    let new = NewKey {
        expires_at: Some(end),
        ..NewKey::named("alice")
    };
    let (_, key) = db.store.create_key(new, NOW).await.unwrap();
    db.store
        .rotate_key(&"alice".into(), Some(24 * HOUR), NOW)
        .await
        .unwrap();
    assert_eq!(db.find(&key).await.expires_at, Some(end));

    let (_, forever) = db.key("bob").await;
    db.store
        .rotate_key(&"bob".into(), Some(HOUR), NOW)
        .await
        .unwrap();
    assert_eq!(db.find(&forever).await.expires_at, Some(end));
}

async fn dead_keys_have_no_successors(db: Fresh) {
    let new = NewKey {
        expires_at: Some(NOW),
        ..NewKey::named("expired")
    };
    db.store.create_key(new, NOW.minus(HOUR)).await.unwrap();
    let (revoked, _) = db.key("revoked").await;
    db.store.revoke_key(&"revoked".into(), NOW).await.unwrap();
    for dead in ["expired", "revoked", revoked.id.as_str(), "nobody"] {
        let made = db.store.rotate_key(&dead.into(), None, NOW).await;
        assert_eq!(made.unwrap_err(), StoreError::KeyNotFound(dead.to_owned()));
    }
}

async fn rotations_at_once_give_one_successor(db: Fresh) {
    let (old, _) = db.key("alice").await;
    let which = KeySelector::Id(old.id);
    let tries = parallel(8, |_| {
        let (store, which) = (Arc::clone(&db.store), which.clone());
        async move { store.rotate_key(&which, None, NOW).await }
    });
    let tries = tries.await;
    assert_eq!(tries.iter().filter(|made| made.is_ok()).count(), 1);
    for error in tries.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::AlreadyRotated(_)), "{error}");
    }
    assert_eq!(db.store.list_keys().await.unwrap().len(), 2);
}

async fn last_use_is_kept_to_the_minute(db: Fresh) {
    let (alice, key) = db.key("alice").await;
    let touches = [
        (NOW, NOW),
        (NOW.plus(59 * SECOND), NOW),
        (NOW.plus(60 * SECOND), NOW.plus(60 * SECOND)),
        // The clock is set ahead by an hour, and back.
        (NOW.plus(HOUR), NOW.plus(HOUR)),
        (NOW.plus(61 * SECOND), NOW.plus(61 * SECOND)),
    ];
    for (at, kept) in touches {
        db.store.touch_key(&alice.id, at).await.unwrap();
        assert_eq!(db.find(&key).await.last_used_at, Some(kept));
    }
}

async fn a_session_has_exactly_its_uses(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let token = db
        .store
        .create_session(&alice.id, 3, NOW.plus(HOUR))
        .await
        .unwrap();
    assert_eq!(token.reveal().len(), 32);
    let (store, hash) = (&db.store, token.hash());
    for left in [2, 1, 0] {
        assert_eq!(
            store.peek_session(&hash, &alice.id, NOW).await.unwrap(),
            ready(left + 1)
        );
        assert_eq!(
            store.take_use(&hash, &alice.id, NOW).await.unwrap(),
            ready(left)
        );
    }
    for _ in 0..2 {
        let taken = store.take_use(&hash, &alice.id, NOW).await.unwrap();
        assert_eq!(taken, SessionState::Exhausted);
    }
    let seen = store.peek_session(&hash, &alice.id, NOW).await.unwrap();
    assert_eq!(seen, SessionState::Exhausted);
}

async fn a_returned_use_can_be_taken_again(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let (bob, _) = db.key("bob").await;
    let token = db
        .store
        .create_session(&alice.id, 3, NOW.plus(HOUR))
        .await
        .unwrap();
    let (store, hash) = (&db.store, token.hash());
    // Never more than there were, and not by another key.
    store.return_use(&hash, &alice.id).await.unwrap();
    assert_eq!(
        store.take_use(&hash, &alice.id, NOW).await.unwrap(),
        ready(2)
    );
    store.return_use(&hash, &bob.id).await.unwrap();
    assert_eq!(
        store.take_use(&hash, &alice.id, NOW).await.unwrap(),
        ready(1)
    );
    store.return_use(&hash, &alice.id).await.unwrap();
    assert_eq!(
        store.take_use(&hash, &alice.id, NOW).await.unwrap(),
        ready(1)
    );
}

async fn a_session_belongs_to_its_key(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let (bob, _) = db.key("bob").await;
    let token = db
        .store
        .create_session(&alice.id, 3, NOW.plus(HOUR))
        .await
        .unwrap();
    let unknown = SessionToken::parse(&"A".repeat(32)).expect("it has the form of a token");
    for (hash, key) in [(token.hash(), &bob.id), (unknown.hash(), &alice.id)] {
        let seen = db.store.peek_session(&hash, key, NOW).await.unwrap();
        assert_eq!(seen, SessionState::NotFound);
        let taken = db.store.take_use(&hash, key, NOW).await.unwrap();
        assert_eq!(taken, SessionState::NotFound);
    }
    let left = db
        .store
        .peek_session(&token.hash(), &alice.id, NOW)
        .await
        .unwrap();
    assert_eq!(left, ready(3));
}

async fn a_session_needs_a_key(db: Fresh) {
    let (stranger, _) = {
        let elsewhere = open("sqlite::memory:").await.unwrap();
        elsewhere
            .create_key(NewKey::named("stranger"), NOW)
            .await
            .unwrap()
    };
    let made = db
        .store
        .create_session(&stranger.id, 3, NOW.plus(HOUR))
        .await;
    assert_eq!(
        made.unwrap_err(),
        StoreError::KeyNotFound(stranger.id.to_string())
    );
}

async fn a_session_ends_to_the_millisecond(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let end = NOW.plus(3 * HOUR);
    let token = db.store.create_session(&alice.id, 3, end).await.unwrap();
    let (store, hash) = (&db.store, token.hash());
    let before = end.minus(MILLISECOND);
    assert_eq!(
        store.peek_session(&hash, &alice.id, end).await.unwrap(),
        SessionState::NotFound
    );
    assert_eq!(
        store.take_use(&hash, &alice.id, end).await.unwrap(),
        SessionState::NotFound
    );
    assert_eq!(
        store.peek_session(&hash, &alice.id, before).await.unwrap(),
        ready(3)
    );
    assert_eq!(
        store.take_use(&hash, &alice.id, before).await.unwrap(),
        ready(2)
    );
}

async fn three_of_fifty_takers_win(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    // A second pool on the same database is what another node is.
    let second = match db.address.as_str() {
        "sqlite::memory:" => Arc::clone(&db.store),
        address => open(address).await.unwrap(),
    };
    for _ in 0..5 {
        let token = db
            .store
            .create_session(&alice.id, 3, NOW.plus(HOUR))
            .await
            .unwrap();
        let (hash, key) = (token.hash(), alice.id.clone());
        let taken = parallel(50, |taker| {
            let node = if taker % 2 == 0 { &db.store } else { &second };
            let (node, key) = (Arc::clone(node), key.clone());
            async move { node.take_use(&hash, &key, NOW).await.unwrap() }
        });
        let mut won: Vec<_> = taken.await;
        won.retain(|state| *state != SessionState::Exhausted);
        won.sort_by_key(|state| format!("{state:?}"));
        assert_eq!(won, [ready(0), ready(1), ready(2)]);
    }
}

async fn only_sessions_long_over_are_purged(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let end = NOW.plus(3 * HOUR);
    let old = db.store.create_session(&alice.id, 3, end).await.unwrap();
    let new = db
        .store
        .create_session(&alice.id, 3, end.plus(MILLISECOND))
        .await
        .unwrap();
    let day_after = end.plus(24 * HOUR);
    assert_eq!(
        db.store
            .purge_sessions(day_after.minus(MILLISECOND))
            .await
            .unwrap(),
        0
    );
    assert_eq!(db.store.purge_sessions(day_after).await.unwrap(), 1);
    // Seen with the clock set back: the one is gone, the other is there.
    let seen = db
        .store
        .peek_session(&old.hash(), &alice.id, NOW)
        .await
        .unwrap();
    assert_eq!(seen, SessionState::NotFound);
    let seen = db
        .store
        .peek_session(&new.hash(), &alice.id, NOW)
        .await
        .unwrap();
    assert_eq!(seen, ready(3));
}

async fn sessions_are_purged_a_thousand_at_once(db: Fresh) {
    if db.address == "sqlite::memory:" {
        return;
    }
    let (alice, _) = db.key("alice").await;
    add_sessions(&db.address, &alice.id, 2500, NOW).await;
    let open = db.store.create_session(&alice.id, 3, NOW.plus(48 * HOUR));
    let open = open.await.unwrap().hash();
    let day_after = NOW.plus(25 * HOUR);
    for left in [1000, 1000, 500, 0] {
        let purged = db.store.purge_sessions(day_after).await;
        assert_eq!(purged.unwrap(), left);
    }
    let state = db.store.peek_session(&open, &alice.id, day_after);
    assert_eq!(state.await.unwrap(), ready(3));
    // A key that ended goes with all its sessions, however many.
    add_sessions(&db.address, &alice.id, 2500, NOW.plus(48 * HOUR)).await;
    db.store.revoke_key(&"alice".into(), NOW).await.unwrap();
    assert_eq!(db.store.prune_keys(NOW).await.unwrap().len(), 1);
}

async fn two_nodes_purge_side_by_side(db: Fresh) {
    if db.address == "sqlite::memory:" {
        return;
    }
    let (alice, _) = db.key("alice").await;
    add_sessions(&db.address, &alice.id, 6500, NOW).await;
    let second = open(&db.address).await.unwrap();
    let nodes = [Arc::clone(&db.store), second];
    let purged = parallel(2, |number| {
        let node = Arc::clone(&nodes[number]);
        async move {
            let mut purged = 0;
            for _ in 0..20 {
                purged += node.purge_sessions(NOW.plus(25 * HOUR)).await.unwrap();
            }
            purged
        }
    });
    assert_eq!(purged.await.iter().sum::<u64>(), 6500);
}

async fn open_sessions_are_counted_by_key(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let (bob, _) = db.key("bob").await;
    for hours in 1..=3 {
        let end = NOW.plus(hours * HOUR);
        db.store.create_session(&alice.id, 3, end).await.unwrap();
    }
    let count = async |key: &KeyRecord, now, most| {
        let count = db.store.count_sessions(&key.id, now, most).await;
        count.unwrap()
    };
    assert_eq!(count(&alice, NOW, 10).await, 3);
    assert_eq!(count(&alice, NOW, 2).await, 2);
    assert_eq!(count(&alice, NOW.plus(HOUR), 10).await, 2);
    assert_eq!(count(&bob, NOW, 10).await, 0);
}

async fn the_rate_of_sessions_is_not_that_of_requests(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let rate = Rate::new(1.0, 1).unwrap();
    let (store, id) = (&db.store, &alice.id);
    assert!(store.take_rate(id, rate, NOW).await.unwrap().allowed);
    for allowed in [true, false] {
        let taken = store.take_session_rate(id, rate, NOW).await.unwrap();
        assert_eq!(taken.allowed, allowed);
    }
    db.store.revoke_key(&"alice".into(), NOW).await.unwrap();
    assert_eq!(db.store.prune_keys(NOW).await.unwrap().len(), 1);
}

/// Whether a request passes at `now`, and what is left or how long to wait (ms).
async fn ask(db: &Fresh, key: &KeyRecord, rate: Rate, now: Timestamp) -> (bool, u128) {
    let decision = db.store.take_rate(&key.id, rate, now).await.unwrap();
    if decision.allowed {
        (true, u128::from(decision.remaining))
    } else {
        assert_eq!(decision.remaining, 0);
        (false, decision.retry_after.as_millis())
    }
}

async fn the_rate_holds_at_its_edge(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let rate = Rate::new(10.0, 3).unwrap();
    let steps = [
        // (ms, passes, left or ms to wait)
        (0, true, 2),
        (0, true, 1),
        (0, true, 0),
        (0, false, 100),
        (99, false, 1),
        (100, true, 0),
        (100, false, 100),
        (299, true, 0),
        (299, false, 1),
        (300, true, 0),
        // Long idle: the burst is there again, and not more.
        (100_000, true, 2),
        (100_000, true, 1),
        (100_000, true, 0),
        (100_000, false, 100),
    ];
    for (row, (at, passes, figure)) in steps.into_iter().enumerate() {
        let now = NOW.plus(Duration::from_millis(at));
        assert_eq!(
            ask(&db, &alice, rate, now).await,
            (passes, figure),
            "row {row}"
        );
    }
    let (bob, _) = db.key("bob").await;
    let now = NOW.plus(Duration::from_millis(100_000));
    assert_eq!(
        ask(&db, &bob, rate, now).await,
        (true, 2),
        "another key's count"
    );
}

async fn the_wait_it_names_is_enough(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let rates = [(0.001, 1), (0.3, 2), (3.0, 1), (999.9, 5), (1e6, 1)];
    let mut now = NOW;
    for (per_second, burst) in rates {
        let rate = Rate::new(per_second, burst).unwrap();
        now = now.plus(1000 * HOUR);
        for _ in 0..burst {
            assert!(ask(&db, &alice, rate, now).await.0, "{rate:?}");
        }
        let (passes, wait) = ask(&db, &alice, rate, now).await;
        assert!(!passes, "{rate:?}");
        let wait = Duration::from_millis(u64::try_from(wait).unwrap());
        if wait > MILLISECOND {
            assert!(
                !ask(&db, &alice, rate, now.plus(wait).minus(MILLISECOND))
                    .await
                    .0,
                "{rate:?}"
            );
        }
        assert!(ask(&db, &alice, rate, now.plus(wait)).await.0, "{rate:?}");
    }
}

async fn the_rate_survives_a_clock_that_steps(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let rate = Rate::new(1.0, 2).unwrap();
    let ahead = NOW.plus(24 * HOUR);
    assert_eq!(ask(&db, &alice, rate, NOW).await, (true, 1));
    assert_eq!(ask(&db, &alice, rate, ahead).await, (true, 1));
    assert_eq!(ask(&db, &alice, rate, ahead).await, (true, 0));
    // Back again: the key isn't locked out for a day, and its limit holds.
    assert_eq!(ask(&db, &alice, rate, NOW).await, (true, 1));
    assert_eq!(ask(&db, &alice, rate, NOW).await, (true, 0));
    assert_eq!(ask(&db, &alice, rate, NOW).await, (false, 1000));
    // A node whose clock is behind by less than the tolerance gives no second burst.
    assert!(!ask(&db, &alice, rate, NOW.minus(4 * SECOND)).await.0);
}

async fn the_rate_holds_over_nodes(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let second = match db.address.as_str() {
        "sqlite::memory:" => Arc::clone(&db.store),
        address => open(address).await.unwrap(),
    };
    let rate = Rate::new(1.0, 7).unwrap();
    let passed = parallel(50, |taker| {
        let node = if taker % 2 == 0 { &db.store } else { &second };
        let (node, key) = (Arc::clone(node), alice.id.clone());
        async move { node.take_rate(&key, rate, NOW).await.unwrap().allowed }
    });
    assert_eq!(passed.await.into_iter().filter(|&passed| passed).count(), 7);
}

async fn what_was_written_is_there_after_opening_again(db: Fresh) {
    if db.address == "sqlite::memory:" {
        return;
    }
    let (alice, key) = db.key("alice").await;
    let token = db
        .store
        .create_session(&alice.id, 3, NOW.plus(HOUR))
        .await
        .unwrap();
    db.store
        .take_use(&token.hash(), &alice.id, NOW)
        .await
        .unwrap();
    let again = open(&db.address).await.unwrap();
    assert_eq!(
        again.find_key(&key.hash()).await.unwrap(),
        Some(alice.clone())
    );
    let seen = again
        .peek_session(&token.hash(), &alice.id, NOW)
        .await
        .unwrap();
    assert_eq!(seen, ready(2));
}

async fn nodes_that_start_together_find_one_another(db: Fresh) {
    if db.address == "sqlite::memory:" {
        return;
    }
    // On a database without tables yet.
    let address = match db.address.strip_prefix("sqlite://") {
        Some(path) => format!("{path}-new"),
        None => postgres_database().expect("the server is there"),
    };
    let nodes = parallel(10, |_| {
        let address = address.clone();
        async move { open(&address).await.unwrap() }
    });
    let nodes = nodes.await;
    let (alice, key) = nodes[0]
        .create_key(NewKey::named("alice"), NOW)
        .await
        .unwrap();
    for node in nodes {
        assert_eq!(
            node.find_key(&key.hash()).await.unwrap(),
            Some(alice.clone())
        );
    }
}

fn image(content: &str) -> ImageMac {
    ImageKey::new([9; 32]).mac(content.as_bytes())
}

/// What the store says of an image that the key has judged at `now`, to be remembered for a day.
async fn judged(db: &Fresh, key: &KeyRecord, content: &str, now: Timestamp) -> ImageState {
    let until = now.plus(24 * HOUR);
    let told = db
        .store
        .remember_image(&key.id, &image(content), now, until)
        .await;
    told.unwrap()
}

async fn an_image_is_known_again_until_its_memory_ends(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let (bob, _) = db.key("bob").await;
    let end = NOW.plus(24 * HOUR);
    let steps = [
        (&alice, "a", NOW, ImageState::New),
        (&alice, "a", NOW, ImageState::Seen),
        (&alice, "b", NOW, ImageState::New),
        (&bob, "a", NOW, ImageState::New),
        (&alice, "a", end.minus(MILLISECOND), ImageState::Seen),
        // Being seen again prolongs nothing.
        (&alice, "a", end, ImageState::New),
        (&alice, "a", end, ImageState::Seen),
    ];
    for (row, (key, content, now, expected)) in steps.into_iter().enumerate() {
        assert_eq!(judged(&db, key, content, now).await, expected, "row {row}");
    }
}

async fn an_image_s_memory_is_prolonged_and_taken_back(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let (store, id, end) = (&db.store, &alice.id, NOW.plus(24 * HOUR));
    assert_eq!(judged(&db, &alice, "a", NOW).await, ImageState::New);
    store.renew_image(id, &image("a"), NOW).await.unwrap();
    assert_eq!(
        judged(&db, &alice, "a", end.minus(MILLISECOND)).await,
        ImageState::Seen,
        "never shortened"
    );
    let later = end.plus(HOUR);
    store.renew_image(id, &image("a"), later).await.unwrap();
    assert_eq!(judged(&db, &alice, "a", end).await, ImageState::Seen);
    // Whoever remembered it first may not take back what another prolonged.
    store.forget_image(id, &image("a"), end).await.unwrap();
    assert_eq!(judged(&db, &alice, "a", end).await, ImageState::Seen);
    store.forget_image(id, &image("a"), later).await.unwrap();
    assert_eq!(judged(&db, &alice, "a", end).await, ImageState::New);
    // Of what isn't remembered nothing can be prolonged.
    store.renew_image(id, &image("b"), later).await.unwrap();
    assert_eq!(judged(&db, &alice, "b", NOW).await, ImageState::New);
}

async fn an_image_needs_a_key(db: Fresh) {
    let elsewhere = open("sqlite::memory:").await.unwrap();
    let new = NewKey::named("stranger");
    let (stranger, _) = elsewhere.create_key(new, NOW).await.unwrap();
    let told = db
        .store
        .remember_image(&stranger.id, &image("a"), NOW, NOW.plus(HOUR))
        .await;
    assert_eq!(
        told.unwrap_err(),
        StoreError::KeyNotFound(stranger.id.to_string())
    );
}

async fn one_of_fifty_uploads_is_new(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let second = match db.address.as_str() {
        "sqlite::memory:" => Arc::clone(&db.store),
        address => open(address).await.unwrap(),
    };
    for round in 0..3 {
        // The second round finds the memory of the first one ended.
        let now = NOW.plus(24 * HOUR * round);
        let states = parallel(50, |taker| {
            let node = if taker % 2 == 0 { &db.store } else { &second };
            let (node, key) = (Arc::clone(node), alice.id.clone());
            async move {
                let until = now.plus(24 * HOUR);
                node.remember_image(&key, &image("a"), now, until)
                    .await
                    .unwrap()
            }
        });
        let states = states.await;
        let new = states.iter().filter(|state| **state == ImageState::New);
        assert_eq!(new.count(), 1, "round {round}");
    }
}

async fn only_images_long_over_are_purged(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    judged(&db, &alice, "a", NOW).await;
    judged(&db, &alice, "b", NOW.plus(MILLISECOND)).await;
    let day_after = NOW.plus(48 * HOUR);
    let purge = async |now| db.store.purge_images(now).await.unwrap();
    assert_eq!(purge(day_after.minus(MILLISECOND)).await, 0);
    assert_eq!(purge(day_after).await, 1);
    assert_eq!(judged(&db, &alice, "b", NOW).await, ImageState::Seen);
    assert_eq!(judged(&db, &alice, "a", NOW).await, ImageState::New);
}

async fn an_image_stays_known_when_the_clock_steps(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let ahead = NOW.plus(1000 * HOUR);
    assert_eq!(judged(&db, &alice, "a", ahead).await, ImageState::New);
    assert_eq!(judged(&db, &alice, "a", NOW).await, ImageState::Seen);
    assert_eq!(judged(&db, &alice, "b", NOW).await, ImageState::New);
    let back = NOW.minus(1000 * HOUR);
    assert_eq!(judged(&db, &alice, "b", back).await, ImageState::Seen);
}

async fn a_key_keeps_its_replay_policy(db: Fresh) {
    for policy in [None, Some(ReplayPolicy::Off), Some(ReplayPolicy::Refuse)] {
        let name = format!("{policy:?}").replace(['(', ')'], " ");
        let new = NewKey {
            replay: policy,
            ..NewKey::named(name.trim())
        };
        let (record, key) = db.store.create_key(new, NOW).await.unwrap();
        assert_eq!(record.replay, policy);
        assert_eq!(db.find(&key).await.replay, policy);
        let which = KeySelector::Id(record.id);
        let (successor, _) = db.store.rotate_key(&which, None, NOW).await.unwrap();
        assert_eq!(successor.replay, policy);
    }
}

async fn nodes_share_the_image_key(db: Fresh) {
    let second = match db.address.as_str() {
        "sqlite::memory:" => Arc::clone(&db.store),
        address => open(address).await.unwrap(),
    };
    let keys = parallel(10, |number| {
        let node = Arc::clone(if number % 2 == 0 { &db.store } else { &second });
        async move { node.image_key().await.unwrap() }
    });
    let keys = keys.await;
    assert!(keys.iter().all(|key| *key == keys[0]));
    let elsewhere = open("sqlite::memory:").await.unwrap();
    assert_ne!(elsewhere.image_key().await.unwrap(), keys[0]);
}

/// No token lives longer than its window plus the step, and none gains a use.
async fn a_session_survives_a_clock_that_steps(db: Fresh) {
    let (alice, _) = db.key("alice").await;
    let lifetime = 3 * HOUR;
    let step = 5 * HOUR;
    let (ahead, behind) = (NOW.plus(step), NOW.minus(step));
    let open_at = async |moment: Timestamp| {
        let end = moment.plus(lifetime);
        let token = db.store.create_session(&alice.id, 3, end).await.unwrap();
        token.hash()
    };
    let (store, id) = (&db.store, &alice.id);
    // Opened by a clock set ahead, used after it was set back: it lives its window and the step.
    let token = open_at(ahead).await;
    let end = NOW.plus(step + lifetime);
    let taken = store.take_use(&token, id, end.minus(MILLISECOND)).await;
    assert_eq!(taken.unwrap(), ready(2));
    let taken = store.take_use(&token, id, end).await;
    assert_eq!(taken.unwrap(), SessionState::NotFound);
    // Opened by a clock set back: it lives the step less.
    let token = open_at(behind).await;
    let taken = store.take_use(&token, id, NOW).await;
    assert_eq!(taken.unwrap(), SessionState::NotFound);
    // A clock that swings over the end of a session gives it no use beyond its three.
    let token = open_at(NOW).await;
    let swings = [NOW, ahead, behind, ahead, NOW, behind, NOW, ahead, behind];
    let mut taken = 0;
    for now in swings {
        store.purge_sessions(now).await.unwrap();
        match store.take_use(&token, id, now).await.unwrap() {
            SessionState::Ready { .. } => taken += 1,
            SessionState::NotFound => assert_eq!(now, ahead),
            SessionState::Exhausted => assert_eq!(taken, 3),
        }
    }
    assert_eq!(taken, 3);
}

async fn ping_answers(db: Fresh) {
    db.store.ping().await.unwrap();
}

/// Runs `count` tasks at once, each started by `task` with its number.
async fn parallel<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (0..count)
        .map(|number| tokio::spawn(task(number)))
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("the task ends"));
    }
    results
}

macro_rules! on_every_store {
    ($($case:ident),* $(,)?) => {
        mod sqlite { $(case!($case, sqlite);)* }
        mod memory { $(case!($case, memory);)* }
        mod postgres { $(case!($case, postgres);)* }
    };
}

macro_rules! case {
    ($case:ident, $store:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            if let Some(fresh) = super::Fresh::$store().await {
                super::$case(fresh).await;
            }
        }
    };
}

on_every_store!(
    a_key_is_found_by_its_hash,
    thresholds_of_a_key_are_kept_and_handed_on,
    a_sandbox_key_can_be_told_by_its_beginning,
    settings_of_a_key_change_one_by_one,
    a_name_means_every_key_of_it_that_is_not_revoked,
    pruning_deletes_what_ended_with_all_that_hangs_on_it,
    keys_move_between_stores,
    names_are_checked,
    a_key_expires_to_the_millisecond,
    a_revoked_key_is_dead_whatever_the_clock_says,
    rotation_gives_a_second_key_of_the_same_settings,
    a_grace_period_never_prolongs_a_key,
    dead_keys_have_no_successors,
    rotations_at_once_give_one_successor,
    last_use_is_kept_to_the_minute,
    a_session_has_exactly_its_uses,
    a_returned_use_can_be_taken_again,
    a_session_belongs_to_its_key,
    a_session_needs_a_key,
    a_session_ends_to_the_millisecond,
    three_of_fifty_takers_win,
    sessions_are_purged_a_thousand_at_once,
    two_nodes_purge_side_by_side,
    open_sessions_are_counted_by_key,
    the_rate_of_sessions_is_not_that_of_requests,
    only_sessions_long_over_are_purged,
    the_rate_holds_at_its_edge,
    the_wait_it_names_is_enough,
    the_rate_survives_a_clock_that_steps,
    the_rate_holds_over_nodes,
    what_was_written_is_there_after_opening_again,
    nodes_that_start_together_find_one_another,
    ping_answers,
    a_session_survives_a_clock_that_steps,
    an_image_is_known_again_until_its_memory_ends,
    an_image_s_memory_is_prolonged_and_taken_back,
    an_image_needs_a_key,
    one_of_fifty_uploads_is_new,
    only_images_long_over_are_purged,
    an_image_stays_known_when_the_clock_steps,
    a_key_keeps_its_replay_policy,
    nodes_share_the_image_key,
);

//! Where a store can be opened, and what is said when it can't: plainly, and never with a password.

use livecheck_store::testing::{PostgresCluster, TempFolder};
use livecheck_store::{NewKey, StoreError, Timestamp, open};
use sqlx::ConnectOptions as _;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

async fn refusal(address: &str) -> StoreError {
    match open(address).await {
        Err(error) => error,
        Ok(store) => panic!("{address} was opened as {}", store.address()),
    }
}

#[tokio::test]
async fn a_file_can_be_named_in_three_ways() {
    let folder = TempFolder::new();
    let path = folder.path().join("keys and sessions.db");
    let path = path.to_str().unwrap();
    let (_, key) = open(path)
        .await
        .unwrap()
        .create_key(NewKey::named("alice"), NOW)
        .await
        .unwrap();
    for address in [path, &format!("sqlite://{path}"), &format!("sqlite:{path}")] {
        let store = open(address).await.unwrap();
        assert_eq!(store.address(), format!("sqlite://{path}"));
        assert!(store.find_key(&key.hash()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn bad_addresses_are_explained() {
    let folder = TempFolder::new();
    let folder = folder.path().to_str().unwrap();
    let missing = format!("{folder}/missing/store.db");
    let no_database = format!("{folder}/photo.jpg");
    std::fs::write(&no_database, [0xff; 8192]).unwrap();
    let rows = [
        ("", "it is empty"),
        ("sqlite://", "it is empty"),
        ("sqlite://store.db?mode=ro", "options after ?"),
        (
            "mysql://root:hunter2@db/livecheck",
            "no backend for mysql://",
        ),
        (
            "postgres://alice:hunter2@db:port/livecheck",
            "invalid port number",
        ),
        (
            "postgres://alice:hunter2@db/livecheck?sslmode=maybe",
            "unknown value \"maybe\"",
        ),
        (
            "postgres://db/livecheck?passwort=hunter2",
            "unknown parameter",
        ),
        (&missing, "missing doesn't exist: create it first"),
        (folder, "can't be opened for writing"),
        (&no_database, "file is not a database"),
    ];
    for (address, part) in rows {
        let error = refusal(address).await;
        let text = error.to_string();
        assert!(
            matches!(error, StoreError::BadAddress(_)),
            "{address}: {error:?}"
        );
        assert!(text.to_lowercase().contains(part), "{address}: {text}");
        assert!(!text.contains("hunter2"), "{address}: {text}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_the_password() {
    // Nothing listens on port 1.
    let error = refusal("postgres://alice:hunter2@127.0.0.1:1/livecheck").await;
    let text = format!("{error} {error:?}");
    assert!(matches!(error, StoreError::Unavailable(_)), "{text}");
    assert!(text.contains("postgres://127.0.0.1:1:"), "{text}");
    assert!(!text.contains("alice"), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let folder = TempFolder::new();
    let path = folder.path().join("store.db");
    open(path.to_str().unwrap()).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query("PRAGMA user_version = 99")
        .execute(&mut connection)
        .await
        .unwrap();
    let error = refusal(path.to_str().unwrap()).await;
    assert_eq!(
        error,
        StoreError::SchemaTooNew {
            found: 99,
            known: 4
        }
    );
}

#[tokio::test]
async fn a_newer_postgres_database_is_left_alone() {
    let Some(cluster) = PostgresCluster::start() else {
        return;
    };
    let address = cluster.new_database();
    open(&address).await.unwrap();
    let options: sqlx::postgres::PgConnectOptions = address.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE livecheck_schema SET version = 99")
        .execute(&mut connection)
        .await
        .unwrap();
    let error = refusal(&address).await;
    assert_eq!(
        error,
        StoreError::SchemaTooNew {
            found: 99,
            known: 4
        }
    );
}

#[tokio::test]
async fn the_file_holds_no_secret_and_is_its_owners_alone() {
    let folder = TempFolder::new();
    let path = folder.path().join("store.db");
    let store = open(path.to_str().unwrap()).await.unwrap();
    let (record, key) = store.create_key(NewKey::named("alice"), NOW).await.unwrap();
    let token = store.create_session(&record.id, 3, NOW).await.unwrap();
    for text in [
        format!("{key:?}{record:?}{:?}", key.hash()),
        format!("{token:?}{:?}", token.hash()),
    ] {
        assert!(text.contains("[redacted]"));
        assert!(!text.contains(&key.reveal()[8..]) && !text.contains(token.reveal()));
    }
    let mut found_name = false;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        found_name |= holds("alice");
        assert!(
            !holds(&key.reveal()[8..]),
            "{:?} holds the key",
            file.path()
        );
        assert!(!holds(token.reveal()), "{:?} holds the token", file.path());
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o077, 0, "{:?} can be read by others", file.path());
        }
    }
    assert!(found_name, "the search finds what is there");
}

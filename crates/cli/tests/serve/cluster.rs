//! Two nodes on one PostgreSQL server: sessions counted exactly, outages survived.

use std::{collections::BTreeMap, sync::Mutex, thread};

use crate::{common::Bench, process::Process};
use livecheck_store::testing::PostgresCluster;
use livecheck_testing::{drawn, eventually};

/// Two nodes with one database, and a key that needs sessions.
struct Cluster {
    postgres: PostgresCluster,
    nodes: [Process; 2],
    key: String,
    bench: Bench,
    database: String,
}

impl Cluster {
    /// `None`, said loudly, where no PostgreSQL server is installed.
    fn start() -> Option<Self> {
        let postgres = PostgresCluster::start()?;
        let database = postgres.new_database();
        let bench = Bench::new();
        let settings = [
            ("LIVECHECK_DATABASE", database.as_str()),
            ("LIVECHECK_QUEUE", "200"),
        ];
        let key = bench.succeed(&[
            "keys",
            "create",
            "--name",
            "cluster",
            "--require-session",
            "--database",
            &database,
        ]);
        let node = || Process::serving(&bench, &[], &settings, key.trim().to_owned());
        let nodes = [(); 2].map(|()| node().expect("it starts"));
        Some(Self {
            postgres,
            nodes,
            key: key.trim().to_owned(),
            bench,
            database,
        })
    }

    fn token(&self, node: usize) -> String {
        self.nodes[node].session()
    }

    /// Status and error code of a check of a picture without a face.
    fn check(&self, node: usize, token: &str, image: &[u8]) -> (u16, String) {
        let headers = [("x-api-key", self.key.as_str()), ("x-session-token", token)];
        let (status, body) = self.nodes[node].judge_with(&headers, image);
        (status, body["error_code"].as_str().unwrap_or("").to_owned())
    }

    /// As [`Self::check`], asking again while the database has no time, as the clients do: what got no
    /// answer counts as no use.
    fn check_until_answered(&self, node: usize, token: &str, image: &[u8]) -> (u16, String) {
        let mut answer = self.check(node, token, image);
        eventually("an answer", || {
            if answer.0 == 503 {
                answer = self.check(node, token, image);
            }
            answer.0 != 503
        });
        answer
    }
}

#[test]
fn fifty_parallel_checks_on_two_nodes_use_a_session_exactly_three_times() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let token = cluster.token(0);
    let image = drawn::jpeg(320, 320);
    let answers = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for number in 0..50 {
            let (cluster, token, image, answers) = (&cluster, &token, &image, &answers);
            scope.spawn(move || {
                let answer = cluster.check_until_answered(number % 2, token, image);
                *answers.lock().expect("no panic").entry(answer).or_insert(0) += 1;
            });
        }
    });
    let expected = BTreeMap::from([((422, "051".to_owned()), 3), ((429, "062".to_owned()), 47)]);
    assert_eq!(answers.into_inner().expect("no panic"), expected);
    let [first, second] = cluster.nodes;
    assert!(first.stop() && second.stop(), "both end well");
}

#[test]
fn a_stopped_database_costs_no_wrong_answer_and_no_restart() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    let image = drawn::jpeg(320, 320);
    let token = cluster.token(1);
    assert_eq!(cluster.check(0, &token, &image), (422, "051".to_owned()));

    cluster.postgres.stop();
    let ready = |node: &Process| ureq::get(format!("{}/readyz", node.origin)).call().is_ok();
    for node in 0..2 {
        // Under load, while the database is away: nothing but "try again".
        for _ in 0..3 {
            assert_eq!(cluster.check(node, &token, &image), (503, "005".to_owned()));
        }
        eventually("not ready", || !ready(&cluster.nodes[node]));
    }

    cluster.postgres.start_again();
    for node in 0..2 {
        eventually("ready again", || ready(&cluster.nodes[node]));
    }
    // One use was counted before the outage and none in it: two are left.
    eventually("both nodes judge again", || {
        cluster.check(0, &token, &image) == (422, "051".to_owned())
    });
    assert_eq!(cluster.check(1, &token, &image), (422, "051".to_owned()));
    assert_eq!(cluster.check(0, &token, &image), (429, "062".to_owned()));
}

#[test]
fn a_revoked_key_stops_on_every_node() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let image = drawn::jpeg(320, 320);
    let token = cluster.token(0);
    for node in 0..2 {
        assert_eq!(
            cluster.check(node, &token, &image).0,
            422,
            "its key is in the caches"
        );
    }
    let revoke = ["keys", "revoke", "cluster", "--database", &cluster.database];
    cluster.bench.succeed(&revoke);
    for node in 0..2 {
        eventually("the key is refused", || {
            cluster.check(node, &token, &image) == (401, "001".to_owned())
        });
    }
}

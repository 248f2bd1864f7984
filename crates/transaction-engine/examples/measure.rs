//! scratch
#![allow(clippy::all, clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]
use catalog::Catalog;
use config_tree::*;
use serde_json::json;
use std::sync::Arc;
use std::time::*;
use transaction_engine::clock::*;
use transaction_engine::secrets::Sealer;
use transaction_engine::store::*;
use transaction_engine::*;
fn main() {
    let files = [
        ("catalog.yaml", "\nname: t\ntitle: T\ndescription: d.\ntransactions: concurrent\n"),
        (
            "things.yaml",
            "\nkind: collection\ntitle: Things\ndescription: x.\nfidelity: full\noperations: [list, create, replace, delete]\nkey: uuid\nschema:\n  type: object\n  additionalProperties: false\n  required: [n]\n  properties:\n    n: {title: Number, description: Any., type: integer}\n",
        ),
    ];
    let cat = Arc::new(
        Catalog::from_files(files.iter().map(|(a, b)| (a.to_string(), b.to_string())))
            .unwrap_or_else(|e| panic!("{e}")),
    );
    let bodies: usize = std::env::args().nth(1).unwrap_or("100000".into()).parse().unwrap();
    for sled in [true] {
        let dir = std::path::PathBuf::from(format!("/work/main/target/measure-{sled}"));
        let _ = std::fs::remove_dir_all(&dir);
        let store: Box<dyn Store> = if sled {
            Box::new(SledStore::open(&dir, 64 << 20).unwrap())
        } else {
            Box::new(MemStore::new())
        };
        let history = HistoryRules { revisions: 1_000_000, ..Default::default() };
        let e = Engine::open(
            Options {
                catalog: cat.clone(),
                store,
                checkpoints: Some(CheckpointDir::open(dir.join("cp")).unwrap()),
                checkpoint_every: 1_000_000,
                sealer: Arc::new(Sealer::from_key(&[7; 32])),
                clock: Arc::new(SystemClock),
                mode: Mode::Concurrent,
                change_limit: usize::MAX,
                history,
                appliers: vec![],
            },
            &mut |_, _| None,
        )
        .unwrap();
        let things = NodePath::parse("/things").unwrap();
        let s = e.session_open("me");
        let mut made = vec![];
        for n in 0..bodies {
            made.push(e.node_create(&s, &things, json!({"n":n})).unwrap().0);
        }
        e.transaction_commit(&s, None).unwrap();
        let t = |name: &str, n: usize, f: &mut dyn FnMut(usize)| {
            let mut v = vec![];
            for i in 0..n {
                let b = Instant::now();
                f(i);
                v.push(b.elapsed());
            }
            v.sort();
            println!("sled={sled} {name}: median {:?} p99 {:?}", v[n / 2], v[n * 99 / 100]);
        };
        let n = if sled { 1500 } else { 5000 };
        t("commit plain", n, &mut |i| {
            e.node_put(&s, &made[i], json!({"n":-(i as i64)-1}), None).unwrap();
            e.transaction_commit(&s, None).unwrap();
        });
        t("commit keyed", n, &mut |i| {
            e.node_put(&s, &made[i], json!({"n":i}), None).unwrap();
            let o = CommitOptions {
                idempotency: Idempotency::new(&format!("k{i}"), [0; 32]),
                ..Default::default()
            };
            e.transaction_commit(&s, o).unwrap();
        });
        for r in 0..3 {
            t("commit plain again", 500, &mut |i| {
                e.node_put(&s, &made[i + 3000], json!({"n":-(i as i64)-1-r}), None).unwrap();
                e.transaction_commit(&s, None).unwrap();
            });
            t("commit keyed again", 500, &mut |i| {
                e.node_put(&s, &made[i + 4000], json!({"n":-(i as i64)-7-r}), None).unwrap();
                let o = CommitOptions {
                    idempotency: Idempotency::new(&format!("kk{r}{i}"), [0; 32]),
                    ..Default::default()
                };
                e.transaction_commit(&s, o).unwrap();
            });
        }
        t("retry of a keyed commit", n, &mut |i| {
            let o = CommitOptions {
                idempotency: Idempotency::new(&format!("k{i}"), [0; 32]),
                ..Default::default()
            };
            e.transaction_commit(&s, o).unwrap();
        });
        if std::env::args().nth(2).is_some() {
            continue;
        }
        t("confirmed commit + confirm", 200, &mut |i| {
            e.node_put(&s, &made[i], json!({"n":i+7_000_000}), None).unwrap();
            let o = CommitOptions {
                confirm_within: Some(Duration::from_secs(60)),
                ..Default::default()
            };
            let c = e.transaction_commit(&s, o).unwrap();
            e.commit_confirm(c.confirmation.unwrap().token.as_str()).unwrap();
        });
        t("confirmed commit + cancel", 200, &mut |i| {
            e.node_put(&s, &made[i], json!({"n":i+9_000_000}), None).unwrap();
            let o = CommitOptions {
                confirm_within: Some(Duration::from_secs(60)),
                ..Default::default()
            };
            let c = e.transaction_commit(&s, o).unwrap();
            e.commit_cancel(c.confirmation.unwrap().token.as_str()).unwrap();
        });
        t("plan of 1 change", n, &mut |i| {
            e.node_put(&s, &made[i], json!({"n":i+1}), None).unwrap();
            e.transaction_plan(&s).unwrap();
            e.transaction_rollback(&s).unwrap();
        });
        t("put+rollback only", n, &mut |i| {
            e.node_put(&s, &made[i], json!({"n":i+1}), None).unwrap();
            e.transaction_rollback(&s).unwrap();
        });
        let head = e.running().number.get();
        for back in [1u64, 10, 100, 1000] {
            let b = Instant::now();
            e.tree_at(RevisionNumber::new(head - back)).unwrap().unwrap();
            println!("sled={sled} tree_at head-{back}: {:?}", b.elapsed());
        }
        t("tree_at of one at hand", 1000, &mut |_| {
            e.tree_at(RevisionNumber::new(head - 1000)).unwrap();
        });
        t("diff over 1000 revisions, trees at hand", 100, &mut |_| {
            e.revision_diff(RevisionNumber::new(head - 1000), RevisionNumber::new(head)).unwrap();
        });
        t("restore of head-1000 (staged), rollback", 100, &mut |_| {
            e.revision_restore(&s, RevisionNumber::new(head - 1000)).unwrap();
            e.transaction_rollback(&s).unwrap();
        });
        t("page of 50 revisions", 200, &mut |_| {
            e.revisions(Page::Newest, 50).unwrap();
        });
        t("tag_set", 100, &mut |i| {
            e.tag_set("me", &format!("t{i}"), RevisionNumber::new(head)).unwrap();
        });
        let mut f = e.watch(RevisionNumber::new(head - 500), || {}).unwrap();
        t("feed, recent", 500, &mut |_| {
            f.pull().unwrap();
        });
        let mut f = e.watch(RevisionNumber::new(2), || {}).unwrap();
        t("feed, from the store", 500, &mut |_| {
            f.pull().unwrap();
        });
        for i in 0..100 {
            e.tag_delete(&format!("t{i}")).unwrap();
        }
        drop(e);
        let store: Box<dyn Store> =
            if sled { Box::new(SledStore::open(&dir, 64 << 20).unwrap()) } else { continue };
        let b = Instant::now();
        let history = HistoryRules { revisions: 10, ..Default::default() };
        let e = Engine::open(
            Options {
                catalog: cat.clone(),
                store,
                checkpoints: Some(CheckpointDir::open(dir.join("cp")).unwrap()),
                checkpoint_every: 1_000_000,
                sealer: Arc::new(Sealer::from_key(&[7; 32])),
                clock: Arc::new(SystemClock),
                mode: Mode::Concurrent,
                change_limit: usize::MAX,
                history,
                appliers: vec![],
            },
            &mut |_, _| None,
        )
        .unwrap();
        println!("open with {} revisions: {:?}", e.running().number, b.elapsed());
        let e = Arc::new(e);
        let e2 = e.clone();
        let h = std::thread::spawn(move || {
            let b = Instant::now();
            e2.history_shorten().unwrap();
            b.elapsed()
        });
        let s = e.session_open("me");
        let mut v = vec![];
        while !h.is_finished() {
            let b = Instant::now();
            let i = v.len() % bodies;
            e.node_put(&s, &made[i], json!({"n":-(v.len() as i64)-77}), None).unwrap();
            e.transaction_commit(&s, None).unwrap();
            v.push(b.elapsed());
        }
        v.sort();
        println!(
            "shorten to 10: {:?}; {} commits meanwhile, median {:?} max {:?}; kept from {}",
            h.join().unwrap(),
            v.len(),
            v.get(v.len() / 2),
            v.last(),
            e.oldest_revision()
        );
    }
}

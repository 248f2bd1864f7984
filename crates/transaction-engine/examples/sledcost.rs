//! scratch
#![allow(clippy::all, clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]
use std::time::*;
use transaction_engine::store::*;
fn main() {
    let dir = std::path::PathBuf::from("/work/main/target/measure-c");
    let _ = std::fs::remove_dir_all(&dir);
    let s = SledStore::open(&dir, 64 << 20).unwrap();
    let mut seq = 0u64;
    let mut run = |name: &str, f: &mut dyn FnMut(u64, &mut Batch)| {
        let (mut a, mut b) = (vec![], vec![]);
        for _ in 0..400 {
            seq += 1;
            let mut batch = Batch::default();
            f(seq, &mut batch);
            let t = Instant::now();
            s.write(batch).unwrap();
            a.push(t.elapsed());
            let t = Instant::now();
            s.sync().unwrap();
            b.push(t.elapsed());
        }
        a.sort();
        b.sort();
        println!("{name}: write {:?} sync {:?} p90 {:?}", a[200], b[200], b[360]);
    };
    let base = |n: u64, b: &mut Batch| {
        b.put([b"c/".as_slice(), &n.to_be_bytes()].concat(), vec![1; 176]);
        b.put([b"r/".as_slice(), &n.to_be_bytes(), b"/\0\0\0\0"].concat(), vec![2; 400]);
        b.put(b"h".as_slice(), vec![3; 176]);
        b.put(
            [b"i/".as_slice(), &n.wrapping_mul(0x9E3779B97F4A7C15).to_be_bytes(), &[0; 8]].concat(),
            n.to_be_bytes().to_vec(),
        );
    };
    run("base", &mut |n, b| base(n, b));
    run("base+s", &mut |n, b| {
        base(n, b);
        b.put(b"s".as_slice(), n.to_be_bytes().repeat(9));
    });
    run("base+k+e", &mut |n, b| {
        base(n, b);
        let h = n.wrapping_mul(0x9E3779B97F4A7C15).to_be_bytes().repeat(4);
        b.put([b"k/".as_slice(), &h].concat(), vec![1; 200]);
        b.put([b"e/".as_slice(), &n.to_be_bytes(), &h].concat(), vec![]);
    });
    run("base+k+e+s", &mut |n, b| {
        base(n, b);
        let h = n.wrapping_mul(0x9E3779B97F4A7C15).to_be_bytes().repeat(4);
        b.put([b"k/".as_slice(), &h].concat(), vec![1; 200]);
        b.put([b"e/".as_slice(), &n.to_be_bytes(), &h].concat(), vec![]);
        b.put(b"s".as_slice(), n.to_be_bytes().repeat(9));
    });
    run("base", &mut |n, b| base(n, b));
    run("s alone", &mut |n, b| {
        b.put(b"s".as_slice(), n.to_be_bytes().repeat(9));
    });
    run("base", &mut |n, b| base(n, b));
}

use std::{env, fs, time::Instant};
use livecheck_engine::{Engine, EngineConfig};
fn main() {
    let engine = Engine::new(EngineConfig::default()).unwrap();
    for file in env::args().skip(1) {
        let bytes = fs::read(&file).unwrap();
        let best = |f: &dyn Fn()| { (0..15).map(|_| { let s = Instant::now(); f(); s.elapsed().as_secs_f64()*1e3 }).fold(f64::MAX, f64::min) };
        let own = best(&|| { engine.decode_whole(&bytes).unwrap(); });
        let zune = best(&|| { image::load_from_memory(&bytes).unwrap().into_rgb8(); });
        println!("{} {} bytes: own {own:.2} zune {zune:.2}", file, bytes.len());
    }
}

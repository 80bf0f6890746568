//! What a build without the feature `onnxruntime` is made of.

use std::{env, process::Command};

#[test]
fn without_the_feature_no_ort_is_in_the_tree() {
    let tree = |features: &[&str]| -> Vec<String> {
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["tree", "--package", "livecheck-engine", "--edges", "normal"])
            .args(["--prefix", "none", "--format", "{lib}"])
            .args(["--locked", "--offline"])
            .args(features)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let names = String::from_utf8(output.stdout).expect("UTF-8");
        names.lines().map(str::to_owned).collect()
    };
    let has_ort = |names: &[String]| names.iter().any(|name| name.starts_with("ort"));
    let without = tree(&[]);
    assert!(without.iter().any(|name| name == "prost"), "{without:?}");
    assert!(!has_ort(&without), "{without:?}");
    assert!(has_ort(&tree(&["--features", "onnxruntime"])));
}

//! Independent checks: Python's `onnx` accepts the models, and Python's `onnxruntime` gives the
//! outputs of the trained network.

use std::{
    env, fs,
    process::{Command, Output},
};

use crate::skip;
use crate::support::{classes, image, kinds, random_inputs, random_network, signal};
use drsn_bundle::{Tolerance, manifest::FORMAT};
use drsn_train::export::{network_outputs, to_onnx};

/// Checks the model in full mode, runs it, and writes each output as raw 32-bit floats.
const SCRIPT: &str = r#"
import sys
import numpy, onnx, onnxruntime

folder, shape = sys.argv[1], [int(size) for size in sys.argv[2].split(",")]
onnx.checker.check_model(onnx.load(f"{folder}/model.onnx"), full_check=True)
session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
inputs = numpy.fromfile(f"{folder}/input.raw", dtype="<f4").reshape(-1, *shape)
for output, value in zip(session.get_outputs(), session.run(None, {"input": inputs})):
    value.astype("<f4").tofile(f"{folder}/{output.name}.raw")
"#;

fn python(arguments: &[&str]) -> std::io::Result<Output> {
    let interpreter = env::var_os("DRSN_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(interpreter).args(arguments).output()
}

#[test]
fn the_onnx_checker_accepts_the_models_and_python_gives_the_same_numbers() {
    let available = python(&["-c", "import numpy, onnx, onnxruntime"]);
    if !available.is_ok_and(|output| output.status.success()) {
        return skip::skip(
            "requires Python with tests/requirements.txt; DRSN_PYTHON sets the interpreter",
        );
    }
    let inputs_of = [image(28), image(27), signal(101)];
    for (kind, spec) in kinds().into_iter().zip(inputs_of.iter().cycle()) {
        let folder = tempfile::tempdir().unwrap();
        let network = random_network(kind, spec);
        let model = to_onnx(&network, spec, &classes(), FORMAT).unwrap();
        let inputs = random_inputs(8, spec);
        let raw: Vec<u8> = inputs.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(folder.path().join("model.onnx"), model).unwrap();
        fs::write(folder.path().join("input.raw"), raw).unwrap();
        let path = folder.path().to_str().unwrap();
        let sizes: Vec<String> = spec.shape().iter().map(ToString::to_string).collect();
        let output = python(&["-c", SCRIPT, path, &sizes.join(",")]).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind:?}: {errors}");
        for (name, expected) in network_outputs(&network, inputs.view()).unwrap() {
            let raw = fs::read(folder.path().join(format!("{name}.raw"))).unwrap();
            let (values, rest) = raw.as_chunks::<4>();
            assert!(rest.is_empty());
            let found: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            Tolerance::CPU
                .check(&expected, &found)
                .unwrap_or_else(|difference| panic!("{kind:?}, {name}: {difference}"));
        }
    }
}

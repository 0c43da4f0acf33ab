//! Sessions of ONNX Runtime, if it is installed.

#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::{
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::{
    onnx::GraphBuilder,
    runtime::{Provider, Runtime, Session},
};
use ndarray::ArrayD;

const WIDTH: usize = 256;
const BATCH: usize = 1024;

/// A graph that multiplies each row by a matrix, many times.
fn long_graph() -> Vec<u8> {
    let mut graph = GraphBuilder::new("long");
    graph.input("input", &[-1, WIDTH as i64]);
    let weights =
        graph.tensor("weights", &[WIDTH, WIDTH], &vec![0.5 / WIDTH as f32; WIDTH * WIDTH]);
    let mut last = "input".to_owned();
    for node in 0..1000 {
        last = graph.node("MatMul", &[&last, &weights], &format!("product{node}"), &[]);
    }
    graph.node("Relu", &[&last], "output", &[]);
    graph.output("output", &[-1, WIDTH as i64]);
    graph.finish("a graph that takes long")
}

#[test]
fn a_run_ends_when_another_thread_asks_it_to_and_the_next_one_goes_on() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let mut session = Session::open(&runtime, &long_graph(), &[WIDTH], Provider::Cpu).unwrap();
    let zeros = |batch: usize| ArrayD::<f32>::zeros([batch, WIDTH].as_slice());
    let few = Instant::now();
    session.run(zeros(BATCH / 16).view()).unwrap();
    // A whole batch takes longer than a sixteenth of it.
    let expected = few.elapsed() * 8;
    let (stopper, begun) = (session.stopper(), Instant::now());
    let asking = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        stopper.stop();
    });
    let error = session.run(zeros(BATCH).view()).unwrap_err();
    let time = begun.elapsed();
    assert!(time < expected, "{time:?} in place of more than {expected:?}");
    assert!(error.to_string().contains("ONNX Runtime failed"), "{error}");
    asking.join().unwrap();
    assert!(session.run(zeros(1).view()).is_err(), "until the request to end is taken back");
    session.stopper().reset();
    session.run(zeros(1).view()).unwrap();
}

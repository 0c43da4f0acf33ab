use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, http::HeaderMap};
use clap::Parser as _;
use futures_util::stream;
use proptest::prelude::*;

use super::*;
use crate::{admission::ByteBudget, transport::rounds_of_others};

const FORM: &[u8] = b"multipart/form-data; boundary=xyz";

fn part(head: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--xyz\r\ncontent-disposition: form-data; name={head}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// A form whose first files are short, and whose last one is long.
fn short_and_long(short: usize, long: usize) -> Vec<u8> {
    let mut form = part("top_k", b"2");
    for _ in 0..short {
        form.extend(part("\"file\"; filename=\"a.csv\"", b"1\r\n2"));
    }
    form.extend(part("file", &vec![b'-'; long]));
    form.extend(b"--xyz--\r\n");
    form
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

async fn read_in(pieces: Vec<Bytes>) -> Result<(Vec<File>, Options), ApiError> {
    let pieces = pieces.into_iter().map(Ok::<_, Infallible>);
    let mut body = Body::from_stream(stream::iter(pieces));
    let incoming = Incoming::new(&mut body, &HeaderMap::new(), deadline())?;
    let mut memory = ByteBudget::new(1 << 30).open();
    let config = Config::parse_from(["drsn-serve"]);
    read(&config, &mut memory, incoming, FORM, Options::default()).await
}

/// Regression: for each part, the parser took all that had arrived of the rest of the body, and the
/// memory of that was not reserved.
#[tokio::test]
async fn a_form_is_not_taken_faster_than_its_parts_are_read() {
    const SHORT: usize = 500;
    let form = Bytes::from(short_and_long(SHORT, 1 << 20));
    let length = form.len();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let pieces = (0..length).step_by(1000).map(move |begin| {
        count.fetch_add(1000, Ordering::Relaxed);
        Ok::<_, Infallible>(form.slice(begin..length.min(begin + 1000)))
    });
    let mut body = Body::from_stream(stream::iter(pieces));
    let valve = Valve::default();
    let parts = Multipart::new(Feed::new(&mut body, usize::MAX, &valve), "xyz");
    let turn = Instant::now();
    let mut form = Form { parts, deadline: deadline(), valve: &valve, turn };
    for _ in 0..SHORT {
        let mut field = form.next().await.unwrap().unwrap();
        form.text(&mut field, "").await.unwrap();
    }
    let short = short_and_long(SHORT, 0).len();
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken <= short + 2000, "{taken} bytes taken, {short} needed");
}

/// Regression: a form of thousands of parts, all of which had arrived, held a thread until the last one
/// was read.
#[tokio::test]
async fn a_form_of_many_parts_lets_others_run() {
    let option = b"--xyz\r\ncontent-disposition: form-data; name=\"top_k\"\r\n\r\n1\r\n".as_slice();
    let form = option.repeat(3000);
    let begun = Instant::now();
    let rounds = rounds_of_others(read_in(vec![form.into()])).await;
    // Not at every turn, in case the machine is busy.
    let least = begun.elapsed().as_millis().min(10) as u32;
    assert!(rounds > least, "{rounds} rounds of others in {:?}", begun.elapsed());
}

#[tokio::test]
async fn the_headers_of_a_part_end_early_or_are_refused() {
    let long = format!("file\r\nx: {}", "y".repeat(100_000));
    let form = Bytes::from([part(&long, b"1"), b"--xyz--".to_vec()].concat());
    for pieces in [vec![form.clone()], form.chunks(100).map(Bytes::copy_from_slice).collect()] {
        let refused = read_in(pieces).await.err();
        assert!(refused.is_some_and(|error| error.detail.contains("do not end")));
    }
}

proptest! {
    #[test]
    fn a_form_is_the_same_in_whatever_pieces_it_arrives(
        lengths in prop::collection::vec(1_usize..40, 1..9),
        end in 0_usize..2000,
    ) {
        let mut form = short_and_long(12, 900);
        form.truncate(end);
        let form = Bytes::from(form);
        let mut rest = form.clone();
        let mut pieces = Vec::new();
        for length in lengths.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            pieces.push(rest.split_to(length.min(rest.len())));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let whole = runtime.block_on(read_in(vec![form]));
        prop_assert_eq!(runtime.block_on(read_in(pieces)), whole);
    }
}

//! The queue's guarantees, each as a test.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use ndarray::ArrayD;
use tokio::{sync::oneshot, task::yield_now};

use super::*;

pub(super) type Reply = oneshot::Receiver<Result<BatchSlice<()>, JobError>>;

pub(super) fn job(count: usize) -> (Job<()>, Reply) {
    let (reply, receiver) = oneshot::channel();
    let job = Job {
        values: Arc::new(ArrayD::zeros([count, 1].as_slice())),
        rows: 0..count,
        detailed: false,
        queued: Instant::now(),
        deadline: Instant::now() + Duration::from_mins(1),
        reply,
    };
    (job, receiver)
}

fn queue(requests: usize, batch: usize, wait: Duration) -> Queue<()> {
    Queue::new(Limits { requests, batch, wait, workers: 1 })
}

/// Sizes of the next batch's jobs, as a worker gets them.
fn next(queue: &Queue<()>) -> Option<Vec<usize>> {
    runtime().block_on(sizes(queue))
}

async fn sizes(queue: &Queue<()>) -> Option<Vec<usize>> {
    let batch = queue.next_batch().await;
    batch.map(|batch| batch.jobs.iter().map(Job::count).collect())
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn waiting_jobs_become_one_batch_up_to_the_largest() {
    let queue = queue(8, 4, Duration::ZERO);
    let replies: Vec<Reply> = [1, 2, 2, 1]
        .map(|count| {
            let (job, reply) = job(count);
            assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
            reply
        })
        .into();
    assert_eq!(next(&queue), Some(vec![1, 2]));
    assert_eq!(next(&queue), Some(vec![2, 1]));
    drop(replies);
}

#[test]
fn a_lone_job_is_taken_at_once_without_a_timer() {
    let queue = queue(8, 4, Duration::ZERO);
    let (job, _reply) = job(1);
    let before = Instant::now();
    assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
    assert_eq!(next(&queue), Some(vec![1]));
    assert!(before.elapsed() < Duration::from_millis(100));
}

#[test]
fn with_a_timer_a_lone_job_waits_no_longer_than_that() {
    let queue = queue(8, 4, Duration::from_millis(30));
    let (job, _reply) = job(1);
    let before = Instant::now();
    assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
    assert_eq!(next(&queue), Some(vec![1]));
    let waited = before.elapsed();
    assert!(waited >= Duration::from_millis(30) && waited < Duration::from_secs(5), "{waited:?}");
}

#[test]
fn with_a_timer_a_full_batch_does_not_wait() {
    let queue = queue(8, 2, Duration::from_mins(1));
    let (first, _first_reply) = job(1);
    let (second, _second_reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
    assert_eq!(queue.push(VecDeque::from([second])), Ok(()));
    let before = Instant::now();
    assert_eq!(next(&queue), Some(vec![1, 1]));
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_full_queue_refuses_and_accepts_again_when_there_is_room() {
    let queue = queue(1, 4, Duration::ZERO);
    let (first, _first_reply) = job(1);
    let (second, _second_reply) = job(1);
    let (third, _third_reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
    assert_eq!(queue.push(VecDeque::from([second])), Err(PushError::Full));
    assert_eq!(next(&queue), Some(vec![1]));
    assert_eq!(queue.push(VecDeque::from([third])), Ok(()));
    assert_eq!(queue.depth(), 1);
}

#[test]
fn a_request_of_many_jobs_waits_as_one() {
    let queue = queue(1, 2, Duration::ZERO);
    let (first, _first_reply) = job(2);
    let (second, _second_reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([first, second])), Ok(()));
    assert_eq!(next(&queue), Some(vec![2]));
    assert_eq!(queue.depth(), 1);
    assert_eq!(next(&queue), Some(vec![1]));
    assert_eq!(queue.depth(), 0);
}

#[test]
fn a_job_whose_client_has_hung_up_costs_no_work() {
    let queue = queue(8, 4, Duration::ZERO);
    let (gone, reply) = job(1);
    drop(reply);
    let (here, _reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([gone])), Ok(()));
    assert_eq!(queue.push(VecDeque::from([here])), Ok(()));
    assert_eq!(next(&queue), Some(vec![1]));
    assert_eq!(queue.depth(), 0);
}

#[test]
fn a_job_past_its_deadline_is_answered_with_that_error() {
    let queue = queue(8, 4, Duration::ZERO);
    let (mut late, mut reply) = job(1);
    late.deadline = Instant::now();
    assert_eq!(queue.push(VecDeque::from([late])), Ok(()));
    assert_eq!(next(&queue), Some(vec![]));
    assert!(matches!(reply.try_recv(), Ok(Err(JobError::DeadlineExceeded))));
}

#[test]
fn a_closed_queue_answers_waiting_jobs_and_accepts_no_more() {
    let queue = queue(8, 4, Duration::ZERO);
    let (first, _first_reply) = job(1);
    let (second, _second_reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
    queue.close();
    assert_eq!(queue.push(VecDeque::from([second])), Err(PushError::Closed));
    assert_eq!(next(&queue), Some(vec![1]));
    assert_eq!(next(&queue), None);
}

#[test]
fn requests_with_many_inputs_and_with_one_are_served_in_turn() {
    let queue = queue(8, 2, Duration::ZERO);
    let (large, _replies): (VecDeque<_>, Vec<_>) = [2, 2, 2].map(job).into_iter().unzip();
    assert_eq!(queue.push(large), Ok(()));
    let (small, _reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([small])), Ok(()));
    let order: Vec<_> = (0..4).map(|_| next(&queue)).collect();
    assert_eq!(order, [Some(vec![2]), Some(vec![1]), Some(vec![2]), Some(vec![2])]);
}

#[test]
fn clients_that_have_hung_up_give_their_places_to_others() {
    let queue = queue(1, 4, Duration::ZERO);
    let (gone, reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([gone])), Ok(()));
    drop(reply);
    let (here, _reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([here])), Ok(()));
    assert_eq!(queue.depth(), 1);
}

#[test]
fn an_abandoned_queue_drops_what_waits() {
    let queue = queue(8, 4, Duration::ZERO);
    let (waiting, mut reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([waiting])), Ok(()));
    queue.abandon();
    assert_eq!(next(&queue), None);
    assert!(matches!(reply.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
}

#[test]
fn the_jobs_of_a_stream_are_one_request_that_takes_turns_and_has_its_place_from_the_beginning() {
    let queue = queue(2, 4, Duration::ZERO);
    let stream = queue.admit().unwrap();
    let mut replies = Vec::new();
    for count in [4, 3, 2] {
        let (job, reply) = job(count);
        assert_eq!(queue.push_for(stream, job), Ok(()));
        replies.push(reply);
    }
    assert_eq!(queue.depth(), 1);
    let (small, small_reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([small])), Ok(()));
    // Now it is full for others, but not for the admitted stream.
    assert_eq!(queue.admit(), Err(PushError::Full));
    let (more, more_reply) = job(2);
    assert_eq!(queue.push_for(stream, more), Ok(()));
    assert_eq!(next(&queue), Some(vec![4]));
    assert_eq!(next(&queue), Some(vec![1, 3]));
    assert_eq!(next(&queue), Some(vec![2, 2]));
    queue.close();
    assert_eq!(queue.admit(), Err(PushError::Closed));
    assert_eq!(queue.push_for(stream, job(1).0), Err(PushError::Closed));
    drop((replies, small_reply, more_reply));
}

#[test]
fn waiting_workers_are_woken_for_one_job_and_for_several() {
    let queue = Arc::new(queue(8, 1, Duration::ZERO));
    for count in [1, 2] {
        runtime().block_on(async {
            let worker = async |queue: Arc<Queue<()>>| sizes(&queue).await;
            let workers: Vec<_> =
                (0..count).map(|_| tokio::spawn(worker(Arc::clone(&queue)))).collect();
            yield_now().await;
            let (jobs, _replies): (VecDeque<_>, Vec<_>) = (0..count).map(|_| job(1)).unzip();
            assert_eq!(queue.push(jobs), Ok(()));
            for worker in workers {
                assert_eq!(worker.await.unwrap(), Some(vec![1]));
            }
        });
    }
}

/// Requests that had arrived, but were not read yet, missed a batch that they could have been part
/// of.
#[test]
fn a_worker_lets_connections_with_something_to_read_go_first() {
    let queue = Arc::new(queue(8, 4, Duration::ZERO));
    let (first, _first_reply) = job(1);
    let (second, _second_reply) = job(1);
    runtime().block_on(async {
        let worker = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { sizes(&queue).await }
        });
        yield_now().await;
        assert_eq!(queue.push(VecDeque::from([first])), Ok(()));
        // The worker runs before this task.
        let reading = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.push(VecDeque::from([second])) }
        });
        assert_eq!(worker.await.unwrap(), Some(vec![1, 1]));
        assert_eq!(reading.await.unwrap(), Ok(()));
    });
}

/// As long as full batches waited, a worker went from one to the next, and no connection of its
/// thread was served.
#[test]
fn a_worker_that_always_has_work_lets_others_have_their_turn() {
    let queue = queue(8, 1, Duration::ZERO);
    let (jobs, _replies): (VecDeque<_>, Vec<_>) = (0..3).map(|_| job(1)).unzip();
    assert_eq!(queue.push(jobs), Ok(()));
    let turns = Arc::new(AtomicUsize::new(0));
    runtime().block_on(async {
        let other = Arc::clone(&turns);
        tokio::spawn(async move {
            loop {
                other.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        for batch in 1..=3 {
            assert_eq!(sizes(&queue).await, Some(vec![1]));
            assert!(turns.load(Ordering::Relaxed) >= batch);
        }
    });
}

#[test]
fn a_batch_that_another_worker_took_is_empty() {
    let queue = Arc::new(queue(8, 4, Duration::ZERO));
    let (only, _reply) = job(1);
    assert_eq!(queue.push(VecDeque::from([only])), Ok(()));
    let (one, other) = runtime().block_on(async { tokio::join!(sizes(&queue), sizes(&queue)) });
    let mut taken = [one, other];
    taken.sort();
    assert_eq!(taken, [Some(vec![]), Some(vec![1])]);
}

#[test]
fn a_stream_waits_for_room_and_keeps_its_place_while_it_waits() {
    let queue = queue(2, 4, Duration::ZERO);
    let stream = queue.admit().unwrap();
    let mut replies = Vec::new();
    for _ in 0..2 {
        let (job, reply) = job(4);
        assert_eq!(queue.push(VecDeque::from([job])), Ok(()));
        replies.push(reply);
    }
    let (job, reply) = job(4);
    let Err((PushError::Full, job)) = queue.offer(stream, job) else { panic!("there was room") };
    assert_eq!(next(&queue), Some(vec![4]));
    assert!(queue.offer(stream, job).is_ok());
    // Its next job uses the place that the stream already has.
    let (more, other) = self::job(4);
    assert!(queue.offer(stream, more).is_ok());
    assert_eq!(queue.depth(), 2);
    queue.close();
    let (last, _) = self::job(4);
    assert!(matches!(queue.offer(stream, last), Err((PushError::Closed, _))));
    drop((replies, reply, other));
}

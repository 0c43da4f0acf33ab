//! The claims of queue and workers under every order of events: each accepted job is answered once,
//! with its own result or with why not, and nothing is left behind.
//!
//! Small programs of clients and workers are run again and again, each time in another order, until
//! every order was seen; those with too many are sampled. `DRSN_SCHEDULE_SECONDS` gives each of them
//! more time, as for a night.

mod explore;
mod ledger;
mod world;

use std::time::Duration;

use explore::{Explored, explore};
use world::{Op, Program, World};

/// Time for each program that has few orders, after which the test has failed.
const FEW: Duration = Duration::from_mins(2);
/// Time for each program that has many.
const MANY: Duration = Duration::from_millis(500);

fn check(name: &str, program: &Program, time: Duration) -> Explored {
    let seconds = std::env::var("DRSN_SCHEDULE_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = seconds.map_or(time, Duration::from_secs);
    let world = World::new();
    let explored = explore(time, |schedule| world.run(program, schedule));
    let share = if explored.is_all { "all" } else { "not all" };
    eprintln!("{name}: {} orders, {share}", explored.count);
    explored
}

#[test]
fn every_order_of_two_clients_and_a_worker() {
    for (name, ops) in [
        ("push", &[Op::Push(&[1, 2]), Op::Push(&[1])] as &[Op]),
        ("cancel", &[Op::Push(&[1]), Op::Push(&[2]), Op::Cancel(0)]),
        ("close", &[Op::Push(&[1, 1]), Op::Close, Op::Push(&[1])]),
        ("abandon", &[Op::Push(&[2, 1]), Op::Abandon, Op::Push(&[1])]),
        ("late", &[Op::Push(&[1]), Op::PushLate(&[1]), Op::Push(&[1])]),
        ("stream", &[Op::Admit, Op::PushFor(1), Op::PushFor(2)]),
        ("offer", &[Op::Admit, Op::Offer(1), Op::Push(&[2])]),
        ("panic", &[Op::Push(&[1]), Op::Panic, Op::Push(&[1, 2])]),
        ("fail", &[Op::Push(&[1]), Op::Fail, Op::Push(&[1, 2])]),
        ("hang", &[Op::Push(&[1, 1]), Op::GiveUp, Op::Push(&[2])]),
        ("smaller", &[Op::Push(&[2]), Op::Cap(1), Op::Push(&[1, 1])]),
    ] {
        let others = &[Op::Push(&[1]), Op::Push(&[1])];
        let program = Program { requests: 4, batch: 2, workers: 1, others, ops };
        assert!(check(name, &program, FEW).is_all, "{name} has too many orders for a test");
    }
}

#[test]
fn every_order_of_a_client_and_two_workers() {
    for (name, ops) in [
        ("push", &[Op::Push(&[1, 1, 1])] as &[Op]),
        ("two", &[Op::Push(&[1]), Op::Push(&[1, 1])]),
        ("cancel", &[Op::Push(&[1, 1]), Op::Cancel(1)]),
        ("close", &[Op::Push(&[1, 1]), Op::Close]),
        ("abandon", &[Op::Push(&[1, 1]), Op::Abandon]),
        ("panic", &[Op::Panic, Op::Push(&[1, 1])]),
        ("hang", &[Op::Push(&[1, 1]), Op::GiveUp]),
    ] {
        let program = Program { requests: 4, batch: 2, workers: 2, others: &[], ops };
        assert!(check(name, &program, FEW).is_all, "{name} has too many orders for a test");
    }
}

#[test]
fn many_orders_of_two_clients_and_two_workers() {
    for (name, ops) in [
        ("push", &[Op::Push(&[1, 1])] as &[Op]),
        ("cancel", &[Op::Push(&[1, 1]), Op::Cancel(0)]),
        ("close", &[Op::Push(&[1, 1]), Op::Close]),
        ("abandon", &[Op::Push(&[1, 1]), Op::Abandon]),
        ("late", &[Op::PushLate(&[1]), Op::Push(&[1])]),
        ("stream", &[Op::Admit, Op::PushFor(1), Op::PushFor(1)]),
        ("full", &[Op::Push(&[1]), Op::Push(&[1]), Op::Push(&[1])]),
        ("panic", &[Op::Panic, Op::Push(&[1, 1])]),
        ("hang", &[Op::Push(&[1, 1]), Op::GiveUp, Op::Push(&[1])]),
        ("hang at the end", &[Op::Push(&[1, 1]), Op::Abandon, Op::GiveUp]),
    ] {
        let others = &[Op::Push(&[1]), Op::Push(&[2])];
        let program = Program { requests: 2, batch: 2, workers: 2, others, ops };
        assert!(check(name, &program, MANY).count > 100, "{name}: too few orders");
    }
}

//! The pool of threads: every element is written once, whatever the cut, and a panic is the caller's.

use g_ghostnet::cpu::Pool;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn every_element_is_written_once_by_a_thread_of_the_pool() {
    for threads in [1, 2, 3, 8] {
        let pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads);
        for (elements, unit, parts) in
            [(0, 1, 4), (1, 1, 4), (7, 1, 3), (64, 4, 64), (65, 4, 100), (1000, 7, 6), (5, 8, 2)]
        {
            let mut y = vec![0.0; elements];
            // Many times, so that workers are met looking, asleep and at work.
            for round in 1..=200 {
                pool.split(&mut y, unit, parts, &|thread, first, range| {
                    assert!(thread < threads && first % unit == 0);
                    for (i, y) in range.iter_mut().enumerate() {
                        *y += (first + i + 1) as f32;
                    }
                });
                let expected = |i: usize| (round * (i + 1)) as f32;
                assert!(y.iter().enumerate().all(|(i, &y)| y == expected(i)), "{elements} {unit} {parts}");
            }
        }
    }
}

#[test]
fn a_panic_in_any_part_is_the_callers_and_nobody_waits_for_ever() {
    for failing in [0.0, 3.0, 7.0] {
        let pool = Pool::new(3);
        let mut y: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.split(&mut y, 1, 8, &|_, _, range| {
                std::thread::sleep(std::time::Duration::from_millis(2));
                assert!(range[0] != failing, "as planned");
            });
        }));
        assert!(result.is_err(), "{failing}");
    }
}

#[test]
fn little_work_is_not_cut() {
    assert_eq!(Pool::new(4).parts(99, 100), 1);
    assert_eq!(Pool::new(4).parts(250, 100), 2);
    assert_eq!(Pool::new(4).parts(u64::MAX, 1), 4);
    assert_eq!(Pool::default().parts(u64::MAX, 1), 1);
}

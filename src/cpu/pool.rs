//! Threads: who runs the parts of a step.
//!
//! A step's output is cut into ranges of pixels (or channels) that are written independently, by the
//! same operations as on one thread, so that results are the same to the bit for any number of threads.
//!
//! The pool is the project's own because a general one is a seventh of the whole download: the caller
//! and its workers take parts by a counter, workers look for the next step for some microseconds before
//! they sleep, and a caller whose worker crashed is told so instead of waiting for ever.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most parts of a step.
const MAX_PARTS: usize = 64;

/// What is done to each part: thread, first element of the part, the part.
pub type Work<'a> = &'a (dyn Fn(usize, usize, &mut [f32]) + Sync);

impl Pool {
    /// Into how many parts `work` units of work are worth being cut, of at least `least` each: one a thread, so
    /// that a thread finds in its own cache what it wrote a step before; with two, two threads took a fifth longer.
    #[must_use]
    pub fn parts(&self, work: u64, least: u64) -> usize {
        let most = self.threads().min(MAX_PARTS);
        most.min(usize::try_from(work / least).unwrap_or(most)).max(1)
    }

    /// Cuts `y` into at most `parts` ranges of whole `unit`s and does the work on each; a panic of a worker
    /// becomes the caller's.
    pub fn split(&self, y: &mut [f32], unit: usize, parts: usize, work: Work) {
        let units = y.len().div_ceil(unit);
        let parts = parts.min(units).min(MAX_PARTS);
        if parts <= 1 {
            return work(0, 0, y);
        }
        let (mut rest, mut first) = (y, 0);
        let ranges: [_; MAX_PARTS] = std::array::from_fn(|part| {
            let end = (units * (part + 1) / parts * unit).clamp(first, first + rest.len());
            let (range, after) = std::mem::take(&mut rest).split_at_mut(end - first);
            rest = after;
            Mutex::new((std::mem::replace(&mut first, end), range))
        });
        self.run(parts, &|thread, part| {
            let (first, range) = &mut *lock(&ranges[part]);
            work(thread, *first, range);
        });
    }
}

/// What a panic left behind is overwritten by the next run.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Without shared memory there is one thread.
#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
mod threads {
    /// The caller's own thread.
    #[derive(Default)]
    pub struct Pool {}

    impl Pool {
        /// The caller's own thread, however many are asked for.
        #[must_use]
        pub fn new(_: usize) -> Pool {
            Pool {}
        }

        /// Number of threads.
        #[must_use]
        pub fn threads(&self) -> usize {
            1
        }

        pub(super) fn run(&self, parts: usize, work: &(dyn Fn(usize, usize) + Sync)) {
            (0..parts).for_each(|part| work(0, part));
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", not(target_feature = "atomics"))))]
mod threads {
    use super::lock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Condvar, Mutex, PoisonError};

    /// How often a thread looks before it sleeps: some 100 us, longer than what one thread does alone between
    /// two steps; waking up takes half of that.
    const LOOKS: usize = 50_000;

    /// The caller's thread and its workers.
    #[derive(Default)]
    pub struct Pool {
        shared: Option<Arc<Shared>>,
        workers: usize,
        #[cfg(not(target_arch = "wasm32"))]
        handles: Vec<std::thread::JoinHandle<()>>,
    }

    /// `work(thread, part)`; see [`erase`] for how long it lives.
    #[derive(Clone, Copy)]
    struct Job {
        work: &'static (dyn Fn(usize, usize) + Sync),
        parts: usize,
    }

    #[derive(Default)]
    struct State {
        job: Option<Job>,
        /// Whether the pool is gone.
        ended: bool,
        /// Whether a worker panicked or trapped: what it was to do never gets done.
        failed: bool,
    }

    #[derive(Default)]
    struct Shared {
        state: Mutex<State>,
        changed: Condvar,
        /// Number of the job, for those who look; it changes with the state locked.
        count: AtomicUsize,
        /// Workers that have the job; changes with the state locked.
        at_work: AtomicUsize,
        /// Next part of the job.
        next: AtomicUsize,
    }

    impl Pool {
        /// The caller's thread with `threads - 1` more, or as many as can be started.
        #[must_use]
        pub fn new(threads: usize) -> Pool {
            let mut pool = Pool::default();
            if threads < 2 {
                return pool;
            }
            let shared = Arc::new(Shared::default());
            #[cfg(target_arch = "wasm32")]
            {
                pool.workers = workers::take(threads - 1, &shared);
            }
            #[cfg(not(target_arch = "wasm32"))]
            for thread in 1..threads {
                let shared = Arc::clone(&shared);
                let serve = move || shared.serve(thread);
                pool.handles.extend(std::thread::Builder::new().spawn(serve));
                pool.workers = pool.handles.len();
            }
            pool.shared = (pool.workers > 0).then_some(shared);
            pool
        }

        /// Number of threads.
        #[must_use]
        pub fn threads(&self) -> usize {
            1 + self.workers
        }

        /// Does every part, and returns when all are done.
        pub(super) fn run(&self, parts: usize, work: &(dyn Fn(usize, usize) + Sync)) {
            match &self.shared {
                None => (0..parts).for_each(|part| work(0, part)),
                Some(shared) => shared.run(parts, work),
            }
        }
    }

    impl Drop for Pool {
        fn drop(&mut self) {
            if let Some(shared) = &self.shared {
                shared.change(|state| state.ended = true);
            }
            #[cfg(target_arch = "wasm32")]
            workers::give_back(self.workers);
            #[cfg(not(target_arch = "wasm32"))]
            for handle in self.handles.drain(..) {
                // A worker's panic was the caller's already.
                let _ = handle.join();
            }
        }
    }

    impl Shared {
        fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
            let result = change(&mut lock(&self.state));
            self.changed.notify_all();
            result
        }

        /// Looks for a while, then sleeps, until `found` finds something.
        fn wait<T>(&self, seen: impl Fn() -> bool, mut found: impl FnMut(&mut State) -> Option<T>) -> T {
            for _ in 0..LOOKS {
                if seen() {
                    break;
                }
                std::hint::spin_loop();
            }
            let mut state = lock(&self.state);
            loop {
                if let Some(result) = found(&mut state) {
                    return result;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }

        fn run(&self, parts: usize, work: &(dyn Fn(usize, usize) + Sync)) {
            /// Takes the job back on every way out, panics too.
            struct Revoke<'a>(&'a Shared);
            impl Drop for Revoke<'_> {
                fn drop(&mut self) {
                    self.0.revoke();
                }
            }
            let job = Job { work: erase(work), parts };
            self.change(|state| {
                state.job = Some(job);
                self.next.store(0, Ordering::Relaxed);
                self.count.fetch_add(1, Ordering::Release);
            });
            let _revoke = Revoke(self);
            self.take_parts(0, job);
        }

        /// Waits until no worker has the job; nobody can take it after.
        fn revoke(&self) {
            let all_left = || self.at_work.load(Ordering::Acquire) == 0;
            let failed = self.wait(all_left, |state| {
                state.job = None;
                // A worker that trapped in wasm never leaves.
                let over = all_left() || (cfg!(target_arch = "wasm32") && state.failed);
                over.then_some(state.failed)
            });
            if failed && !std::thread::panicking() {
                panic!("a thread of the engine crashed");
            }
        }

        fn take_parts(&self, thread: usize, job: Job) {
            loop {
                let part = self.next.fetch_add(1, Ordering::Relaxed);
                if part >= job.parts {
                    return;
                }
                (job.work)(thread, part);
            }
        }

        /// What a worker does until the pool ends.
        fn serve(&self, thread: usize) {
            /// Leaves the job, as failed where the work panics.
            struct Leave<'a>(&'a Shared);
            impl Drop for Leave<'_> {
                fn drop(&mut self) {
                    self.0.change(|state| {
                        self.0.at_work.fetch_sub(1, Ordering::Release);
                        state.failed |= std::thread::panicking();
                    });
                }
            }
            let mut last = 0;
            loop {
                let next = self.wait(
                    || self.count.load(Ordering::Acquire) != last,
                    |state| {
                        let count = self.count.load(Ordering::Acquire);
                        match state.job {
                            _ if state.ended => Some(None),
                            Some(job) if count != last => {
                                self.at_work.fetch_add(1, Ordering::Relaxed);
                                Some(Some((job, count)))
                            }
                            _ => None,
                        }
                    },
                );
                let Some((job, count)) = next else { return };
                last = count;
                let _leave = Leave(self);
                self.take_parts(thread, job);
            }
        }
    }

    /// Lets workers hold on to the work of one run.
    #[allow(unsafe_code, reason = "scoped threads cannot be had from workers")]
    fn erase<'a>(work: &'a (dyn Fn(usize, usize) + Sync)) -> &'static (dyn Fn(usize, usize) + Sync) {
        // SAFETY: the reference is in `State::job` only, whence workers copy it with the state locked and
        // count themselves in. `Shared::run`, which has the original, does not end, not by a panic either,
        // before `revoke` has taken it out of the state and has seen that no worker has a copy. The one
        // exception is a trap of a worker in wasm, after which the caller traps too and nothing of the
        // instance is used again.
        unsafe { std::mem::transmute::<&'a (dyn Fn(usize, usize) + Sync), _>(work) }
    }

    /// Web workers: the page starts them, each waits here for a pool.
    #[cfg(target_arch = "wasm32")]
    pub mod workers {
        use super::{Arc, Condvar, Mutex, PoisonError, Shared, lock};

        struct Workers {
            /// Those that no pool has.
            free: usize,
            /// Pools that are still to be joined, and as which thread.
            joining: Vec<(Arc<Shared>, usize)>,
            /// All pools there were; a trap is everybody's.
            pools: Vec<Arc<Shared>>,
        }

        static WORKERS: Mutex<Workers> =
            Mutex::new(Workers { free: 0, joining: Vec::new(), pools: Vec::new() });
        static JOIN: Condvar = Condvar::new();

        /// Sends up to `wanted` free workers to a pool; their number.
        pub(super) fn take(wanted: usize, pool: &Arc<Shared>) -> usize {
            let mut workers = lock(&WORKERS);
            let taken = wanted.min(workers.free);
            workers.free -= taken;
            workers.joining.extend((1..=taken).map(|thread| (Arc::clone(pool), thread)));
            workers.pools.retain(|pool| !lock(&pool.state).ended);
            workers.pools.push(Arc::clone(pool));
            JOIN.notify_all();
            taken
        }

        pub(super) fn give_back(count: usize) {
            lock(&WORKERS).free += count;
        }

        /// `count` more workers are about to call [`serve`].
        pub fn offer(count: usize) {
            lock(&WORKERS).free += count;
        }

        /// What a worker does for the rest of its life: serve one pool after the other.
        pub fn serve() {
            let mut workers = lock(&WORKERS);
            loop {
                match workers.joining.pop() {
                    Some((pool, thread)) => {
                        drop(workers);
                        pool.serve(thread);
                        workers = lock(&WORKERS);
                    }
                    None => workers = JOIN.wait(workers).unwrap_or_else(PoisonError::into_inner),
                }
            }
        }

        /// A worker trapped; whoever waits for it must know.
        pub fn fail() {
            for pool in &lock(&WORKERS).pools {
                pool.change(|state| state.failed = true);
            }
        }
    }
}

pub use threads::Pool;
#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
pub use threads::workers;

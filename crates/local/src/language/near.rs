//! Vectors of a base, and the passages nearest in meaning of a large one: a graph of neighbours instead of a look at every
//! vector.
//!
//! All vectors of a table have one width, that of the space that they lie in. The graph is one of hierarchical navigable small
//! worlds (Malkov and Yashunin, 2018). It holds each vector in a byte a number, which is near enough to walk by; whoever asks
//! ranks what it found by the whole vectors. One thread builds it, so that the same passages in the same order make the same
//! graph.

use super::embed::cosine;
use instant_distance::{Builder, HnswMap, Point, Search};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Neighbours that are kept in sight while the graph is built, and while it is searched: more finds more and takes longer.
const BUILD_BREADTH: usize = 80;
const SEARCH_BREADTH: usize = 200;
/// The levels of the graph are drawn from this.
const SEED: u64 = 0x66_72_6f_6e_74;
/// Searches that keep their memory for the next one.
const IDLE_SEARCHES_MAX: usize = 4;

/// Vectors in a byte a number, one after the other.
#[derive(Clone, Debug, Default)]
struct Bytes {
    numbers: Vec<i8>,
    /// What a byte of each vector is worth.
    steps: Vec<f32>,
}

impl Bytes {
    /// The nearest to a vector that bytes can say.
    fn push(&mut self, vector: &[f32]) {
        let most = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs())).max(f32::MIN_POSITIVE);
        let step = most / f32::from(i8::MAX);
        self.numbers.extend(vector.iter().map(|x| (x / step).round() as i8));
        self.steps.push(step);
    }

    fn of(vector: &[f32]) -> Self {
        let mut one = Self::default();
        one.push(vector);
        one
    }

    fn row(&self, width: usize, at: usize) -> (&[i8], f32) {
        (&self.numbers[at * width..(at + 1) * width], self.steps[at])
    }

    fn memory_bytes(&self) -> usize {
        self.numbers.len() + self.steps.len() * size_of::<f32>()
    }
}

/// Cosine of two vectors in bytes.
fn cosine_of_bytes((a, a_step): (&[i8], f32), (b, b_step): (&[i8], f32)) -> f32 {
    let mut sums = [0_i32; LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += i32::from(i16::from(x[lane]) * i16::from(y[lane]));
        }
    }
    let rest: i32 = rest_a.iter().zip(rest_b).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
    (sums.iter().sum::<i32>() + rest) as f32 * a_step * b_step
}

const LANES: usize = 16;

/// Vectors of length one, all of one width: whole, or in a byte a number.
#[derive(Debug)]
pub struct Table {
    width: usize,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    Whole(Vec<f32>),
    Bytes(Bytes),
}

/// A question, ready to be compared with vectors of either kind.
#[derive(Debug)]
pub struct Query<'a> {
    /// As the model gave it.
    pub whole: &'a [f32],
    bytes: Bytes,
}

impl<'a> Query<'a> {
    /// Prepares it.
    pub fn new(whole: &'a [f32]) -> Self {
        Self { whole, bytes: Bytes::of(whole) }
    }
}

impl Table {
    /// Begins, with whole vectors of this width.
    pub const fn new(width: usize) -> Self {
        Self { width, numbers: Numbers::Whole(Vec::new()) }
    }

    /// Numbers in one vector.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Adds vectors of this width, one after the other.
    pub fn extend(&mut self, vectors: &[f32]) {
        match &mut self.numbers {
            Numbers::Whole(all) => all.extend_from_slice(vectors),
            Numbers::Bytes(all) => vectors.chunks_exact(self.width).for_each(|vector| all.push(vector)),
        }
    }

    /// Keeps bytes from now on.
    pub fn shorten(&mut self) {
        if let Numbers::Whole(all) = &self.numbers {
            let mut bytes = Bytes::default();
            all.chunks_exact(self.width).for_each(|vector| bytes.push(vector));
            self.numbers = Numbers::Bytes(bytes);
        }
    }

    /// Cosine of the one at a place and a question.
    pub fn cosine(&self, at: usize, query: &Query<'_>) -> f32 {
        match &self.numbers {
            Numbers::Whole(all) => cosine(&all[at * self.width..(at + 1) * self.width], query.whole),
            Numbers::Bytes(all) => cosine_of_bytes(all.row(self.width, at), query.bytes.row(self.width, 0)),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Whole(all) => all.len() / self.width,
            Numbers::Bytes(all) => all.steps.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that they take.
    pub fn memory_bytes(&self) -> usize {
        match &self.numbers {
            Numbers::Whole(all) => size_of_val(all.as_slice()),
            Numbers::Bytes(all) => all.memory_bytes(),
        }
    }

    fn bytes(&self) -> Bytes {
        match &self.numbers {
            Numbers::Whole(all) => {
                let mut bytes = Bytes::default();
                bytes.numbers.reserve_exact(all.len());
                all.chunks_exact(self.width).for_each(|vector| bytes.push(vector));
                bytes
            }
            Numbers::Bytes(all) => all.clone(),
        }
    }
}

/// One vector of many that lie together: a graph holds its points by value, and a vector in a box of its own would cost more.
#[derive(Clone)]
struct Row {
    all: Arc<(usize, Bytes)>,
    at: u32,
}

impl Row {
    fn bytes(&self) -> (&[i8], f32) {
        self.all.1.row(self.all.0, self.at as usize)
    }
}

impl Point for Row {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - cosine_of_bytes(self.bytes(), other.bytes())
    }
}

/// A graph of neighbours over vectors.
pub struct Near {
    graph: HnswMap<Row, u32>,
    width: usize,
    idle: Mutex<Vec<Search>>,
}

impl fmt::Debug for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Near({})", self.graph.values.len())
    }
}

impl Near {
    /// Links vectors with their neighbours: about a millisecond of one core for each.
    ///
    /// # Errors
    /// When no thread can be started for it.
    pub fn build(vectors: &Table) -> Result<Self, String> {
        let (width, count) = (vectors.width(), u32::try_from(vectors.len()).unwrap_or(u32::MAX));
        let all = Arc::new((width, vectors.bytes()));
        let points = (0..count).map(|at| Row { all: Arc::clone(&all), at }).collect();
        let builder = Builder::default().seed(SEED).ef_construction(BUILD_BREADTH).ef_search(SEARCH_BREADTH);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| error.to_string())?;
        let graph = one.install(|| builder.build(points, (0..count).collect()));
        Ok(Self { graph, width, idle: Mutex::default() })
    }

    /// Places of the vectors that are nearest, as far as the graph tells, the nearest first.
    pub fn search(&self, query: &Query<'_>, count: usize) -> Vec<usize> {
        let mut search = self.lock().pop().unwrap_or_default();
        let point = Row { all: Arc::new((self.width, query.bytes.clone())), at: 0 };
        let found = self.graph.search(&point, &mut search).take(count).map(|item| *item.value as usize);
        let found = found.collect();
        let mut idle = self.lock();
        if idle.len() < IDLE_SEARCHES_MAX {
            idle.push(search);
        }
        found
    }

    /// Vectors in it.
    pub fn len(&self) -> usize {
        self.graph.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.graph.values.is_empty()
    }

    /// Bytes that it takes, about: the vectors in bytes, 64 neighbours of each in the lowest layer, half as many of a share
    /// of them in each layer above.
    pub fn memory_bytes(&self) -> usize {
        const NEIGHBOURS: usize = 64 * size_of::<u32>();
        let vector = self.width + size_of::<f32>() + size_of::<Row>();
        self.len() * (vector + NEIGHBOURS + NEIGHBOURS / 4 + size_of::<u32>())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Search>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Vectors of length one that come in groups, the same for the same seed: what stands in for texts where a million are needed.
pub mod synthetic {
    use super::super::embed::{EMBEDDING_WIDTH, Embedding};

    /// A stream of numbers. Not for secrets: xorshift (Marsaglia, 2003).
    #[derive(Clone, Debug)]
    pub struct Numbers(u64);

    impl Numbers {
        /// Begins.
        pub const fn new(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
        }

        /// The next one, from 0 to 1.
        pub fn unit(&mut self) -> f32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1_u64 << 24) as f32
        }

        /// About a normal distribution: the sum of four.
        pub fn normal(&mut self) -> f32 {
            (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.73
        }
    }

    /// A vector of length one near `middle`; `spread` 0 is the middle, 1 as far as the middle is long.
    pub fn near(middle: &Embedding, spread: f32, numbers: &mut Numbers) -> Embedding {
        let noise = spread / (EMBEDDING_WIDTH as f32).sqrt();
        let mut vector = middle.map(|x| x + noise * numbers.normal());
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::super::embed::{EMBEDDING_WIDTH, Embedding};
    use super::synthetic::{Numbers, near};
    use super::*;

    fn base(count: usize) -> (Table, Vec<Embedding>) {
        let mut numbers = Numbers::new(7);
        let middles: Vec<Embedding> = (0..40).map(|_| near(&[0.0; EMBEDDING_WIDTH], 1.0, &mut numbers)).collect();
        let mut vectors = Table::new(EMBEDDING_WIDTH);
        (0..count).for_each(|at| vectors.extend(&near(&middles[at % 40], 0.8, &mut numbers)));
        let asked = (0..20).map(|at| near(&middles[at], 0.8, &mut numbers)).collect();
        (vectors, asked)
    }

    #[test]
    fn the_graph_leads_to_what_a_look_at_all_finds() {
        let (vectors, asked) = base(2_000);
        let graph = Near::build(&vectors).expect("built");
        let mut found = 0;
        for query in asked.iter().map(|one| Query::new(one)) {
            let mut exact: Vec<usize> = (0..vectors.len()).collect();
            exact.sort_by(|&a, &b| vectors.cosine(b, &query).total_cmp(&vectors.cosine(a, &query)));
            let near = graph.search(&query, 64);
            found += exact[..10].iter().filter(|at| near.contains(at)).count();
        }
        assert!(found >= asked.len() * 10 * 95 / 100, "{found} of {}", asked.len() * 10);
    }

    #[test]
    fn the_same_vectors_make_the_same_graph() {
        let (vectors, asked) = base(1_000);
        let [one, other] = [0, 1].map(|_| Near::build(&vectors).expect("built"));
        for query in asked.iter().map(|one| Query::new(one)) {
            assert_eq!(one.search(&query, 30), other.search(&query, 30));
        }
        let empty = Near::build(&Table::new(EMBEDDING_WIDTH)).expect("built");
        assert!(empty.search(&Query::new(&asked[0]), 5).is_empty());
    }

    #[test]
    fn a_byte_a_number_says_nearly_the_same() {
        let (mut vectors, asked) = base(100);
        let query = Query::new(&asked[0]);
        let exact: Vec<f32> = (0..vectors.len()).map(|at| vectors.cosine(at, &query)).collect();
        let whole_bytes = vectors.memory_bytes();
        vectors.shorten();
        for (at, exact) in exact.into_iter().enumerate() {
            assert!((vectors.cosine(at, &query) - exact).abs() < 0.01);
        }
        assert!(vectors.len() == 100 && vectors.memory_bytes() < whole_bytes / 3);
    }

    #[test]
    fn a_width_that_fills_no_lanes_counts_to_its_end() {
        let mut vectors = Table::new(19);
        let one: Vec<f32> = (0..19).map(|at| if at == 18 { 1.0 } else { 0.0 }).collect();
        vectors.extend(&one);
        let query = Query::new(&one);
        assert!((vectors.cosine(0, &query) - 1.0).abs() < 1e-6);
        vectors.shorten();
        assert!((vectors.cosine(0, &query) - 1.0).abs() < 0.01);
    }
}

//! The passages nearest in meaning of a large base: a graph of neighbours instead of a look at every vector.
//!
//! Hierarchical navigable small worlds (Malkov and Yashunin, 2018). The graph holds each vector in a byte a number, which is
//! near enough to walk by; whoever asks ranks what it found by the whole vectors. One thread builds it, so that the same
//! passages in the same order make the same graph.

use super::embed::{EMBEDDING_WIDTH, Embedding};
use instant_distance::{Builder, HnswMap, Point, Search};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Neighbours that are kept in sight while the graph is built, and while it is searched: more finds more and takes longer.
const BUILD_BREADTH: usize = 80;
const SEARCH_BREADTH: usize = 200;
/// The levels of the graph are drawn from this.
const SEED: u64 = 0x66_72_6f_6e_74;
/// Searches that keep their memory for the next one.
const IDLE_SEARCHES_MAX: usize = 4;

/// A vector of length one in a byte a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Short {
    bytes: [i8; EMBEDDING_WIDTH],
    step: f32,
}

impl Short {
    /// The nearest that bytes can say.
    pub fn of(vector: &Embedding) -> Self {
        let most = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs())).max(f32::MIN_POSITIVE);
        let step = most / f32::from(i8::MAX);
        Self { bytes: vector.map(|x| (x / step).round() as i8), step }
    }

    /// Cosine of two.
    pub fn cosine(&self, other: &Self) -> f32 {
        let mut sums = [0_i32; LANES];
        for (x, y) in self.bytes.as_chunks::<LANES>().0.iter().zip(other.bytes.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                sums[lane] += i32::from(i16::from(x[lane]) * i16::from(y[lane]));
            }
        }
        sums.iter().sum::<i32>() as f32 * self.step * other.step
    }
}

const LANES: usize = 16;
const _: () = assert!(EMBEDDING_WIDTH.is_multiple_of(LANES));

impl Point for Short {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - self.cosine(other)
    }
}

/// A graph of neighbours over vectors.
pub struct Near {
    graph: HnswMap<Short, u32>,
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
    pub fn build<'a>(vectors: impl Iterator<Item = &'a Embedding>) -> Result<Self, String> {
        let points: Vec<Short> = vectors.map(Short::of).collect();
        let places = (0..u32::try_from(points.len()).unwrap_or(u32::MAX)).collect();
        let builder = Builder::default().seed(SEED).ef_construction(BUILD_BREADTH).ef_search(SEARCH_BREADTH);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| error.to_string())?;
        let graph = one.install(|| builder.build(points, places));
        Ok(Self { graph, idle: Mutex::default() })
    }

    /// Places of the vectors that are nearest, as far as the graph tells, the nearest first.
    pub fn search(&self, query: &Embedding, count: usize) -> Vec<usize> {
        let mut search = self.lock().pop().unwrap_or_default();
        let found = self.graph.search(&Short::of(query), &mut search).take(count).map(|item| *item.value as usize);
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
        self.len() * (size_of::<Short>() + NEIGHBOURS + NEIGHBOURS / 4 + size_of::<u32>())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Search>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Vectors of a base: whole in a small one, in bytes in a large one.
#[derive(Debug)]
pub enum Vectors {
    /// As the model gave them.
    Whole(Vec<Embedding>),
    /// In a byte a number.
    Bytes(Vec<Short>),
}

/// A question, ready to be compared with either.
#[derive(Debug)]
pub struct Asked<'a> {
    /// As the model gave it.
    pub whole: &'a Embedding,
    bytes: Short,
}

impl<'a> Asked<'a> {
    /// Prepares it.
    pub fn new(whole: &'a Embedding) -> Self {
        Self { whole, bytes: Short::of(whole) }
    }
}

impl Vectors {
    /// Adds one.
    pub fn push(&mut self, vector: &Embedding) {
        match self {
            Self::Whole(all) => all.push(*vector),
            Self::Bytes(all) => all.push(Short::of(vector)),
        }
    }

    /// Keeps bytes from now on.
    pub fn shorten(&mut self) {
        if let Self::Whole(all) = self {
            *self = Self::Bytes(all.iter().map(Short::of).collect());
        }
    }

    /// Cosine of the one at a place and a question.
    pub fn cosine(&self, at: usize, asked: &Asked<'_>) -> f32 {
        match self {
            Self::Whole(all) => super::embed::cosine(&all[at], asked.whole),
            Self::Bytes(all) => all[at].cosine(&asked.bytes),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(all) => all.len(),
            Self::Bytes(all) => all.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that they take.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Whole(all) => all.len() * size_of::<Embedding>(),
            Self::Bytes(all) => all.len() * size_of::<Short>(),
        }
    }
}

/// Vectors of length one that come in groups, the same for the same seed: what stands in for texts where a million are needed.
pub mod synthetic {
    use super::{EMBEDDING_WIDTH, Embedding};

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
    use super::super::embed::cosine;
    use super::synthetic::{Numbers, near};
    use super::*;

    fn base(count: usize) -> (Vec<Embedding>, Vec<Embedding>) {
        let mut numbers = Numbers::new(7);
        let middles: Vec<Embedding> = (0..40).map(|_| near(&[0.0; EMBEDDING_WIDTH], 1.0, &mut numbers)).collect();
        let vectors = (0..count).map(|at| near(&middles[at % 40], 0.8, &mut numbers)).collect();
        let asked = (0..20).map(|at| near(&middles[at], 0.8, &mut numbers)).collect();
        (vectors, asked)
    }

    #[test]
    fn the_graph_leads_to_what_a_look_at_all_finds() {
        let (vectors, asked) = base(2_000);
        let graph = Near::build(vectors.iter()).expect("built");
        let mut found = 0;
        for query in &asked {
            let mut exact: Vec<usize> = (0..vectors.len()).collect();
            exact.sort_by(|&a, &b| cosine(query, &vectors[b]).total_cmp(&cosine(query, &vectors[a])));
            let near = graph.search(query, 64);
            found += exact[..10].iter().filter(|at| near.contains(at)).count();
        }
        assert!(found >= asked.len() * 10 * 95 / 100, "{found} of {}", asked.len() * 10);
    }

    #[test]
    fn the_same_vectors_make_the_same_graph() {
        let (vectors, asked) = base(1_000);
        let [one, other] = [0, 1].map(|_| Near::build(vectors.iter()).expect("built"));
        for query in &asked {
            assert_eq!(one.search(query, 30), other.search(query, 30));
        }
        assert!(Near::build(std::iter::empty()).expect("built").search(&asked[0], 5).is_empty());
    }

    #[test]
    fn a_byte_a_number_says_nearly_the_same() {
        let (vectors, asked) = base(100);
        for vector in &vectors {
            let exact = cosine(vector, &asked[0]);
            assert!((Short::of(vector).cosine(&Short::of(&asked[0])) - exact).abs() < 0.01);
        }
    }
}

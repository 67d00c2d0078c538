//! Mutations of seeds: the same inputs on every machine.

/// Bytes that are often at the edge of something.
const EDGES: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'\r', b'\n', b' ', b'"', b'{', b';', b'0'];
/// Numbers that are often too large.
const NUMBERS: [&[u8]; 5] = [b"0", b"-1", b"65536", b"4294967296", b"99999999999999999999"];
/// Longer inputs are another target's matter: of limits, not of parsers.
const BYTES_MAX: usize = 20_000;

/// Makes inputs of seeds.
#[derive(Clone, Debug)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    /// From these seeds; `number` names the sequence.
    pub fn new(seeds: Vec<Vec<u8>>, number: u64) -> Self {
        Self { seeds, state: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut bytes = self.seed();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn seed(&mut self) -> Vec<u8> {
        let index = self.below(self.seeds.len().max(1));
        self.seeds.get(index).cloned().unwrap_or_default()
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let to = (at + self.below(32)).min(bytes.len());
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = EDGES[self.below(EDGES.len())],
            2 => bytes.insert(at, EDGES[self.below(EDGES.len())]),
            3 => drop(bytes.drain(at..to)),
            4 => bytes.truncate(at),
            5 => {
                let piece = bytes[at..to].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                bytes.splice(at.., other[from..].iter().copied());
            }
            7 => {
                // The digits behind this place become another number.
                let begins = bytes[at..].iter().position(u8::is_ascii_digit).map_or(at, |offset| at + offset);
                let ends = bytes[begins..].iter().position(|byte| !byte.is_ascii_digit());
                let ends = ends.map_or(bytes.len(), |offset| begins + offset);
                bytes.splice(begins..ends, NUMBERS[self.below(NUMBERS.len())].iter().copied());
            }
            _ => bytes.splice(at..to, std::iter::repeat_n(b'x', 600)).for_each(drop),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*, by Vigna: nothing here needs better numbers.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        (number % bound.max(1) as u64) as usize
    }
}

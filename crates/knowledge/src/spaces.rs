//! In which spaces the passages of a version have vectors, and where each of them lies.
//!
//! A passage always has vectors of this machine's model. A business may choose a service that makes further ones; they lie behind,
//! so that both are written and deleted with their passage, and the old ones serve while new ones are made. A further space is
//! named with its width (`acme/embed-3:1536`), because a service makes vectors of several widths that say nothing about each other.

/// Separates the names of spaces in the row of a version.
const BETWEEN: char = ' ';

/// The name of a further space: who makes its vectors with which model, and how wide they are.
pub fn named(model: &str, width: usize) -> String {
    format!("{}:{width}", model.replace(char::is_whitespace, "_"))
}

/// How wide the vectors of a further space are.
pub fn width(space: &str) -> Option<usize> {
    space.rsplit_once(':')?.1.parse().ok()
}

/// What the row of a version says when its passages have vectors in these spaces.
pub fn written(own: &str, further: &[String]) -> String {
    std::iter::once(own).chain(further.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// Whether the row of a version says that its passages have vectors in a space.
pub fn has(written: &str, space: &str) -> bool {
    written.split(BETWEEN).any(|one| one == space)
}

/// The vectors that a passage of so many texts has in a space, one after the other; `None` when it has none there.
pub fn vectors_in<'a>(written: &str, bytes: &'a [u8], texts: usize, space: &str) -> Option<&'a [u8]> {
    let mut spaces = written.split(BETWEEN);
    let own = spaces.next()?;
    let sizes: Vec<(&str, usize)> =
        spaces.map(|one| Some((one, texts * width(one)? * size_of::<f32>()))).collect::<Option<_>>()?;
    let behind: usize = sizes.iter().map(|(_, size)| size).sum();
    let mut from = bytes.len().checked_sub(behind)?;
    if own == space {
        return bytes.get(..from);
    }
    for (one, size) in sizes {
        if one == space {
            return bytes.get(from..from + size);
        }
        from += size;
    }
    None
}

/// Numbers out of their bytes.
pub fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_space_has_its_own_vectors_whatever_their_width() {
        let further = [named("acme/embed 3", 2), named("other/m:latest", 1)];
        assert_eq!(further, ["acme/embed_3:2", "other/m:latest:1"]);
        let row = written("own", &further);
        // Two texts: own vectors of width 3, then 2, then 1.
        let bytes: Vec<u8> = (0..12_u8).flat_map(|at| f32::from(at).to_le_bytes()).collect();
        let of = |space: &str| vectors_in(&row, &bytes, 2, space).map(numbers);
        assert_eq!(of("own"), Some(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        assert_eq!(of(&further[0]), Some(vec![6.0, 7.0, 8.0, 9.0]));
        assert_eq!(of(&further[1]), Some(vec![10.0, 11.0]));
        assert_eq!(of("acme/embed_3:4"), None, "the same model in another width is another space");
        assert!(has(&row, "own") && has(&row, &further[1]) && !has(&row, "acme/embed_3"));
        assert_eq!(vectors_in("own", &bytes, 2, "own").map(<[u8]>::len), Some(48));
        assert_eq!(vectors_in(&row, &bytes[..16], 2, "own"), None, "what was cut off is not taken for something else");
    }
}

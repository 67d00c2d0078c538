//! Sets of questions of which the right passage is known.

use crate::chunk::chunks;
use crate::document::{Kind, Part, Structured};
use crate::ingest::passage;
use model::passage::Passage;
use serde::Deserialize;

/// Passages, and questions with the document that answers each; `None` when none does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuestionSet {
    /// What is searched. The document of a passage is the name that questions expect.
    pub passages: Vec<Passage>,
    /// Questions that have an answer, and as many as asked for that have none.
    pub questions: Vec<(Option<String>, String)>,
}

#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    title: String,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    is_impossible: bool,
}

/// Reads a file of SQuAD 2.0 (Rajpurkar, Jia and Liang, 2018): each paragraph is a document. At most so many questions,
/// half of them without an answer, taken evenly from the whole file.
pub fn squad(json: &str, questions_max: usize) -> Result<QuestionSet, serde_json::Error> {
    let file: Squad = serde_json::from_str(json)?;
    let mut set = QuestionSet::default();
    let (mut answerable, mut impossible) = (Vec::new(), Vec::new());
    for article in file.data {
        for (at, paragraph) in article.paragraphs.into_iter().enumerate() {
            let name = format!("{} {}", article.title, at + 1);
            let mut document = Structured::new(Kind::Text);
            document.push(None, Part::Heading { level: 2, text: article.title.replace('_', " ") });
            document.push(None, Part::Paragraph(paragraph.context));
            set.passages.extend(chunks(&document).iter().map(|chunk| passage(chunk, &name)));
            for asked in paragraph.qas {
                if asked.is_impossible {
                    impossible.push((None, asked.question));
                } else {
                    answerable.push((Some(name.clone()), asked.question));
                }
            }
        }
    }
    set.questions = evenly(answerable, questions_max / 2);
    set.questions.extend(evenly(impossible, questions_max / 2));
    Ok(set)
}

fn evenly<T>(all: Vec<T>, count: usize) -> Vec<T> {
    let (total, count) = (all.len(), count.min(all.len()));
    let chosen = move |at: usize| total > 0 && (at * count) / total != ((at + 1) * count) / total;
    all.into_iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_and_thinned_evenly() {
        let json = r#"{"data":[{"title":"Old_Town","paragraphs":[{"context":"The tower is old. It was built in 1400.","qas":[
            {"question":"When was it built?","is_impossible":false},{"question":"Who built it?","is_impossible":true}]}]}]}"#;
        let set = squad(json, 100).expect("it is read");
        assert_eq!((set.passages[0].heading.as_str(), set.passages[0].document.as_str()), ("Old Town", "Old_Town 1"));
        assert_eq!(
            set.questions,
            [(Some("Old_Town 1".into()), "When was it built?".into()), (None, "Who built it?".into())]
        );
        assert_eq!(evenly((0..10).collect(), 3).len(), 3);
        assert!(squad("{}", 1).is_err());
    }
}

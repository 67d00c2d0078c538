//! Measures retrieval and its cost: the demonstration business, a SQuAD 2.0 file, an index of 5,000 chunks, parsing of a PDF.
//!
//! `cargo run -p knowledge --example measure -- [FILE of SQuAD 2.0] [questions]`. Models are looked for in
//! `$FRONTDESK_MODELS`, else in `~/.local/share/frontdesk/models`. A PDF of 200 pages is parsed, or the one that
//! `$FRONTDESK_PDF` names.

use knowledge::chunk::chunks;
use knowledge::evaluation::squad;
use knowledge::ingest::passage;
use knowledge::parse::parse;
use local::language::evaluation::{Measured, Question, cross_validate, measure, read_questions};
use local::language::gate::Features;
use local::language::knowledge::{Breadth, Made};
use local::language::{Gate, Knowledge, LanguageModels};
use local::models::ModelDir;
use model::passage::Passage;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// Chunks of the index whose cost is measured, and questions that it is asked.
const LARGE: usize = 5_000;
const LARGE_QUESTIONS: usize = 60;
/// Pages of the PDF that is parsed when none is given.
const PDF_PAGES: usize = 200;

fn cpu_ms() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e6
}

/// The same questions at several breadths.
fn variants(
    models: &LanguageModels,
    mut index: Knowledge,
    questions: &[Question],
) -> Result<Knowledge, Box<dyn Error>> {
    if std::env::var_os("FRONTDESK_VARIANTS").is_none() {
        return Ok(index);
    }
    for (dense, bm25, words_max, prune) in
        [(5, 3, 60, false), (5, 3, 60, true), (5, 3, 40, true), (5, 3, 30, true), (5, 5, 40, true), (4, 2, 40, true)]
    {
        let breadth = Breadth { dense, bm25, words_max, prune };
        index = index.with_breadth(breadth);
        println!("{breadth:?}");
        print!("{}", measure(models, &index, questions, &Made::default())?);
    }
    Ok(index)
}

/// For gates that never saw the question: which share of answerable and unanswerable questions is declined, by threshold.
fn thresholds(gate: &Gate, questions: &[Question], examples: &[(Features, bool)]) {
    const FOLDS: usize = 10;
    let mut probabilities = vec![0.0; examples.len()];
    for fold in 0..FOLDS {
        let others = examples.iter().enumerate().filter(|(at, _)| at % FOLDS != fold).map(|(_, one)| *one);
        let fitted = gate.fit(&others.collect::<Vec<_>>());
        for at in (fold..examples.len()).step_by(FOLDS) {
            probabilities[at] = fitted.probability(&examples[at].0);
        }
    }
    shares(questions, &probabilities);
}

/// Which share of answerable and unanswerable questions is declined, by threshold.
fn shares(questions: &[Question], probabilities: &[f32]) {
    for step in 2..=14 {
        let from = step as f32 * 0.05;
        let share = |answerable: bool| {
            let of: Vec<f32> = questions
                .iter()
                .zip(probabilities)
                .filter(|(question, _)| question.section.is_some() == answerable)
                .map(|(_, probability)| *probability)
                .collect();
            of.iter().filter(|probability| **probability < from).count() as f64 / of.len().max(1) as f64
        };
        println!("  below {from:.2}: {:.3} of the answerable, {:.3} of the unanswerable", share(true), share(false));
    }
}

/// Three help pages of other fields with questions that share few words with them: how they are answered, and what a gate that was
/// fitted on them alone says of the questions of the demonstration.
fn elsewhere(models: &LanguageModels, asked: &[Question], known: &Measured) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/knowledge/questions");
    let mut examples = Vec::new();
    for name in ["dentist", "hotel", "internet"] {
        let page = parse(&std::fs::read(folder.join(format!("{name}.md")))?, "help.md")?;
        let passages = chunks(&page).iter().map(|chunk| passage(chunk, name)).collect();
        let index = Knowledge::embed(models, passages, Gate::default())?;
        let questions = read_questions(&std::fs::read_to_string(folder.join(format!("{name}.tsv")))?);
        println!("{name}");
        let measured = measure(models, &index, &questions, &Made::default())?;
        print!("{measured}");
        examples.extend(measured.examples);
    }
    println!("the demonstration, by a gate that saw only these three");
    let fitted = Gate::default().fit(&examples);
    shares(asked, &known.examples.iter().map(|one| fitted.probability(&one.0)).collect::<Vec<_>>());
    Ok(())
}

/// A PDF of pages of text, as word processors write them: each line placed by itself, a heading now and then.
fn pages(text: &str) -> Vec<u8> {
    let words: Vec<String> = text.split_whitespace().map(|word| word.replace(['(', ')', '\\'], "")).collect();
    let mut line_at = 0;
    let mut objects = vec!["<< /Type /Catalog /Pages 2 0 R >>".to_owned(), String::new()];
    objects.push("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned());
    for _ in 0..PDF_PAGES {
        let mut content = String::new();
        for line in 0..45 {
            let said: Vec<&str> = (0..11).map(|at| words[(line_at + at) % words.len()].as_str()).collect();
            line_at += 11;
            let size = if line % 15 == 0 { 16 } else { 10 };
            let _ = writeln!(content, "BT /F1 {size} Tf 50 {} Td ({}) Tj ET", 790 - line * 16, said.join(" "));
        }
        let number = objects.len() + 2;
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {number} 0 R >>"
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len() + 1));
    }
    let kids: Vec<String> = (0..PDF_PAGES).map(|page| format!("{} 0 R", 4 + page * 2)).collect();
    objects[1] = format!("<< /Type /Pages /Kids [{}] /Count {PDF_PAGES} >>", kids.join(" "));
    let (mut pdf, mut places) = (String::from("%PDF-1.4\n"), String::new());
    for (at, object) in objects.iter().enumerate() {
        let _ = writeln!(places, "{:010} 00000 n ", pdf.len());
        let _ = write!(pdf, "{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let (start, count) = (pdf.len(), objects.len() + 1);
    let _ = write!(pdf, "xref\n0 {count}\n0000000000 65535 f \n{places}trailer\n<< /Size {count} /Root 1 0 R >>\n");
    let _ = write!(pdf, "startxref\n{start}\n%%EOF\n");
    pdf.into_bytes()
}

fn main() -> Result<(), Box<dyn Error>> {
    let models = LanguageModels::load(&ModelDir::locate()?)?;
    let args: Vec<String> = std::env::args().skip(1).collect();

    println!("demonstration business");
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/demo");
    let help = parse(&std::fs::read(demo.join("help.md"))?, "help.md")?;
    let passages = chunks(&help).iter().map(|chunk| passage(chunk, "Help")).collect();
    let index = Knowledge::embed(&models, passages, Gate::default())?;
    let questions = read_questions(&std::fs::read_to_string(demo.join("questions-dev.tsv"))?);
    let index = variants(&models, index, &questions)?.with_breadth(Breadth::default());
    let measured = measure(&models, &index, &questions, &Made::default())?;
    print!("{measured}");
    measured.misses.iter().for_each(|miss| println!("  {miss}"));
    let (right, other) = cross_validate(&Gate::default(), &measured.examples, 10);
    thresholds(&Gate::default(), &questions, &measured.examples);
    println!("{}", serde_json::to_string(&Gate::default().fit(&measured.examples))?);
    println!("gate, 10-fold: answers {right:.2} of the right passages, {other:.2} of the others");
    elsewhere(&models, &questions, &measured)?;

    {
        let bytes = match std::env::var_os("FRONTDESK_PDF") {
            Some(file) => std::fs::read(file)?,
            None => pages(&std::fs::read_to_string(demo.join("help.md"))?),
        };
        let before = cpu_ms();
        let document = parse(&bytes, "a.pdf")?;
        let cpu = cpu_ms() - before;
        let found = chunks(&document);
        println!(
            "PDF: {} pages, {} chunks, {:.0} pages/s of CPU",
            document.pages,
            found.len(),
            f64::from(document.pages) / cpu * 1e3
        );
    }
    let Some(file) = args.first() else { return Ok(()) };
    let asked = args.get(1).and_then(|text| text.parse().ok()).unwrap_or(3_000);
    println!("{file}");
    let set = squad(&std::fs::read_to_string(file)?, asked)?;
    let (before, began, count) = (cpu_ms(), Instant::now(), set.passages.len());
    let sample: Vec<Passage> = set.passages.clone();
    let index = Knowledge::embed(&models, set.passages, Gate::default())?;
    let cpu_s = (cpu_ms() - before) / 1e3;
    println!(
        "embedding: {:.1} chunks/s of CPU ({count} chunks, {:.0} s wall)",
        count as f64 / cpu_s,
        began.elapsed().as_secs_f64()
    );
    let texts: usize = sample.iter().map(|one| one.sentences.len() + 2).sum();
    println!(
        "  {:.1} texts a chunk; beside the vectors {} bytes a chunk",
        texts as f64 / count as f64,
        index.text_bytes() / count
    );
    let questions: Vec<Question> =
        set.questions.into_iter().map(|(section, text)| Question { section, text }).collect();
    let index = variants(&models, index, &questions)?.with_breadth(Breadth::default());
    let measured = measure(&models, &index, &questions, &Made::default())?;
    print!("{measured}");
    thresholds(&Gate::default(), &questions, &measured.examples);
    drop(index);
    large(&models, &sample, &questions)
}

/// What a question costs in a larger base: these passages, and others that begin as one of them and end as another.
fn large(models: &LanguageModels, sample: &[Passage], questions: &[Question]) -> Result<(), Box<dyn Error>> {
    println!("{LARGE} chunks");
    let mixed = (0..LARGE - sample.len().min(LARGE)).map(|at| {
        let (one, other) = (&sample[at % sample.len()], &sample[(at * 7 + at / sample.len() + 1) % sample.len()]);
        let half = |of: &Passage| of.sentences.len().div_ceil(2);
        let sentences = one.sentences[..half(one)].iter().chain(&other.sentences[half(other)..]).cloned().collect();
        Passage { sentences, ..one.clone() }
    });
    let passages = sample.iter().take(LARGE).cloned().chain(mixed).collect();
    let index = Knowledge::embed(models, passages, Gate::default())?;
    let few: Vec<Question> =
        questions.iter().step_by(questions.len().div_ceil(LARGE_QUESTIONS).max(1)).cloned().collect();
    print!("{}", measure(models, &index, &few, &Made::default())?);
    println!("  beside the vectors {} bytes a chunk", index.text_bytes() / LARGE);
    Ok(())
}

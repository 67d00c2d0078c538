//! Parsers on their leash: a document costs its own process and nothing else.

use knowledge::child::Parser;
use knowledge::document::{Kind, Part};
use knowledge::refusal::Refusal;
use std::io::Write;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_read-document");

fn parser() -> Parser {
    Parser::new(PROGRAM, &[])
}

#[tokio::test]
async fn a_document_comes_back_through_the_child() {
    let document = parser().parse(b"# Shop\n\n## Hours\nOpen daily.", "help.md").await.expect("it is read");
    assert_eq!(document.kind, Kind::Markdown);
    assert_eq!(document.blocks.last().map(|block| &block.part), Some(&Part::Paragraph("Open daily.".into())));
}

#[tokio::test]
async fn a_file_of_a_gigabyte_is_refused_without_a_child() {
    let bytes = vec![b'a'; base::limits::KNOWLEDGE_FILE_BYTES_MAX + 1];
    let refusal = Parser::new("/nowhere", &[]).parse(&bytes, "big.txt").await.expect_err("it is too large");
    assert!(matches!(refusal, Refusal::TooLarge { .. }), "{refusal}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_our_fault_and_said_so() {
    let refusal = Parser::new("/nowhere/at/all", &[]).parse(b"text", "a.txt").await.expect_err("nothing runs");
    assert_eq!(refusal.code(), "parser_unavailable");
}

#[tokio::test]
async fn a_parser_that_takes_too_long_is_killed() {
    // `cat` into a pipe that nobody closes would wait for ever; `yes` never ends.
    let slow = Parser::new("/usr/bin/tail", &["-f", "/dev/null"]);
    let began = Instant::now();
    let refusal =
        slow.limited(Duration::from_millis(300), 1 << 30).parse(b"text", "a.txt").await.expect_err("it hangs");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(matches!(refusal, Refusal::Slow { .. } | Refusal::Crashed(_)), "{refusal}");
}

#[tokio::test]
async fn a_parser_that_never_stops_talking_is_cut_off() {
    let endless = Parser::new("/bin/sh", &["-c", "exec yes"]);
    let refusal = endless.limited(Duration::from_secs(20), 1 << 30).parse(b"text", "a.txt").await.expect_err("no end");
    assert!(matches!(refusal, Refusal::Long { .. }), "{refusal}");
}

/// A spreadsheet whose one sheet claims a cell in the last corner: a table of billions of cells for who believes it.
fn wide_sheet() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let parts = [
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!(
                "<worksheet xmlns=\"{main}\"><sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"XFD1048576\"><v>2</v></c></row></sheetData></worksheet>"
            ),
        ),
    ];
    for (name, text) in parts {
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_file_that_wants_all_memory_ends_its_own_process_and_the_next_one_is_read() {
    let parser = parser();
    let refusal = parser.parse(&wide_sheet(), "wide.xlsx").await.expect_err("nobody has that much memory");
    assert!(matches!(refusal, Refusal::Crashed(_) | Refusal::Broken(_) | Refusal::Kind(_)), "{refusal}");
    parser.parse(b"A text.", "a.txt").await.expect("the next file is read");
}

#[tokio::test]
async fn the_child_sees_no_keys_of_ours() {
    // A "parser" that answers with what it sees: were there anything, the answer would be a refusal that shows it.
    let script = r#"if env | grep -qv -e '^PWD=' -e '^SHLVL=' -e '^_='; then printf '{"Err":{"kind":"it saw our environment"}}'; else printf '{"Err":"encrypted"}'; fi"#;
    let shows = Parser::new("/bin/sh", &["-c", script]);
    assert_eq!(shows.parse(b"", "").await, Err(Refusal::Encrypted));
}

#[tokio::test]
async fn damaged_files_of_every_kind_are_refused_with_a_reason() {
    let parser = parser();
    let pdf = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/Contents 9 0 R>>endobj\ntrailer<</Root 1 0 R>>";
    for (name, bytes) in
        [("a.pdf", &pdf[..]), ("a.docx", b"PK\x03\x04broken"), ("a.png", b"\x89PNG\r\n\x1a\n"), ("a.txt", b"")]
    {
        let refusal = parser.parse(bytes, name).await.expect_err(name);
        assert!(!refusal.to_string().is_empty() && refusal.code() != "parser_unavailable", "{name}: {refusal}");
    }
}

#[tokio::test]
async fn pictures_of_text_and_scanned_pages_are_read_within_the_limits_of_the_child() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/knowledge/pictures");
    for (name, kind) in [("prices.png", Kind::Image), ("prices-scan.pdf", Kind::Pdf)] {
        let bytes = std::fs::read(folder.join(name)).expect("a fixture");
        let document = parser().parse(&bytes, name).await.expect("it is read: install tesseract-ocr");
        assert_eq!((document.kind, document.pages), (kind, 1), "{name}");
        let parts: Vec<&Part> = document.blocks.iter().map(|block| &block.part).collect();
        assert_eq!(parts[0], &Part::Heading { level: 2, text: "Rental prices".into() }, "{name}: {parts:?}");
        let said =
            Part::Paragraph("We are open Monday to Friday from 9:00 to 18:00. On Saturday we close at 14:00.".into());
        assert!(parts.contains(&&said), "{name}: {parts:?}");
    }
}

#[tokio::test]
async fn a_recording_comes_back_as_samples_and_is_no_document() {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a header");
    for at in 0..16_000_i16 {
        writer.write_sample(if at % 2 == 0 { at } else { -at }).expect("a sample");
    }
    writer.finalize().expect("an end");
    let bytes = file.into_inner();
    let heard = parser().hear(&bytes, "call.wav").await.expect("it is heard");
    assert_eq!((heard.channels.len(), heard.duration_ms()), (2, 1_000));
    let refused = parser().parse(&bytes, "call.wav").await.expect_err("it is no document");
    assert_eq!(refused.code(), "unsupported_type");
    let broken = parser().hear(&bytes[..20], "call.wav").await.expect_err("nothing is in it");
    assert_eq!(broken.code(), "broken");
    assert_eq!(parser().hear(b"text", "call.wav").await.map_err(|why| why.code()), Err("unsupported_type"));
}

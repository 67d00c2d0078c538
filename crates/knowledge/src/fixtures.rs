//! Small files of every kind, made byte by byte, for tests.

use pdf_extract::content::{Content, Operation};
use pdf_extract::{Document, Object, Stream, dictionary};
use std::io::Write;
use zip::write::SimpleFileOptions;

/// A ZIP archive.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a file begins");
        writer.write_all(bytes).expect("a file is written");
    }
    writer.finish().expect("an archive ends").into_inner()
}

/// An archive of one packed file under many names.
pub fn archive_of_copies(names: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file(names[0], SimpleFileOptions::default()).expect("a file begins");
    writer.write_all(bytes).expect("a file is written");
    for name in &names[1..] {
        writer.shallow_copy_file(names[0], name).expect("a file is named again");
    }
    writer.finish().expect("an archive ends").into_inner()
}

/// A PDF: pages of lines, each with the size of its letters.
pub fn pdf(pages: &[&[(f64, &str)]]) -> Vec<u8> {
    let mut document = Document::with_version("1.5");
    let root = document.new_object_id();
    let font = document.add_object(dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica" });
    let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
    let kids: Vec<Object> = pages.iter().map(|lines| page(&mut document, root, lines).into()).collect();
    let count = i64::try_from(kids.len()).unwrap_or(0);
    document.objects.insert(
        root,
        Object::Dictionary(dictionary! {
            "Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources,
            "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
        }),
    );
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => root });
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("a PDF is written");
    bytes
}

fn page(document: &mut Document, parent: pdf_extract::ObjectId, lines: &[(f64, &str)]) -> pdf_extract::ObjectId {
    let mut operations = Vec::new();
    let mut y = 780.0;
    for (size, text) in lines {
        y -= size * 1.4;
        operations.extend([
            Operation::new("BT", vec![]),
            Operation::new("Tf", vec!["F1".into(), Object::Real(*size as f32)]),
            Operation::new("Td", vec![50.into(), Object::Real(y as f32)]),
            Operation::new("Tj", vec![Object::string_literal(*text)]),
            Operation::new("ET", vec![]),
        ]);
    }
    let content = Content { operations }.encode().expect("content is written");
    let content = document.add_object(Stream::new(dictionary! {}, content));
    document.add_object(dictionary! { "Type" => "Page", "Parent" => parent, "Contents" => content })
}

/// A word processing document with headings, a list and a table on the second page.
pub fn docx() -> Vec<u8> {
    let styles = r#"<w:styles xmlns:w="w"><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
        <w:style w:styleId="H2"><w:name w:val="Own"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style></w:styles>"#;
    let text = |style: &str, text: &str| format!("<w:p><w:pPr>{style}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>");
    let cell = |text: &str| format!("<w:tc><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>");
    let row = |a: &str, b: &str| format!("<w:tr>{}{}</w:tr>", cell(a), cell(b));
    let body = [
        text(r#"<w:pStyle w:val="berschrift1"/>"#, "Rental &amp; repair"),
        "<w:p><w:r><w:t>We rent e-bikes</w:t></w:r><w:r><w:t xml:space=\"preserve\"> for 42 &#8364; a day.</w:t></w:r></w:p>".to_owned(),
        text(r#"<w:pStyle w:val="H2"/>"#, "Bring along"),
        text("<w:numPr/>", "a passport"),
        text("<w:numPr/>", "a deposit"),
        r#"<w:p><w:r><w:br w:type="page"/></w:r></w:p>"#.to_owned(),
        format!("<w:tbl>{}{}{}</w:tbl>", row("Model", "Price"), row("City", "42"), row("Cargo", "60")),
    ];
    let document = format!("<w:document xmlns:w=\"w\"><w:body>{}</w:body></w:document>", body.concat());
    archive(&[("word/document.xml", document.as_bytes()), ("word/styles.xml", styles.as_bytes())])
}

/// One slide.
pub fn pptx() -> Vec<u8> {
    let shape = |kind: &str, paragraphs: &[&str]| {
        let text: String = paragraphs.iter().map(|text| format!("<a:p><a:r><a:t>{text}</a:t></a:r></a:p>")).collect();
        format!("<p:sp><p:nvSpPr><p:nvPr><p:ph type=\"{kind}\"/></p:nvPr></p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>")
    };
    let slide = format!(
        "<p:sld xmlns:p=\"p\" xmlns:a=\"a\">{}{}</p:sld>",
        shape("ctrTitle", &["Winter offer"]),
        shape("body", &["Ten percent off", "Until March"])
    );
    archive(&[
        ("ppt/presentation.xml", b"<p:presentation xmlns:p=\"p\"/>"),
        ("ppt/slides/slide1.xml", slide.as_bytes()),
    ])
}

/// A sheet with a date.
pub fn xlsx() -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets><sheet name=\"Holidays\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let links = format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rId1\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
         <Relationship Id=\"rId2\" Type=\"{RELATIONS}/styles\" Target=\"styles.xml\"/></Relationships>"
    );
    let root = format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rId1\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
    );
    let styles = format!(
        "<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\" applyNumberFormat=\"1\"/></cellXfs></styleSheet>"
    );
    let text = |at: &str, text: &str| format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let sheet = format!(
        "<worksheet xmlns=\"{MAIN}\"><sheetData><row r=\"1\">{}{}</row><row r=\"2\"><c r=\"A2\" s=\"1\"><v>46016</v></c>{}</row></sheetData></worksheet>",
        text("A1", "Day"),
        text("B1", "Closed"),
        text("B2", "yes")
    );
    archive(&[
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", links.as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

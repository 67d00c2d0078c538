//! Files as people have them, made here byte by byte, and files as attackers make them.

use super::parse;
use crate::document::{Kind, Part, Structured};
use crate::fixtures::{archive, archive_of_copies, docx, pdf, pptx, xlsx};
use crate::refusal::Refusal;

fn read(bytes: &[u8], name: &str) -> Structured {
    parse(bytes, name).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
}

fn outline(document: &Structured) -> Vec<String> {
    document
        .blocks
        .iter()
        .map(|block| {
            let page = block.page.map(|page| format!("p{page} ")).unwrap_or_default();
            match &block.part {
                Part::Heading { level, text } => format!("{page}{} {text}", "#".repeat(*level as usize)),
                Part::Paragraph(text) => format!("{page}{text}"),
                Part::List(items) => format!("{page}- {}", items.join(" | ")),
                Part::Table { header, rows } => {
                    format!(
                        "{page}[{}] {}",
                        header.join(","),
                        rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join(" / ")
                    )
                }
            }
        })
        .collect()
}

#[test]
fn a_pdf_gives_headings_paragraphs_and_pages() {
    let bytes = pdf(&[
        &[(20.0, "Warranty"), (10.0, "Frames have a warranty of 5 years. It covers break-"), (10.0, "ing and cracks.")],
        &[(20.0, "Returns"), (10.0, "Send it back within 30 days.")],
    ]);
    let document = read(&bytes, "terms.pdf");
    assert_eq!((document.kind, document.pages, document.title.as_deref()), (Kind::Pdf, 2, Some("Warranty")));
    assert_eq!(
        outline(&document),
        [
            "p1 # Warranty",
            "p1 Frames have a warranty of 5 years. It covers breaking and cracks.",
            "p2 # Returns",
            "p2 Send it back within 30 days."
        ]
    );
}

#[test]
fn running_heads_and_page_numbers_are_no_text() {
    let pages: Vec<Vec<(f64, String)>> = (1..=4)
        .map(|page| {
            vec![
                (8.0, format!("Brightleaf price list, page {page}")),
                (10.0, format!("{} bells cost money.", ["Small", "Large", "Loud", "Old"][page - 1])),
                (8.0, page.to_string()),
            ]
        })
        .collect();
    let views: Vec<Vec<(f64, &str)>> =
        pages.iter().map(|page| page.iter().map(|(size, text)| (*size, text.as_str())).collect()).collect();
    let slices: Vec<&[(f64, &str)]> = views.iter().map(Vec::as_slice).collect();
    let document = read(&pdf(&slices), "list.pdf");
    let text = outline(&document).join("\n");
    assert!(text.contains("Loud bells cost money."), "{text}");
    assert!(!text.contains("price list") && !text.contains("p2 2"), "{text}");
}

#[test]
fn a_word_document_gives_headings_lists_and_tables() {
    let document = read(&docx(), "help.docx");
    assert_eq!(
        outline(&document),
        [
            "p1 # Rental & repair",
            "p1 We rent e-bikes for 42 € a day.",
            "p1 ## Bring along",
            "p1 - a passport | a deposit",
            "p2 [Model,Price] City,42 / Cargo,60",
        ]
    );
}

#[test]
fn slides_are_pages_with_their_titles() {
    let document = read(&pptx(), "talk.pptx");
    assert_eq!(outline(&document), ["p1 ## Winter offer", "p1 - Ten percent off | Until March"]);
}

#[test]
fn dates_in_a_spreadsheet_are_dates() {
    let document = read(&xlsx(), "hours.xlsx");
    assert_eq!(outline(&document), ["p1 # Holidays", "p1 [Day,Closed] 2025-12-25,yes"]);
}

#[test]
fn a_web_page_gives_its_text_and_nothing_of_its_scripts_or_navigation() {
    let page = "<!doctype html><html><head><title>Help &amp; hours</title><style>p{}</style></head><body>\
        <nav><a href='/'>Home</a></nav><script>alert('x')</script><h1>Help</h1><p onclick='steal()'>Open <b>daily</b>.</p>\
        <table><tr><th>Day</th><th>Hours</th></tr><tr><td>Monday</td><td>9 to 17</td></tr></table>\
        <noscript>enable it</noscript><form><input value='secret'></form><footer>Imprint</footer></body></html>";
    let document = read(page.as_bytes(), "index.php");
    assert_eq!(document.title.as_deref(), Some("Help & hours"));
    assert_eq!(document.links, ["/"]);
    assert_eq!(outline(&document), ["# Help", "Open daily.", "[Day,Hours] Monday,9 to 17"]);
}

#[test]
fn an_e_mail_gives_subject_day_and_its_own_words() {
    let mail = "From: Ann <ann@shop.example>\r\nTo: team@shop.example\r\nSubject: Keys\r\nDate: Fri, 21 Nov 2025 10:00:00 +0000\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe spare key is in drawer 3.\r\n\r\n> Where is it?\r\n-- \r\nAnn";
    let document = read(mail.as_bytes(), "mail.eml");
    assert_eq!(outline(&document), ["# Keys", "Sent on 2025-11-21.", "The spare key is in drawer 3."]);
}

#[test]
fn markdown_and_text_keep_their_structure() {
    let document =
        read(b"# Shop\n\n## Hours\nOpen *daily*.\n\n- one\n- two\n  - inner\n\n<script>x()</script>\n\nEnd.", "a.md");
    assert_eq!(outline(&document), ["# Shop", "## Hours", "Open daily.", "- one | two | inner", "End."]);
    let document = read(b"First part\ngoes on.\n\n- a\n- b\n", "a.txt");
    assert_eq!(outline(&document), ["First part goes on.", "- a | b"]);
}

#[test]
fn separated_values_are_a_table_whatever_separates_them() {
    let document = read(b"name;price\nbell;4,90\nlock;29,90\n", "prices.txt");
    assert_eq!(outline(&document), ["[name,price] bell,4,90 / lock,29,90"]);
}

#[test]
fn an_archive_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked() {
    let blank = vec![b' '; 30 * 1024 * 1024];
    let names: Vec<String> = (0..10).map(|at| format!("word/media/{at}.xml")).collect();
    let mut all = vec!["word/document.xml"];
    all.extend(names.iter().map(String::as_str));
    let bytes = archive_of_copies(&all, &blank);
    assert!(bytes.len() < 1_000_000);
    assert!(matches!(parse(&bytes, "bomb.docx"), Err(Refusal::Bomb { .. })));
}

#[test]
fn an_xml_with_entities_of_its_own_is_refused() {
    let xml = b"<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><w:document><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>";
    assert!(matches!(parse(&archive(&[("word/document.xml", xml)]), "a.docx"), Err(Refusal::Broken(_))));
}

#[test]
fn what_holds_no_text_says_so() {
    assert!(matches!(parse(&pdf(&[&[]]), "scan.pdf"), Err(Refusal::Empty(why)) if why.contains("pictures")));
    assert!(matches!(parse(b"<html><body><script>only()</script></body></html>", "a.html"), Err(Refusal::Empty(_))));
    assert!(matches!(parse(b"%PDF-1.4 and then nothing", "a.pdf"), Err(Refusal::Broken(_))));
}

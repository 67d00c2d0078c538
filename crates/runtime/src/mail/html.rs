//! The HTML form of a mail: the paragraphs of its text, a link as a button, under the name and the colour of the business. No
//! images and nothing that is fetched, so that opening a mail tells nobody.

use model::branding::Branding;

/// The colour of the product.
const COLOR: &str = "#0f766e";

/// The page. `language` is that of the text (BCP-47).
pub(super) fn page(name: &str, branding: &Branding, language: &str, text: &str) -> String {
    let color = branding.primary_color.as_deref().filter(|color| is_color(color)).unwrap_or(COLOR);
    let name = escaped(branding.name.as_deref().unwrap_or(name));
    let ink = ink_on(color);
    let paragraphs: String = text.trim().split("\n\n").map(|paragraph| written(paragraph.trim(), color, ink)).collect();
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n</head>\n\
         <body style=\"margin:0;padding:24px 12px;background:#f3f4f6;color:#1f2937;\
         font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans Devanagari',sans-serif;line-height:1.5\">\n\
         <div style=\"max-width:560px;margin:0 auto;background:#ffffff;border-top:4px solid {color};border-radius:6px;\
         padding:28px\">\n<p style=\"margin:0 0 20px;font-size:18px;font-weight:600\">{name}</p>\n{paragraphs}</div>\n\
         </body>\n</html>\n"
    )
}

fn written(paragraph: &str, color: &str, ink: &str) -> String {
    let safe = escaped(paragraph);
    let is_link = paragraph.starts_with("https://") || paragraph.starts_with("http://");
    if is_link && !paragraph.contains(char::is_whitespace) {
        return format!(
            "<p style=\"margin:0 0 16px\"><a href=\"{safe}\" style=\"display:inline-block;background:{color};color:{ink};\
             padding:12px 20px;border-radius:6px;text-decoration:none;word-break:break-all\">{safe}</a></p>\n"
        );
    }
    format!("<p style=\"margin:0 0 16px\">{}</p>\n", safe.replace('\n', "<br>\n"))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn is_color(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|sign| sign.is_ascii_hexdigit())
}

/// Black or white, whichever stands out more (WCAG 2.2, relative luminance).
fn ink_on(color: &str) -> &'static str {
    let part =
        |at: usize| f64::from(u8::from_str_radix(color.get(at..at + 2).unwrap_or("00"), 16).unwrap_or(0)) / 255.0;
    let linear = |value: f64| if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    let light = 0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5));
    // Above this, black has the higher contrast.
    if light > 0.179 { "#000000" } else { "#ffffff" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_button_in_the_colour_of_the_business_and_words_stay_words() {
        let branding =
            Branding { name: Some("Voice <b>".into()), primary_color: Some("#ffcc00".into()), ..Branding::default() };
        let text = "Hello \"you\" & <script>\nsecond line\n\nhttps://desk.example/reset#token=a\n";
        let page = page("Shop", &branding, "en", text);
        assert!(page.contains("Voice &lt;b&gt;") && !page.contains("<script>") && !page.contains("Shop"), "{page}");
        assert!(page.contains("href=\"https://desk.example/reset#token=a\""), "{page}");
        assert!(page.contains("background:#ffcc00;color:#000000"), "black on yellow: {page}");
        assert!(page.contains("second line</p>") && page.contains("<br>"), "{page}");
    }

    #[test]
    fn what_is_no_colour_becomes_no_style() {
        let branding = Branding { primary_color: Some("red;}</style>".into()), ..Branding::default() };
        let page = page("Shop", &branding, "hi", "x");
        assert!(page.contains(COLOR) && !page.contains("red;") && page.contains("lang=\"hi\""), "{page}");
        assert_eq!((ink_on("#000000"), ink_on("#0f766e")), ("#ffffff", "#ffffff"));
    }
}

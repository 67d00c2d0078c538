//! A form with files as the body of a request (RFC 7578).

/// One part of a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    /// Name and media type, when it is a file.
    pub(crate) file: Option<(&'a str, &'a str)>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Part<'a> {
    pub(crate) fn text(name: &'a str, value: &'a str) -> Self {
        Self { name, file: None, bytes: value.as_bytes() }
    }

    pub(crate) fn file(name: &'a str, file_name: &'a str, media_type: &'a str, bytes: &'a [u8]) -> Self {
        Self { name, file: Some((file_name, media_type)), bytes }
    }
}

/// The content type and the body.
pub(crate) fn multipart(parts: &[Part<'_>]) -> (String, Vec<u8>) {
    let boundary = boundary(parts);
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.bytes.len() + 256).sum());
    for part in parts {
        let name = quoted(part.name);
        body.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        if let Some((file_name, media_type)) = part.file {
            let file_name = quoted(file_name);
            body.extend_from_slice(format!("; filename=\"{file_name}\"\r\nContent-Type: {media_type}").as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Names are quoted as browsers do: what would end the quotation or the line is percent-encoded.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A word that occurs in none of the parts.
fn boundary(parts: &[Part<'_>]) -> String {
    let occurs = |word: &str| parts.iter().any(|part| part.bytes.windows(word.len()).any(|at| at == word.as_bytes()));
    let mut number = 0_u64;
    loop {
        let word = format!("frontdesk-part-{number:08x}");
        if !occurs(&word) {
            return word;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_browsers_do() {
        let parts = [Part::text("name", "Ada"), Part::file("files", "a \"b\".wav", "audio/wav", b"RIFF")];
        let (kind, body) = multipart(&parts);
        assert_eq!(kind, "multipart/form-data; boundary=frontdesk-part-00000000");
        let expected = "--frontdesk-part-00000000\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAda\r\n\
            --frontdesk-part-00000000\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a %22b%22.wav\"\r\n\
            Content-Type: audio/wav\r\n\r\nRIFF\r\n--frontdesk-part-00000000--\r\n";
        assert_eq!(String::from_utf8(body).expect("text"), expected);
    }

    #[test]
    fn a_file_that_holds_the_boundary_gets_another() {
        let (kind, _) = multipart(&[Part::file("f", "f", "audio/wav", b"--frontdesk-part-00000000--")]);
        assert!(kind.ends_with("00000001"));
    }
}

//! Bodies → image bytes: the three forms, tolerant base64, and every way a body can be wrong.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use livecheck_testing::forms::{IMAGE_PART, MULTIPART, multipart, replaced, sample};
use livecheck_upload::{Form, Upload, UploadError, body_limit};

/// Small, so that edges are cheap to reach.
const LIMIT: usize = 300;

const URLENCODED: &str = "application/x-www-form-urlencoded";

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A parser of a body with these headers.
fn form(kinds: &[&str], encodings: &[&str]) -> Result<Form, UploadError> {
    Form::new(
        kinds.iter().map(|kind| kind.as_bytes()),
        encodings.iter().map(|encoding| encoding.as_bytes()),
        LIMIT,
    )
}

fn parse_pieces(kind: &str, body: &[u8], piece: usize) -> Result<Upload, UploadError> {
    let mut form = Form::new([kind.as_bytes()], [], LIMIT)?;
    for chunk in body.chunks(piece) {
        form.push(chunk)?;
    }
    form.finish()
}

/// Parses the body whole and in pieces of 1, 2, 3 and 7 bytes; all must agree.
#[track_caller]
fn parse(kind: &str, body: impl AsRef<[u8]>) -> Result<Upload, UploadError> {
    let body = body.as_ref();
    let whole = parse_pieces(kind, body, body.len().max(1));
    for piece in [1, 2, 3, 7] {
        assert_eq!(
            parse_pieces(kind, body, piece),
            whole,
            "in pieces of {piece}"
        );
    }
    whole
}

#[track_caller]
fn file(kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    parse(kind, body).unwrap().file
}

#[track_caller]
fn malformed(kind: &str, body: impl AsRef<[u8]>) -> String {
    match parse(kind, body) {
        Err(UploadError::Malformed(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

const TEXT_PART: &str = "Content-Disposition: form-data; name=\"image_bytes\"";

#[test]
fn base64_is_read_as_clients_send_it() {
    for length in 1..40 {
        let bytes = sample(length);
        let standard = base64(&bytes);
        let lines: Vec<&str> = standard
            .as_bytes()
            .chunks(5)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let variants = [
            standard.clone(),
            standard.trim_end_matches('=').to_owned(),
            standard.replace('+', "-").replace('/', "_"),
            standard
                .replace('+', "-")
                .replace('/', "_")
                .trim_end_matches('=')
                .to_owned(),
            standard.replace('+', " "),
            lines.join("\r\n"),
            lines.join("\n") + "\n",
            format!("\n  {standard}"),
            format!("{standard}\r\n"),
            format!("data:image/jpeg;base64,{standard}"),
            format!("DATA:image/png;charset=utf-8;BASE64,{standard}"),
            format!("data:;base64,{standard}"),
            format!("data:image/jpeg;base64, {standard}"),
            format!("data:image/jpeg; base64,\r\n {standard}"),
            format!("data:image/jpeg ; base64 ,{standard}"),
            lines.join(" \r\n  "),
            format!(" {standard} \r\n"),
        ];
        for text in variants {
            let body = multipart(&[(TEXT_PART, text.as_bytes())]);
            assert_eq!(file(MULTIPART, body), bytes, "multipart {text:?}");
            let json = serde_json::json!({ "image_bytes": text }).to_string();
            assert_eq!(file("application/json", json), bytes, "json {text:?}");
            // As a form without percent-encoding, and with.
            assert_eq!(
                file(URLENCODED, format!("image_bytes={text}")),
                bytes,
                "form {text:?}"
            );
            let escaped: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
            assert_eq!(
                file(URLENCODED, format!("image_bytes={escaped}")),
                bytes,
                "form {escaped:?}"
            );
        }
    }
}

/// `curl -d "image_bytes=$(base64 photo.jpg)"` sends `+` and line breaks as they are; a form that
/// encodes sends spaces as `+`.
#[test]
fn a_plus_beside_a_line_break_is_one_where_nothing_is_escaped() {
    let bytes = [0xFB, 0xEF, 0xBE, 0xFB, 0xEF, 0xBE];
    assert_eq!(base64(&bytes), "++++++++");
    for text in ["A++B\n++++\nCDEF", "A++B++++CDEF", "A++B\r\n++++CDEF\r\n"] {
        assert_eq!(
            base64(&file(URLENCODED, format!("image_bytes={text}"))),
            "A++B++++CDEF",
            "{text:?}"
        );
    }
    for text in ["AAAA%0D%0A++BBBB", "%41AAA+%0ABBBB", "AAAABBBB%0A+"] {
        assert_eq!(
            base64(&file(URLENCODED, format!("image_bytes={text}"))),
            "AAAABBBB",
            "{text:?}"
        );
    }
    assert_eq!(
        base64(&file(URLENCODED, "image_bytes=data:image/png;base64,+AAAA")),
        "AAAA"
    );
}

#[test]
fn an_empty_image_field_beside_an_image_is_as_good_as_absent() {
    let empty_file = "Content-Disposition: form-data; name=\"image\"; filename=\"\"\r\nContent-Type: application/octet-stream";
    let empty_text = "Content-Disposition: form-data; name=\"image\"";
    for parts in [
        [(IMAGE_PART, b"x".as_slice()), (TEXT_PART, b"")],
        [(TEXT_PART, b""), (IMAGE_PART, b"x")],
        [(TEXT_PART, b" \r\n"), (IMAGE_PART, b"x")],
        [(IMAGE_PART, b"x"), (TEXT_PART, b"data:image/jpeg;base64,")],
        [(TEXT_PART, b"data:image/jpeg;base64,"), (IMAGE_PART, b"x")],
        [(IMAGE_PART, b"x"), (empty_file, b"")],
        [(TEXT_PART, b"eA=="), (empty_file, b"")],
        [(empty_file, b""), (TEXT_PART, b"eA==")],
        [(empty_text, b""), (TEXT_PART, b"eA==")],
        [(empty_text, b""), (IMAGE_PART, b"x")],
    ] {
        assert_eq!(file(MULTIPART, multipart(&parts)), b"x", "{parts:?}");
    }
    for body in [
        r#"{"image_bytes": "eA==", "image": ""}"#,
        r#"{"image": null, "image_bytes": "eA=="}"#,
    ] {
        assert_eq!(file("application/json", body), b"x", "{body}");
    }
    assert_eq!(file(URLENCODED, "image=&image_bytes=eA%3D%3D"), b"x");
    assert_eq!(file(URLENCODED, "image_bytes=&image_bytes=eA%3D%3D"), b"x");
    for parts in [
        [(empty_file, b"".as_slice()), (TEXT_PART, b"")],
        [(TEXT_PART, b""), (TEXT_PART, b" ")],
    ] {
        assert!(malformed(MULTIPART, multipart(&parts)).contains("is empty"));
    }
}

#[test]
fn part_heads_may_be_folded() {
    for head in [
        "Content-Disposition: form-data; name=\"image\";\r\n filename=\"a.jpg\"",
        "Content-Disposition:\r\n\tform-data;\r\n\tname=\"image\";\r\n\tfilename=\"a.jpg\"",
        "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg;\r\n name=\"a.jpg\"",
    ] {
        assert_eq!(
            file(MULTIPART, multipart(&[(head, b"x")])),
            b"x",
            "{head:?}"
        );
    }
}

#[test]
fn a_part_may_be_encoded_in_base64_for_the_way() {
    let bytes = sample(100);
    let text = base64(&bytes);
    let lines = text
        .as_bytes()
        .chunks(76)
        .collect::<Vec<_>>()
        .join(&b"\r\n"[..]);
    let encoded = |head: &str| format!("{head}\r\nContent-Transfer-Encoding: BASE64");
    for head in [encoded(IMAGE_PART), encoded(TEXT_PART)] {
        assert_eq!(
            file(MULTIPART, multipart(&[(&head, &lines)])),
            bytes,
            "{head}"
        );
    }
    // Encoded for the way, and again by what the field means.
    let twice = base64(text.as_bytes());
    let body = multipart(&[(&encoded(TEXT_PART), twice.as_bytes())]);
    assert_eq!(file(MULTIPART, body), bytes);
    let details = encoded("Content-Disposition: form-data; name=\"details\"");
    let body = multipart(&[(IMAGE_PART, b"x"), (&details, b"b24=")]);
    assert_eq!(parse(MULTIPART, body).unwrap().details, Some(true));
    for (encoding, content) in [("binary", b"x"), ("8BIT", b"x"), ("7bit", b"x"), ("", b"x")] {
        let head = format!("{IMAGE_PART}\r\nContent-Transfer-Encoding: {encoding}");
        assert_eq!(
            file(MULTIPART, multipart(&[(&head, content)])),
            b"x",
            "{encoding}"
        );
    }
    match parse(MULTIPART, multipart(&[(&encoded(IMAGE_PART), b"\xFF\xD8")])) {
        Err(UploadError::NotBase64(detail)) => assert!(
            detail.contains("Content-Transfer-Encoding") && detail.contains("character 1"),
            "{detail}"
        ),
        other => panic!("{other:?}"),
    }
    // The limit holds for the file, not for its text.
    for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        let text = base64(&sample(length));
        let parsed = parse(
            MULTIPART,
            multipart(&[(&encoded(IMAGE_PART), text.as_bytes())]),
        );
        assert_eq!(parsed.is_ok(), fits, "{length}: {parsed:?}");
    }
}

#[test]
fn bare_line_feeds_are_line_breaks_where_the_first_delimiter_uses_them() {
    let content = b"\r\n--YY\r\n\xFF\n\n--X\n";
    let head = IMAGE_PART.replace("\r\n", "\n");
    let mut body = format!("a preamble\n--XX\n{head}\n\n").into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(
        b"\n--XX\nContent-Disposition: form-data; name=\"details\"\n\n1\n--XX--\n",
    );
    let upload = parse(MULTIPART, body).unwrap();
    assert_eq!(
        (upload.file.as_slice(), upload.details),
        (content.as_slice(), Some(true))
    );
    // Otherwise they are content, wherever a delimiter follows; only a head may use them.
    let content = b"\xFFa\n--XX\nb\n--XX--\nc";
    assert_eq!(
        file(MULTIPART, multipart(&[(IMAGE_PART, content)])),
        content
    );
    let mut body = format!("--XX\r\n{head}\n\n").into_bytes();
    body.extend_from_slice(b"x\r\n--XX--\r\n");
    assert_eq!(file(MULTIPART, body), b"x");
}

#[test]
fn a_byte_order_mark_before_a_body_is_skipped() {
    for (kind, body) in [
        ("application/json", br#"{"image_bytes":"eA=="}"#.to_vec()),
        (URLENCODED, b"image_bytes=eA==".to_vec()),
        (MULTIPART, multipart(&[(IMAGE_PART, b"x")])),
    ] {
        let marked = [b"\xEF\xBB\xBF".as_slice(), &body].concat();
        assert_eq!(file(kind, marked), b"x", "{kind}");
        // What only begins like one is no mark.
        let half = [b"\xEF\xBB".as_slice(), &body].concat();
        assert!(parse(kind, half).is_err(), "{kind}");
        assert!(parse(kind, b"\xEF\xBB").is_err());
        assert!(parse(kind, b"\xEF\xBB\xBF").is_err());
    }
}

#[test]
fn base64_text_in_a_file_part_is_told_where_it_belongs() {
    let text = base64(&sample(200));
    for content in [
        text.clone(),
        format!("{}\r\n{}\r\n", &text[..76], &text[76..]),
        format!("data:image/jpeg;base64,{text}"),
    ] {
        match parse(MULTIPART, multipart(&[(IMAGE_PART, content.as_bytes())])) {
            Err(UploadError::NotBase64(detail)) => {
                assert!(detail.contains("in the field image_bytes"), "{detail}");
            }
            other => panic!("{other:?}"),
        }
    }
    // Files begin otherwise.
    for start in [
        b"RIFF\x24\0\0\0WEBPVP8 ".as_slice(),
        b"a text of words that is no base64",
    ] {
        assert_eq!(file(MULTIPART, multipart(&[(IMAGE_PART, start)])), start);
    }
}

#[test]
fn encoded_bodies_are_told_by_every_header_and_character_sets_are_none() {
    for (values, refused) in [
        (vec!["identity"], None),
        (vec!["UTF-8"], None),
        (vec!["utf8, identity"], None),
        (vec![""], None),
        (vec!["gzip"], Some("gzip")),
        (vec!["identity", "gzip"], Some("gzip")),
        (vec!["identity, br"], Some("br")),
        (vec!["x-unknown"], Some("x-unknown")),
    ] {
        match (form(&["application/json"], &values).err(), refused) {
            (None, None) => {}
            (Some(UploadError::UnsupportedMediaType(detail)), Some(name)) => {
                assert!(detail.contains(&format!("{name:?}")), "{detail}");
            }
            (other, _) => panic!("{values:?}: {other:?}"),
        }
    }
    let mut kinds = vec!["application/json", "application/json"];
    assert!(form(&kinds, &[]).is_ok());
    kinds.push("text/plain");
    assert!(form(&kinds, &[]).is_err());
}

#[test]
fn details_are_read_as_forms_send_them() {
    for (text, wanted) in [
        ("true", Some(true)),
        ("1", Some(true)),
        ("on", Some(true)),
        ("YES", Some(true)),
        (" True\n", Some(true)),
        ("false", Some(false)),
        ("0", Some(false)),
        ("off", Some(false)),
        ("No", Some(false)),
        ("", Some(false)),
        ("maybe", None),
        ("2", None),
    ] {
        let part = "Content-Disposition: form-data; name=\"details\"";
        let multi = multipart(&[(IMAGE_PART, b"x"), (part, text.as_bytes())]);
        let json = serde_json::json!({ "image_bytes": "eA==", "details": text }).to_string();
        for (kind, body) in [(MULTIPART, multi), ("application/json", json.into_bytes())] {
            let parsed = parse(kind, body).map(|upload| upload.details);
            assert_eq!(parsed.ok(), wanted.map(Some), "{kind} {text:?}");
        }
    }
}

#[test]
fn data_may_start_like_a_data_address() {
    let bytes = file(URLENCODED, "image_bytes=dataabcd");
    assert_eq!(base64(&bytes), "dataabcd");
    assert_eq!(base64(&file(URLENCODED, "image_bytes=data")), "data");
}

#[test]
fn what_is_not_base64_says_why() {
    for (text, reason) in [
        ("AAAA!AAA", "character 5 is '!'"),
        ("AAAAA", "5 characters don't form whole bytes"),
        ("AAA=AAAA", "continues after its padding"),
        ("AAAA====", "more than two"),
        ("==", "nothing but padding"),
        ("data:image/jpeg,AAAA", "does not end in"),
        ("data:image/jpeg;base64", "no comma"),
        ("\u{e9}AAA", "character 1"),
    ] {
        match parse(
            "application/json",
            serde_json::json!({ "image_bytes": text }).to_string(),
        ) {
            Err(UploadError::NotBase64(detail)) => {
                assert!(detail.contains(reason), "{text:?}: {detail}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn the_file_limit_is_exact_in_every_form() {
    let fits = sample(LIMIT);
    let too_long = sample(LIMIT + 1);
    let bodies = |bytes: &[u8]| {
        let text = base64(bytes);
        [
            (MULTIPART, multipart(&[(IMAGE_PART, bytes)])),
            (MULTIPART, multipart(&[(TEXT_PART, text.as_bytes())])),
            (
                MULTIPART,
                multipart(&[(TEXT_PART, text.trim_end_matches('=').as_bytes())]),
            ),
            (URLENCODED, format!("image_bytes={text}").into_bytes()),
            (
                "application/json",
                format!("{{\"image_bytes\":\"{text}\"}}").into_bytes(),
            ),
        ]
    };
    for (kind, body) in bodies(&fits) {
        assert_eq!(file(kind, body), fits);
    }
    for (kind, body) in bodies(&too_long) {
        assert_eq!(
            parse(kind, body),
            Err(UploadError::FileTooLarge { limit: LIMIT }),
            "{kind}"
        );
    }
}

#[test]
fn size_is_judged_before_everything_else_about_the_image() {
    let long = base64(&sample(LIMIT + 3));
    let too_large = Err(UploadError::FileTooLarge { limit: LIMIT });
    // Not base64, and a second image.
    assert_eq!(parse(URLENCODED, format!("image_bytes=!{long}")), too_large);
    assert_eq!(
        parse(
            URLENCODED,
            format!("image_bytes=AAAA&image_bytes={long}aaaa")
        ),
        too_large
    );
    let two = multipart(&[(IMAGE_PART, b"x"), (IMAGE_PART, &sample(LIMIT + 1))]);
    assert_eq!(parse(MULTIPART, two), too_large);
}

#[test]
fn a_body_without_exactly_one_image_is_malformed() {
    let text = "Content-Disposition: form-data; name=\"image\"";
    for (kind, body, reason) in [
        (URLENCODED, b"".to_vec(), "neither"),
        (URLENCODED, b"other=1&x".to_vec(), "neither"),
        (URLENCODED, b"image_bytes=".to_vec(), "image_bytes is empty"),
        (URLENCODED, b"image_bytes".to_vec(), "image_bytes is empty"),
        (
            URLENCODED,
            b"image_bytes=data:image/jpeg;base64,".to_vec(),
            "image_bytes is empty",
        ),
        (
            URLENCODED,
            b"image_bytes=AAAA&image_bytes=AAAA".to_vec(),
            "more than one",
        ),
        (URLENCODED, b"image=AAAA".to_vec(), "as a file part"),
        (
            URLENCODED,
            b"image_bytes=AAAA&image=AAAA".to_vec(),
            "more than one",
        ),
        (URLENCODED, b"image_bytes=AA%4".to_vec(), "hexadecimal"),
        (URLENCODED, b"image_bytes=AA%zz".to_vec(), "hexadecimal"),
        (
            URLENCODED,
            b"image_bytes=AAAA&details=maybe".to_vec(),
            "details",
        ),
        (
            URLENCODED,
            b"image_bytes=AAAA&details=1&details=1".to_vec(),
            "more than once",
        ),
        ("application/json", b"".to_vec(), "JSON body is empty"),
        ("application/json", b" \n".to_vec(), "JSON body is empty"),
        (
            "application/json",
            b"{\"image_bytes\": \"AA".to_vec(),
            "too early",
        ),
        ("application/json", b"nonsense".to_vec(), "object"),
        ("application/json", b"[]".to_vec(), "object"),
        ("application/json", b"[\"AAAA\"]".to_vec(), "object"),
        ("application/json", b"{}".to_vec(), "neither"),
        (
            "application/json",
            b"{\"image_bytes\": null}".to_vec(),
            "neither",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"\"}".to_vec(),
            "empty",
        ),
        (
            "application/json",
            b"{\"image_bytes\": 7}".to_vec(),
            "one base64 string",
        ),
        (
            "application/json",
            b"{\"image_bytes\": [\"AAAA\"]}".to_vec(),
            "one base64 string",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\", \"image_bytes\": \"AAAA\"}".to_vec(),
            "image_bytes occurs more than once",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\", \"image\": 1}".to_vec(),
            "image cannot be sent as JSON",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\", \"image\": \"AAAA\"}".to_vec(),
            "more than one",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\", \"details\": true, \"details\": true}".to_vec(),
            "details occurs more than once",
        ),
        ("application/json", b"\xFF\xFE{\0}\0".to_vec(), "UTF-16"),
        (
            "application/json",
            b"{\"image\": \"AAAA\"}".to_vec(),
            "as a file part",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\"} x".to_vec(),
            "not JSON",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\", \"details\": []}".to_vec(),
            "details",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"A\xffAA\"}".to_vec(),
            "JSON",
        ),
        (MULTIPART, b"".to_vec(), "multipart body is empty"),
        (
            MULTIPART,
            replaced(&multipart(&[(IMAGE_PART, b"x")]), b"XX", b"YY"),
            "never starts a part",
        ),
        (MULTIPART, b"--XX--\r\n".to_vec(), "neither"),
        (
            MULTIPART,
            b"--XX\r\n\r\nnameless\r\n--XX--".to_vec(),
            "neither",
        ),
        (MULTIPART, multipart(&[(IMAGE_PART, b"")]), "image is empty"),
        (
            MULTIPART,
            multipart(&[(TEXT_PART, b"")]),
            "image_bytes is empty",
        ),
        (
            MULTIPART,
            multipart(&[(IMAGE_PART, b"x"), (TEXT_PART, b"AAAA")]),
            "more than one",
        ),
        (
            MULTIPART,
            multipart(&[(IMAGE_PART, b"x"), (IMAGE_PART, b"x")]),
            "more than one",
        ),
        (MULTIPART, multipart(&[(text, b"AAAA")]), "as a file part"),
        (
            MULTIPART,
            multipart(&[("no colon here", b"x")]),
            "without a colon",
        ),
        (
            MULTIPART,
            multipart(&[(
                &format!("{IMAGE_PART}\r\nContent-Transfer-Encoding: quoted-printable"),
                b"x",
            )]),
            "not base64, binary",
        ),
        (
            MULTIPART,
            b"--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\nx"
                .to_vec(),
            "closing boundary",
        ),
        (
            "multipart/form-data",
            multipart(&[(IMAGE_PART, b"x")]),
            "no boundary",
        ),
        (
            "multipart/form-data; boundary=",
            multipart(&[(IMAGE_PART, b"x")]),
            "0 characters",
        ),
    ] {
        let detail = malformed(kind, &body);
        assert!(
            detail.contains(reason),
            "{:?}: {detail}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn other_content_types_are_unsupported() {
    for kind in [
        "text/plain",
        "image/jpeg",
        "application/octet-stream",
        "",
        "json",
        "multipart/mixed; boundary=XX",
    ] {
        let result = parse_pieces(kind, b"", 1);
        assert!(
            matches!(result, Err(UploadError::UnsupportedMediaType(_))),
            "{kind:?}: {result:?}"
        );
    }
    let missing = form(&[], &[]);
    assert!(matches!(
        missing.err(),
        Some(UploadError::UnsupportedMediaType(_))
    ));
    assert!(matches!(
        form(&["application/json"], &["gzip"]).err(),
        Some(UploadError::UnsupportedMediaType(_))
    ));
}

#[test]
fn content_types_may_have_parameters_and_any_case() {
    assert_eq!(
        file(
            "Application/JSON; charset=utf-8",
            r#"{"image_bytes":"AAAA"}"#
        ),
        [0; 3]
    );
    assert_eq!(
        file(
            "application/x-www-form-urlencoded;charset=UTF-8",
            "image_bytes=AAAA"
        ),
        [0; 3]
    );
    let body =
        b"--a b\r\nContent-Disposition: form-data; name=image; filename=x\r\n\r\nAA\r\n--a b--";
    assert_eq!(
        file("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b\"", body),
        b"AA"
    );
}

#[test]
fn unknown_fields_are_ignored_however_many() {
    let extra = "x=%00&".repeat(5000);
    assert_eq!(
        file(URLENCODED, format!("{extra}image_bytes=AAAA&y")),
        [0; 3]
    );
    let json = r#"{"a": {"image": [1, {"image_bytes": 3}]}, "image_bytes": "AAAA", "b": null}"#;
    assert_eq!(file("application/json", json), [0; 3]);
    let other = "Content-Disposition: form-data; name=\"other\"";
    let mut parts = vec![(other, b"1".as_slice()); 5000];
    parts.insert(2500, (IMAGE_PART, b"bytes"));
    assert_eq!(file(MULTIPART, multipart(&parts)), b"bytes");
}

/// Kept as a document, a list of small objects would take a hundred times its size.
#[test]
fn details_may_be_any_json_and_only_scalars_are_kept() {
    for (details, wanted) in [
        ("true", Ok(Some(true))),
        ("0", Ok(Some(false))),
        ("\"1\"", Ok(Some(true))),
        ("null", Ok(None)),
        ("-1", Err(())),
        ("1.0", Err(())),
        ("[true]", Err(())),
        ("[{\"a\":0},{\"a\":0}]", Err(())),
        ("{\"a\":{\"b\":[1]}}", Err(())),
    ] {
        let body = format!("{{\"image_bytes\":\"AAAA\",\"details\":{details}}}");
        let parsed = parse("application/json", body).map(|upload| upload.details);
        assert_eq!(parsed.map_err(drop), wanted, "{details}");
    }
}

#[test]
fn json_text_may_be_escaped() {
    assert_eq!(
        file("application/json", r#"{"image_bytes":"\/9j\u002f"}"#),
        file(URLENCODED, "image_bytes=/9j/")
    );
}

#[test]
fn details_can_be_a_field_of_every_form() {
    let part = "Content-Disposition: form-data; name=\"details\"";
    for (kind, body, wanted) in [
        (URLENCODED, b"image_bytes=AAAA".to_vec(), None),
        (
            URLENCODED,
            b"image_bytes=AAAA&details=true".to_vec(),
            Some(true),
        ),
        (
            URLENCODED,
            b"details=1&image_bytes=AAAA".to_vec(),
            Some(true),
        ),
        (
            URLENCODED,
            b"details=&image_bytes=AAAA".to_vec(),
            Some(false),
        ),
        (
            MULTIPART,
            multipart(&[(part, b"True"), (IMAGE_PART, b"x")]),
            Some(true),
        ),
        (
            MULTIPART,
            multipart(&[(IMAGE_PART, b"x"), (part, b"0")]),
            Some(false),
        ),
        (
            "application/json",
            br#"{"image_bytes":"AAAA","details":true}"#.to_vec(),
            Some(true),
        ),
        (
            "application/json",
            br#"{"image_bytes":"AAAA","details":1}"#.to_vec(),
            Some(true),
        ),
        (
            "application/json",
            br#"{"image_bytes":"AAAA","details":"false"}"#.to_vec(),
            Some(false),
        ),
    ] {
        assert_eq!(
            parse(kind, &body).unwrap().details,
            wanted,
            "{:?}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn multipart_content_may_look_like_a_delimiter() {
    for content in [
        b"\r\n--X".as_slice(),
        b"\r\n--XXX rest",
        b"--XX\r\n",
        b"\r\n\r\n--\r\n",
        b"\r\n--XX-",
        b"\r\r\n--XX?",
    ] {
        assert_eq!(
            file(MULTIPART, multipart(&[(IMAGE_PART, content)])),
            content,
            "{content:?}"
        );
    }
}

#[test]
fn multipart_allows_a_preamble_an_epilogue_and_spaces_behind_a_delimiter() {
    let mut body = b"a preamble\r\n--XX \t\r\n".to_vec();
    body.extend_from_slice(IMAGE_PART.as_bytes());
    body.extend_from_slice(b"\r\n\r\nx\r\n--XX--\r\nan epilogue\r\n--XX\r\n");
    assert_eq!(file(MULTIPART, body), b"x");
}

#[test]
fn multipart_names_may_be_quoted_in_every_way() {
    for disposition in [
        "form-data; name=image; filename=a.jpg",
        "form-data;name=\"image\";filename=\"a;b=\\\"c\\\".jpg\"",
        "form-data; filename=\"C:\\temp\\a.jpg\"; name=\"image\"",
        "form-data; filename*=UTF-8''a.jpg; name=\"image\"",
        "FORM-DATA; Name=\"image\"; FileName=\"\"",
    ] {
        let head = format!("content-disposition: {disposition}");
        assert_eq!(
            file(MULTIPART, multipart(&[(&head, b"x")])),
            b"x",
            "{disposition}"
        );
    }
    // Without a file name, a type other than text makes it a file.
    let typed = "Content-Disposition: form-data; name=\"image\"\r\nContent-Type: image/png";
    assert_eq!(file(MULTIPART, multipart(&[(typed, b"x")])), b"x");
}

#[test]
fn a_part_head_has_a_limit() {
    let endless = format!("--XX\r\nX: {}", "y".repeat(10_000));
    assert!(malformed(MULTIPART, endless).contains("8192"));
    let long = format!("X: {}", "y".repeat(9000));
    assert!(malformed(MULTIPART, multipart(&[(&long, b"x")])).contains("8192"));
}

#[test]
fn a_body_has_a_limit_whatever_is_in_it() {
    let limit = body_limit(LIMIT);
    for kind in [URLENCODED, MULTIPART, "application/json"] {
        let result = parse_pieces(kind, &vec![b' '; limit + 1], 65_536);
        assert_eq!(result, Err(UploadError::BodyTooLarge { limit }), "{kind}");
    }
}

/// What is held in memory while a large file streams in stays near the size of the file.
#[test]
fn streamed_forms_hold_little_more_than_the_file() {
    let limit = 1024 * 1024;
    let bytes = sample(limit);
    let text = base64(&bytes);
    for (kind, body) in [
        (MULTIPART, multipart(&[(IMAGE_PART, &bytes)])),
        (MULTIPART, multipart(&[(TEXT_PART, text.as_bytes())])),
        (URLENCODED, format!("image_bytes={text}").into_bytes()),
    ] {
        let mut form = Form::new([kind.as_bytes()], [], limit).unwrap();
        let mut most = 0;
        for chunk in body.chunks(16 * 1024) {
            form.push(chunk).unwrap();
            most = most.max(form.memory());
        }
        assert_eq!(form.finish().unwrap().file.len(), limit);
        assert!(most <= 2 * limit, "{kind}: {most}");
    }
}

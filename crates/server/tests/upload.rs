//! Bodies → image bytes: the three forms, tolerant base64, and every way a body can be wrong.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod common;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use common::{base64, image_form, send, start};
use livecheck_server::upload::{Form, Upload, UploadError};

/// Small, so that edges are cheap to reach.
const LIMIT: usize = 300;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=XX";

fn parse_pieces(kind: &str, body: &[u8], piece: usize) -> Result<Upload, UploadError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
    let mut form = Form::new(&headers, LIMIT)?;
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

/// Bytes that use every base64 character, both special ones among them.
fn sample(length: usize) -> Vec<u8> {
    let step = |n: usize| n.wrapping_mul(2_654_435_761) >> 7;
    (0..length).map(|n| step(n).to_le_bytes()[0]).collect()
}

fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend_from_slice(b"--XX\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

const IMAGE_PART: &str = "Content-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg";
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
        ("AAAAA", "5 characters cannot be whole bytes"),
        ("AAA=AAAA", "goes on after its padding"),
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
        ("application/json", b"".to_vec(), "too early"),
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
            "one base64 string",
        ),
        (
            "application/json",
            b"{\"image_bytes\": \"AAAA\", \"image\": 1}".to_vec(),
            "more than one",
        ),
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
        (MULTIPART, b"".to_vec(), "closing boundary"),
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
    let missing = Form::new(&HeaderMap::new(), LIMIT);
    assert!(matches!(
        missing.err(),
        Some(UploadError::UnsupportedMediaType(_))
    ));
    let mut zipped = HeaderMap::new();
    zipped.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    zipped.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    assert!(matches!(
        Form::new(&zipped, LIMIT).err(),
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
    let limit = livecheck_server::upload::body_limit(LIMIT);
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
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        let mut form = Form::new(&headers, limit).unwrap();
        let mut most = 0;
        for chunk in body.chunks(16 * 1024) {
            form.push(chunk).unwrap();
            most = most.max(form.memory());
        }
        assert_eq!(form.finish().unwrap().file.len(), limit);
        assert!(most <= 2 * limit, "{kind}: {most}");
    }
}

#[tokio::test]
async fn ten_mebibytes_pass_and_one_byte_more_does_not() {
    let server = start().await;
    let mut image = b"live ".to_vec();
    image.resize(10 * 1024 * 1024, b'.');
    let json = |image: &[u8]| {
        let body = format!("{{\"image_bytes\":\"{}\"}}", base64(image));
        server
            .post()
            .header("content-type", "application/json")
            .body(body)
    };
    server.check(&image).await.assert_live();
    send(json(&image)).await.assert_live();
    image.push(b'.');
    server.check(&image).await.assert_error(413, "003");
    send(json(&image)).await.assert_error(413, "003");
}

#[tokio::test]
async fn wrong_bodies_have_their_status_over_http() {
    let server = start().await;
    let typed = |kind: &str, body: &str| {
        send(
            server
                .post()
                .header("content-type", kind)
                .body(body.to_owned()),
        )
    };
    typed("text/plain", "x").await.assert_error(415, "004");
    send(server.post().body("x")).await.assert_error(415, "004");
    typed("application/json", "{")
        .await
        .assert_error(400, "004");
    typed("application/json", r#"{"image_bytes": "!"}"#)
        .await
        .assert_error(400, "002");
    typed(URLENCODED, "").await.assert_error(400, "004");
    send(server.post().multipart(image_form(b"")))
        .await
        .assert_error(400, "004");
    assert_eq!(
        server
            .judge
            .decoded
            .load(std::sync::atomic::Ordering::SeqCst),
        0
    );
}

#[tokio::test]
async fn details_come_only_when_asked_for() {
    let server = start().await;
    let url = server.url("/liveness/");
    let ask = |query: &str| {
        send(
            reqwest::Client::new()
                .post(format!("{url}{query}"))
                .header("x-api-key", &server.key)
                .multipart(image_form(b"live")),
        )
    };
    for (query, wanted) in [
        ("", false),
        ("?details=false", false),
        ("?details=0", false),
        ("?x=1", false),
        ("?details=true", true),
        ("?details=1", true),
    ] {
        let answer = ask(query).await;
        answer.assert_live();
        assert_eq!(
            answer.body["result"].get("details").is_some(),
            wanted,
            "{query}"
        );
    }
    ask("?details=perhaps").await.assert_error(400, "004");
    let details = ask("?details=true").await.body["result"]["details"].take();
    for field in [
        "face",
        "mask_score",
        "attack_scores",
        "image",
        "quality",
        "thresholds",
        "models",
        "runtime",
        "timings",
    ] {
        assert!(details.get(field).is_some(), "{field} in {details}");
    }
}

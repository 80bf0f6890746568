//! Request bodies.

use super::{
    altered::text,
    table::{HostileBody, MALFORMED, NOBODY, SIDE, UNREADABLE},
};
use crate::drawn;

const MULTIPART: &str = "multipart/form-data; boundary=XX";

const URLENCODED: &str = "application/x-www-form-urlencoded";

const JSON: &str = "application/json";

/// Every hostile body.
#[must_use]
pub fn bodies() -> Vec<HostileBody> {
    let jpeg = drawn::jpeg(SIDE, SIDE);
    let image = part("name=\"image\"; filename=\"a.jpg\"", &jpeg);
    let other = part("name=\"other\"", b"x");
    let end = b"--XX--\r\n".as_slice();
    let multipart = |name, why, body: &[&[u8]], answers| HostileBody {
        name,
        why,
        content_type: MULTIPART,
        body: body.concat(),
        answers,
    };
    let json = |name, why, body: String, answers| HostileBody {
        name,
        why,
        content_type: JSON,
        body: body.into_bytes(),
        answers,
    };
    let form = |name, why, body: String, answers| HostileBody {
        name,
        why,
        content_type: URLENCODED,
        body: body.into_bytes(),
        answers,
    };
    let mut nested = image.clone();
    for depth in 0..100 {
        let head = format!("name=\"image\"\r\nContent-Type: multipart/mixed; boundary=Y{depth}");
        nested = part(&head, &nested);
    }
    let heads = "X-Filler: y\r\n".repeat(10_000);
    let long_list = vec!["0"; 2_000_000].join(",");
    vec![
        multipart(
            "10000 parts and an image",
            "parts without end",
            &[&other.repeat(10_000), &image, end],
            NOBODY,
        ),
        multipart(
            "10000 images",
            "images without end",
            &[
                &part("name=\"image\"; filename=\"a\"", b"x").repeat(10_000),
                end,
            ],
            MALFORMED,
        ),
        multipart(
            "10000 parts without a name",
            "parts without end",
            &[&part("x", b"").repeat(10_000), end],
            MALFORMED,
        ),
        multipart(
            "an image in 100 nested multiparts",
            "a part that is a body itself is a file, and no image",
            &[&nested, end],
            &["002", "004"],
        ),
        multipart(
            "a part of 10000 header lines",
            "a head without end",
            &[b"--XX\r\n", heads.as_bytes(), b"\r\n", end],
            MALFORMED,
        ),
        multipart(
            "delimiters alone",
            "nothing between delimiters",
            &[&b"--XX\r\n".repeat(100_000), end],
            MALFORMED,
        ),
        multipart(
            "almost delimiters",
            "content that looks like a delimiter",
            &[
                &part(
                    "name=\"image\"; filename=\"a\"",
                    &b"\r\n--X".repeat(500_000),
                ),
                end,
            ],
            UNREADABLE,
        ),
        multipart("no end", "a body that breaks off", &[&image], MALFORMED),
        multipart(
            "a null in a name",
            "a name that is not text",
            &[&part("name=\"image\0\"; filename=\"a\"", &jpeg), end],
            MALFORMED,
        ),
        multipart(
            "a path as file name",
            "a file name that leads elsewhere",
            &[
                &part("name=\"image\"; filename=\"../../etc/passwd\"", &jpeg),
                end,
            ],
            NOBODY,
        ),
        multipart(
            "a header folded 100000 times",
            "a head without end",
            &[
                b"--XX\r\nContent-Disposition: form-data;",
                &b"\r\n ".repeat(100_000),
                b"name=\"image\"\r\n\r\nx\r\n",
                end,
            ],
            MALFORMED,
        ),
        multipart(
            "folded headers",
            "read, as older programs write them",
            &[
                &part(
                    "name=\"image\";\r\n\tfilename=\"a.jpg\"\r\nContent-Type:\r\n image/jpeg",
                    &jpeg,
                ),
                end,
            ],
            NOBODY,
        ),
        multipart(
            "a fold before any header",
            "a line that continues nothing",
            &[b"--XX\r\n name=\"image\"\r\n\r\nx\r\n", end],
            MALFORMED,
        ),
        multipart(
            "an encoding that is said and not there",
            "a part that must be base64 and is a JPEG",
            &[
                &part(
                    "name=\"image\"; filename=\"a\"\r\nContent-Transfer-Encoding: base64",
                    &jpeg,
                ),
                end,
            ],
            UNREADABLE,
        ),
        multipart(
            "an image and 10000 empty fields of the other name",
            "empty fields, which are ignored",
            &[
                &image,
                &part("name=\"image_bytes\"", b"").repeat(10_000),
                end,
            ],
            &["004", "051"],
        ),
        multipart(
            "nothing but empty fields",
            "fields of which none holds a photo",
            &[
                &part("name=\"image\"; filename=\"\"", b""),
                &part("name=\"image_bytes\"", b""),
                end,
            ],
            MALFORMED,
        ),
        HostileBody {
            name: "bare line feeds",
            why: "lines that end as no standard says",
            content_type: MULTIPART,
            body: text(
                &[&image, end]
                    .concat()
                    .iter()
                    .copied()
                    .take(60)
                    .collect::<Vec<_>>(),
            )
            .replace("\r\n", "\n")
            .into_bytes(),
            answers: MALFORMED,
        },
        json(
            "a thousand byte order marks",
            "a mark is skipped once",
            format!("{}{{\"image_bytes\":\"AAAA\"}}", "\u{feff}".repeat(1000)),
            MALFORMED,
        ),
        form(
            "a data URI of data URIs",
            "a prefix without end",
            format!("image_bytes={}", "data:image/png;base64,".repeat(50_000)),
            UNREADABLE,
        ),
        json(
            "a hundred thousand lists in each other",
            "recursion",
            "[".repeat(100_000),
            MALFORMED,
        ),
        json(
            "a hundred thousand objects in each other",
            "recursion",
            "{\"image_bytes\":".repeat(100_000),
            MALFORMED,
        ),
        json(
            "a hundred thousand lists in an unknown field",
            "recursion",
            format!("{{\"x\":{}", "[".repeat(100_000)),
            MALFORMED,
        ),
        json(
            "two million numbers as details",
            "values kept that nobody asked for",
            format!("{{\"image_bytes\":\"AAAA\",\"details\":[{long_list}]}}"),
            MALFORMED,
        ),
        json(
            "300000 objects as details",
            "values kept that nobody asked for",
            format!(
                "{{\"image_bytes\":\"AAAA\",\"details\":[{}]}}",
                vec!["{\"a\":0}"; 300_000].join(",")
            ),
            MALFORMED,
        ),
        json(
            "half a million unknown fields",
            "fields without end",
            format!("{{{}\"image_bytes\":\"AAAA\"}}", "\"x\":0,".repeat(500_000)),
            UNREADABLE,
        ),
        json(
            "a number that no float holds",
            "a number out of range",
            "{\"image_bytes\":\"AAAA\",\"details\":1e999999}".to_owned(),
            MALFORMED,
        ),
        json(
            "a lone surrogate",
            "text that is not text",
            "{\"image_bytes\":\"\\ud800\"}".to_owned(),
            MALFORMED,
        ),
        json(
            "a byte order mark",
            "skipped: what follows is read",
            "\u{feff}{\"image_bytes\":\"AAAA\"}".to_owned(),
            UNREADABLE,
        ),
        json(
            "nulls",
            "text that is not text",
            "\0".repeat(100_000),
            MALFORMED,
        ),
        form(
            "a million unknown fields",
            "fields without end",
            "x=1&".repeat(1_000_000),
            MALFORMED,
        ),
        form(
            "a million empty fields and an image",
            "fields without end",
            format!("{}image_bytes=AAAA", "&".repeat(1_000_000)),
            UNREADABLE,
        ),
        form(
            "percent signs alone",
            "escapes without digits",
            "image_bytes=".to_owned() + &"%".repeat(100_000),
            MALFORMED,
        ),
        form(
            "a name of a megabyte",
            "a name without end",
            "x".repeat(1_000_000),
            MALFORMED,
        ),
        form(
            "padding alone",
            "base64 of nothing",
            "image_bytes=".to_owned() + &"=".repeat(100_000),
            UNREADABLE,
        ),
        form(
            "line breaks alone",
            "base64 of nothing",
            "image_bytes=".to_owned() + &"%0A".repeat(100_000),
            MALFORMED,
        ),
    ]
}

/// One part of a multipart body.
fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

//! Manifests and folders as people write them.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::fs;

use livecheck_evaluate::data::{self, Label, Presentation, UNSPECIFIED};

fn manifest(text: &str) -> Vec<Presentation> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.csv");
    fs::write(&path, text).unwrap();
    data::read_manifest(&path).unwrap()
}

#[test]
fn labels_are_words_in_any_spelling() {
    let attack = |species: &str| Some(Label::Attack(species.to_owned()));
    for (text, label) in [
        ("live", Some(Label::BonaFide)),
        ("Bona Fide", Some(Label::BonaFide)),
        (" bona-fide ", Some(Label::BonaFide)),
        ("REAL", Some(Label::BonaFide)),
        ("print", attack("print")),
        ("Printed photo", attack("print")),
        ("replay", attack("screen")),
        ("video-replay", attack("screen")),
        ("3D mask", attack("mask")),
        ("spoof", attack(UNSPECIFIED)),
        ("0", None),
        ("1", None),
        ("true", None),
        ("", None),
        ("alive", None),
    ] {
        assert_eq!(Label::parse(text), label, "{text:?}");
    }
}

#[test]
fn the_manifest_of_a_research_set_is_read_as_it_is() {
    let rows = manifest(
        "image,source,subject,class,medium,note,width,height\n\
         a/1.jpg,webcam,RA1,live,,controlled,320,240\n\
         a/2.jpg,webcam,RA1,replay,mobile_video,,320,240\n",
    );
    assert_eq!(rows[0].species, None);
    assert_eq!(rows[1].species.as_deref(), Some("screen"));
    assert_eq!(
        (
            rows[1].source.as_str(),
            rows[1].subject.as_deref(),
            rows[1].line
        ),
        ("webcam", Some("RA1"), 3)
    );
}

#[test]
fn names_of_columns_are_read_leniently() {
    for (header, row) in [
        (
            "image,label,type,source,subject",
            "x.jpg,attack,Replay,cam,p",
        ),
        (
            "\u{FEFF}File,Ground Truth,Attack-Type,Dataset,Person ID",
            "x.jpg,Fake,screen,cam,p",
        ),
        (
            "person,camera,PAI species,class,path",
            "p,cam,display,spoof,x.jpg",
        ),
        (
            "label,ignored,image,species,set,identity",
            "attack,live,x.jpg,video,cam,p",
        ),
    ] {
        let rows = manifest(&format!(
            "{header}\n{row}\n{}\n",
            row.replace("x.jpg", "y.jpg")
                .replace("attack", "live")
                .replace("Fake", "live")
                .replace("spoof", "live")
        ));
        assert_eq!(
            rows[0],
            Presentation {
                image: "x.jpg".to_owned(),
                species: Some("screen".to_owned()),
                source: "cam".to_owned(),
                subject: Some("p".to_owned()),
                line: 2,
            },
            "{header}"
        );
        assert_eq!(rows[1].species, None, "{header}");
    }
}

#[test]
fn what_is_not_told_is_left_open() {
    let rows =
        manifest("image,label,type\na,live,\nb,attack,\nc,attack,Silicone Mask\nd,print,screen\n");
    let species: Vec<_> = rows.iter().map(|row| row.species.as_deref()).collect();
    // The label wins where both say something.
    assert_eq!(
        species,
        [
            None,
            Some(UNSPECIFIED),
            Some("silicone_mask"),
            Some("print")
        ]
    );
    assert!(
        rows.iter()
            .all(|row| row.source == "set" && row.subject.is_none())
    );
}

#[test]
fn a_fingerprint_tells_lists_apart() {
    let one = manifest("image,label\na,live\nb,print\n");
    let same = manifest("image,label,other\na,live,1\nb,print,2\n");
    let other = manifest("image,label\na,live\nb,screen\n");
    assert_eq!(data::fingerprint(&one), data::fingerprint(&same));
    assert_ne!(data::fingerprint(&one), data::fingerprint(&other));
}

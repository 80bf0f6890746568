//! The report as one HTML page for people who decide, without any script and without anything from
//! elsewhere.

use std::collections::BTreeSet;

use livecheck_engine::Rate;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    figures::{Estimate, Figures, Share},
    plots,
    reasons::code_words,
    report::Report,
    stability::{Class, Stability},
};

const STYLE: &str = include_str!("report.css");

/// Below this many people the page warns.
const FEW_PEOPLE: u64 = 30;

/// Below this many photos of a class the page warns.
const FEW_PHOTOS: u64 = 100;

/// From this share of photos without a verdict on the page warns.
const MANY_SILENT: f64 = 0.05;

/// Stands for a rate of nothing.
const NONE_JUDGED: &str = "none judged";

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let title = format!("{} on {}", report.system.name, report.data.name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – presentation attack detection" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.kind { "Evaluation of presentation attack detection" }
                    h1 { (title) }
                }
                main {
                    (in_short(report))
                    @if report.sources.is_empty() {
                        (group(&report.data.name, &report.overall, report.threshold))
                    } @else {
                        @for (name, figures) in &report.sources {
                            (group(name, figures, report.threshold))
                        }
                        (group("All sources together", &report.overall, report.threshold))
                    }
                    @if let Some(stability) = &report.stability { (stable(stability)) }
                    (subjects(report))
                    (method(report))
                }
            }
        }
    };
    page.into_string()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn range((lower, upper): (f64, f64)) -> String {
    format!("{:.1} – {:.1} %", lower * 100.0, upper * 100.0)
}

/// A threshold with two digits, or as many as it has.
fn number(threshold: f64) -> String {
    let two = format!("{threshold:.2}");
    if two.parse() == Ok(threshold) {
        two
    } else {
        threshold.to_string()
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// "300 print and 440 screen".
fn kinds(figures: &Figures) -> String {
    let kinds: Vec<String> = figures
        .attacks
        .iter()
        .map(|(name, species)| format!("{} {name}", species.responses.presented))
        .collect();
    kinds.join(" and ")
}

fn people(figures: &Figures) -> String {
    match (figures.subjects, figures.without_subject) {
        (0, _) => "an unknown number of people".to_owned(),
        (known, 0) => plural(known, "person", "people"),
        (known, without) => format!(
            "{}, and {without} photos of unnamed people",
            plural(known, "person", "people")
        ),
    }
}

fn in_short(report: &Report) -> Markup {
    let threshold = number(report.threshold);
    let groups: Vec<(&str, &Figures)> = if report.sources.is_empty() {
        vec![(report.data.name.as_str(), &report.overall)]
    } else {
        report
            .sources
            .iter()
            .map(|(name, figures)| (name.as_str(), figures))
            .collect()
    };
    html! {
        section.short {
            h2 { "In short" }
            h3 { "What was measured" }
            p {
                (report.system.name)
                @if let Some(version) = &report.system.version { " " (version) }
                " saw " (report.data.presentations) " photos whose truth was known and said of each how alive the face looks, from 0 to 1. From "
                strong { (threshold) } " on, a face counts as a live person."
                @if let Some(preset) = &report.system.preset { " The preset is " (preset) "." }
                @if let Some(file) = &report.system.calibration { " The scores are calibrated with " (file) "." }
            }
            ul {
                @for (name, figures) in &groups {
                    li {
                        strong { (name) } ": " (figures.bona_fide.presented) " photos of live people and "
                        (kinds(figures)) " attacks, of " (people(figures)) "."
                    }
                }
            }
            h3 { "Results at the threshold " (threshold) }
            @if !report.reasons.is_empty() {
                p { "Some photos were rejected without a verdict:" }
                ul.refused {
                    @for reason in &report.reasons {
                        li { (reason.count) " of " (report.data.presentations) " refused: " (reason) }
                    }
                }
            }
            div.cards {
                @for (name, figures) in &groups { (card(name, figures, report.threshold)) }
            }
            h3 { "What the numbers mean" }
            p {
                "Two things can go wrong. A " strong { "live person is refused" }
                ": that is annoying and costs a second try, whether the photo was taken for an attack or got no verdict. An " strong { "attack passes" }
                ": somebody got through with a picture of another person. A higher threshold trades more of the first for fewer of the second. Each kind of attack is counted separately, and the worst one matters: attackers choose."
            }
            p {
                "The ranges behind each figure say how far chance alone may have moved it: of a hundred ranges made like this, about 95 hold the true rate. “By photos” treats each photo as an independent draw; “by people” draws people with all their photos, which are much alike. Plan with the wider of the two, and with its upper end."
            }
            p {
                "A photo without a usable face gets no verdict. It counts in the first figure, people turned away, and in none of the others; the tables below list it separately."
            }
            h3 { "What nobody should conclude" }
            ul {
                li { "That these rates hold for other cameras, light, people or attackers. They were measured on this data and speak for photos like these." }
                li { "Anything about attacks that are not here: " (not_here(&report.overall)) "." }
                li { "That the rates are equal for everybody: people were not sorted by age, sex or skin." }
                li { "That the best threshold found here is as good elsewhere: if you choose it on this data, measure it on other people." }
                li { "A certification. The definitions are those of ISO/IEC 30107-3; a test by an accredited laboratory is something else." }
            }
            (warnings(&groups))
        }
    }
}

/// Kinds of attack that the data does not hold.
fn not_here(figures: &Figures) -> String {
    let mut missing: Vec<&str> = [("print", "printed photos"), ("screen", "screens")]
        .into_iter()
        .filter(|(name, _)| !figures.attacks.contains_key(*name))
        .map(|(_, words)| words)
        .collect();
    if !figures.attacks.contains_key("mask") {
        missing.push("masks and three-dimensional heads");
    }
    missing.push("generated faces");
    missing.push("pictures sent past the camera");
    missing.join(", ")
}

fn card(name: &str, figures: &Figures, threshold: f64) -> Markup {
    let Some(at) = figures.at(threshold) else {
        return html! {};
    };
    let turned_away = Share {
        rate: at.bona_fide_turned_away,
        bootstrap: None,
    };
    html! {
        article.card {
            h4 { (name) }
            (gauge("Live people turned away, whatever the reason", &turned_away, "bona-fide"))
            (gauge("Live people taken for attacks, of those with a verdict", &at.bpcer, "bona-fide"))
            @for (species, share) in &at.apcer {
                (gauge(&format!("Attacks that pass: {species}"), share, "attack"))
            }
        }
    }
}

/// A rate with its bar and ranges.
fn gauge(what: &str, share: &Share, class: &str) -> Markup {
    let Rate {
        errors,
        of,
        rate,
        lower,
        upper,
    } = share.rate;
    html! {
        div.gauge {
            p.what { (what) }
            @if of == 0 {
                p.none { (NONE_JUDGED) }
            } @else {
                p.value { (percent(rate)) span.count { (errors) " of " (of) } }
                div class={ "bar " (class) } role="presentation" {
                    i style={ "left:" (lower * 100.0) "%;width:" ((upper - lower) * 100.0) "%" } {}
                    b style={ "left:" (rate * 100.0) "%" } {}
                }
                p.range {
                    "by photos " (range((lower, upper)))
                    @if let Some(bootstrap) = share.bootstrap { ", by people " (range(bootstrap)) }
                }
            }
        }
    }
}

fn warnings(groups: &[(&str, &Figures)]) -> Markup {
    let mut warnings = Vec::new();
    for (name, figures) in groups {
        if figures.subjects > 0 && figures.subjects < FEW_PEOPLE {
            warnings.push(format!(
                "{name} shows only {}. Peculiarities of a few people affect these figures.",
                plural(figures.subjects, "person", "people")
            ));
        }
        if figures.without_subject > 0 {
            warnings.push(format!(
                "{name} does not say who is on {} of its photos: ranges by people count each of them as a different person and are too narrow.",
                figures.without_subject
            ));
        }
        let classes = std::iter::once(("live people", &figures.bona_fide)).chain(
            figures
                .attacks
                .iter()
                .map(|(species, one)| (species.as_str(), &one.responses)),
        );
        for (class, responses) in classes {
            if responses.responded < FEW_PHOTOS {
                warnings.push(format!(
                    "{name} has only {} of the class {class} with a verdict: even without any error the true rate may be {}.",
                    plural(responses.responded, "photo", "photos"),
                    percent(crate::interval::clopper_pearson(0, responses.responded).1)
                ));
            }
            if responses.non_response.rate >= MANY_SILENT {
                warnings.push(format!(
                    "{name}: {} of the photos of the class {class} got no verdict. They count in no error rate below; see the table of rejections.",
                    percent(responses.non_response.rate)
                ));
            }
        }
    }
    html! {
        @if !warnings.is_empty() {
            h3 { "Mind" }
            ul.warnings { @for warning in warnings { li { (warning) } } }
        }
    }
}

fn group(name: &str, figures: &Figures, threshold: f64) -> Markup {
    html! {
        section {
            h2 { (name) }
            (thresholds(figures, threshold))
            (separation(figures))
            (refusals(figures))
            div.plots {
                @for plot in plots::all(figures, threshold) {
                    figure {
                        h4 { (plot.title) }
                        div role="img" aria-label={ (plot.title) ", " (name) } { (PreEscaped(plot.svg)) }
                        figcaption { (plot.caption) }
                    }
                }
            }
        }
    }
}

/// A cell with a rate, its counts and ranges.
fn cell(share: &Share) -> Markup {
    let rate = share.rate;
    html! {
        td {
            @if rate.of == 0 { (NONE_JUDGED) } @else {
                strong { (percent(rate.rate)) }
                span.count { (rate.errors) "/" (rate.of) }
                span.range { (range((rate.lower, rate.upper))) }
                @if let Some(bootstrap) = share.bootstrap {
                    span.range { "people: " (range(bootstrap)) }
                }
            }
        }
    }
}

fn plain_cell(rate: &Rate) -> Markup {
    html! {
        td {
            @if rate.of == 0 { (NONE_JUDGED) } @else {
                strong { (percent(rate.rate)) }
                span.count { (rate.errors) "/" (rate.of) }
                span.range { (range((rate.lower, rate.upper))) }
            }
        }
    }
}

fn thresholds(figures: &Figures, threshold: f64) -> Markup {
    html! {
        h3 { "Errors at fixed thresholds" }
        div.scroll { table {
            thead { tr {
                th scope="col" { "threshold" }
                th scope="col" { "BPCER" small { "live refused" } }
                @for species in figures.attacks.keys() {
                    th scope="col" { "APCER " (species) small { "attacks passed" } }
                }
                th scope="col" { "worst APCER" }
                th scope="col" { "live turned away" small { "refused or no verdict, of all" } }
            } }
            tbody { @for at in &figures.at_threshold {
                tr class=[(at.threshold == threshold).then_some("in-force")] {
                    th scope="row" {
                        (number(at.threshold))
                        @if at.threshold == threshold { small { "in force" } }
                    }
                    (cell(&at.bpcer))
                    @for share in at.apcer.values() { (cell(share)) }
                    td {
                        @match &at.worst {
                            Some(worst) => { strong { (percent(worst.apcer)) } span.count { (worst.species) } }
                            None => "–",
                        }
                    }
                    (plain_cell(&at.bona_fide_turned_away))
                }
            } }
        } }
        @if !figures.at_bpcer.is_empty() && !figures.attacks.is_empty() {
            h3 { "Attacks that pass when a fixed share of live people is refused" }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "BPCER" }
                    th scope="col" { "threshold" }
                    @for species in figures.attacks.keys() { th scope="col" { "APCER " (species) } }
                    th scope="col" { "worst APCER" }
                    th scope="col" { "all attacks" }
                } }
                tbody { @for at in &figures.at_bpcer {
                    tr {
                        th scope="row" { (format!("{:.0} %", at.bpcer * 100.0)) }
                        td { (format!("{:.4}", at.threshold)) }
                        @for share in at.apcer.values() { (cell(share)) }
                        td {
                            @match &at.worst {
                                Some(worst) => { strong { (percent(worst.apcer)) } span.count { (worst.species) } }
                                None => "–",
                            }
                        }
                        (cell(&at.all_attacks))
                    }
                } }
            } }
        }
        @if !figures.at_apcer.is_empty() {
            h3 { "Live people refused when a fixed share of the worst attacks passes" }
            div.scroll { table {
                thead { tr { @for at in &figures.at_apcer {
                    th scope="col" { (format!("APCER {:.0} %", at.apcer * 100.0)) small { (format!("BPCER{:.0}", 1.0 / at.apcer)) } }
                } } }
                tbody { tr { @for at in &figures.at_apcer { (cell(&at.bpcer)) } } }
            } }
        }
    }
}

fn estimate(estimate: Option<Estimate>, shown: impl Fn(f64) -> String) -> Markup {
    html! {
        td {
            @match estimate {
                None => "–",
                Some(Estimate { value, bootstrap }) => {
                    strong { (shown(value)) }
                    @if let Some((lower, upper)) = bootstrap {
                        span.range { "people: " (shown(lower)) " – " (shown(upper)) }
                    }
                }
            }
        }
    }
}

fn separation(figures: &Figures) -> Markup {
    let auc = |value: f64| format!("{value:.4}");
    html! {
        h3 { "How well the two are separated at any threshold" }
        div.scroll { table {
            thead { tr {
                th scope="col" { "live against" }
                th scope="col" { "AUC" small { "1 = perfect, 0.5 = chance" } }
                th scope="col" { "D-EER" small { "where both errors are equal" } }
            } }
            tbody {
                @for (name, species) in &figures.attacks {
                    tr { th scope="row" { (name) } (estimate(species.auc, auc)) (estimate(species.d_eer, percent)) }
                }
                @if figures.attacks.len() > 1 {
                    tr { th scope="row" { "all attacks" } (estimate(figures.auc, auc)) (estimate(figures.d_eer, percent)) }
                }
            }
        } }
    }
}

fn refusals(figures: &Figures) -> Markup {
    let classes: Vec<_> = std::iter::once(("live", &figures.bona_fide))
        .chain(
            figures
                .attacks
                .iter()
                .map(|(name, species)| (name.as_str(), &species.responses)),
        )
        .collect();
    let codes: BTreeSet<&str> = classes
        .iter()
        .flat_map(|(_, responses)| responses.by_code.keys().map(String::as_str))
        .collect();
    html! {
        h3 { "Photos without a verdict" }
        @if codes.is_empty() {
            p { "None: every photo got a verdict." }
        } @else {
            div.scroll { table {
                thead { tr {
                    th scope="col" { "class" }
                    th scope="col" { "presented" }
                    th scope="col" { "no verdict" small { "BPNRR, APNRR" } }
                    @for code in &codes { th scope="col" { (code) small { (code_words(code)) } } }
                } }
                tbody { @for (name, responses) in classes {
                    tr {
                        th scope="row" { (name) }
                        td { (responses.presented) }
                        (plain_cell(&responses.non_response))
                        @for code in &codes { td { (responses.by_code.get(*code).copied().unwrap_or(0)) } }
                    }
                } }
            } }
        }
    }
}

fn stable(stability: &Stability) -> Markup {
    let species: Vec<&String> = stability.undisturbed.attacks.keys().collect();
    html! {
        section {
            h2 { "Stability" }
            p {
                "The same photos in other light, noisier, compressed, framed or rotated, and with a slightly different face box, at the threshold "
                (number(stability.threshold))
                ". Each row says how many verdicts change, and the resulting error rates; photos that no longer get a verdict are counted separately. No small disturbance, marked •, should change more than "
                (percent(stability.allowed)) " of the verdicts."
            }
            @if !stability.worst.is_empty() {
                h3 { "The worst rows" }
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "what" } th scope="col" { "disturbance" } th scope="col" { "rate" }
                    } }
                    tbody { @for worst in &stability.worst {
                        tr { th scope="row" { (worst.what) } td { (worst.disturbance) } (plain_cell(&worst.rate)) }
                    } }
                } }
            }
            h3 { "Every row" }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "disturbance" }
                    th scope="col" { "verdicts turned" }
                    th scope="col" { "live called attacks" }
                    @for name in &species { th scope="col" { "attacks passed: " (name) } }
                    @if species.len() > 1 { th scope="col" { "all attacks passed" } }
                    th scope="col" { "live without a verdict" }
                    th scope="col" { "attacks without a verdict" }
                } }
                tbody { @for row in std::iter::once(&stability.undisturbed).chain(&stability.disturbances) {
                    tr class=[stability.is_over(row).then_some("over")] {
                        th scope="row" {
                            (row.name) @if row.limited { " •" }
                            @if stability.is_over(row) { small { "more than allowed" } }
                        }
                        (plain_cell(&row.turned))
                        (plain_cell(&row.live.wrong))
                        @for name in &species {
                            @match row.attacks.get(*name) {
                                Some(class) => (plain_cell(&class.wrong)),
                                None => td { "–" },
                            }
                        }
                        @if species.len() > 1 { (plain_cell(&row.all_attacks.wrong)) }
                        (silent_cell(&row.live))
                        (silent_cell(&row.all_attacks))
                    }
                } }
            } }
        }
    }
}

/// Photos without a verdict, with their error codes.
fn silent_cell(class: &Class) -> Markup {
    let rate = class.no_verdict;
    html! {
        td {
            @if rate.of == 0 { (NONE_JUDGED) } @else if rate.errors == 0 { "0" } @else {
                strong { (percent(rate.rate)) }
                span.count { (rate.errors) "/" (rate.of) }
                @for (code, count) in &class.by_code {
                    span.range { (count) " × " (code) " " (code_words(code)) }
                }
            }
        }
    }
}

fn subjects(report: &Report) -> Markup {
    html! {
        @if !report.subjects.is_empty() {
            section {
                h2 { "People" }
                p { "One line per person: errors at the threshold in force. A person who is rejected again and again points to lighting, a camera or a face that the system handles badly." }
                details {
                    summary { (plural(report.subjects.len() as u64, "person", "people")) }
                    div.scroll { table {
                        thead { tr {
                            th scope="col" { "source" } th scope="col" { "person" }
                            th scope="col" { "live refused" } th scope="col" { "attacks passed" }
                            th scope="col" { "no verdict" }
                        } }
                        tbody { @for subject in &report.subjects {
                            tr {
                                td { (subject.source) }
                                th scope="row" { (subject.subject) }
                                td { (subject.bona_fide_refused) "/" (subject.bona_fide) }
                                td { (subject.attacks_passed) "/" (subject.attacks) }
                                td { (subject.no_response) }
                            }
                        } }
                    } }
                }
            }
        }
    }
}

fn method(report: &Report) -> Markup {
    let system = &report.system;
    html! {
        section.method {
            h2 { "How it was measured" }
            h3 { "Terms" }
            p { "As in ISO/IEC 30107-3:2023, Biometric presentation attack detection, Part 3: Testing and reporting." }
            dl {
                dt { "bona fide presentation" } dd { "a photo of a live person, taken of that person" }
                dt { "PAI species" } dd { "a kind of attack, such as print or screen" }
                dt { "APCER" } dd { "attack presentation classification error rate: of the attacks of one species that got a verdict, the share classified as bona fide. Of several species the highest counts." }
                dt { "BPCER" } dd { "bona fide presentation classification error rate: of the bona fide presentations that got a verdict, the share classified as attacks. BPCER20 is the one at an APCER of 5 %." }
                dt { "APNRR, BPNRR" } dd { "non-response rates: the share of attacks, and of bona fide presentations, that got an error code instead of a verdict" }
                dt { "D-EER" } dd { "detection equal error rate: APCER and BPCER where they are equal" }
                dt { "DET" } dd { "detection error trade-off: BPCER over APCER for every threshold, on probit axes" }
                dt { "AUC" } dd { "area under the ROC curve: how often a live person scores higher than an attack" }
            }
            h3 { "Ranges" }
            p {
                "95 %, two-sided. “By photos”: the exact interval of Clopper and Pearson, which treats every photo as an independent draw. “By people”: the percentile bootstrap over people, "
                (report.bootstrap_resamples) " resamples, seed " (report.bootstrap_seed)
                "; none for fewer than " (crate::bootstrap::LEAST_SUBJECTS) " people, and is meaningless where no error was seen."
            }
            h3 { "System and data" }
            div.scroll { table.facts { tbody {
                tr { th scope="row" { "system" } td { (system.name) @if let Some(version) = &system.version { " " (version) } } }
                @if let Some(thresholds) = system.thresholds {
                    tr { th scope="row" { "thresholds" } td { "face " (thresholds.face) ", liveness " (thresholds.liveness) ", face mask " (thresholds.mask) } }
                }
                @if let Some(limits) = system.limits {
                    tr { th scope="row" { "limits" } td { "image side at least " (limits.min_image_side) " pixels, face at least " (limits.min_face_side) " pixels wide" } }
                }
                @for model in &system.models {
                    tr { th scope="row" { (model.name) } td { code { (model.sha256) } } }
                }
                tr { th scope="row" { "data" } td { (report.data.name) ", " (report.data.presentations) " photos" } }
                tr { th scope="row" { "hash of the labels" } td { code { (report.data.sha256) } } }
            } } }
        }
    }
}

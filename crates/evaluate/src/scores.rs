//! Scores of one class, and the rates and areas that follow from two of them. Pure arithmetic.
//!
//! A higher score means more alive; a presentation is classified as bona fide when its score is at
//! or above the threshold. Every score carries a weight, so that the same code serves the whole
//! data (all weights 1) and the resamples of a bootstrap.

/// Scores of presentations of one class, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    values: Vec<f64>,
    /// Which presentation each value belongs to, as its maker counts them.
    ids: Vec<usize>,
    /// Sum of the weights before each value; one longer than `values`.
    before: Vec<f64>,
}

impl Scores {
    /// From scores in any order, each with the weight 1. None may be NaN.
    #[must_use]
    pub fn new(scores: impl IntoIterator<Item = f64>) -> Self {
        Self::with_ids(scores.into_iter().enumerate())
    }

    /// From pairs of an id and a score.
    #[must_use]
    pub fn with_ids(scores: impl IntoIterator<Item = (usize, f64)>) -> Self {
        let mut pairs: Vec<(usize, f64)> = scores.into_iter().collect();
        pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (ids, values): (Vec<usize>, Vec<f64>) = pairs.into_iter().unzip();
        let mut scores = Self {
            values,
            ids,
            before: Vec::new(),
        };
        scores.weigh(|_| 1.0);
        scores
    }

    /// The same scores with other weights, none of them negative.
    #[must_use]
    pub fn weighted(&self, weight: impl Fn(usize) -> f64) -> Self {
        let mut scores = self.clone();
        scores.weigh(weight);
        scores
    }

    fn weigh(&mut self, weight: impl Fn(usize) -> f64) {
        let mut sum = 0.0;
        self.before.clear();
        self.before.push(0.0);
        for id in &self.ids {
            sum += weight(*id);
            self.before.push(sum);
        }
    }

    /// The values, ascending.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Sum of all weights.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.before.last().copied().unwrap_or_default()
    }

    /// Whether nothing has any weight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total() <= 0.0
    }

    /// Weight of the scores below a threshold: those classified as attacks.
    #[must_use]
    pub fn below(&self, threshold: f64) -> f64 {
        self.before[self.values.partition_point(|value| *value < threshold)]
    }

    /// Weight of the scores at or above a threshold: those classified as bona fide.
    #[must_use]
    pub fn at_or_above(&self, threshold: f64) -> f64 {
        self.total() - self.below(threshold)
    }

    /// Share below a threshold: the BPCER, when these are the bona fide presentations. NaN without
    /// any.
    #[must_use]
    pub fn share_below(&self, threshold: f64) -> f64 {
        self.below(threshold) / self.total()
    }

    /// Share at or above a threshold: the APCER, when these are attacks. NaN without any.
    #[must_use]
    pub fn share_at_or_above(&self, threshold: f64) -> f64 {
        self.at_or_above(threshold) / self.total()
    }

    /// Weight of value number `at`.
    fn weight(&self, at: usize) -> f64 {
        self.before[at + 1] - self.before[at]
    }
}

/// Room for the rounding of sums and products of weights, in weights.
const ROUNDING: f64 = 1e-9;

/// Area under the ROC curve: the probability that a bona fide presentation scores higher than an
/// attack, ties counted half (Mann and Whitney 1947). `None` when a class is empty.
#[must_use]
pub fn auc(bona_fide: &Scores, attacks: &Scores) -> Option<f64> {
    if bona_fide.is_empty() || attacks.is_empty() {
        return None;
    }
    let (mut below, mut up_to) = (0, 0);
    let mut wins = 0.0;
    for (at, value) in bona_fide.values.iter().enumerate() {
        while attacks
            .values
            .get(below)
            .is_some_and(|attack| attack < value)
        {
            below += 1;
        }
        while attacks
            .values
            .get(up_to)
            .is_some_and(|attack| attack <= value)
        {
            up_to += 1;
        }
        let (lower, not_higher) = (attacks.before[below], attacks.before[up_to]);
        wins += bona_fide.weight(at) * (lower + not_higher) / 2.0;
    }
    Some(wins / (bona_fide.total() * attacks.total()))
}

/// One operating point: the error rates, 0 to 1, at a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// From this score on a presentation is classified as bona fide; infinite where none is.
    pub threshold: f64,
    /// Share of the attacks at or above it.
    pub apcer: f64,
    /// Share of the bona fide presentations below it.
    pub bpcer: f64,
}

/// Every operating point that differs from its neighbours, by rising threshold: from all attacks
/// accepted to all bona fide presentations refused. Empty when a class is empty.
#[must_use]
pub fn operating_points(bona_fide: &Scores, attacks: &Scores) -> Vec<OperatingPoint> {
    if bona_fide.is_empty() || attacks.is_empty() {
        return Vec::new();
    }
    let (mut live, mut attack) = (0, 0);
    let mut points = Vec::with_capacity(bona_fide.values.len() + attacks.values.len() + 1);
    loop {
        let next = match (bona_fide.values.get(live), attacks.values.get(attack)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(value), None) | (None, Some(value)) => *value,
            (None, None) => f64::INFINITY,
        };
        points.push(OperatingPoint {
            threshold: next,
            apcer: (attacks.total() - attacks.before[attack]) / attacks.total(),
            bpcer: bona_fide.before[live] / bona_fide.total(),
        });
        if next == f64::INFINITY {
            return points;
        }
        while bona_fide
            .values
            .get(live)
            .is_some_and(|value| *value <= next)
        {
            live += 1;
        }
        while attacks
            .values
            .get(attack)
            .is_some_and(|value| *value <= next)
        {
            attack += 1;
        }
    }
}

/// Detection equal error rate: where APCER and BPCER are equal, on the straight line between the
/// two operating points around it. `None` when a class is empty.
#[must_use]
pub fn equal_error_rate(bona_fide: &Scores, attacks: &Scores) -> Option<f64> {
    let points = operating_points(bona_fide, attacks);
    let crossing = points.iter().position(|point| point.bpcer >= point.apcer)?;
    let after = points[crossing];
    let before = points[crossing.checked_sub(1)?];
    let gap_before = before.apcer - before.bpcer;
    let gap_after = after.bpcer - after.apcer;
    let way = gap_before / (gap_before + gap_after);
    Some(before.bpcer + way * (after.bpcer - before.bpcer))
}

/// The highest threshold that refuses at most the share `bpcer` of the bona fide presentations,
/// among their own scores. `None` when there are none, or when all may be refused.
#[must_use]
pub fn threshold_at_bpcer(bona_fide: &Scores, bpcer: f64) -> Option<f64> {
    let allowed = bpcer * bona_fide.total() + ROUNDING;
    if bona_fide.is_empty() || allowed >= bona_fide.total() {
        return None;
    }
    let refused = bona_fide.before.partition_point(|sum| *sum <= allowed);
    // `before[refused]` is the first sum that is too much, so the value before it stays accepted.
    bona_fide.values.get(refused.checked_sub(1)?).copied()
}

/// APCER at the threshold of [`threshold_at_bpcer`]: the least that this BPCER allows.
#[must_use]
pub fn apcer_at_bpcer(bona_fide: &Scores, attacks: &Scores, bpcer: f64) -> Option<f64> {
    if attacks.is_empty() {
        return None;
    }
    Some(attacks.share_at_or_above(threshold_at_bpcer(bona_fide, bpcer)?))
}

/// BPCER at the lowest threshold that lets at most the share `apcer` of the attacks pass: the least
/// that this APCER allows. BPCER10, BPCER20 and BPCER100 of the standard are those at 10, 5 and 1 %.
#[must_use]
pub fn bpcer_at_apcer(bona_fide: &Scores, attacks: &Scores, apcer: f64) -> Option<f64> {
    operating_points(bona_fide, attacks)
        .into_iter()
        .find(|point| point.apcer <= apcer + ROUNDING)
        .map(|point| point.bpcer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: Option<f64>, expected: f64) {
        let found = found.expect("two classes");
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }

    /// Ten bona fide scores 0.1, 0.2 … 1.0 and four attacks.
    fn classes() -> (Scores, Scores) {
        (
            Scores::new((1..=10).map(|tenth| f64::from(tenth) / 10.0)),
            Scores::new([0.05, 0.15, 0.2, 0.9]),
        )
    }

    #[test]
    fn a_score_at_the_threshold_is_bona_fide() {
        let (bona_fide, attacks) = classes();
        assert_eq!(bona_fide.share_below(0.2), 0.1);
        assert_eq!(attacks.share_at_or_above(0.2), 0.5);
        assert_eq!(attacks.share_at_or_above(0.2 + 1e-9), 0.25);
        assert_eq!(bona_fide.share_below(f64::INFINITY), 1.0);
        assert_eq!(attacks.share_at_or_above(-1.0), 1.0);
    }

    #[test]
    fn auc_by_hand() {
        // 0.9 beats both, 0.5 ties with one and beats the other: 3.5 of 4.
        close(
            auc(&Scores::new([0.9, 0.5]), &Scores::new([0.5, 0.1])),
            3.5 / 4.0,
        );
        // 0.05: 10; 0.15: 9; 0.2: 8 and a tie; 0.9: 1 and a tie. 29 of 40.
        let (bona_fide, attacks) = classes();
        close(auc(&bona_fide, &attacks), 29.0 / 40.0);
        assert_eq!(auc(&bona_fide, &Scores::new([])), None);
        assert_eq!(auc(&Scores::new([]), &attacks), None);
    }

    #[test]
    fn apcer_is_read_where_the_bpcer_allows() {
        let (bona_fide, attacks) = classes();
        // One of ten may be refused: the threshold is the second lowest, 0.2.
        close(apcer_at_bpcer(&bona_fide, &attacks, 0.10), 0.5);
        close(apcer_at_bpcer(&bona_fide, &attacks, 0.09), 0.75);
        close(apcer_at_bpcer(&bona_fide, &attacks, 0.0), 0.75);
        close(apcer_at_bpcer(&bona_fide, &attacks, 0.9), 0.0);
        assert_eq!(apcer_at_bpcer(&bona_fide, &attacks, 1.0), None);
    }

    #[test]
    fn bpcer_is_read_where_the_apcer_allows() {
        let (bona_fide, attacks) = classes();
        // One of four may pass: just above 0.2, which refuses 0.1 and 0.2.
        close(bpcer_at_apcer(&bona_fide, &attacks, 0.25), 0.2);
        close(bpcer_at_apcer(&bona_fide, &attacks, 0.24), 0.9);
        close(bpcer_at_apcer(&bona_fide, &attacks, 1.0), 0.0);
    }

    #[test]
    fn equal_error_rate_by_hand() {
        close(
            equal_error_rate(&Scores::new([0.8, 0.9]), &Scores::new([0.1, 0.2])),
            0.0,
        );
        close(
            equal_error_rate(&Scores::new([0.1, 0.2]), &Scores::new([0.8, 0.9])),
            1.0,
        );
        close(
            equal_error_rate(&Scores::new([0.5]), &Scores::new([0.5])),
            0.5,
        );
        // At 0.6 one of three bona fide is refused and one of three attacks passes.
        let bona_fide = Scores::new([0.4, 0.7, 0.9]);
        close(
            equal_error_rate(&bona_fide, &Scores::new([0.1, 0.2, 0.6])),
            1.0 / 3.0,
        );
        // Between (APCER 1/2, BPCER 1/3) and (0, 1/3) the BPCER does not change.
        close(
            equal_error_rate(&bona_fide, &Scores::new([0.1, 0.6])),
            1.0 / 3.0,
        );
    }

    #[test]
    fn doubled_weights_are_doubled_presentations() {
        let (bona_fide, attacks) = classes();
        let weighted = attacks.weighted(|id| if id == 3 { 2.0 } else { 1.0 });
        let doubled = Scores::new([0.05, 0.15, 0.2, 0.9, 0.9]);
        assert_eq!(auc(&bona_fide, &weighted), auc(&bona_fide, &doubled));
        assert_eq!(
            equal_error_rate(&bona_fide, &weighted),
            equal_error_rate(&bona_fide, &doubled)
        );
        assert_eq!(weighted.share_at_or_above(0.5), 0.4);
    }

    fn some_scores() -> impl Strategy<Value = Vec<f64>> {
        // Few distinct values, so that ties are common.
        proptest::collection::vec((0u8..20).prop_map(|step| f64::from(step) / 20.0), 1..40)
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_pairs_won(live in some_scores(), attack in some_scores()) {
            let pairs = live.len() * attack.len();
            let won: f64 = live
                .iter()
                .flat_map(|a| attack.iter().map(move |b| if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 }))
                .sum();
            let found = auc(&Scores::new(live), &Scores::new(attack)).expect("two classes");
            prop_assert!((found - won / pairs as f64).abs() < 1e-12);
        }

        #[test]
        fn swapping_and_turning_the_classes_changes_no_auc_and_no_eer(live in some_scores(), attack in some_scores()) {
            let turned = |scores: &[f64]| Scores::new(scores.iter().map(|score| -score));
            let (a, b) = (Scores::new(live.clone()), Scores::new(attack.clone()));
            let (c, d) = (turned(&attack), turned(&live));
            prop_assert!((auc(&a, &b).expect("two") - auc(&c, &d).expect("two")).abs() < 1e-12);
            let (one, other) = (equal_error_rate(&a, &b).expect("two"), equal_error_rate(&c, &d).expect("two"));
            prop_assert!((one - other).abs() < 1e-12);
        }

        #[test]
        fn errors_move_one_way_with_the_threshold(live in some_scores(), attack in some_scores()) {
            let points = operating_points(&Scores::new(live), &Scores::new(attack));
            let (first, last) = (points[0], points[points.len() - 1]);
            prop_assert_eq!((first.apcer, first.bpcer), (1.0, 0.0));
            prop_assert_eq!((last.apcer, last.bpcer), (0.0, 1.0));
            for pair in points.windows(2) {
                prop_assert!(pair[0].threshold < pair[1].threshold);
                prop_assert!(pair[0].apcer >= pair[1].apcer && pair[0].bpcer <= pair[1].bpcer);
                prop_assert!(pair[0] != pair[1]);
            }
        }

        #[test]
        fn the_operating_points_are_the_rates_at_their_thresholds(live in some_scores(), attack in some_scores()) {
            let (bona_fide, attacks) = (Scores::new(live), Scores::new(attack));
            for point in operating_points(&bona_fide, &attacks) {
                prop_assert!((point.bpcer - bona_fide.share_below(point.threshold)).abs() < 1e-12);
                prop_assert!((point.apcer - attacks.share_at_or_above(point.threshold)).abs() < 1e-12);
            }
        }

        #[test]
        fn no_better_threshold_keeps_the_bpcer(live in some_scores(), attack in some_scores(), allowed in 0.0f64..0.99) {
            let (bona_fide, attacks) = (Scores::new(live), Scores::new(attack));
            if let Some(found) = apcer_at_bpcer(&bona_fide, &attacks, allowed) {
                for point in operating_points(&bona_fide, &attacks) {
                    prop_assert!(point.bpcer > allowed + 1e-9 || point.apcer >= found - 1e-9);
                }
            }
        }
    }
}

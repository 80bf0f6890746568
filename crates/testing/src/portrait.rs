//! A person who does not exist, drawn: a head with relief, light from the upper left, skin, hair and
//! grain, close enough to a photo that the face detector finds exactly one face.
//!
//! Positions are in half widths of the head: (0, 0) lies between the eyes, y grows downwards.

use image::{Rgb, RgbImage};

/// Red, green and blue, 0 to 1.
type Colour = [f64; 3];

/// Where the light comes from.
const LIGHT: [f64; 3] = [-0.38, -0.50, 0.78];

/// A portrait: head and shoulders in front of a grey wall. At 720 × 900 the face is about 300 pixels
/// wide.
#[must_use]
pub fn portrait(width: u32, height: u32) -> RgbImage {
    let (w, h) = (f64::from(width), f64::from(height));
    let scale = (0.25 * w).min(0.21 * h);
    RgbImage::from_fn(width, height, |column, row| {
        let mut sum = [0.0; 3];
        // Four samples per pixel: no edge has steps.
        for (right, down) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let x = (f64::from(column) + right - 0.5 * w) / scale;
            let y = (f64::from(row) + down - 0.465 * h) / scale;
            let colour = scene(x, y);
            for (sum, part) in sum.iter_mut().zip(colour) {
                *sum += part / 4.0;
            }
        }
        let (column, row) = (i64::from(column), i64::from(row));
        let levels = [0, 1, 2].map(|channel| {
            let at = 3 * column + channel;
            let grain = 1.6 * (hash(at, row) + hash(row + 77, at));
            let light: f64 = sum[usize::try_from(channel).unwrap_or_default()];
            (255.0 * light.max(0.0).powf(0.92) + grain)
                .round()
                .clamp(0.0, 255.0) as u8
        });
        Rgb(levels)
    })
}

/// From 0 at `from` to 1 at `to`, without corners.
fn ramp(from: f64, to: f64, at: f64) -> f64 {
    let t = ((at - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A hill: 1 at `(cx, cy)`, falling over `rx` and `ry`.
fn bell(x: f64, y: f64, (cx, cy): (f64, f64), (rx, ry): (f64, f64)) -> f64 {
    let (dx, dy) = ((x - cx) / rx, (y - cy) / ry);
    (-(dx * dx + dy * dy)).exp()
}

/// 1 inside an ellipse and 0 outside, with an edge that is `soft` wide.
fn oval(x: f64, y: f64, (cx, cy): (f64, f64), (rx, ry): (f64, f64), soft: f64) -> f64 {
    let (dx, dy) = ((x - cx) / rx, (y - cy) / ry);
    1.0 - ramp(1.0 - soft, 1.0 + soft, dx.hypot(dy))
}

/// A line along `y = at`, `thick` high.
fn line(y: f64, at: f64, thick: f64) -> f64 {
    (-((y - at) / thick).powi(2)).exp()
}

fn mix(one: Colour, other: Colour, share: f64) -> Colour {
    [0, 1, 2].map(|i| one[i] + (other[i] - one[i]) * share)
}

fn lit(colour: Colour, light: f64) -> Colour {
    colour.map(|part| part * light)
}

/// A random number, -1 to 1, always the same at the same place.
fn hash(x: i64, y: i64) -> f64 {
    let mut bits = x.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ y.cast_unsigned().wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    bits ^= bits >> 29;
    bits = bits.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits ^= bits >> 32;
    (bits & 0xFFFF) as f64 / 32_767.5 - 1.0
}

/// Random numbers, -1 to 1, smooth in between.
fn noise(x: f64, y: f64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (ramp(0.0, 1.0, x - left), ramp(0.0, 1.0, y - top));
    let at = |dx: i64, dy: i64| hash(left as i64 + dx, top as i64 + dy);
    let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * right;
    let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * right;
    upper + (lower - upper) * down
}

/// Half the head's width at a height.
fn half_width(y: f64) -> f64 {
    if y < 0.0 {
        0.98 * (1.0 - (y / 1.36).powi(2)).max(0.0).sqrt()
    } else {
        0.98 * (1.0 - (y / 1.27).powf(2.3)).max(0.0).powf(0.52)
    }
}

/// How far the face stands out.
fn relief(x: f64, y: f64) -> f64 {
    let across = (x / half_width(y).hypot(0.22)).clamp(-1.0, 1.0);
    let tall = if y < 0.0 { 1.36 } else { 1.42 };
    let down = (1.0 - (y / tall).powi(2)).max(0.0).sqrt();
    let head = 0.85 * (1.0 - across.abs().powf(2.4)).max(0.0).sqrt() * (0.35 + 0.65 * down);
    let side = x.abs();
    let eyes = 0.05 * bell(side, y, (0.40, -0.28), (0.36, 0.10))
        - 0.11 * bell(side, y, (0.40, -0.05), (0.26, 0.16))
        + 0.05 * bell(side, y, (0.40, -0.03), (0.14, 0.10));
    let along = ramp(-0.25, 0.40, y) * (1.0 - ramp(0.40, 0.60, y));
    let ridge = 0.09 + 0.06 * ramp(-0.1, 0.4, y);
    let nose =
        0.22 * along * line(x, 0.0, ridge) + 0.10 * bell(side, y, (0.15, 0.40), (0.075, 0.075));
    let cheek = 0.06 * bell(side, y, (0.58, 0.20), (0.24, 0.20));
    let mouth = 0.07 * bell(x, y, (0.0, 0.72), (0.30, 0.16))
        + 0.035 * bell(x, y, (0.0, 0.66), (0.22, 0.045))
        + 0.05 * bell(x, y, (0.0, 0.795), (0.18, 0.05))
        - 0.05 * bell(x, y, (0.0, 0.91), (0.20, 0.06));
    let chin = 0.05 * bell(x, y, (0.0, 1.04), (0.26, 0.15));
    head + eyes + nose + cheek + mouth + chin
}

fn unit(vector: [f64; 3]) -> [f64; 3] {
    let length = vector.iter().map(|part| part * part).sum::<f64>().sqrt();
    vector.map(|part| part / length)
}

fn dot(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// Where the skin faces.
fn normal(x: f64, y: f64) -> [f64; 3] {
    let step = 0.008;
    let across = (relief(x + step, y) - relief(x - step, y)) / (2.0 * step);
    let down = (relief(x, y + step) - relief(x, y - step)) / (2.0 * step);
    unit([-across, -down, 1.0])
}

/// Skin without light on it.
fn skin(x: f64, y: f64) -> Colour {
    let side = x.abs();
    let mut colour = [0.80, 0.585, 0.475];
    for (other, share) in [
        (
            [0.80, 0.46, 0.40],
            0.45 * bell(side, y, (0.55, 0.32), (0.26, 0.20)),
        ),
        (
            [0.78, 0.45, 0.39],
            0.40 * bell(x, y, (0.0, 0.40), (0.16, 0.10)),
        ),
        (
            [0.60, 0.40, 0.34],
            0.35 * bell(side, y, (0.40, 0.08), (0.20, 0.07)),
        ),
        (
            [0.62, 0.47, 0.41],
            0.25 * bell(x, y, (0.0, 0.95), (0.6, 0.28)),
        ),
    ] {
        colour = mix(colour, other, share);
    }
    let pores = 0.03 * noise(14.0 * x, 14.0 * y) + 0.02 * noise(37.0 * x + 9.0, 37.0 * y);
    lit(colour, 1.0 + pores)
}

/// The light on the face, hollows included.
fn light_on(x: f64, y: f64, facing: f64, up: f64) -> f64 {
    let side = x.abs();
    let edge = (side / half_width(y).max(0.02)).min(1.2);
    let hollows = [
        0.30 * bell(side, y, (0.38, -0.13), (0.24, 0.07)),
        0.22 * bell(side, y, (0.20, -0.04), (0.07, 0.12)),
        0.10 * bell(x, y, (0.0, 0.52), (0.20, 0.05)),
        0.08 * bell(x, y, (0.0, 0.90), (0.20, 0.05)),
        0.12 * bell(side, y, (0.27, 0.44), (0.05, 0.14)),
        0.33 * ramp(0.80, 1.0, edge),
        0.30 * ramp(-0.62, -0.95, y),
    ];
    let light = 0.27 + 0.70 * facing + 0.08 * (1.0 + up);
    hollows
        .iter()
        .fold(light, |light, hollow| light * (1.0 - hollow))
}

/// The face with its features.
fn face(x: f64, y: f64) -> Colour {
    let side = x.abs();
    let normal = normal(x, y);
    let light = unit(LIGHT);
    let facing = dot(normal, light).max(0.0);
    let mut shade = light_on(x, y, facing, -normal[1]);
    let mut colour = skin(x, y);

    // Lips, the line between them, the corners.
    let seam = 0.72 - 0.022 * (side / 0.30).powi(2) - 0.012 * line(x, 0.0, 0.07);
    let upper = seam - 0.075 * (1.0 - (side / 0.335).powi(2)).max(0.0).powf(0.8)
        + 0.022 * line(x, 0.0, 0.06);
    let lower = seam + 0.105 * (1.0 - (side / 0.32).powi(2)).max(0.0).powf(0.7);
    let lips = ramp(upper - 0.012, upper + 0.02, y)
        * (1.0 - ramp(lower - 0.03, lower + 0.015, y))
        * (1.0 - ramp(0.30, 0.345, side));
    colour = mix(colour, [0.66, 0.31, 0.30], 0.85 * lips);
    shade *= 1.0 - 0.22 * lips * ramp(seam + 0.01, seam - 0.05, y);
    let between = line(y, seam, 0.013) * (1.0 - ramp(0.27, 0.345, side));
    colour = mix(colour, [0.24, 0.10, 0.09], 0.85 * between);
    let corner = bell(side, y, (0.335, seam), (0.03, 0.025));
    colour = mix(colour, [0.45, 0.25, 0.21], 0.5 * corner);

    let nostril = bell(side, y, (0.095, 0.465), (0.050, 0.024));
    colour = mix(colour, [0.22, 0.11, 0.09], 0.80 * nostril);

    let brow = -0.28 - 0.075 * (1.0 - ((side - 0.47) / 0.30).powi(2));
    let thick = 0.040 * (1.0 - 0.55 * ramp(0.40, 0.74, side));
    let hairs = 0.75 + 0.25 * noise(60.0 * x + 30.0 * y, 25.0 * y - 8.0 * x);
    let brow = line(y, brow, thick) * ramp(0.15, 0.24, side) * (1.0 - ramp(0.64, 0.76, side));
    colour = mix(
        colour,
        [0.17, 0.11, 0.085],
        0.88 * (brow * hairs).clamp(0.0, 1.0),
    );

    let half = unit([light[0], light[1], light[2] + 1.0]);
    let gloss = 0.10 * dot(normal, half).max(0.0).powi(28)
        + 0.10 * lips * bell(x, y, (-0.05, 0.775), (0.10, 0.018));
    let colour = lit(colour, shade).map(|part| part + gloss);
    eye(x, y, facing, colour)
}

/// An eye with its lids over the skin.
fn eye(x: f64, y: f64, facing: f64, skin: Colour) -> Colour {
    let side = x.abs();
    let (middle, level) = (0.40, -0.03);
    let across = (side - middle) / 0.185;
    let open = (1.0 - across * across).max(0.0);
    let upper = level - 0.085 * open.powf(0.7) + 0.012 * across;
    let lower = level + 0.052 * open.powf(0.8) + 0.012 * across;
    let inside = ramp(upper - 0.006, upper + 0.010, y)
        * (1.0 - ramp(lower - 0.010, lower + 0.006, y))
        * (1.0 - ramp(0.93, 1.0, across.abs()));

    let mut white = lit(
        [0.80, 0.77, 0.745],
        (0.70 + 0.25 * facing) * (1.0 - 0.35 * across.abs().powi(3)),
    );
    let inner = bell(side, y, (middle - 0.165, level + 0.01), (0.03, 0.025));
    white = mix(white, [0.70, 0.42, 0.38], 0.6 * inner);
    let (dx, dy) = (x - x.signum() * middle, y - level + 0.012);
    let distance = dx.hypot(dy);
    let streaks = 1.0 + 0.25 * noise(9.0 * dy.atan2(dx), 30.0 * distance);
    let iris = mix(
        [0.30, 0.19, 0.11],
        [0.13, 0.075, 0.045],
        ramp(0.055, 0.085, distance),
    );
    white = mix(
        white,
        lit(iris, streaks),
        1.0 - ramp(0.080, 0.092, distance),
    );
    white = mix(
        white,
        [0.025, 0.02, 0.02],
        1.0 - ramp(0.030, 0.042, distance),
    );
    white = lit(white, 1.0 - 0.50 * ramp(upper + 0.055, upper, y));
    let window = oval(dx, dy, (-0.030, -0.030), (0.016, 0.016), 0.4);
    white = mix(white, [0.97; 3], 0.95 * window);

    let mut colour = mix(skin, white, inside);
    let lashes = line(y, upper, 0.014) * (1.0 - ramp(0.98, 1.12, across.abs()));
    colour = mix(colour, [0.09, 0.06, 0.05], 0.85 * lashes);
    let lid = line(y, lower, 0.010) * (1.0 - ramp(0.9, 1.05, across.abs()));
    colour = mix(colour, [0.35, 0.21, 0.17], 0.45 * lid);
    let crease = line(y, upper - 0.045, 0.010) * (1.0 - ramp(0.75, 1.05, across.abs()));
    mix(colour, lit(colour, 0.62), 0.7 * crease)
}

fn hair(x: f64, y: f64) -> Colour {
    let strands = 0.6 * noise(26.0 * x + 4.0 * y, 2.2 * y) + 0.4 * noise(60.0 * x, 4.0 * y);
    let sheen = bell(x, y, (-0.28, -1.12), (0.55, 0.16));
    let colour = mix([0.115, 0.078, 0.058], [0.33, 0.24, 0.18], 0.75 * sheen);
    lit(
        colour,
        (1.0 + 0.40 * strands) * (1.0 - 0.30 * ramp(0.2, 1.1, x)),
    )
}

/// Everything, from the wall to the fringe.
fn scene(x: f64, y: f64) -> Colour {
    let side = x.abs();
    let wall = mix(
        [0.70, 0.715, 0.71],
        [0.50, 0.53, 0.545],
        ramp(-3.0, 3.0, x + 0.4 * y),
    );
    let mut colour = lit(wall, 1.0 + 0.012 * noise(2.3 * x, 2.3 * y));

    let behind = oval(x, y, (0.0, -0.42), (1.14, 1.16), 0.025) * (1.0 - ramp(0.10, 0.45, y));
    colour = mix(colour, hair(x, y), behind);

    let shoulder = 1.62 + 0.42 * (side / 1.3).powf(1.6) - 0.10 * line(x, 0.0, 0.6);
    let shirt = ramp(shoulder - 0.03, shoulder + 0.03, y)
        * (1.0 - ramp(2.45, 2.60, side - 0.25 * (y - 2.2)));
    let folds = 1.0 + 0.10 * noise(1.7 * x + 3.0, 1.1 * y) + 0.03 * noise(40.0 * x, 40.0 * y);
    let cloth = lit(
        [0.20, 0.27, 0.36],
        folds * (1.05 - 0.25 * ramp(-1.5, 2.0, x)),
    );
    colour = mix(colour, cloth, shirt);

    let throat = 0.58 + 0.10 * ramp(1.3, 1.9, y);
    let collar = y - 0.30 * (1.0 - (side / 0.62).powi(2)).max(-0.2) + 0.10;
    let neck = ramp(0.7, 0.8, y)
        * (1.0 - ramp(throat - 0.03, throat + 0.03, side))
        * (1.0 - ramp(1.86, 1.94, collar));
    let round = (1.0 - (x / 0.66).powi(2)).max(0.0).sqrt();
    let below_chin = 1.0 - 0.55 * (1.0 - ramp(1.12, 1.60, y + 0.10 * x));
    let tone = (0.42 + 0.48 * round - 0.18 * x) * below_chin;
    colour = mix(colour, lit([0.77, 0.55, 0.445], tone), neck);

    for (at, tone) in [(-0.985, 0.86), (0.985, 0.60)] {
        let ear = oval(x, y, (at, 0.08), (0.115, 0.27), 0.06);
        let hollow = 1.0 - 0.40 * bell(x, y, (at, 0.06), (0.05, 0.15));
        colour = mix(colour, lit([0.78, 0.52, 0.43], tone * hollow), ear);
    }

    if (-1.36..1.27).contains(&y) {
        let edge = half_width(y);
        let inside = 1.0 - ramp(edge - 0.018, edge + 0.011, side);
        if inside > 0.0 {
            colour = mix(colour, face(x, y), inside);
        }
    }

    let hairline = -0.80
        + 0.17 * (side / 0.8).powi(2)
        + 0.55 * ramp(0.72, 0.98, side)
        + 0.035 * noise(9.0 * x, 1.0)
        + 0.05 * x;
    let fringe = (1.0 - ramp(hairline - 0.05, hairline + 0.05, y))
        * oval(x, y, (0.0, -0.42), (1.10, 1.14), 0.03);
    mix(colour, hair(x, y), fringe)
}

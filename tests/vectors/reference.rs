//! Ed25519 as ZIP 215 has it, a second time: on whole numbers, from the equations alone, sharing no
//! line with the crates that the engine uses. Slow, and not for secrets.

use num_bigint::BigUint;
use peer_group::crypto::{Primitives as _, REAL};

/// The curve -x² + y² = 1 + d·x²·y² over the integers modulo p.
pub(crate) struct Curve {
    p: BigUint,
    d: BigUint,
    /// A square root of -1.
    i: BigUint,
    /// How many points the generator makes.
    pub(crate) order: BigUint,
    generator: Point,
}

/// x = `x`/`z` and y = `y`/`z`.
#[derive(Clone)]
pub(crate) struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
}

fn small(number: u32) -> BigUint {
    BigUint::from(number)
}

impl Curve {
    pub(crate) fn new() -> Self {
        let p = (small(1) << 255u32) - small(19);
        let inverse = |a: &BigUint| a.modpow(&(&p - small(2)), &p);
        let d = (&p - small(121_665)) * inverse(&small(121_666)) % &p;
        let i = small(2).modpow(&((&p - small(1)) / small(4)), &p);
        let tail: BigUint = "27742317777372353535851937790883648493"
            .parse()
            .expect("decimal");
        let mut curve = Self {
            order: (small(1) << 252u32) + tail,
            generator: Point::identity(),
            p,
            d,
            i,
        };
        // The point of y = 4/5 whose x is even.
        let y = small(4) * curve.inverse(&small(5)) % &curve.p;
        curve.generator = curve.read(&bytes(&y)).expect("on the curve");
        curve
    }

    fn inverse(&self, a: &BigUint) -> BigUint {
        a.modpow(&(&self.p - small(2)), &self.p)
    }

    fn minus(&self, a: &BigUint, b: &BigUint) -> BigUint {
        (a + &self.p - b % &self.p) % &self.p
    }

    /// The point that 32 bytes name; y may be p or more, and zero may be called odd.
    pub(crate) fn read(&self, from: &[u8; 32]) -> Option<Point> {
        let mut low = *from;
        low[31] &= 0x7f;
        let y = BigUint::from_bytes_le(&low) % &self.p;
        let square = &y * &y % &self.p;
        let u = self.minus(&square, &small(1));
        let v = (&self.d * square + small(1)) % &self.p;
        // x² = u/v: if it has a root, this is one or becomes one times the root of -1.
        let ratio = u * self.inverse(&v) % &self.p;
        let mut x = ratio.modpow(&((&self.p + small(3)) / small(8)), &self.p);
        if &x * &x % &self.p != ratio {
            x = x * &self.i % &self.p;
        }
        if &x * &x % &self.p != ratio {
            return None;
        }
        if x.bit(0) != (from[31] & 0x80 != 0) {
            x = self.minus(&small(0), &x);
        }
        let z = small(1);
        Some(Point { x, y, z })
    }

    /// All ways to write a point down that [`read`](Self::read) takes, the proper one first.
    pub(crate) fn spellings(&self, point: &Point) -> Vec<[u8; 32]> {
        let inverse = self.inverse(&point.z);
        let x = &point.x * &inverse % &self.p;
        let y = &point.y * &inverse % &self.p;
        let signs = if x == small(0) {
            vec![false, true]
        } else {
            vec![x.bit(0)]
        };
        let mut all = Vec::new();
        for y in [y.clone(), y + &self.p] {
            for sign in &signs {
                if !y.bit(255) {
                    let mut out = bytes(&y);
                    out[31] |= u8::from(*sign) << 7;
                    all.push(out);
                }
            }
        }
        all
    }

    pub(crate) fn sum(&self, a: &Point, b: &Point) -> Point {
        let p = &self.p;
        let z = &a.z * &b.z % p;
        let squared = &z * &z % p;
        let (x, y) = (&a.x * &b.x % p, &a.y * &b.y % p);
        let e = &self.d * &x % p * &y % p;
        let (f, g) = (self.minus(&squared, &e), (squared + e) % p);
        let crossed = (&a.x + &a.y) * (&b.x + &b.y) % p;
        let crossed = self.minus(&self.minus(&crossed, &x), &y);
        Point {
            x: &z * &f % p * crossed % p,
            y: z * &g % p * (x + y) % p,
            z: f * g % p,
        }
    }

    pub(crate) fn times(&self, number: &BigUint, point: &Point) -> Point {
        let mut sum = Point::identity();
        for bit in (0..number.bits()).rev() {
            sum = self.sum(&sum, &sum);
            if number.bit(bit) {
                sum = self.sum(&sum, point);
            }
        }
        sum
    }

    pub(crate) fn generator(&self) -> &Point {
        &self.generator
    }

    fn negative(&self, point: &Point) -> Point {
        Point {
            x: self.minus(&small(0), &point.x),
            ..point.clone()
        }
    }

    pub(crate) fn is_identity(&self, point: &Point) -> bool {
        point.x == small(0) && point.y == point.z
    }

    /// What a signature binds together: the hash of R, key and message, modulo the order.
    pub(crate) fn challenge(&self, r: &[u8], key: &[u8; 32], message: &[u8]) -> BigUint {
        BigUint::from_bytes_le(&REAL.hash(&[r, key, message])) % &self.order
    }

    /// Whether s is below the order and 8·(s·B - R - k·A) = 0.
    pub(crate) fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        let (r, s) = signature.split_at(32);
        let s = BigUint::from_bytes_le(s);
        let point = |bytes: &[u8]| self.read(bytes.try_into().expect("32 bytes"));
        let (Some(key_point), Some(r_point)) = (point(key), point(r)) else {
            return false;
        };
        if s >= self.order {
            return false;
        }
        let k = self.challenge(r, key, message);
        let right = self.sum(&r_point, &self.times(&k, &key_point));
        let left = self.times(&s, &self.generator);
        let difference = self.sum(&left, &self.negative(&right));
        self.is_identity(&self.times(&small(8), &difference))
    }
}

impl Point {
    pub(crate) fn identity() -> Self {
        Self {
            x: small(0),
            y: small(1),
            z: small(1),
        }
    }
}

/// 32 bytes, the lowest first.
pub(crate) fn bytes(number: &BigUint) -> [u8; 32] {
    let mut out = number.to_bytes_le();
    out.resize(32, 0);
    out.try_into().expect("32 bytes")
}

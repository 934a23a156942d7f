//! Merging hits of shards and reranking hits of other engines: edges and refusals. That they equal a full sort is in `core_topk`.

use nnn::{Error, Hit, Status, merge_hits, rerank};

const NO_HIT: Hit = Hit { score: -77.0, id: u32::MAX };

fn hit(score: f32, id: u32) -> Hit {
    Hit { score, id }
}

fn refused(status: Status, argument: &'static str) -> nnn::Result<()> {
    Err(Error { status, argument })
}

#[test]
fn merging_keeps_the_best_of_both_and_ids_break_ties() {
    let mut a = [hit(3.0, 5), hit(1.0, 4), NO_HIT, NO_HIT];
    let mut len = 2;
    merge_hits(&mut a, &mut len, &[hit(3.0, 2), hit(1.0, 9)], 3).unwrap();
    assert_eq!((len, a), (3, [hit(3.0, 2), hit(3.0, 5), hit(1.0, 4), NO_HIT]), "k = 3 of room for 4");
    merge_hits(&mut a, &mut len, &[], 4).unwrap();
    assert_eq!(len, 3, "an empty list adds nothing");
    merge_hits(&mut a, &mut len, &[hit(9.0, 1), hit(8.0, 1), hit(7.0, 1), hit(6.0, 1), hit(5.0, 1)], 4).unwrap();
    assert_eq!((len, a), (4, [hit(9.0, 1), hit(8.0, 1), hit(7.0, 1), hit(6.0, 1)]), "a longer list than k");
    let mut none = [NO_HIT; 2];
    let mut len = 0;
    merge_hits(&mut none, &mut len, &[hit(1.0, 0)], 2).unwrap();
    assert_eq!((len, none), (1, [hit(1.0, 0), NO_HIT]));
}

#[test]
fn lists_that_are_not_in_hit_order_are_refused() {
    for bad in [
        [hit(1.0, 0), hit(2.0, 1)],
        [hit(1.0, 1), hit(1.0, 0)],
        [hit(f32::NAN, 0), hit(1.0, 1)],
        [hit(1.0, 0), hit(f32::NAN, 1)],
        [hit(f32::INFINITY, 0), hit(1.0, 1)],
        [hit(1.0, 0), hit(f32::NEG_INFINITY, 1)],
    ] {
        let (mut a, mut len) = ([hit(5.0, 7), NO_HIT], 1);
        assert_eq!(merge_hits(&mut a, &mut len, &bad, 2), refused(Status::Value, "b"), "{bad:?}");
        assert_eq!((a, len), ([hit(5.0, 7), NO_HIT], 1), "{bad:?}");
        let (mut a, mut len) = (bad, 2);
        assert_eq!(merge_hits(&mut a, &mut len, &[hit(0.5, 9)], 2), refused(Status::Value, "a"), "{bad:?}");
        assert_eq!((a.map(|h| h.score.to_bits()), len), (bad.map(|h| h.score.to_bits()), 2), "{bad:?}");
    }
    // What stands past the length does not matter.
    let (mut a, mut len) = ([hit(5.0, 7), hit(f32::NAN, 0)], 1);
    merge_hits(&mut a, &mut len, &[hit(4.0, 1)], 2).unwrap();
    assert_eq!((a, len), ([hit(5.0, 7), hit(4.0, 1)], 2));
}

#[test]
fn merging_refuses_wrong_sizes() {
    let (mut a, mut len) = ([hit(1.0, 0), NO_HIT], 1);
    assert_eq!(merge_hits(&mut a, &mut len, &[], 0), refused(Status::K, "k"));
    assert_eq!(merge_hits(&mut a, &mut len, &[], 3), refused(Status::Capacity, "a"));
    len = 2;
    assert_eq!(merge_hits(&mut a, &mut len, &[], 1), refused(Status::Range, "a_len"));
    len = 4;
    assert_eq!(merge_hits(&mut a, &mut len, &[], 3), refused(Status::Range, "a_len"), "before the room");
    assert_eq!((a, len), ([hit(1.0, 0), NO_HIT], 4));
}

#[test]
fn reranking_subtracts_biases_and_keeps_duplicates() {
    let candidates = [hit(1.0, 2), hit(3.0, 0), hit(1.0, 2), hit(2.0, 1)];
    let (mut hits, mut found) = ([NO_HIT; 4], 9);
    rerank(&candidates, &[2.5, 0.0, 0.5], 3, &mut hits, &mut found).unwrap();
    assert_eq!((hits, found), ([hit(2.0, 1), hit(0.5, 0), hit(0.5, 2), NO_HIT], 3));
    rerank(&candidates, &[2.5, 0.0, 0.5], 9, &mut hits, &mut found).unwrap();
    assert_eq!((hits, found), ([hit(2.0, 1), hit(0.5, 0), hit(0.5, 2), hit(0.5, 2)], 4), "room for all is enough for any k");
    rerank(&[], &[], 3, &mut [], &mut found).unwrap();
    assert_eq!(found, 0);
    // -0 and +0 are one score.
    rerank(&[hit(-0.0, 1), hit(0.0, 0)], &[0.0, 0.0], 2, &mut hits, &mut found).unwrap();
    assert_eq!(hits.map(|h| (h.score.to_bits(), h.id))[..2], [(0, 0), (0, 1)]);
}

#[test]
fn a_debiased_score_that_overflows_is_no_hit() {
    let (mut hits, mut found) = ([NO_HIT; 3], 9);
    rerank(&[hit(f32::MAX, 0), hit(f32::MIN, 1), hit(1.0, 2)], &[f32::MIN, f32::MAX, 0.0], 3, &mut hits, &mut found).unwrap();
    assert_eq!((hits, found), ([hit(1.0, 2), NO_HIT, NO_HIT], 1));
}

#[test]
fn reranking_refuses_what_it_cannot_rank() {
    let good = [hit(1.0, 0), hit(2.0, 1)];
    let (mut hits, mut found) = ([NO_HIT; 2], 9);
    let mut check = |candidates: &[Hit], bias: &[f32], k, room, expected| {
        assert_eq!(rerank(candidates, bias, k, &mut hits[..room], &mut found), expected);
        assert_eq!((hits, found), ([NO_HIT; 2], 9));
    };
    check(&good, &[0.0; 2], 0, 2, refused(Status::K, "k"));
    check(&good, &[0.0; 1], 2, 2, refused(Status::Range, "candidates"));
    check(&[hit(1.0, u32::MAX)], &[0.0; 1], 2, 2, refused(Status::Range, "candidates"));
    check(&good, &[0.0; 2], 2, 1, refused(Status::Capacity, "hits"));
    check(&good, &[0.0; 2], 9, 1, refused(Status::Capacity, "hits"));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        check(&[hit(1.0, 0), hit(bad, 1)], &[0.0; 2], 2, 2, refused(Status::Value, "candidates"));
        check(&good, &[0.0, bad], 2, 2, refused(Status::Value, "bias"));
    }
    // Only the biases of candidates are looked at.
    assert_eq!(rerank(&good, &[0.0, 0.0, f32::NAN], 2, &mut hits, &mut found), Ok(()));
}

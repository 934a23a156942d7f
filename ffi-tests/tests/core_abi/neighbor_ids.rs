//! Neighbour tables with ids.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use nnn::Hit;
use nnn::abi::*;

pub fn functions() -> Vec<Function> {
    const NO: f32 = f32::NEG_INFINITY;
    let table = || Elements::hits(&[(0.5, 1), (-0.25, 0)].repeat(COUNT));
    // No row of a table: out of order, NaN, an infinity, padding before a neighbour, two floors.
    let bad = [
        [(-0.25, 0), (0.5, 1)],
        [(0.5, 1), (0.5, 0)],
        [(f32::NAN, 1), (0.5, 0)],
        [(f32::INFINITY, 1), (0.5, 0)],
        [(0.5, 1), (NO, 0)],
        [(0.5, NNN_NO_NEIGHBOR), (0.25, NNN_NO_NEIGHBOR)],
        [(0.5, 1), (f32::INFINITY, NNN_NO_NEIGHBOR)],
        [(0.5, 1), (f32::NAN, NNN_NO_NEIGHBOR)],
    ];
    let refusing = |elements: Elements| bad.iter().fold(elements, |all, row| all.refusing(2, Elements::hits(row), NNN_ERR_VALUE));
    // Padding before a neighbour is reported as a row that knows too few where k is asked of it.
    let gap = [(0.5, NNN_NO_NEIGHBOR), (0.25, 1)];
    let sound = || refusing(table()).refusing(2, Elements::hits(&gap), NNN_ERR_VALUE);
    let rows = || {
        let mut all = vec![wrong(HUGE, NNN_ERR_OVERFLOW)];
        #[cfg(target_pointer_width = "64")]
        all.push(wrong(1 << 32, NNN_ERR_RANGE));
        Param::Size(COUNT, all)
    };
    let columns = || Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong(1, NNN_ERR_K), wrong(HUGE, NNN_ERR_OVERFLOW)]);
    let k_of = |columns| Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong_for(columns, K + 1, NNN_ERR_K)]);
    let update = |gallery, bank| {
        let [first, count] = range_of(0);
        let first_id = Param::Size(100, vec![wrong(u32::MAX as usize, NNN_ERR_RANGE), wrong(HUGE, NNN_ERR_RANGE)]);
        let live = Param::InOptional(Elements::one(u64::MAX));
        [gallery, bank, live, first_id, k(NNN_ERR_OVERFLOW), first, count, least_scratch(), Param::Out(sound())]
    };
    let all = || Some(0..=BANK - 1);
    // Rows that know one neighbour.
    let few = Elements::hits(&[(0.5, 1), (0.25, NNN_NO_NEIGHBOR)]);
    let content = [0, 1, 2, 3, 4].into_iter().fold(table(), |t, i| t.refusing(2, Elements::hits(&bad[i]), NNN_ERR_VALUE));
    let content = content.refusing(2, few, NNN_ERR_K).refusing(2, Elements::hits(&gap), NNN_ERR_K);
    vec![
        function(
            "nnn_neighbor_ids_init",
            [out::<Hit>(COUNT * K), rows(), k(NNN_ERR_OVERFLOW)],
            call!(|a| nnn_neighbor_ids_init(a[0] as _, a[1], a[2])),
        ),
        function(
            "nnn_neighbor_ids_update_f32",
            update(mat(GALLERY, Some(RANGE)), mat(BANK, all())),
            call!(|a| nnn_neighbor_ids_update_f32(
                a[0] as _, a[1] as _, a[2] as _, a[3], a[4], a[5], a[6], a[7] as _, a[8], a[9] as _
            )),
        ),
        function(
            "nnn_neighbor_ids_update_i8",
            update(codes(GALLERY, Some(RANGE)), codes(BANK, all())),
            call!(|a| nnn_neighbor_ids_update_i8(
                a[0] as _, a[1] as _, a[2] as _, a[3], a[4], a[5], a[6], a[7] as _, a[8], a[9] as _
            )),
        ),
        function(
            "nnn_neighbor_ids_merge",
            [Param::Out(sound()), Param::In(sound()), rows(), k(NNN_ERR_OVERFLOW)],
            call!(|a| nnn_neighbor_ids_merge(a[0] as _, a[1] as _, a[2], a[3])),
        ),
        function(
            "nnn_neighbor_ids_expire",
            [
                Param::Out(sound().refusing(3, Elements::hits(&[(-0.25, 64)]), NNN_ERR_RANGE)),
                rows(),
                columns(),
                k_of(2),
                Param::In(Elements::one(u64::MAX)),
                #[cfg(target_pointer_width = "64")]
                Param::Size(64, vec![wrong(1 << 32, NNN_ERR_RANGE)]),
                #[cfg(not(target_pointer_width = "64"))]
                Param::Size(64, vec![]),
                out::<u32>(COUNT),
                out::<usize>(1),
            ],
            call!(|a| nnn_neighbor_ids_expire(a[0] as _, a[1], a[2], a[3], a[4] as _, a[5], a[6] as _, a[7] as _)),
        ),
        function(
            "nnn_neighbor_ids_bias",
            [Param::In(content), rows(), columns(), k_of(2), Param::Finite(0.75), out::<f32>(COUNT)],
            call!(|a| nnn_neighbor_ids_bias(a[0] as _, a[1], a[2], a[3], float(a[4]), a[5] as _)),
        ),
    ]
}

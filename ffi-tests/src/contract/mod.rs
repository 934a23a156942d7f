//! The contract of a C function's arguments, broken in every way: each fault alone and each pair of faults gives the documented
//! code (the first of the order), and not a byte that the call could reach is written.
//!
//! A [`Function`] lists its parameters with the values of a good call; the faults follow from the parameters. The good call is also
//! made with arguments that lie side by side, and with each of them flush against an inaccessible page.

mod builder;
mod faults;
mod params;
mod world;

use builder::Builder;
use faults::{Fault, independent};
use nnn::abi::*;
pub use params::{Elements, Param, Wrong, wrong, wrong_for};
use world::{Layout, World};

/// A C function and a good call of it.
pub struct Function {
    /// As exported.
    pub name: &'static str,
    /// In the order of the signature; a scratch parameter stands for two arguments.
    pub params: Vec<Param>,
    /// Calls it with raw arguments: pointers, sizes, and floats as their bits.
    pub call: fn(&[usize]) -> i32,
    /// Outputs are written with this code (`nnn_find_nonfinite_f32`).
    pub reports: Option<i32>,
}

impl Function {
    fn expect(&self, world: &mut World, good: &(Vec<u64>, Vec<usize>), faults: &[&Fault], code: i32) {
        world.memory.copy_from_slice(&good.0);
        world.arguments.copy_from_slice(&good.1);
        for edit in faults.iter().flat_map(|fault| &fault.edits) {
            world.edit(edit);
        }
        let before = world.image();
        let found = (self.call)(&world.arguments);
        let what = || faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join(" and ");
        assert_eq!(found, code, "{}: {}", self.name, what());
        if code != NNN_OK && self.reports != Some(code) {
            assert!(world.image() == before, "{}: {}: something was written", self.name, what());
        }
    }

    /// The good call succeeds with arguments side by side, and reads and writes nothing outside of any of them.
    pub fn stays_inside(&self) {
        let mut layouts = vec![Layout::Adjacent];
        #[cfg(unix)]
        layouts.extend([false, true].map(|at_end| Layout::Guarded { at_end }));
        for layout in layouts {
            let Builder { world, .. } = Builder::new(&self.params, layout);
            assert_eq!((self.call)(&world.arguments), NNN_OK, "{}", self.name);
        }
    }

    /// Optional arguments may be NULL.
    pub fn does_without_what_is_optional(&self) {
        let Builder { mut world, optional, .. } = Builder::new(&self.params, Layout::Apart);
        for argument in optional {
            let given = std::mem::replace(&mut world.arguments[argument], 0);
            assert_eq!((self.call)(&world.arguments), NNN_OK, "{}: argument {argument} NULL", self.name);
            world.arguments[argument] = given;
        }
    }

    /// The good call succeeds; each fault, and each pair of faults, gives its code and writes nothing. Returns how many calls.
    pub fn verify(&self) -> usize {
        let Builder { mut world, faults, .. } = Builder::new(&self.params, Layout::Apart);
        // The addresses in the faults are those of `world`, which is made good again before every call.
        let good = (world.memory.clone(), world.arguments.clone());
        let mut expect = |faults: &[&Fault], code| self.expect(&mut world, &good, faults, code);
        expect(&[], NNN_OK);
        let mut calls = 1;
        for (i, fault) in faults.iter().enumerate() {
            expect(&[fault], fault.code);
            calls += 1;
            for other in faults[..i].iter().filter(|other| independent(fault, other)) {
                let first = if fault.rank() < other.rank() { fault } else { other };
                expect(&[fault, other], first.code);
                calls += 1;
            }
        }
        calls
    }
}

//! The listed instruction sets: exactly those that `NNN_EXPECT_ISAS` names where it is set (`.ci/run` sets it for each processor
//! that it emulates), and the only ones that can be forced. Detection itself is tested in `cpu`.

use nnn::Isa;

#[test]
fn exactly_the_listed_instruction_sets_can_be_forced() {
    let listed: Vec<&str> = Isa::available().map(Isa::name).collect();
    println!("instruction sets: {}", listed.join(" "));
    if let Ok(expected) = std::env::var("NNN_EXPECT_ISAS") {
        assert_eq!(listed.join(" "), expected, "NNN_EXPECT_ISAS");
    }

    assert_eq!(Isa::active().name(), *listed.last().expect("scalar is always there"), "the best one is chosen");
    for isa in Isa::ALL {
        let before = Isa::active();
        match Isa::select(Some(isa)) {
            Ok(()) => assert!(listed.contains(&isa.name()) && Isa::active() == isa, "{isa:?} was forced"),
            Err(error) => {
                assert!(!listed.contains(&isa.name()), "{isa:?} is listed but refused: {error:?}");
                assert_eq!(Isa::active(), before, "a refused choice changes nothing");
            }
        }
    }
    Isa::select(None).expect("the best set is always accepted");
}

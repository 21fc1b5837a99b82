//! Slots and taps: no value is overwritten while it is needed, and asking for taps changes nothing.

use crate::hostile::targets::holds_what_is_read;
use crate::support::reference::{architecture, recipe_checkpoint, unit};
use g_ghostnet::Error;
use g_ghostnet::arch::regnet::{Form, Ghost, RegNet};
use g_ghostnet::arch::{Architecture, Network, Value, ValueId, View};
use g_ghostnet::config::Config;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::plan::Plan;
use g_ghostnet::session::CpuSession;

fn tiny(form: Form) -> Architecture {
    let ghost = Some(Ghost { form, cheap_kernel: 3, ..Ghost::default() });
    Architecture::RegNet(RegNet { depths: [1, 3, 4, 2], widths: [8, 16, 32, 48], group_width: 8, ghost })
}

fn networks() -> Vec<Network> {
    let named = ["g_ghost_regnetx_006", "g_ghost_regnetx_080", "regnetx_002", "resnet18", "ghostnet_050"]
        .map(architecture);
    named
        .into_iter()
        .chain([tiny(Form::Released), tiny(Form::Paper)])
        .map(|architecture| Network::new(&architecture, 10, 64, 96).unwrap())
        .collect()
}

fn all_taps(network: &Network) -> Vec<String> {
    network.taps.iter().map(|tap| tap.name.clone()).collect()
}

#[test]
fn no_live_value_shares_a_slot() {
    for network in networks() {
        let taps = all_taps(&network);
        holds_what_is_read(&network, &[]);
        holds_what_is_read(&network, &taps);
        for tap in taps.chunks(7) {
            holds_what_is_read(&network, tap);
        }
        // The same tap twice, and backwards.
        let backwards: Vec<String> = taps.iter().rev().chain(&taps).cloned().collect();
        holds_what_is_read(&network, &backwards);
    }
}

#[test]
fn slots_are_reused() {
    // The tiny networks come last; half of their memory is the image.
    for network in &networks()[..5] {
        let plan = Plan::new::<&str>(network, &[]).unwrap();
        let values: usize = network.values.iter().map(Value::len).sum();
        assert!(plan.slots.len() <= 8, "{}: {} slots", network.name, plan.slots.len());
        let elements: usize = plan.slots.iter().sum();
        assert!(elements * 2 < values, "{}: {elements} of {values}", network.name);
    }
}

/// The values that are needed at each step.
fn needed(plan: &Plan) -> Vec<Vec<ValueId>> {
    let mut lives = vec![None; plan.values.len()];
    let mut need = |value: usize, step: usize| {
        let (first, last) = lives[value].unwrap_or((step, step));
        lives[value] = Some((step.min(first), step.max(last)));
    };
    need(plan.image.value, 0);
    for (index, step) in plan.steps.iter().enumerate() {
        step.reads().chain([step.y]).for_each(|view| need(view.value, index));
    }
    need(plan.logits.value, plan.steps.len());
    let lives_at = |step| {
        let lives = &lives;
        move |&value: &ValueId| lives[value].is_some_and(|(first, last)| first <= step && step <= last)
    };
    (0..plan.steps.len()).map(|step| (0..plan.values.len()).filter(lives_at(step)).collect()).collect()
}

/// As many slots as values are needed at once, each no larger than the largest value in it: with fewer or smaller
/// ones, some value would have no place.
#[test]
fn slots_are_as_few_and_as_small_as_their_values_allow() {
    for network in networks() {
        let plan = Plan::new::<&str>(&network, &[]).unwrap();
        let needed = needed(&plan);
        let most = needed.iter().map(Vec::len).max().unwrap();
        assert_eq!(plan.slots.len(), most, "{}", network.name);
        for (slot, &size) in plan.slots.iter().enumerate() {
            let inside = needed.iter().flatten().filter(|&&value| plan.slot(whole(&plan, value)) == slot);
            assert_eq!(inside.map(|&value| plan.values[value].len()).max(), Some(size), "{}", network.name);
        }
    }
}

fn whole(plan: &Plan, value: ValueId) -> View {
    let Value { channels, height, width, .. } = plan.values[value];
    View { value, first: 0, channels, height, width }
}

fn model(architecture: &Architecture) -> Model {
    let network = Network::new(architecture, 10, 64, 96).unwrap();
    let checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
    Model::from_checkpoint(checkpoint, &Options::default()).unwrap()
}

#[test]
fn taps_change_no_logit() {
    let image = unit("image", 3 * 64 * 96);
    let named = ["g_ghost_regnetx_002", "resnet18", "ghostnet_050"].map(architecture);
    for architecture in named.into_iter().chain([tiny(Form::Released), tiny(Form::Paper)]) {
        let model = model(&architecture);
        let network = model.network(64, 96).unwrap();
        let mut session = CpuSession::new(&model, 1).unwrap();
        let mut run = |taps: &[String]| session.run(&image, [1, 3, 64, 96], taps).unwrap();
        let alone = run(&[]);
        assert!(alone.logits.iter().any(|&logit| logit != 0.0));
        let taps = all_taps(&network);
        let all = run(&taps);
        assert_eq!(all.logits, alone.logits, "{}", network.name);
        for (tap, name) in all.taps.iter().zip(&taps) {
            let view = network.tap_view(network.tap(name).unwrap());
            assert_eq!((&tap.name, tap.dims), (name, [1, view.channels, view.height, view.width]));
            // Each alone is what it is among all, and changes no logit either.
            let one = run(std::slice::from_ref(name));
            assert_eq!(one.logits, alone.logits, "{}: {name}", network.name);
            assert_eq!(one.taps[0], *tap, "{}: {name}", network.name);
        }
    }
}

#[test]
fn unknown_taps_are_named_with_the_known_ones() {
    let model = model(&tiny(Form::Released));
    let image = unit("image", 3 * 64 * 96);
    let mut session = CpuSession::new(&model, 1).unwrap();
    let error = session.run(&image, [1, 3, 64, 96], &["layer2.base", "layer2.bass"]).unwrap_err();
    let Error::UnknownTap { name, known } = &error else { panic!("{error}") };
    assert_eq!((error.code(), name.as_str()), ("unknown-tap", "layer2.bass"));
    for tap in
        ["layer1.0", "layer2.base", "layer3.merge", "layer3.ghost", "layer3.cat", "layer3.end", "logits"]
    {
        assert!(known.split(", ").any(|name| name == tap), "{tap} is not in: {known}");
    }
    // The session is usable after the error.
    assert_eq!(session.run(&image, [1, 3, 64, 96], &["layer2.base"]).unwrap().taps.len(), 1);
}

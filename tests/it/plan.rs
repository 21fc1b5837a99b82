//! Slots and taps: no value is overwritten while it is needed, and asking for taps changes nothing.

use crate::support::reference::{architecture, recipe_checkpoint, unit};
use g_ghostnet::Error;
use g_ghostnet::arch::regnet::{Form, Ghost, RegNet};
use g_ghostnet::arch::{Architecture, Network};
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

/// Runs the plan with the name of each value in place of its numbers: what a step reads must be there,
/// in the channels that were written.
fn holds_what_is_read(network: &Network, taps: &[String]) {
    let plan = Plan::new(network, taps).unwrap();
    // Per slot: the value that lies there and which of its channels were written.
    let mut slots: Vec<Option<(usize, Vec<bool>)>> = vec![None; plan.slots.len()];
    slots[plan.slot(plan.image)] = Some((plan.image.value, vec![true; plan.image.channels]));
    let holds = |slots: &[Option<(usize, Vec<bool>)>], view: g_ghostnet::arch::View, step: &str| {
        let (value, written) = slots[plan.slot(view)].as_ref().unwrap();
        assert_eq!(*value, view.value, "{}: {step} reads an overwritten value", network.name);
        let range = view.first..view.first + view.channels;
        assert!(
            written[range].iter().all(|&written| written),
            "{}: {step} reads what is not written",
            network.name
        );
    };
    for step in &plan.steps {
        for view in step.reads() {
            holds(&slots, view, &step.name);
            assert_ne!(
                plan.slot(view),
                plan.slot(step.y),
                "{}: {} reads its own slot",
                network.name,
                step.name
            );
        }
        let value = &plan.values[step.y.value];
        assert!(value.len() <= plan.slots[plan.slot(step.y)], "{}: {} is too large", network.name, step.name);
        let slot = &mut slots[plan.slot(step.y)];
        if slot.as_ref().is_none_or(|(value, _)| *value != step.y.value) {
            *slot = Some((step.y.value, vec![false; value.channels]));
        }
        let written = &mut slot.as_mut().unwrap().1;
        written[step.y.first..step.y.first + step.y.channels].fill(true);
    }
    holds(&slots, plan.logits, "the output");
    assert_eq!(plan.taps.len(), taps.len());
    for ((name, view), asked) in plan.taps.iter().zip(taps) {
        assert_eq!(name, asked);
        holds(&slots, *view, name);
    }
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
        let values: usize = network.values.iter().map(g_ghostnet::arch::Value::len).sum();
        assert!(plan.slots.len() <= 8, "{}: {} slots", network.name, plan.slots.len());
        assert!(plan.elements() * 2 < values, "{}: {} of {values}", network.name, plan.elements());
    }
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
        let mut run = |taps: &[String]| session.run(&model, &image, [1, 3, 64, 96], taps).unwrap();
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
    let error = session.run(&model, &image, [1, 3, 64, 96], &["layer2.base", "layer2.bass"]).unwrap_err();
    let Error::UnknownTap { name, known } = &error else { panic!("{error}") };
    assert_eq!((error.code(), name.as_str()), ("unknown-tap", "layer2.bass"));
    for tap in
        ["layer1.0", "layer2.base", "layer3.merge", "layer3.ghost", "layer3.cat", "layer3.end", "logits"]
    {
        assert!(known.split(", ").any(|name| name == tap), "{tap} is not in: {known}");
    }
    // The session is usable after the error.
    assert_eq!(session.run(&model, &image, [1, 3, 64, 96], &["layer2.base"]).unwrap().taps.len(), 1);
}
